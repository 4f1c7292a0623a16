/**
 * From what is observed to alarms and to the notifications of our own model, without a clock, a timer or a socket: each
 * call takes a moment and what was seen, and tells the events that follow from it.
 */

import type { DatapathObservation, InstanceState } from '../../control.ts';
import { BINDING_CAPACITY } from '../../state/limits.ts';
import type { AlarmControl } from './alarm-data.ts';
import { alarmNotification, isNotified } from './alarm-data.ts';
import type { AlarmChange, AlarmList, Condition } from './alarm-list.ts';
import type { AlarmTypeName } from './alarm-types.ts';
import type { ConfiguredInstance } from './instances.ts';
import { Instances, instancePath } from './instances.ts';
import { SourceRefusals } from './source-refusals.ts';
import { SourceViolations } from './source-violations.ts';
import { ViolationRate } from './violation-rate.ts';

/** One moment on two clocks. */
export interface Moment {
  readonly wallMs: number;
  /** Of a clock that never goes back. */
  readonly steadyMs: number;
}

/** How the datapath is reached. */
export interface DatapathLink {
  readonly isConnected: boolean;
  /** Whether it has just answered. */
  readonly hasAnswered: boolean;
  /** A version that it did not follow to in time. */
  readonly behind: { readonly version: number } | undefined;
}

/** How full one binding table is. */
export interface TableFill {
  readonly aftr: string;
  /** Bindings and port sets, all there are when the limit is that of the device. */
  readonly entries: number;
  readonly limit: number;
  /** Percent of it that are near it. */
  readonly threshold: number;
}

export interface MonitorParts {
  readonly list: AlarmList;
  readonly control: () => AlarmControl;
  /** A notification, as RFC 7951 JSON, of what happened then. */
  readonly tell: (event: Readonly<Record<string, unknown>>, time: Date) => void;
}

const ROUTE_ALARMS = [
  'routes-refused',
  'route-source-silent',
  'advertisement-failing',
  'aftr-unknown',
  'bgp-down',
  'bgp-without-ipv6-next-hop',
] as const;
/** What is so of routes that are advertised, by alarm type. */
export type RouteConditions = Readonly<Record<(typeof ROUTE_ALARMS)[number], readonly Condition[]>>;

const WHOLE = '/gi-4over6:softwire/state';
const STORE = '/gi-4over6:store/state';
/** What the datapath may take to come up after a start of this process. */
const START_MS = 10_000;
/** Gone for so long is down: longer than a connection that was lost by chance takes to come back. */
const GONE_MS = 300;
/** There, without an answer for so long. */
const SILENT_MS = 3_000;
const SILENCE = 'the datapath does not answer: nothing is forwarded; it is started anew, see its log when this lasts';
/** What was near its limit is not any more below this part of its threshold: three quarters, that is 60 % after 80 %. */
const REASSEMBLY_CLEAR = 0.75;
/** Eight ninths, that is 80 % after 90 %. */
const TABLE_CLEAR = 8;
const TABLE_NEAR = 9;

export class AlarmMonitor {
  readonly #parts: MonitorParts;
  readonly #instances = new Instances();
  readonly #violations = new SourceViolations();
  readonly #refusals = new SourceRefusals();
  readonly #rates = new Map<string, ViolationRate>();
  /** Until then the datapath may be silent. */
  #patienceMs: number;
  /** At the start it was never there to be gone. */
  #hasAnswered = false;
  #goneMs: number | undefined;
  #silence: string | undefined;

  constructor(parts: MonitorParts, start: Moment) {
    this.#parts = parts;
    this.#patienceMs = start.steadyMs + START_MS;
  }

  /** Whether the datapath is taken to be down. */
  get isDown(): boolean {
    return this.#silence !== undefined;
  }

