/** A management process of the real program, without a datapath, for tests of its faces. Needs the addon. */

import { spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { prepareFirstStart } from '../../src/first-start.ts';

const PROGRAM = fileURLToPath(new URL('../../src/main.js', import.meta.url));
const START_MS = 60_000;
/** How long an end may take, and what a process that has ended wrote last may take to be read. */
const [END_MS, OUTPUT_MS] = [60_000, 5_000];
const BOOT_ID = '/proc/sys/kernel/random/boot_id';
/** Runs a program that sees another boot id; the process stays the one that was started. */
const OTHER_BOOT = ['unshare', '--mount', 'sh', '-c', `mount --bind "$0" ${BOOT_ID} && exec "$@"`] as const;

export interface Management {
  readonly netconfPort: number;
  /** NETCONF over TLS; 0 without `client-ca.crt`. */
  readonly netconfTlsPort: number;
  readonly restconfPort: number;
  readonly password: string;
  readonly stateDir: string;
  /** The local NETCONF socket. */
  readonly socket: string;
  /** Ends the process by a signal and starts it again on the same state, `between` being called while there is none. */
  restart(signal: NodeJS.Signals, more?: readonly string[], between?: () => Promise<void>): Promise<void>;
  /** From the next start on it sees the boot id of another boot. Needs root. */
  reboot(): void;
  /** Everything the process has logged. */
  log(): string;
  /** Ends the process cleanly and removes everything it left; its exit code. */
  stop(): Promise<number | null>;
}

interface Running {
  readonly netconf: number;
  readonly netconfTls: number;
  readonly restconf: number;
  stop(signal: NodeJS.Signals): Promise<number | null>;
}

/**
 * Starts a fresh management process, of `program`, with these files more in its folder of keys; `stop` must be the last thing a test
 * file does with it.
 */
export async function startManagement(
  options: readonly string[] = [],
  program = PROGRAM,
  keys: Readonly<Record<string, Buffer>> = {},
): Promise<Management> {
  const dir = mkdtempSync(join(tmpdir(), 'gi4over6-management-'));
  const [stateDir, runDir] = [join(dir, 'state'), join(dir, 'run')];
  mkdirSync(runDir, { mode: 0o700 });
  await prepareFirstStart({ stateDir, uid: process.getuid?.() ?? 0, gid: process.getgid?.() ?? 0 });
  for (const [name, content] of Object.entries(keys)) writeFileSync(join(stateDir, 'keys', name), content);
  const output: string[] = [];
  let prefix: readonly string[] = [];
  const start = (more: readonly string[]) =>
    launch([program, 'management'], stateDir, runDir, [...options, ...more], output, prefix);
  let running = await start([]);
  return {
    get netconfPort() {
      return running.netconf;
    },
    get netconfTlsPort() {
      return running.netconfTls;
    },
    get restconfPort() {
      return running.restconf;
    },
    password: readFileSync(join(stateDir, 'initial-password'), 'utf8').trim(),
    stateDir,
    socket: join(runDir, 'netconf.sock'),
    restart: async (signal, more = [], between = async () => undefined) => {
      await running.stop(signal);
      await between();
      running = await start(more);
    },
    reboot: () => {
      const file = join(dir, 'boot-id');
      writeFileSync(file, `${randomUUID()}\n`);
      prefix = [...OTHER_BOOT, file];
    },
    log: () => output.join(''),
    stop: async () => {
      const code = await running.stop('SIGTERM');
      rmSync(dir, { recursive: true, force: true });
      return code;
    },
  };
}

function launch(
  program: readonly string[],
  stateDir: string,
  runDir: string,
  more: readonly string[],
  output: string[],
  prefix: readonly string[],
): Promise<Running> {
  const ports = ['netconf', 'netconf-tls', 'restconf'].flatMap((face) => [`--${face}-port`, '0']);
  const words = ['--state-dir', stateDir, '--run-dir', runDir, ...ports];
  const command = [process.execPath, ...program, ...words, '--listen', '127.0.0.1', ...more];
  const [first = '', ...others] = [...prefix, ...command];
  const child = spawn(first, others, {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  // What it wrote last comes behind the news of its end.
  const ended = new Promise<number | null>((resolve) => {
    child.once('exit', (code) => {
      child.once('close', () => resolve(code));
      setTimeout(() => resolve(code), OUTPUT_MS).unref();
    });
  });
  // A test file that dies must not leave it behind.
  process.once('exit', () => child.kill('SIGKILL'));
  const stop = async (signal: NodeJS.Signals) => {
    child.kill(signal);
    const timer = setTimeout(() => child.kill('SIGKILL'), END_MS);
    const code = await ended;
    clearTimeout(timer);
    return code;
  };
  return new Promise((resolve, reject) => {
    // What an earlier process logged says nothing about this one.
    const begin = output.length;
    const fail = (why: string) => reject(new Error(`management ${why}:\n${output.join('')}`));
    const timer = setTimeout(() => {
      child.kill('SIGKILL');
      fail('did not start in time');
    }, START_MS);
    void ended.then((code) => fail(`ended with code ${code}`));
    child.stderr.on('data', (data: Buffer) => output.push(data.toString()));
    child.stdout.on('data', (data: Buffer) => {
      output.push(data.toString());
      const line = output
        .slice(begin)
        .join('')
        .split('\n')
        // The last one is not over.
        .slice(0, -1)
        .reverse()
        .find((text) => text.includes('management is ready'));
      if (!line) return;
      clearTimeout(timer);
      const { netconf, netconfTls = 0, restconf } = JSON.parse(line) as Omit<Running, 'stop'>;
      resolve({ netconf, netconfTls, restconf, stop });
    });
  });
}
