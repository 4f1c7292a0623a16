/**
 * The content hash: the sum modulo 2^256 of SHA-256 over each row, so that it can be kept up to date row by row and does
 * not depend on order. Two devices with the same bindings have the same hash.
 */

import { hash } from 'node:crypto';
import type { Binding } from './model.generated.ts';
import { encodeBinding } from './model.generated.ts';
import { prefixNumber } from './rows.ts';

const LIMBS = 8;
const LIMB = 2 ** 32;
/** Sums of so many limbs are still whole numbers of a double. */
const MOST_ROWS = 2 ** 20;

/**
 * A sum that rows are added to and taken from. Limbs of 32 bits are summed apart and carried at the end: 0.8 µs a row, against
 * 1.6 µs with a BigInt for each.
 */
export class ContentHash {
  /** The lowest limb first. */
  readonly #limbs = new Float64Array(LIMBS);
  #rows = 0;

  /** From 64 hexadecimal digits. */
  constructor(text = '0') {
    const digits = text.padStart(64, '0');
    for (let limb = 0; limb < LIMBS; limb++) {
      this.#limbs[limb] = Number.parseInt(digits.slice(56 - 8 * limb, 64 - 8 * limb), 16);
    }
  }

  /** A row in the form of the store. SHA-256 goes over the name of its AFTR, a zero octet, its key and its sealed value. */
  add(instance: string, number: number, value: Uint8Array): void {
    this.#sum(instance, number, value, 1);
  }

  subtract(instance: string, number: number, value: Uint8Array): void {
    this.#sum(instance, number, value, -1);
  }

  addBinding(instance: string, binding: Binding): void {
    this.add(instance, prefixNumber(binding.address, binding.length), encodeBinding(binding));
  }

  subtractBinding(instance: string, binding: Binding): void {
    this.subtract(instance, prefixNumber(binding.address, binding.length), encodeBinding(binding));
  }

  /** 64 hexadecimal digits. */
  get text(): string {
    this.#carry();
    return [...this.#limbs]
      .map((limb) => limb.toString(16).padStart(8, '0'))
      .reduceRight((text, limb) => text + limb, '');
  }

  #sum(instance: string, number: number, value: Uint8Array, sign: 1 | -1): void {
    // As a text of octets: a buffer for each costs 0.8 µs more.
    const digest = hash('sha256', rowOctets(instance, number, value), 'binary');
    for (let limb = 0; limb < LIMBS; limb++) {
      const at = 28 - 4 * limb;
      const high = digest.charCodeAt(at) * 256 + digest.charCodeAt(at + 1);
      const word = (high * 256 + digest.charCodeAt(at + 2)) * 256 + digest.charCodeAt(at + 3);
      this.#limbs[limb] = (this.#limbs[limb] ?? 0) + sign * word;
    }
    if (++this.#rows >= MOST_ROWS) this.#carry();
  }

  #carry(): void {
    let carry = 0;
    for (let limb = 0; limb < LIMBS; limb++) {
      const sum = (this.#limbs[limb] ?? 0) + carry;
      carry = Math.floor(sum / LIMB);
      this.#limbs[limb] = sum - carry * LIMB;
    }
    this.#rows = 0;
  }
}

/** Begins with the name of the last AFTR; long enough for any name and row. */
const scratch = Buffer.alloc(8 * 1024);
let scratchName = '';
let scratchStart = 1;

function rowOctets(instance: string, number: number, value: Uint8Array): Uint8Array {
  if (instance !== scratchName) {
    scratchName = instance;
    scratchStart = scratch.write(`${instance}\u0000`, 'utf8');
  }
  const at = scratch.writeUInt32BE(Math.floor(number / 64), scratchStart);
  scratch[at] = number % 64;
  scratch.set(value, at + 1);
  return scratch.subarray(0, at + 1 + value.length);
}
