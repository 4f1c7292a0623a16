/**
 * The tunnel addresses of a role in shared memory: outer header, modes and sizes of each, and the IPv4 pools that say
 * which AFTR a packet belongs to when no binding does. The control thread changes it only while the workers are held at
 * a batch boundary; the layout is in layout.ts. As a worker may not reach its boundary in time, words are written in an
 * order in which each step leaves a whole outer header: a softwire goes out of use by its flags and sizes alone, what it
 * sends by stays until its number is another's.
 */

import { MAX_POOLS, MAX_SOFTWIRES } from '../state/limits.ts';
import {
  EGRESS_MTU_MASK,
  FLAG_ENABLED,
  FLAG_ENCAPSULATION_LIMIT,
  FLAG_PIPE,
  MSS_SHIFT,
  POOL_WORDS,
  SOFTWIRE_FLAGS,
  SOFTWIRE_INSTANCE,
  SOFTWIRE_IPV4_ADDRESS,
  SOFTWIRE_LOCAL,
  SOFTWIRE_PAYLOAD_MTU,
  SOFTWIRE_SHIFT,
  SOFTWIRE_SIZES,
  SOFTWIRE_WORDS,
} from './layout.ts';
import type { Allocate } from './memory.ts';
import { octetsOf, sameFourWords, swapWord } from './memory.ts';
import { IPV6_DESTINATION, IPV6_HEADER_LEN, IPV6_SOURCE, NEXT_HEADER_IPV4, writeIpv6Fields } from './wire/ipv6.ts';
import { ENCAPSULATION_LIMIT_LEN } from './wire/ipv6-extensions.ts';

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
  /** Largest IPv4 packet that the links of the IPv4 side take. */
  readonly egressMtu: number;
  /** Largest TCP segment size that passes; 0 for any. */
  readonly mssClamp: number;
  /** Value of the Tunnel Encapsulation Limit with FLAG_ENCAPSULATION_LIMIT. */
  readonly encapsulationLimit: number;
  readonly reassembly: ReassemblyLimits;
}

/** What fragments may wait, and how long. */
export interface ReassemblyLimits {
  readonly timeoutMs: number;
  readonly fragments: number;
  readonly datagrams: number;
  readonly datagramsPerSource: number;
}

/** A range of IPv4 addresses that an instance answers for. */
export interface Pool {
  readonly first: number;
  readonly last: number;
  /** A softwire of the instance. */
  readonly softwire: number;
}

const HEADER_WORDS = (MAX_SOFTWIRES + 1) * SOFTWIRE_WORDS;
export const HIGHEST = HEADER_WORDS;
export const POOL_COUNT = HEADER_WORDS + 1;
export const POOLS = HEADER_WORDS + 2;
/** By hash of the tunnel address: number of a softwire, in this place or one of the next; 0 ends the search. */
export const BY_LOCAL = POOLS + MAX_POOLS * POOL_WORDS;
export const BY_LOCAL_WORDS = 4 * MAX_SOFTWIRES;
const LIMITS = BY_LOCAL + BY_LOCAL_WORDS;
const LIMIT_WORDS = 5;
/** Flags that any enabled softwire has. */
const ALL_FLAGS = LIMITS + (MAX_SOFTWIRES + 1) * LIMIT_WORDS;
/** A bit for the hash of each tunnel address: most other addresses are told from them without a search. */
export const LOCAL_FILTER = ALL_FLAGS + 1;
const TOTAL_WORDS = LOCAL_FILTER + 1;

export class Softwires {
  readonly words: Int32Array;
  /** The same memory in octets: the outer header of softwire s begins at s * SOFTWIRE_OCTETS. */
  readonly octets: Uint8Array;

  /** Over the memory of another thread, or over new memory of the allocator. */
  constructor(from: Int32Array | Allocate) {
    this.words = typeof from === 'function' ? from(TOTAL_WORDS * 4) : from;
    this.octets = octetsOf(this.words);
  }

  /** Writes softwire `s` (1 to MAX_SOFTWIRES); undefined takes it out of use. Only while the workers are held. */
  set(s: number, softwire: Softwire | undefined): void {
    const word = s << SOFTWIRE_SHIFT;
    if (softwire) this.#write(s, word, softwire);
    else this.#disable(word);
    let all = 0;
    for (let other = 1; other <= (this.words[HIGHEST] ?? 0); other++) all |= this.#flags(other);
    this.words[ALL_FLAGS] = all;
  }

