/**
 * Tells the log of dangerous ECN combinations (RFC 6040 §4.2: they SHOULD be logged, limited in rate, and the operator can
 * suppress it): at most one line a minute for each instance, with how many there were.
 */

import type { Log } from '../log.ts';
import type { EcnCount } from './counter-reader.ts';

/** What one instance has met. */
export interface EcnReading extends EcnCount {
  readonly role: string;
  readonly name: string;
  /** Whether the operator wants it in the log. */
  readonly isWanted: boolean;
}

const INTERVAL_MS = 60_000;

interface Told extends EcnCount {
  readonly atMs: number;
}

export class EcnLog {
  readonly #log: Log;
  readonly #told = new Map<string, Told>();

  constructor(log: Log) {
    this.#log = log;
  }

  /** Writes the lines that are due; `nowMs` is of a clock that never goes back. */
  tell(readings: readonly EcnReading[], nowMs: number): void {
    for (const { role, name, packets, start, isWanted } of readings) {
      const key = `${role} ${name}`;
      const last = this.#told.get(key);
      const more = last?.start === start ? packets - last.packets : packets;
      if (more === 0 || (last && nowMs - last.atMs < INTERVAL_MS)) continue;
      this.#told.set(key, { packets, start, atMs: nowMs });
      if (isWanted) {
        this.#log.warn(
          { role, name, packets: more },
          'ECN fields that mean a faulty or hostile network (RFC 6040 4.2)',
        );
      }
    }
  }
}
