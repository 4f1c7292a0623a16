// needs: root
/** BGP with FRR as the gateway's speaker towards an AFTR of the program: what it announces is bound, and goes when it should. */

import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { AFTR_TUNNEL, DEVICE_PREFIX, GATEWAY_TUNNEL, SECOND_PREFIX, until } from '../../tools/topology.ts';
import { bgpdConfiguration, Frr } from '../helpers/frr.ts';
import { soon } from '../helpers/soon.ts';
import { TwoBoxes } from '../helpers/two-boxes.ts';

const test = suite('BGP with FRR');
const SOFTWIRE = '/restconf/data/gi-4over6:softwire';
const SOURCE = `${SOFTWIRE}/aftr=edge/route-source=rack`;
const FRR = '2001:db8:12::1';
const AFTR = '2001:db8:12::2';
const NEIGHBOR = `${SOFTWIRE}/bgp/neighbor=${encodeURIComponent(FRR)}`;
const LONG_MS = 60_000;
const RESTART_S = 12;

type Json = Readonly<Record<string, unknown>>;

const boxes = await TwoBoxes.start(`gi4over6-bgp-frr-${process.pid}`);
const { topology } = boxes;
const frr = new Frr(topology, 'gateway');

const source = {
  name: 'rack',
  'gateway-ipv6-address': GATEWAY_TUNNEL,
  'bgp-neighbor': [FRR],
  'allowed-prefix': [DEVICE_PREFIX, SECOND_PREFIX],
};
const neighbor = { address: FRR, 'peer-as': 65001, 'hold-time': 3 };
const bgp = { 'local-as': 65000, 'router-id': '10.0.0.2', neighbor: [neighbor] };

const gateway = {
  localAs: 65001,
  routerId: '10.0.0.1',
  address: AFTR,
  peerAs: 65000,
  nextHop: GATEWAY_TUNNEL,
  networks: [DEVICE_PREFIX, SECOND_PREFIX],
  restartTime: RESTART_S,
};

function configure(more: Json): void {
  const { status, body } = boxes.restconf('aftr', 'PATCH', SOFTWIRE, { 'gi-4over6:softwire': more });
  assert.is(status, 204, body);
}

function entry(path: string): Json {
  const { body } = boxes.restconf('aftr', 'GET', `${path}?content=nonconfig`);
  const [list = []] = Object.values(JSON.parse(body) as Readonly<Record<string, readonly Json[]>>);
  return list[0] ?? {};
}

/** Prefixes that the AFTR learned. */
function learned(): string[] {
  const routes = (entry(SOURCE)['learned-route'] ?? []) as readonly Json[];
  return routes.map((route) => String(route['ipv4-prefix']));
}

function alarms(): string {
  return boxes.restconf('aftr', 'GET', '/restconf/data/ietf-alarms:alarms/alarm-list').body;
}

const hasLearned = (...prefixes: readonly string[]) => until(LONG_MS, () => learned().join() === prefixes.join());

test('the routes of FRR become bindings of the gateway that is their next hop', async () => {
  const aftr = {
    name: 'edge',
    'ipv6-address': AFTR_TUNNEL,
    'ipv4-address': '203.0.113.1',
    'ipv4-pool': [DEVICE_PREFIX, SECOND_PREFIX],
    'route-source': [source],
  };
  configure({ bgp, aftr: [aftr] });
  await frr.start(bgpdConfiguration(gateway));
  assert.ok(
    await hasLearned(SECOND_PREFIX, DEVICE_PREFIX),
    JSON.stringify([entry(NEIGHBOR), frr.show('show bgp summary')]),
  );
  await soon(() => {
    const {
      'session-state': state,
      'extended-next-hop': extended,
      routes,
      'unusable-routes': unusable,
    } = entry(NEIGHBOR);
    assert.equal([state, extended, routes, unusable], ['established', true, 2, 0]);
    assert.is(entry(SOURCE)['session-state'], 'established');
  });
  const lookup = boxes.restconf('aftr', 'POST', `${SOFTWIRE}/aftr=edge/lookup`, {
    'gi-4over6:input': { 'ipv4-address': '192.0.2.10' },
  });
  assert.match(lookup.body, GATEWAY_TUNNEL);
});

