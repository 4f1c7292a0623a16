/**
 * Bench of forwarding while its table changes, and beside junk: the running program as AFTR with a million bindings
 * between two ports of a load generator (load/), on two cores. One is the datapath's, the other the generator's, which leaves what it
 * does not need: to the clients (load/editor.ts), and to management where the scheduler puts it there. A generator at a rate that is confirmed or measured is there in real time: what is
 * measured is the device, and not what management leaves of its tester. Traffic is for 7,812 bindings, edits are of others. Frames of 64 octets, each direction by itself.
 *
 * 1. The maximum is the highest rate at which no frame is lost (RFC 2544 §26.1): looked for in short trials, and confirmed by one that is as long
 *    as the measurement, in which not one frame may stay away.
 * 2. At 80 % of it, in turns without and with edits: ten commits of 100 bindings a second over NETCONF, and beside them as many
 *    of one binding as NETCONF and RESTCONF give, one after the other. Lost is what was sent and did not come; throughput is what came a
 *    second, as a share of what comes without edits. What the generator could not
 *    offer, because management took its core, says nothing of the device: throughput is not judged when too little was offered.
 * 3. Nine of ten frames are of unbound addresses, as fast as the generator goes: what comes of the tenth, beside a tenth of what comes
 *    when all are bound. Meanwhile one binding is changed over NETCONF five times a second. Of bound frames alone as fast as it goes only
 *    a share comes, `alone-received-share`: where nearly all come, the generator is slower than the device, nothing is displaced, and the
 *    fair share is not judged.
 */

import type { JunkRound, Trial } from './change-report.ts';
import { JUNK_OF_TEN, judgeChange, judgeJunk } from './change-report.ts';
import { sleep } from './instance.ts';
import type { Direction } from './load/busy-aftr.ts';
import { BusyAftr } from './load/busy-aftr.ts';
import type { EditPlan, EditReport } from './load/editor.ts';
import { Editor } from './load/editor.ts';
import { LoadGenerator } from './load/load-generator.ts';
import type { BenchResult } from './results.ts';
import { result } from './results.ts';
import { Lab } from './rfc8219/lab.ts';
import { findThroughput } from './rfc8219/search.ts';

export const CHANGE_BINDINGS = 1_000_000;
const DIRECTIONS: readonly Direction[] = ['downstream', 'upstream'];
const SHARE = 0.8;
const GAP_MS = 20;
const TRIAL_S = 0.5;
const SEARCH = { precision: 0.05, maxSteps: 8, tries: 3, maxConfirmations: 20 };
const OVERLOADED_SHARE = 0.05;
const EDITS: EditPlan = { bulk: 10, netconf: Number.POSITIVE_INFINITY, restconf: Number.POSITIVE_INFINITY };
const JUNK_EDITS: EditPlan = { bulk: 0, netconf: 5 };

/** Runs the bench as root; `seconds` of each measurement, of which there are `rounds` with and without edits. */
export async function benchChange(bindings: number, seconds: number, rounds: number): Promise<BenchResult[]> {
  const lab = new Lab(`gi4chg-${process.pid}`);
  let aftr: BusyAftr | undefined;
  try {
    aftr = await BusyAftr.start(lab, bindings);
    const bench = new ChangeBench(aftr, seconds, rounds);
    bench.add('bindings', bindings, '');
    for (const direction of DIRECTIONS) await bench.measure(direction);
    return bench.results;
  } finally {
    await aftr?.stop();
    lab.close();
  }
}

class ChangeBench {
  readonly results: BenchResult[] = [];
  readonly #aftr: BusyAftr;
  readonly #seconds: number;
  readonly #rounds: number;

  constructor(aftr: BusyAftr, seconds: number, rounds: number) {
    this.#aftr = aftr;
    this.#seconds = seconds;
    this.#rounds = rounds;
  }

  async measure(direction: Direction): Promise<void> {
    const flood = await this.#send(direction, 0, TRIAL_S);
    const most = await this.#findMost(direction, flood.sent / flood.seconds);
    this.add(`${direction}.maximum`, most, 'packets/s');
    this.add(`${direction}.maximum-of-flood`, (most * flood.seconds) / flood.received, 'of what comes of a flood');
    await this.#change(direction, SHARE * most);
    await this.#junk(direction);
  }

