/**
 * How a packet ended: one number a packet, so that counters partition the traffic. The drop reasons are the enumeration
 * `drop-reason` of yang/gi-4over6.yang; a test compares the two lists.
 */

export { FORWARDED } from './batch-layout.ts';
export const HAIRPINNED = 1;
export const REPLIED = 2;
/** It waits: a fragment until its packet is whole or given up; then it gets another verdict. */
export const HELD = 3;

/** Each drop reason with its sentence; the verdict of a reason is FIRST_DROP plus its place in this list. */
export const DROP_REASONS = [
  ['malformed-ipv6', 'The IPv6 packet is shorter than it says, or its extension headers do not end inside it.'],
  ['malformed-ipv4', 'The IPv4 header is not whole, contradicts the length of the packet, or has a wrong checksum.'],
  ['not-for-us', 'The IPv6 destination is no tunnel address of an enabled instance.'],
  ['unsupported-next-header', 'What follows the IPv6 header is neither IPv4 nor ICMPv6.'],
  ['martian-outer-source', 'The IPv6 source is multicast, unspecified, loopback or link-local.'],
  ['martian-ipv4-source', 'The IPv4 source can be no host, or is an address of this device.'],
  ['martian-ipv4-destination', 'The IPv4 destination is no unicast address of another host.'],
  ['source-route-option', 'The IPv4 packet wants to choose its own route.'],
  ['no-binding', 'No binding holds the IPv4 address.'],
  ['no-port', 'The address is shared by port sets, and the packet has no port that tells whose it is.'],
  [
    'malformed-icmp',
    'An ICMP message of a shared address is not whole, has a wrong checksum or quotes another address.',
  ],
  ['fragment-unplaced', 'A later fragment of a shared address, whose first one did not come in time to tell its port.'],
  ['source-mismatch', 'The tunnel packet does not come from the gateway that its inner source is bound to.'],
  ['endpoint-mismatch', 'The tunnel packet came to another tunnel address than the one of its binding or instance.'],
  ['outside-served-prefix', 'The end device address is in no served prefix of this gateway.'],
  ['wrong-aftr', 'The tunnel packet does not come from the AFTR of this gateway.'],
  ['ttl-expired', 'The IPv4 packet has no hop left.'],
  ['too-big', 'The packet does not fit the payload MTU and may not be fragmented.'],
  ['hairpin-disabled', 'The destination is behind a gateway of this AFTR, which does not connect gateways.'],
  ['same-gateway', 'Source and destination are behind the same gateway.'],
  ['ecn-inner-not-ect-outer-ce', 'Congestion was marked on the way, but the end points could not see the mark.'],
  ['unknown-destination-option', 'An IPv6 option that this device does not know must not be skipped.'],
  ['routing-header', 'An IPv6 routing header has segments left.'],
  ['extension-header-limit', 'IPv6 extension headers and the options in them are more than 64.'],
  ['reassembly-limit', 'A limit of reassembly is reached: fragments, packets of a source or of all, or memory.'],
  ['reassembly-timeout', 'Not all fragments of the tunnel packet came in time.'],
  ['fragment-malformed', 'A length or an offset of the fragment cannot be, or a first one lacks the inner header.'],
  ['fragment-overlap', 'Fragments of the tunnel packet overlap, or disagree about its end.'],
  ['fragment-ecn-mismatch', 'Some fragments can carry congestion marks and others of the same packet cannot.'],
  ['icmp-not-relayed', 'An ICMPv6 message to the tunnel address that is not answered and not relayed.'],
  ['icmp-error-mismatch', 'An ICMPv6 error that quotes no packet of this tunnel end.'],
  ['icmp-denied', 'ICMPv4 from the Internet is not let in.'],
  ['link-layer-noise', 'Neighbour discovery or multicast listener messages, which mean nothing to a tunnel.'],
  ['loop-prevented', 'The destination is in a served prefix of this gateway: the tunnel would send it back.'],
  ['no-instance', 'No enabled instance answers for the packet.'],
  [
    'write-failed',
    'The kernel did not take the packet back, or it had to be cut in more pieces than are sent at once.',
  ],
] as const;