test('a withdrawn route is gone, one that is announced again is back', async () => {
  frr.configure('router bgp 65001', 'address-family ipv4 unicast', `no network ${SECOND_PREFIX}`);
  assert.ok(await hasLearned(DEVICE_PREFIX));
  frr.configure('router bgp 65001', 'address-family ipv4 unicast', `network ${SECOND_PREFIX}`);
  assert.ok(await hasLearned(SECOND_PREFIX, DEVICE_PREFIX));
});

test('routes beyond what the source may bind are refused with a reason, others of an unknown next hop are counted', async () => {
  frr.configure('router bgp 65001', 'address-family ipv4 unicast', 'network 8.8.8.0/24', 'network 0.0.0.0/0');
  const reasons = () =>
    ((entry(SOURCE)['refused-route'] ?? []) as readonly Json[]).map(
      (route) => `${route['ipv4-prefix']} ${route.reason}`,
    );
  assert.ok(await until(LONG_MS, () => reasons().length === 2));
  assert.equal(reasons(), ['0.0.0.0/0 default-route', '8.8.8.0/24 not-allowed']);
  frr.configure('route-map OUT permit 10', 'set ipv6 next-hop global 2001:db8:a::99');
  assert.ok(await hasLearned(), 'another tunnel address than that of the source');
  await soon(() => assert.is(entry(NEIGHBOR)['unusable-routes'], 4));
  assert.match(String(entry(NEIGHBOR)['unusable-example']), '2001:db8:a::99');
  frr.configure('route-map OUT permit 10', `set ipv6 next-hop global ${GATEWAY_TUNNEL}`);
  frr.configure('router bgp 65001', 'address-family ipv4 unicast', 'no network 8.8.8.0/24', 'no network 0.0.0.0/0');
  assert.ok(await hasLearned(SECOND_PREFIX, DEVICE_PREFIX));
  assert.ok(await until(LONG_MS, () => reasons().length === 0));
});

test('a session that ends with a farewell takes its routes along', async () => {
  frr.configure('router bgp 65001', `neighbor ${AFTR} shutdown`);
  const states = new Set<unknown>();
  const isOver = () => {
    states.add(entry(SOURCE)['session-state']);
    return learned().length === 0;
  };
  assert.ok(await until(LONG_MS, isOver));
  assert.not(states.has('stale'), 'not as one that is lost');
  await soon(() => assert.is(entry(SOURCE)['session-state'], 'idle'));
  frr.configure('router bgp 65001', `no neighbor ${AFTR} shutdown`);
  assert.ok(await hasLearned(SECOND_PREFIX, DEVICE_PREFIX));
});

test('a session that is lost keeps its routes for the restart time, and then not', async () => {
  await frr.killBgp();
  assert.ok(await until(LONG_MS, () => entry(SOURCE)['session-state'] === 'stale'));
  assert.equal(learned(), [SECOND_PREFIX, DEVICE_PREFIX]);
  const until_ = Date.parse(String(entry(NEIGHBOR)['stale-until']));
  assert.ok(until_ - Date.now() <= 1_000 * RESTART_S);
  assert.ok(await hasLearned());
  assert.ok(Date.now() >= until_ - 500, 'not before the time');
});

test('a session that is lost and comes back with a route less: the other one was never gone, that one goes', async () => {
  // It has all the time that a machine may take to come back.
  const patient = { ...gateway, restartTime: 120 };
  await frr.startBgp(bgpdConfiguration(patient));
  assert.ok(await hasLearned(SECOND_PREFIX, DEVICE_PREFIX));
  await frr.killBgp();
  assert.ok(await until(LONG_MS, () => entry(SOURCE)['session-state'] === 'stale'));
  const seen = new Set<string>();
  const watching = setInterval(() => seen.add(learned().join()), 200);
  await frr.startBgp(bgpdConfiguration({ ...patient, networks: [DEVICE_PREFIX] }));
  const isBack = await hasLearned(DEVICE_PREFIX);
  clearInterval(watching);
  assert.ok(isBack);
  assert.equal(
    [...seen].filter((routes) => !routes.includes(DEVICE_PREFIX)),
    [],
  );
});

