/**
 * The slow path of shared addresses: which port set a packet comes from or goes to, whatever kind of packet it is. It
 * answers with a row, or with why there is none.
 */

import type { Batch } from './batch.ts';
import type { Fragments } from './fragments.ts';
import type { GatewayIndex } from './gateway-index.ts';
import { ROW_SHIFT, ROW_SOFTWIRE, SOFTWIRE_MASK } from './layout.ts';
import { sameFourWords } from './memory.ts';
import { PortFragments } from './port-fragments.ts';
import { isShared, portSetRow } from './port-sets.ts';
import type { Ports } from './ports.ts';
import { findPorts, PORTS_FOUND, PORTS_NONE } from './ports.ts';
import type { Softwires } from './softwires.ts';
import type { TableReader } from './table.ts';
import { DROP_MALFORMED_ICMP, DROP_NO_BINDING, DROP_NO_PORT, DROP_SOURCE_MISMATCH } from './verdict.ts';
import * as ipv4 from './wire/ipv4.ts';
import { IPV6_SOURCE } from './wire/ipv6.ts';

/** Which end of a packet has the shared address. */
export const BY_SOURCE = 0;
export const BY_DESTINATION = 1;

/** The packet in hand. */
export interface PacketPlace {
  readonly k: number;
  /** Offset of the IPv6 header, for one from the tunnel. */
  readonly outer: number;
  /** Offset of the IPv4 header. */
  readonly at: number;
  /** It was put together from outer fragments just now: those that were held share its verdict. */
  readonly isWhole: boolean;
}

export class PortSetPath {
  readonly #table: TableReader;
  readonly #softwires: Softwires;
  readonly #outerFragments: Fragments;
  readonly #gateways: GatewayIndex | undefined;
  readonly #fragments: PortFragments;
  readonly #ports: Ports = { source: 0, destination: 0, quote: 0 };

  /** `gateways` are those of an AFTR, `seed` is random. */
  constructor(
    table: TableReader,
    softwires: Softwires,
    outerFragments: Fragments,
    gateways: GatewayIndex | undefined,
    seed: number,
  ) {
    this.#table = table;
    this.#softwires = softwires;
    this.#outerFragments = outerFragments;
    this.#gateways = gateways;
    this.#fragments = new PortFragments(seed);
  }

  /**
   * The row of the port set at one end of a valid IPv4 packet; 0 when the address there is not shared, and minus a
   * verdict when the packet ends or waits here.
   */
  rowOf(batch: Batch, packet: PacketPlace, end: typeof BY_SOURCE | typeof BY_DESTINATION): number {
    const { buf } = batch;
    const { at } = packet;
    const shared = this.#table.lookup(end === BY_SOURCE ? ipv4.source(buf, at) : ipv4.destination(buf, at));
    if (shared === 0 || !isShared(this.#table, shared)) return 0;
    const verdict = this.#findPorts(batch, packet, end);
    if (verdict !== PORTS_FOUND) return -verdict;
    const row = portSetRow(this.#table, shared, end === BY_SOURCE ? this.#ports.source : this.#ports.destination);
    const outer = batch.sides[packet.k] === 4 ? -1 : packet.outer;
    if (ipv4.isFragment(buf, at) && ipv4.fragmentOffset(buf, at) === 0) {
      const isRefused = end === BY_SOURCE && (row === 0 || !this.#comesFrom(batch.words, outer, row));
      this.#fragments.remember(buf, at, outer, isRefused, this.#ports, batch.nowMs);
    }
    return row !== 0 && this.#isEnabled(row) ? row : -DROP_NO_BINDING;
  }

  /** Whether `endWaiting` has something to do. */
  isDue(nowMs: number): boolean {
    return this.#fragments.hasEnding(nowMs);
  }

  /** Ends the waiting of fragments, in late places of the batch; see `PortFragments.end`. */
  endWaiting(batch: Batch): void {
    if (this.#fragments.hasEnding(batch.nowMs)) this.#fragments.end(batch);
  }

  /** PORTS_FOUND, or a verdict. */
  #findPorts(batch: Batch, packet: PacketPlace, end: number): number {
    const { buf, nowMs } = batch;
    const { k, at } = packet;
    const ports = this.#ports;
    const outer = batch.sides[k] === 4 ? -1 : packet.outer;
    if (ipv4.fragmentOffset(buf, at) !== 0) {
      if (this.#fragments.find(buf, at, outer, ports, nowMs)) return PORTS_FOUND;
      if (outer >= 0 && !this.#isGateway(batch, k, outer)) return DROP_SOURCE_MISMATCH;
      const { heldPackets, heldOctets } = this.#outerFragments;
      return this.#fragments.wait(
        batch,
        k,
        at,
        outer,
        packet.isWhole ? heldPackets : 0,
        packet.isWhole ? heldOctets : 0,
      );
    }
    const found = findPorts(buf, at, ports);
    if (found !== PORTS_FOUND) return found === PORTS_NONE ? DROP_NO_PORT : DROP_MALFORMED_ICMP;
    if (ports.quote !== 0 && !isQuoteOf(buf, at, ports.quote, end)) return DROP_MALFORMED_ICMP;
    return PORTS_FOUND;
  }

  /** Whether packet `k` comes from a gateway of its instance: whose port set could a stranger's be? */
  #isGateway({ words, instances }: Batch, k: number, outer: number): boolean {
    return this.#gateways?.find(instances[k] ?? 0, words, (outer + IPV6_SOURCE) >> 2) !== 0;
  }

  #comesFrom(words: Int32Array, outer: number, row: number): boolean {
    return sameFourWords(words, (outer + IPV6_SOURCE) >> 2, this.#table.rows, row << ROW_SHIFT);
  }

  #isEnabled(row: number): boolean {
    return this.#softwires.isEnabled((this.#table.rows[(row << ROW_SHIFT) + ROW_SOFTWIRE] ?? 0) & SOFTWIRE_MASK);
  }
}

/**
 * Whether an ICMP error is about the shared address: one to it quotes a packet that it sent, one from it a packet that
 * it was to get.
 */
function isQuoteOf(buf: Uint8Array, at: number, quote: number, end: number): boolean {
  if (end === BY_SOURCE) return ipv4.destination(buf, quote) === ipv4.source(buf, at);
  return ipv4.source(buf, quote) === ipv4.destination(buf, at);
}
