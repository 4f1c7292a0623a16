/**
 * Bench of configuration at 1,000, 100,000 and 1,000,000 bindings through the faces of a running instance: edits, bulk
 * loads, reads, memory, history, and forwarding while a bulk edit runs. All in a network namespace of its own, one client on one
 * persistent session.
 *
 * Baselines of the same run: fdatasync of 4 KiB on the file system of the store, and libyang alone parsing and validating
 * the bulk document.
 */

import { spawnSync } from 'node:child_process';
import { closeSync, fdatasyncSync, openSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { BASE_NAMESPACE } from '../../src/cli/client.ts';
import { NETCONF_LIMITS } from '../../src/netconf-limits.ts';
import { enterOwnNetwork, Instance, sleep } from './instance.ts';
import { LineChild } from './line-child.ts';
import type { BenchResult } from './results.ts';
import { median, result } from './results.ts';
import { StoppedReader } from './stopped-reader.ts';
import type { Shape } from './tables.ts';
import { bindingXml, gateway, POOLS, prefixesOf, tableJson } from './tables.ts';
import { Traffic } from './traffic.ts';

const PROBE = fileURLToPath(new URL('./probe.js', import.meta.url));
const SIZES = [1_000, 100_000, 1_000_000];
const LARGE = 1_000_000;
const EDITS = 300;
/** LMDB syncs the data, and then the page that leads to it. */
const SYNCS_A_COMMIT = 2;
const READS = 300;
const CANDIDATES = 50;
const ROWS_A_CANDIDATE = 10;
/** Commits of the history, and changed bindings in each. */
const COMMITS = 1_000;
const ROWS_A_COMMIT = 1_000;
const TABLE_PATH = '/restconf/data/gi-4over6:softwire/aftr=edge/binding-table';
/** An AFTR that the bulk edits leave alone. */
const STEADY_FIRST = 0x0b_00_00_00;
const STEADY_COUNT = 1_000;
/** How long a client may leave its answer unread, as the server has it. */
const UNREAD_MS = NETCONF_LIMITS.unreadMs;
/** After this nothing of a bulk edit is left to be done. */
const SETTLE_MS = 5_000;

/** Runs the whole bench, some minutes, as root; `sizes` are the numbers of bindings. Never returns outside its own namespace. */
export async function benchState(sizes: readonly number[] = SIZES): Promise<BenchResult[]> {
  enterOwnNetwork();
  const bench = new StateBench(await Instance.start(`/tmp/gi4over6-bench-${process.pid}`));
  try {
    await bench.configure();
    for (const size of sizes) await bench.measure(size);
    const largest = Math.max(...sizes);
    await bench.compaction(largest);
    for (const shape of ['mixed', 'scattered'] as const) await bench.measureShape(shape, largest);
    await bench.forwarding(largest);
    await bench.history(largest);
    return bench.results;
  } finally {
    await bench.stop();
  }
}

class StateBench {
  readonly results: BenchResult[] = [];
  readonly #instance: Instance;

  constructor(instance: Instance) {
    this.#instance = instance;
  }

  async configure(): Promise<void> {
    const pools = POOLS.map((pool) => `<ipv4-pool>${pool}</ipv4-pool>`).join('');
    const edge = `<name>edge</name><ipv6-address>2001:db8:b::1</ipv6-address><ipv4-address>203.0.113.1</ipv4-address>${pools}`;
    const rows = Array.from({ length: STEADY_COUNT }, (_, index) =>
      bindingXml(`11.0.${index >> 8}.${index & 255}/32`, gateway(index)),
    );
    const steady = `<name>steady</name><ipv6-address>2001:db8:b::2</ipv6-address><ipv4-pool>11.0.0.0/16</ipv4-pool><binding-table>${rows.join('')}</binding-table>`;
    await this.#edit(`<aftr>${edge}</aftr><aftr>${steady}</aftr>`);
  }

  stop(): Promise<void> {
    return this.#instance.stop();
  }

  async measure(size: number): Promise<void> {
    const prefixes = prefixesOf('dense', size);
    await this.#bulkNetconf(size, prefixes);
    await this.#bulkRestconf(size, prefixes);
    await this.#edits(size);
    await this.#candidate(size, prefixes);
    await this.#reads(size, prefixes);
    await this.#memory('dense', size);
  }

  /** The store with the table and no history: compaction takes out first what is forgotten. */
  async compaction(size: number): Promise<void> {
    this.#add(`disk.table-compacted.${size}`, await this.#withoutHistory(), 'MiB', size === LARGE ? 200 : null);
  }

  /** Forgets what was; the size of the store then, in MiB. */
  async #withoutHistory(): Promise<number> {
    const limit = (maximum: number) => this.#edit(`<history><maximum-changes>${maximum}</maximum-changes></history>`);
    await limit(1);
    await this.#compact();
    await limit(10_000_000);
    return this.#instance.storeMebibytes();
  }

  async #compact(): Promise<void> {
    await this.#instance.netconf('<compact-store xmlns="urn:gi-4over6"/>');
  }

  /** Memory with another table of that size. */
  async measureShape(shape: Shape, size: number): Promise<void> {
    await this.#edit(EMPTY_TABLE);
    const peak = this.#instance.watchMemory();
    await this.#instance.restconf('PUT', TABLE_PATH, tableJson(prefixesOf(shape, size), 0), 204);
    await this.#instance.waitUntilApplied();
    const [management, datapath] = peak();
    this.#add(`memory.management-${shape}-peak.${size}`, management, 'MiB', 600);
    this.#add(`memory.datapath-${shape}-peak.${size}`, datapath, 'MiB', 600);
    await this.#memory(shape, size);
  }

  /** Existing bindings at a fifth of what the device passes, while a table is loaded. */
  async forwarding(size: number): Promise<void> {
    const traffic = new Traffic(STEADY_FIRST, STEADY_COUNT);
    await traffic.ready();
    const most = await traffic.during(0, () => sleep(3_000));
    const rate = Math.floor((0.2 * most.received) / most.seconds);
    this.#add('bulk.forwarding-most', most.received / most.seconds, 'packets/s', null);
    await this.#edit(EMPTY_TABLE);
    const body = tableJson(prefixesOf('dense', size), 0);
    const load = async () => {
      await this.#instance.restconf('PUT', TABLE_PATH, body, 204);
      await this.#instance.waitUntilApplied();
    };
    const { sent, received } = await traffic.during(rate, load);
    this.#add(`bulk.forwarding-sent.${size}`, sent, 'packets', null);
    this.#add(`bulk.forwarding-lost.${size}`, sent - received, 'packets', 0);
  }

  /** A million changes: who held an address at a time. */
  async history(size: number): Promise<void> {
    const prefixes = prefixesOf('dense', size);
    const times: string[] = [];
    const empty = await this.#withoutHistory();
    for (let commit = 0; commit < COMMITS; commit++) {
      const rows = Array.from({ length: ROWS_A_COMMIT }, (_, index) => {
        const prefix = prefixes[(commit * ROWS_A_COMMIT + index) % prefixes.length] ?? '';
        return bindingXml(prefix, gateway(16 * (commit + index + 7)));
      });
      await this.#edit(table(rows.join('')));
      if (commit % 10 === 0) times.push(new Date().toISOString());
    }
    const lookup = (turn: number) => {
      const address = prefixes[(turn * 7_919) % size]?.split('/')[0] ?? '';
      const input = `<ipv4-address>${address}</ipv4-address><time>${times[turn % times.length]}</time>`;
      return this.#instance.netconf(
        `<action xmlns="urn:ietf:params:xml:ns:yang:1"><softwire xmlns="urn:gi-4over6"><aftr><name>edge</name><lookup>${input}</lookup></aftr></softwire></action>`,
      );
    };
    const { p50, p99 } = await sample(READS, lookup);
    const before = this.#instance.storeMebibytes();
    const compactMs = await timed(() => this.#compact());
    this.#add(`disk.with-history-before-compaction.${size}`, before, 'MiB', null);
    const after = this.#instance.storeMebibytes();
    this.#add(`disk.with-history-compacted.${size}`, after, 'MiB', null);
    this.#add(
      `history.octets-a-change.${size}`,
      ((after - empty) * 1024 ** 2) / (COMMITS * ROWS_A_COMMIT),
      'octets',
      250,
    );
    this.#add(`disk.compaction.${size}`, compactMs, 'ms', null);
    await this.#versions(size);
    this.#add(`history.lookup-p50.${size}`, p50, 'ms', 10);
    this.#add(`history.lookup-p99.${size}`, p99, 'ms', null);
  }

  /** Versions 1,000 rows and a million changes before the newest: read, compared, brought back, beside another session. */
  async #versions(size: number): Promise<void> {
    const list = await this.#instance.netconf(
      '<list-versions xmlns="urn:gi-4over6"><maximum>1</maximum></list-versions>',
    );
    const newest = Number(/<number>(\d+)</.exec(list)?.[1]);
    for (const [apart, version] of [
      [ROWS_A_COMMIT, newest - 1],
      [COMMITS * ROWS_A_COMMIT, newest - COMMITS + 1],
    ] as const) {
      const operations = {
        'get-version': `<get-version xmlns="urn:gi-4over6"><version>${version}</version></get-version>`,
        compare: `<compare-versions xmlns="urn:gi-4over6"><from>${version}</from><to>${newest}</to></compare-versions>`,
        'roll-back': `<roll-back xmlns="urn:gi-4over6"><version>${version}</version><target>running</target></roll-back>`,
      };
      for (const [name, operation] of Object.entries(operations)) {
        const probe = await LineChild.start(PROBE, [this.#instance.socket]);
        const elapsedMs = await timed(async () => {
          for await (const _ of this.#instance.pieces(operation));
        });
        this.#add(`history.${name}-${apart}-changes-ago.${size}`, elapsedMs, 'ms', null);
        this.#add(`history.${name}-${apart}-other-session.${size}`, Number(await probe.end()), 'ms', null);
      }
    }
  }

  async #edit(inside: string): Promise<void> {
    await this.#instance.netconf(edit('running', inside));
  }

  /** All bindings in one edit-config into an empty table, while another session asks for little all the time. */
  async #bulkNetconf(size: number, prefixes: readonly string[]): Promise<void> {
    await this.#edit(EMPTY_TABLE);
    const config = table(prefixes.map((prefix, index) => bindingXml(prefix, gateway(index))).join(''));
    const probe = await LineChild.start(PROBE, [this.#instance.socket]);
    const peak = this.#instance.watchMemory();
    const elapsedMs = await timed(async () => {
      await this.#edit(config);
      await this.#instance.waitUntilApplied();
    });
    const [peakManagement, peakDatapath] = peak();
    const longestMs = Number(await probe.end());
    const libyangMs = judgeWithLibyang(size, config);
    const isLarge = size === LARGE;
    this.#add(`bulk.netconf.${size}`, elapsedMs, 'ms', isLarge ? 8_000 : null);
    this.#add(`bulk.libyang-alone.${size}`, libyangMs, 'ms', null);
    this.#add(`bulk.netconf-to-libyang.${size}`, elapsedMs / libyangMs, 'ratio', isLarge ? 1.5 : null);
    this.#add(`bulk.other-session-longest.${size}`, longestMs, 'ms', 250);
    this.#add(`bulk.peak-management.${size}`, peakManagement, 'MiB', 600);
    this.#add(`bulk.peak-datapath.${size}`, peakDatapath, 'MiB', 600);
  }

  /** The same by one PUT, then all of it replaced by other values. */
  async #bulkRestconf(size: number, prefixes: readonly string[]): Promise<void> {
    await this.#edit(EMPTY_TABLE);
    const peak = this.#instance.watchMemory();
    const probe = await LineChild.start(PROBE, [this.#instance.socket]);
    const put = (body: string) =>
      timed(async () => {
        await this.#instance.restconf('PUT', TABLE_PATH, body, 204);
        await this.#instance.waitUntilApplied();
      });
    const loadMs = await put(tableJson(prefixes, 0));
    this.#add(`bulk.restconf.${size}`, loadMs, 'ms', size === LARGE ? 8_000 : null);
    this.#add(`bulk.restconf-other-session-longest.${size}`, Number(await probe.end()), 'ms', 250);
    const replaceMs = await put(tableJson(prefixes, 16));
    this.#add(`bulk.restconf-replace.${size}`, replaceMs, 'ms', null);
    this.#add(`bulk.restconf-peak-management.${size}`, peak()[0], 'MiB', 600);
  }

  async #edits(size: number): Promise<void> {
    const spare = '32.0.0.7/32';
    const path = `${TABLE_PATH}/binding=${encodeURIComponent(spare)}`;
    const entry = (more: string, operation = 'merge') =>
      edit(
        'running',
        table(
          `<binding xmlns:nc="${BASE_NAMESPACE}" nc:operation="${operation}"><ipv4-prefix>${spare}</ipv4-prefix>${more}</binding>`,
        ),
      );
    // Another gateway each time, or nothing would change.
    const value = (turn: number) => `<gateway-ipv6-address>${gateway(turn * 16)}</gateway-ipv6-address>`;
    const sync = await sample(EDITS, () => this.#syncFourKib());
    this.#add(`edit.fdatasync-p50.${size}`, sync.p50, 'ms', null);
    this.#add(`edit.fdatasync-p99.${size}`, sync.p99, 'ms', null);
    const json = (gatewayNumber: number) =>
      `{"gi-4over6:binding":[{"ipv4-prefix":"${spare}","gateway-ipv6-address":"${gateway(gatewayNumber)}"}]}`;
    const kinds: readonly (readonly [string, (turn: number) => Promise<unknown>])[] = [
      ['netconf-running', (turn) => this.#instance.netconf(entry(value(turn)))],
      [
        'netconf-candidate',
        async (turn) => {
          await this.#instance.netconf(entry(value(turn + 1)).replace('<running/>', '<candidate/>'));
          await this.#instance.netconf('<commit/>');
        },
      ],
      ['netconf-ssh-running', (turn) => this.#instance.netconfOverSsh(entry(value(turn + 2)))],
      ['restconf-put', (turn) => this.#instance.restconf('PUT', path, json(turn * 16 + 32))],
      ['restconf-patch', (turn) => this.#instance.restconf('PATCH', path, json(turn * 16 + 48))],
      [
        'restconf-delete-post',
        (turn) =>
          turn % 2 === 0
            ? this.#instance.restconf('DELETE', path)
            : this.#instance.restconf('POST', TABLE_PATH, json(turn * 16), 201),
      ],
      [
        'create-delete',
        async (turn) => {
          if (turn % 2 === 0) await this.#instance.netconf(entry('', 'remove'));
          else await this.#instance.netconf(entry(value(turn), 'create'));
        },
      ],
    ];
    for (const [kind, work] of kinds) {
      const { p50, p99 } = await sample(EDITS, work);
      const isLarge = size === LARGE;
      this.#add(`edit.${kind}-p50.${size}`, p50, 'ms', isLarge ? 2 + 2 * sync.p50 : null);
      this.#add(`edit.${kind}-p99.${size}`, p99, 'ms', isLarge ? 10 + 4 * sync.p99 : null);
      this.#parts(kind, size, p50, sync.p50);
      this.#growth(`edit.${kind}`, size, p50);
    }
  }

  /** How much longer it takes at a million than at a thousand. */
  #growth(what: string, size: number, p50: number): void {
    const small = this.results.find(({ id }) => id === `state.${what}-p50.1000`);
    if (size === LARGE && small) this.#add(`${what}-growth`, p50 / small.value, 'ratio', 1.5);
  }

  /** A candidate of ten changed bindings: edited, compared with running, discarded. */
  async #candidate(size: number, prefixes: readonly string[]): Promise<void> {
    const compare = `<compare xmlns="urn:ietf:params:xml:ns:yang:ietf-nmda-compare" xmlns:ds="urn:ietf:params:xml:ns:yang:ietf-datastores"><source>ds:running</source><target>ds:candidate</target></compare>`;
    const change = (turn: number) => {
      const rows = Array.from({ length: ROWS_A_CANDIDATE }, (_, index) =>
        bindingXml(prefixes[(turn * 7_919 + index * 97) % size] ?? '', gateway(16 * (turn + index + 3))),
      );
      return edit('candidate', table(rows.join('')));
    };
    const kinds = { 'edit-ten': '', compare, discard: '<discard-changes/>' };
    const times = new Map<string, number[]>(Object.keys(kinds).map((kind) => [kind, []]));
    for (let turn = 0; turn < CANDIDATES; turn++) {
      for (const [kind, operation] of Object.entries(kinds)) {
        times.get(kind)?.push(await timed(() => this.#instance.netconf(operation || change(turn))));
      }
    }
    for (const [kind, list] of times) {
      const p50 = median(list);
      this.#add(`candidate.${kind}-p50.${size}`, p50, 'ms', null);
      this.#growth(`candidate.${kind}`, size, p50);
    }
  }

  /**
   * Where the time of an edit goes: store with its syncs, and without as much as they take on a bare file; datapath; all the rest, of
   * ours and of the way.
   */
  #parts(kind: string, size: number, p50: number, syncMs: number): void {
    const commits = this.#instance.commits(EDITS);
    const [writeMs, applyMs] = [
      median(commits.map((commit) => commit.writeMs)),
      median(commits.map((commit) => commit.applyMs)),
    ];
    this.#add(`edit.${kind}-store.${size}`, writeMs, 'ms', null);
    this.#add(`edit.${kind}-store-beside-syncs.${size}`, writeMs - SYNCS_A_COMMIT * syncMs, 'ms', null);
    this.#add(`edit.${kind}-datapath.${size}`, applyMs, 'ms', null);
    this.#add(`edit.${kind}-rest.${size}`, p50 - writeMs - applyMs, 'ms', null);
  }

  async #reads(size: number, prefixes: readonly string[]): Promise<void> {
    const keyAt = (turn: number) => prefixes[(turn * 7_919) % size] ?? '';
    const kinds: readonly (readonly [string, (turn: number) => Promise<unknown>])[] = [
      [
        'netconf-subtree',
        (turn) => {
          const key = table(`<binding><ipv4-prefix>${keyAt(turn)}</ipv4-prefix></binding>`);
          return this.#instance.netconf(getConfig(`type="subtree"><softwire xmlns="urn:gi-4over6">${key}</softwire>`));
        },
      ],
      [
        'netconf-xpath',
        (turn) => {
          const select = `//gi-4over6:binding[gi-4over6:ipv4-prefix='${keyAt(turn)}']`;
          return this.#instance.netconf(getConfig(`type="xpath" select="${select}">`));
        },
      ],
      [
        'restconf',
        (turn) => this.#instance.restconf('GET', `${TABLE_PATH}/binding=${encodeURIComponent(keyAt(turn))}`),
      ],
    ];
    for (const [kind, work] of kinds) {
      const { p50 } = await sample(READS, work);
      this.#add(`read.${kind}-keyed-p50.${size}`, p50, 'ms', 1);
    }
    await this.#wholeReads(size);
    if (size === LARGE) await this.#stoppedReader(size);
  }

  /** Edits beside a client that has asked for the whole table and does not read it, and when it is dropped. */
  async #stoppedReader(size: number): Promise<void> {
    const [before = 0] = this.#instance.resident();
    const peak = this.#instance.watchMemory();
    const reader = new StoppedReader(this.#instance.socket, WHOLE_TABLE);
    await sleep(1_000);
    const row = (turn: number) => table(bindingXml('32.0.0.8/32', gateway(turn * 16)));
    const { p50 } = await sample(EDITS, (turn) => this.#edit(row(turn)));
    this.#add(`read.edit-beside-stopped-reader-p50.${size}`, p50, 'ms', null);
    this.#add(`read.stopped-reader-growth.${size}`, Math.max(0, peak()[0] - before), 'MiB', 64);
    const droppedMs = await reader.untilDropped(2 * UNREAD_MS);
    this.#add(`read.stopped-reader-dropped.${size}`, droppedMs, 'ms', UNREAD_MS + 5_000);
  }

  async #wholeReads(size: number): Promise<void> {
    const [before = 0] = this.#instance.resident();
    const peak = this.#instance.watchMemory();
    let firstMs = 0;
    let octets = 0;
    const began = performance.now();
    for await (const piece of this.#instance.pieces(WHOLE_TABLE)) {
      if (octets === 0) firstMs = performance.now() - began;
      octets += piece.length;
    }
    this.#add(`read.table-netconf.${size}`, performance.now() - began, 'ms', size === LARGE ? 2_000 : null);
    this.#add(`read.table-first-octet.${size}`, firstMs, 'ms', 100);
    this.#add(`read.table-growth.${size}`, Math.max(0, peak()[0] - before), 'MiB', 64);
    const inJson = await timed(() => this.#instance.restconf('GET', `${TABLE_PATH}?content=config`));
    this.#add(`read.table-restconf.${size}`, inJson, 'ms', size === LARGE ? 2_000 : null);
  }

  async #memory(shape: Shape, size: number): Promise<void> {
    await sleep(SETTLE_MS);
    const [management, datapath] = this.#instance.resident();
    this.#add(`memory.management-${shape}.${size}`, management, 'MiB', 400);
    this.#add(`memory.datapath-${shape}.${size}`, datapath, 'MiB', 400);
    this.#add(`disk.store-${shape}.${size}`, this.#instance.storeMebibytes(), 'MiB', null);
  }

  async #syncFourKib(): Promise<void> {
    const file = openSync(join(this.#instance.dir, 'sync'), 'a');
    writeSync(file, Buffer.alloc(4096));
    fdatasyncSync(file);
    closeSync(file);
  }

  #add(id: string, value: number, unit: string, target: number | null): void {
    this.results.push(result(`state.${id}`, value, unit, 'at most', target));
  }
}

function table(entries: string, attributes = ''): string {
  return `<aftr><name>edge</name><binding-table${attributes}>${entries}</binding-table></aftr>`;
}

const EMPTY_TABLE = table('', ` xmlns:nc="${BASE_NAMESPACE}" nc:operation="replace"`);

function edit(target: string, inside: string): string {
  return `<edit-config><target><${target}/></target><config><softwire xmlns="urn:gi-4over6">${inside}</softwire></config></edit-config>`;
}

function getConfig(filter: string): string {
  return `<get-config><source><running/></source><filter ${filter}</filter></get-config>`;
}

const WHOLE_TABLE = getConfig(`type="subtree"><softwire xmlns="urn:gi-4over6">${table('')}</softwire>`);

/** What libyang alone needs to parse and validate the document; in a process of its own, for its memory's sake. */
function judgeWithLibyang(size: number, config: string): number {
  const script = fileURLToPath(new URL('./libyang-parse.js', import.meta.url));
  const input = `<softwire xmlns="urn:gi-4over6">${config}</softwire>`;
  const { stdout, stderr } = spawnSync(process.execPath, [script], { input, encoding: 'utf8', maxBuffer: 1024 ** 2 });
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
