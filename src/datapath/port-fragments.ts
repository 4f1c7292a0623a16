/**
 * Fragments of packets of shared addresses: the first fragment has the ports, the others follow it (RFC 7597 §8.3.2).
 *
 *   1. a first fragment leaves its ports under the key of its packet
 *   2. a later one finds them there, or waits: a copy is kept
 *   3. at the end of a batch, copies whose first fragment has come are decided as if they had come now; those that waited
 *      too long are dropped
 *
 * Both stores are of fixed size, and the oldest make room, so no sender can fill them for good. Ports are kept in a ring for
 * the first few packets of each source in a quarter of a second; what comes beyond that in sixteen others, by source; and in one
 * more for those who may not send what they sent. So what is kept in the first ring stays for as long as its places last at that
 * rate, whatever comes: 64 a second of each source, also of those that somebody forges. Of the copies that wait the packets of
 * one source have a share at most, and who has most of them makes room. A packet of the tunnel is found under its outer source
 * too: no subscriber can end what another has begun.
 */

import type { Batch } from './batch.ts';
import { SIDE_IPV4, SIDE_IPV6 } from './counters.ts';
import type { Ports } from './ports.ts';
import { DROP_FRAGMENT_UNPLACED, HELD } from './verdict.ts';
import * as ipv4 from './wire/ipv4.ts';
import { IPV6_HEADER_LEN, IPV6_SOURCE, NEXT_HEADER_IPV4 } from './wire/ipv6.ts';
import { setU8, setU16, u32 } from './wire/octets.ts';

/** Packets whose ports are known at a time: so many in each ring. */
const RING = 256;
const RINGS = 16;
const RING_OF_REFUSED = RINGS;
/** The ring of the first packets of each source, its places, and how many of a source come in there in a period. */
const RING_OF_FIRST = RINGS + 1;
const FIRST_PLACES = 4_096;
const FIRST_OF_SOURCE = 16;
const FIRST_PERIOD_MS = 250;
const SOURCE_SLOT_BITS = 12;
const KNOWN = (RINGS + 1) * RING + FIRST_PLACES;
const BUCKETS = 8_192;
/** The ports of a packet are known so long: as long as RFC 791 §3.2 lets a reassembly take. */
const KNOWN_MS = 15_000;
/** Fragments that wait at a time, and so many of one source at most. */
const PLACES = 256;
const SHARE = 64;
/** A fragment waits so long for the first one. */
const WAIT_MS = 2_000;
/** Longest IPv4 fragment that waits: a jumbo frame. */
const LONGEST = 9_216;
const PLACE_OCTETS = IPV6_HEADER_LEN + LONGEST;
/** Source, destination, identification and protocol and side, outer source. */
const KEY_WORDS = 7;
const NONE = -1;

export class PortFragments {
  readonly #seed: number;
  /** The key of the packet in hand. */
  readonly #key = new Int32Array(KEY_WORDS);
  #hash = 0;

  readonly #keys = new Int32Array(KNOWN * KEY_WORDS);
  readonly #ports = new Int32Array(KNOWN);
  readonly #knownAt = new Float64Array(KNOWN).fill(Number.NEGATIVE_INFINITY);
  readonly #buckets = new Int32Array(BUCKETS).fill(NONE);
  readonly #next = new Int32Array(KNOWN).fill(NONE);
  readonly #bucketOf = new Int32Array(KNOWN).fill(NONE);
  /** Of each ring: the place that is given away next. */
  readonly #nextKnown = new Int32Array(RINGS + 2);
  /** Of each slot of sources: when its period began, and how many packets of it came since. */
  readonly #periods = new Float64Array(1 << SOURCE_SLOT_BITS).fill(Number.NEGATIVE_INFINITY);
  readonly #inPeriod = new Int32Array(1 << SOURCE_SLOT_BITS);
  /** Whether a first fragment came since copies were looked at. */
  #hasNews = false;

