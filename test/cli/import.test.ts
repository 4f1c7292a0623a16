// needs: addon
/** Imports that fail or are interrupted leave the candidate as it was. */

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { commandLine, PROGRAM } from '../helpers/cli.ts';
import { startManagement } from '../helpers/management.ts';

const test = suite('cli import');
const management = await startManagement();
const { ok, refused } = commandLine(management.socket);
const dir = mkdtempSync(join(tmpdir(), 'gi4over6-import-'));
const file = (name: string) => join(dir, name);

const HEAD = 'aftr,ipv4-prefix,gateway-ipv6-address,aftr-ipv6-address,description';
const prefix = (at: number) => `10.0.${at >> 8}.${at & 255}/32`;
const row = (at: number) => `a,${prefix(at)},2001:db8::1,,`;

function csv(name: string, rows: readonly string[]): string {
  writeFileSync(file(name), `${[HEAD, ...rows].join('\n')}\n`);
  return file(name);
}

const MANY = Array.from({ length: 45_000 }, (_, at) => row(at));
const BAD = [...MANY.slice(0, 44_000), `a,${prefix(44_000)},2001:db8::1,2001:db8:ffff::x,`, ...MANY.slice(44_001)];

test('one AFTR, and a candidate with an edit of somebody else', async () => {
  const aftr = [{ name: 'a', 'ipv6-address': '2001:db8:b::1', 'ipv4-pool': ['10.0.0.0/16'] }];
  writeFileSync(file('start.json'), JSON.stringify({ 'gi-4over6:softwire': { aftr } }));
  await ok('import', file('start.json'), '--replace', '--commit');
  await ok('set', 'aftr', 'a', 'hop-limit', '9');
});

const EDIT_OF_OTHERS = '+ /gi-4over6:softwire/aftr=a/hop-limit  9\n';

test('an entry among many that the device refuses: it is named, and none is applied', async () => {
  assert.match(await refused(1, 'import', csv('bad.csv', BAD)), 'bad.csv line 44002, column aftr-ipv6-address: ');
  assert.is(await ok('compare'), EDIT_OF_OTHERS);
});

test('an entry among many that is none: it is named, and none is applied', async () => {
  const rows = BAD.with(44_000, `a,${prefix(44_000)},2001:db8::x,,`);
  assert.match(await refused(1, 'import', csv('none.csv', rows)), 'none.csv line 44002, column gateway-ipv6-address: ');
  assert.is(await ok('compare'), EDIT_OF_OTHERS);
});

test('an XML document that is not well-formed at its end: none is applied', async () => {
  const bindings = MANY.map((_, at) => {
    return `<binding><ipv4-prefix>${prefix(at)}</ipv4-prefix><gateway-ipv6-address>2001:db8::1</gateway-ipv6-address></binding>`;
  });
  const aftr = `<aftr><name>a</name><binding-table>${bindings.join('\n')}</binding-table></aftr>`;
  writeFileSync(file('bad.xml'), `<softwire xmlns="urn:gi-4over6">${aftr}</softwir>`);
  assert.match(await refused(1, 'import', file('bad.xml')), 'bad.xml: ');
  assert.is(await ok('compare'), EDIT_OF_OTHERS);
});

test('an import that is interrupted: none is applied', async () => {
  const words = ['import', '-', '--format', 'csv', '--socket', management.socket];
  const child = spawn(process.execPath, [PROGRAM, ...words], { stdio: ['pipe', 'inherit', 'inherit'] });
  const ended = once(child, 'exit');
  child.stdin.on('error', () => undefined);
  // The end of the file never comes. What was taken from the pipe was read, and 40,000 of it sent.
  await new Promise<void>((resolve) => child.stdin.write(`${[HEAD, ...MANY].join('\n')}\n`, () => resolve()));
  child.kill('SIGINT');
  assert.equal(await ended, [null, 'SIGINT']);
  assert.is(await ok('compare'), EDIT_OF_OTHERS);
});

test('a whole import of many adds to what others edited', async () => {
  assert.match(await ok('import', csv('good.csv', MANY)), '45000 bindings of ');
  assert.is((await ok('compare')).split('\n').length, 45_000 * 2 + 2);
  await ok('discard');
});

test('an AFTR that is not there is refused, and the file of yesterday stays', async () => {
  writeFileSync(file('yesterday.csv'), 'yesterday');
  for (const source of [[], ['--candidate'], ['--version', '1']]) {
    const words = ['--aftr', 'nosuch', ...source];
    assert.match(await refused(1, 'export', file('yesterday.csv'), ...words), "there is no AFTR 'nosuch' in ");
    assert.match(await refused(1, 'show', 'bindings', ...words), "there is no AFTR 'nosuch' in ");
  }
  assert.is(readFileSync(file('yesterday.csv'), 'utf8'), 'yesterday');
  assert.match(await refused(1, 'show', 'port-sets', '--aftr', 'nosuch'), "there is no AFTR 'nosuch' in running");
  const row = csv('row.csv', [`,${prefix(0)},2001:db8::1,,`]);
  assert.match(await refused(1, 'import', row, '--aftr', 'nosuch'), "there is no AFTR 'nosuch' in the candidate");
  assert.match(await refused(2, 'import', file('start.json'), '--aftr', 'a'), '--aftr is for CSV');
  assert.match(await refused(2, 'show', 'gateways', '--aftr', 'a'), '--aftr is for `show bindings`');
  assert.is(await ok('show', 'bindings', '--aftr', 'a'), 'There are no bindings.\n');
  assert.is(await ok('show', 'port-sets', '--aftr', 'a'), 'There are no port sets.\n');
  assert.is(await ok('export', '--format', 'csv', '--aftr', 'a'), `${HEAD}\n`);
});

test('a CSV file without bindings empties no table unless that is said', async () => {
  await ok('import', csv('two.csv', MANY.slice(0, 2)), '--commit');
  const empty = csv('empty.csv', []);
  assert.match(
    await refused(1, 'import', empty, '--replace', '--dry-run'),
    'empty.csv holds no bindings: --replace would',
  );
  assert.match(await refused(1, 'import', empty, '--replace', '--commit'), '--allow-empty does it');
  assert.match(
    await ok('import', empty, '--replace', '--dry-run', '--allow-empty'),
    'would add 0, change 0 and remove 2 bindings',
  );
  await ok('import', empty, '--replace', '--commit', '--allow-empty');
  assert.is(await ok('show', 'bindings'), 'There are no bindings.\n');
});

test('the end', async () => {
  rmSync(dir, { recursive: true, force: true });
  assert.is(await management.stop(), 0);
});

test.run();
