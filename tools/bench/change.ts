/**
 * Bench of forwarding while its table changes, and beside junk: the running program as AFTR with a million bindings
 * between two ports of a load generator (load/), on two cores. One is the datapath's, the other the generator's, which leaves what it
 * does not need; management and its clients run where the scheduler puts them. Frames of 64 octets, each direction by itself.
 *
 * 1. The most that passes without loss is looked for, above and below: that is the maximum.
 * 2. At 80 % of it, in turns without and with edits: ten commits of 100 bindings a second over NETCONF, and beside them as many
 *    of one binding as NETCONF and RESTCONF give, one after the other. Lost is what was sent and did not come; throughput is the share
 *    that came, so that it does not count what the generator did not send because the clients share its core.
 * 3. Nine of ten frames are of unbound addresses, as fast as the generator goes: what comes of the tenth, beside a tenth of what comes
 *    when all are bound. Meanwhile one binding is changed over NETCONF five times a second.
 */

import type { BenchResult } from './datapath.ts';
import { sleep } from './instance.ts';
import type { Direction } from './load/busy-aftr.ts';
import { BusyAftr } from './load/busy-aftr.ts';
import type { EditPlan, EditReport } from './load/editor.ts';
import { Editor } from './load/editor.ts';
import { LoadGenerator } from './load/load-generator.ts';
import { Lab } from './rfc8219/lab.ts';
import { findThroughput } from './rfc8219/search.ts';

export const CHANGE_BINDINGS = 1_000_000;
const DIRECTIONS: readonly Direction[] = ['downstream', 'upstream'];
const SHARE = 0.8;
const GAP_MS = 20;
const TRIAL_S = 0.5;
const SEARCH = { precision: 0.05, maxSteps: 8, tries: 3, maxConfirmations: 8 };
const OVERLOADED_SHARE = 0.05;
const EDITS: EditPlan = { bulk: 10, netconf: Number.POSITIVE_INFINITY, restconf: Number.POSITIVE_INFINITY };
const JUNK_EDITS: EditPlan = { bulk: 0, netconf: 5 };
const JUNK_OF_TEN = 9;
const TARGETS = { throughput: 0.95, bindings: 1_000, fairShare: 0.8, answerMs: 100 };

interface Trial {
  readonly sent: number;
  readonly received: number;
  readonly seconds: number;
  readonly longestGapMs: number;
}

