// needs: root
/** D119: which of the routes that a kernel has are advertised: of what protocol, kind, metric, type of service and table they may be. */

import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { readlinkSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { Netlink } from '../../src/kernel/netlink.ts';
import { RouteState } from '../../src/kernel/route-state.ts';
import { Choice } from '../../src/mgmt/routes/advertised.ts';
import { readConfiguration } from '../../src/state/configuration-reader.generated.ts';
import { formatNumber } from '../../src/state/rows.ts';
import { enterOwnNetwork } from '../helpers/own-network.ts';

enterOwnNetwork();
const test = suite('routes followed');

const PREFIX = '203.0.113.0/24';
const VIA = 'via 198.51.100.10';

function ip(words: string): void {
  execFileSync('ip', words.split(' '));
}

ip('link add left type veth peer name right');
ip('link set left up');
ip('link set right up');
ip('addr add 198.51.100.1/24 dev left');
ip('addr add 198.51.101.1/24 dev right');

/** What is advertised of the kernel's routes as they are. */
async function advertised(tables: readonly number[] = []): Promise<string[]> {
  const netlink = new Netlink();
  const routes = new RouteState();
  await netlink.eachIpv4Route((route) => routes.put(route));
  netlink.close();
  const informing = { name: 'g', 'route-advertisement': { 'route-table': tables } };
  const [gateway] = readConfiguration({ 'gi-4over6:softwire': { gateway: [informing] } }).gateway;
  assert.ok(gateway);
  const numbers = new Set(gateway ? new Choice(gateway).all(routes) : []);
  return [...numbers].sort((a, b) => a - b).map(formatNumber);
}

const CONNECTED = ['198.51.100.0/24', '198.51.101.0/24'];
const WITH = [...CONNECTED, PREFIX];

/** What, routes as `ip route add` has them, what is advertised, of which tables. */
type Case = readonly [string, readonly string[], readonly string[], (readonly number[])?];

const cases: readonly Case[] = [
  ['connected routes alone', [], CONNECTED],
  ...['static', 'rip', 'ospf', 'bgp', 'isis', 'kernel'].map((protocol) => {
    return [`a route of ${protocol}`, [`${PREFIX} ${VIA} proto ${protocol}`], WITH] as const;
  }),
  ['the default route', [`default ${VIA}`], CONNECTED],
  ['several next hops', [`${PREFIX} nexthop ${VIA} weight 1 nexthop via 198.51.101.10 weight 3`], WITH],
  ['two metrics are one', [`${PREFIX} ${VIA} metric 10`, `${PREFIX} via 198.51.101.10 metric 20`], WITH],
  ['behind a blackhole', [`blackhole ${PREFIX} metric 10`, `${PREFIX} ${VIA} metric 20`], CONNECTED],
  ['before an unreachable one', [`${PREFIX} ${VIA} metric 10`, `unreachable ${PREFIX} metric 20`], WITH],
  ['prohibited', [`prohibit ${PREFIX}`], CONNECTED],
  ['of a type of service', [`${PREFIX} ${VIA} tos 0x10`], WITH],
  ['beside a blackhole of a type of service', [`blackhole ${PREFIX} tos 0x10`, `${PREFIX} ${VIA} metric 20`], WITH],
  ['a blackhole for all others', [`${PREFIX} ${VIA} tos 0x10`, `blackhole ${PREFIX} metric 20`], CONNECTED],
  ['on the link', [`${PREFIX} dev left scope link`], WITH],
  ['in another table', [`${PREFIX} ${VIA} table 100`], CONNECTED],
  ['in a table that is configured', [`${PREFIX} ${VIA} table 100`], [PREFIX], [100]],
  ['in one of two tables that are', [`${PREFIX} ${VIA} table 1000`], WITH, [254, 1000]],
  ['behind a blackhole of another table', [`${PREFIX} ${VIA}`, `blackhole ${PREFIX} table 100`], WITH, [254, 100]],
];
for (const [what, routes, expected, tables] of cases) {
  test(`${what}: ${expected.join(', ')}`, async () => {
    for (const route of routes) ip(`route add ${route}`);
    const found = await advertised(tables).finally(() => {
      for (const route of routes) ip(`route del ${route}`);
    });
    assert.equal(found, [...expected].sort());
  });
}

test('a rule that leads packets into a table makes none of it known: tables are configured', async () => {
  ip('rule add to 203.0.113.0/24 lookup 100');
  ip(`route add ${PREFIX} ${VIA} table 100`);
  const found = [await advertised(), await advertised([254, 100])];
  ip(`route del ${PREFIX} table 100`);
  ip('rule del to 203.0.113.0/24 lookup 100');
  assert.equal(found, [CONNECTED, WITH]);
});

test('what is remembered of the way to one address, such as its path MTU, is no route', async () => {
  const router = spawn('unshare', ['--net', '--', 'sleep', '600']);
  const there = (words: string) =>
    execFileSync('nsenter', ['--net', '-t', String(router.pid), '--', ...words.split(' ')]);
  const isApart = () => readlinkSync(`/proc/${router.pid}/ns/net`) !== readlinkSync('/proc/self/ns/net');
  try {
    for (let left = 500; left > 0 && !isApart(); left--) await sleep(10);
    there('ip link add in type veth peer name near');
    there('ip link add out type veth peer name end mtu 1000');
    there('ip link set out mtu 1000');
    for (const device of ['in', 'out', 'end']) there(`ip link set ${device} up`);
    there('ip addr add 192.0.2.1/24 dev in');
    there('ip addr add 198.18.0.1/24 dev out');
    there(`ip link set near netns ${process.pid}`);
    ip('link set near up');
    ip('addr add 192.0.2.2/24 dev near');
    ip('route add default via 192.0.2.1');
    there('sysctl -qw net.ipv4.ip_forward=1');
    const remembered = () => execFileSync('ip', ['route', 'show', 'cache'], { encoding: 'utf8' });
    for (let left = 20; left > 0 && !remembered().includes('mtu 1000'); left--) {
      spawnSync('ping', '-M do -s 1400 -c 1 -W 1 198.18.0.2'.split(' '));
    }
    assert.match(remembered(), /^198\.18\.0\.2 /);
    assert.equal(await advertised(), ['192.0.2.0/24', ...CONNECTED]);
  } finally {
    router.kill();
    spawnSync('ip', ['link', 'del', 'near']);
  }
});

test('of several next hops the route stays as long as one link is up', async () => {
  ip(`route add ${PREFIX} nexthop ${VIA} nexthop via 198.51.101.10`);
  ip('link set right down');
  const one = await advertised();
  ip('link set left down');
  const none = await advertised();
  assert.equal([one, none], [['198.51.100.0/24', PREFIX], []]);
});

test.run();
