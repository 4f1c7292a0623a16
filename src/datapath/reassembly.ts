/**
 * Reassembly of fragmented tunnel packets (RFC 8200 §4.5). One worker of a role does it for all.
 *
 *   1. a fragment that cannot be is dropped alone
 *   2. it joins the datagram of its source, destination and identification, in the order of offsets; an exact duplicate
 *      waits with the rest, an overlap ends the datagram, and what of it comes later (RFC 5722 §4)
 *   3. when the last gap is closed, the packet is put together where the fragment lay, and goes on as if it had come so
 *   4. a datagram that is not whole in time is given up
 *
 * What is held is counted as held; a datagram that ends leaves a settlement that gives all its fragments one verdict.
 * Limits, and who has to make room for whom: datagram-sources.ts.
 */

import type { Batch } from './batch.ts';
import { NO_OWNER } from './batch.ts';
import { DatagramSources } from './datagram-sources.ts';
import {
  DATAGRAM_WORDS,
  DatagramTable,
  DOOMED,
  ECN_SEEN,
  FIRST_FRAGMENT,
  FRAGMENTS,
  GATHERED,
  HELD_OCTETS,
  HELD_PACKETS,
  INSTANCE,
  TOTAL,
} from './datagram-table.ts';
import type { Piece } from './fragment-rules.ts';
import { FragmentRules, MAX_PAYLOAD, PAYLOAD_LENGTH_FIELD } from './fragment-rules.ts';
import { chunksFor, FragmentStore } from './fragment-store.ts';
import type { GatewayIndex } from './gateway-index.ts';
import type { Icmpv6Errors } from './icmpv6-errors.ts';
import { REASSEMBLY_TIME_EXCEEDED } from './icmpv6-errors.ts';
import { KeyedHash } from './keyed-hash.ts';
import type { ReassemblyGauges } from './reassembly-gauges.ts';
import { EVICTIONS_PER_FRAGMENT, EXPIRIES_PER_BATCH } from './settlements.ts';
import type { Softwires } from './softwires.ts';
import { TimerWheel } from './timer-wheel.ts';
import {
  DROP_FRAGMENT_ECN,
  DROP_FRAGMENT_MALFORMED,
  DROP_FRAGMENT_OVERLAP,
  DROP_REASSEMBLY_LIMIT,
  DROP_REASSEMBLY_TIMEOUT,
  HELD,
} from './verdict.ts';
import * as ipv6 from './wire/ipv6.ts';
import type { Walk } from './wire/ipv6-extensions.ts';
import * as fragment from './wire/ipv6-fragment.ts';
import { setU8, setU16, u8 } from './wire/octets.ts';

/** No verdict: the packet is whole now. */
export const COMPLETE = -1;

/** As much of a packet as an ICMPv6 error quotes at most (RFC 4443 §2.4 c). */
const LARGEST_QUOTE = 1_280 - ipv6.IPV6_HEADER_LEN - 8;
/** Words of an address; a datagram begins with its source and its destination. */
const ADDRESS_WORDS = 4;
/** Octets of fragments that one datagram may have waiting: they are counted in a word. */
const MOST_HELD = 1 << 30;
/** Memory of waiting fragments. */
export const STORE_OCTETS = 64 * 1_024 * 1_024;
/** Buckets of the hash tables, a power of two. */
const BUCKETS = 1 << 16;

const NOT_ECT_BIT = 1;
const CE_BIT = 1 << 3;
const CE = 3;

