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

/** The paths of a prefix; those of several gateways only where a policy of ours rewrites them. */
export function pathsTo(number: number, gateways: Iterable<Announcing>, hasPolicy: boolean): readonly OwnPath[] {
  const own: OwnPath[] = [];
  for (const { mark, nextHop, routes } of gateways)
    if (routes.has(number)) own.push(gatewayPath(number, mark, nextHop));
  if (!hasPolicy || own.length < 2) return own;
  const communities = own.map(({ pathId }) => pathId);
  return [{ number, communities, pathId: SHARED_PATH, nextHop: NOWHERE, isEndpoint: false, isFirst: true }, ...own];
}

/** What leads from some paths to others, gathered prefix by prefix. */
export class PathChanges {
  readonly #added: [first: OwnPath[], rest: OwnPath[]] = [[], []];
  readonly #removed: [first: OwnPath[], rest: OwnPath[]] = [[], []];

  /** The paths of one prefix were those, and are these; returns whether they differ. */
  add(before: readonly OwnPath[], after: readonly OwnPath[]): boolean {
    const size = this.size;
    for (const path of after) {
      const known = before.find(({ pathId }) => pathId === path.pathId);
      if (!known || !isSame(known, path)) this.#added[path.isFirst ? 0 : 1].push(path);
    }
    for (const path of before) {
      if (!after.some(({ pathId }) => pathId === path.pathId)) this.#removed[path.isFirst ? 0 : 1].push(path);
    }
    return this.size > size;
  }

  get size(): number {
    const [[firstAdded, restAdded], [firstRemoved, restRemoved]] = [this.#added, this.#removed];
    return firstAdded.length + restAdded.length + firstRemoved.length + restRemoved.length;
  }

  /** Paths in the order in which they are to be told, and whether they are withdrawn. */
  *[Symbol.iterator](): Generator<readonly [OwnPath, isWithdrawn: boolean]> {
    const [firstAdded, restAdded] = this.#added;
    const [firstRemoved, restRemoved] = this.#removed;
    for (const paths of [firstAdded, restAdded]) for (const path of paths) yield [path, false];
    for (const paths of [restRemoved, firstRemoved]) for (const path of paths) yield [path, true];
  }
}

function isSame(before: OwnPath, after: OwnPath): boolean {
  return before.nextHop === after.nextHop && before.communities.join() === after.communities.join();
}
