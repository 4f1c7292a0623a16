/**
 * Counting packets by instance, side and verdict: packets and octets of 64 bits each, as counters.ts has them; and by their rows, where
 * these are counted.
 */

import { FORWARDED, HAS_VIOLATORS, INSTANCES, LENGTHS, SIDES, VERDICTS } from '../batch-layout.ts';
import { cells, entries, hairpinned, sequence, sideOctets, sourceMismatch, unboundSource } from './places.ts';
import { countForwarded, countRefused, counts, countsAny, countTurned, directionOf, endRefused } from './row-counts.ts';

/** Octets of the two counts of a verdict. */
const CELL: u32 = 16;

/** Counts packets `from` to `to`, the last one left out. Those that end alike in a row are added in one step. */
export function count(from: u32, to: u32): void {
  const end = entries + (to << 2);
  const hasRows = countsAny();
  for (let e = entries + (from << 2); e < end; ) {
    const instance = load<u32>(e, INSTANCES);
    const side = load<u32>(e, SIDES);
    const verdict = load<u32>(e, VERDICTS);
    const start = e;
    let octets: u32 = 0;
    do {
      octets += load<u32>(e, LENGTHS);
      e += 4;
    } while (
      e < end &&
      load<u32>(e, INSTANCES) === instance &&
      load<u32>(e, SIDES) === side &&
      load<u32>(e, VERDICTS) === verdict
    );
    add(instance, side, verdict, <u32>(e - start) >> 2, octets);
    if (hasRows) countRows(start, e, instance, side, verdict);
  }
  if (hasRows) endRefused();
}

/** Of packets that end alike. */
function countRows(from: usize, end: usize, instance: u32, version: u32, verdict: u32): void {
  if (verdict <= hairpinned) {
    if (verdict !== FORWARDED) countTurned(from, end);
    if (counts(instance)) countForwarded(from, end, directionOf(version));
  } else if (load<u32>(entries, HAS_VIOLATORS) !== 0 && (verdict === sourceMismatch || verdict === unboundSource)) {
    countRefused(from, end);
  }
}

/** Of a side as a batch has it: what is no IPv4 counts as IPv6. */
function add(instance: u32, version: u32, verdict: u32, packets: u32, octets: u32): void {
  const side = (instance << 1) + u32(version !== 4);
  const cell = cells + side * sideOctets + verdict * CELL;
  add64(cell, packets);
  add64(cell + 8, octets);
}

/** A reader that sees the sequence word odd, or another one, reads again. */
function add64(cell: usize, amount: u32): void {
  const low = load<u32>(cell) + amount;
  if (low >= amount) {
    store<u32>(cell, low);
    return;
  }
  atomic.add<u32>(sequence, 1);
  atomic.store<u32>(cell, low);
  atomic.add<u32>(cell + 4, 1);
  atomic.add<u32>(sequence, 1);
}
