/**
 * ICMPv6 errors that the engine makes about tunnel packets that end here (RFC 4443 §3): from the tunnel address of a
 * softwire to the source of the packet, as much of the packet quoted as fits in 1,280 octets (§2.4 (c)).
 *
 *     | Type | Code | Checksum | parameter (pointer, or unused) | the packet ...
 */

import type { Batch } from './batch.ts';
import type { GatewayIndex } from './gateway-index.ts';
import type { IcmpBudget } from './icmp-budget.ts';
import { ABOUT_STRANGER, ABOUT_TUNNEL } from './icmp-budget.ts';
import { FLAG_ICMPV6_ERRORS, SOFTWIRE_SHIFT } from './layout.ts';
import { sameFourWords } from './memory.ts';
import type { Softwires } from './softwires.ts';
import { ICMPV6_HEADER_LEN, mayCauseIcmpv6Error, writeIcmpv6Error } from './wire/icmpv6.ts';
import {
  addressHash,
  IPV6_DESTINATION,
  IPV6_HEADER_LEN,
  IPV6_MINIMUM_MTU,
  IPV6_SOURCE,
  isMartianSource,
  isMulticast,
  NEXT_HEADER_ICMPV6,
  NEXT_HEADER_NONE,
  payloadLength,
  writeIpv6Fields,
} from './wire/ipv6.ts';
import type { Walk } from './wire/ipv6-extensions.ts';
import { WALK_DONE, WALK_SEGMENTS_LEFT, WALK_UNKNOWN_OPTION } from './wire/ipv6-extensions.ts';
import { setU32, u8, u32 } from './wire/octets.ts';

/** Type times 256 plus code (RFC 4443 §3.1, §3.3, §3.4; RFC 7112 §5). */
export const SOURCE_REFUSED = 0x0105;
export const REASSEMBLY_TIME_EXCEEDED = 0x0301;
/** Parameter: offset of the field in the packet, counted from its IPv6 header. */
export const ERRONEOUS_HEADER_FIELD = 0x0400;
export const UNRECOGNIZED_NEXT_HEADER = 0x0401;
export const UNRECOGNIZED_OPTION = 0x0402;
export const INCOMPLETE_HEADER_CHAIN = 0x0403;

const HOP_LIMIT = 64;
const LARGEST_QUOTE = IPV6_MINIMUM_MTU - IPV6_HEADER_LEN - ICMPV6_HEADER_LEN;

export class Icmpv6Errors {
  readonly #softwires: Softwires;
  readonly #budget: IcmpBudget;
  readonly #gateways: GatewayIndex | undefined;

  /** `gateways` are those of an AFTR; a gateway knows its AFTR alone. */
  constructor(softwires: Softwires, budget: IcmpBudget, gateways: GatewayIndex | undefined) {
    this.#softwires = softwires;
    this.#budget = budget;
    this.#gateways = gateways;
  }

  /**
   * Sends the error `error` (one of the numbers above, with its parameter or 0) about the IPv6 packet of `len` octets at
   * `at` in the batch, on account of packet `k`; it may be the copy of one that was received earlier. `softwire` names the
   * tunnel address that it came to, which is the source of the error.
   *
   * Returns whether it was sent. It is not: with generate-icmpv6-errors false; about what RFC 4443 §2.4 (e) excludes (an
   * ICMPv6 error, a source that is no single host, a destination that is multicast, a source that is ourselves); above
   * the rate of the instance or without room in the batch, which is counted.
   */
  send(batch: Batch, k: number, error: number, parameter: number, softwire: number, at: number, len: number): boolean {
    const { buf } = batch;
    if (!this.#softwires.has(softwire, FLAG_ICMPV6_ERRORS) || !this.#mayBeAnswered(batch, at, len)) return false;
    const quoted = Math.min(len, LARGEST_QUOTE);
    const total = IPV6_HEADER_LEN + ICMPV6_HEADER_LEN + quoted;
    const instance = this.#softwires.instance(softwire);
    const kind = this.#kindOf(batch.words, (at + IPV6_SOURCE) >> 2, softwire);
    if (!batch.hasRoom(1, total)) {
      this.#budget.addSuppressed(instance, kind, 1);
      return false;
    }
    if (!this.#budget.take(instance, kind, addressHash(buf, at + IPV6_SOURCE), batch.nowMs)) return false;
    const header = batch.takeScratch(total);
    const message = header + IPV6_HEADER_LEN;
    buf.copyWithin(message + ICMPV6_HEADER_LEN, at, at + quoted);
    writeIpv6Fields(buf, header, 0, 0, total - IPV6_HEADER_LEN, NEXT_HEADER_ICMPV6, HOP_LIMIT);
    const { octets } = this.#softwires;
    const local = (softwire << SOFTWIRE_SHIFT) * 4 + IPV6_SOURCE;
    for (let i = 0; i < 16; i += 4) {
      setU32(buf, header + IPV6_SOURCE + i, u32(octets, local + i));
      setU32(buf, header + IPV6_DESTINATION + i, u32(buf, at + IPV6_SOURCE + i));
    }
    writeIcmpv6Error(buf, header, message, quoted, error, parameter);
    batch.send(k, header, total);
    return true;
  }

  /**
   * The error that is due because of how the walk over the extension headers of the packet at `outer` ended (RFC 8200
   * §4, §4.2, §4.4): an option that asks for it, segments left, or something behind the headers that is not spoken here.
   */
  aboutHeaders(batch: Batch, k: number, outer: number, softwire: number, walk: Walk): void {
    const { buf } = batch;
    const pointer = walk.field - outer;
    const len = IPV6_HEADER_LEN + payloadLength(buf, outer);
    let error = 0;
    if (walk.end === WALK_SEGMENTS_LEFT) error = ERRONEOUS_HEADER_FIELD;
    // The highest bit asks for an answer; 01 is a silent discard.
    else if (walk.end === WALK_UNKNOWN_OPTION && u8(buf, walk.field) >= 0x80) error = UNRECOGNIZED_OPTION;
    else if (walk.end === WALK_DONE && walk.nextHeader !== NEXT_HEADER_NONE) error = UNRECOGNIZED_NEXT_HEADER;
    if (error !== 0) this.send(batch, k, error, pointer, softwire, outer, len);
  }

  /** An error that is due and not even made, about a packet whose addresses are the eight words at `w`. */
  suppress(words: Int32Array, w: number, softwire: number): void {
    if (!this.#softwires.has(softwire, FLAG_ICMPV6_ERRORS)) return;
    this.#budget.addSuppressed(this.#softwires.instance(softwire), this.#kindOf(words, w, softwire), 1);
  }

  /** Whose bucket: of those that the instance knows, or of all others. */
  #kindOf(words: Int32Array, w: number, softwire: number): number {
    const remote = (softwire << SOFTWIRE_SHIFT) + (IPV6_DESTINATION >> 2);
    const isKnown = this.#gateways
      ? this.#gateways.find(this.#softwires.instance(softwire), words, w) !== 0
      : sameFourWords(words, w, this.#softwires.words, remote);
    return isKnown ? ABOUT_TUNNEL : ABOUT_STRANGER;
  }

  #mayBeAnswered({ buf, words }: Batch, at: number, len: number): boolean {
    if (isMartianSource(buf, at + IPV6_SOURCE) || isMulticast(buf, at + IPV6_DESTINATION)) return false;
    if (this.#softwires.byLocal(words, (at + IPV6_SOURCE) >> 2) !== 0) return false;
    return mayCauseIcmpv6Error(buf, at, len);
  }
}
