/** Generated from yang/gi-4over6.yang by tools/generate.ts; not to be edited. */

import type { Ipv4Prefix } from '../address.ts';

/** An IPv4 prefix behind this gateway; each end device has all ports. */
export interface ServedPrefix {
  /** The prefix; host bits are set to zero. */
  readonly ipv4Prefix: Ipv4Prefix;
}

/** Limits of the reassembly of tunnel packets. */
export interface Reassembly {
  /** Time from the first fragment to arrive until the packet is given up. In seconds. */
  readonly timeout: number;
  /** Most fragments of one packet; with one more, all are dropped. In fragments. */
  readonly maximumFragments: number;
  /**
   * Packets in reassembly at a time, all sources together. The memory of reassembly, 64 MiB for all gateways and 64
   * MiB for all AFTRs, may be used up before. At the limit, the source that holds the most loses its oldest. In
   * packets.
   */
  readonly maximumPackets: number;
  /** Packets in reassembly at a time from one source. At the limit, it loses its own oldest. In packets. */
  readonly maximumPacketsPerSource: number;
  /**
   * Part of maximum-packets, or of the memory of reassembly, at which alarm reassembly-near-limit is raised. It ends
   * below three quarters of that. In percent.
   */
  readonly alarmThreshold: number;
}

/** ICMPv4 messages. */
export interface Icmpv4Errors {
  /** Whether ICMPv4 from the Internet is let in: at an AFTR on the IPv4 side, at a gateway out of the tunnel. */
  readonly allowIncomingIcmpv4: boolean;
  /** Whether errors are sent about IPv4 packets that end here or in the tunnel. */
  readonly generateIcmpv4Errors: boolean;
  /**
   * Average rate of ICMPv4 errors. They are of four kinds: about packets to addresses that nothing holds, about other
   * packets from the IPv4 side, about packets that came through the tunnel, and errors relayed from inside the
   * tunnel. Each kind has a quarter of the rate for itself, and what the others leave. In messages per second.
   */
  readonly icmpv4Rate: number;
  /**
   * How many ICMPv4 errors may leave at once. One gateway, or one host where none takes part, may cause all of them;
   * the next ones, up to half as many, are kept for other kinds and sources. A burst of less than 4 has too little
   * room for that. In messages.
   */
  readonly icmpv4Burst: number;
}

/** ICMPv6 messages. */
export interface Icmpv6Errors {
  /** Whether errors are sent about tunnel packets that end here. */
  readonly generateIcmpv6Errors: boolean;
  /**
   * Average rate of ICMPv6 errors. They are of two kinds: about packets from the gateways of bindings, or from the
   * AFTR of a gateway, and about packets from all others. Each kind has half of the rate for itself, and what the
   * other leaves. In messages per second.
   */
  readonly icmpv6Rate: number;
  /**
   * How many ICMPv6 errors may leave at once. One source may cause all of them; the next ones, up to half as many,
   * are kept for the other kind and other sources. A burst of 1 has no room for that. In messages.
   */
  readonly icmpv6Burst: number;
}

/** What ICMP is let in and made. */
export interface IcmpPolicy {
  /** ICMPv4 messages. */
  readonly icmpv4Errors: Icmpv4Errors;
  /** ICMPv6 messages. */
  readonly icmpv6Errors: Icmpv6Errors;
}

/** An AFTR that is informed. */
export interface Target {
  /** A name for it here. */
  readonly name: string;
  /** RESTCONF root of the AFTR, such as https://aftr.example:8443/restconf. */
  readonly url: string;
  /** Name this gateway has at the AFTR: the name of its route-source. */
  readonly clientName: string | undefined;
  /** What proves the name. Nobody reads it unless access control says so. */
  readonly password: string | undefined;
  /** A certificate. The AFTR finds the route-source by its fingerprint. */
  readonly clientCertificate: 'device' | undefined;
  /**
   * SHA-256 of the certificate that is expected from the AFTR; the certificate authorities of the system decide when
   * absent.
   */
  readonly serverCertificateFingerprint: string | undefined;
}

/**
 * Dynamic configuration at the gateway: the IPv4 routes of its kernel and its served prefixes are advertised, and
 * bindings follow at the AFTR. What an AFTR accepts of the routes is served from then on, until it is withdrawn.
 */
