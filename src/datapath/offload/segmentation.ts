/**
 * A super-packet, several TCP segments or UDP datagrams of one flow behind one header, into packets of gso_size octets of payload.
 *
 * Every packet gets the headers of the super-packet, but
 *
 *     lengths           its own
 *     identification    one more than that of the packet before (IPv4)
 *     sequence number   as far on as its payload (TCP)
 *     FIN, PSH          on the last only
 *     CWR               on the first only (RFC 3168 §6.1.2)
 *     checksums         of IPv4 complete; of TCP and UDP the sum of the pseudo-header, as in the super-packet
 *
 * The payload stays where it is. `words` are those of `buf`; packets begin at multiples of four.
 */

import { fold } from '../wire/checksum.ts';
import * as ipv4 from '../wire/ipv4.ts';
import { IPV6_HEADER_LEN, payloadLength } from '../wire/ipv6.ts';
import { setU8, setU16, setU32, u8, u16, u32 } from '../wire/octets.ts';
import { GSO_TCPV4, GSO_UDP_L4, TCP_CHECKSUM_OFFSET, UDP_CHECKSUM_OFFSET } from './vnet-header.ts';

const TCP_HEADER_LEN = 20;
const TCP_SEQUENCE = 4;
const TCP_DATA_OFFSET = 12;
const TCP_FLAGS = 13;
const FIN = 1;
const PSH = 8;
const CWR = 0x80;
const UDP_HEADER_LEN = 8;
const UDP_LENGTH = 4;

/** A super-packet and how it is to be cut; made once, filled for each. */
export interface SuperPacket {
  at: number;
  len: number;
  type: number;
  /** Octets of payload in a packet. */
  size: number;
  /** Where TCP or UDP begins, from `at`. */
  start: number;
  /** Octets of all headers; 0 when it cannot be cut. */
  headers: number;
}

export function newSuperPacket(): SuperPacket {
  return { at: 0, len: 0, type: 0, size: 0, start: 0, headers: 0 };
}

/**
 * Whether the packet of `len` octets at `at` is a whole super-packet of this type, with TCP or UDP at `start`; then `packet`
 * describes it. Not so: any other type, no size, lengths that contradict each other, a fragment.
 */
export function readSuperPacket(
  packet: SuperPacket,
  buf: Uint8Array,
  at: number,
  len: number,
  type: number,
  size: number,
  start: number,
): boolean {
  packet.at = at;
  packet.len = len;
  packet.type = type;
  packet.size = size;
  packet.start = start;
  packet.headers = size === 0 ? 0 : headersOf(buf, at, len, type, start);
  return packet.headers > 0 && packet.headers < len;
}

function headersOf(buf: Uint8Array, at: number, len: number, type: number, start: number): number {
  const isIpv4 = u8(buf, at) >>> 4 === 4;
  if (isIpv4 && !isWholeIpv4(buf, at, len, type, start)) return 0;
  if (type === GSO_UDP_L4) {
    const isWhole = isIpv4 || (start >= IPV6_HEADER_LEN && payloadLength(buf, at) === len - IPV6_HEADER_LEN);
    return isWhole && (start & 3) === 0 ? start + UDP_HEADER_LEN : 0;
  }
  if (type !== GSO_TCPV4 || !isIpv4 || len < start + TCP_HEADER_LEN) return 0;
  const tcp = (u8(buf, at + start + TCP_DATA_OFFSET) >>> 4) << 2;
  return tcp >= TCP_HEADER_LEN ? start + tcp : 0;
}

function isWholeIpv4(buf: Uint8Array, at: number, len: number, type: number, start: number): boolean {
  if (!ipv4.isIpv4(buf, at, len) || ipv4.totalLength(buf, at) !== len || ipv4.isFragment(buf, at)) return false;
  const protocol = type === GSO_UDP_L4 ? ipv4.PROTOCOL_UDP : ipv4.PROTOCOL_TCP;
  return ipv4.headerLength(buf, at) === start && ipv4.protocol(buf, at) === protocol;
}

/** Octets of payload in the packet that begins `offset` octets into the payload. */
export function pieceLength({ len, headers, size }: SuperPacket, offset: number): number {
  return Math.min(size, len - headers - offset);
}

/**
 * Writes the headers of the packet that begins `offset` octets into the payload (a multiple of the size) to `to`, a multiple of
 * four.
 */
export function writePieceHeaders(
  packet: SuperPacket,
  offset: number,
  buf: Uint8Array,
  words: Int32Array,
  to: number,
): void {
  const { at, headers, start, len } = packet;
  const w = at >> 2;
  const target = to >> 2;
  for (let i = 0; i < headers >> 2; i++) words[target + i] = words[w + i] ?? 0;
  const piece = pieceLength(packet, offset);
  if (u8(buf, at) >>> 4 === 4) writeIpv4(buf, words, to, headers + piece, offset / packet.size);
  else setU16(buf, to + 4, headers + piece - IPV6_HEADER_LEN);
  const own = headers + piece - start;
  const isTcp = packet.type === GSO_TCPV4;
  const field = to + start + (isTcp ? TCP_CHECKSUM_OFFSET : UDP_CHECKSUM_OFFSET);
  // The length is part of the pseudo-header (RFC 9293 §3.1, RFC 768).
  setU16(buf, field, fold(u16(buf, field) + (~(len - start) & 0xffff) + own));
  if (isTcp) writeTcp(buf, to + start, offset, headers + offset + piece === len);
  else setU16(buf, to + start + UDP_LENGTH, own);
}

function writeIpv4(buf: Uint8Array, words: Int32Array, at: number, len: number, index: number): void {
  setU16(buf, at + 2, len);
  setU16(buf, at + 4, (ipv4.identification(buf, at) + index) & 0xffff);
  ipv4.setHeaderChecksum(buf, words, at);
}

function writeTcp(buf: Uint8Array, at: number, offset: number, isLast: boolean): void {
  setU32(buf, at + TCP_SEQUENCE, (u32(buf, at + TCP_SEQUENCE) + offset) >>> 0);
  let flags = u8(buf, at + TCP_FLAGS);
  if (!isLast) flags &= ~(FIN | PSH);
  if (offset > 0) flags &= ~CWR;
  setU8(buf, at + TCP_FLAGS, flags);
}
