/** The source of the ICMPv4 messages of an instance: without one that is ours, senders are not told of what they must know. */

import { formatIpv4 } from '../address.ts';
import type { HostState } from './checks.ts';
import type { IcmpSource } from './plan.ts';

/**
 * A sentence about an instance, called `who`, whose ipv4-address is not there or not this device's: then errors are not sent
 * (RFC 1191 needs them), or come from a stranger and are not believed (RFC 1812 §4.3.2.4).
 */
export function icmpSourceFaults(who: string, source: IcmpSource, { addresses }: HostState): string[] {
  const { ipv4Address, sendsErrors } = source;
  if (ipv4Address === undefined) {
    if (!sendsErrors) return [];
    const effect =
      'nobody is told of packets that are too big, so that TCP connections may hang, nor of a TTL that is over';
    return [
      `${who} has no ipv4-address, the source of its ICMP errors: ${effect}; set it to an address of this device`,
    ];
  }
  const isOwn = addresses.some(
    ({ octets }) => octets.length === 4 && Buffer.from(octets).readUInt32BE(0) === ipv4Address,
  );
  if (isOwn) return [];
  const text = formatIpv4(ipv4Address);
  return [
    `${who}: ipv4-address ${text} is on no interface of this device, so that its ICMP errors come from a stranger: ip addr add ${text}/32 dev lo, or name an address that is there`,
  ];
}
