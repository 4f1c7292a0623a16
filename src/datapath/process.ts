/**
 * The datapath process: waits for the store, builds the tables, starts the workers, sets the kernel up, answers
 * management, and follows the store until it is told to end.
 */

import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { AFTR_DEVICE, GATEWAY_DEVICE } from '../kernel/plan.ts';
import type { Log } from '../log.ts';
import { openLog } from '../log.ts';
import { loadHistory, StoreReader } from '../state/reader.ts';
import { tellSettled } from '../supervisor-pipe.ts';
import type { KernelPart, RunningWorkers } from './datapath.ts';
import { Datapath } from './datapath.ts';
import type { Role } from './engine.ts';
import { Follower } from './follower.ts';
import type { Forwarding, ForwardingMemory } from './forwarding.ts';
import { GarbageCare } from './garbage.ts';
import { IMAGE_FILE, KeptTable } from './kept-table.ts';
import type { LinkListeners } from './kernel-part.ts';
import { assertLittleEndian } from './memory.ts';
import { tellOffloads } from './offload/offload-log.ts';
import { putOtherThreadsBehind } from './other-threads.ts';
import { createPersistentTun } from './tun-device.ts';
import { PreparedWorkers } from './workers.ts';

export interface DatapathOptions {
  readonly stateDir: string;
  readonly runDir: string;
  /** TUN queues of each role, one worker thread each. */
  readonly queues: number;
  /** Whether those of all roles are opened with offloads. */
  readonly offloads: boolean;
  /** Open descriptors of /dev/net/tun, for a process that may not open it. */
  readonly tunDescriptors: readonly number[];
  /** Of the pipe to the supervisor. */
  readonly supervisorDescriptor?: number | undefined;
}

/** The TUN device of each role. */
export const TUN_NAMES: Readonly<Record<Role, string>> = { gateway: GATEWAY_DEVICE, aftr: AFTR_DEVICE };

const STORE_RETRY_MS = 200;
/** How soon a commit is seen that management did not tell of; also how long a snapshot of the store is held at most. */
const FOLLOW_MS = 1_000;
const EXIT_CRASH = 70;
const NOT_KEPT = 'the table cannot be kept for the next start, which may have to read the store';

/**
 * Runs until SIGTERM or SIGINT, then takes back what it set in the kernel. @throws Error with code and a sentence when
 * the environment lacks something
 */
export async function runDatapath(options: DatapathOptions): Promise<void> {
  assertLittleEndian();
  const log = openLog('datapath');
  const ending = new AbortController();
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, () => ending.abort());
  const settle = once(() => {
    putOtherThreadsBehind();
    tellSettled(options.supervisorDescriptor);
  });
  const store = await openStore(join(options.stateDir, 'store'), ending.signal, settle, log);
  if (!store) return;
  const starter = new WorkerStarter(options, log);
  const kept = new KeptTable(join(options.stateDir, IMAGE_FILE));
  const prepare = (role: Role, { memory }: Forwarding) => starter.prepare(role, memory);
  const follower = new Follower(store, options.queues, 'huge', prepare, kept);
  const datapath = new Datapath({
    follower,
    kernel: kernelPartLater({
      onAddresses: (broadcasts, hosts) => follower.setLinkAddresses(broadcasts, hosts),
      onEgress: (role, mtus) => follower.forwarding(role)?.setEgressMtus(mtus),
    }),
    startWorkers: (role, { memory }) => starter.start(role, memory),
    endProcess: (reason) => {
      log.error({ reason }, 'the datapath ends, to be started anew');
      process.exit(EXIT_CRASH);
    },
    log,
  });
  await datapath.follow();
  settle();
  // At once all the same: by the first commit the files may be those of another version.
  const [{ ControlServer }] = await Promise.all([import('./control-server.ts'), loadHistory()]);
  const server = await ControlServer.listen(options.runDir, datapath, log);
  log.info({ version: (await datapath.status()).version }, 'the datapath is ready');
  const garbage = new GarbageCare(() => globalThis.gc?.());
  let keeping = Promise.resolve();
  await followUntil(ending.signal, datapath, log, () => {
    garbage.look(follower.rowsRead);
    keeping = keeping.then(() => keepInCalm(follower, ending.signal, log));
  });
  await keeping;
  await server.close();
  await datapath.stop();
  await follower.summed;
  keepTable(follower, log);
  store.close();
  log.info('the datapath has stopped');
}

