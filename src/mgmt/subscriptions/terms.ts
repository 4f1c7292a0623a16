/**
 * The terms of a subscription as a value: what establish-subscription and modify-subscription ask for (RFC 8639 §2.4, RFC 8641
 * §4.4). Input is a node whose children are those of the operation's input; checked here is what the schema does not say.
 */

import { parseDateTime } from '../../date-time.ts';
import { DataNode } from '../../state/data.ts';
import { ManagementError } from '../../state/errors.ts';
import type { EventFilter } from '../events/filter.ts';
import { STREAM } from '../events/streams.ts';
import type { DataFilter, ExpressionText, FilterContext, FilterSource } from './filters.ts';
import { dataFilter, eventFilter, filterIn } from './filters.ts';
import { LIMITS } from './limits.ts';
import { Refusal } from './refusal.ts';

export interface StreamTerms {
  readonly kind: 'stream';
  readonly filter: EventFilter | undefined;
  readonly start: Date | undefined;
  readonly stop: Date | undefined;
}

export type PushDatastore = 'running' | 'operational';

export interface Periodic {
  readonly kind: 'periodic';
  readonly periodMs: number;
  readonly anchor: Date | undefined;
}

export interface OnChange {
  readonly kind: 'on-change';
  readonly dampeningMs: number;
  /** Whether the whole selection is sent at first. */
  readonly syncOnStart: boolean;
  /** Operations of edits that are not told. */
  readonly excluded: ReadonlySet<string>;
}

export interface PushTerms {
  readonly kind: 'datastore';
  readonly datastore: PushDatastore;
  /** Undefined for all of it. */
  readonly filter: DataFilter | undefined;
  readonly trigger: Periodic | OnChange;
  readonly stop: Date | undefined;
}

export type Terms = StreamTerms | PushTerms;

export interface TermsContext extends FilterContext {
  /** Running, for the filters that are referred to by name. */
  readonly configuration: DataNode;
}

/** What is subscribed to, for the form of an error. */
export function targetIn(input: DataNode): Terms['kind'] {
  return input.child('datastore') || input.child('periodic') || input.child('on-change') ? 'datastore' : 'stream';
}

/**
 * All terms of a subscription; `given` is an expression within it as it came.
 * @throws Refusal; ManagementError invalid-value for times that cannot be, missing-element, bad-element
 */
export function readTerms(context: TermsContext, input: DataNode, given?: ExpressionText): Terms {
  const stop = timeIn(input, 'stop-time');
  return targetIn(input) === 'stream'
    ? streamTerms(context, input, stop, given)
    : pushTerms(context, input, stop, given);
}

function streamTerms(
  context: TermsContext,
  input: DataNode,
  stop: Date | undefined,
  given: ExpressionText | undefined,
): StreamTerms {
  const stream = input.leaf('stream') ?? '';
  if (stream !== STREAM) {
    throw new Refusal('stream-unavailable', `there is no event stream '${stream}' here: expected ${STREAM}`);
  }
  const start = timeIn(input, 'replay-start-time');
  const source = namedFilter(context, input, 'stream') ?? filterIn(context, input, 'stream', given);
  return { kind: 'stream', filter: source && eventFilter(context, source), start, stop };
}

/** @throws ManagementError for times that are past when a subscription is made or changed (RFC 8639 §2.4.2) */
export function requireTimes({ stop, ...terms }: Terms): void {
  const start = terms.kind === 'stream' ? terms.start : undefined;
  const now = Date.now();
  if (start && start.getTime() >= now) {
    refuseTime('replay-start-time', `replay-start-time ${start.toISOString()} is not in the past`);
  }
  const [earliest, name] = start ? [start.getTime(), 'replay-start-time'] : [now, 'now'];
  if (stop && stop.getTime() <= earliest) {
    refuseTime('stop-time', `stop-time ${stop.toISOString()} is not later than ${name}`);
  }
}

function pushTerms(
  context: TermsContext,
  input: DataNode,
  stop: Date | undefined,
  given: ExpressionText | undefined,
): PushTerms {
  const datastore = datastoreIn(input);
  const source = namedFilter(context, input, 'datastore') ?? filterIn(context, input, 'datastore', given);
  const filter = source && dataFilter(context, source);
  const trigger = triggerIn(input);
  if (trigger.kind === 'on-change' && filter && !filter.isLocal) {
    const message =
      'on-change takes paths downwards, with predicates over the nodes they stand at: what others there are is not looked at';
    throw new Refusal('filter-unsupported', message, { 'filter-failure-hint': message });
  }
  if (trigger.kind === 'on-change' && filter && !filter.holdsConfig) {
    const message = 'on-change tells of configuration, and the filter selects state alone: ask for periodic updates';
    throw new Refusal('on-change-unsupported', message);
  }
  return { kind: 'datastore', datastore, filter, trigger, stop };
}

/** @throws Refusal datastore-not-subscribable */
function datastoreIn(input: DataNode): PushDatastore {
  const value = input.leaf('datastore') ?? '';
  if (value === 'ietf-datastores:running') return 'running';
  if (value === 'ietf-datastores:operational') return 'operational';
  const message = `datastore ${value} cannot be subscribed to: expected running or operational`;
  throw new Refusal('datastore-not-subscribable', message);
}

