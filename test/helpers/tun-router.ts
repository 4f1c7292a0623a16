/**
 * Both roles over real TUN devices, with real stacks at both ends:
 *
 *     device ---- left [ gi-gw = 2001:db8:a::1 ... 2001:db8:b::1 = gi-aftr ] right ---- internet
 *     198.51.100.10            one router, own network namespace               203.0.113.80
 *
 * For test files that have entered a network namespace of their own.
 */

import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { text } from 'node:stream/consumers';
import type { Datapath } from '../../src/datapath/datapath.ts';
import type { Role } from '../../src/datapath/engine.ts';
import { createPersistentTun } from '../../src/datapath/tun-device.ts';
import { echoCounts, echoWords } from './echoes.ts';
import { AFTR, binding, GATEWAY } from './engine-case.ts';
import { MemoryStore } from './memory-store.ts';
import { soon } from './soon.ts';
import { tunDatapath } from './tun-datapath.ts';

export const DEVICE_NS = `gi4dp-${process.pid}-device`;
export const INTERNET_NS = `gi4dp-${process.pid}-internet`;
export const DEVICE = '198.51.100.10';
export const INTERNET = '203.0.113.80';
const TUNS: Readonly<Record<Role, string>> = { gateway: 'gi-gw', aftr: 'gi-aftr' };
export const BINDING = binding(['198.51.100.0/24', '2001:db8:a::1']);

export function ip(words: string): void {
  execFileSync('ip', words.split(' '));
}

/** What leads into the tunnel. */
const RULES = ['iif left from 198.51.100.0/24 lookup 100', 'iif right to 198.51.100.0/24 lookup 101'];

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
  for (const rule of RULES) ip(`rule add ${rule}`);
  ip('route add default dev gi-gw table 100');
  ip('route add 198.51.100.0/24 dev gi-aftr table 101');
}

export interface Running {
  readonly store: MemoryStore;
  readonly datapath: Datapath;
}

/** Runs a body while the router sends the same packets on as they are. */
export async function withoutTunnel(body: () => Promise<void>): Promise<void> {
  for (const rule of RULES) ip(`rule del ${rule}`);
  try {
    await body();
  } finally {
    for (const rule of RULES) ip(`rule add ${rule}`);
  }
}

/** Runs a body with both roles forwarding; the topology is there. */
export async function withDatapath(
  options: { readonly queues?: number; readonly offloads: boolean },
  body: (running: Running) => Promise<void>,
): Promise<void> {
  const store = new MemoryStore();
  const datapath = tunDatapath(store, (role) => TUNS[role], options);
  const softwire = {
    gateway: [{ ...GATEWAY, 'ipv4-address': '198.51.100.1' }],
    aftr: [{ ...AFTR, 'ipv4-address': '203.0.113.1' }],
  };
  store.commit({ softwire, put: [BINDING] });
  await datapath.follow();
  try {
    // The kernel lets nothing into a device until it has taken note that somebody reads there.
    await soon(() => {
      for (const name of Object.values(TUNS)) if (!isCarrying(name)) throw new Error(`${name} does not carry packets`);
    });
    await body({ store, datapath });
  } finally {
    await datapath.stop();
  }
}

function isCarrying(link: string): boolean {
  return !/state (DOWN|LOWERLAYERDOWN)|NO-CARRIER/.test(
    execFileSync('ip', ['link', 'show', link], { encoding: 'utf8' }),
  );
}

/** Echo requests in a namespace of which each counts: how many came back, however late. */
export async function echoes(namespace: string, target: string, count: number, gap = 0.01): Promise<number> {
  const child = spawn('ip', ['netns', 'exec', namespace, ...echoWords(target, { count, gap })], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  return echoCounts(await text(child.stdout)).received;
}

/** Replies that a ping in a namespace got, and its output. */
export function ping(namespace: string, words: string): { replies: number; output: string } {
  const command = ['netns', 'exec', namespace, 'ping', '-n', '-W', '3', ...words.split(' ')];
  const output = spawnSync('ip', command, { encoding: 'utf8' }).stdout;
  return { replies: Number(/(\d+) received/.exec(output)?.[1]), output };
}

/** Builds hosts and router; the hosts go with the process. */
export function buildTopology(): void {
  process.once('exit', removeHosts);
  buildHosts();
  buildRouter();
}
