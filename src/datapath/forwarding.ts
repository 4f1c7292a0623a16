/**
 * What one role forwards by, as the control thread keeps it: table, tunnel addresses and counters in shared memory, and
 * the numbers that instances and tunnel addresses have there.
 *
 * An instance keeps its number as long as it is configured. A tunnel address that goes out of use is first disabled, so
 * that rows which still name it lead nowhere, and its number is given to another only after those rows are gone.
 */

import { randomBytes } from 'node:crypto';
import { formatIpv6 } from '../address.ts';
import type {
  AftrSoftwires,
  BindingCounters,
  InstanceCounters,
  InstanceLearned,
  TraceResult,
  TraceRow,
  WatchResult,
} from '../control.ts';
import { MAX_INSTANCES } from '../state/limits.ts';
import type { Pages, Room } from './arena.ts';
import { Arena } from './arena.ts';
import { BindingRows } from './binding-rows.ts';
import type { InstancePlan } from './configuration.ts';
import { CounterReader } from './counter-reader.ts';
import { Counters } from './counters.ts';
import type { EcnReading } from './ecn-log.ts';
import type { EngineMemory, Role } from './engine.ts';
import { Epochs } from './epochs.ts';
import { Events } from './events.ts';
import { allocateRings } from './fragment-ring.ts';
import { ICMPV4_ERRORS, ICMPV6_ERRORS, IcmpBudget } from './icmp-budget.ts';
import { IDENTIFICATION_KEY_LEN } from './identifications.ts';
import { KeptParts } from './kept-parts.ts';
import { refusalOf, smallestOfEach } from './learned-state.ts';
import { livePackets } from './live-packets.ts';
import type { Allocate } from './memory.ts';
import { swapWord } from './memory.ts';
import { Numbers } from './numbers.ts';
import { OwnAddresses } from './own-addresses.ts';
import { PACKET_MAX } from './packet-device.ts';
import { PathMtus } from './path-mtus.ts';
import { isShared } from './port-sets.ts';
import { STORE_OCTETS } from './reassembly.ts';
import { ReassemblyGauges } from './reassembly-gauges.ts';
import { reassemblyWarnings } from './reassembly-warnings.ts';
import type { RoleObservation } from './role-observation.ts';
import { observeRole } from './role-observation.ts';
import { rowAnswer } from './row-answer.ts';
import { RowStatistics } from './row-statistics.ts';
import { ServedPrefixes } from './served-prefixes.ts';
import { SharedAddresses } from './shared-addresses.ts';
import { allocateAdmissions } from './slow-budget.ts';
import { Softwires } from './softwires.ts';
import { SourceRefusals } from './source-refusals.ts';
import { Table } from './table.ts';
import { tracePacket } from './trace.ts';
import { TunnelAddresses } from './tunnel-addresses.ts';
import { ViolationLog } from './violation-log.ts';
import { poolsOf, wantedServedPrefixes, wantedSharedAddresses } from './wanted-rows.ts';
import { Watch } from './watch.ts';

/** What a worker needs, to hand over to its thread. */
export interface ForwardingMemory {
  readonly engine: EngineMemory;
  readonly epochs: SharedArrayBuffer;
  readonly watch: SharedArrayBuffer;
  readonly workers: number;
  /** Where each worker has its batch. */
  readonly rooms: readonly Room[];
}

/** Workers reach their batch boundary within this time, or the change is made row by row. */
const HOLD_MS = 50;
/** Rows of shared addresses and port sets that change in one moment; more of them would keep the workers for too long. */
const HELD_PORT_SETS = 1_000;
/** Batches of 64 packets, with as much again for a device with offloads, and what the engine makes itself. */
const WORKER_ROOM = 10 * 1024 * 1024;
/** A batch of one packet, and a copy of the tunnel addresses. */
const TRACE_ROOM = 1024 * 1024;

export class Forwarding {
  readonly role: Role;
  readonly memory: ForwardingMemory;
  /** For a batch that is used in this thread. */
  readonly allocate: Allocate;
  readonly table: Table;
  readonly rows: BindingRows;
  readonly keptParts: KeptParts;
  readonly #shared: SharedAddresses;
  readonly #served: ServedPrefixes;
  /** Of an AFTR. */
  readonly #statistics: RowStatistics | undefined;
  readonly #epochs: Epochs;
  readonly #softwires: Softwires;
  readonly #own: OwnAddresses;
  readonly #watch: Watch;
  readonly #counters: CounterReader;
  readonly #gauges = new ReassemblyGauges();
  readonly #icmpBudget: IcmpBudget;
  readonly #pathMtus: PathMtus;
  readonly #refusals = new SourceRefusals();
  readonly #violations: ViolationLog;
  readonly #instances: Numbers;
  readonly #tunnels: TunnelAddresses;
  /** Largest packet the IPv4 side takes, by instance; what is not known yet limits nothing. */
  #egressMtus: ReadonlyMap<string, number> = new Map();
  #plans: readonly InstancePlan[] = [];
  /** Broadcast addresses of the links of this device, and its addresses on them. */
  #broadcasts: readonly number[] = [];
  #hosts: readonly number[] = [];

