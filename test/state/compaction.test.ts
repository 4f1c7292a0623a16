/** Compaction: the store goes on in a smaller file, whoever reads finishes or follows, and a crash costs nothing. */

import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { formatIpv4Prefix, formatIpv6 } from '../../src/address.ts';
import type { Datastores } from '../../src/state/datastores.ts';
import { ManagementError } from '../../src/state/errors.ts';
import { generationDir, generations, STORE_FILE } from '../../src/state/generations.ts';
import { StoreReader } from '../../src/state/reader.ts';
import { verifyFile } from '../../src/state/verify.ts';
import { LineProcess } from '../helpers/line-process.ts';
import { random, seed } from '../helpers/random.ts';
import { aftr, binding, OPERATOR, openDatastores, request, softwire, withDatastores } from '../helpers/state.ts';

const test = suite('compaction');

const KILLS = Number(process.env.GI4OVER6_KILLS ?? 12);
const ROWS = 2_000;

const prefixOf = (number: number) => `10.0.${number >>> 8}.${number & 255}/32`;
const bindings = (rows: readonly Readonly<Record<string, unknown>>[]) =>
  request(softwire({ name: 'a', 'ipv4-pool': ['10.0.0.0/16'], 'binding-table': { binding: rows } }));

async function verify(file: string): Promise<void> {
  assert.is(verifyFile(file).result, 'good');
}

/** Many rows come, most of them go: the file is large, and most of it is free. */
async function fillAndEmpty(datastores: Datastores): Promise<void> {
  const numbers = Array.from({ length: ROWS }, (_, number) => number);
  const long = { description: 'x'.repeat(200) };
  await datastores.edit(OPERATOR, request(aftr()));
  await datastores.edit(OPERATOR, bindings(numbers.map((number) => binding(prefixOf(number), '2001:db8::1', long))));
  const gone = numbers.slice(10).map((number) => ({ 'ipv4-prefix': prefixOf(number), '@operation': 'remove' }));
  await datastores.edit(OPERATOR, bindings(gone));
}

const currentFile = (dir: string) => join(generationDir(dir, generations(dir)[0] ?? 1), STORE_FILE);

test('the file shrinks to what it holds, and commits and reads go on', async () => {
  await withDatastores(async (datastores, dir, reopen) => {
    await fillAndEmpty(datastores);
    const head = datastores.head();
    const size = datastores.storeSize();
    assert.is(size.octets, statSync(join(dir, STORE_FILE)).size);
    const sizes = await datastores.compact(verify);
    assert.is(sizes.before, size.octets);
    assert.is(sizes.after, statSync(currentFile(dir)).size);
    // The list of free pages begins with a few.
    const few = 6 * 4_096;
    assert.ok(sizes.after <= size.octets - size.freeOctets + few, 'what was free is gone');
    assert.ok(datastores.storeSize().freeOctets <= few);
    assert.equal(generations(dir), [2]);
    assert.equal(datastores.head(), head);
    await datastores.edit(OPERATOR, bindings([binding('10.0.200.1/32', '2001:db8::2')]));
    await datastores.compact(verify);
    assert.equal(generations(dir), [3]);
    const again = await reopen();
    assert.is(again.head().version, head.version + 1);
    assert.is(again.head().counts.get('a'), 11);
    assert.is(verifyFile(currentFile(dir)).result, 'good');
    assert.equal(readdirSync(dir).sort(), ['3']);
  });
});

test('a read under way ends in the old file; the next one reads the new', async () => {
  await withDatastores(async (datastores) => {
    await fillAndEmpty(datastores);
    const view = datastores.view('running');
    const rows = view.bindings('a')[Symbol.iterator]();
    rows.next();
    await datastores.compact(verify);
    await datastores.edit(OPERATOR, bindings([binding('10.0.200.1/32', '2001:db8::2')]));
    let left = 0;
    while (!rows.next().done) left++;
    assert.is(left, 9);
    assert.is(view.count('a'), 10);
    view.close();
    const next = datastores.view('running');
    assert.is([...next.bindings('a')].length, 11);
    next.close();
  });
});

