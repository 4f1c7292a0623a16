/**
 * Bench of configuration at 1,000, 100,000 and 1,000,000 bindings through the faces of a running instance: edits, bulk
 * loads, reads, memory. All in a network namespace of its own, one client on one persistent session.
 *
 * Baselines of the same run: fdatasync of 4 KiB on the file system of the store, and libyang alone parsing and validating the bulk document.
 */

import type { ChildProcess } from 'node:child_process';
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import {
  closeSync,
  existsSync,
  fdatasyncSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeSync,
} from 'node:fs';
import { Agent, request } from 'node:https';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { formatIpv4 } from '../../src/address.ts';
import { BASE_NAMESPACE, NetconfClient } from '../../src/cli/client.ts';
import type { BenchResult } from './datapath.ts';

const MARK = 'GI4OVER6_BENCH_NETWORK';
const PROGRAM = fileURLToPath(new URL('../../src/main.js', import.meta.url));
const PORT = 8443;
const SIZES = [1_000, 100_000, 1_000_000];
const FIRST = 0x0a_00_00_00;
const EDITS = 300;
const READS = 300;
const TABLE_PATH = '/restconf/data/gi-4over6:softwire/aftr=edge/binding-table';

/** Runs the whole bench, some minutes, as root; `sizes` are the numbers of bindings. Never returns outside its own namespace. */
export async function benchState(sizes: readonly number[] = SIZES): Promise<BenchResult[]> {
  if (process.env[MARK] !== '1') {
    const words = ['--net', '--', process.execPath, ...process.argv.slice(1)];
    const { status } = spawnSync('unshare', words, { stdio: 'inherit', env: { ...process.env, [MARK]: '1' } });
    process.exit(status ?? 1);
  }
  execFileSync('ip', ['link', 'set', 'lo', 'up']);
  const bench = new StateBench(`/tmp/gi4over6-bench-${process.pid}`);
  try {
    await bench.start();
    for (const size of sizes) await bench.measure(size);
    return bench.results;
  } finally {
    await bench.stop();
  }
}

class StateBench {
  readonly results: BenchResult[] = [];
  readonly #dir: string;
  #program: ChildProcess | undefined;
  #client: NetconfClient | undefined;
  readonly #agent = new Agent({ keepAlive: true, maxSockets: 1, rejectUnauthorized: false });
  #authorization = '';

  constructor(dir: string) {
    this.#dir = dir;
  }

