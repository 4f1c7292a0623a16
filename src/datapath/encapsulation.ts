/**
 * Putting the outer header before an IPv4 packet, and cutting the result in pieces when it is larger than the path
 * takes: the outer packet is fragmented, never the inner one (RFC 2473 §7.2 b, RFC 6333 §5.3).
 */

import type { Batch } from './batch.ts';
import { flowLabelOf } from './flow-label.ts';
import type { Identifications } from './identifications.ts';
import * as layout from './layout.ts';
import * as memory from './memory.ts';
import type { PathMtus } from './path-mtus.ts';
import type { Softwires } from './softwires.ts';
import { DROP_TOO_BIG, DROP_WRITE_FAILED } from './verdict.ts';
import { totalLength } from './wire/ipv4.ts';
import {
  hopLimit,
  IPV6_HEADER_LEN,
  NEXT_HEADER_DESTINATION,
  NEXT_HEADER_FRAGMENT,
  NEXT_HEADER_IPV4,
  nextHeader,
  setNextHeader,
} from './wire/ipv6.ts';
import { ENCAPSULATION_LIMIT_LEN, writeEncapsulationLimit } from './wire/ipv6-extensions.ts';
import { FRAGMENT_HEADER_LEN, writeFragmentHeader } from './wire/ipv6-fragment.ts';
import { setU16 } from './wire/octets.ts';

// Constants of this file, because what is imported is looked at again at each access (see fast-path.ts).
const { swapWord } = memory;
const { FLAG_ECN_COMPATIBILITY, FLAG_ENCAPSULATION_LIMIT, FLAG_FLOW_LABEL, FLAG_OUTER_FRAGMENTATION, FLAG_PIPE } =
  layout;
const { ROW_SHIFT, SOFTWIRE_FLAGS, SOFTWIRE_SHIFT } = layout;

const HEADER_WORDS = IPV6_HEADER_LEN / 4;
const MAX_PAYLOAD = 65_535;
/** What `send` may put before an IPv4 packet. */
export const ENCAPSULATION_ROOM = IPV6_HEADER_LEN + ENCAPSULATION_LIMIT_LEN;

const FRAGMENT_HEAD_LEN = IPV6_HEADER_LEN + FRAGMENT_HEADER_LEN;

export class Encapsulation {
  /** Why the last packet that was not sent was not. */
  refusal = DROP_TOO_BIG;
  readonly #softwires: Softwires;
  readonly #rows: Int32Array;
  readonly #pathMtus: PathMtus;
  readonly #flowKey: number;
  readonly #identifications: Identifications;

  /** `seed` is random and the same in all workers: a flow keeps its label whatever queue it came by. */
  constructor(
    softwires: Softwires,
    rows: Int32Array,
    pathMtus: PathMtus,
    seed: number,
    identifications: Identifications,
  ) {
    this.#softwires = softwires;
    this.#rows = rows;
    this.#pathMtus = pathMtus;
    this.#flowKey = seed | 0;
    this.#identifications = identifications;
  }

