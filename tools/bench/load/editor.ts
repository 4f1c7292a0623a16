/** `edit-stream.ts` as a child in the namespace of the device, on the tester's core. */

import type { ChildProcess } from 'node:child_process';
import { spawn } from 'node:child_process';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import type { BusyAftr } from './busy-aftr.ts';

export interface EditPlan {
  /** Commits of 100 bindings a second. */
  readonly bulk: number;
  /** Commits of one binding a second on each face; Infinity: one after the other, undefined: none. */
  readonly netconf?: number;
  readonly restconf?: number;
}

/** Of commits of one kind, in milliseconds. */
export interface EditTimes {
  readonly commits: number;
  readonly bindings: number;
  readonly p50: number;
  readonly p99: number;
  readonly longest: number;
}

export interface EditReport {
  readonly seconds: number;
  readonly kinds: Readonly<Record<'bulk' | 'netconf' | 'restconf', EditTimes>>;
}

const SCRIPT = fileURLToPath(new URL('./edit-stream.js', import.meta.url));

export class Editor {
  readonly #child: ChildProcess;
  readonly #output: Promise<string>;
  readonly #ended: Promise<number | null>;

  constructor({ lab, instance, bindings }: BusyAftr, plan: EditPlan) {
    const { socket, restconfPort, authorization } = instance;
    const rates = [plan.bulk, plan.netconf ?? 0, plan.restconf ?? 0].map(String);
    const own = [SCRIPT, socket, `${restconfPort}`, authorization, `${bindings}`, ...rates];
    const within = ['ip', 'netns', 'exec', lab.namespace('aftr'), process.execPath];
    const [first = '', ...words] = [...lab.enter('tester'), ...within, ...own];
    this.#child = spawn(first, words, { stdio: ['pipe', 'pipe', 'inherit'] });
    this.#output = this.#child.stdout ? text(this.#child.stdout) : Promise.resolve('');
    this.#ended = new Promise((resolve) => this.#child.once('exit', resolve));
  }

  /** @throws Error when an edit was refused */
  async end(): Promise<EditReport> {
    this.#child.stdin?.end();
    const output = await this.#output;
    const code = await this.#ended;
    if (code !== 0) throw new Error(`edit-stream ended with ${code}`);
    return JSON.parse(output) as EditReport;
  }
}
