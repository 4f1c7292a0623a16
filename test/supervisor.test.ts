// needs: root
/** The supervisor over a stand-in for both children, which prints what it is and waits for the end. */

import type { ChildProcess } from 'node:child_process';
import { execFileSync, spawn } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { constants, getPriority, tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { STATE_FILE, stampOf, stateText } from '../src/closed-note.ts';
import type { RunOptions } from '../src/supervisor.ts';

const test = suite('supervisor');

const STAND_IN = `
import { readdirSync, readFileSync, readlinkSync, writeSync } from 'node:fs';
import { answer } from 'a-package';
const [role, ...words] = process.argv.slice(2);
const wish = process.env['TEST_' + role.toUpperCase()] ?? '';
if (wish === 'fault') {
  console.error('gi4over6: the port is taken: take another');
  process.exit(78);
}
if (/^exit \\d+$/.test(wish)) process.exit(Number(wish.slice(5)));
if (role === 'verify-store') {
  const found = words.includes('--always') ? process.env.TEST_VERIFY_AGAIN : process.env.TEST_VERIFY_FIRST;
  if (found) console.error('a line before\\n' + found);
  process.exit(found ? 65 : 0);
}
const status = Object.fromEntries(readFileSync('/proc/self/status', 'utf8').split('\\n').map((line) => line.split(':\\t')));
const tuns = (process.env.GI4OVER6_TUN_FDS ?? '').split(',').filter(Boolean).map((fd) => readlinkSync('/proc/self/fd/' + fd));
const tell = (value) => {
  try {
    writeSync(Number(process.env.GI4OVER6_SUPERVISOR_FD), new Int32Array([value]));
  } catch (error) {
    if (error.code !== 'EPIPE' && error.code !== 'ECONNRESET') throw error;
  }
};
const settle = () => {
  console.log(JSON.stringify({ role, settled: true }));
  tell(0);
};
const threads = readdirSync('/proc/self/task').map(Number).filter((thread) => thread !== process.pid);
if (wish.startsWith('told of')) for (let left = Number(wish.slice(8)); left > 0; left--) tell(left === 1 ? threads[0] : process.ppid);
if (wish === 'settled at SIGHUP') process.on('SIGHUP', settle);
if (wish === 'deaf') process.on('SIGTERM', () => console.log(JSON.stringify({ role, deaf: true })));
else process.on('SIGTERM', () => process.exit(0));
const code = /^exit (\\d+) at SIGHUP$/.exec(wish)?.[1];
if (code) process.on('SIGHUP', () => process.exit(Number(code)));
// Last: who reads that it runs may send a signal at once.
console.log(JSON.stringify({ role, words, pid: process.pid, threads, options: process.execArgv, status, tuns, answer, program: process.argv[1] }));
if (role === 'datapath' && !/^(never settled|settled at SIGHUP)$/.test(wish)) settle();
setInterval(() => {}, 1000);
`;
const NET_ADMIN = 1n << 12n;
const NET_BIND_SERVICE = 1n << 10n;
const CAPABILITY_SETS = ['CapInh', 'CapPrm', 'CapEff', 'CapBnd', 'CapAmb'];
const WAIT_MS = 60_000;

interface Line {
  readonly role?: string;
  readonly words?: readonly string[];
  readonly pid?: number;
  readonly threads?: readonly number[];
  readonly options?: readonly string[];
  readonly status?: Readonly<Record<string, string>>;
  readonly tuns?: readonly string[];
  readonly answer?: number;
  readonly program?: string;
  readonly settled?: boolean;
  readonly msg?: string;
  readonly verification?: string;
}

class Supervised {
  readonly process: ChildProcess;
  readonly lines: Line[] = [];
  readonly texts: string[] = [];
  /** What came on standard error. */
  readonly errors: string[] = [];
  /** The exit code, when nobody says anything more: children that outlive the supervisor hold its output open. */
  readonly exit: Promise<number | null>;
  /** When the supervisor itself is gone. */
  readonly gone: Promise<unknown>;

  constructor(options: RunOptions, environment: Readonly<Record<string, string>> = {}) {
    const helper = join(import.meta.dirname, 'helpers/supervisor-process.js');
    this.process = spawn(process.execPath, [helper, JSON.stringify(options)], {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...process.env, ...environment },
    });
    this.process.stderr?.setEncoding('utf8').on('data', (text: string) => this.errors.push(text));
    this.gone = new Promise((done) => this.process.once('exit', done));
    this.exit = new Promise((done) => this.process.once('close', done));
    if (!this.process.stdout) throw new Error('the supervisor has no output');
    createInterface({ input: this.process.stdout }).on('line', (line) => {
      if (line.startsWith('{')) this.lines.push(JSON.parse(line) as Line);
      else this.texts.push(line);
    });
  }

  /** The `count`th start of the role. */
  async started(role: string, count = 1): Promise<Line & { pid: number; status: Readonly<Record<string, string>> }> {
    for (const until = Date.now() + WAIT_MS; Date.now() < until; await sleep(20)) {
      const found = this.lines.filter((line) => line.role === role && line.status)[count - 1];
      if (found?.pid && found.status) return { ...found, pid: found.pid, status: found.status };
    }
    throw new Error(`${role} was not started ${count} times: ${JSON.stringify(this.lines)} ${this.texts}`);
  }

  async stop(): Promise<number | null> {
    this.process.kill('SIGTERM');
    return this.exit;
  }
}

