/**
 * The tunnel addresses of the instances of a role, each with the number of its softwire; and where rows lead by them. A number belongs
 * to an address until `keepOnly`, and to nobody as long as a worker may send by it, so that rows which still name it lead nowhere else.
 */

import { formatIpv6, sameIpv6 } from '../address.ts';
import { MAX_SOFTWIRES } from '../state/limits.ts';
import type { InstancePlan } from './configuration.ts';
import type { Epochs } from './epochs.ts';
import { Numbers } from './numbers.ts';
import type { Target } from './table.ts';

export interface TunnelAddress {
  readonly local: Uint8Array;
  readonly softwire: number;
}

export class TunnelAddresses {
  readonly #numbers: Numbers;
  /** Those in use, by instance; the main one first. */
  #inUse = new Map<string, readonly TunnelAddress[]>();

  constructor(epochs: Epochs) {
    this.#numbers = new Numbers(1, MAX_SOFTWIRES, epochs);
  }

  /** The tunnel addresses of a plan, in use or not yet, the main one first; each has a number then. */
  ofPlan(plan: InstancePlan): TunnelAddress[] {
    return plan.locals.map((local) => ({ local, softwire: this.#numbers.assign(keyOf(plan, local)) }));
  }

  /** Those in use of an instance. */
  of(instance: string): readonly TunnelAddress[] {
    return this.#inUse.get(instance) ?? [];
  }

  /** Makes those of `plans` the ones in use. */
  use(plans: readonly InstancePlan[]): void {
    this.#inUse = new Map(plans.map((plan) => [plan.name, this.ofPlan(plan)]));
  }

  /** Numbers of softwires that none of `plans` has. */
  unwanted(plans: readonly InstancePlan[]): number[] {
    const wanted = keysOf(plans);
    return [...this.#numbers.keys()].filter((key) => !wanted.has(key)).map((key) => this.#numbers.numberOf(key) ?? 0);
  }

  /** Gives back the numbers of all that none of `plans` has; no row names them any more. */
  keepOnly(plans: readonly InstancePlan[]): void {
    this.#numbers.keepOnly(keysOf(plans));
  }

  /** Where an AFTR sends what is for `remote`, from the tunnel address `named`; undefined while it has no such address. */
  target(instance: string, remote: Uint8Array, named: Uint8Array | undefined): Target | undefined {
    const tunnels = this.of(instance);
    const tunnel = named ? tunnels.find(({ local }) => sameIpv6(local, named)) : tunnels[0];
    return tunnel && { remote, softwire: tunnel.softwire };
  }
}

function keyOf(plan: InstancePlan, local: Uint8Array): string {
  return `${plan.name} ${formatIpv6(local)}`;
}

function keysOf(plans: readonly InstancePlan[]): Set<string> {
  return new Set(plans.flatMap((plan) => plan.locals.map((local) => keyOf(plan, local))));
}
