/**
 * GoBGP as a child of management: started, started again when it ends, later each time, and ended with this process whatever ends it.
 *
 * A signal to end makes GoBGP withdraw everything. When management dies it is killed instead, so that neighbors see a lost session and
 * keep the routes until the next one (RFC 4724).
 */

import type { ChildProcess } from 'node:child_process';
import { spawn } from 'node:child_process';
import { rmSync } from 'node:fs';
import type { Log } from '../../log.ts';

const FIRST_DELAY_MS = 200;
const LONGEST_DELAY_MS = 10_000;
/** One that was up for so long starts afresh with the shortest delay. */
const STEADY_MS = 30_000;
const END_MS = 3_000;
/** What is remembered of what it said last. */
const LAST_WORDS = 400;

export interface EngineProcessParts {
  readonly socket: string;
  readonly log: Log;
  /** The command; no option of the program. */
  readonly command?: string;
  /** It has been started, and can be connected to. */
  readonly onStart: () => void;
  /** It has ended, and why. */
  readonly onEnd: (why: string) => void;
}

export class EngineProcess {
  readonly #parts: EngineProcessParts;
  #child: ChildProcess | undefined;
  #timer: NodeJS.Timeout | undefined;
  #delayMs = FIRST_DELAY_MS;
  #isEnding = false;

  constructor(parts: EngineProcessParts) {
    this.#parts = parts;
    this.#start();
  }

  get pid(): number | undefined {
    return this.#child?.pid;
  }

  #start(): void {
    const { socket, command = 'gobgpd', log, onStart, onEnd } = this.#parts;
    rmSync(socket, { force: true });
    const words = [
      '--pdeathsig',
      'KILL',
      '--',
      command,
      `--api-hosts=unix://${socket}`,
      '--pprof-disable',
      '--log-plain',
    ];
    const child = spawn('setpriv', words, { cwd: '/', stdio: ['ignore', 'pipe', 'pipe'] });
    this.#child = child;
    const startedAt = performance.now();
    let last = '';
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding('utf8');
      stream.on('data', (text: string) => {
        last = (last + text).slice(-LAST_WORDS);
        log.debug({ text }, 'GoBGP says');
      });
    }
    let isOver = false;
    const ended = (why: string) => {
      if (isOver) return;
      isOver = true;
      this.#child = undefined;
      if (this.#isEnding) return;
      const isSteady = performance.now() - startedAt >= STEADY_MS;
      this.#delayMs = isSteady ? FIRST_DELAY_MS : Math.min(2 * this.#delayMs, LONGEST_DELAY_MS);
      log.warn({ why, last, delayMs: this.#delayMs }, 'GoBGP has ended and is started again');
      this.#timer = setTimeout(() => this.#start(), this.#delayMs);
      this.#timer.unref();
      onEnd(`GoBGP has ended (${why}${last === '' ? '' : `: ${last.trim().split('\n').at(-1)}`})`);
    };
    child.once('error', (error) => ended(`setpriv cannot be run: ${error.message}`));
    child.once('exit', (code, signal) => ended(hint(code) ?? `${signal ?? `exit code ${code}`}`));
    log.info({ pid: child.pid }, 'GoBGP is started');
    onStart();
  }

  /** Ends it: its neighbors are told. */
  async end(): Promise<void> {
    this.#isEnding = true;
    clearTimeout(this.#timer);
    const child = this.#child;
    if (!child || child.exitCode !== null || child.signalCode !== null) return;
    const ended = new Promise((resolve) => child.once('exit', resolve));
    child.kill('SIGTERM');
    const timer = setTimeout(() => child.kill('SIGKILL'), END_MS);
    await ended;
    clearTimeout(timer);
    rmSync(this.#parts.socket, { force: true });
  }
}

/** What setpriv answers when there is no such program. */
function hint(code: number | null): string | undefined {
  return code === 127 ? 'there is no gobgpd: install the package gobgpd' : undefined;
}
