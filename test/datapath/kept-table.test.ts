import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { formatIpv4, ipv4Mask, parseIpv4 } from '../../src/address.ts';
import { Follower } from '../../src/datapath/follower.ts';
import type { Forwarding } from '../../src/datapath/forwarding.ts';
import type { KeptWhen } from '../../src/datapath/kept-table.ts';
import { KeptTable, programDigest } from '../../src/datapath/kept-table.ts';
import { ROW_SHIFT, SOFTWIRE_MASK } from '../../src/datapath/layout.ts';
import { isShared, portSetRow } from '../../src/datapath/port-sets.ts';
import { Checksum, IMAGE_FORMAT } from '../../src/datapath/table-image.ts';
import type { Binding } from '../../src/state/binding.generated.ts';
import { learnedTable } from '../../src/state/learned/tables.ts';
import { AFTR, binding } from '../helpers/engine-case.ts';
import { MemoryStore } from '../helpers/memory-store.ts';
import { random } from '../helpers/random.ts';

const test = suite('kept-table');

const OTHER = { name: 'br2', 'ipv6-address': '2001:db8:c::1', 'ipv4-pool': ['203.0.113.0/24'] };
const SHARED = {
  ...{ 'ipv4-address': '192.0.2.77', 'psid-offset': 6, 'psid-length': 1 },
  'port-set': [{ psid: 0, 'b4-ipv6-address': '2001:db8:a::77' }],
};
const FIRST = parseIpv4('192.0.0.0') ?? 0;
const ADDRESSES = 2_048;

const dir = mkdtempSync(join(tmpdir(), 'kept-table-'));
const PATH = join(dir, 'table.image');
test.after(() => rmSync(dir, { recursive: true }));
test.before.each(() => rmSync(PATH, { force: true }));

/** Of a datapath that starts. */
async function start(store: MemoryStore): Promise<{ follower: Follower; aftr: Forwarding; readings: number }> {
  const follower = new Follower(store, 1, 'small', undefined, new KeptTable(PATH, 1));
  const before = store.readings;
  await follower.follow();
  await follower.summed;
  const aftr = follower.forwarding('aftr');
  assert.ok(aftr);
  return { follower, aftr, readings: store.readings - before };
}

/** Of one AFTR in a half of the addresses: a prefix is of one AFTR only. */
function rowsOf(next: () => number, count: number, half = 0): Binding[] {
  return Array.from({ length: count }, () => {
    const length = 22 + (next() % 11);
    const address = ((FIRST + half * (ADDRESSES / 2) + (next() % (ADDRESSES / 2))) & ipv4Mask(length)) >>> 0;
    return binding([`${formatIpv4(address)}/${length}`, `2001:db8:a::${(1 + (next() % 90)).toString(16)}`]);
  }).filter(({ address, length }) => length < 32 || address !== parseIpv4('192.0.2.77'));
}

function filled(): MemoryStore {
  const store = new MemoryStore();
  const next = random();
  store.commit({
    softwire: { aftr: [{ ...AFTR, 'binding-table': { 'shared-address': [SHARED] } }, OTHER] },
    put: rowsOf(next, 300),
  });
  store.commit({ put: rowsOf(next, 50), gone: rowsOf(random(), 40) });
  return store;
}

/** Where all addresses lead, to which port sets the shared one, and what each gateway has: as text. */
function meaningOf({ table }: Forwarding): string {
  const rowText = (row: number) => {
    const softwire = (table.rows[(row << ROW_SHIFT) + 4] ?? 0) & SOFTWIRE_MASK;
    return row === 0 ? '-' : `${Buffer.from(table.remoteAt(row)).toString('hex')} ${softwire}`;
  };
  const lines: string[] = [];
  for (let offset = 0; offset < ADDRESSES; offset++) {
    const row = table.lookup(FIRST + offset);
    const rows = isShared(table, row) ? [1_024, 40_000, 65_535].map((port) => portSetRow(table, row, port)) : [row];
    lines.push(rows.map(rowText).join());
  }
  return lines.join('\n');
}

