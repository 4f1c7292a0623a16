// needs: root
import { execFileSync } from 'node:child_process';
import { closeSync, mkdtempSync, openSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import { TIMEOUT, TunQueue, WOKEN, wake } from 'node-tuntap2';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { enterOwnNetwork } from '../helpers/own-network.ts';

enterOwnNetwork();
const test = suite('node-tuntap2-threads');

const PACKAGE = import.meta.resolve('node-tuntap2');
const descriptors = (): number => readdirSync('/proc/self/fd').length;

/** A thread that runs a module; it has the package as `tuntap`, `port` and `data`. */
function startThread(body: string, data?: unknown): Worker {
  const head = `import * as tuntap from '${PACKAGE}'; import { parentPort as port, workerData as data } from 'node:worker_threads';`;
  const url = new URL(`data:text/javascript,${encodeURIComponent(`${head}\n${body}`)}`);
  return new Worker(url, { workerData: data });
}

function messageOf(worker: Worker): Promise<unknown> {
  return new Promise((resolve, reject) => {
    worker.once('message', resolve);
    worker.once('error', reject);
  });
}

function endOf(worker: Worker): Promise<number> {
  return new Promise((resolve) => worker.once('exit', resolve));
}

test('a thread that blocks in wait is woken by another', async () => {
  const thread = startThread(`
    const queue = tuntap.TunQueue.open({ name: 'block0' });
    const from = performance.now();
    port.postMessage(queue.wakeDescriptor);
    const result = queue.wait(20000);
    port.postMessage([result, performance.now() - from]);`);
  const ended = endOf(thread);
  const descriptor = Number(await messageOf(thread));
  await new Promise((resolve) => setTimeout(resolve, 150));
  const answer = messageOf(thread);
  wake(descriptor);
  const [result, elapsedMs] = (await answer) as [number, number];
  assert.is(result, WOKEN);
  assert.ok(elapsedMs > 100, `blocked for ${elapsedMs} ms`);
  await ended;
});

test('a wake before the wait is kept, and taken once', () => {
  const queue = TunQueue.open({ name: 'early0' });
  wake(queue.wakeDescriptor);
  wake(queue.wakeDescriptor);
  assert.is(queue.wait(0), WOKEN);
  assert.is(queue.wait(0), TIMEOUT);
  queue.close();
});

test('a wake after close reaches no file that has the number now', () => {
  const directory = mkdtempSync(join(tmpdir(), 'wake-'));
  const queue = TunQueue.open({ name: 'late0' });
  const { wakeDescriptor } = queue;
  queue.close();
  const path = join(directory, 'file');
  const files: number[] = [];
  while (!files.includes(wakeDescriptor)) files.push(openSync(path, 'w'));
  assert.throws(
    () => wake(wakeDescriptor),
    (error: Error & { code?: string }) => error.code === 'EBADF',
  );
  for (const file of files) closeSync(file);
  assert.is(readFileSync(path).length, 0);
  rmSync(directory, { recursive: true });
});

/** Counts what its queue has received when it is woken; of each packet the last octet, which the flow set. */
const COUNTER = `
  const queue = tuntap.TunQueue.open({ name: 'share0' });
  const arena = new Uint8Array(64 * 2048), lengths = new Int32Array(64);
  queue.attach(arena, lengths, new Int32Array(4));
  const flows = [];
  port.postMessage(queue.wakeDescriptor);
  for (let woken = false; ; ) {
    const count = queue.readBatch(0, 2048, 2048, 64);
    for (let k = 0; k < count; k++) if (arena[k * 2048] === 0x45) flows.push(arena[k * 2048 + lengths[k] - 1]);
    if (count === 0 && woken) break;
    // What came before the wake may still wait.
    if (count === 0) woken = queue.wait(60000) === tuntap.WOKEN;
  }
  queue.close();
  port.postMessage(flows);`;

test('two threads with a queue each share the flows, and lose none', async () => {
  const threads = [startThread(COUNTER), startThread(COUNTER)];
  const ended = Promise.all(threads.map(endOf));
  const wakes = (await Promise.all(threads.map(messageOf))).map(Number);
  execFileSync('ip', ['addr', 'add', '198.51.100.1/24', 'dev', 'share0']);
  execFileSync('ip', ['link', 'set', 'share0', 'up']);
  const send =
    'import socket\nfor flow in range(64):\n s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)\n' +
    ' [s.sendto(bytes([flow]), ("198.51.100.9", 4000 + flow)) for _ in range(3)]';
  execFileSync('/usr/bin/python3', ['-c', send]);
  const answers = threads.map(messageOf);
  for (const descriptor of wakes) wake(descriptor);
  const [first = [], second = []] = (await Promise.all(answers)) as number[][];
  await ended;
  assert.is(first.length + second.length, 192);
  assert.ok(first.length > 0 && second.length > 0, `${first.length} and ${second.length} packets`);
  assert.not(
    first.some((flow) => second.includes(flow)),
    'a flow stays on its queue',
  );
});

const OPEN = `tuntap.TunQueue.open({ name: 'end0' }); Atomics.store(data, 0, 1);`;
const READ = `new tuntap.Tun({ name: 'end0' }).open().packets().resume(); Atomics.store(data, 0, 1);`;
const endings = [
  ['its body ends', OPEN],
  ['it throws', `${OPEN} throw new Error('on purpose');`],
  ['it exits', `${OPEN} process.exit();`],
  ['it is terminated', `${OPEN} port.postMessage(0); setInterval(() => {}, 1000);`],
  ['it is terminated, a stream being read', `${READ} port.postMessage(0);`],
] as const;
for (const [name, body] of endings) {
  test(`a thread gives its device back when ${name}`, async () => {
    const before = descriptors();
    for (let i = 0; i < 3; i++) {
      // Shared memory tells that the device was open: a thread's error may overtake its messages.
      const opened = new Int32Array(new SharedArrayBuffer(4));
      const thread = startThread(body, opened);
      thread.on('error', () => {});
      const ended = endOf(thread);
      if (name.includes('terminated')) {
        await messageOf(thread);
        await thread.terminate();
      }
      await ended;
      assert.is(Atomics.load(opened, 0), 1);
      assert.throws(() => execFileSync('ip', ['link', 'show', 'end0'], { stdio: 'pipe' }), /does not exist/);
    }
    assert.ok(descriptors() <= before + 2, `${descriptors()} descriptors, ${before} before`);
  });
}

test.run();
