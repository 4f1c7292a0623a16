/**
 * An AFTR under full load in both directions for a long time, with edits all the while, links that go and come, and a datapath that is
 * killed now and then.
 *
 *     each second       ten commits of 100 bindings, and a few of one over NETCONF and RESTCONF
 *     each event        the tester's end of the IPv4 link is taken away and brought back; then the IPv6 link's; then the datapath, with
 *                       its workers, is killed; and so on in turn
 *
 * A stall is a time without an arrival that is longer than STALL_MS, less what the generator itself sent nothing or the machine let a
 * thread on the datapath's core wait. What an event takes is no stall but an outage, which is reported by itself: from its
 * beginning until EVENT_REST_MS after its end. Memory is judged from the end of the first quarter on.
 */

import { sleep } from '../instance.ts';
import { median } from '../results.ts';
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
  /** When the link was there again; of a restart when the datapath was killed. */
  readonly backMs: number;
  readonly untilMs: number;
}

export interface EnduranceReport {
  readonly load: LoadLine;
  readonly edits: EditReport;
  readonly events: readonly Happening[];
  readonly stalls: readonly Gap[];
  /** The longest time from `backMs` until packets came again, by kind of event, in milliseconds. */
  readonly outages: Readonly<Record<EventKind, number>>;
  /** How much more the last quarter takes than the second one, MiB. */
  readonly growth: readonly [management: number, datapath: number];
  /** Events after which packets came again, in both directions. */
  readonly recovered: number;
}

export const STALL_MS = 100;
const EDITS = { bulk: 10, netconf: 5, restconf: 5 };
const KINDS: readonly EventKind[] = ['flap-ipv4', 'flap-ipv6', 'restart'];
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
  let recovered = 0;
  for (let turn = 0; performance.now() + plan.eventMs < end; turn++) {
    await sleep(plan.eventMs);
    const kind = KINDS[turn % KINDS.length] ?? 'restart';
    const fromMs = Date.now();
    const happen =
      kind === 'restart' ? restartDatapath(aftr) : aftr.flap(kind === 'flap-ipv4' ? 'aftr4' : 'aftr6', FLAP_MS);
    await happen;
    const backMs = kind === 'restart' ? fromMs : Date.now();
    if (await comesAgain(generator)) recovered++;
    events.push({ kind, fromMs, backMs, untilMs: Date.now() });
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
): Pick<EnduranceReport, 'stalls' | 'outages'> {
  const stalls: Gap[] = [];
  const outages: Record<EventKind, number> = { 'flap-ipv4': 0, 'flap-ipv6': 0, restart: 0 };
  for (const gap of gaps) {
    const event = events.find(
      ({ fromMs, untilMs }) => gap.atMs < untilMs + EVENT_REST_MS && gap.atMs + gap.lengthMs > fromMs,
    );
    if (event) outages[event.kind] = Math.max(outages[event.kind], gap.atMs + gap.lengthMs - event.backMs);
    else if (gap.lengthMs - Math.max(gap.ownMs, gap.machineMs) > STALL_MS) stalls.push(gap);
  }
  return { stalls, outages };
}

/** Kills it; ends when there is another one, which the datapath's core is given to. */
async function restartDatapath(aftr: BusyAftr): Promise<void> {
  const before = aftr.instance.pid('datapath');
  process.kill(before, 'SIGKILL');
  const limit = Date.now() + RECOVERY_LIMIT_MS;
  for (;;) {
    await sleep(50);
    try {
      if (aftr.instance.pid('datapath') !== before) return aftr.pinDatapath();
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
  readonly #samples: [number, number][] = [];

  constructor(aftr: BusyAftr) {
    this.#aftr = aftr;
    this.#timer = setInterval(() => this.#look(), SAMPLE_MS);
  }

  end(): [number, number] {
    clearInterval(this.#timer);
    const quarter = Math.floor(this.#samples.length / 4);
    const of = (part: number, which: 0 | 1) =>
      median(this.#samples.slice(part * quarter, (part + 1) * quarter).map((sample) => sample[which]));
    return [of(3, 0) - of(1, 0), of(3, 1) - of(1, 1)];
  }

  #look(): void {
    try {
      this.#samples.push(this.#aftr.instance.resident());
    } catch {
      // A process has just ended, and the next one is on its way.
    }
  }
}
