// needs: addon
/** What route sources may bind, in the store: accepted, refused with the reason, taken by an operator, let in again. */

import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { formatIpv6, parseIpv4Prefix } from '../../../src/address.ts';
import type { Datastores } from '../../../src/state/datastores.ts';
import { longestMatchAt } from '../../../src/state/history.ts';
import { RouteTable } from '../../../src/state/learned/route-table.ts';
import { StoreReader } from '../../../src/state/reader.ts';
import { formatNumber, prefixNumber } from '../../../src/state/rows.ts';
import { binding, OPERATOR, request, softwire, withDatastores } from '../../helpers/state.ts';

const test = suite('route-table');

const G1 = '2001:db8:a::1';
const G2 = '2001:db8:a::2';
const CALLER = { user: 'g1', session: 0, face: 'restconf' } as const;
const HASH = '$6$abcdefgh$LI0OBJ/CRCJdRHNZTFwyvhVcqSv1OMzNwTiDGEfu8gFuqCGuYFaMVUhDHtx45p2lVYsSSeTJHpKNfIc5uMgSJ1';

function source(name: string, gateway: string, more: Record<string, unknown> = {}) {
  const allowed = ['192.0.2.0/24', '10.0.0.0/8'];
  return { name, 'gateway-ipv6-address': gateway, password: HASH, 'allowed-prefix': allowed, ...more };
}

function configuration(more: Record<string, unknown> = {}) {
  return softwire({
    name: 'a',
    'ipv6-address': '2001:db8:b::1',
    'ipv4-pool': ['192.0.2.0/24', '198.51.100.0/24'],
    'route-source': [source('g1', G1), source('g2', G2)],
    ...more,
  });
}

async function withTable(work: (table: RouteTable, datastores: Datastores) => Promise<void>): Promise<void> {
  await withDatastores(async (datastores) => {
    const table = new RouteTable(datastores);
    datastores.addParticipant(table);
    await datastores.edit(OPERATOR, request(configuration()));
    await work(table, datastores);
  });
}

function numbers(...prefixes: readonly string[]): number[] {
  return prefixes.map((text) => {
    const prefix = parseIpv4Prefix(text);
    if (!prefix) throw new Error(text);
    return prefixNumber(prefix.address, prefix.length);
  });
}

const NONE: ReadonlySet<number> = new Set();
const whole = (...prefixes: readonly string[]) => {
  return { isWhole: true, routes: new Set(numbers(...prefixes)), withdrawn: NONE };
};

/** Each route with why it is refused, or `bound`. */
function states(table: RouteTable, name: string): string[] {
  const numbers = (['bound', 'refused'] as const).flatMap((kind) => [...table.kept(name, kind).numbers.sealedRows('')]);
  return numbers
    .sort((a, b) => a.number - b.number)
    .map(({ number }) => `${formatNumber(number)} ${table.refusal(name, number)?.reason ?? 'bound'}`);
}

/** The bindings in force. */
function active(datastores: Datastores): string[] {
  const view = datastores.view('running');
  try {
    const rows = [...view.active.bindings('a')];
    return rows.map(({ address, length, gatewayIpv6Address, origin }) => {
      return `${formatNumber(prefixNumber(address, length))} ${formatIpv6(gatewayIpv6Address)} ${origin}`;
    });
  } finally {
    view.close();
  }
}

async function eventually(is: () => boolean): Promise<void> {
  for (let i = 0; i < 1_000 && !is(); i++) await new Promise((resolve) => setTimeout(resolve, 10));
}

