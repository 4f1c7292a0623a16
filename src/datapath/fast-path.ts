/**
 * The engine's side of the fast path: a WebAssembly module (fast-path/, in AssemblyScript) that looks up a batch and forwards the plain
 * good packets in it. It reads and writes the memory of the role, in which tables and batch have their places already, so that a call
 * costs nothing but itself.
 *
 *   1. `lookUp` finds side, rows and softwire of every packet
 *   2. `forward` goes on until a packet is something else, which it leaves as it was; in a flood of junk it drops that as well
 */

import { readFileSync } from 'node:fs';
import type { WasmMemory } from './arena.ts';
import type { Batch } from './batch.ts';
import { LANE_HEADER_OCTETS, LANE_WORDS, SIDE_OCTETS } from './counters.ts';
import { decapsulatedEcn, ECN_DROP } from './ecn.ts';
import type { EngineMemory } from './engine.ts';
import { HEAD_SHIFT } from './gateway-index.ts';
import { OUTER_LEN, OUTER_WORDS } from './header-words.ts';
import * as layout from './layout.ts';
import { sameFourWords } from './memory.ts';
import type { PathMtus } from './path-mtus.ts';
import { portSetRow } from './port-sets.ts';
import { plainPort } from './ports.ts';
import type { RowStatisticsMemory } from './row-statistics.ts';
import { ADMISSIONS_OCTETS } from './slow-budget.ts';
import type { Softwires } from './softwires.ts';
import { BY_LOCAL, BY_LOCAL_WORDS, HIGHEST, LOCAL_FILTER, POOL_COUNT, POOLS } from './softwires.ts';
import type { TableReader } from './table.ts';
import {
  DROP_NO_BINDING,
  DROP_NO_INSTANCE,
  DROP_OUTSIDE_SERVED_PREFIX,
  DROP_SOURCE_MISMATCH,
  DROP_UNBOUND_SOURCE,
  DROP_WRONG_AFTR,
  HAIRPINNED,
} from './verdict.ts';

const { FROM_GATEWAY, ROW_OTHER, ROW_SHIFT, ROW_SOFTWIRE, SOFTWIRE_LOCAL, SOFTWIRE_MASK, SOFTWIRE_SHIFT } = layout;

/** Words of the module that are told by name, in the order in which its functions take them. */
const ROW_COUNTER_WORDS = ['counting', 'low', 'high', 'refused', 'isAlone', 'gatewayHeads', 'gatewayShift'] as const;
const VERDICT_WORDS = [
  'hairpinned',
  'noBinding',
  'noInstance',
  'outsideServedPrefix',
  'unboundSource',
  'sourceMismatch',
  'wrongAftr',
] as const;

/** What the module exports; what each is for stands there. */
interface Exports {
  setTables(first: number, blocks: number, rows: number, softwires: number, ownAddresses: number): void;
  setRole(isGateway: boolean, flowKey: number, ecnLow: number, ecnHigh: number): void;
  setCounters(sequence: number, cells: number, sideOctets: number): void;
  setBatch(slab: number, entries: number, outputs: number): void;
  lookUp(count: number): number;
  setSoftwires(
    highest: number,
    poolCount: number,
    pools: number,
    byLocal: number,
    byLocalWords: number,
    localFilter: number,
  ): void;
  setAdmissions(admissions: number): void;
  /** ROW_COUNTER_WORDS, VERDICT_WORDS. */
  setRowCounters(...words: readonly number[]): void;
  setVerdicts(...words: readonly number[]): void;
  forward(from: number, count: number, outputs: number, isTrusted: boolean, junkMs: number): number;
  count(from: number, to: number): void;
  addTraffic(row: number, direction: number, packets: number, octets: number): void;
  addRefused(row: number, packets: number, octets: number): void;
  noteRefused(tenths: number): void;
  writeHeader(place: number, len: number, options: number, softwire: number, row: number): void;
  labelOf(place: number, len: number): number;
}

/** The little of it that is used here; the types of Node.js leave it out. */
declare const WebAssembly: {
  readonly Module: new (octets: Uint8Array) => object;
  readonly Instance: new (
    module: object,
    imports: { readonly env: { readonly memory: WasmMemory } },
  ) => { readonly exports: Exports };
};

/** An answer of `forward`: number of a packet, whether there is a doubt about it, outputs. */
const PLACE_MASK = 0x7fff;
const DOUBT = 0x8000;
const OUTPUTS_SHIFT = 16;
/** Stands for the moment where junk is not dropped. */
const KEEPS_JUNK = -1;
/** Word of the destination in an IPv6 header. */
const OUTER_DESTINATION = 6;

let compiled: object | undefined;

/** @throws Error code FAST_PATH_MISSING when it is not built */
function loadModule(): object {
  const url = new URL('./fast-path.wasm', import.meta.url);
  try {
    compiled ??= new WebAssembly.Module(readFileSync(url));
  } catch (cause) {
    const message = `the fast path is not built (expected ${url.pathname}): run \`npm run build\``;
    throw Object.assign(new Error(message, { cause }), { code: 'FAST_PATH_MISSING' });
  }
  return compiled;
}

