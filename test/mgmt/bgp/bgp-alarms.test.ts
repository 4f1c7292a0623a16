/** When BGP is an alarm: a session that is down for ten seconds, a GoBGP that does not run, a neighbor without the capability. */

import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { BgpAlarms } from '../../../src/mgmt/bgp/bgp-alarms.ts';

const test = suite('bgp-alarms');
const ROOT = '/gi-4over6:softwire/bgp';
const PATH = `${ROOT}/neighbor[address='2001:db8::1']`;

const sight = (isEstablished: boolean, lacksIpv6NextHop = false, isFailing = false) => ({
  isFailing,
  neighbors: [{ address: '2001:db8::1', isEstablished, lacksIpv6NextHop }],
});
const resources = (list: readonly { readonly resource: string }[]) => list.map(({ resource }) => resource);

test('down for ten seconds; a session that comes up between begins them anew', () => {
  const alarms = new BgpAlarms();
  // [seconds, is established, is an alarm]
  const steps = [
    [0, false, false],
    [9, false, false],
    [10, false, true],
    [11, true, false],
    [12, false, false],
    [21, false, false],
    [22, false, true],
  ] as const;
  for (const [seconds, isEstablished, isAlarm] of steps) {
    const found = alarms.conditions(sight(isEstablished), seconds * 1_000)['bgp-down'];
    assert.equal(resources(found), isAlarm ? [PATH] : [], `after ${seconds} s`);
  }
  assert.equal(alarms.conditions({ isFailing: false, neighbors: [] }, 60_000)['bgp-down'], []);
});

test('GoBGP that does not run is one of its own', () => {
  const alarms = new BgpAlarms();
  alarms.conditions(sight(false, false, true), 0);
  assert.equal(resources(alarms.conditions(sight(false, false, true), 10_000)['bgp-down']), [ROOT, PATH]);
});

test('a neighbor without the extended next hop capability, at once', () => {
  const alarms = new BgpAlarms();
  const found = alarms.conditions(sight(true, true), 0);
  assert.equal(resources(found['bgp-without-ipv6-next-hop']), [PATH]);
  assert.equal(found['bgp-down'], []);
});

test.run();
