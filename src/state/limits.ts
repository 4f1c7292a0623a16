/** What the forwarding tables can take: checked before each commit, also while the datapath is down. */

import type { Refusal } from '../control.ts';
import type { Aftr, Softwire as Configuration } from './model.generated.ts';

/** Numbers of instances of a role, of softwires, of pools: the forwarding tables have no more. */
export const MAX_INSTANCES = 256;
export const MAX_SOFTWIRES = 1_024;
export const MAX_POOLS = 4_096;

/** Bindings of all AFTRs together. Memory is taken only for those there are. */
export const BINDING_CAPACITY = 4 * 1_024 * 1_024;
/** Port sets of all AFTRs together: they are part of the small tree, which every change of it writes whole. */
export const MAX_PORT_SETS = 10_000;
/** Served prefixes of all gateways together. */
export const SERVED_PREFIX_CAPACITY = 65_536;

const ROOT = '/gi-4over6:softwire';

/**
 * A refusal for each limit that a configuration with so many bindings passes. Half of the numbers are kept free: while a commit is applied,
 * what goes and what comes have theirs at the same time.
 */
export function checkLimits({ gateway, aftr }: Configuration, bindings: number): Refusal[] {
  const addresses = aftr.reduce((sum, { additionalIpv6Address }) => sum + 1 + additionalIpv6Address.length, 0);
  const pools = aftr.reduce((sum, { ipv4Pool }) => sum + ipv4Pool.length, 0);
  const portSets = aftr.reduce((sum, item) => sum + countPortSets(item), 0);
  const shared = aftr.reduce((sum, { bindingTable }) => sum + bindingTable.sharedAddress.length, 0);
  const served = gateway.reduce((sum, { servedPrefix }) => sum + servedPrefix.length, 0);
  return [
    atMost(gateway.length, MAX_INSTANCES / 2, 'gateways', `${ROOT}/gateway`),
    atMost(aftr.length, MAX_INSTANCES / 2, 'AFTRs', `${ROOT}/aftr`),
    atMost(addresses, MAX_SOFTWIRES / 2, 'AFTR tunnel addresses', `${ROOT}/aftr`),
    atMost(pools, MAX_POOLS, 'IPv4 pools', `${ROOT}/aftr`),
    atMost(bindings, BINDING_CAPACITY, 'bindings', `${ROOT}/aftr`),
    atMost(portSets, MAX_PORT_SETS, 'port sets', `${ROOT}/aftr`),
    atMost(shared, MAX_PORT_SETS, 'shared addresses', `${ROOT}/aftr`),
    atMost(served, SERVED_PREFIX_CAPACITY, 'served prefixes', `${ROOT}/gateway`),
  ].flat();
}

/** All port sets of an AFTR. */
export function countPortSets({ bindingTable }: Aftr): number {
  return bindingTable.sharedAddress.reduce((sum, { portSet }) => sum + portSet.length, 0);
}

function atMost(count: number, limit: number, what: string, path: string): Refusal[] {
  if (count <= limit) return [];
  return [{ path, appTag: 'datapath-limit', message: `expected at most ${limit} ${what}, found ${count}` }];
}