/** What doubts are asked of, and rows chosen by. */
export interface FastPathParts {
  readonly table: TableReader;
  readonly softwires: Softwires;
  readonly pathMtus: PathMtus;
}

export class FastPath {
  readonly #isGateway: boolean;
  readonly #memory: WasmMemory;
  readonly #exports: Exports;
  readonly #parts: FastPathParts;
  #batch: Batch | undefined;

  /** In worker number `worker`. @throws Error code FAST_PATH_MISSING when it is not built */
  constructor(engine: EngineMemory, worker: number, parts: FastPathParts) {
    const { role, memory, table, softwires, ownAddresses, counters, seed } = engine;
    this.#isGateway = role === 'gateway';
    this.#memory = memory;
    this.#parts = parts;
    this.#exports = new WebAssembly.Instance(loadModule(), { env: { memory } }).exports;
    const places = [table.first, table.blocks, table.rows, softwires, ownAddresses].map((area) => this.#placeOf(area));
    const [first = 0, blocks = 0, rows = 0, softwiresAt = 0, ownAt = 0] = places;
    this.#exports.setTables(first, blocks, rows, softwiresAt, ownAt);
    const lane = this.#placeOf(counters) + worker * LANE_WORDS * 4;
    this.#exports.setCounters(lane, lane + LANE_HEADER_OCTETS, SIDE_OCTETS);
    this.#exports.setRole(this.#isGateway, seed, leavingEcn(0), leavingEcn(2));
    this.#setJunk(engine, worker, softwiresAt);
  }

  /** Tells the module what it judges junk by. */
  #setJunk({ admissions, statistics }: EngineMemory, worker: number, softwiresAt: number): void {
    const [highest = 0, poolCount = 0, pools = 0, byLocal = 0, filter = 0] = [
      HIGHEST,
      POOL_COUNT,
      POOLS,
      BY_LOCAL,
      LOCAL_FILTER,
    ].map((word) => softwiresAt + word * 4);
    this.#exports.setSoftwires(highest, poolCount, pools, byLocal, BY_LOCAL_WORDS, filter);
    this.#exports.setAdmissions(this.#placeOf(admissions) + worker * ADMISSIONS_OCTETS);
    if (statistics) this.#setRowCounters(statistics);
    const verdicts: Readonly<Record<(typeof VERDICT_WORDS)[number], number>> = {
      hairpinned: HAIRPINNED,
      noBinding: DROP_NO_BINDING,
      noInstance: DROP_NO_INSTANCE,
      outsideServedPrefix: DROP_OUTSIDE_SERVED_PREFIX,
      unboundSource: DROP_UNBOUND_SOURCE,
      sourceMismatch: DROP_SOURCE_MISMATCH,
      wrongAftr: DROP_WRONG_AFTR,
    };
    this.#exports.setVerdicts(...VERDICT_WORDS.map((word) => verdicts[word]));
  }

