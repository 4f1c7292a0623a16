// needs: root
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { formatIpv6, parseIpv4Prefix, parseIpv6, sameIpv6 } from '../../src/address.ts';
import type { Problem } from '../../src/control.ts';
import { diagnose } from '../../src/kernel/diagnosis.ts';
import type { EgressMtus } from '../../src/kernel/egress.ts';
import type { BoundGateways } from '../../src/kernel/gateway-round.ts';
import { NO_GATEWAYS } from '../../src/kernel/gateway-round.ts';
import { Kernel } from '../../src/kernel/kernel.ts';
import { Netlink } from '../../src/kernel/netlink.ts';
import type { KernelConfig } from '../../src/kernel/plan.ts';
import { enterOwnNetwork } from '../helpers/own-network.ts';

/**
 * What Linux makes of a plan, in a network namespace of its own:
 *
 *     device ---- left [ router: gi-gw, gi-aftr ] right ---- internet
 *     198.51.100.10                               100.64.0.80 behind the router's default route, 2001:db8:12::80
 *
 * The TUN devices have no reader, as when the datapath is dead.
 */
enterOwnNetwork();
const test = suite('kernel');

const DEVICE = `gi4kn-${process.pid}-device`;
const INTERNET = `gi4kn-${process.pid}-internet`;
const GATEWAY_TUNNEL = '2001:db8:a::1';
const ON_LINK_TUNNEL = '2001:db8:12::5';
const AFTR_TUNNEL = '2001:db8:b::1';
const SERVER = '100.64.0.80';