interface Place {
  readonly dir: string;
  readonly options: RunOptions;
  start(options?: Partial<RunOptions>, environment?: Readonly<Record<string, string>>): Supervised;
}

async function withPlace(body: (place: Place) => Promise<void>): Promise<void> {
  const dir = mkdtempSync(join(tmpdir(), 'gi4over6-supervisor-'));
  const all: Supervised[] = [];
  try {
    chmodSync(dir, 0o755);
    const options: RunOptions = {
      stateDir: join(dir, 'state'),
      runDir: join(dir, 'run'),
      dhcpv6Dir: join(dir, 'dhcpv6'),
      user: 'gi4over6',
      netconfPort: 0,
      netconfTlsPort: 6513,
      restconfPort: 8443,
      listen: ['::1', '127.0.0.1'],
      startup: true,
      writableRunning: false,
      queues: 2,
      offloads: true,
      urlDir: join(dir, 'urls'),
      netconfLimit: { idleMs: 600_000, depth: 50 },
      restconfLimit: { connections: 99 },
      program: standIn(join(dir, 'clone')),
    };
    const start: Place['start'] = (changes, environment) => {
      all.push(new Supervised({ ...options, ...changes }, environment));
      return all.at(-1) as Supervised;
    };
    await body({ dir, options, start });
  } finally {
    for (const { process, gone } of all) {
      process.kill('SIGTERM');
      await gone;
    }
    rmSync(dir, { recursive: true });
  }
}

/** A project of one program and one package it imports. */
function standIn(clone: string): string {
  const dependency = join(clone, 'node_modules/a-package');
  mkdirSync(dependency, { recursive: true });
  mkdirSync(join(clone, 'dist/src'), { recursive: true });
  writeFileSync(join(clone, 'package.json'), '{ "type": "module" }');
  writeFileSync(join(dependency, 'package.json'), '{ "type": "module", "exports": "./index.js" }');
  writeFileSync(join(dependency, 'index.js'), 'export const answer = 42;');
  const program = join(clone, 'dist/src/stand-in.js');
  writeFileSync(program, STAND_IN);
  return program;
}

const userId = (option: string) => execFileSync('id', [option, 'gi4over6'], { encoding: 'utf8' }).trim();
const capabilities = (status: Readonly<Record<string, string>>) =>
  CAPABILITY_SETS.map((name) => BigInt(`0x${status[name]?.trim()}`));
/** What is left of a process that ended and was not waited for has no command line. */
const isAlive = (pid: number) => {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8') !== '';
  } catch {
    return false;
  }
};
const owner = (path: string) => {
  const { uid, mode } = statSync(path);
  return [uid, (mode & 0o777).toString(8)];
};

