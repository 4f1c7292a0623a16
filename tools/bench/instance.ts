/**
 * A running instance in a network namespace of its own, as benches drive it: one NETCONF session on the local socket, one over
 * SSH, one HTTPS connection.
 */

import type { ChildProcess } from 'node:child_process';
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { Agent, request } from 'node:https';
import { join } from 'node:path';
import type { Duplex } from 'node:stream';
import { fileURLToPath } from 'node:url';
import ssh2 from 'ssh2';
import { NetconfClient } from '../../src/cli/client.ts';
import { onInterrupt } from '../interrupted.ts';
import type { Memory } from './memory-watch.ts';
import { MEMORY_ROLES, MemoryWatch, residentOf } from './memory-watch.ts';

const MARK = 'GI4OVER6_BENCH_NETWORK';
const PROGRAM = fileURLToPath(new URL('../../src/main.js', import.meta.url));
const PORT = 8443;
const SSH_PORT = 830;
/** A tenth of a second each. */
const START_TRIES = 300;

/** Goes on in a network namespace of its own: never returns outside of it. Needs root. */
export function enterOwnNetwork(): void {
  if (process.env[MARK] !== '1') {
    // Which tells the other process to end.
    const words = ['--pdeathsig', 'TERM', '--', 'unshare', '--net', '--', process.execPath, ...process.argv.slice(1)];
    const { status } = spawnSync('setpriv', words, { stdio: 'inherit', env: { ...process.env, [MARK]: '1' } });
    process.exit(status ?? 1);
  }
  execFileSync('ip', ['link', 'set', 'lo', 'up']);
}

export class Instance {
  readonly dir: string;
  readonly #program: ChildProcess;
  readonly #client: NetconfClient;
  readonly #agent = new Agent({ keepAlive: true, maxSockets: 1, rejectUnauthorized: false });
  readonly #ssh = new ssh2.Client();
  #sshClient: NetconfClient | undefined;
  readonly #password: string;
  readonly #authorization: string;
  readonly #forget: () => void;

  private constructor(dir: string, program: ChildProcess, client: NetconfClient) {
    this.dir = dir;
    this.#program = program;
    this.#client = client;
    this.#forget = onInterrupt(() => this.stop());
    this.#password = readFileSync(join(dir, 'state/initial-password'), 'utf8').trim();
    this.#authorization = `Basic ${Buffer.from(`admin:${this.#password}`).toString('base64')}`;
  }

  /**
   * On what an earlier one left in the folder. `through`: what the program's command begins with, such as entering a namespace, and which
   * becomes the program; `options`: more words of `gi4over6 run`; `onSpawn` is told the supervisor's process before it answers.
   */
  static async start(
    dir: string,
    through: readonly string[] = [],
    listen = ['127.0.0.1'],
    options: readonly string[] = [],
    onSpawn: (pid: number) => void = () => undefined,
  ): Promise<Instance> {
    mkdirSync(dir, { recursive: true, mode: 0o755 });
    const words = ['state', 'run', 'log'].flatMap((name) => [`--${name}-dir`, join(dir, name)]);
    const [first = '', ...more] = [
      ...through,
      process.execPath,
      PROGRAM,
      'run',
      ...words,
      ...options,
      '--listen',
      ...listen,
    ];
    const program = spawn(first, more, { stdio: 'ignore' });
    const forget = onInterrupt(() => ended(program).then(() => removeFolder(dir)));
    if (program.pid !== undefined) onSpawn(program.pid);
    for (let tries = 0; ; tries++) {
      try {
        const client = await NetconfClient.connect(join(dir, 'run/netconf.sock'));
        forget();
        return new Instance(dir, program, client);
      } catch (error) {
        if (tries === START_TRIES) {
          forget();
          program.kill('SIGTERM');
          throw error;
        }
        await sleep(100);
      }
    }
  }

  /** Ends the program and removes its folder. */
  async stop(): Promise<void> {
    await this.halt();
    removeFolder(this.dir);
  }

