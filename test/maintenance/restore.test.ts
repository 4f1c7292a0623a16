/** `gi4over6 restore`: a backup in the place of the store of a stopped program. */

import { spawn, spawnSync } from 'node:child_process';
import {
  chownSync,
  copyFileSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { claim } from '../../src/claim.ts';
import { markClosed, markOpen, storeDir, storeFile, storeState } from '../../src/state/store-files.ts';
import { verifyFile } from '../../src/state/verify.ts';
import { aftr, binding, OPERATOR, openDatastores, request } from '../helpers/state.ts';

const test = suite('restore');

const PROGRAM = fileURLToPath(new URL('../../src/main.js', import.meta.url));

interface Ending {
  readonly code: number | null;
  readonly line: string;
}

interface Place {
  readonly stateDir: string;
  /** Of version 2; the store is at version 3. */
  readonly backup: string;
  restore(file?: string): Ending;
}

async function withState(body: (place: Place) => Promise<void> | void): Promise<void> {
  const stateDir = mkdtempSync(join(tmpdir(), 'gi4over6-restore-'));
  const elsewhere = mkdtempSync(join(tmpdir(), 'gi4over6-restore-'));
  const backup = join(elsewhere, 'a copy.mdb');
  try {
    const datastores = await openDatastores(storeDir(stateDir), { onOpen: () => markOpen(stateDir) });
    await datastores.edit(OPERATOR, request(aftr(binding('192.0.2.1/32', '2001:db8::1'))));
    await datastores.copyStore(elsewhere);
    copyFileSync(join(elsewhere, 'data.mdb'), backup);
    await datastores.edit(OPERATOR, request(aftr(binding('192.0.2.2/32', '2001:db8::1'))));
    await datastores.close();
    markClosed(stateDir);
    const restore = (file = backup) => {
      const words = [PROGRAM, 'restore', file, '--state-dir', stateDir];
      const { status, stdout, stderr } = spawnSync(process.execPath, words, { encoding: 'utf8' });
      return { code: status, line: (stdout + stderr).trim() };
    };
    await body({ stateDir, backup, restore });
  } finally {
    rmSync(stateDir, { recursive: true });
    rmSync(elsewhere, { recursive: true });
  }
}

/** Version of the store as it lies there. */
function versionOf(file: string): number {
  const found = verifyFile(file);
  return found.result === 'good' ? found.summary.version : 0;
}

test('the backup becomes the store, and the store is kept aside', async () => {
  await withState(async ({ stateDir, restore }) => {
    const before = readFileSync(storeFile(stateDir));
    const { code, line } = restore();
    assert.is(code, 0, line);
    const said =
      /^version 2 of \S+ with 1 bindings is restored as version 4; the store before it is kept as (\S+)$/.exec(line);
    const aside = said?.[1] ?? '';
    assert.match(aside, /store\.replaced-\d{8}T\d{6}Z$/);
    assert.ok(readFileSync(join(aside, 'data.mdb')).equals(before));
    assert.is(versionOf(storeFile(stateDir)), 4, 'above what was given out');
    assert.is(storeState(stateDir), 'unclean', 'the next start reads it whole');
    assert.is(statSync(storeFile(stateDir)).mode & 0o777, 0o600);
    assert.is(statSync(storeDir(stateDir)).mode & 0o777, 0o700);
    assert.not.ok(readdirSync(stateDir).some((name) => name.includes('.new') || name.endsWith('.pid')));
    const datastores = await openDatastores(storeDir(stateDir));
    assert.equal([...datastores.head().counts], [['a', 1]]);
    await datastores.edit(OPERATOR, request(aftr(binding('192.0.2.9/32', '2001:db8::1'))));
    await datastores.close();
    assert.is(versionOf(storeFile(stateDir)), 5);
    assert.match(restore().line, /is restored as version 6;/, 'again');
  });
});

test('a store that is damaged or gone is replaced as well', async () => {
  await withState(({ stateDir, restore }) => {
    writeFileSync(storeFile(stateDir), 'not a store');
    assert.match(
      restore().line,
      / is restored as version 3 \(the store before it cannot be read: .*\); the store before/,
    );
    assert.is(versionOf(storeFile(stateDir)), 3);
    rmSync(storeDir(stateDir), { recursive: true });
    assert.match(restore().line, /^version 2 of \S+ with 1 bindings is restored as version 3$/);
    assert.is(versionOf(storeFile(stateDir)), 3);
  });
});

test('a compacted store is replaced whole', async () => {
  await withState(async ({ stateDir, restore }) => {
    const datastores = await openDatastores(storeDir(stateDir));
    await datastores.compact(async () => undefined);
    await datastores.close();
    assert.match(storeFile(stateDir), /store\/2\/data\.mdb$/);
    assert.is(restore().code, 0);
    assert.match(storeFile(stateDir), /store\/data\.mdb$/);
    assert.is(versionOf(storeFile(stateDir)), 4);
  });
});

test('what is no good backup is refused and changes nothing', async () => {
  await withState(({ stateDir, backup, restore }) => {
    const octets = readFileSync(backup);
    const names = readdirSync(stateDir).sort();
    for (const [harm, expected] of [
      [
        () => writeFileSync(backup, octets.subarray(0, octets.length - 4096)),
        /: nothing was changed; take another one$/,
      ],
      [() => writeFileSync(backup, ''), /\(the file ends before page 0, at octet 0\): nothing was changed/],
      [() => rmSync(backup), /^gi4over6: ENOENT/],
    ] as const) {
      harm();
      const { code, line } = restore();
      assert.is(code, 78);
      assert.match(line, expected);
      assert.equal(readdirSync(stateDir).sort(), names);
      assert.is(versionOf(storeFile(stateDir)), 3);
      assert.is(storeState(stateDir), 'clean');
    }
  });
});

test('refused while the program runs, or a process it left behind', async () => {
  await withState(async ({ stateDir, restore }) => {
    const release = claim([stateDir]);
    const { code, line } = restore();
    release();
    assert.is(code, 78);
    assert.match(line, /is in use by gi4over6, process \d+: stop it/);
    const program = join(stateDir, 'left.mjs');
    writeFileSync(program, "console.log('here'); setInterval(() => undefined, 1000);");
    const left = spawn(process.execPath, [program, 'management', '--state-dir', stateDir], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    try {
      await new Promise((resolve) => left.stdout.once('data', resolve));
      assert.match(restore().line, new RegExp(`is in use by process ${left.pid} of gi4over6: stop it`));
    } finally {
      left.kill('SIGKILL');
    }
    assert.is(versionOf(storeFile(stateDir)), 3);
  });
});

test('what is restored belongs to whom the state directory does', async () => {
  await withState(({ stateDir, restore }) => {
    const uid = process.getuid?.() ?? 0;
    // Only root can give files away.
    const owner = uid === 0 ? 12_345 : uid;
    chownSync(stateDir, owner, statSync(stateDir).gid);
    assert.is(restore().code, 0);
    for (const path of [storeDir(stateDir), storeFile(stateDir), join(stateDir, 'store-state.json')]) {
      assert.is(statSync(path).uid, owner, path);
    }
  });
});

test('without a state directory it says what to do', async () => {
  await withState(({ backup }) => {
    const words = [PROGRAM, 'restore', backup, '--state-dir', '/nonexistent/gi4over6'];
    const { status, stderr } = spawnSync(process.execPath, words, { encoding: 'utf8' });
    assert.is(status, 78);
    assert.match(
      stderr,
      /^gi4over6: there is no directory \/nonexistent\/gi4over6: name it with --state-dir; on a new device/,
    );
  });
});

test.run();