test('each child has its user, its capabilities and nothing more', async () => {
  await withPlace(async ({ start }) => {
    const supervised = start({ restconfPort: 443 });
    const management = await supervised.started('management');
    const datapath = await supervised.started('datapath');
    for (const { status } of [management, datapath]) {
      assert.equal(status.Uid?.split('\t'), Array(4).fill(userId('-u')));
      assert.equal(status.Gid?.split('\t'), Array(4).fill(userId('-g')));
      assert.is(status.Groups?.trim(), '');
      assert.is(status.NoNewPrivs, '1');
    }
    assert.equal(capabilities(management.status), Array(5).fill(NET_BIND_SERVICE));
    assert.equal(capabilities(datapath.status), Array(5).fill(NET_ADMIN));
    assert.equal(management.tuns, []);
    assert.equal(new Set(datapath.tuns), new Set(['/dev/net/tun']));
    assert.ok((datapath.tuns?.length ?? 0) >= 6);
  });
});

/** Niceness of management, datapath, a worker, another thread of the datapath, and the supervisor, before this process. */
async function stepsAhead(told: number): Promise<number[]> {
  let steps: number[] = [];
  await withPlace(async ({ start }) => {
    const supervised = start({ mostHeldMs: WAIT_MS }, { TEST_DATAPATH: `told of ${told}` });
    const [management, datapath] = [await supervised.started('management'), await supervised.started('datapath')];
    const { process: supervisor } = supervised;
    const ids = [management.pid, datapath.pid, ...(datapath.threads ?? []).slice(0, 2), supervisor.pid ?? 0];
    steps = ids.map((id) => getPriority() - getPriority(id));
  });
  return steps;
}

test('workers come before the rest of the datapath, and that before management, where a core is short', async () => {
  const most = getPriority() - constants.priority.PRIORITY_HIGHEST;
  const [follower, worker] = [Math.min(5, most), Math.min(8, most)];
  // The last it is told of, after one that is not its own.
  assert.equal(await stepsAhead(2), [0, follower, worker, follower, 0]);
});

test('of a datapath that tells too much at once nothing is read any more, and management is started', async () => {
  const follower = Math.min(5, getPriority() - constants.priority.PRIORITY_HIGHEST);
  assert.equal(await stepsAhead(5_000), [0, follower, follower, follower, 0]);
});

test('of V8 the datapath has one thread beside its own', async () => {
  await withPlace(async ({ start }) => {
    const supervised = start();
    const [management, datapath] = [await supervised.started('management'), await supervised.started('datapath')];
    assert.ok(datapath.options?.includes('--v8-pool-size=1'), `${datapath.options}`);
    assert.is((management.threads?.length ?? 0) - (datapath.threads?.length ?? 0), 3, 'V8 has four where nobody asks');
  });
});

test('management is started when the datapath has settled', async () => {
  await withPlace(async ({ start }) => {
    const supervised = start({ mostHeldMs: WAIT_MS }, { TEST_DATAPATH: 'settled at SIGHUP' });
    process.kill((await supervised.started('datapath')).pid, 'SIGHUP');
    await supervised.started('management');
    const order = supervised.lines.filter(({ role, status, settled }) => settled || (role === 'management' && status));
    assert.equal(
      order.map(({ role }) => role),
      ['datapath', 'management'],
    );
  });
});

test('management is started all the same when the datapath does not settle, and when it ends', async () => {
  for (const wish of ['never settled', 'exit 3']) {
    await withPlace(async ({ start }) => {
      await start({}, { TEST_DATAPATH: wish }).started('management');
    });
  }
});

test('a child gets the whole command line', async () => {
  await withPlace(async ({ dir, start, options: { stateDir, runDir } }) => {
    const { words } = await start().started('datapath');
    const ports = ['--netconf-port', '0', '--netconf-tls-port', '6513', '--restconf-port', '8443'];
    const rest = [
      '--listen',
      '::1',
      '127.0.0.1',
      '--startup',
      '--no-writable-running',
      '--queues',
      '2',
      '--offloads',
      '--url-dir',
      join(dir, 'urls'),
    ];
    const limits = ['--netconf-limit', 'depth=50', '--netconf-limit', 'idle-ms=600000'];
    limits.push('--restconf-limit', 'connections=99');
    const dirs = ['--state-dir', stateDir, '--run-dir', runDir, '--dhcpv6-dir', join(dir, 'dhcpv6')];
    assert.equal(words, [...dirs, ...ports, ...rest, ...limits]);
  });
});

