/**
 * Until when the routes of stale sources are kept, over a restart: a file that is written, without fsync, when that changes. Without it
 * an AFTR that is started again and again would never let go what nobody advertises any more.
 */

import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import type { Log } from '../../log.ts';

export class StaleMoments {
  readonly #file: string;
  readonly #log: Log;
  readonly #moments: Map<string, number>;
  #writing: NodeJS.Immediate | undefined;

  constructor(file: string, log: Log) {
    this.#file = file;
    this.#log = log;
    this.#moments = new Map(readMoments(file));
  }

  /** When they are over by what was kept; undefined for a source that is not stale. */
  of(name: string): Date | undefined {
    const moment = this.#moments.get(name);
    return moment === undefined ? undefined : new Date(moment);
  }

  /** Undefined: the source is not stale. */
  keep(name: string, expires: Date | undefined): void {
    if (this.#moments.get(name) === expires?.getTime()) return;
    if (expires) this.#moments.set(name, expires.getTime());
    else this.#moments.delete(name);
    this.#writing ??= setImmediate(() => this.#write());
  }

  close(): void {
    if (this.#writing) this.#write();
  }

  #write(): void {
    clearImmediate(this.#writing);
    this.#writing = undefined;
    try {
      writeFileSync(`${this.#file}.new`, JSON.stringify(Object.fromEntries(this.#moments)), { mode: 0o600 });
      renameSync(`${this.#file}.new`, this.#file);
    } catch (error) {
      const text = 'until when stale routes are kept could not be kept: a restart begins that time anew';
      this.#log.error({ error: String(error) }, text);
    }
  }
}

/** None when there is no file, or one of another form. */
function readMoments(file: string): [string, number][] {
  try {
    const found: unknown = JSON.parse(readFileSync(file, 'utf8'));
    if (typeof found !== 'object' || found === null) return [];
    return Object.entries(found).filter((entry): entry is [string, number] => Number.isSafeInteger(entry[1]));
  } catch {
    return [];
  }
}
