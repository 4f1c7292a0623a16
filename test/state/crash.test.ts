import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { formatIpv4Prefix, formatIpv6 } from '../../src/address.ts';
import type { Binding } from '../../src/state/binding.generated.ts';
import { ContentHash } from '../../src/state/content-hash.ts';
import { DataNode } from '../../src/state/data.ts';
import { Datastores } from '../../src/state/datastores.ts';
import { StoreReader } from '../../src/state/reader.ts';
import { verifyFile } from '../../src/state/verify.ts';
import { LineProcess } from '../helpers/line-process.ts';
import { random, seed } from '../helpers/random.ts';
import { OPERATOR, schema } from '../helpers/state.ts';

const test = suite('crash');

const KILLS = Number(process.env.GI4OVER6_KILLS ?? 30);
/** As the store process opens it. */
const PLAIN = {
  schema,
  validate: () => [],
  startup: false,
  bootId: 'boot',
  initial: () => new DataNode(schema.root),
};
/** Edits that are on their way at a time. */
const WINDOW = 8;

type Table = ReadonlyMap<string, string>;
type Rows = readonly (readonly [prefix: string, gateway: string | null])[];

/** A random edit of up to nine rows, and the table after it. */
function nextEdit(table: Table, next: () => number): { rows: Rows; after: Table } {
  const after = new Map(table);
  const rows = new Map<string, string | null>();
  for (let count = 1 + (next() % 9); count > 0; count--) {
    const prefix = `192.0.2.${next() % 64}/32`;
    const gateway = next() % 4 === 0 ? null : `2001:db8:a::${(next() % 0xfffe).toString(16)}`;
    rows.set(prefix, gateway === '2001:db8:a::0' ? '2001:db8:a::1' : gateway);
  }
  for (const [prefix, gateway] of rows) {
    if (gateway === null) after.delete(prefix);
    else after.set(prefix, gateway);
  }
  return { rows: [...rows], after };
}

/** What the store holds, its hash checked against its rows, and its change records against its last version. */
async function inspect(dir: string): Promise<{ version: number; table: Table }> {
  const found = verifyFile(join(dir, 'data.mdb'));
  assert.is(found.result, 'good', JSON.stringify(found));
  const reader = StoreReader.open(dir);
  try {
    const rows = [...reader.bindings()];
    const hash = new ContentHash();
    for (const { instance, binding } of rows) hash.addBinding(instance, binding);
    assert.is(reader.contentHash(), hash.text, 'the content hash is that of the rows');
    assert.is(reader.counts().get('a') ?? 0, rows.length, 'the count is that of the rows');
    const version = reader.renew();
    assert.ok(await reader.changes(version - 1), 'the last commit left its record');
    return { version, table: new Map(rows.map(({ binding }) => textOf(binding))) };
  } finally {
    reader.close();
  }
}

function textOf({ address, length, gatewayIpv6Address }: Binding): [string, string] {
  return [formatIpv4Prefix(address, length), formatIpv6(gatewayIpv6Address)];
}

const sorted = (table: Table) => [...table].map((row) => row.join(' ')).sort();

/**
 * One life: edits go in, acknowledgements come out, and at a random moment the process is killed. Returns the tables that
 * may be there: after each edit that was sent, from the last acknowledged one on.
 */
async function live(dir: string, start: Table, next: () => number): Promise<Table[]> {
  const child = new LineProcess('store-process', [dir]);
  await child.next();
  const states = [start];
  let acknowledged = 0;
  const send = () => {
    const { rows, after } = nextEdit(states.at(-1) ?? start, next);
    states.push(after);
    child.send(JSON.stringify({ rows, candidate: next() % 2 === 0 }));
  };
  for (let count = 0; count < WINDOW; count++) send();
  const death = sleep((next() % 600) / 10).then(() => child.kill());
  while ((await child.next()) !== undefined) {
    acknowledged++;
    send();
  }
  await death;
  return states.slice(acknowledged);
}

test(`${KILLS} kills: every acknowledged commit is there, seed ${seed}`, async () => {
  const next = random();
  const dir = mkdtempSync(join(tmpdir(), 'gi4over6-crash-'));
  let table: Table = new Map();
  let versions = 0;
  for (let kill = 0; kill < KILLS; kill++) {
    const possible = await live(dir, table, next);
    const found = await inspect(dir);
    assert.ok(
      possible.some((state) => sorted(state).join() === sorted(found.table).join()),
      `kill ${kill}: the table is none that an edit from the last acknowledged one on left`,
    );
    table = found.table;
    versions = found.version;
  }
  assert.ok(versions > 0, `only ${versions} versions were made`);
  rmSync(dir, { recursive: true });
});

/** What a store holds: rows, and those that a rollback leaves while a confirmed commit is pending. */
type Trial = readonly [rows: string, base: string | undefined];

/** Confirmed commits one after the other, each confirmed or cancelled, until a kill; the states that may be there. */
async function tryOut(dir: string, start: string, next: () => number): Promise<Trial[]> {
  const child = new LineProcess('store-process', [dir]);
  await child.next();
  const states: Trial[] = [[start, undefined]];
  const death = sleep((next() % 400) / 10).then(() => child.kill());
  for (let rows = start; ; ) {
    const prefix = `192.0.2.${next() % 64}/32`;
    const gateway = `2001:db8:a::${(1 + (next() % 0xfff)).toString(16)}`;
    const after = [
      ...rows.split('\n').filter((row) => row !== '' && !row.startsWith(`${prefix} `)),
      `${prefix} ${gateway}`,
    ]
      .sort()
      .join('\n');
    const isKept = next() % 2 === 0;
    const parameters = { confirmed: { timeoutMs: 600_000, persist: 'token' } };
    child.send(JSON.stringify({ rows: [[prefix, gateway]], candidate: true, parameters }));
    states.push([after, rows]);
    if ((await child.next()) === undefined) break;
    child.send(
      JSON.stringify(isKept ? { rows: [], candidate: true, parameters: { persistId: 'token' } } : { cancel: 'token' }),
    );
    rows = isKept ? after : rows;
    states.push([rows, undefined]);
    if ((await child.next()) === undefined) break;
  }
  await death;
  return states.slice(-2);
}

test(`kills among confirmed commits: rows and what is pending fit together, seed ${seed}`, async () => {
  const next = random();
  const dir = mkdtempSync(join(tmpdir(), 'gi4over6-crash-'));
  let rows = '';
  for (let kill = 0; kill < Math.ceil(KILLS / 3); kill++) {
    const possible = await tryOut(dir, rows, next);
    const datastores = await Datastores.open({ ...PLAIN, dir });
    const rowsOf = () => {
      const view = datastores.view('running');
      const found = [...view.bindings('a')].map((row) => textOf(row).join(' ')).sort();
      view.close();
      return found.join('\n');
    };
    const found = rowsOf();
    const isPending = datastores.pendingCommit !== undefined;
    const state = possible.find(([after, base]) => after === found && (base !== undefined) === isPending);
    assert.ok(state, `kill ${kill}: the last acknowledged state or the next`);
    if (isPending) await datastores.cancelCommit(OPERATOR, 'token');
    rows = rowsOf();
    assert.is(rows, state?.[1] ?? found);
    await datastores.close();
  }
  rmSync(dir, { recursive: true });
});

test.run();
