import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { formatIpv4, ipv4Mask, parseIpv4 } from '../../src/address.ts';
import type { AftrSoftwires } from '../../src/control.ts';
import { Follower } from '../../src/datapath/follower.ts';
import { ROW_SHIFT, TRAFFIC_SHIFT } from '../../src/datapath/layout.ts';
import { isShared, portSetRow } from '../../src/datapath/port-sets.ts';
import { Softwires } from '../../src/datapath/softwires.ts';
import { learnedAftrTable, learnedTable, servedTable } from '../../src/state/learned/tables.ts';
import { DamageError } from '../../src/state/model-values.ts';
import { AFTR, binding, GATEWAY } from '../helpers/engine-case.ts';
import { MemoryStore } from '../helpers/memory-store.ts';
import { ipv6Address } from '../helpers/packets.ts';
import { random, seed } from '../helpers/random.ts';

const test = suite('follower');

const OTHER = { name: 'br2', 'ipv6-address': '2001:db8:c::1', 'ipv4-pool': ['192.0.2.0/24'] };

/** Where an address leads: remote and local IPv6 address as text, or `nothing`. */
function leadsTo(follower: Follower, role: 'gateway' | 'aftr', address: string): string {
  const forwarding = follower.forwarding(role);
  if (!forwarding) return 'nothing';
  const { table } = forwarding;
  const row = table.lookup(parseIpv4(address) ?? 0);
  const softwire = (table.rows[(row << ROW_SHIFT) + 4] ?? 0) & 0xffff;
  const softwires = new Softwires(forwarding.memory.engine.softwires);
  if (row === 0 || !softwires.isEnabled(softwire)) return 'nothing';
  const remote = Buffer.from(table.octets.subarray(row * 32, row * 32 + 16)).toString('hex');
  const local = Buffer.from(softwires.octets.subarray(softwire * 64 + 8, softwire * 64 + 24)).toString('hex');
  return `${remote} from ${local}`;
}

const path = (remote: string, local: string): string => `${ipv6Address(remote)} from ${ipv6Address(local)}`;

function newFollower(): { store: MemoryStore; follower: Follower } {
  const store = new MemoryStore();
  return { store, follower: new Follower(store, 1, 'small') };
}

test('rows and tree of the first version, and the hash of the store', async () => {
  const { store, follower } = newFollower();
  store.commit({
    softwire: { aftr: [AFTR], gateway: [GATEWAY] },
    put: [binding(['198.51.100.0/24', '2001:db8:a::1'])],
  });
  assert.ok(await follower.follow());
  assert.is(leadsTo(follower, 'aftr', '198.51.100.9'), path('2001:db8:a::1', '2001:db8:b::1'));
  assert.is(leadsTo(follower, 'gateway', '198.51.100.9'), path('2001:db8:b::1', '2001:db8:a::1'));
  assert.equal([follower.version, follower.contentHash], [1, store.contentHash()]);
  assert.not.ok(await follower.follow(), 'nothing new');
});

test('all rows read at once lead where they do row by row: nested, of two AFTRs, in any order, beside shared addresses', async () => {
  const next = random();
  const shared = { 'ipv4-address': '192.0.2.77', 'psid-offset': 6, 'psid-length': 1 };
  const portSet = [{ psid: 0, 'b4-ipv6-address': '2001:db8:a::77' }];
  const softwire = { aftr: [{ ...AFTR, 'shared-address': [{ ...shared, 'port-set': portSet }] }, OTHER] };
  const rows = Array.from({ length: 400 }, () => {
    const length = 16 + (next() % 17);
    const address = (((parseIpv4('192.0.0.0') ?? 0) + (next() % 1_024)) & ipv4Mask(length)) >>> 0;
    return binding([`${formatIpv4(address)}/${length}`, `2001:db8:a::${(1 + (next() % 200)).toString(16)}`]);
  });
  for (const isSorted of [true, false]) {
    const [atOnce, byRow] = [newFollower(), newFollower()];
    if (isSorted) rows.sort((a, b) => a.address - b.address || a.length - b.length);
    for (const { store } of [atOnce, byRow]) store.commit({ softwire });
    await byRow.follower.follow();
    for (const [index, row] of rows.entries()) {
      const instance = index < 200 ? 'br' : 'br2';
      atOnce.store.commit({ instance, put: [row] });
      byRow.store.commit({ instance, put: [row] });
      await byRow.follower.follow();
    }
    await atOnce.follower.follow();
    const tables = [atOnce, byRow].map(({ follower }) => follower.forwarding('aftr'));
    assert.is(tables[0]?.bindings, tables[1]?.bindings);
    for (let offset = 0; offset < 1_024; offset++) {
      const address = formatIpv4((parseIpv4('192.0.0.0') ?? 0) + offset);
      const [found, expected] = [atOnce, byRow].map(({ follower }) => leadsTo(follower, 'aftr', address));
      assert.is(found, expected, address);
    }
    const gateways = tables.map((forwarding) => JSON.stringify(forwarding?.aftrSoftwires().map(gatewaysOf)));
    assert.is(gateways[0], gateways[1]);
    await Promise.all([atOnce, byRow].map(({ follower }) => follower.summed));
    assert.is(atOnce.follower.contentHash, byRow.follower.contentHash);
  }
});

