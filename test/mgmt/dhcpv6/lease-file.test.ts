/** What the hook writes down, by the hook itself under sh, and files that are not its own. */

import { spawnSync } from 'node:child_process';
import { chmodSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { parseLease, readLeaseFile } from '../../../src/mgmt/dhcpv6/lease-file.ts';

const test = suite('lease-file');
const HOOK = 'packaging/dhcpcd/90-gi4over6';
const HEAD = 'gi4over6-dhcpv6 answer\n';

function withDir(body: (dir: string) => void): void {
  const dir = mkdtempSync(join(tmpdir(), 'gi4over6-lease-'));
  try {
    body(dir);
  } finally {
    rmSync(dir, { recursive: true });
  }
}

/** Runs the hook as dhcpcd does, sourced. */
function hook(dir: string, environment: Readonly<Record<string, string>>): void {
  const env = { PATH: process.env.PATH ?? '', interface: 'wan', gi4over6_dir: join(dir, 'told'), ...environment };
  const { status, stderr } = spawnSync('sh', ['-eu', '-c', `. ${HOOK}; echo on`], { env, encoding: 'utf8' });
  assert.is(status, 0, stderr);
}

const ANSWER = {
  new_dhcp6_s46_cont_lw: '005a0010',
  new_dhcp6_s46_br: '20',
  new_dhcp6_aftr_name: '0161',
  new_dhcp6_name_servers: '2001:db8::1 fe80::1',
};

test('the hook: an answer with all options, in the folder that it makes', () => {
  withDir((dir) => {
    hook(dir, { reason: 'BOUND6', ...ANSWER });
    const file = readLeaseFile(join(dir, 'told'), 'wan', undefined);
    if (file === 'same' || file === undefined) throw new Error(`${file}`);
    assert.equal(file.report, {
      kind: 'answer',
      options: { s46ContLw: Uint8Array.of(0, 90, 0, 16), s46Br: Uint8Array.of(0x20), aftrName: Uint8Array.of(1, 0x61) },
      nameServers: ['2001:db8::1', 'fe80::1%wan'],
    });
    assert.ok(Math.abs(Date.now() - file.time.getTime()) < 60_000);
    assert.is(readLeaseFile(join(dir, 'told'), 'wan', file.mark), 'same');
    assert.equal(readdirSync(join(dir, 'told')), ['wan'], 'nothing is left beside it');
  });
});

for (const reason of ['RENEW6', 'REBIND6', 'REBOOT6', 'INFORM6']) {
  test(`the hook: ${reason} without an option of ours is an answer that has none`, () => {
    withDir((dir) => {
      hook(dir, { reason });
      const file = readLeaseFile(join(dir, 'told'), 'wan', 'another');
      assert.equal(file !== 'same' && file?.report, { kind: 'answer', options: {}, nameServers: [] });
    });
  });
}

for (const reason of ['EXPIRE6', 'RELEASE6', 'STOP6', 'STOPPED', 'DEPARTED']) {
  test(`the hook: ${reason} is a lost lease, whatever was told before`, () => {
    withDir((dir) => {
      hook(dir, { reason: 'BOUND6', ...ANSWER });
      hook(dir, { reason, ...ANSWER });
      const file = readLeaseFile(join(dir, 'told'), 'wan', undefined);
      assert.equal(file !== 'same' && file?.report, { kind: 'lost' });
    });
  });
}

for (const reason of ['PREINIT', 'CARRIER', 'NOCARRIER', 'BOUND', 'EXPIRE', 'DELEGATED6', 'ROUTERADVERT']) {
  test(`the hook: ${reason} says nothing of the AFTR`, () => {
    withDir((dir) => {
      hook(dir, { reason, ...ANSWER });
      assert.is(readLeaseFile(join(dir, 'told'), 'wan', undefined), undefined);
    });
  });
}

const unreadable: readonly (readonly [why: string, text: string, what: RegExp])[] = [
  ['nothing', '', /not whole/],
  ['no end', HEAD, /not whole/],
  ['no line end behind the end', `${HEAD}end`, /not whole/],
  ['another head', 'dhcpv6 answer\nend\n', /not of the hook/],
  ['another kind', 'gi4over6-dhcpv6 bound\nend\n', /not of the hook/],
  ['half an octet', `${HEAD}s46-br 200\nend\n`, /s46-br is not hexadecimal/],
  ['no digits', `${HEAD}aftr-name 0g\nend\n`, /aftr-name is not hexadecimal/],
  ['two words of octets', `${HEAD}s46-cont-lw 00 00\nend\n`, /s46-cont-lw is not hexadecimal/],
  ['a line of another kind', `${HEAD}constructor 00\nend\n`, /line "constructor" that is not known/],
];

for (const [why, text, what] of unreadable) {
  test(`unreadable: ${why}`, () => {
    const report = parseLease(text, 'wan');
    assert.match(report.kind === 'unreadable' ? report.problem : report.kind, what);
  });
}

test('name servers that are no IPv6 addresses are passed over, upper case digits are taken', () => {
  assert.equal(parseLease(`${HEAD}s46-br AB\nname-servers 192.0.2.1 x ::1\nend\n`, 'wan'), {
    kind: 'answer',
    options: { s46Br: Uint8Array.of(0xab) },
    nameServers: ['::1'],
  });
});

test('a file that others can write to, or that is too long, is not believed', () => {
  withDir((dir) => {
    const file = join(dir, 'wan');
    const problem = () => {
      const read = readLeaseFile(dir, 'wan', undefined);
      return read && read !== 'same' && read.report.kind === 'unreadable' ? read.report.problem : '';
    };
    writeFileSync(file, `${HEAD}end\n`);
    chmodSync(file, 0o644);
    assert.is(problem(), '');
    chmodSync(file, 0o646);
    assert.match(problem(), /can be written by others/);
    chmodSync(file, 0o664);
    assert.match(problem(), /can be written by others/);
    chmodSync(file, 0o644);
    writeFileSync(file, `${HEAD}s46-br ${'0'.repeat(40_000)}\nend\n`);
    assert.match(problem(), /not whole/);
  });
});

test.run();
