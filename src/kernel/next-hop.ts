/** Whether the next hop of a way answers neighbour discovery (RFC 4861 §7.2). */

import { formatIpv6, sameIpv6 } from '../address.ts';
import { linkName } from './checks.ts';
import type { Link, Neighbour, Way } from './netlink.ts';

export const NO_ANSWER = 'does not answer neighbour discovery: see whether it is up and on that link';

/**
 * The next hop of packets to `destination` when it is among those that do not answer, as `ADDRESS on LINK`; undefined when it
 * answers, or when nothing was sent to it for a while.
 */
export function silentNextHop(
  { link, via }: Way,
  destination: Uint8Array,
  links: readonly Link[],
  unresolved: readonly Neighbour[],
): string | undefined {
  const hop = via ?? destination;
  const isSilent = unresolved.some((neighbour) => neighbour.link === link && sameIpv6(neighbour.octets, hop));
  return isSilent ? `${formatIpv6(hop)} on ${linkName(links, link)}` : undefined;
}
