/**
 * The table looked up for a whole batch in stages, so that cache misses of different packets overlap: a stage goes over all
 * packets with as little as it can, and what it waits for is waited for together.
 *
 *   1. side and addresses of each packet    2. words of the /24s
 *   3. words of the /28s    4. words of the addresses, each only where the word before leads to a block
 *   5. softwires of the rows, which brings the rows into the cache
 *
 * The processor looks some hundred instructions ahead: the fewer a packet takes, the more of them are waited for together.
 * So stages have no branch that depends on a packet, and reckon four places at a time in vectors.
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

/** Sides and addresses. 0 when no packet has another address to look up. */
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
    store<u32>(e, load<u32>(packet + key4 + <usize>(isOuter & key6)), KEYS);
    const other = load<u32>(packet + other4 + <usize>(isOuter & other6)) & (isOuter | mask4);
    store<u32>(e, other, OTHER_KEYS);
    others |= other;
  }
  return others;
}

/** What an earlier batch left behind the last packet leads to the first /24, so that no packet of it has a say. */
function endTurn(end: usize): void {
  v128.store(end, i64x2.splat(0), KEYS);
  v128.store(end, i64x2.splat(0), OTHER_KEYS);
}

/** From addresses to rows. KEYS and ROWS are as far apart as OTHER_KEYS and OTHER_ROWS. */
function follow(from: usize, end: usize): void {
  if (readFirst(from, end) < 0 && followBlocks(from, end, 26) < 0) followBlocks(from, end, 22);
}

/** Below 0 when one of the words leads to a block. */
function readFirst(from: usize, end: usize): i32 {
  const firstAt = i32x4.splat(<i32>first);
  let words = i32x4.splat(0);
  for (let e = from; e < end; e += TURN) {
    const found = loadFour(i32x4.add(firstAt, slash24s(v128.load(e, KEYS))));
    v128.store(e, found, ROWS);
    words = v128.or(words, found);
  }
  return i32x4.bitmask(words) === 0 ? 0 : -1;
}

/**
 * From words that lead to a block to those of it that four bits of the address name, which begin two bits above `shift`. Below 0
 * when one of these leads to a block.
 */
function followBlocks(from: usize, end: usize, shift: i32): i32 {
  const blocksAt = i32x4.splat(<i32>blocks);
  const own = i32x4.add(i32x4.splat(ROWS), i32x4(0, 4, 8, 12));
  const bits = i32x4.splat(60);
  let words = i32x4.splat(0);
  for (let e = from; e < end; e += TURN) {
    const known = v128.load(e, ROWS);
    const inBlock = v128.and(i32x4.shr_u(v128.load(e, KEYS), shift), bits);
    const next = i32x4.add(i32x4.sub(blocksAt, i32x4.shl(known, BLOCK_SHIFT + 2)), inBlock);
    // What leads to no block is read again where it is.
    const here = i32x4.add(own, i32x4.splat(<i32>e));
    const found = loadFour(v128.bitselect(next, here, i32x4.shr_s(known, 31)));
    v128.store(e, found, ROWS);
    words = v128.or(words, found);
  }
  return i32x4.bitmask(words) === 0 ? 0 : -1;
}

/** Below 0 when one of the rows is that of a shared address (SHARED_FLAG is the sign). */
function readRows(end: usize): i32 {
  const table = i32x4.splat(<i32>tableRows + ROW_SOFTWIRE * 4);
  const mask = i32x4.splat(SOFTWIRE_MASK);
  let words = i32x4.splat(0);
  for (let e = entries; e < end; e += TURN) {
    const found = loadFour(i32x4.add(table, i32x4.shl(v128.load(e, ROWS), ROW_SHIFT + 2)));
    v128.store(e, v128.and(found, mask), SOFTWIRES);
    words = v128.or(words, found);
  }
  return i32x4.bitmask(words) === 0 ? 0 : -1;
}

/** The words at four places. */
export function loadFour(places: v128): v128 {
  let found = v128.load_zero<u32>(<usize>(<u32>i32x4.extract_lane(places, 0)));
  found = v128.load_lane<u32>(<usize>(<u32>i32x4.extract_lane(places, 1)), found, 1);
  found = v128.load_lane<u32>(<usize>(<u32>i32x4.extract_lane(places, 2)), found, 2);
  return v128.load_lane<u32>(<usize>(<u32>i32x4.extract_lane(places, 3)), found, 3);
}

/** Of four addresses, which are words of packets, each: octets from the first level to the word of its /24. */
function slash24s(keys: v128): v128 {
  return i32x4.shl(i8x16.swizzle(keys, i8x16(2, 1, 0, -1, 6, 5, 4, -1, 10, 9, 8, -1, 14, 13, 12, -1)), 2);
}

/** Octets from the first level to the word of the /24 of an address, which is a word of a packet. */
function slash24Of(key: u32): usize {
  return ((key & 0xff) << 18) | ((key & 0xff00) << 2) | ((key >> 14) & 0x3fc);
}
