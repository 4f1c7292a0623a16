/**
 * Runs one bench: `npm run bench -- NAME [--json FILE]`. The file holds { machine, commit, results }; what stands on the screen is
 * a line for each result, or the bench's own table.
 *
 *   datapath   the engine in memory: packets a second at 1,000 and 1,000,000 bindings
 *   netconf    NETCONF over SSH: sessions and small RPCs beside a bare subsystem of the same library, idle sessions (root)
 *   rfc8219    an AFTR, a gateway and both in namespaces: throughput without loss and latency, thirteen frame sizes (root;
 *              [--seconds S] [--gateways N,N] [--sizes N,N] [--strict] [--svg FILE])
 *   state      configuration through the faces of a running instance: edits, bulk loads, reads, memory (root; [--bindings N])
 */

import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { cpus, release, totalmem } from 'node:os';
import type { BenchResult } from './bench/datapath.ts';

interface Report {
  readonly results: readonly BenchResult[];
  readonly text: string;
}

const BENCHES: Readonly<Record<string, (words: readonly string[]) => Promise<Report>>> = {
  datapath: async () => listed(await (await import('./bench/datapath.ts')).benchDatapath()),
  netconf: async () => listed(await (await import('./bench/netconf.ts')).benchNetconf()),
  rfc8219: async (words) => (await import('./bench/rfc8219.ts')).benchRfc8219(words),
  state: async (words) => listed(await (await import('./bench/state.ts')).benchState(bindingsOf(words))),
};

function listed(results: readonly BenchResult[]): Report {
  const lines = results.map(({ id, value, unit, target, met }) => {
    const aim = target === null ? '' : `  target ${target}: ${met ? 'met' : 'missed'}`;
    return `${id.padEnd(44)} ${String(Number(value.toPrecision(4))).padStart(10)} ${unit}${aim}\n`;
  });
  return { results, text: lines.join('') };
}

/** The numbers after --bindings; undefined without it. */
function bindingsOf(words: readonly string[]): number[] | undefined {
  const at = words.indexOf('--bindings');
  return at < 0 ? undefined : (words[at + 1] ?? '').split(',').map(Number);
}

function machine(): Record<string, unknown> {
  const [cpu] = cpus();
  return {
    cpu: cpu?.model ?? 'unknown',
    cores: cpus().length,
    memoryGiB: Math.round(totalmem() / 1024 ** 3),
    kernel: release(),
    node: process.version,
  };
}

function commit(): string {
  try {
    return execFileSync('git', ['rev-parse', 'HEAD'], { encoding: 'utf8' }).trim();
  } catch {
    return 'unknown';
  }
}

async function main(words: readonly string[]): Promise<void> {
  const [name = ''] = words;
  const bench = BENCHES[name];
  const jsonAt = words.indexOf('--json');
  const file = jsonAt < 0 ? undefined : words[jsonAt + 1];
  if (!bench || (jsonAt >= 0 && file === undefined)) {
    process.stderr.write(
      `usage: npm run bench -- NAME [--json FILE], NAME being one of ${Object.keys(BENCHES).join(', ')}\n`,
    );
    process.exitCode = 2;
    return;
  }
  const { results, text } = await bench(words);
  process.stdout.write(text);
  if (file !== undefined) {
    writeFileSync(file, `${JSON.stringify({ machine: machine(), commit: commit(), results }, undefined, 2)}\n`);
  }
}

await main(process.argv.slice(2));