  /** `seed` is random, and in no other process but in those that take the same image. */
  constructor(role: Role, workers: number, capacity: number, pages: Pages, seed = randomBytes(4).readInt32LE()) {
    this.role = role;
    const arena = new Arena(pages);
    const { allocate } = arena;
    this.allocate = allocate;
    this.#epochs = new Epochs(workers);
    this.#instances = new Numbers(0, MAX_INSTANCES - 1, this.#epochs);
    this.#tunnels = new TunnelAddresses(this.#epochs);
    this.table = new Table(capacity, this.#epochs, allocate);
    this.#shared = new SharedAddresses(this.table);
    this.rows = new BindingRows(this.table, this.#tunnels, this.#shared, (body) => this.hold(body));
    this.#served = new ServedPrefixes(this.table);
    this.#softwires = new Softwires(allocate);
    this.#own = new OwnAddresses(allocate);
    const counters = new Counters(workers, allocate);
    const events = new Events(workers);
    this.#watch = new Watch(workers);
    if (role === 'aftr') this.#statistics = new RowStatistics(this.table, this.#softwires, workers, seed, allocate);
    this.keptParts = new KeptParts(this.table, this.#shared, this.#statistics, () => this.#numbering());
    this.#icmpBudget = new IcmpBudget(seed);
    this.#violations = new ViolationLog(workers, seed);
    this.#pathMtus = new PathMtus(this.#softwires, this.table.rows, seed);
    this.#counters = new CounterReader(role, counters, events, this.#icmpBudget);
    this.memory = {
      engine: {
        role,
        memory: arena.memory,
        tracing: arena.room(TRACE_ROOM),
        table: this.table.memory,
        softwires: this.#softwires.words,
        ownAddresses: this.#own.words,
        counters: counters.words,
        admissions: allocateAdmissions(workers, allocate),
        events: events.memory,
        workers,
        icmpBudget: this.#icmpBudget.memory,
        pathMtus: this.#pathMtus.memory,
        sourceRefusals: this.#refusals.memory,
        violations: this.#violations.memory,
        seed,
        identificationKey: Uint8Array.from(randomBytes(IDENTIFICATION_KEY_LEN)),
        fragments: {
          gauges: this.#gauges.memory,
          rings: allocateRings(workers),
          hashKey: Int32Array.of(randomBytes(4).readInt32LE(), randomBytes(4).readInt32LE()),
          octets: STORE_OCTETS,
        },
        statistics: this.#statistics?.memory,
      },
      epochs: this.#epochs.memory,
      watch: this.#watch.memory,
      workers,
      rooms: Array.from({ length: workers }, () => arena.room(WORKER_ROOM)),
    };
  }

  readonly #answerOf = (row: number): TraceRow => rowAnswer(this.table, this.#shared, row);

  get plans(): readonly InstancePlan[] {
    return this.#plans;
  }

  get refused(): number {
    return this.rows.refused;
  }

  /** Bindings in the table. */
  get bindings(): number {
    return this.table.size - this.#shared.size;
  }

  /** Gateways of bindings and port sets from a place on; see `GatewayIndex.some`. */
  someGateways(from: number, count: number): { readonly gateways: Uint8Array[]; readonly next: number } {
    const { rows, next } = this.#statistics?.someGateways(from, count) ?? { rows: [], next: 0 };
    return { gateways: rows.map((row) => this.table.remoteAt(row)), next };
  }

  /** Far end of the binding that holds an address; none of a shared one. */
  remoteOf(ipv4: number): Uint8Array | undefined {
    const row = this.table.lookup(ipv4);
    return row === 0 || isShared(this.table, row) ? undefined : this.table.remoteAt(row);
  }

  /** Runs `body` with no packet being decided. */
  hold(body: () => void): void {
    this.#epochs.hold(HOLD_MS, body);
  }

  /** What the links of the IPv4 side take, by instance. */
  setEgressMtus(mtus: ReadonlyMap<string, number>): void {
    const isSame = mtus.size === this.#egressMtus.size && [...mtus].every(([k, v]) => this.#egressMtus.get(k) === v);
    if (isSame) return;
    this.#egressMtus = mtus;
    this.setInstances(this.#plans);
  }

  /** Makes the tunnel addresses and pools those of `plans`, all in one moment. Rows follow by `synchronize`. */
  setInstances(plans: readonly InstancePlan[]): void {
    const assigned = plans.map((plan) => ({ plan, instance: this.#instanceOf(plan.name) }));
    const forwarding = assigned.filter(({ plan }) => plan.forwards);
    const counted = assigned.filter(({ plan }) => plan.countsBindings).map(({ instance }) => instance);
    this.#statistics?.setCounting(counted, (body) => this.hold(body));
    const inUse = forwarding.map(({ plan }) => plan);
    this.hold(() => {
      for (const softwire of this.#tunnels.unwanted(inUse)) this.#softwires.set(softwire, undefined);
      for (const { plan, instance } of forwarding) {
        this.#icmpBudget.setLimits(instance, ICMPV4_ERRORS, plan.icmpv4Rate, plan.icmpv4Burst);
        this.#icmpBudget.setLimits(instance, ICMPV6_ERRORS, plan.icmpv6Rate, plan.icmpv6Burst);
        this.#setSoftwires(plan, instance);
      }
      this.#softwires.index();
      this.#pathMtus.refresh(performance.now());
      this.#softwires.setPools(inUse.flatMap((plan) => poolsOf(plan, this.#tunnels)));
      this.#plans = plans;
      this.#writeOwn();
    });
    this.#tunnels.use(inUse);
  }

  /**
   * Makes the broadcast addresses of this device's links those given, and its own addresses on them: what comes from or goes
   * to the former is no host's, and what comes from one of the latter did not come through a tunnel.
   */
  setLinkAddresses(broadcasts: readonly number[], hosts: readonly number[]): void {
    if (broadcasts.join() === this.#broadcasts.join() && hosts.join() === this.#hosts.join()) return;
    this.#broadcasts = broadcasts;
    this.#hosts = hosts;
    this.hold(() => this.#writeOwn());
  }

  #writeOwn(): void {
    const addresses = this.#plans.filter(({ forwards }) => forwards).map(({ ipv4Address }) => ipv4Address);
    this.#own.set(
      addresses.filter((address) => address !== 0),
      this.#broadcasts,
      this.#hosts,
    );
  }

  /** Gives back the numbers of what is not configured any more; its rows are gone. */
  releaseNumbers(): void {
    this.#instances.keepOnly(new Set(this.#plans.map(({ name }) => name)));
    this.#tunnels.keepOnly(this.#plans.filter(({ forwards }) => forwards));
  }

  /**
   * Adds and changes shared addresses, up to HELD_PORT_SETS rows in one moment, more one by one; returns what takes away those
   * that are no longer wanted, to be called when the bindings that may take their places are there.
   */
  putSharedAddresses(): () => void {
    const wanted = new Map(
      [...wantedSharedAddresses(this.#plans, this.#tunnels)].map((shared) => [shared.address, shared]),
    );
    if (wanted.size === 0 && this.#shared.size === 0) return () => undefined;
    let changes = 0;
    for (const shared of wanted.values()) changes += this.#shared.changesOf(shared);
    const putAll = () => {
      for (const shared of wanted.values()) if (!this.#shared.put(shared)) this.rows.refused++;
    };
    if (changes > HELD_PORT_SETS) putAll();
    else if (changes > 0) this.hold(putAll);
    return () => {
      for (const address of [...this.#shared.addresses()]) if (!wanted.has(address)) this.#shared.remove(address);
    };
  }

  /** Makes the rows of a gateway role those of all served prefixes, as `synchronize`. */
  async synchronizeServedPrefixes(pause: () => Promise<void>): Promise<void> {
    this.rows.refused = await this.#served.synchronize(wantedServedPrefixes(this.#plans, this.#tunnels), pause);
  }

  /** Sentences about reassembly that is near its limits. */
  reassemblyWarnings(): string[] {
    return reassemblyWarnings(this.role, this.#plans, (name) => this.#instanceOf(name), this.#gauges);
  }

  /** The counters of every configured instance. */
  counters(): InstanceCounters[] {
    return this.#plans.map(({ name }) => this.#counters.read(name, this.#instanceOf(name)));
  }

  /** Counts an instance from zero again; false when there is none of this name. */
  clearStatistics(name: string): boolean {
    if (!this.#plans.some((plan) => plan.name === name)) return false;
    const instance = this.#instanceOf(name);
    this.#counters.begin(instance);
    this.#refusals.clear(instance);
    this.#statistics?.clear(instance, (body) => this.hold(body));
    return true;
  }

  /** Statistics of the binding of exactly this prefix; undefined when the AFTR has none. */
  bindingCounters(name: string, address: number, length: number): BindingCounters | undefined {
    const instance = this.#instances.numberOf(name);
    return instance === undefined ? undefined : this.#statistics?.binding(instance, address, length);
  }

  /** Gateways of each AFTR, those of the addresses or all; see `RowStatistics.softwires`. */
  aftrSoftwires(gateways?: readonly string[]): AftrSoftwires[] {
    return this.#plans.map(({ name }) => {
      const softwires = this.#statistics?.softwires(this.#instanceOf(name), gateways) ?? [];
      return { name, softwires };
    });
  }

  /** What would become of a packet; nothing is sent or counted. */
  trace(packet: Uint8Array): TraceResult {
    return tracePacket(this.memory.engine, packet, (instance) => this.#nameOf(instance), this.#answerOf);
  }

  /** What alarms are made of: to be called by one reader, which gets each violation once. */
  observe(): RoleObservation {
    const instances = this.#plans.map((plan) => ({ plan, instance: this.#instanceOf(plan.name) }));
    return observeRole(this.role, instances, this.#gauges, this.#violations, {
      violations: (instance) => this.#counters.violations(instance),
      refusals: (instance) => this.#refusals.read(instance),
    });
  }

  /** Has workers keep packets of this address (unsigned) from now on; 0 ends it. */
  setWatched(address: number): void {
    this.#watch.set(swapWord(address));
  }

  /** Packets that workers have kept since the last call, and how many they could not. */
  takeWatched(): WatchResult {
    return livePackets(this.role, this.#watch.take(), (instance) => this.#nameOf(instance), this.#answerOf);
  }

  #numbering(): unknown {
    return this.#plans.map(({ name }) => [
      name,
      this.#instanceOf(name),
      this.#tunnels.of(name).map(({ local, softwire }) => [formatIpv6(local), softwire]),
    ]);
  }

  #nameOf(instance: number): string | undefined {
    return this.#plans.find(({ name }) => this.#instances.numberOf(name) === instance)?.name;
  }

  /** Dangerous ECN combinations of every configured instance. */
  ecnReadings(): EcnReading[] {
    return this.#plans.map(({ name, logsEcnAnomalies }) => ({
      role: this.role,
      name,
      ...this.#counters.ecnAnomalies(this.#instanceOf(name)),
      isWanted: logsEcnAnomalies,
    }));
  }

  /** Forgets what was learned of far ends long ago; `nowMs` is the clock of the batches. */
  age(nowMs: number): void {
    this.#pathMtus.age(nowMs);
  }

  /** What the instances learned from the network. */
  learned(nowMs: number): InstanceLearned[] {
    const mtus = this.#pathMtus.learned(nowMs);
    return this.#plans.map(({ name }) => {
      const own = new Set(this.#tunnels.of(name).map(({ softwire }) => softwire));
      const refusals = this.#refusals.read(this.#instanceOf(name));
      return {
        role: this.role,
        name,
        pathMtus: smallestOfEach(mtus.filter(({ softwire }) => own.has(softwire))),
        ...(refusals && { sourceRefusal: refusalOf(refusals, nowMs) }),
      };
    });
  }

  #instanceOf(name: string): number {
    const known = this.#instances.numberOf(name);
    if (known !== undefined) return known;
    const number = this.#instances.assign(name);
    this.#icmpBudget.begin(number);
    this.#counters.start(number);
    this.#refusals.begin(number);
    return number;
  }

  #setSoftwires(plan: InstancePlan, instance: number): void {
    const { flags, hopLimit, pipeDscp, payloadMtu, ipv4Address, encapsulationLimit, mssClamp, reassembly, remote } =
      plan;
    const egressMtu = Math.min(PACKET_MAX, this.#egressMtus.get(plan.name) ?? PACKET_MAX);
    const sizes = { payloadMtu, mssClamp, egressMtu };
    for (const { local, softwire: number } of this.#tunnels.ofPlan(plan)) {
      const modes = { flags, hopLimit, pipeDscp, encapsulationLimit };
      const softwire = { instance, local, ipv4Address, reassembly, ...modes, ...sizes };
      this.#pathMtus.configure(number, payloadMtu, plan.pathMtuLifetimeMs);
      this.#softwires.set(number, remote ? { ...softwire, remote } : softwire);
    }
  }
}