export interface RouteAdvertisement {
  /**
   * Routing tables of the kernel whose unicast routes are advertised; 254 is main. Never among them are the default
   * route, what leads to a softwire, and loopback, link-local and multicast addresses.
   */
  readonly routeTable: readonly number[];
  /** Of the kernel's routes only those that lie in one of these are advertised; all when there is none. */
  readonly includePrefix: readonly Ipv4Prefix[];
  /** Routes of the kernel that lie in one of these are not advertised. */
  readonly excludePrefix: readonly Ipv4Prefix[];
  /**
   * Neighbors of /softwire/bgp that the routes are announced to, with the tunnel address as next hop. BGP brings no
   * word of what an AFTR refuses: what is announced is served.
   */
  readonly bgpNeighbor: readonly Uint8Array[];
  /** An AFTR that is informed. */
  readonly target: readonly Target[];
}

/** A 4over6 gateway: the lwB4 data plane without NAPT44 in front of IPv4 end devices. */
export interface Gateway {
  /** Name of this gateway. */
  readonly name: string;
  /** Whether it forwards. */
  readonly enabled: boolean;
  /** Tunnel address of this gateway. It must not be configured on an interface. */
  readonly ipv6Address: Uint8Array | undefined;
  /** Tunnel address of the AFTR. In the operational state the one that is in use, whether configured or learned. */
  readonly aftrIpv6Address: Uint8Array | undefined;
  /**
   * Interface whose DHCPv6 client tells the AFTR, instead of aftr-ipv6-address. An enabled gateway has exactly one of
   * both.
   */
  readonly aftrFromDhcpv6: string | undefined;
  /** Interfaces towards the end devices. */
  readonly ipv4Interface: readonly string[];
  /**
   * Source of the ICMPv4 messages this gateway makes; an address of the device. Without it there are none: neither is
   * the gateway seen by traceroute, nor does path MTU discovery work.
   */
  readonly ipv4Address: number | undefined;
  /** An IPv4 prefix behind this gateway; each end device has all ports. */
  readonly servedPrefix: readonly ServedPrefix[];
  /**
   * Largest IPv4 packet that is put into the tunnel whole: the path MTU less the 40 octets of the IPv6 header; the 8
   * octets of encapsulation-limit come off it when that is configured, but no less than 68 are left. A larger packet
   * with DF is answered with ICMP type 3, code 4; one without is carried in outer fragments. In octets.
   */
  readonly softwirePayloadMtu: number;
  /**
   * How long a path MTU that was learned holds after it fell last: then larger packets are tried again. In minutes.
   */
  readonly pathMtuLifetime: number;
  /** Hop limit of the outer header; independent of the inner TTL. */
  readonly hopLimit: number;
  /** What becomes of the DSCP. */
  readonly trafficClassMode: 'uniform' | 'pipe';
  /** Outer DSCP when traffic-class-mode is pipe; without meaning otherwise. */
  readonly pipeDscp: number;
  /** Ingress mode of explicit congestion notification. Egress is the same in both. */
  readonly ecnMode: 'normal' | 'compatibility';
  /**
   * Whether combinations of inner and outer ECN fields that mean a faulty or hostile network are told in the log, at
   * most once a minute. They are counted in any case.
   */
  readonly logEcnAnomalies: boolean;
  /** What becomes of an IPv4 packet with a source route option. All other options pass. */
  readonly sourceRouteOptions: 'drop' | 'forward';
  /** The flow label of the outer header. */
  readonly flowLabelMode: 'flow' | 'zero';
  /**
   * Whether a packet without DF that is larger than softwire-payload-mtu is carried in outer fragments; when not, it
   * is dropped.
   */
  readonly outerFragmentation: boolean;
  /**
   * Value of the Tunnel Encapsulation Limit option; the option is sent only when this leaf is there. In
   * encapsulations.
   */
  readonly encapsulationLimit: number | undefined;
  /** Largest TCP maximum segment size that passes, in both directions; larger ones are lowered to it. In octets. */
  readonly tcpMssClamp: number | undefined;
  /** Limits of the reassembly of tunnel packets. */
  readonly reassembly: Reassembly;
  /** What ICMP is let in and made. */
  readonly icmpPolicy: IcmpPolicy;
  /**
   * Dynamic configuration at the gateway: the IPv4 routes of its kernel and its served prefixes are advertised, and
   * bindings follow at the AFTR. What an AFTR accepts of the routes is served from then on, until it is withdrawn.
   */
  readonly routeAdvertisement: RouteAdvertisement;
}

/** One subscriber. */
export interface PortSet {
  /** Port set identifier, less than 2^psid-length. */
  readonly psid: number;
  /** Tunnel address of the subscriber. */
  readonly b4Ipv6Address: Uint8Array;
  /** Tunnel address of the AFTR for this port set. */
  readonly aftrIpv6Address: Uint8Array | undefined;
}

/**
 * An IPv4 address that several subscribers share by port sets. It lies in no binding. A device takes 10000 port
 * sets; a commit that changes one is on record as other-configuration.
 */
