/**
 * Operational tables: what gateways advertised, in the rows of the store beside those of running (RFC 8342, origin learned).
 *
 *     `A learned`    bindings that an AFTR A learned
 *     `G served`     prefixes that a gateway G serves because its AFTR accepted them
 *     `G aftr`       one row, of 0.0.0.0/0: the AFTR that a gateway G learned, where everything that is not served leads
 *
 * They are tables as all others, so that they are durable, have a history, and the datapath follows them by the change record
 * of each batch. No instance can have such a name, so nothing that goes by the AFTRs of a configuration meets them. A prefix is
 * never in running's table and the learned one of an AFTR at the same time.
 */

import type { Gateway, Softwire } from '../model.generated.ts';
import type { SealedRow } from '../rows.ts';
import { RowSource } from '../rows.ts';

const LEARNED = ' learned';
const SERVED = ' served';
const AFTR = ' aftr';
/** Number of the prefix 0.0.0.0/0. */
export const WHOLE_NUMBER = 0;

/** The table of the bindings that an AFTR learned. */
export function learnedTable(aftr: string): string {
  return aftr + LEARNED;
}

/** The table of the prefixes that a gateway serves because they were accepted. */
export function servedTable(gateway: string): string {
  return gateway + SERVED;
}

/** The table of the AFTR that a gateway learned. */
export function learnedAftrTable(gateway: string): string {
  return gateway + AFTR;
}

/** The gateway whose AFTR a table holds; undefined for any other table. */
export function gatewayOfAftrTable(table: string): string | undefined {
  return table.endsWith(AFTR) ? table.slice(0, -AFTR.length) : undefined;
}

/** The configuration with the AFTRs that gateways learned in the place of those that are not configured. */
export function withLearnedAftrs(
  configuration: Softwire,
  learned: (gateway: string) => Uint8Array | undefined,
): Softwire {
  if (configuration.gateway.every(({ aftrFromDhcpv6 }) => aftrFromDhcpv6 === undefined)) return configuration;
  const gateway = configuration.gateway.map((item) => {
    return item.aftrFromDhcpv6 === undefined ? item : { ...item, aftrIpv6Address: learned(item.name) };
  });
  return { ...configuration, gateway };
}

/** Whether a table is none of running's. */
export function isOperational(table: string): boolean {
  return table.includes(' ');
}

/** The AFTR whose bindings a table holds; undefined for prefixes of a gateway. */
export function aftrOfTable(table: string): string | undefined {
  if (!isOperational(table)) return table;
  return table.endsWith(LEARNED) ? table.slice(0, -LEARNED.length) : undefined;
}

/** The gateway whose accepted prefixes a table holds; undefined for any other table. */
export function gatewayOfTable(table: string): string | undefined {
  return table.endsWith(SERVED) ? table.slice(0, -SERVED.length) : undefined;
}

/** Whether a gateway informs anyone of its routes, and so serves more than it is configured to. */
export function isInformed({ routeAdvertisement: { target, bgpNeighbor } }: Gateway): boolean {
  return target.length + bgpNeighbor.length > 0;
}

/** Changed rows without those of operational tables. */
export function* ofRunning<Change extends { readonly instance: string }>(changes: Iterable<Change>): Generator<Change> {
  for (const change of changes) if (!isOperational(change.instance)) yield change;
}

/** Whether what a commit changes is of running: more than operational tables. */
export function changesRunning(treeChanged: boolean, tallies: ReadonlyMap<string, unknown>): boolean {
  return treeChanged || [...tallies.keys()].some((table) => !isOperational(table));
}

/** The tables of AFTRs with what they learned. */
export class ActiveRows extends RowSource {
  readonly #base: RowSource;

  constructor(base: RowSource) {
    super();
    this.#base = base;
  }

  sealed(aftr: string, number: number): Uint8Array | undefined {
    return this.#base.sealed(aftr, number) ?? this.#base.sealed(learnedTable(aftr), number);
  }

  sealedRows(aftr: string, from?: number): Iterable<SealedRow> {
    return inOrder(this.#base.sealedRows(learnedTable(aftr), from), this.#base.sealedRows(aftr, from), 1);
  }

  sealedRowsBack(aftr: string, from?: number): Iterable<SealedRow> {
    return inOrder(this.#base.sealedRowsBack(learnedTable(aftr), from), this.#base.sealedRowsBack(aftr, from), -1);
  }

  override passingRows(aftr: string): Iterable<SealedRow> {
    return this.#base.count(learnedTable(aftr)) === 0 ? this.#base.passingRows(aftr) : this.sealedRows(aftr);
  }

  override nth(aftr: string, count: number, isBackwards?: boolean, from?: number): number | undefined {
    const hasLearned = this.#base.count(learnedTable(aftr)) > 0;
    return hasLearned ? super.nth(aftr, count, isBackwards, from) : this.#base.nth(aftr, count, isBackwards, from);
  }

  count(aftr: string): number {
    return this.#base.count(aftr) + this.#base.count(learnedTable(aftr));
  }
}

/** Rows of two tables, each in order: of ascending numbers with 1, of descending ones with -1. */
function* inOrder(one: Iterable<SealedRow>, other: Iterable<SealedRow>, direction: 1 | -1): Generator<SealedRow> {
  const rows = one[Symbol.iterator]();
  try {
    let next = rows.next();
    for (const row of other) {
      for (; !next.done && (next.value.number - row.number) * direction < 0; next = rows.next()) yield next.value;
      yield row;
    }
    for (; !next.done; next = rows.next()) yield next.value;
  } finally {
    rows.return?.();
  }
}