  readonly #octets = new Uint8Array(PLACES * PLACE_OCTETS);
  /** The same memory. */
  readonly #words = new Int32Array(this.#octets.buffer);
  readonly #waitingKeys = new Int32Array(PLACES * KEY_WORDS);
  readonly #waitingSince = new Float64Array(PLACES);
  /** Octets of the copy. */
  readonly #copied = new Int32Array(PLACES);
  /** Octets that were received; of a packet that was put together, all of it at least. */
  readonly #received = new Int32Array(PLACES);
  /** Held packets that share the verdict of the copy, and their octets. */
  readonly #heldPackets = new Int32Array(PLACES);
  readonly #heldOctets = new Int32Array(PLACES);
  readonly #instances = new Int32Array(PLACES);
  readonly #sharesOf = new Int32Array(PLACES);
  /** Copies by hash of their source. */
  readonly #shares = new Int32Array(PLACES);
  /** All places: first those of copies, as they came, then free ones. */
  readonly #places = Int32Array.from({ length: PLACES }, (_, place) => place);
  /** Copies that wait. */
  #waiting = 0;

  /** `seed` is random: nobody outside can choose packets that fall into one bucket. */
  constructor(seed: number) {
    this.#seed = seed;
  }

  /** Whether `end` has something to do. */
  hasEnding(nowMs: number): boolean {
    if (this.#waiting === 0) return false;
    return this.#hasNews || nowMs - (this.#waitingSince[this.#places[0] ?? 0] ?? 0) > WAIT_MS;
  }

  /**
   * Keeps the ports of the first fragment at `at`; `outer` is the offset of its IPv6 header, or -1 for one from IPv4. With
   * `isRefused` it pushes out only what was refused itself.
   */
  remember(buf: Uint8Array, at: number, outer: number, isRefused: boolean, ports: Ports, nowMs: number): void {
    this.#readKey(buf, at, outer);
    // One that comes again is the newest now: in its old place it would make room as if it were old.
    const known = this.#find();
    if (known !== NONE) this.#unlink(known);
    const ring = isRefused ? RING_OF_REFUSED : this.#ringOf(this.#sourceHash(outer), nowMs);
    const next = this.#nextKnown[ring] ?? 0;
    this.#nextKnown[ring] = (next + 1) % (ring === RING_OF_FIRST ? FIRST_PLACES : RING);
    const place = ring * RING + next;
    this.#unlink(place);
    this.#keys.set(this.#key, place * KEY_WORDS);
    this.#bucketOf[place] = this.#hash;
    this.#next[place] = this.#buckets[this.#hash] ?? NONE;
    this.#buckets[this.#hash] = place;
    this.#ports[place] = (ports.source << 16) | ports.destination;
    this.#knownAt[place] = nowMs;
    this.#hasNews = true;
  }

  /** Whether the ports of the later fragment at `at` are known; they are left in `ports`. */
  find(buf: Uint8Array, at: number, outer: number, ports: Ports, nowMs: number): boolean {
    this.#readKey(buf, at, outer);
    const place = this.#find();
    if (place === NONE || nowMs - (this.#knownAt[place] ?? 0) > KNOWN_MS) return false;
    const both = this.#ports[place] ?? 0;
    ports.source = both >>> 16;
    ports.destination = both & 0xffff;
    ports.quote = 0;
    return true;
  }

  /**
   * Keeps a copy of packet `k`, the later fragment at `at`: HELD, or why that cannot be. So many held packets of so many
   * octets, of which it was put together, share its verdict in the end.
   */
  wait(batch: Batch, k: number, at: number, outer: number, heldPackets = 0, heldOctets = 0): number {
    const len = ipv4.totalLength(batch.buf, at);
    this.#readKey(batch.buf, at, outer);
    const share = this.#sourceHash(outer) & (PLACES - 1);
    if (len > LONGEST || (this.#shares[share] ?? 0) >= SHARE) return DROP_FRAGMENT_UNPLACED;
    if (this.#waiting === PLACES && !this.#giveUpOne(batch)) return DROP_FRAGMENT_UNPLACED;
    const place = this.#places[this.#waiting++] ?? 0;
    this.#copy(batch, at, len, outer, place);
    this.#waitingKeys.set(this.#key, place * KEY_WORDS);
    this.#waitingSince[place] = batch.nowMs;
    // What was put together is longer than what came last: the rest of it came with what was held.
    const received = batch.lengths[k] ?? 0;
    const length = Math.max(received, this.#copied[place] ?? 0);
    this.#received[place] = length;
    this.#heldPackets[place] = heldPackets;
    this.#heldOctets[place] = heldOctets - (length - received);
    this.#instances[place] = batch.instances[k] ?? 0;
    this.#sharesOf[place] = share;
    this.#shares[share] = (this.#shares[share] ?? 0) + 1;
    return HELD;
  }

  /**
   * Puts what ends its waiting in late places of the batch: with verdict HELD what is to be decided now, with its
   * drop reason what waited too long. What finds no place stays for the next batch.
   */
  end(batch: Batch): void {
    this.#hasNews = false;
    for (let i = 0; i < this.#waiting; ) {
      const place = this.#places[i] ?? 0;
      const isLate = batch.nowMs - (this.#waitingSince[place] ?? 0) > WAIT_MS;
      if (!isLate && !this.#isKnown(place, batch.nowMs)) i++;
      else if (!this.#putLate(batch, i, isLate ? DROP_FRAGMENT_UNPLACED : HELD)) {
        this.#hasNews = true;
        return;
      }
    }
  }

  // Known ports ---------------------------------------------------------------------------------------------------------

  #ringOf(source: number, nowMs: number): number {
    const slot = source >>> (32 - SOURCE_SLOT_BITS);
    if (nowMs - (this.#periods[slot] ?? 0) >= FIRST_PERIOD_MS) {
      this.#periods[slot] = nowMs;
      this.#inPeriod[slot] = 0;
    }
    const count = this.#inPeriod[slot] ?? 0;
    if (count >= FIRST_OF_SOURCE) return source & (RINGS - 1);
    this.#inPeriod[slot] = count + 1;
    return RING_OF_FIRST;
  }

  #readKey(buf: Uint8Array, at: number, outer: number): void {
    const key = this.#key;
    key[0] = ipv4.source(buf, at);
    key[1] = ipv4.destination(buf, at);
    key[2] = (ipv4.identification(buf, at) << 16) | (ipv4.protocol(buf, at) << 8) | (outer < 0 ? 4 : 6);
    for (let i = 0; i < 4; i++) key[3 + i] = outer < 0 ? 0 : u32(buf, outer + IPV6_SOURCE + 4 * i);
    this.#hash = this.#hashKey();
  }

  /** Of who sent the packet of the key: the gateway, or an IPv4 source. */
  #sourceHash(outer: number): number {
    if (outer < 0) return mix((this.#key[0] ?? 0) ^ this.#seed);
    let hash = this.#seed;
    for (let i = 3; i < KEY_WORDS; i++) hash = mix(hash ^ (this.#key[i] ?? 0));
    return hash;
  }

  #hashKey(): number {
    let hash = this.#seed;
    for (let i = 0; i < KEY_WORDS; i++) hash = mix(hash ^ (this.#key[i] ?? 0));
    return hash & (BUCKETS - 1);
  }

  /** The place of the key in hand; NONE when it has none. */
  #find(): number {
    let place = this.#buckets[this.#hash] ?? NONE;
    while (place !== NONE && !this.#holdsKey(place)) place = this.#next[place] ?? NONE;
    return place;
  }

  #holdsKey(place: number): boolean {
    for (let i = 0; i < KEY_WORDS; i++) if (this.#keys[place * KEY_WORDS + i] !== this.#key[i]) return false;
    return true;
  }

  #unlink(place: number): void {
    const bucket = this.#bucketOf[place] ?? NONE;
    if (bucket === NONE) return;
    this.#bucketOf[place] = NONE;
    const after = this.#next[place] ?? NONE;
    let at = this.#buckets[bucket] ?? NONE;
    if (at === place) {
      this.#buckets[bucket] = after;
      return;
    }
    while (at !== NONE && this.#next[at] !== place) at = this.#next[at] ?? NONE;
    if (at !== NONE) this.#next[at] = after;
  }

  // Copies that wait ----------------------------------------------------------------------------------------------------

  /** The IPv4 packet behind a plain outer header of its own: extension headers and trailers are gone. */
  #copy(batch: Batch, at: number, len: number, outer: number, place: number): void {
    const to = place * PLACE_OCTETS;
    const octets = this.#octets;
    let head = 0;
    if (outer >= 0) {
      head = IPV6_HEADER_LEN;
      copyWords(batch.words, outer, head, this.#words, to);
      setU16(octets, to + 4, len);
      setU8(octets, to + 6, NEXT_HEADER_IPV4);
    }
    copyWords(batch.words, at, len, this.#words, to + head);
    this.#copied[place] = head + len;
  }

  /** Whether the first fragment of a copy has come. */
  #isKnown(place: number, nowMs: number): boolean {
    for (let i = 0; i < KEY_WORDS; i++) this.#key[i] = this.#waitingKeys[place * KEY_WORDS + i] ?? 0;
    this.#hash = this.#hashKey();
    const known = this.#find();
    return known !== NONE && nowMs - (this.#knownAt[known] ?? 0) <= KNOWN_MS;
  }

  /** The oldest copy of a source that has most of them: few senders push out nothing of others. */
  #giveUpOne(batch: Batch): boolean {
    let most = 0;
    let given = 0;
    for (let i = 0; i < this.#waiting; i++) {
      const share = this.#shares[this.#sharesOf[this.#places[i] ?? 0] ?? 0] ?? 0;
      if (share <= most) continue;
      most = share;
      given = i;
    }
    return this.#putLate(batch, given, DROP_FRAGMENT_UNPLACED);
  }

  /** Ends the waiting of copy `i` in a late place of the batch; false while there is none. */
  #putLate(batch: Batch, i: number, verdict: number): boolean {
    const place = this.#places[i] ?? 0;
    const len = this.#copied[place] ?? 0;
    const from = place * PLACE_OCTETS;
    const k = batch.addLate(verdict === HELD ? len : 0);
    if (k < 0) return false;
    if (verdict === HELD) copyWords(this.#words, from, len, batch.words, batch.at[k] ?? 0);
    batch.verdicts[k] = verdict;
    const version = (this.#waitingKeys[place * KEY_WORDS + 2] ?? 0) & 0xff;
    batch.sides[k] = version;
    const side = version === 4 ? SIDE_IPV4 : SIDE_IPV6;
    const instance = this.#instances[place] ?? 0;
    batch.settlements.recount(instance, this.#received[place] ?? 0, side);
    batch.settlements.share(k, instance, this.#heldPackets[place] ?? 0, this.#heldOctets[place] ?? 0);
    batch.lengths[k] = this.#received[place] ?? 0;
    batch.instances[k] = instance;
    const share = this.#sharesOf[place] ?? 0;
    this.#shares[share] = (this.#shares[share] ?? 0) - 1;
    this.#places.copyWithin(i, i + 1, this.#waiting);
    this.#places[--this.#waiting] = place;
    return true;
  }
}

/** Copies the words in which `len` octets lie, between offsets in octets that are multiples of four. */
function copyWords(source: Int32Array, from: number, len: number, target: Int32Array, to: number): void {
  const count = (len + 3) >> 2;
  const first = from >> 2;
  const at = to >> 2;
  for (let i = 0; i < count; i++) target[at + i] = source[first + i] ?? 0;
}

/** Spreads each bit of a word over all. */
function mix(word: number): number {
  let x = Math.imul(word ^ (word >>> 16), 0x85ebca6b);
  x = Math.imul(x ^ (x >>> 13), 0xc2b2ae35);
  return x ^ (x >>> 16);
}