test('a process that follows the store goes on in the new file, by change records', async () => {
  await withDatastores(async (datastores, dir) => {
    await fillAndEmpty(datastores);
    const reader = new LineProcess('reader-process', [dir]);
    try {
      const ask = async () => {
        reader.send('follow');
        return JSON.parse((await reader.next()) ?? '{}') as { version: number; followed: unknown; isSameHash: boolean };
      };
      await reader.next();
      const { version } = datastores.head();
      await datastores.compact(verify);
      const at = ({ version, followed, isSameHash }: Awaited<ReturnType<typeof ask>>) => [
        version,
        followed,
        isSameHash,
      ];
      assert.equal(at(await ask()), [version, [], true]);
      await datastores.edit(OPERATOR, bindings([binding('10.0.200.1/32', '2001:db8::2')]));
      assert.equal(at(await ask()), [version + 1, [version + 1], true]);
      await datastores.compact(verify);
      await datastores.edit(OPERATOR, bindings([binding('10.0.200.2/32', '2001:db8::2')]));
      await datastores.compact(verify);
      assert.equal(at(await ask()), [version + 2, [version + 2], true]);
    } finally {
      await reader.end();
    }
  });
});

test('commits that come meanwhile are in the new file', async () => {
  await withDatastores(async (datastores, dir, reopen) => {
    await fillAndEmpty(datastores);
    let commits = 0;
    let isOver = false;
    const writing = (async () => {
      while (!isOver) {
        await datastores.edit(OPERATOR, bindings([binding(prefixOf(3_000 + commits++), '2001:db8::3')]));
        await sleep(1);
      }
    })();
    // Slow enough for a commit to overtake each copy that commits do not wait for.
    let copies = 0;
    await datastores.compact(async () => {
      copies++;
      await sleep(30);
    });
    isOver = true;
    await writing;
    assert.is(copies, 3);
    assert.is((await reopen()).head().counts.get('a'), 10 + commits);
    assert.is(verifyFile(currentFile(dir)).result, 'good');
  });
});

test('two at a time come one after the other', async () => {
  await withDatastores(async (datastores, dir) => {
    await fillAndEmpty(datastores);
    const [first, second] = await Promise.all([datastores.compact(verify), datastores.compact(verify)]);
    assert.ok(first.after < first.before);
    assert.is(second.before, first.after);
    assert.equal(generations(dir), [3]);
  });
});

test('a copy that is not whole changes nothing', async () => {
  await withDatastores(async (datastores, dir) => {
    await fillAndEmpty(datastores);
    const fault = new ManagementError('operation-failed', { message: 'the copy is not whole' });
    const found = await datastores.compact(() => Promise.reject(fault)).catch((error: unknown) => error);
    assert.is(found, fault);
    assert.equal(generations(dir), [1]);
    await datastores.edit(OPERATOR, bindings([binding('10.0.200.1/32', '2001:db8::2')]));
    await datastores.compact(verify);
    assert.equal(generations(dir), [2]);
  });
});

test('what a crash leaves beside the store is removed, and the store is what its last commit says', async () => {
  const dir = mkdtempSync(join(tmpdir(), 'gi4over6-compaction-'));
  try {
    let datastores = await openDatastores(dir);
    await fillAndEmpty(datastores);
    const { version } = datastores.head();
    // Unfinished; of its name, but nothing leads to it.
    mkdirSync(join(dir, '2.new'));
    mkdirSync(join(dir, '3'));
    await datastores.copyStore(join(dir, '3'));
    await datastores.edit(OPERATOR, bindings([binding('10.0.200.1/32', '2001:db8::2')]));
    await datastores.close();
    datastores = await openDatastores(dir);
    assert.is(datastores.head().version, version + 1);
    assert.equal(generations(dir), [1]);
    assert.not.ok(existsSync(join(dir, '2.new')));
    await datastores.close();
    rmSync(join(dir, STORE_FILE));
    writeFileSync(join(dir, '9'), 'a file');
    assert.equal(generations(dir), [], 'what has no store file is none');
  } finally {
    rmSync(dir, { recursive: true });
  }
});

