/** Counting packets by row and direction, and refused ones by the row of their gateway, as row-counters.ts has them. */

import {
  FOLLOWING,
  HAS_VIOLATORS,
  INSTANCES,
  LENGTHS,
  OTHER_ROWS,
  REFUSED,
  REFUSED_COUNT,
  ROWS,
  SOUGHT,
  TURN,
  VIOLATORS,
} from '../batch-layout.ts';
import {
  FROM_GATEWAY,
  REFUSED_OCTETS,
  REFUSED_SHIFT,
  REFUSED_SOURCE,
  REFUSED_TIME,
  ROW_INSTANCE_MASK,
  ROW_INSTANCE_SHIFT,
  ROW_NEXT,
  ROW_SHIFT,
  ROW_SOFTWIRE,
  TRAFFIC_SHIFT,
} from '../layout.ts';
import { OUTER_LEN, OUTER_SOURCE, SOURCE, swap } from './headers.ts';
import { loadFour } from './look-up.ts';
import {
  counting,
  entries,
  gatewayHeads,
  gatewayShift,
  high,
  isAlone,
  low,
  packetAt,
  refused,
  tableRows,
} from './places.ts';

/** In the two low words of a direction, the packets and their octets: the sign of either, which says that a half carries. */
const SIGNS: u64 = 0x8000000080000000;
const SIGN: u32 = 0x80000000;

/** Whether the rows of any instance are counted. */
export function countsAny(): bool {
  return counting !== 0 && load<u32>(counting) !== 0;
}

/** Whether those of an instance are. */
export function counts(instance: u32): bool {
  return load<u32>(counting + (instance << 2), 4) !== 0;
}

/** Octets from the words of a row to those of a direction. */
export function directionOf(version: u32): usize {
  return version === 4 ? 0 : FROM_GATEWAY * 4;
}

/** Counts packets of one instance and direction, from entry `from` up to `end`, by their rows. */
export function countForwarded(from: usize, end: usize, direction: usize): void {
  if (!isAlone) {
    for (let e = from; e < end; e += 4) addTraffic(load<u32>(e, ROWS), direction, 1, load<u32>(e, LENGTHS));
    return;
  }
  const words = low + direction;
  for (let e = from; e < end; e += 4) {
    const cell = words + (load<u32>(e, ROWS) << (TRAFFIC_SHIFT + 2));
    const sum = load<u64>(cell) + (((<u64>load<u32>(e, LENGTHS)) << 32) | 1);
    store<u64>(cell, sum);
    if ((sum & SIGNS) !== 0) carryAll(cell);
  }
}

/** Counts packets that were turned round for the gateways that they went to, which may belong to another instance. */
export function countTurned(from: usize, end: usize): void {
  for (let e = from; e < end; e += 4) {
    const other = load<u32>(e, OTHER_ROWS);
    if (counts(instanceOf(other))) addTraffic(other, 0, 1, load<u32>(e, LENGTHS));
  }
}

function instanceOf(row: u32): u32 {
  return (load<u32>(tableRows + (row << (ROW_SHIFT + 2)), ROW_SOFTWIRE * 4) >> ROW_INSTANCE_SHIFT) & ROW_INSTANCE_MASK;
}

/** Adds to what went to the gateway of a row, or, with the direction of IPv6, what came from it. */
export function addTraffic(row: u32, direction: usize, packets: u32, octets: u32): void {
  const cell = low + direction + (row << (TRAFFIC_SHIFT + 2));
  if (!isAlone) {
    addShared(cell, packets);
    addShared(cell + 4, octets);
    return;
  }
  store<u64>(cell, load<u64>(cell) + (((<u64>octets) << 32) | packets));
  carryAll(cell);
}

/** Carries where a sign is set. */
function carryAll(cell: usize): void {
  if (load<i32>(cell) < 0) carry(cell);
  if (load<i32>(cell, 4) < 0) carry(cell + 4);
}

/** A low word alone is still right with its sign set; then the high one is raised, then the sign is cleared. */
function carry(cell: usize): void {
  atomic.add<u32>(high + (cell - low), 1);
  atomic.and<u32>(cell, ~SIGN);
}

/** Signs are compared as bits: of what `atomic.add` gives, asc takes a comparison with 0 for settled. */
function addShared(cell: usize, amount: u32): void {
  const before = atomic.add<u32>(cell, amount);
  const after = before + amount;
  if (((before ^ after) & SIGN) === 0) return;
  // Whoever sets the sign carries; what others add meanwhile stays.
  if ((after & SIGN) !== 0) carry(cell);
  // So long meanwhile that the sign is gone by itself: the other half is carried here.
  else atomic.add<u32>(high + (cell - low), 1);
}

// Refused packets -------------------------------------------------------------------------------------------------------

/** Those of one gateway that follow each other, as in a flood, are added in one step. */
let violator: u32 = 0;
let violations: u32 = 0;
let violatingOctets: u32 = 0;

export function countRefused(from: usize, end: usize): void {
  for (let e = from; e < end; e += 4) {
    const row = load<u32>(e, VIOLATORS);
    if (row !== violator) {
      endRefused();
      violator = row;
    }
    violations++;
    violatingOctets += load<u32>(e, LENGTHS);
  }
}

