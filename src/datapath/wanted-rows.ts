/** What the plans of a role ask of its table and its pools, by tunnel addresses that are in use. */

import { ipv4Mask } from '../address.ts';
import type { InstancePlan } from './configuration.ts';
import type { WantedSharedAddress } from './shared-addresses.ts';
import type { Pool } from './softwires.ts';
import type { Target, WantedRow } from './table.ts';
import type { TunnelAddresses } from './tunnel-addresses.ts';

export function* wantedSharedAddresses(
  plans: readonly InstancePlan[],
  tunnels: TunnelAddresses,
): Generator<WantedSharedAddress> {
  for (const { name, forwards, sharedAddresses } of plans) {
    if (!forwards) continue;
    for (const { ipv4Address, psidOffset, psidLength, portSet } of sharedAddresses) {
      const portSets = new Map<number, Target>();
      for (const { psid, b4Ipv6Address, aftrIpv6Address } of portSet) {
        const target = tunnels.target(name, b4Ipv6Address, aftrIpv6Address);
        if (target) portSets.set(psid, target);
      }
      yield { address: ipv4Address, psidOffset, psidLength, portSets };
    }
  }
}

/** What gateways are configured for comes first, so that packets leave by it. */
export function* wantedServedPrefixes(plans: readonly InstancePlan[], tunnels: TunnelAddresses): Generator<WantedRow> {
  for (const isConfigured of [true, false]) {
    for (const { name, remote, servedPrefixes, configuredPrefixes: count } of plans) {
      const [tunnel] = tunnels.of(name);
      if (!tunnel || !remote) continue;
      const target = { remote, softwire: tunnel.softwire };
      const prefixes = isConfigured ? servedPrefixes.slice(0, count) : servedPrefixes.slice(count);
      for (const prefix of prefixes) yield { prefix, target };
    }
  }
}

/** The pools of a plan, each with its main tunnel address. */
export function poolsOf(plan: InstancePlan, tunnels: TunnelAddresses): Pool[] {
  const [tunnel] = tunnels.ofPlan(plan);
  return plan.pools.map(({ address, length }) => ({
    first: address,
    last: (address | ~ipv4Mask(length)) >>> 0,
    softwire: tunnel?.softwire ?? 0,
  }));
}