test('a killed child is started again, the other goes on', async () => {
  await withPlace(async ({ start }) => {
    const supervised = start();
    const management = await supervised.started('management');
    const datapath = await supervised.started('datapath');
    process.kill(datapath.pid, 'SIGKILL');
    const second = await supervised.started('datapath', 2);
    assert.is.not(second.pid, datapath.pid);
    assert.equal(second.tuns, datapath.tuns);
    process.kill(second.pid, 'SIGKILL');
    await supervised.started('datapath', 3);
    assert.ok(isAlive(management.pid));
    assert.is(supervised.lines.filter(({ role, status }) => role === 'management' && status).length, 1);
  });
});

test('a clean stop ends both and keeps what is stored', async () => {
  await withPlace(async ({ start, options: { stateDir, runDir } }) => {
    const supervised = start();
    const pids = [(await supervised.started('management')).pid, (await supervised.started('datapath')).pid];
    const before = readdirSync(stateDir, { recursive: true }).filter((name) => name !== 'gi4over6.pid');
    assert.is(readFileSync(join(runDir, 'gi4over6.pid'), 'utf8').split('\n')[0], `${supervised.process.pid}`);
    assert.is(await supervised.stop(), 0);
    assert.not.ok(pids.some(isAlive));
    assert.equal(readdirSync(stateDir, { recursive: true }), before);
    assert.equal(readdirSync(runDir), []);
  });
});

test('a child that does not end when asked is killed', async () => {
  await withPlace(async ({ start }) => {
    const supervised = start({}, { TEST_DATAPATH: 'deaf' });
    const { pid } = await supervised.started('datapath');
    await supervised.started('management');
    assert.is(await supervised.stop(), 0);
    assert.not.ok(isAlive(pid));
  });
});

test('a child whose environment is wrong at the first start ends both', async () => {
  await withPlace(async ({ start }) => {
    const supervised = start({}, { TEST_MANAGEMENT: 'exit 78' });
    assert.is(await supervised.exit, 78);
  });
});

test('a child that finds its environment wrong later is started again', async () => {
  await withPlace(async ({ start }) => {
    const supervised = start({}, { TEST_MANAGEMENT: 'exit 78 at SIGHUP' });
    process.kill((await supervised.started('management')).pid, 'SIGKILL');
    process.kill((await supervised.started('management', 2)).pid, 'SIGHUP');
    await supervised.started('management', 3);
    assert.is(await supervised.stop(), 0);
  });
});

test('a child that ends by itself is started again, whatever its exit code', async () => {
  await withPlace(async ({ start }) => {
    const supervised = start({}, { TEST_MANAGEMENT: 'exit 0' });
    const restarts = () =>
      supervised.lines.filter(({ role, msg }) => role === 'management' && msg === 'started').length;
    for (const until = Date.now() + WAIT_MS; restarts() < 4 && Date.now() < until; ) await sleep(20);
    assert.ok(restarts() >= 4);
    assert.is(supervised.process.exitCode, null);
  });
});

test('management that ends for system-restart: both are ended and started again', () =>
  withPlace(async ({ start }) => {
    const supervised = start({}, { TEST_MANAGEMENT: 'exit 100 at SIGHUP' });
    const [management, datapath] = [await supervised.started('management'), await supervised.started('datapath')];
    process.kill(management.pid, 'SIGHUP');
    const again = [await supervised.started('management', 2), await supervised.started('datapath', 2)];
    assert.ok(again.every(({ pid }) => pid !== management.pid && pid !== datapath.pid));
    assert.throws(() => process.kill(datapath.pid, 0), 'the old one is gone');
    assert.is(await supervised.stop(), 0);
  }));

