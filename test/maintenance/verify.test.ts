/** `gi4over6 verify-store`, as the supervisor asks it at a start and as people do. */

import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { claim } from '../../src/claim.ts';
import { markClosed, markOpen, storeDir, storeFile } from '../../src/state/store-files.ts';
import { aftr, binding, OPERATOR, openDatastores, request } from '../helpers/state.ts';

const test = suite('verify-store');

const PROGRAM = fileURLToPath(new URL('../../src/main.js', import.meta.url));
const DAMAGED = 65;

async function withState(body: (stateDir: string) => Promise<void> | void): Promise<void> {
  const stateDir = mkdtempSync(join(tmpdir(), 'gi4over6-verify-store-'));
  try {
    await body(stateDir);
  } finally {
    rmSync(stateDir, { recursive: true });
  }
}

/** A store of two commits, open as far as its mark says. */
async function makeStore(stateDir: string): Promise<void> {
  const datastores = await openDatastores(storeDir(stateDir), { onOpen: () => markOpen(stateDir) });
  await datastores.edit(OPERATOR, request(aftr(binding('192.0.2.1/32', '2001:db8::1'))));
  await datastores.close();
}

function verify(...words: readonly string[]): { code: number | null; line: string } {
  const { status, stdout, stderr } = spawnSync(process.execPath, [PROGRAM, 'verify-store', ...words], {
    encoding: 'utf8',
  });
  return { code: status, line: (stdout + stderr).trim() };
}

const atStart = (stateDir: string, ...words: readonly string[]) =>
  verify('--state-dir', stateDir, '--at-start', ...words);

function damage(file: string): void {
  const octets = readFileSync(file);
  const at = octets.lastIndexOf(Buffer.from('20010db8000000000000000000000001', 'hex'));
  octets[at] = 0x21;
  writeFileSync(file, octets);
}

test('a new state directory starts, also after a first start that was cut short', async () => {
  await withState((stateDir) => {
    assert.equal(atStart(stateDir), { code: 0, line: '' });
    mkdirSync(storeDir(stateDir));
    writeFileSync(join(storeDir(stateDir), 'lock.mdb'), '');
    assert.equal(atStart(stateDir), { code: 0, line: '' });
    writeFileSync(storeFile(stateDir), '');
    assert.equal(atStart(stateDir), { code: 0, line: '' });
  });
});

test('a store that is whole', async () => {
  await withState(async (stateDir) => {
    await makeStore(stateDir);
    const good = new RegExp(
      `^${storeFile(stateDir)} is good: version 2 of \\S+, 1 bindings, \\d+ octets, of them \\d+ free$`,
    );
    for (const found of [atStart(stateDir), verify('--state-dir', stateDir), verify(storeFile(stateDir))]) {
      assert.is(found.code, 0);
      assert.match(found.line, good);
    }
    markClosed(stateDir);
    assert.equal(atStart(stateDir), { code: 0, line: '' }, 'what was closed well is not read');
    assert.match(atStart(stateDir, '--always').line, good);
  });
});

test('damage is told in one line, after a clean end too', async () => {
  await withState(async (stateDir) => {
    await makeStore(stateDir);
    markClosed(stateDir);
    damage(storeFile(stateDir));
    const { code, line } = atStart(stateDir);
    assert.is(code, DAMAGED);
    assert.match(
      line,
      /^\S+data\.mdb is damaged \(database \w+: the stored [^:]+ is damaged: its CRC does not fit\): there is no good backup in \S+backups; take a copy of yours with `gi4over6 restore FILE --state-dir \S+`, or move \S+ away to begin without configuration$/,
    );
  });
});

test('the newest good backup is named', async () => {
  await withState(async (stateDir) => {
    await makeStore(stateDir);
    const backups = join(stateDir, 'backups');
    mkdirSync(backups);
    const octets = readFileSync(storeFile(stateDir));
    const names = ['20260101T000000Z-v1.mdb', '20260102T000000Z-v2.mdb', '20260103T000000Z-v3.mdb'];
    for (const name of names) writeFileSync(join(backups, name), octets);
    damage(join(backups, '20260103T000000Z-v3.mdb'));
    damage(storeFile(stateDir));
    const { code, line } = atStart(stateDir);
    assert.is(code, DAMAGED);
    assert.match(
      line,
      /: the newest good backup is version 2 of \S+; take it with `gi4over6 restore \S+backups\/20260102T000000Z-v2\.mdb --state-dir \S+`$/,
    );
  });
});

for (const [name, harm, expected] of [
  ['missing', (file: string) => rmSync(file), /is damaged \(it is missing, though there was a store\)/],
  ['empty', (file: string) => writeFileSync(file, ''), /is damaged \(the file ends before page 0, at octet 0\)/],
  ['cut', (file: string) => writeFileSync(file, readFileSync(file).subarray(0, 3 * 4096)), /is damaged \(/],
] as const) {
  test(`a store file that is ${name} is refused, not made anew`, async () => {
    await withState(async (stateDir) => {
      await makeStore(stateDir);
      markClosed(stateDir);
      harm(storeFile(stateDir));
      const { code, line } = atStart(stateDir);
      assert.is(code, DAMAGED);
      assert.match(line, expected);
    });
  });
}

test('an empty file without a note of its state: refused when there are backups, else a first start that was cut short', async () => {
  await withState(async (stateDir) => {
    await makeStore(stateDir);
    const file = storeFile(stateDir);
    const copy = readFileSync(file);
    rmSync(join(stateDir, 'store-state.json'), { force: true });
    writeFileSync(file, '');
    assert.equal(atStart(stateDir), { code: 0, line: '' });
    mkdirSync(join(stateDir, 'backups'));
    writeFileSync(join(stateDir, 'backups', '20260101T000000Z-v2.mdb'), copy);
    const { code, line } = atStart(stateDir);
    assert.is(code, DAMAGED);
    assert.match(
      line,
      /is damaged \(it holds nothing, though there are backups of a store\): the newest good backup is version \d+ /,
    );
  });
});

test('a store that has another time than it was closed at is read', async () => {
  await withState(async (stateDir) => {
    await makeStore(stateDir);
    markClosed(stateDir);
    utimesSync(storeFile(stateDir), 1, 1);
    assert.match(atStart(stateDir).line, /is good/);
  });
});

test('of a program that runs only a file of its own is read', async () => {
  await withState(async (stateDir) => {
    await makeStore(stateDir);
    const release = claim([stateDir]);
    try {
      const { code, line } = verify('--state-dir', stateDir);
      assert.is(code, 78);
      assert.match(line, /^gi4over6: the store in \S+ is in use by process \d+: stop it first/);
    } finally {
      release();
    }
  });
});

test('a file that cannot be read is a fault of the environment', async () => {
  await withState((stateDir) => {
    const { code, line } = verify(join(stateDir, 'none.mdb'));
    assert.is(code, 78);
    assert.match(line, /^gi4over6: ENOENT/);
  });
});

test.run();
