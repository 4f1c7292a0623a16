// needs: root
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { isDeepStrictEqual } from 'node:util';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { parseIpv6 } from '../../src/address.ts';
import type { Datapath } from '../../src/datapath/datapath.ts';
import type { Role } from '../../src/datapath/engine.ts';
import { createPersistentTun } from '../../src/datapath/tun-device.ts';
import { AFTR, binding, GATEWAY, packetCounts } from '../helpers/engine-case.ts';
import { MemoryStore } from '../helpers/memory-store.ts';
import { enterOwnNetwork } from '../helpers/own-network.ts';
import { ipv4 } from '../helpers/packets.ts';
import { eventually } from '../helpers/program.ts';
import { linkAddress, sendFrames } from '../helpers/raw-frames.ts';
import { tunDatapath } from '../helpers/tun-datapath.ts';

/**
 * Both roles over real TUN devices, with real stacks at both ends:
 *
 *     device ---- left [ gi-gw = 2001:db8:a::1 ... 2001:db8:b::1 = gi-aftr ] right ---- internet
 *     198.51.100.10            one router, own network namespace               203.0.113.80
 */
enterOwnNetwork();
const test = suite('datapath-tun');

const DEVICE_NS = `gi4dp-${process.pid}-device`;
const INTERNET_NS = `gi4dp-${process.pid}-internet`;
const DEVICE = '198.51.100.10';
const INTERNET = '203.0.113.80';
const TUNS: Readonly<Record<Role, string>> = { gateway: 'gi-gw', aftr: 'gi-aftr' };
/** From a reply that has come to its count. */
const COUNT_MS = 2_000;
const BINDING = binding(['198.51.100.0/24', '2001:db8:a::1']);

function ip(words: string): void {
  execFileSync('ip', words.split(' '));
}

function removeHosts(): void {
  for (const name of [DEVICE_NS, INTERNET_NS]) spawnSync('ip', ['netns', 'del', name], { stdio: 'ignore' });
}

function buildHosts(): void {
  removeHosts();
  ip('link set lo up');
  for (const [name, link, address, router] of [
    [DEVICE_NS, 'left', `${DEVICE}/24`, '198.51.100.1'],
    [INTERNET_NS, 'right', `${INTERNET}/24`, '203.0.113.1'],
  ] as const) {
    ip(`netns add ${name}`);
    ip(`link add ${link} mtu 3000 type veth peer name eth0 mtu 3000 netns ${name}`);
    ip(`addr add ${router}/24 dev ${link}`);
    ip(`link set ${link} up`);
    ip(`-n ${name} addr add ${address} dev eth0`);
    ip(`-n ${name} link set lo up`);
    ip(`-n ${name} link set eth0 up`);
    ip(`-n ${name} route add default via ${router}`);
  }
}

function buildRouter(): void {
  for (const setting of [
    'ipv4.ip_forward=1',
    'ipv6.conf.all.forwarding=1',
    'ipv4.conf.all.rp_filter=0',
    'ipv4.conf.default.rp_filter=0',
  ]) {
    execFileSync('sysctl', ['-qw', `net.${setting}`]);
  }
  for (const device of Object.values(TUNS)) {
    createPersistentTun(device);
    execFileSync('sysctl', [
      '-qw',
      `net.ipv6.conf.${device}.addr_gen_mode=1`,
      `net.ipv4.conf.${device}.accept_local=1`,
    ]);
    ip(`link set ${device} mtu 65535 up`);
  }
  ip('-6 route add 2001:db8:a::1/128 dev gi-gw');
  ip('-6 route add 2001:db8:b::1/128 dev gi-aftr');
  ip('rule add iif left from 198.51.100.0/24 lookup 100');
  ip('route add default dev gi-gw table 100');
  ip('rule add iif right to 198.51.100.0/24 lookup 101');
  ip('route add 198.51.100.0/24 dev gi-aftr table 101');
}

interface Running {
  readonly store: MemoryStore;
  readonly datapath: Datapath;
}

async function withDatapath(queues: number, body: (running: Running) => Promise<void>): Promise<void> {
  const store = new MemoryStore();
  const datapath = tunDatapath(store, (role) => TUNS[role], queues);
  const softwire = {
    gateway: [{ ...GATEWAY, 'ipv4-address': '198.51.100.1' }],
    aftr: [{ ...AFTR, 'ipv4-address': '203.0.113.1' }],
  };
  store.commit({ softwire, put: [BINDING] });
  await datapath.follow();
  try {
    await body({ store, datapath });
  } finally {
    await datapath.stop();
  }
}

