// needs: root
/** The whole program over a disk that is full, and over one that is read-only. */

import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { outcome } from '../helpers/netconf-client.ts';
import { eventually, Program } from '../helpers/program.ts';

const MARK = 'GI4OVER6_OWN_MOUNTS_AND_NETWORK';
if (process.env[MARK] !== '1') {
  const words = ['--net', '--mount', '--propagation', 'private', '--', process.execPath, ...process.argv.slice(1)];
  const { status } = spawnSync('unshare', words, { stdio: 'inherit', env: { ...process.env, [MARK]: '1' } });
  process.exit(status ?? 1);
}
execFileSync('ip', ['link', 'set', 'lo', 'up']);

const test = suite('program and disk');
const START_MS = 60_000;
const GI = 'xmlns="urn:gi-4over6"';
const DISK = '12m';

const edit = (gateway: string) =>
  `<edit-config><target><running/></target><config><softwire ${GI}><aftr><name>a</name><ipv6-address>2001:db8:b::1</ipv6-address><ipv4-pool>192.0.2.0/24</ipv4-pool><binding-table><binding><ipv4-prefix>192.0.2.1/32</ipv4-prefix><gateway-ipv6-address>${gateway}</gateway-ipv6-address></binding></binding-table></aftr></softwire></config></edit-config>`;
const READ = `<get><filter type="subtree"><softwire ${GI}/></filter></get>`;

const ALARMS =
  '<get><filter type="subtree"><alarms xmlns="urn:ietf:params:xml:ns:yang:ietf-alarms"><alarm-list/></alarms></filter></get>';
const PROBLEM = /<problem>The disk of \S+ takes no change \(ENOSPC: no space left on device\): edits are refused/;

/** The first edit, once the program is up. */
function begin(program: Program): Promise<true> {
  return eventually(START_MS, async () => {
    const answer = await program.ask(edit('2001:db8:a::1'));
    return outcome(answer) === 'ok' || undefined;
  });
}

/** What is there, once forwarding is at it. */
function forwarded(program: Program): Promise<string> {
  return eventually(START_MS, async () => {
    const text = await program.ask(READ);
    const leaf = (name: string) => new RegExp(`<${name}>([^<]*)</${name}>`).exec(text)?.[1];
    const isThere = leaf('applied-version') !== undefined && leaf('applied-version') === leaf('configured-version');
    return isThere && leaf('applied-content-hash') === leaf('content-hash') ? text : undefined;
  });
}

/** Fills a disk to its last octet. */
function fill(folder: string): string {
  const filler = join(folder, 'filler');
  for (const block of ['65536', '4096', '1']) {
    const words = ['if=/dev/zero', `of=${filler}`, `bs=${block}`, 'oflag=append', 'conv=notrunc', 'status=none'];
    spawnSync('dd', words, { stdio: 'ignore' });
  }
  return filler;
}

test('a full disk at a start: it is read, managed and forwarded by, edits are refused until there is room', async () => {
  const program = new Program(11_830, 19_443);
  // State, sockets and logs, all of it.
  execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${DISK},mode=755`, 'small', program.dir]);
  try {
    program.start();
    await begin(program);
    assert.is(await program.halt(), 0);
    const filler = fill(program.dir);
    program.start();
    const text = await forwarded(program);
    assert.match(text, /2001:db8:a::1/);
    assert.ok(readdirSync(program.stateDir).includes('gi4over6.pid'), 'the directory is claimed');
    let answer = '';
    for (let count = 2; count < 60 && answer !== 'resource-denied'; count++) {
      answer = outcome(await program.ask(edit(`2001:db8:a::${count.toString(16)}`)));
      assert.ok(answer === 'ok' || answer === 'resource-denied', answer);
    }
    assert.is(answer, 'resource-denied');
    assert.match(await forwarded(program), PROBLEM);
    await eventually(START_MS, async () => /store-not-writable/.test(await program.ask(ALARMS)) || undefined);
    rmSync(filler);
    // Nobody edits meanwhile.
    await eventually(START_MS, async () => !PROBLEM.test(await program.ask(READ)) || undefined);
    const isCleared = /store-not-writable<.*<is-cleared>true</s;
    await eventually(START_MS, async () => isCleared.test(await program.ask(ALARMS)) || undefined);
    assert.is(outcome(await program.ask(edit('2001:db8:a::ff'))), 'ok');
    assert.match(await forwarded(program), /2001:db8:a::ff/);
    fill(program.dir);
    assert.is(await program.halt(), 0, 'it ends cleanly on a full disk too');
    rmSync(filler);
    program.start();
    assert.match(await forwarded(program), /2001:db8:a::ff/);
    assert.is(await program.halt(), 0);
  } finally {
    await program.abandon();
    execFileSync('umount', [program.dir]);
  }
  await program.stop();
});

for (const isNew of [true, false]) {
  test(`a read-only state directory ${isNew ? 'of nobody' : 'of an earlier start'} is refused in one line`, async () => {
    const program = new Program(11_830, 19_443);
    mkdirSync(program.stateDir);
    try {
      if (!isNew) {
        program.start();
        await begin(program);
        assert.is(await program.halt(), 0);
      }
      execFileSync('mount', ['--bind', program.stateDir, program.stateDir]);
      execFileSync('mount', ['-o', 'remount,bind,ro', program.stateDir]);
      program.start();
      const { code, said } = await program.ending();
      assert.is(code, 78);
      const advice = 'mount it writable, or choose another directory';
      assert.is(said, `gi4over6: ${program.stateDir} is on a read-only file system: ${advice}`);
    } finally {
      await program.abandon();
      spawnSync('umount', [program.stateDir]);
    }
    await program.stop();
  });
}

test.run();
