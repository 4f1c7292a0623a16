// needs: addon
import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { commandLine, PROGRAM, run } from '../helpers/cli.ts';
import { startManagement } from '../helpers/management.ts';

const test = suite('cli commands');

const management = await startManagement();
const dir = mkdtempSync(join(tmpdir(), 'gi4over6-cli-'));
const file = (name: string) => join(dir, name);

const { ok, refused } = commandLine(management.socket);

/** Every test starts with an AFTR `a` of pool 192.0.2.0/24 and one binding, and a clean candidate. */
async function reset(): Promise<void> {
  await ok('discard');
  const configuration = {
    'gi-4over6:softwire': {
      aftr: [
        {
          name: 'a',
          'ipv6-address': '2001:db8:b::1',
          'ipv4-pool': ['192.0.2.0/24'],
          'binding-table': { binding: [{ 'ipv4-prefix': '192.0.2.0/28', 'gateway-ipv6-address': '2001:db8::1' }] },
        },
      ],
    },
  };
  writeFileSync(file('reset.json'), JSON.stringify(configuration));
  await ok('import', file('reset.json'), '--replace', '--commit');
}

function fresh(name: string, body: () => Promise<void>): void {
  test(name, async () => {
    await reset();
    await body();
  });
}

const BINDING = ['aftr', 'a', 'binding', '192.0.2.16/28'];

fresh('set writes the candidate, commit makes it running, discard drops it', async () => {
  await ok('set', ...BINDING, 'gateway-ipv6-address', '2001:db8::2', 'description', 'rack "2" & <3>');
  await refused(1, 'get', ...BINDING);
  assert.is(await ok('get', ...BINDING, 'description', '--candidate'), 'rack "2" & <3>\n');
  await ok('discard');
  await refused(1, 'get', ...BINDING, '--candidate');
  await ok('set', ...BINDING, 'gateway-ipv6-address', '2001:db8::2');
  await ok('commit');
  assert.is(await ok('get', ...BINDING, 'gateway-ipv6-address'), '2001:db8::2\n');
});

fresh('set by path, delete of an entry and of a leaf-list value', async () => {
  await ok('set', "/gi-4over6:softwire/aftr[name='a']/hop-limit", '7', '--commit');
  assert.is(await ok('get', "/gi-4over6:softwire/aftr[name='a']/hop-limit"), '7\n');
  await ok('set', 'aftr', 'a', 'ipv4-pool', '198.51.100.0/24', '--commit');
  await ok('delete', 'aftr', 'a', 'ipv4-pool', '198.51.100.0/24', '--commit');
  assert.is(await ok('get', 'aftr', 'a', 'ipv4-pool'), '192.0.2.0/24\n');
  await ok('delete', 'aftr', 'a', 'binding', '192.0.2.0/28', '--commit');
  assert.is(await ok('show', 'bindings'), 'There are no bindings.\n');
});

fresh('a refused --commit changes nothing, candidate included', async () => {
  const before = await ok('export');
  const line = await refused(
    1,
    'set',
    ...BINDING.with(3, '203.0.113.0/24'),
    'gateway-ipv6-address',
    '2001:db8::2',
    '--commit',
  );
  assert.match(line, 'lies in no ipv4-pool');
  assert.match(line, "binding[ipv4-prefix='203.0.113.0/24']");
  assert.is(await ok('export'), before);
  assert.is(await ok('export', '--candidate'), before);
});

fresh('--commit does not carry along what others left in the candidate', async () => {
  await ok('set', 'aftr', 'a', 'hop-limit', '9');
  const line = await refused(1, 'set', 'aftr', 'a', 'enabled', 'false', '--commit');
  assert.match(line, 'lock-denied');
  assert.match(line, 'gi4over6 discard');
  assert.is(await ok('get', 'aftr', 'a', 'hop-limit', '--candidate'), '9\n');
  await refused(1, 'get', 'aftr', 'a', 'hop-limit');
});

