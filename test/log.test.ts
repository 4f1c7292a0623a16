import { execFileSync } from 'node:child_process';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';

const test = suite('log');

const LOG = new URL('../src/log.js', import.meta.url).href;

/** The line that a process logs with an expression as `error`. */
function logged(error: string): Record<string, unknown> {
  const script = `import { openLog } from ${JSON.stringify(LOG)}; openLog('p').error({ error: ${error} }, 'it failed');`;
  const output = execFileSync(process.execPath, ['--input-type=module', '-e', script], { encoding: 'utf8' });
  return JSON.parse(output) as Record<string, unknown>;
}

test('an error is logged with kind, message, stack and cause; a text as it is', () => {
  const { error, msg } = logged(`new RangeError('too far', { cause: new Error('why') })`);
  const { type, message, stack, cause } = error as Record<string, unknown>;
  assert.equal([type, message, msg], ['RangeError', 'too far', 'it failed']);
  assert.match(String(stack), 'RangeError: too far');
  assert.is((cause as Record<string, unknown>).message, 'why');
  assert.is(logged(`'a sentence'`).error, 'a sentence');
});

test('the package behind it is loaded for the first line only', () => {
  const script = [
    `import { createRequire } from 'node:module'; import { openLog } from ${JSON.stringify(LOG)};`,
    "const loaded = () => Object.keys(createRequire('/').cache).some((path) => path.includes('/pino/'));",
    "const log = openLog('p'); const before = loaded(); log.info({ before, after: (log.debug('none'), loaded()) }, 'a line');",
  ].join('\n');
  const output = execFileSync(process.execPath, ['--input-type=module', '-e', script], { encoding: 'utf8' });
  const { before, after, name } = JSON.parse(output) as Record<string, unknown>;
  assert.equal([before, after, name], [false, true, 'p']);
});

test.run();
