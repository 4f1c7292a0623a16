/**
 * How the supervisor starts a child: which user, which capabilities, which descriptors, and by which path.
 *
 *     unshare, mount     only when the user cannot read the program where it lies: its own view of the file system, with
 *                        the project at <run dir>/app and node at <run dir>/node
 *     setpriv            to the user, without its groups, with no capability but those the role needs, and no way to more
 *     node main.js       management or datapath
 */

import type { ChildProcess } from 'node:child_process';
import { spawn, spawnSync } from 'node:child_process';
import { closeSync, existsSync, fstatSync, mkdirSync, openSync, readSync } from 'node:fs';
import { Socket } from 'node:net';
import { constants, getPriority, setPriority } from 'node:os';
import { basename, dirname, join, relative } from 'node:path';
import { readSupervisorPipe } from './supervisor-pipe.ts';

export type ChildRole = 'management' | 'datapath';

export interface ServiceUser {
  readonly name: string;
  readonly uid: number;
  readonly gid: number;
}

export interface LaunchOptions {
  readonly program: string;
  readonly runDir: string;
  readonly logDir?: string | undefined;
  /** What follows the role on the command line. */
  readonly words: readonly string[];
  readonly queues: number;
  /** Added to the environment of both children. */
  readonly home: string;
}

/** The way to the program. */
interface Way {
  /** Of the command. */
  readonly prefix: readonly string[];
  readonly node: string;
  readonly program: string;
}

/** How a command of the program ended. */
export interface Answer {
  readonly code: number;
  readonly text: string;
}

/** Niceness that the datapath is before the supervisor and management. */
const DATAPATH_AHEAD = 5;
/**
 * The same of its workers. On one core with it, a worker keeps two thirds beside the thread that follows the store, and six sevenths beside management: more, and
 * where junk fills all cores, an edit takes longer than 100 ms; less, and at 80 % of what passes a queue runs over.
 */
const WORKERS_AHEAD = 8;
const TUN_FILE = '/dev/net/tun';
const ROLES_WITH_TUN = 2;
/** How often a role may open its device anew in one life of the datapath. */
const TUN_STARTS = 4;
const FIRST_TUN_DESCRIPTOR = 3;
/** `$1` is mounted at `$2` and `$3` at `$4`; the rest is the command. Mounts of the machine still arrive. */
const MOUNT_AND_RUN = 'mount --bind "$1" "$2" && mount --bind "$3" "$4" && shift 4 && exec "$@"';

const RIGHTS_ADVICE = 'the supervisor needs the rights of root, in a container those to change user and capabilities';

/** How a shell ends that does not find a command. */
const NOT_FOUND = 127;

/** Before the one line of a fault. */
const NAME = 'gi4over6: ';
const TAIL_OCTETS = 8_192;

function withoutName(line: string): string {
  return line.startsWith(NAME) ? line.slice(NAME.length) : line;
}

/** The end of a file; '' when it cannot be read. */
function tailOf(path: string): string {
  try {
    const descriptor = openSync(path, 'r');
    try {
      const tail = Buffer.alloc(TAIL_OCTETS);
      const from = Math.max(0, fstatSync(descriptor).size - TAIL_OCTETS);
      return tail.toString('utf8', 0, readSync(descriptor, tail, 0, TAIL_OCTETS, from));
    } finally {
      closeSync(descriptor);
    }
  } catch {
    return '';
  }
}

/** An error of the environment: the message says what to do. */
export function environmentFault(code: string, message: string, cause?: unknown): Error {
  return Object.assign(new Error(message, { cause }), { code });
}

/** @throws Error with code USER_MISSING, or USER_ROOT for a user that has all rights */
export function lookUpUser(name: string): ServiceUser {
  const found = spawnSync('getent', ['passwd', '--', name], { encoding: 'utf8' });
  const [, , uid, gid] = (found.stdout ?? '').split(':');
  if (found.status !== 0 || uid === undefined || gid === undefined) {
    const advice = `run tools/setup.sh or useradd --system ${name}`;
    throw environmentFault('USER_MISSING', `user ${name} does not exist: ${advice}`);
  }
  if (Number(uid) === 0) throw environmentFault('USER_ROOT', `user ${name} is root: name an unprivileged user`);
  return { name, uid: Number(uid), gid: Number(gid) };
}

/** @throws Error with code TUN_MISSING or TUN_ACCESS */
export function openTun(): number {
  try {
    return openSync(TUN_FILE, 'r+');
  } catch (cause) {
    const isMissing = cause instanceof Error && 'code' in cause && cause.code === 'ENOENT';
    if (isMissing) {
      const advice = 'run `modprobe tun`, or give the container the device (--device /dev/net/tun)';
      throw environmentFault('TUN_MISSING', `there is no ${TUN_FILE}: ${advice}`, cause);
    }
    const advice = 'load the module tun and let root, in a container its device rules, open the file';
    throw environmentFault(
      'TUN_ACCESS',
      `${TUN_FILE} cannot be opened (${(cause as Error).message}): ${advice}`,
      cause,
    );
  }
}