const mistakes = [
  [1, ['set', 'aftr', 'a', 'hop-limit', '300'], 'invalid-value'],
  [1, ['set', 'aftr', 'a', 'colour', 'red'], 'unknown-element'],
  [1, ['delete', 'aftr', 'a', 'binding', '10.0.0.0/8'], 'data-missing'],
  [1, ['get', 'aftr', 'b'], 'there is nothing'],
  [2, ['lookup', 'x'], 'expected an IPv4 address such as'],
  [1, ['lookup', '192.0.2.1', '--aftr', 'b'], 'data-missing'],
  [1, ['import', '/nonexistent.csv'], 'ENOENT'],
  [1, ['export', '/nonexistent/x.xml'], 'ENOENT'],
  [2, ['set', 'colour', 'red'], 'expected a path'],
  [2, ['set', '/foo:bar/baz', 'red'], 'no YANG module foo'],
  [2, ['import', '/nonexistent'], '--format'],
  [2, ['set', 'aftr', 'a', 'hop-limit', '7', '--comment', 'c'], '--comment goes on record with a commit'],
  [2, ['delete', 'aftr', 'a', 'hop-limit', '--comment', 'c'], '--comment goes on record with a commit'],
  [2, ['rollback', '1', '--comment', 'c'], '--comment goes on record with a commit'],
  [2, ['import', '/nonexistent.csv', '--comment', 'c'], '--comment goes on record with a commit'],
  [2, ['export', '--candidate', '--version', '1'], '--candidate and --version exclude each other'],
  [2, ['get', '--candidate', '--version', '1'], '--candidate and --version exclude each other'],
  [1, ['set', 'aftr', 'a', 'hop-limit', '256'], "expected a whole number, 1 to 255, found '256'"],
  [1, ['set', 'aftr', 'a', 'enabled', 'yes'], "expected true or false, found 'yes'"],
  [1, ['set', 'aftr', 'a', 'ecn-mode', 'x'], "expected one of normal, compatibility, found 'x'"],
  [
    1,
    ['set', ...BINDING, 'gateway-ipv6-address', '2001:db8::2', 'description', 'x'.repeat(300)],
    `expected a text of 0 to 255 characters, found '${'x'.repeat(60)}...'`,
  ],
  [2, ['set'], 'words'],
  [2, ['bogus'], 'unknown command'],
  [2, ['show', '--bogus'], 'unknown option'],
  [2, ['export', '--format', 'yaml'], 'csv'],
] as const;
for (const [code, words, what] of mistakes) {
  test(`${words.join(' ')}: exit code ${code}`, async () => assert.match(await refused(code, ...words), what));
}

test('no program: exit code 3, and what to do', async () => {
  const { code, errors } = await run(['status', '--socket', file('none.sock')]);
  assert.is(code, 3);
  assert.match(errors, /^gi4over6: no connection to .*none\.sock: .*gi4over6 run.*\n$/);
});

fresh('tables for people, JSON for programs', async () => {
  await ok('set', 'gateway', 'g', 'enabled', 'false', '--commit');
  assert.equal((await ok('show', 'bindings')).split('\n')[1]?.split(/\s+/).slice(0, 3), [
    'a',
    '192.0.2.0/28',
    '2001:db8::1',
  ]);
  assert.equal(JSON.parse(await ok('show', 'bindings', '--json')), [
    { aftr: 'a', 'ipv4-prefix': '192.0.2.0/28', 'gateway-ipv6-address': '2001:db8::1' },
  ]);
  assert.match(await refused(1, 'show', 'bindings', '--aftr', 'b', '--json'), "there is no AFTR 'b' in running");
  assert.equal(JSON.parse(await ok('show', 'aftrs', '--json')), [
    { name: 'a', enabled: true, 'ipv6-addresses': ['2001:db8:b::1'], 'ipv4-pools': ['192.0.2.0/24'], bindings: 1 },
  ]);
  assert.equal(JSON.parse(await ok('show', 'gateways', '--json')), [
    { name: 'g', enabled: false, 'ipv6-address': '', 'aftr-ipv6-address': '', 'served-prefixes': [] },
  ]);
  assert.equal(JSON.parse(await ok('show', 'counters', '--json')), []);
  assert.equal(JSON.parse(await ok('get', 'aftr', 'a', 'ipv4-pool', '--json')), {
    'gi-4over6:ipv4-pool': ['192.0.2.0/24'],
  });
});

fresh('lookup answers with the binding', async () => {
  const answers = JSON.parse(await ok('lookup', '192.0.2.3', '--json')) as { since?: string }[];
  assert.ok(Date.parse(answers[0]?.since ?? '') <= Date.now());
  assert.equal(
    answers.map(({ since: _, ...answer }) => answer),
    [{ aftr: 'a', 'ipv4-prefix': '192.0.2.0/28', 'gateway-ipv6-address': '2001:db8::1', origin: 'static' }],
  );
  assert.is(await ok('lookup', '192.0.2.200'), 'No binding holds 192.0.2.200.\n');
});

