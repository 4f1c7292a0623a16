/**
 * `edit-stream.ts` as a child in the namespace of the device, on the tester's core. Clients that never pause come after the load generator
 * there, which sleeps when it has nothing to send: what they took of it would be load that is not offered. Others are its equals: it
 * may be one that never pauses.
 */

import type { ChildProcess } from 'node:child_process';
import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { TESTER_CORE } from '../rfc8219/lab.ts';
import type { BusyAftr } from './busy-aftr.ts';

export interface EditPlan {
  /** Commits of 100 bindings a second, each at its time: what is late is caught up. */
  readonly bulk: number;
  /** Commits of one binding a second on each face; Infinity: one after the other, undefined: none. */
  readonly netconf?: number;
  readonly restconf?: number;
}

/** Of commits of one kind; how long they took in milliseconds. */
export interface EditTimes {
  readonly commits: number;
  readonly bindings: number;
  /** In which they were made: until the last was answered, or the next one due. */
  readonly seconds: number;
  readonly p50: number;
  readonly p99: number;
  readonly longest: number;
}

export interface EditReport {
  readonly kinds: Readonly<Record<'bulk' | 'netconf' | 'restconf', EditTimes>>;
}

const SCRIPT = fileURLToPath(new URL('./edit-stream.js', import.meta.url));

export class Editor {
  readonly #child: ChildProcess;
  /** The first line, then the last one; empty when it ended before. */
  readonly #first: Promise<string>;
  readonly #last: Promise<string>;
  readonly #ended: Promise<number | null>;

  constructor({ lab, instance, bindings }: BusyAftr, plan: EditPlan) {
    const { socket, restconfPort, authorization } = instance;
    const rates = [plan.bulk, plan.netconf ?? 0, plan.restconf ?? 0].map(String);
    const own = [SCRIPT, socket, `${restconfPort}`, authorization, `${bindings}`, ...rates];
    const within = ['ip', 'netns', 'exec', lab.namespace('aftr'), process.execPath];
    const isEndless = Object.values(plan).includes(Number.POSITIVE_INFINITY);
    const enter = isEndless ? ['taskset', '-c', `${TESTER_CORE}`] : lab.enter('tester');
    const [first = '', ...words] = [...enter, ...within, ...own];
    this.#child = spawn(first, words, { stdio: ['pipe', 'pipe', 'inherit'] });
    if (!this.#child.stdout) throw new Error('edit-stream has no output');
    const lines = createInterface({ input: this.#child.stdout });
    let last = '';
    lines.on('line', (line) => {
      last = line;
    });
    this.#last = new Promise((resolve) => lines.once('close', () => resolve(last)));
    this.#first = Promise.race([new Promise<string>((resolve) => lines.once('line', resolve)), this.#last]);
    this.#ended = new Promise((resolve) => this.#child.once('exit', resolve));
  }

  /** Until it is connected and begins; also when it has failed, which `end` tells. */
  async ready(): Promise<void> {
    await this.#first;
  }

  /** @throws Error when an edit was refused */
  async end(): Promise<EditReport> {
    this.#child.stdin?.end();
    const report = await this.#last;
    const code = await this.#ended;
    if (code !== 0) throw new Error(`edit-stream ended with ${code}`);
    return JSON.parse(report) as EditReport;
  }
}