export interface SharedAddress {
  /** The address. */
  readonly ipv4Address: number;
  /** Number of offset bits a; with those of psid-length at most 16. In bits. */
  readonly psidOffset: number;
  /** Number of PSID bits k. In bits. */
  readonly psidLength: number;
  /** One subscriber. */
  readonly portSet: readonly PortSet[];
}

/** Which gateway holds which IPv4 addresses. */
export interface BindingTable {
  /**
   * An IPv4 address that several subscribers share by port sets. It lies in no binding. A device takes 10000 port
   * sets; a commit that changes one is on record as other-configuration.
   */
  readonly sharedAddress: readonly SharedAddress[];
}

/** A gateway that may advertise routes, and which. It is no management user: it can do this and nothing else. */
export interface RouteSource {
  /** Name it gives when it connects; no other route source of this device has it. */
  readonly name: string;
  /** Tunnel address its routes lead to; it can name no other. No other route source of this AFTR has it. */
  readonly gatewayIpv6Address: Uint8Array;
  /** Hash of its password. */
  readonly password: string | undefined;
  /**
   * SHA-256 of its client certificate, which must also be one that this device trusts and valid now. No other route
   * source of this device has it.
   */
  readonly certificateFingerprint: string | undefined;
  /**
   * Neighbors of /softwire/bgp that carry its routes: those whose next hop, or tunnel egress endpoint where there is
   * one, is gateway-ipv6-address. hold-time has no meaning for it, grace-time only after a start of this AFTR: the
   * rest is that of the BGP session.
   */
  readonly bgpNeighbor: readonly Uint8Array[];
  /** Prefixes it may advertise, and all that lie in them. */
  readonly allowedPrefix: readonly Ipv4Prefix[];
  /**
   * Most routes taken from it; what it advertises beyond them is refused route by route, and taken when there is
   * room. That holds for 1,000 routes of each source, and for 100,000 more of all sources together. Over RESTCONF a
   * source that advertises still more is refused whole, as last-problem says: what is bound of it becomes stale
   * after hold-time and is removed after grace-time. Over BGP what is beyond is left out, as last-problem says, and
   * taken when there is room. In routes.
   */
  readonly maximumRoutes: number;
  /**
   * Time without an advertisement after which its bindings are stale. It says at least three times as often that it
   * is there. In seconds.
   */
  readonly holdTime: number;
  /** Time for which stale bindings are forwarded by; then they are removed. In seconds. */
  readonly graceTime: number;
}

/** An AFTR: holds the binding table and is the edge of the IPv4 Internet. */
export interface Aftr {
  /** Name of this AFTR. */
  readonly name: string;
  /** Whether it forwards. */
  readonly enabled: boolean;
  /** Tunnel address of this AFTR. It must not be configured on an interface. */
  readonly ipv6Address: Uint8Array | undefined;
  /** Further tunnel addresses; a binding may name one of them. */
  readonly additionalIpv6Address: readonly Uint8Array[];
  /**
   * Source of the ICMPv4 messages this AFTR makes; an address of the device. Without it there are none: neither is
   * the AFTR seen by traceroute, nor does path MTU discovery towards it work.
   */
  readonly ipv4Address: number | undefined;
  /** Public prefixes this AFTR answers for; every binding lies in one. At least one is needed when enabled. */
  readonly ipv4Pool: readonly Ipv4Prefix[];
  /** Largest number of bindings and port sets; what the datapath can hold is the limit when absent. In bindings. */
  readonly softwireNumMax: number | undefined;
  /**
   * Part of softwire-num-max at which alarm binding-table-near-limit is raised. It ends below eight ninths of that.
   * In percent.
   */
  readonly softwireNumThreshold: number;
  /** Whether traffic between two gateways goes through this AFTR. */
  readonly enableHairpinning: boolean;
  /**
   * Whether packets and octets are counted for each binding and each gateway. While they are, the datapath works more
   * for a packet, about a tenth with 1,000 bindings, a quarter to nearly a half with a million, whose counters are
   * too many for its caches; and it takes up to 40 octets more memory for a binding. While not, their statistics are
   * absent.
   */
  readonly bindingCounters: boolean;
  /**
   * Largest IPv4 packet that is put into the tunnel whole: the path MTU less the 40 octets of the IPv6 header; the 8
   * octets of encapsulation-limit come off it when that is configured, but no less than 68 are left. A larger packet
   * with DF is answered with ICMP type 3, code 4; one without is carried in outer fragments. In octets.
   */
  readonly softwirePayloadMtu: number;
  /**
   * How long a path MTU that was learned holds after it fell last: then larger packets are tried again. In minutes.
   */
  readonly pathMtuLifetime: number;
  /** Hop limit of the outer header; independent of the inner TTL. */
  readonly hopLimit: number;
  /** What becomes of the DSCP. */
  readonly trafficClassMode: 'uniform' | 'pipe';
  /** Outer DSCP when traffic-class-mode is pipe; without meaning otherwise. */
  readonly pipeDscp: number;
  /** Ingress mode of explicit congestion notification. Egress is the same in both. */
  readonly ecnMode: 'normal' | 'compatibility';
  /**
   * Whether combinations of inner and outer ECN fields that mean a faulty or hostile network are told in the log, at
   * most once a minute. They are counted in any case.
   */
  readonly logEcnAnomalies: boolean;
  /** What becomes of an IPv4 packet with a source route option. All other options pass. */
  readonly sourceRouteOptions: 'drop' | 'forward';
  /** The flow label of the outer header. */
  readonly flowLabelMode: 'flow' | 'zero';
  /**
   * Whether a packet without DF that is larger than softwire-payload-mtu is carried in outer fragments; when not, it
   * is dropped.
   */
  readonly outerFragmentation: boolean;
  /**
   * Value of the Tunnel Encapsulation Limit option; the option is sent only when this leaf is there. In
   * encapsulations.
   */
  readonly encapsulationLimit: number | undefined;
  /** Largest TCP maximum segment size that passes, in both directions; larger ones are lowered to it. In octets. */
  readonly tcpMssClamp: number | undefined;
  /** Limits of the reassembly of tunnel packets. */
  readonly reassembly: Reassembly;
  /** What ICMP is let in and made. */
  readonly icmpPolicy: IcmpPolicy;
  /** Which gateway holds which IPv4 addresses. */
  readonly bindingTable: BindingTable;
  /** A gateway that may advertise routes, and which. It is no management user: it can do this and nothing else. */
  readonly routeSource: readonly RouteSource[];
}

