/**
 * The alarm list (RFC 8632 §4.4) as a state machine without a clock: it is told which conditions of an alarm type hold, and
 * says what changed. An alarm is a type and a resource; it stays in the list when it is cleared, until it is purged.
 */

import type { AlarmTypeName, Severity } from './alarm-types.ts';
import { ALARM_TYPES } from './alarm-types.ts';

/** Something that is so now with one resource (an instance path). */
export interface Condition {
  readonly resource: string;
  readonly severity: Severity;
  readonly text: string;
}

export interface StatusChange {
  readonly timeMs: number;
  readonly severity: Severity | 'cleared';
  readonly text: string;
}

export interface Alarm {
  readonly type: AlarmTypeName;
  readonly resource: string;
  readonly createdMs: number;
  readonly raisedMs: number;
  readonly isCleared: boolean;
  /** The last one it had. */
  readonly severity: Severity;
  readonly text: string;
  /** Newest first; at least one. */
  readonly changes: readonly StatusChange[];
}

export interface AlarmChange extends StatusChange {
  readonly kind: 'raise' | 'clear' | 'severity' | 'text';
  readonly type: AlarmTypeName;
  readonly resource: string;
  /** The severity it had before; that of a raise is its own. */
  readonly before: Severity;
}

/** More than there are instances and types: what is over it was cleared for instances that are gone. */
const MAX_ALARMS = 2_000;

export class AlarmList {
  readonly #alarms = new Map<string, Alarm>();
  /** Conditions that still hold of alarms that were purged: they come back with their next change. */
  readonly #purged = new Map<string, Alarm>();
  readonly #maxChanges: () => number;
  #changedMs: number | undefined;

  /** `maxChanges` is how many status changes an alarm keeps; `alarms` are those of an earlier run. */
  constructor(maxChanges: () => number, alarms: readonly Alarm[] = []) {
    this.#maxChanges = maxChanges;
    for (const alarm of alarms) this.#alarms.set(keyOf(alarm.type, alarm.resource), alarm);
    this.#changedMs = alarms.length === 0 ? undefined : Math.max(...alarms.map(changedMs));
  }

  get alarms(): readonly Alarm[] {
    return [...this.#alarms.values()];
  }

  /** When the list last changed; undefined when it never did. */
  get changedMs(): number | undefined {
    return this.#changedMs;
  }

  /** The condition of an alarm that is not cleared, purged or not. */
  conditionOf(type: AlarmTypeName, resource: string): Condition | undefined {
    const key = keyOf(type, resource);
    const alarm = this.#alarms.get(key) ?? this.#purged.get(key);
    return alarm && !alarm.isCleared ? alarm : undefined;
  }

  /** All conditions of a type that hold now: what held before and is not among them is cleared. */
  observe(type: AlarmTypeName, conditions: readonly Condition[], nowMs: number): AlarmChange[] {
    const held = new Set(conditions.map(({ resource }) => resource));
    const ended = [...this.#alarms.values(), ...this.#purged.values()].filter(
      (alarm) => alarm.type === type && !alarm.isCleared && !held.has(alarm.resource),
    );
    return [
      ...conditions.flatMap((condition) => this.#hold(type, condition, nowMs) ?? []),
      ...ended.map((alarm) => this.#clear(alarm, nowMs)),
    ];
  }

  #hold(type: AlarmTypeName, condition: Condition, nowMs: number): AlarmChange | undefined {
    const { resource, severity, text } = condition;
    const key = keyOf(type, resource);
    const before = this.#alarms.get(key) ?? this.#purged.get(key);
    const kind = kindOf(before, condition);
    if (!kind) return undefined;
    const change = { timeMs: laterThan(before, nowMs), severity, text };
    const known = this.#purged.delete(key) ? undefined : before;
    this.#put({
      type,
      resource,
      createdMs: known?.createdMs ?? change.timeMs,
      raisedMs: kind === 'raise' ? change.timeMs : (before?.raisedMs ?? change.timeMs),
      isCleared: false,
      severity,
      text,
      changes: [change, ...(known?.changes ?? [])],
    });
    return { ...change, kind, type, resource, before: kind === 'raise' ? severity : (before?.severity ?? severity) };
  }

  /** The end of an alarm that was purged is told as well, but leaves nothing in the list. */
  #clear(alarm: Alarm, nowMs: number): AlarmChange {
    const { type, resource, severity, changes } = alarm;
    const text = ALARM_TYPES[type].cleared;
    const change = { timeMs: laterThan(alarm, nowMs), severity: 'cleared' as const, text };
    if (!this.#purged.delete(keyOf(type, resource))) {
      this.#put({ ...alarm, isCleared: true, text, changes: [change, ...changes] });
    }
    return { ...change, kind: 'clear', type, resource, before: severity };
  }

  #put(alarm: Alarm): void {
    const key = keyOf(alarm.type, alarm.resource);
    if (!this.#alarms.has(key) && this.#alarms.size >= MAX_ALARMS) this.#forgetOldest();
    this.#alarms.set(key, { ...alarm, changes: alarm.changes.slice(0, this.#maxChanges()) });
    this.#changedMs = Math.max(this.#changedMs ?? 0, changedMs(alarm));
  }

  #forgetOldest(): void {
    const [oldest] = this.alarms.filter(({ isCleared }) => isCleared).sort((a, b) => changedMs(a) - changedMs(b));
    if (oldest) this.#alarms.delete(keyOf(oldest.type, oldest.resource));
  }

  /** Removes the alarms that match; how many there were. */
  purge(matches: (alarm: Alarm) => boolean, nowMs: number): number {
    const found = this.alarms.filter(matches);
    for (const alarm of found) {
      const key = keyOf(alarm.type, alarm.resource);
      this.#alarms.delete(key);
      if (!alarm.isCleared) this.#purged.set(key, alarm);
    }
    if (found.length > 0) this.#changedMs = nowMs;
    return found.length;
  }

  /** Leaves of the alarms that match the newest status change alone; how many matched. */
  compress(matches: (alarm: Alarm) => boolean): number {
    const found = this.alarms.filter(matches);
    for (const alarm of found) {
      this.#alarms.set(keyOf(alarm.type, alarm.resource), { ...alarm, changes: alarm.changes.slice(0, 1) });
    }
    return found.length;
  }

  /** Forgets the status changes that are too many, after that number was changed. */
  trim(): void {
    for (const [key, alarm] of this.#alarms) {
      this.#alarms.set(key, { ...alarm, changes: alarm.changes.slice(0, this.#maxChanges()) });
    }
  }
}

/** When an alarm last changed. */
export function changedMs({ changes, createdMs }: Alarm): number {
  return changes[0]?.timeMs ?? createdMs;
}

function keyOf(type: AlarmTypeName, resource: string): string {
  return `${type} ${resource}`;
}

/** Status changes are told apart by their time: it grows, whatever the clock does. */
function laterThan(alarm: Alarm | undefined, nowMs: number): number {
  return alarm ? Math.max(nowMs, changedMs(alarm) + 1) : nowMs;
}

/** What a condition means to the alarm as it is; undefined when it is known. */
function kindOf(alarm: Alarm | undefined, { severity, text }: Condition): AlarmChange['kind'] | undefined {
  if (!alarm || alarm.isCleared) return 'raise';
  if (alarm.severity !== severity) return 'severity';
  return alarm.text === text ? undefined : 'text';
}
