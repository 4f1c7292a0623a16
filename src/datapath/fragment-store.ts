/**
 * Memory of fragments that wait: chunks of 512 octets out of one block, which the kernel makes real as it is touched.
 * A fragment is a chain of chunks, and the fragments of a datagram a list in the order of their offsets.
 *
 *     chunk, 128 words     0 next chunk of the fragment (or of the free list)     8-127 octets of the packet
 *     the first also       1 next fragment    2 offset    3 octets of data    4 octets before the data
 *                          5 octets of the packet    6 place of the octet that names the fragment header
 *
 * Chunk numbers begin at 1; 0 is none. Whole words are copied: packets begin at multiples of four octets, and what stands
 * before the data of a fragment is a multiple of eight long.
 */

const CHUNK_SHIFT = 7;
const CHUNK_WORDS = 1 << CHUNK_SHIFT;
const NEXT_CHUNK = 0;
const NEXT_FRAGMENT = 1;
const OFFSET = 2;
const DATA_LEN = 3;
const HEADER_LEN = 4;
const PACKET_LEN = 5;
const LINK = 6;
const HEAD_WORDS = 8;
const DATA_WORDS = CHUNK_WORDS - HEAD_WORDS;

/** Chunks that a packet of so many octets takes. */
export function chunksFor(octets: number): number {
  return Math.ceil(octets / (DATA_WORDS * 4));
}

/** Chunks in memory of so many octets. */
export function chunksIn(octets: number): number {
  return Math.floor(octets / (CHUNK_WORDS * 4)) - 1;
}

export class FragmentStore {
  readonly chunks: number;
  readonly #words: Int32Array;
  #free = 0;
  /** Chunks from this one on were never used. */
  #fresh = 1;
  #used = 0;

  constructor(octets: number) {
    this.chunks = chunksIn(octets);
    this.#words = new Int32Array((this.chunks + 1) << CHUNK_SHIFT);
  }

  get used(): number {
    return this.#used;
  }

  get available(): number {
    return this.chunks - this.#used;
  }

  /**
   * Keeps the packet of `octets` at word `w` (`available` has room for it), whose data begins behind `headerLen` octets and belongs
   * to `offset`; `link` as in the layout. Returns its number.
   */
  put(words: Int32Array, w: number, octets: number, headerLen: number, offset: number, link: number): number {
    const kept = this.#words;
    const first = this.#take();
    const end = w + ((octets + 3) >> 2);
    let chunk = first;
    for (let from = w; ; ) {
      const to = Math.min(from + DATA_WORDS, end);
      let target = (chunk << CHUNK_SHIFT) + HEAD_WORDS;
      for (; from < to; from++) kept[target++] = words[from] ?? 0;
      if (from === end) break;
      const next = this.#take();
      this.#words[(chunk << CHUNK_SHIFT) + NEXT_CHUNK] = next;
      chunk = next;
    }
    const head = first << CHUNK_SHIFT;
    this.#words[head + NEXT_FRAGMENT] = 0;
    this.#words[head + OFFSET] = offset;
    this.#words[head + DATA_LEN] = octets - headerLen;
    this.#words[head + HEADER_LEN] = headerLen;
    this.#words[head + PACKET_LEN] = octets;
    this.#words[head + LINK] = link;
    return first;
  }

  /** Gives back a fragment; returns how many chunks it had. */
  remove(fragment: number): number {
    let count = 0;
    for (let chunk = fragment; chunk !== 0; count++) {
      const next = this.#words[(chunk << CHUNK_SHIFT) + NEXT_CHUNK] ?? 0;
      this.#words[(chunk << CHUNK_SHIFT) + NEXT_CHUNK] = this.#free;
      this.#free = chunk;
      chunk = next;
    }
    this.#used -= count;
    return count;
  }

  /** Copies `octets` of the packet that is kept as `fragment`, from its octet `from` on, to word `w`; both whole words. */
  copy(fragment: number, from: number, octets: number, words: Int32Array, w: number): void {
    const kept = this.#words;
    let chunk = fragment;
    let skip = from >> 2;
    for (; skip >= DATA_WORDS; skip -= DATA_WORDS) chunk = this.#words[(chunk << CHUNK_SHIFT) + NEXT_CHUNK] ?? 0;
    const end = w + ((octets + 3) >> 2);
    let source = (chunk << CHUNK_SHIFT) + HEAD_WORDS + skip;
    let stop = (chunk + 1) << CHUNK_SHIFT;
    for (let to = w; to < end; to++) {
      if (source === stop) {
        chunk = this.#words[(chunk << CHUNK_SHIFT) + NEXT_CHUNK] ?? 0;
        source = (chunk << CHUNK_SHIFT) + HEAD_WORDS;
        stop = (chunk + 1) << CHUNK_SHIFT;
      }
      words[to] = kept[source++] ?? 0;
    }
  }

  /** Whether the data of a fragment is the `octets` at word `w`; it has as many. */
  hasData(fragment: number, words: Int32Array, w: number, octets: number): boolean {
    let chunk = fragment;
    let skip = this.headerLen(fragment) >> 2;
    for (; skip >= DATA_WORDS; skip -= DATA_WORDS) chunk = this.#words[(chunk << CHUNK_SHIFT) + NEXT_CHUNK] ?? 0;
    let source = (chunk << CHUNK_SHIFT) + HEAD_WORDS + skip;
    for (let i = 0; i < octets; i += 4) {
      if (source === (chunk + 1) << CHUNK_SHIFT) {
        chunk = this.#words[(chunk << CHUNK_SHIFT) + NEXT_CHUNK] ?? 0;
        source = (chunk << CHUNK_SHIFT) + HEAD_WORDS;
      }
      const rest = octets - i;
      // The octets of a word stand from its low end on.
      const mask = rest < 4 ? (1 << (rest * 8)) - 1 : -1;
      if ((((this.#words[source++] ?? 0) ^ (words[w + (i >> 2)] ?? 0)) & mask) !== 0) return false;
    }
    return true;
  }

  next(fragment: number): number {
    return this.#words[(fragment << CHUNK_SHIFT) + NEXT_FRAGMENT] ?? 0;
  }

  setNext(fragment: number, next: number): void {
    this.#words[(fragment << CHUNK_SHIFT) + NEXT_FRAGMENT] = next;
  }

  offset(fragment: number): number {
    return this.#words[(fragment << CHUNK_SHIFT) + OFFSET] ?? 0;
  }

  /** Octets of data. */
  dataLen(fragment: number): number {
    return this.#words[(fragment << CHUNK_SHIFT) + DATA_LEN] ?? 0;
  }

  /** Octets before the data, the fragment header included. */
  headerLen(fragment: number): number {
    return this.#words[(fragment << CHUNK_SHIFT) + HEADER_LEN] ?? 0;
  }

  /** Octets of the packet. */
  packetLen(fragment: number): number {
    return this.#words[(fragment << CHUNK_SHIFT) + PACKET_LEN] ?? 0;
  }

  /** Place in the packet of the octet that names the fragment header. */
  link(fragment: number): number {
    return this.#words[(fragment << CHUNK_SHIFT) + LINK] ?? 0;
  }

  #take(): number {
    const chunk = this.#free !== 0 ? this.#free : this.#fresh++;
    const word = (chunk << CHUNK_SHIFT) + NEXT_CHUNK;
    if (chunk === this.#free) this.#free = this.#words[word] ?? 0;
    this.#words[word] = 0;
    this.#used++;
    return chunk;
  }
}