/**
 * V8 in the datapath collects garbage in small steps each time the heap has grown by a quarter, or 8 MiB, with 2 MiB for each half of what is young,
 * which it makes 16 in the course of many edits and gains nothing by. It has one thread for what it compiles and collects beside the others: when much new code is
 * compiled, four take a worker's core one after the other, each until a tick of 4 ms.
 */
const DATAPATH_V8_OPTIONS = ['--heap-growing-percent=25', '--max-semi-space-size=2', '--v8-pool-size=1'];

export class Launcher {
  /** Of the last datapath: resolves when its tables are there and it forwards, when it waits for management, or when it has ended. */
  datapathSettled: Promise<void> = Promise.resolve();
  readonly #options: LaunchOptions;
  readonly #user: ServiceUser;
  readonly #way: Way;

  /** @throws Error with code PROGRAM_UNREADABLE, or RIGHTS when this process cannot become another user */
  constructor(options: LaunchOptions, user: ServiceUser) {
    this.#options = options;
    this.#user = user;
    const { program } = options;
    const isReadable = mayRead(user, '/', [process.execPath, program, dirname(program)]);
    this.#way = isReadable ? { prefix: [], node: process.execPath, program } : this.#mountedWay();
  }

  /** Starts a child; the caller listens to `exit` and `error`. @throws Error of openTun, or of a log that cannot be opened */
  start(role: ChildRole): ChildProcess {
    const { logDir, words, home } = this.#options;
    const { prefix, node, program } = this.#way;
    const tuns: number[] = [];
    const log = logDir === undefined ? undefined : openSync(join(logDir, `${role}.log`), 'a', 0o640);
    try {
      if (role === 'datapath') for (let left = this.#tunCount(); left > 0; left--) tuns.push(openTun());
      const numbers = tuns.map((_, index) => FIRST_TUN_DESCRIPTOR + index).join(',');
      const [command = '', ...rest] = [
        ...prefix,
        ...this.#asUser(this.#capabilities(role)),
        node,
        // They give back what a bulk commit needed.
        '--expose-gc',
        ...(role === 'datapath' ? DATAPATH_V8_OPTIONS : []),
        program,
        role,
        ...words,
      ];
      const child = spawn(command, rest, {
        cwd: '/',
        env: {
          ...process.env,
          HOME: home,
          USER: this.#user.name,
          GI4OVER6_TUN_FDS: numbers,
          GI4OVER6_SUPERVISOR_FD: role === 'datapath' ? `${FIRST_TUN_DESCRIPTOR + tuns.length}` : '',
        },
        stdio: [
          'ignore',
          log ?? 'inherit',
          log ?? 'inherit',
          ...tuns,
          ...(role === 'datapath' ? ['pipe' as const] : []),
        ],
      });
      if (role === 'datapath') this.#listen(child, child.stdio.at(FIRST_TUN_DESCRIPTOR + tuns.length));
      return child;
    } finally {
      for (const descriptor of tuns) closeSync(descriptor);
      if (log !== undefined) closeSync(log);
    }
  }

  /** What a child that found its environment wrong said last, when it went to a file and not to standard error. */
  lastWords(role: ChildRole): string | undefined {
    const { logDir } = this.#options;
    if (logDir === undefined) return undefined;
    const lines = tailOf(join(logDir, `${role}.log`)).split('\n');
    const line = lines.findLast((text) => text.startsWith(NAME));
    return line && withoutName(line);
  }

  /** Runs a command of the program to its end, as the user and without capabilities. Of its output the last line counts. */
  ask(words: readonly string[]): Promise<Answer> {
    const { prefix, node, program } = this.#way;
    const [command = '', ...rest] = [...prefix, ...this.#asUser([]), node, program, ...words];
    const env = { ...process.env, HOME: this.#options.home, USER: this.#user.name };
    const child = spawn(command, rest, { cwd: '/', env, stdio: ['ignore', 'pipe', 'pipe'] });
    const pieces: string[] = [];
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding('utf8');
      stream.on('data', (text: string) => pieces.push(text));
    }
    return new Promise((done) => {
      child.once('error', (error) => done({ code: -1, text: `${words[0]} cannot be run (${String(error)})` }));
      child.once('close', (code, signal) => {
        const last = withoutName(pieces.join('').trim().split('\n').at(-1) ?? '');
        done({ code: code ?? -1, text: signal ? `${words[0]} was ended by ${signal}` : last });
      });
    });
  }

  /** Puts the datapath, and each worker that it tells of, before management, and hears when it has settled. */
  #listen(child: ChildProcess, pipe: unknown): void {
    const { pid } = child;
    this.datapathSettled = new Promise((onSettled) => {
      if (pid === undefined || !(pipe instanceof Socket)) return onSettled();
      putAhead(pid, DATAPATH_AHEAD);
      readSupervisorPipe(pipe, pid, { onSettled, onForwarding: (thread) => putAhead(thread, WORKERS_AHEAD) });
      child.once('exit', () => pipe.destroy());
    });
  }

  /** For each start of a role one to keep its device and one a queue. */
  #tunCount(): number {
    return (this.#options.queues + 1) * ROLES_WITH_TUN * TUN_STARTS;
  }

  #capabilities(role: ChildRole): readonly string[] {
    if (role === 'datapath') return ['net_admin'];
    // BGP has port 179, whatever ports the command line has.
    return ['net_bind_service'];
  }

