import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';

/** RFC-COMPLIANCE.md: every row once, with a state of three, and files that exist. What a row claims is for its tests. */
const test = suite('compliance');

const PROJECT = join(import.meta.dirname, '../..');
const text = readFileSync(join(PROJECT, 'RFC-COMPLIANCE.md'), 'utf8');
const HEAD = ['row', 'state', 'tested in', 'note'];
const RULE = ['---', '---', '---', '---'];

/** Cells of every line that begins as one of a table, heads and rules left out. */
const rows = text
  .split('\n')
  .filter((line) => line.startsWith('|'))
  .map((line) =>
    line
      .split('|')
      .slice(1, -1)
      .map((cell) => cell.trim()),
  )
  .filter((cells) => ![HEAD, RULE].some((other) => other.join() === cells.join()));

function ids(letter: string, count: number, digits: number): string[] {
  return Array.from({ length: count }, (_, i) => `${letter}${String(i + 1).padStart(digits, '0')}`);
}

test('every row of the tables stands once, in order, and nothing else does', () => {
  assert.equal(
    rows.map(([id]) => id),
    [...ids('D', 144, 1), ...ids('N', 120, 2), ...ids('R', 75, 2)],
  );
});

test('every table has the same head', () => {
  const heads = text.split('\n').filter((line) => line === `| ${HEAD.join(' | ')} |`);
  assert.is(heads.length, text.match(/^## /gm)?.length);
});

for (const cells of rows) {
  const [id = '', state = '', where = '', note = ''] = cells;
  test(`${id}: four cells, a known state, tests that exist or a reason`, () => {
    assert.is(cells.length, 4);
    assert.ok(['done', 'partial', 'no'].includes(state), state);
    assert.not.match(note, /\b(?:todo|fixme|tbd|xxx|placeholder|not there yet)\b|\?\?|\.\.\./i);
    if (state !== 'done' || note !== '-') assert.match(note, /^.{8,}\.$/, 'a sentence');
    const files = where === '-' ? [] : where.split(', ');
    if (state === 'no') assert.equal(files, []);
    else if (files.length === 0) assert.match(note, /kernel|documented/i);
    for (const file of files) {
      assert.match(file, /^test\/.+\.test\.ts$/);
      assert.ok(existsSync(join(PROJECT, file)), file);
    }
  });
}

test.run();
