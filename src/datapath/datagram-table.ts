/**
 * Datagrams in reassembly by source, destination and identification (RFC 8200 §4.5), in fixed memory.
 *
 *     datagram, 20 words     0-7 addresses (wire)    8 identification    9 next in the bucket (or of the free list)
 *                            10-19 what reassembly knows of it
 *
 * Numbers begin at 1; 0 is none.
 */

import type { KeyedHash } from './keyed-hash.ts';

export const DATAGRAM_WORDS = 20;
const ADDRESS_WORDS = 8;
const IDENTIFICATION = 8;
const NEXT = 9;
/** 0 while fragments are gathered, otherwise the verdict of all that come. */
export const DOOMED = 10;
export const INSTANCE = 11;
export const FIRST_FRAGMENT = 13;
export const FRAGMENTS = 14;
/** Octets of data so far; octets of the whole, or -1. */
export const GATHERED = 15;
export const TOTAL = 16;
/** One bit for each ECN field seen. */
export const ECN_SEEN = 17;
export const HELD_PACKETS = 18;
export const HELD_OCTETS = 19;

export class DatagramTable {
  /** Datagram d begins at word d * DATAGRAM_WORDS. */
  readonly words: Int32Array;
  readonly #hash: KeyedHash;
  readonly #buckets: Int32Array;
  readonly #most: number;
  #free = 0;
  #fresh = 1;

  /** For `datagrams` at a time; `buckets` is a power of two. */
  constructor(datagrams: number, buckets: number, hash: KeyedHash) {
    this.words = new Int32Array((datagrams + 1) * DATAGRAM_WORDS);
    this.#hash = hash;
    this.#buckets = new Int32Array(buckets);
    this.#most = datagrams;
  }

  /** The datagram between the two addresses at word `w` of a packet; 0 when there is none. */
  find(packet: Int32Array, w: number, identification: number): number {
    let datagram = this.#buckets[this.#bucketOf(packet, w, identification)] ?? 0;
    while (datagram !== 0 && !this.#is(datagram, packet, w, identification)) datagram = this.#next(datagram);
    return datagram;
  }

  hasRoom(): boolean {
    return this.#free !== 0 || this.#fresh <= this.#most;
  }

  /** Enters a datagram that is not there yet, with all else zero; `hasRoom` has said yes. */
  enter(packet: Int32Array, w: number, identification: number): number {
    const datagram = this.#free !== 0 ? this.#free : this.#fresh++;
    if (datagram === this.#free) this.#free = this.#next(datagram);
    const at = datagram * DATAGRAM_WORDS;
    this.words.fill(0, at, at + DATAGRAM_WORDS);
    for (let i = 0; i < ADDRESS_WORDS; i++) this.words[at + i] = packet[w + i] ?? 0;
    const bucket = this.#bucketOf(packet, w, identification);
    this.words[at + IDENTIFICATION] = identification;
    this.words[at + NEXT] = this.#buckets[bucket] ?? 0;
    this.#buckets[bucket] = datagram;
    return datagram;
  }

  leave(datagram: number): void {
    const at = datagram * DATAGRAM_WORDS;
    const bucket = this.#bucketOf(this.words, at, this.words[at + IDENTIFICATION] ?? 0);
    const after = this.#next(datagram);
    let before = this.#buckets[bucket] ?? 0;
    if (before === datagram) this.#buckets[bucket] = after;
    else {
      while (this.#next(before) !== datagram) before = this.#next(before);
      this.words[before * DATAGRAM_WORDS + NEXT] = after;
    }
    this.words[at + NEXT] = this.#free;
    this.#free = datagram;
  }

  #next(datagram: number): number {
    return this.words[datagram * DATAGRAM_WORDS + NEXT] ?? 0;
  }

  #is(datagram: number, packet: Int32Array, w: number, identification: number): boolean {
    const at = datagram * DATAGRAM_WORDS;
    if (this.words[at + IDENTIFICATION] !== identification) return false;
    for (let i = 0; i < ADDRESS_WORDS; i++) if (this.words[at + i] !== packet[w + i]) return false;
    return true;
  }

  #bucketOf(words: Int32Array, w: number, identification: number): number {
    return this.#hash.of(words, w, ADDRESS_WORDS, identification) & (this.#buckets.length - 1);
  }
}