export class Reassembly {
  /** Octets of the packet that was made whole last. */
  length = 0;
  /** Packets and octets that were held for it, beside the one in hand. */
  heldPackets = 0;
  heldOctets = 0;
  readonly #softwires: Softwires;
  readonly #gauges: ReassemblyGauges;
  readonly #errors: Icmpv6Errors;
  readonly #gateways: GatewayIndex | undefined;
  readonly #rules: FragmentRules;
  readonly #piece: Piece = {
    k: 0,
    at: 0,
    octets: 0,
    headerLen: 0,
    link: 0,
    offset: 0,
    len: 0,
    more: false,
    softwire: 0,
  };
  readonly #store: FragmentStore;
  readonly #sources: DatagramSources;
  readonly #timers: TimerWheel;
  readonly #datagrams: DatagramTable;
  /** Its memory. */
  readonly #words: Int32Array;

  /**
   * `key`: two random words. `octets`: memory for fragments. `gateways`: those of an AFTR; a gateway asks where fragments
   * come from before they come here.
   */
  constructor(
    softwires: Softwires,
    gauges: ReassemblyGauges,
    errors: Icmpv6Errors,
    gateways: GatewayIndex | undefined,
    key: Int32Array,
    octets = STORE_OCTETS,
  ) {
    this.#softwires = softwires;
    this.#gauges = gauges;
    this.#errors = errors;
    this.#rules = new FragmentRules(errors);
    this.#gateways = gateways;
    const hash = new KeyedHash(key);
    this.#store = new FragmentStore(octets);
    // A datagram has a chunk at least when it comes in; without one it is doomed, and may go for any other.
    const most = this.#store.chunks;
    this.#sources = new DatagramSources(most, BUCKETS, hash);
    this.#timers = new TimerWheel(most);
    this.#datagrams = new DatagramTable(most, BUCKETS, hash);
    this.#words = this.#datagrams.words;
  }

  /**
   * Takes packet `k`, whose IPv6 header is at `outer`, whose last octet is before `end`, and whose fragment header `walk`
   * has met. HELD; or a drop reason; or COMPLETE, and then the whole packet lies at `outer`, `length` octets long.
   */
  add(batch: Batch, k: number, outer: number, end: number, walk: Walk, softwire: number): number {
    const { buf } = batch;
    const piece = this.#piece;
    piece.k = k;
    piece.at = outer;
    piece.octets = end - outer;
    piece.headerLen = walk.at + fragment.FRAGMENT_HEADER_LEN - outer;
    piece.link = walk.field - outer;
    piece.offset = fragment.fragmentOffset(buf, walk.at);
    piece.len = piece.octets - piece.headerLen;
    piece.more = fragment.moreFragments(buf, walk.at);
    piece.softwire = softwire;
    if (!this.#rules.isPossible(batch, piece)) return DROP_FRAGMENT_MALFORMED;
    return this.#gather(batch, piece, fragment.identification(buf, walk.at) | 0);
  }

  /** Gives up the datagrams whose time is over, a bounded number at a time. */
  expire(batch: Batch): void {
    for (let i = 0; i < EXPIRIES_PER_BATCH; i++) {
      const datagram = this.#timers.due(batch.nowMs);
      if (datagram === 0) return;
      this.#reportTimeout(batch, datagram);
      this.#settle(batch, datagram, DROP_REASSEMBLY_TIMEOUT);
      this.#release(datagram);
    }
  }

  /** Whether a datagram's time is over. */
  isDue(nowMs: number): boolean {
    return this.#timers.due(nowMs) !== 0;
  }

  #gather(batch: Batch, piece: Piece, identification: number): number {
    const words = this.#words;
    const datagram = this.#datagrams.find(batch.words, (piece.at + ipv6.IPV6_SOURCE) >> 2, identification);
    if (datagram === 0) return this.#begin(batch, piece, identification);
    if (words[datagram * DATAGRAM_WORDS + INSTANCE] !== this.#softwires.instance(piece.softwire)) {
      // The tunnel address is another instance's now, and what is held is counted where it came in.
      this.#evict(batch, datagram);
      return this.#begin(batch, piece, identification);
    }
    const doom = words[datagram * DATAGRAM_WORDS + DOOMED] ?? 0;
    if (doom !== 0) return doom;
    const before = this.#before(datagram, piece.offset);
    if (this.#isDuplicate(batch, datagram, before, piece)) return this.#hold(batch, datagram, piece);
    if (!this.#fits(datagram, before, piece)) return this.#doom(batch, datagram, DROP_FRAGMENT_OVERLAP);
    if ((words[datagram * DATAGRAM_WORDS + FRAGMENTS] ?? 0) >= this.#softwires.maximumFragments(piece.softwire)) {
      return this.#doom(batch, datagram, DROP_REASSEMBLY_LIMIT);
    }
    return this.#keep(batch, datagram, before, piece);
  }

  // Datagrams ---------------------------------------------------------------------------------------------------------

  /** The first fragment to arrive of a datagram. */
  #begin(batch: Batch, piece: Piece, identification: number): number {
    const instance = this.#softwires.instance(piece.softwire);
    const addresses = (piece.at + ipv6.IPV6_SOURCE) >> 2;
    const isKnown = this.#isKnown(instance, batch.words, addresses);
    if (!this.#makeRoom(batch, piece, instance, isKnown)) return DROP_REASSEMBLY_LIMIT;
    const datagram = this.#datagrams.enter(batch.words, addresses, identification);
    const at = datagram * DATAGRAM_WORDS;
    this.#words[at + INSTANCE] = instance;
    this.#words[at + TOTAL] = -1;
    this.#sources.add(datagram, instance, batch.words, addresses, isKnown);
    this.#timers.start(datagram, batch.nowMs, this.#softwires.reassemblyMs(piece.softwire));
    this.#gauges.addDatagrams(instance, 1);
    return this.#keep(batch, datagram, 0, piece);
  }

  /** Whether a row of the instance leads to the source whose address is the four words at `w`. */
  #isKnown(instance: number, words: Int32Array, w: number): boolean {
    return this.#gateways?.find(instance, words, w) !== 0;
  }

  /** Limits of source, instance and memory for a new datagram; those that go are settled. */
  #makeRoom(batch: Batch, piece: Piece, instance: number, isKnown: boolean): boolean {
    const w = (piece.at + ipv6.IPV6_SOURCE) >> 2;
    for (let evicted = 0; ; evicted++) {
      const source = this.#sources.find(instance, batch.words, w);
      const isSourceFull =
        source !== 0 && this.#sources.datagrams(source) >= this.#softwires.maximumDatagramsPerSource(piece.softwire);
      const isFull = this.#gauges.datagrams(instance) >= this.#softwires.maximumDatagrams(piece.softwire);
      const isStoreFull = this.#store.available < chunksFor(piece.octets) || !this.#datagrams.hasRoom();
      if (!isSourceFull && !isFull && !isStoreFull) return true;
      if (evicted === EVICTIONS_PER_FRAGMENT) return false;
      const victim = isSourceFull
        ? this.#sources.oldest(source)
        : this.#sources.victim(isFull ? instance : -1, source, isKnown, 0);
      if (victim === 0) return false;
      this.#evict(batch, victim);
    }
  }

  #evict(batch: Batch, datagram: number): void {
    this.#settle(batch, datagram, DROP_REASSEMBLY_LIMIT);
    this.#release(datagram);
  }

  /** Ends a datagram and all that will come of it until its time is over; the verdict, which is the packet's in hand too. */
  #doom(batch: Batch, datagram: number, verdict: number): number {
    this.#settle(batch, datagram, verdict);
    this.#dropFragments(datagram);
    this.#words[datagram * DATAGRAM_WORDS + DOOMED] = verdict;
    return verdict;
  }

  #release(datagram: number): void {
    const at = datagram * DATAGRAM_WORDS;
    this.#dropFragments(datagram);
    this.#timers.stop(datagram);
    this.#sources.remove(datagram);
    this.#gauges.addDatagrams(this.#words[at + INSTANCE] ?? 0, -1);
    this.#datagrams.leave(datagram);
  }

  /** The held packets of a datagram get their verdict. */
  #settle(batch: Batch, datagram: number, verdict: number): void {
    const at = datagram * DATAGRAM_WORDS;
    const words = this.#words;
    batch.settlements.end(
      verdict,
      words[at + INSTANCE] ?? 0,
      words[at + HELD_PACKETS] ?? 0,
      words[at + HELD_OCTETS] ?? 0,
    );
    words[at + HELD_PACKETS] = 0;
    words[at + HELD_OCTETS] = 0;
  }

  // Fragments of a datagram -------------------------------------------------------------------------------------------

  /** The last fragment that begins at `offset` or before; 0 when there is none. */
  #before(datagram: number, offset: number): number {
    let before = 0;
    let next = this.#words[datagram * DATAGRAM_WORDS + FIRST_FRAGMENT] ?? 0;
    while (next !== 0 && this.#store.offset(next) <= offset) {
      before = next;
      next = this.#store.next(next);
    }
    return before;
  }

  /** RFC 8200 §4.5 lets an exact duplicate pass; "exact" is what makes it harmless. */
  #isDuplicate(batch: Batch, datagram: number, before: number, { at, headerLen, offset, len, more }: Piece): boolean {
    if (before === 0 || this.#store.offset(before) !== offset || this.#store.dataLen(before) !== len) return false;
    const isLast = offset + len === this.#words[datagram * DATAGRAM_WORDS + TOTAL];
    return more !== isLast && this.#store.hasData(before, batch.words, (at + headerLen) >> 2, len);
  }

  /** Whether a fragment overlaps nothing and agrees about the end. */
  #fits(datagram: number, before: number, { offset, len, more }: Piece): boolean {
    const end = offset + len;
    if (before !== 0 && this.#store.offset(before) + this.#store.dataLen(before) > offset) return false;
    const next =
      before === 0 ? (this.#words[datagram * DATAGRAM_WORDS + FIRST_FRAGMENT] ?? 0) : this.#store.next(before);
    if (next !== 0 && (end > this.#store.offset(next) || !more)) return false;
    const total = this.#words[datagram * DATAGRAM_WORDS + TOTAL] ?? -1;
    return total < 0 || (more && end <= total);
  }

  /** Puts a fragment behind `before`, and the datagram together when it was the last. */
  #keep(batch: Batch, datagram: number, before: number, piece: Piece): number {
    const { at, octets, headerLen, offset, len, link, more } = piece;
    const words = this.#words;
    const record = datagram * DATAGRAM_WORDS;
    if (!this.#makeChunks(batch, datagram, octets)) return this.#doom(batch, datagram, DROP_REASSEMBLY_LIMIT);
    const kept = this.#store.put(batch.words, at >> 2, octets, headerLen, offset, link);
    const next = before === 0 ? (words[record + FIRST_FRAGMENT] ?? 0) : this.#store.next(before);
    this.#store.setNext(kept, next);
    if (before === 0) words[record + FIRST_FRAGMENT] = kept;
    else this.#store.setNext(before, kept);
    this.#sources.grow(datagram, chunksFor(octets));
    this.#gauges.chunks = this.#store.used;
    words[record + FRAGMENTS] = (words[record + FRAGMENTS] ?? 0) + 1;
    words[record + GATHERED] = (words[record + GATHERED] ?? 0) + len;
    words[record + ECN_SEEN] = (words[record + ECN_SEEN] ?? 0) | (1 << (ipv6.trafficClass(batch.buf, at) & 3));
    if (!more) words[record + TOTAL] = offset + len;
    return words[record + GATHERED] === words[record + TOTAL]
      ? this.#complete(batch, datagram, piece)
      : this.#hold(batch, datagram, piece);
  }

  /** Memory for one more fragment of a datagram. */
  #makeChunks(batch: Batch, datagram: number, octets: number): boolean {
    const at = datagram * DATAGRAM_WORDS;
    const instance = this.#words[at + INSTANCE] ?? 0;
    for (let evicted = 0; this.#store.available < chunksFor(octets); evicted++) {
      const source = this.#sources.find(instance, this.#words, at);
      const isKnown = this.#isKnown(instance, this.#words, at);
      const victim = evicted === EVICTIONS_PER_FRAGMENT ? 0 : this.#sources.victim(-1, source, isKnown, datagram);
      if (victim === 0) return false;
      this.#evict(batch, victim);
    }
    return true;
  }

  /** Held as it was received, with what stood behind it. */
  #hold(batch: Batch, datagram: number, { k }: Piece): number {
    const at = datagram * DATAGRAM_WORDS;
    const octets = (this.#words[at + HELD_OCTETS] ?? 0) + (batch.lengths[k] ?? 0);
    // Only duplicates come to so much.
    if (octets > MOST_HELD) return this.#doom(batch, datagram, DROP_REASSEMBLY_LIMIT);
    this.#words[at + HELD_PACKETS] = (this.#words[at + HELD_PACKETS] ?? 0) + 1;
    this.#words[at + HELD_OCTETS] = octets;
    return HELD;
  }

  #dropFragments(datagram: number): void {
    const at = datagram * DATAGRAM_WORDS;
    let chunks = 0;
    for (let kept = this.#words[at + FIRST_FRAGMENT] ?? 0; kept !== 0; ) {
      const next = this.#store.next(kept);
      chunks += this.#store.remove(kept);
      kept = next;
    }
    this.#words[at + FIRST_FRAGMENT] = 0;
    this.#sources.grow(datagram, -chunks);
    this.#gauges.chunks = this.#store.used;
  }

  /** All fragments are there: their packet is put together in place of the one in hand. */
  #complete(batch: Batch, datagram: number, piece: Piece): number {
    const at = datagram * DATAGRAM_WORDS;
    const words = this.#words;
    const first = words[at + FIRST_FRAGMENT] ?? 0;
    const total = words[at + TOTAL] ?? 0;
    const unfragmentable = this.#store.headerLen(first) - fragment.FRAGMENT_HEADER_LEN;
    let verdict = COMPLETE;
    if (!isEcnConsistent(words[at + ECN_SEEN] ?? 0)) verdict = DROP_FRAGMENT_ECN;
    else if (unfragmentable - ipv6.IPV6_HEADER_LEN + total > MAX_PAYLOAD) verdict = DROP_FRAGMENT_MALFORMED;
    else if (unfragmentable + total > batch.slotOctets) verdict = DROP_REASSEMBLY_LIMIT;
    if (verdict === COMPLETE) {
      this.#assemble(batch, piece.at, first, unfragmentable, total, words[at + ECN_SEEN] ?? 0);
      this.heldPackets = words[at + HELD_PACKETS] ?? 0;
      this.heldOctets = words[at + HELD_OCTETS] ?? 0;
      batch.settlements.share(piece.k, words[at + INSTANCE] ?? 0, this.heldPackets, this.heldOctets);
    } else this.#settle(batch, datagram, verdict);
    this.#release(datagram);
    return verdict;
  }

  #assemble(batch: Batch, at: number, first: number, unfragmentable: number, total: number, ecnSeen: number): void {
    const { buf } = batch;
    this.#store.copy(first, 0, unfragmentable + fragment.FRAGMENT_HEADER_LEN, batch.words, at >> 2);
    const nextHeader = fragment.fragmentNextHeader(buf, at + unfragmentable);
    for (let kept = first; kept !== 0; kept = this.#store.next(kept)) {
      const target = at + unfragmentable + this.#store.offset(kept);
      this.#store.copy(kept, this.#store.headerLen(kept), this.#store.dataLen(kept), batch.words, target >> 2);
    }
    setU8(buf, at + this.#store.link(first), nextHeader);
    setU16(buf, at + PAYLOAD_LENGTH_FIELD, unfragmentable - ipv6.IPV6_HEADER_LEN + total);
    // RFC 3168 §5.3: a mark on any fragment is a mark on the packet.
    if ((ecnSeen & CE_BIT) !== 0) setU8(buf, at + 1, u8(buf, at + 1) | (CE << 4));
    this.length = unfragmentable + total;
  }

  // ICMPv6 ------------------------------------------------------------------------------------------------------------

  /** RFC 8200 §4.5: the source is told when the first fragment has come, of a datagram that is not silently ended. */
  #reportTimeout(batch: Batch, datagram: number): void {
    const first = this.#words[datagram * DATAGRAM_WORDS + FIRST_FRAGMENT] ?? 0;
    if (first === 0 || this.#store.offset(first) !== 0) return;
    // The tunnel address may have gone since, and the number of its softwire to another one.
    const addresses = datagram * DATAGRAM_WORDS;
    const softwire = this.#softwires.byLocal(this.#words, addresses + ADDRESS_WORDS);
    if (softwire === 0) return;
    if (!batch.hasRoom(1, 2 * LARGEST_QUOTE + 64)) {
      this.#errors.suppress(this.#words, addresses, softwire);
      return;
    }
    const octets = Math.min(this.#store.packetLen(first), LARGEST_QUOTE);
    const at = batch.takeScratch(octets);
    this.#store.copy(first, 0, octets, batch.words, at >> 2);
    this.#errors.send(batch, NO_OWNER, REASSEMBLY_TIME_EXCEEDED, 0, softwire, at, octets);
  }
}

/** RFC 3168 §5.3: a mark must not reach a transport that did not ask for it; mixtures come from nobody in earnest. */
function isEcnConsistent(seen: number): boolean {
  return (seen & NOT_ECT_BIT) === 0 || seen === NOT_ECT_BIT;
}
