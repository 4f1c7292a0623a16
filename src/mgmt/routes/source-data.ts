/** What the model says of route sources: leaves as RFC 7951 JSON, and their routes as lists whose entries are made as they are read. */

import { parseIpv4Prefix } from '../../address.ts';
import type { DataNode } from '../../state/data.ts';
import type { KeptRoutes, RouteKind } from '../../state/learned/known-routes.ts';
import { formatNumber, prefixNumber } from '../../state/rows.ts';
import type { EntryList, EntryRows, Leaves } from '../entry-list.ts';
import { LeavesNode, leavesEntry } from '../entry-list.ts';
import type { RouteSources } from './route-sources.ts';

type Json = Readonly<Record<string, unknown>>;

/** Keys of entries that are asked for: all of them when it is undefined. */
export type AskedKeys = readonly string[] | undefined;

/** The list route-source of an AFTR without routes: entries that are asked for. */
export function routeSourceList(sources: RouteSources, aftr: DataNode, names: AskedKeys): Json[] {
  return chosen(aftr, names).map((entry) => {
    const name = entry.leaf('name') ?? '';
    const { state, lastHeard, problem, refusals } = sources.report(name);
    return {
      name,
      'session-state': state,
      ...(lastHeard && { 'last-advertisement': lastHeard.toISOString() }),
      ...(problem !== '' && { 'last-problem': problem }),
      refusals: String(refusals),
    };
  });
}

/** The entries of route-source of an AFTR that are asked for. */
export function chosen(aftr: DataNode, names: AskedKeys): DataNode[] {
  const all = aftr.entries('route-source');
  return names ? all.filter((entry) => names.includes(entry.leaf('name') ?? '')) : all;
}

const LISTS: readonly (readonly [list: string, kind: RouteKind])[] = [
  ['learned-route', 'bound'],
  ['refused-route', 'refused'],
];

type ListedRoutes = Pick<RouteSources, 'report' | 'kept' | 'refusal'>;

/** The routes of a source, an entry of route-source, as they are now. */
export function routeLists(sources: ListedRoutes, source: DataNode): EntryList[] {
  const name = source.leaf('name') ?? '';
  return LISTS.flatMap(([list, kind]) => {
    const schema = source.schema.child(list);
    if (!schema) return [];
    const { expires } = sources.report(name);
    const leavesOf = (number: number) => leaves(sources, name, kind, number, expires);
    return {
      schema,
      rows: rowsOf(sources.kept(name, kind)),
      number: numberOf,
      entry: (number: number) => {
        const found = leavesOf(number);
        return found && leavesEntry(schema, found);
      },
      printed: (number: number) => {
        const found = leavesOf(number);
        return found && new LeavesNode(schema, found);
      },
    };
  });
}

function rowsOf({ numbers, edition }: KeptRoutes): EntryRows {
  return {
    version: edition,
    sealed: (table, number) => numbers.sealed(table, number),
    sealedRows: (table, from) => numbers.sealedRows(table, from),
    sealedRowsBack: (table, from) => numbers.sealedRowsBack(table, from),
    nth: (table, count, isBackwards, from) => numbers.nth(table, count, isBackwards, from),
    count: () => numbers.count(),
  };
}

function leaves(
  sources: ListedRoutes,
  name: string,
  kind: RouteKind,
  number: number,
  expires: Date | undefined,
): Leaves | undefined {
  const prefix = ['ipv4-prefix', formatNumber(number)] as const;
  if (kind === 'bound') return expires ? [prefix, ['expires', expires.toISOString()]] : [prefix];
  const refused = sources.refusal(name, number);
  return refused && [prefix, ['reason', refused.reason], ['time', refused.time.toISOString()]];
}

function numberOf(text: string): number | undefined {
  const prefix = parseIpv4Prefix(text);
  return prefix && prefixNumber(prefix.address, prefix.length);
}

/** Clients by name, for their passwords. */
export function routeSourceEntry(root: DataNode, name: string): DataNode | undefined {
  const aftrs = root.child('softwire', 'gi-4over6')?.entries('aftr') ?? [];
  for (const aftr of aftrs) {
    const found = aftr.entry('route-source', [name]);
    if (found) return found;
  }
  return undefined;
}