function gatewaysOf(aftr: Forwarding): string {
  const gateways = aftr.aftrSoftwires().map(({ name, softwires }) => {
    return [name, ...softwires.map(({ remote, bindings }) => `${remote} ${bindings}`).sort()].join();
  });
  return gateways.join('\n');
}

/** Both tables lead alike, count alike, and say the same of their gateways. */
function assertSame(found: Forwarding, expected: Forwarding): void {
  assert.is(meaningOf(found), meaningOf(expected));
  assert.is(gatewaysOf(found), gatewaysOf(expected));
  assert.equal([found.bindings, found.refused], [expected.bindings, expected.refused]);
}

/** A store of 340 rows or so whose table was kept. */
async function kept(): Promise<MemoryStore> {
  const store = filled();
  const { follower } = await start(store);
  follower.keep();
  return store;
}

/** One that never heard of an image. */
async function fresh(store: MemoryStore): Promise<Forwarding> {
  const follower = new Follower(store, 1, 'small');
  await follower.follow();
  const aftr = follower.forwarding('aftr');
  assert.ok(aftr);
  return aftr;
}

test('a kept table is taken without reading a row, is what the rows make, and has their sum', async () => {
  const store = await kept();
  assert.is(statSync(PATH).mode & 0o777, 0o600);
  const { follower, aftr, readings } = await start(store);
  assert.is(readings, 0);
  assertSame(aftr, await fresh(store));
  assert.is(follower.contentHash, store.contentHash());
  assert.ok(isShared(aftr.table, aftr.table.lookup(parseIpv4('192.0.2.77') ?? 0)));
  const [gateway] = aftr.someGateways(0, 1).gateways;
  assert.is(gateway?.length, 16);
});

test('a table that was taken goes on as any other: rows come, change and go, and it is kept again', async () => {
  const store = await kept();
  const next = random();
  for (let round = 0; round < 4; round++) {
    const { follower, aftr, readings } = await start(store);
    assert.is(readings, 0, `round ${round}`);
    for (let commit = 0; commit < 20; commit++) {
      const half = next() % 2;
      const instance = half === 0 ? 'br' : 'br2';
      const put = rowsOf(next, 10, half);
      store.commit({ instance, put });
      if (commit % 3 === 0) store.commit({ instance, gone: put });
      await follower.follow();
    }
    assertSame(aftr, await fresh(store));
    assert.is(follower.contentHash, store.contentHash());
    follower.keep();
  }
});

test('statistics of bindings begin anew with a start', async () => {
  const store = new MemoryStore();
  store.commit({ softwire: { aftr: [AFTR] }, put: [binding(['192.0.2.1/32', '2001:db8:a::1'])] });
  const before = await start(store);
  before.follower.keep();
  const began = Date.now();
  const { aftr, readings } = await start(store);
  assert.is(readings, 0);
  const counters = aftr.bindingCounters('br', parseIpv4('192.0.2.1') ?? 0, 32);
  assert.is(counters?.encapsulatedPackets, 0);
  assert.ok((counters?.sinceMs ?? 0) >= began - 200, `${counters?.sinceMs} is before ${began}`);
});

const CHANGES: Readonly<Record<string, (store: MemoryStore) => void>> = {
  'a tunnel address changed': (store) =>
    store.commit({ softwire: { aftr: [{ ...AFTR, 'ipv6-address': '2001:db8:b::9' }, OTHER] } }),
  'an AFTR came before the others': (store) =>
    store.commit({ softwire: { aftr: [{ ...OTHER, name: 'a', 'ipv6-address': '2001:db8:d::1' }, AFTR, OTHER] } }),
  'more than is on record changed': (store) => {
    store.commit({ put: [binding(['192.0.2.200/32', '2001:db8:a::99'])] });
    store.forgotten = 99;
  },
  'a record was damaged': (store) => {
    store.commit({ put: [binding(['192.0.2.200/32', '2001:db8:a::99'])] });
    store.damaged = 'records';
  },
};
for (const [name, change] of Object.entries(CHANGES)) {
  test(`${name} since: the rows are read, and the image is removed`, async () => {
    const store = await kept();
    change(store);
    const { follower, aftr, readings } = await start(store);
    assert.ok(readings > 0);
    assertSame(aftr, await fresh(store));
    assert.is(follower.contentHash, store.contentHash());
    assert.not.ok(existsSync(PATH));
  });
}