function gatewaysOf({ name, softwires }: AftrSoftwires): unknown {
  return [name, ...softwires.map(({ remote, bindings }) => `${remote} ${bindings}`).sort()];
}

for (const isTakenFirst of [false, true]) {
  test(`a prefix that moves to another AFTR stays, taken ${isTakenFirst ? 'first' : 'last'}`, async () => {
    const { store, follower } = newFollower();
    const moved = binding(['192.0.2.1/32', '2001:db8:a::1']);
    store.commit({ softwire: { aftr: [AFTR, OTHER] }, put: [moved] });
    await follower.follow();
    const steps = [
      () => store.commit({ instance: 'br2', put: [binding(['192.0.2.1/32', '2001:db8:a::2'])] }),
      () => store.commit({ gone: [moved] }),
    ];
    for (const step of isTakenFirst ? steps.reverse() : steps) step();
    await follower.follow();
    assert.is(leadsTo(follower, 'aftr', '192.0.2.1'), path('2001:db8:a::2', '2001:db8:c::1'));
    assert.is(follower.contentHash, store.contentHash());
  });
}

test('of 60,000 learned rows that go, others have their turns before the first is applied and while they are', async () => {
  const { store, follower } = newFollower();
  const all = Array.from({ length: 60_000 }, (_, index) => {
    return binding([`198.51.${index >> 8}.${index & 255}/32`, '2001:db8:a::1']);
  });
  store.commit({ softwire: { aftr: [{ ...AFTR, 'ipv4-pool': ['198.51.0.0/16'] }] } });
  store.commit({ instance: 'br learned', put: all });
  await follower.follow();
  await follower.summed;
  const table = follower.forwarding('aftr')?.table;
  const whole = table?.size ?? 0;
  assert.is(whole, all.length);
  store.commit({ instance: 'br learned', gone: all });
  const turns = { whole: 0, between: 0 };
  const count = () => {
    turns[table?.size === whole ? 'whole' : 'between']++;
    next = setImmediate(count);
  };
  let next = setImmediate(count);
  await follower.follow();
  clearImmediate(next);
  assert.ok(turns.whole > 2 && turns.between > 2, JSON.stringify(turns));
  assert.equal([table?.size, follower.contentHash], [0, store.contentHash()]);
});

for (const damaged of ['records', 'rows'] as const) {
  test(`damage in ${damaged}: what is forwarded by stays, it is told, and a newer version without it is taken`, async () => {
    const { store, follower } = newFollower();
    store.commit({ softwire: { aftr: [AFTR] }, put: [binding(['198.51.100.1/32', '2001:db8:a::1'])] });
    await follower.follow();
    store.damaged = damaged;
    store.commit({ put: [binding(['198.51.100.2/32', '2001:db8:a::2'])], bulk: true });
    for (const turn of [1, 2]) {
      assert.not.ok(await follower.follow(), `turn ${turn}`);
      assert.equal([follower.version, follower.damage], [1, damaged === 'rows' ? 'a row' : 'a record']);
      assert.is(leadsTo(follower, 'aftr', '198.51.100.1'), path('2001:db8:a::1', '2001:db8:b::1'));
    }
    store.damaged = 'nothing';
    assert.not.ok(await follower.follow(), 'the version is not tried again');
    assert.is(follower.version, 1);
    store.commit({ put: [binding(['198.51.100.3/32', '2001:db8:a::3'])] });
    await follower.follow();
    await follower.summed;
    assert.equal([follower.version, follower.damage, follower.contentHash], [3, '', store.contentHash()]);
    assert.is(leadsTo(follower, 'aftr', '198.51.100.3'), path('2001:db8:a::3', '2001:db8:b::1'));
  });
}

