// needs: root
/** BGP between a gateway and an AFTR of the program: a route added behind the gateway is reached, and what ends it. */

import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { DEVICE, DEVICE_PREFIX, GATEWAY_TUNNEL, SECOND_DEVICE, SECOND_PREFIX, until } from '../../tools/topology.ts';
import { bgpdConfiguration, Frr } from '../helpers/frr.ts';
import { AFTR_CONFIGURATION, GATEWAY_CONFIGURATION, TwoBoxes } from '../helpers/two-boxes.ts';

const test = suite('BGP end to end');
const SOFTWIRE = '/restconf/data/gi-4over6:softwire';
const SOURCE = `${SOFTWIRE}/aftr=edge/route-source=rack`;
const GATEWAY = '2001:db8:12::1';
const AFTR = '2001:db8:12::2';
const ROUTE = `route add ${SECOND_PREFIX} via ${DEVICE}`;
const NO_ROUTE = ROUTE.replace('add', 'del');
const SECOND_TUNNEL = '2001:db8:a::77';
const LONG_MS = 60_000;
const RESTART_S = 20;

type Json = Readonly<Record<string, unknown>>;
type Box = 'gateway' | 'aftr';

const boxes = await TwoBoxes.start(`gi4over6-bgp-${process.pid}`);
const { topology } = boxes;
const frr = new Frr(topology, 'aftr');

function configure(host: Box, more: Json): void {
  const { status, body } = boxes.restconf(host, 'PATCH', SOFTWIRE, { 'gi-4over6:softwire': more });
  assert.is(status, 204, body);
}

function bgp(localAs: number, routerId: string, address: string, peerAs: number, more: Json = {}): Json {
  const times = { 'hold-time': 6, 'graceful-restart-time': RESTART_S };
  return { 'local-as': localAs, 'router-id': routerId, neighbor: [{ address, 'peer-as': peerAs, ...times, ...more }] };
}

function entry(host: Box, path: string): Json {
  const { body } = boxes.restconf(host, 'GET', `${path}?content=nonconfig`);
  const [list = []] = Object.values(JSON.parse(body) as Readonly<Record<string, readonly Json[]>>);
  return list[0] ?? {};
}

const neighbor = (host: Box) =>
  entry(host, `${SOFTWIRE}/bgp/neighbor=${encodeURIComponent(host === 'aftr' ? GATEWAY : AFTR)}`);

/** Prefixes that the AFTR learned. */
function learned(): string[] {
  const routes = (entry('aftr', SOURCE)['learned-route'] ?? []) as readonly Json[];
  return routes.map((route) => String(route['ipv4-prefix']));
}

const isReached = (target: string) => boxes.ping('internet', target, ['-c', '1', '-W', '1']);
/** For what nothing may have interrupted. */
const isStillReached = (target: string) => boxes.reaches('internet', target);

/** Processes of a command whose words hold a text. */
function pidsOf(command: string, text: string): number[] {
  return readdirSync('/proc').flatMap((pid) => {
    if (!/^\d+$/.test(pid)) return [];
    try {
      const words = readFileSync(join('/proc', pid, 'cmdline'), 'utf8');
      return words.startsWith(command) && words.includes(text) ? [Number(pid)] : [];
    } catch {
      return [];
    }
  });
}

const engines = (host: Box) => pidsOf('gobgpd', topology.path(host, 'run'));

