/**
 * The writer of a gateway role's rows. Two gateways of one device may serve the same addresses, by prefixes that both learned: what
 * comes through either is taken, and what leaves goes through one of them. So the longest match of each gateway has to be found:
 *
 *     table -> row of the gateway that packets leave through -> rows of others for that prefix -> those of the prefix around it ...
 *                                                        ROW_OTHER leads on; 0 ends it
 *
 * What leaves goes by the longest prefix; of the gateways that serve it, by the first one that is wanted. ROW_OTHER of row 0, which is none, says whether any row has another: as long as none has,
 * that word is all that a batch asks. Workers read meanwhile, so a row is whole before a link leads to it, and is given back
 * when none does.
 */

import type { Ipv4Prefix } from '../address.ts';
import { inIpv4Prefix } from '../address.ts';
import { prefixNumber } from '../state/rows.ts';
import { ROW_OTHER, ROW_SHIFT } from './layout.ts';
import type { Table, Target, WantedRow } from './table.ts';

/** A prefix with the gateways that serve it, the one that packets leave through first. */
interface Served {
  readonly prefix: Ipv4Prefix;
  readonly targets: Target[];
}

/** Prefixes written in one piece before others get the control thread. */
const SLICE = 5_000;

export class ServedPrefixes {
  readonly #table: Table;
  /** Rows that the table does not lead to, by the number of their prefix, in the order of their gateways. */
  readonly #others = new Map<number, readonly number[]>();
  /** Rows that links may still lead to. */
  #replaced: number[] = [];

  constructor(table: Table) {
    this.#table = table;
  }

  /** Makes the rows exactly those wanted, of each prefix the first one that packets leave through; how many prefixes found no room. `pause` is awaited between slices. */
  async synchronize(wanted: Iterable<WantedRow>, pause: () => Promise<void>): Promise<number> {
    const { served, refused, isShared } = gathered(wanted, this.#table.capacity);
    if (isShared) this.#setOther(0, 1);
    let full = 0;
    await inSlices(served, pause, (one) => {
      if (!this.#putFirst(one)) full++;
    });
    await inSlices(served, pause, (one) => this.#putOthers(one));
    await this.#link(served, isShared, pause);
    const numbers = new Set(served.map(numberOf));
    for (const [number, rows] of this.#others) {
      if (numbers.has(number)) continue;
      this.#others.delete(number);
      this.#replaced.push(...rows);
    }
    await inSlices(this.#table.rowsInUse(), pause, (row) => {
      const { address, length } = this.#table.prefixOf(row);
      if (!numbers.has(prefixNumber(address, length))) this.#table.remove(address, length);
    });
    for (const row of this.#replaced.splice(0)) this.#table.retireRow(row);
    return refused + full;
  }

  /** The row that the table leads to, which has all other ways in from the first moment. */
  #putFirst({ prefix: { address, length }, targets: [target] }: Served): boolean {
    const table = this.#table;
    const old = table.find(address, length);
    if (!target || (old !== 0 && table.leadsTo(old, target))) return true;
    if (old === 0 && table.size >= table.capacity) return false;
    const row = table.writeRow(address, length, target);
    this.#setOther(row, this.#hasOthers ? old || table.covering(address, length) : 0);
    table.swap(row, address, length);
    if (old !== 0) this.#replaced.push(old);
    return true;
  }

  #putOthers(one: Served): void {
    const table = this.#table;
    const { address, length } = one.prefix;
    const number = numberOf(one);
    const before = this.#others.get(number) ?? [];
    const after = one.targets.slice(1).map((target) => {
      const known = before.find((row) => table.leadsTo(row, target));
      if (known !== undefined) return known;
      const row = table.writeRow(address, length, target);
      this.#setOther(row, 0);
      return row;
    });
    this.#replaced.push(...before.filter((row) => !after.includes(row)));
    if (after.length > 0) this.#others.set(number, after);
    else this.#others.delete(number);
  }

  /** Links the rows of each prefix, and these to those of the nearest prefix around it. */
  async #link(served: readonly Served[], isShared: boolean, pause: () => Promise<void>): Promise<void> {
    if (!this.#hasOthers) return;
    const around: { readonly prefix: Ipv4Prefix; readonly row: number }[] = [];
    const inOrder = served.toSorted((a, b) => numberOf(a) - numberOf(b));
    await inSlices(inOrder, pause, (one) => {
      const { prefix } = one;
      const first = this.#table.find(prefix.address, prefix.length);
      if (first === 0) return;
      let last = around.at(-1);
      while (last && !inIpv4Prefix(prefix.address, last.prefix)) {
        around.pop();
        last = around.at(-1);
      }
      const rows = [first, ...(this.#others.get(numberOf(one)) ?? [])];
      for (const [i, row] of rows.entries()) this.#setOther(row, isShared ? (rows[i + 1] ?? last?.row ?? 0) : 0);
      around.push({ prefix, row: first });
    });
    if (!isShared) this.#setOther(0, 0);
  }

  get #hasOthers(): boolean {
    return this.#table.rows[ROW_OTHER] !== 0;
  }

  #setOther(row: number, other: number): void {
    Atomics.store(this.#table.rows, (row << ROW_SHIFT) + ROW_OTHER, other);
  }
}

/** By prefix, up to `capacity` in all; and whether different gateways serve the same addresses. */
function gathered(
  wanted: Iterable<WantedRow>,
  capacity: number,
): { served: Served[]; refused: number; isShared: boolean } {
  const byNumber = new Map<number, Served>();
  let refused = 0;
  let count = 0;
  for (const { prefix, target } of wanted) {
    if (count === capacity) {
      refused++;
      continue;
    }
    count++;
    const number = prefixNumber(prefix.address, prefix.length);
    const known = byNumber.get(number);
    if (!known) byNumber.set(number, { prefix, targets: [target] });
    else known.targets.push(target);
  }
  const served = [...byNumber.values()];
  return { served, refused, isShared: haveShared(served) };
}

/** Whether an address is in prefixes of two gateways. */
function haveShared(served: readonly Served[]): boolean {
  if (new Set(served.flatMap(({ targets }) => targets.map(({ softwire }) => softwire))).size < 2) return false;
  if (served.some(({ targets }) => targets.length > 1)) return true;
  let widest: Served | undefined;
  for (const one of served.toSorted((a, b) => numberOf(a) - numberOf(b))) {
    const isInside = widest && inIpv4Prefix(one.prefix.address, widest.prefix);
    if (isInside && widest?.targets[0]?.softwire !== one.targets[0]?.softwire) return true;
    if (!isInside) widest = one;
  }
  return false;
}

function numberOf({ prefix: { address, length } }: Served): number {
  return prefixNumber(address, length);
}

async function inSlices<Item>(
  items: Iterable<Item>,
  pause: () => Promise<void>,
  body: (item: Item) => void,
): Promise<void> {
  let count = 0;
  for (const item of items) {
    body(item);
    if (++count % SLICE === 0) await pause();
  }
}
