/**
 * ICMPv4 errors that the engine makes, since the kernel's own would not find their way through the tunnel: time
 * exceeded and fragmentation needed, limited in rate for each instance.
 */

import { isMartianIpv4 } from '../address.ts';
import type { Batch } from './batch.ts';
import type { Encapsulation } from './encapsulation.ts';
import { ENCAPSULATION_ROOM } from './encapsulation.ts';
import { MAX_INSTANCES } from './layout.ts';
import type { Softwires } from './softwires.ts';
import { ICMPV4_HEADER_LEN, isIcmpv4Error, writeIcmpv4Error } from './wire/icmpv4.ts';
import {
  destination,
  fragmentOffset,
  headerLength,
  IPV4_HEADER_LEN,
  PROTOCOL_ICMP,
  protocol,
  source,
  totalLength,
  writeIpv4,
} from './wire/ipv4.ts';

/** An error quotes as much as fits in 576 octets (RFC 1812 §4.3.2.3). */
const LARGEST_ERROR = 576;
/** Internetwork control precedence (RFC 1812 §4.3.2.5). */
const TOS_INTERNETWORK_CONTROL = 0xc0;
const TTL = 64;
/** Average and burst of errors of an instance, as RFC 4443 §2.4 (f) suggests for ICMPv6. */
const PER_SECOND = 10;
const BURST = 10;

/** Send an error back the way its packet came: straight to an IPv4 neighbour. */
export const NO_ROW = 0;

export class Replies {
  readonly #softwires: Softwires;
  readonly #encapsulation: Encapsulation;
  readonly #tokens = new Float64Array(MAX_INSTANCES).fill(BURST);
  readonly #refilledMs = new Float64Array(MAX_INSTANCES);

  constructor(softwires: Softwires, encapsulation: Encapsulation) {
    this.#softwires = softwires;
    this.#encapsulation = encapsulation;
  }

  /**
   * Sends an ICMPv4 error about the packet at `at`, which is a valid IPv4 packet, from the instance of `softwire`:
   * through the tunnel to the end that `row` names, or with NO_ROW as plain IPv4. Silent where RFC 1812 §4.3.2.7 wants
   * silence, without an ipv4-address to send from, and above the rate.
   */
  sendError(
    batch: Batch,
    k: number,
    at: number,
    code: readonly [type: number, code: number],
    mtu: number,
    softwire: number,
    row: number,
  ): void {
    const from = this.#softwires.ipv4Address(softwire);
    if (from === 0 || !mayBeAnswered(batch.buf, at)) return;
    const quoted = Math.min(totalLength(batch.buf, at), LARGEST_ERROR - IPV4_HEADER_LEN - ICMPV4_HEADER_LEN);
    const len = IPV4_HEADER_LEN + ICMPV4_HEADER_LEN + quoted;
    if (!batch.hasRoom(4, ENCAPSULATION_ROOM + len + LARGEST_ERROR)) return;
    if (!this.#takeToken(this.#softwires.instance(softwire), batch.nowMs)) return;
    const error = batch.takeScratch(ENCAPSULATION_ROOM + len) + ENCAPSULATION_ROOM;
    const message = error + IPV4_HEADER_LEN;
    batch.buf.copyWithin(message + ICMPV4_HEADER_LEN, at, at + quoted);
    writeIcmpv4Error(batch.buf, message, quoted, code[0], code[1], mtu);
    writeIpv4(batch.buf, error, len, TOS_INTERNETWORK_CONTROL, TTL, PROTOCOL_ICMP, from, source(batch.buf, at));
    if (row === NO_ROW) batch.send(k, error, len);
    else this.#encapsulation.send(batch, k, error, softwire, row);
  }

  #takeToken(instance: number, nowMs: number): boolean {
    const passed = nowMs - (this.#refilledMs[instance] ?? 0);
    const tokens = Math.min(BURST, (this.#tokens[instance] ?? 0) + (passed * PER_SECOND) / 1_000);
    this.#refilledMs[instance] = nowMs;
    this.#tokens[instance] = tokens >= 1 ? tokens - 1 : tokens;
    return tokens >= 1;
  }
}

/**
 * RFC 1812 §4.3.2.7: no error about an ICMP error, a later fragment, or a packet that is not from one host to one host.
 */
function mayBeAnswered(buf: Uint8Array, at: number): boolean {
  if (fragmentOffset(buf, at) !== 0) return false;
  if (isMartianIpv4(source(buf, at)) || isMartianIpv4(destination(buf, at))) return false;
  const header = headerLength(buf, at);
  if (protocol(buf, at) !== PROTOCOL_ICMP) return true;
  return totalLength(buf, at) > header && !isIcmpv4Error(buf, at + header);
}
