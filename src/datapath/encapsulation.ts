/**
 * Putting the outer header before an IPv4 packet, and cutting the result in pieces when it is larger than the path
 * takes: the outer packet is fragmented, never the inner one (RFC 2473 §7.2 b, RFC 6333 §5.3).
 */

import type { Batch } from './batch.ts';
import { flowLabelOf } from './flow-label.ts';
import {
  FLAG_ECN_COMPATIBILITY,
  FLAG_FLOW_LABEL,
  FLAG_PIPE,
  ROW_SHIFT,
  SOFTWIRE_FLAGS,
  SOFTWIRE_SHIFT,
} from './layout.ts';
import { swapWord } from './memory.ts';
import type { PathMtus } from './path-mtus.ts';
import type { Softwires } from './softwires.ts';
import { totalLength } from './wire/ipv4.ts';
import { hopLimit, IPV6_HEADER_LEN, NEXT_HEADER_FRAGMENT, NEXT_HEADER_IPV4 } from './wire/ipv6.ts';
import { setU8, setU16, setU32 } from './wire/octets.ts';

const HEADER_WORDS = IPV6_HEADER_LEN / 4;
const REMOTE_WORD = 6;
const FRAGMENT_HEADER_LEN = 8;

export class Encapsulation {
  readonly #softwires: Softwires;
  readonly #rows: Int32Array;
  readonly #pathMtus: PathMtus;
  readonly #flowKey: number;
  readonly #fragmentKey: number;
  #fragments: number;

  /**
   * `seed` is random and the same in all workers (a flow keeps its label whatever queue it came by); `worker` keeps the
   * identifications of workers apart.
   */
  constructor(softwires: Softwires, rows: Int32Array, pathMtus: PathMtus, seed: number, worker: number) {
    this.#softwires = softwires;
    this.#rows = rows;
    this.#pathMtus = pathMtus;
    this.#flowKey = seed | 0;
    this.#fragmentKey = ~seed;
    this.#fragments = worker << 27;
  }

  /** Writes the outer header before the IPv4 packet of `len` octets at `at`, to the other end that `row` names. */
  writeHeader(batch: Batch, at: number, len: number, softwire: number, row: number): void {
    const words = batch.words;
    const templates = this.#softwires.words;
    const template = softwire << SOFTWIRE_SHIFT;
    const flags = templates[template + SOFTWIRE_FLAGS] ?? 0;
    const inner = at >> 2;
    const outer = inner - HEADER_WORDS;
    const word0 = words[inner] ?? 0;
    let trafficClass = (word0 >>> 8) & 255;
    if ((flags & (FLAG_PIPE | FLAG_ECN_COMPATIBILITY)) !== 0) {
      trafficClass = this.#modedTrafficClass(trafficClass, flags, templates[template] ?? 0);
    }
    const label =
      (flags & FLAG_FLOW_LABEL) !== 0 ? flowLabelOf(words, inner, (word0 & 15) << 2, len, this.#flowKey) : 0;
    words[outer] = swapWord((6 << 28) | (trafficClass << 20) | label);
    words[outer + 1] = (templates[template + 1] ?? 0) | (len >>> 8) | ((len & 255) << 8);
    for (let i = 2; i < REMOTE_WORD; i++) words[outer + i] = templates[template + i] ?? 0;
    const remote = row << ROW_SHIFT;
    for (let i = 0; i < 4; i++) words[outer + REMOTE_WORD + i] = this.#rows[remote + i] ?? 0;
  }

  /** Traffic class in pipe mode (RFC 2983 §3.1) and in ECN compatibility mode (RFC 6040 §4.3). */
  #modedTrafficClass(tos: number, flags: number, templateWord: number): number {
    const dscp = (flags & FLAG_PIPE) !== 0 ? (swapWord(templateWord) >>> 20) & 0xfc : tos & 0xfc;
    return dscp | ((flags & FLAG_ECN_COMPATIBILITY) !== 0 ? 0 : tos & 3);
  }

  /**
   * Sends the IPv4 packet at `at` (a multiple of four, outer header's room before it) through the tunnel on account of
   * packet `k`; in fragments when it is larger than the payload MTU of that way. False, and nothing sent, when the batch has no
   * room for them.
   */
  send(batch: Batch, k: number, at: number, softwire: number, row: number): boolean {
    const len = totalLength(batch.buf, at);
    const payloadMtu = this.#pathMtus.payloadMtu(softwire, row, batch.nowMs);
    this.writeHeader(batch, at, len, softwire, row);
    if (len > payloadMtu) return this.#sendFragments(batch, k, at, len, payloadMtu);
    batch.send(k, at - IPV6_HEADER_LEN, len + IPV6_HEADER_LEN);
    return true;
  }

  /**
   * Fragments of RFC 8200 §4.5: pieces of a multiple of eight octets, each with the outer header and
   *
   *     |  Next Header  |   Reserved    |      Fragment Offset    |Res|M|
   *     |                         Identification                        |
   */
  #sendFragments(batch: Batch, k: number, at: number, len: number, payloadMtu: number): boolean {
    const piece = (payloadMtu - FRAGMENT_HEADER_LEN) & ~7;
    const count = Math.ceil(len / piece);
    const headLen = IPV6_HEADER_LEN + FRAGMENT_HEADER_LEN;
    if (!batch.hasRoom(count, count * headLen)) return false;
    const { buf } = batch;
    const outer = at - IPV6_HEADER_LEN;
    const identification = this.#nextIdentification();
    for (let offset = 0; offset < len; offset += piece) {
      const size = Math.min(piece, len - offset);
      const head = batch.takeScratch(headLen);
      buf.copyWithin(head, outer, at);
      setU16(buf, head + 4, FRAGMENT_HEADER_LEN + size);
      setU16(buf, head + 6, (NEXT_HEADER_FRAGMENT << 8) | hopLimit(buf, outer));
      const fragment = head + IPV6_HEADER_LEN;
      setU8(buf, fragment, NEXT_HEADER_IPV4);
      setU8(buf, fragment + 1, 0);
      setU16(buf, fragment + 2, offset | (offset + size < len ? 1 : 0));
      setU32(buf, fragment + 4, identification);
      batch.sendPieces(k, head, headLen, at + offset, size);
    }
    return true;
  }

  /**
   * No identification comes twice in 2^27 packets of a worker, and none tells the next (RFC 7739 §5): a counter behind
   * four rounds of a keyed Feistel permutation.
   */
  #nextIdentification(): number {
    const counter = this.#fragments++;
    let left = (counter >>> 16) & 0xffff;
    let right = counter & 0xffff;
    for (let round = 0; round < 4; round++) {
      const mixed = Math.imul(right + Math.imul(this.#fragmentKey, round + 1), 0x9e3779b1);
      const swapped = left ^ (mixed >>> 16);
      left = right;
      right = swapped;
    }
    return ((left << 16) | right) >>> 0;
  }
}