export function endRefused(): void {
  addRefused(violator, violations, violatingOctets);
  violator = 0;
  violations = 0;
  violatingOctets = 0;
}

/** Nothing for row 0. */
export function addRefused(row: u32, packets: u32, octets: u32): void {
  if (row === 0) return;
  const word = refused + (row << (REFUSED_SHIFT + 2));
  add64(word, packets);
  add64(word + REFUSED_OCTETS * 4, octets);
}

/** Adds to both words in one step, so that no reader sees a low one that has carried beside a high one that has not. */
function add64(word: usize, amount: u32): void {
  if (isAlone) store<u64>(word, load<u64>(word) + amount);
  else atomic.add<u64>(word, amount);
}

/**
 * Notes in the batch, at place `note`, that packet `e` of an instance is refused, `hash` that of its outer source, and where the search for
 * its gateway begins. That word is not read yet: between all else that is asked of packets, one would wait for it after the other.
 */
export function refuse(note: usize, e: usize, instance: u32, hash: u32): void {
  store<u32>(note, <u32>(e - entries), REFUSED);
  store<u32>(note, ((hash ^ instance) * 0x9e3779b1) >> gatewayShift, SOUGHT);
}

/** Place of the next note. */
export function nextNote(): usize {
  return entries + (load<u32>(entries, REFUSED_COUNT) << 2);
}

/** Notes go up to this place. */
export function endNotes(end: usize): void {
  store<u32>(entries, <u32>(end - entries) >> 2, REFUSED_COUNT);
}

/**
 * Finds the gateways of the packets that are noted, and writes what their last inner source is, and that it came at the moment
 * `tenths`; one worker alone counts them there, too.
 *
 *   1. first row of the chain of each packet    2. the row behind that    3. what is behind that, which brings it into the cache
 *   4. the row of the gateway    5. counts of it, which brings them into the cache    6. what is written
 *
 * As in look-up.ts, what waits for memory has no branch that depends on a packet, so that it is waited for together, and up to three
 * notes behind the last one are gone through as well: those lead to the first chain.
 */
export function noteRefused(tenths: u32): void {
  const end = nextNote();
  v128.store(end, i64x2.splat(0), SOUGHT);
  readAll(end, SOUGHT, gatewayHeads, 2, SOUGHT);
  readAll(end, SOUGHT, tableRows + ROW_NEXT * 4, ROW_SHIFT + 2, FOLLOWING);
  readAll(end, FOLLOWING, tableRows + ROW_NEXT * 4, ROW_SHIFT + 2, FOLLOWING);
  findGateways(end);
  readAll(end, SOUGHT, refused, REFUSED_SHIFT + 2, FOLLOWING);
  for (let i = entries; i < end; i += 4) {
    const row = load<u32>(i, SOUGHT);
    if (row !== 0) noteViolation(entries + load<u32>(i, REFUSED), row, tenths);
  }
  endNotes(entries);
}

/** From numbers of words that stand `1 << shift` octets apart to the words, of each note. */
function readAll(end: usize, numbers: usize, words: usize, shift: i32, to: usize): void {
  const wordsAt = i32x4.splat(<i32>words);
  for (let i = entries; i < end; i += TURN) {
    v128.store(i + to, loadFour(i32x4.add(wordsAt, i32x4.shl(v128.load(i + numbers), shift))));
  }
}

function findGateways(end: usize): void {
  for (let i = entries; i < end; i += 4) {
    const e = entries + load<u32>(i, REFUSED);
    store<u32>(i, gatewayFrom(load<u32>(i, SOUGHT), load<u32>(e, INSTANCES), packetAt(e) + OUTER_SOURCE), SOUGHT);
  }
}

/** The gateway of `row` has sent packet `e`, whose inner header is right behind the outer one. */
function noteViolation(e: usize, row: u32, tenths: u32): void {
  const word = refused + (row << (REFUSED_SHIFT + 2));
  store<u32>(word, swap(load<u32>(packetAt(e), <usize>OUTER_LEN + SOURCE)), REFUSED_SOURCE * 4);
  store<u32>(word, tenths, REFUSED_TIME * 4);
  if (isAlone) addRefused(row, 1, load<u32>(e, LENGTHS));
  else noteViolator(e, row);
}

/** Of several workers each counts with the batch: packets of one gateway that follow each other are added in one step. */
function noteViolator(e: usize, row: u32): void {
  store<u32>(e, row, VIOLATORS);
  store<u32>(entries, 1, HAS_VIOLATORS);
}

/** From a row of a chain on, the one that stands for the gateway of an instance with the 16 octets at `address`; 0 for none. */
function gatewayFrom(first: u32, instance: u32, address: usize): u32 {
  const wanted = v128.load(address);
  let row = first;
  while (row !== 0 && (instanceOf(row) !== instance || !isSame(wanted, tableRows + (row << (ROW_SHIFT + 2))))) {
    row = load<u32>(tableRows + (row << (ROW_SHIFT + 2)), ROW_NEXT * 4);
  }
  return row;
}

function isSame(address: v128, row: usize): bool {
  return !v128.any_true(v128.xor(address, v128.load(row)));
}
