/** Which gateways and AFTRs forward, as far as it is known: alarm not-forwarding and notification softwire-state-change. */

import type { InstanceState } from '../../control.ts';
import type { Condition } from './alarm-list.ts';

/** A gateway or AFTR of the running configuration. */
export type ConfiguredInstance = Pick<InstanceState, 'role' | 'name' | 'enabled'>;

/** An instance began or ceased to forward. */
export interface StateChange {
  readonly instance: string;
  readonly forwards: boolean;
  readonly problem?: string;
}

export interface InstanceReport {
  readonly conditions: readonly Condition[];
  readonly changes: readonly StateChange[];
}

export function instancePath(role: InstanceState['role'], name: string): string {
  return `/gi-4over6:softwire/${role}[name='${name}']`;
}

export class Instances {
  /** Whether each forwarded when it was last known, by its path. */
  readonly #forwards = new Map<string, { readonly name: string; readonly forwards: boolean }>();
  /** Until something was known once, what forwards did not begin to: the program was started. */
  #isFirst = true;

  /**
   * `states` is what the datapath says; undefined when it could not find out. With `silence`, a sentence, it does not answer
   * at all. `conditionOf` gives the condition that an instance of which nothing is known has had.
   */
  report(
    configured: readonly ConfiguredInstance[],
    states: readonly InstanceState[] | undefined,
    silence: string | undefined,
    conditionOf: (resource: string) => Condition | undefined,
  ): InstanceReport {
    const conditions: Condition[] = [];
    const changes: StateChange[] = [];
    for (const { role, name, enabled } of configured) {
      const resource = instancePath(role, name);
      const state = states?.find((item) => item.role === role && item.name === name && item.enabled === enabled);
      const problem = enabled ? (silence ?? state?.problem) : 'it is disabled';
      const isKnown = !enabled || silence !== undefined || state !== undefined;
      const condition = isKnown ? conditionFor(resource, enabled ? problem : undefined) : conditionOf(resource);
      if (condition) conditions.push(condition);
      if (isKnown) changes.push(...this.#learn(resource, name, enabled, problem, conditionOf(resource) !== undefined));
    }
    changes.push(...this.#forget(configured));
    if (states || silence !== undefined) this.#isFirst = false;
    return { conditions, changes };
  }

  #learn(resource: string, name: string, enabled: boolean, problem: string | undefined, hadAlarm: boolean) {
    const forwards = problem === undefined;
    const known = this.#forwards.get(resource)?.forwards;
    this.#forwards.set(resource, { name, forwards });
    // At the start, an alarm that an earlier run left is what is known.
    const isNews = known === undefined ? isNewsAtFirst(enabled, forwards, hadAlarm, this.#isFirst) : known !== forwards;
    return isNews ? [{ instance: name, forwards, ...(problem !== undefined && { problem }) }] : [];
  }

  /** What is configured no longer has ceased to forward. */
  #forget(configured: readonly ConfiguredInstance[]): StateChange[] {
    const left = new Set(configured.map(({ role, name }) => instancePath(role, name)));
    const gone = [...this.#forwards].filter(([resource]) => !left.has(resource));
    for (const [resource] of gone) this.#forwards.delete(resource);
    return gone
      .filter(([, { forwards }]) => forwards)
      .map(([, { name }]) => ({ instance: name, forwards: false, problem: 'it is not configured any more' }));
  }
}

function conditionFor(resource: string, problem: string | undefined): Condition | undefined {
  return problem === undefined ? undefined : { resource, severity: 'critical', text: problem };
}

function isNewsAtFirst(enabled: boolean, forwards: boolean, hadAlarm: boolean, isFirst: boolean): boolean {
  if (forwards) return hadAlarm || !isFirst;
  return enabled && !hadAlarm;
}
