/**
 * Tunnel addresses that lie in the prefix of a link: others on the link ask for them by neighbour discovery, so the kernel
 * answers for us (proxy NDP), and somebody else may hold them already.
 */

import { setTimeout as sleep } from 'node:timers/promises';
import { formatIpv6, sameIpv6 } from '../address.ts';
import type { HostState } from './checks.ts';
import { linkName } from './checks.ts';
import type { Address, Neighbour, Netlink } from './netlink.ts';

/** A holder answers within a round trip on the link; the commit waits for this. */
const ANSWER_MS = 600;
const POLL_MS = 50;

/** Each link with an address whose prefix holds a tunnel address. */
export function onLinkNeighbours(tunnels: readonly Uint8Array[], addresses: readonly Address[]): Neighbour[] {
  return tunnels.flatMap((octets) => {
    const links = addresses
      .filter((address) => address.family === 6 && address.length < 128 && holds(address, octets))
      .map(({ link }) => link);
    return [...new Set(links)].map((link) => ({ link, octets }));
  });
}

/**
 * Asks the links whether somebody answers for a tunnel address that is not ours yet (what RFC 4862 §5.4 asks before an address
 * is used); gives those that somebody holds, each with its sentence.
 */
export async function heldByOthers(
  tunnels: readonly Uint8Array[],
  { addresses, links, ownRoutes }: HostState,
  netlink: Netlink,
): Promise<ReadonlyMap<Uint8Array, string>> {
  const isOurs = (octets: Uint8Array) =>
    ownRoutes.some((route) => route.length === 128 && sameIpv6(route.octets, octets));
  const asked = onLinkNeighbours(
    tunnels.filter((octets) => !isOurs(octets)),
    addresses,
  ).filter(({ link }) => links.some(({ index, isUp }) => index === link && isUp));
  if (asked.length === 0) return new Map();
  for (const neighbour of asked) await netlink.lookFor(neighbour);
  const holders = await waitForAnswer(asked, netlink);
  for (const neighbour of asked) await netlink.forget(neighbour);
  return new Map(
    holders.map(({ octets, link }) => [
      octets,
      `${formatIpv6(octets)} is held by another device on ${linkName(links, link)}; choose a free address of its prefix or a routed one`,
    ]),
  );
}

async function waitForAnswer(asked: readonly Neighbour[], netlink: Netlink): Promise<Neighbour[]> {
  const links = [...new Set(asked.map(({ link }) => link))];
  for (let left = ANSWER_MS; ; left -= POLL_MS) {
    const known: Neighbour[] = [];
    for (const link of links) known.push(...(await netlink.neighbours(link)));
    const answered = asked.filter((one) => known.some((other) => isSame(one, other)));
    if (answered.length > 0 || left <= 0) return answered;
    await sleep(POLL_MS);
  }
}

function isSame(a: Neighbour, b: Neighbour): boolean {
  return a.link === b.link && sameIpv6(a.octets, b.octets);
}

/** Whether another address lies in the prefix of an IPv6 address. */
function holds({ octets, length }: Address, other: Uint8Array): boolean {
  for (let bit = 0; bit < length; bit += 8) {
    const mask = length - bit >= 8 ? 255 : (255 << (8 - (length - bit))) & 255;
    if ((((octets[bit >> 3] ?? 0) ^ (other[bit >> 3] ?? 0)) & mask) !== 0) return false;
  }
  return true;
}
