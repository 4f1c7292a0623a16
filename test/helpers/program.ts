/** The whole program, `gi4over6 run`, in this network namespace: for tests that kill its processes. Needs root. */

import type { ChildProcess } from 'node:child_process';
import { spawn } from 'node:child_process';
import { chmodSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { PROGRAM } from './cli.ts';
import { RawClient } from './netconf-client.ts';

const ORPHAN_MS = 60_000;

export type Role = 'supervisor' | 'management' | 'datapath';

export class Program {
  readonly dir = mkdtempSync(join(tmpdir(), 'gi4over6-program-'));
  readonly stateDir = join(this.dir, 'state');
  readonly socket = join(this.dir, 'run', 'netconf.sock');
  readonly netconfPort: number;
  readonly restconfPort: number;
  #supervisor: ChildProcess | undefined;
  #said = '';

  constructor(netconfPort: number, restconfPort: number) {
    this.netconfPort = netconfPort;
    this.restconfPort = restconfPort;
    // Its user is not the one of the test.
    chmodSync(this.dir, 0o755);
  }

  /** With options beside those that it needs here. */
  start(options: readonly string[] = []): void {
    const folders = ['state', 'run', 'log'].flatMap((name) => [`--${name}-dir`, join(this.dir, name)]);
    const ports = ['--netconf-port', `${this.netconfPort}`, '--restconf-port', `${this.restconfPort}`];
    const words = [PROGRAM, 'run', ...folders, ...ports, '--listen', '127.0.0.1', ...options];
    this.#said = '';
    this.#supervisor = spawn(process.execPath, words, { stdio: ['ignore', 'ignore', 'pipe'] });
    this.#supervisor.stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.#said += text;
    });
  }

  /** One operation in a session of its own on the local socket; the reply. */
  async ask(operation: string): Promise<string> {
    const client = (await RawClient.local(this.socket)).greet('1.1');
    try {
      return await client.rpc(operation);
    } finally {
      client.end();
    }
  }

  get password(): string {
    return readFileSync(join(this.stateDir, 'initial-password'), 'utf8').trim();
  }

  /**
   * SIGKILL; a supervisor is started again at once, the others by it. Whether the process was there. After a supervisor the
   * children that it left go on for a while: it returns when the next one has killed them.
   */
  async kill(role: Role): Promise<boolean> {
    if (role === 'supervisor') {
      const ended = new Promise((resolve) => this.#supervisor?.once('exit', resolve));
      this.#supervisor?.kill('SIGKILL');
      await ended;
      const left = [...this.pids('management'), ...this.pids('datapath')];
      this.start();
      const isOver = async () => left.every((pid) => wordsOf(`${pid}`).length <= 1) || undefined;
      await eventually(ORPHAN_MS, isOver);
      return true;
    }
    const pids = this.pids(role);
    for (const pid of pids) killIfThere(pid);
    return pids.length > 0;
  }

  /** SIGSTOP: it is there and does nothing. The numbers of the processes. */
  freeze(role: Exclude<Role, 'supervisor'>): number[] {
    const pids = this.pids(role);
    for (const pid of pids) process.kill(pid, 'SIGSTOP');
    return pids;
  }

  /** Ends it cleanly and removes everything; the exit code. */
  async stop(): Promise<number | null> {
    const code = await this.#end('SIGTERM');
    rmSync(this.dir, { recursive: true, force: true });
    return code;
  }

  /** Ends it cleanly; it can be started again. The exit code. */
  halt(): Promise<number | null> {
    return this.#end('SIGTERM');
  }

  /** How it ends by itself: its exit code and what it said on standard error. */
  async ending(): Promise<{ readonly code: number | null; readonly said: string }> {
    const supervisor = this.#supervisor;
    if (!supervisor) throw new Error('it was not started');
    if (supervisor.exitCode === null) await new Promise((resolve) => supervisor.once('close', resolve));
    return { code: supervisor.exitCode, said: this.#said.trim() };
  }

  /** Ends it with its folder as it is now. */
  async abandon(): Promise<void> {
    await this.#end('SIGKILL');
  }

  /** A supervisor that has just been started may end before it takes care of what an earlier one left. */
  async #end(signal: NodeJS.Signals): Promise<number | null> {
    const supervisor = this.#supervisor;
    if (!supervisor) return null;
    const ended = new Promise<number | null>((resolve) => supervisor.once('exit', resolve));
    supervisor.kill(signal);
    const isRunning = supervisor.exitCode === null && supervisor.signalCode === null;
    const code = isRunning ? await ended : supervisor.exitCode;
    for (const role of ['management', 'datapath'] as const) await this.kill(role);
    return code;
  }

  log(role: 'management' | 'datapath'): string {
    return readFileSync(join(this.dir, 'log', `${role}.log`), 'utf8');
  }

  /** Process numbers. */
  pids(role: Role): number[] {
    return readdirSync('/proc')
      .filter((name) => /^\d+$/.test(name))
      .filter((pid) => {
        const words = wordsOf(pid);
        return /node$/.test(words[0] ?? '') && words.includes(role) && words.includes(this.stateDir);
      })
      .map(Number);
  }
}

/** One that has just ended by itself is none to kill. */
function killIfThere(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'ESRCH')) throw error;
  }
}

function wordsOf(pid: string): string[] {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0');
  } catch {
    return [];
  }
}

/** Tries again until it gives something. @throws Error with the last reason after `ms` */
export async function eventually<Result>(ms: number, work: () => Promise<Result | undefined>): Promise<Result> {
  const end = performance.now() + ms;
  for (let reason: unknown = 'it gave nothing'; ; ) {
    try {
      const result = await work();
      if (result !== undefined) return result;
    } catch (error) {
      reason = error;
    }
    if (performance.now() > end) throw new Error(`not within ${ms} ms: ${String(reason)}`);
    await sleep(50);
  }
}