test('BGP that is down is an alarm, which ends with it', async () => {
  await frr.stopBgp();
  assert.ok(await until(LONG_MS, () => /bgp-down.*is-cleared":false/s.test(alarms())), alarms());
  await frr.startBgp(bgpdConfiguration({ ...gateway, hasExtendedNextHop: false }));
  assert.ok(await until(LONG_MS, () => !/bgp-down"[^}]*is-cleared":false/.test(alarms())), alarms());
});

test('a neighbor without the extended next hop capability: the session is up, no route is taken, and there is an alarm', async () => {
  assert.ok(await until(LONG_MS, () => entry(NEIGHBOR)['extended-next-hop'] === false));
  await soon(() => assert.is(entry(NEIGHBOR)['session-state'], 'established'));
  assert.ok(await until(LONG_MS, () => /bgp-without-ipv6-next-hop/.test(alarms())), alarms());
  assert.ok(await until(LONG_MS, () => entry(NEIGHBOR)['unusable-routes'] === 2));
  assert.equal(learned(), []);
  assert.match(String(entry(NEIGHBOR)['unusable-example']), 'no IPv6 next hop');
});

test('D128: with a password at both ends there is a session, with one at one end or another one there is none', async () => {
  await frr.stopBgp();
  configure({ bgp: { neighbor: [{ address: FRR, 'peer-as': 65001, password: 'secret' }] } });
  await frr.startBgp(bgpdConfiguration({ ...gateway, password: 'secret' }));
  assert.ok(await hasLearned(SECOND_PREFIX, DEVICE_PREFIX), JSON.stringify(entry(NEIGHBOR)));
  await frr.stopBgp();
  assert.ok(await hasLearned());
  for (const password of ['other', undefined]) {
    await frr.startBgp(bgpdConfiguration({ ...gateway, ...(password !== undefined && { password }) }));
    await hasNoSession(5);
    await frr.stopBgp();
  }
});

/** Both ends try meanwhile: at the start, and every five seconds at most. */
async function hasNoSession(seconds: number): Promise<void> {
  for (let second = 0; second < seconds; second += 1) {
    await new Promise((resolve) => setTimeout(resolve, 1_000));
    assert.is.not(entry(NEIGHBOR)['session-state'], 'established');
    assert.equal(learned(), []);
  }
}

test('D128: with TTL security at both ends there is a session, with it at one end there is none', async () => {
  await frr.stopBgp();
  assert.is(boxes.restconf('aftr', 'DELETE', `${NEIGHBOR}/password`).status, 204);
  configure({ bgp: { neighbor: [{ ...neighbor, 'ttl-security': true }] } });
  await frr.startBgp(bgpdConfiguration({ ...gateway, hasTtlSecurity: true }));
  assert.ok(await hasLearned(SECOND_PREFIX, DEVICE_PREFIX), JSON.stringify(entry(NEIGHBOR)));
  configure({ bgp: { neighbor: [{ ...neighbor, 'ttl-security': false }] } });
  assert.ok(await hasLearned());
  // What says established is FRR, and what counts is that nothing is learned: an OPEN that overtakes FRR's own setting of the
  // least hop limit gets an answer, and GoBGP calls that a session until FRR hears no more of it.
  const isEstablished = () => /BGP state = Established/.test(frr.show('show bgp neighbors'));
  assert.ok(await until(LONG_MS, () => !isEstablished()), 'FRR takes note of the end');
  for (let second = 0; second < 8; second += 1) {
    await new Promise((resolve) => setTimeout(resolve, 1_000));
    assert.not(isEstablished());
    assert.equal(learned(), []);
  }
  configure({ bgp: { neighbor: [{ ...neighbor, 'ttl-security': true }] } });
  assert.ok(await hasLearned(SECOND_PREFIX, DEVICE_PREFIX), JSON.stringify(entry(NEIGHBOR)));
  await frr.stopBgp();
  assert.ok(await hasLearned());
  // What FRR sends has a hop limit of 1.
  await frr.startBgp(bgpdConfiguration(gateway));
  await hasNoSession(8);
});

test('D128: BGP is spoken over IPv6 only', () => {
  const { output } = topology.run('aftr', ['ss', '-Hltn', 'sport = :179']);
  assert.match(output, /\[::\]:179/);
  const ipv4 = topology.run('aftr', ['bash', '-c', 'echo > /dev/tcp/127.0.0.1/179']);
  assert.is.not(ipv4.status, 0, 'nothing listens on IPv4');
  assert.is(topology.run('aftr', ['bash', '-c', 'echo > /dev/tcp/::1/179']).status, 0);
});

test('end', async () => {
  await frr.stop();
  await boxes.close();
});

test.run();
