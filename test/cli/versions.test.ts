// needs: addon
/** The commands about versions, and rehearsed imports. */

import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { commandLine } from '../helpers/cli.ts';
import { startManagement } from '../helpers/management.ts';

const test = suite('cli versions');
const management = await startManagement();
const { ok, refused } = commandLine(management.socket);
const dir = mkdtempSync(join(tmpdir(), 'gi4over6-versions-'));
const file = (name: string) => join(dir, name);

const CONFIGURATION = JSON.stringify({
  'gi-4over6:softwire': {
    aftr: [
      {
        name: 'a',
        'ipv6-address': '2001:db8:b::1',
        'ipv4-pool': ['192.0.2.0/24'],
        'binding-table': { binding: [{ 'ipv4-prefix': '192.0.2.1/32', 'gateway-ipv6-address': '2001:db8::1' }] },
      },
    ],
  },
});
writeFileSync(file('start.json'), CONFIGURATION);

interface LogEntry {
  readonly version: number;
  readonly time: string;
  readonly comment?: string;
}

/** Back to one AFTR with one binding; the version. */
async function start(): Promise<number> {
  await ok('import', file('start.json'), '--replace', '--commit', '--comment', 'start');
  const [newest] = JSON.parse(await ok('log', '--json', '--count', '1')) as LogEntry[];
  return newest?.version ?? 0;
}

const BINDING = ['aftr', 'a', 'binding', '192.0.2.1/32'];
const PATH = '/gi-4over6:softwire/aftr=a/binding-table/binding=192.0.2';

test('compare shows what a commit would change, and what a version changed', async () => {
  const version = await start();
  assert.is(await ok('compare'), 'There is no difference.\n');
  await ok('set', ...BINDING, 'gateway-ipv6-address', '2001:db8::2');
  await ok('set', 'aftr', 'a', 'binding', '192.0.2.2/32', 'gateway-ipv6-address', '2001:db8::3');
  await ok('set', 'aftr', 'a', 'hop-limit', '9');
  const lines = [
    '+ /gi-4over6:softwire/aftr=a/hop-limit  9',
    `- ${PATH}.1/32/gateway-ipv6-address  2001:db8::1`,
    `+ ${PATH}.1/32/gateway-ipv6-address  2001:db8::2`,
    `+ ${PATH}.2/32/ipv4-prefix  192.0.2.2/32`,
    `+ ${PATH}.2/32/gateway-ipv6-address  2001:db8::3`,
  ];
  const difference = `${lines.join('\n')}\n`;
  assert.is(await ok('compare'), difference);
  await ok('commit', '--comment', 'ticket 9');
  assert.is(await ok('compare', `${version}`), difference);
  assert.is(await ok('compare', `${version}`, `${version + 1}`), difference);
  const edits = JSON.parse(await ok('compare', `${version + 1}`, `${version}`, '--json')) as { operation: string }[];
  assert.equal(edits.map(({ operation }) => operation).sort(), ['delete', 'delete', 'replace']);
  const [newest] = JSON.parse(await ok('log', '--json', '--count', '1')) as LogEntry[];
  assert.is(newest?.comment, 'ticket 9');
  assert.match(await refused(1, 'compare', '999999'), 'version 999999 is not on record');
});

test('rollback to the candidate, and at once', async () => {
  const version = await start();
  const before = await ok('export');
  const move = [...BINDING, 'gateway-ipv6-address', '2001:db8::2', '--commit', '--comment', 'moved'];
  assert.match(await ok('set', ...move), `Version ${version + 1} is running.\n`);
  assert.is(await ok('set', ...move), `Nothing to commit: version ${version + 1} stays.\n`);
  assert.match(await ok('rollback', `${version}`), `The candidate is what running was at version ${version}`);
  assert.is.not(await ok('export'), before);
  await ok('commit');
  assert.is(await ok('export'), before);
  await ok('rollback', `${version + 1}`, '--commit', '--comment', 'and again');
  assert.is(await ok('get', ...BINDING, 'gateway-ipv6-address'), '2001:db8::2\n');
  const [newest] = JSON.parse(await ok('log', '--json', '--count', '1')) as LogEntry[];
  assert.is(newest?.comment, 'and again');
  assert.match(await refused(1, 'rollback', '999999'), 'not on record');
});

