/**
 * Lives and deaths of a bare store process. A chain of lives stands on one folder after the other; each life ends with
 * SIGKILL at a moment of its kind, then what is there is held against what may be there:
 *
 *     start    at a random time from the start on, mostly before the store is open
 *     edits    at a random time of a stream of edits
 *     call     at the n-th write, sync or truncation of a file
 *     octets   when n octets are written, in the middle of a write
 *     close    at a random time of a clean end
 */

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ContentHash } from '../../src/state/content-hash.ts';
import { StoreReader } from '../../src/state/reader.ts';
import { Edits } from './crash-edits.ts';
import type { Contents, Found } from './crash-model.ts';
import { contentsOf, EMPTY, Expectation } from './crash-model.ts';
import type { DiskPlan } from './disk-shim.ts';
import { diskEnvironment } from './disk-shim.ts';
import { LineProcess } from './line-process.ts';
import { random } from './random.ts';

/** Edits that are on their way at a time. */
const WINDOW = 8;
/** Lives in one folder. */
const LIVES = 20;
const START_MS = 250;
const EDITS_MS = 60;
const CLOSE_MS = 8;
const CALLS = 90;
const OCTETS = 600_000;
/** A life of the kinds that end by themselves ends at the latest after this. */
const LONGEST_MS = 500;

export interface Deaths {
  kills: number;
  acknowledged: number;
  /** Kills that left an edit neither done nor undone as far as its sender knows. */
  undecided: number;
  readonly kinds: Map<string, number>;
}

interface Plan {
  readonly kind: 'start' | 'edits' | 'call' | 'octets' | 'close';
  /** When to kill, from the start (`start`), from the end of the input (`close`), or from the first answer on. */
  readonly ms: number;
  /** After how many edits the input ends. */
  readonly edits: number;
  readonly disk?: Omit<DiskPlan, 'dir'>;
}

function planOf(next: () => number): Plan {
  const choice = next() % 8;
  const all = { edits: Number.POSITIVE_INFINITY };
  if (choice === 0) return { ...all, kind: 'start', ms: next() % START_MS };
  if (choice === 1) return { kind: 'close', ms: (next() % (10 * CLOSE_MS)) / 10, edits: 1 + (next() % 20) };
  if (choice < 4) return { ...all, kind: 'octets', ms: LONGEST_MS, disk: { dieOctets: next() % OCTETS } };
  if (choice < 6) return { ...all, kind: 'call', ms: LONGEST_MS, disk: { dieAt: 1 + (next() % CALLS) } };
  return { ...all, kind: 'edits', ms: (next() % (10 * EDITS_MS)) / 10 };
}

/** Kills a store process so often. @throws Error that says what was found instead of what may be there */
export async function killStore(kills: number, seed: number, onKill?: (deaths: Deaths) => void): Promise<Deaths> {
  const next = random(seed);
  const deaths: Deaths = { kills: 0, acknowledged: 0, undecided: 0, kinds: new Map() };
  while (deaths.kills < kills) {
    const dir = mkdtempSync(join(tmpdir(), 'gi4over6-crash-'));
    try {
      const folder = new Folder(join(dir, 'state', 'store'), next, deaths);
      for (let life = 0; life < LIVES && deaths.kills < kills; life++) {
        await folder.live(planOf(next));
        onKill?.(deaths);
      }
    } catch (cause) {
      throw new Error(`seed ${seed}, kill ${deaths.kills}, the store is kept in ${dir}: ${String(cause)}`, { cause });
    }
    rmSync(dir, { recursive: true });
  }
  return deaths;
}

/** One folder with its store, from its creation on. */
class Folder {
  readonly #dir: string;
  readonly #next: () => number;
  readonly #deaths: Deaths;
  readonly #expected = new Expectation();
  readonly #startup: boolean;
  readonly #edits: Edits;
  #boot = 0;
  /** From the start of a new boot until a life has got as far as its first line. */
  #isBooting = false;
  #timer: NodeJS.Timeout | undefined;

  constructor(dir: string, next: () => number, deaths: Deaths) {
    this.#dir = dir;
    this.#next = next;
    this.#deaths = deaths;
    this.#startup = next() % 3 === 0;
    this.#edits = new Edits(next, { startup: this.#startup, bulk: next() % 5 === 0 });
  }