  #asUser(capabilities: readonly string[]): string[] {
    const { uid, gid } = this.#user;
    const set = ['-all', ...capabilities.map((name) => `+${name}`)].join(',');
    return [
      'setpriv',
      `--reuid=${uid}`,
      `--regid=${gid}`,
      '--clear-groups',
      '--no-new-privs',
      `--inh-caps=${set}`,
      `--ambient-caps=${set}`,
      `--bounding-set=${set}`,
      '--',
    ];
  }

  /** What keeps children of this way from starting at all, in a sentence; undefined when nothing does. */
  hindrance(): string | undefined {
    const { prefix, node } = this.#way;
    const [command = '', ...rest] = [...prefix, ...this.#asUser(this.#capabilities('datapath')), node, '--version'];
    const { status, error, stderr } = spawnSync(command, rest, { cwd: '/', encoding: 'utf8' });
    if (status === 0) return undefined;
    if (error || status === NOT_FOUND) {
      return `no child can be run (${error?.message ?? stderr.trim()}): install the package util-linux`;
    }
    return `a child cannot become user ${this.#user.name} (${stderr.trim()}): ${RIGHTS_ADVICE}`;
  }

  #mountedWay(): Way {
    const { program, runDir } = this.#options;
    const project = projectOf(program);
    const inProject = ['.', relative(project, program), relative(project, dirname(program))];
    const isReadable =
      mayRead(this.#user, project, inProject) &&
      mayRead(this.#user, dirname(process.execPath), [basename(process.execPath)]);
    if (!isReadable) {
      const advice = `run \`chmod -R o+rX ${project}\`, or move it to a place like /opt`;
      throw environmentFault('PROGRAM_UNREADABLE', `user ${this.#user.name} cannot read ${project}: ${advice}`);
    }
    const [app, node] = [join(runDir, 'app'), join(runDir, 'node')];
    mkdirSync(app, { recursive: true, mode: 0o755 });
    if (!existsSync(node)) closeSync(openSync(node, 'wx', 0o755));
    const mount = ['sh', '-c', MOUNT_AND_RUN, 'sh', project, app, process.execPath, node];
    return {
      prefix: ['unshare', '--mount', '--propagation', 'slave', ...mount],
      node,
      program: join(app, relative(project, program)),
    };
  }
}

/**
 * Whether a user may open what lies in a directory, whoever may pass the directories above it. This process becomes the user for
 * that long, and stays in the root directory. @throws Error with code RIGHTS
 */
function mayRead({ name, uid, gid }: ServiceUser, dir: string, paths: readonly string[]): boolean {
  const groups = process.getgroups?.() ?? [];
  try {
    process.chdir(dir);
    process.setgroups?.([]);
    process.setegid?.(gid);
    process.seteuid?.(uid);
  } catch (error) {
    throw environmentFault('RIGHTS', `the supervisor cannot become user ${name} (${error}): ${RIGHTS_ADVICE}`, error);
  }
  try {
    for (const path of paths) closeSync(openSync(path, 'r'));
    return true;
  } catch {
    return false;
  } finally {
    process.seteuid?.(0);
    process.setegid?.(0);
    process.setgroups?.(groups);
    process.chdir('/');
  }
}

/** Where a core is short, packets do not wait for management. Without CAP_SYS_NICE a process or thread is an equal. */
function putAhead(id: number, steps: number): void {
  try {
    setPriority(id, Math.max(constants.priority.PRIORITY_HIGHEST, getPriority() - steps));
  } catch {
    // The right is missing, or it has ended.
  }
}

/** The folder with the package.json that the program belongs to. */
function projectOf(program: string): string {
  for (let dir = dirname(program); dir !== dirname(dir); dir = dirname(dir)) {
    if (existsSync(join(dir, 'package.json'))) return dir;
  }
  return dirname(program);
}
