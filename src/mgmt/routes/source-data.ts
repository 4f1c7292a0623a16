/** What the model says of route sources, as RFC 7951 JSON. */

import { parseIpv4Prefix } from '../../address.ts';
import type { DataNode } from '../../state/data.ts';
import { formatNumber, prefixNumber } from '../../state/rows.ts';
import type { RouteSources } from './route-sources.ts';

type Json = Readonly<Record<string, unknown>>;

/** Keys of entries that are asked for: all of them when it is undefined. */
export type AskedKeys = readonly string[] | undefined;

/** What is asked of route sources: which, and which of their routes; none are read when `routes` is undefined. */
export interface AskedSources {
  readonly names: AskedKeys;
  readonly routes: { readonly prefixes: AskedKeys } | undefined;
}

/** The list route-source of an AFTR: entries that are asked for. */
export function routeSourceList(sources: RouteSources, aftr: DataNode, { names, routes: asked }: AskedSources): Json[] {
  const all = aftr.entries('route-source');
  const wanted = names ? all.filter((entry) => names.includes(entry.leaf('name') ?? '')) : all;
  return wanted.map((entry) => {
    const name = entry.leaf('name') ?? '';
    const { state, lastHeard, expires, problem, refusals } = sources.report(name);
    const routes = asked ? sources.routes(name, asked.prefixes && numbersOf(asked.prefixes)) : [];
    return {
      name,
      'session-state': state,
      ...(lastHeard && { 'last-advertisement': lastHeard.toISOString() }),
      ...(problem !== '' && { 'last-problem': problem }),
      refusals: String(refusals),
      'learned-route': routes.flatMap(([number, refused]) =>
        refused ? [] : [{ 'ipv4-prefix': formatNumber(number), ...(expires && { expires: expires.toISOString() }) }],
      ),
      'refused-route': routes.flatMap(([number, refused]) =>
        refused
          ? [{ 'ipv4-prefix': formatNumber(number), reason: refused.reason, time: refused.time.toISOString() }]
          : [],
      ),
    };
  });
}

function numbersOf(prefixes: readonly string[]): number[] {
  return prefixes.flatMap((text) => {
    const prefix = parseIpv4Prefix(text);
    return prefix ? [prefixNumber(prefix.address, prefix.length)] : [];
  });
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
