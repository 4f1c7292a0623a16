/**
 * An AFTR under full load in both directions for a long time, with edits all the while, links that go and come, and a datapath that is
 * killed now and then.
 *
 *     each second       ten commits of 100 bindings, and a few of one over NETCONF and RESTCONF
 *     each event        the tester's end of the IPv4 link is taken away and brought back; then the IPv6 link's; then, in the first half of
 *                       the run, the datapath is killed with its workers; and so on in turn
 *
 * A stall is a time without an arrival that is longer than STALL_MS, less what the generator itself sent nothing or the machine let a
 * thread on the datapath's core wait. What an event takes is no stall but an outage, which has bounds of its own: until packets come
 * again, and what is amiss within EVENT_REST_MS after that. What is missing before an event is judged like anything else.
 * Memory is that of one life of each process: in the second half nobody is killed.
 */

import { sleep } from '../instance.ts';
import type { BusyAftr } from './busy-aftr.ts';
import type { EditReport } from './editor.ts';
import { Editor } from './editor.ts';
import type { Gap, LoadLine } from './load-generator.ts';
import { LoadGenerator } from './load-generator.ts';

export type EventKind = 'flap-ipv4' | 'flap-ipv6' | 'restart';

export interface EndurancePlan {
  readonly seconds: number;
  /** From the end of one event to the beginning of the next. */
  readonly eventMs: number;
  /** Frames a second and direction; 0: as many as the generator can. */
  readonly rate: number;
  readonly progress: (text: string) => void;
}

export interface Happening {
  readonly kind: EventKind;
  /** Since 1970. */
  readonly fromMs: number;
  /** When the link was brought back; of a restart when the datapath was killed. */
  readonly backMs: number;
}

export interface EnduranceReport {
  readonly load: LoadLine;
  readonly edits: EditReport;
  readonly events: readonly Happening[];
  readonly stalls: readonly Gap[];
  /** Gaps that would be stalls but for what the generator, or the machine, did. */
  readonly excused: readonly Gap[];
  /** The longest time from `backMs` until packets came again, by kind of event, in milliseconds. */
  readonly outages: Readonly<Record<EventKind, number>>;
  /** By which the memory of each rose in its last life, MiB; what growthOf says. */
  readonly growth: readonly [management: number, datapath: number];
  /** Events after which packets came again, in both directions. */
  readonly recovered: number;
}

export const STALL_MS = 100;
/** A second. */
export const EDITS = { bulk: 10, netconf: 5, restconf: 5 };
const FLAPS: readonly EventKind[] = ['flap-ipv4', 'flap-ipv6'];
const KINDS: readonly EventKind[] = [...FLAPS, 'restart'];
const FLAP_MS = 200;
const EVENT_REST_MS = 1_000;
const SAMPLE_MS = 1_000;
const RECOVERY_LIMIT_MS = 60_000;

/** Runs it. @throws Error when an edit is refused, or the program does not come back */
export async function endure(aftr: BusyAftr, plan: EndurancePlan): Promise<EnduranceReport> {
  const streams = [aftr.stream('downstream'), aftr.stream('upstream')];
  const generator = LoadGenerator.start(aftr.lab, { rate: plan.rate, gapMs: STALL_MS, streams });
  const editor = new Editor(aftr, EDITS);
  const memory = new MemoryWatch(aftr);
  const events: Happening[] = [];
  const end = performance.now() + plan.seconds * 1_000;
  const half = performance.now() + plan.seconds * 500;
  let recovered = 0;
  for (let turn = 0; performance.now() + plan.eventMs < end; turn++) {
    await sleep(plan.eventMs);
    const kinds = performance.now() < half ? KINDS : FLAPS;
    const kind = kinds[turn % kinds.length] ?? 'restart';
    const fromMs = Date.now();
    let backMs = fromMs;
    if (kind === 'restart') {
      backMs = await restartDatapath(aftr);
      memory.newDatapath();
    } else {
      backMs = await aftr.flap(kind === 'flap-ipv4' ? 'aftr4' : 'aftr6', FLAP_MS);
    }
    if (await comesAgain(generator)) recovered++;
    events.push({ kind, fromMs, backMs });
    plan.progress(`${kind}: ${Date.now() - fromMs} ms`);
  }
  await sleep(Math.max(0, end - performance.now()));
  const growth = memory.end();
  const edits = await editor.end();
  const load = await generator.end();
  const gaps = generator.lines.flatMap((line) => line.streams.flatMap((stream) => stream.gaps));
  return { load, edits, events, growth, recovered, ...judgeGaps(gaps, events) };
}