/** How long the device remembers what was committed. The newest commit is always on record. */
export interface History {
  /**
   * How many changed bindings are on record; a commit counts as one at least. One takes up to 250 octets on disk. In
   * changed bindings.
   */
  readonly maximumChanges: number;
  /** Commits that are older are forgotten; without it, only the number counts. In days. */
  readonly maximumAge: number | undefined;
}

/** A BGP neighbor. */
export interface Neighbor {
  /** Its IPv6 address. */
  readonly address: Uint8Array;
  /** Its autonomous system. */
  readonly peerAs: number;
  /** Its TCP port. */
  readonly peerPort: number;
  /** Key of the TCP MD5 signatures of the session. Nobody reads it unless access control says so. */
  readonly password: string | undefined;
  /** Whether it is waited for, and not connected to. */
  readonly passive: boolean;
  /** Time without a message after which the session ends; the smaller one of both ends counts. In seconds. */
  readonly holdTime: number;
  /** How far away it may be: 1 is on the same link. */
  readonly maximumHops: number;
  /**
   * Whether packets from farther away than maximum-hops are dropped by their hop limit. The neighbor must do so too.
   */
  readonly ttlSecurity: boolean;
  /**
   * What the neighbor is asked to keep routes for when the session is lost; 0 is without graceful restart. Routes of
   * the neighbor are kept for as long as it asks for. In seconds.
   */
  readonly gracefulRestartTime: number;
}

/**
 * A BGP speaker for IPv4 routes with IPv6 next hops, over IPv6 only. It runs when there is a neighbor, which needs
 * local-as and router-id.
 */
export interface Bgp {
  /** Autonomous system of this device. */
  readonly localAs: number | undefined;
  /** BGP identifier of this device. */
  readonly routerId: number | undefined;
  /** TCP port that neighbors connect to. */
  readonly localPort: number;
  /** Addresses that neighbors connect to; all IPv6 addresses of this device when there is none. */
  readonly localAddress: readonly Uint8Array[];
  /**
   * Unix socket of a GoBGP that is running and whose owner has configured it, with the neighbors, their policies and
   * what else is here. Without it GoBGP is started and configured by this program.
   */
  readonly engineSocket: string | undefined;
  /** A BGP neighbor. */
  readonly neighbor: readonly Neighbor[];
}

/** Everything about softwires on this device. */
export interface Softwire {
  /** A 4over6 gateway: the lwB4 data plane without NAPT44 in front of IPv4 end devices. */
  readonly gateway: readonly Gateway[];
  /** An AFTR: holds the binding table and is the edge of the IPv4 Internet. */
  readonly aftr: readonly Aftr[];
  /** How long the device remembers what was committed. The newest commit is always on record. */
  readonly history: History;
  /**
   * A BGP speaker for IPv4 routes with IPv6 next hops, over IPv6 only. It runs when there is a neighbor, which needs
   * local-as and router-id.
   */
  readonly bgp: Bgp;
}