test('damage during a change of endpoints: the next version without it brings every row, and the hash', async () => {
  const { store, follower } = newFollower();
  const rows = [1, 2].map((i) => binding([`198.51.100.${i}/32`, '2001:db8:a::1']));
  store.commit({ softwire: { aftr: [AFTR] }, put: rows });
  await follower.follow();
  store.damaged = 'rows';
  store.commit({ softwire: { aftr: [{ ...AFTR, 'ipv6-address': '2001:db8:b::77' }] } });
  await follower.follow();
  assert.equal([follower.version, follower.damage], [1, 'a row']);
  store.damaged = 'nothing';
  store.commit({ put: [binding(['198.51.100.3/32', '2001:db8:a::3'])] });
  await follower.follow();
  await follower.summed;
  assert.equal([follower.version, follower.damage, follower.contentHash], [3, '', store.contentHash()]);
  for (const [i, gateway] of [1, 1, 3].entries()) {
    const expected = path(`2001:db8:a::${gateway}`, '2001:db8:b::77');
    assert.is(leadsTo(follower, 'aftr', `198.51.100.${i + 1}`), expected);
  }
});

for (const isWhole of [true, false]) {
  test(`rows that are all sound and not those of the content hash are damage, ${isWhole ? 'read anew' : 'followed'}`, async () => {
    const { store, follower } = newFollower();
    store.commit({ softwire: { aftr: [AFTR] }, put: [binding(['198.51.100.1/32', '2001:db8:a::1'])] });
    if (!isWhole) await follower.follow();
    const { contentHash } = store;
    store.contentHash = () => 'another';
    store.commit({ put: [binding(['198.51.100.2/32', '2001:db8:a::1'])] });
    await follower.follow();
    await follower.summed;
    assert.is(follower.damage, 'its content hash is not that of the rows it gave');
    store.contentHash = contentHash;
    store.commit({ put: [binding(['198.51.100.3/32', '2001:db8:a::1'])] });
    await follower.follow();
    await follower.summed;
    assert.equal([follower.damage, follower.contentHash], ['', store.contentHash()]);
  });
}

test('damage that is met in the first version is an error: there is nothing to forward by', async () => {
  const { store, follower } = newFollower();
  store.commit({ softwire: { aftr: [AFTR] }, put: [binding(['198.51.100.1/32', '2001:db8:a::1'])] });
  store.damaged = 'rows';
  const error = await follower.follow().catch((thrown: unknown) => thrown);
  assert.instance(error, DamageError);
});

test('damage that only the sum meets: the rows are forwarded by, and no sum is told', async () => {
  const { store, follower } = newFollower();
  // The first reading is for the tables, the second for the sum.
  store.damagedReading = 2;
  store.commit({ softwire: { aftr: [AFTR] }, put: [binding(['198.51.100.1/32', '2001:db8:a::1'])] });
  await follower.follow();
  await follower.summed;
  store.commit({ put: [binding(['198.51.100.2/32', '2001:db8:a::2'])] });
  await follower.follow();
  assert.equal([follower.version, follower.contentHash, follower.damage], [2, '', 'a row']);
  assert.is(leadsTo(follower, 'aftr', '198.51.100.2'), path('2001:db8:a::2', '2001:db8:b::1'));
});

test('a commit of rows is applied by its record', async () => {
  const { store, follower } = newFollower();
  store.commit({ softwire: { aftr: [AFTR] }, put: [binding(['198.51.100.1/32', '2001:db8:a::1'])] });
  await follower.follow();
  store.commit({
    put: [binding(['198.51.100.2/32', '2001:db8:a::2', '2001:db8:b::2'])],
    gone: [binding(['198.51.100.1/32', '2001:db8:a::1'])],
  });
  assert.not.ok(await follower.follow());
  assert.is(leadsTo(follower, 'aftr', '198.51.100.1'), 'nothing');
  assert.is(leadsTo(follower, 'aftr', '198.51.100.2'), path('2001:db8:a::2', '2001:db8:b::2'));
  assert.equal([follower.version, follower.contentHash], [2, store.contentHash()]);
});

