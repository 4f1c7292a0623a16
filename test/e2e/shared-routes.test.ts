// needs: root
/**
 * Two gateways of one device with an AFTR each, both told of the same route of the kernel. The second AFTR runs on the host in the
 * Internet: what that sends goes through it, what the host of the first one sends through the first.
 */

import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { HostName } from '../../tools/topology.ts';
import { DEVICE, DEVICE_PREFIX, GATEWAY_TUNNEL, INTERNET, until } from '../../tools/topology.ts';
import { AFTR_CONFIGURATION, GATEWAY_CONFIGURATION, TwoBoxes } from '../helpers/two-boxes.ts';

const test = suite('routes that two gateways of a device share');
const SOFTWIRE = '/restconf/data/gi-4over6:softwire';
const LONG_MS = 60_000;
const SECOND_GATEWAY = '2001:db8:a::2';
const SECOND_AFTR = '2001:db8:c::1';
/** Addresses of the hosts of both AFTRs, that are not those of the AFTRs. */
const NEAR = '203.0.113.9';
const FAR = '203.0.113.90';

type Json = Readonly<Record<string, unknown>>;

const boxes = await TwoBoxes.start(`gi4over6-shared-${process.pid}`);
const { topology } = boxes;
for (const [host, words] of [
  ['gateway', 'addr del 192.0.2.1/24 dev left'],
  ['gateway', '-6 route add 2001:db8:c::/48 via 2001:db8:12::2'],
  ['gateway', '-6 route add 2001:db8:23::/64 via 2001:db8:12::2'],
  ['aftr', `addr add ${NEAR}/32 dev left`],
  ['aftr', 'addr add 2001:db8:23::2/64 dev left nodad'],
  ['aftr', 'link set left mtu 1600'],
  ['aftr', '-6 route add 2001:db8:c::/48 via 2001:db8:23::80'],
  ['internet', `addr add ${FAR}/32 dev eth0`],
  ['internet', 'addr add 2001:db8:23::80/64 dev eth0 nodad'],
  ['internet', 'link set eth0 mtu 1600'],
  ['internet', '-6 route add 2001:db8:a::/48 via 2001:db8:23::2'],
  ['internet', '-6 route add 2001:db8:12::/64 via 2001:db8:23::2'],
] as const) {
  topology.ip(host, words);
}
const far = topology.startInstance('internet');

function passwordOfFar(): string {
  try {
    return far.password();
  } catch {
    return '';
  }
}

function farRestconf(method: string, path: string, data?: unknown): string {
  const words = ['curl', '-sk', '--max-time', '20', '-u', `admin:${passwordOfFar()}`, '-X', method];
  const body = data === undefined ? [] : ['-H', 'Content-Type: application/yang-data+json', '-d', JSON.stringify(data)];
  return topology.run('internet', [...words, ...body, `https://127.0.0.1:8443${path}`]).output;
}

function fingerprintOf(host: HostName): string {
  const file = topology.path(host, 'state', 'keys', 'tls.crt');
  const { output } = topology.run(host, ['openssl', 'x509', '-in', file, '-noout', '-fingerprint', '-sha256']);
  return output.trim().split('=')[1] ?? '';
}

const sourceOf = (tunnel: string): Json => ({
  name: 'rack',
  'gateway-ipv6-address': tunnel,
  password: '$0$secret',
  'allowed-prefix': [DEVICE_PREFIX],
});

/** A gateway that informs the AFTR on `host`, whose address is given. */
function gateway(name: string, tunnel: string, aftr: string, host: HostName, address: string): Json {
  const { 'served-prefix': _, ...entry } = GATEWAY_CONFIGURATION;
  const url = `https://[${address}]:8443/restconf`;
  const identity = { 'client-name': 'rack', password: 'secret', 'server-certificate-fingerprint': fingerprintOf(host) };
  return {
    ...entry,
    name,
    'ipv6-address': tunnel,
    'aftr-ipv6-address': aftr,
    'route-advertisement': { target: [{ name: host, url, ...identity }] },
  };
}

/** Packets that a gateway took in on one of its sides and let pass. */
function forwarded(name: string, side: 'ipv4-side' | 'ipv6-side'): number {
  const { body } = boxes.restconf('gateway', 'GET', `${SOFTWIRE}/gateway=${name}/statistics`);
  const data = JSON.parse(body) as { 'gi-4over6:statistics'?: Record<string, Record<string, string>> };
  return Number(data['gi-4over6:statistics']?.[side]?.['forwarded-packets']);
}

/** Which gateways what `ping` sends and gets goes through, with how it went. */
function passing(ping: () => boolean): Json {
  const names = ['rack', 'second'].filter((name) => Number.isFinite(forwarded(name, 'ipv4-side')));
  const read = () => names.map((name) => [forwarded(name, 'ipv4-side'), forwarded(name, 'ipv6-side')] as const);
  const before = read();
  const isReached = ping();
  const after = read();
  const which = (side: 0 | 1) => names.filter((_, i) => (after[i]?.[side] ?? 0) > (before[i]?.[side] ?? 0));
  return { isReached, out: which(0), in: which(1) };
}

