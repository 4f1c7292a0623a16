/**
 * Management's end of the control channel. It takes part in each commit: prepare asks the datapath about a changed
 * small tree, apply tells it that a version is durable and waits at most two seconds for it to follow. A datapath that is
 * down is not asked, and follows the store when it comes back; one that is there and cannot answer refuses.
 *
 * One that has not followed in time is behind; the commit is answered all the same, since it is durable. As long as it answers other
 * questions it is at work, and has some seconds more: ending it would end what it forwards. One that answers nothing, or has not followed
 * then, is told to end, killed when it does not, and started anew by the supervisor.
 */

import { connect, type Socket } from 'node:net';
import { join } from 'node:path';
import type {
  AftrSoftwires,
  ControlRequest,
  DatapathObservation,
  DatapathStatus,
  InstanceCounters,
  InstanceLearned,
  Refusal,
  TraceResult,
  WatchResult,
} from '../control.ts';
import { CONTROL_SOCKET, readLines, sendLine } from '../control.ts';
import type { Log } from '../log.ts';
import { ManagementError } from '../state/errors.ts';
import { treeToJson } from '../state/json.ts';
import { weightOf } from '../state/records.ts';
import type { Change, Participant } from '../state/request.ts';

const RECONNECT_MS = 200;
const PREPARE_MS = 5_000;
const APPLY_MS = 2_000;
/**
 * Longer for what takes longer: a row that changed takes it some 20 microseconds, one of a table that is read anew some 5, while the machine
 * does nothing else. On a busy one it is several times that, and it must not be ended for being slow.
 */
const APPLY_MS_PER_CHANGED_ROW = 0.1;
const APPLY_MS_PER_STORED_ROW = 0.02;
const READ_MS = 1_000;
/** How much longer one has that is behind and answers, and how soon it has to. */
const AT_WORK_MS = 10_000;
const SIGN_OF_LIFE_MS = 2_000;
/** Between two questions to it. */
const LOOK_MS = 500;
/** From being told to end until it is killed. */
const END_MS = 2_000;

interface Waiting {
  readonly resolve: (result: unknown) => void;
  readonly reject: (error: Error) => void;
  readonly timer: NodeJS.Timeout;
}

/** A version that was not in force in time. */
export interface Behind {
  readonly version: number;
  readonly since: Date;
}

interface Applied {
  readonly version: number;
}

const PENDING = Symbol('no answer yet');

/** The datapath did not answer: it is down, or slower than the deadline. */
class NoAnswer extends Error {}

export class DatapathClient implements Participant {
  readonly #path: string;
  readonly #log: Log;
  readonly #waiting = new Map<number, Waiting>();
  #socket: Socket | undefined;
  #nextId = 1;
  #closed = false;
  #timer: NodeJS.Timeout | undefined;
  #behind: Behind | undefined;
  /** What it last followed to when it was told of a version, since it is connected. */
  #reached = 0;
  readonly #listeners: (() => void)[] = [];
  /** Of the process at the other end: while the connection is there, nobody else has its number. */
  #pid: number | undefined;

  constructor(runDir: string, log: Log) {
    this.#path = join(runDir, CONTROL_SOCKET);
    this.#log = log;
    this.#connect();
  }

  /** What the datapath says of itself; undefined when it does not answer. */
  async status(): Promise<DatapathStatus | undefined> {
    const status = await this.#ask<DatapathStatus>({ op: 'status' }, READ_MS);
    if (status) this.#applied(status.version);
    return status;
  }

  /** The version that the datapath did not follow to in time, until it has; undefined when all is well. */
  get behind(): Behind | undefined {
    return this.#behind;
  }

  /** Whether there is a connection; it says nothing of answers. */
  get isConnected(): boolean {
    return this.#socket !== undefined;
  }

  /** Told when the connection comes or goes and when `behind` changes. */
  onChange(listener: () => void): void {
    this.#listeners.push(listener);
  }

  #changed(): void {
    if (!this.#closed) for (const listener of this.#listeners) listener();
  }

  /** What workers saw since the last call, for alarms; undefined when the datapath does not answer. */
  observe(): Promise<DatapathObservation | undefined> {
    return this.#ask<DatapathObservation>({ op: 'observe' }, READ_MS);
  }

  /** The counters of all instances; undefined when the datapath does not answer. */
  counters(): Promise<readonly InstanceCounters[] | undefined> {
    return this.#ask<readonly InstanceCounters[]>({ op: 'counters' }, READ_MS);
  }