function ip(words: string): string {
  return execFileSync('ip', words.split(' '), { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
}

function sentencesOf(problems: readonly Problem[]): string[] {
  return problems.map(({ sentence }) => sentence);
}

function setting(name: string): string {
  return readFileSync(`/proc/sys/net/${name}`, 'utf8').trim();
}

function prefix(text: string) {
  const parsed = parseIpv4Prefix(text);
  assert.ok(parsed, text);
  return parsed ?? { address: 0, length: 0 };
}

function address(text: string): Uint8Array {
  return parseIpv6(text) ?? new Uint8Array(16);
}

/** Bindings lead to these gateways. */
function leadingTo(...gateways: readonly Uint8Array[]): BoundGateways {
  const leadsTo = (ipv6: Uint8Array) => gateways.some((gateway) => sameIpv6(gateway, ipv6));
  return { ...NO_GATEWAYS, some: () => ({ gateways, next: 0 }), leadsTo };
}

interface Wish {
  readonly tunnel?: string;
  readonly served?: readonly string[];
  readonly pools?: readonly string[];
  readonly aftrTunnels?: readonly string[];
}

/** A gateway when served prefixes are wished, an AFTR when pools are. */
function configuration({ tunnel = GATEWAY_TUNNEL, served, pools, aftrTunnels = [AFTR_TUNNEL] }: Wish): KernelConfig {
  const gateway = {
    name: 'home',
    ipv6Address: address(tunnel),
    aftrIpv6Address: address(AFTR_TUNNEL),
    ipv4Interfaces: ['left'],
    servedPrefixes: (served ?? []).map(prefix),
    payloadMtu: 1460,
    icmpSource: { ipv4Address: undefined, sendsErrors: false },
  };
  const aftr = {
    name: 'edge',
    ipv6Addresses: aftrTunnels.map(address),
    pools: (pools ?? []).map(prefix),
    payloadMtu: 1460,
    icmpSource: { ipv4Address: undefined, sendsErrors: false },
  };
  return {
    gatewayDevice: 'gi-gw',
    aftrDevice: 'gi-aftr',
    gateways: served ? [gateway] : [],
    aftrs: pools ? [aftr] : [],
  };
}

const HOSTS = [
  [DEVICE, 'left', '198.51.100.10/24', '198.51.100.1'],
  [INTERNET, 'right', '203.0.113.80/24', '203.0.113.1'],
] as const;

function removeHosts(): void {
  for (const [name] of HOSTS) spawnSync('ip', ['netns', 'del', name], { stdio: 'ignore' });
}

function buildHosts(): void {
  removeHosts();
  process.once('exit', removeHosts);
  ip('link set lo up');
  for (const [name, link, host, router] of HOSTS) {
    ip(`netns add ${name}`);
    ip(`link add ${link} type veth peer name eth0 netns ${name}`);
    ip(`addr add ${router}/24 dev ${link}`);
    ip(`link set ${link} up`);
    ip(`-n ${name} addr add ${host} dev eth0`);
    ip(`-n ${name} link set lo up`);
    ip(`-n ${name} link set eth0 up`);
    ip(`-n ${name} route add default via ${router}`);
  }
  ip('addr add 2001:db8:12::1/64 dev right nodad');
  ip(`-n ${INTERNET} addr add 2001:db8:12::80/64 dev eth0 nodad`);
  ip(`-n ${INTERNET} addr add ${SERVER}/32 dev lo`);
  ip('route add default via 203.0.113.80');
  ip('-6 route add default via 2001:db8:12::80');
  for (const name of ['ipv4/ip_forward', 'ipv6/conf/all/forwarding']) writeFileSync(`/proc/sys/net/${name}`, '1');
}

/** All of the kernel's state that the program touches, as text. */
function kernelState(): string {
  return ['-br link', 'rule', '-6 rule', 'route show table all', '-6 route show table all', '-6 neigh show proxy']
    .map(ip)
    .join('\n');
}

async function withKernel(
  body: (kernel: Kernel) => Promise<void>,
  onEgress?: (mtus: EgressMtus) => void,
): Promise<void> {
  for (const device of ['gi-gw', 'gi-aftr']) {
    if (!existsSync(`/sys/class/net/${device}`))
      spawnSync('ip', ['tuntap', 'add', device, 'mode', 'tun', 'multi_queue']);
  }
  const kernel = new Kernel(undefined, onEgress);
  try {
    await body(kernel);
  } finally {
    await kernel.remove(['gi-gw', 'gi-aftr']);
  }
}

async function until(what: string, isSo: () => boolean): Promise<void> {
  for (let left = 600; left > 0; left--) {
    if (isSo()) return;
    await sleep(50);
  }
  throw new Error(`waited for ${what} in vain`);
}

/** How many packets of the device a host on the other side sees while five are sent; the router must have a way back. */
async function packetsInClear(): Promise<number> {
  const words = ['netns', 'exec', INTERNET, 'tcpdump', '-n', '-l', '--immediate-mode', '-i', 'eth0', 'ip and icmp'];
  const capture = spawn('ip', words, { stdio: ['ignore', 'pipe', 'pipe'] });
  let seen = '';
  let said = '';
  capture.stdout.on('data', (data: Buffer) => {
    seen += data.toString();
  });
  capture.stderr.on('data', (data: Buffer) => {
    said += data.toString();
  });
  await until('tcpdump', () => said.includes('listening'));
  spawnSync('ip', ['netns', 'exec', DEVICE, 'ping', '-c', '5', '-i', '0.05', '-W', '1', SERVER]);
  await sleep(200);
  capture.kill('SIGINT');
  await new Promise((resolve) => capture.once('close', resolve));
  return seen.split('\n').filter((line) => line.includes('echo request')).length;
}

buildHosts();

test('a route of somebody else in the place of ours is no success', async () => {
  const netlink = new Netlink();
  const route = {
    family: 4,
    table: 254,
    octets: Uint8Array.of(192, 0, 2, 0),
    length: 25,
    kind: 'blackhole',
    link: 0,
    metric: 77,
    protocol: 246,
    gateway: undefined,
  } as const;
  try {
    ip('route add unreachable 192.0.2.0/25 metric 77');
    try {
      await netlink.addRoute(route);
      assert.unreachable('it was added');
    } catch (error) {
      assert.match(
        String(error),
        /cannot add the blackhole route to 192\.0\.2\.0\/25 in table 254: a route that is not ours/,
      );
    }
    ip('route del unreachable 192.0.2.0/25 metric 77');
    await netlink.addRoute(route);
    await netlink.addRoute(route);
    assert.match(ip('route show 192.0.2.0/25'), /^blackhole 192\.0\.2\.0\/25 proto 246 metric 77/);
    await netlink.removeRoute(route);
  } finally {
    netlink.close();
  }
});

test('a gateway: device, routes, rules and settings; all of it goes again', async () => {
  const before = kernelState();
  await withKernel(async (kernel) => {
    await kernel.apply(configuration({ served: ['198.51.100.0/25', '198.51.100.128/25'] }));
    assert.match(ip('link show gi-gw'), /UP.* mtu 65535 .* qlen 2000/);
    ip('link set gi-gw txqueuelen 4000');
    await kernel.apply(configuration({ served: ['198.51.100.0/25', '198.51.100.128/25'] }));
    assert.match(ip('link show gi-gw'), /qlen 4000/, 'what somebody set stays');
    assert.is(ip('-6 addr show dev gi-gw'), '');
    assert.is(setting('ipv4/conf/gi-gw/rp_filter'), '0');
    assert.is(setting('ipv4/ip_forward'), '1');
    assert.is(setting('ipv6/conf/all/forwarding'), '1');
    assert.match(ip(`-6 route show ${GATEWAY_TUNNEL}`), /dev gi-gw proto 246 metric 1 /);
    assert.match(ip(`-6 route show ${GATEWAY_TUNNEL}`), /blackhole .* proto 246 metric 2000000000/);
    assert.match(ip('route show 198.51.100.0/24'), /blackhole 198.51.100.0\/24 proto 246 metric 2000000000/);
    assert.match(ip('route show table 4446'), /default dev gi-gw proto 246 scope link metric 1/);
    assert.match(ip('route show table 4446'), /blackhole default proto 246 metric 2000000000/);
    assert.match(ip('rule'), /4446:\s+from 198.51.100.0\/24 lookup main suppress_prefixlength 0 proto 246/);
    assert.match(ip('rule'), /4447:\s+from 198.51.100.0\/24 lookup 4446 proto 246/);
  });
  assert.is(kernelState(), before.replaceAll(/^gi-.*\n/gm, ''));
});

test('served prefixes inside the subnet of a link stay there, as long as it is up', async () => {
  const config = configuration({ served: ['198.51.100.10/32', '198.51.100.64/26', '192.0.2.0/24'] });
  const way = (to: string) => ip(`route get ${to}`);
  await withKernel(async (kernel) => {
    await kernel.apply(config);
    assert.match(way('198.51.100.10'), /^198.51.100.10 dev left /);
    assert.match(way('198.51.100.100'), /^198.51.100.100 dev left /);
    assert.match(way('192.0.2.10'), /^192.0.2.10 dev gi-gw /, 'no subnet holds it');
    assert.equal(sentencesOf(await kernel.diagnose(config)).length, 1, 'only 192.0.2.0/24 has no way');
    assert.is(spawnSync('ping', ['-c', '1', '-W', '5', '198.51.100.10'], { stdio: 'ignore' }).status, 0);
    ip('link set left down');
    await until('no way inwards', () => way('198.51.100.10').includes('gi-gw'));
    ip('link set left up');
    await until('the way inwards', () => way('198.51.100.10').includes('left'));
    await kernel.apply(configuration({ served: ['192.0.2.0/24'] }));
    assert.not.match(ip('route'), /198.51.100.10/);
  });
});

test('an AFTR: pools and tunnel addresses lead to its device, with blackholes behind', async () => {
  await withKernel(async (kernel) => {
    await kernel.apply(configuration({ pools: ['192.0.2.0/24'], aftrTunnels: [AFTR_TUNNEL, '2001:db8:b::2'] }));
    assert.match(ip('route show 192.0.2.0/24'), /192.0.2.0\/24 dev gi-aftr proto 246 scope link metric 1/);
    assert.match(ip('route show 192.0.2.0/24'), /blackhole 192.0.2.0\/24 proto 246 metric 2000000000/);
    for (const tunnel of [AFTR_TUNNEL, '2001:db8:b::2'])
      assert.match(ip(`-6 route show ${tunnel}`), /dev gi-aftr proto 246/);
    assert.is(ip('rule').includes('246'), false);
  });
});

test('without a reader nothing leaves in clear', async () => {
  assert.ok((await packetsInClear()) >= 5, 'the way in clear works before');
  await withKernel(async (kernel) => {
    await kernel.apply(configuration({ served: ['198.51.100.0/24'] }));
    assert.match(ip('link show gi-gw'), /NO-CARRIER/);
    assert.is(await packetsInClear(), 0);
    writeFileSync('/proc/sys/net/ipv4/conf/all/ignore_routes_with_linkdown', '1');
    assert.is(await packetsInClear(), 0);
    writeFileSync('/proc/sys/net/ipv4/conf/all/ignore_routes_with_linkdown', '0');
    ip('link set gi-gw down');
    assert.is(await packetsInClear(), 0);
  });
  assert.ok((await packetsInClear()) >= 5, 'the way in clear works afterwards');
});

test('the device deleted under us: still nothing leaves in clear', async () => {
  await withKernel(async (kernel) => {
    await kernel.apply(configuration({ served: ['198.51.100.0/24'] }));
    ip('link del gi-gw');
    assert.is(await packetsInClear(), 0);
    const sentences = sentencesOf(await kernel.diagnose(configuration({ served: ['198.51.100.0/24'] })));
    assert.ok(sentences.includes('the TUN device gi-gw is gone: restart gi4over6'), sentences.join('\n'));
  });
});

test('a change is made by difference, and a second gateway prefix does not touch the first', async () => {
  await withKernel(async (kernel) => {
    await kernel.apply(configuration({ served: ['198.51.100.0/24'] }));
    ip('rule add pref 4446 from 10.0.0.0/8 lookup main');
    const monitor = spawn('ip', ['monitor', 'route', 'rule'], { stdio: ['ignore', 'pipe', 'ignore'] });
    let told = '';
    monitor.stdout.on('data', (data: Buffer) => {
      told += data.toString();
    });
    let marks = 0;
    await until('ip monitor', () => {
      if (!told.includes('10.0.0.')) ip(`route add 10.0.0.${++marks}/32 dev left`);
      return told.includes('10.0.0.');
    });
    await kernel.apply(configuration({ served: ['198.51.100.0/24', '192.0.2.0/24'] }));
    ip('route add 10.1.0.0/32 dev left');
    await until('the last news', () => told.includes('10.1.0.0'));
    monitor.kill();
    for (; marks > 0; marks--) ip(`route del 10.0.0.${marks}/32`);
    ip('route del 10.1.0.0/32');
    assert.match(told, /blackhole 192.0.2.0\/24/);
    assert.not.match(told, /Deleted|198\.51\.100/);
    await kernel.apply(configuration({ served: ['192.0.2.0/24'] }));
    assert.not.match(ip('rule'), /198\.51\.100/);
    assert.match(ip('rule'), /from 10.0.0.0\/8 lookup main/, "another's rule stays");
    ip('rule del pref 4446 from 10.0.0.0/8 lookup main');
  });
});

const removals = [
  ['a rule', 'rule del pref 4447', () => ip('rule').includes('4447:')],
  ['a route', 'route del default table 4446 metric 1', () => ip('route show table 4446').includes('gi-gw')],
  [
    'an IPv6 route',
    `-6 route del ${GATEWAY_TUNNEL} metric 1`,
    () => ip(`-6 route show ${GATEWAY_TUNNEL}`).includes('gi-gw'),
  ],
  ['all routes, with the device down', 'link set gi-gw down', () => ip('route show table 4446').includes('gi-gw')],
] as const;
for (const [what, words, isThere] of removals) {
  test(`${what} that somebody removes comes back`, async () => {
    await withKernel(async (kernel) => {
      await kernel.apply(configuration({ served: ['198.51.100.0/24'] }));
      ip(words);
      await until(what, isThere);
    });
  });
}

/** Applies a configuration in a process that is killed then: nobody follows it any more. */
async function leaveBehind(config: KernelConfig): Promise<void> {
  const module = new URL('../../src/kernel/kernel.js', import.meta.url).href;
  const code = `process.once('message', async (config) => {
    const { Kernel } = await import('${module}');
    await new Kernel().apply(config);
    process.send('applied');
  });`;
  const child = spawn(process.execPath, ['-e', code], {
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
    serialization: 'advanced',
  });
  child.send(config);
  await once(child, 'message');
  child.kill('SIGKILL');
  await once(child, 'close');
}

test('a process that starts takes over what an earlier one left, and removes what is not wanted any more', async () => {
  await withKernel(async (kernel) => {
    await leaveBehind(configuration({ tunnel: ON_LINK_TUNNEL, served: ['198.51.100.0/24', '192.0.2.0/24'] }));
    assert.match(ip('rule'), /from 192\.0\.2\.0\/24/);
    assert.match(ip('-6 neigh show proxy'), new RegExp(ON_LINK_TUNNEL));
    await kernel.apply(configuration({ served: ['198.51.100.0/24'] }));
    assert.not.match(ip('rule'), /192\.0\.2/);
    assert.is(ip('-6 neigh show proxy'), '');
  });
});

test('more than 64 prefixes: marks instead of rules, and back', async () => {
  const many = Array.from({ length: 65 }, (_, index) => `198.18.${2 * index}.0/24`);
  await withKernel(async (kernel) => {
    await kernel.apply(configuration({ served: ['198.51.100.0/24', ...many] }));
    assert.match(ip('rule'), /4447:\s+from all fwmark 0x4000000\/0x4000000 lookup 4446 proto 246/);
    assert.is(
      ip('rule')
        .split('\n')
        .filter((line) => line.includes('proto 246')).length,
      2,
    );
    assert.is(await packetsInClear(), 0);
    execFileSync('nft', ['flush', 'ruleset']);
    await until('the marks', () => spawnSync('nft', ['list', 'table', 'inet', 'gi4over6']).status === 0);
    assert.is(await packetsInClear(), 0);
    await kernel.apply(configuration({ served: ['198.51.100.0/24'] }));
    assert.is(spawnSync('nft', ['list', 'table', 'inet', 'gi4over6']).status, 1);
    assert.is(await packetsInClear(), 0);
  });
});

test('a tunnel address of a connected prefix is answered for on that link', async () => {
  await withKernel(async (kernel) => {
    await kernel.apply(configuration({ tunnel: ON_LINK_TUNNEL, served: ['198.51.100.0/24'] }));
    assert.match(ip('-6 neigh show proxy'), new RegExp(`${ON_LINK_TUNNEL} dev right proxy`));
    spawnSync('ip', ['netns', 'exec', INTERNET, 'ping', '-c', '1', '-W', '1', ON_LINK_TUNNEL]);
    assert.match(ip(`-n ${INTERNET} neigh show ${ON_LINK_TUNNEL}`), /lladdr .* (REACHABLE|STALE|DELAY)/);
    await kernel.apply(configuration({ served: ['198.51.100.0/24'] }));
    assert.is(ip('-6 neigh show proxy'), '');
  });
});

const refused: readonly (readonly [what: string, set: string, unset: string, wish: Wish, message: string])[] = [
  [
    'tunnel address of the host',
    '-6 addr add 2001:db8::5/64 dev right nodad',
    '-6 addr del 2001:db8::5/64 dev right',
    { tunnel: '2001:db8::5', served: ['198.51.100.0/24'] },
    '2001:db8::5 is configured on right; choose a free address of its prefix or a routed one',
  ],
  [
    'tunnel address that is a next hop',
    '-6 route add 2001:db8:c::/48 via 2001:db8:12::81',
    '-6 route del 2001:db8:c::/48 via 2001:db8:12::81',
    { tunnel: '2001:db8:12::81', served: ['198.51.100.0/24'] },
    "2001:db8:12::81 is the next hop of a route, another router's address; choose a free address of its prefix or a routed one",
  ],
  [
    'tunnel address that another device holds',
    `-n ${INTERNET} addr add ${ON_LINK_TUNNEL}/64 dev eth0 nodad`,
    `-n ${INTERNET} addr del ${ON_LINK_TUNNEL}/64 dev eth0`,
    { pools: ['192.0.2.0/24'], aftrTunnels: [ON_LINK_TUNNEL] },
    `${ON_LINK_TUNNEL} is held by another device on right; choose a free address of its prefix or a routed one`,
  ],
  [
    'pool over an address of the host',
    'addr add 192.0.2.1/32 dev right',
    'addr del 192.0.2.1/32 dev right',
    { pools: ['192.0.2.0/24'] },
    'pool 192.0.2.0/24 covers 192.0.2.1/32 of right, an address of this host; change the pool or remove the address',
  ],
  [
    'pool with a route of another',
    'route add blackhole 192.0.2.0/24',
    'route del blackhole 192.0.2.0/24',
    { pools: ['192.0.2.0/24'] },
    'a route to pool 192.0.2.0/24 with metric 0 is there already; remove it or give it a metric above 1',
  ],
];
for (const [what, set, unset, wish, message] of refused) {
  test(`refused: ${what}`, async () => {
    await withKernel(async (kernel) => {
      ip(set);
      assert.equal(
        (await kernel.check(configuration(wish))).map((refusal) => refusal.message),
        [message],
      );
      ip(unset);
      assert.equal(await kernel.check(configuration(wish)), []);
    });
  });
}

test('what goes while a commit is under way comes back too', async () => {
  const pools = Array.from({ length: 3_000 }, (_, i) => `10.${i >> 7}.${(2 * i) & 255}.0/24`);
  await withKernel(async (kernel) => {
    await kernel.apply(configuration({ pools: ['192.0.2.0/24'] }));
    const applying = kernel.apply(configuration({ pools: ['192.0.2.0/24', ...pools] }));
    // By now the commit has read what is there, and adds.
    await until('a first route', () => ip('route show 10.0.4.0/24') !== '');
    ip('route del blackhole 192.0.2.0/24 metric 2000000000');
    await applying;
    await until('the blackhole again', () => ip('route show 192.0.2.0/24').includes('blackhole'));
  });
});

test('what the links of the IPv4 side take is told, and told again when it changes', async () => {
  let told: readonly (number | undefined)[] = [];
  const listen = ({ gateway, aftr }: EgressMtus) => {
    told = [gateway.get('home'), aftr.get('edge')];
  };
  await withKernel(async (kernel) => {
    await kernel.apply(configuration({ served: ['198.51.100.0/24'], pools: ['192.0.2.0/24'] }));
    assert.equal(told, [1_500, 1_500]);
    try {
      ip('link set right mtu 1400');
      await until('the MTU outside', () => told[1] === 1_400);
      ip('link set left mtu 1300');
      await until('the MTU inside', () => told[0] === 1_300);
      ip('route del default via 203.0.113.80');
      await until('no way outside', () => told[1] === undefined);
      ip('route add default via 203.0.113.80');
      await until('the way outside', () => told[1] === 1_400);
    } finally {
      ip('link set left mtu 1500');
      ip('link set right mtu 1500');
      spawnSync('ip', ['-6', 'route', 'add', 'default', 'via', '2001:db8:12::80']);
    }
  }, listen);
});

test('what keeps traffic from flowing is told in sentences, and only that', async () => {
  const config = configuration({ served: ['198.51.100.0/24'] });
  const told = async (set: readonly string[], unset: readonly string[]): Promise<string[]> => {
    const netlink = new Netlink();
    execFileSync(set[0] ?? '', set.slice(1));
    const sentences = sentencesOf(await diagnose(config, netlink));
    execFileSync(unset[0] ?? '', unset.slice(1));
    netlink.close();
    return sentences;
  };
  const sysctl = (name: string, value: string) => ['sysctl', '-qw', `net.${name}=${value}`];
  await withKernel(async (kernel) => {
    await kernel.apply(config);
    assert.equal(await kernel.diagnose(config), []);
    // News of what was applied may come late, and then the program itself turns it on again.
    let off: string[] = [];
    for (let tries = 0; tries < 20 && off.length === 0; tries++) {
      await sleep(100);
      off = await told(sysctl('ipv4.ip_forward', '0'), sysctl('ipv4.ip_forward', '1'));
    }
    assert.equal(off, ['IPv4 forwarding is off: sysctl net.ipv4.ip_forward=1']);
    assert.equal(await told(sysctl('ipv4.conf.left.forwarding', '0'), sysctl('ipv4.conf.left.forwarding', '1')), [
      'IPv4 forwarding is off on left: sysctl net.ipv4.conf.left.forwarding=1',
    ]);
    assert.match(
      (await told(sysctl('ipv4.conf.all.rp_filter', '1'), sysctl('ipv4.conf.all.rp_filter', '0')))[0] ?? '',
      /^reverse path filtering may drop packets that come out of gi-gw /,
    );
    const [del, add] = ['ip -6 route del default', 'ip -6 route add default via 2001:db8:12::80'].map((words) =>
      words.split(' '),
    );
    assert.equal(await told(del ?? [], add ?? []), [`gateway home: no IPv6 route leads to its AFTR ${AFTR_TUNNEL}`]);
    const [away, back] = ['ip addr del 198.51.100.1/24 dev left', 'ip addr add 198.51.100.1/24 dev left'].map((words) =>
      words.split(' '),
    );
    assert.equal(await told(away ?? [], back ?? []), [
      'gateway home: no route leads to served prefix 198.51.100.0/24: ip addr add ADDRESS/LENGTH dev left, or ip route add 198.51.100.0/24 via ROUTER dev left',
    ]);
    const withGateways = new Netlink();
    const known = Uint8Array.of(0x20, 1, 0xd, 0xb8, 0, 0x12, 0, 0, 0, 0, 0, 0, 0, 0, 0, 9);
    const both = configuration({ served: ['198.51.100.0/24'], pools: ['192.0.2.0/24'] });
    const ipv4Default = execFileSync('ip', ['route', 'show', 'default'], { encoding: 'utf8' }).trim();
    ip(`route del ${ipv4Default}`);
    ip('-6 route del default');
    const unknown = Uint8Array.of(0x20, 1, 0xd, 0xb8, 0xff, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1);
    const sentences = sentencesOf(await diagnose(both, withGateways, leadingTo(known, unknown)));
    ip('-6 route add default via 2001:db8:12::80');
    ip(`route add ${ipv4Default}`);
    withGateways.close();
    assert.ok(sentences.some((sentence) => sentence.includes('there is no IPv4 default route')));
    assert.ok(sentences.includes('no IPv6 route leads to gateway 2001:db8:ff00::1, which bindings name'));
    assert.not.ok(sentences.some((sentence) => sentence.includes('gateway 2001:db8:12::9')));
    assert.ok(
      sentences.some((sentence) => sentence.includes('there is no IPv4 default route')),
      sentences.join(),
    );
    const [low, high] = ['ip link set right mtu 1400', 'ip link set right mtu 1500'].map((words) => words.split(' '));
    assert.match((await told(low ?? [], high ?? []))[0] ?? '', /^gateway home: right towards its AFTR has MTU 1400/);
    const strange = { ipv4Address: 0xcb007163, sendsErrors: true };
    const netlink = new Netlink();
    const withStranger = {
      ...both,
      gateways: config.gateways.map((gateway) => ({ ...gateway, icmpSource: strange })),
      aftrs: both.aftrs.map((aftr) => ({ ...aftr, icmpSource: { ...strange, ipv4Address: undefined } })),
    };
    const aboutSources = sentencesOf(await diagnose(withStranger, netlink));
    netlink.close();
    assert.ok(
      aboutSources.some((sentence) =>
        sentence.startsWith('gateway home: ipv4-address 203.0.113.99 is on no interface'),
      ),
    );
    assert.ok(aboutSources.some((sentence) => sentence.startsWith('AFTR edge has no ipv4-address')));
    const drop =
      'add table ip filter; add chain ip filter FORWARD { type filter hook forward priority 0; policy drop; }';
    assert.match(
      (await told(['nft', drop], ['nft', 'delete table ip filter']))[0] ?? '',
      /^chain FORWARD of nftables table ip filter may drop forwarded packets; accept gi-gw there/,
    );
    assert.equal(await kernel.diagnose(config), []);
  });
});

/** [what is done, how it is undone, whom it stops] with one gateway and one AFTR, whose bindings lead to GATEWAYS. */
const stopping: readonly (readonly [string, string, string])[] = [
  ['sysctl -qw net.ipv4.ip_forward=0', 'sysctl -qw net.ipv4.ip_forward=1', 'all'],
  ['sysctl -qw net.ipv6.conf.gi-aftr.forwarding=0', 'sysctl -qw net.ipv6.conf.gi-aftr.forwarding=1', 'aftr'],
  ['sysctl -qw net.ipv4.conf.all.rp_filter=1', 'sysctl -qw net.ipv4.conf.all.rp_filter=0', ''],
  ['ip link set right mtu 1400', 'ip link set right mtu 1500', ''],
  ['ip addr del 198.51.100.1/24 dev left', 'ip addr add 198.51.100.1/24 dev left', 'gateway home'],
  ['ip link set gi-gw down', 'ip link set gi-gw up', 'gateway'],
  [`ip addr add ${GATEWAY_TUNNEL}/128 dev lo`, `ip addr del ${GATEWAY_TUNNEL}/128 dev lo`, 'gateway home'],
  ['ip -6 route del default', 'ip -6 route add default via 2001:db8:12::80', 'aftr'],
];
test('D129: a gateway whose IPv6 route leads into a softwire; the tunnels over IPv4 are in recursion.test.ts', async () => {
  const config = configuration({ pools: ['192.0.2.0/24'] });
  await withKernel(async (kernel) => {
    await kernel.apply(config);
    const told = async () => {
      const netlink = new Netlink();
      const problems = await diagnose(config, netlink, leadingTo(address('2001:db8:cafe::1')));
      netlink.close();
      return problems.filter(({ sentence }) => sentence.startsWith('gateway '));
    };
    assert.equal(await told(), []);
    ip('-6 route add 2001:db8:cafe::/48 dev gi-aftr');
    const sentence =
      'gateway 2001:db8:cafe::1 is reached through softwires, which lead to it: its IPv6 route leads to gi-aftr, into a softwire itself; route it another way';
    assert.equal(await told(), [{ sentence, stops: { role: 'aftr' } }]);
    ip('-6 route del 2001:db8:cafe::/48 dev gi-aftr');
    assert.equal(await told(), []);
  });
});

test('a binding whose gateway is this host itself is told of, one address of many', async () => {
  const config = configuration({ pools: ['192.0.2.0/24'] });
  await withKernel(async (kernel) => {
    await kernel.apply(config);
    const netlink = new Netlink();
    const own = (await netlink.addresses()).filter(({ octets }) => octets.length === 16);
    const [link] = await netlink.links().then((links) => links.filter(({ name }) => name === 'right'));
    const mine = own.find(({ link: at, octets }) => at === link?.index && octets[0] === 0x20)?.octets;
    assert.ok(mine);
    const told = async (to: Uint8Array) =>
      sentencesOf(await diagnose(config, netlink, { ...NO_GATEWAYS, leadsTo: (ipv6) => sameIpv6(ipv6, to) })).filter(
        (sentence) => sentence.includes('would end'),
      );
    const text = `gateway ${formatIpv6(mine)}, which bindings name, is configured on right of this host: their tunnel would end where it begins`;
    assert.equal(await told(mine), [text]);
    assert.equal(await told(address('2001:db8:cafe::1')), []);
    netlink.close();
  });
});

test('a next hop that does not answer neighbour discovery', async () => {
  const config = configuration({ served: ['198.51.100.0/24'] });
  await withKernel(async (kernel) => {
    await kernel.apply(config);
    const told = async () => {
      const netlink = new Netlink();
      const problems = await diagnose(config, netlink);
      netlink.close();
      return problems.find(({ sentence }) => sentence.includes('neighbour discovery'));
    };
    assert.is(await told(), undefined);
    ip('-6 route replace default via 2001:db8:12::dead dev right');
    try {
      assert.is(await told(), undefined, 'nobody has asked it yet');
      spawnSync('ping', ['-6', '-c', '1', '-W', '1', AFTR_TUNNEL]);
      assert.equal(await told(), {
        sentence:
          'gateway home: 2001:db8:12::dead on right, the next hop to its AFTR, does not answer neighbour discovery: see whether it is up and on that link',
        stops: { role: 'gateway', name: 'home' },
      });
    } finally {
      ip('-6 route replace default via 2001:db8:12::80 dev right');
    }
    assert.is(await told(), undefined);
  });
});

test('what keeps an instance from forwarding at all is told from what does not', async () => {
  const config = configuration({ served: ['198.51.100.0/24'], pools: ['192.0.2.0/24'] });
  const gateway = Uint8Array.of(0x20, 1, 0xd, 0xb8, 0xff, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1);
  await withKernel(async (kernel) => {
    await kernel.apply(config);
    const whom = async (set: string, unset: string): Promise<string> => {
      const netlink = new Netlink();
      execFileSync('sh', ['-c', set]);
      const problems = await diagnose(config, netlink, leadingTo(gateway));
      execFileSync('sh', ['-c', unset]);
      netlink.close();
      const stops = problems.flatMap((problem) => problem.stops ?? []);
      return [
        ...new Set(stops.map(({ role = 'all', name }) => (name === undefined ? role : `${role} ${name}`))),
      ].join();
    };
    for (const [set, unset, expected] of stopping) {
      // What the kernel tells of its last change may make the program put a setting right meanwhile.
      let found = await whom(set, unset);
      for (let tries = 0; tries < 5 && found !== expected; tries++) {
        await sleep(200);
        found = await whom(set, unset);
      }
      assert.is(found, expected, set);
    }
  });
});

test.run();