for (const others of [0, 1_500]) {
  for (const isTakenFirst of [true, false]) {
    const order = isTakenFirst ? 'taken first' : 'put first';
    test(`a gateway whose binding moves, ${order}, with ${others} others goes on counting (D130)`, async () => {
      const { store, follower } = newFollower();
      const only = binding(['198.51.100.7/32', '2001:db8:a::1']);
      store.commit({ softwire: { aftr: [{ ...AFTR, 'binding-counters': true }] }, put: [only] });
      await follower.follow();
      const forwarding = follower.forwarding('aftr');
      const row = forwarding?.table.find(only.address, 32) ?? 0;
      forwarding?.memory.engine.statistics?.counters.low.set([5, 300], row << TRAFFIC_SHIFT);
      const put = Array.from({ length: others }, (_, i) => {
        return binding([`198.51.${101 + (i >> 8)}.${i & 255}/32`, '2001:db8:a::2']);
      });
      put.push(binding(['198.51.100.9/32', '2001:db8:a::1']));
      for (const change of isTakenFirst ? [{ gone: [only] }, { put }] : [{ put }, { gone: [only] }])
        store.commit(change);
      await follower.follow();
      const [{ softwires = [] } = {}] = forwarding?.aftrSoftwires(['2001:db8:a::1']) ?? [];
      const [{ bindings, counters } = { bindings: 0 }] = softwires;
      assert.equal([bindings, counters?.encapsulatedPackets, counters?.encapsulatedOctets], [1, 5, 300]);
    });
  }
}

for (const why of ['bulk', 'missing'] as const) {
  test(`${why} records: all rows are read anew, those that went are gone`, async () => {
    const { store, follower } = newFollower();
    const rows = [1, 2, 3].map((i) => binding([`198.51.100.${i}/32`, '2001:db8:a::1']));
    store.commit({ softwire: { aftr: [AFTR] }, put: rows });
    await follower.follow();
    store.commit({
      gone: rows.slice(0, 2),
      put: [binding(['198.51.100.9/32', '2001:db8:a::9'])],
      bulk: why === 'bulk',
    });
    if (why === 'missing') store.forgotten = 2;
    await follower.follow();
    assert.is(leadsTo(follower, 'aftr', '198.51.100.1'), 'nothing');
    assert.is(leadsTo(follower, 'aftr', '198.51.100.9'), path('2001:db8:a::9', '2001:db8:b::1'));
    assert.equal([follower.forwarding('aftr')?.table.size, follower.contentHash], [2, store.contentHash()]);
  });
}

test('rows of a commit are written before workers are held for it, and given back after', async () => {
  const { store, follower } = newFollower();
  const rows = (count: number, remote: string) =>
    Array.from({ length: count }, (_, i) => binding([`198.51.100.${i}/32`, remote]));
  store.commit({ softwire: { aftr: [AFTR] }, put: rows(100, '2001:db8:a::1') });
  await follower.follow();
  const forwarding = follower.forwarding('aftr');
  if (!forwarding?.table.watcher) throw new Error('nothing watches the rows');
  const { watcher } = forwarding.table;
  const seen: string[] = [];
  const note = (what: string) => {
    if (seen.at(-1) !== what) seen.push(what);
  };
  const [written, retired] = [watcher.written.bind(watcher), watcher.retired.bind(watcher)];
  watcher.written = (row) => {
    note('written');
    written(row);
  };
  watcher.retired = (row) => {
    note('retired');
    retired(row);
  };
  const hold = forwarding.hold.bind(forwarding);
  forwarding.hold = (body) => {
    note(leadsTo(follower, 'aftr', '198.51.100.1'));
    hold(body);
    note(leadsTo(follower, 'aftr', '198.51.100.1'));
  };
  store.commit({ put: rows(50, '2001:db8:a::2'), gone: rows(100, '2001:db8:a::1').slice(50) });
  await follower.follow();
  const [before, after] = ['2001:db8:a::1', '2001:db8:a::2'].map((remote) => path(remote, '2001:db8:b::1'));
  assert.equal(seen, ['written', before, after, 'retired']);
  assert.equal([forwarding.bindings, leadsTo(follower, 'aftr', '198.51.100.60')], [50, 'nothing']);
});

