/**
 * Four hosts in network namespaces, for the demo and the end-to-end tests:
 *
 *     end device ---- gateway ======== AFTR ---- Internet host
 *     198.51.100.10   left  right  right  left    203.0.113.80
 *     192.0.2.10      IPv4    IPv6 only    IPv4
 *
 * Between gateway and AFTR there is IPv6 alone (MTU 1,600, so that 1,500 octets of IPv4 pass whole). Both routers know the
 * other's tunnel address by a route; nobody knows an IPv4 route across.
 */

import type { ChildProcess, SpawnOptions } from 'node:child_process';
import { spawn, spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

export type HostName = 'device' | 'gateway' | 'aftr' | 'internet';

export const HOSTS: readonly HostName[] = ['device', 'gateway', 'aftr', 'internet'];
export const GATEWAY_TUNNEL = '2001:db8:a::1';
export const AFTR_TUNNEL = '2001:db8:b::1';
export const DEVICE = '198.51.100.10';
export const DEVICE_PREFIX = '198.51.100.0/24';
export const SECOND_DEVICE = '192.0.2.10';
export const SECOND_PREFIX = '192.0.2.0/24';
export const INTERNET = '203.0.113.80';

/** The built program: dist/src/main.js of this project. */
export const PROGRAM = fileURLToPath(new URL('../src/main.js', import.meta.url));

const LINKS = [
  ['device', 'eth0', 'gateway', 'left'],
  ['gateway', 'right', 'aftr', 'right'],
  ['aftr', 'left', 'internet', 'eth0'],
] as const;

const SETTINGS: Readonly<Record<HostName, readonly string[]>> = {
  device: [
    'addr add 198.51.100.10/24 dev eth0',
    'addr add 192.0.2.10/24 dev eth0',
    'route add default via 198.51.100.1',
  ],
  gateway: [
    'addr add 198.51.100.1/24 dev left',
    'addr add 192.0.2.1/24 dev left',
    'link set right mtu 1600',
    'addr add 2001:db8:12::1/64 dev right nodad',
    '-6 route add 2001:db8:b::/48 via 2001:db8:12::2',
  ],
  aftr: [
    'link set right mtu 1600',
    'addr add 2001:db8:12::2/64 dev right nodad',
    '-6 route add 2001:db8:a::/48 via 2001:db8:12::1',
    'addr add 203.0.113.1/24 dev left',
    'route add default via 203.0.113.80',
  ],
  internet: ['addr add 203.0.113.80/24 dev eth0', 'route add default via 203.0.113.1'],
};

/** One running instance of the program in a namespace. */
export interface Instance {
  readonly host: HostName;
  readonly stateDir: string;
  readonly runDir: string;
  readonly process: ChildProcess;
  /** Password of user `admin`, as the first start wrote it. */
  readonly password: () => string;
}

export class Topology {
  readonly #prefix: string;
  readonly #dir: string;
  readonly #children: ChildProcess[] = [];

  private constructor(prefix: string) {
    this.#prefix = prefix;
    this.#dir = join('/tmp', prefix);
  }

  /**
   * Builds the namespaces; what an earlier one of the same prefix left is removed first. Needs root.
   * @throws Error when a process that is still there has a topology of this prefix
   */
  static async create(prefix: string): Promise<Topology> {
    await claim(prefix);
    const topology = new Topology(prefix);
    topology.#remove();
    process.once('exit', () => topology.#remove());
    mkdirSync(topology.#dir, { mode: 0o755 });
    for (const host of HOSTS) {
      run('ip', ['netns', 'add', topology.namespace(host)]);
      topology.ip(host, 'link set lo up');
    }
    for (const [a, aLink, b, bLink] of LINKS) {
      const ends = [
        'netns',
        topology.namespace(a),
        'type',
        'veth',
        'peer',
        'name',
        bLink,
        'netns',
        topology.namespace(b),
      ];
      run('ip', ['link', 'add', aLink, ...ends]);
      topology.ip(a, `link set ${aLink} up`);
      topology.ip(b, `link set ${bLink} up`);
    }
    for (const host of HOSTS) for (const setting of SETTINGS[host]) topology.ip(host, setting);
    return topology;
  }

  namespace(host: HostName): string {
    return `${this.#prefix}-${host}`;
  }

  ip(host: HostName, words: string): void {
    run('ip', ['-n', this.namespace(host), ...words.split(' ')]);
  }

  /** Runs a command in a namespace to its end; never throws for a failing command. */
  run(host: HostName, command: readonly string[], input = ''): { status: number; output: string; errors: string } {
    const result = spawnSync('ip', ['netns', 'exec', this.namespace(host), ...command], {
      encoding: 'utf8',
      input,
      timeout: 60_000,
    });
    return { status: result.status ?? -1, output: result.stdout, errors: result.stderr };
  }

  /** Starts a command in a namespace; it is ended with the topology at the latest. */
  start(host: HostName, command: readonly string[], options: SpawnOptions = {}): ChildProcess {
    const child = spawn('ip', ['netns', 'exec', this.namespace(host), ...command], { stdio: 'ignore', ...options });
    this.#children.push(child);
    return child;
  }

  /** A folder for files of this topology. */
  path(...names: string[]): string {
    return join(this.#dir, ...names);
  }

  /** Starts the program in a namespace; `ready` tells when it answers. Logs go to `path(host, 'log')`. */
  startInstance(host: HostName, more: readonly string[] = []): Instance {
    const stateDir = this.path(host, 'state');
    const runDir = this.path(host, 'run');
    mkdirSync(this.path(host), { recursive: true, mode: 0o755 });
    const dirs = ['--state-dir', stateDir, '--run-dir', runDir, '--log-dir', this.path(host, 'log')];
    const child = this.start(host, [process.execPath, PROGRAM, 'run', ...dirs, ...more], {
      stdio: ['ignore', 'ignore', 'inherit'],
    });
    const password = () => readFileSync(join(stateDir, 'initial-password'), 'utf8').trim();
    return { host, stateDir, runDir, process: child, password };
  }

  /** Ends every process that was started here, children first given time to clean up, and removes all namespaces. */
  async close(): Promise<void> {
    await Promise.all(this.#children.map((child) => stop(child)));
    this.#remove();
  }

  #remove(): void {
    for (const host of HOSTS) spawnSync('ip', ['netns', 'del', this.namespace(host)], { stdio: 'ignore' });
    rmSync(this.#dir, { recursive: true, force: true });
  }
}

/** A name in the kernel that goes with this process, so that two runs never share namespaces. */
function claim(prefix: string): Promise<void> {
  const claimed = createServer();
  return new Promise((resolve, reject) => {
    claimed.once('error', ({ message }) =>
      reject(new Error(`another run has the namespaces ${prefix}-*: end it first (${message.replaceAll('\0', '@')})`)),
    );
    claimed.listen(`\0${prefix}`, () => {
      claimed.unref();
      resolve();
    });
  });
}

/** Ends a process that was started here: SIGTERM, and SIGKILL after 15 seconds. */
export async function stop(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = new Promise((resolve) => child.once('exit', resolve));
  child.kill('SIGTERM');
  const timer = setTimeout(() => child.kill('SIGKILL'), 15_000);
  await ended;
  clearTimeout(timer);
}

/** Calls `probe` every 100 ms until it is true; false after `limitMs`. */
export async function until(limitMs: number, probe: () => boolean | Promise<boolean>): Promise<boolean> {
  const deadline = Date.now() + limitMs;
  for (;;) {
    if (await probe()) return true;
    if (Date.now() >= deadline) return false;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

function run(program: string, words: readonly string[]): void {
  const result = spawnSync(program, words, { encoding: 'utf8' });
  if (result.status !== 0) throw new Error(`${program} ${words.join(' ')}: ${result.stderr || result.error?.message}`);
}