test('behind a crash what changed since the image is all that is read, again and again from the same image', async () => {
  const store = await kept();
  const next = random();
  for (let crash = 0; crash < 5; crash++) {
    for (let commit = 0; commit < next() % 6; commit++) {
      const half = next() % 2;
      const instance = half === 0 ? 'br' : 'br2';
      store.commit({ instance, put: rowsOf(next, 30, half) });
      store.commit({ instance, gone: rowsOf(next, 30, half) });
    }
    const { follower, aftr, readings } = await start(store);
    assert.is(readings, 0, `crash ${crash}`);
    assertSame(aftr, await fresh(store));
    assert.is(follower.contentHash, store.contentHash());
    assert.is(follower.damage, '');
    store.commit({ put: [binding(['192.0.2.200/32', `2001:db8:a::${crash + 1}`])] });
    await follower.follow();
    assertSame(aftr, await fresh(store));
  }
});

test('other leaves of the configuration changed since, and a shared address came: what the table holds is taken', async () => {
  const store = await kept();
  const shared = { ...SHARED, 'ipv4-address': '192.0.7.77' };
  const table = { 'shared-address': [SHARED, shared] };
  store.commit({ softwire: { aftr: [{ ...AFTR, 'hop-limit': 99, 'binding-table': table }, OTHER] } });
  const { aftr, readings } = await start(store);
  assert.is(readings, 0);
  assertSame(aftr, await fresh(store));
});

test('an AFTR was disabled when the table was kept: its rows are read', async () => {
  const store = filled();
  store.commit({ instance: 'br2', put: rowsOf(random(), 30, 1) });
  const table = { 'shared-address': [SHARED] };
  store.commit({
    softwire: {
      aftr: [
        { ...AFTR, 'binding-table': table },
        { ...OTHER, enabled: false },
      ],
    },
  });
  (await start(store)).follower.keep();
  store.commit({ softwire: { aftr: [{ ...AFTR, 'binding-table': table }, OTHER] } });
  const { aftr, readings } = await start(store);
  assert.ok(readings > 0);
  assertSame(aftr, await fresh(store));
});

test('routes that a source told of came, went and became static since', async () => {
  const store = filled();
  const next = random();
  const learned = learnedTable('br');
  // A prefix is of one gateway in both tables, or the route would have been refused.
  const routes = (count: number) =>
    rowsOf(next, count, 1).map((row) => ({
      ...row,
      gatewayIpv6Address: Uint8Array.of(...row.gatewayIpv6Address.subarray(0, 15), (row.address ^ row.length) & 255),
    }));
  store.commit({ instance: learned, put: routes(40) });
  (await start(store)).follower.keep();
  for (let commit = 0; commit < 8; commit++) {
    const put = routes(20);
    store.commit({ instance: learned, put });
    store.commit({ instance: learned, gone: routes(20) });
    if (commit % 2 === 1) continue;
    store.commit({ put: put.slice(0, 5) });
    store.commit({ instance: learned, gone: put.slice(0, 5) });
  }
  const { follower, aftr, readings } = await start(store);
  assert.is(readings, 0);
  assertSame(aftr, await fresh(store));
  assert.is(follower.contentHash, store.contentHash());
});

test('an end that comes while a table is kept in calm is not held up by it', async () => {
  const follower = await startCalm(unshared());
  const ending = new AbortController();
  const keeping = follower.keepInCalm(ending.signal);
  ending.abort();
  assert.is(await keeping, false);
  follower.keep();
  assert.ok(existsSync(PATH));
});

