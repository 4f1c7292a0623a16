/**
 * Reassembly as RFC 8200 §4.5 and RFC 5722 §4 tell it, in the slowest and plainest way: octets in a map. The twin of
 * src/datapath/reassembly.ts for random tests. No limits.
 */

interface Waiting {
  readonly since: number;
  readonly octets: Map<number, number>;
  readonly ranges: { readonly from: number; readonly to: number; readonly last: boolean; readonly data: string }[];
  end: number | undefined;
  doomed: boolean;
}

export class NaiveReassembly {
  readonly #waiting = new Map<string, Waiting>();
  readonly #timeoutMs: number;

  constructor(timeoutMs: number) {
    this.#timeoutMs = timeoutMs;
  }

  /** The data of the datagram that this fragment makes whole, in hexadecimal; undefined when none is. */
  add(nowMs: number, key: string, offset: number, data: string, more: boolean): string | undefined {
    const known = this.#waiting.get(key);
    const isOver = known !== undefined && nowMs >= known.since + this.#timeoutMs;
    const waiting: Waiting =
      known && !isOver ? known : { since: nowMs, octets: new Map(), ranges: [], end: undefined, doomed: false };
    this.#waiting.set(key, waiting);
    const to = offset + data.length / 2;
    const isKnown = waiting.ranges.some(
      (range) => range.from === offset && range.to === to && range.last === !more && range.data === data,
    );
    if (waiting.doomed || isKnown) return undefined;
    if (contradicts(waiting, offset, to, more)) {
      waiting.doomed = true;
      return undefined;
    }
    waiting.ranges.push({ from: offset, to, last: !more, data });
    for (let i = offset; i < to; i++) {
      waiting.octets.set(i, Number.parseInt(data.slice((i - offset) * 2, (i - offset) * 2 + 2), 16));
    }
    if (!more) waiting.end = to;
    if (waiting.end === undefined || waiting.octets.size < waiting.end) return undefined;
    this.#waiting.delete(key);
    return Buffer.from(Array.from({ length: waiting.end }, (_, i) => waiting.octets.get(i) ?? 0)).toString('hex');
  }
}

function contradicts({ octets, end, ranges }: Waiting, from: number, to: number, more: boolean): boolean {
  for (let i = from; i < to; i++) if (octets.has(i)) return true;
  if (end !== undefined && (to > end || !more)) return true;
  return !more && ranges.some((range) => range.to > to);
}