test('management that ends for system-shutdown: both end, and the supervisor with 0', () =>
  withPlace(async ({ start }) => {
    const supervised = start({}, { TEST_MANAGEMENT: 'exit 101 at SIGHUP' });
    const [management, datapath] = [await supervised.started('management'), await supervised.started('datapath')];
    process.kill(management.pid, 'SIGHUP');
    assert.is(await supervised.exit, 0);
    assert.throws(() => process.kill(datapath.pid, 0), 'it is gone');
  }));

test('a second supervisor of the same state or run directory is refused', async () => {
  await withPlace(async ({ dir, start, options }) => {
    const first = start();
    const { pid } = await first.started('management');
    for (const [changes, taken] of [
      [{}, options.runDir],
      [{ runDir: join(dir, 'run2') }, options.stateDir],
      [{ stateDir: join(dir, 'state2') }, options.runDir],
    ] as const) {
      const second = start(changes);
      assert.is(await second.exit, 78);
      const advice = `stop it (kill ${first.process.pid}) or choose another directory`;
      assert.equal(second.texts, [
        `ALREADY_RUNNING: ${taken} is in use by gi4over6, process ${first.process.pid}: ${advice}`,
      ]);
    }
    const elsewhere = start({ stateDir: join(dir, 'state3'), runDir: join(dir, 'run3') });
    assert.is(await elsewhere.exit, 78);
    assert.match(
      elsewhere.texts[0] ?? '',
      /^ALREADY_RUNNING: another gi4over6 runs in this network namespace: stop it/,
    );
    assert.ok(isAlive(pid));
  });
});

test('after a supervisor was killed the next one ends its children and takes over', async () => {
  await withPlace(async ({ start }) => {
    const first = start();
    const left = [(await first.started('management')).pid, (await first.started('datapath')).pid];
    first.process.kill('SIGKILL');
    await first.gone;
    assert.ok(left.every(isAlive));
    const second = start();
    await second.started('management');
    assert.not.ok(left.some(isAlive));
  });
});

test('a clone below a directory the user may not enter works', async () => {
  await withPlace(async ({ dir, start, options: { runDir } }) => {
    const home = join(dir, 'home');
    mkdirSync(home, { mode: 0o700 });
    const supervised = start({ program: standIn(join(home, 'clone')) });
    const management = await supervised.started('management');
    const datapath = await supervised.started('datapath');
    assert.is(management.program, join(runDir, 'app/dist/src/stand-in.js'));
    assert.is(management.answer, 42);
    assert.is(datapath.status.Uid?.split('\t')[0], userId('-u'));
    assert.equal(capabilities(datapath.status), Array(5).fill(NET_ADMIN));
    assert.ok((datapath.tuns?.length ?? 0) >= 6);
    assert.not.ok(readFileSync('/proc/self/mounts', 'utf8').includes(runDir), 'the mount is seen outside');
    assert.is(await supervised.stop(), 0);
  });
});

test('what the first start needs is made once and belongs to whom it should', async () => {
  await withPlace(async ({ start, options: { stateDir, runDir } }) => {
    const supervised = start();
    await supervised.started('management');
    const uid = Number(userId('-u'));
    for (const path of [stateDir, runDir, join(stateDir, 'keys')]) assert.equal(owner(path), [uid, '700']);
    const files = ['keys/ssh_host_ed25519_key', 'keys/tls.key', 'keys/tls.crt', 'first-start.json'];
    for (const name of files) assert.equal(owner(join(stateDir, name)), [uid, '600'], name);
    assert.equal(owner(join(stateDir, 'initial-password')), [0, '600']);
    const contents = () => [...files, 'initial-password'].map((name) => readFileSync(join(stateDir, name), 'utf8'));
    const before = contents();
    assert.match(before.at(-1) ?? '', /^[a-zA-Z0-9]{20}\n$/);
    await supervised.stop();
    await start().started('management');
    assert.equal(contents(), before);
  });
});

test('with a store there is no new first user', async () => {
  await withPlace(async ({ start, options: { stateDir } }) => {
    mkdirSync(join(stateDir, 'store'), { recursive: true });
    writeFileSync(join(stateDir, 'store/data.mdb'), 'x');
    for (const path of [stateDir, join(stateDir, 'store')]) chownSync(path, Number(userId('-u')), Number(userId('-g')));
    await start().started('management');
    assert.not.ok(existsSync(join(stateDir, 'initial-password')));
    assert.not.ok(existsSync(join(stateDir, 'first-start.json')));
  });
});

