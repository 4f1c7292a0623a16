/** What ietf-alarms has of the alarm list: configuration read, state and notification written, as RFC 7951 JSON. */

import type { DataNode } from '../../state/data.ts';
import type { Alarm, AlarmChange, AlarmList } from './alarm-list.ts';
import { changedMs } from './alarm-list.ts';
import type { AlarmTypeName, Severity } from './alarm-types.ts';
import { ALARM_TYPES, alarmTypeId, SEVERITIES } from './alarm-types.ts';

type Json = Readonly<Record<string, unknown>>;

/** The container control (RFC 8632 §4.1). */
export interface AlarmControl {
  readonly maxChanges: number;
  readonly notify: string;
  /** With notify `severity-level`. */
  readonly level: Severity;
}

/** Under `root`, the running configuration, with the defaults of the model. */
export function alarmControl(root: DataNode): AlarmControl {
  const schema = root.schema.child('alarms', 'ietf-alarms')?.child('control');
  const control = root.child('alarms', 'ietf-alarms')?.child('control');
  const leaf = (name: string) => control?.leaf(name) ?? schema?.child(name)?.defaults[0] ?? '';
  const level = SEVERITIES.find((severity) => severity === leaf('notify-severity-level')) ?? 'indeterminate';
  return { maxChanges: Number(leaf('max-alarm-status-changes')), notify: leaf('notify-status-changes'), level };
}

/** Whether a change is sent as a notification (leaf notify-status-changes). */
export function isNotified({ kind, severity, before }: AlarmChange, { notify, level }: AlarmControl): boolean {
  if (kind === 'clear') return true;
  if (notify === 'raise-and-clear') return kind === 'raise';
  if (notify !== 'severity-level') return true;
  const least = SEVERITIES.indexOf(level);
  const reaches = (one: Severity) => SEVERITIES.indexOf(one) >= least;
  return (severity !== 'cleared' && reaches(severity)) || (kind === 'severity' && reaches(before));
}

export function alarmNotification({ type, resource, timeMs, severity, text }: AlarmChange): Json {
  return {
    'ietf-alarms:alarm-notification': {
      ...keysOf(type, resource),
      time: timeText(timeMs),
      'perceived-severity': severity,
      'alarm-text': text,
    },
  };
}

/** Inventory, summary and list. */
export function alarmState(list: AlarmList): Json {
  return {
    'ietf-alarms:alarms': {
      'alarm-inventory': { 'alarm-type': inventory() },
      summary: { 'alarm-summary': summary(list.alarms) },
      'alarm-list': {
        'number-of-alarms': list.alarms.length,
        ...(list.changedMs !== undefined && { 'last-changed': timeText(list.changedMs) }),
        alarm: list.alarms.map(entryOf),
      },
    },
  };
}

function inventory(): Json[] {
  return Object.entries(ALARM_TYPES).map(([type, { description, severities }]) => ({
    'alarm-type-id': alarmTypeId(type as AlarmTypeName),
    'alarm-type-qualifier': '',
    'will-clear': true,
    'severity-level': severities,
    description,
  }));
}

/** The most severe first. */
function summary(alarms: readonly Alarm[]): Json[] {
  return [...SEVERITIES].reverse().map((severity) => {
    const own = alarms.filter((alarm) => alarm.severity === severity);
    const cleared = own.filter(({ isCleared }) => isCleared).length;
    return { severity, total: own.length, 'not-cleared': own.length - cleared, cleared };
  });
}

function entryOf(alarm: Alarm): Json {
  return {
    ...keysOf(alarm.type, alarm.resource),
    'time-created': timeText(alarm.createdMs),
    'is-cleared': alarm.isCleared,
    'last-raised': timeText(alarm.raisedMs),
    'last-changed': timeText(changedMs(alarm)),
    'perceived-severity': alarm.severity,
    'alarm-text': alarm.text,
    'status-change': alarm.changes.map(({ timeMs, severity, text }) => ({
      time: timeText(timeMs),
      'perceived-severity': severity,
      'alarm-text': text,
    })),
  };
}

function keysOf(type: AlarmTypeName, resource: string): Json {
  return { resource, 'alarm-type-id': alarmTypeId(type), 'alarm-type-qualifier': '' };
}

function timeText(ms: number): string {
  return new Date(ms).toISOString();
}
