/** The actions of ietf-alarms that work: purge-alarms and compress-alarms (RFC 8632 §3.5). */

import { DataNode } from '../../state/data.ts';
import type { Caller, ValueCheck } from '../../state/request.ts';
import type { Schema } from '../../state/schema.ts';
import type { AccessControl } from '../access.ts';
import { outputOf, withLeaves } from '../actions.ts';
import { mayTell } from '../discretion.ts';
import { missingInput } from '../missing-input.ts';
import type { StoreOperation } from '../store-care.ts';
import type { Alarm } from './alarm-list.ts';
import { changedMs } from './alarm-list.ts';
import { alarmTypeId, SEVERITIES } from './alarm-types.ts';
import type { AlarmWatch } from './alarm-watch.ts';
import { resourceMatch } from './resource-match.ts';

export interface AlarmOperationParts {
  readonly alarms: Pick<AlarmWatch, 'list' | 'keep'>;
  readonly schema: Schema;
  readonly check: ValueCheck;
  /** The root of the running configuration. */
  readonly configuration: () => DataNode;
  readonly access: Pick<AccessControl, 'rightsOf'>;
}

const LIST = '/ietf-alarms:alarms/alarm-list';
const UNIT_MS: Readonly<Record<string, number>> = {
  seconds: 1_000,
  minutes: 60_000,
  hours: 3_600_000,
  days: 86_400_000,
  weeks: 604_800_000,
};

/**
 * By schema path: each takes a node of its action and one of its input, and returns one of its output. What the caller may not read is
 * neither purged nor compressed, and not counted.
 */
export function alarmOperations(parts: AlarmOperationParts): Readonly<Record<string, StoreOperation>> {
  const { alarms, access, schema } = parts;
  const toldTo = (caller: Caller, matches: (alarm: Alarm) => boolean) => {
    const rights = access.rightsOf(caller);
    return (alarm: Alarm) => matches(alarm) && mayTell(schema, rights, alarm.resource, alarmTypeId(alarm.type));
  };
  return {
    [`${LIST}/purge-alarms`]: async (action, input, caller) => {
      const matches = purgeFilter(action, input, Date.now());
      const count = alarms.list.purge(toldTo(caller, matches), Date.now());
      alarms.keep();
      return withLeaves(new DataNode(outputOf(action)), { 'purged-alarms': String(count) });
    },
    [`${LIST}/compress-alarms`]: async (action, input, caller) => {
      const count = alarms.list.compress(toldTo(caller, compressFilter(parts, input)));
      alarms.keep();
      return withLeaves(new DataNode(outputOf(action)), { 'compressed-alarms': String(count) });
    },
  };
}

/** @throws ManagementError missing-element without the mandatory alarm-clearance-status */
export function purgeFilter(action: DataNode, input: DataNode, nowMs: number): (alarm: Alarm) => boolean {
  const status = input.leaf('alarm-clearance-status');
  if (status === undefined) throw missingInput(action, 'alarm-clearance-status');
  const [age] = [...(input.child('older-than')?.childMap.values() ?? [])];
  const ageMs = age ? Number(age.value) * (UNIT_MS[age.schema.name] ?? 0) : undefined;
  const [severity] = [...(input.child('severity')?.childMap.values() ?? [])];
  return (alarm) =>
    (status === 'any' || alarm.isCleared === (status === 'cleared')) &&
    (ageMs === undefined || nowMs - changedMs(alarm) > ageMs) &&
    (severity === undefined || isSeverity(alarm, severity.schema.name, severity.value));
}

function isSeverity({ severity }: Alarm, relation: string, value: string): boolean {
  const order: readonly string[] = SEVERITIES;
  const difference = order.indexOf(severity) - order.indexOf(value);
  if (relation === 'below') return difference < 0;
  return relation === 'above' ? difference > 0 : difference === 0;
}

/** Conditions that are not there match every alarm. */
function compressFilter({ schema, check, configuration }: AlarmOperationParts, input: DataNode) {
  const [resource, type, qualifier] = ['resource', 'alarm-type-id', 'alarm-type-qualifier'].map((name) =>
    input.leaf(name),
  );
  const matches = resource === undefined ? undefined : resourceMatch(schema, check, configuration(), resource);
  return (alarm: Alarm): boolean =>
    (matches === undefined || matches(alarm.resource)) &&
    (type === undefined || alarmTypeId(alarm.type) === type) &&
    (qualifier === undefined || qualifier === '');
}
