/**
 * Fills the queues of a TUN device, through a second one whose packets the kernel routes there:
 *
 *     feed (TUN) --- kernel --- the device of an AFTR (TUN) --- what is written to it is dropped
 *
 * An AFTR's part of the addresses is a `Place`, so that several can be fed in turn.
 */

import { execFileSync } from 'node:child_process';
import { parseIpv6 } from '../../src/address.ts';
import { Batch } from '../../src/datapath/batch.ts';
import { planInstances } from '../../src/datapath/configuration.ts';
import { Forwarding } from '../../src/datapath/forwarding.ts';
import { STRIDE } from '../../src/datapath/packet-device.ts';
import type { WantedRow } from '../../src/datapath/table.ts';
import { createPersistentTun, TunDevice } from '../../src/datapath/tun-device.ts';
import { readConfiguration } from '../../src/state/configuration-reader.generated.ts';
import type { Direction } from './engine-bench.ts';
import { writeTunnelWords, writeUdpWords } from './packets.ts';

export interface Place {
  /** The TUN device. */
  readonly device: string;
  /** Its tunnel address. */
  readonly aftr: string;
  /** First octet of all addresses that are bound, one each. */
  readonly network: number;
  readonly bindings: number;
  /** Packets that may wait in a queue. */
  readonly queueLength: number;
}

const BATCH = 64;
const FEED = 'feed';
const HOST = 0x08_08_08_08;

/** The tables of an AFTR with all bindings of the place. */
export async function loadForwarding({ aftr, network, bindings }: Place, workers: number): Promise<Forwarding> {
  const forwarding = new Forwarding('aftr', workers, bindings, 'huge');
  const instance = { name: 'br', 'ipv6-address': aftr, 'ipv4-pool': [`${network}.0.0.0/8`] };
  const configuration = readConfiguration({ 'gi-4over6:softwire': { aftr: [instance] } });
  forwarding.setInstances(planInstances('aftr', configuration));
  await forwarding.rows.synchronize(wantedRows(forwarding, network, bindings), () => Promise.resolve());
  return forwarding;
}

function* wantedRows(forwarding: Forwarding, network: number, bindings: number): Generator<WantedRow> {
  const fixed = { length: 32, aftrIpv6Address: undefined, description: undefined, origin: 'static' } as const;
  for (let i = 0; i < bindings; i++) {
    const binding = { address: network * 2 ** 24 + i, gatewayIpv6Address: gatewayOf(i).slice(), ...fixed };
    const row = forwarding.rows.wantedBinding('br', binding);
    if (row) yield row;
  }
}

/** Devices and routes, and that what is written to a device of a place ends there. */
export function layOut(places: readonly Place[]): void {
  const names = [FEED, ...places.map(({ device }) => device)];
  for (const name of names) createPersistentTun(name);
  const settings = ['ipv4.ip_forward', 'ipv6.conf.all.forwarding'].map((name) => `net.${name}=1`);
  const off = ['all', 'default', ...names].map((name) => `net.ipv4.conf.${name}.rp_filter=0`);
  const quiet = names.map((name) => `net.ipv6.conf.${name}.addr_gen_mode=1`);
  execFileSync('sysctl', ['-qw', ...settings, ...off, ...quiet]);
  ip(`link set ${FEED} mtu 65535 up`);
  for (const { device, aftr, network, queueLength } of places) {
    ip(`link set ${device} mtu 65535 txqueuelen ${queueLength} up`);
    ip(`-6 route add ${aftr}/128 dev ${device}`);
    ip(`route add ${network}.0.0.0/8 dev ${device}`);
  }
  const chains = places.map(
    ({ device }, i) =>
      `add chain netdev bench in${i} { type filter hook ingress device "${device}" priority 0; policy drop; }`,
  );
  execFileSync('nft', ['-f', '-'], { input: `add table netdev bench\n${chains.join('\n')}\n` });
}

function ip(words: string): void {
  execFileSync('ip', words.split(' '));
}

export class TunFeed {
  readonly #device = TunDevice.open({ name: FEED }, new Batch(BATCH, STRIDE));
  /** Binding of the next packet. */
  #pick = 1;

  close(): void {
    this.#device.close();
  }

  /** Gives the device of the place so many packets (a multiple of 64) of random bindings, of `size` octets of IPv4. */
  fill({ aftr, network, bindings }: Place, direction: Direction, size: number, packets: number): void {
    const { batch } = this.#device;
    const own = parseIpv6(aftr) ?? new Uint8Array(16);
    for (let sent = 0; sent < packets; sent += BATCH) {
      batch.clearOutputs();
      for (let slot = 0; slot < BATCH; slot++) {
        const pick = this.#nextPick(bindings);
        const at = batch.at[slot] ?? 0;
        const address = network * 2 ** 24 + pick;
        if (direction === 'encapsulation') {
          writeUdpWords(batch.words, at >> 2, size, HOST, address);
          batch.send(slot, at, size);
        } else {
          writeTunnelWords(batch.words, at >> 2, size, gatewayOf(pick), own);
          writeUdpWords(batch.words, (at >> 2) + 10, size, address, HOST);
          batch.send(slot, at, size + 40);
        }
      }
      if (this.#device.writeBatch() !== BATCH) throw new Error('the device that feeds did not take all');
    }
  }

  #nextPick(bindings: number): number {
    this.#pick = (Math.imul(this.#pick, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((this.#pick / 2 ** 32) * bindings);
  }
}

const GATEWAY = parseIpv6('2001:db8:a::') ?? new Uint8Array(16);

/** The gateway of a binding; the octets are those of the next call, too. */
function gatewayOf(pick: number): Uint8Array {
  new DataView(GATEWAY.buffer).setUint32(12, pick + 1);
  return GATEWAY;
}
