/**
 * TCP segments of one flow that follow each other, as one super-packet: the inverse of segmentation.ts, exactly. What comes out,
 * cut again, is what came in.
 *
 *   1. `isSegment`: a TCP segment with payload and nothing that is seldom in one (RFC 9293 §3.1)
 *   2. `canFollow`: whether it continues a run that begins with another one
 *   3. `writeSuperHeaders`: the headers of the first segment become those of the run
 *
 * Segments begin at multiples of four; `w` is the word of a first octet.
 */

import { ALL_ONES, addOctets, fold } from '../wire/checksum.ts';
import * as ipv4 from '../wire/ipv4.ts';
import { IPV4_HEADER_LEN } from '../wire/ipv4.ts';
import { setU8, setU16, u8, u16 } from '../wire/octets.ts';
import { TCP_CHECKSUM_OFFSET } from './vnet-header.ts';

const TCP_LEN = 20;
const TCP_WORD = IPV4_HEADER_LEN >> 2;
const TCP_FLAGS = 13;
/** Longest packet: its length is a field of 16 bits. */
const MOST = 0xffff;
const FIN = 1;
const PSH = 8;
const ACK = 16;
const ECE = 64;
/** Of word 1: the identification; the rest is flags and offset, of which only DF may be set. */
const IDENTIFICATION = 0xffff;
const DF_ONLY = 0x0040;
/** Of words 2 and 9: TTL and protocol, the urgent pointer; the rest are checksums. */
const LOW = 0xffff;
const HIGH = 0xffff0000 | 0;

/** A run of segments: what the next one must be. */
export interface Run {
  /** Where the first segment lies. */
  at: number;
  /** Octets of headers, of payload in the first segment, and of the super-packet so far. */
  headers: number;
  size: number;
  len: number;
  /** Of the next segment, both in the order of numbers. */
  sequence: number;
  identification: number;
  /** Whether no segment can follow. */
  isClosed: boolean;
}

export function newRun(): Run {
  return { at: 0, headers: 0, size: 0, len: 0, sequence: 0, identification: 0, isClosed: true };
}

/**
 * Whether the packet of `len` octets at `at`, an IPv4 packet with a right header checksum, is a TCP segment that may be part of a
 * run: no IPv4 options, no fragment, payload, ACK, and of the other flags only PSH, FIN and ECE; DF as it likes.
 */
export function isSegment(buf: Uint8Array, words: Int32Array, at: number, len: number): boolean {
  const w = at >> 2;
  if ((at & 3) !== 0 || len < IPV4_HEADER_LEN + TCP_LEN || u8(buf, at) !== 0x45) return false;
  if (ipv4.protocol(buf, at) !== ipv4.PROTOCOL_TCP || ipv4.totalLength(buf, at) !== len) return false;
  if ((((words[w + 1] ?? 0) >>> 16) & ~DF_ONLY) !== 0) return false;
  const offsetAndFlags = u16(buf, at + IPV4_HEADER_LEN + TCP_FLAGS - 1);
  const headers = headersOf(buf, at);
  // The lower half of the first octet: reserved bits, and AE (RFC 9768).
  return (
    headers >= IPV4_HEADER_LEN + TCP_LEN && headers < len && (offsetAndFlags & 0x0fff & ~(PSH | FIN | ECE)) === ACK
  );
}

/** Begins a run with the segment at `at`. */
export function beginRun(run: Run, buf: Uint8Array, at: number, len: number): void {
  const headers = headersOf(buf, at);
  run.at = at;
  run.headers = headers;
  run.size = len - headers;
  run.len = headers;
  run.sequence = sequenceOf(buf, at);
  run.identification = ipv4.identification(buf, at);
  run.isClosed = false;
  extend(run, buf, at, len);
}

/** Whether the segment at `at` is of the flow of the run: its addresses and ports. */
export function isOfFlow(run: Run, words: Int32Array, at: number): boolean {
  const w = at >> 2;
  return hasAddressesOf(run, words, at) && words[w + TCP_WORD] === words[(run.at >> 2) + TCP_WORD];
}