fresh('status says why nothing flows', async () => {
  const text = await ok('status');
  assert.match(text, 'AFTR a: enabled, 1 binding.');
  assert.match(text, 'The datapath does not answer');
  const { reasons, instances } = JSON.parse(await ok('status', '--json')) as {
    reasons: string[];
    instances: { name: string }[];
  };
  assert.ok(reasons.some((reason) => reason.includes('datapath')));
  assert.equal(
    instances.map(({ name }) => name),
    ['a'],
  );
});

fresh('log tells who committed what, newest first', async () => {
  const entries = async (...words: string[]) =>
    JSON.parse(await ok('log', '--json', ...words)) as {
      version: number;
      time: string;
      session: number;
      added: number;
    }[];
  const [before] = await entries('--count', '1');
  await ok('set', ...BINDING, 'gateway-ipv6-address', '2001:db8::2', '--commit');
  await ok('delete', ...BINDING, '--commit');
  const [removal, change] = await entries('--count', '2');
  if (!before || !removal) throw new Error('no commits are on record');
  const { version, time, session, ...rest } = removal;
  assert.is(version, before.version + 2);
  assert.ok(Date.parse(time) >= Date.parse(before.time));
  assert.type(session, 'number');
  assert.equal(rest, { user: 'root', face: 'local', added: 0, changed: 0, removed: 1, other: false });
  assert.is(change?.added, 1);
  assert.equal(await entries('--count', '1', '--before', `${version}`), [change]);
  assert.match(await ok('log'), /^version +time +user +face +added +changed +removed +other +comment\n/);
  assert.match(await refused(2, 'log', '--count', 'many'), 'expected a whole number from 1 to 1000');
});

fresh('commit tells the version, and when there is nothing to commit', async () => {
  await ok('set', ...BINDING, 'gateway-ipv6-address', '2001:db8::2');
  assert.match(await ok('status'), 'The candidate holds changes that are not committed');
  assert.match(
    await ok('commit'),
    /^Version \d+ is running\.\n {2}- The datapath does not answer: nothing is forwarded; see its log\.\n$/,
  );
  assert.match(await ok('commit'), /^Nothing to commit: version \d+ stays\.\n$/);
  assert.match(
    await refused(1, 'set', 'aftr', 'a', 'ipv4-address', '300.1.1.1'),
    "gi4over6: /gi-4over6:softwire/aftr[name='a']/ipv4-address: expected an IPv4 address such as 192.0.2.1, found '300.1.1.1' [invalid-value]",
  );
});

fresh('commit --confirm is pending until confirm, and cancel takes it back', async () => {
  const pending = async () => {
    const { confirmedCommit } = JSON.parse(await ok('status', '--json')) as {
      confirmedCommit?: { user: string; session: number; persistent: boolean; deadline: string; baseVersion: string };
    };
    return confirmedCommit;
  };
  const gateway = (last: number) => ok('set', ...BINDING, 'gateway-ipv6-address', `2001:db8::${last}`);
  assert.match(await refused(1, 'confirm'), 'no confirmed commit is pending');
  assert.match(await refused(1, 'cancel'), 'no confirmed commit is pending');
  assert.match(await refused(2, 'commit', '--confirm', '0'), 'expected a whole number from 1 to 4294967295');
  await gateway(2);
  const asked = Date.now();
  const told = await ok('commit', '--confirm', '300', '--comment', 'a trial');
  const answered = Date.now();
  assert.match(await ok('log', '--count', '1'), 'a trial');
  const { user, session, persistent, deadline = '', baseVersion } = (await pending()) ?? {};
  assert.equal([user, session, persistent], ['root', 0, true]);
  const committed = Date.parse(deadline) - 300_000;
  assert.ok(asked - 1_000 <= committed && committed <= answered, deadline);
  const fate = `Unless it is confirmed until ${deadline}, running returns to version ${baseVersion}.`;
  assert.match(told, `Version ${Number(baseVersion) + 1} is running.\n${fate} \`gi4over6 confirm\` keeps it`);
  assert.match(await ok('status'), `A confirmed commit of user root is pending. ${fate}\n`);
  assert.match(await refused(1, 'set', ...BINDING, 'description', 'x', '--commit'), '[in-use]');
  await gateway(3);
  assert.match(await refused(1, 'confirm'), 'the candidate holds changes that would be committed as well');
  assert.match(await refused(1, 'commit'), '[in-use]');
  assert.match(await ok('commit', '--confirm', '400'), `running returns to version ${baseVersion}.`);
  assert.is(
    (await ok('cancel')).split('\n')[0],
    `Running is as it was at version ${baseVersion}, now version ${Number(baseVersion) + 3}.`,
  );
  await refused(1, 'get', ...BINDING);
  await gateway(4);
  await ok('commit', '--confirm', '300');
  assert.match(await refused(1, 'confirm', '--persist-id', 'other'), '[invalid-value]');
  assert.is(await ok('confirm'), `Version ${Number(baseVersion) + 4} is confirmed.\n`);
  await gateway(5);
  await ok('commit', '--confirm', '300');
  await gateway(6);
  assert.is(await ok('confirm', '--with-candidate'), `Version ${Number(baseVersion) + 6} is confirmed.\n`);
  assert.is(await ok('get', ...BINDING, 'gateway-ipv6-address'), '2001:db8::6\n');
  assert.is(await pending(), undefined);
});

