/** What the model says of route sources, as RFC 7951 JSON. */

import type { DataNode } from '../../state/data.ts';
import { formatNumber } from '../../state/rows.ts';
import type { RouteSources } from './route-sources.ts';

type Json = Readonly<Record<string, unknown>>;

/** The list route-source of an AFTR; the routes of each with `withRoutes`. */
export function routeSourceList(sources: RouteSources, aftr: DataNode, withRoutes: boolean): Json[] {
  return aftr.entries('route-source').map((entry) => {
    const name = entry.leaf('name') ?? '';
    const { state, lastHeard, expires, problem, refusals } = sources.report(name);
    const routes = withRoutes ? sources.routes(name) : [];
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

/** Clients by name, for their passwords. */
export function routeSourceEntry(root: DataNode, name: string): DataNode | undefined {
  const aftrs = root.child('softwire', 'gi-4over6')?.entries('aftr') ?? [];
  for (const aftr of aftrs) {
    const found = aftr.entries('route-source').find((entry) => entry.leaf('name') === name);
    if (found) return found;
  }
  return undefined;
}