const fromFirst = () => boxes.ping('aftr', DEVICE, ['-c', '2', '-i', '0.2', '-W', '5', '-I', NEAR]);
const fromSecond = () => boxes.ping('internet', DEVICE, ['-c', '2', '-i', '0.2', '-W', '5', '-I', FAR]);

function served(name: string): boolean {
  const { body } = boxes.restconf('gateway', 'GET', `${SOFTWIRE}/gateway=${name}?content=nonconfig`);
  return body.includes('"accepted":true');
}

const boundAtFirst = () => boxes.restconf('aftr', 'GET', `${SOFTWIRE}/aftr=edge/route-source=rack?content=nonconfig`);
const isBoundAtFirst = () => boundAtFirst().body.includes(DEVICE_PREFIX);

function configureGateways(...gateways: readonly Json[]): void {
  for (const entry of gateways) {
    const { status, body } = boxes.configure('gateway', entry);
    assert.is(status, 204, body);
  }
}

test('both AFTRs are told of the route, and what either sends arrives; what leaves goes through the first gateway', async () => {
  assert.ok(await until(LONG_MS, () => farRestconf('GET', `${SOFTWIRE}/state`).includes('applied-version')));
  const { 'binding-table': _, ...aftr } = AFTR_CONFIGURATION;
  const own = { ...aftr, 'ipv4-pool': [DEVICE_PREFIX], 'route-source': [sourceOf(GATEWAY_TUNNEL)] };
  assert.is(boxes.configure('aftr', own).status, 204);
  const other = {
    name: 'far',
    'ipv6-address': SECOND_AFTR,
    'ipv4-address': INTERNET,
    'ipv4-pool': [DEVICE_PREFIX],
    'route-source': [sourceOf(SECOND_GATEWAY)],
  };
  assert.is(farRestconf('PATCH', SOFTWIRE, { 'gi-4over6:softwire': { aftr: [other] } }), '');
  configureGateways(
    gateway('rack', GATEWAY_TUNNEL, AFTR_CONFIGURATION['ipv6-address'], 'aftr', '2001:db8:12::2'),
    gateway('second', SECOND_GATEWAY, SECOND_AFTR, 'internet', '2001:db8:23::80'),
  );
  assert.ok(await until(LONG_MS, () => served('rack') && served('second')));
  assert.ok(await until(LONG_MS, () => fromFirst() && fromSecond()), JSON.stringify([fromFirst(), fromSecond()]));
  assert.equal(passing(fromFirst), { isReached: true, out: ['rack'], in: ['rack'] });
  assert.equal(passing(fromSecond), { isReached: true, out: ['rack'], in: ['second'] });
});

test('the first gateway gives the route up: the second has it alone, and the first again when it comes back', async () => {
  const own = { name: 'rack', 'route-advertisement': { 'exclude-prefix': [DEVICE_PREFIX] } };
  configureGateways(own);
  assert.ok(await until(LONG_MS, () => !isBoundAtFirst()));
  assert.ok(await until(LONG_MS, () => JSON.stringify(passing(fromSecond).out) === '["second"]'));
  assert.equal(passing(fromSecond), { isReached: true, out: ['second'], in: ['second'] });
  const path = `${SOFTWIRE}/gateway=rack/route-advertisement/exclude-prefix=${encodeURIComponent(DEVICE_PREFIX)}`;
  assert.is(boxes.restconf('gateway', 'DELETE', path).status, 204);
  assert.ok(await until(LONG_MS, () => isBoundAtFirst() && fromFirst()));
  assert.equal(passing(fromFirst), { isReached: true, out: ['rack'], in: ['rack'] });
});

test('the first gateway is deleted: the second goes on at once, and no process was started again', async () => {
  const pids = () => [...boxes.pids('gateway', 'datapath'), ...boxes.pids('gateway', 'management')].sort();
  const before = pids();
  assert.is(boxes.restconf('gateway', 'DELETE', `${SOFTWIRE}/gateway=rack`).status, 204);
  assert.equal(passing(fromSecond), { isReached: true, out: ['second'], in: ['second'] });
  assert.ok(await until(LONG_MS, () => !isBoundAtFirst()), 'withdrawn from the first AFTR');
  assert.equal(pids(), before);
});

test('the route of the kernel goes: nobody serves it any more', async () => {
  topology.ip('gateway', 'addr del 198.51.100.1/24 dev left');
  assert.ok(await until(LONG_MS, () => !served('second')));
  assert.ok(await until(LONG_MS, () => !fromSecond()));
});

test('end', async () => {
  await boxes.close();
});

test.run();
