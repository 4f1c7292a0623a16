/**
 * The zero-loss throughput by bisection (RFC 2544 §26.1, which RFC 8219 §7.1 takes unmodified): the highest rate at which
 * as many frames come out as went in. Pure: what a trial is, the caller says.
 */

/**
 * How a trial ended. `overloaded`: so much was lost that no doubt is left. `unoffered`: the tester could not do it, so nothing
 * is known of the rate.
 */
export type Outcome = 'clean' | 'lossy' | 'overloaded' | 'unoffered';

export interface SearchPlan {
  /** No rate above it is tried. */
  readonly ceiling: number;
  /** A rate that the device may pass, as it did with like frames: the search begins around it. Without one it begins at the ceiling. */
  readonly hint?: number | undefined;
  /** The search ends when it knows the rate to this part of itself. */
  readonly precision: number;
  readonly maxSteps: number;
  /** A rate is too high when so many trials in a row lose a little: that can be the fault of the machine that all share. */
  readonly tries: number;
  /** How often the found rate may fail its confirming trial; each time it is taken down by `BACK_OFF`. */
  readonly maxConfirmations: number;
}

export interface Found {
  /** 0 when no rate was confirmed. */
  readonly rate: number;
  /** What stands above the rate: a device that loses, or a tester that cannot send more. */
  readonly limitedBy: 'device' | 'tester';
  readonly trials: number;
}

const BACK_OFF = 0.95;
/** Where a search with a hint begins, in parts of it. */
const AROUND_HINT = [1.08, 0.92] as const;

/**
 * Finds the throughput; the last trial is always a clean one at the rate that is returned. Confirming trials may be longer than
 * those of the search, which is for the caller to decide.
 */
export async function findThroughput(
  plan: SearchPlan,
  trial: (rate: number, isConfirmation: boolean) => Promise<Outcome>,
): Promise<Found> {
  let trials = 0;
  const judge = async (rate: number, tries: number): Promise<Outcome> => {
    let outcome: Outcome = 'unoffered';
    for (let i = 0; i < tries; i++) {
      trials++;
      outcome = await trial(rate, false);
      if (outcome === 'clean' || outcome === 'overloaded') break;
    }
    return outcome;
  };
  let low = 0;
  let high = plan.ceiling;
  let above: Outcome = 'unoffered';
  const narrow = async (rate: number): Promise<void> => {
    const outcome = await judge(rate, plan.tries);
    if (outcome === 'clean') {
      low = rate;
    } else {
      high = rate;
      above = outcome;
    }
  };
  let steps = 0;
  for (const part of AROUND_HINT) {
    const rate = part * (plan.hint ?? 0);
    if (rate <= low || rate >= high) continue;
    await narrow(rate);
    steps++;
  }
  if (high === plan.ceiling) {
    await narrow(high);
    steps++;
  }
  while (steps++ < plan.maxSteps && high - low > plan.precision * high) await narrow((low + high) / 2);
  const limitedBy = (['lossy', 'overloaded'] as Outcome[]).includes(above) ? 'device' : 'tester';
  for (let i = 0; i < plan.maxConfirmations && low > 0; i++) {
    trials++;
    if ((await trial(low, true)) === 'clean') return { rate: low, limitedBy, trials };
    low *= BACK_OFF;
  }
  return { rate: 0, limitedBy, trials };
}