  async start(): Promise<void> {
    mkdirSync(this.#dir, { mode: 0o755 });
    const words = [
      '--state-dir',
      join(this.#dir, 'state'),
      '--run-dir',
      join(this.#dir, 'run'),
      '--log-dir',
      join(this.#dir, 'log'),
    ];
    this.#program = spawn(process.execPath, [PROGRAM, 'run', ...words, '--listen', '127.0.0.1'], { stdio: 'ignore' });
    const socket = this.#socket;
    for (let tries = 0; ; tries++) {
      try {
        this.#client = await NetconfClient.connect(socket);
        break;
      } catch (error) {
        if (tries === 100) throw error;
        await sleep(100);
      }
    }
    const password = readFileSync(join(this.#dir, 'state/initial-password'), 'utf8').trim();
    this.#authorization = `Basic ${Buffer.from(`admin:${password}`).toString('base64')}`;
    const aftr =
      '<name>edge</name><ipv6-address>2001:db8:b::1</ipv6-address><ipv4-address>203.0.113.1</ipv4-address><ipv4-pool>10.0.0.0/8</ipv4-pool>';
    await this.#netconf(edit('running', `<aftr>${aftr}</aftr>`));
  }

  async stop(): Promise<void> {
    this.#client?.close();
    this.#agent.destroy();
    const program = this.#program;
    if (program && program.exitCode === null) {
      const ended = new Promise((resolve) => program.once('exit', resolve));
      program.kill('SIGTERM');
      await ended;
    }
    rmSync(this.#dir, { recursive: true, force: true });
  }

  async measure(size: number): Promise<void> {
    const rows = Array.from({ length: size }, (_, index) => binding(index));
    await this.#bulkNetconf(size, rows);
    await this.#bulkRestconf(size);
    await this.#edits(size);
    await this.#reads(size);
    this.#memory(size, 'steady', 400);
  }

  get #socket(): string {
    return join(this.#dir, 'run/netconf.sock');
  }

  async #netconf(operation: string): Promise<string> {
    let text = '';
    for await (const piece of this.#client?.request(operation) ?? []) text += piece;
    return text;
  }

  /** All bindings in one edit-config into an empty table, while another session asks for little all the time. */
  async #bulkNetconf(size: number, rows: readonly string[]): Promise<void> {
    await this.#netconf(edit('running', EMPTY_TABLE));
    const config = table(rows.join(''));
    const probe = await Probe.start(this.#socket);
    const peak = this.#watchMemory();
    const elapsedMs = await timed(() => this.#netconf(edit('running', config)));
    const [peakManagement, peakDatapath] = peak();
    const probed = await probe.stop();
    const libyangMs = judgeWithLibyang(size, config);
    const isLarge = size === 1_000_000;
    this.#add(`bulk.netconf.${size}`, elapsedMs, 'ms', isLarge ? 8_000 : null);
    this.#add(`bulk.libyang-alone.${size}`, libyangMs, 'ms', null);
    this.#add(`bulk.netconf-to-libyang.${size}`, elapsedMs / libyangMs, 'ratio', isLarge ? 1.5 : null);
    this.#add(`bulk.other-session-longest.${size}`, probed, 'ms', 250);
    this.#add(`bulk.peak-management.${size}`, peakManagement, 'MiB', 600);
    this.#add(`bulk.peak-datapath.${size}`, peakDatapath, 'MiB', 600);
  }

  /** The same by one PUT, then all of it replaced by other values. */
  async #bulkRestconf(size: number): Promise<void> {
    await this.#netconf(edit('running', EMPTY_TABLE));
    const peak = this.#watchMemory();
    const bodies = [bodyOf(size, 0), bodyOf(size, 16)] as const;
    const loadMs = await timed(() => this.#restconf('PUT', TABLE_PATH, bodies[0], 204));
    this.#add(`bulk.restconf.${size}`, loadMs, 'ms', size === 1_000_000 ? 8_000 : null);
    const replaceMs = await timed(() => this.#restconf('PUT', TABLE_PATH, bodies[1], 204));
    this.#add(`bulk.restconf-replace.${size}`, replaceMs, 'ms', null);
    this.#add(`bulk.restconf-peak-management.${size}`, peak()[0], 'MiB', 600);
  }

  async #edits(size: number): Promise<void> {
    const spare = prefix(size + 7);
    const entry = (more: string, operation = 'merge') =>
      table(
        `<binding xmlns:nc="${BASE_NAMESPACE}" nc:operation="${operation}"><ipv4-prefix>${spare}</ipv4-prefix>${more}</binding>`,
      );
    // Another gateway each time, or nothing would change.
    const value = (turn: number) => `<gateway-ipv6-address>${gateway(turn * 16)}</gateway-ipv6-address>`;
    const sync = await sample(EDITS, () => this.#syncFourKib());
    this.#add(`edit.fdatasync-p50.${size}`, sync.p50, 'ms', null);
    this.#add(`edit.fdatasync-p99.${size}`, sync.p99, 'ms', null);
    const kinds: readonly (readonly [string, (turn: number) => Promise<unknown>])[] = [
      ['netconf-running', (turn) => this.#netconf(edit('running', entry(value(turn))))],
      [
        'netconf-candidate',
        async (turn) => {
          await this.#netconf(edit('candidate', entry(value(turn + 1))));
          await this.#netconf('<commit/>');
        },
      ],
      [
        'restconf-put',
        (turn) => {
          const body = `{"gi-4over6:binding":[{"ipv4-prefix":"${spare}","gateway-ipv6-address":"${gateway(turn * 16 + 32)}"}]}`;
          return this.#restconf('PUT', `${TABLE_PATH}/binding=${encodeURIComponent(spare)}`, body);
        },
      ],
      [
        'create-delete',
        async (turn) => {
          if (turn % 2 === 0) await this.#netconf(edit('running', entry('', 'remove')));
          else await this.#netconf(edit('running', entry(value(turn), 'create')));
        },
      ],
    ];
    for (const [kind, work] of kinds) {
      const { p50, p99 } = await sample(EDITS, work);
      const isLarge = size === 1_000_000;
      this.#add(`edit.${kind}-p50.${size}`, p50, 'ms', isLarge ? 2 + 2 * sync.p50 : null);
      this.#add(`edit.${kind}-p99.${size}`, p99, 'ms', isLarge ? 10 + 4 * sync.p99 : null);
      const small = this.results.find(({ id }) => id === `edit.${kind}-p50.1000`);
      if (isLarge && small) this.#add(`edit.${kind}-growth`, p50 / small.value, 'ratio', 1.5);
    }
  }

  async #reads(size: number): Promise<void> {
    const keyed = (turn: number) => {
      const key = table(`<binding><ipv4-prefix>${prefix((turn * 7919) % size)}</ipv4-prefix></binding>`);
      return `<get-config><source><running/></source><filter type="subtree"><softwire xmlns="urn:gi-4over6">${key}</softwire></filter></get-config>`;
    };
    const netconf = await sample(READS, (turn) => this.#netconf(keyed(turn)));
    this.#add(`read.netconf-keyed-p50.${size}`, netconf.p50, 'ms', 1);
    const restconf = await sample(READS, (turn) =>
      this.#restconf('GET', `${TABLE_PATH}/binding=${encodeURIComponent(prefix((turn * 7919) % size))}`),
    );
    this.#add(`read.restconf-keyed-p50.${size}`, restconf.p50, 'ms', 1);
    const [before = 0] = this.#resident();
    const peak = this.#watchMemory();
    let firstMs = 0;
    let octets = 0;
    const began = performance.now();
    const whole = `<get-config><source><running/></source><filter type="subtree"><softwire xmlns="urn:gi-4over6">${table('')}</softwire></filter></get-config>`;
    for await (const piece of this.#client?.request(whole) ?? []) {
      if (octets === 0) firstMs = performance.now() - began;
      octets += piece.length;
    }
    this.#add(`read.table-netconf.${size}`, performance.now() - began, 'ms', size === 1_000_000 ? 2_000 : null);
    this.#add(`read.table-first-octet.${size}`, firstMs, 'ms', 100);
    this.#add(`read.table-growth.${size}`, Math.max(0, peak()[0] - before), 'MiB', 64);
    const inJson = await timed(() => this.#restconf('GET', `${TABLE_PATH}?content=config`));
    this.#add(`read.table-restconf.${size}`, inJson, 'ms', size === 1_000_000 ? 2_000 : null);
  }

  #memory(size: number, when: string, target: number): void {
    const [management, datapath] = this.#resident();
    this.#add(`memory.management-${when}.${size}`, management, 'MiB', target);
    this.#add(`memory.datapath-${when}.${size}`, datapath, 'MiB', target);
    const store = join(this.#dir, 'state/store/data.mdb');
    const blocks = Number(execFileSync('stat', ['-c', '%b', store], { encoding: 'utf8' })) * 512;
    this.#add(`disk.store.${size}`, blocks / 1024 ** 2, 'MiB', null);
  }

  /** Anonymous and shared resident memory of management and datapath, in MiB. */
  #resident(): [management: number, datapath: number] {
    return ['management', 'datapath'].map((role) => {
      const text = readFileSync(`/proc/${this.#pid(role)}/status`, 'utf8');
      const field = (name: string) => Number(new RegExp(`^${name}:\\s*(\\d+)`, 'm').exec(text)?.[1] ?? Number.NaN);
      return (field('RssAnon') + field('RssShmem')) / 1024;
    }) as [number, number];
  }

  /** Watches the memory until the answer is called, which gives the largest seen. */
  #watchMemory(): () => [management: number, datapath: number] {
    const peak: [number, number] = [0, 0];
    const look = () => {
      const now = this.#resident();
      for (const i of [0, 1] as const) peak[i] = Math.max(peak[i], now[i]);
    };
    look();
    const timer = setInterval(look, 50);
    return () => {
      clearInterval(timer);
      look();
      return peak;
    };
  }

  #pid(role: string): number {
    for (const pid of readdirSync('/proc').filter((name) => /^\d+$/.test(name))) {
      const file = `/proc/${pid}/cmdline`;
      const words = existsSync(file) ? readFileSync(file, 'utf8').split('\0') : [];
      if (words.includes(role) && words.includes(join(this.#dir, 'state'))) return Number(pid);
    }
    throw new Error(`the process ${role} is not there`);
  }

  async #syncFourKib(): Promise<void> {
    const file = openSync(join(this.#dir, 'sync'), 'a');
    writeSync(file, Buffer.alloc(4096));
    fdatasyncSync(file);
    closeSync(file);
  }

  #restconf(method: string, path: string, body = '', expected?: number): Promise<number> {
    return new Promise((resolve, reject) => {
      const headers = {
        authorization: this.#authorization,
        ...(body === ''
          ? {}
          : { 'content-type': 'application/yang-data+json', 'content-length': Buffer.byteLength(body) }),
      };
      const sent = request({ host: '127.0.0.1', port: PORT, method, path, headers, agent: this.#agent }, (response) => {
        let text = '';
        response.on('data', (piece: Buffer) => {
          if (text.length < 1_000) text += piece.toString();
        });
        response.once('end', () => {
          const status = response.statusCode ?? 0;
          if (status >= 400 || (expected !== undefined && status !== expected))
            reject(new Error(`${method} ${path}: ${status} ${text}`));
          else resolve(status);
        });
      });
      sent.once('error', reject);
      sent.end(body);
    });
  }

  #add(id: string, value: number, unit: string, target: number | null): void {
    const rounded = Math.round(value * 100) / 100;
    const aim = target === null ? null : Math.round(target * 100) / 100;
    this.results.push({
      id: `state.${id}`.replace('state.state.', 'state.'),
      value: rounded,
      unit,
      target: aim,
      met: target === null ? null : value <= target,
    });
  }
}

/** A session of its own that asks for one leaf again and again; the longest answer counts. */
class Probe {
  #isOver = false;
  #longestMs = 0;
  readonly #done: Promise<void>;

  private constructor(client: NetconfClient) {
    this.#done = this.#run(client);
  }

  static async start(socket: string): Promise<Probe> {
    return new Probe(await NetconfClient.connect(socket));
  }

  async #run(client: NetconfClient): Promise<void> {
    const question =
      '<get-config><source><running/></source><filter type="subtree"><softwire xmlns="urn:gi-4over6"><aftr><name>edge</name><ipv6-address/></aftr></softwire></filter></get-config>';
    while (!this.#isOver) {
      const began = performance.now();
      for await (const _ of client.request(question));
      this.#longestMs = Math.max(this.#longestMs, performance.now() - began);
      await sleep(20);
    }
    client.close();
  }

  async stop(): Promise<number> {
    this.#isOver = true;
    await this.#done;
    return this.#longestMs;
  }
}

function prefix(index: number): string {
  return `${formatIpv4(FIRST + index)}/32`;
}

/** Sixteen bindings to a gateway. */
function gateway(index: number): string {
  return `2001:db8:a:${((index >> 4) & 0xffff).toString(16)}::1`;
}

function binding(index: number): string {
  return `<binding><ipv4-prefix>${prefix(index)}</ipv4-prefix><gateway-ipv6-address>${gateway(index)}</gateway-ipv6-address></binding>`;
}

function table(entries: string, attributes = ''): string {
  return `<aftr><name>edge</name><binding-table${attributes}>${entries}</binding-table></aftr>`;
}

const EMPTY_TABLE = table('', ` xmlns:nc="${BASE_NAMESPACE}" nc:operation="replace"`);

function bodyOf(size: number, shift: number): string {
  const entries = Array.from(
    { length: size },
    (_, index) => `{"ipv4-prefix":"${prefix(index)}","gateway-ipv6-address":"${gateway(index + shift)}"}`,
  );
  return `{"gi-4over6:binding-table":{"binding":[${entries.join(',')}]}}`;
}

function edit(target: string, inside: string): string {
  return `<edit-config><target><${target}/></target><config><softwire xmlns="urn:gi-4over6">${inside}</softwire></config></edit-config>`;
}

/** What libyang alone needs to parse and validate the document; in a process of its own, for its memory's sake. */
function judgeWithLibyang(size: number, config: string): number {
  const script = fileURLToPath(new URL('./libyang-parse.js', import.meta.url));
  const text = `<softwire xmlns="urn:gi-4over6">${config}</softwire>`;
  const { stdout, stderr } = spawnSync(process.execPath, [script], {
    input: text,
    encoding: 'utf8',
    maxBuffer: 1024 ** 2,
  });
  const elapsedMs = Number(stdout);
  if (!(elapsedMs > 0)) throw new Error(`libyang did not parse the document of ${size} bindings: ${stderr}`);
  return elapsedMs;
}

async function timed(work: () => Promise<unknown>): Promise<number> {
  const began = performance.now();
  await work();
  return performance.now() - began;
}

async function sample(count: number, work: (turn: number) => Promise<unknown>): Promise<{ p50: number; p99: number }> {
  const times: number[] = [];
  for (let turn = 0; turn < count; turn++) times.push(await timed(() => work(turn)));
  times.sort((a, b) => a - b);
  const at = (part: number) => times[Math.min(times.length - 1, Math.floor(times.length * part))] ?? Number.NaN;
  return { p50: at(0.5), p99: at(0.99) };
}

function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
