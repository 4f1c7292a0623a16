/**
 * From the configuration (the small tree, in the types generated from the model) to what the engine needs: for each
 * instance its tunnel addresses, modes and sizes, and the IPv4 prefixes it answers for.
 */

import type { Ipv4Prefix } from '../address.ts';
import type { Aftr, Softwire as Configuration, Gateway, SharedAddress } from '../state/model.generated.ts';
import type { Role } from './engine.ts';
import {
  FLAG_DENY_ICMPV4,
  FLAG_ECN_COMPATIBILITY,
  FLAG_ENCAPSULATION_LIMIT,
  FLAG_FLOW_LABEL,
  FLAG_HAIRPINNING,
  FLAG_ICMPV4_ERRORS,
  FLAG_ICMPV6_ERRORS,
  FLAG_MSS_CLAMP,
  FLAG_OUTER_FRAGMENTATION,
  FLAG_PIPE,
  FLAG_SOURCE_ROUTES,
} from './layout.ts';
import type { ReassemblyLimits } from './softwires.ts';
import { IPV4_MINIMUM_MTU } from './wire/ipv4.ts';
import { ENCAPSULATION_LIMIT_LEN } from './wire/ipv6-extensions.ts';

export interface InstancePlan extends IcmpPlan {
  readonly name: string;
  /** Enabled, with all addresses it needs. An instance that does not forward only keeps its counters. */
  readonly forwards: boolean;
  /** It would forward, once its AFTR is known. */
  readonly waitsForAftr?: boolean;
  /** Tunnel addresses; the first is the one that bindings mean when they name none. */
  readonly locals: readonly Uint8Array[];
  /** The only other end (a gateway's AFTR). */
  readonly remote: Uint8Array | undefined;
  /** FLAG_ numbers of layout.ts. */
  readonly flags: number;
  readonly hopLimit: number;
  readonly pipeDscp: number;
  /** Less what the options of the outer header take. */
  readonly payloadMtu: number;
  /** How long a learned path MTU holds. */
  readonly pathMtuLifetimeMs: number;
  /** Value of the Tunnel Encapsulation Limit with FLAG_ENCAPSULATION_LIMIT. */
  readonly encapsulationLimit: number;
  /** 0 for none. */
  readonly mssClamp: number;
  readonly reassembly: ReassemblyLimits;
  /** Percent of the limits of reassembly that are near them. */
  readonly reassemblyThreshold: number;
  /** 0 for none. */
  readonly ipv4Address: number;
  /** Whether dangerous ECN combinations are told in the log. */
  readonly logsEcnAnomalies: boolean;
  /** Whether an AFTR counts for each binding and gateway. */
  readonly countsBindings: boolean;
  /** What an AFTR answers for: its bindings lie in there. */
  readonly pools: readonly Ipv4Prefix[];
  /** What a gateway serves: each is a row of its table. */
  readonly servedPrefixes: readonly Ipv4Prefix[];
  /** How many of these, the first ones, it is configured to serve; the others it learned. */
  readonly configuredPrefixes: number;
  /** Addresses of an AFTR that subscribers share by port sets. */
  readonly sharedAddresses: readonly SharedAddress[];
}

/** Average and burst of ICMP errors: messages a second, messages at once. */
export interface IcmpPlan {
  readonly icmpv4Rate: number;
  readonly icmpv4Burst: number;
  readonly icmpv6Rate: number;
  readonly icmpv6Burst: number;
}

/** The instances of one role; `configured` is the configuration without what gateways learned to serve. */
export function planInstances(
  role: Role,
  configuration: Configuration,
  configured = configuration,
): readonly InstancePlan[] {
  if (role === 'aftr') return configuration.aftr.map(planAftr);
  return configuration.gateway.map((gateway, i) => planGateway(gateway, configured.gateway[i] ?? gateway));
}