test('an address became a shared one since, and a shared one a binding', async () => {
  const store = filled();
  const whole = binding(['192.0.2.78/32', '2001:db8:a::99']);
  store.commit({ put: [whole] });
  (await start(store)).follower.keep();
  const shared = { ...SHARED, 'ipv4-address': '192.0.2.78' };
  store.commit({
    softwire: { aftr: [{ ...AFTR, 'binding-table': { 'shared-address': [shared] } }, OTHER] },
    put: [binding(['192.0.2.77/32', '2001:db8:a::99'])],
    gone: [whole],
  });
  const { aftr, readings } = await start(store);
  assert.is(readings, 0);
  assertSame(aftr, await fresh(store));
  const isSharedAddress = (text: string) => isShared(aftr.table, aftr.table.lookup(parseIpv4(text) ?? 0));
  assert.equal(['192.0.2.77', '192.0.2.78'].map(isSharedAddress), [false, true]);
});

test('another store had other rows in the version of the image: its rows are read', async () => {
  const [store, other] = [new MemoryStore(), new MemoryStore()];
  store.commit({ softwire: { aftr: [AFTR] }, put: rowsOf(random(), 100) });
  other.commit({ softwire: { aftr: [AFTR] }, put: [binding(['192.0.2.1/32', '2001:db8:a::1'])] });
  other.commit({ put: [binding(['192.0.2.2/32', '2001:db8:a::1'])] });
  (await start(store)).follower.keep();
  const { aftr, readings } = await start(other);
  assert.ok(readings > 0);
  assertSame(aftr, await fresh(other));
});

/** A datapath that keeps its table as soon as nothing changes, but for what is said otherwise. */
async function startCalm(store: MemoryStore, when: Partial<KeptWhen> = {}, fewest = 1): Promise<Follower> {
  const table = new KeptTable(PATH, fewest, { calmMs: 0, againMs: 0, missingRows: 0, restMs: 0, ...when });
  const follower = new Follower(store, 1, 'small', undefined, table);
  await follower.follow();
  await follower.summed;
  return follower;
}

function unshared(): MemoryStore {
  const store = new MemoryStore();
  store.commit({ softwire: { aftr: [AFTR, OTHER] }, put: rowsOf(random(), 300) });
  return store;
}

/** As many rows as `count` or a few less, none of which was there like that. */
function others(count: number): Binding[] {
  const other = binding(['192.0.2.1/32', '2001:db8:a::ffff']).gatewayIpv6Address;
  return rowsOf(random(), count).map((row) => ({ ...row, gatewayIpv6Address: other }));
}

test('a table in use is kept once it is calm, as often as it changes by more than an image may lack', async () => {
  const store = unshared();
  const follower = await startCalm(store, { missingRows: 3 });
  assert.is(await follower.keepInCalm(), true);
  assert.is(await follower.keepInCalm(), false, 'nothing changed');
  store.commit({
    put: ['192.0.2.1/32', '192.0.2.2/32', '192.0.2.3/32'].map((prefix) => binding([prefix, '2001:db8:a::99'])),
  });
  await follower.follow();
  assert.is(await follower.keepInCalm(), false, 'three rows');
  store.commit({ put: [binding(['192.0.2.4/32', '2001:db8:a::99'])] });
  await follower.follow();
  const before = readFileSync(PATH);
  assert.is(await follower.keepInCalm(), true, 'four rows');
  assert.not.equal(readFileSync(PATH), before);
  const { aftr, readings } = await start(store);
  assert.is(readings, 0);
  assertSame(aftr, await fresh(store));
});

test('a table that was kept while it was in use goes on as if it had not been', async () => {
  const store = unshared();
  const follower = await startCalm(store);
  const next = random();
  for (let round = 0; round < 10; round++) {
    assert.is(await follower.keepInCalm(), true);
    store.commit({ put: rowsOf(next, 40), gone: rowsOf(next, 40) });
    await follower.follow();
    const crashed = await start(store);
    assert.is(crashed.readings, 0);
    assertSame(crashed.aftr, await fresh(store));
    assertSame(follower.forwarding('aftr') as Forwarding, await fresh(store));
  }
});

