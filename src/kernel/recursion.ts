/**
 * Whether a gateway's IPv6 is reached through its own IPv4 (RFC 9012 §7.2): its tunnel address by a tunnel over IPv4 (sit, gre, ipip and
 * their like) whose far end is an address that is bound to it, or to one that is reached through it in turn. Each packet would go
 * into the softwire again and again, and grow. So would it with an IPv6 route straight into the TUN device.
 *
 *   1. the way of an IPv6 address leads out of a tunnel over IPv4: on with the far end
 *   2. the way of an IPv4 address leads into the softwires: on with the gateway that it is bound to
 *   3. a gateway that was met before: recursion; any other link is the end
 *
 * Tunnels whose far ends the kernel keeps elsewhere (WireGuard, VXLAN) end it too.
 */

import { formatIpv4, formatIpv6, sameIpv6 } from '../address.ts';
import { linkName } from './checks.ts';
import type { Link, Netlink, Way } from './netlink.ts';

/** Steps of a way; longer ones are taken to end. */
const MOST_STEPS = 16;

/** The gateway that an IPv4 address is bound to. */
export type BoundTo = (ipv4: number) => Uint8Array | undefined;

export interface Surroundings {
  readonly links: readonly Link[];
  /** Name of the AFTR's TUN device. */
  readonly device: string;
  readonly netlink: Pick<Netlink, 'wayTo'>;
  readonly boundTo: BoundTo;
}

/** What is wrong, as the end of a sentence about the gateway; undefined when nothing is. */
export async function recursionOf(gateway: Uint8Array, around: Surroundings): Promise<string | undefined> {
  const { links, device, netlink, boundTo } = around;
  const met = [gateway];
  let address = gateway;
  for (let step = 0; step < MOST_STEPS; step++) {
    const entry = await softwireEntry(address, around);
    if (!entry) return undefined;
    if (entry.length === 16) return `its IPv6 route leads to ${device}, into a softwire itself`;
    const far = numberOf(entry);
    const bound = boundTo(far);
    if (!bound) return undefined;
    if (met.some((other) => sameIpv6(other, bound))) {
      const { link: first } = await netlink.wayTo(gateway);
      return `it is reached by the tunnel ${linkName(links, first)}, and that leads to ${formatIpv4(far)}, which is bound to ${formatIpv6(bound)}`;
    }
    met.push(bound);
    address = bound;
  }
  return undefined;
}

/** The address with which the way to a gateway enters the softwires, of either family; undefined for a way that does not. */
export async function softwireEntry(
  gateway: Uint8Array,
  { links, device, netlink }: Omit<Surroundings, 'boundTo'>,
): Promise<Uint8Array | undefined> {
  let address = gateway;
  for (let step = 0; step < MOST_STEPS; step++) {
    const way = await netlink.wayTo(address);
    const link = way.kind === 'link' ? links.find(({ index }) => index === way.link) : undefined;
    if (link?.name === device) return address;
    const far = link && farEnd(link, way, address);
    if (!far) return undefined;
    address = far;
  }
  return undefined;
}

/** IPv4 address of the other end of a tunnel, for what goes to `address`. */
function farEnd({ farEnd: configured }: Link, { via }: Way, address: Uint8Array): Uint8Array | undefined {
  if (!configured) return undefined;
  if (numberOf(configured) !== 0) return configured;
  // A tunnel to many: an IPv6 next hop says whereto (RFC 4213 §3.6, RFC 3056 §2).
  const hop = via ?? address;
  if (hop.length !== 16) return via;
  if (hop.subarray(0, 12).every((octet) => octet === 0)) return hop.subarray(12);
  return hop[0] === 0x20 && hop[1] === 0x02 ? hop.subarray(2, 6) : undefined;
}

function numberOf(octets: Uint8Array): number {
  return Buffer.from(octets).readUInt32BE(0);
}