export function hasAddressesOf(run: Run, words: Int32Array, at: number): boolean {
  const a = run.at >> 2;
  const b = at >> 2;
  return words[a + 3] === words[b + 3] && words[a + 4] === words[b + 4];
}

/**
 * Whether the segment of `len` octets at `at`, of the flow of the run, continues it: next in sequence and identification, no longer
 * than the first, all else in its headers alike but PSH and FIN. A super-packet has at most 65,535 octets.
 */
export function canFollow(run: Run, buf: Uint8Array, words: Int32Array, at: number, len: number): boolean {
  const payload = len - run.headers;
  if (run.isClosed || payload <= 0 || payload > run.size || run.len + payload > MOST) return false;
  if (sequenceOf(buf, at) !== run.sequence || ipv4.identification(buf, at) !== run.identification) return false;
  const a = run.at >> 2;
  const b = at >> 2;
  const differs = (i: number, mask: number): number => ((words[a + i] ?? 0) ^ (words[b + i] ?? 0)) & mask;
  const inIpv4 = differs(0, LOW) | differs(1, ~IDENTIFICATION) | differs(2, LOW);
  // Acknowledgment number; data offset, flags and window; urgent pointer.
  const inTcp = differs(7, -1) | differs(8, ~((PSH | FIN) << 8)) | differs(9, HIGH);
  if ((inIpv4 | inTcp) !== 0) return false;
  for (let i = 10; i < run.headers >> 2; i++) if (words[a + i] !== words[b + i]) return false;
  return true;
}

/** Adds a segment that can follow, or the first. What is pushed, ends, or is shorter than the first is the last. */
export function extend(run: Run, buf: Uint8Array, at: number, len: number): void {
  const payload = len - run.headers;
  run.len += payload;
  run.sequence = (run.sequence + payload) | 0;
  run.identification = (run.identification + 1) & 0xffff;
  const flags = u8(buf, at + IPV4_HEADER_LEN + TCP_FLAGS);
  if (payload < run.size || (flags & (PSH | FIN)) !== 0) run.isClosed = true;
}

/** Whether the checksum of the TCP segment at `at` is right (RFC 9293 §3.1). */
export function hasRightChecksum(buf: Uint8Array, at: number, len: number): boolean {
  return addOctets(pseudoSum(buf, at, len), buf, at + IPV4_HEADER_LEN, len - IPV4_HEADER_LEN) === ALL_ONES;
}

/**
 * Makes the headers of the first segment of a run, at `at`, those of the super-packet: its length `len`, the flags of the segment at
 * `last`, too; of the TCP checksum the sum of the pseudo-header.
 */
export function writeSuperHeaders(buf: Uint8Array, words: Int32Array, at: number, len: number, last: number): void {
  setU16(buf, at + 2, len);
  ipv4.setHeaderChecksum(buf, words, at);
  const flags = at + IPV4_HEADER_LEN + TCP_FLAGS;
  setU8(buf, flags, u8(buf, flags) | (u8(buf, last + IPV4_HEADER_LEN + TCP_FLAGS) & (PSH | FIN)));
  setU16(buf, at + IPV4_HEADER_LEN + TCP_CHECKSUM_OFFSET, pseudoSum(buf, at, len));
}

/** Octets of the headers of a segment. */
export function headersOf(buf: Uint8Array, at: number): number {
  return IPV4_HEADER_LEN + ((u8(buf, at + IPV4_HEADER_LEN + TCP_FLAGS - 1) >>> 4) << 2);
}

function sequenceOf(buf: Uint8Array, at: number): number {
  return (u16(buf, at + IPV4_HEADER_LEN + 4) << 16) | u16(buf, at + IPV4_HEADER_LEN + 6);
}

function pseudoSum(buf: Uint8Array, at: number, len: number): number {
  return fold(addOctets(0, buf, at + 12, 8) + ipv4.PROTOCOL_TCP + len - IPV4_HEADER_LEN);
}
