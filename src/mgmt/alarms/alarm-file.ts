/**
 * The alarm list over a restart of management: a file that is written when alarms change, without fsync. What was an alarm
 * stays one until the new process has seen that it is none, and then its end is told.
 */

import { readFileSync } from 'node:fs';
import { rename, writeFile } from 'node:fs/promises';
import type { Log } from '../../log.ts';
import type { Alarm, StatusChange } from './alarm-list.ts';
import { isAlarmType, SEVERITIES } from './alarm-types.ts';

export class AlarmFile {
  readonly #path: string;
  readonly #log: Log;
  #last: Promise<void> = Promise.resolve();
  #next: readonly Alarm[] | undefined;
  #isFailing = false;

  constructor(path: string, log: Log) {
    this.#path = path;
    this.#log = log;
  }

  /** What is there; nothing when there is none, or one of which the form is not known. */
  read(): readonly Alarm[] {
    try {
      const alarms: unknown = JSON.parse(readFileSync(this.#path, 'utf8'));
      return Array.isArray(alarms) ? alarms.filter(isAlarm) : [];
    } catch {
      return [];
    }
  }

  /** Writes them soon; of lists that follow each other quickly the last one counts. */
  write(alarms: readonly Alarm[]): void {
    const isWaiting = this.#next !== undefined;
    this.#next = alarms;
    if (!isWaiting) this.#last = this.#last.then(() => this.#write());
  }

  async close(): Promise<void> {
    await this.#last;
  }

  async #write(): Promise<void> {
    const alarms = this.#next ?? [];
    this.#next = undefined;
    try {
      await writeFile(`${this.#path}.new`, JSON.stringify(alarms), { mode: 0o600 });
      await rename(`${this.#path}.new`, this.#path);
      this.#isFailing = false;
    } catch (error) {
      if (!this.#isFailing)
        this.#log.error({ error: String(error) }, 'alarms could not be kept: a restart forgets them');
      this.#isFailing = true;
    }
  }
}

function isAlarm(value: unknown): value is Alarm {
  if (typeof value !== 'object' || value === null) return false;
  const { type, resource, createdMs, raisedMs, isCleared, severity, text, changes } = value as Partial<Alarm>;
  return (
    typeof type === 'string' &&
    isAlarmType(type) &&
    typeof resource === 'string' &&
    isTime(createdMs) &&
    isTime(raisedMs) &&
    typeof isCleared === 'boolean' &&
    SEVERITIES.some((known) => known === severity) &&
    typeof text === 'string' &&
    Array.isArray(changes) &&
    changes.length > 0 &&
    changes.every(isChange)
  );
}

function isChange(value: unknown): value is StatusChange {
  if (typeof value !== 'object' || value === null) return false;
  const { timeMs, severity, text } = value as Partial<StatusChange>;
  const isSeverity = severity === 'cleared' || SEVERITIES.some((known) => known === severity);
  return isTime(timeMs) && isSeverity && typeof text === 'string';
}

/** A time that a Date takes. */
function isTime(value: unknown): value is number {
  return typeof value === 'number' && Math.abs(value) <= 8.64e15;
}