// [route, what becomes of it] beside a static binding 192.0.2.64/28 of another gateway, 192.0.2.128/28 of its own, a shared 192.0.2.9.
const judged: readonly (readonly [string, string])[] = [
  ['0.0.0.0/0', 'default-route'],
  ['127.0.0.0/8', 'martian-prefix'],
  ['224.0.0.0/4', 'martian-prefix'],
  ['8.8.8.0/24', 'not-allowed'],
  ['192.0.0.0/16', 'not-allowed'],
  ['10.1.0.0/16', 'outside-pool'],
  ['192.0.2.1/32', 'bound'],
  ['192.0.2.64/28', 'bound-already'],
  ['192.0.2.65/32', 'bound-already'],
  ['192.0.2.64/27', 'bound-already'],
  ['192.0.2.80/28', 'bound'],
  ['192.0.2.128/28', 'bound'],
  ['192.0.2.129/32', 'bound'],
  ['192.0.2.128/27', 'bound'],
  ['192.0.2.8/29', 'shared-address'],
  ['192.0.2.9/32', 'shared-address'],
  ['192.0.2.8/32', 'bound'],
  ['192.0.2.10/32', 'bound'],
  ['192.0.2.200/29', 'shared-address'],
  ['192.0.2.208/29', 'bound'],
];
for (const [route, expected] of judged) {
  test(`${route}: ${expected}`, () =>
    withTable(async (table, datastores) => {
      const portSet = [{ psid: 1, 'b4-ipv6-address': '2001:db8:a::9' }];
      const shared = ['192.0.2.207', '192.0.2.9', '192.0.2.250'].map((address) => {
        return { 'ipv4-address': address, 'psid-length': 8, 'port-set': portSet };
      });
      const rows = [binding('192.0.2.64/28', G2), binding('192.0.2.128/28', G1)];
      const tables = { binding: rows, 'shared-address': shared };
      await datastores.edit(OPERATOR, request(softwire({ name: 'a', 'binding-table': tables })));
      const before = active(datastores);
      const news = await table.advertise(CALLER, 'g1', whole(route));
      assert.equal(states(table, 'g1'), [`${route} ${expected}`]);
      assert.equal(news.accepted.map(formatNumber), expected === 'bound' ? [route] : []);
      assert.equal(
        news.refused.map(([number]) => formatNumber(number)),
        expected === 'bound' ? [] : [route],
      );
      const learned = active(datastores).filter((row) => !before.includes(row));
      const isNew = expected === 'bound' && route !== '192.0.2.128/28';
      assert.equal(learned, isNew ? [`${route} ${G1} learned`] : []);
      assert.is(table.refusals('g1'), expected === 'bound' ? 0 : 1);
    }));
}

test('of two sources the first that is accepted keeps a prefix, and the other has it when that withdraws', () =>
  withTable(async (table, datastores) => {
    await table.advertise(CALLER, 'g1', whole('192.0.2.1/32'));
    await table.advertise(CALLER, 'g2', whole('192.0.2.1/32', '192.0.2.2/32'));
    assert.equal(states(table, 'g2'), ['192.0.2.1/32 other-source', '192.0.2.2/32 bound']);
    assert.equal(active(datastores), [`192.0.2.1/32 ${G1} learned`, `192.0.2.2/32 ${G2} learned`]);
    await table.withdrawAll(CALLER, 'g1');
    await eventually(() => states(table, 'g2')[0] === '192.0.2.1/32 bound');
    assert.equal(active(datastores), [`192.0.2.1/32 ${G2} learned`, `192.0.2.2/32 ${G2} learned`]);
  }));

test('maximum-routes and softwire-num-max, both sides of the limit', () =>
  withTable(async (table, datastores) => {
    const routes = ['192.0.2.1/32', '192.0.2.2/32', '192.0.2.3/32'];
    await datastores.edit(
      OPERATOR,
      request(softwire({ name: 'a', 'route-source': [{ name: 'g1', 'maximum-routes': 2 }] })),
    );
    await table.advertise(CALLER, 'g1', whole(...routes));
    assert.equal(states(table, 'g1'), ['192.0.2.1/32 bound', '192.0.2.2/32 bound', '192.0.2.3/32 too-many']);
    await datastores.edit(
      OPERATOR,
      request(softwire({ name: 'a', 'softwire-num-max': 1, 'route-source': [{ name: 'g1', 'maximum-routes': 9 }] })),
    );
    await eventually(() => states(table, 'g1').filter((text) => text.endsWith('bound')).length === 1);
    assert.equal(active(datastores).length, 1);
    await datastores.edit(OPERATOR, request(softwire({ name: 'a', 'softwire-num-max': 3 })));
    await eventually(() => states(table, 'g1').every((text) => text.endsWith('bound')));
    assert.equal(
      states(table, 'g1'),
      routes.map((route) => `${route} bound`),
    );
  }));