  #setRowCounters({ counters, gateways }: RowStatisticsMemory): void {
    const { counting, low, high, refused, workers } = counters;
    const words: Readonly<Record<(typeof ROW_COUNTER_WORDS)[number], number>> = {
      counting: this.#placeOf(counting),
      low: this.#placeOf(low),
      high: this.#placeOf(high),
      refused: this.#placeOf(refused),
      isAlone: workers === 1 ? 1 : 0,
      gatewayHeads: this.#placeOf(gateways),
      gatewayShift: HEAD_SHIFT,
    };
    this.#exports.setRowCounters(...ROW_COUNTER_WORDS.map((word) => words[word]));
  }

  /** Tells the module where a batch lies, if it is another one than before. @throws RangeError when it lies in other memory */
  enter(batch: Batch): void {
    if (batch === this.#batch) return;
    const [slab = 0, entries = 0, outputs = 0] = [batch.words, batch.entries, batch.output].map((area) =>
      this.#placeOf(area),
    );
    this.#exports.setBatch(slab, entries, outputs);
    this.#batch = batch;
  }

  /** Leaves the side, the rows and the softwire of every packet. */
  lookUp(batch: Batch): void {
    if (this.#exports.lookUp(batch.count) < 0) this.#choosePortSets(batch);
    if (this.#isGateway && this.#parts.table.rows[ROW_OTHER] !== 0) this.#chooseGateways(batch);
  }

  /** Forwards packets from number `from` on, and may drop junk; the first that is neither, or behind the last. */
  forward(batch: Batch, from: number, dropsJunk: boolean): number {
    const junkMs = dropsJunk ? batch.nowMs : KEEPS_JUNK;
    let answer = this.#exports.forward(from, batch.count, batch.outputs, false, junkMs);
    while ((answer & DOUBT) !== 0 && this.#fits(batch, answer & PLACE_MASK)) {
      answer = this.#exports.forward(answer & PLACE_MASK, batch.count, answer >>> OUTPUTS_SHIFT, true, junkMs);
    }
    batch.outputs = answer >>> OUTPUTS_SHIFT;
    return answer & PLACE_MASK;
  }

  /**
   * Counts each packet of a batch, and those of earlier batches that ended in it, by its instance, side and verdict; and for its row,
   * where these are counted.
   */
  count(batch: Batch): void {
    this.enter(batch);
    this.#exports.count(0, batch.count);
    if (batch.late > 0) this.#exports.count(batch.capacity, batch.capacity + batch.late);
  }

  /** Counts for a row what went to its gateway, or came from it. */
  addTraffic(row: number, direction: 'to' | 'from', packets: number, octets: number): void {
    this.#exports.addTraffic(row, direction === 'to' ? 0 : FROM_GATEWAY * 4, packets, octets);
  }

  /** Counts what the gateway that a row stands for has sent that was refused; nothing for row 0. */
  addRefused(row: number, packets: number, octets: number): void {
    this.#exports.addRefused(row, packets, octets);
  }

  /** Finds whose the packets are that were refused since the last call, and notes the inner source and the moment of each. */
  noteRefused(tenths: number): void {
    this.#exports.noteRefused(tenths);
  }

  /** Writes the outer header before the IPv4 packet of `len` octets at `at`, `options` octets before it, to the far end of `row`. */
  writeHeader(batch: Batch, at: number, len: number, options: number, softwire: number, row: number): void {
    this.enter(batch);
    this.#exports.writeHeader(at, len, options, softwire, row);
  }

  /** The flow label of the IPv4 packet of `len` octets at `at`. */
  flowLabelOf(batch: Batch, at: number, len: number): number {
    this.enter(batch);
    return this.#exports.labelOf(at, len);
  }

  /** Whether a plain packet from IPv4 fits its far end although not every one. */
  #fits({ lengths, rows, softwires, nowMs }: Batch, k: number): boolean {
    return (lengths[k] ?? 0) <= this.#parts.pathMtus.payloadMtu(softwires[k] ?? 0, rows[k] ?? 0, nowMs);
  }

  /** From rows of gateways that packets leave through to those of the gateways that packets came to, where these serve them. */
  #chooseGateways({ words, at, sides, rows, softwires, count }: Batch): void {
    const tableRows = this.#parts.table.rows;
    const templates = this.#parts.softwires.words;
    for (let k = 0; k < count; k++) {
      if (sides[k] === 4) continue;
      const local = ((at[k] ?? 0) >> 2) + OUTER_DESTINATION;
      let row = rows[k] ?? 0;
      let s = softwires[k] ?? 0;
      while (row !== 0 && !sameFourWords(words, local, templates, (s << SOFTWIRE_SHIFT) + SOFTWIRE_LOCAL)) {
        row = tableRows[(row << ROW_SHIFT) + ROW_OTHER] ?? 0;
        s = (tableRows[(row << ROW_SHIFT) + ROW_SOFTWIRE] ?? 0) & SOFTWIRE_MASK;
      }
      if (row === 0) continue;
      rows[k] = row;
      softwires[k] = s;
    }
  }

  /** From rows of shared addresses to those of port sets; 0, for the slow path, where no port is plain to see. */
  #choosePortSets({ words, at, lengths, sides, rows, softwires, count }: Batch): void {
    const { table } = this.#parts;
    const tableRows = table.rows;
    for (let k = 0; k < count; k++) {
      const shared = rows[k] ?? 0;
      if ((tableRows[(shared << ROW_SHIFT) + ROW_SOFTWIRE] ?? 0) >= 0) continue;
      const isInner = sides[k] !== 4;
      const w = ((at[k] ?? 0) >> 2) + (isInner ? OUTER_WORDS : 0);
      const port = plainPort(words, w, (lengths[k] ?? 0) - (isInner ? OUTER_LEN : 0), isInner);
      const row = port < 0 ? 0 : portSetRow(table, shared, port);
      rows[k] = row;
      softwires[k] = (tableRows[(row << ROW_SHIFT) + ROW_SOFTWIRE] ?? 0) & SOFTWIRE_MASK;
    }
  }

  /** Where a part of the memory begins in it. */
  #placeOf({ buffer, byteOffset, byteLength }: Int32Array): number {
    // A buffer from before a growth is another object over the same memory.
    const whole = this.#memory.buffer;
    const isPart = buffer === whole || (byteOffset > 0 && byteOffset + byteLength <= whole.byteLength);
    if (!isPart) throw new RangeError('the batch does not lie in the memory of its engine');
    return byteOffset;
  }
}

/** ECN fields that leave, of the inner ones `from` and the next, for the module: four bits each, 15 for the slow path. */
function leavingEcn(from: number): number {
  let bits = 0;
  for (let pair = 0; pair < 8; pair++) {
    const ecn = decapsulatedEcn(from + (pair >> 2), pair & 3);
    bits |= (ecn >= ECN_DROP ? 15 : ecn) << (4 * pair);
  }
  return bits;
}