  /** Alarms datapath-down and datapath-behind. */
  datapath(now: Moment, { isConnected, hasAnswered, behind }: DatapathLink): void {
    const { steadyMs } = now;
    if (hasAnswered) this.#patienceMs = steadyMs + SILENT_MS;
    this.#goneMs = isConnected ? undefined : (this.#goneMs ?? steadyMs);
    const isGone = this.#goneMs !== undefined && steadyMs - this.#goneMs >= GONE_MS;
    const hasWaited = steadyMs >= this.#patienceMs;
    if (hasAnswered) this.#silence = undefined;
    else if (hasWaited || (isGone && this.#hasAnswered)) this.#silence = SILENCE;
    this.#hasAnswered ||= hasAnswered;
    const one = (text: string, severity: Condition['severity']) => [{ resource: WHOLE, severity, text }];
    this.#observe('datapath-down', this.#silence === undefined ? [] : one(this.#silence, 'critical'), now);
    const text = `version ${behind?.version} was not forwarded by in time: see the status for what stands against it`;
    this.#observe('datapath-behind', behind ? one(text, 'major') : [], now);
  }

  /** Alarm not-forwarding, notification softwire-state-change; `states` is undefined when nobody could say. */
  instances(
    now: Moment,
    configured: readonly ConfiguredInstance[],
    states: readonly InstanceState[] | undefined,
  ): void {
    const conditionOf = (resource: string) => this.#parts.list.conditionOf('not-forwarding', resource);
    const { conditions, changes } = this.#instances.report(configured, states, this.#silence, conditionOf);
    this.#observe('not-forwarding', conditions, now);
    for (const change of changes) this.#tell('softwire-state-change', change, now);
  }

  /** Alarms reassembly-near-limit and source-violations, notifications source-violation and source-refusal. */
  observation(now: Moment, { instances, reassemblyMemory, violations }: DatapathObservation): void {
    this.#reassembly(now, instances, reassemblyMemory);
    for (const { aftr, outerSource, innerSource, suppressed } of this.#violations.take(violations, now.steadyMs)) {
      const addresses = { 'gateway-ipv6-address': outerSource, 'ipv4-source': innerSource };
      this.#tell('source-violation', { aftr, ...addresses, suppressed }, now);
    }
    for (const { gateway, innerSource, suppressed } of this.#refusals.take(instances, now.steadyMs)) {
      this.#tell('source-refusal', { gateway, 'ipv4-source': innerSource, suppressed }, now);
    }
    const aftrs = instances.filter(({ role }) => role === 'aftr');
    for (const name of [...this.#rates.keys()]) {
      if (!aftrs.some((aftr) => aftr.name === name)) this.#rates.delete(name);
    }
    const high = aftrs.flatMap(({ name, violations: packets }): Condition[] => {
      const rate = this.#rates.get(name) ?? new ViolationRate();
      this.#rates.set(name, rate);
      rate.sample(now.steadyMs, packets);
      const resource = instancePath('aftr', name);
      const wasHigh = this.#parts.list.conditionOf('source-violations', resource) !== undefined;
      const advice = 'the notifications source-violation name them; see whether their bindings are right';
      const text = `many packets come from gateways that do not hold their inner source: ${advice}`;
      return rate.isHigh(wasHigh) ? [{ resource, severity: 'warning', text }] : [];
    });
    this.#observe('source-violations', high, now);
  }

  #reassembly(
    now: Moment,
    instances: DatapathObservation['instances'],
    memory: DatapathObservation['reassemblyMemory'],
  ): void {
    const near = instances.flatMap(({ role, name, reassembly, reassemblyThreshold }): Condition[] => {
      const resource = instancePath(role, name);
      const known = this.#parts.list.conditionOf('reassembly-near-limit', resource);
      const isMemory = memory[role] > reassembly;
      const percent = known ? reassemblyThreshold * REASSEMBLY_CLEAR : reassemblyThreshold;
      if (100 * Math.max(memory[role], reassembly) < percent) return [];
      if (known) return [known];
      const cause = isMemory
        ? `the memory that all instances of role ${role} share is nearly in use: lower maximum-packets-per-source`
        : 'maximum-packets is nearly reached: look for who sends fragments that never become whole, or raise it';
      return [{ resource, severity: 'warning', text: `reassembly is near its limit: ${cause}` }];
    });
    this.#observe('reassembly-near-limit', near, now);
  }

  /** Alarm binding-table-near-limit, notification binding-limit. */
  tables(now: Moment, tables: readonly TableFill[]): void {
    const near = tables.flatMap(({ aftr, entries, limit, threshold }): Condition[] => {
      const resource = instancePath('aftr', aftr);
      const known = this.#parts.list.conditionOf('binding-table-near-limit', resource);
      const from = (limit * threshold) / 100;
      if (known ? entries * TABLE_NEAR < from * TABLE_CLEAR : entries < from) return [];
      const isOfDevice = limit >= BINDING_CAPACITY;
      const advice = isOfDevice
        ? 'no table here holds more, remove bindings'
        : 'remove bindings or raise softwire-num-max';
      return entries >= limit
        ? [{ resource, severity: 'major', text: `the binding table is full at ${limit} entries: ${advice}` }]
        : [{ resource, severity: 'warning', text: `the binding table is near its limit of ${limit}: ${advice}` }];
    });
    for (const { kind, resource } of this.#observe('binding-table-near-limit', near, now)) {
      const table = tables.find(({ aftr }) => instancePath('aftr', aftr) === resource);
      if (!table || (kind !== 'raise' && kind !== 'clear')) continue;
      const { aftr, entries, limit } = table;
      this.#tell('binding-limit', { aftr, bindings: entries, 'softwire-num-max': limit }, now);
    }
  }

  /** Alarms about routes that are advertised. */
  routes(now: Moment, conditions: RouteConditions): void {
    for (const type of ROUTE_ALARMS) this.#observe(type, conditions[type], now);
  }

  /** Alarm store-damaged; `problems` are sentences. */
  store(now: Moment, problems: readonly string[]): void {
    const text = problems.join(' ');
    this.#observe('store-damaged', text === '' ? [] : [{ resource: STORE, severity: 'major', text }], now);
  }

  /** Alarm store-not-writable; `problem` is a sentence or ''. */
  disk(now: Moment, problem: string): void {
    const conditions: Condition[] = problem === '' ? [] : [{ resource: STORE, severity: 'major', text: problem }];
    this.#observe('store-not-writable', conditions, now);
  }

  #observe(type: AlarmTypeName, conditions: readonly Condition[], now: Moment): AlarmChange[] {
    const changes = this.#parts.list.observe(type, conditions, now.wallMs);
    const control = this.#parts.control();
    for (const change of changes) {
      if (isNotified(change, control)) this.#parts.tell(alarmNotification(change), new Date(change.timeMs));
    }
    return changes;
  }

  #tell(name: string, event: object, now: Moment): void {
    this.#parts.tell({ [`gi-4over6:${name}`]: event }, new Date(now.wallMs));
  }
}
