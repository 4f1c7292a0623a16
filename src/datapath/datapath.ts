/**
 * The datapath as a whole, without its process: tables that follow the store, workers that forward by them, and the
 * kernel that leads packets to the workers. The order is always tables, workers, kernel: no packet meets an empty
 * table.
 */

import { formatIpv4, formatIpv6 } from '../address.ts';
import type {
  AftrSoftwires,
  DatapathObservation,
  DatapathStatus,
  InstanceCounters,
  InstanceLearned,
  InstanceState,
  Problem,
  Refusal,
  TraceResult,
  WatchResult,
} from '../control.ts';
import { BINDING_COUNTERS } from '../control.ts';
import type { Log } from '../log.ts';
import { readConfiguration } from '../state/configuration-reader.generated.ts';
import { BINDING_CAPACITY } from '../state/limits.ts';
import type { Softwire as Configuration } from '../state/model.generated.ts';
import type { ControlHandlers } from './control-server.ts';
import { EcnLog } from './ecn-log.ts';
import type { Role } from './engine.ts';
import type { Follower } from './follower.ts';
import { ROLES } from './follower.ts';
import type { Forwarding } from './forwarding.ts';
import { ledRole } from './led-role.ts';

/** A status waits no longer for its look at the kernel. */
const DIAGNOSIS_MS = 700;
/** What a look at the kernel found is told for so long, when no later one ends. */
const FOUND_MS = 60_000;
/** A live trace ends so long after it was last asked for. */
const WATCH_MS = 5_000;
/** Drops that say no more than that a packet is not for this role. */
const FOR_ANOTHER_ROLE: readonly string[] = ['no-instance', 'not-for-us', 'outside-served-prefix'];

/** The kernel's part: links, routes, rules. */
export interface KernelPart {
  /** Why this configuration cannot be applied here; empty when it can. Changes nothing. */
  check(configuration: Configuration): Promise<readonly Refusal[]>;
  /** Makes the kernel lead the traffic of this configuration to the TUN devices. */
  apply(configuration: Configuration): Promise<void>;
  /** What in the kernel keeps traffic from flowing. */
  diagnose(bound: BoundGateways): Promise<readonly Problem[]>;
  /** Takes back all that was set, and the devices of these roles. */
  remove(roles: readonly Role[]): Promise<void>;
}

/** The gateways that bindings lead to. */
export interface BoundGateways {
  /** About `count` from a place on, and the place after them; 0 is the first place, and what follows the last one. */
  some(from: number, count: number): { readonly gateways: readonly Uint8Array[]; readonly next: number };
  /** The one that an IPv4 address is bound to. */
  boundTo(ipv4: number): Uint8Array | undefined;
  /** Whether one of them is at an IPv6 address. */
  leadsTo(ipv6: Uint8Array): boolean;
}

/** Worker threads of a role that run. */
export interface RunningWorkers {
  stop(): Promise<void>;
}

export interface DatapathParts {
  readonly follower: Follower;
  readonly kernel: KernelPart;
  /** Starts the workers of a role, with its device there. */
  startWorkers(role: Role, forwarding: Forwarding): Promise<RunningWorkers>;
  /** Ends the process without a word to the kernel: what is set stays, and the next one goes on with it. */
  endProcess(reason: string): void;
  readonly log: Log;
}

export class Datapath implements ControlHandlers {
  readonly #parts: DatapathParts;
  readonly #workers = new Map<Role, RunningWorkers>();
  readonly #ecnLog: EcnLog;
  /** The address whose packets are traced; 0 for none. */
  #watched = 0;
  #watchEnd: NodeJS.Timeout | undefined;
  readonly #startedAt = new Date().toISOString();
  /** Why the newest configuration is not in force; empty when it is. */
  #fault = '';
  /** What the last look at the kernel found. */
  #found: { readonly problems: readonly Problem[]; readonly atMs: number } | undefined;
  /** The damage of the store that is in the log. */
  #toldDamage = '';
  /** The newest version that is in force as a whole. */
  #applied = 0;
  #following: Promise<void> = Promise.resolve();

  constructor(parts: DatapathParts) {
    this.#parts = parts;
    this.#ecnLog = new EcnLog(parts.log);
  }

  /**
   * Follows the store to its newest version, and tries again what could not be put in force. Calls wait for each other.
   */
  follow(): Promise<void> {
    const next = this.#following.then(() => this.#follow());
    this.#following = next.catch(() => undefined);
    return next;
  }

