/**
 * The long run of random packets: `node dist/tools/fuzz.js [--packets N] [--seed S]`. Half of them go through a gateway and half
 * through an AFTR, each in a process of its own, beside the naive engine of the tests. Another table comes every 6,400 packets. The
 * last line says how many agreed and how much memory grew after the first million.
 */

import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import type { Role } from '../src/datapath/engine.ts';
import { fuzz } from '../test/helpers/fuzz.ts';

const ROLES: readonly Role[] = ['gateway', 'aftr'];
const PIECE = 1_000_000;

function wholeNumber(name: string, text: string): number {
  if (!/^\d+$/.test(text)) throw new Error(`--${name} ${text}: expected a whole number`);
  return Number(text);
}

/** One role, in this process. @throws Error where engine and naive engine do not agree */
async function fuzzRole(role: Role, packets: number, seed: number): Promise<void> {
  let firstMebibytes = Number.NaN;
  for (let sent = 0; sent < packets; sent += PIECE) {
    const tally = await fuzz(role, Math.min(PIECE, packets - sent), seed + sent / PIECE);
    globalThis.gc?.();
    const mebibytes = Math.round(process.memoryUsage().rss / 1024 ** 2);
    if (sent === 0) firstMebibytes = mebibytes;
    if (sent % (10 * PIECE) === 0) console.log(`${role}: ${sent + tally.packets} packets, ${mebibytes} MiB`);
    if (sent + PIECE >= packets) {
      console.log(
        `${role}: ${sent + tally.packets} packets agree, ${mebibytes - firstMebibytes} MiB more after the first million`,
      );
    }
  }
}

function runChild(role: Role, packets: number, seed: number): Promise<number> {
  const words = [
    '--expose-gc',
    fileURLToPath(import.meta.url),
    '--packets',
    `${packets}`,
    '--seed',
    `${seed}`,
    '--role',
    role,
  ];
  const child = spawn(process.execPath, words, { stdio: 'inherit' });
  return new Promise((resolve) => child.once('exit', (code) => resolve(code ?? 1)));
}

const text = { type: 'string' } as const;
const { values } = parseArgs({ options: { packets: text, seed: text, role: text } });
const packets = wholeNumber('packets', values.packets ?? '100000000');
const seed = wholeNumber('seed', values.seed ?? `${Date.now() % 2 ** 32}`);
const role = ROLES.find((name) => name === values.role);
if (role) await fuzzRole(role, packets, seed);
else {
  console.log(`seed ${seed}`);
  const codes = await Promise.all(ROLES.map((name) => runChild(name, Math.ceil(packets / 2), seed)));
  const isAgreed = codes.every((code) => code === 0);
  console.log(`seed ${seed}: ${packets} packets ${isAgreed ? 'agree' : 'DO NOT AGREE'}`);
  if (!isAgreed) process.exitCode = 1;
}
