/**
 * The IPv4 addresses that end here, in shared memory: the ipv4-address of each instance; the broadcast addresses of
 * this device's links, which are no address of a host (RFC 1812 §5.3.5.2, §5.3.7); and its own addresses on them, from which
 * nothing comes through a tunnel (RFC 4213 §3.6).
 *
 *     words 0 to 1,023: filter of 32,768 bits    1,024 on: 16,384 places of a hash table: address, its kinds
 *
 * The filter lets the fast path tell most packets that have none of these at the cost of two loads; what hits it is looked
 * up exactly, so nothing else takes the slow path, however many addresses the device has.
 */

import {
  OWN_BIT_SHIFT,
  OWN_BROADCAST,
  OWN_FILTER_WORDS,
  OWN_HASH_FACTOR,
  OWN_HOST,
  OWN_INSTANCE,
  OWN_PLACE_SHIFT,
  OWN_PLACES,
  OWN_WORD_SHIFT,
} from './layout.ts';
import type { Allocate } from './memory.ts';
import { swapWord } from './memory.ts';

/** Addresses of a kind beyond that are left out: no device has so many IPv4 subnets of its own. Places are twice as many as all. */
const MOST = 4_096;
const WORDS = OWN_FILTER_WORDS + 2 * OWN_PLACES;

export class OwnAddresses {
  readonly words: Int32Array;

  /** Over the memory of another thread, or over new memory of the allocator. */
  constructor(from: Int32Array | Allocate) {
    this.words = typeof from === 'function' ? from(WORDS * 4) : from;
  }

  /** Replaces all addresses (unsigned numbers, none of them 0). Only while the workers are held. */
  set(instances: readonly number[], broadcasts: readonly number[], hosts: readonly number[]): void {
    const words = new Int32Array(WORDS);
    for (const address of instances) add(words, address, OWN_INSTANCE);
    for (const address of broadcasts.slice(0, MOST)) add(words, address, OWN_BROADCAST);
    for (const address of hosts.slice(0, MOST)) add(words, address, OWN_HOST);
    // In one piece: an address that stays is found at every moment.
    this.words.set(words);
  }

  /** Whether the address (unsigned) is the ipv4-address of an instance. */
  isInstance(address: number): boolean {
    return (kindsOf(this.words, swapWord(address)) & OWN_INSTANCE) !== 0;
  }

  /** Whether the address (unsigned) is the broadcast address of a link of this device. */
  isBroadcast(address: number): boolean {
    return (kindsOf(this.words, swapWord(address)) & OWN_BROADCAST) !== 0;
  }

  /** Whether the address (unsigned) is one that this device has on a link. */
  isHost(address: number): boolean {
    return (kindsOf(this.words, swapWord(address)) & OWN_HOST) !== 0;
  }
}

/** The kinds of an address (word of a packet); 0 when it is none of these. */
function kindsOf(own: Int32Array, word: number): number {
  const hash = Math.imul(word, OWN_HASH_FACTOR);
  if ((((own[hash >>> OWN_WORD_SHIFT] ?? 0) >>> (hash >>> OWN_BIT_SHIFT)) & 1) === 0) return 0;
  return own[placeOf(own, word, hash) + 1] ?? 0;
}

function add(own: Int32Array, address: number, kind: number): void {
  const word = swapWord(address);
  const hash = Math.imul(word, OWN_HASH_FACTOR);
  const place = placeOf(own, word, hash);
  own[place] = word;
  own[place + 1] = (own[place + 1] ?? 0) | kind;
  const filter = hash >>> OWN_WORD_SHIFT;
  own[filter] = (own[filter] ?? 0) | (1 << (hash >>> OWN_BIT_SHIFT));
}

/** The word of the place of an address, or of the free one where it would be: 0 marks one, and is nobody's address. */
function placeOf(own: Int32Array, word: number, hash: number): number {
  let place = hash >>> OWN_PLACE_SHIFT;
  while (own[OWN_FILTER_WORDS + 2 * place] !== word && own[OWN_FILTER_WORDS + 2 * place] !== 0)
    place = (place + 1) % OWN_PLACES;
  return OWN_FILTER_WORDS + 2 * place;
}