/** Runs the bench as root; `seconds` of each measurement, of which there are `rounds` with and without edits. */
export async function benchChange(bindings: number, seconds: number, rounds: number): Promise<BenchResult[]> {
  const lab = new Lab(`gi4chg-${process.pid}`);
  let aftr: BusyAftr | undefined;
  try {
    aftr = await BusyAftr.start(lab, bindings);
    const bench = new ChangeBench(aftr, seconds, rounds);
    bench.add('bindings', bindings, '', null);
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
    this.add(`${direction}.maximum`, most, 'packets/s', null);
    await this.#change(direction, SHARE * most);
    await this.#junk(direction);
  }

  /** Frames a second of the fastest trial that lost none: the generator may offer less than it was asked for. */
  async #findMost(direction: Direction, ceiling: number): Promise<number> {
    let most = 0;
    await findThroughput({ ...SEARCH, ceiling }, async (rate) => {
      const { sent, received, seconds } = await this.#send(direction, rate, TRIAL_S);
      if (sent - received > OVERLOADED_SHARE * sent) return 'overloaded';
      if (received < sent) return 'lossy';
      most = Math.max(most, sent / seconds);
      return 'clean';
    });
    if (most === 0) throw new Error(`change: nothing passes ${direction} without loss`);
    return most;
  }

  async #change(direction: Direction, rate: number): Promise<void> {
    const [quiet, busy]: [Trial[], Trial[]] = [[], []];
    const reports: EditReport[] = [];
    for (let round = 0; round < this.#rounds; round++) {
      quiet.push(await this.#send(direction, rate, this.#seconds));
      const { trial, report } = await this.#sendBesideEdits(direction, rate, 0, EDITS);
      busy.push(trial);
      reports.push(report);
    }
    const id = `${direction}.change`;
    const throughput = shareOf(busy) / shareOf(quiet);
    const bindings = reports.map(({ seconds, kinds }) => kinds.bulk.bindings / seconds);
    this.add(`${id}.offered`, rateOf(busy) / rate, 'of 80 %', null);
    this.add(`${id}.bindings-in-bulk`, median(bindings), 'a second', null);
    for (const face of ['netconf', 'restconf'] as const) {
      const commits = reports.map(({ seconds, kinds }) => kinds[face].commits / seconds);
      this.add(`${id}.single-${face}`, median(commits), 'a second', null);
    }
    this.add(`${id}.bulk-p50`, median(reports.map(({ kinds }) => kinds.bulk.p50)), 'ms', null);
    this.add(`${id}.lost-without-edits`, lostOf(quiet), 'packets', null);
    const lost = lostOf(busy);
    this.add(`${id}.lost`, lost, `packets of ${sum(busy.map(({ sent }) => sent))}`, 0, lost === 0);
    this.add(`${id}.longest-gap`, Math.max(...busy.map(({ longestGapMs }) => longestGapMs)), 'ms', null);
    this.add(`${id}.throughput`, throughput, 'times', TARGETS.throughput, throughput >= TARGETS.throughput);
  }

  async #junk(direction: Direction): Promise<void> {
    const shares: number[] = [];
    const [p50s, longest]: [number[], number[]] = [[], []];
    for (let round = 0; round < this.#rounds; round++) {
      const alone = await this.#send(direction, 0, this.#seconds);
      const { trial, report } = await this.#sendBesideEdits(direction, 0, JUNK_OF_TEN, JUNK_EDITS);
      const { p50, longest: most } = report.kinds.netconf;
      const fair = (alone.received / alone.sent) * trial.sent * (1 - JUNK_OF_TEN / 10);
      shares.push(trial.received / fair);
      p50s.push(p50);
      longest.push(most);
    }
    const id = `${direction}.junk`;
    const share = median(shares);
    const most = Math.max(...longest);
    this.add(`${id}.of-fair-share`, share, 'times', TARGETS.fairShare, share >= TARGETS.fairShare);
    this.add(`${id}.edit-p50`, median(p50s), 'ms', null);
    this.add(`${id}.edit-longest`, most, 'ms', TARGETS.answerMs, most <= TARGETS.answerMs);
  }

  async #sendBesideEdits(
    direction: Direction,
    rate: number,
    junk: number,
    plan: EditPlan,
  ): Promise<{ trial: Trial; report: EditReport }> {
    const editor = new Editor(this.#aftr, plan);
    const trial = await this.#send(direction, rate, this.#seconds, junk);
    return { trial, report: await editor.end() };
  }

  async #send(direction: Direction, rate: number, seconds: number, junk = 0): Promise<Trial> {
    const streams = [this.#aftr.stream(direction, junk)];
    const generator = LoadGenerator.start(this.#aftr.lab, { rate, gapMs: GAP_MS, streams });
    await sleep(seconds * 1_000);
    const last = await generator.end();
    const [stream] = last.streams;
    if (!stream) throw new Error('the generator had no stream');
    if (stream.overruns > 0) throw new Error(`the generator had no room for ${stream.overruns} frames that came`);
    const gaps = generator.lines.flatMap((line) => line.streams.flatMap((counts) => counts.gaps));
    const longestGapMs = Math.max(0, ...gaps.map(({ lengthMs }) => lengthMs));
    return { sent: stream.sent, received: stream.received, seconds: last.seconds, longestGapMs };
  }

  add(name: string, value: number, unit: string, target: number | null, met: boolean | null = null): void {
    this.results.push({ id: `change.${name}`, value: Math.round(value * 1_000) / 1_000, unit, target, met });
    process.stderr.write(`${name}: ${value}\n`);
  }
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}

function lostOf(trials: readonly Trial[]): number {
  return sum(trials.map(({ sent, received }) => sent - received));
}

function shareOf(trials: readonly Trial[]): number {
  return 1 - lostOf(trials) / sum(trials.map(({ sent }) => sent));
}

function rateOf(trials: readonly Trial[]): number {
  return sum(trials.map(({ sent }) => sent)) / sum(trials.map(({ seconds }) => seconds));
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[values.length >> 1] ?? Number.NaN;
}
