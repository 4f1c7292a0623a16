// needs: addon
/** Imports that fail or are interrupted leave the candidate as it was. */

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { lstatSync, mkdtempSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { commandLine, PROGRAM } from '../helpers/cli.ts';
import { startManagement } from '../helpers/management.ts';

const test = suite('cli import');
const management = await startManagement();
const { gi, ok, refused } = commandLine(management.socket);
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

test('an export follows a symbolic link, also to a file that is not there yet', async () => {
  const rights = () => statSync(file('led.json')).mode & 0o777;
  for (const link of ['first', 'second']) {
    rmSync(file('link.json'), { force: true });
    symlinkSync(link === 'first' ? 'led.json' : file('led.json'), file('link.json'));
    symlinkSync('link.json', file(`${link}.json`));
    await ok('export', file(`${link}.json`));
    assert.ok(lstatSync(file(`${link}.json`)).isSymbolicLink());
    assert.ok(lstatSync(file('link.json')).isSymbolicLink());
    assert.match(readFileSync(file('led.json'), 'utf8'), '"name":"a"');
    assert.is(rights(), 0o600);
    writeFileSync(file('led.json'), 'old');
  }
  symlinkSync('turn.json', file('turn.json'));
  assert.match(await refused(1, 'export', file('turn.json')), 'more than 40 symbolic links');
});

test('port sets that a CSV file leaves out are told, of a version, too', async () => {
  const shared = { 'ipv4-address': '10.0.255.1', 'psid-offset': 6, 'psid-length': 8 };
  const portSets = [1, 2].map((psid) => ({ psid, 'b4-ipv6-address': `2001:db8::${psid}` }));
  const table = { 'shared-address': [{ ...shared, 'port-set': portSets }] };
  const data = { 'gi-4over6:softwire': { aftr: [{ name: 'a', 'binding-table': table }] } };
  writeFileSync(file('shared.json'), JSON.stringify(data));
  await ok('import', file('shared.json'), '--commit');
  const [newest] = JSON.parse(await ok('log', '--json', '--count', '1')) as { version: number }[];
  for (const source of [[], ['--version', `${newest?.version}`]]) {
    const { code, errors } = await gi('export', file('x.csv'), ...source);
    assert.is(code, 0, errors);
    assert.is(errors, 'gi4over6: 2 port sets of shared addresses are not in it: export XML or JSON for them\n');
    assert.match(await ok('show', 'bindings', ...source), 'there are 2 port sets of shared addresses');
  }
});

test('a table that is too large is blamed on no line; one other change is one', async () => {
  await ok('set', 'aftr', 'a', 'softwire-num-max', '2', '--commit');
  const line = await refused(1, 'import', csv('three.csv', MANY.slice(0, 3)), '--dry-run');
  assert.match(line, 'three.csv: AFTR a would have ');
  assert.match(line, 'softwire-num-max is 2');
  writeFileSync(file('one.json'), JSON.stringify({ 'gi-4over6:softwire': { aftr: [{ name: 'a', 'hop-limit': 11 }] } }));
  assert.match(await ok('import', file('one.json'), '--dry-run'), ' bindings, and 1 other change.\n');
});

for (const [words, what] of [
  [['commit', '--comment', 'a\u0007b'], /'--comment <text>'.*expected 1 to 256 characters, and no control character/],
  [['commit', '--comment', 'x'.repeat(257)], /'--comment <text>'.*expected 1 to 256 characters/],
  [['show', 'bindings', '--aftr', '\u0001'], /'--aftr <name>'.*expected no control characters/],
  [['set', 'aftr', 'a', 'hop-limit', '\u0001'], /expected no control characters, found them in/],
  [['get', '/softwire\u0001'], /expected no control characters, found them in/],
  [['set', 'aftr', 'a', 'x><y', '1'], /expected the name of a leaf, found 'x><y'/],
] as const) {
  test(`${JSON.stringify(words)} is wrong usage`, async () => assert.match(await refused(2, ...words), what));
}

test('the end', async () => {
  rmSync(dir, { recursive: true, force: true });
  assert.is(await management.stop(), 0);
});

test.run();
