/**
 * The table looked up for a whole batch in stages, so that cache misses of different packets overlap: a stage goes over all
 * packets with as little as it can, and what it waits for is waited for together.
 *
 *   1. side and addresses of each packet, and words of the /24s    2. words of the /28s
 *   3. words of the addresses, each only where the word before leads to a block    4. softwires of the rows, which brings the
 *   rows into the cache
 *
 * The processor looks some hundred instructions ahead: the fewer a packet takes, the more of them are waited for together.
 * So stages have no branch that depends on a packet.
 */

import { BLOCK_SHIFT, ROW_SHIFT, ROW_SOFTWIRE, SOFTWIRE_MASK } from '../layout.ts';
import {
  at,
  blocks,
  first,
  keyOfIpv4,
  keyOfIpv6,
  keys,
  otherKeys,
  otherMask,
  otherOfIpv4,
  otherOfIpv6,
  otherRows,
  rows,
  sides,
  slab,
  softwires,
  tableRows,
} from './places.ts';

/**
 * Leaves the side, the rows and the softwire of each of `count` packets. Below 0 when a row is that of a shared address. What a
 * malformed packet leads to here is never used: fast and slow path check before they trust a row.
 */
export function lookUp(count: u32): i32 {
  const end = count << 2;
  const leads = readAddresses(end);
  if (leads & 2) followOther(end);
  else memory.fill(otherRows, 0, end);
  if (leads & 1) follow(keys, rows, end);
  return readRows(end);
}

/** Bit 0: a word of the /24s leads to a block. Bit 1: some packet has another address to look up. */
function readAddresses(end: usize): u32 {
  let words: i32 = 0;
  let others: u32 = 0;
  for (let k: usize = 0; k < end; k += 4) {
    const packet = slab + load<u32>(at + k);
    const side = load<u8>(packet) >> 4;
    const isIpv4 = side === 4;
    store<u8>(sides + (k >> 2), side);
    const key = load<u32>(packet + select(keyOfIpv4, keyOfIpv6, isIpv4));
    const other = load<u32>(packet + select(otherOfIpv4, otherOfIpv6, isIpv4)) & select(otherMask, -1, isIpv4);
    store<u32>(keys + k, key);
    store<u32>(otherKeys + k, other);
    others |= other;
    const word = load<i32>(first + slash24Of(key));
    store<i32>(rows + k, word);
    words |= word;
  }
  return (words < 0 ? 1 : 0) | (others !== 0 ? 2 : 0);
}

function followOther(end: usize): void {
  let words: i32 = 0;
  for (let k: usize = 0; k < end; k += 4) {
    const word = load<i32>(first + slash24Of(load<u32>(otherKeys + k)));
    store<i32>(otherRows + k, word);
    words |= word;
  }
  if (words < 0) follow(otherKeys, otherRows, end);
}

/** From words that lead to blocks to rows. */
function follow(from: usize, to: usize, end: usize): void {
  if (followBlocks(from, to, end, 28) < 0) followBlocks(from, to, end, 24);
}

/**
 * From words that lead to a block to those of it that four bits of the address name, which begin at `shift`. Below 0 when
 * one of these leads to a block.
 */
function followBlocks(from: usize, to: usize, end: usize, shift: u32): i32 {
  let words: i32 = 0;
  for (let k: usize = 0; k < end; k += 4) {
    const known = load<i32>(to + k);
    const next = blocks + ((<usize>-known) << (BLOCK_SHIFT + 2)) + (((load<u32>(from + k) >> shift) & 15) << 2);
    // What leads to no block is read again where it is.
    const word = load<i32>(select(next, to + k, known < 0));
    store<i32>(to + k, word);
    words |= word;
  }
  return words;
}

/** Below 0 when one of the rows is that of a shared address (SHARED_FLAG is the sign). */
function readRows(end: usize): i32 {
  let words: i32 = 0;
  for (let k: usize = 0; k < end; k += 4) {
    const word = load<i32>(tableRows + (load<u32>(rows + k) << (ROW_SHIFT + 2)), ROW_SOFTWIRE * 4);
    store<i32>(softwires + k, word & SOFTWIRE_MASK);
    words |= word;
  }
  return words;
}

/** Octets from the first level to the word of the /24 of an address, which is a word of a packet. */
function slash24Of(key: u32): usize {
  return ((key & 0xff) << 18) | ((key & 0xff00) << 2) | ((key >> 14) & 0x3fc);
}