test('logs go to files when asked', async () => {
  await withPlace(async ({ dir, start }) => {
    const supervised = start({ logDir: join(dir, 'log') });
    const log = join(dir, 'log/datapath.log');
    for (const until = Date.now() + WAIT_MS; Date.now() < until; await sleep(20)) {
      if (existsSync(log) && statSync(log).size > 0) break;
    }
    assert.match(readFileSync(log, 'utf8'), /"role":"datapath"/);
    assert.is(supervised.lines.filter(({ status }) => status).length, 0);
  });
});

test('a damaged store is refused before anybody opens it, and no first user is made', async () => {
  await withPlace(async ({ start, options: { stateDir } }) => {
    const supervised = start({}, { TEST_VERIFY_FIRST: 'data.mdb is damaged: restore X' });
    assert.is(await supervised.exit, 78);
    assert.equal(supervised.texts, ['STORE_DAMAGED: data.mdb is damaged: restore X']);
    assert.not.ok(supervised.lines.some(({ msg }) => msg === 'started'));
    assert.not.ok(existsSync(join(stateDir, 'first-start.json')));
  });
});

test('a store that was closed well is not verified, one that changed since is', async () => {
  await withPlace(async ({ start, options: { stateDir } }) => {
    const first = start();
    await first.started('management');
    await first.stop();
    const file = join(stateDir, 'store/data.mdb');
    mkdirSync(dirname(file));
    writeFileSync(file, 'as it was closed');
    writeFileSync(join(stateDir, STATE_FILE), stateText(stampOf(file) ?? ''));
    const refuses = { TEST_VERIFY_FIRST: 'data.mdb is damaged: restore X' };
    const second = start({}, refuses);
    await second.started('management');
    await second.stop();
    for (const change of [
      () => writeFileSync(file, 'as somebody wrote it'),
      () => {
        writeFileSync(join(stateDir, STATE_FILE), stateText(stampOf(file) ?? ''));
        mkdirSync(join(stateDir, 'store/2'));
      },
    ]) {
      change();
      assert.is(await start({}, refuses).exit, 78);
    }
  });
});

test('a start without a store beside what one has left says so in one line; a first start says nothing', async () => {
  await withPlace(async ({ start, options: { stateDir } }) => {
    const first = start();
    await first.started('management');
    await first.stop();
    assert.equal(first.errors.join(''), '');
    // As management does it once there is a store, which is gone here.
    rmSync(join(stateDir, 'first-start.json'));
    mkdirSync(join(stateDir, 'store.replaced-20260101T000000Z'));
    const again = start();
    await again.started('management');
    await again.stop();
    assert.match(
      again.errors.join(''),
      /^gi4over6: there is no store in \S+, though there was one \(.*store\.replaced-20260101T000000Z.*\): it begins at version 1 [^\n]*\n$/,
    );
  });
});

test('why a child cannot start is one line on standard error, also when its output goes to a file', async () => {
  await withPlace(async ({ dir, start }) => {
    for (const logDir of [undefined, join(dir, 'log')]) {
      const supervised = start(logDir === undefined ? {} : { logDir }, { TEST_MANAGEMENT: 'fault' });
      assert.is(await supervised.exit, 78);
      assert.equal(supervised.errors.join(''), 'gi4over6: the port is taken: take another\n');
    }
  });
});

test('a store that is damaged when management ends is left alone, and the datapath goes on', async () => {
  await withPlace(async ({ start }) => {
    const supervised = start({}, { TEST_VERIFY_AGAIN: 'data.mdb is damaged: restore X' });
    const management = await supervised.started('management');
    const datapath = await supervised.started('datapath');
    process.kill(management.pid, 'SIGBUS');
    const told = () => supervised.lines.find(({ verification }) => verification !== undefined);
    for (const until = Date.now() + WAIT_MS; !told() && Date.now() < until; ) await sleep(20);
    assert.is(told()?.verification, 'data.mdb is damaged: restore X');
    assert.ok(isAlive(datapath.pid));
    assert.is(supervised.lines.filter(({ role, msg }) => role === 'management' && msg === 'started').length, 1);
    assert.is(await supervised.stop(), 78);
  });
});

