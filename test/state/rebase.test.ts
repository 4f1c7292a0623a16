import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { treeFromJson, treeToJson } from '../../src/state/json.ts';
import { rebased } from '../../src/state/rebase.ts';
import { OPERATOR, request, schema, softwire, withDatastores } from '../helpers/state.ts';

const test = suite('rebase');
type Json = Record<string, unknown>;
const gateway = (leaves: Json): Json => ({ 'gi-4over6:softwire': { gateway: [{ name: 'g', ...leaves }] } });
const BASE = gateway({ 'hop-limit': 9, 'ipv4-interface': ['left', 'right'], 'ipv4-address': '192.0.2.1' });

const cases: readonly (readonly [string, Json, Json, Json])[] = [
  [
    'each side changed another leaf',
    gateway({ 'hop-limit': 8, 'ipv4-interface': ['left', 'right'], 'ipv4-address': '192.0.2.1' }),
    gateway({ 'hop-limit': 9, 'ipv4-interface': ['left', 'right'], 'ipv4-address': '192.0.2.2' }),
    gateway({ 'hop-limit': 8, 'ipv4-interface': ['left', 'right'], 'ipv4-address': '192.0.2.2' }),
  ],
  [
    'both changed one leaf: mine',
    gateway({ 'hop-limit': 8, 'ipv4-interface': ['left', 'right'], 'ipv4-address': '192.0.2.1' }),
    gateway({ 'hop-limit': 7, 'ipv4-interface': ['left', 'right'], 'ipv4-address': '192.0.2.1' }),
    gateway({ 'hop-limit': 8, 'ipv4-interface': ['left', 'right'], 'ipv4-address': '192.0.2.1' }),
  ],
  [
    'I removed what they left, they removed what I left',
    gateway({ 'ipv4-interface': ['left', 'right'], 'ipv4-address': '192.0.2.1' }),
    gateway({ 'hop-limit': 9, 'ipv4-interface': ['right'] }),
    gateway({ 'ipv4-interface': ['right'] }),
  ],
  [
    'both added to one list',
    gateway({ 'hop-limit': 9, 'ipv4-interface': ['left', 'right', 'a'], 'ipv4-address': '192.0.2.1' }),
    gateway({ 'hop-limit': 9, 'ipv4-interface': ['left', 'right', 'b'], 'ipv4-address': '192.0.2.1' }),
    gateway({ 'hop-limit': 9, 'ipv4-interface': ['left', 'right', 'a', 'b'], 'ipv4-address': '192.0.2.1' }),
  ],
  [
    'I changed an entry that they removed: mine stays',
    gateway({ 'hop-limit': 8, 'ipv4-interface': ['left', 'right'], 'ipv4-address': '192.0.2.1' }),
    {},
    gateway({ 'hop-limit': 8, 'ipv4-interface': ['left', 'right'], 'ipv4-address': '192.0.2.1' }),
  ],
  ['I removed an entry that they changed: it goes', {}, gateway({ 'hop-limit': 7 }), {}],
  ['I changed nothing: theirs', BASE, gateway({ 'hop-limit': 1 }), gateway({ 'hop-limit': 1 })],
];
for (const [what, mine, theirs, expected] of cases) {
  test(what, () => {
    const [base, a, b] = [BASE, mine, theirs].map((json) => treeFromJson(schema, json));
    if (!a || !b) throw new Error('two trees');
    const before = [treeToJson(a), treeToJson(b)];
    assert.equal(treeToJson(rebased(base, a, b)), expected);
    assert.equal([treeToJson(a), treeToJson(b)], before, 'neither is changed');
  });
}

test('a commit of the candidate keeps what another face committed meanwhile', () =>
  withDatastores(async (datastores) => {
    const aftr = { name: 'a', 'ipv6-address': '2001:db8:b::1', 'ipv4-pool': ['192.0.2.0/24'] };
    await datastores.edit(OPERATOR, request(softwire(aftr)));
    await datastores.edit(
      OPERATOR,
      request(softwire({ name: 'a', 'softwire-payload-mtu': 1450 }), { target: 'candidate' }),
    );
    await datastores.edit(OPERATOR, request(softwire({ name: 'a', 'hop-limit': 71 })));
    await datastores.commit(OPERATOR);
    const view = datastores.view('running');
    const entry = view.tree.child('softwire')?.entries('aftr')[0];
    assert.equal([entry?.leaf('softwire-payload-mtu'), entry?.leaf('hop-limit')], ['1450', '71']);
    view.close();
  }));

test.run();