test('an operator binds a learned prefix for another gateway: no moment has both, and it comes back with its end', () =>
  withTable(async (table, datastores) => {
    await table.advertise(CALLER, 'g1', whole('192.0.2.0/28', '192.0.2.16/28'));
    const told: string[] = [];
    table.onNews = (name) => told.push(name);
    await datastores.edit(
      OPERATOR,
      request(softwire({ name: 'a', 'binding-table': { binding: [binding('192.0.2.1/32', G2)] } })),
    );
    assert.equal(active(datastores), [`192.0.2.1/32 ${G2} static`, `192.0.2.16/28 ${G1} learned`]);
    await eventually(() => told.length > 0);
    assert.equal(states(table, 'g1'), ['192.0.2.0/28 bound-already', '192.0.2.16/28 bound']);
    assert.equal((await table.takeNews('g1')).refused, [[numbers('192.0.2.0/28')[0], 'bound-already']]);
    const gone = { 'ipv4-prefix': '192.0.2.1/32', '@operation': 'delete' };
    await datastores.edit(OPERATOR, request(softwire({ name: 'a', 'binding-table': { binding: [gone] } })));
    await eventually(() => told.length > 1);
    assert.equal(active(datastores), [`192.0.2.0/28 ${G1} learned`, `192.0.2.16/28 ${G1} learned`]);
    assert.equal((await table.takeNews('g1')).accepted.map(formatNumber), ['192.0.2.0/28']);
  }));

test('an operator binds a learned prefix for the same gateway: the route stays accepted, and is learned again after it', () =>
  withTable(async (table, datastores) => {
    await table.advertise(CALLER, 'g1', whole('192.0.2.0/28'));
    const { version } = datastores.head();
    const table1 = { binding: [binding('192.0.2.0/28', G1)] };
    await datastores.edit(OPERATOR, request(softwire({ name: 'a', 'binding-table': table1 })));
    assert.equal(active(datastores), [`192.0.2.0/28 ${G1} static`]);
    assert.is(datastores.head().version, version + 1, 'promotion is one commit');
    await table.advertise(CALLER, 'g1', whole('192.0.2.0/28'));
    assert.equal(states(table, 'g1'), ['192.0.2.0/28 bound']);
    assert.equal(active(datastores), [`192.0.2.0/28 ${G1} static`]);
    const gone = { 'ipv4-prefix': '192.0.2.0/28', '@operation': 'delete' };
    await datastores.edit(OPERATOR, request(softwire({ name: 'a', 'binding-table': { binding: [gone] } })));
    await eventually(() => active(datastores).length > 0);
    assert.equal(active(datastores), [`192.0.2.0/28 ${G1} learned`]);
  }));

const taken: readonly (readonly [string, Record<string, unknown>])[] = [
  ['the AFTR', { name: 'a', '@operation': 'delete' }],
  ['the source', { name: 'a', 'route-source': [{ name: 'g1', '@operation': 'delete' }] }],
  ['its tunnel address', { name: 'a', 'route-source': [{ name: 'g1', 'gateway-ipv6-address': '2001:db8:a::7' }] }],
];
for (const [what, edit] of taken) {
  test(`an operator takes ${what}: the bindings go in the same commit`, () =>
    withTable(async (table, datastores) => {
      await table.advertise(CALLER, 'g1', whole('192.0.2.1/32'));
      const { version } = datastores.head();
      await datastores.edit(OPERATOR, request(softwire(edit)));
      assert.equal(active(datastores), []);
      assert.is(datastores.head().version, version + 1);
    }));
}

test('learned bindings are in no part of running, and in history: when, and until when', () =>
  withTable(async (table, datastores) => {
    await table.advertise(CALLER, 'g1', whole('192.0.2.1/32'));
    const { version } = datastores.head();
    await table.advertise(CALLER, 'g1', { isWhole: false, routes: NONE, withdrawn: new Set(numbers('192.0.2.1/32')) });
    assert.equal(active(datastores), []);
    const view = datastores.view('running');
    try {
      assert.equal([...view.bindings('a')], []);
      const address = 0xc0000201;
      assert.is(longestMatchAt(view.history, version + 1, 'a', address), undefined);
      const held = longestMatchAt(view.history, version, 'a', address);
      assert.is(held?.binding.origin, 'learned');
      assert.ok(held?.since && held.until && held.since <= held.until);
      assert.equal([...view.history.aftrs], ['a']);
    } finally {
      view.close();
    }
    await datastores.rollBack(OPERATOR, version, 'running');
    assert.equal(active(datastores), [], 'rolling back brings back nothing that was learned');
  }));

