// needs: root
/** D119: what news of the kernel bring on is what a reading of its tables finds, whatever changes them. */

import { spawnSync } from 'node:child_process';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { Netlink } from '../../src/kernel/netlink.ts';
import type { Ipv4Routes } from '../../src/kernel/route-state.ts';
import { RouteState } from '../../src/kernel/route-state.ts';
import { RouteWatch } from '../../src/kernel/route-watch.ts';
import { enterOwnNetwork } from '../helpers/own-network.ts';
import { random, seed } from '../helpers/random.ts';

enterOwnNetwork();
const test = suite('routes watched');

const TABLES = [254, 100];

/** Commands of ip(8) one after the other; what does not fit to what is there fails and is left out. */
function ip(...lines: readonly string[]): void {
  spawnSync('ip', ['-force', '-batch', '-'], { input: `${lines.join('\n')}\n` });
}

ip('link add left type veth peer name right');
for (const device of ['left', 'right']) ip(`link set ${device} up`);
ip('addr add 198.51.100.1/24 dev left');
ip('addr add 198.51.101.1/24 dev right');

function textOf(routes: Pick<Ipv4Routes, 'numbers'>): string {
  return TABLES.map((table) => [...routes.numbers(table)].sort((a, b) => a - b).join()).join(' ');
}

async function reading(): Promise<string> {
  const netlink = new Netlink();
  const state = new RouteState();
  await netlink.eachIpv4Route((route) => state.put(route)).finally(() => netlink.close());
  return textOf(state);
}

async function agree(watch: RouteWatch): Promise<boolean> {
  for (let left = 500; left > 0; left--) {
    if (textOf(watch) === (await reading())) return true;
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  return false;
}

test(`news of every kind, against readings (seed ${seed})`, async () => {
  const numbers = random();
  const one = <Item>(items: readonly Item[]) => items[numbers() % items.length] as Item;
  const told = new Set<number>();
  const watch = new RouteWatch(
    (_routes, changed) => {
      for (const number of changed) told.add(number);
    },
    (fault) => assert.unreachable(fault),
  );
  const route = () => {
    const kind = one(['', '', '', 'blackhole ', 'unreachable ']);
    const via = kind === '' ? one([' via 198.51.100.10', ' via 198.51.101.10', ' dev left scope link']) : '';
    const more = [
      one(['', ' tos 0x10']),
      one(['', '', ' metric 7']),
      one(['', '', ' table 100']),
      one(['', ' proto 246']),
    ];
    return `${kind}203.0.113.${16 * (numbers() % 4)}/28${via}${more.join('')}`;
  };
  const links = [
    'link set left down',
    'link set left up',
    'addr del 198.51.101.1/24 dev right',
    'addr add 198.51.101.1/24 dev right',
  ];
  try {
    assert.ok(await agree(watch));
    for (let round = 0; round < 40; round++) {
      const before = textOf(watch);
      told.clear();
      const lines = Array.from({ length: 1 + (numbers() % 12) }, () => {
        if (numbers() % 40 === 0) return one(links);
        return `route ${one(['add', 'append', 'prepend', 'replace', 'change', 'del', 'del'])} ${route()}`;
      });
      ip(...lines);
      assert.ok(await agree(watch), `round ${round}: ${textOf(watch)}, a reading: ${await reading()}`);
      const [was, is] = [before, textOf(watch)].map((text) => new Set(text.split(/[ ,]+/)));
      const differing = [...(was ?? []), ...(is ?? [])].filter((number) => was?.has(number) !== is?.has(number));
      for (const number of differing.filter(Boolean)) assert.ok(told.has(Number(number)), `${number} was not told of`);
    }
  } finally {
    watch.close();
  }
});

test('one of two routes to a prefix that goes while all are read', async () => {
  ip('link set left up', 'link set right up', 'addr flush dev right', 'addr add 198.51.101.1/24 dev right');
  ip('route add 192.0.2.0/24 via 198.51.100.10', 'route append 192.0.2.0/24 via 198.51.101.10');
  let told = 0;
  const watch = new RouteWatch(
    () => void told++,
    (fault) => assert.unreachable(fault),
  );
  const read = Netlink.prototype.eachIpv4Route;
  try {
    assert.ok(await agree(watch));
    Netlink.prototype.eachIpv4Route = async function (take) {
      Netlink.prototype.eachIpv4Route = read;
      told = 0;
      // The reading has seen it already when the news are heard.
      ip('route del 192.0.2.0/24 via 198.51.101.10');
      await read.call(this, take);
    };
    told = 0;
    ip('link set left promisc on');
    // By the news, and by the reading.
    for (let left = 500; left > 0 && told < 2; left--) await new Promise((resolve) => setTimeout(resolve, 10));
    assert.ok(told >= 2);
    assert.ok(await agree(watch), textOf(watch));
  } finally {
    Netlink.prototype.eachIpv4Route = read;
    watch.close();
    ip('link set left promisc off', 'route del 192.0.2.0/24');
  }
});

test('a next hop that routes share becomes a blackhole, without a word of any route', async () => {
  spawnSync('sysctl', ['-qw', 'net.ipv4.nexthop_compat_mode=0']);
  for (const device of ['lo', 'left']) ip(`link set ${device} up`);
  ip('nexthop add id 1 via 198.51.100.10 dev left', 'route add 192.0.2.0/24 nhid 1');
  const watch = new RouteWatch(
    () => undefined,
    (fault) => assert.unreachable(fault),
  );
  try {
    assert.ok(await agree(watch));
    const before = textOf(watch);
    ip('nexthop replace id 1 blackhole');
    assert.is.not(await reading(), before);
    assert.ok(await agree(watch));
    ip('nexthop replace id 1 via 198.51.100.10 dev left');
    assert.is(await reading(), before);
    assert.ok(await agree(watch));
  } finally {
    watch.close();
    ip('nexthop del id 1');
  }
});

test('what is closed in the middle of a request does not keep the process', async () => {
  const keeping = () => process.getActiveResourcesInfo().filter((name) => name === 'Timeout').length;
  const before = keeping();
  const netlink = new Netlink();
  void netlink.routes(4).catch(() => undefined);
  await Promise.resolve();
  netlink.close();
  assert.is(keeping(), before);
});

test.run();