/** @throws Refusal period-unsupported; ManagementError missing-element */
function triggerIn(input: DataNode): Periodic | OnChange {
  const periodic = input.child('periodic');
  if (periodic) {
    const period = Number(periodic.leaf('period'));
    if (period < LIMITS.periodCs) throw tooShort('period', period, LIMITS.periodCs);
    return { kind: 'periodic', periodMs: period * 10, anchor: timeIn(periodic, 'anchor-time') };
  }
  const onChange = input.child('on-change');
  if (onChange) {
    return {
      kind: 'on-change',
      dampeningMs: Number(onChange.leaf('dampening-period') ?? 0) * 10,
      syncOnStart: onChange.leaf('sync-on-start') !== 'false',
      excluded: new Set(onChange.entries('excluded-change').map(({ value }) => value)),
    };
  }
  const message = 'a subscription to a datastore needs periodic or on-change';
  throw new ManagementError('missing-element', { message, info: { 'bad-element': 'periodic' } });
}

/** `period` in hundredths of a second, as `least`. */
export function tooShort(name: string, period: number, least: number): Refusal {
  const message = `${name} ${period}: expected at least ${least} hundredths of a second`;
  return new Refusal('period-unsupported', message, { 'period-hint': `${least}` });
}

/** A filter that was configured. @throws Refusal filter-unavailable */
function namedFilter(context: TermsContext, input: DataNode, target: 'stream' | 'datastore'): FilterSource | undefined {
  const name = input.leaf(REFERENCES[target]);
  if (name === undefined) return undefined;
  const entry = configuredFilter(context.configuration, target, name);
  const source = entry && filterIn(context, entry, target);
  if (source) return source;
  const why = entry ? 'holds none' : 'is not there';
  throw new Refusal('filter-unavailable', `the filter '${name}' ${why}: configure it under /filters`);
}

const REFERENCES = { stream: 'stream-filter-name', datastore: 'selection-filter-ref' } as const;
const LISTS = { stream: 'stream-filter', datastore: 'selection-filter' } as const;

/** The entry of /filters by its name. */
function configuredFilter(configuration: DataNode, target: keyof typeof LISTS, name: string): DataNode | undefined {
  const filters = configuration.child('filters', 'ietf-subscribed-notifications');
  return filters?.entries(LISTS[target]).find((entry) => entry.keyValues()[0] === name);
}

/** The configured filter that terms refer to; undefined when they refer to none, or to one that is not there. */
export function referredFilter(configuration: DataNode, policy: DataNode): DataNode | undefined {
  for (const target of ['stream', 'datastore'] as const) {
    const name = policy.leaf(REFERENCES[target]);
    if (name !== undefined) return configuredFilter(configuration, target, name);
  }
  return undefined;
}

export function refersToFilter(policy: DataNode): boolean {
  return Object.values(REFERENCES).some((name) => policy.leaf(name) !== undefined);
}

/** The terms with what a modification says (RFC 8639 §2.4.3): a filter takes the place of the one before, what is not named stays. */
export function modified(policy: DataNode, input: DataNode): DataNode {
  const result = new DataNode(policy.schema);
  for (const child of policy.childMap.values()) if (!isFilter(child)) result.add(child.clone());
  for (const child of input.childMap.values()) {
    const schema = policy.schema.child(child.schema.name, child.schema.module);
    if (!schema || child.schema.name === 'id') continue;
    const before = policy.child(child.schema.name, child.schema.module);
    result.add(adopted(child, schema, before));
  }
  return result;
}

/**
 * What is subscribed to, from which datastore, and whether periodically or on change, stays as it is (RFC 8641 §4.4.2).
 * @throws ManagementError invalid-value
 */
export function requireSameKind(policy: DataNode, input: DataNode): void {
  for (const name of ['stream', 'datastore', 'periodic', 'on-change']) {
    const [before, after] = [policy.child(name), input.child(name)];
    if (!after || (before && before.value === after.value)) continue;
    const message = `${name} is not one of the terms of this subscription that can be changed`;
    throw new ManagementError('invalid-value', { message, info: { 'bad-element': name } });
  }
  const isOther = targetIn(policy) !== targetIn(input);
  if (!isOther) return;
  const message = `this is a subscription to a ${targetIn(policy)}, and stays one`;
  throw new ManagementError('invalid-value', { message, info: { 'bad-element': 'target' } });
}

/** The same node in another place of the schema, with what `before` has and it has not. */
export function adopted(node: DataNode, schema: DataNode['schema'], before?: DataNode): DataNode {
  const copy =
    before && !node.schema.isLeaf && node.size > 0 ? before.clone() : new DataNode(schema, node.value, node.type);
  for (const child of node.childMap.values()) {
    const inner = schema.child(child.schema.name, child.schema.module);
    if (inner) copy.add(adopted(child, inner));
  }
  return copy;
}

function isFilter({ schema }: DataNode): boolean {
  return /-filter$|-filter-(?:name|ref)$/.test(schema.name);
}

function timeIn(input: DataNode, name: string): Date | undefined {
  const text = input.leaf(name);
  if (text === undefined) return undefined;
  return parseDateTime(text) ?? refuseTime(name, `${name} '${text}': expected a time that there is`);
}

function refuseTime(name: string, message: string): never {
  throw new ManagementError('invalid-value', { message, info: { 'bad-element': name } });
}
