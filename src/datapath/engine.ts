/**
 * What happens to packets: the gateway and the AFTR as functions over a batch and the table.
 *
 *   1. addresses of every packet are looked up in stages over the whole batch, so that cache misses of different packets
 *      overlap
 *   2. a plain good packet takes the fast path: header checks, source check, outer header on or off
 *   3. anything else takes the slow path (slow-path.ts), which decides by the same rules from the beginning
 *   4. when too much junk takes it (slow-budget.ts), what is plainly junk is dropped on the fast path (fast-path/junk.ts)
 *
 * Both roles are one: a table row names the IPv6 address of the other end and the softwire to it. They differ in which
 * IPv4 address is looked up:
 *
 *                 from IPv4      from IPv6
 *     gateway     source         inner destination     in a served prefix
 *     AFTR        destination    inner source          in a binding
 *
 * The other address is looked up too: when it leads to a row, the packet would turn round (hairpin, loop), and the slow
 * path decides. Linux forwards what comes from and goes to the TUN and takes one from the TTL; the engine does so only
 * when it hairpins.
 */

import type { Room, WasmMemory } from './arena.ts';
import type { Batch } from './batch.ts';
import { Counters } from './counters.ts';
import { Encapsulation } from './encapsulation.ts';
import { Events } from './events.ts';
import { FastPath } from './fast-path.ts';
import type { FragmentMemory } from './fragments.ts';
import { Fragments } from './fragments.ts';
import { GatewayIndex } from './gateway-index.ts';
import { GatewayRefusals } from './gateway-refusals.ts';
import { IcmpBudget } from './icmp-budget.ts';
import { Icmpv6Errors } from './icmpv6-errors.ts';
import { Identifications } from './identifications.ts';
import { JunkNotes } from './junk-notes.ts';
import { OwnAddresses } from './own-addresses.ts';
import { PathMtus } from './path-mtus.ts';
import { Replies } from './replies.ts';
import { RowCounters } from './row-counters.ts';
import type { RowStatisticsMemory } from './row-statistics.ts';
import { SettledRows } from './settled-rows.ts';
import { SlowBudget } from './slow-budget.ts';
import { SlowPath } from './slow-path.ts';
import { Softwires } from './softwires.ts';
import { SourceRefusals } from './source-refusals.ts';
import type { TableMemory } from './table.ts';
import { TableReader } from './table.ts';
import { TunnelErrors } from './tunnel-errors.ts';
import { ViolationLog } from './violation-log.ts';
import { Violations } from './violations.ts';

export type Role = 'gateway' | 'aftr';

/** What an engine reads and others write. */
export interface EngineMemory {
  readonly role: Role;
  /** In which table, softwires and own addresses lie, and the batches that the engine is given. */
  readonly memory: WasmMemory;
  /** Of the control thread. */
  readonly tracing: Room;
  readonly table: TableMemory;
  readonly softwires: Int32Array;
  readonly ownAddresses: Int32Array;
  readonly counters: Int32Array;
  /** Of each worker (slow-budget.ts). */
  readonly admissions: Int32Array;
  readonly events: SharedArrayBuffer;
  readonly workers: number;
  readonly icmpBudget: SharedArrayBuffer;
  readonly pathMtus: SharedArrayBuffer;
  readonly sourceRefusals: SharedArrayBuffer;
  readonly violations: SharedArrayBuffer;
  /** Random, the same for all workers of a role. */
  readonly seed: number;
  /** Random, IDENTIFICATION_KEY_LEN octets. */
  readonly identificationKey: Uint8Array;
  readonly fragments: FragmentMemory;
  /** At an AFTR. */
  readonly statistics: RowStatisticsMemory | undefined;
}

export class Engine {
  readonly #table: TableReader;
  readonly #softwires: Softwires;
  readonly #pathMtus: PathMtus;
  readonly #encapsulation: Encapsulation;
  readonly #slowPath: SlowPath;
  readonly #junk: JunkNotes;
  /** At an AFTR. */
  readonly #settledRows: SettledRows | undefined;
  readonly #slowBudget = new SlowBudget();
  readonly #own: OwnAddresses;
  /** For the worker: what goes between workers, and when time is over. */
  readonly fragments: Fragments;
  readonly #fastPath: FastPath;
  readonly #counters: Counters;
  readonly #worker: number;

