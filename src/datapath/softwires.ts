/**
 * The tunnel addresses of a role in shared memory: outer header, modes and sizes of each, and the IPv4 pools that say
 * which AFTR a packet belongs to when no binding does. The control thread changes it only while the workers are held at
 * a batch boundary; the layout is in layout.ts.
 */

import { MAX_POOLS } from '../state/limits.ts';
import {
  FLAG_ENABLED,
  FLAG_PIPE,
  MAX_SOFTWIRES,
  SOFTWIRE_FLAGS,
  SOFTWIRE_INSTANCE,
  SOFTWIRE_IPV4_ADDRESS,
  SOFTWIRE_PAYLOAD_MTU,
  SOFTWIRE_SHIFT,
  SOFTWIRE_WORDS,
} from './layout.ts';
import type { Allocate } from './memory.ts';
import { swapWord } from './memory.ts';
import { IPV6_DESTINATION, IPV6_SOURCE, NEXT_HEADER_IPV4, sameAddress, writeIpv6Fields } from './wire/ipv6.ts';

/** One tunnel address and what is done with packets there. */
export interface Softwire {
  readonly instance: number;
  readonly local: Uint8Array;
  /** The only other end there is (a gateway's AFTR); absent when each binding has its own. */
  readonly remote?: Uint8Array;
  /** Modes and switches: the FLAG_ numbers of layout.ts, FLAG_ENABLED apart. */
  readonly flags: number;
  readonly hopLimit: number;
  /** Outer DSCP with FLAG_PIPE. */
  readonly pipeDscp: number;
  readonly payloadMtu: number;
  /** Source of ICMP; 0 for none, and then no ICMP is sent. */
  readonly ipv4Address: number;
}

/** A range of IPv4 addresses that an instance answers for. */
export interface Pool {
  readonly first: number;
  readonly last: number;
  /** A softwire of the instance. */
  readonly softwire: number;
}

const HEADER_WORDS = (MAX_SOFTWIRES + 1) * SOFTWIRE_WORDS;
const HIGHEST = HEADER_WORDS;
const POOL_COUNT = HEADER_WORDS + 1;
const POOLS = HEADER_WORDS + 2;
const POOL_WORDS = 3;
const TOTAL_WORDS = POOLS + MAX_POOLS * POOL_WORDS;

export class Softwires {
  readonly memory: SharedArrayBuffer;
  readonly words: Int32Array;
  /** The same memory in octets: the outer header of softwire s begins at s * SOFTWIRE_OCTETS. */
  readonly octets: Uint8Array;

  /** Over the memory of another thread, or over new memory of the allocator. */
  constructor(from: SharedArrayBuffer | Allocate) {
    this.memory = typeof from === 'function' ? from(TOTAL_WORDS * 4) : from;
    this.words = new Int32Array(this.memory);
    this.octets = new Uint8Array(this.memory);
  }

  /** Writes softwire `s` (1 to MAX_SOFTWIRES); undefined takes it out of use. Only while the workers are held. */
  set(s: number, softwire: Softwire | undefined): void {
    const word = s << SOFTWIRE_SHIFT;
    this.words.fill(0, word, word + SOFTWIRE_WORDS);
    if (!softwire) return;
    const at = word * 4;
    writeIpv6Fields(this.octets, at, softwire.pipeDscp << 2, 0, 0, NEXT_HEADER_IPV4, softwire.hopLimit);
    this.octets.set(softwire.local, at + IPV6_SOURCE);
    if (softwire.remote) this.octets.set(softwire.remote, at + IPV6_DESTINATION);
    this.words[word + SOFTWIRE_INSTANCE] = softwire.instance;
    this.words[word + SOFTWIRE_FLAGS] = softwire.flags | FLAG_ENABLED;
    this.words[word + SOFTWIRE_PAYLOAD_MTU] = softwire.payloadMtu;
    this.words[word + SOFTWIRE_IPV4_ADDRESS] = swapWord(softwire.ipv4Address);
    this.words[HIGHEST] = Math.max(this.words[HIGHEST] ?? 0, s);
  }

  /** Replaces all pools; they do not overlap and are at most MAX_POOLS. Only while the workers are held. */
  setPools(pools: readonly Pool[]): void {
    const sorted = pools.toSorted((a, b) => a.first - b.first);
    for (const [i, pool] of sorted.entries()) {
      const word = POOLS + i * POOL_WORDS;
      this.words[word] = pool.first;
      this.words[word + 1] = pool.last;
      this.words[word + 2] = pool.softwire;
    }
    this.words[POOL_COUNT] = sorted.length;
  }

  /** A softwire of the instance whose pool holds `address`; 0 when none does. */
  poolSoftwire(address: number): number {
    let low = 0;
    let high = (this.words[POOL_COUNT] ?? 0) - 1;
    while (low <= high) {
      const middle = (low + high) >>> 1;
      const word = POOLS + middle * POOL_WORDS;
      if (address < (this.words[word] ?? 0) >>> 0) high = middle - 1;
      else if (address > (this.words[word + 1] ?? 0) >>> 0) low = middle + 1;
      else return this.words[word + 2] ?? 0;
    }
    return 0;
  }

  /** The softwire whose tunnel address is the 16 octets at `at`; 0 when there is none. */
  byLocal(buf: Uint8Array, at: number): number {
    const highest = this.words[HIGHEST] ?? 0;
    for (let s = 1; s <= highest; s++) {
      if (this.isEnabled(s) && sameAddress(this.octets, (s << SOFTWIRE_SHIFT) * 4 + IPV6_SOURCE, buf, at)) return s;
    }
    return 0;
  }

  /** The first softwire whose instance has this ipv4-address; 0 when there is none. */
  byIpv4Address(address: number): number {
    const highest = this.words[HIGHEST] ?? 0;
    const word = swapWord(address);
    for (let s = 1; s <= highest; s++) {
      if (this.isEnabled(s) && this.words[(s << SOFTWIRE_SHIFT) + SOFTWIRE_IPV4_ADDRESS] === word) return s;
    }
    return 0;
  }

  /** The instance of the first enabled softwire: what belongs to no other counts there. */
  firstInstance(): number {
    const highest = this.words[HIGHEST] ?? 0;
    for (let s = 1; s <= highest; s++) if (this.isEnabled(s)) return this.instance(s);
    return 0;
  }

  isEnabled(s: number): boolean {
    return ((this.words[(s << SOFTWIRE_SHIFT) + SOFTWIRE_FLAGS] ?? 0) & FLAG_ENABLED) !== 0;
  }

  instance(s: number): number {
    return this.words[(s << SOFTWIRE_SHIFT) + SOFTWIRE_INSTANCE] ?? 0;
  }

  has(s: number, flag: number): boolean {
    return ((this.words[(s << SOFTWIRE_SHIFT) + SOFTWIRE_FLAGS] ?? 0) & flag) !== 0;
  }

  isPipe(s: number): boolean {
    return this.has(s, FLAG_PIPE);
  }

  payloadMtu(s: number): number {
    return this.words[(s << SOFTWIRE_SHIFT) + SOFTWIRE_PAYLOAD_MTU] ?? 0;
  }

  /** The instance's ipv4-address; 0 when it has none. */
  ipv4Address(s: number): number {
    return swapWord(this.words[(s << SOFTWIRE_SHIFT) + SOFTWIRE_IPV4_ADDRESS] ?? 0) >>> 0;
  }
}
