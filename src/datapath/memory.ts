/**
 * Memory that the control thread writes and the workers read. It comes from an allocator handed in from outside, so
 * that it can one day be mapped kernel arrays; large blocks cost real memory only where they are touched.
 */

export type Allocate = (octets: number) => SharedArrayBuffer;

export const allocateShared: Allocate = (octets) => new SharedArrayBuffer(octets);

/** Multi-octet fields of packets are compared and copied as whole words, in the order they have in memory. */
export function assertLittleEndian(): void {
  if (new Uint8Array(new Uint32Array([1]).buffer)[0] !== 1) {
    throw Object.assign(new Error('the datapath expects a little-endian processor; this one is not'), {
      code: 'ERR_BIG_ENDIAN',
    });
  }
}

/** A 32-bit number with its octets reversed: between a number and the word a packet holds. Signed. */
export function swapWord(word: number): number {
  return ((word & 0xff) << 24) | ((word & 0xff00) << 8) | ((word >>> 8) & 0xff00) | (word >>> 24);
}
