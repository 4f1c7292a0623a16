/**
 * Looks for damage of a store that runs:
 *
 *   1. each minute: whether the datapath forwards by what the store says of the same version
 *   2. once, some time after a start at which the store was not read, and when 1 says that they have parted: a child of the
 *      lowest priority reads the whole file without LMDB. Meanwhile the pages of that moment are kept: edits go on, and the
 *      file grows by what they write
 *
 *   3. the same reading when somebody met damage (state/damage.ts)
 *
 * What is found is in the log once, and in the status until the program ends. From the moment that damage is met no edit is
 * taken, since the restore that is due would lose it, and the store is not noted as closed well.
 */

import { spawn } from 'node:child_process';
import { constants, setPriority } from 'node:os';
import type { DatapathStatus } from '../control.ts';
import type { Log } from '../log.ts';
import { onDamage } from '../state/damage.ts';
import type { Datastores } from '../state/datastores.ts';
import { ManagementError } from '../state/errors.ts';
import { listBackups } from '../state/store-files.ts';

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
  readonly #stopListening: () => void;
  #parted = '';
  /** What somebody met and no reading has judged yet. */
  #met = '';
  /** What a reading found: one line, with what to do. */
  #found = '';
  #reading: Promise<void> | undefined;

  constructor(parts: WatchParts) {
    this.#parts = parts;
    this.#stopListening = onDamage((error) => this.meet(error.message));
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
    this.#stopListening();
    await this.#reading;
  }

  /** Sentences for the status. */
  get problems(): readonly string[] {
    const found = this.#found && `The store is damaged; stop the program and restore a backup: ${this.#found}`;
    const met =
      this.#met && `The store is damaged (${this.#met}): it is read now to see how far, and which backup is good.`;
    return [this.#parted, found || met].filter((sentence) => sentence !== '');
  }

  /** Whether damage is known, or was met and is not judged yet. */
  get isDamaged(): boolean {
    return this.#found !== '' || this.#met !== '';
  }

  /** @throws ManagementError operation-failed for a damaged store, naming the newest good backup as soon as it is known */
  requireWhole(): void {
    if (!this.isDamaged) return;
    const [newest] = this.#found === '' ? listBackups(this.#parts.stateDir) : [];
    const backup = newest ? `; the newest backup is ${newest.file}, which is not verified yet` : '';
    const why = this.#found || `${this.#met}${backup}`;
    const message = `the store is damaged, and no change is taken, since the restore that is due would lose it: ${why}`;
    throw new ManagementError('operation-failed', { message });
  }

  /** Somebody met damage: the store is read, unless it is known to be damaged. */
  meet(why: string): void {
    if (this.#found !== '' || this.#ending.signal.aborted) return;
    const isFirst = this.#met === '';
    this.#met = why;
    if (!isFirst) return;
    this.#parts.log.error({ damage: why }, 'damage of the store was met: no edit is taken, and the store is read');
    void this.#readAgain();
  }

  /** A reading under way may have passed the place before it was damaged. */
  async #readAgain(): Promise<void> {
    await this.#reading;
    await this.read();
  }

  /** Holds what is forwarded by against the store. */
  async look(): Promise<void> {
    // A reading that came to no end has not judged what was met.
    if (this.#met !== '') void this.read();
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
    if (this.#found !== '') return Promise.resolve();
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
    const met = this.#met;
    const { file, metaPages, release } = await datastores.holdStore();
    try {
      const { code, line } = await this.#ask(file, metaPages);
      const ms = Math.round(performance.now() - begun);
      if (code === EXIT_DAMAGED) {
        this.#found = line;
        log.error({ verification: line, ms }, 'the store is damaged: stop the program and restore a backup');
      } else if (code === 0) {
        log.info({ verification: line, ms }, 'the store is verified');
        if (this.#met === met) this.#met = '';
      } else if (!this.#ending.signal.aborted)
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
