import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { GatewayIndex } from '../../src/datapath/gateway-index.ts';
import { ROW_NEXT, ROW_SHIFT, ROW_SOFTWIRE, ROW_WORDS } from '../../src/datapath/layout.ts';
import { allocateShared } from '../../src/datapath/memory.ts';
import { random, seed } from '../helpers/random.ts';

/** Which rows lead to a gateway, and that a worker finds each gateway of its instance (D130). */
const test = suite('gateway-index');

/** An index over `rows` rows, and what puts a gateway's number into the address of a row. */
function indexOver(rows: number) {
  const words = new Int32Array((rows + 1) * ROW_WORDS);
  const index = new GatewayIndex(allocateShared, words, seed);
  const write = (row: number, gateway: number) => {
    words[(row << ROW_SHIFT) + ROW_SOFTWIRE] = 0;
    words.set(addressOf(gateway), row << ROW_SHIFT);
  };
  return { index, words, write };
}

/** The four words of 2001:db8::, with the number of a gateway in the last but one. */
function addressOf(gateway: number): Int32Array {
  return Int32Array.of(0xb80d0120 | 0, 0, gateway, 0x01000000);
}

const octetsOf = (words: Int32Array): Uint8Array => new Uint8Array(words.buffer.slice(0));

test('each of 8,000 gateways is found, though the one before it in its chain has 70 rows', () => {
  const [gateways, each] = [8_000, 70];
  const { index, words, write } = indexOver(gateways * each);
  for (let row = 1; row <= gateways * each; row++) {
    write(row, Math.floor((row - 1) / each));
    index.add(row, 3);
  }
  assert.is(index.count(3), gateways);
  let shared = 0;
  for (let gateway = 0; gateway < gateways; gateway++) {
    const found = index.find(3, addressOf(gateway), 0);
    assert.is(Math.floor((found - 1) / each), gateway, `found row ${found}`);
    assert.is(index.rowsTo(3, octetsOf(addressOf(gateway))).length, each);
    if (words[(found << ROW_SHIFT) + ROW_NEXT] !== 0) shared++;
  }
  // One in 2^20 pairs shares a chain; without any, this would show nothing.
  assert.ok(shared > 0 && shared < 100, `${shared} gateways stand before another one`);
  assert.is(index.find(3, addressOf(gateways), 0), 0, 'a stranger');
  assert.is(index.find(4, addressOf(0), 0), 0, 'of another instance');
});

test('each of 8,000 gateways of two instances has its turn, about 16 at a time', () => {
  const gateways = 8_000;
  const { index, write } = indexOver(gateways * 2);
  for (let row = 1; row <= gateways * 2; row++) {
    write(row, row % gateways);
    index.add(row, row % 2);
  }
  const seen = new Set<number>();
  let from = 0;
  do {
    const { rows, next } = index.some(from, 16);
    assert.ok(rows.length > 0 && rows.length < 30, `${rows.length} at once`);
    for (const row of rows) seen.add(row % gateways);
    from = next;
  } while (from !== 0);
  assert.is(seen.size, gateways);
});

test('after the last gateway none follow, though their number is a multiple of what was asked for', () => {
  const { index, write } = indexOver(32);
  for (let row = 1; row <= 32; row++) {
    write(row, row);
    index.add(row, 0);
  }
  const all = index.some(0, 32);
  assert.equal([all.rows.length, all.next], [32, 0]);
});

test(`rows that come and go, in three instances, against sets (seed ${seed})`, () => {
  const rows = 20_000;
  const { index, write } = indexOver(rows);
  const next = random();
  const sets = new Map<string, Set<number>>();
  const gatewayOf = new Map<number, readonly [instance: number, gateway: number]>();
  for (let step = 0; step < 100_000; step++) {
    const row = 1 + (next() % rows);
    const known = gatewayOf.get(row);
    if (known) {
      const set = sets.get(known.join()) ?? new Set();
      set.delete(row);
      gatewayOf.delete(row);
      const other = index.remove(row);
      assert.is(other === 0, set.size === 0);
      assert.ok(other === 0 || set.has(other), `${other} stands for ${known.join()}`);
      assert.is(index.find(known[0], addressOf(known[1]), 0), other);
    } else {
      // Few gateways with many rows, and many with few.
      const [instance, gateway] = [next() % 3, next() % 2 === 0 ? next() % 10 : next() % 8_000] as const;
      write(row, gateway);
      index.add(row, instance);
      gatewayOf.set(row, [instance, gateway]);
      const key = [instance, gateway].join();
      sets.set(key, (sets.get(key) ?? new Set()).add(row));
    }
  }
  assert.ok(gatewayOf.size > rows / 4, `${gatewayOf.size} rows`);
  for (const instance of [0, 1, 2]) {
    const wanted = [...sets].filter(([key, set]) => key.startsWith(`${instance},`) && set.size > 0);
    assert.is(index.count(instance), wanted.length);
    const listed = new Map([...index.gateways(instance)].map((found) => [gatewayOf.get(found[0] ?? 0)?.join(), found]));
    assert.is(listed.size, wanted.length);
    for (const [key, set] of wanted) assert.equal(listed.get(key)?.toSorted(), [...set].toSorted(), key);
  }
});

test.run();
