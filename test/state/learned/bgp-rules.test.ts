/** What the rules of the model find in BGP. */

import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { faults } from '../../helpers/rules.ts';

const test = suite('bgp-rules');
const neighbor = { address: '2001:db8:c::1', 'peer-as': 65001 };
const bgp = { 'local-as': 65000, 'router-id': '192.0.2.1', neighbor: [neighbor] };
const aftr = (address: string) => ({
  name: 'a',
  'ipv6-address': '2001:db8:b::1',
  'ipv4-pool': ['192.0.2.0/24'],
  'route-source': [{ name: 'g', 'gateway-ipv6-address': '2001:db8:a::1', 'bgp-neighbor': [address] }],
});
const gateway = (address: string) => ({
  name: 'g',
  'ipv6-address': '2001:db8:a::9',
  'aftr-ipv6-address': '2001:db8:b::9',
  'route-advertisement': { 'bgp-neighbor': [address] },
});

const cases = [
  ['a whole speaker', { bgp, aftr: [aftr('2001:db8:c::1')], gateway: [gateway('2001:db8:c::1')] }, []],
  ['nothing but an AS', { bgp: { 'local-as': 65000 } }, []],
  ['a neighbor without an AS of our own', { bgp: { ...bgp, 'local-as': undefined } }, ['incomplete-bgp bgp']],
  ['a neighbor without a router-id', { bgp: { ...bgp, 'router-id': undefined } }, ['incomplete-bgp bgp']],
  ['a router-id that is none', { bgp: { ...bgp, 'router-id': '0.0.0.0' } }, ['incomplete-bgp bgp/router-id']],
  [
    'a neighbor by its link-local address',
    { bgp: { ...bgp, neighbor: [{ ...neighbor, address: 'fe80::1' }] } },
    ["unusable-bgp-neighbor bgp/neighbor[address='fe80::1']"],
  ],
  [
    'a route source of an unknown neighbor',
    { bgp, aftr: [aftr('2001:db8:c::2')] },
    ["unknown-bgp-neighbor aftr[name='a']/route-source[name='g']/bgp-neighbor[.='2001:db8:c::2']"],
  ],
  [
    'a gateway that announces to an unknown neighbor',
    { bgp, gateway: [gateway('2001:db8:c::2')] },
    ["unknown-bgp-neighbor gateway[name='g']/route-advertisement/bgp-neighbor[.='2001:db8:c::2']"],
  ],
] as const;
for (const [what, softwire, expected] of cases) {
  test(what, async () => {
    const json = JSON.parse(JSON.stringify({ 'gi-4over6:softwire': softwire })) as Readonly<Record<string, unknown>>;
    assert.equal(await faults(json), expected);
  });
}

test.run();
