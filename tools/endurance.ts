/**
 * The long run of forwarding: `node dist/tools/endurance.js [--seconds 1800] [--bindings N] [--event-seconds S] [--rate N]`. An AFTR of so many
 * bindings under full load, or N frames a second and direction, with edits; every S seconds a link goes and comes, or the datapath is
 * killed. What it looks for, and what it counts as a stall: bench/load/endurance.ts. Exit code 1 for a stall, memory that grows,
 * traffic that did not come back or came late, and a run without the load or the edits that it is to stand. Needs root.
 */

import { BusyAftr } from './bench/load/busy-aftr.ts';
import type { EnduranceReport } from './bench/load/endurance.ts';
import { EDITS, endure, STALL_MS } from './bench/load/endurance.ts';
import type { Gap } from './bench/load/load-generator.ts';
import { Lab } from './bench/rfc8219/lab.ts';
import { optionsIn, requireRoot, runTool, UsageError, wholeNumberOf } from './usage.ts';

/** In half of a process's last life, MiB: what the garbage collector of management leaves lying around; the datapath collects its own. */
const GROWTH_LIMITS = { management: 32, datapath: 4 };
/** From the link's return, or the kill, until packets come again; of a restart with 100,000 bindings. */
const OUTAGE_LIMITS_MS: EnduranceReport['outages'] = { 'flap-ipv4': 1_000, 'flap-ipv6': 1_000, restart: 5_000 };
/** Of the packets that were sent in each direction, and of the commits of each kind that were due: with less, nothing was endured. */
const LEAST_SHARE = 0.1;
/** One of each kind in the first half. */
const EVENTS_AT_LEAST = 8;
const EDIT_KINDS = ['bulk', 'netconf', 'restconf'] as const;

function tell({ load, edits, events, stalls, excused, outages, growth, recovered }: EnduranceReport): boolean {
  const idle: string[] = [];
  for (const [i, { sent, received }] of load.streams.entries()) {
    const direction = i === 0 ? 'downstream' : 'upstream';
    console.log(`${direction}: ${received} of ${sent} packets in ${Math.round(load.seconds)} s`);
    if (received < LEAST_SHARE * sent) idle.push(direction);
  }
  for (const kind of EDIT_KINDS) {
    const { commits, bindings, seconds, p50, longest } = edits.kinds[kind];
    const due = EDITS[kind] * seconds;
    if (commits < LEAST_SHARE * due) idle.push(kind);
    console.log(
      `${kind}: ${commits} commits of the ${Math.round(due)} that were due, ${bindings} bindings, p50 ${p50.toFixed(1)}, longest ${longest.toFixed(1)} ms`,
    );
  }
  console.log(
    `${events.length} events, traffic came back after ${recovered}; the longest until packets came again, ms: ${JSON.stringify(outages)}`,
  );
  console.log(
    `memory grew by ${growth.map((mebibytes) => mebibytes.toFixed(1)).join(' and ')} MiB (management, datapath)`,
  );
  const longestOf = (read: (gap: Gap) => number) => Math.max(0, ...excused.map(read)).toFixed(0);
  console.log(
    `${excused.length} gaps of more than ${STALL_MS} ms in which the generator was away (${longestOf(({ ownMs }) => ownMs)} ms at most), or the core of the datapath (${longestOf(({ machineMs }) => machineMs)})`,
  );
  for (const stall of stalls) {
    const last = events.findLast(({ fromMs }) => fromMs <= stall.atMs);
    const after = last
      ? `, ${Math.round((stall.atMs - last.fromMs) / 1_000)} s after the beginning of ${last.kind}`
      : '';
    console.log(`STALL of more than ${STALL_MS} ms: ${JSON.stringify(stall)}${after}`);
  }
  const [management, datapath] = growth;
  const isFlat = management < GROWTH_LIMITS.management && datapath < GROWTH_LIMITS.datapath;
  if (!isFlat) console.log(`MEMORY: expected less than ${JSON.stringify(GROWTH_LIMITS)} MiB more`);
  const late = events.filter(({ kind }) => outages[kind] > OUTAGE_LIMITS_MS[kind]);
  if (late.length > 0) console.log(`LATE: expected packets within ${JSON.stringify(OUTAGE_LIMITS_MS)} ms`);
  if (idle.length > 0) console.log(`IDLE: expected a share of ${LEAST_SHARE} at least of ${idle.join(', ')}`);
  const isWell = stalls.length === 0 && isFlat && late.length === 0 && recovered === events.length && idle.length === 0;
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
  const least = eventSeconds * EVENTS_AT_LEAST;
  if (seconds < least) {
    throw new UsageError(
      `expected --seconds of at least ${least}, ${EVENTS_AT_LEAST} times --event-seconds, not ${seconds}`,
    );
  }
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
