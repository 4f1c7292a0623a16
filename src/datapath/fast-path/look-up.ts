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

import { AT, KEYS, OTHER_KEYS, OTHER_ROWS, ROWS, SIDES, SOFTWIRES } from '../batch-layout.ts';
import { BLOCK_SHIFT, ROW_SHIFT, ROW_SOFTWIRE, SOFTWIRE_MASK } from '../layout.ts';
import {
  blocks,
  entries,
  first,
  keyOfIpv4,
  keyOfIpv6,
  otherMask,
  otherOfIpv4,
  otherOfIpv6,
  slab,
  tableRows,
} from './places.ts';

/**
 * Leaves the side, the rows and the softwire of each of `count` packets. Below 0 when a row is that of a shared address. What a
 * malformed packet leads to here is never used: fast and slow path check before they trust a row.
 */
export function lookUp(count: u32): i32 {
  const end = entries + (count << 2);
  const leads = readAddresses(end);
  if ((leads & 2) !== 0) lookUpOther(end);
  else memory.fill(entries + OTHER_ROWS, 0, count << 2);
  if ((leads & 1) !== 0 && followBlocks(entries, end, 26) < 0) followBlocks(entries, end, 22);
  return readRows(end);
}

/** Bit 0: a word of the /24s leads to a block. Bit 1: some packet has another address to look up. */
function readAddresses(end: usize): u32 {
  // A global is read again at each access, a local is not.
  const packets = slab;
  const firstAt = first;
  const key4 = keyOfIpv4;
  const key6: u32 = <u32>(keyOfIpv6 - key4);
  const other4 = otherOfIpv4;
  const other6: u32 = <u32>(otherOfIpv6 - other4);
  const mask4 = otherMask;
  let words: i32 = 0;
  let others: u32 = 0;
  for (let e = entries; e < end; e += 4) {
    const packet = packets + load<u32>(e, AT);
    const side: u32 = load<u8>(packet) >> 4;
    store<u32>(e, side, SIDES);
    // All ones for what does not come from IPv4.
    const isOuter = -u32(side !== 4);
    const key = load<u32>(packet + key4 + <usize>(isOuter & key6));
    const other = load<u32>(packet + other4 + <usize>(isOuter & other6)) & (isOuter | mask4);
    store<u32>(e, key, KEYS);
    store<u32>(e, other, OTHER_KEYS);
    others |= other;
    const word = load<i32>(firstAt + slash24Of(key));
    store<i32>(e, word, ROWS);
    words |= word;
  }
  return (words < 0 ? 1 : 0) | (others !== 0 ? 2 : 0);
}

/** The other addresses, as the first ones. */
function lookUpOther(end: usize): void {
  const firstAt = first;
  let words: i32 = 0;
  for (let e = entries; e < end; e += 4) {
    const word = load<i32>(firstAt + slash24Of(load<u32>(e, OTHER_KEYS)));
    store<i32>(e, word, OTHER_ROWS);
    words |= word;
  }
  const beyond: usize = OTHER_KEYS - KEYS;
  if (words < 0 && followBlocks(entries + beyond, end + beyond, 26) < 0)
    followBlocks(entries + beyond, end + beyond, 22);
}

/**
 * From words that lead to a block to those of it that four bits of the address name, which begin two bits above `shift`. Below 0
 * when one of these leads to a block. KEYS and ROWS are as far apart as OTHER_KEYS and OTHER_ROWS.
 */
function followBlocks(from: usize, end: usize, shift: u32): i32 {
  const blocksAt = blocks;
  let words: i32 = 0;
  for (let e = from; e < end; e += 4) {
    const known = load<i32>(e, ROWS);
    const next = blocksAt - ((<usize>known) << (BLOCK_SHIFT + 2)) + ((load<u32>(e, KEYS) >> shift) & 60);
    // What leads to no block is read again where it is.
    const word = load<i32>(select<usize>(next, e + ROWS, known < 0));
    store<i32>(e, word, ROWS);
    words |= word;
  }
  return words;
}

/** Below 0 when one of the rows is that of a shared address (SHARED_FLAG is the sign). */
function readRows(end: usize): i32 {
  const table = tableRows;
  let words: i32 = 0;
  for (let e = entries; e < end; e += 4) {
    const word = load<i32>(table + (load<u32>(e, ROWS) << (ROW_SHIFT + 2)), ROW_SOFTWIRE * 4);
    store<i32>(e, word & SOFTWIRE_MASK, SOFTWIRES);
    words |= word;
  }
  return words;
}

/** Octets from the first level to the word of the /24 of an address, which is a word of a packet. */
function slash24Of(key: u32): usize {
  return ((key & 0xff) << 18) | ((key & 0xff00) << 2) | ((key >> 14) & 0x3fc);
}
