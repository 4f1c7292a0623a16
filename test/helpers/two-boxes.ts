/** Gateway and AFTR in namespaces, running and configured: what the end-to-end tests stand on. Needs root. */

import { readdirSync, readFileSync } from 'node:fs';
import type { HostName, Instance } from '../../tools/topology.ts';
import { AFTR_TUNNEL, DEVICE_PREFIX, GATEWAY_TUNNEL, SECOND_PREFIX, Topology, until } from '../../tools/topology.ts';
import type { EchoOptions } from './echoes.ts';
import { echoCounts, echoWords } from './echoes.ts';

const RESTCONF_PORT = 8443;
const START_MS = 300_000;
const SOFTWIRE = '/restconf/data/gi-4over6:softwire';

export const GATEWAY_CONFIGURATION = {
  name: 'rack',
  'ipv6-address': GATEWAY_TUNNEL,
  'aftr-ipv6-address': AFTR_TUNNEL,
  'ipv4-interface': ['left'],
  'ipv4-address': '198.51.100.1',
  'softwire-payload-mtu': 1500,
  'served-prefix': [{ 'ipv4-prefix': DEVICE_PREFIX }],
};

export const AFTR_CONFIGURATION = {
  name: 'edge',
  'ipv6-address': AFTR_TUNNEL,
  'ipv4-address': '203.0.113.1',
  'softwire-payload-mtu': 1500,
  'ipv4-pool': [DEVICE_PREFIX, SECOND_PREFIX],
  'binding-table': { binding: [{ 'ipv4-prefix': DEVICE_PREFIX, 'gateway-ipv6-address': GATEWAY_TUNNEL }] },
};

export class TwoBoxes {
  readonly topology: Topology;
  readonly gateway: Instance;
  readonly aftr: Instance;

  private constructor(topology: Topology, moreOfGateway: readonly string[]) {
    this.topology = topology;
    this.gateway = topology.startInstance('gateway', moreOfGateway);
    this.aftr = topology.startInstance('aftr');
  }

  /** Both boxes up and answering, without configuration; `moreOfGateway` are further options of the gateway's program. */
  static async start(prefix: string, moreOfGateway: readonly string[] = []): Promise<TwoBoxes> {
    const topology = await Topology.create(prefix);
    const boxes = new TwoBoxes(topology, moreOfGateway);
    const isUp = await until(START_MS, () => boxes.isUp('gateway') && boxes.isUp('aftr'));
    if (isUp) return boxes;
    const logs = ['gateway', 'aftr'].flatMap((host) =>
      ['management', 'datapath'].map((name) => topology.path(host, 'log', `${name}.log`)),
    );
    const text = logs.map((file) => `${file}\n${readLog(file)}`).join('\n');
    await topology.close();
    throw new Error(`the program did not start:\n${text}`);
  }

  isUp(host: 'gateway' | 'aftr'): boolean {
    return this.restconf(host, 'GET', `${SOFTWIRE}/state?content=nonconfig`).body.includes('applied-version');
  }

  /** One RESTCONF request from the box itself. */
  restconf(host: 'gateway' | 'aftr', method: string, path: string, data?: unknown): { status: number; body: string } {
    const password = passwordOf(host === 'gateway' ? this.gateway : this.aftr);
    const words = ['curl', '-sk', '--max-time', '20', '-u', `admin:${password}`, '-X', method, '-w', '\n%{http_code}'];
    if (data !== undefined) words.push('-H', 'Content-Type: application/yang-data+json', '-d', JSON.stringify(data));
    const { output } = this.topology.run(host, [...words, `https://127.0.0.1:${RESTCONF_PORT}${path}`]);
    const at = output.lastIndexOf('\n');
    return { status: Number(output.slice(at + 1)), body: output.slice(0, at) };
  }

  /** Merges one gateway or AFTR into the running configuration of its box; the status. */
  configure(host: 'gateway' | 'aftr', entry: Readonly<Record<string, unknown>>): { status: number; body: string } {
    return this.restconf(host, 'PATCH', SOFTWIRE, { 'gi-4over6:softwire': { [host]: [entry] } });
  }

  /** Resolves when both forward by it: a datapath that was not in time is started anew. */
  async configureBoth(): Promise<void> {
    for (const [host, entry] of [
      ['gateway', GATEWAY_CONFIGURATION],
      ['aftr', AFTR_CONFIGURATION],
    ] as const) {
      const { status, body } = this.configure(host, entry);
      if (status !== 204) throw new Error(`${host}: ${status} ${body}`);
    }
    const isInForce = await until(START_MS, () => this.isInForce('gateway') && this.isInForce('aftr'));
    if (!isInForce) throw new Error('the configuration is not in force');
  }

  /** Whether what is configured is what the datapath has. */
  isInForce(host: 'gateway' | 'aftr'): boolean {
    const { body } = this.restconf(host, 'GET', `${SOFTWIRE}/state?content=nonconfig`);
    const leaf = (name: string): string | undefined => new RegExp(`"${name}":"(\\d+)"`).exec(body)?.[1];
    return leaf('applied-version') !== undefined && leaf('applied-version') === leaf('configured-version');
  }

  ping(host: HostName, target: string, more: readonly string[] = ['-c', '2', '-i', '0.2', '-W', '2']): boolean {
    return this.topology.run(host, ['ping', ...more, target]).status === 0;
  }

  /** One packet and its answer, however late. */
  reaches(host: HostName, target: string): boolean {
    return this.ping(host, target, ['-c', '1', '-W', '15']);
  }

  /** Echo requests of which each counts. */
  echoes(
    host: HostName,
    target: string,
    options: EchoOptions & { readonly count: number },
  ): { sent: number; received: number } {
    const { output, errors } = this.topology.run(host, echoWords(target, options));
    if (output === '') throw new Error(errors);
    return echoCounts(output);
  }

  /** Process ids of one of the program's processes on a box. */
  pids(host: 'gateway' | 'aftr', name: 'management' | 'datapath'): number[] {
    const { stateDir } = host === 'gateway' ? this.gateway : this.aftr;
    return readdirSync('/proc')
      .filter((entry) => /^\d+$/.test(entry))
      .filter((pid) => {
        const words = readWords(`/proc/${pid}/cmdline`);
        return /node$/.test(words[0] ?? '') && words.includes(name) && words.includes(stateDir);
      })
      .map(Number);
  }

  /** A counter of an instance, by side and leaf. */
  counter(host: 'gateway' | 'aftr', side: 'ipv4-side' | 'ipv6-side', leaf: string): number {
    const name = host === 'gateway' ? 'rack' : 'edge';
    const { body } = this.restconf(host, 'GET', `${SOFTWIRE}/${host}=${name}/statistics`);
    const data = JSON.parse(body) as { 'gi-4over6:statistics'?: Record<string, Record<string, string>> };
    return Number(data['gi-4over6:statistics']?.[side]?.[leaf] ?? Number.NaN);
  }

  close(): Promise<void> {
    return this.topology.close();
  }
}

function passwordOf(instance: Instance): string {
  try {
    return instance.password();
  } catch {
    return '';
  }
}

function readLog(file: string): string {
  try {
    return readFileSync(file, 'utf8').split('\n').slice(-20).join('\n');
  } catch {
    return '(nothing)';
  }
}

function readWords(file: string): string[] {
  try {
    return readFileSync(file, 'utf8').split('\0');
  } catch {
    return [];
  }
}
