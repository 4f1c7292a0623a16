import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { Epochs } from '../../src/datapath/epochs.ts';
import { allocateShared } from '../../src/datapath/memory.ts';
import { isShared, portSetRow } from '../../src/datapath/port-sets.ts';
import { SharedAddresses } from '../../src/datapath/shared-addresses.ts';
import type { Target } from '../../src/datapath/table.ts';
import { Table } from '../../src/datapath/table.ts';
import { random, seed } from '../helpers/random.ts';

/** The tree of port sets against a map of every port. */
const test = suite('shared-addresses');

/** Every port in binary. */
const BITS = Array.from({ length: 65_536 }, (_, port) => port.toString(2).padStart(16, '0'));
const FIRST = 0xc0_00_02_00;

function target(n: number): Target {
  const remote = new Uint8Array(16);
  new DataView(remote.buffer).setUint32(12, n);
  return { remote, softwire: 1 + (n % 3) };
}

/** Which target a port of an address leads to; undefined for none. */
function lookUp(table: Table, address: number, port: number): number | undefined {
  const shared = table.lookup(address);
  if (shared === 0 || !isShared(table, shared)) return undefined;
  const row = portSetRow(table, shared, port);
  if (row === 0) return undefined;
  const n = new DataView(table.octets.buffer).getUint32(row * 32 + 12);
  assert.ok(table.leadsTo(row, target(n)), 'a row has remote and softwire of one target');
  return n;
}

interface Naive {
  readonly a: number;
  readonly k: number;
  readonly sets: Map<number, number>;
}

function naive(shared: Naive | undefined, port: number): number | undefined {
  if (!shared) return undefined;
  const bits = BITS[port] ?? '';
  if (shared.a > 0 && !bits.slice(0, shared.a).includes('1')) return undefined;
  return shared.sets.get(Number.parseInt(`0${bits.slice(shared.a, shared.a + shared.k)}`, 2));
}

function newTable(): { readonly table: Table; readonly shared: SharedAddresses } {
  const table = new Table(1_000, new Epochs(0), allocateShared);
  return { table, shared: new SharedAddresses(table) };
}

function put(shared: SharedAddresses, address: number, { a, k, sets }: Naive): boolean {
  const portSets = new Map([...sets].map(([psid, n]) => [psid, target(n)]));
  return shared.put({ address, psidOffset: a, psidLength: k, portSets });
}

for (const [a, k] of [
  [0, 0],
  [6, 0],
  [6, 1],
  [6, 8],
  [4, 12],
  [0, 16],
  [0, 5],
  [15, 1],
] as const) {
  test(`a = ${a}, k = ${k}: every port leads where its set does (seed ${seed}) (D111, D113)`, () => {
    const next = random();
    const { table, shared } = newTable();
    const sets = new Map<number, number>();
    for (let i = 0; i < 200; i++) sets.set(next() % 2 ** k, next() % 1_000);
    put(shared, FIRST, { a, k, sets });
    for (let port = 0; port < 65_536; port++) {
      const expected = naive({ a, k, sets }, port);
      if (lookUp(table, FIRST, port) !== expected) assert.is(lookUp(table, FIRST, port), expected, `port ${port}`);
    }
  });
}

test(`random changes are as those of a map, and leave nothing behind (seed ${seed})`, () => {
  const next = random();
  const { table, shared } = newTable();
  const addresses = new Map<number, Naive>();
  const checkAll = () => {
    for (let i = 0; i < 8; i++) {
      for (let tries = 0; tries < 40; tries++) {
        const port = next() % 65_536;
        assert.is(lookUp(table, FIRST + i, port), naive(addresses.get(FIRST + i), port), `address ${i}, port ${port}`);
      }
    }
  };
  for (let round = 0; round < 20_000; round++) {
    const address = FIRST + (next() % 8);
    const known = addresses.get(address);
    if (next() % 6 === 0) {
      addresses.delete(address);
      shared.remove(address);
    } else {
      const isOther = !known || next() % 8 === 0;
      const k = isOther ? next() % 17 : known.k;
      const a = isOther ? next() % Math.min(16, 17 - k) : known.a;
      const sets = new Map(isOther ? [] : known.sets);
      for (const psid of [...sets.keys()]) if (next() % 3 === 0) sets.delete(psid);
      for (let i = next() % 6; i > 0; i--) sets.set(next() % 2 ** k, next() % 1_000);
      addresses.set(address, { a, k, sets });
      assert.ok(put(shared, address, { a, k, sets }));
    }
    if (round % 200 === 0) checkAll();
  }
  checkAll();
  for (const address of addresses.keys()) shared.remove(address);
  assert.equal([table.size, shared.size, [...shared.rows()].length], [0, 0, 0]);
  // What waits for the workers is taken back at 1,024, and one change may leave many blocks: a leak of 20,000 changes would be far above that.
  for (const places of [table.rowPlaces, table.blockPlaces]) assert.ok(places.used < 2_048, `${places.used}`);
});

test('a binding takes the place of a shared address, and the other way round', () => {
  const { table, shared } = newTable();
  const sets = new Map([[1, 7]]);
  put(shared, FIRST, { a: 0, k: 4, sets });
  assert.ok(table.put(FIRST, 32, target(9)));
  assert.is(isShared(table, table.lookup(FIRST)), false);
  shared.remove(FIRST);
  assert.ok(table.leadsTo(table.lookup(FIRST), target(9)), 'the binding stays');
  put(shared, FIRST, { a: 0, k: 4, sets });
  assert.is(lookUp(table, FIRST, 0x1000), 7);
  assert.is(table.size, 1);
});

test('an address that a full table has no room for is not taken', () => {
  const table = new Table(1, new Epochs(0), allocateShared);
  const shared = new SharedAddresses(table);
  assert.ok(table.put(FIRST, 32, target(1)));
  assert.is(put(shared, FIRST + 1, { a: 0, k: 4, sets: new Map() }), false);
  assert.is(put(shared, FIRST, { a: 0, k: 4, sets: new Map() }), true);
});

test('a change of one port set leaves the rows of the others alone', () => {
  const { table, shared } = newTable();
  put(shared, FIRST, {
    a: 6,
    k: 8,
    sets: new Map([
      [1, 1],
      [2, 2],
    ]),
  });
  const rowOf = (port: number) => portSetRow(table, table.lookup(FIRST), port);
  const before = [rowOf(1024 + 4), rowOf(1024 + 8)];
  put(shared, FIRST, {
    a: 6,
    k: 8,
    sets: new Map([
      [1, 1],
      [2, 3],
    ]),
  });
  assert.is(rowOf(1024 + 4), before[0]);
  assert.is.not(rowOf(1024 + 8), before[1]);
  assert.is(lookUp(table, FIRST, 1024 + 8), 3);
});

test.run();