/** Replies that a ping in a namespace got, and its output. */
function ping(namespace: string, words: string): { replies: number; output: string } {
  const command = ['netns', 'exec', namespace, 'ping', '-n', '-W', '1', ...words.split(' ')];
  const output = spawnSync('ip', command, { encoding: 'utf8' }).stdout;
  return { replies: Number(/(\d+) received/.exec(output)?.[1]), output };
}

/** Counters are as said, now or in a moment: a worker sends what leaves before it counts. */
async function countsBecome(datapath: Datapath, wanted: Readonly<Record<string, number>>): Promise<void> {
  const read = () => {
    const counts = packetCounts(datapath.counters());
    return Object.fromEntries(Object.keys(wanted).map((name) => [name, counts[name]]));
  };
  await eventually(COUNT_MS, async () => (isDeepStrictEqual(read(), wanted) ? true : undefined)).catch(() => undefined);
  assert.equal(read(), wanted);
}

process.once('exit', removeHosts);
buildHosts();
buildRouter();

for (const queues of [1, 2]) {
  test(`ping both ways through both tunnel ends, ${queues} queues each`, () =>
    withDatapath(queues, async ({ datapath }) => {
      assert.is(ping(DEVICE_NS, `-c 20 -i 0.01 ${INTERNET}`).replies, 20);
      assert.is(ping(INTERNET_NS, `-c 20 -i 0.01 ${DEVICE}`).replies, 20);
      await countsBecome(datapath, { 'ipv4 forwarded': 80, 'ipv6 forwarded': 80 });
    }));
}

test('each of gateway and AFTR takes one from the TTL', () =>
  withDatapath(1, async () => {
    assert.match(ping(DEVICE_NS, `-c 1 ${INTERNET}`).output, /ttl=62/);
  }));

test('the payload MTU: what fits passes, what does not is reported or fragmented outside', () =>
  withDatapath(1, async ({ store, datapath }) => {
    assert.is(ping(DEVICE_NS, `-c 1 -M do -s 1432 ${INTERNET}`).replies, 1);
    const tooBig = ping(DEVICE_NS, `-c 1 -M do -s 1433 ${INTERNET}`);
    assert.is(tooBig.replies, 0);
    assert.match(tooBig.output, /mtu = ?1460/i);
    await countsBecome(datapath, { 'ipv4 too-big': 1 });
    store.commit({
      softwire: {
        gateway: [{ ...GATEWAY, 'softwire-payload-mtu': 2_000 }],
        aftr: [{ ...AFTR, 'softwire-payload-mtu': 2_000 }],
      },
    });
    await datapath.follow();
    ip(`-n ${DEVICE_NS} route flush cache`);
    assert.is(ping(DEVICE_NS, `-c 1 -M do -s 1972 ${INTERNET}`).replies, 1);
  }));

test('traceroute sees the tunnel end at which the TTL ends', () =>
  withDatapath(1, async () => {
    // The router is one hop as gateway and one as AFTR; the second is the engine's to report, through the tunnel.
    assert.match(ping(DEVICE_NS, `-c 1 -t 2 ${INTERNET}`).output, /From 203\.0\.113\.1 .*Time to live exceeded/);
  }));

test('a removed binding stops both directions at once; back again, it goes on', () =>
  withDatapath(1, async ({ store, datapath }) => {
    store.commit({ gone: [BINDING] });
    await datapath.apply(2);
    assert.is(ping(DEVICE_NS, `-c 2 -i 0.01 ${INTERNET}`).replies, 0);
    assert.is(ping(INTERNET_NS, `-c 2 -i 0.01 ${DEVICE}`).replies, 0);
    store.commit({ put: [BINDING] });
    await datapath.apply(3);
    assert.is(ping(DEVICE_NS, `-c 2 -i 0.01 ${INTERNET}`).replies, 2);
    await countsBecome(datapath, { 'ipv6 no-binding': 2 });
  }));

test('2,000 commits during a ping flood lose no packet of a binding that stays', () =>
  withDatapath(2, async ({ store, datapath }) => {
    const command = ['netns', 'exec', DEVICE_NS, 'ping', '-n', '-q', '-c', '1000', '-i', '0.002', INTERNET];
    const child = spawn('ip', command, { stdio: ['ignore', 'pipe', 'inherit'] });
    let output = '';
    child.stdout.on('data', (chunk) => {
      output += String(chunk);
    });
    const ended = new Promise((resolve) => child.once('exit', resolve));
    for (let version = 2; version < 2_002; version++) {
      const put = Array.from({ length: 20 }, (_, i) => ({
        ...binding([`198.51.101.${(version + i) & 255}/32`, '2001:db8:a::9']),
        gatewayIpv6Address: parseIpv6(`2001:db8:9::${(version & 0xffff).toString(16)}`) ?? new Uint8Array(16),
      }));
      store.commit({ put });
      await datapath.apply(version);
    }
    await ended;
    assert.match(output, /1000 received, 0% packet loss/);
  }));