/** Loaded while an image of the table is read, or between slices of rows. */
function kernelPartLater(listeners: LinkListeners): KernelPart {
  const loaded = import('./kernel-part.ts').then(({ kernelPart }) => kernelPart(TUN_NAMES, listeners));
  // Told by whoever needs it.
  loaded.catch(() => undefined);
  return {
    check: async (configuration) => (await loaded).check(configuration),
    apply: async (configuration) => (await loaded).apply(configuration),
    diagnose: async (bound) => (await loaded).diagnose(bound),
    remove: async (roles) => (await loaded).remove(roles),
  };
}

/** Without it the next start takes longer, and that is all. */
function keepTable(follower: Follower, log: Log): void {
  try {
    follower.keep();
  } catch (error) {
    log.warn({ error: String(error) }, NOT_KEPT);
  }
}

async function keepInCalm(follower: Follower, ending: AbortSignal, log: Log): Promise<void> {
  try {
    if (await follower.keepInCalm(ending))
      log.info({ version: follower.version }, 'the table is kept for a start after a crash');
  } catch (error) {
    log.warn({ error: String(error) }, NOT_KEPT);
  }
}

/** Management creates the store, so `onWait` is told when it is waited for; undefined when the end comes first. */
async function openStore(
  dir: string,
  ending: AbortSignal,
  onWait: () => void,
  log: Log,
): Promise<StoreReader | undefined> {
  for (let told = false; !ending.aborted; ) {
    try {
      return StoreReader.open(dir);
    } catch (error) {
      if (!isStoreMissing(error)) throw error;
      if (!told) log.info({ dir }, 'waiting for the store');
      onWait();
      told = true;
      await sleep(STORE_RETRY_MS, undefined, { signal: ending }).catch(() => undefined);
    }
  }
  return undefined;
}

function once(work: () => void): () => void {
  let isDone = false;
  return () => {
    if (!isDone) work();
    isDone = true;
  };
}

function isStoreMissing(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'STORE_MISSING';
}

async function followUntil(ending: AbortSignal, datapath: Datapath, log: Log, tidy: () => void): Promise<void> {
  while (!ending.aborted) {
    await sleep(FOLLOW_MS, undefined, { signal: ending }).catch(() => undefined);
    if (ending.aborted) break;
    await datapath.follow().catch((error: Error) => crash(error, log));
    datapath.tellEvents(performance.now());
    tidy();
  }
}

class WorkerStarter {
  readonly #descriptors: number[];
  readonly #offloads: boolean;
  readonly #supervisorDescriptor: number | undefined;
  readonly #log: Log;
  readonly #prepared = new Map<Role, PreparedWorkers>();

  constructor({ tunDescriptors, offloads, supervisorDescriptor }: DatapathOptions, log: Log) {
    this.#descriptors = [...tunDescriptors];
    this.#offloads = offloads;
    this.#supervisorDescriptor = supervisorDescriptor;
    this.#log = log;
  }

  /** Has the threads of a role load what they need meanwhile. */
  prepare(role: Role, memory: ForwardingMemory): PreparedWorkers {
    const prepared = new PreparedWorkers({
      device: TUN_NAMES[role],
      memory,
      descriptors: this.#descriptors.splice(0, memory.workers),
      offloads: this.#offloads,
      supervisorDescriptor: this.#supervisorDescriptor,
      onCrash: (error) => crash(error, this.#log),
    });
    this.#prepared.set(role, prepared);
    return prepared;
  }

  async start(role: Role, memory: ForwardingMemory): Promise<RunningWorkers> {
    createPersistentTun(TUN_NAMES[role], this.#descriptors.shift());
    const prepared = this.#prepared.get(role) ?? this.prepare(role, memory);
    // A thread begins once: another try has others.
    this.#prepared.delete(role);
    const workers = await prepared.start();
    if (this.#offloads) tellOffloads(this.#log, TUN_NAMES[role], workers.offloadsUdp);
    return workers;
  }
}

/** Forwarding that is half there is worse than none: the supervisor starts the process anew. */
function crash(error: Error, log: Log): never {
  log.error({ error: error.stack }, 'the datapath ends because of its own mistake');
  process.exit(EXIT_CRASH);
}
