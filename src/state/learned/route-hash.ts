/**
 * What a set of routes comes to: the sum modulo 2^256 of SHA-256 over each prefix as text. It follows the set route by route, and both
 * ends of an advertisement make it of what they hold.
 */

import { DigestSum } from '../digest-sum.ts';
import { formatNumber } from '../rows.ts';

export class RouteHash {
  readonly #sum: DigestSum;

  constructor(numbers: Iterable<number> = [], sum = new DigestSum()) {
    this.#sum = sum;
    for (const number of numbers) this.add(number);
  }

  /** A route by its prefix number (see `prefixNumber`). */
  add(number: number): void {
    this.#sum.sum(formatNumber(number), 1);
  }

  subtract(number: number): void {
    this.#sum.sum(formatNumber(number), -1);
  }

  copy(): RouteHash {
    return new RouteHash([], new DigestSum(this.#sum.text));
  }

  /** As yang:hex-string has it: ab:cd:ef. */
  get text(): string {
    return (this.#sum.text.match(/../g) ?? []).join(':');
  }
}