/** Packets by side and end, without what the kernel itself says on its links. */
function traffic(datapath: Datapath): Record<string, number> {
  const { 'ipv6 link-layer-noise': _, ...counts } = packetCounts(datapath.counters());
  return counts;
}

test('TTL 1 or 0 on the IPv4 side: the kernel says so before the tunnel; to the box itself it is delivered (D4, D5)', () =>
  withDatapath(1, async ({ datapath }) => {
    assert.match(ping(DEVICE_NS, `-c 1 -t 1 ${INTERNET}`).output, /From 198\.51\.100\.1 .*Time to live exceeded/);
    assert.match(ping(INTERNET_NS, `-c 1 -t 1 ${DEVICE}`).output, /From 203\.0\.113\.1 .*Time to live exceeded/);
    for (const [ns, link, src, dst] of [
      [DEVICE_NS, 'left', DEVICE, INTERNET],
      [INTERNET_NS, 'right', INTERNET, DEVICE],
    ] as const) {
      sendFrames(ns, linkAddress(link), [ipv4({ src, dst, ttl: 0 })]);
    }
    assert.is(ping(DEVICE_NS, '-c 1 -t 1 198.51.100.1').replies, 1);
    assert.is(ping(INTERNET_NS, '-c 1 -t 1 203.0.113.1').replies, 1);
    assert.equal(traffic(datapath), {});
  }));

test('TTL that ends at the gateway is told from there, through the tunnel (D28)', () =>
  withDatapath(1, async () => {
    assert.match(ping(INTERNET_NS, `-c 1 -t 2 ${DEVICE}`).output, /From 198\.51\.100\.1 .*Time to live exceeded/);
  }));

test('unicast packets in broadcast and multicast frames go nowhere, without a word (D15)', () =>
  withDatapath(1, async ({ datapath }) => {
    assert.is(ping(DEVICE_NS, `-c 1 ${INTERNET}`).replies, 1);
    const before = { 'ipv4 forwarded': 2, 'ipv6 forwarded': 2 };
    await eventually(2_000, async () => assert.equal(traffic(datapath), before) ?? true);
    for (const mac of ['ff:ff:ff:ff:ff:ff', '01:00:5e:00:00:01']) {
      assert.is(sendFrames(DEVICE_NS, mac, [ipv4({ src: DEVICE, dst: INTERNET })]), 0);
      assert.is(sendFrames(INTERNET_NS, mac, [ipv4({ src: INTERNET, dst: DEVICE })]), 0);
    }
    assert.equal(traffic(datapath), before);
    // The same packet to the router's own link-layer address goes, and perhaps an answer comes back.
    sendFrames(DEVICE_NS, linkAddress('left'), [ipv4({ src: DEVICE, dst: INTERNET })]);
    assert.ok((traffic(datapath)['ipv4 forwarded'] ?? 0) > before['ipv4 forwarded']);
  }));

test('record route and timestamp options pass both tunnel ends (D16)', () =>
  withDatapath(1, async () => {
    for (const option of ['-R', '-T tsonly']) {
      assert.is(ping(DEVICE_NS, `-c 1 ${option} ${INTERNET}`).replies, 1, option);
    }
  }));

test('any protocol passes both ways (D17)', () =>
  withDatapath(1, async ({ datapath }) => {
    const [up, down] = [
      [DEVICE_NS, 'left', DEVICE, INTERNET],
      [INTERNET_NS, 'right', INTERNET, DEVICE],
    ].map(([ns = '', link = '', src = '', dst = '']) =>
      sendFrames(
        ns,
        linkAddress(link),
        [47, 50, 132, 253].map((protocol) => ipv4({ src, dst, protocol })),
      ),
    );
    assert.ok(up !== undefined && down !== undefined);
    const counts = traffic(datapath);
    // What the far stacks answer to protocols they do not know comes through, too.
    assert.ok((counts['ipv4 forwarded'] ?? 0) >= 8, JSON.stringify(counts));
    assert.is(counts['ipv4 forwarded'], counts['ipv6 forwarded']);
    assert.equal(Object.keys(counts).sort(), ['ipv4 forwarded', 'ipv6 forwarded']);
  }));

test.run();
