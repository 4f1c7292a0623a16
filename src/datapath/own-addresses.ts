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

import type { Allocate } from './memory.ts';
import { swapWord } from './memory.ts';
import * as plain from './plain.ts';

// A constant of this file, because what is imported is looked at again at each access (see fast-path.ts).
const { DESTINATION_WORD, SOURCE_WORD } = plain;

const INSTANCE = 1;
const BROADCAST = 2;
const HOST = 4;
/** Kinds that the destination of a packet is asked for, and the source of one from the IPv4 side. */
export const NO_HOSTS = INSTANCE | BROADCAST;
/** Kinds that the inner source of a packet from a tunnel is asked for. */
export const ANY_OWN = INSTANCE | BROADCAST | HOST;

const FILTER_WORDS = 1_024;
const HASH_FACTOR = 0x9e3779b1;
/** The ten high bits of a hash name the word, the next five the bit in it: a shift counts modulo 32. */
const WORD_SHIFT = 22;
const BIT_SHIFT = 17;
/** Addresses of a kind beyond that are left out: no device has so many IPv4 subnets of its own. */
const MOST = 4_096;
/** Places are twice as many as addresses, and the high bits of a hash name the first one. */
const PLACES = 16_384;
const PLACE_SHIFT = 18;
const WORDS = FILTER_WORDS + 2 * PLACES;

export class OwnAddresses {
  readonly words: Int32Array;

  /** Over the memory of another thread, or over new memory of the allocator. */
  constructor(from: Int32Array | Allocate) {
    this.words = typeof from === 'function' ? from(WORDS * 4) : from;
  }

  /** Replaces all addresses (unsigned numbers, none of them 0). Only while the workers are held. */
  set(instances: readonly number[], broadcasts: readonly number[], hosts: readonly number[]): void {
    const words = new Int32Array(WORDS);
    for (const address of instances) add(words, address, INSTANCE);
    for (const address of broadcasts.slice(0, MOST)) add(words, address, BROADCAST);
    for (const address of hosts.slice(0, MOST)) add(words, address, HOST);
    // In one piece: an address that stays is found at every moment.
    this.words.set(words);
  }

  /** Whether the address (unsigned) is the ipv4-address of an instance. */
  isInstance(address: number): boolean {
    return (kindsOf(this.words, swapWord(address)) & INSTANCE) !== 0;
  }

  /** Whether the address (unsigned) is the broadcast address of a link of this device. */
  isBroadcast(address: number): boolean {
    return (kindsOf(this.words, swapWord(address)) & BROADCAST) !== 0;
  }

  /** Whether the address (unsigned) is one that this device has on a link. */
  isHost(address: number): boolean {
    return (kindsOf(this.words, swapWord(address)) & HOST) !== 0;
  }
}

/**
 * Whether the source of the IPv4 packet at word `w` of `packet` is of one of `sourceKinds` in the words `own` of
 * OwnAddresses, or its destination one of NO_HOSTS.
 */
export function touchesOwn(own: Int32Array, packet: Int32Array, w: number, sourceKinds: number): boolean {
  const source = Math.imul(packet[w + SOURCE_WORD] ?? 0, HASH_FACTOR);
  const destination = Math.imul(packet[w + DESTINATION_WORD] ?? 0, HASH_FACTOR);
  const bySource = (own[source >>> WORD_SHIFT] ?? 0) >>> (source >>> BIT_SHIFT);
  const byDestination = (own[destination >>> WORD_SHIFT] ?? 0) >>> (destination >>> BIT_SHIFT);
  return ((bySource | byDestination) & 1) !== 0 && isOwn(own, packet, w, sourceKinds);
}

function isOwn(own: Int32Array, packet: Int32Array, w: number, sourceKinds: number): boolean {
  const bySource = kindsOf(own, packet[w + SOURCE_WORD] ?? 0) & sourceKinds;
  return (bySource | (kindsOf(own, packet[w + DESTINATION_WORD] ?? 0) & NO_HOSTS)) !== 0;
}

/** The kinds of an address (word of a packet); 0 when it is none of these. */
function kindsOf(own: Int32Array, word: number): number {
  const hash = Math.imul(word, HASH_FACTOR);
  if ((((own[hash >>> WORD_SHIFT] ?? 0) >>> (hash >>> BIT_SHIFT)) & 1) === 0) return 0;
  return own[placeOf(own, word, hash) + 1] ?? 0;
}

function add(own: Int32Array, address: number, kind: number): void {
  const word = swapWord(address);
  const hash = Math.imul(word, HASH_FACTOR);
  const place = placeOf(own, word, hash);
  own[place] = word;
  own[place + 1] = (own[place + 1] ?? 0) | kind;
  const filter = hash >>> WORD_SHIFT;
  own[filter] = (own[filter] ?? 0) | (1 << (hash >>> BIT_SHIFT));
}

/** The word of the place of an address, or of the free one where it would be: 0 marks one, and is nobody's address. */
function placeOf(own: Int32Array, word: number, hash: number): number {
  let place = hash >>> PLACE_SHIFT;
  while (own[FILTER_WORDS + 2 * place] !== word && own[FILTER_WORDS + 2 * place] !== 0) place = (place + 1) % PLACES;
  return FILTER_WORDS + 2 * place;
}
