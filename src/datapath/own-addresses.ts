/**
 * The IPv4 addresses that end here, in shared memory: the ipv4-address of each instance, and the broadcast addresses of
 * this device's links, which are no address of a host (RFC 1812 §5.3.5.2, §5.3.7).
 *
 *     words 0 to 127: filter of 4,096 bits    128: number of broadcast addresses    129 on: they, as words of a packet
 *
 * The filter lets the fast path hand over at the cost of two loads a packet whatever may be one of these; the slow path
 * then looks exactly. One in 4,096 of all other addresses takes the slow path for each address here, for nothing.
 */

import type { Allocate } from './memory.ts';
import { swapWord } from './memory.ts';

const FILTER_WORDS = 128;
const HASH_SHIFT = 20;
const BROADCASTS = FILTER_WORDS;
/** Links beyond that are left out: no device has so many IPv4 subnets of its own. */
const MAX_BROADCASTS = 4_096;

export class OwnAddresses {
  readonly memory: SharedArrayBuffer;
  readonly words: Int32Array;

  /** Over the memory of another thread, or over new memory of the allocator. */
  constructor(from: SharedArrayBuffer | Allocate) {
    this.memory = typeof from === 'function' ? from((BROADCASTS + 1 + MAX_BROADCASTS) * 4) : from;
    this.words = new Int32Array(this.memory);
  }

  /** Replaces all addresses (unsigned numbers). Only while the workers are held. */
  set(instances: readonly number[], broadcasts: readonly number[]): void {
    const { words } = this;
    const kept = broadcasts.slice(0, MAX_BROADCASTS);
    words.fill(0, 0, FILTER_WORDS);
    for (const address of [...instances, ...kept]) {
      const bit = hash(swapWord(address));
      words[bit >>> 5] = (words[bit >>> 5] ?? 0) | (1 << (bit & 31));
    }
    for (const [i, address] of kept.entries()) words[BROADCASTS + 1 + i] = swapWord(address);
    words[BROADCASTS] = kept.length;
  }

  /** Whether the address (unsigned) may be one of these; false is certain. */
  mayHold(address: number): boolean {
    return mayBeOwn(this.words, swapWord(address));
  }

  /** Whether the address (unsigned) is the broadcast address of a link of this device. */
  isBroadcast(address: number): boolean {
    const word = swapWord(address);
    if (!mayBeOwn(this.words, word)) return false;
    const count = this.words[BROADCASTS] ?? 0;
    for (let i = 1; i <= count; i++) if (this.words[BROADCASTS + i] === word) return true;
    return false;
  }
}

/** Whether an address, as a word of a packet, may be in the filter that `words` begins with. */
export function mayBeOwn(words: Int32Array, word: number): boolean {
  const bit = hash(word);
  return (((words[bit >>> 5] ?? 0) >>> (bit & 31)) & 1) !== 0;
}

function hash(word: number): number {
  return Math.imul(word, 0x9e3779b1) >>> HASH_SHIFT;
}