  /** In worker number `worker`. */
  constructor(memory: EngineMemory, worker: number) {
    this.#table = new TableReader(memory.table);
    this.#softwires = new Softwires(memory.softwires);
    this.#counters = new Counters(memory.workers, memory.counters);
    this.#worker = worker;
    const { seed } = memory;
    this.#own = new OwnAddresses(memory.ownAddresses);
    this.#pathMtus = new PathMtus(this.#softwires, this.#table.rows, seed, memory.pathMtus);
    const identifications = new Identifications(memory.identificationKey, worker);
    this.#fastPath = new FastPath(memory, worker, {
      table: this.#table,
      softwires: this.#softwires,
      pathMtus: this.#pathMtus,
    });
    this.#encapsulation = new Encapsulation(this.#softwires, this.#fastPath, this.#pathMtus, identifications);
    const budget = new IcmpBudget(seed, memory.icmpBudget);
    const gateways = gatewaysOf(memory, this.#table);
    const errors = new Icmpv6Errors(this.#softwires, budget, gateways);
    this.fragments = new Fragments(memory.fragments, this.#softwires, errors, worker, gateways);
    const violations = new Violations(memory.statistics, this.#table.rows);
    const refusals = new GatewayRefusals({
      softwires: this.#softwires,
      errors,
      log: new ViolationLog(memory.workers, seed, memory.violations),
      violations,
      worker,
    });
    const replies = new Replies(memory.role, this.#table, this.#softwires, this.#encapsulation, budget, this.#own);
    const rowCounters = memory.statistics && new RowCounters(memory.statistics.counters);
    this.#settledRows = rowCounters && new SettledRows(rowCounters, this.#fastPath, this.#table.rows);
    this.#junk = new JunkNotes(this.#fastPath, budget, rowCounters);
    this.#slowPath = this.#newSlowPath(memory, worker, replies, errors, refusals, gateways);
  }

  #newSlowPath(
    memory: EngineMemory,
    worker: number,
    replies: Replies,
    errors: Icmpv6Errors,
    refusals: GatewayRefusals,
    gateways: GatewayIndex | undefined,
  ): SlowPath {
    const { role, seed } = memory;
    const [table, softwires, own] = [this.#table, this.#softwires, this.#own];
    const [encapsulation, pathMtus] = [this.#encapsulation, this.#pathMtus];
    const refused = new SourceRefusals(memory.sourceRefusals);
    const tunnelErrors = new TunnelErrors(role, table, softwires, replies, pathMtus, refused);
    const events = new Events(memory.workers, memory.events);
    const parts = { role, table, softwires, own, encapsulation, pathMtus, replies, errors, refusals, tunnelErrors };
    return new SlowPath({ ...parts, gateways, fragments: this.fragments, events, worker, seed });
  }

  /** Whether something that waits ends, though no packet comes. */
  isDue(nowMs: number): boolean {
    return this.fragments.isDue(nowMs) || this.#slowPath.isDue(nowMs);
  }

  /** Decides every packet of the batch: leaves its verdict and instance, and the outputs. */
  process(batch: Batch): void {
    this.#fastPath.enter(batch);
    batch.clearOutputs();
    this.#slowBudget.refill(batch.nowMs);
    this.fragments.expire(batch);
    this.#fastPath.lookUp(batch);
    for (let k = this.#forward(batch, 0); k < batch.count; k = this.#forward(batch, k + 1)) this.#decide(batch, k);
    this.#junk.settle(batch);
    this.#slowPath.decideLate(batch);
  }

  /** Counts how each packet of a batch ended, when its outputs are sent; then what it settled is forgotten. */
  count(batch: Batch): void {
    this.#fastPath.count(batch);
    this.#settledRows?.count(batch);
    this.#counters.settle(this.#worker, batch);
  }

  #forward(batch: Batch, from: number): number {
    return this.#fastPath.forward(batch, from, !this.#slowBudget.isPlenty);
  }

  #decide(batch: Batch, k: number): void {
    batch.complete(k);
    this.#junk.noteViolations(batch);
    this.#slowPath.decide(batch, k);
    this.#slowBudget.charge(batch.verdicts[k] ?? 0);
  }
}

/** The far ends of an AFTR's rows. */
function gatewaysOf({ statistics }: EngineMemory, { rows }: TableReader): GatewayIndex | undefined {
  return statistics && new GatewayIndex(statistics.gateways, rows, statistics.seed);
}
