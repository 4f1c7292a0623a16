/**
 * What a set of routes comes to: the sum modulo 2^256 of SHA-256 over each prefix as text. It follows the set route by route, and both
 * ends of an advertisement make it of what they hold.
 */

import { createHash } from 'node:crypto';
import { formatNumber } from '../rows.ts';

const MODULUS = 2n ** 256n;

export class RouteHash {
  #sum = 0n;

  constructor(numbers: Iterable<number> = []) {
    for (const number of numbers) this.add(number);
  }

  /** A route by its prefix number (see `prefixNumber`). */
  add(number: number): void {
    this.#sum = (this.#sum + digestOf(number)) % MODULUS;
  }

  subtract(number: number): void {
    this.#sum = (this.#sum + MODULUS - digestOf(number)) % MODULUS;
  }

  copy(): RouteHash {
    const copy = new RouteHash();
    copy.#sum = this.#sum;
    return copy;
  }

  /** As yang:hex-string has it: ab:cd:ef. */
  get text(): string {
    const hex = this.#sum.toString(16).padStart(64, '0');
    return (hex.match(/../g) ?? []).join(':');
  }
}

function digestOf(number: number): bigint {
  return BigInt(`0x${createHash('sha256').update(formatNumber(number)).digest('hex')}`);
}
