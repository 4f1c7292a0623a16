/**
 * The table looked up for a whole batch in stages, so that cache misses of different packets overlap: a stage goes over all
 * packets with as little as it can, and what it waits for is waited for together.
 *
 *   1. side and addresses of each packet    2. words of the /24s
 *   3. words of the /28s    4. words of the addresses, each only where the word before leads to a block
 *   5. softwires of the rows, which brings the rows into the cache
 *
 * The processor looks some hundred instructions ahead: the fewer a packet takes, the more of them are waited for together.
 * So stages have no branch that depends on a packet.
 */

import { AT, KEYS, OTHER_KEYS, OTHER_ROWS, ROWS, SIDES, SOFTWIRES, TURN } from '../batch-layout.ts';
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

/** Whether the row of a packet of the batch is that of a shared address. */
export let hasShared: bool = false;

/**
 * Leaves the side, the rows and the softwire of each of `count` packets. Below 0 when a row is that of a shared address. What a
 * malformed packet leads to here is never used: fast and slow path check before they trust a row.
 */
export function lookUp(count: u32): i32 {
  const end = entries + (count << 2);
  const beyond: usize = OTHER_KEYS - KEYS;
  const others = readAddresses(end);
  endTurn(end);
  follow(entries, end);
  if (others !== 0) follow(entries + beyond, end + beyond);
  else memory.fill(entries + OTHER_ROWS, 0, count << 2);
  const words = readRows(end);
  hasShared = words < 0;
  return words;
}

/** Whether an address of a packet has a row: the longest prefix that holds it. */
export function hasRow(key: u32): bool {
  let word = load<i32>(first + slash24Of(key));
  if (word < 0) word = load<i32>(blocks - ((<usize>word) << (BLOCK_SHIFT + 2)) + ((key >> 26) & 60));
  if (word < 0) word = load<i32>(blocks - ((<usize>word) << (BLOCK_SHIFT + 2)) + ((key >> 22) & 60));
  return word !== 0;
}

/** Sides and addresses, and in place of rows where the words of /24s are. 0 when no packet has another address to look up. */
function readAddresses(end: usize): u32 {
  // A global is read again at each access, a local is not.
  const packets = slab;
  const key4 = keyOfIpv4;
  const key6: u32 = <u32>(keyOfIpv6 - key4);
  const other4 = otherOfIpv4;
  const other6: u32 = <u32>(otherOfIpv6 - other4);
  const mask4 = otherMask;
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
    store<u32>(e, slash24Of(key), ROWS);
    store<u32>(e, slash24Of(other), OTHER_ROWS);
    store<u32>(e, other, OTHER_KEYS);
    others |= other;
  }
  return others;
}

/** What an earlier batch left behind the last packet are rows, which say nothing of where words are: makes them lead to the first /24. */
function endTurn(end: usize): void {
  v128.store(end, i64x2.splat(0), ROWS);
  v128.store(end, i64x2.splat(0), OTHER_ROWS);
}

/** From addresses and where the words of /24s are to rows. KEYS and ROWS are as far apart as OTHER_KEYS and OTHER_ROWS. */
function follow(from: usize, end: usize): void {
  if (readFirst(from, end) < 0 && followBlocks(from, end, 26) < 0) followBlocks(from, end, 22);
}

/** Below 0 when one of the words leads to a block. */
function readFirst(from: usize, end: usize): i32 {
  const firstAt = first;
  let words: i32 = 0;
  for (let e = from; e < end; e += TURN) {
    words |= readSlash24(firstAt, e);
    words |= readSlash24(firstAt, e + 4);
    words |= readSlash24(firstAt, e + 8);
    words |= readSlash24(firstAt, e + 12);
  }
  return words;
}

function readSlash24(firstAt: usize, e: usize): i32 {
  const word = load<i32>(firstAt + load<u32>(e, ROWS));
  store<i32>(e, word, ROWS);
  return word;
}

/**
 * From words that lead to a block to those of it that four bits of the address name, which begin two bits above `shift`. Below 0
 * when one of these leads to a block.
 */
function followBlocks(from: usize, end: usize, shift: u32): i32 {
  const blocksAt = blocks;
  let words: i32 = 0;
  for (let e = from; e < end; e += TURN) {
    words |= followBlock(blocksAt, e, shift);
    words |= followBlock(blocksAt, e + 4, shift);
    words |= followBlock(blocksAt, e + 8, shift);
    words |= followBlock(blocksAt, e + 12, shift);
  }
  return words;
}

function followBlock(blocksAt: usize, e: usize, shift: u32): i32 {
  const known = load<i32>(e, ROWS);
  const next = blocksAt - ((<usize>known) << (BLOCK_SHIFT + 2)) + ((load<u32>(e, KEYS) >> shift) & 60);
  // What leads to no block is read again where it is.
  const word = load<i32>(select<usize>(next, e + ROWS, known < 0));
  store<i32>(e, word, ROWS);
  return word;
}

/** Below 0 when one of the rows is that of a shared address (SHARED_FLAG is the sign). */
function readRows(end: usize): i32 {
  const table = tableRows;
  let words: i32 = 0;
  for (let e = entries; e < end; e += TURN) {
    words |= readRow(table, e);
    words |= readRow(table, e + 4);
    words |= readRow(table, e + 8);
    words |= readRow(table, e + 12);
  }
  return words;
}

function readRow(table: usize, e: usize): i32 {
  const word = load<i32>(table + (load<u32>(e, ROWS) << (ROW_SHIFT + 2)), ROW_SOFTWIRE * 4);
  store<i32>(e, word & SOFTWIRE_MASK, SOFTWIRES);
  return word;
}

/** Octets from the first level to the word of the /24 of an address, which is a word of a packet. */
function slash24Of(key: u32): usize {
  return ((key & 0xff) << 18) | ((key & 0xff00) << 2) | ((key >> 14) & 0x3fc);
}
