// needs: addon
/** :url (RFC 6241 §8.8): configurations in the files of one directory, as the running program reads and writes them. */

import { execFile, execFileSync } from 'node:child_process';
import {
  linkSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { allOk, openLocal } from '../../helpers/local-sessions.ts';
import { startManagement } from '../../helpers/management.ts';
import { outcome, RawClient } from '../../helpers/netconf-client.ts';
import {
  AFTR,
  binding,
  edit,
  GI,
  getConfig,
  lock,
  NC_PREFIX,
  nacm,
  RESET,
  table,
} from '../../helpers/netconf-requests.ts';
import { editData } from '../../helpers/nmda-requests.ts';

const test = suite('netconf url');

const dir = mkdtempSync(join(tmpdir(), 'gi4over6-urls-'));
const OCTETS = 60_000;
const management = await startManagement(['--url-dir', dir, '--netconf-limit', `message-octets=${OCTETS}`]);
const client = await openLocal(management);

const NC = 'xmlns="urn:ietf:params:xml:ns:netconf:base:1.0"';
const G = '2001:db8:a::1';
const url = (name: string) => `<url>file:///${name}</url>`;
const save = (name: string, more = '') =>
  `<copy-config><target>${url(name)}</target><source><running/></source>${more}</copy-config>`;
const restore = (name: string, target = 'running') =>
  `<copy-config><target><${target}/></target><source>${url(name)}</source></copy-config>`;
const remove = (name: string) => `<delete-config><target>${url(name)}</target></delete-config>`;
const validate = (name: string) => `<validate><source>${url(name)}</source></validate>`;
const editBy = (name: string, more = '', target = 'running') =>
  `<edit-config><target><${target}/></target>${more}${url(name)}</edit-config>`;
const path = (name: string) => join(dir, name);
const put = (name: string, config: string) => writeFileSync(path(name), `<config ${NC}>${config}</config>`);
const withDefaults = (mode: string) =>
  `<with-defaults xmlns="urn:ietf:params:xml:ns:yang:ietf-netconf-with-defaults">${mode}</with-defaults>`;

/** Over an empty directory, and an AFTR with a binding in running. */
function fresh(name: string, body: () => Promise<void>): void {
  test(name, async () => {
    for (const left of readdirSync(dir)) rmSync(path(left), { recursive: true });
    await allOk(client, '<discard-changes/>', RESET, edit(AFTR), edit(table(binding('192.0.2.1/32', G))));
    await body();
  });
}

/** The outcome of a refusal with its bad-element. */
async function told(operation: string, by = client): Promise<string> {
  const reply = await by.rpc(operation);
  const element = /<bad-element>([^<]*)</.exec(reply)?.[1];
  return element === undefined ? outcome(reply) : `${outcome(reply)} ${element}`;
}

async function data(datastore = 'running', mode = 'explicit'): Promise<string> {
  return /<data[^>]*>(.*)<\/data>/s.exec(await client.rpc(getConfig(withDefaults(mode), datastore)))?.[1] ?? '';
}

fresh('is announced with its scheme and its feature', async () => {
  assert.match(client.hello, '<capability>urn:ietf:params:netconf:capability:url:1.0?scheme=file</capability>');
  assert.match(client.hello, /module=ietf-netconf&amp;revision=2011-06-01&amp;features=[^<]*\burl\b/);
});

test('is off unless a directory is given', async () => {
  const plain = await startManagement();
  const other = await openLocal(plain);
  assert.not.match(other.hello, /capability:url/);
  for (const operation of [save('a'), restore('a'), remove('a'), validate('a'), editBy('a')]) {
    assert.match(outcome(await other.rpc(operation)), /unknown-element/);
  }
  other.end();
  await plain.stop();
});

fresh('copy-config writes running into a file, and a file into running and candidate', async () => {
  const rows = Array.from({ length: 200 }, (_, i) => binding(`192.0.2.${i + 2}/32`, G)).join('');
  await allOk(client, edit(table(rows)), save('a.xml'));
  const saved = await data();
  assert.is(
    readFileSync(path('a.xml'), 'utf8'),
    `<?xml version="1.0" encoding="UTF-8"?>\n<config ${NC}>${saved}</config>\n`,
  );
  assert.is(statSync(path('a.xml')).mode & 0o777, 0o600);
  await allOk(client, RESET, validate('a.xml'), restore('a.xml', 'candidate'));
  assert.is(await data('candidate'), saved);
  assert.not.match(await data(), 'binding');
  await allOk(client, '<discard-changes/>', restore('a.xml'));
  assert.is(await data(), saved);
  // The candidate goes into a file as well, in the place of one that is there.
  await allOk(client, edit(AFTR.replace('b::1', 'b::2'), '', 'candidate'));
  await allOk(client, save('a.xml').replace('<running/>', '<candidate/>'), '<discard-changes/>');
  assert.match(readFileSync(path('a.xml'), 'utf8'), '2001:db8:b::2');
  assert.equal(readdirSync(dir), ['a.xml']);
});

for (const mode of ['explicit', 'trim', 'report-all', 'report-all-tagged']) {
  fresh(`a file holds what a reading with ${mode} shows`, async () => {
    await allOk(
      client,
      edit(AFTR.replace('</name>', '</name><hop-limit>64</hop-limit>')),
      save('a', withDefaults(mode)),
    );
    assert.match(readFileSync(path('a'), 'utf8'), `>${await data('running', mode)}</config>`);
    const explicit = await data();
    await allOk(client, restore('a', 'candidate'));
    const kept = mode === 'report-all-tagged' ? explicit : await data('running', mode);
    assert.is(await data('candidate'), kept);
  });
}

fresh('edit-config does what a file says, by its operations and options', async () => {
  put('more', table(binding('192.0.2.2/32', G)));
  put('less', table(`<binding ${NC_PREFIX} nc:operation="delete"><ipv4-prefix>192.0.2.1/32</ipv4-prefix></binding>`));
  const bound = async () =>
    [...(await data()).matchAll(/<ipv4-prefix>192\.0\.2\.(\d+)\/32</g)].map(([, last]) => last).join(' ');
  await allOk(client, editBy('more', '<test-option>test-only</test-option>'));
  assert.is(await bound(), '1');
  await allOk(client, editBy('more'));
  assert.is(await bound(), '1 2');
  await allOk(client, editBy('less', '<default-operation>none</default-operation>', 'candidate'), '<commit/>');
  assert.is(await bound(), '2');
  assert.is(await told(editBy('less')), 'data-missing');
  put('again', table(binding('192.0.2.3/32', G)));
  await allOk(client, editData('').replace('<config></config>', url('again')));
  assert.is(await bound(), '2 3');
});

fresh('what is wrong with the data is told as of a config that came inline', async () => {
  const bad: readonly (readonly [string, string, string])[] = [
    ['unknown', table('<colour/>'), 'unknown-element colour'],
    ['outside', table(binding('203.0.113.1/32', G)), 'operation-failed'],
    ['attribute', `<softwire ${GI} foo="1"/>`, 'unknown-attribute softwire'],
  ];
  const before = await data();
  for (const [name, config, expected] of bad) {
    put(name, config);
    assert.is(await told(editBy(name)), expected);
    if (name !== 'outside') assert.is(await told(validate(name)), expected);
    assert.is(
      await told(restore(name)),
      name === 'outside' ? 'operation-failed operation-failed operation-failed' : expected,
    );
  }
  assert.is(await data(), before);
});

// [what, URL]
const wrong: readonly (readonly [string, string])[] = [
  ['a path upwards', 'file:///../a'],
  ['one with a percent sign', 'file:///%2e%2e%2fa'],
  ['a folder', 'file:///folder/a'],
  ['a folder with a percent sign', 'file:///folder%2Fa'],
  ['an absolute path', 'file:////etc/passwd'],
  ['a relative one', 'file:a'],
  ['no name', 'file:///'],
  ['a dot', 'file:///.'],
  ['two dots', 'file:///..'],
  ['a hidden name', 'file:///.unfinished-a'],
  ['a NUL', 'file:///a%00b'],
  ['half an octet', 'file:///a%2'],
  ['no UTF-8', 'file:///%ff'],
  ['a space', 'file:///a%20b'],
  ['a query', 'file:///a?b'],
  ['a fragment', 'file:///a#b'],
  ['a long name', `file:///${'a'.repeat(129)}`],
  ['another host', 'file://example.com/a'],
  ['another scheme', 'https://example.com/a'],
  ['another scheme in disguise', 'ftp:///a'],
];
fresh('a URL that is no name of the directory is invalid-value, whatever is asked', async () => {
  mkdirSync(path('folder'));
  put('folder/a', AFTR);
  for (const [what, text] of wrong) {
    for (const operation of [save('x'), restore('x'), remove('x'), validate('x'), editBy('x')]) {
      assert.is(await told(operation.replace('file:///x', text)), 'invalid-value url', what);
    }
  }
  assert.equal(readdirSync(dir), ['folder']);
});

for (const form of [
  'file:///a.xml',
  'file://localhost/a.xml',
  'FILE:///a.xml',
  'file:/a.xml',
  'file:///%61.xml',
  ' file:///a.xml ',
]) {
  fresh(`the same file: '${form}'`, async () => {
    await allOk(client, save('x').replace('file:///x', form));
    assert.equal(readdirSync(dir), ['a.xml']);
  });
}

const BIG = 'x'.repeat(OCTETS + 1);
// [what, how it is made, outcome of reading it, of writing over it, of deleting it]
const places: readonly (readonly [string, () => void, string, string, string])[] = [
  ['nothing', () => undefined, 'invalid-value url', 'ok', 'data-missing url'],
  ['a directory', () => mkdirSync(path('x')), 'invalid-value url', 'invalid-value url', 'invalid-value url'],
  [
    'a link into it',
    () => {
      put('y', AFTR);
      symlinkSync('y', path('x'));
    },
    'invalid-value url',
    'invalid-value url',
    'invalid-value url',
  ],
  [
    'a link out of it',
    () => symlinkSync('/etc/hostname', path('x')),
    'invalid-value url',
    'invalid-value url',
    'invalid-value url',
  ],
  [
    'a link to nothing',
    () => symlinkSync('/nonexistent', path('x')),
    'invalid-value url',
    'invalid-value url',
    'invalid-value url',
  ],
  [
    'a pipe',
    () => void execFileSync('mkfifo', [path('x')]),
    'invalid-value url',
    'invalid-value url',
    'invalid-value url',
  ],
  [
    'a second name',
    () => {
      put('y', AFTR);
      linkSync(path('y'), path('x'));
    },
    'invalid-value url',
    'ok',
    'ok',
  ],
  ['too much', () => put('x', `<a>${BIG}</a>`), 'too-big url', 'ok', 'ok'],
  ['too deep', () => put('x', '<a>'.repeat(101)), 'too-big url', 'ok', 'ok'],
  ['an empty file', () => writeFileSync(path('x'), ''), 'invalid-value url', 'ok', 'ok'],
  [
    'half a file',
    () => writeFileSync(path('x'), `<config ${NC}>${AFTR.slice(0, 90)}`),
    'invalid-value url',
    'ok',
    'ok',
  ],
  ['no UTF-8', () => writeFileSync(path('x'), Buffer.from([0x3c, 0xff, 0xfe])), 'invalid-value url', 'ok', 'ok'],
  [
    'an entity',
    () => writeFileSync(path('x'), `<!DOCTYPE config [<!ENTITY e SYSTEM "/etc/passwd">]><config ${NC}>&e;</config>`),
    'invalid-value url',
    'ok',
    'ok',
  ],
  ['another root', () => writeFileSync(path('x'), AFTR), 'invalid-value url', 'ok', 'ok'],
  [
    'config of no namespace',
    () => writeFileSync(path('x'), `<config>${AFTR}</config>`),
    'invalid-value url',
    'ok',
    'ok',
  ],
];
for (const [what, make, reading, writing, deleting] of places) {
  fresh(`${what}: read ${reading}, written ${writing}, deleted ${deleting}`, async () => {
    make();
    const before = await data();
    for (const operation of [restore('x'), restore('x', 'candidate'), validate('x'), editBy('x')]) {
      assert.is(await told(operation), reading);
    }
    assert.is(await told(remove('x')), deleting);
    if (deleting === 'ok') make();
    assert.is(await told(save('x')), writing);
    if (writing === 'ok') assert.match(readFileSync(path('x'), 'utf8'), '192.0.2.1/32');
    assert.is(await data(), before);
    assert.not.ok(readdirSync(dir).some((name) => name.startsWith('.')));
  });
}

fresh('a configuration longer than a message leaves no file', async () => {
  for (let at = 1; at < 1_000; at += 250) {
    const rows = Array.from({ length: 250 }, (_, i) => binding(`10.0.${(at + i) >> 8}.${(at + i) & 255}/32`, G));
    const pool = `<softwire ${GI}><aftr><name>a</name><ipv4-pool>10.0.0.0/16</ipv4-pool></aftr></softwire>`;
    await allOk(client, edit(pool), edit(table(rows.join(''))));
  }
  assert.is(await told(save('x')), 'too-big url');
  assert.equal(readdirSync(dir), []);
});

fresh('32 files and no more; one that is there may be written again', async () => {
  for (let i = 0; i < 32; i++) put(`f${i}`, '');
  assert.is(await told(save('f32')), 'resource-denied url');
  assert.is(await told(save('f31')), 'ok');
  await allOk(client, remove('f0'), save('f32'));
});

const copyOf = (source: string, target: string, more = '') =>
  `<copy-config><target>${target}</target><source>${source}</source>${more}</copy-config>`;

fresh('source and target may not be the same file', async () => {
  await allOk(client, save('a'));
  assert.is(await told(copyOf(url('a'), '<url>file://localhost/a</url>')), 'invalid-value url');
  assert.equal(readdirSync(dir), ['a']);
});

fresh('a file is copied to a file, and a config that came inline', async () => {
  const rows = Array.from({ length: 200 }, (_, i) => binding(`192.0.2.${i + 2}/32`, G)).join('');
  await allOk(
    client,
    edit(table(rows + binding('192.0.2.0/32', G).replace('</bin', '<description>&lt;ä&gt;</description></bin'))),
  );
  await allOk(client, save('a'), copyOf(url('a'), url('b')), copyOf(`<config>${await data()}</config>`, url('c')));
  const sorted = (name: string) => readFileSync(path(name), 'utf8').split('<binding>').sort();
  assert.is(sorted('a').length, 203);
  for (const name of ['b', 'c']) {
    assert.equal(sorted(name), sorted('a'));
    assert.is(statSync(path(name)).mode & 0o777, 0o600);
    await allOk(client, restore(name, 'candidate'));
    assert.is(await data('candidate'), await data());
  }
  // In the place of one that is there.
  await allOk(client, copyOf('<config/>', url('b')));
  assert.match(readFileSync(path('b'), 'utf8'), /<config [^>]*><\/config>\n$/);
  assert.equal(readdirSync(dir).sort(), ['a', 'b', 'c']);
});

for (const mode of ['explicit', 'trim', 'report-all', 'report-all-tagged']) {
  fresh(`a copy from a file to a file with ${mode} holds what a reading in that mode shows`, async () => {
    await allOk(client, edit(AFTR.replace('</name>', '</name><hop-limit>64</hop-limit>')));
    await allOk(client, save('a', withDefaults('report-all-tagged')), copyOf(url('a'), url('b'), withDefaults(mode)));
    await allOk(client, save('c', withDefaults(mode)));
    const parts = (name: string) => readFileSync(path(name), 'utf8').split(/(?=<)/).sort();
    assert.equal(parts('b'), parts('c'));
  });
}

fresh('what is wrong with a copy to a file leaves the file as it was', async () => {
  put('bad', table('<colour/>'));
  await allOk(client, save('a'));
  const before = readFileSync(path('a'), 'utf8');
  assert.is(await told(copyOf(url('bad'), url('a'))), 'unknown-element colour');
  assert.is(await told(copyOf(`<config>${table('<colour/>')}</config>`, url('a'))), 'unknown-element colour');
  assert.is(await told(copyOf(url('none'), url('a'))), 'invalid-value url');
  assert.is(await told(copyOf(url('a'), url('../b'))), 'invalid-value url');
  assert.is(readFileSync(path('a'), 'utf8'), before);
});

fresh('a password in clear text becomes its hash before it is in a file', async () => {
  const user =
    '<system xmlns="urn:ietf:params:xml:ns:yang:ietf-system"><authentication><user><name>u</name><password>$0$clear</password></user></authentication></system>';
  await allOk(client, copyOf(`<config>${user}</config>`, url('a')));
  assert.match(readFileSync(path('a'), 'utf8'), /<password>\$6\$/);
});

fresh('a lock of another session holds for a file that becomes running', async () => {
  const other = await openLocal(management);
  await allOk(client, save('a'));
  await allOk(other, lock('running'));
  assert.is(outcome(await client.rpc(restore('a'))), 'in-use');
  assert.is(outcome(await client.rpc(save('a'))), 'ok');
  await allOk(other, lock('running', 'unlock'));
  other.end();
});

fresh('N104: who may not read everything names no file; who may not delete one replaces none', async () => {
  const hash = /<password>([^<]+)</.exec(await data())?.[1];
  const rule = (name: string, content: string) => `<rule><name>${name}</name>${content}</rule>`;
  const read = '<module-name>*</module-name><access-operations>read</access-operations><action>permit</action>';
  const noDelete =
    '<module-name>ietf-netconf</module-name><rpc-name>delete-config</rpc-name><access-operations>exec</access-operations><action>deny</action>';
  const exec = '<module-name>*</module-name><access-operations>exec</access-operations><action>permit</action>';
  const list = (rules: string) =>
    `<rule-list xmlns:y="urn:ietf:params:xml:ns:yang:1" nc:operation="replace" y:insert="first"><name>g</name><group>guests</group>${rules}</rule-list>`;
  const groups = '<groups><group><name>guests</name><user-name>guest</user-name></group></groups>';
  const user = `<system xmlns="urn:ietf:params:xml:ns:yang:ietf-system"><authentication><user><name>guest</name><password>${hash}</password></user></authentication></system>`;
  await allOk(client, edit(user + nacm(groups + list(rule('exec', exec)))), save('a'));
  const guest = (await RawClient.ssh(management.netconfPort, 'guest', { password: management.password })).greet('1.1');
  for (const operation of [
    save('b'),
    save('a'),
    copyOf(url('a'), url('b')),
    copyOf('<config/>', url('b')),
    restore('a', 'candidate'),
    validate('a'),
    editBy('a'),
    remove('a'),
    remove('b'),
  ]) {
    assert.is(await told(operation, guest), 'access-denied url');
  }
  const rules = (...more: readonly string[]) =>
    edit(nacm(list(rule('read', read) + more.join('') + rule('exec', exec))));
  await allOk(client, rules());
  await allOk(guest, validate('a'), save('b'), save('b'), remove('b'));
  assert.is(outcome(await guest.rpc(restore('a'))), 'access-denied');
  put('c', table(binding('192.0.2.9/32', G)));
  assert.is(outcome(await guest.rpc(editBy('c'))), 'access-denied');
  await allOk(client, rules(rule('delete', noDelete)));
  const denials = async () => {
    const reply = await client.rpc(`<get><filter>${nacm('<denied-operations/>')}</filter></get>`);
    return Number(/<denied-operations>(\d+)</.exec(reply)?.[1]);
  };
  const before = await denials();
  await allOk(guest, validate('a'), save('b'));
  assert.is(await denials(), before, 'nothing was denied');
  for (const operation of [save('b'), copyOf(url('a'), url('b')), copyOf('<config/>', url('b'))]) {
    assert.is(await told(operation, guest), 'access-denied url');
  }
  assert.is(await told(remove('b'), guest), 'access-denied');
  await allOk(client, edit(nacm('<rule-list nc:operation="delete"><name>g</name></rule-list>')));
  guest.end();
});

test('ncclient saves, validates, edits, restores and deletes', async () => {
  const words = [
    'test/helpers/ncclient-url.py',
    '127.0.0.1',
    String(management.netconfPort),
    'admin',
    management.password,
  ];
  const { stdout } = await promisify(execFile)('/usr/bin/python3', words, { timeout: 180_000 });
  const steps = stdout
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as unknown);
  assert.equal(steps, [
    ['capability', ['urn:ietf:params:netconf:capability:url:1.0?scheme=file']],
    ['save', 'ok'],
    ['validate', 'ok'],
    ['edit', 'ok'],
    ['discard', 'ok'],
    ['restore', 'ok'],
    ['delete', 'ok'],
    ['delete again', ['protocol', 'data-missing']],
    ['elsewhere', ['protocol', 'invalid-value']],
  ]);
});

test('the program ends cleanly', async () => {
  client.end();
  assert.is(await management.stop(), 0);
  rmSync(dir, { recursive: true });
});

test.run();