  /**
   * Statistics of bindings of an AFTR by their keys (see `prefixNumber`): BINDING_COUNTERS numbers for each, or NaN; undefined when
   * the datapath does not answer.
   */
  async bindingCounters(aftr: string, keys: readonly number[]): Promise<Float64Array | undefined> {
    const text = Buffer.from(Float64Array.from(keys).buffer).toString('base64');
    const found = await this.#ask<string>({ op: 'binding-counters', aftr, keys: text }, READ_MS);
    return found === undefined ? undefined : new Float64Array(Uint8Array.from(Buffer.from(found, 'base64')).buffer);
  }

  /** Gateways of each AFTR, those of the addresses or all; undefined when the datapath does not answer. */
  softwires(gateways?: readonly string[]): Promise<readonly AftrSoftwires[] | undefined> {
    return this.#ask<readonly AftrSoftwires[]>({ op: 'softwires', ...(gateways && { gateways }) }, READ_MS);
  }

  /** Counts an instance from zero again; whether there is one. @throws ManagementError when the datapath does not answer */
  clearStatistics(role: 'gateway' | 'aftr', name: string): Promise<boolean> {
    return this.#demand<boolean>({ op: 'clear-statistics', role, name });
  }

  /** What would become of a packet (hexadecimal); undefined without any instance. @throws ManagementError as above */
  async trace(packet: string): Promise<TraceResult | undefined> {
    return (await this.#demand<TraceResult | null>({ op: 'trace', packet })) ?? undefined;
  }

  /** Live packets of an IPv4 address since the last call for it. @throws ManagementError as above, or while another is watched */
  watch(address: number): Promise<WatchResult> {
    return this.#demand<WatchResult>({ op: 'watch', address });
  }

  /** What the instances learned from the network; undefined when the datapath does not answer. */
  learned(): Promise<readonly InstanceLearned[] | undefined> {
    return this.#ask<readonly InstanceLearned[]>({ op: 'learned' }, READ_MS);
  }

  async prepare(change: Change): Promise<(version: number) => Promise<void>> {
    if (change.treeChanged && !change.isReturn && this.#socket) {
      const refusals = await this.#check(treeToJson(change.after));
      const faults = refusals.map((refusal) => new ManagementError('operation-failed', refusal));
      const [first, ...others] = faults;
      if (first) throw new ManagementError(first.tag, first, others);
    }
    // It reads all rows anew, or takes over those that changed, which may be gone.
    const deadlineMs =
      APPLY_MS + APPLY_MS_PER_STORED_ROW * change.storedRows + APPLY_MS_PER_CHANGED_ROW * weightOf(change);
    return (version) => this.#apply(version, deadlineMs);
  }

  async #check(configuration: unknown): Promise<readonly Refusal[]> {
    try {
      return (await this.#request({ op: 'prepare', configuration }, PREPARE_MS)) as readonly Refusal[];
    } catch (error) {
      // It went down meanwhile: then it is as if it had been.
      if (!(error instanceof NoAnswer) || !this.#socket) return [];
      const message = `whether this host can take the configuration could not be found out (${error.message}): try again`;
      throw new ManagementError('resource-denied', { message });
    }
  }

  close(): void {
    this.#closed = true;
    clearTimeout(this.#timer);
    this.#socket?.destroy();
  }

  async #apply(version: number, deadlineMs: number): Promise<void> {
    // With the one before it, when both were one transaction.
    if (this.#socket && this.#reached >= version) return;
    const socket = this.#socket;
    const answer = this.#ask<Applied>({ op: 'apply', version }, deadlineMs + AT_WORK_MS);
    const applied = await within(deadlineMs, answer);
    if (!socket || (applied === undefined && socket !== this.#socket)) {
      this.#log.warn({ version }, 'the datapath is down, and follows when it is back');
      return;
    }
    if (applied === undefined || applied === PENDING) {
      this.#fallBehind(version);
      if (applied === PENDING) void this.#waitLonger(socket, version, answer);
      else this.#startAnew(socket, version);
    } else this.#follows(socket, version, applied);
  }

  #follows(socket: Socket, version: number, applied: Applied): void {
    if (socket === this.#socket) this.#reached = applied.version;
    this.#applied(applied.version);
    if (applied.version >= version) return;
    this.#fallBehind(version);
    const why = 'it could not put the version in force, see its log; it tries again';
    this.#log.warn({ version, applied: applied.version }, `datapath-behind: ${why}`);
  }

  #fallBehind(version: number): void {
    this.#behind ??= { version, since: new Date() };
    this.#changed();
  }

  /** For one that is behind: as long as it answers, until `answer` comes, which has a deadline. */
  async #waitLonger(socket: Socket, version: number, answer: Promise<Applied | undefined>): Promise<void> {
    this.#log.warn(
      { version },
      'datapath-behind: it has not answered in time; it is waited for while it answers at all',
    );
    let applied: Applied | undefined | typeof PENDING = PENDING;
    while (applied === PENDING) {
      const isAlive = (await this.#ask({ op: 'counters' }, SIGN_OF_LIFE_MS)) !== undefined;
      if (socket !== this.#socket) return;
      applied = await within(isAlive ? LOOK_MS : 0, answer);
      if (!isAlive && applied === PENDING) applied = undefined;
    }
    if (applied) this.#follows(socket, version, applied);
    else if (socket === this.#socket) this.#startAnew(socket, version);
  }

  #applied(version: number): void {
    if (!this.#behind || version < this.#behind.version) return;
    this.#log.info({ version, behind: this.#behind }, 'the datapath has caught up');
    this.#behind = undefined;
    this.#changed();
  }

  /** The supervisor starts what ends. */
  #startAnew(socket: Socket, version: number): void {
    this.#log.error({ version }, 'datapath-behind: it is started anew');
    sendLine(socket, { id: this.#nextId++, op: 'end' });
    setTimeout(() => {
      if (socket !== this.#socket || this.#pid === undefined) return;
      this.#log.error({ pid: this.#pid }, 'the datapath does not end, and is killed');
      try {
        process.kill(this.#pid, 'SIGKILL');
      } catch (error) {
        this.#log.error({ pid: this.#pid, error: String(error) }, 'the datapath could not be killed');
      }
    }, END_MS).unref();
  }

  /** For what has no meaning without an answer. */
  async #demand<Result>(request: Question): Promise<Result> {
    try {
      return (await this.#request(request, READ_MS)) as Result;
    } catch (error) {
      if (!(error instanceof NoAnswer)) throw error;
      throw new ManagementError('resource-denied', { message: error.message });
    }
  }

  async #ask<Result>(request: Question, deadlineMs: number): Promise<Result | undefined> {
    try {
      return (await this.#request(request, deadlineMs)) as Result;
    } catch (error) {
      if (error instanceof NoAnswer) return undefined;
      throw error;
    }
  }

  #request(request: Question, deadlineMs: number): Promise<unknown> {
    const socket = this.#socket;
    if (!socket) return Promise.reject(new NoAnswer('the datapath is not connected'));
    const id = this.#nextId++;
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.#waiting.delete(id);
        reject(new NoAnswer(`no answer to ${request.op} within ${deadlineMs} ms`));
      }, deadlineMs);
      this.#waiting.set(id, { resolve, reject, timer });
      sendLine(socket, { id, ...request } as ControlRequest);
    });
  }

  #connect(): void {
    const socket = connect(this.#path);
    socket.on('connect', () => {
      this.#socket = socket;
      this.#pid = undefined;
      this.#reached = 0;
      this.#changed();
      void this.status().then((status) => {
        if (this.#socket === socket) this.#pid = status?.pid;
      });
    });
    readLines(socket, (message) => this.#answer(message as { id: number; result?: unknown; error?: string }));
    socket.on('error', () => undefined);
    socket.on('close', () => {
      const wasConnected = this.#socket === socket;
      if (wasConnected) this.#socket = undefined;
      for (const waiting of this.#waiting.values()) {
        clearTimeout(waiting.timer);
        waiting.reject(new NoAnswer('the datapath closed the control channel'));
      }
      this.#waiting.clear();
      if (wasConnected) this.#changed();
      if (!this.#closed) this.#timer = setTimeout(() => this.#connect(), RECONNECT_MS);
    });
  }

  #answer(message: { readonly id: number; readonly result?: unknown; readonly error?: string }): void {
    const waiting = this.#waiting.get(message.id);
    if (!waiting) return;
    this.#waiting.delete(message.id);
    clearTimeout(waiting.timer);
    if (message.error === undefined) waiting.resolve(message.result);
    else waiting.reject(new NoAnswer(message.error));
  }
}

type Question = ControlRequest extends infer Request
  ? Request extends ControlRequest
    ? Omit<Request, 'id'>
    : never
  : never;

/** What a promise gives, or PENDING when it has given nothing after so many milliseconds. */
async function within<Result>(ms: number, promise: Promise<Result>): Promise<Result | typeof PENDING> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<typeof PENDING>((resolve) => {
    timer = setTimeout(() => resolve(PENDING), ms);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}
