/**
 * Packets through the TUN device of a running AFTR in this network namespace: UDP to bound addresses goes in, what comes out
 * encapsulated is counted by nftables where it would reach its gateway, and ends there.
 */

import { execFileSync, spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { formatIpv4 } from '../../src/address.ts';
import { sleep } from './instance.ts';
import { LineChild } from './line-child.ts';

export const SENDER = fileURLToPath(new URL('./udp-sender.js', import.meta.url));
const SOURCE = '198.18.0.1';
const SETTLE_MS = 500;

export class Traffic {
  readonly #first: number;
  readonly #count: number;

  /** To `count` addresses from `first` on, which must be bound to gateways in 2001:db8:a::/48. */
  constructor(first: number, count: number) {
    this.#first = first;
    this.#count = count;
    execFileSync('ip', ['addr', 'add', `${SOURCE}/32`, 'dev', 'lo']);
    execFileSync('ip', ['-6', 'route', 'add', 'local', '2001:db8:a::/48', 'dev', 'lo']);
    const rules = [
      'add table ip6 bench',
      'add counter ip6 bench out',
      'add chain ip6 bench input { type filter hook input priority 0; }',
      'add rule ip6 bench input meta l4proto 4 counter name out drop',
    ].join('\n');
    execFileSync('nft', ['-f', '-'], { input: rules });
  }

  /** Waits until the kernel leads the addresses to the device. */
  async ready(): Promise<void> {
    const target = formatIpv4(this.#first);
    while (spawnSync('ip', ['route', 'get', target]).status !== 0) await sleep(100);
  }

  /** Sends at a rate in packets a second (0: as fast as it goes) while `work` runs. */
  async during(
    rate: number,
    work: () => Promise<unknown>,
  ): Promise<{ sent: number; received: number; seconds: number }> {
    const before = received();
    const sender = await LineChild.start(SENDER, [`${rate}`, `${this.#first}`, `${this.#count}`]);
    const began = performance.now();
    await work();
    const seconds = (performance.now() - began) / 1000;
    const sent = Number(await sender.end());
    await sleep(SETTLE_MS);
    return { sent, received: received() - before, seconds };
  }
}

/** Packets that came out so far, of all that was sent since the first Traffic. */
export function received(): number {
  const text = execFileSync('nft', ['-j', 'list', 'counter', 'ip6', 'bench', 'out'], { encoding: 'utf8' });
  return Number(/"packets": ?(\d+)/.exec(text)?.[1]);
}
