/** What GoBGP is asked for a neighbor of the configuration, and what its answers say of one. */

import { formatIpv6 } from '../../address.ts';
import type { Neighbor } from '../../state/model.generated.ts';
import type { Family, Peer } from './engine-messages.ts';
import { IPV4_UNICAST, namedIn } from './engine-messages.ts';

const CONNECT_RETRY_S = 5;
const IDLE_S = 2;
/** Routes are told of by then after a restart, whether neighbors have told all of theirs or not. */
const DEFERRAL_S = 10;
const LARGEST_TTL = 255;
const IPV6_AFI = 2;
/** The neighbor takes several paths of one prefix (RFC 7911 section 4). */
const ADD_PATH_RECEIVE = 1;
const MOST_PATHS = 255;

/** The message Peer of a neighbor; `isRestart` says that GoBGP ran before and has only been away. */
export function peerOf(neighbor: Neighbor, isRestart: boolean): object {
  const { address, peerAs, peerPort, password, passive, holdTime, maximumHops, ttlSecurity } = neighbor;
  const restartTime = neighbor.gracefulRestartTime;
  const enabled = restartTime > 0;
  return {
    conf: {
      neighborAddress: formatIpv6(address),
      peerAsn: peerAs,
      ...(password !== undefined && { authPassword: password }),
    },
    ...(ttlSecurity
      ? { ttlSecurity: { enabled: true, ttlMin: LARGEST_TTL + 1 - maximumHops } }
      : maximumHops > 1 && { ebgpMultihop: { enabled: true, multihopTtl: maximumHops } }),
    timers: {
      config: {
        connectRetry: CONNECT_RETRY_S,
        holdTime,
        keepaliveInterval: Math.max(1, Math.floor(holdTime / 3)),
        idleHoldTimeAfterReset: IDLE_S,
      },
    },
    transport: { passiveMode: passive, remotePort: peerPort },
    gracefulRestart: { enabled, restartTime, deferralTime: DEFERRAL_S, localRestarting: enabled && isRestart },
    afiSafis: [
      {
        config: { family: IPV4_UNICAST, enabled: true },
        mpGracefulRestart: { config: { enabled } },
        addPaths: { config: { receive: true, sendMax: MOST_PATHS } },
      },
    ],
  };
}

/** What an established session is. */
export interface PeerFacts {
  /** Whether IPv4 routes can have IPv6 next hops (RFC 8950 section 4). */
  readonly hasIpv6NextHop: boolean;
  /** Whether it takes several IPv4 routes for one prefix (RFC 7911 section 4). */
  readonly takesAllPaths: boolean;
  /** Whether it has said that it tells when it has told all (RFC 4724 section 3). */
  readonly tellsEnd: boolean;
  readonly hasToldAll: boolean;
  /** How long it asks to keep its routes when the session is lost. */
  readonly restartMs: number;
}

export function factsOf(peer: Peer): PeerFacts {
  type Extended = {
    readonly tuples: readonly { readonly nlriFamily: Family | null; readonly nexthopFamily: Family | null }[];
  };
  const extended = namedIn<Extended>(peer.state?.remoteCap ?? [], 'ExtendedNexthopCapability');
  type AddPath = { readonly tuples: readonly { readonly family: Family | null; readonly mode: number }[] };
  const addPath = namedIn<AddPath>(peer.state?.remoteCap ?? [], 'AddPathCapability');
  const [graceful] = namedIn<{ readonly time: number }>(peer.state?.remoteCap ?? [], 'GracefulRestartCapability');
  const states = peer.afiSafis.map(({ mpGracefulRestart }) => mpGracefulRestart?.state);
  return {
    hasIpv6NextHop: extended.some(({ tuples }) => tuples.some(isIpv4OverIpv6)),
    takesAllPaths: addPath.some(({ tuples }) => tuples.some(isIpv4Taken)),
    tellsEnd: states.some((state) => state?.received),
    hasToldAll: states.some((state) => state?.endOfRibReceived),
    restartMs: 1_000 * (graceful?.time ?? 0),
  };
}

function isIpv4OverIpv6(tuple: { readonly nlriFamily: Family | null; readonly nexthopFamily: Family | null }): boolean {
  return isIpv4Unicast(tuple.nlriFamily) && tuple.nexthopFamily?.afi === IPV6_AFI;
}

function isIpv4Taken({ family, mode }: { readonly family: Family | null; readonly mode: number }): boolean {
  return isIpv4Unicast(family) && (mode & ADD_PATH_RECEIVE) !== 0;
}

function isIpv4Unicast(family: Family | null): boolean {
  return family?.afi === IPV4_UNICAST.afi && family.safi === IPV4_UNICAST.safi;
}