  /** Ends the program; another can start on its folder. */
  async halt(): Promise<void> {
    this.#forget();
    this.#client.close();
    this.#sshClient?.close();
    this.#ssh.end();
    this.#agent.destroy();
    await ended(this.#program);
  }

  get sshPort(): number {
    return SSH_PORT;
  }

  get restconfPort(): number {
    return PORT;
  }

  /** The header field of the first user. */
  get authorization(): string {
    return this.#authorization;
  }

  get socket(): string {
    return join(this.dir, 'run/netconf.sock');
  }

  pieces(operation: string): AsyncIterable<string> {
    return this.#client.request(operation);
  }

  netconf(operation: string): Promise<string> {
    return whole(this.pieces(operation));
  }

  /** The same in the session over SSH, which the first call opens. */
  async netconfOverSsh(operation: string): Promise<string> {
    this.#sshClient ??= await NetconfClient.over(await this.#subsystem(), `port ${SSH_PORT}`);
    return whole(this.#sshClient.request(operation));
  }

  async #subsystem(): Promise<Duplex> {
    await new Promise<void>((resolve, reject) => {
      this.#ssh.once('ready', resolve).on('error', reject);
      this.#ssh.once('connect', () => this.#ssh.setNoDelay(true));
      this.#ssh.connect({ host: '127.0.0.1', port: SSH_PORT, username: 'admin', password: this.#password });
    });
    return new Promise((resolve, reject) => {
      this.#ssh.subsys('netconf', (error, stream) => (error ? reject(error) : resolve(stream)));
    });
  }

  /** Ends when the whole answer is read. @throws Error for a status of 400 and above, or another than expected */
  restconf(method: string, path: string, body = '', expected?: number): Promise<number> {
    return new Promise((resolve, reject) => {
      const content = { 'content-type': 'application/yang-data+json', 'content-length': Buffer.byteLength(body) };
      const headers = { authorization: this.#authorization, ...(body === '' ? {} : content) };
      const options = { host: '127.0.0.1', port: PORT, method, path, headers, agent: this.#agent };
      const sent = request(options, (response) => {
        let text = '';
        response.on('data', (piece: Buffer) => {
          if (text.length < 1_000) text += piece.toString();
        });
        response.once('end', () => {
          const status = response.statusCode ?? 0;
          const isWrong = expected === undefined ? status >= 400 : status !== expected;
          if (isWrong) reject(new Error(`${method} ${path}: ${status} ${text}`));
          else resolve(status);
        });
      });
      sent.once('error', reject);
      sent.end(body);
    });
  }

  /** Whether forwarding is at the version of running. */
  async isApplied(): Promise<boolean> {
    const filter = '<softwire xmlns="urn:gi-4over6"><state/></softwire>';
    const text = await this.netconf(`<get><filter type="subtree">${filter}</filter></get>`);
    const [configured, applied] = ['configured', 'applied'].map(
      (name) => new RegExp(`<${name}-version>(\\d+)<`).exec(text)?.[1],
    );
    return configured !== undefined && configured === applied;
  }

  async waitUntilApplied(): Promise<void> {
    while (!(await this.isApplied())) await sleep(20);
  }

  /** The last lines that management logged of commits. */
  commits(count: number): { readonly writeMs: number; readonly applyMs: number }[] {
    const lines = readFileSync(join(this.dir, 'log/management.log'), 'utf8').split('\n');
    return lines
      .filter((line) => line.includes('"committed"'))
      .slice(-count)
      .map((line) => JSON.parse(line) as { writeMs: number; applyMs: number });
  }

  /** Anonymous and shared resident memory of management and datapath, in MiB. */
  resident(): Memory {
    return MEMORY_ROLES.map((role) => residentOf(this.pid(role))) as Memory;
  }

  /** Watches the memory until the answer is called, which gives the largest seen. */
  watchMemory(): () => Memory {
    const watch = new MemoryWatch(this.#program.pid ?? 0);
    return () => watch.end();
  }

  /** Size of the store on disk in MiB. */
  storeMebibytes(): number {
    const text = execFileSync('du', ['-sk', join(this.dir, 'state/store')], { encoding: 'utf8' });
    return Number.parseInt(text, 10) / 1024;
  }

  /** Of `management` or `datapath`. */
  pid(role: string): number {
    for (const pid of readdirSync('/proc').filter((name) => /^\d+$/.test(name))) {
      const file = `/proc/${pid}/cmdline`;
      const words = existsSync(file) ? readFileSync(file, 'utf8').split('\0') : [];
      if (words.includes(role) && words.includes(join(this.dir, 'state'))) return Number(pid);
    }
    throw new Error(`the process ${role} is not there`);
  }
}

function removeFolder(dir: string): void {
  rmSync(dir, { recursive: true, force: true });
}

async function ended(program: ChildProcess): Promise<void> {
  if (program.exitCode !== null || program.signalCode !== null) return;
  const exit = new Promise((resolve) => program.once('exit', resolve));
  program.kill('SIGTERM');
  await exit;
}

async function whole(pieces: AsyncIterable<string>): Promise<string> {
  let text = '';
  for await (const piece of pieces) text += piece;
  return text;
}

export function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
