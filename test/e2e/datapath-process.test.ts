// needs: root
import type { ChildProcess } from 'node:child_process';
import { execFileSync, spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { connect, Socket } from 'node:net';
import { release, tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { DatapathStatus } from '../../src/control.ts';
import { CONTROL_SOCKET, readLines, sendLine } from '../../src/control.ts';
import type { Datastores } from '../../src/state/datastores.ts';
import { readSupervisorPipe } from '../../src/supervisor-pipe.ts';
import { enterOwnNetwork } from '../helpers/own-network.ts';
import { aftr, binding, OPERATOR, request, softwire, withDatastores } from '../helpers/state.ts';

/** The datapath process over a real store and a real kernel, without management. */
enterOwnNetwork();
const test = suite('datapath-process');

const PROGRAM = join(import.meta.dirname, '../../src/main.js');
const START_MS = 30_000;

interface Running {
  readonly datastores: Datastores;
  readonly stateDir: string;
  readonly child: ChildProcess;
  readonly ended: Promise<readonly [number | null, NodeJS.Signals | null]>;
}

function start(stateDir: string): Pick<Running, 'child' | 'ended'> {
  const words = [PROGRAM, 'datapath', '--state-dir', stateDir, '--run-dir', stateDir, '--queues', '2'];
  const env = { ...process.env, GI4OVER6_SUPERVISOR_FD: '3' };
  const child = spawn(process.execPath, words, { stdio: ['ignore', 'ignore', 'inherit', 'pipe'], env });
  const ended = new Promise<readonly [number | null, NodeJS.Signals | null]>((resolve) =>
    child.once('exit', (code, signal) => resolve([code, signal])),
  );
  return { child, ended };
}

async function withProcess(body: (running: Running) => Promise<void>): Promise<void> {
  const stateDir = mkdtempSync(join(tmpdir(), 'gi4over6-datapath-'));
  // Started before there is a store: it waits for management to make one.
  const { child, ended } = start(stateDir);
  try {
    await withDatastores((datastores) => body({ datastores, stateDir, child, ended }), {
      dir: join(stateDir, 'store'),
    });
  } finally {
    child.kill('SIGKILL');
    await ended;
    rmSync(stateDir, { recursive: true, force: true });
  }
}

/** One request; undefined when nobody answers. */
function ask(stateDir: string, question: Readonly<Record<string, unknown>>): Promise<unknown> {
  return new Promise((resolve) => {
    const socket = connect(join(stateDir, CONTROL_SOCKET));
    socket.on('error', () => resolve(undefined)).on('close', () => resolve(undefined));
    readLines(socket, (message) => {
      resolve((message as { result: unknown }).result);
      socket.destroy();
    });
    socket.on('connect', () => sendLine(socket, { id: 1, ...question } as Parameters<typeof sendLine>[1]));
  });
}

/** The status once it is as wanted. */
async function statusWhen(stateDir: string, isRight: (status: DatapathStatus) => boolean): Promise<DatapathStatus> {
  for (const end = Date.now() + START_MS; Date.now() < end; await sleep(50)) {
    const status = (await ask(stateDir, { op: 'status' })) as DatapathStatus | undefined;
    if (status && isRight(status)) return status;
  }
  throw new Error(`no such status within ${START_MS} ms`);
}

function ip(words: string): string {
  return execFileSync('ip', words.split(' '), { encoding: 'utf8' });
}

/** Linux 6.12 and later; a kernel before runs all threads alike. */
const KNOWS_SLICES = release().localeCompare('6.12', 'en', { numeric: true }) >= 0;

/** Of each thread of a process, the nanoseconds that the kernel lets it run at a time. */
function slicesOf(pid: number): Map<number, number> {
  const slices = new Map<number, number>();
  for (const thread of readdirSync(`/proc/${pid}/task`)) {
    try {
      const text = readFileSync(`/proc/${pid}/task/${thread}/sched`, 'utf8');
      slices.set(Number(thread), Number(/^se\.slice +: +(\d+)$/m.exec(text)?.[1]));
    } catch {
      // It has ended meanwhile.
    }
  }
  return slices;
}

test('workers come at once when packets wait: of all threads they have the shortest slices, and they tell the supervisor their numbers', () =>
  withProcess(async ({ datastores, stateDir, child }) => {
    const forwarding = new Set<number>();
    const pipe = child.stdio[3];
    assert.ok(pipe instanceof Socket);
    const settled = new Promise<void>((onSettled) => {
      readSupervisorPipe(pipe, child.pid ?? 0, { onSettled, onForwarding: (thread) => forwarding.add(thread) });
    });
    await settled;
    await datastores.edit(OPERATOR, request(aftr(binding('192.0.2.1/32', '2001:db8:a::1'))));
    const { version } = datastores.head();
    await statusWhen(stateDir, (found) => found.version === version);
    const slices = slicesOf(child.pid ?? 0);
    const own = slicesOf(process.pid).get(process.pid);
    const [workers, others] = [new Set<number>(), new Set<number>()];
    for (const [thread, slice] of slices) (forwarding.has(thread) ? workers : others).add(slice);
    assert.is(forwarding.size, 2);
    assert.equal([...workers], [KNOWS_SLICES ? 100_000 : own]);
    assert.equal([...others], [own]);
  }));

test('it waits for the store, follows commits that nobody tells of, and applies those it is told of at once', () =>
  withProcess(async ({ datastores, stateDir }) => {
    await datastores.edit(OPERATOR, request(aftr(binding('192.0.2.1/32', '2001:db8:a::1'))));
    const { version } = datastores.head();
    const status = await statusWhen(stateDir, (found) => found.version === version);
    assert.equal([status.bindings, status.contentHash], [1, datastores.head().contentHash]);
    assert.match(ip('route show 192.0.2.0/24'), /dev gi-aftr/);
    assert.match(ip('-6 route show 2001:db8:b::1'), /dev gi-aftr/);
    await datastores.edit(OPERATOR, request(aftr(binding('192.0.2.2/32', '2001:db8:a::2'))));
    const head = datastores.head();
    assert.equal(await ask(stateDir, { op: 'apply', version: head.version }), { version: head.version });
    const after = (await ask(stateDir, { op: 'status' })) as DatapathStatus;
    assert.equal([after.bindings, after.contentHash], [2, head.contentHash]);
  }));

test('an AFTR that is disabled loses its routes, and gets them back', () =>
  withProcess(async ({ datastores, stateDir }) => {
    await datastores.edit(OPERATOR, request(aftr(binding('192.0.2.1/32', '2001:db8:a::1'))));
    await statusWhen(stateDir, ({ bindings }) => bindings === 1);
    for (const enabled of [false, true]) {
      await datastores.edit(OPERATOR, request(softwire({ name: 'a', enabled })));
      const { version } = datastores.head();
      assert.equal(await ask(stateDir, { op: 'apply', version }), { version });
      assert.is(ip('route show 192.0.2.0/24') !== '', enabled);
      assert.is(((await ask(stateDir, { op: 'status' })) as DatapathStatus).bindings, enabled ? 1 : 0);
    }
  }));

test('prepare refuses a tunnel address that the kernel holds', () =>
  withProcess(async ({ datastores, stateDir }) => {
    ip('link set lo up');
    ip('addr add 2001:db8:b::1/128 dev lo');
    try {
      await datastores.edit(OPERATOR, request(aftr()));
      await statusWhen(stateDir, () => true);
      const refusals = (await ask(stateDir, { op: 'prepare', configuration: aftr() })) as { message: string }[];
      assert.match(refusals[0]?.message ?? '', /2001:db8:b::1 is configured on lo/);
    } finally {
      ip('addr del 2001:db8:b::1/128 dev lo');
    }
  }));

test('SIGTERM: exit code 0, no route, no rule, no device and no socket left', () =>
  withProcess(async ({ datastores, stateDir, child, ended }) => {
    await datastores.edit(OPERATOR, request(aftr(binding('192.0.2.1/32', '2001:db8:a::1'))));
    await statusWhen(stateDir, ({ bindings }) => bindings === 1);
    child.kill('SIGTERM');
    assert.equal(await ended, [0, null]);
    assert.is(ip('route show table all proto 246') + ip('-6 route show table all proto 246'), '');
    assert.not.match(ip('-br link'), /gi-/);
    assert.is(await ask(stateDir, { op: 'status' }), undefined);
  }));

test('killed, it leaves device and routes, and the next one goes on by the store', () =>
  withProcess(async ({ datastores, stateDir, child, ended }) => {
    await datastores.edit(OPERATOR, request(aftr(binding('192.0.2.1/32', '2001:db8:a::1'))));
    await statusWhen(stateDir, ({ bindings }) => bindings === 1);
    child.kill('SIGKILL');
    await ended;
    assert.match(ip('route show 192.0.2.0/24'), /blackhole/);
    const next = start(stateDir);
    const { version } = datastores.head();
    assert.is((await statusWhen(stateDir, (status) => status.version === version)).bindings, 1);
    next.child.kill('SIGTERM');
    assert.equal(await next.ended, [0, null]);
  }));

test('a large table is kept in calm and at SIGTERM; starts take it and what changed since, and remove one that does not fit', () =>
  withProcess(async ({ datastores, stateDir, child, ended }) => {
    const rows = Array.from({ length: 10_000 }, (_, i) => binding(`10.0.${i >> 8}.${i & 255}/32`, '2001:db8:a::1'));
    const edge = { name: 'a', 'ipv6-address': '2001:db8:b::1', 'ipv4-pool': ['10.0.0.0/16'] };
    await datastores.edit(OPERATOR, request(softwire({ ...edge, 'binding-table': { binding: rows } })));
    const image = join(stateDir, 'table.image');
    const isWhole = ({ version, contentHash }: DatapathStatus) => {
      const head = datastores.head();
      return version === head.version && contentHash === head.contentHash;
    };
    await statusWhen(stateDir, isWhole);
    for (let tries = 0; !existsSync(image); tries++) {
      assert.ok(tries < 1_500, 'nothing was kept in minutes of calm');
      await sleep(100);
    }
    assert.is(statSync(image).mode & 0o777, 0o600);
    const inCalm = statSync(image).ino;
    const more = (last: number) => ({
      name: 'a',
      'binding-table': { binding: [binding(`10.0.200.${last}/32`, '2001:db8:a::2')] },
    });
    await datastores.edit(OPERATOR, request(softwire(more(1))));
    child.kill('SIGKILL');
    await ended;
    const next = start(stateDir);
    assert.is((await statusWhen(stateDir, isWhole)).bindings, 10_001);
    assert.is(statSync(image).ino, inCalm, 'it was taken');
    await datastores.edit(OPERATOR, request(softwire(more(2))));
    assert.is((await statusWhen(stateDir, isWhole)).bindings, 10_002);
    next.child.kill('SIGTERM');
    assert.equal(await next.ended, [0, null]);
    assert.is.not(statSync(image).ino, inCalm, 'the orderly end has kept another');
    await datastores.edit(OPERATOR, request(softwire({ name: 'a', 'ipv6-address': '2001:db8:b::2' })));
    const last = start(stateDir);
    assert.is((await statusWhen(stateDir, isWhole)).bindings, 10_002);
    assert.not.ok(existsSync(image), 'rows lead by another tunnel address');
    last.child.kill('SIGKILL');
    await last.ended;
  }));

test('without its device it ends by itself, and what it led there is dropped, not sent on', () =>
  withProcess(async ({ datastores, stateDir, ended }) => {
    await datastores.edit(OPERATOR, request(aftr(binding('192.0.2.1/32', '2001:db8:a::1'))));
    await statusWhen(stateDir, ({ bindings }) => bindings === 1);
    ip('link del gi-aftr');
    assert.equal(await ended, [70, null]);
    assert.match(ip('route show 192.0.2.0/24'), /^blackhole/);
  }));

test('a device of that name that is none of ours: said so, tried again, and left alone', () =>
  withProcess(async ({ datastores, stateDir, child, ended }) => {
    ip('link add gi-aftr type veth peer name gi-other');
    try {
      await datastores.edit(OPERATOR, request(aftr()));
      const { version } = datastores.head();
      const told = await statusWhen(stateDir, ({ problems }) => problems.length > 0);
      assert.match(told.problems[0] ?? '', /^the newest configuration is not in force: .*gi-aftr/);
      assert.ok(told.version < version);
      ip('link del gi-aftr');
      await statusWhen(stateDir, (status) => status.version === version);
      ip('link del gi-aftr');
      assert.equal(await ended, [70, null]);
    } finally {
      child.kill('SIGKILL');
    }
  }));

test('a device of that name that is none of ours outlives a clean stop', () =>
  withProcess(async ({ datastores, stateDir, child, ended }) => {
    ip('link add gi-aftr type veth peer name gi-other');
    try {
      await datastores.edit(OPERATOR, request(aftr()));
      await statusWhen(stateDir, ({ problems }) => problems.length > 0);
      child.kill('SIGTERM');
      assert.equal(await ended, [0, null]);
      assert.match(ip('-br link'), /gi-aftr/);
    } finally {
      ip('link del gi-aftr');
    }
  }));

test.run();
