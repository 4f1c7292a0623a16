/**
 * The long run of random packets: `node dist/tools/fuzz.js [--packets N] [--minutes M] [--seed S]`. Half of them go through a gateway and half
 * through an AFTR, each in a process of its own, beside the naive engine of the tests. An engine lives through five million of them
 * and thousands of changes of its table. The exit code is 1 where the two do not agree, or where memory grows after the warm-up.
 */

import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import type { Role } from '../src/datapath/engine.ts';
import { Fuzz } from '../test/helpers/fuzz.ts';
import { FuzzMemory } from '../test/helpers/fuzz-memory.ts';

const ROLES: readonly Role[] = ['gateway', 'aftr'];
const PIECE = 500_000;
const WARM_UP = 2_000_000;

function wholeNumber(name: string, text: string): number {
  if (!/^\d+$/.test(text)) throw new Error(`--${name} ${text}: expected a whole number`);
  return Number(text);
}

/** One role, in this process: whether memory is flat. @throws Error where engine and naive engine do not agree */
async function fuzzRole(role: Role, packets: number, minutes: number, seed: number): Promise<boolean> {
  const fuzz = new Fuzz(role, seed);
  const memory = new FuzzMemory();
  const begun = performance.now();
  for (let seconds = 0; fuzz.tally.packets < packets && seconds < minutes * 60; ) {
    await fuzz.run(Math.min(PIECE, packets - fuzz.tally.packets));
    const { packets: sent, changes } = fuzz.tally;
    const { used, resident } = memory.take(sent <= WARM_UP);
    seconds = (performance.now() - begun) / 1_000;
    const rate = Math.round(sent / seconds);
    console.log(`${role}: ${sent} packets, ${changes} changes, ${used} and ${resident} MiB, ${rate} packets/s`);
  }
  console.log(`${role}: all agree: ${JSON.stringify(fuzz.tally)}`);
  const judgement = memory.judge();
  if (judgement) console.log(`${role}: memory is ${judgement.isFlat ? 'flat' : 'NOT FLAT'}: ${judgement.text}`);
  else console.log(`${role}: memory is not judged: all of it was warm-up, the first ${WARM_UP} packets`);
  return judgement?.isFlat ?? true;
}

function runChild(role: Role, packets: number, minutes: number, seed: number): Promise<number> {
  const words = ['--packets', `${packets}`, '--minutes', `${minutes}`, '--seed', `${seed}`, '--role', role];
  const child = spawn(process.execPath, [fileURLToPath(import.meta.url), ...words], { stdio: 'inherit' });
  return new Promise((resolve) => child.once('exit', (code) => resolve(code ?? 1)));
}

const text = { type: 'string' } as const;
const { values } = parseArgs({ options: { packets: text, minutes: text, seed: text, role: text } });
const packets = wholeNumber('packets', values.packets ?? '100000000');
const minutes = wholeNumber('minutes', values.minutes ?? '100000');
const seed = wholeNumber('seed', values.seed ?? `${Date.now() % 2 ** 32}`);
const role = ROLES.find((name) => name === values.role);
if (role) {
  if (!(await fuzzRole(role, packets, minutes, seed))) process.exitCode = 1;
} else {
  console.log(`seed ${seed}`);
  const codes = await Promise.all(ROLES.map((name) => runChild(name, Math.ceil(packets / 2), minutes, seed)));
  const isAgreed = codes.every((code) => code === 0);
  console.log(`seed ${seed}: ${isAgreed ? 'both agree' : 'NOT ALL AGREE, or memory grows'}`);
  if (!isAgreed) process.exitCode = 1;
}
