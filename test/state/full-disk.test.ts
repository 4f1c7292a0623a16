// needs: root
/** A store on a disk that is full, and on one that cannot be written. */

import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { StoreReader } from '../../src/state/reader.ts';
import type { Edit } from '../helpers/crash-model.ts';
import { after, EMPTY, isSame } from '../helpers/crash-model.ts';
import { checkedContents } from '../helpers/crash-store.ts';
import { LineProcess } from '../helpers/line-process.ts';

const MARK = 'GI4OVER6_OWN_MOUNTS';
if (process.env[MARK] !== '1') {
  const words = ['--mount', '--propagation', 'private', '--', process.execPath, ...process.argv.slice(1)];
  const { status } = spawnSync('unshare', words, { stdio: 'inherit', env: { ...process.env, [MARK]: '1' } });
  process.exit(status ?? 1);
}

const test = suite('full disk');
const DISK = '9m';
const FILLER = 2 * 1024 ** 2;

/** Runs a body with a folder on a small disk of its own. */
async function withSmallDisk(body: (folder: string) => Promise<void>): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'gi4over6-full-'));
  execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${DISK}`, 'small', folder]);
  try {
    await body(folder);
  } finally {
    execFileSync('umount', [folder]);
    rmSync(folder, { recursive: true });
  }
}

const edit = (changes: Extract<Edit, { kind: 'edit' }>['changes']): Edit => ({
  kind: 'edit',
  session: 1,
  target: 'running',
  changes,
});

/** A store process with the first edit done, and what it holds as far as it said so. */
class Editor {
  readonly #dir: string;
  #process: LineProcess;
  state = EMPTY;
  #count = 1;

  constructor(dir: string) {
    this.#dir = dir;
    this.#process = new LineProcess('crash-process', [dir, 'boot']);
  }

  async begin(): Promise<void> {
    assert.ok(await this.#process.next(), 'it starts');
  }

  /** The answer to an edit; what was acknowledged counts. */
  async send(wanted: Edit): Promise<string | undefined> {
    this.#process.send(JSON.stringify(wanted));
    const answer = await this.#process.next();
    if (answer === 'ok') this.state = after(this.state, wanted);
    return answer;
  }

  /** Other values for very many rows. */
  bulk(): Promise<string | undefined> {
    return this.send(edit([['bulk', `2001:db8:a::${(++this.#count).toString(16)}`]]));
  }

  row(): Promise<string | undefined> {
    return this.send(edit([['a 192.0.2.1/32', `2001:db8:b::${(++this.#count).toString(16)}`]]));
  }

  async restart(): Promise<void> {
    await this.#process.end();
    this.#process = new LineProcess('crash-process', [this.#dir, 'boot']);
    await this.begin();
  }

  end(): Promise<void> {
    return this.#process.end();
  }

  /** What another process reads is what was acknowledged. */
  async inspect(): Promise<void> {
    const reader = StoreReader.open(this.#dir);
    assert.ok(isSame(await checkedContents(reader), this.state.running));
    reader.close();
  }
}

test('edits until nothing fits: a clear refusal, nothing half done, and it goes on when there is room', () =>
  withSmallDisk(async (folder) => {
    const filler = join(folder, 'filler');
    writeFileSync(filler, Buffer.alloc(FILLER));
    const editor = new Editor(join(folder, 'store'));
    await editor.begin();
    assert.is(await editor.send(edit([['a mtu', '1300']])), 'ok');
    let answer: string | undefined = 'ok';
    for (let tries = 0; tries < 50 && answer === 'ok'; tries++) answer = await editor.bulk();
    assert.match(
      answer ?? 'it ended',
      /^resource-denied: the store in \S+ took no change \(ENOSPC: no space left on device\): see whether its disk is full or fails$/,
    );
    await editor.inspect();
    await editor.restart();
    await editor.inspect();
    assert.match((await editor.bulk()) ?? 'it ended', /^resource-denied: /, 'also after a restart');
    await editor.inspect();
    rmSync(filler);
    assert.is(await editor.row(), 'ok');
    await editor.inspect();
    await editor.end();
  }));

test('not a single octet left: what is there is read, small edits are refused or done', () =>
  withSmallDisk(async (folder) => {
    const editor = new Editor(join(folder, 'store'));
    await editor.begin();
    assert.is(await editor.send(edit([['a mtu', '1300']])), 'ok');
    const filler = join(folder, 'filler');
    spawnSync('dd', ['if=/dev/zero', `of=${filler}`, 'bs=4096', 'status=none'], { stdio: 'ignore' });
    for (let count = 0; count < 40; count++) {
      const answer = await editor.row();
      assert.ok(answer === 'ok' || answer?.startsWith('resource-denied: '), answer ?? 'it ended');
    }
    await editor.inspect();
    rmSync(filler);
    assert.is(await editor.row(), 'ok');
    await editor.inspect();
    await editor.end();
  }));

test('a store that cannot be made says so', () =>
  withSmallDisk(async (folder) => {
    execFileSync('mount', ['-o', 'remount,ro', folder]);
    const { status, stderr } = spawnSync(
      process.execPath,
      [join(import.meta.dirname, '../helpers/crash-process.js'), join(folder, 'store'), 'boot'],
      { encoding: 'utf8' },
    );
    assert.is.not(status, 0);
    assert.match(stderr, /code: 'STORE_ACCESS'/);
    assert.match(stderr, /cannot be written by user 0 \(.*give that user the folder, or choose another --state-dir/);
  }));

test.run();
