/**
 * The long run of random octets through the guard of NETCONF:
 * `node dist/tools/fuzz-guard.js [--inputs N] [--seed S] [--first F] [--processes P]`, in P processes, one of which is ended when it says
 * nothing for two minutes. The last lines say what came out, how fast, and how much memory grew after the first tenth. `--first F --inputs 1` is one
 * input again.
 */

import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { fuzzGuard, newTally } from '../test/helpers/fuzz-guard.ts';

/** Inputs after which a process says that it goes on: few, for one that has little of a busy machine. */
const PIECE = 1_000;
const TOLD = 250_000;
const SILENT_MS = 120_000;
const MEBI = 1024 ** 2;

function wholeNumber(name: string, text: string): number {
  if (!/^\d+$/.test(text)) throw new Error(`--${name} ${text}: expected a whole number`);
  return Number(text);
}

/** MiB of the heap in use, and of the process. */
function memory(): readonly [number, number] {
  globalThis.gc?.();
  const { heapUsed, external, rss } = process.memoryUsage();
  return [Math.round((heapUsed + external) / MEBI), Math.round(rss / MEBI)];
}

/** All of it in this process. @throws Error with seed, input and octets */
function runHere(seed: number, first: number, inputs: number): void {
  // Faults of a client are thrown by the million, and their stacks cost more than all the rest.
  if (inputs > 10 * PIECE) Error.stackTraceLimit = 0;
  const tally = newTally();
  const began = performance.now();
  let early: readonly [number, number] | undefined;
  for (let sent = 0; sent < inputs; sent += PIECE) {
    fuzzGuard(seed, first + sent, Math.min(PIECE, inputs - sent), tally);
    process.send?.(tally.inputs);
    if (!early && tally.inputs >= inputs / 10) early = memory();
    if (tally.inputs % TOLD === 0) console.log(`${tally.inputs} inputs, ${memory().join(' and ')} MiB`);
  }
  const seconds = (performance.now() - began) / 1000;
  const [heap, resident] = memory();
  const { greeted, ended, operations, errors, longestMs } = tally;
  const tags = [...errors].sort(([, one], [, other]) => other - one).map(([tag, count]) => `${tag} ${count}`);
  console.log(
    `${greeted} good hellos, ${operations} operations, ${ended} ends of the session; errors: ${tags.join(', ')}`,
  );
  console.log(
    `${Math.round(tally.inputs / seconds)} inputs a second, the longest ${longestMs.toFixed(1)} ms; ` +
      `after the first tenth ${heap - (early?.[0] ?? heap)} MiB more in use, ${resident - (early?.[1] ?? resident)} MiB more resident`,
  );
}

/** The same in a child; its exit code. */
function runChild(seed: number, first: number, inputs: number): Promise<number> {
  const words = ['--seed', `${seed}`, '--first', `${first}`, '--inputs', `${inputs}`, '--here'];
  const child = spawn(process.execPath, ['--expose-gc', fileURLToPath(import.meta.url), ...words], {
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  });
  let done = 0;
  let timer: NodeJS.Timeout;
  const watch = () => {
    clearTimeout(timer);
    timer = setTimeout(() => {
      console.log(`seed ${seed}: nothing for two minutes; the input is one of the ${PIECE} from ${first + done} on`);
      child.kill('SIGKILL');
    }, SILENT_MS);
  };
  watch();
  child.on('message', (count: number) => {
    done = count;
    watch();
  });
  return new Promise((resolve) =>
    child.once('exit', (code, signal) => {
      clearTimeout(timer);
      if (signal) console.log(`ended by ${signal} after ${done} inputs`);
      resolve(code ?? 1);
    }),
  );
}

const text = { type: 'string' } as const;
const { values } = parseArgs({
  options: { inputs: text, seed: text, first: text, processes: text, here: { type: 'boolean' } },
});
const inputs = wholeNumber('inputs', values.inputs ?? '10000000');
const seed = wholeNumber('seed', values.seed ?? `${Date.now() % 2 ** 32}`);
const first = wholeNumber('first', values.first ?? '0');
const processes = Math.max(1, wholeNumber('processes', values.processes ?? '1'));
if (values.here) runHere(seed, first, inputs);
else {
  console.log(`seed ${seed}`);
  const share = Math.ceil(inputs / processes);
  const shares = Array.from({ length: processes }, (_, at) => Math.min(share, inputs - at * share));
  const codes = await Promise.all(shares.map((count, at) => runChild(seed, first + at * share, count)));
  const code = Math.max(...codes);
  console.log(
    `seed ${seed}: ${inputs} inputs ${code === 0 ? 'are as they must be' : 'ARE NOT ALL SHOWN TO BE AS THEY MUST BE'}`,
  );
  if (code !== 0) process.exitCode = 1;
}