  /** One life and death, and what they left. */
  async live(plan: Plan): Promise<void> {
    const child = this.#start(plan);
    let undecided = 0;
    try {
      if (plan.kind === 'start') this.#killIn(plan.ms, child);
      const ready = await child.next();
      if (ready !== undefined) {
        this.#welcome(ready);
        if (plan.kind !== 'start' && plan.kind !== 'close') this.#killIn(plan.ms, child);
        undecided = await this.#edit(plan, child);
      }
    } catch (error) {
      clearTimeout(this.#timer);
      await child.kill();
      throw error;
    }
    const ending = await child.ending();
    clearTimeout(this.#timer);
    // A clean end may be quicker than the kill.
    if (ending !== 'SIGKILL' && !(plan.kind === 'close' && ending === 'exit code 0'))
      throw new Error(`it ended: ${ending}`);
    const running = await this.#inspect();
    this.#expected.restart();
    this.#expected.find({ running });
    this.#deaths.kills++;
    this.#deaths.undecided += undecided > 0 ? 1 : 0;
    this.#deaths.kinds.set(plan.kind, (this.#deaths.kinds.get(plan.kind) ?? 0) + 1);
  }

  #start(plan: Plan): LineProcess {
    if (this.#startup && this.#next() % 4 === 0) {
      this.#boot++;
      this.#isBooting = true;
    }
    if (this.#isBooting) this.#expected.boot();
    const words = [this.#dir, `boot ${this.#boot}`, ...(this.#startup ? ['startup'] : [])];
    const environment = plan.disk ? diskEnvironment({ dir: this.#dir, ...plan.disk }) : {};
    return new LineProcess('crash-process', words, 'unlimited', environment);
  }

  #welcome(ready: string): void {
    if (this.#isBooting) this.#expected.booted();
    this.#isBooting = false;
    this.#expected.find(foundOf(ready));
  }

  #killIn(ms: number, child: LineProcess): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => void child.kill(), ms);
  }

  /** Sends edits until the process has ended; how many were not answered. */
  async #edit(plan: Plan, child: LineProcess): Promise<number> {
    let sent = 0;
    let answered = 0;
    const send = () => {
      if (sent >= plan.edits) return;
      const edit = sent++ === 0 ? this.#edits.first() : this.#edits.next(this.#expected.latest);
      this.#expected.send(edit);
      child.send(JSON.stringify(edit));
      if (sent < plan.edits) return;
      child.endInput();
      this.#killIn(plan.ms, child);
    };
    for (let count = 0; count < WINDOW; count++) send();
    for (let answer = await child.next(); answer !== undefined; answer = await child.next()) {
      if (answer !== 'ok') throw new Error(`an edit was refused: ${answer}`);
      this.#expected.acknowledge();
      this.#deaths.acknowledged++;
      answered++;
      send();
    }
    return sent - answered;
  }

  /** Running as the datapath reads it; nothing while there is no store. */
  async #inspect(): Promise<Contents> {
    let reader: StoreReader;
    try {
      reader = StoreReader.open(this.#dir);
    } catch (error) {
      if (error instanceof Error && 'code' in error && error.code === 'STORE_MISSING') return EMPTY.running;
      throw error;
    }
    try {
      return await checkedContents(reader);
    } finally {
      reader.close();
    }
  }
}

/** What the store holds; hash, numbers and the last change record are held against it. */
export async function checkedContents(reader: StoreReader): Promise<Contents> {
  const rows = [...reader.bindings()];
  const hash = new ContentHash();
  const counts = new Map<string, number>();
  for (const { instance, binding } of rows) {
    hash.addBinding(instance, binding);
    counts.set(instance, (counts.get(instance) ?? 0) + 1);
  }
  if (reader.contentHash() !== hash.text) throw new Error('the content hash is not that of the rows');
  for (const [instance, count] of reader.counts()) {
    if (count !== (counts.get(instance) ?? 0))
      throw new Error(`${instance} has ${counts.get(instance)} rows, not ${count}`);
  }
  const version = reader.renew();
  if (version > 1 && !(await reader.changes(version - 1))) throw new Error(`version ${version} left no change record`);
  return contentsOf(rows, reader.configuration());
}

function foundOf(line: string): Found {
  const { running, candidate, startup } = JSON.parse(line) as Record<string, [string, string][]>;
  return {
    running: new Map(running),
    candidate: new Map(candidate),
    ...(startup && { startup: new Map(startup) }),
  };
}
