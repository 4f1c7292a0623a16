/**
 * Memory that the control thread writes and the workers read. It comes from an allocator handed in from outside, so
 * that it can one day be mapped kernel arrays; large blocks cost real memory only where they are touched.
 */

/**
 * So many octets (a multiple of four) as zeroed words of shared memory, which may be a part of a larger one: a view is handed to other
 * threads, never its buffer. `isRandom` says that packets reach it at random, and that what is in use of it lies together.
 */
export type Allocate = (octets: number, isRandom?: boolean) => Int32Array;

/** Memory of its own. */
export const allocateShared: Allocate = (octets) => new Int32Array(new SharedArrayBuffer(octets));

/** The same memory in octets. */
export function octetsOf({ buffer, byteOffset, byteLength }: Int32Array): Uint8Array {
  return new Uint8Array(buffer, byteOffset, byteLength);
}

/** Multi-octet fields of packets are compared and copied as whole words, in the order they have in memory. */
export function assertLittleEndian(): void {
  if (new Uint8Array(new Uint32Array([1]).buffer)[0] !== 1) {
    throw Object.assign(new Error('the datapath expects a little-endian processor; this one is not'), {
      code: 'ERR_BIG_ENDIAN',
    });
  }
}

/** Whether the four words at `at` and those at `from` of other memory are the same: an IPv6 address in four steps. */
export function sameFourWords(a: Int32Array, at: number, b: Int32Array, from: number): boolean {
  return a[at] === b[from] && a[at + 1] === b[from + 1] && a[at + 2] === b[from + 2] && a[at + 3] === b[from + 3];
}

/** A 32-bit number with its octets reversed: between a number and the word a packet holds. Signed. */
export function swapWord(word: number): number {
  return ((word & 0xff) << 24) | ((word & 0xff00) << 8) | ((word >>> 8) & 0xff00) | (word >>> 24);
}