test('a gateway that announces: connected prefixes are bound at the AFTR, and served', async () => {
  topology.ip('gateway', 'addr del 192.0.2.1/24 dev left');
  const { 'binding-table': _, ...aftr } = AFTR_CONFIGURATION;
  const source = {
    name: 'rack',
    'gateway-ipv6-address': GATEWAY_TUNNEL,
    'bgp-neighbor': [GATEWAY],
    'allowed-prefix': [DEVICE_PREFIX, SECOND_PREFIX],
  };
  configure('aftr', { bgp: bgp(65000, '10.0.0.2', GATEWAY, 65001), aftr: [{ ...aftr, 'route-source': [source] }] });
  const { 'served-prefix': __, ...gateway } = GATEWAY_CONFIGURATION;
  const advertisement = { 'route-advertisement': { 'bgp-neighbor': [AFTR] } };
  configure('gateway', { bgp: bgp(65001, '10.0.0.1', AFTR, 65000), gateway: [{ ...gateway, ...advertisement }] });
  const isThere = await until(LONG_MS, () => isReached(DEVICE));
  assert.ok(isThere, JSON.stringify([neighbor('gateway'), neighbor('aftr'), entry('aftr', SOURCE)]));
  assert.equal(learned(), [DEVICE_PREFIX]);
  assert.is(neighbor('gateway')['session-state'], 'established');
  assert.is(neighbor('gateway')['extended-next-hop'], true);
});

test('a route added behind the gateway is reached from the Internet within a second, and deleted it is gone', async () => {
  for (const [change, isThere] of [
    [ROUTE, true],
    [NO_ROUTE, false],
    [ROUTE, true],
  ] as const) {
    const begun = performance.now();
    topology.ip('gateway', change);
    assert.ok(await until(LONG_MS, () => isReached(SECOND_DEVICE) === isThere), change);
    console.log(`     ${change}: ${Math.round(performance.now() - begun)} ms`);
    const routes = isThere ? [SECOND_PREFIX, DEVICE_PREFIX] : [DEVICE_PREFIX];
    assert.ok(await until(LONG_MS, () => learned().join() === routes.join()));
  }
});

for (const host of ['aftr', 'gateway'] as const) {
  test(`GoBGP of the ${host} that is killed is started again, and nothing was gone meanwhile`, async () => {
    const [pid = 0] = engines(host);
    process.kill(pid, 'SIGKILL');
    let hasLost = false;
    const isBack = await until(LONG_MS, () => {
      hasLost ||= !isStillReached(DEVICE) || !isStillReached(SECOND_DEVICE);
      const sessions = (['gateway', 'aftr'] as const).map((box) => neighbor(box)['session-state']);
      const [now = pid] = engines(host);
      return (
        now !== pid &&
        sessions.every((state) => state === 'established') &&
        entry('aftr', SOURCE)['session-state'] === 'established'
      );
    });
    assert.ok(isBack, JSON.stringify([neighbor('gateway'), neighbor('aftr')]));
    assert.is.not(engines(host)[0], pid);
    // Routes that were kept are replaced when all are told of anew.
    const end = Date.now() + 5_000;
    while (Date.now() < end) hasLost ||= !isStillReached(DEVICE) || !isStillReached(SECOND_DEVICE);
    assert.not.ok(hasLost);
    assert.equal(learned(), [SECOND_PREFIX, DEVICE_PREFIX]);
  });

  test(`management of the ${host} that is killed takes GoBGP along, and nothing is gone meanwhile`, async () => {
    const before = engines(host);
    for (const pid of boxes.pids(host, 'management')) process.kill(pid, 'SIGKILL');
    assert.ok(await until(LONG_MS, () => boxes.isUp(host) && neighbor(host)['session-state'] === 'established'));
    assert.is(engines(host).length, 1);
    assert.not.ok(before.includes(engines(host)[0] ?? 0));
    const end = Date.now() + 5_000;
    while (Date.now() < end) assert.ok(isStillReached(DEVICE) && isStillReached(SECOND_DEVICE));
    assert.equal(learned(), [SECOND_PREFIX, DEVICE_PREFIX]);
  });
}

test('a neighbor that is taken out of the configuration takes its routes along', async () => {
  const path = `${SOFTWIRE}/gateway=rack/route-advertisement`;
  assert.is(boxes.restconf('gateway', 'DELETE', path).status, 204);
  assert.ok(await until(LONG_MS, () => learned().length === 0));
  assert.ok(await until(LONG_MS, () => !isReached(DEVICE)));
  assert.is(boxes.restconf('gateway', 'DELETE', `${SOFTWIRE}/bgp`).status, 204);
  assert.ok(await until(LONG_MS, () => engines('gateway').length === 0), 'without a neighbor GoBGP does not run');
});