for (const format of ['xml', 'json', 'csv']) {
  fresh(`export and import as ${format} come back to the same`, async () => {
    await ok('set', ...BINDING, 'gateway-ipv6-address', '2001:db8::2', 'description', 'a,"b" <c>\u20ac', '--commit');
    const before = await ok('export');
    const name = file(`saved.${format}`);
    await ok('export', name);
    assert.is(statSync(name).mode & 0o777, 0o600);
    await ok('delete', ...BINDING, '--commit');
    assert.is.not(await ok('export'), before);
    await ok('import', name, '--replace', '--commit');
    assert.is(await ok('export'), before);
    await ok('import', name, '--commit');
    assert.is(await ok('export'), before);
    const piped = await run(
      ['import', '-', '--format', format, '--commit', '--socket', management.socket],
      readFileSync(name, 'utf8'),
    );
    assert.is(piped.code, 0, piped.errors);
    assert.is(await ok('export'), before);
  });
}

fresh('a CSV row that is refused is named by its line, and nothing of the file is applied', async () => {
  const before = await ok('export');
  writeFileSync(
    file('bad.csv'),
    'ipv4-prefix,gateway-ipv6-address\n192.0.2.32/28,2001:db8::2\n\n203.0.113.0/24,2001:db8::2\n',
  );
  assert.match(await refused(1, 'import', file('bad.csv'), '--commit'), 'bad.csv line 4, column ipv4-prefix: ');
  assert.is(await ok('export'), before);
  assert.is(await ok('export', '--candidate'), before);
});

fresh('fifty thousand bindings go in, out, and stream through a reader that leaves early', async () => {
  await ok('set', 'aftr', 'a', 'ipv4-pool', '10.0.0.0/8', '--commit');
  const rows = Array.from({ length: 50_000 }, (_, at) => `10.0.${at >> 8}.${at & 255}/32,2001:db8::${(at % 9) + 1}`);
  writeFileSync(file('many.csv'), `ipv4-prefix,gateway-ipv6-address\n${rows.join('\n')}\n`);
  assert.match(await ok('import', file('many.csv'), '--replace', '--commit'), '50000 bindings');
  await ok('export', file('out.csv'));
  const out = readFileSync(file('out.csv'), 'utf8').trimEnd().split('\n');
  assert.is(out.length, 50_001);
  assert.is(out[50_000], `a,${rows[49_999]},,`);
  assert.is((JSON.parse(await ok('show', 'bindings', '--json')) as unknown[]).length, 50_000);
  const child = spawn(process.execPath, [PROGRAM, 'show', 'bindings', '--socket', management.socket]);
  let errors = '';
  child.stderr.on('data', (text: Buffer) => {
    errors += text.toString();
  });
  child.stdout.once('data', () => child.stdout.destroy());
  assert.is(await new Promise((resolve) => child.once('close', resolve)), 0);
  assert.is(errors, '');
});

test('completion for bash offers commands and what follows them', async () => {
  const { code, output } = await run(['completion', 'bash']);
  assert.is(code, 0);
  const complete = (...words: string[]) =>
    runBash(
      `${output}\nCOMP_WORDS=(${words.map((word) => `'${word}'`).join(' ')}); COMP_CWORD=${words.length - 1}; _gi4over6; echo "\${COMPREPLY[@]}"`,
    );
  assert.is(await complete('gi4over6', 'sta'), 'status');
  assert.is(await complete('gi4over6', 'show', 'bin'), 'bindings');
  assert.is(await complete('gi4over6', 'set', '--commi'), '--commit');
  assert.not.match(await complete('gi4over6', ''), 'datapath');
});

function runBash(script: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = spawn('bash', ['-s'], { stdio: ['pipe', 'pipe', 'inherit'] });
    let output = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      output += text;
    });
    child.once('error', reject);
    child.once('close', () => resolve(output.trim()));
    child.stdin.end(script);
  });
}

test('the management process ends cleanly', async () => {
  rmSync(dir, { recursive: true, force: true });
  assert.is(await management.stop(), 0);
});

test.run();
