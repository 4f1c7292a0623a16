/**
 * Looks for damage of a store that runs and that nobody has met yet:
 *
 *   1. each minute: whether the datapath forwards by what the store says of the same version
 *   2. once, some time after a start at which the store was not read, and when 1 says that they have parted: a child of the
 *      lowest priority reads the whole file without LMDB. Meanwhile the pages of that moment are kept: edits go on, and the
 *      file grows by what they write
 *
 * What is found is in the log once, and in the status until the program ends.
 */

import { spawn } from 'node:child_process';
import { constants, setPriority } from 'node:os';
import type { DatapathStatus } from '../control.ts';
import type { Log } from '../log.ts';
import type { Datastores } from '../state/datastores.ts';

const LOOK_MS = 60_000;
/** After a start: the datapath has built its tables by then. */
const DELAY_MS = 15_000;
/** Of a reading; pages are not kept longer. */
const LONGEST_MS = 300_000;
const EXIT_DAMAGED = 65;

export interface WatchParts {
  readonly stateDir: string;
  readonly datastores: Pick<Datastores, 'head' | 'holdStore'>;
  readonly datapath: { status(): Promise<DatapathStatus | undefined> };
  readonly log: Log;
  /** This program, for the child. */
  readonly program: string;
  readonly delayMs?: number;
}

export class StoreWatch {
  readonly #parts: WatchParts;
  readonly #ending = new AbortController();
  #timers: NodeJS.Timeout[] = [];
  #parted = '';
  #damage = '';
  #reading: Promise<void> | undefined;

  constructor(parts: WatchParts) {
    this.#parts = parts;
  }

  /** `isUnread`: nobody has read the whole store at this start. */
  start(isUnread: boolean): void {
    const look = setInterval(() => void this.look(), LOOK_MS);
    const read = isUnread ? setTimeout(() => void this.read(), this.#parts.delayMs ?? DELAY_MS) : undefined;
    this.#timers = [look, ...(read ? [read] : [])];
    for (const timer of this.#timers) timer.unref();
  }

  async close(): Promise<void> {
    for (const timer of this.#timers) clearTimeout(timer);
    this.#ending.abort();
    await this.#reading;
  }

  /** Sentences for the status. */
  get problems(): readonly string[] {
    return [this.#parted, this.#damage].filter((sentence) => sentence !== '');
  }

  /** Holds what is forwarded by against the store. */
  async look(): Promise<void> {
    this.compare(await this.#parts.datapath.status());
  }

  /** Versions that differ say nothing, nor does a sum that is being made. */
  compare(status: DatapathStatus | undefined): void {
    const { version, contentHash } = this.#parts.datastores.head();
    if (!status || status.version !== version || status.contentHash === '') return;
    if (status.contentHash === contentHash) {
      this.#parted = '';
      return;
    }
    const advice =
      'the store is read now, see below or the log; stop the program and restore a backup if it is damaged';
    const sentence = `The datapath forwards by other rows than the store has at version ${version}: ${advice}.`;
    if (this.#parted === '') {
      this.#parts.log.error({ version, contentHash, applied: status.contentHash }, sentence);
      void this.read();
    }
    this.#parted = sentence;
  }

  /** Reads the whole store; one reading at a time, and none after damage was found. */
  read(): Promise<void> {
    if (this.#damage !== '') return Promise.resolve();
    this.#reading ??= this.#read()
      .catch((error: unknown) => this.#parts.log.warn({ error: String(error) }, 'the store could not be verified'))
      .finally(() => {
        this.#reading = undefined;
      });
    return this.#reading;
  }

  async #read(): Promise<void> {
    const { datastores, log } = this.#parts;
    const begun = performance.now();
    const { file, metaPages, release } = await datastores.holdStore();
    try {
      const { code, line } = await this.#ask(file, metaPages);
      const ms = Math.round(performance.now() - begun);
      if (code === EXIT_DAMAGED) {
        this.#damage = `The store is damaged; stop the program and restore a backup: ${line}`;
        log.error({ verification: line, ms }, 'the store is damaged: stop the program and restore a backup');
      } else if (code === 0) log.info({ verification: line, ms }, 'the store is verified');
      else if (!this.#ending.signal.aborted)
        log.warn({ verification: line, code, ms }, 'the store could not be verified');
    } finally {
      release();
    }
  }

  #ask(file: string, metaPages: Buffer): Promise<{ code: number | null; line: string }> {
    const { program, stateDir } = this.#parts;
    const words = [program, 'verify-store', file, '--held', '--state-dir', stateDir];
    const signal = AbortSignal.any([this.#ending.signal, AbortSignal.timeout(LONGEST_MS)]);
    const child = spawn(process.execPath, words, { stdio: ['pipe', 'pipe', 'pipe'], signal, killSignal: 'SIGKILL' });
    if (child.pid !== undefined) setPriority(child.pid, constants.priority.PRIORITY_LOW);
    let output = '';
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding('utf8').on('data', (text: string) => {
        output += text;
      });
    }
    // It may end before it has read them.
    child.stdin.on('error', () => undefined);
    child.stdin.end(metaPages);
    return new Promise((resolve) => {
      child.once('error', (error) => {
        output += String(error);
      });
      child.once('close', (code) => resolve({ code, line: output.trim() }));
    });
  }
}