  /**
   * Writes the outer header before the IPv4 packet of `len` octets at `at`, with room for `options` octets between them, to
   * the other end that `row` names.
   */
  writeHeader(batch: Batch, at: number, len: number, options: number, softwire: number, row: number): void {
    const words = batch.words;
    const templates = this.#softwires.words;
    const template = softwire << SOFTWIRE_SHIFT;
    const flags = templates[template + SOFTWIRE_FLAGS] ?? 0;
    const inner = at >> 2;
    const word0 = words[inner] ?? 0;
    const trafficClass = modedTrafficClass((word0 >>> 8) & 255, flags, templates[template] ?? 0);
    const label =
      (flags & FLAG_FLOW_LABEL) !== 0 ? flowLabelOf(words, inner, (word0 & 15) << 2, len, this.#flowKey) : 0;
    const outer = inner - HEADER_WORDS - (options >> 2);
    const fields = (trafficClass << 20) | label;
    writeOuterHeader(words, outer, fields, len + options, templates, template, this.#rows, row);
  }

  /**
   * Sends the IPv4 packet at `at` (a multiple of four, ENCAPSULATION_ROOM before it) through the tunnel on account of
   * packet `k`; in fragments when it is larger than the payload MTU of that way. False, and nothing sent, and why not in
   * `refusal`, when that is switched off, when the far end could not put it together, or when the batch has no room left.
   */
  send(batch: Batch, k: number, at: number, softwire: number, row: number): boolean {
    const len = totalLength(batch.buf, at);
    const payloadMtu = this.#pathMtus.payloadMtu(softwire, row, batch.nowMs);
    this.refusal = DROP_TOO_BIG;
    if (len > payloadMtu && !this.#mayCut(len, softwire)) return false;
    const options = this.#writeOptions(batch, at, softwire);
    this.writeHeader(batch, at, len, options, softwire, row);
    if (options > 0) setNextHeader(batch.buf, at - options - IPV6_HEADER_LEN, NEXT_HEADER_DESTINATION);
    if (len > payloadMtu) return this.sendFragments(batch, k, at - options, len + options, payloadMtu + options);
    batch.send(k, at - options - IPV6_HEADER_LEN, len + options + IPV6_HEADER_LEN);
    return true;
  }

  /**
   * Whether `send` would send an IPv4 packet of `len` octets, for which the caller takes `octets` of scratch before.
   */
  maySend(batch: Batch, len: number, octets: number, softwire: number, row: number): boolean {
    const payloadMtu = this.#pathMtus.payloadMtu(softwire, row, batch.nowMs);
    if (len <= payloadMtu) return batch.hasRoom(1, octets);
    if (!this.#mayCut(len, softwire)) return false;
    const options = this.#softwires.headerLength(softwire) - IPV6_HEADER_LEN;
    const count = fragmentCount(len + options, payloadMtu + options);
    return batch.hasRoom(count, octets + count * FRAGMENT_HEAD_LEN);
  }

  /** Octets of the largest IPv4 packet that `send` sends; without a limit where it may fragment. */
  largest(batch: Batch, softwire: number, row: number): number {
    if (this.#softwires.has(softwire, FLAG_OUTER_FRAGMENTATION)) return Number.MAX_SAFE_INTEGER;
    return this.#pathMtus.payloadMtu(softwire, row, batch.nowMs);
  }

  /** Whether the fragments of a packet of `len` octets may be sent, and make a payload that its length field can tell. */
  #mayCut(len: number, softwire: number): boolean {
    const options = this.#softwires.headerLength(softwire) - IPV6_HEADER_LEN;
    return this.#softwires.has(softwire, FLAG_OUTER_FRAGMENTATION) && len + options <= MAX_PAYLOAD;
  }

  /** Writes what stands between the outer header and the packet at `at`; its octets. */
  #writeOptions(batch: Batch, at: number, softwire: number): number {
    if (!this.#softwires.has(softwire, FLAG_ENCAPSULATION_LIMIT)) return 0;
    const limit = this.#softwires.encapsulationLimit(softwire);
    writeEncapsulationLimit(batch.buf, at - ENCAPSULATION_LIMIT_LEN, NEXT_HEADER_IPV4, limit);
    return ENCAPSULATION_LIMIT_LEN;
  }

  /**
   * Fragments of RFC 8200 §4.5: the `len` octets behind the outer header, at `at`, in pieces of a multiple of eight octets
   * and with their header at most `most` octets; each with the outer header. False, and nothing sent, without room.
   */
  sendFragments(batch: Batch, k: number, at: number, len: number, most: number): boolean {
    const piece = pieceOf(most);
    const count = fragmentCount(len, most);
    const headLen = FRAGMENT_HEAD_LEN;
    if (!batch.hasRoom(count, count * headLen)) {
      this.refusal = DROP_WRITE_FAILED;
      return false;
    }
    const { buf } = batch;
    const outer = at - IPV6_HEADER_LEN;
    const identification = this.#identifications.next();
    const upper = nextHeader(buf, outer);
    for (let offset = 0; offset < len; offset += piece) {
      const size = Math.min(piece, len - offset);
      const head = batch.takeScratch(headLen);
      buf.copyWithin(head, outer, at);
      setU16(buf, head + 4, FRAGMENT_HEADER_LEN + size);
      setU16(buf, head + 6, (NEXT_HEADER_FRAGMENT << 8) | hopLimit(buf, outer));
      writeFragmentHeader(buf, head + IPV6_HEADER_LEN, upper, offset, offset + size < len, identification);
      batch.sendPieces(k, head, headLen, at + offset, size);
    }
    return true;
  }
}

/** Traffic class in pipe mode (RFC 2983 §3.1) and in ECN compatibility mode (RFC 6040 §4.3); otherwise the TOS octet. */
export function modedTrafficClass(tos: number, flags: number, templateWord: number): number {
  const dscp = (flags & FLAG_PIPE) !== 0 ? (swapWord(templateWord) >>> 20) & 0xfc : tos & 0xfc;
  return dscp | ((flags & FLAG_ECN_COMPATIBILITY) !== 0 ? 0 : tos & 3);
}

/**
 * Writes the outer header at word `outer`: traffic class and flow label as in its first word, length of the payload, what the
 * template at word `t` has, and the far end of `row`.
 */
export function writeOuterHeader(
  words: Int32Array,
  outer: number,
  fields: number,
  payload: number,
  templates: Int32Array,
  t: number,
  rows: Int32Array,
  row: number,
): void {
  const remote = row << ROW_SHIFT;
  words[outer] = swapWord((6 << 28) | fields);
  words[outer + 1] = (templates[t + 1] ?? 0) | (payload >>> 8) | ((payload & 255) << 8);
  words[outer + 2] = templates[t + 2] ?? 0;
  words[outer + 3] = templates[t + 3] ?? 0;
  words[outer + 4] = templates[t + 4] ?? 0;
  words[outer + 5] = templates[t + 5] ?? 0;
  words[outer + 6] = rows[remote] ?? 0;
  words[outer + 7] = rows[remote + 1] ?? 0;
  words[outer + 8] = rows[remote + 2] ?? 0;
  words[outer + 9] = rows[remote + 3] ?? 0;
}

/** Octets of data in a fragment that is, behind its outer header, at most `most` octets long. */
function pieceOf(most: number): number {
  return (most - FRAGMENT_HEADER_LEN) & ~7;
}

function fragmentCount(len: number, most: number): number {
  return Math.ceil(len / pieceOf(most));
}
