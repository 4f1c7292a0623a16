/** The kernel's part as the datapath sees it: configurations become plans over names and addresses. */

import type { Refusal } from '../control.ts';
import { Kernel } from '../kernel/kernel.ts';
import type { IcmpSource, KernelConfig } from '../kernel/plan.ts';
import { readConfiguration } from '../state/configuration-reader.generated.ts';
import type { Softwire as Configuration } from '../state/model.generated.ts';
import type { KernelPart } from './datapath.ts';
import type { Role } from './engine.ts';

export interface LinkListeners {
  /** The broadcast addresses of the links, and this device's own on them, whenever they may have changed. */
  readonly onAddresses: (broadcasts: readonly number[], hosts: readonly number[]) => void;
  /** What the links of the IPv4 side take, by instance, whenever it may have changed. */
  readonly onEgress: (role: Role, mtus: ReadonlyMap<string, number>) => void;
}

/**
 * The kernel behind the interface that the datapath wants; `devices` are the TUN devices by role, `listeners` are told of
 * the links of this device.
 */
export function kernelPart(
  devices: Readonly<Record<Role, string>>,
  { onAddresses, onEgress }: LinkListeners,
): KernelPart {
  const kernel = new Kernel(onAddresses, ({ gateway, aftr }) => {
    onEgress('gateway', gateway);
    onEgress('aftr', aftr);
  });
  let applied = kernelConfig(readConfiguration({}), devices);
  return {
    check: async (configuration) => {
      const refusals = await kernel.check(kernelConfig(configuration, devices));
      return refusals.map(
        ({ message, role, name }): Refusal => ({
          message,
          path: `/gi-4over6:softwire/${role}[name='${name}']`,
          appTag: 'host-conflict',
        }),
      );
    },
    apply: async (configuration) => {
      applied = kernelConfig(configuration, devices);
      await kernel.apply(applied);
    },
    diagnose: (bound) => kernel.diagnose(applied, bound),
    remove: (roles) => kernel.remove(roles.map((role) => devices[role])),
  };
}

function kernelConfig(configuration: Configuration, devices: Readonly<Record<Role, string>>): KernelConfig {
  return {
    gatewayDevice: devices.gateway,
    aftrDevice: devices.aftr,
    gateways: configuration.gateway.flatMap((gateway) => {
      const { name, enabled, ipv6Address, aftrIpv6Address, aftrFromDhcpv6 } = gateway;
      const { ipv4Interface, servedPrefix, softwirePayloadMtu } = gateway;
      const icmpSource = icmpSourceOf(gateway);
      if (!enabled || !ipv6Address || !(aftrIpv6Address || aftrFromDhcpv6)) return [];
      const servedPrefixes = servedPrefix.map(({ ipv4Prefix }) => ipv4Prefix);
      return [
        {
          name,
          ipv6Address,
          aftrIpv6Address,
          ipv4Interfaces: ipv4Interface,
          servedPrefixes,
          payloadMtu: softwirePayloadMtu,
          icmpSource,
        },
      ];
    }),
    aftrs: configuration.aftr.flatMap((aftr) => {
      const { name, enabled, ipv6Address, additionalIpv6Address, ipv4Pool, softwirePayloadMtu } = aftr;
      if (!enabled || !ipv6Address) return [];
      const ipv6Addresses = [ipv6Address, ...additionalIpv6Address];
      return [{ name, ipv6Addresses, pools: ipv4Pool, payloadMtu: softwirePayloadMtu, icmpSource: icmpSourceOf(aftr) }];
    }),
  };
}

function icmpSourceOf({ ipv4Address, icmpPolicy }: Configuration['gateway' | 'aftr'][number]): IcmpSource {
  return { ipv4Address, sendsErrors: icmpPolicy.icmpv4Errors.generateIcmpv4Errors };
}