  /** No packet fits any more: on the fast path, the sizes alone are asked. */
  #disable(word: number): void {
    this.words[word + SOFTWIRE_FLAGS] = 0;
    this.words[word + SOFTWIRE_PAYLOAD_MTU] = 0;
    this.words[word + SOFTWIRE_SIZES] = 0;
  }

  #write(s: number, word: number, softwire: Softwire): void {
    const at = word * 4;
    writeIpv6Fields(this.octets, at, softwire.pipeDscp << 2, 0, 0, NEXT_HEADER_IPV4, softwire.hopLimit);
    this.octets.set(softwire.local, at + IPV6_SOURCE);
    if (softwire.remote) this.octets.set(softwire.remote, at + IPV6_DESTINATION);
    this.words[word + SOFTWIRE_INSTANCE] = softwire.instance;
    this.words[word + SOFTWIRE_IPV4_ADDRESS] = swapWord(softwire.ipv4Address);
    const { timeoutMs, fragments, datagrams, datagramsPerSource } = softwire.reassembly;
    const { encapsulationLimit } = softwire;
    const limits = [timeoutMs, fragments, datagrams, datagramsPerSource, encapsulationLimit];
    this.words.set(limits, LIMITS + s * LIMIT_WORDS);
    this.words[HIGHEST] = Math.max(this.words[HIGHEST] ?? 0, s);
    // Last, as by these packets pass.
    this.words[word + SOFTWIRE_FLAGS] = softwire.flags | FLAG_ENABLED;
    this.words[word + SOFTWIRE_SIZES] = softwire.egressMtu | (softwire.mssClamp << MSS_SHIFT);
    this.words[word + SOFTWIRE_PAYLOAD_MTU] = softwire.payloadMtu;
  }

  /** Makes the tunnel addresses that are set now those that `byLocal` finds. Only while the workers are held. */
  index(): void {
    const highest = this.words[HIGHEST] ?? 0;
    const byLocal = new Int32Array(BY_LOCAL_WORDS);
    let filter = 0;
    for (let s = highest; s >= 1; s--) {
      if (!this.isEnabled(s)) continue;
      const local = (s << SOFTWIRE_SHIFT) + SOFTWIRE_LOCAL;
      filter |= 1 << bitOf(this.words, local);
      let place = placeOf(this.words, local);
      while (byLocal[place] !== 0) place = (place + 1) % BY_LOCAL_WORDS;
      byLocal[place] = s;
    }
    this.words.set(byLocal, BY_LOCAL);
    this.words[LOCAL_FILTER] = filter;
  }

  /** Replaces all pools; they do not overlap and are at most MAX_POOLS. Only while the workers are held. */
  setPools(pools: readonly Pool[]): void {
    const sorted = pools.toSorted((a, b) => a.first - b.first);
    this.words[POOL_COUNT] = 0;
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

  /** The softwire whose tunnel address is the four words of a packet at word `w`; 0 when there is none. */
  byLocal(packet: Int32Array, w: number): number {
    const { words } = this;
    for (let place = placeOf(packet, w); ; place = (place + 1) % BY_LOCAL_WORDS) {
      const s = words[BY_LOCAL + place] ?? 0;
      if (s === 0 || sameFourWords(words, (s << SOFTWIRE_SHIFT) + SOFTWIRE_LOCAL, packet, w)) return s;
    }
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
    return (this.#flags(s) & FLAG_ENABLED) !== 0;
  }

  /** Whether any softwire has the flag. */
  anyHas(flag: number): boolean {
    return ((this.words[ALL_FLAGS] ?? 0) & flag) !== 0;
  }

  instance(s: number): number {
    return this.words[(s << SOFTWIRE_SHIFT) + SOFTWIRE_INSTANCE] ?? 0;
  }

  has(s: number, flag: number): boolean {
    return (this.#flags(s) & flag) !== 0;
  }

  isPipe(s: number): boolean {
    return this.has(s, FLAG_PIPE);
  }

  /** The payload MTU that every far end of the softwire takes; that of one is in path-mtus.ts. */
  payloadMtu(s: number): number {
    return this.words[(s << SOFTWIRE_SHIFT) + SOFTWIRE_PAYLOAD_MTU] ?? 0;
  }

  /** Largest IPv4 packet that the links of the IPv4 side take. */
  egressMtu(s: number): number {
    return (this.words[(s << SOFTWIRE_SHIFT) + SOFTWIRE_SIZES] ?? 0) & EGRESS_MTU_MASK;
  }

  /** Largest TCP segment size that passes; 0 for any. */
  mssClamp(s: number): number {
    return (this.words[(s << SOFTWIRE_SHIFT) + SOFTWIRE_SIZES] ?? 0) >>> MSS_SHIFT;
  }

  /** Octets that encapsulation puts before an IPv4 packet. */
  headerLength(s: number): number {
    return IPV6_HEADER_LEN + (this.has(s, FLAG_ENCAPSULATION_LIMIT) ? ENCAPSULATION_LIMIT_LEN : 0);
  }

  /** Value of the Tunnel Encapsulation Limit. */
  encapsulationLimit(s: number): number {
    return this.words[LIMITS + s * LIMIT_WORDS + 4] ?? 0;
  }

  /** Time until a datagram in reassembly is given up. */
  reassemblyMs(s: number): number {
    return this.words[LIMITS + s * LIMIT_WORDS] ?? 0;
  }

  /** Most fragments of a datagram. */
  maximumFragments(s: number): number {
    return this.words[LIMITS + s * LIMIT_WORDS + 1] ?? 0;
  }

  /** Most datagrams in reassembly, of the instance. */
  maximumDatagrams(s: number): number {
    return this.words[LIMITS + s * LIMIT_WORDS + 2] ?? 0;
  }

  maximumDatagramsPerSource(s: number): number {
    return this.words[LIMITS + s * LIMIT_WORDS + 3] ?? 0;
  }

  #flags(s: number): number {
    return this.words[(s << SOFTWIRE_SHIFT) + SOFTWIRE_FLAGS] ?? 0;
  }

  /** The instance's ipv4-address; 0 when it has none. */
  ipv4Address(s: number): number {
    return swapWord(this.words[(s << SOFTWIRE_SHIFT) + SOFTWIRE_IPV4_ADDRESS] ?? 0) >>> 0;
  }
}

/** Where the search for the IPv6 address at word `w` begins. */
function placeOf(words: Int32Array, w: number): number {
  const mixed = Math.imul((words[w] ?? 0) ^ Math.imul((words[w + 1] ?? 0) ^ (words[w + 2] ?? 0), 31), 31);
  return (Math.imul(mixed ^ (words[w + 3] ?? 0), 0x9e3779b1) >>> 16) % BY_LOCAL_WORDS;
}

/** Bit of LOCAL_FILTER for the IPv6 address at word `w`: of its last word, in which neighbours differ. */
function bitOf(words: Int32Array, w: number): number {
  return Math.imul(words[w + 3] ?? 0, 0x9e3779b1) >>> 27;
}
