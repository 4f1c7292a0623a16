/**
 * Verification against damage at random places: whatever is done to a store file, it is refused, or it does not matter: then
 * LMDB reads all that was there and takes further commits.
 */

import {
  copyFileSync,
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
import { openEnvironment, STORE_FORMAT } from '../../src/state/environment.ts';
import { StoreReader } from '../../src/state/reader.ts';
import { verifyFile } from '../../src/state/verify.ts';
import { random, seed } from '../helpers/random.ts';
import { aftr, binding, OPERATOR, openDatastores, request, softwire } from '../helpers/state.ts';

const test = suite('verify');

/** Damages of each kind; more for a longer look. */
const DAMAGES = Number(process.env.GI4OVER6_DAMAGES ?? 25);
const ROWS = 3_000;
const PAGE = 4096;

const prefixOf = (number: number) => `10.0.${number >>> 8}.${number & 255}/32`;
const gatewayOf = (number: number) => `2001:db8::${(number + 1).toString(16)}`;

type Row = Readonly<Record<string, unknown>>;

/** A store of 3,000 rows in several commits, with long texts, free pages and a startup of its own; closed. */
async function withStore(body: (file: string, dir: string) => Promise<void>): Promise<void> {
  const dir = mkdtempSync(join(tmpdir(), 'gi4over6-verify-'));
  try {
    const datastores = await openDatastores(dir, { startup: true });
    const next = random();
    const commit = (rows: readonly Row[]) =>
      datastores.edit(OPERATOR, request(softwire({ name: 'a', 'binding-table': { binding: rows } })));
    await datastores.edit(OPERATOR, request(aftr()));
    await datastores.edit(OPERATOR, request(softwire({ name: 'a', 'ipv4-pool': ['10.0.0.0/16'] })));
    const rows = Array.from({ length: ROWS }, (_, number) => binding(prefixOf(number), gatewayOf(number)));
    await commit(rows);
    for (let round = 0; round < 12; round++) {
      await commit(
        Array.from({ length: 40 }, () => {
          const prefix = prefixOf(next() % ROWS);
          if (next() % 3 === 0) return { 'ipv4-prefix': prefix, '@operation': 'remove' };
          return binding(prefix, gatewayOf(next() % 60_000), { description: 'x'.repeat(next() % 200) });
        }).filter((row, index, all) => all.findIndex((other) => other['ipv4-prefix'] === row['ipv4-prefix']) === index),
      );
    }
    await datastores.close();
    await body(join(dir, 'data.mdb'), dir);
  } finally {
    rmSync(dir, { recursive: true });
  }
}

/** Every row as LMDB reads it, and the version. */
async function contentOf(dir: string): Promise<string> {
  const reader = StoreReader.open(dir);
  try {
    return JSON.stringify([reader.renew(), reader.configuration(), [...reader.bindings()], await reader.changes(1)]);
  } finally {
    reader.close();
  }
}

interface Damage {
  readonly name: string;
  apply(octets: Buffer, next: () => number): Buffer;
}

const within = (octets: Buffer, next: () => number) => next() % octets.length;
const pageOf = (octets: Buffer, next: () => number) => (next() % (octets.length / PAGE)) * PAGE;

/** Of a page (src/state/page-file.ts). */
const [LEAF, HEADER] = [2, 24];
/** A value in pages of its own, a database, several values of one key. */
const KINDS = [1, 2, 4] as const;

const DAMAGE: readonly Damage[] = [
  {
    name: 'a flipped bit',
    apply: (octets, next) => {
      const at = within(octets, next);
      octets[at] = (octets[at] ?? 0) ^ (1 << (next() % 8));
      return octets;
    },
  },
  {
    name: 'a flipped bit in the head of a page',
    apply: (octets, next) => {
      const at = pageOf(octets, next) + (next() % 160);
      octets[at] = (octets[at] ?? 0) ^ (1 << (next() % 8));
      return octets;
    },
  },
  {
    name: 'another kind of a node',
    apply: (octets, next) => {
      const leaves: number[] = [];
      for (let page = 2 * PAGE; page < octets.length; page += PAGE) {
        if (octets.readUInt16LE(page + 18) === LEAF) leaves.push(page);
      }
      const page = leaves[next() % leaves.length] ?? 0;
      const nodes = octets.readUInt16LE(page + 20) >> 1;
      const node = page + HEADER + octets.readUInt16LE(page + HEADER + 2 * (next() % nodes));
      octets.writeUInt16LE(octets.readUInt16LE(node + 4) ^ (KINDS[next() % KINDS.length] ?? 0), node + 4);
      return octets;
    },
  },
  {
    name: 'a page of zeros',
    apply: (octets, next) => {
      const at = pageOf(octets, next);
      return octets.fill(0, at, at + PAGE);
    },
  },
  {
    name: 'a page of noise',
    apply: (octets, next) => {
      const from = pageOf(octets, next);
      for (let at = from; at < from + PAGE; at += 4) octets.writeUInt32LE(next(), at);
      return octets;
    },
  },
  {
    name: 'a page in the place of another',
    apply: (octets, next) => {
      const [from, to] = [pageOf(octets, next), pageOf(octets, next)];
      octets.copy(octets, to, from, from + PAGE);
      return octets;
    },
  },
  { name: 'an end cut off', apply: (octets, next) => octets.subarray(0, within(octets, next)) },
  {
    name: 'octets that came twice',
    apply: (octets, next) => {
      const at = within(octets, next);
      octets.copy(octets, at + 1 + (next() % 64), at);
      return octets;
    },
  },
];

test('a good store is found good, and its summary is that of its head', async () => {
  await withStore(async (file, dir) => {
    const found = verifyFile(file);
    assert.is(found.result, 'good');
    const reader = StoreReader.open(dir);
    const [version, contentHash, rows] = [reader.renew(), reader.contentHash(), reader.counts().get('a')];
    reader.close();
    if (found.result !== 'good') return;
    const { summary } = found;
    assert.equal([summary.version, summary.contentHash, summary.rows], [version, contentHash, rows]);
    assert.is(summary.octets, statSync(file).size);
    assert.ok(summary.freeOctets > 0 && summary.freeOctets < summary.octets);
  });
});

for (const { name, apply } of DAMAGE) {
  test(`${name} is refused or does not matter (seed ${seed})`, async () => {
    await withStore(async (file, dir) => {
      const next = random();
      const good = readFileSync(file);
      const content = await contentOf(dir);
      const damagedDir = join(dir, 'damaged');
      mkdirSync(damagedDir);
      const damaged = join(damagedDir, 'data.mdb');
      let refused = 0;
      for (let count = 0; count < DAMAGES; count++) {
        writeFileSync(damaged, apply(Buffer.from(good), next));
        const found = verifyFile(damaged);
        if (found.result === 'damaged') {
          refused++;
          assert.ok(found.faults.every((fault) => fault.length > 10));
          continue;
        }
        assert.is(await contentOf(damagedDir), content, `damage ${count} was not seen`);
        await assertTakesCommits(damagedDir, `after damage ${count}`);
      }
      assert.ok(refused > 0, 'no damage was refused');
    });
  });
}

async function assertTakesCommits(dir: string, why: string): Promise<void> {
  const datastores = await openDatastores(dir);
  for (let number = 0; number < 4; number++) {
    const rows = Array.from({ length: 30 }, (_, index) =>
      binding(prefixOf(number * 700 + index), gatewayOf(index + 7)),
    );
    await datastores.edit(OPERATOR, request(softwire({ name: 'a', 'binding-table': { binding: rows } })));
  }
  await datastores.close();
  assert.is(verifyFile(join(dir, 'data.mdb')).result, 'good', why);
}

test('a store of format 1 is good without its records, one of a later format is told apart', () =>
  withStore(async (file, dir) => {
    for (const [format, expected] of [
      [1, 'good'],
      [STORE_FORMAT + 1, 'newer'],
    ] as const) {
      const environment = openEnvironment(dir, 'write');
      environment.meta.putSync(Buffer.from('format'), Buffer.of(format));
      if (format === 1) environment.changes.putSync(Buffer.alloc(8, 1), Buffer.from('of another form'));
      await environment.root.close();
      assert.is(verifyFile(file).result, expected);
    }
  }));

test('history that does not fit its records is damage', () =>
  withStore(async (file, dir) => {
    const environment = openEnvironment(dir, 'write');
    const [entry] = environment.rowHistory.getRange({ limit: 1 });
    if (!entry) throw new Error('the store has history');
    const key = Buffer.from(entry.key);
    key.writeUInt8((key.at(-1) ?? 0) ^ 1, key.length - 1);
    environment.root.transactionSync(() => {
      environment.rowHistory.removeSync(Buffer.from(entry.key));
      environment.rowHistory.putSync(key, entry.value);
    });
    await environment.root.close();
    const found = verifyFile(file);
    assert.is(found.result, 'damaged');
    assert.match(JSON.stringify(found), 'row-history has other rows than the records of commits name');
  }));

test('files that are none', async () => {
  await withStore(async (file, dir) => {
    const other = join(dir, 'other');
    for (const [octets, expected] of [
      [Buffer.alloc(0), /^the file ends before page 0, at octet 0$/],
      [Buffer.from('hello'), /^the file ends before page 0, at octet 5$/],
      [Buffer.alloc(10 * PAGE), /^meta page 0 is none$/],
    ] as const) {
      writeFileSync(other, octets);
      const found = verifyFile(other);
      assert.match(found.result === 'damaged' ? (found.faults[0] ?? '') : found.result, expected);
    }
    copyFileSync(file, other);
    truncateSync(other, 2 * PAGE);
    assert.is(verifyFile(other).result, 'damaged');
  });
});

test.run();