  /** Frames a second of the trial that confirmed the rate: the generator may offer less than it was asked for. */
  async #findMost(direction: Direction, ceiling: number): Promise<number> {
    let most = 0;
    const { rate: found } = await findThroughput({ ...SEARCH, ceiling }, async (rate, isConfirmation) => {
      const { sent, received, seconds } = await (isConfirmation
        ? this.#send(direction, rate, this.#seconds, 0, true)
        : this.#send(direction, rate, TRIAL_S));
      most = sent / seconds;
      if (sent - received > OVERLOADED_SHARE * sent) return 'overloaded';
      return received < sent ? 'lossy' : 'clean';
    });
    if (found === 0) throw new Error(`change: nothing passes ${direction} for ${this.#seconds} s without loss`);
    return most;
  }

  async #change(direction: Direction, rate: number): Promise<void> {
    const [quiet, busy]: [Trial[], Trial[]] = [[], []];
    const reports: EditReport[] = [];
    const without = async () => {
      quiet.push(await this.#send(direction, rate, this.#seconds, 0, true));
    };
    const beside = async () => {
      const { trial, report } = await this.#sendBesideEdits(direction, rate, 0, EDITS);
      busy.push(trial);
      reports.push(report);
    };
    for (let round = 0; round < this.#rounds; round++) {
      // What comes second meets what the other has left: so each is first in every other round.
      for (const measure of round % 2 === 0 ? [without, beside] : [beside, without]) await measure();
    }
    this.#tell(judgeChange(`change.${direction}.change`, rate, quiet, busy, reports));
  }

  async #junk(direction: Direction): Promise<void> {
    const rounds: JunkRound[] = [];
    for (let round = 0; round < this.#rounds; round++) {
      const alone = await this.#send(direction, 0, this.#seconds);
      const { trial, report } = await this.#sendBesideEdits(direction, 0, JUNK_OF_TEN, JUNK_EDITS);
      rounds.push({ alone, mixed: trial, edits: report });
    }
    this.#tell(judgeJunk(`change.${direction}.junk`, rounds));
  }

  async #sendBesideEdits(
    direction: Direction,
    rate: number,
    junk: number,
    plan: EditPlan,
  ): Promise<{ trial: Trial; report: EditReport }> {
    const editor = new Editor(this.#aftr, plan);
    await editor.ready();
    let report: Promise<EditReport> | undefined;
    const endEdits = () => {
      report = editor.end();
      report.catch(() => undefined);
    };
    const trial = await this.#send(direction, rate, this.#seconds, junk, rate > 0, endEdits);
    return { trial, report: await (report ?? editor.end()) };
  }

  /** `onEnd` is called when no more is sent, and what is under way still comes. */
  async #send(
    direction: Direction,
    rate: number,
    seconds: number,
    junk = 0,
    isRealTime = false,
    onEnd: () => void = () => undefined,
  ): Promise<Trial> {
    const streams = [this.#aftr.stream(direction, junk)];
    const generator = LoadGenerator.start(this.#aftr.lab, { rate, gapMs: GAP_MS, streams, isRealTime });
    await sleep(seconds * 1_000);
    onEnd();
    const last = await generator.end();
    const [stream] = last.streams;
    if (!stream) throw new Error('the generator had no stream');
    if (stream.overruns > 0) throw new Error(`the generator had no room for ${stream.overruns} frames that came`);
    const gaps = generator.lines.flatMap((line) => line.streams.flatMap((counts) => counts.gaps));
    const longestGapMs = Math.max(0, ...gaps.map(({ lengthMs }) => lengthMs));
    return { sent: stream.sent, received: stream.received, seconds: last.seconds, longestGapMs };
  }

  add(name: string, value: number, unit: string): void {
    this.#tell([result(`change.${name}`, value, unit)]);
  }

  #tell(results: readonly BenchResult[]): void {
    this.results.push(...results);
    for (const { id, value } of results) process.stderr.write(`${id}: ${value}\n`);
  }
}
