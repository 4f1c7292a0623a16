/**
 * Tester and devices under test in network namespaces of their own:
 *
 *     tester  NAME4 ------- v4  device under test  v6 ------- NAME6  tester        one core each
 *
 * What runs in a namespace runs on the core it belongs to. A veth hands a frame on within the call that sent it, so what the
 * kernel does to a frame on its way in is done on the core of whoever sent it: of a frame's way through a device on a TUN, the
 * part up to the TUN's queue on the tester's core, all the rest on the device's. Receive packet steering would part the cores
 * cleanly, but interrupts from core to core cost more in a virtual machine than all that is measured here.
 */

import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, rmSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { onInterrupt } from '../../interrupted.ts';
import { DEVICE_MAC, TESTER_MAC } from './frames.ts';

export const DEVICE_CORE = 0;
export const TESTER_CORE = Math.min(1, availableParallelism() - 1);
/** 9,216 octets of Ethernet and the 40 of the tunnel pass whole (RFC 8219 §5.1 asks for links that hold both). */
const LINK_MTU = 9_300;
/**
 * Tester and device come before all else on the machine: a bench shares it with nobody. Where sessions are scheduled as groups
 * (autogroup) niceness counts inside of one only, so each gets a session of its own, and that the priority too.
 */
const COME_FIRST = 'renice -n -20 $$ >/dev/null; echo -20 2>/dev/null >/proc/self/autogroup; exec "$@"';
/** Whatever a shell command does here is done in a moment. */
const COMMAND_MS = 20_000;

export class Lab {
  readonly dir: string;
  readonly #prefix: string;
  readonly #namespaces: string[] = [];
  readonly #forget: () => void;

  /** `prefix` names namespaces and the folder in /tmp. Needs root. */
  constructor(prefix: string) {
    this.#prefix = prefix;
    this.dir = join('/tmp', prefix);
    mkdirSync(this.dir, { mode: 0o755 });
    process.once('exit', () => this.close());
    this.#forget = onInterrupt(() => this.#clear());
    this.addNamespace('tester');
  }

  /** Removes all namespaces; what runs in them must have ended. */
  close(): void {
    this.#forget();
    for (const name of this.#namespaces.splice(0)) spawnSync('ip', ['netns', 'del', name], { stdio: 'ignore' });
    rmSync(this.dir, { recursive: true, force: true });
  }

  /** Ends what runs in the namespaces, and removes them. */
  #clear(): void {
    for (const name of this.#namespaces) {
      const { stdout } = spawnSync('ip', ['netns', 'pids', name], { encoding: 'utf8' });
      spawnSync('kill', ['-KILL', ...stdout.split('\n').filter(Boolean)], { stdio: 'ignore' });
    }
    this.close();
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
    run(['ip', 'netns', 'exec', this.namespace(name), 'sh', '-c', script]);
  }

  /** What a command begins with that runs in a namespace, on the core it belongs to, before all else there. */
  enter(name: string): string[] {
    const core = name === 'tester' ? TESTER_CORE : DEVICE_CORE;
    const first = ['setsid', 'sh', '-c', COME_FIRST, 'sh', 'taskset', '-c', `${core}`];
    return [...first, 'ip', 'netns', 'exec', this.namespace(name)];
  }
}

function run([program = '', ...words]: readonly string[]): void {
  execFileSync(program, words, { stdio: ['ignore', 'ignore', 'inherit'], timeout: COMMAND_MS });
}
