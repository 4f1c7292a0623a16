/**
 * Tester and devices under test in network namespaces of their own:
 *
 *     tester  NAME4 ------- v4  device under test  v6 ------- NAME6  tester        one core each
 *
 * What a port receives is worked on by the core its namespace belongs to (receive packet steering), from the first touch of
 * the kernel on: so the device has one core for all it does, kernel and engine, and the tester has the other.
 */

import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { DEVICE_MAC, TESTER_MAC } from './frames.ts';

export const DEVICE_CORE = 0;
export const TESTER_CORE = 1;
/** 9,216 octets of Ethernet and the 40 of the tunnel pass whole (RFC 8219 §5.1 asks for links that hold both). */
const LINK_MTU = 9_300;
/** Tester and device come before all else on the machine: RFC 2544 knows no others there. */
const NICENESS = -20;
/** Whatever a shell command does here is done in a moment. */
const COMMAND_MS = 20_000;

export class Lab {
  readonly dir: string;
  readonly #prefix: string;
  readonly #namespaces: string[] = [];

  /** `prefix` names namespaces and the folder in /tmp. Needs root. */
  constructor(prefix: string) {
    this.#prefix = prefix;
    this.dir = join('/tmp', prefix);
    mkdirSync(this.dir, { mode: 0o755 });
    process.once('exit', () => this.close());
    this.addNamespace('tester');
  }

  /** Removes all namespaces; what runs in them must have ended. */
  close(): void {
    for (const name of this.#namespaces.splice(0)) spawnSync('ip', ['netns', 'del', name], { stdio: 'ignore' });
    rmSync(this.dir, { recursive: true, force: true });
  }

  namespace(name: string): string {
    return `${this.#prefix}-${name}`;
  }

  addNamespace(name: string): void {
    run(['ip', 'netns', 'add', this.namespace(name)]);
    this.#namespaces.push(this.namespace(name));
    this.ip(name, 'link set lo up');
    this.shell(
      name,
      'sysctl -qw net.ipv4.conf.all.rp_filter=0 net.ipv4.conf.default.rp_filter=0 net.ipv6.conf.default.accept_dad=0 net.ipv6.conf.default.addr_gen_mode=1',
    );
    const forwarding = name === 'tester' ? 0 : 1;
    this.shell(name, `sysctl -qw net.ipv4.ip_forward=${forwarding} net.ipv6.conf.all.forwarding=${forwarding}`);
  }

  /** A link from a port of the tester to one of a device. */
  addLink(testerPort: string, device: string, devicePort: string): void {
    this.joinPorts('tester', testerPort, device, devicePort);
    this.ip(device, `link set ${devicePort} address ${DEVICE_MAC}`);
  }

  /** A link between any two ports. */
  joinPorts(a: string, aPort: string, b: string, bPort: string): void {
    const link = ['link', 'add', aPort, 'mtu', `${LINK_MTU}`, 'netns', this.namespace(a), 'type', 'veth'];
    run(['ip', ...link, 'peer', 'name', bPort, 'mtu', `${LINK_MTU}`, 'netns', this.namespace(b)]);
    for (const [name, port] of [
      [a, aPort],
      [b, bPort],
    ] as const) {
      this.ip(name, `link set ${port} up`);
      const mask = 1 << (name === 'tester' ? TESTER_CORE : DEVICE_CORE);
      this.shell(name, `echo ${mask.toString(16)} > /sys/class/net/${port}/queues/rx-0/rps_cpus`);
    }
  }

  /** A next hop that is the tester, known without asking. */
  addTesterNeighbour(device: string, port: string, address: string): void {
    this.ip(device, `neigh add ${address} lladdr ${TESTER_MAC} dev ${port} nud permanent`);
  }

  ip(name: string, words: string): void {
    run(['ip', '-n', this.namespace(name), ...words.split(' ')]);
  }

  shell(name: string, script: string): void {
    run([...this.enter(name), 'sh', '-c', script]);
  }

  /** What a command begins with that runs in a namespace, on the core it belongs to. */
  enter(name: string): string[] {
    const core = name === 'tester' ? TESTER_CORE : DEVICE_CORE;
    return ['ip', 'netns', 'exec', this.namespace(name), 'nice', '-n', `${NICENESS}`, 'taskset', '-c', `${core}`];
  }
}

function run([program = '', ...words]: readonly string[]): void {
  execFileSync(program, words, { stdio: ['ignore', 'ignore', 'inherit'], timeout: COMMAND_MS });
}
