/**
 * The long run of random packets: `node dist/tools/fuzz.js [--packets N] [--seed S]`. Half of them go through a gateway and half
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
/** A leak of two octets a packet comes to more in the tenth part of the whole run. */
const MOST_GROWTH_MEBIBYTES = 16;

function wholeNumber(name: string, text: string): number {
  if (!/^\d+$/.test(text)) throw new Error(`--${name} ${text}: expected a whole number`);
  return Number(text);
}

/** One role, in this process. @throws Error where engine and naive engine do not agree */
async function fuzzRole(role: Role, packets: number, seed: number): Promise<boolean> {
  const fuzz = new Fuzz(role, seed);
  const memory = new FuzzMemory();
  const begun = performance.now();
  while (fuzz.tally.packets < packets) {
    await fuzz.run(Math.min(PIECE, packets - fuzz.tally.packets));
    const sent = fuzz.tally.packets;
    const mebibytes = memory.take(sent <= WARM_UP);
    const rate = Math.round((sent / (performance.now() - begun)) * 1_000);
    console.log(`${role}: ${sent} packets, ${fuzz.tally.changes} changes, ${mebibytes} MiB, ${rate} packets/s`);
  }
  console.log(`${role}: ends ${JSON.stringify(fuzz.tally)}`);
  return isFlat(role, memory.growthMebibytes);
}

function isFlat(role: Role, growth: number | undefined): boolean {
  if (growth === undefined) {
    console.log(`${role}: memory is not judged: the run is no longer than the warm-up of ${WARM_UP} packets`);
    return true;
  }
  const isEnough = growth < MOST_GROWTH_MEBIBYTES;
  const judgement = isEnough ? 'flat' : 'NOT FLAT';
  console.log(`${role}: memory is ${judgement}: ${growth.toFixed(1)} MiB more than in the warm-up at most`);
  return isEnough;
}

function runChild(role: Role, packets: number, seed: number): Promise<number> {
  const words = ['--packets', `${packets}`, '--seed', `${seed}`, '--role', role];
  const child = spawn(process.execPath, [fileURLToPath(import.meta.url), ...words], { stdio: 'inherit' });
  return new Promise((resolve) => child.once('exit', (code) => resolve(code ?? 1)));
}

const text = { type: 'string' } as const;
const { values } = parseArgs({ options: { packets: text, seed: text, role: text } });
const packets = wholeNumber('packets', values.packets ?? '100000000');
const seed = wholeNumber('seed', values.seed ?? `${Date.now() % 2 ** 32}`);
const role = ROLES.find((name) => name === values.role);
if (role) {
  if (!(await fuzzRole(role, packets, seed))) process.exitCode = 1;
} else {
  console.log(`seed ${seed}`);
  const codes = await Promise.all(ROLES.map((name) => runChild(name, Math.ceil(packets / 2), seed)));
  const isAgreed = codes.every((code) => code === 0);
  console.log(`seed ${seed}: ${packets} packets ${isAgreed ? 'agree' : 'DO NOT AGREE, or memory grows'}`);
  if (!isAgreed) process.exitCode = 1;
}
