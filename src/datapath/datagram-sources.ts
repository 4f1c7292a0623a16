/**
 * Who holds how much of the reassembly: for each source of an instance its datagrams in the order of their age, and the
 * sources of an instance in levels by what they hold.
 *
 *     level n    sources that hold 2^n to 2^(n+1) - 1 units (a datagram is one, and each chunk of its fragments)
 *
 * When room is needed, a source of the highest level loses its oldest datagram, but never for a newcomer that is of that
 * level itself: it loses one of its own. So nobody can push out who holds less than half of what he does.
 *
 * Sources to which no row leads are strangers, with levels of their own: they lose theirs before anybody else does, and
 * push out nobody but strangers. An address is invented faster than a binding.
 */

import { MAX_INSTANCES } from '../state/limits.ts';
import type { KeyedHash } from './keyed-hash.ts';

const LEVELS = 32;
const ADDRESS_WORDS = 4;
const STRANGERS = 0;
const KNOWN = 1;

export class DatagramSources {
  readonly #hash: KeyedHash;
  readonly #buckets: Int32Array;
  readonly #mask: number;
  /** By source: address, instance, what it holds, its oldest and newest datagram, and lists it is in. */
  readonly #addresses: Int32Array;
  readonly #instances: Int32Array;
  /** STRANGERS or KNOWN. */
  readonly #classes: Uint8Array;
  readonly #units: Int32Array;
  readonly #datagrams: Int32Array;
  readonly #oldest: Int32Array;
  readonly #newest: Int32Array;
  readonly #inBucket: Int32Array;
  readonly #levelNext: Int32Array;
  readonly #levelPrevious: Int32Array;
  #free = 0;
  #fresh = 1;
  /** By datagram: its source, and the next younger and older of that source. */
  readonly #sourceOf: Int32Array;
  readonly #younger: Int32Array;
  readonly #older: Int32Array;
  readonly #unitsOf: Int32Array;
  /** By class, instance and level: first source; by class and instance: one bit a level that has one. */
  readonly #levels = new Int32Array(2 * MAX_INSTANCES * LEVELS);
  readonly #occupied = new Int32Array(2 * MAX_INSTANCES);

  /** For datagrams 1 to `datagrams`; `buckets` is a power of two. */
  constructor(datagrams: number, buckets: number, hash: KeyedHash) {
    this.#hash = hash;
    this.#buckets = new Int32Array(buckets);
    this.#mask = buckets - 1;
    this.#addresses = new Int32Array((datagrams + 1) * ADDRESS_WORDS);
    const words = () => new Int32Array(datagrams + 1);
    this.#instances = words();
    this.#classes = new Uint8Array(datagrams + 1);
    this.#units = words();
    this.#datagrams = words();
    this.#oldest = words();
    this.#newest = words();
    this.#inBucket = words();
    this.#levelNext = words();
    this.#levelPrevious = words();
    this.#sourceOf = words();
    this.#younger = words();
    this.#older = words();
    this.#unitsOf = words();
  }

