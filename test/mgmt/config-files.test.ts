/** The directory of configurations (RFC 6241 §8.8) by itself: which it may be, and what happens while a file is worked on. */

import {
  appendFileSync,
  chmodSync,
  chownSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { ConfigFiles } from '../../src/mgmt/config-files.ts';
import { ManagementError } from '../../src/state/errors.ts';

const test = suite('files of configurations');

/** Two directories beside each other, each for its owner alone. */
async function withPlace(body: (dir: string, program: string) => Promise<void>): Promise<void> {
  const place = mkdtempSync(join(tmpdir(), 'gi4over6-files-'));
  const [dir, program] = [join(place, 'urls'), join(place, 'program')];
  try {
    for (const made of [dir, program]) mkdirSync(made, { mode: 0o700 });
    await body(dir, program);
  } finally {
    rmSync(place, { recursive: true });
  }
}

async function tagOf(work: Promise<unknown>): Promise<string> {
  try {
    await work;
    return 'ok';
  } catch (error) {
    assert.instance(error, ManagementError);
    return error instanceof ManagementError ? error.tag : '';
  }
}

// [what, which directory is given]
const directories: readonly (readonly [string, (dir: string, program: string) => string])[] = [
  ['none', (dir) => join(dir, 'missing')],
  [
    'a file',
    (dir) => {
      writeFileSync(join(dir, 'file'), '');
      return join(dir, 'file');
    },
  ],
  [
    'a link',
    (dir) => {
      symlinkSync(dir, join(dir, 'link'));
      return join(dir, 'link');
    },
  ],
  [
    'one that a group may write to',
    (dir) => {
      chmodSync(dir, 0o770);
      return dir;
    },
  ],
  [
    'one that all may write to',
    (dir) => {
      chmodSync(dir, 0o702);
      return dir;
    },
  ],
  ['one of the program', (_dir, program) => program],
  [
    'one in that',
    (_dir, program) => {
      mkdirSync(join(program, 'in'));
      return join(program, 'in');
    },
  ],
  ['one around that', (_dir, program) => join(program, '..')],
  ...(process.geteuid?.() === 0
    ? [
        [
          'one of another user',
          (dir: string) => {
            chownSync(dir, 1, 1);
            return dir;
          },
        ] as const,
      ]
    : []),
];
for (const [what, make] of directories) {
  test(`a directory that is refused: ${what}`, () =>
    withPlace(async (dir, program) => {
      const given = make(dir, program);
      assert.throws(
        () => new ConfigFiles(given, 100, [program]),
        (error: Error & { code?: string }) =>
          error.code === 'URL_DIRECTORY' && error.message.startsWith(`--url-dir ${given}: expected`),
      );
    }));
}

test('what was left half is gone after the next start, and nothing else', () =>
  withPlace(async (dir, program) => {
    writeFileSync(join(dir, '.unfinished-1'), 'half');
    writeFileSync(join(dir, 'whole'), 'whole');
    new ConfigFiles(dir, 100, [program]);
    assert.equal(readdirSync(dir), ['whole']);
  }));

test('a file comes in blocks, up to the limit and not beyond', () =>
  withPlace(async (dir, program) => {
    const text = 'ä'.repeat(400_000);
    writeFileSync(join(dir, 'a'), text);
    const octets: Buffer[] = [];
    await new ConfigFiles(dir, 800_000, [program]).read('a', (block) => octets.push(Buffer.from(block)));
    assert.ok(octets.length > 1);
    assert.is(Buffer.concat(octets).toString(), text);
    assert.is(await tagOf(new ConfigFiles(dir, 799_999, [program]).read('a', () => undefined)), 'too-big');
  }));

for (const [what, change] of [
  ['longer', (file: string) => appendFileSync(file, 'more')],
  ['shorter', (file: string) => writeFileSync(file, 'x')],
  ['another', (file: string) => writeFileSync(file, 'y'.repeat(600_000))],
] as const) {
  test(`a file that becomes ${what} while it is read is refused`, () =>
    withPlace(async (dir, program) => {
      const file = join(dir, 'a');
      writeFileSync(file, 'x'.repeat(600_000));
      let isChanged = false;
      const read = new ConfigFiles(dir, 1_000_000, [program]).read('a', () => {
        if (!isChanged) change(file);
        isChanged = true;
      });
      assert.is(await tagOf(read), 'in-use');
    }));
}

test('a write that fails leaves the file as it was, and nothing half', () =>
  withPlace(async (dir, program) => {
    const files = new ConfigFiles(dir, 1_000_000, [program]);
    await files.write('a', ['before'], () => false);
    const failing = function* () {
      yield 'x'.repeat(300_000);
      throw new ManagementError('operation-failed', { message: 'no more' });
    };
    assert.is(await tagOf(files.write('a', failing(), () => true)), 'operation-failed');
    assert.is(await tagOf(files.write('a', ['x'.repeat(1_000_001)], () => true)), 'too-big');
    assert.is(await tagOf(files.write('a', ['after'], () => false)), 'access-denied');
    assert.is(readFileSync(join(dir, 'a'), 'utf8'), 'before');
    assert.equal(readdirSync(dir), ['a']);
    await files.write('a', ['after', Promise.resolve(), '!'], () => true);
    assert.is(readFileSync(join(dir, 'a'), 'utf8'), 'after!');
  }));

test('one at a time, also after one that failed', () =>
  withPlace(async (dir, program) => {
    const files = new ConfigFiles(dir, 100, [program]);
    const order: string[] = [];
    const slow = files.inTurn(async () => {
      await new Promise((resolve) => setTimeout(resolve, 20));
      order.push('slow');
      throw new ManagementError('operation-failed', { message: 'it fails' });
    });
    const fast = files.inTurn(async () => order.push('fast'));
    assert.is(await tagOf(slow), 'operation-failed');
    await fast;
    assert.equal(order, ['slow', 'fast']);
  }));

test.run();
