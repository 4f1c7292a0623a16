/** What the datapath tells the supervisor, read from the pipe. */

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync } from 'node:fs';
import { Socket } from 'node:net';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { readSupervisorPipe } from '../src/supervisor-pipe.ts';

const test = suite('supervisor pipe');

const MOST_AT_ONCE = 1_024;

function records(...values: readonly number[]): Buffer {
  const octets = Buffer.alloc(4 * values.length);
  for (const [index, value] of values.entries()) octets.writeInt32LE(value, 4 * index);
  return octets;
}

/** What is heard of this process when its datapath were to tell `pieces`, and whether more would be read. */
async function heard(pieces: readonly Buffer[]): Promise<{ readonly events: string[]; readonly isOpen: boolean }> {
  const events: string[] = [];
  const pipe = new Socket();
  readSupervisorPipe(pipe, process.pid, {
    onSettled: () => events.push('settled'),
    onForwarding: (thread) => events.push(`${thread}`),
  });
  for (const piece of pieces) pipe.emit('data', piece);
  const isOpen = !pipe.destroyed;
  pipe.destroy();
  await once(pipe, 'close');
  return { events, isOpen };
}

const own = readdirSync('/proc/self/task').map(Number);
const [first = 0, second = 0] = own;

test('workers before and after it has settled, and its end, which settles it too', async () => {
  const { events } = await heard([records(first, 0), records(second)]);
  assert.equal(events, [`${first}`, 'settled', `${second}`, 'settled']);
});

test('records in pieces', async () => {
  const octets = records(first, second);
  const { events } = await heard([octets.subarray(0, 3), octets.subarray(3, 5), octets.subarray(5)]);
  assert.equal(events, [`${first}`, `${second}`, 'settled']);
});

test('numbers of other processes, and those of none, are passed over', async () => {
  const child = spawn('sleep', ['60'], { stdio: 'ignore' });
  try {
    const { events } = await heard([records(child.pid ?? 0, process.ppid, 1, -1, 0x7fffffff, first)]);
    assert.equal(events, [`${first}`, 'settled']);
  } finally {
    child.kill();
  }
});

test('so many at once and no more, whatever they say', async () => {
  for (const value of [first, 0, -1]) {
    const most = records(...Array(MOST_AT_ONCE).fill(value));
    const heardOfMost = value === -1 ? 0 : MOST_AT_ONCE;
    assert.equal(await heard([most]).then(({ events, isOpen }) => [events.length, isOpen]), [heardOfMost + 1, true]);
    const more = await heard([most, records(value, value)]);
    assert.equal([more.events.length, more.isOpen], [heardOfMost + 1, false]);
  }
});

test.run();
