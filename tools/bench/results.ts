/** What benches report: figures, and how one with a target is judged. */

export interface BenchResult {
  readonly id: string;
  readonly value: number;
  readonly unit: string;
  readonly target: number | null;
  /** null without a target, or where the run cannot say. */
  readonly met: boolean | null;
}

const DIGITS = 1_000;

/** With three digits after the point; what is judged is the value as it was measured. Without a target it is for orientation. */
export function result(
  id: string,
  value: number,
  unit: string,
  bound: 'at least' | 'at most' = 'at least',
  target: number | null = null,
): BenchResult {
  const met = target === null ? null : bound === 'at most' ? value <= target : value >= target;
  return { id, value: rounded(value), unit, target: target === null ? null : rounded(target), met };
}

function rounded(value: number): number {
  return Math.round(value * DIGITS) / DIGITS;
}

/** The upper one of an even number of values; NaN of none. */
export function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[values.length >> 1] ?? Number.NaN;
}

/** Median of the ratios of values that belong together, such as those of one round. */
export function medianRatio(above: readonly number[], below: readonly number[]): number {
  return median(above.map((value, round) => value / (below[round] ?? Number.NaN)));
}
