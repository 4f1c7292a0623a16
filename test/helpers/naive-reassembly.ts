/**
 * Reassembly as RFC 8200 §4.5 and RFC 5722 §4 tell it, in the plainest way: a list of fragments. The twin of
 * src/datapath/reassembly.ts for random tests. No limits.
 */

export interface NaiveFragment {
  /** Octets of the fragmentable part before this one. */
  readonly offset: number;
  readonly data: Buffer;
  readonly more: boolean;
}

interface Waiting<Fragment extends NaiveFragment> {
  readonly since: number;
  readonly fragments: Fragment[];
  end: number | undefined;
  doomed: boolean;
}

export class NaiveReassembly<Fragment extends NaiveFragment> {
  readonly #waiting = new Map<string, Waiting<Fragment>>();
  readonly #timeoutMs: number;

  constructor(timeoutMs: number) {
    this.#timeoutMs = timeoutMs;
  }

  /** All fragments of the datagram that this one makes whole, in the order of offsets; else what becomes of this one. */
  add(nowMs: number, key: string, fragment: Fragment): readonly Fragment[] | 'held' | 'dropped' {
    const { offset, data, more } = fragment;
    const known = this.#waiting.get(key);
    const isOver = known !== undefined && nowMs >= known.since + this.#timeoutMs;
    const waiting: Waiting<Fragment> =
      known && !isOver ? known : { since: nowMs, fragments: [], end: undefined, doomed: false };
    this.#waiting.set(key, waiting);
    if (waiting.doomed) return 'dropped';
    if (waiting.fragments.some((other) => isSame(other, fragment))) return 'held';
    if (contradicts(waiting, fragment)) {
      waiting.doomed = true;
      return 'dropped';
    }
    waiting.fragments.push(fragment);
    if (!more) waiting.end = offset + data.length;
    const octets = waiting.fragments.reduce((sum, other) => sum + other.data.length, 0);
    if (waiting.end === undefined || octets < waiting.end) return 'held';
    this.#waiting.delete(key);
    return waiting.fragments.sort((a, b) => a.offset - b.offset);
  }
}

function isSame(one: NaiveFragment, other: NaiveFragment): boolean {
  return one.offset === other.offset && one.more === other.more && one.data.equals(other.data);
}

function contradicts({ end, fragments }: Waiting<NaiveFragment>, { offset, data, more }: NaiveFragment): boolean {
  const to = offset + data.length;
  if (fragments.some((other) => other.offset < to && offset < other.offset + other.data.length)) return true;
  if (end !== undefined && (to > end || !more)) return true;
  return !more && fragments.some((other) => other.offset > offset);
}