export type DropReason = (typeof DROP_REASONS)[number][0];

export const FIRST_DROP = 4;
/**
 * No binding holds the inner source of a tunnel packet: counted apart, because it is a violation (RFC 7596 §6.2), which a
 * destination that no binding holds is not; its reason is no-binding all the same.
 */
export const DROP_UNBOUND_SOURCE = FIRST_DROP + DROP_REASONS.length;
export const VERDICTS = DROP_UNBOUND_SOURCE + 1;

/** The verdict of a drop reason. For constants at load time, not per packet. */
export function dropVerdict(reason: DropReason): number {
  return FIRST_DROP + DROP_REASONS.findIndex(([name]) => name === reason);
}

/** The name of a drop verdict. */
export function dropReason(verdict: number): string {
  return verdict === DROP_UNBOUND_SOURCE ? 'no-binding' : (DROP_REASONS[verdict - FIRST_DROP]?.[0] ?? '');
}

export const DROP_MALFORMED_IPV6 = dropVerdict('malformed-ipv6');
export const DROP_MALFORMED_IPV4 = dropVerdict('malformed-ipv4');
export const DROP_NOT_FOR_US = dropVerdict('not-for-us');
export const DROP_UNSUPPORTED_NEXT_HEADER = dropVerdict('unsupported-next-header');
export const DROP_MARTIAN_OUTER_SOURCE = dropVerdict('martian-outer-source');
export const DROP_MARTIAN_IPV4_SOURCE = dropVerdict('martian-ipv4-source');
export const DROP_MARTIAN_IPV4_DESTINATION = dropVerdict('martian-ipv4-destination');
export const DROP_SOURCE_ROUTE_OPTION = dropVerdict('source-route-option');
export const DROP_NO_BINDING = dropVerdict('no-binding');
export const DROP_NO_PORT = dropVerdict('no-port');
export const DROP_MALFORMED_ICMP = dropVerdict('malformed-icmp');
export const DROP_FRAGMENT_UNPLACED = dropVerdict('fragment-unplaced');
export const DROP_SOURCE_MISMATCH = dropVerdict('source-mismatch');
export const DROP_ENDPOINT_MISMATCH = dropVerdict('endpoint-mismatch');
export const DROP_OUTSIDE_SERVED_PREFIX = dropVerdict('outside-served-prefix');
export const DROP_WRONG_AFTR = dropVerdict('wrong-aftr');
export const DROP_TTL_EXPIRED = dropVerdict('ttl-expired');
export const DROP_TOO_BIG = dropVerdict('too-big');
export const DROP_HAIRPIN_DISABLED = dropVerdict('hairpin-disabled');
export const DROP_SAME_GATEWAY = dropVerdict('same-gateway');
export const DROP_ECN = dropVerdict('ecn-inner-not-ect-outer-ce');
export const DROP_UNKNOWN_OPTION = dropVerdict('unknown-destination-option');
export const DROP_ROUTING_HEADER = dropVerdict('routing-header');
export const DROP_EXTENSION_LIMIT = dropVerdict('extension-header-limit');
export const DROP_REASSEMBLY_LIMIT = dropVerdict('reassembly-limit');
export const DROP_REASSEMBLY_TIMEOUT = dropVerdict('reassembly-timeout');
export const DROP_FRAGMENT_MALFORMED = dropVerdict('fragment-malformed');
export const DROP_FRAGMENT_OVERLAP = dropVerdict('fragment-overlap');
export const DROP_FRAGMENT_ECN = dropVerdict('fragment-ecn-mismatch');
export const DROP_ICMP_NOT_RELAYED = dropVerdict('icmp-not-relayed');
export const DROP_ICMP_ERROR_MISMATCH = dropVerdict('icmp-error-mismatch');
export const DROP_ICMP_DENIED = dropVerdict('icmp-denied');
export const DROP_LINK_LAYER_NOISE = dropVerdict('link-layer-noise');
export const DROP_LOOP_PREVENTED = dropVerdict('loop-prevented');
export const DROP_NO_INSTANCE = dropVerdict('no-instance');
export const DROP_WRITE_FAILED = dropVerdict('write-failed');
