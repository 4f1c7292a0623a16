/**
 * From the configuration (the small tree, in the types generated from the model) to what the engine needs: for each
 * instance its tunnel addresses, modes and sizes, and the IPv4 prefixes it answers for.
 */

import type { Ipv4Prefix } from '../address.ts';
import type { Aftr, Softwire as Configuration, Gateway, SharedAddress } from '../state/model.generated.ts';
import type { Role } from './engine.ts';
import { FLAG_ECN_COMPATIBILITY, FLAG_FLOW_LABEL, FLAG_HAIRPINNING, FLAG_PIPE, FLAG_SOURCE_ROUTES } from './layout.ts';

export interface InstancePlan {
  readonly name: string;
  /** Enabled, with all addresses it needs. An instance that does not forward only keeps its counters. */
  readonly forwards: boolean;
  /** Tunnel addresses; the first is the one that bindings mean when they name none. */
  readonly locals: readonly Uint8Array[];
  /** The only other end (a gateway's AFTR). */
  readonly remote: Uint8Array | undefined;
  /** FLAG_ numbers of layout.ts. */
  readonly flags: number;
  readonly hopLimit: number;
  readonly pipeDscp: number;
  readonly payloadMtu: number;
  /** 0 for none. */
  readonly ipv4Address: number;
  /** Whether dangerous ECN combinations are told in the log. */
  readonly logsEcnAnomalies: boolean;
  /** What an AFTR answers for: its bindings lie in there. */
  readonly pools: readonly Ipv4Prefix[];
  /** What a gateway serves: each is a row of its table. */
  readonly servedPrefixes: readonly Ipv4Prefix[];
  /** Addresses of an AFTR that subscribers share by port sets. */
  readonly sharedAddresses: readonly SharedAddress[];
}

/** The instances of one role. */
export function planInstances(role: Role, configuration: Configuration): readonly InstancePlan[] {
  return role === 'gateway' ? configuration.gateway.map(planGateway) : configuration.aftr.map(planAftr);
}

function planGateway(gateway: Gateway): InstancePlan {
  const { ipv6Address, aftrIpv6Address } = gateway;
  return {
    ...planTunnel(gateway),
    forwards: gateway.enabled && ipv6Address !== undefined && aftrIpv6Address !== undefined,
    locals: ipv6Address ? [ipv6Address] : [],
    remote: aftrIpv6Address,
    pools: [],
    servedPrefixes: gateway.servedPrefix.map(({ ipv4Prefix }) => ipv4Prefix),
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
    pools: aftr.ipv4Pool,
    servedPrefixes: [],
    sharedAddresses: aftr.bindingTable.sharedAddress,
  };
}

type TunnelPlan = Pick<
  InstancePlan,
  'name' | 'flags' | 'hopLimit' | 'pipeDscp' | 'payloadMtu' | 'ipv4Address' | 'logsEcnAnomalies'
>;

function planTunnel(tunnel: Gateway | Aftr): TunnelPlan {
  let flags = 0;
  if (tunnel.trafficClassMode === 'pipe') flags |= FLAG_PIPE;
  if (tunnel.ecnMode === 'compatibility') flags |= FLAG_ECN_COMPATIBILITY;
  if (tunnel.flowLabelMode === 'flow') flags |= FLAG_FLOW_LABEL;
  if (tunnel.sourceRouteOptions === 'forward') flags |= FLAG_SOURCE_ROUTES;
  return {
    name: tunnel.name,
    flags,
    hopLimit: tunnel.hopLimit,
    pipeDscp: tunnel.pipeDscp,
    payloadMtu: tunnel.softwirePayloadMtu,
    ipv4Address: tunnel.ipv4Address ?? 0,
    logsEcnAnomalies: tunnel.logEcnAnomalies,
  };
}
