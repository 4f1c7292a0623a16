/**
 * Octets of a packet in network order. Every function takes the buffer and the offset of the first octet; the caller
 * has checked the length, so an offset outside the buffer is our own mistake (it reads as zero and is never written).
 */

export function u8(buf: Uint8Array, at: number): number {
  return buf[at] ?? 0;
}

export function u16(buf: Uint8Array, at: number): number {
  return (u8(buf, at) << 8) | u8(buf, at + 1);
}

/** 32 bits, unsigned. */
export function u32(buf: Uint8Array, at: number): number {
  return ((u16(buf, at) << 16) | u16(buf, at + 2)) >>> 0;
}

export function setU8(buf: Uint8Array, at: number, value: number): void {
  buf[at] = value;
}

export function setU16(buf: Uint8Array, at: number, value: number): void {
  buf[at] = value >>> 8;
  buf[at + 1] = value;
}

export function setU32(buf: Uint8Array, at: number, value: number): void {
  setU16(buf, at, value >>> 16);
  setU16(buf, at + 2, value & 0xffff);
}