test('rows that change while a table is kept leave the image that was there', async () => {
  const store = unshared();
  const follower = await startCalm(store);
  assert.is(await follower.keepInCalm(), true);
  store.commit({ put: others(40) });
  await follower.follow();
  const before = readFileSync(PATH);
  const keeping = follower.keepInCalm();
  store.commit({ put: [binding(['192.0.2.4/32', '2001:db8:a::99'])] });
  await follower.follow();
  assert.is(await keeping, false);
  assert.equal(readFileSync(PATH), before);
  assert.not.ok(existsSync(`${PATH}.new`));
  const { aftr, readings } = await start(store);
  assert.is(readings, 0);
  assertSame(aftr, await fresh(store));
});

test('a table that an image would not make the same is not kept in calm: shared addresses, few rows, damage', async () => {
  assert.is(await (await startCalm(filled())).keepInCalm(), false, 'shared addresses');
  assert.is(await (await startCalm(unshared(), {}, 1_000)).keepInCalm(), false, 'few rows');
  const hurt = unshared();
  const follower = await startCalm(hurt);
  hurt.commit({ put: [binding(['192.0.2.1/32', '2001:db8:a::1'])] });
  hurt.damaged = 'records';
  await follower.follow();
  assert.is(await follower.keepInCalm(), false, 'damage');
  assert.not.ok(existsSync(PATH));
});

test('a table in use is not kept right behind a change, nor soon again', async () => {
  const store = unshared();
  assert.is(await (await startCalm(store, { calmMs: 60_000 })).keepInCalm(), false, 'just changed');
  const seldom = await startCalm(store, { againMs: 60_000 });
  assert.is(await seldom.keepInCalm(), true);
  store.commit({ put: others(40) });
  await seldom.follow();
  assert.is(await seldom.keepInCalm(), false, 'just kept');
});

test('a disk that takes no image: it is told, and the one that was there stays', async () => {
  const store = unshared();
  const follower = await startCalm(store);
  assert.is(await follower.keepInCalm(), true);
  store.commit({ put: others(40) });
  await follower.follow();
  mkdirSync(join(`${PATH}.new`, 'in the way'), { recursive: true });
  try {
    let told: unknown;
    await follower.keepInCalm().catch((error: unknown) => {
      told = error;
    });
    assert.instance(told, Error);
  } finally {
    rmSync(`${PATH}.new`, { recursive: true });
  }
  const { aftr, readings } = await start(store);
  assert.is(readings, 0);
  assertSame(aftr, await fresh(store));
});

test('another store with the same version and rows, but other tunnel addresses: the rows are read', async () => {
  const [store, other] = [new MemoryStore(), new MemoryStore()];
  const put = rowsOf(random(), 100);
  store.commit({ softwire: { aftr: [AFTR] }, put });
  other.commit({ softwire: { aftr: [{ ...AFTR, 'ipv6-address': '2001:db8:b::9' }] }, put });
  (await start(store)).follower.keep();
  const { aftr, readings } = await start(other);
  assert.ok(readings > 0);
  assertSame(aftr, await fresh(other));
});

