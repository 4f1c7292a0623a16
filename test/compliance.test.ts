import { existsSync, readFileSync } from 'node:fs';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';

const test = suite('compliance');

const lines = readFileSync('RFC-COMPLIANCE.md', 'utf8')
  .split('\n')
  .filter((line) => /^\| [DNR]\d+ \|/.test(line))
  .map((line) => line.split('|').map((cell) => cell.trim()));

function ids(letter: string, count: number, digits: number): string[] {
  return Array.from({ length: count }, (_, i) => `${letter}${String(i + 1).padStart(digits, '0')}`);
}

test('every row of both tables stands once', () => {
  assert.equal(
    lines.map(([, id]) => id),
    [...ids('D', 144, 1), ...ids('N', 120, 2), ...ids('R', 75, 2)],
  );
});

for (const [, id = '', state = '', where = '', note = ''] of lines) {
  test(`${id}: a known state, files that exist, a reason`, () => {
    assert.ok(['done', 'partial', 'no'].includes(state), state);
    if (state === 'no') assert.is.not(note, '-');
    else for (const file of where.split(', ')) assert.ok(existsSync(file), file);
  });
}

test.run();
