import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { ipv4Mask } from '../../src/address.ts';
import { Epochs } from '../../src/datapath/epochs.ts';
import { ROW_SHIFT } from '../../src/datapath/layout.ts';
import { allocateShared } from '../../src/datapath/memory.ts';
import { Table, TableReader } from '../../src/datapath/table.ts';
import { random, seed } from '../helpers/random.ts';

const test = suite('table');

const WORKER = 0;

function newTable(capacity = 70_000): { table: Table; epochs: Epochs } {
  const epochs = new Epochs(1);
  return { table: new Table(capacity, epochs, allocateShared), epochs };
}

/** A target whose remote address says which one it is. */
function target(id: number): { remote: Uint8Array; softwire: number } {
  const remote = new Uint8Array(16);
  new DataView(remote.buffer).setUint32(12, id);
  return { remote, softwire: 1 };
}

/** The id of the target an address leads to; 0 for none. */
function idAt(table: TableReader, address: number): number {
  const row = table.lookup(address);
  return row === 0 ? 0 : new DataView(table.rows.buffer).getUint32((row << ROW_SHIFT) * 4 + 12);
}

/** The naive twin: every prefix in a map, longest first. */
class Twin {
  readonly #prefixes = new Map<string, number>();

  put(prefix: number, length: number, id: number): void {
    this.#prefixes.set(`${prefix}/${length}`, id);
  }

  remove(prefix: number, length: number): boolean {
    return this.#prefixes.delete(`${prefix}/${length}`);
  }

  idAt(address: number): number {
    for (let length = 32; length > 0; length--) {
      const id = this.#prefixes.get(`${(address & ipv4Mask(length)) >>> 0}/${length}`);
      if (id !== undefined) return id;
    }
    return 0;
  }
}

for (const length of [1, 8, 15, 16, 23, 24, 25, 27, 28, 29, 31, 32]) {
  test(`a prefix of length ${length} answers for its first and last address and for no other`, () => {
    const { table } = newTable(10);
    const first = (0xc0_00_02_00 & ipv4Mask(length)) >>> 0;
    const last = first + 2 ** (32 - length) - 1;
    assert.ok(table.put(first, length, target(7)));
    assert.equal([idAt(table, first), idAt(table, last)], [7, 7]);
    assert.is(idAt(table, first - 1), 0);
    if (last < 0xffffffff) assert.is(idAt(table, last + 1), 0);
    assert.ok(table.remove(first, length));
    assert.equal([idAt(table, first), idAt(table, last), table.size], [0, 0, 0]);
    assert.not.ok(table.remove(first, length));
  });
}

test('removing a prefix gives its addresses back to the covering one', () => {
  const { table } = newTable(10);
  const at = 0xc6_33_64_00;
  for (const [length, id] of [
    [16, 1],
    [24, 2],
    [26, 3],
    [32, 4],
  ] as const) {
    table.put((at & ipv4Mask(length)) >>> 0, length, target(id));
  }
  assert.is(idAt(table, at), 4);
  table.remove(at, 26);
  assert.equal([idAt(table, at), idAt(table, at + 1)], [4, 2]);
  table.remove(at, 32);
  assert.is(idAt(table, at), 2);
  table.remove(at, 24);
  assert.is(idAt(table, at), 1);
});

test('replacing a prefix changes where all of it leads, and nothing inside it', () => {
  const { table } = newTable(10);
  table.put(0x0a_00_00_00, 20, target(1));
  table.put(0x0a_00_00_05, 32, target(2));
  table.put(0x0a_00_00_00, 20, target(3));
  assert.is(table.size, 2);
  assert.equal([idAt(table, 0x0a_00_00_04), idAt(table, 0x0a_00_00_05), idAt(table, 0x0a_00_0f_ff)], [3, 2, 3]);
});

test('a full table takes no more prefixes but still replaces', () => {
  const { table } = newTable(2);
  assert.ok(table.put(0x0a_00_00_01, 32, target(1)));
  assert.ok(table.put(0x0a_00_00_02, 32, target(2)));
  assert.not.ok(table.put(0x0a_00_00_03, 32, target(3)));
  assert.is(idAt(table, 0x0a_00_00_03), 0);
  assert.ok(table.put(0x0a_00_00_02, 32, target(4)));
  assert.is(idAt(table, 0x0a_00_00_02), 4);
});

for (const length of [0, 33]) {
  test(`length ${length} is refused`, () =>
    assert.throws(() => newTable(2).table.put(0, length, target(1)), RangeError));
}

test(`random puts and removes answer as the naive twin (seed ${seed})`, () => {
  const next = random();
  const { table } = newTable();
  const reader = new TableReader(table.memory);
  const twin = new Twin();
  const address = (): number => (0x0a_00_00_00 | (next() & 0x0003_0fff)) >>> 0;
  for (let step = 1; step <= 60_000; step++) {
    const length = 12 + (next() % 21);
    const prefix = (address() & ipv4Mask(length)) >>> 0;
    if (next() % 5 < 3) {
      assert.ok(table.put(prefix, length, target(step)));
      twin.put(prefix, length, step);
    } else assert.is(table.remove(prefix, length), twin.remove(prefix, length));
    for (let probe = 0; probe < 4; probe++) {
      const probed = address();
      assert.is(idAt(reader, probed), twin.idAt(probed), `address ${probed.toString(16)} after step ${step}`);
    }
  }
});

