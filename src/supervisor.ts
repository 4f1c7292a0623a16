/**
 * The supervisor, `gi4over6 run`: starts management and datapath and keeps them running.
 *
 * 1. As root: checks the environment, makes both directories, claims them and the network, prepares the first start.
 * 2. Ends children that an earlier supervisor left behind; they hold the store and the ports.
 * 3. Has the store verified, by a child, when it was not closed well, whenever management did not end well, and when the datapath
 *    ended as one does that met damage. What is wrong, and the newest good backup, is one line.
 * 4. Starts both as the unprivileged user, management when the datapath has its tables. They know nothing of each other's process, so
 *    each survives the other.
 * 5. A child that ends is started again, later each time. One that finds its environment wrong at the first start ends all.
 * 6. SIGTERM or SIGINT: both are asked to end, and after a while made to. So they are when management ends for system-restart or
 *    system-shutdown; after the first both are started again.
 */

import type { ChildProcess } from 'node:child_process';
import { closeSync, mkdirSync, statSync } from 'node:fs';
import type { Server } from 'node:net';
import { createServer } from 'node:net';
import { dirname, join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { adviceFor, childrenOf, claim, identityOf, withAdvice } from './claim.ts';
import { isClosedAsNoted } from './closed-note.ts';
import { EXIT_CONFIGURATION, EXIT_RESTART, EXIT_SHUTDOWN } from './exit-codes.ts';
import { ownDirectory, prepareFirstStart, tracesOfStore } from './first-start.ts';
import type { Answer, ChildRole, ServiceUser } from './launch.ts';
import { environmentFault, Launcher, lookUpUser, openTun } from './launch.ts';
import type { Log } from './log.ts';
import { openLog } from './log.ts';
import { NETCONF_SETTINGS, type NetconfLimits } from './netconf-limits.ts';
import { RESTCONF_SETTINGS, type RestconfLimits } from './restconf-limits.ts';

export interface RunOptions {
  readonly stateDir: string;
  readonly runDir: string;
  readonly dhcpv6Dir: string;
  readonly logDir?: string;
  readonly user: string;
  readonly netconfPort: number;
  readonly netconfTlsPort: number;
  readonly restconfPort: number;
  readonly listen: readonly string[];
  readonly startup: boolean;
  readonly writableRunning: boolean;
  readonly queues: number;
  /** Whether TUN devices are opened with offloads. */
  readonly offloads: boolean;
  /** Of the files that file: URLs name. */
  readonly urlDir?: string | undefined;
  /** Limits of the NETCONF face that are set. */
  readonly netconfLimit: Partial<NetconfLimits>;
  /** The same of the RESTCONF face. */
  readonly restconfLimit: Partial<RestconfLimits>;
  /** What the children run instead of this program. */
  readonly program?: string;
  /** How long management waits for the datapath to settle. */
  readonly mostHeldMs?: number;
}

/** Forwarding does not wait for management, which waits for it at most so long. */
const MOST_HELD_MS = 5_000;
const ROLES: readonly ChildRole[] = ['datapath', 'management'];
/** How a child ends that met damage of the store: it says so, or LMDB takes it along. */
const ENDS_OF_DAMAGE: readonly (number | string)[] = [EXIT_CONFIGURATION, 'SIGSEGV', 'SIGBUS', 'SIGABRT'];
const FIRST_DELAY_MS = 100;
const LONGEST_DELAY_MS = 5_000;
/** A child that has been up for this long starts afresh with the shortest delay. */
const STEADY_MS = 10_000;
const STOP_MS = 10_000;
const POLL_MS = 50;

/**
 * Runs until SIGTERM or SIGINT; returns the exit code: 0, or 78 when a child found its environment wrong and said so.
 * @throws Error with code and a sentence when the environment lacks something
 */
export async function run(options: RunOptions): Promise<number> {
  if (process.geteuid?.() !== 0) {
    throw environmentFault('NOT_ROOT', 'gi4over6 run must be started as root; it gives up the rights it does not need');
  }
  process.umask(0o022);
  const log = openLog('supervisor');
  const [stateDir, runDir] = [resolve(options.stateDir), resolve(options.runDir)];
  const urlDir = options.urlDir === undefined ? undefined : resolve(options.urlDir);
  const user = lookUpUser(options.user);
  closeSync(openTun());
  for (const dir of urlDir === undefined ? [stateDir, runDir] : [stateDir, runDir, urlDir]) {
    withAdvice(dir, () => ownDirectory(dir, user));
    assertReachable(dir, user);
  }
  const logDir = options.logDir === undefined ? undefined : resolve(options.logDir);
  if (logDir !== undefined) mkdirSync(logDir, { recursive: true });
  const release = claim([runDir, stateDir]);
  let network: Server | undefined;
  try {
    network = await claimNetwork();
    await endOrphans(stateDir, user, log);
    const launcher = new Launcher(
      {
        program: resolve(options.program ?? join(import.meta.dirname, 'main.js')),
        runDir,
        logDir,
        words: commandLine({ ...options, urlDir }, stateDir, runDir),
        queues: options.queues,
        home: stateDir,
      },
      user,
    );
    await requireGoodStore(launcher, stateDir);
    tellTraces(stateDir, log);
    const isFirst = await prepareFirstStart({ stateDir, uid: user.uid, gid: user.gid }).catch((error: unknown) => {
      throw adviceFor(stateDir, error);
    });
    if (isFirst) {
      log.info({ user: 'admin', passwordFile: join(stateDir, 'initial-password') }, 'the first user is made');
    }
    for (;;) {
      const code = await supervise(launcher, stateDir, log, options.mostHeldMs ?? MOST_HELD_MS);
      if (code === EXIT_SHUTDOWN) return 0;
      if (code !== EXIT_RESTART) return code;
      log.info('starting again, as a client asked');
      await requireGoodStore(launcher, stateDir);
    }
  } finally {
    network?.close();
    release();
  }
}

/** Of a store that was closed well nothing is to be read. @throws Error with code STORE_DAMAGED, whose message names the newest good backup, or NO_CHILDREN */
async function requireGoodStore(launcher: Launcher, stateDir: string): Promise<void> {
  if (isClosedAsNoted(stateDir)) return;
  const { code, text } = await launcher.ask(verifyWords(stateDir));
  if (code === 0) return;
  const hindrance = launcher.hindrance();
  throw hindrance ? environmentFault('NO_CHILDREN', hindrance) : environmentFault('STORE_DAMAGED', text);
}

/** A new store beside what an earlier one has left is made all the same: its owner may have wanted that, or lost the store. */
function tellTraces(stateDir: string, log: Log): void {
  const names = tracesOfStore(stateDir);
  if (names.length === 0) return;
  const sentence =
    `there is no store in ${stateDir}, though there was one (${names.join(', ')}): it begins at version 1 without ` +
    'configuration; if that is not wanted, stop the program and take a backup with `gi4over6 restore`';
  log.warn({ found: names }, sentence);
  process.stderr.write(`gi4over6: ${sentence}\n`);
}

function commandLine(options: RunOptions, stateDir: string, runDir: string): string[] {
  const { netconfPort, netconfTlsPort, restconfPort, listen, startup, writableRunning, queues, offloads, urlDir } =
    options;
  return [
    ...['--state-dir', stateDir, '--run-dir', runDir, '--dhcpv6-dir', resolve(options.dhcpv6Dir)],
    ...['--netconf-port', `${netconfPort}`, '--netconf-tls-port', `${netconfTlsPort}`],
    ...['--restconf-port', `${restconfPort}`],
    ...['--listen', ...listen],
    ...(startup ? ['--startup'] : []),
    ...(writableRunning ? [] : ['--no-writable-running']),
    ...['--queues', `${queues}`],
    ...(offloads ? ['--offloads'] : []),
    ...(urlDir === undefined ? [] : ['--url-dir', urlDir]),
    ...NETCONF_SETTINGS.words(options.netconfLimit),
    ...RESTCONF_SETTINGS.words(options.restconfLimit),
  ];
}

function verifyWords(stateDir: string): string[] {
  return ['verify-store', '--state-dir', stateDir, '--at-start'];
}

/** Runs both until the end, and returns why: an exit code of `run`, or EXIT_RESTART or EXIT_SHUTDOWN. */
async function supervise(launcher: Launcher, stateDir: string, log: Log, mostHeldMs: number): Promise<number> {
  const ending = new AbortController();
  const onSignal = (signal: NodeJS.Signals) => {
    log.info({ signal }, 'ending');
    ending.abort('SIGTERM');
  };
  const signals = ['SIGTERM', 'SIGINT', 'SIGHUP'] as const;
  for (const signal of signals) process.on(signal, onSignal);
  try {
    const codes = await Promise.all(
      ROLES.map(async (role) => {
        if (role === 'management') await settled(launcher, ending.signal, mostHeldMs);
        const verify = () => launcher.ask([...verifyWords(stateDir), '--always']);
        const code = await keepRunning(role, launcher, ending.signal, log, verify);
        // The datapath of a configuration that cannot be managed is not asked to end: it would take its blackholes away.
        ending.abort(code === EXIT_CONFIGURATION ? 'SIGKILL' : 'SIGTERM');
        return code;
      }),
    );
    return Math.max(...codes);
  } finally {
    for (const signal of signals) process.off(signal, onSignal);
  }
}

/** When the datapath has its tables: until then management would take cores from it. No longer than `mostHeldMs`. */
async function settled(launcher: Launcher, ending: AbortSignal, mostHeldMs: number): Promise<void> {
  const waiting = new AbortController();
  const either = AbortSignal.any([ending, waiting.signal]);
  const late = sleep(mostHeldMs, undefined, { signal: either }).catch(() => undefined);
  await Promise.race([launcher.datapathSettled, late]);
  waiting.abort();
}

/**
 * Starts a child again and again until the end; returns 78 when its environment is wrong from the beginning, EXIT_RESTART or
 * EXIT_SHUTDOWN when a client has asked for it. Management may have
 * ended because of damage of the store: then it is not started again, and forwarding goes on without it. The datapath is: what
 * is damaged may be none of what it reads.
 */
async function keepRunning(
  role: ChildRole,
  launcher: Launcher,
  ending: AbortSignal,
  log: Log,
  verify: () => Promise<Answer>,
): Promise<number> {
  let delayMs = FIRST_DELAY_MS;
  let isFirst = true;
  let isDamaged = false;
  while (!ending.aborted) {
    const startedAt = performance.now();
    const end = await runOnce(role, launcher, ending, log);
    const upMs = Math.round(performance.now() - startedAt);
    if (ending.aborted) return 0;
    if (end === EXIT_RESTART || end === EXIT_SHUTDOWN) return end;
    if (upMs >= STEADY_MS) delayMs = FIRST_DELAY_MS;
    const isSuspect = role === 'management' || ENDS_OF_DAMAGE.includes(end);
    if (isSuspect && !isDamaged) isDamaged = tellDamage(role, end, log, await verify());
    const hindrance = isFirst && end !== EXIT_CONFIGURATION ? launcher.hindrance() : undefined;
    if (isFirst && (end === EXIT_CONFIGURATION || hindrance !== undefined)) {
      if (!isDamaged) tellWhy(role, hindrance ?? launcher.lastWords(role), log);
      return EXIT_CONFIGURATION;
    }
    isFirst = false;
    if (isDamaged && role === 'management') {
      log.error({ role, end }, 'not started again: the store is damaged');
      await new Promise<void>((done) => {
        if (ending.aborted) done();
        ending.addEventListener('abort', () => done(), { once: true });
      });
      return EXIT_CONFIGURATION;
    }
    if (isDamaged) delayMs = LONGEST_DELAY_MS;
    log.warn({ role, end, upMs, delayMs }, 'a process has ended and is started again');
    await sleep(delayMs, undefined, { signal: ending }).catch(() => undefined);
    delayMs = Math.min(delayMs * 2, LONGEST_DELAY_MS);
  }
  return 0;
}

/** Why the start fails is on standard error also when the child's output goes to a file. */
function tellWhy(role: ChildRole, why: string | undefined, log: Log): void {
  if (why === undefined) return;
  log.error({ role, why }, 'a process cannot start: see to what it says');
  process.stderr.write(`gi4over6: ${why}\n`);
}

/** Whether the store is damaged; then the log and standard error have the line that says what to do. */
function tellDamage(role: ChildRole, end: number | string, log: Log, { code, text }: Answer): boolean {
  if (code === 0) return false;
  log.error({ role, end, verification: text }, 'a process has ended, and the store is damaged: see to it');
  process.stderr.write(`gi4over6: ${text}\n`);
  return true;
}

/** Exit code or signal of one life of a child; what kept it from starting is a text. */
async function runOnce(role: ChildRole, launcher: Launcher, ending: AbortSignal, log: Log): Promise<number | string> {
  let child: ChildProcess;
  try {
    child = launcher.start(role);
  } catch (error) {
    return `${error}`;
  }
  log.info({ role, pid: child.pid }, 'started');
  let killTimer: NodeJS.Timeout | undefined;
  const stop = () => {
    child.kill(role === 'datapath' && ending.reason === 'SIGKILL' ? 'SIGKILL' : 'SIGTERM');
    killTimer = setTimeout(() => {
      log.warn({ role }, 'killed: it did not end when asked to');
      child.kill('SIGKILL');
    }, STOP_MS);
  };
  ending.addEventListener('abort', stop, { once: true });
  try {
    return await new Promise((done) => {
      child.once('exit', (code, signal) => done(code ?? signal ?? 'ended'));
      child.once('error', (error) => done(`${error}`));
    });
  } finally {
    ending.removeEventListener('abort', stop);
    clearTimeout(killTimer);
  }
}

/** @throws Error with code UNREACHABLE when the user may not pass a directory on the way to `dir` */
function assertReachable(dir: string, { name, uid, gid }: ServiceUser): void {
  for (let parent = dirname(dir); ; parent = dirname(parent)) {
    const { mode, uid: owner, gid: group } = statSync(parent);
    const shift = owner === uid ? 6 : group === gid ? 3 : 0;
    if (((mode >> shift) & 1) === 0) {
      const advice = `run \`chmod o+x ${parent}\` or choose another directory`;
      throw environmentFault('UNREACHABLE', `user ${name} cannot reach ${dir}: it may not pass ${parent}; ${advice}`);
    }
    if (parent === dirname(parent)) return;
  }
}

/**
 * Devices, routes and rules belong to the network namespace, so one program may have it. The claim is a name that the kernel
 * keeps per namespace and gives free with the process. @throws Error with code ALREADY_RUNNING
 */
function claimNetwork(): Promise<Server> {
  const claimed = createServer();
  return new Promise((done, fail) => {
    claimed.once('error', () => {
      const advice = 'stop it, or start this one in a network namespace of its own (ip netns exec)';
      fail(environmentFault('ALREADY_RUNNING', `another gi4over6 runs in this network namespace: ${advice}`));
    });
    claimed.listen('\0gi4over6', () => {
      claimed.unref();
      done(claimed);
    });
  });
}

/**
 * Kills children of a supervisor that is no more. They are not asked first: an asked datapath takes back its routes, and
 * with them what keeps packets from leaving in clear. @throws Error with code ORPHAN
 */
async function endOrphans(stateDir: string, user: ServiceUser, log: Log): Promise<void> {
  const until = performance.now() + STOP_MS;
  for (let left = childrenOf(stateDir, user.uid); left.length > 0; left = childrenOf(stateDir, user.uid)) {
    if (performance.now() > until) {
      throw environmentFault('ORPHAN', `processes of an earlier start do not end: kill -9 ${left.join(' ')}`);
    }
    log.warn({ pids: left }, 'killing what an earlier supervisor left behind');
    for (const pid of left) if (identityOf(pid)) process.kill(pid, 'SIGKILL');
    await sleep(POLL_MS);
  }
}
