/**
 * The export policy of our GoBGP: what goes out to whom. Nothing but paths of our own goes anywhere, and to a neighbor those of the gateways
 * that tell it, from when it is known that it can take IPv6 next hops (RFC 8950 section 4).
 */

const NEIGHBOR_SET = 1;
const COMMUNITY_SET = 4;
const LOCAL_ROUTES = 3;
const [ACCEPT, REJECT] = [1, 2];
const EXPORT = 2;
const REMOVE = 1;
const POLICY = 'gi4over6';

/** What a neighbor is told of. */
export interface LetOut {
  /** Tunnel addresses of gateways, whose own paths go out. */
  readonly nextHops: readonly string[];
  /** By marks of the path of several gateways: the next hop that it gets; the first one counts. */
  readonly shared: readonly (readonly [mark: number, nextHop: string])[];
}

export const ASSIGNMENT = {
  name: 'global',
  direction: EXPORT,
  policies: [{ name: POLICY }],
  defaultAction: REJECT,
};

/** The message SetPolicies; what is let out by the address of the neighbor. */
export function policies(letOut: ReadonlyMap<string, LetOut>): object {
  const marks = new Set([...letOut.values()].flatMap(({ shared }) => shared.map(([mark]) => mark)));
  const definedSets = [
    ...[...letOut.keys()].map((address) => ({
      definedType: NEIGHBOR_SET,
      name: neighborSet(address),
      list: [`${address}/128`],
    })),
    ...[...marks].map((mark) => ({ definedType: COMMUNITY_SET, name: markSet(mark), list: [`^0:${mark}$`] })),
  ];
  const statements = [...letOut].flatMap(([address, item]) => statementsFor(address, item));
  const rest = { name: `${POLICY}-rest`, actions: { routeAction: REJECT } };
  return { definedSets, policies: [{ name: POLICY, statements: [...statements, rest] }] };
}

function statementsFor(address: string, { nextHops, shared }: LetOut): object[] {
  const neighbor = { neighborSet: { type: 0, name: neighborSet(address) }, routeType: LOCAL_ROUTES };
  const own = {
    name: `${POLICY}-${address}`,
    conditions: { ...neighbor, nextHopInList: nextHops.map((hop) => `${hop}/128`) },
    actions: { routeAction: ACCEPT },
  };
  const ofSeveral = shared.map(([mark, nextHop]) => ({
    name: `${POLICY}-${address}-${mark}`,
    conditions: { ...neighbor, communitySet: { type: 0, name: markSet(mark) } },
    actions: {
      routeAction: ACCEPT,
      community: { type: REMOVE, communities: ['^0:'] },
      nexthop: { address: nextHop },
    },
  }));
  return [own, ...ofSeveral];
}

const neighborSet = (address: string) => `${POLICY}-${address}`;
const markSet = (mark: number) => `${POLICY}-${mark}`;
