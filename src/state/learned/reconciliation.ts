/**
 * What a commit of running takes from the operational tables, in its own transaction: an operator's word goes before what was
 * learned, and no moment has both. What it allows again is judged afterwards (route-table.ts).
 */

import type { Ipv4Prefix } from '../../address.ts';
import { ipv4Mask, liesIn, sameIpv6 } from '../../address.ts';
import type { Aftr, Softwire } from '../model.generated.ts';
import type { RowOverlay } from '../overlay.ts';
import { OverlaidRows } from '../overlay.ts';
import type { RowChanges } from '../row-changes.ts';
import { inSlices } from '../row-changes.ts';
import type { RowSource } from '../rows.ts';
import { prefixNumber } from '../rows.ts';
import type { Snapshot } from '../snapshot.ts';
import { aftrOfTable, gatewayOfAftrTable, gatewayOfTable, isInformed, isOperational, learnedTable } from './tables.ts';
import { refusalOf } from './trust.ts';

/** More changed rows are not looked at one by one: all that is learned is. */
const LOOKED_ROWS = 1_000;

/** What a commit does, before it is written. */
export interface Reconciled {
  readonly after: Softwire;
  readonly treeChanged: boolean;
  readonly rows: RowChanges;
  readonly base: Snapshot;
}

/** Puts what goes into the overlay of the commit; whether there is any. */
export async function reconcile(commit: Reconciled, overlay: RowOverlay): Promise<boolean> {
  let hasGone = false;
  for (const [table, { rows }] of commit.base.head?.tables ?? []) {
    if (rows === 0 || !isOperational(table)) continue;
    const aftr = commit.after.aftr.find(({ name }) => name === aftrOfTable(table));
    const gateway = commit.after.gateway.find(({ name }) => name === gatewayOfTable(table));
    const learning = commit.after.gateway.find(({ name }) => name === gatewayOfAftrTable(table));
    if (aftr) hasGone = (await reconcileAftr(commit, aftr, overlay)) || hasGone;
    else if (!(gateway && isInformed(gateway)) && learning?.aftrFromDhcpv6 === undefined) {
      overlay.clear(table);
      hasGone = true;
    }
  }
  return hasGone;
}

async function reconcileAftr(commit: Reconciled, aftr: Aftr, overlay: RowOverlay): Promise<boolean> {
  const { base, rows, treeChanged } = commit;
  const table = learnedTable(aftr.name);
  const { added = 0, changed = 0 } = rows.tallies.get(aftr.name) ?? {};
  if (!treeChanged && added + changed === 0) return false;
  const after = new OverlaidRows(base, overlay);
  const isWide = treeChanged || added + changed > LOOKED_ROWS;
  const numbers = isWide ? allNumbers(base, table) : overlapping(base, table, rows, aftr.name);
  const counts = new Map<string, number>();
  const bound = base.count(aftr.name) + rows.growth(aftr.name);
  let room = (aftr.softwireNumMax ?? Number.POSITIVE_INFINITY) - bound;
  if (!isWide) room -= base.count(table) - numbers.length;
  const gone: number[] = [];
  await inSlices(numbers, (number) => {
    const binding = base.binding(table, Math.floor(number / 64), number % 64);
    if (!binding) return;
    const source = aftr.routeSource.find((item) => sameIpv6(item.gatewayIpv6Address, binding.gatewayIpv6Address));
    const count = source ? (counts.get(source.name) ?? 0) + 1 : 0;
    const isTooMany = room < 1 || (isWide && count > (source?.maximumRoutes ?? 0));
    const isStatic = bound > 0 && after.sealed(aftr.name, number) !== undefined;
    if (!source || isTooMany || isStatic || refusalOf(aftr, source, binding, after, bound > 0))
      return void gone.push(number);
    counts.set(source.name, count);
    room--;
  });
  for (const number of gone) overlay.deleteNumber(table, number);
  return gone.length > 0;
}

function allNumbers(base: RowSource, table: string): number[] {
  return Array.from(base.sealedRows(table), ({ number }) => number);
}

/** The rows of a table that overlap a changed row of another one. */
function overlapping(base: RowSource, table: string, rows: RowChanges, changed: string): number[] {
  const found = new Set<number>();
  for (const number of rows.numbers(changed)) {
    const prefix = { address: Math.floor(number / 64), length: number % 64 };
    for (let length = 0; length < prefix.length; length++) {
      const holder = prefixNumber((prefix.address & ipv4Mask(length)) >>> 0, length);
      if (base.sealed(table, holder)) found.add(holder);
    }
    for (const { number: inner } of base.sealedRows(table, number)) {
      if (!liesIn(prefixOf(inner), prefix)) break;
      found.add(inner);
    }
  }
  return [...found].sort((a, b) => a - b);
}

/** The prefix of a number (see `prefixNumber`). */
export function prefixOf(number: number): Ipv4Prefix {
  return { address: Math.floor(number / 64), length: number % 64 };
}
