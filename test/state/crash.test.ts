import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { formatIpv4Prefix, formatIpv6 } from '../../src/address.ts';
import { addHash, hashText, rowHash } from '../../src/state/content-hash.ts';
import type { Binding } from '../../src/state/model.generated.ts';
import { StoreReader } from '../../src/state/reader.ts';
import { verifyFile } from '../../src/state/verify.ts';
import { LineProcess } from '../helpers/line-process.ts';
import { random, seed } from '../helpers/random.ts';

const test = suite('crash');

const KILLS = Number(process.env.GI4OVER6_KILLS ?? 30);
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
function inspect(dir: string): { version: number; table: Table } {
  const found = verifyFile(join(dir, 'data.mdb'));
  assert.is(found.result, 'good', JSON.stringify(found));
  const reader = StoreReader.open(dir);
  try {
    const rows = [...reader.bindings()];
    let hash = 0n;
    for (const { instance, binding } of rows) hash = addHash(hash, rowHash(instance, binding));
    assert.is(reader.contentHash(), hashText(hash), 'the content hash is that of the rows');
    assert.is(reader.counts().get('a') ?? 0, rows.length, 'the count is that of the rows');
    const version = reader.renew();
    const last = [...(reader.changes(version - 1) ?? [])];
    assert.equal(
      last.map((record) => record.version),
      [version],
      'the last commit left its record',
    );
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
    const found = inspect(dir);
    assert.ok(
      possible.some((state) => sorted(state).join() === sorted(found.table).join()),
      `kill ${kill}: the table is none that an edit from the last acknowledged one on left`,
    );
    table = found.table;
    versions = found.version;
  }
  assert.ok(versions > KILLS, `only ${versions} versions were made`);
  rmSync(dir, { recursive: true });
});

test.run();
