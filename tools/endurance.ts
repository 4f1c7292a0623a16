/**
 * The long run of forwarding: `node dist/tools/endurance.js [--seconds 1800] [--bindings N] [--event-seconds S] [--rate N]`. An AFTR of so many
 * bindings under full load, or N frames a second and direction, with edits; every S seconds a link goes and comes, or the datapath is
 * killed. What it looks for, and what it counts as a stall: bench/load/endurance.ts. Exit code 1 for a stall, memory that grows, or
 * traffic that did not come back. Needs root.
 */

import { BusyAftr } from './bench/load/busy-aftr.ts';
import type { EnduranceReport } from './bench/load/endurance.ts';
import { endure, STALL_MS } from './bench/load/endurance.ts';
import { Lab } from './bench/rfc8219/lab.ts';
import { optionsIn, requireRoot, runTool, wholeNumberOf } from './usage.ts';

/** Of the last quarter above the second one: what the garbage collector leaves lying around. */
const MEMORY_MEBIBYTES = 64;

function tell({ load, edits, events, stalls, outages, growth, recovered }: EnduranceReport): boolean {
  for (const [i, { sent, received }] of load.streams.entries()) {
    console.log(
      `${i === 0 ? 'downstream' : 'upstream'}: ${received} of ${sent} packets in ${Math.round(load.seconds)} s`,
    );
  }
  for (const [kind, { commits, bindings, p50, longest }] of Object.entries(edits.kinds)) {
    console.log(
      `${kind}: ${commits} commits, ${bindings} bindings, p50 ${p50.toFixed(1)}, longest ${longest.toFixed(1)} ms`,
    );
  }
  console.log(
    `${events.length} events, traffic came back after ${recovered}; the longest until packets came again, ms: ${JSON.stringify(outages)}`,
  );
  console.log(
    `memory grew by ${growth.map((mebibytes) => mebibytes.toFixed(1)).join(' and ')} MiB (management, datapath)`,
  );
  for (const stall of stalls) console.log(`STALL of more than ${STALL_MS} ms: ${JSON.stringify(stall)}`);
  const isFlat = growth.every((mebibytes) => mebibytes < MEMORY_MEBIBYTES);
  const isWell = stalls.length === 0 && isFlat && recovered === events.length;
  console.log(isWell ? 'no stall, memory is flat, traffic came back each time' : 'NOT WELL');
  return isWell;
}

async function main(words: readonly string[]): Promise<void> {
  const text = { type: 'string' } as const;
  const values = optionsIn(words, { seconds: text, bindings: text, 'event-seconds': text, rate: text });
  const seconds = wholeNumberOf('seconds', values.seconds ?? '1800', 10, 1_000_000);
  const bindings = wholeNumberOf('bindings', values.bindings ?? '100000', 1_000, 4_000_000);
  const eventSeconds = wholeNumberOf('event-seconds', values['event-seconds'] ?? '20', 1, 100_000);
  const rate = wholeNumberOf('rate', values.rate ?? '0', 0, 10_000_000);
  requireRoot('endurance');
  const lab = new Lab(`gi4end-${process.pid}`);
  let aftr: BusyAftr | undefined;
  try {
    aftr = await BusyAftr.start(lab, bindings);
    const plan = { seconds, eventMs: eventSeconds * 1_000, rate, progress: console.log };
    if (!tell(await endure(aftr, plan))) process.exitCode = 1;
  } finally {
    await aftr?.stop();
    lab.close();
  }
}

await runTool(() => main(process.argv.slice(2)));
