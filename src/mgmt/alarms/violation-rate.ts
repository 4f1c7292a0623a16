/** How many packets a counter grew by within the last seconds: samples of the last half minute, one a second or so. */

const RAISE_MS = 10_000;
const RAISE_PACKETS = 100;
const CLEAR_MS = 30_000;
const CLEAR_PACKETS = 10;

interface Sample {
  readonly timeMs: number;
  readonly packets: number;
}

export class ViolationRate {
  #samples: Sample[] = [];

  /** Takes what a counter says. A counter that fell began anew, as with its process. */
  sample(timeMs: number, packets: number): void {
    const last = this.#samples[this.#samples.length - 1];
    if (last && packets < last.packets) this.#samples = [{ timeMs: last.timeMs, packets: 0 }];
    this.#samples.push({ timeMs, packets });
    // One sample older than the longest time stays: what came since is counted from it.
    while ((this.#samples[1]?.timeMs ?? timeMs) <= timeMs - CLEAR_MS) this.#samples.shift();
  }

  /** Whether there are too many, when it was so before or not. */
  isHigh(wasHigh: boolean): boolean {
    return wasHigh ? this.#within(CLEAR_MS) >= CLEAR_PACKETS : this.#within(RAISE_MS) >= RAISE_PACKETS;
  }

  #within(ms: number): number {
    const last = this.#samples[this.#samples.length - 1];
    if (!last) return 0;
    const first = this.#samples.findLast(({ timeMs }) => timeMs <= last.timeMs - ms) ?? this.#samples[0];
    return last.packets - (first?.packets ?? 0);
  }
}
