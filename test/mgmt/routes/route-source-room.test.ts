// needs: addon
/** D122: what a source advertises beyond maximum-routes is refused route by route, as long as there is room to remember it. */

import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { parseIpv6 } from '../../../src/address.ts';
import { RouteSources } from '../../../src/mgmt/routes/route-sources.ts';
import { RouteHash } from '../../../src/state/learned/route-hash.ts';
import { RouteTable } from '../../../src/state/learned/route-table.ts';
import { prefixNumber } from '../../../src/state/rows.ts';
import { OPERATOR, request, softwire, withDatastores } from '../../helpers/state.ts';

const test = suite('room of route sources');

const HASH = '$6$abcdefgh$LI0OBJ/CRCJdRHNZTFwyvhVcqSv1OMzNwTiDGEfu8gFuqCGuYFaMVUhDHtx45p2lVYsSSeTJHpKNfIc5uMgSJ1';
const log = { debug() {}, info() {}, warn() {}, error() {} };
const MAXIMUM = 2;
const OWN = 1_000;
const SHARED = 100_000;

const addressOf = (name: string) => `2001:db8:a::${name.slice(1)}`;

const source = (name: string) => ({
  name,
  'gateway-ipv6-address': addressOf(name),
  password: HASH,
  'allowed-prefix': ['10.0.0.0/8'],
  'maximum-routes': MAXIMUM,
});

const CONFIGURATION = softwire({
  name: 'a',
  'ipv6-address': '2001:db8:b::1',
  'ipv4-pool': ['10.0.0.0/8'],
  'route-source': [source('g1'), source('g2')],
});

/** Routes of its own for each source. */
const routesOf = (name: string, count: number) =>
  Array.from({ length: count }, (_, i) => prefixNumber(0x0a00_0000 + Number(name.slice(1)) * 0x10_0000 + i, 32));

test('beyond maximum-routes: 1,000 of each source, and 100,000 of all together', () =>
  withDatastores(async (datastores) => {
    await datastores.edit(OPERATOR, request(CONFIGURATION));
    const table = new RouteTable(datastores);
    const moments = { of: () => undefined, keep: () => undefined, close: () => undefined };
    const sources = new RouteSources({ table, softwire: () => datastores.softwire, moments, log });
    /** All routes in a session of its own; what becomes of them, or why they are not taken. */
    const tell = async (name: string, count: number) => {
      const gateway = parseIpv6(addressOf(name)) ?? new Uint8Array(16);
      const caller = { user: name, session: 0, face: 'restconf' } as const;
      const routes = routesOf(name, count);
      const { session } = await sources.take(caller, { kind: 'open', gateway });
      const contentHash = new RouteHash(routes).text;
      const message = { session, sequence: 1, hasMore: false, isClose: false, routes, withdrawn: [], contentHash };
      return sources.take(caller, { kind: 'in-session', gateway, ...message }).then(
        ({ refused }) => `${refused.length} refused`,
        (error: Error) => error.message,
      );
    };
    const bound = (name: string) => sources.kept(name, 'bound').numbers.count();

    const most = MAXIMUM + OWN + SHARED;
    assert.is(await tell('g1', most + 1), `expected at most ${most} routes (see maximum-routes), found ${most + 1}`);
    assert.is(await tell('g1', most), `${OWN + SHARED} refused`);
    assert.equal([bound('g1'), table.reasons('g1')], [MAXIMUM, ['too-many']]);

    const own = MAXIMUM + OWN;
    assert.is(await tell('g2', own + 1), `expected at most ${own} routes (see maximum-routes), found ${own + 1}`);
    assert.is(await tell('g2', own), `${OWN} refused`);
    assert.is(bound('g2'), MAXIMUM);

    // Over BGP what is beyond is left out (see importer.ts); what is there counts for others.
    assert.equal([sources.most('g1'), sources.most('g2'), sources.most('none')], [most, own, 0]);

    assert.is(await tell('g1', MAXIMUM + OWN), `${OWN} refused`);
    assert.is(await tell('g2', own + 1), `${OWN + 1} refused`, 'what the other gave up');

    const routes = new Set(routesOf('g1', MAXIMUM + OWN + 10));
    await sources.tell('g1', { isWhole: true, routes, withdrawn: new Set() });
    assert.is(sources.most('g2'), most - 10, 'what another protocol carries of a source counts as well');
    sources.mark('g1', 'established', undefined, 3);
    const problem = `expected at most ${most - 1} routes (see maximum-routes), found 3 more, which are left out`;
    assert.is(sources.report('g1').problem, problem);
    sources.close();
  }));

test.run();
