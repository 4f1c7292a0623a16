/**
 * The fast path: plain good packets that follow one another in a batch, from the same side. Each method goes on until a
 * packet is something else, which it leaves as it was, and returns its number.
 *
 * The loops keep the arrays in locals and call only what is small enough to be put in their place: then the compiler looks
 * at an array once a run, not at each access, which is more than half of what a packet costs.
 */

import * as batches from './batch.ts';
import * as congestion from './ecn.ts';
import * as headers from './encapsulation.ts';
import type { EngineMemory } from './engine.ts';
import * as labels from './flow-label.ts';
import * as layout from './layout.ts';
import * as memory from './memory.ts';
import * as owned from './own-addresses.ts';
import type { PathMtus } from './path-mtus.ts';
import * as plain from './plain.ts';
import type { Softwires } from './softwires.ts';
import type { TableReader } from './table.ts';
import * as verdicts from './verdict.ts';
import * as ipv4 from './wire/ipv4.ts';

// What is imported is looked at again at each access, in compiled code too; a constant of this file is compiled in.
const { OUTPUT_SHIFT } = batches;
const { decapsulatedEcn, ECN_DROP } = congestion;
const { modedTrafficClass, writeOuterHeader } = headers;
const { flowLabelOf } = labels;
const { sameFourWords } = memory;
const { ANY_OWN, NO_HOSTS, touchesOwn } = owned;
const { isPlainIpv4, isPlainOuter, OUTER_LEN, OUTER_WORDS, setTosWord } = plain;
const { FORWARDED } = verdicts;
const { PROTOCOL_ICMP, PROTOCOL_TCP } = ipv4;
const { EGRESS_MTU_MASK, ROW_SHIFT, SOFTWIRE_SHIFT } = layout;
const { SOFTWIRE_FLAGS, SOFTWIRE_INSTANCE, SOFTWIRE_LOCAL, SOFTWIRE_PAYLOAD_MTU, SOFTWIRE_SIZES } = layout;
const { FLAG_DENY_ICMPV4, FLAG_ECN_COMPATIBILITY, FLAG_ENCAPSULATION_LIMIT, FLAG_FLOW_LABEL } = layout;
const { FLAG_MSS_CLAMP, FLAG_PIPE } = layout;

const IPV4_LEN = 20;
/** Word of the TCP flags, behind an IPv4 header without options, and the flag in their octet. */
const TCP_FLAGS_WORD = 8;
const SYN = 2;
const MODES = FLAG_PIPE | FLAG_ECN_COMPATIBILITY;

/** What the fast path reads. */
export interface FastPathParts {
  readonly table: TableReader;
  readonly softwires: Softwires;
  readonly own: owned.OwnAddresses;
  readonly pathMtus: PathMtus;
  /** Softwire of the row of each packet. */
  readonly softwireOf: Int32Array;
}

export class FastPath {
  readonly #isGateway: boolean;
  readonly #flowKey: number;
  readonly #rows: Int32Array;
  readonly #templates: Int32Array;
  readonly #own: Int32Array;
  readonly #softwireOf: Int32Array;
  readonly #softwires: Softwires;
  readonly #pathMtus: PathMtus;
  /** Of each packet, 1 when nothing in it asks for the slow path. */
  readonly #isPlain: Uint8Array;
  /** Whether some softwire does more to a good packet than is done here. */
  #isSpecial = false;
  /** Whether an instance does not let ICMPv4 in. */
  #deniesIcmp = false;
  /** One of the two. */
  #asksMore = false;

  /** For batches of up to `capacity` packets. */
  constructor(
    { role, seed }: EngineMemory,
    capacity: number,
    { table, softwires, own, pathMtus, softwireOf }: FastPathParts,
  ) {
    this.#isGateway = role === 'gateway';
    this.#flowKey = seed | 0;
    this.#rows = table.rows;
    this.#templates = softwires.words;
    this.#own = own.words;
    this.#softwireOf = softwireOf;
    this.#softwires = softwires;
    this.#pathMtus = pathMtus;
    this.#isPlain = new Uint8Array(capacity);
  }