test('a row that cannot be prepared leaves those before it seen', async () => {
  const { store, follower } = newFollower();
  store.commit({ softwire: { aftr: [AFTR] }, put: [binding(['198.51.100.0/32', '2001:db8:a::1'])] });
  await follower.follow();
  const forwarding = follower.forwarding('aftr');
  if (!forwarding) throw new Error('there is no AFTR');
  let left = 2;
  const preparePut = forwarding.rows.preparePut.bind(forwarding.rows);
  forwarding.rows.preparePut = (row) => {
    if (left-- === 0) throw new Error('table: all places are taken');
    return preparePut(row);
  };
  store.commit({ put: [1, 2, 3].map((i) => binding([`198.51.100.${i}/32`, '2001:db8:a::1'])) });
  let error = '';
  await follower.follow().catch((thrown: Error) => {
    error = thrown.message;
  });
  assert.is(error, 'table: all places are taken');
  const found = [1, 2, 3].map((i) => leadsTo(follower, 'aftr', `198.51.100.${i}`) !== 'nothing');
  assert.equal(found, [true, true, false]);
  assert.is(forwarding.bindings, 3, 'as many as are seen');
});

test('a disabled AFTR leads nowhere, and comes back with all its rows', async () => {
  const { store, follower } = newFollower();
  const other = [binding(['192.0.2.1/32', '2001:db8:a::5'])];
  store.commit({ softwire: { aftr: [AFTR, OTHER] }, put: [binding(['198.51.100.1/32', '2001:db8:a::1'])] });
  store.commit({ instance: 'br2', put: other });
  await follower.follow();
  for (const enabled of [false, true, false, true]) {
    store.commit({ softwire: { aftr: [{ ...AFTR, enabled }, OTHER] } });
    await follower.follow();
    assert.is(leadsTo(follower, 'aftr', '198.51.100.1') !== 'nothing', enabled);
    assert.is(leadsTo(follower, 'aftr', '192.0.2.1'), path('2001:db8:a::5', '2001:db8:c::1'));
  }
});

test('rows of a disabled AFTR are kept by the store alone', async () => {
  const { store, follower } = newFollower();
  store.commit({ softwire: { aftr: [{ ...AFTR, enabled: false }] } });
  await follower.follow();
  store.commit({ put: [binding(['198.51.100.1/32', '2001:db8:a::1'])] });
  await follower.follow();
  assert.equal([leadsTo(follower, 'aftr', '198.51.100.1'), follower.contentHash], ['nothing', store.contentHash()]);
  store.commit({ softwire: { aftr: [AFTR] } });
  await follower.follow();
  assert.is(leadsTo(follower, 'aftr', '198.51.100.1'), path('2001:db8:a::1', '2001:db8:b::1'));
});

test('another tunnel address of the AFTR takes its rows along', async () => {
  const { store, follower } = newFollower();
  store.commit({ softwire: { aftr: [AFTR] }, put: [binding(['198.51.100.1/32', '2001:db8:a::1'])] });
  await follower.follow();
  store.commit({ softwire: { aftr: [{ ...AFTR, 'ipv6-address': '2001:db8:b::7' }] } });
  await follower.follow();
  assert.is(leadsTo(follower, 'aftr', '198.51.100.1'), path('2001:db8:a::1', '2001:db8:b::7'));
});

test('a gateway follows its served prefixes and its AFTR', async () => {
  const { store, follower } = newFollower();
  store.commit({ softwire: { gateway: [GATEWAY] } });
  await follower.follow();
  const changed = {
    ...GATEWAY,
    'aftr-ipv6-address': '2001:db8:b::9',
    'served-prefix': [{ 'ipv4-prefix': '192.0.2.0/24' }],
  };
  store.commit({ softwire: { gateway: [changed] } });
  await follower.follow();
  assert.is(leadsTo(follower, 'gateway', '198.51.100.1'), 'nothing');
  assert.is(leadsTo(follower, 'gateway', '192.0.2.255'), path('2001:db8:b::9', '2001:db8:a::1'));
  store.commit({ softwire: {} });
  await follower.follow();
  assert.is(leadsTo(follower, 'gateway', '192.0.2.255'), 'nothing');
  assert.equal(follower.forwarding('gateway')?.counters(), []);
});

