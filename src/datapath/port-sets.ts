/**
 * From a port of a shared address to the row of its port set, as workers read it. The sets of an address are a tree of
 * blocks, four bits of the PSID a level from its highest ones, so that a few sets of a long PSID cost little.
 */

import { NO_PSID, psidOf } from '../state/psid.ts';
import {
  BLOCK_SHIFT,
  BLOCK_WORDS,
  ROW_PORT_SETS,
  ROW_PSID_BITS,
  ROW_SHIFT,
  ROW_SOFTWIRE,
  SHARED_FLAG,
} from './layout.ts';
import type { TableReader } from './table.ts';

/** Bits of the PSID that one block resolves. */
export const PSID_LEVEL_BITS = BLOCK_SHIFT;
const LEVEL_MASK = BLOCK_WORDS - 1;

/** Whether a row leads to port sets. */
export function isShared(table: Pick<TableReader, 'rows'>, row: number): boolean {
  return ((table.rows[(row << ROW_SHIFT) + ROW_SOFTWIRE] ?? 0) & SHARED_FLAG) !== 0;
}

/** Levels of the tree over PSIDs of `psidLength` bits; 0 when there is one set. */
export function psidLevels(psidLength: number): number {
  return Math.ceil(psidLength / PSID_LEVEL_BITS);
}

/** The row of the port set that holds `port` (0 to 65,535) of the shared address of row `shared`; 0 when none does. */
export function portSetRow(table: Pick<TableReader, 'rows' | 'blocks'>, shared: number, port: number): number {
  const { rows, blocks } = table;
  const word = shared << ROW_SHIFT;
  const bits = rows[word + ROW_PSID_BITS] ?? 0;
  const psidLength = bits >>> 8;
  const psid = psidOf(port, bits & 0xff, psidLength);
  if (psid === NO_PSID) return 0;
  let found = rows[word + ROW_PORT_SETS] ?? 0;
  for (let bit = ((psidLength + 3) >> 2) << 2; bit > 0 && found !== 0; ) {
    bit -= PSID_LEVEL_BITS;
    found = blocks[(found << BLOCK_SHIFT) + ((psid >>> bit) & LEVEL_MASK)] ?? 0;
  }
  return found;
}