for (const role of ['management', 'datapath'] as const) {
  test(`a first ${role} that ends with exit code 78 over a damaged store: the line says what is wrong`, async () => {
    await withPlace(async ({ start }) => {
      const environment = {
        [`TEST_${role.toUpperCase()}`]: 'exit 78',
        TEST_VERIFY_AGAIN: 'data.mdb is damaged: restore X',
      };
      const supervised = start({}, environment);
      assert.is(await supervised.exit, 78);
      const told = supervised.lines.filter(({ verification }) => verification !== undefined);
      assert.equal(
        told.map(({ verification, ...line }) => [line.role, verification]),
        [[role, 'data.mdb is damaged: restore X']],
      );
      assert.ok(supervised.errors.join('').split('\n').includes('gi4over6: data.mdb is damaged: restore X'));
    });
  });
}

test('a datapath that damage may have ended: it is told once, and it is started again', async () => {
  await withPlace(async ({ start }) => {
    const supervised = start({}, { TEST_VERIFY_AGAIN: 'data.mdb is damaged: restore X' });
    await supervised.started('management');
    process.kill((await supervised.started('datapath')).pid, 'SIGBUS');
    process.kill((await supervised.started('datapath', 2)).pid, 'SIGKILL');
    await supervised.started('datapath', 3);
    const told = supervised.lines.filter(({ verification }) => verification !== undefined);
    assert.equal(
      told.map(({ role }) => role),
      ['datapath'],
    );
    assert.is(await supervised.stop(), 0);
  });
});

test('a machine without setpriv is told of when no child starts', async () => {
  await withPlace(async ({ dir, start }) => {
    mkdirSync(join(dir, 'bin'));
    for (const name of ['getent', 'sh', 'mount', 'unshare'])
      symlinkSync(join('/usr/bin', name), join(dir, 'bin', name));
    const supervised = start({}, { PATH: join(dir, 'bin') });
    assert.is(await supervised.exit, 78);
    const said = [...supervised.texts, ...supervised.errors].join('; ');
    assert.match(said, /(gi4over6|NO_CHILDREN): .*setpriv.*install the package util-linux/);
  });
});

const faults: readonly (readonly [string, (place: Place) => Partial<RunOptions>, RegExp])[] = [
  [
    'an unknown user',
    () => ({ user: 'gi4over6-nobody' }),
    /^USER_MISSING: user gi4over6-nobody does not exist: run .*/,
  ],
  ['root as user', () => ({ user: 'root' }), /^USER_ROOT: /],
  [
    'a run directory the user cannot reach',
    ({ dir }) => {
      mkdirSync(join(dir, 'closed'), { mode: 0o700 });
      return { runDir: join(dir, 'closed/run') };
    },
    /^UNREACHABLE: user gi4over6 cannot reach .*closed\/run: it may not pass .*closed; run `chmod o\+x .*closed`/,
  ],
  [
    'a state directory with files of root',
    ({ dir }) => ({ stateDir: join(dir, 'clone') }),
    /^DIRECTORY: .*clone belongs to user 0, expected user \d+/,
  ],
  [
    'a project that nobody else may read',
    ({ dir }) => {
      chmodSync(join(dir, 'clone'), 0o700);
      return {};
    },
    /^PROGRAM_UNREADABLE: user gi4over6 cannot read .*clone: run `chmod -R o\+rX .*clone`/,
  ],
];
for (const [name, changes, expected] of faults) {
  test(`${name} is refused with a sentence`, async () => {
    await withPlace(async (place) => {
      const supervised = place.start(changes(place));
      assert.is(await supervised.exit, 78);
      assert.match(supervised.texts.join('\n'), expected);
      assert.not.ok(supervised.lines.some(({ msg }) => msg === 'started'));
    });
  });
}

test.run();
