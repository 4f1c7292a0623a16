/**
 * What stands before each packet of a device with offloads: struct virtio_net_hdr_v1 (Virtio 1.2 §5.1.6), in the order of this
 * machine, which is little-endian.
 *
 *     |     flags     |   gso_type    |            hdr_len            |
 *     |           gso_size            |          csum_start           |
 *     |          csum_offset          |          num_buffers          |
 *
 * NEEDS_CSUM: the checksum field at csum_start + csum_offset holds only the sum of the pseudo-header; what is from csum_start on to
 * the end of the packet is to be added. DATA_VALID: the kernel, or the link, has found the checksum right.
 */

export const VNET_HEADER_LEN = 12;
export const VNET_WORDS = 3;

export const NEEDS_CSUM = 1;
export const DATA_VALID = 2;

export const GSO_NONE = 0;
export const GSO_TCPV4 = 1;
export const GSO_UDP_L4 = 5;
/** Beside a type: the first segment may tell of congestion (CWR). */
const GSO_ECN = 0x80;

/** Where TCP and UDP have their checksum, from csum_start. */
export const TCP_CHECKSUM_OFFSET = 16;
export const UDP_CHECKSUM_OFFSET = 6;

/** `w` is the word at which the header begins. */
export function flagsOf(words: Int32Array, w: number): number {
  return (words[w] ?? 0) & 0xff;
}

export function gsoTypeOf(words: Int32Array, w: number): number {
  return ((words[w] ?? 0) >>> 8) & 0xff & ~GSO_ECN;
}

/** Octets of payload in each segment but the last. */
export function gsoSizeOf(words: Int32Array, w: number): number {
  return (words[w + 1] ?? 0) & 0xffff;
}

export function checksumStartOf(words: Int32Array, w: number): number {
  return (words[w + 1] ?? 0) >>> 16;
}

export function checksumOffsetOf(words: Int32Array, w: number): number {
  return (words[w + 2] ?? 0) & 0xffff;
}

/** A packet that is as it is. */
export function writePlain(words: Int32Array, w: number): void {
  words[w] = 0;
  words[w + 1] = 0;
  words[w + 2] = 0;
}

/** A packet whose checksum is to be completed. */
export function writePartial(words: Int32Array, w: number, start: number, offset: number): void {
  words[w] = NEEDS_CSUM;
  words[w + 1] = start << 16;
  words[w + 2] = offset;
}

/** A packet of several TCP segments with payload of `size` octets, the last with less; `headers` octets are before it. */
export function writeTcpSuper(words: Int32Array, w: number, headers: number, size: number, start: number): void {
  words[w] = NEEDS_CSUM | (GSO_TCPV4 << 8) | (headers << 16);
  words[w + 1] = size | (start << 16);
  words[w + 2] = TCP_CHECKSUM_OFFSET;
}