/** Which gaps are stalls, and what events took. */
export function judgeGaps(
  gaps: readonly Gap[],
  events: readonly Happening[],
): Pick<EnduranceReport, 'stalls' | 'excused' | 'outages'> {
  const stalls: Gap[] = [];
  const excused: Gap[] = [];
  const outages: Record<EventKind, number> = { 'flap-ipv4': 0, 'flap-ipv6': 0, restart: 0 };
  const judge = (gap: Gap) => {
    if (gap.lengthMs - Math.max(gap.ownMs, gap.machineMs) > STALL_MS) stalls.push(gap);
    else if (gap.lengthMs > STALL_MS) excused.push(gap);
  };
  const shields = events.map((event) => ({ ...event, untilMs: shieldedUntil(event, gaps) }));
  for (const gap of gaps) {
    const event = shields.find(({ fromMs, untilMs }) => gap.atMs < untilMs && endOf(gap) > fromMs);
    if (event) outages[event.kind] = Math.max(outages[event.kind], endOf(gap) - event.backMs);
    judge(event ? { ...gap, lengthMs: event.fromMs - gap.atMs } : gap);
  }
  return { stalls, excused, outages };
}

/** Until when what is missing is the event's: a while after packets have come again in both directions. */
function shieldedUntil({ fromMs, backMs }: Happening, gaps: readonly Gap[]): number {
  const own = gaps.filter((gap) => gap.atMs < backMs + EVENT_REST_MS && endOf(gap) > fromMs);
  return Math.max(backMs, ...own.map(endOf)) + EVENT_REST_MS;
}

function endOf({ atMs, lengthMs }: Gap): number {
  return atMs + lengthMs;
}

/**
 * By how much memory rises over these samples of one life, without its first quarter, in which it fills: the lowest tenth of the last
 * third less that of the first, so that what a garbage collector has not come to yet does not count.
 */
export function growthOf(samples: readonly number[]): number {
  const settled = samples.slice(samples.length >> 2);
  const third = Math.floor(settled.length / 3);
  if (third === 0) return Number.NaN;
  const low = (part: readonly number[]) => part.toSorted((a, b) => a - b)[Math.floor(part.length / 10)] ?? Number.NaN;
  return low(settled.slice(-third)) - low(settled.slice(0, third));
}

/** Kills it, and tells when; ends when there is another one, which the datapath's core is given to. */
async function restartDatapath(aftr: BusyAftr): Promise<number> {
  const before = aftr.instance.pid('datapath');
  // Beside full load the look for it may take seconds.
  const killedMs = Date.now();
  process.kill(before, 'SIGKILL');
  const limit = Date.now() + RECOVERY_LIMIT_MS;
  for (;;) {
    await sleep(50);
    try {
      if (aftr.instance.pid('datapath') !== before) {
        aftr.pinDatapath();
        return killedMs;
      }
    } catch {
      // Between the two there is none, nor while the new one goes from command to command until it is what it will be.
    }
    if (Date.now() > limit) throw new Error('endurance: the datapath was not started again');
  }
}

/** Whether more packets come in both directions from now on. */
async function comesAgain(generator: LoadGenerator): Promise<boolean> {
  const counts = () => generator.lines.at(-1)?.streams.map(({ received }) => received) ?? [];
  const limit = Date.now() + RECOVERY_LIMIT_MS;
  // The line of the second in which it happened may hold packets from before.
  const at = generator.lines.length + 1;
  while (generator.lines.length <= at && Date.now() < limit) await sleep(50);
  const before = counts();
  while (Date.now() < limit) {
    const now = counts();
    if (now.length > 0 && now.every((received, i) => received > (before[i] ?? 0))) return true;
    await sleep(50);
  }
  return false;
}

class MemoryWatch {
  readonly #aftr: BusyAftr;
  readonly #timer: NodeJS.Timeout;
  readonly #management: number[] = [];
  #datapath: number[] = [];

  constructor(aftr: BusyAftr) {
    this.#aftr = aftr;
    this.#timer = setInterval(() => this.#look(), SAMPLE_MS);
  }

  newDatapath(): void {
    this.#datapath = [];
  }

  end(): [number, number] {
    clearInterval(this.#timer);
    return [growthOf(this.#management), growthOf(this.#datapath)];
  }

  #look(): void {
    try {
      const [management, datapath] = this.#aftr.instance.resident();
      this.#management.push(management);
      this.#datapath.push(datapath);
    } catch {
      // A process has just ended, and the next one is on its way.
    }
  }
}