function planGateway(gateway: Gateway, configured: Gateway): InstancePlan {
  const { ipv6Address, aftrIpv6Address } = gateway;
  const isReady = gateway.enabled && ipv6Address !== undefined;
  return {
    ...planTunnel(gateway),
    forwards: isReady && aftrIpv6Address !== undefined,
    waitsForAftr: isReady && aftrIpv6Address === undefined && gateway.aftrFromDhcpv6 !== undefined,
    locals: ipv6Address ? [ipv6Address] : [],
    remote: aftrIpv6Address,
    countsBindings: false,
    pools: [],
    servedPrefixes: gateway.servedPrefix.map(({ ipv4Prefix }) => ipv4Prefix),
    configuredPrefixes: configured.servedPrefix.length,
    sharedAddresses: [],
  };
}

function planAftr(aftr: Aftr): InstancePlan {
  const tunnel = planTunnel(aftr);
  return {
    ...tunnel,
    flags: tunnel.flags | (aftr.enableHairpinning ? FLAG_HAIRPINNING : 0),
    forwards: aftr.enabled && aftr.ipv6Address !== undefined,
    locals: aftr.ipv6Address ? [aftr.ipv6Address, ...aftr.additionalIpv6Address] : [],
    remote: undefined,
    countsBindings: aftr.bindingCounters,
    pools: aftr.ipv4Pool,
    servedPrefixes: [],
    configuredPrefixes: 0,
    sharedAddresses: aftr.bindingTable.sharedAddress,
  };
}

type TunnelPlan = Omit<
  InstancePlan,
  | 'forwards'
  | 'locals'
  | 'remote'
  | 'countsBindings'
  | 'pools'
  | 'servedPrefixes'
  | 'configuredPrefixes'
  | 'sharedAddresses'
>;

function planTunnel(tunnel: Gateway | Aftr): TunnelPlan {
  let flags = 0;
  if (tunnel.trafficClassMode === 'pipe') flags |= FLAG_PIPE;
  if (tunnel.ecnMode === 'compatibility') flags |= FLAG_ECN_COMPATIBILITY;
  if (tunnel.flowLabelMode === 'flow') flags |= FLAG_FLOW_LABEL;
  if (tunnel.sourceRouteOptions === 'forward') flags |= FLAG_SOURCE_ROUTES;
  if (tunnel.outerFragmentation) flags |= FLAG_OUTER_FRAGMENTATION;
  if (tunnel.encapsulationLimit !== undefined) flags |= FLAG_ENCAPSULATION_LIMIT;
  if (tunnel.tcpMssClamp !== undefined) flags |= FLAG_MSS_CLAMP;
  const options = tunnel.encapsulationLimit === undefined ? 0 : ENCAPSULATION_LIMIT_LEN;
  const { timeout, maximumFragments, maximumPackets, maximumPacketsPerSource } = tunnel.reassembly;
  const { icmpv4Errors, icmpv6Errors } = tunnel.icmpPolicy;
  if (!icmpv4Errors.allowIncomingIcmpv4) flags |= FLAG_DENY_ICMPV4;
  if (icmpv4Errors.generateIcmpv4Errors) flags |= FLAG_ICMPV4_ERRORS;
  if (icmpv6Errors.generateIcmpv6Errors) flags |= FLAG_ICMPV6_ERRORS;
  return {
    name: tunnel.name,
    flags,
    hopLimit: tunnel.hopLimit,
    pipeDscp: tunnel.pipeDscp,
    payloadMtu: Math.max(IPV4_MINIMUM_MTU, tunnel.softwirePayloadMtu - options),
    pathMtuLifetimeMs: tunnel.pathMtuLifetime * 60_000,
    encapsulationLimit: tunnel.encapsulationLimit ?? 0,
    mssClamp: tunnel.tcpMssClamp ?? 0,
    reassembly: {
      timeoutMs: timeout * 1_000,
      fragments: maximumFragments,
      datagrams: maximumPackets,
      datagramsPerSource: maximumPacketsPerSource,
    },
    reassemblyThreshold: tunnel.reassembly.alarmThreshold,
    ipv4Address: tunnel.ipv4Address ?? 0,
    logsEcnAnomalies: tunnel.logEcnAnomalies,
    icmpv4Rate: icmpv4Errors.icmpv4Rate,
    icmpv4Burst: icmpv4Errors.icmpv4Burst,
    icmpv6Rate: icmpv6Errors.icmpv6Rate,
    icmpv6Burst: icmpv6Errors.icmpv6Burst,
  };
}
