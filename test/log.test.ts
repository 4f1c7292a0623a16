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

test.run();