/** Waits for routes to be judged anew. */
async function becomes(table: RouteTable, name: string, expected: readonly string[]): Promise<void> {
  await eventually(() => states(table, name).join() === expected.join());
  assert.equal(states(table, name), expected);
}

const FAR = 0xc000020a; // 192.0.2.10
const FAR_2 = 0xc0000214; // 192.0.2.20
const NO_HOP = 'recursive-next-hop';

test('D129: a route by which its own next hop would be reached is refused, the others of its source are not', () =>
  withTable(async (table, datastores) => {
    table.setNextHops(new Map([[G1, FAR]]));
    await table.advertise(CALLER, 'g1', whole('192.0.2.0/28', '192.0.2.16/28'));
    assert.equal(states(table, 'g1'), [`192.0.2.0/28 ${NO_HOP}`, '192.0.2.16/28 bound']);
    assert.equal(active(datastores), [`192.0.2.16/28 ${G1} learned`]);
    await table.advertise({ ...CALLER, user: 'g2' }, 'g2', whole('192.0.2.0/28'));
    assert.equal(states(table, 'g2'), ['192.0.2.0/28 bound'], 'another gateway is a way');
    await table.advertise({ ...CALLER, user: 'g2' }, 'g2', whole());
    table.setNextHops(new Map());
    await becomes(table, 'g1', ['192.0.2.0/28 bound', '192.0.2.16/28 bound']);
    table.setNextHops(new Map([[G1, FAR]]));
    await becomes(table, 'g1', [`192.0.2.0/28 ${NO_HOP}`, '192.0.2.16/28 bound']);
    table.setNextHops(new Map([[G1, 'itself']]));
    await becomes(table, 'g1', [`192.0.2.0/28 ${NO_HOP}`, `192.0.2.16/28 ${NO_HOP}`]);
    assert.equal(active(datastores), []);
  }));

test('D129: the longest prefix says by what a next hop is reached, whatever comes and goes', () =>
  withTable(async (table) => {
    table.setNextHops(new Map([[G1, FAR]]));
    const second = { ...CALLER, user: 'g2' };
    await table.advertise(second, 'g2', whole('192.0.2.8/29'));
    await table.advertise(CALLER, 'g1', whole('192.0.2.0/28'));
    assert.equal(states(table, 'g1'), ['192.0.2.0/28 bound']);
    await table.advertise(second, 'g2', whole());
    await becomes(table, 'g1', [`192.0.2.0/28 ${NO_HOP}`]);
    await table.advertise(second, 'g2', whole('192.0.2.10/32'));
    await becomes(table, 'g1', ['192.0.2.0/28 bound']);
  }));

test('D129: of two gateways of which each is reached through the other one is refused, and stays so', () =>
  withTable(async (table, datastores) => {
    table.setNextHops(
      new Map([
        [G1, FAR],
        [G2, FAR_2],
      ]),
    );
    await table.advertise(CALLER, 'g1', whole('192.0.2.16/28'));
    await table.advertise({ ...CALLER, user: 'g2' }, 'g2', whole('192.0.2.0/28'));
    assert.equal([states(table, 'g1'), states(table, 'g2')], [['192.0.2.16/28 bound'], [`192.0.2.0/28 ${NO_HOP}`]]);
    const { version } = datastores.head();
    await datastores.edit(OPERATOR, request(softwire({ name: 'a', 'softwire-num-max': 1_000 })));
    await table.advertise(CALLER, 'g1', whole('192.0.2.16/28', '192.0.2.32/28'));
    assert.ok(datastores.head().version > version);
    assert.equal(states(table, 'g2'), [`192.0.2.0/28 ${NO_HOP}`]);
    await table.advertise(CALLER, 'g1', whole());
    await becomes(table, 'g2', ['192.0.2.0/28 bound']);
  }));

test('D129: with a next hop behind a binding of the operator no route of its source is usable', () =>
  withTable(async (table, datastores) => {
    await table.advertise(CALLER, 'g1', whole('192.0.2.16/28'));
    const rows = { 'binding-table': { binding: [binding('192.0.2.10/32', G1)] } };
    await datastores.edit(OPERATOR, request(softwire({ name: 'a', ...rows })));
    table.setNextHops(new Map([[G1, FAR]]));
    await becomes(table, 'g1', [`192.0.2.16/28 ${NO_HOP}`]);
    const gone = { 'ipv4-prefix': '192.0.2.10/32', '@operation': 'delete' };
    await datastores.edit(OPERATOR, request(softwire({ name: 'a', 'binding-table': { binding: [gone] } })));
    await becomes(table, 'g1', ['192.0.2.16/28 bound']);
  }));