  async apply(version: number): Promise<{ readonly version: number }> {
    if (this.#parts.follower.version < version) await this.follow();
    // Its tables may be there, and the kernel not be so far yet.
    else await this.#following;
    return { version: this.#applied };
  }

  async prepare(data: unknown): Promise<readonly Refusal[]> {
    return this.#parts.kernel.check(readConfiguration(data));
  }

  async status(): Promise<DatapathStatus> {
    const { follower } = this.#parts;
    const { problems, isKnown } = await this.#diagnose();
    return {
      pid: process.pid,
      version: this.#applied,
      contentHash: follower.contentHash,
      bindings: follower.forwarding('aftr')?.bindings ?? 0,
      capacity: BINDING_CAPACITY,
      startedAt: this.#startedAt,
      problems: [...this.#problems(), ...problems.map(({ sentence }) => sentence)],
      ...(isKnown && { instances: this.#instances(problems) }),
    };
  }

  /**
   * A look at the kernel that takes too long or fails must not hide that packets are forwarded. Where there are very many routes
   * each takes too long: then the last one that ended is told.
   */
  async #diagnose(): Promise<{ problems: readonly Problem[]; isKnown: boolean }> {
    const late = new Promise<readonly Problem[]>((resolve) => {
      const sentence = 'looking at the kernel takes long: ask again';
      setTimeout(() => resolve([{ sentence }]), DIAGNOSIS_MS).unref();
    });
    const found = this.#parts.kernel
      .diagnose(this.#boundGateways())
      .then((problems) => {
        this.#found = { problems, atMs: performance.now() };
        return problems;
      })
      .catch((error: unknown) => [{ sentence: `the kernel could not be looked at: ${messageOf(error)}` }]);
    const problems = await Promise.race([found, late]);
    const last = this.#found;
    if (last?.problems === problems) return { problems, isKnown: true };
    const isKnown = last !== undefined && performance.now() - last.atMs < FOUND_MS;
    return { problems: isKnown ? [...problems, ...last.problems] : problems, isKnown };
  }

  #boundGateways(): BoundGateways {
    const aftr = () => this.#parts.follower.forwarding('aftr');
    const ledTo = (ipv6: Uint8Array) => aftr()?.aftrSoftwires([formatIpv6(ipv6)]) ?? [];
    return {
      some: (from, count) => aftr()?.someGateways(from, count) ?? { gateways: [], next: 0 },
      boundTo: (ipv4) => aftr()?.remoteOf(ipv4),
      leadsTo: (ipv6) => ledTo(ipv6).some(({ softwires }) => softwires.length > 0),
    };
  }

  /** Which instances forward, and why others do not. */
  #instances(problems: readonly Problem[]): InstanceState[] {
    return ROLES.flatMap((role) => {
      const workers = this.#workers.has(role) ? [] : [`the workers do not run: ${this.#fault}`];
      return (this.#parts.follower.forwarding(role)?.plans ?? []).map(({ name, forwards, waitsForAftr = false }) => {
        const own = problems.filter(
          ({ stops }) => stops && (stops.role ?? role) === role && (stops.name ?? name) === name,
        );
        const sentences = [...workers, ...own.map(({ sentence }) => sentence)];
        return {
          role,
          name,
          enabled: forwards || waitsForAftr,
          ...((forwards || waitsForAftr) && sentences.length > 0 && { problem: sentences.join('; ') }),
        };
      });
    });
  }

  counters(): readonly InstanceCounters[] {
    return ROLES.flatMap((role) => this.#parts.follower.forwarding(role)?.counters() ?? []);
  }

  bindingCounters(aftr: string, keys: Float64Array): Float64Array {
    const found = new Float64Array(keys.length * BINDING_COUNTERS).fill(Number.NaN);
    const forwarding = this.#parts.follower.forwarding('aftr');
    for (const [i, key] of keys.entries()) {
      const counters = forwarding?.bindingCounters(aftr, Math.floor(key / 64), key % 64);
      if (counters) found.set(Object.values(counters), i * BINDING_COUNTERS);
    }
    return found;
  }

  softwires(gateways?: readonly string[]): readonly AftrSoftwires[] {
    return this.#parts.follower.forwarding('aftr')?.aftrSoftwires(gateways) ?? [];
  }

  clearStatistics(role: Role, name: string): boolean {
    return this.#parts.follower.forwarding(role)?.clearStatistics(name) ?? false;
  }

  /** The role that the kernel leads a packet to answers; when that is none, the first that it concerns. */
  trace(packet: Uint8Array): TraceResult | undefined {
    const led = ledRole(packet, (role) => this.#parts.follower.forwarding(role)?.memory.engine);
    if (led) return this.#parts.follower.forwarding(led)?.trace(packet);
    // A role whose last instance is gone has no device.
    const present = ROLES.flatMap((role) => this.#parts.follower.forwarding(role) ?? []).filter(
      ({ plans }) => plans.length > 0,
    );
    const results = present.map((forwarding) => forwarding.trace(packet));
    return results.find(({ reason }) => reason === undefined || !FOR_ANOTHER_ROLE.includes(reason)) ?? results.at(-1);
  }

  /** @throws Error while another address is watched */
  watch(address: number): WatchResult {
    if (this.#watched !== 0 && this.#watched !== address) {
      throw new Error(`packets of ${formatIpv4(this.#watched)} are traced already: try again when that has ended`);
    }
    this.#setWatched(address);
    clearTimeout(this.#watchEnd);
    this.#watchEnd = setTimeout(() => this.#setWatched(0), WATCH_MS).unref();
    const found = ROLES.flatMap((role) => this.#parts.follower.forwarding(role)?.takeWatched() ?? []);
    return {
      packets: found.flatMap(({ packets }) => packets),
      missed: found.reduce((sum, { missed }) => sum + missed, 0),
    };
  }

  #setWatched(address: number): void {
    if (this.#watched !== address) {
      // What an earlier trace left is none of the new one.
      for (const role of ROLES) this.#parts.follower.forwarding(role)?.takeWatched();
    }
    this.#watched = address;
    for (const role of ROLES) this.#parts.follower.forwarding(role)?.setWatched(address);
  }

  /** Tells the log what workers met; to be called every second or so, at `nowMs` of a clock that never goes back. */
  tellEvents(nowMs: number): void {
    for (const role of ROLES) {
      const readings = this.#parts.follower.forwarding(role)?.ecnReadings() ?? [];
      this.#ecnLog.tell(readings, nowMs);
    }
  }

  observe(): DatapathObservation {
    const found = ROLES.map((role) => [role, this.#parts.follower.forwarding(role)?.observe()] as const);
    const memory = (role: Role) => found.find(([of]) => of === role)?.[1]?.reassemblyMemory ?? 0;
    return {
      instances: found.flatMap(([, seen]) => seen?.instances ?? []),
      reassemblyMemory: { gateway: memory('gateway'), aftr: memory('aftr') },
      violations: found.flatMap(([, seen]) => seen?.violations ?? []),
    };
  }

  learned(): readonly InstanceLearned[] {
    return ROLES.flatMap((role) => this.#parts.follower.forwarding(role)?.learned(performance.now()) ?? []);
  }

  end(): void {
    this.#parts.endProcess('management asks for a new start: a version was not in force in time');
  }

  /** Ends forwarding: first the workers, whose devices then drop what comes, and last what leads to them. */
  async stop(): Promise<void> {
    await this.#following;
    await Promise.all([...this.#workers.values()].map((workers) => workers.stop()));
    await this.#parts.kernel.remove([...this.#workers.keys()]);
  }

  async #follow(): Promise<void> {
    const { follower, log } = this.#parts;
    for (const role of ROLES) follower.forwarding(role)?.age(performance.now());
    const treeChanged = await follower.follow();
    const { version, damage } = follower;
    if (damage !== '' && damage !== this.#toldDamage) log.error({ version, damage }, 'the store is damaged');
    this.#toldDamage = damage;
    if (treeChanged || this.#fault !== '') {
      const before = this.#fault;
      this.#fault = await this.#putInForce().then(() => '', messageOf);
      if (this.#fault === '') log.info({ version: follower.version }, 'configuration applied');
      else if (this.#fault !== before) log.error({ error: this.#fault }, 'the configuration is not in force');
    }
    if (this.#fault === '') this.#applied = Math.max(follower.version, 0);
  }

  async #putInForce(): Promise<void> {
    for (const role of ROLES) await this.#ensureWorkers(role);
    await this.#parts.kernel.apply(this.#parts.follower.configuration);
  }

  async #ensureWorkers(role: Role): Promise<void> {
    const forwarding = this.#parts.follower.forwarding(role);
    if (!forwarding || this.#workers.has(role)) return;
    this.#workers.set(role, await this.#parts.startWorkers(role, forwarding));
  }

  #problems(): string[] {
    const refused = this.#parts.follower.forwarding('aftr')?.refused ?? 0;
    const { damage } = this.#parts.follower;
    const problems: string[] = [];
    if (damage !== '') {
      const advice = 'stop the program, then restore a backup with `gi4over6 restore`';
      problems.push(`the store is damaged (${damage}), and changes may not be forwarded by: ${advice}`);
    }
    if (refused > 0) {
      problems.push(
        `${refused} bindings do not fit the table of ${BINDING_CAPACITY}: remove bindings or use another AFTR`,
      );
    }
    for (const role of ROLES) problems.push(...(this.#parts.follower.forwarding(role)?.reassemblyWarnings() ?? []));
    if (this.#fault !== '') problems.push(`the newest configuration is not in force: ${this.#fault}`);
    return problems;
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
