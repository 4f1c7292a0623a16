/**
 * The content hash: the sum modulo 2^256 of SHA-256 over each row, so that it can be kept up to date row by row and does
 * not depend on order. Two devices with the same bindings have the same hash.
 */

import type { Binding } from './binding.generated.ts';
import { encodeBinding } from './binding.generated.ts';
import { DigestSum } from './digest-sum.ts';
import { prefixNumber } from './rows.ts';

/** A sum that rows are added to and taken from. */
export class ContentHash {
  readonly #sum: DigestSum;

  /** From 64 hexadecimal digits. */
  constructor(text?: string) {
    this.#sum = new DigestSum(text);
  }

  /** A row in the form of the store. SHA-256 goes over the name of its AFTR, a zero octet, its key and its sealed value. */
  add(instance: string, number: number, value: Uint8Array): void {
    this.#sum.sum(rowOctets(instance, number, value), 1);
  }

  subtract(instance: string, number: number, value: Uint8Array): void {
    this.#sum.sum(rowOctets(instance, number, value), -1);
  }

  addBinding(instance: string, binding: Binding): void {
    this.add(instance, prefixNumber(binding.address, binding.length), encodeBinding(binding));
  }

  subtractBinding(instance: string, binding: Binding): void {
    this.subtract(instance, prefixNumber(binding.address, binding.length), encodeBinding(binding));
  }

  /** 64 hexadecimal digits. */
  get text(): string {
    return this.#sum.text;
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