test('towards FRR: it gets the routes with the tunnel address as next hop, and the tunnel encapsulation attribute', async () => {
  assert.is(boxes.restconf('aftr', 'DELETE', `${SOFTWIRE}/aftr=edge/route-source=rack`).status, 204);
  assert.is(boxes.restconf('aftr', 'DELETE', `${SOFTWIRE}/bgp`).status, 204);
  assert.ok(await until(LONG_MS, () => engines('aftr').length === 0));
  const password = 'secret';
  const speaker = { localAs: 65000, routerId: '10.0.0.2', address: GATEWAY, peerAs: 65001, password };
  await frr.start(bgpdConfiguration(speaker));
  configure('gateway', {
    bgp: bgp(65001, '10.0.0.1', AFTR, 65000, { password }),
    gateway: [{ name: 'rack', 'route-advertisement': { 'bgp-neighbor': [AFTR] } }],
  });
  const route = () => frr.show(`show bgp ipv4 unicast ${SECOND_PREFIX}`);
  assert.ok(await until(LONG_MS, () => route().includes(GATEWAY_TUNNEL)), route());
  topology.ip('gateway', NO_ROUTE);
  assert.ok(await until(LONG_MS, () => !route().includes(GATEWAY_TUNNEL)), route());
  assert.match(frr.show(`show bgp ipv4 unicast ${DEVICE_PREFIX}`), GATEWAY_TUNNEL);
});

test('towards FRR, which takes several routes of a prefix: a second gateway tells it the same one, and each goes for itself', async () => {
  const { 'served-prefix': _, ...gateway } = GATEWAY_CONFIGURATION;
  const second = { ...gateway, name: 'second', 'ipv6-address': SECOND_TUNNEL };
  configure('gateway', { gateway: [{ ...second, 'route-advertisement': { 'bgp-neighbor': [AFTR] } }] });
  const shown = () => frr.show(`show bgp ipv4 unicast ${DEVICE_PREFIX}`);
  const has = (address: string) => shown().includes(address);
  assert.ok(await until(LONG_MS, () => has(GATEWAY_TUNNEL) && has(SECOND_TUNNEL)), shown());
  assert.is(boxes.restconf('gateway', 'DELETE', `${SOFTWIRE}/gateway=second`).status, 204);
  assert.ok(await until(LONG_MS, () => !has(SECOND_TUNNEL)), shown());
  assert.ok(has(GATEWAY_TUNNEL), shown());
});

test('to a neighbor without the extended next hop capability nothing is announced, and there is an alarm', async () => {
  await frr.stopBgp();
  const speaker = { localAs: 65000, routerId: '10.0.0.2', address: GATEWAY, peerAs: 65001, password: 'secret' };
  await frr.startBgp(bgpdConfiguration({ ...speaker, hasExtendedNextHop: false }));
  assert.ok(await until(LONG_MS, () => neighbor('gateway')['extended-next-hop'] === false));
  const alarms = () => boxes.restconf('gateway', 'GET', '/restconf/data/ietf-alarms:alarms/alarm-list').body;
  assert.ok(await until(LONG_MS, () => alarms().includes('bgp-without-ipv6-next-hop')), alarms());
  assert.ok(await until(LONG_MS, () => neighbor('gateway')['session-state'] === 'established'));
  assert.not.match(frr.show('show bgp ipv4 unicast'), DEVICE_PREFIX);
  await frr.stopBgp();
  await frr.startBgp(bgpdConfiguration(speaker));
  const shown = () => frr.show(`show bgp ipv4 unicast ${DEVICE_PREFIX}`);
  assert.ok(await until(LONG_MS, () => shown().includes(GATEWAY_TUNNEL)), shown());
});

test('end', async () => {
  await frr.stop();
  await boxes.close();
});

test.run();