/** Words of the preface. */
const [MAGIC_AT, FORMAT_AT, HEAD_OCTETS_AT] = [0, 4, 8];
type Spoil = (octets: Buffer) => Buffer;
const SPOILT: Readonly<Record<string, Spoil>> = {
  empty: () => Buffer.alloc(0),
  'cut in its preface': (octets) => octets.subarray(0, 7),
  'cut in its head': (octets) => octets.subarray(0, 60),
  'cut in its memory': (octets) => octets.subarray(0, octets.length >> 1),
  'cut by its last octet': (octets) => octets.subarray(0, -1),
  'longer than it was': (octets) => Buffer.concat([octets, Buffer.alloc(1)]),
  'full of zeros behind its head': (octets) => octets.fill(0, 16 + octets.readUInt32LE(HEAD_OCTETS_AT)),
  'full of zeros': (octets) => octets.fill(0),
  'of another format': (octets) => {
    octets.writeUInt32LE(IMAGE_FORMAT + 1, FORMAT_AT);
    return octets;
  },
  'of the other octet order': (octets) => {
    octets.subarray(MAGIC_AT, MAGIC_AT + 4).reverse();
    return octets;
  },
  'with a head that says it is larger than any': (octets) => {
    octets.writeUInt32LE(0x7fffffff, HEAD_OCTETS_AT);
    return octets;
  },
  'of another program': (octets) => {
    const digest = programDigest();
    octets.write('0'.repeat(digest.length), octets.indexOf(digest));
    const body = octets.subarray(0, -16);
    const checksum = new Checksum();
    checksum.add(body);
    return Buffer.concat([body, checksum.end()]);
  },
  'with a piece beyond its area': (octets) => {
    octets.write('9', octets.indexOf(',', octets.indexOf('"pieces":[[')) + 1);
    return octets;
  },
};
for (const [name, spoil] of Object.entries(SPOILT)) {
  test(`an image that is ${name}: the rows are read`, async () => {
    const store = await kept();
    writeFileSync(PATH, spoil(readFileSync(PATH)));
    const { follower, aftr, readings } = await start(store);
    assert.ok(readings > 0);
    assertSame(aftr, await fresh(store));
    assert.is(follower.contentHash, store.contentHash());
  });
}

test('one octet of it is another: the rows are read, and nothing of it is left in the table', async () => {
  const store = await kept();
  const octets = readFileSync(PATH);
  const next = random();
  for (let round = 0; round < 12; round++) {
    const at = round < 5 ? octets.length - 1 - round : next() % octets.length;
    const spoilt = Buffer.from(octets);
    spoilt.writeUInt8((octets.readUInt8(at) ^ (1 << (next() % 8))) & 255, at);
    writeFileSync(PATH, spoilt);
    const { follower, aftr, readings } = await start(store);
    assert.ok(readings > 0, `octet ${at}`);
    assertSame(aftr, await fresh(store));
    assert.is(follower.contentHash, store.contentHash());
  }
});

test('an image that is cut after it was opened: the rows are read, and nothing of it is left in the table', async () => {
  const store = await kept();
  const follower = new Follower(store, 1, 'small', undefined, new KeptTable(PATH, 1));
  const { readings } = store;
  truncateSync(PATH, statSync(PATH).size >> 1);
  await follower.follow();
  await follower.summed;
  assert.ok(store.readings > readings);
  assertSame(follower.forwarding('aftr') as Forwarding, await fresh(store));
});

test('an image that the file system takes no more of: it is told, and none is left', async () => {
  const store = await kept();
  const { follower } = await start(store);
  rmSync(PATH);
  const blocked = new KeptTable(join(PATH, 'below'), 1);
  writeFileSync(PATH, 'no folder');
  assert.throws(() => blocked.keep(follower.forwarding('aftr') as Forwarding, { version: 1, contentHash: '' }));
});

test('what would not be the same after a start is not kept: few rows, damage, a sum that parted', async () => {
  const store = await kept();
  const few = new Follower(store, 1, 'small', undefined, new KeptTable(PATH, 1_000));
  await few.follow();
  await few.summed;
  few.keep();
  assert.not.ok(existsSync(PATH), 'few rows');
  for (const damaged of ['records', 'rows'] as const) {
    const hurt = await kept();
    const { follower } = await start(hurt);
    hurt.forgotten = damaged === 'rows' ? 99 : 0;
    hurt.commit({ put: [binding(['192.0.2.1/32', '2001:db8:a::1'])] });
    hurt.damaged = damaged;
    await follower.follow();
    await follower.summed;
    follower.keep();
    assert.not.ok(existsSync(PATH), damaged);
  }
});

test('an image that was written beside and not moved is none', async () => {
  const store = await kept();
  writeFileSync(`${PATH}.new`, readFileSync(PATH));
  rmSync(PATH);
  const { follower, readings } = await start(store);
  assert.ok(readings > 0);
  follower.keep();
  assert.not.ok(existsSync(`${PATH}.new`));
  truncateSync(PATH, 10);
  assert.ok((await start(store)).readings > 0);
});

test.run();