  /** Looks, once a batch, whether any softwire asks for more, and which packets are plain, whatever the table says of them. */
  begin(batch: batches.Batch): void {
    this.#isSpecial = this.#softwires.anyHas(FLAG_ENCAPSULATION_LIMIT | FLAG_MSS_CLAMP);
    this.#deniesIcmp = this.#softwires.anyHas(FLAG_DENY_ICMPV4);
    this.#asksMore = this.#isSpecial || this.#deniesIcmp;
    const { words, at, lengths, sides, count } = batch;
    const own = this.#own;
    const isPlain = this.#isPlain;
    for (let k = 0; k < count; k++) {
      const w = (at[k] ?? 0) >> 2;
      const len = lengths[k] ?? 0;
      const isOuter = sides[k] !== 4;
      const inner = isOuter ? w + OUTER_WORDS : w;
      const hops = (words[inner + 2] ?? 0) & 0xff;
      // From IPv4 the kernel takes a hop before; into it, after.
      const isGood =
        (!isOuter || isPlainOuter(words, w, len)) &&
        isPlainIpv4(words, inner, isOuter ? len - OUTER_LEN : len) &&
        hops > (isOuter ? 1 : 0) &&
        !touchesOwn(own, words, inner, isOuter ? ANY_OWN : NO_HOSTS);
      isPlain[k] = isGood ? 1 : 0;
    }
  }

