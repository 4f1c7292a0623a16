import { appendFileSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { EventLog } from '../../../src/mgmt/events/event-log.ts';
import { decodeRecords, encodeRecord } from '../../../src/mgmt/events/log-files.ts';

/** The event log: order, bounds, and what a restart, damage and a disk that fails leave of it. */
const test = suite('event log');

const SILENT = pino({ level: 'silent' });
const LIMITS = { events: 80, octets: 1024 * 1024 };

async function withDir(body: (dir: string) => Promise<void>): Promise<void> {
  const dir = mkdtempSync(join(tmpdir(), 'gi4over6-events-'));
  try {
    await body(join(dir, 'events'));
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}

function add(log: EventLog, from: number, to: number): void {
  for (let n = from; n <= to; n++) log.add({ 'm:event': { n } }, new Date(n));
}

/** The `n` of every event that is kept, oldest first. */
function kept(log: EventLog): number[] {
  const found: number[] = [];
  for (let at = log.first; at < log.next; at++) found.push(JSON.parse(log.at(at)?.json ?? '')['m:event'].n);
  return found;
}

const range = (from: number, to: number) => Array.from({ length: to - from + 1 }, (_, i) => from + i);
const files = (dir: string) => readdirSync(dir).sort((a, b) => a.length - b.length || a.localeCompare(b));
const octetsOf = (dir: string) => files(dir).reduce((sum, name) => sum + statSync(join(dir, name)).size, 0);

test('events have numbers in order and their times; none is before the first or after the last', () => {
  const log = EventLog.inMemory();
  add(log, 5, 7);
  assert.equal([log.first, log.next], [1, 4]);
  assert.equal(log.at(2), { timeMs: 6, json: '{"m:event":{"n":6}}' });
  assert.is(log.at(0), undefined);
  assert.is(log.at(4), undefined);
});

test('listeners are told after the one who adds has gone on, once for several events', async () => {
  const log = EventLog.inMemory();
  let told = 0;
  const stop = log.listen(() => told++);
  add(log, 1, 3);
  assert.is(told, 0);
  await new Promise((resolve) => setImmediate(resolve));
  assert.is(told, 1);
  stop();
  add(log, 4, 4);
  await new Promise((resolve) => setImmediate(resolve));
  assert.is(told, 1);
});

test('number: the oldest go, the newest stay, numbers go on', () => {
  const log = EventLog.inMemory(LIMITS);
  add(log, 1, 1_000);
  const numbers = kept(log);
  assert.ok(numbers.length <= 80 && numbers.length >= 70, String(numbers.length));
  assert.equal(numbers, range(1_001 - numbers.length, 1_000));
  assert.is(log.next, 1_001);
});

test('octets: long events push out the old ones', () => {
  const log = EventLog.inMemory({ events: 1_000_000, octets: 64 * 1024 });
  for (let n = 1; n <= 500; n++) log.add({ 'm:event': { n, text: 'x'.repeat(1_000) } });
  const numbers = kept(log);
  assert.ok(numbers.length <= 64 && numbers.length >= 50, String(numbers.length));
  assert.is(numbers[numbers.length - 1], 500);
});

test('a restart keeps the events and when the log was created; the files are as bounded as the log', () =>
  withDir(async (dir) => {
    const first = EventLog.open(dir, SILENT, LIMITS);
    add(first, 1, 1_000);
    await first.close();
    assert.ok(files(dir).length <= 9, files(dir).join());
    assert.ok(octetsOf(dir) < 80 * 60 + 9 * 60, String(octetsOf(dir)));
    const second = EventLog.open(dir, SILENT, LIMITS);
    assert.equal(kept(second), kept(first));
    assert.is(second.created.getTime(), first.created.getTime());
    add(second, 1_001, 1_003);
    await second.close();
    const third = EventLog.open(dir, SILENT, LIMITS);
    assert.equal(kept(third).slice(-4), range(1_000, 1_003));
    await third.close();
  }));

const damages: readonly (readonly [string, (file: string) => void, number])[] = [
  [
    'half a record at the end',
    (file) => appendFileSync(file, encodeRecord({ timeMs: 4, json: '{}' }).subarray(0, 17)),
    3,
  ],
  ['octets that are no record', (file) => appendFileSync(file, 'x'.repeat(100)), 3],
  ['a length of 4 GiB', (file) => appendFileSync(file, Buffer.alloc(40, 0xff)), 3],
  ['a flipped bit in the last record', (file) => writeFileSync(file, flipped(readFileSync(file), -3)), 2],
];
for (const [name, damage, good] of damages) {
  test(`${name}: it is cut off, what was before stays, and what comes after is kept`, () =>
    withDir(async (dir) => {
      const first = EventLog.open(dir, SILENT, LIMITS);
      add(first, 1, 3);
      await first.close();
      damage(join(dir, files(dir)[0] ?? ''));
      const second = EventLog.open(dir, SILENT, LIMITS);
      assert.equal(kept(second), range(1, good));
      add(second, 10, 11);
      await second.close();
      const third = EventLog.open(dir, SILENT, LIMITS);
      assert.equal(kept(third), [...range(1, good), 10, 11]);
      await third.close();
    }));
}

function flipped(octets: Buffer, at: number): Buffer {
  const copy = Buffer.from(octets);
  copy.writeUInt8(copy.readUInt8(copy.length + at) ^ 1, copy.length + at);
  return copy;
}

test('a file of another format, or damaged from its start, is passed over', () =>
  withDir(async (dir) => {
    const first = EventLog.open(dir, SILENT, LIMITS);
    add(first, 1, 25);
    await first.close();
    const [oldest = '', second = ''] = files(dir);
    writeFileSync(
      join(dir, oldest),
      flipped(readFileSync(join(dir, oldest)), 3 - readFileSync(join(dir, oldest)).length),
    );
    writeFileSync(join(dir, second), encodeRecord({ timeMs: 1, json: '{"format":99}' }));
    const log = EventLog.open(dir, SILENT, LIMITS);
    assert.equal(kept(log), range(21, 25));
    await log.close();
  }));

test('a folder that cannot be: events are kept in memory', () =>
  withDir(async (dir) => {
    writeFileSync(dir, 'a file');
    const log = EventLog.open(dir, SILENT, LIMITS);
    add(log, 1, 2);
    assert.equal(kept(log), [1, 2]);
    await log.close();
  }));

test('a disk that fails for a while costs the events of that while', () =>
  withDir(async (dir) => {
    const log = EventLog.open(dir, SILENT, LIMITS);
    add(log, 1, 2);
    await log.close();
    rmSync(dir, { recursive: true });
    add(log, 3, 4);
    await log.close();
    EventLog.open(dir, SILENT, LIMITS);
    add(log, 5, 6);
    await log.close();
    assert.equal(kept(log), range(1, 6));
    assert.equal(kept(EventLog.open(dir, SILENT, LIMITS)), [5, 6]);
  }));

test('a record is read back, at every length of the octets before it', () => {
  const records = [0, 1, 7, 300].map((length) => ({ timeMs: 1.5 + length, json: '\u20ac'.repeat(length) }));
  const octets = Buffer.concat(records.map(encodeRecord));
  assert.equal(decodeRecords(octets), { records, good: octets.length });
  for (let length = 0; length < octets.length; length++) {
    const { records: found, good } = decodeRecords(octets.subarray(0, length));
    assert.equal(found, records.slice(0, found.length));
    assert.ok(good <= length && found.length < records.length);
  }
});

test.run();