test('a version is shown and exported in every format', async () => {
  const version = await start();
  const [json, xml, csv] = [
    await ok('export', '--format', 'json'),
    await ok('export'),
    await ok('export', '--format', 'csv'),
  ];
  await ok('delete', ...BINDING, '--commit');
  const then = ['--version', `${version}`];
  assert.is(await ok('export', '--format', 'json', ...then), json);
  assert.is(await ok('export', ...then), xml);
  assert.is(await ok('export', '--format', 'csv', ...then), csv);
  assert.match(await ok('show', 'bindings', ...then), /^a +192\.0\.2\.1\/32 +2001:db8::1/m);
  assert.is(await ok('show', 'bindings'), 'There are no bindings.\n');
  assert.match(await ok('show', ...then), 'binding 192.0.2.1/32');
  assert.match(await refused(2, 'show', 'aftr', 'a', ...then), 'no other words');
  await ok('export', file('then.json'), ...then);
  assert.is(readFileSync(file('then.json'), 'utf8'), json);
});

test('lookup at a time', async () => {
  await start();
  await ok('set', ...BINDING, 'gateway-ipv6-address', '2001:db8::7', '--commit');
  await ok('delete', ...BINDING, '--commit');
  const [, , moved] = JSON.parse(await ok('log', '--json', '--count', '3')) as LogEntry[];
  const [gone, then] = JSON.parse(await ok('log', '--json', '--count', '2')) as LogEntry[];
  if (!gone || !then || !moved) throw new Error('three commits are on record');
  const answers = JSON.parse(await ok('lookup', '192.0.2.1', '--at', then.time, '--json')) as Record<string, string>[];
  assert.equal(answers, [
    {
      aftr: 'a',
      'ipv4-prefix': '192.0.2.1/32',
      'gateway-ipv6-address': '2001:db8::7',
      origin: 'static',
      since: then.time,
      until: gone.time,
    },
  ]);
  assert.is(await ok('lookup', '192.0.2.1', '--at', gone.time), 'No binding held 192.0.2.1 then.\n');
  assert.match(await refused(1, 'lookup', '192.0.2.1', '--at', '2001-01-01'), 'is not on record');
  assert.match(await refused(2, 'lookup', '192.0.2.1', '--at', 'yesterday'), 'expected a time such as');
  assert.match(await refused(2, 'lookup', '192.0.2.1', '--at', '2026-02-31 10:00'), 'expected a time such as');
  await ok('delete', 'aftr', 'a', '--commit');
  const ofOne = (name: string) => ['lookup', '192.0.2.1', '--at', then.time, '--aftr', name, '--json'];
  assert.equal(JSON.parse(await ok(...ofOne('a'))), answers, 'of an AFTR that is gone');
  assert.match(await refused(1, ...ofOne('b')), 'does not exist');
});

test('a dry run says what an import would change, checks it, and changes nothing', async () => {
  await start();
  const before = await ok('export');
  const csv = (...lines: string[]) => {
    writeFileSync(file('b.csv'), ['aftr,ipv4-prefix,gateway-ipv6-address', ...lines, ''].join('\n'));
    return file('b.csv');
  };
  const name = csv('a,192.0.2.1/32,2001:db8::5', 'a,192.0.2.2/32,2001:db8::5', 'a,192.0.2.3/32,2001:db8::5');
  assert.is(await ok('import', name, '--dry-run'), `${name} would add 2, change 1 and remove 0 bindings.\n`);
  csv('a,192.0.2.9/32,2001:db8::5');
  assert.is(
    await ok('import', name, '--dry-run', '--replace'),
    `${name} would add 1, change 0 and remove 1 bindings.\n`,
  );
  csv('a,192.0.2.9/32,2001:db8::5', 'a,203.0.113.1/32,2001:db8::5');
  assert.match(await refused(1, 'import', name, '--dry-run'), /line 3, column ipv4-prefix: .*lies in no ipv4-pool/);
  csv('a,192.0.2.9/32,2001:db8::5', 'a,192.0.2.300/32,2001:db8::5');
  assert.match(
    await refused(1, 'import', name, '--dry-run'),
    "line 3, column ipv4-prefix: '192.0.2.300/32' is no IPv4 prefix",
  );
  assert.match(
    await ok('import', file('start.json'), '--dry-run', '--replace'),
    'would add 0, change 0 and remove 0 bindings',
  );
  assert.is(await ok('export'), before);
  assert.is(await ok('compare'), 'There is no difference.\n');
});

test('the end', async () => {
  rmSync(dir, { recursive: true, force: true });
  assert.is(await management.stop(), 0);
});

test.run();
