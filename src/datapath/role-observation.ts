/** What the workers of one role saw that alarms are made of. */

import { formatIpv4, formatIpv6 } from '../address.ts';
import type { ObservedInstance, ObservedViolation } from '../control.ts';
import type { InstancePlan } from './configuration.ts';
import type { Role } from './engine.ts';
import { chunksIn } from './fragment-store.ts';
import { STORE_OCTETS } from './reassembly.ts';
import type { ReassemblyGauges } from './reassembly-gauges.ts';
import type { Refusals } from './source-refusals.ts';
import type { ViolationLog } from './violation-log.ts';

export interface RoleObservation {
  readonly instances: readonly ObservedInstance[];
  /** Part of the memory for reassembly that is in use. */
  readonly reassemblyMemory: number;
  readonly violations: readonly ObservedViolation[];
}

interface NumberedPlan {
  readonly plan: InstancePlan;
  readonly instance: number;
}

/** What is counted for an instance. */
export interface InstanceCounts {
  /** Violations since the workers started. */
  readonly violations: (instance: number) => number;
  readonly refusals: (instance: number) => Refusals | undefined;
}

/** Takes the violations out of their log. */
export function observeRole(
  role: Role,
  instances: readonly NumberedPlan[],
  gauges: ReassemblyGauges,
  log: ViolationLog,
  counts: InstanceCounts,
): RoleObservation {
  const nameOf = (number: number) => instances.find(({ instance }) => instance === number)?.plan.name;
  return {
    instances: instances.map(({ plan: { name, reassembly, reassemblyThreshold }, instance }) => {
      const refusals = role === 'gateway' ? counts.refusals(instance) : undefined;
      return {
        role,
        name,
        reassembly: gauges.datagrams(instance) / reassembly.datagrams,
        reassemblyThreshold,
        violations: role === 'aftr' ? counts.violations(instance) : 0,
        ...(refusals && { refusal: { packets: refusals.count, innerSource: formatIpv4(refusals.lastIpv4Source) } }),
      };
    }),
    reassemblyMemory: gauges.chunks / chunksIn(STORE_OCTETS),
    violations: log.take().sources.flatMap(({ instance, outerSource, innerSource, packets }) => {
      const aftr = nameOf(instance);
      // An instance that is gone meanwhile is nobody's concern.
      if (aftr === undefined) return [];
      return [{ aftr, outerSource: formatIpv6(outerSource), innerSource: formatIpv4(innerSource), packets }];
    }),
  };
}
