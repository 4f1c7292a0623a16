/** FRR's BGP speaker in a namespace of a topology: its zebra and bgpd, started by their binaries. Needs root and the package frr. */

import type { ChildProcess } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import type { HostName, Topology } from '../../tools/topology.ts';
import { stop, until } from '../../tools/topology.ts';

const BINARIES = '/usr/lib/frr';
const START_MS = 60_000;

export class Frr {
  readonly #topology: Topology;
  readonly #host: HostName;
  readonly #dir: string;
  #zebra: ChildProcess | undefined;
  #bgpd: ChildProcess | undefined;

  constructor(topology: Topology, host: HostName) {
    this.#topology = topology;
    this.#host = host;
    this.#dir = topology.path(host, 'frr');
    mkdirSync(this.#dir, { recursive: true, mode: 0o755 });
    // The daemons run as user frr.
    topology.run(host, ['chown', 'frr:frr', this.#dir]);
  }

  /** Both daemons; `configuration` is that of bgpd. */
  async start(configuration: string): Promise<void> {
    this.#zebra = this.#daemon('zebra', '');
    if (!(await until(START_MS, () => this.#answers('zebra')))) throw new Error('zebra does not start');
    await this.startBgp(configuration);
  }

  async startBgp(configuration: string): Promise<void> {
    this.#bgpd = this.#daemon('bgpd', configuration);
    if (!(await until(START_MS, () => this.#answers('bgpd')))) throw new Error('bgpd does not start');
  }

  #daemon(name: 'zebra' | 'bgpd', configuration: string): ChildProcess {
    const file = (end: string) => `${this.#dir}/${name}.${end}`;
    writeFileSync(file('conf'), `log file ${file('log')}\n${configuration}\n`);
    const common = ['-f', file('conf'), '-i', file('pid'), '-z', `${this.#dir}/zserv.api`, '--vty_socket', this.#dir];
    const words = [`${BINARIES}/${name}`, ...common, '-u', 'frr', '-g', 'frr', '-P', '0'];
    return this.#topology.start(this.#host, words);
  }

  #answers(daemon: string): boolean {
    return this.#vtysh(['-d', daemon, '-c', 'show version']).status === 0;
  }

  #vtysh(words: readonly string[]): { status: number; output: string } {
    return this.#topology.run(this.#host, ['vtysh', '--vty_socket', this.#dir, ...words]);
  }

  /** What a command of its shell prints. */
  show(command: string): string {
    return this.#vtysh(['-d', 'bgpd', '-c', command]).output;
  }

  /** Lines of configuration of bgpd. */
  configure(...lines: readonly string[]): void {
    const words = ['configure terminal', ...lines].flatMap((line) => ['-c', line]);
    const { status, output } = this.#vtysh(['-d', 'bgpd', ...words]);
    if (status !== 0) throw new Error(`FRR: ${output}`);
  }

  /** bgpd is killed: its neighbors see the session lost without a farewell. */
  async killBgp(): Promise<void> {
    if (!this.#bgpd) return;
    this.#bgpd.kill('SIGKILL');
    await stop(this.#bgpd);
  }

  /** bgpd ends and says farewell. */
  async stopBgp(): Promise<void> {
    if (this.#bgpd) await stop(this.#bgpd);
  }

  async stop(): Promise<void> {
    for (const child of [this.#bgpd, this.#zebra]) if (child) await stop(child);
  }
}

export interface FrrNeighbor {
  readonly localAs: number;
  readonly routerId: string;
  readonly address: string;
  readonly peerAs: number;
  /** Of the routes of `networks`. */
  readonly nextHop?: string;
  readonly networks?: readonly string[];
  readonly hasExtendedNextHop?: boolean;
  readonly password?: string;
  readonly restartTime?: number;
  /** RFC 5082, for a neighbor on the same link. */
  readonly hasTtlSecurity?: boolean;
}

/** The configuration of a bgpd with one neighbor. */
export function bgpdConfiguration(neighbor: FrrNeighbor): string {
  const { localAs, routerId, address, peerAs, nextHop, networks = [], hasExtendedNextHop = true } = neighbor;
  const { password, restartTime = 0, hasTtlSecurity = false } = neighbor;
  const lines = [
    `router bgp ${localAs}`,
    ` bgp router-id ${routerId}`,
    ' no bgp ebgp-requires-policy',
    ' no bgp default ipv4-unicast',
    ' no bgp network import-check',
    ...(restartTime > 0
      ? [
          ' bgp graceful-restart',
          ` bgp graceful-restart restart-time ${restartTime}`,
          ' bgp graceful-restart preserve-fw-state',
        ]
      : []),
    ` neighbor ${address} remote-as ${peerAs}`,
    ` neighbor ${address} timers 1 3`,
    ` neighbor ${address} timers connect 1`,
    ...(hasExtendedNextHop ? [` neighbor ${address} capability extended-nexthop`] : []),
    ...(hasTtlSecurity ? [` neighbor ${address} ttl-security hops 1`] : []),
    ...(password === undefined ? [] : [` neighbor ${address} password ${password}`]),
    ' address-family ipv4 unicast',
    ...networks.map((network) => `  network ${network}`),
    `  neighbor ${address} activate`,
    ...(nextHop === undefined ? [] : [`  neighbor ${address} route-map OUT out`]),
    ' exit-address-family',
    'exit',
    'route-map OUT permit 10',
    ...(nextHop === undefined ? [] : [` set ipv6 next-hop global ${nextHop}`]),
    'exit',
  ];
  return lines.join('\n');
}