test(`changes that were prepared are seen when they are shown, and end where one by one they would (seed ${seed})`, () => {
  const next = random();
  const { table } = newTable();
  const twin = new Twin();
  const address = (): number => (0x0a_00_00_00 | (next() & 0x0003_0fff)) >>> 0;
  const probe = (when: string) => {
    for (let i = 0; i < 64; i++) {
      const probed = address();
      assert.is(idAt(table, probed), twin.idAt(probed), `address ${probed.toString(16)} ${when}`);
    }
  };
  for (let commit = 1; commit <= 1_000; commit++) {
    const prefixes = new Map<string, readonly [prefix: number, length: number]>();
    for (let row = 0; row < 60; row++) {
      const length = 12 + (next() % 21);
      const prefix = (address() & ipv4Mask(length)) >>> 0;
      prefixes.set(`${prefix}/${length}`, [prefix, length]);
    }
    const rows = [...prefixes.values()];
    const removed = rows.filter(([prefix, length]) => table.find(prefix, length) !== 0 && next() % 2 === 0);
    const put = rows.filter((row) => !removed.includes(row));
    const prepared = put.map(([prefix, length], i) =>
      table.preparePut(table.find(prefix, length), prefix, length, target(commit * 100 + i)),
    );
    const changes = [
      ...prepared.flatMap((change) => change ?? []),
      ...removed.map(([prefix, length]) => table.prepareRemoval(table.find(prefix, length), prefix, length)),
    ];
    assert.is(changes.length, rows.length);
    probe(`before commit ${commit} is shown`);
    const places = table.blockPlaces.used;
    for (const change of changes) table.show(change);
    assert.is(table.blockPlaces.used, places, 'it takes nothing');
    for (const [i, [prefix, length]] of put.entries()) twin.put(prefix, length, commit * 100 + i);
    for (const [prefix, length] of removed) assert.ok(twin.remove(prefix, length));
    probe(`after commit ${commit}`);
    for (const change of changes) table.complete(change);
  }
  assert.ok(table.size > 1_000, `${table.size} prefixes were met`);
  const left = [...table.rowsInUse()].map((row) => {
    const { address, length } = table.prefixOf(row);
    return table.prepareRemoval(row, address, length);
  });
  for (const change of left) table.show(change);
  for (const change of left) table.complete(change);
  assert.is(table.size, 0);
  assert.ok(
    table.first.subarray(0x0a_00_00, 0x0a_04_00).every((word) => word === 0),
    'neither a row nor a block is left',
  );
});

test('an emptied table gives all its blocks back', () => {
  const { table } = newTable();
  for (let i = 0; i < 5_000; i++) table.put(0x0a_00_00_00 + i * 7, 32, target(1));
  const most = table.blockOctets;
  for (let round = 0; round < 5; round++) {
    for (let i = 0; i < 5_000; i++) table.remove(0x0a_00_00_00 + i * 7, 32);
    assert.is(table.size, 0);
    for (let i = 0; i < 5_000; i++) table.put(0x0a_00_00_00 + i * 7, 32, target(1));
  }
  assert.ok(table.blockOctets <= 2 * most, `${table.blockOctets} octets of blocks after ${most}`);
});

test('a row that was replaced keeps its content until the worker passes a batch boundary', () => {
  const { table, epochs } = newTable(4);
  table.put(0x0a_00_00_01, 32, target(1));
  epochs.enter(WORKER);
  const held = table.lookup(0x0a_00_00_01);
  const content = () => new DataView(table.rows.buffer).getUint32((held << ROW_SHIFT) * 4 + 12);
  for (let id = 2; id < 5_000; id++) table.put(0x0a_00_00_01, 32, target(id));
  assert.is(content(), 1);
  epochs.leave(WORKER);
  for (let id = 5_000; id < 10_000; id++) table.put(0x0a_00_00_01, 32, target(id));
  assert.is.not(content(), 1);
  assert.is(idAt(table, 0x0a_00_00_01), 9_999);
});

const shapes = [
  ['4,096 consecutive /24s of /32s', (i: number) => 0x0a_00_00_00 + i],
  ['one /32 in each of a million /24s', (i: number) => ((i << 8) + (Math.imul(i, 2_654_435_761) >>> 24)) >>> 0],
] as const;
for (const [name, addressOf] of shapes) {
  test(`a million bindings, ${name}: the second level stays under 160 MiB`, () => {
    const { table } = newTable(1_100_000);
    for (let i = 0; i < 1_048_576; i++) table.put(addressOf(i), 32, target(i + 1));
    assert.ok(table.blockOctets < 160 * 2 ** 20, `${table.blockOctets}`);
    for (let i = 0; i < 1_048_576; i += 997) assert.is(idAt(table, addressOf(i)), i + 1);
  });
}

test.run();