test('a gateway that learns its AFTR: the row of its table is the far end, and what was learned counts for no other', async () => {
  const { store, follower } = newFollower();
  const { 'aftr-ipv6-address': _, ...unset } = GATEWAY;
  const learning = { ...unset, 'aftr-from-dhcpv6': 'wan' };
  const row = (remote: string) => ({ ...binding(['0.0.0.0/0', remote]), origin: 'learned' as const });
  const instance = learnedAftrTable(GATEWAY.name);
  const plan = () =>
    follower.forwarding('gateway')?.plans.map(({ forwards, waitsForAftr }) => [forwards, waitsForAftr]);
  store.commit({ softwire: { gateway: [learning] } });
  await follower.follow();
  assert.equal([leadsTo(follower, 'gateway', '198.51.100.9'), plan()], ['nothing', [[false, true]]]);
  for (const remote of ['2001:db8:b::5', '2001:db8:b::6']) {
    store.commit({ instance, put: [row(remote)] });
    assert.ok(await follower.follow(), 'the kernel is told too');
    assert.is(leadsTo(follower, 'gateway', '198.51.100.9'), path(remote, '2001:db8:a::1'));
    assert.equal(plan(), [[true, false]]);
  }
  const fresh = new Follower(store, 1, 'small');
  await fresh.follow();
  assert.is(leadsTo(fresh, 'gateway', '198.51.100.9'), path('2001:db8:b::6', '2001:db8:a::1'));
  store.commit({ instance, gone: [row('2001:db8:b::6')] });
  await follower.follow();
  assert.equal([leadsTo(follower, 'gateway', '198.51.100.9'), plan()], ['nothing', [[false, true]]]);
  store.commit({ softwire: { gateway: [GATEWAY] }, instance, put: [row('2001:db8:b::5')] });
  await follower.follow();
  assert.is(leadsTo(follower, 'gateway', '198.51.100.9'), path('2001:db8:b::1', '2001:db8:a::1'));
});

test('instances come and go more often than there are numbers', async () => {
  const { store, follower } = newFollower();
  for (let i = 0; i < 600; i++) {
    const aftr = { ...OTHER, name: `br${i}`, 'ipv6-address': `2001:db8:c::${(i + 1).toString(16)}` };
    store.commit({ softwire: { aftr: [aftr] } });
    await follower.follow();
    assert.equal(
      follower
        .forwarding('aftr')
        ?.counters()
        .map(({ name }) => name),
      [`br${i}`],
    );
  }
});

test(`random commits of every size end where a fresh start does (seed ${seed})`, async () => {
  const next = random();
  const { store, follower } = newFollower();
  store.commit({ softwire: { aftr: [AFTR] } });
  for (let round = 0; round < 40; round++) {
    const count = round % 10 === 9 ? 3_000 : next() % 30;
    const rows = Array.from({ length: count }, () => {
      const prefix = `198.51.${100 + (next() % 4)}.${next() % 256}/32`;
      return binding([prefix, `2001:db8:a::${(1 + (next() % 9)).toString(16)}`]);
    });
    const [put, gone] = [rows.filter((_, i) => i % 3 > 0), rows.filter((_, i) => i % 3 === 0)];
    store.commit({ gone });
    store.commit({ put });
    if (round % 3 === 0) await follower.follow();
  }
  await follower.follow();
  const fresh = new Follower(store, 1, 'small');
  await fresh.follow();
  for (let i = 0; i < 1_024; i++) {
    const address = `198.51.${100 + (i >> 8)}.${i & 255}`;
    assert.is(leadsTo(follower, 'aftr', address), leadsTo(fresh, 'aftr', address), address);
  }
  assert.equal(
    [follower.contentHash, follower.forwarding('aftr')?.table.size],
    [fresh.contentHash, fresh.forwarding('aftr')?.table.size],
  );
});

// Shared addresses -----------------------------------------------------------------------------------------------------

const SHARED = '198.51.103.9';
const PORT = 1_232;
const sharing = (portSets: readonly (readonly [psid: number, b4: string])[], more: Record<string, unknown> = {}) => ({
  aftr: [
    {
      ...AFTR,
      ...more,
      'binding-table': {
        'shared-address': [
          {
            'ipv4-address': SHARED,
            'psid-length': 8,
            'port-set': portSets.map(([psid, b4]) => ({ psid, 'b4-ipv6-address': b4 })),
          },
        ],
      },
    },
  ],
});

/** The B4 of PORT of SHARED as hexadecimal text; `nothing` when there is none. */
function b4Of(follower: Follower): string {
  const table = follower.forwarding('aftr')?.table;
  const shared = table?.lookup(parseIpv4(SHARED) ?? 0) ?? 0;
  const row = table && isShared(table, shared) ? portSetRow(table, shared, PORT) : 0;
  return row === 0 ? 'nothing' : Buffer.from(table?.octets.subarray(row * 32, row * 32 + 16) ?? []).toString('hex');
}

