/**
 * The IPv4 addresses that end here, in shared memory: the ipv4-address of each instance; the broadcast addresses of
 * this device's links, which are no address of a host (RFC 1812 §5.3.5.2, §5.3.7); and its own addresses on them, from which
 * nothing comes through a tunnel (RFC 4213 §3.6).
 *
 *     words 0 to 127: filter of 4,096 bits    128: number of broadcast addresses    129 on: they, in order
 *     then the number of own addresses, and they
 *
 * The filter lets the fast path hand over at the cost of two loads a packet whatever may be one of these; the slow path
 * then looks exactly. One in 4,096 of all other addresses takes the slow path for each address here, for nothing.
 */

import type { Allocate } from './memory.ts';
import { swapWord } from './memory.ts';
import { DESTINATION_WORD, SOURCE_WORD } from './plain.ts';

const FILTER_WORDS = 128;
const HASH_FACTOR = 0x9e3779b1;
/** The seven high bits of a hash name the word, the next five the bit in it: a shift counts modulo 32. */
const WORD_SHIFT = 25;
const BIT_SHIFT = 20;
/** Links beyond that are left out: no device has so many IPv4 subnets of its own. */
const MOST = 4_096;
const BROADCASTS = FILTER_WORDS;
const HOSTS = BROADCASTS + 1 + MOST;
const WORDS = HOSTS + 1 + MOST;

export class OwnAddresses {
  readonly memory: SharedArrayBuffer;
  readonly words: Int32Array;

  /** Over the memory of another thread, or over new memory of the allocator. */
  constructor(from: SharedArrayBuffer | Allocate) {
    this.memory = typeof from === 'function' ? from(WORDS * 4) : from;
    this.words = new Int32Array(this.memory);
  }

  /** Replaces all addresses (unsigned numbers). Only while the workers are held. */
  set(instances: readonly number[], broadcasts: readonly number[], hosts: readonly number[]): void {
    const filter = new Int32Array(FILTER_WORDS);
    for (const address of [...instances, ...broadcasts.slice(0, MOST), ...hosts.slice(0, MOST)]) {
      const hash = Math.imul(swapWord(address), HASH_FACTOR);
      const word = hash >>> WORD_SHIFT;
      filter[word] = (filter[word] ?? 0) | (1 << (hash >>> BIT_SHIFT));
    }
    this.#setList(BROADCASTS, broadcasts);
    this.#setList(HOSTS, hosts);
    // In one piece: an address that stays is found at every moment.
    this.words.set(filter);
  }

  #setList(at: number, addresses: readonly number[]): void {
    const sorted = Int32Array.from(addresses.slice(0, MOST), swapWord).sort();
    this.words[at] = sorted.length;
    this.words.set(sorted, at + 1);
  }

  /** Whether the address (unsigned) may be one of these; false is certain. */
  mayHold(address: number): boolean {
    return mayBeOwn(this.words, swapWord(address));
  }

  /** Whether the address (unsigned) is the broadcast address of a link of this device. */
  isBroadcast(address: number): boolean {
    return this.#isIn(BROADCASTS, swapWord(address));
  }

  /** Whether the address (unsigned) is one that this device has on a link. */
  isHost(address: number): boolean {
    return this.#isIn(HOSTS, swapWord(address));
  }

  #isIn(list: number, word: number): boolean {
    if (!mayBeOwn(this.words, word)) return false;
    let low = list + 1;
    let high = low + (this.words[list] ?? 0);
    while (low < high) {
      const middle = (low + high) >> 1;
      const found = this.words[middle] ?? 0;
      if (found === word) return true;
      if (found < word) low = middle + 1;
      else high = middle;
    }
    return false;
  }
}

/**
 * Whether source or destination of the IPv4 packet at word `w` of `packet` may be in the filter that `own` begins with;
 * false is certain.
 */
export function touchesOwn(own: Int32Array, packet: Int32Array, w: number): boolean {
  const source = Math.imul(packet[w + SOURCE_WORD] ?? 0, HASH_FACTOR);
  const destination = Math.imul(packet[w + DESTINATION_WORD] ?? 0, HASH_FACTOR);
  const bySource = (own[source >>> WORD_SHIFT] ?? 0) >>> (source >>> BIT_SHIFT);
  const byDestination = (own[destination >>> WORD_SHIFT] ?? 0) >>> (destination >>> BIT_SHIFT);
  return ((bySource | byDestination) & 1) !== 0;
}

function mayBeOwn(own: Int32Array, word: number): boolean {
  const hash = Math.imul(word, HASH_FACTOR);
  return (((own[hash >>> WORD_SHIFT] ?? 0) >>> (hash >>> BIT_SHIFT)) & 1) !== 0;
}
