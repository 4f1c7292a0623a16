/**
 * From what gateways announce to the paths of GoBGP's table, which has one for each prefix and gateway. A session has room for all of them
 * where the neighbor takes several paths of a prefix (RFC 7911), and else for the best one only, which may be that of a gateway
 * that does not tell this neighbor. So a prefix that several gateways have has one path more, before all others:
 *
 *     its communities say which gateways have the prefix, and the export policy (export-policy.ts) makes it, for each neighbor, the
 *     path of the first of them that tells the neighbor. It has no egress endpoint, which no policy can change
 *
 * Changes are in an order in which what a neighbor hears is always right: what is better comes first and goes last.
 */

import { gatewayPath, type OwnPath } from './paths.ts';

/** What one gateway announces, as far as paths are concerned. */
export interface Announcing {
  /** 1 to 65535, of no other gateway. */
  readonly mark: number;
  readonly nextHop: string;
  /** Prefix numbers (see `prefixNumber`). */
  readonly routes: ReadonlySet<number>;
}

/** What is discarded (RFC 6666): no gateway has it, so such a path goes out only as the policy makes it. */
const NOWHERE = '100::';
const SHARED_PATH = 0;
const NUMBERS = 2 ** 38;

/** Paths by what tells them apart. */
export type OwnPaths = ReadonlyMap<number, OwnPath>;

/** The paths of all gateways; those of several gateways only where a policy of ours rewrites them. */
export function pathsOf(gateways: Iterable<Announcing>, hasPolicy: boolean): OwnPaths {
  const paths = new Map<number, OwnPath>();
  const firstMarks = new Map<number, number>();
  const shared = new Map<number, number[]>();
  for (const { mark, nextHop, routes } of gateways) {
    for (const number of routes) {
      paths.set(mark * NUMBERS + number, gatewayPath(number, mark, nextHop));
      const first = firstMarks.get(number);
      if (first === undefined) firstMarks.set(number, mark);
      else shared.set(number, [...(shared.get(number) ?? [first]), mark]);
    }
  }
  if (!hasPolicy) return paths;
  const rest = { pathId: SHARED_PATH, nextHop: NOWHERE, isEndpoint: false, isFirst: true };
  for (const [number, communities] of shared) paths.set(number, { number, communities, ...rest });
  return paths;
}

/** What leads from one set of paths to another one: paths, and whether they are withdrawn. */
export function pathChanges(before: OwnPaths, after: OwnPaths): (readonly [OwnPath, boolean])[] {
  const [added, removed]: [OwnPath[], OwnPath[]] = [[], []];
  for (const [key, path] of after) if (!isSame(before.get(key), path)) added.push(path);
  for (const [key, path] of before) if (!after.has(key)) removed.push(path);
  const isFirst = ({ isFirst }: OwnPath) => isFirst;
  const isRest = ({ isFirst }: OwnPath) => !isFirst;
  return [
    ...[...added.filter(isFirst), ...added.filter(isRest)].map((path) => [path, false] as const),
    ...[...removed.filter(isRest), ...removed.filter(isFirst)].map((path) => [path, true] as const),
  ];
}

function isSame(before: OwnPath | undefined, after: OwnPath): boolean {
  return before?.nextHop === after.nextHop && before.communities.join() === after.communities.join();
}