test('port sets come, change and go with the tree; they are no bindings', async () => {
  const { store, follower } = newFollower();
  const steps = [
    [sharing([[0x34, '2001:db8:c::1']]), ipv6Address('2001:db8:c::1')],
    [sharing([[0x34, '2001:db8:c::2']]), ipv6Address('2001:db8:c::2')],
    [sharing([[0x35, '2001:db8:c::2']]), 'nothing'],
    [sharing([[0x34, '2001:db8:c::3']], { enabled: false }), 'nothing'],
    [sharing([[0x34, '2001:db8:c::3']], { 'ipv6-address': '2001:db8:b::9' }), ipv6Address('2001:db8:c::3')],
    [{ aftr: [AFTR] }, 'nothing'],
  ] as const;
  for (const [softwire, expected] of steps) {
    store.commit({ softwire });
    await follower.follow();
    assert.is(b4Of(follower), expected);
    assert.is(follower.forwarding('aftr')?.bindings, 0);
  }
  assert.is(follower.forwarding('aftr')?.table.size, 0);
});

for (const bulk of [false, true]) {
  test(`a shared address becomes a binding and shared again, rows ${bulk ? 'read anew' : 'by record'}`, async () => {
    const { store, follower } = newFollower();
    const bound = binding([`${SHARED}/32`, '2001:db8:a::1']);
    store.commit({ softwire: sharing([[0x34, '2001:db8:c::1']]) });
    await follower.follow();
    store.commit({ softwire: { aftr: [AFTR] }, put: [bound], bulk });
    await follower.follow();
    assert.is(leadsTo(follower, 'aftr', SHARED), path('2001:db8:a::1', '2001:db8:b::1'));
    store.commit({ softwire: sharing([[0x34, '2001:db8:c::2']]), gone: [bound], bulk });
    await follower.follow();
    assert.is(b4Of(follower), ipv6Address('2001:db8:c::2'));
    assert.is(follower.forwarding('aftr')?.table.size, 1);
  });
}

test('learned bindings are forwarded by; one that becomes static stays, one that is withdrawn goes in both directions', async () => {
  const { store, follower } = newFollower();
  const learned = (prefix: string) => ({ ...binding([prefix, '2001:db8:a::1']), origin: 'learned' as const });
  const table = learnedTable(AFTR.name);
  store.commit({ softwire: { aftr: [AFTR] } });
  await follower.follow();
  store.commit({ instance: table, put: [learned('198.51.100.1/32'), learned('198.51.100.2/32')] });
  await follower.follow();
  const there = path('2001:db8:a::1', '2001:db8:b::1');
  assert.is(leadsTo(follower, 'aftr', '198.51.100.1'), there);
  // Promotion: one version takes it from one table and puts it into the other.
  store.commit({ instance: table, gone: [learned('198.51.100.1/32')] });
  store.commit({ put: [binding(['198.51.100.1/32', '2001:db8:a::1'])] });
  store.commit({ instance: table, gone: [learned('198.51.100.2/32')] });
  await follower.follow();
  assert.equal(
    ['198.51.100.1', '198.51.100.2'].map((address) => leadsTo(follower, 'aftr', address)),
    [there, 'nothing'],
  );
  assert.equal([follower.damage, follower.contentHash], ['', store.contentHash()]);
});

test('prefixes that were accepted are served by their gateway as configured ones are', async () => {
  const { store, follower } = newFollower();
  store.commit({ softwire: { gateway: [GATEWAY] } });
  await follower.follow();
  const served = { ...binding(['203.0.113.0/24', '2001:db8:a::1']), origin: 'learned' as const };
  store.commit({ instance: servedTable(GATEWAY.name), put: [served] });
  assert.ok(await follower.follow(), 'the kernel is to be told');
  assert.is(leadsTo(follower, 'gateway', '203.0.113.7'), path('2001:db8:b::1', '2001:db8:a::1'));
  const [gateway] = follower.configuration.gateway;
  assert.is(gateway?.servedPrefix.length, GATEWAY['served-prefix'].length + 1);
  store.commit({ instance: servedTable(GATEWAY.name), gone: [served] });
  assert.ok(await follower.follow());
  assert.is(leadsTo(follower, 'gateway', '203.0.113.7'), 'nothing');
  assert.equal([follower.damage, follower.contentHash], ['', store.contentHash()]);
});

test.run();