test('what became of very many routes is noted in slices: others have their turn meanwhile', () =>
  withTable(async (table, datastores) => {
    const all = 50_000;
    const pool = ['10.0.0.0/8'];
    const more = { 'ipv4-pool': pool, 'route-source': [{ ...source('g1', G1), 'maximum-routes': all }] };
    await datastores.edit(OPERATOR, request(softwire({ name: 'a', ...more })));
    const routes = new Set(Array.from({ length: all }, (_, i) => prefixNumber(0x0a00_0000 + i, 32)));
    const advertised = table.advertise(CALLER, 'g1', { isWhole: true, routes, withdrawn: NONE });
    let isOver = false;
    const end = advertised.finally(() => {
      isOver = true;
    });
    let partly = 0;
    while (!isOver) {
      const count = table.kept('g1', 'bound').numbers.count();
      if (count > 0 && count < all) partly++;
      await new Promise((resolve) => setImmediate(resolve));
    }
    await end;
    assert.is(table.kept('g1', 'bound').numbers.count(), all);
    assert.ok(partly > 1, `seen while it was noted ${partly} times`);
  }));

test('a new table takes over what an earlier run learned', () =>
  withTable(async (table, datastores) => {
    await table.advertise(CALLER, 'g1', whole('192.0.2.1/32', '192.0.2.2/32'));
    const next = new RouteTable(datastores);
    assert.equal(await next.resume(), ['g1']);
    assert.equal(states(next, 'g1'), ['192.0.2.1/32 bound', '192.0.2.2/32 bound']);
    await next.advertise(CALLER, 'g1', whole('192.0.2.2/32', '192.0.2.3/32'));
    assert.equal(active(datastores), [`192.0.2.2/32 ${G1} learned`, `192.0.2.3/32 ${G1} learned`]);
  }));

test('what does not fit the configuration that a boot brought is refused at the start, and rows of nobody go', () =>
  withDatastores(
    async (datastores, dir, reopen) => {
      await datastores.edit(
        OPERATOR,
        request(configuration({ 'binding-table': { binding: [binding('192.0.2.1/32', G2)] } })),
      );
      await datastores.copy(OPERATOR, 'running', 'startup');
      const gone = { 'ipv4-prefix': '192.0.2.1/32', '@operation': 'delete' };
      await datastores.edit(OPERATOR, request(softwire({ name: 'a', 'binding-table': { binding: [gone] } })));
      const other = { name: 'b', 'ipv6-address': '2001:db8:b::2', 'ipv4-pool': ['10.0.0.0/8'] };
      await datastores.edit(OPERATOR, request(softwire({ ...other, 'route-source': [source('g3', G1)] })));
      const table = new RouteTable(datastores);
      await table.advertise(CALLER, 'g1', whole('192.0.2.1/32', '192.0.2.2/32'));
      assert.equal(active(datastores), [`192.0.2.1/32 ${G1} learned`, `192.0.2.2/32 ${G1} learned`]);
      await table.advertise(CALLER, 'g3', whole('10.1.0.0/16'));
      assert.is(datastores.head().counts.get('b learned'), 1);
      const booted = await reopen({ bootId: 'boot-2' });
      const next = new RouteTable(booted);
      const reader = StoreReader.open(dir);
      const version = reader.renew();
      assert.equal(await next.resume(), ['g1']);
      reader.renew();
      const changed = (await reader.changes(version))?.rows?.map(
        ({ instance, after }) => `${instance} ${after?.origin}`,
      );
      reader.close();
      // Who forwards by the static one must not lose it with the learned one.
      assert.equal(changed, ['a learned undefined', 'b learned undefined', 'a static']);
      assert.is(booted.head().counts.get('b learned'), undefined);
      assert.equal(states(next, 'g1'), ['192.0.2.1/32 bound-already', '192.0.2.2/32 bound']);
      assert.equal(active(booted), [`192.0.2.1/32 ${G2} static`, `192.0.2.2/32 ${G1} learned`]);
    },
    { startup: true },
  ));

test.run();
