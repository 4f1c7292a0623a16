// needs: root
/** `backup`, `restore`, `compact` and `verify-store` on a program that runs. */

import { copyFileSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { commandLine, run } from '../helpers/cli.ts';
import { startManagement } from '../helpers/management.ts';

const test = suite('cli store');
const management = await startManagement();
const { ok, refused } = commandLine(management.socket);
const STATE_DIR = ['--state-dir', management.stateDir];
const BINDING = ['aftr', 'a', 'binding', '192.0.2.1/32', 'gateway-ipv6-address'];

await ok('set', 'aftr', 'a', 'ipv6-address', '2001:db8:b::1');
await ok('set', 'aftr', 'a', 'ipv4-pool', '192.0.2.0/24');
await ok('set', ...BINDING, '2001:db8::1');
await ok('commit', '--comment', 'start');

interface Backup {
  readonly file: string;
  readonly version: number;
  readonly octets: number;
}

const backup = async () => JSON.parse(await ok('backup', '--json')) as Backup;
const newestVersion = async () =>
  (JSON.parse(await ok('log', '--json', '--count', '1')) as { version: number }[])[0]?.version ?? 0;

test('a backup is a whole store of the version that is running', async () => {
  const { file, version, octets } = await backup();
  assert.is(version, await newestVersion());
  assert.is(statSync(file).size, octets);
  assert.is(statSync(file).mode & 0o777, 0o600);
  assert.match((await run(['verify-store', file])).output, new RegExp(`is good: version ${version} of .* 1 bindings`));
  assert.match(await ok('backup'), /^Version \d+ is in \S+, \d+ octets\.\n$/);
  const listed = await ok('get', '/gi-4over6:store/state', '--json');
  assert.match(listed, file);
});

test('restore: what was committed since is gone, history before it stays, the other store is kept', async () => {
  const before = await ok('export');
  const { file, version } = await backup();
  await ok('set', ...BINDING, '2001:db8::2', '--commit');
  assert.is.not(await ok('export'), before);
  const lost = new Date().toISOString();
  const given = await newestVersion();
  await management.restart('SIGTERM', [], async () => {
    const { code, output } = await run(['restore', file, ...STATE_DIR]);
    assert.is(code, 0);
    assert.match(
      output,
      new RegExp(
        `^version ${version} of .* with 1 bindings is restored as version ${given + 1}; the store before it is kept as `,
      ),
    );
  });
  assert.is(await ok('export'), before);
  assert.is(await newestVersion(), given + 1, 'no number is given out again');
  const log = await ok('log');
  assert.match(log, 'start');
  assert.match(log, new RegExp(`system.*restored from backup ${basename(file)} of version ${version}`));
  assert.match(log, `dropped: a backup of version ${version} was restored`);
  assert.match(
    await refused(1, 'lookup', '192.0.2.1', '--at', lost),
    /is not on record: a backup was restored, and what was from \S+ to \S+ is lost/,
  );
  const now = JSON.parse(await ok('lookup', '192.0.2.1', '--json')) as { since?: string }[] | { since?: string };
  const since = (Array.isArray(now) ? now[0] : now)?.since ?? '';
  assert.ok(since > lost, `held since ${since}, as far as that is on record`);
  const differences = await ok('compare', `${version}`, `${given + 1}`);
  assert.not.match(differences, /2001:db8/, 'the restored version is the backup');
  await ok('set', ...BINDING, '2001:db8::3', '--commit');
  assert.is(await newestVersion(), given + 2);
  await ok('set', ...BINDING, '2001:db8::1', '--commit');
  assert.ok(readdirSync(management.stateDir).some((name) => name.startsWith('store.replaced-')));
});

test('restore is refused while the program runs, and for what is no backup; nothing changes', async () => {
  const before = await ok('export');
  const { file } = await backup();
  const running = await run(['restore', file, ...STATE_DIR]);
  assert.is(running.code, 78);
  assert.match(running.errors, /is in use by process \d+ of gi4over6: stop it/);
  const damaged = join(management.stateDir, 'damaged.mdb');
  copyFileSync(file, damaged);
  const octets = readFileSync(damaged);
  octets.fill(0x55, octets.length / 2);
  writeFileSync(damaged, octets);
  await management.restart('SIGTERM', [], async () => {
    for (const wrong of [
      damaged,
      join(management.stateDir, 'nothing.mdb'),
      join(management.stateDir, 'initial-password'),
    ]) {
      const { code, errors } = await run(['restore', wrong, ...STATE_DIR]);
      assert.is(code, 78, errors);
      assert.is(errors.trimEnd().split('\n').length, 1, errors);
    }
  });
  assert.is(await ok('export'), before);
});

test('compact: the file shrinks, nothing is lost, edits and a kill come after it', async () => {
  const rows = Array.from({ length: 30_000 }, (_, i) => `a,10.${i >> 16}.${(i >> 8) & 255}.${i & 255}/32,2001:db8::9`);
  const csv = join(management.stateDir, 'many.csv');
  writeFileSync(csv, ['aftr,ipv4-prefix,gateway-ipv6-address', ...rows, ''].join('\n'));
  await ok('set', 'aftr', 'a', 'ipv4-pool', '10.0.0.0/8', '--commit');
  for (const round of ['2001:db8::9', '2001:db8::a']) {
    writeFileSync(csv, readFileSync(csv, 'utf8').replaceAll('2001:db8::9', round));
    await ok('import', csv, '--commit');
  }
  const before = await ok('export', '--format', 'csv');
  const { octetsBefore, octetsAfter } = JSON.parse(await ok('compact', '--json')) as Record<string, number>;
  assert.ok((octetsAfter ?? 0) < (octetsBefore ?? 0), `${octetsAfter} of ${octetsBefore}`);
  assert.is(await ok('export', '--format', 'csv'), before);
  await ok('set', ...BINDING, '2001:db8::7', '--commit');
  await management.restart('SIGKILL');
  assert.is(await ok('get', ...BINDING), '2001:db8::7\n');
  assert.is((await ok('export', '--format', 'csv')).split('\n').length, before.split('\n').length);
  assert.match(await ok('compact'), /^The store has \d+ octets; it had \d+\.\n$/);
  assert.match(await refused(2, 'compact', 'now'), 'too many arguments');
});

test('the end', async () => {
  assert.is(await management.stop(), 0);
});

test.run();
