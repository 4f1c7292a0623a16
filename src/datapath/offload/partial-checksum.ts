/** Checksums of which the kernel has left the sum of the pseudo-header, and no more (NEEDS_CSUM of vnet-header.ts). */

import { addOctets, complement } from '../wire/checksum.ts';
import { setU16 } from '../wire/octets.ts';

/** Completes the checksum at `start + offset` of the packet of `len` octets at `at`; it covers all from `start` on. */
export function completeChecksum(buf: Uint8Array, at: number, len: number, start: number, offset: number): void {
  const sum = complement(addOctets(0, buf, at + start, len - start));
  // 0 would say that there is none (RFC 768); to the sum both are the same.
  setU16(buf, at + start + offset, sum === 0 ? 0xffff : sum);
}