  /** Packets from IPv4, from number `from` on; the first that is not plain, or from the other side, or beyond the last. */
  encapsulate(batch: batches.Batch, from: number): number {
    const { words, at, lengths, sides, rows, otherRows, verdicts, instances, output, owners, count } = batch;
    const templates = this.#templates;
    const tableRows = this.#rows;
    const isPlain = this.#isPlain;
    const softwireOf = this.#softwireOf;
    const flowKey = this.#flowKey | 0;
    const asksMore = this.#asksMore === true;
    let slot = batch.outputs | 0;
    let k = from | 0;
    for (; k < count && sides[k] === 4; k++) {
      const row = rows[k] ?? 0;
      if (row === 0 || otherRows[k] !== 0 || isPlain[k] !== 1) break;
      const len = lengths[k] ?? 0;
      const place = at[k] ?? 0;
      const w = place >> 2;
      const s = (softwireOf[k] ?? 0) << SOFTWIRE_SHIFT;
      const isSeldom = asksMore || len > (templates[s + SOFTWIRE_PAYLOAD_MTU] ?? 0);
      if (isSeldom && !this.#mayPass(batch, w, len, s, row)) break;
      const flags = templates[s + SOFTWIRE_FLAGS] ?? 0;
      let trafficClass = ((words[w] ?? 0) >>> 8) & 0xff;
      if ((flags & MODES) !== 0) trafficClass = modedTrafficClass(trafficClass, flags, templates[s] ?? 0);
      const label = (flags & FLAG_FLOW_LABEL) !== 0 ? flowLabelOf(words, w, IPV4_LEN, len, flowKey) : 0;
      writeOuterHeader(words, w - OUTER_WORDS, (trafficClass << 20) | label, len, templates, s, tableRows, row);
      const word = slot << OUTPUT_SHIFT;
      output[word] = place - OUTER_LEN;
      output[word + 1] = len + OUTER_LEN;
      output[word + 2] = 0;
      output[word + 3] = 0;
      owners[slot] = k;
      slot++;
      verdicts[k] = FORWARDED;
      instances[k] = templates[s + SOFTWIRE_INSTANCE] ?? 0;
    }
    batch.outputs = slot;
    return k;
  }

  /** Packets from IPv6, as `encapsulate`. */
  decapsulate(batch: batches.Batch, from: number): number {
    const { words, at, lengths, sides, rows, otherRows, verdicts, instances, output, owners, count } = batch;
    const templates = this.#templates;
    const tableRows = this.#rows;
    const isPlain = this.#isPlain;
    const softwireOf = this.#softwireOf;
    const asksMore = this.#asksMore === true;
    let slot = batch.outputs | 0;
    let k = from | 0;
    for (; k < count && sides[k] !== 4; k++) {
      const row = rows[k] ?? 0;
      if (row === 0 || otherRows[k] !== 0 || isPlain[k] !== 1) break;
      const len = (lengths[k] ?? 0) - OUTER_LEN;
      const place = at[k] ?? 0;
      const w = place >> 2;
      const inner = w + OUTER_WORDS;
      const s = (softwireOf[k] ?? 0) << SOFTWIRE_SHIFT;
      if (!sameFourWords(words, w + 2, tableRows, row << ROW_SHIFT)) break;
      if (!sameFourWords(words, w + 6, templates, s + SOFTWIRE_LOCAL)) break;
      if (len > ((templates[s + SOFTWIRE_SIZES] ?? 0) & EGRESS_MTU_MASK)) break;
      if (asksMore && !this.#mayLeave(words, inner, s)) break;
      const word0 = words[w] ?? 0;
      const tos = ((words[inner] ?? 0) >>> 8) & 0xff;
      const trafficClass = ((word0 & 0xf) << 4) | ((word0 >>> 12) & 0xf);
      const ecn = decapsulatedEcn(tos, trafficClass);
      if (ecn >= ECN_DROP) break;
      const dscp = ((templates[s + SOFTWIRE_FLAGS] ?? 0) & FLAG_PIPE) !== 0 ? tos : trafficClass;
      const leaving = (dscp & 0xfc) | ecn;
      if (leaving !== tos) setTosWord(words, inner, leaving);
      const word = slot << OUTPUT_SHIFT;
      output[word] = place + OUTER_LEN;
      output[word + 1] = len;
      output[word + 2] = 0;
      output[word + 3] = 0;
      owners[slot] = k;
      slot++;
      verdicts[k] = FORWARDED;
      instances[k] = templates[s + SOFTWIRE_INSTANCE] ?? 0;
    }
    batch.outputs = slot;
    return k;
  }

  /**
   * What is above what every far end takes may still fit this one; ICMP may be denied; some packets need more than is done
   * here. Asked of few packets or none, so it has no place in the loop.
   */
  #mayPass(batch: batches.Batch, w: number, len: number, s: number, row: number): boolean {
    if (len > this.#pathMtus.payloadMtu(s >> SOFTWIRE_SHIFT, row, batch.nowMs)) return false;
    if (this.#isSpecial && this.#needsMore(batch.words, w, s, FLAG_ENCAPSULATION_LIMIT)) return false;
    return !this.#deniesIcmp || this.#isGateway || !isIcmp(batch.words, w);
  }

  #mayLeave(words: Int32Array, inner: number, s: number): boolean {
    if (this.#isSpecial && this.#needsMore(words, inner, s, 0)) return false;
    return !this.#deniesIcmp || !this.#isGateway || !isIcmp(words, inner);
  }

  /** Whether softwire `s` has one of `flags`, or clamps and the packet of at least an IPv4 header at word `w` is TCP. */
  #needsMore(words: Int32Array, w: number, s: number, flags: number): boolean {
    const own = this.#templates[s + SOFTWIRE_FLAGS] ?? 0;
    if ((own & flags) !== 0) return true;
    return (own & FLAG_MSS_CLAMP) !== 0 && isTcpSyn(words, w);
  }
}

/** Whether the IPv4 packet at word `w` is ICMP. */
function isIcmp(words: Int32Array, w: number): boolean {
  return (((words[w + 2] ?? 0) >>> 8) & 0xff) === PROTOCOL_ICMP;
}

/** Whether the IPv4 packet without options at word `w` may be a TCP SYN; of a later fragment it does not matter. */
function isTcpSyn(words: Int32Array, w: number): boolean {
  return (
    (((words[w + 2] ?? 0) >>> 8) & 0xff) === PROTOCOL_TCP && (((words[w + TCP_FLAGS_WORD] ?? 0) >>> 8) & SYN) !== 0
  );
}
