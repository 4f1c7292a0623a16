/** What list-versions says of versions that were learned, to who may not read all that they name and count. */

import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { listVersions } from '../../src/mgmt/versions.ts';
import { encodeBinding } from '../../src/state/binding.generated.ts';
import { DataNode } from '../../src/state/data.ts';
import { learnedTable, servedTable } from '../../src/state/learned/tables.ts';
import { RowOverlay } from '../../src/state/overlay.ts';
import { prefixNumber } from '../../src/state/rows.ts';
import type { GuestRule } from '../helpers/guest-rights.ts';
import { deny, guestRights, PERMIT } from '../helpers/guest-rights.ts';
import { aftr, binding, OPERATOR, request, schema, withDatastores } from '../helpers/state.ts';

const test = suite('hidden versions');

const SOFTWIRE = '/gi-4over6:softwire';
const OPERATION = schema.find('/gi-4over6:list-versions');
const INPUT = OPERATION?.child('input');

/** A row of an operational table, learned from `user`. */
function learned(table: string, user: string, comment: string) {
  const overlay = new RowOverlay();
  const [address, length] = [0xc0000209, 32];
  const leaves = { aftrIpv6Address: undefined, description: undefined, origin: 'learned' } as const;
  const row = { address, length, gatewayIpv6Address: new Uint8Array(16).fill(1), ...leaves };
  overlay.putSealed(table, prefixNumber(address, length), encodeBinding(row));
  const work = async () => ({ overlay, done: () => undefined });
  return { caller: { user, session: 0, face: 'restconf' } as const, comment, work };
}

const OWN = { user: 'operator', comment: 'mine', added: '1' };
const ROUTES = { user: 'r7', comment: 'routes of r7', added: '1' };
const PREFIXES = { user: 'system', comment: 'prefixes that h serves', added: '1' };
const NOTHING = { user: undefined, comment: undefined, added: undefined };

/** [what, rules, who and what of: an edit, routes that were learned, prefixes that a gateway serves] */
const cases: readonly (readonly [string, readonly GuestRule[], object, object, object])[] = [
  ['who reads all', [PERMIT], OWN, ROUTES, PREFIXES],
  ['who may not read rules', [deny('/ietf-netconf-acm:nacm'), PERMIT], OWN, ROUTES, PREFIXES],
  ['who may not read passwords', [deny(`${SOFTWIRE}/aftr/route-source/password`), PERMIT], OWN, ROUTES, PREFIXES],
  ['who may not read a gateway', [deny(`${SOFTWIRE}/gateway[name='h']`), PERMIT], OWN, NOTHING, NOTHING],
  [
    'who may not read a route source',
    [deny(`${SOFTWIRE}/aftr/route-source[name='r7']`), PERMIT],
    OWN,
    NOTHING,
    NOTHING,
  ],
  ['who may not read served prefixes', [deny(`${SOFTWIRE}/gateway/served-prefix`), PERMIT], OWN, NOTHING, NOTHING],
  [
    'who may not read a binding',
    [deny(`${SOFTWIRE}/aftr/binding-table/binding[ipv4-prefix='192.0.2.9/32']`), PERMIT],
    { ...OWN, added: undefined },
    NOTHING,
    NOTHING,
  ],
];

for (const [what, rules, edit, routes, prefixes] of cases) {
  test(what, () =>
    withDatastores(async (datastores) => {
      const mine = request(aftr(binding('192.0.2.1/32', '2001:db8:a::1')), { comment: 'mine' });
      await datastores.edit(OPERATOR, mine);
      await datastores.learn(learned(learnedTable('a'), 'r7', 'routes of r7'));
      await datastores.learn(learned(servedTable('h'), 'system', 'prefixes that h serves'));
      if (!OPERATION || !INPUT) throw new Error('the schema has no list-versions');
      const context = { datastores, rights: guestRights(...rules), schema } as Parameters<typeof listVersions>[0];
      const { output } = await listVersions(context, new DataNode(OPERATION), new DataNode(INPUT));
      const found = output.entries('version').map((entry) => {
        assert.ok(entry.leaf('number') && entry.leaf('time') && entry.leaf('face'));
        return { user: entry.leaf('user'), comment: entry.leaf('comment'), added: entry.leaf('added') };
      });
      assert.equal(found.slice(0, 3), [prefixes, routes, edit]);
    }),
  );
}

test.run();
