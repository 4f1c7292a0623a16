import { runProgram } from 'node-tuntap2';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';

const PAGE = 4_096;
const PAGES = 16_384;

const test = suite('node-tuntap2 run');

function shell(script: string, input = '', environment = process.env) {
  return runProgram(['/bin/sh', '-c', script], environment, input);
}

/** Writes to each page; how often the system had to be asked for that. */
function faultsOfWriting(memory: Uint8Array): number {
  const before = process.resourceUsage().minorPageFault;
  for (let at = 0; at < memory.length; at += PAGE) memory[at] = (memory[at] ?? 0) + 1;
  return process.resourceUsage().minorPageFault - before;
}

test('a program gets words, environment and input, and tells code, output and errors', async () => {
  const end = await shell('cat; echo "$NAME" >&2; exit 7', 'some text', { NAME: 'value', NOT: undefined });
  assert.equal(end, { code: 7, output: 'some text', errors: 'value\n' });
});

test('much of all three goes through at once', async () => {
  const input = 'all that goes in comes out twice\n'.repeat(40_000);
  const end = await shell('tee /dev/stderr', input);
  assert.is(end.code, 0);
  assert.ok(end.output === input && end.errors === input);
});

test('a program may end without reading what it is given', async () => {
  assert.equal(await shell('exit 0', 'x'.repeat(1_000_000)), { code: 0, output: '', errors: '' });
});

test('one that a signal ends has the code -1', async () => {
  assert.is((await shell('kill -9 $$')).code, -1);
});

test('one that cannot be started is an error, which says why', async () => {
  for (const [path, code] of [
    ['/nowhere/program', 'ENOENT'],
    ['/etc/passwd', 'EACCES'],
  ] as const) {
    const error = await runProgram([path], {}, '').catch((found: unknown) => found);
    assert.instance(error, Error);
    assert.equal(
      error,
      Object.assign(new Error(`${path} cannot be started: ${code}`), { code, syscall: 'posix_spawn' }),
    );
  }
});

test('one that does not end is killed after its time, what it started may go on', async () => {
  const end = await runProgram(['/bin/sh', '-c', 'echo begun; sleep 100 & wait'], process.env, '', 1_000);
  assert.equal(end, { code: -1, output: 'begun\n', errors: '' });
});

test('it gets no descriptors but the three, and the signals of any program', async () => {
  const { output } = await shell('ls /proc/self/fd; grep -E "^Sig(Ign|Blk)" /proc/self/status');
  const lines = output.trim().split('\n');
  // 3 is the folder that is listed.
  assert.equal(lines.slice(0, 4), ['0', '1', '2', '3']);
  // Of two beyond the 31 of any program libc takes care itself.
  const signals = lines.slice(4).map((line) => Number.parseInt(line.split('\t')[1] ?? '', 16) % 2 ** 31);
  assert.equal(signals, [0, 0]);
});

test('none of the words is an error', async () => {
  const error = await runProgram([], {}, '').catch((found: unknown) => found);
  assert.instance(error, RangeError);
});

test('other threads go on writing to memory: no page of it is set apart for the program', async () => {
  const memory = new Uint8Array(PAGES * PAGE);
  faultsOfWriting(memory);
  assert.is((await shell('exit 0')).code, 0);
  const faults = faultsOfWriting(memory);
  assert.ok(faults < PAGES / 4, `${faults} faults at ${PAGES} pages`);
});

test('programs run beside each other', async () => {
  const ends = await Promise.all(Array.from({ length: 12 }, (_, i) => shell(`exit ${i}`)));
  assert.equal(
    ends.map(({ code }) => code),
    Array.from({ length: 12 }, (_, i) => i),
  );
});

test.run();