  /** The source of `instance` whose address is the four words at `w`; 0 when it holds nothing. */
  find(instance: number, words: Int32Array, w: number): number {
    let source = this.#buckets[this.#bucketOf(instance, words, w)] ?? 0;
    while (source !== 0 && !this.#is(source, instance, words, w)) source = this.#inBucket[source] ?? 0;
    return source;
  }

  /** Datagrams of a source. */
  datagrams(source: number): number {
    return this.#datagrams[source] ?? 0;
  }

  /** The oldest datagram of a source. */
  oldest(source: number): number {
    return this.#oldest[source] ?? 0;
  }

  /** Enters a datagram, of one unit, as the youngest of its source, to which a row leads when it `isKnown`. */
  add(datagram: number, instance: number, words: Int32Array, w: number, isKnown: boolean): void {
    const source = this.find(instance, words, w) || this.#enter(instance, words, w);
    this.#classify(source, isKnown ? KNOWN : STRANGERS);
    const newest = this.#newest[source] ?? 0;
    this.#sourceOf[datagram] = source;
    this.#older[datagram] = newest;
    this.#younger[datagram] = 0;
    this.#unitsOf[datagram] = 0;
    if (newest !== 0) this.#younger[newest] = datagram;
    else this.#oldest[source] = datagram;
    this.#newest[source] = datagram;
    this.#datagrams[source] = this.datagrams(source) + 1;
    this.grow(datagram, 1);
  }

  /** A datagram holds so many units more, or less. */
  grow(datagram: number, units: number): void {
    const source = this.#sourceOf[datagram] ?? 0;
    const before = this.#units[source] ?? 0;
    this.#unitsOf[datagram] = (this.#unitsOf[datagram] ?? 0) + units;
    this.#units[source] = before + units;
    if (levelOf(before) === levelOf(before + units)) return;
    if (before > 0) this.#leaveLevel(source, levelOf(before));
    if (before + units > 0) this.#joinLevel(source, levelOf(before + units));
  }

  /** Takes a datagram out. */
  remove(datagram: number): void {
    const source = this.#sourceOf[datagram] ?? 0;
    const younger = this.#younger[datagram] ?? 0;
    const older = this.#older[datagram] ?? 0;
    if (older !== 0) this.#younger[older] = younger;
    else this.#oldest[source] = younger;
    if (younger !== 0) this.#older[younger] = older;
    else this.#newest[source] = older;
    this.grow(datagram, -(this.#unitsOf[datagram] ?? 0));
    this.#datagrams[source] = this.datagrams(source) - 1;
    if (this.datagrams(source) === 0) this.#leave(source);
  }

  /**
   * The datagram that has to go so that `newcomer` (a source of the instance, or 0 for one that holds nothing yet, to which
   * a row leads when it `isKnown`) gets room, `spared` being the one it needs room for (or 0). Of the instance alone, or
   * with -1 of all. 0 when there is none.
   */
  victim(instance: number, newcomer: number, isKnown: boolean, spared: number): number {
    const stranger = this.#victimAmong(STRANGERS, instance, isKnown ? 0 : newcomer, spared);
    return stranger !== 0 || !isKnown ? stranger : this.#victimAmong(KNOWN, instance, newcomer, spared);
  }

  #victimAmong(kind: number, instance: number, newcomer: number, spared: number): number {
    const fullest = kind * MAX_INSTANCES + (instance >= 0 ? instance : this.#fullestInstance(kind));
    const level = 31 - Math.clz32(this.#occupied[fullest] ?? 0);
    const isAmongLargest = newcomer !== 0 && levelOf(this.#units[newcomer] ?? 0) >= level;
    const source = isAmongLargest || level < 0 ? newcomer : (this.#levels[fullest * LEVELS + level] ?? 0);
    const oldest = this.oldest(source);
    return oldest === spared ? (this.#younger[oldest] ?? 0) : oldest;
  }

  /** The instance with the source of the highest level of a class. */
  #fullestInstance(kind: number): number {
    const first = kind * MAX_INSTANCES;
    let fullest = 0;
    for (let i = 1; i < MAX_INSTANCES; i++) {
      if (Math.clz32(this.#occupied[first + i] ?? 0) < Math.clz32(this.#occupied[first + fullest] ?? 0)) fullest = i;
    }
    return fullest;
  }

  /** A source changes its class when bindings do. */
  #classify(source: number, kind: number): void {
    if (this.#classes[source] === kind) return;
    const units = this.#units[source] ?? 0;
    if (units > 0) this.#leaveLevel(source, levelOf(units));
    this.#classes[source] = kind;
    if (units > 0) this.#joinLevel(source, levelOf(units));
  }

  #bucketOf(instance: number, words: Int32Array, w: number): number {
    return this.#hash.of(words, w, ADDRESS_WORDS, instance) & this.#mask;
  }

  #is(source: number, instance: number, words: Int32Array, w: number): boolean {
    const at = source * ADDRESS_WORDS;
    for (let i = 0; i < ADDRESS_WORDS; i++) if (this.#addresses[at + i] !== words[w + i]) return false;
    return this.#instances[source] === instance;
  }

  #enter(instance: number, words: Int32Array, w: number): number {
    const source = this.#free !== 0 ? this.#free : this.#fresh++;
    if (source === this.#free) this.#free = this.#inBucket[source] ?? 0;
    for (let i = 0; i < ADDRESS_WORDS; i++) this.#addresses[source * ADDRESS_WORDS + i] = words[w + i] ?? 0;
    const bucket = this.#bucketOf(instance, words, w);
    this.#instances[source] = instance;
    this.#oldest[source] = 0;
    this.#newest[source] = 0;
    this.#inBucket[source] = this.#buckets[bucket] ?? 0;
    this.#buckets[bucket] = source;
    return source;
  }

  #leave(source: number): void {
    const bucket = this.#bucketOf(this.#instances[source] ?? 0, this.#addresses, source * ADDRESS_WORDS);
    const after = this.#inBucket[source] ?? 0;
    let before = this.#buckets[bucket] ?? 0;
    if (before === source) this.#buckets[bucket] = after;
    else {
      while (this.#inBucket[before] !== source) before = this.#inBucket[before] ?? 0;
      this.#inBucket[before] = after;
    }
    this.#inBucket[source] = this.#free;
    this.#free = source;
  }

  /** Which levels a source is in. */
  #listsOf(source: number): number {
    return (this.#classes[source] ?? 0) * MAX_INSTANCES + (this.#instances[source] ?? 0);
  }

  #joinLevel(source: number, level: number): void {
    const list = this.#listsOf(source);
    const place = list * LEVELS + level;
    const first = this.#levels[place] ?? 0;
    this.#levelNext[source] = first;
    this.#levelPrevious[source] = 0;
    if (first !== 0) this.#levelPrevious[first] = source;
    this.#levels[place] = source;
    this.#occupied[list] = (this.#occupied[list] ?? 0) | (1 << level);
  }

  #leaveLevel(source: number, level: number): void {
    const list = this.#listsOf(source);
    const place = list * LEVELS + level;
    const next = this.#levelNext[source] ?? 0;
    const previous = this.#levelPrevious[source] ?? 0;
    if (previous !== 0) this.#levelNext[previous] = next;
    else this.#levels[place] = next;
    if (next !== 0) this.#levelPrevious[next] = previous;
    if (this.#levels[place] === 0) this.#occupied[list] = (this.#occupied[list] ?? 0) & ~(1 << level);
  }
}

/** -1 for nothing. */
function levelOf(units: number): number {
  return 31 - Math.clz32(units);
}
