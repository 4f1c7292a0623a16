// needs: addon
import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import { Worker } from 'node:worker_threads';
import { adviseHugePages } from 'node-tuntap2';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { Room } from '../../src/datapath/arena.ts';
import { Arena, allocateIn, clearRoom } from '../../src/datapath/arena.ts';

const test = suite('arena');

const MODES = '/sys/kernel/mm/transparent_hugepage/enabled';
const OCTETS = 64 * 1024 * 1024;
/** What this kernel gives: always, only on advice, or never. */
const mode = existsSync(MODES) ? (/\[(\w+)\]/.exec(readFileSync(MODES, 'utf8'))?.[1] ?? 'never') : 'never';

test('advice is taken where there are huge pages, and for no memory at all never', () => {
  assert.is(adviseHugePages(new SharedArrayBuffer(OCTETS)), existsSync(MODES));
  assert.is(adviseHugePages(new Int32Array(new SharedArrayBuffer(OCTETS), 4_096)), existsSync(MODES));
  assert.is(adviseHugePages(new SharedArrayBuffer(0)), false);
});

const cases = [
  ['memory that is reached at random', 'huge', true, mode !== 'never'],
  ['other memory', 'huge', false, mode === 'always'],
  ['memory of an arena of small pages', 'small', true, mode === 'always'],
] as const;
for (const [name, pages, isRandom, isHuge] of cases) {
  test(`${name} lies in ${isHuge ? 'huge' : 'small'} pages`, () => {
    const { allocate } = new Arena(pages);
    const [beside, words] = [allocate(4_096), allocate(OCTETS, isRandom)];
    const before = hugeKibibytes();
    for (let i = 0; i < words.length; i += 1_024) words[i] = 1;
    const more = hugeKibibytes() - before;
    // A kernel that has few free ones gives small ones instead.
    if (isHuge) assert.ok(more > OCTETS / 1024 / 4, `${more} KiB`);
    else assert.is(more, 0);
    assert.is(words[1_024], 1);
    assert.is(beside[0], 0);
  });
}

test('areas begin at cache lines, follow each other and are zero; room grows with them', () => {
  const { allocate, memory } = new Arena('small');
  const areas = [4, 64, 68, 200_000, 4].map((octets) => allocate(octets));
  const places = areas.map(({ byteOffset, byteLength }) => [byteOffset, byteLength]);
  assert.equal(places, [
    [64, 4],
    [128, 64],
    [192, 68],
    [320, 200_000],
    [200_320, 4],
  ]);
  for (const area of areas) assert.ok(area.every((word) => word === 0));
  // Views from before a growth and the memory as it is now are the same.
  areas[0]?.fill(4711);
  assert.is(new Int32Array(memory.buffer)[16], 4711);
});

test('a room is laid out by another thread, and what it writes is seen here', async () => {
  const arena = new Arena('small');
  const room = arena.room(128);
  arena.allocate(1 << 20);
  const script = `
    const { workerData: { room, view } } = require('node:worker_threads');
    const words = new Int32Array(room.memory.buffer, room.from, 2);
    words[1] = view[3];
  `;
  const view = arena.allocate(64);
  view[3] = 4711;
  await once(new Worker(script, { eval: true, workerData: { room, view } }), 'exit');
  assert.is(allocateIn(room)(8)[1], 4711);
  clearRoom(room);
  assert.is(allocateIn(room)(8)[1], 0);
});

test('what does not fit a room is refused', () => {
  const arena = new Arena('small');
  const room: Room = arena.room(128);
  const allocate = allocateIn(room);
  assert.is(allocate(64).byteOffset, room.from);
  assert.is(allocate(60).byteOffset, room.from + 64);
  assert.throws(() => allocate(4), /room: 192 octets do not fit 128/);
});

test('a hundred memories of a million rows live beside each other', () => {
  const arenas = Array.from({ length: 100 }, () => new Arena('small'));
  const areas = arenas.map(({ allocate }) => allocate(300 * 1024 * 1024, true));
  for (const [i, area] of areas.entries()) area[area.length - 1] = i;
  assert.equal(
    areas.map((area) => area[area.length - 1]),
    arenas.map((_, i) => i),
  );
});

/** What this process has in huge pages. */
function hugeKibibytes(): number {
  return Number(/AnonHugePages: +(\d+)/.exec(readFileSync('/proc/self/smaps_rollup', 'utf8'))?.[1]);
}

test.run();