type Table = ReadonlyMap<string, string>;

/** The table as the datapath reads it, and its version. */
function tableIn(dir: string): { version: number; table: Table } {
  const reader = StoreReader.open(dir);
  try {
    const rows = [...reader.bindings()].map(({ binding }) => {
      const { address, length, gatewayIpv6Address } = binding;
      return [formatIpv4Prefix(address, length), formatIpv6(gatewayIpv6Address)] as const;
    });
    return { version: reader.renew(), table: new Map(rows) };
  } finally {
    reader.close();
  }
}

const textOf = (table: Table) =>
  [...table]
    .map((row) => row.join(' '))
    .sort()
    .join('\n');

/** Edits and compactions until a kill; the tables that may be there, that of the last acknowledged edit first. */
async function live(dir: string, start: Table, next: () => number): Promise<Table[]> {
  const child = new LineProcess('store-process', [dir]);
  await child.next();
  const over = sleep(next() % 120).then(() => child.kill());
  const tables = [start];
  for (let step = 0; step < 400; step++) {
    const table = new Map(tables.at(-1));
    if (step % 4 === 3) child.send(JSON.stringify({ compact: true }));
    else {
      const [prefix, gateway] = [`192.0.2.${next() % 250}/32`, `2001:db8::${(1 + (next() % 9_000)).toString(16)}`];
      const isGone = next() % 3 === 0;
      if (isGone) table.delete(prefix);
      else table.set(prefix, gateway);
      child.send(JSON.stringify({ rows: [[prefix, isGone ? null : gateway]], candidate: false }));
    }
    tables.push(table);
  }
  let answers = 0;
  for (let line = await child.next(); line !== undefined; line = await child.next()) {
    assert.match(line, /^\d+$/);
    answers++;
  }
  await over;
  return tables.slice(answers);
}

test('the first commit after a compaction may be a large one, after a start too', () =>
  withDatastores(async (datastores, _dir, reopen) => {
    await datastores.edit(OPERATOR, request(aftr()));
    const edit = (in_: Datastores, count: number, turn: number) => {
      const rows = Array.from({ length: count }, (_, i) => binding(prefixOf(i), `2001:db8:${turn}::1`));
      return in_.edit(OPERATOR, bindings(rows));
    };
    for (let turn = 1; turn < 30; turn++) await edit(datastores, 1_000, turn);
    await datastores.compact(verify);
    await edit(datastores, 1_000, 30);
    await datastores.compact(verify);
    const again = await reopen();
    await edit(again, 5_000, 31);
    assert.is(again.head().counts.get('a'), 5_000);
  }));

test(`killed at random moments, the table is that of the last acknowledged commit (seed ${seed}, ${KILLS} kills)`, async () => {
  const dir = mkdtempSync(join(tmpdir(), 'gi4over6-compaction-'));
  const next = random();
  try {
    let table: Table = new Map();
    let edits = 0;
    for (let kill = 0; kill < KILLS; kill++) {
      const possible = await live(dir, table, next);
      if (generations(dir).length === 0) continue;
      const found = tableIn(dir);
      const isPossible = possible.some((each) => textOf(each) === textOf(found.table));
      assert.ok(isPossible, `kill ${kill}: the table is none from the last acknowledged edit on`);
      edits += found.version;
      table = found.table;
      for (const generation of generations(dir)) {
        assert.is(verifyFile(join(generationDir(dir, generation), STORE_FILE)).result, 'good', `kill ${kill}`);
      }
    }
    assert.ok(edits > 0, 'edits were made');
  } finally {
    rmSync(dir, { recursive: true });
  }
});

test.run();
