/**
 * The content hash: the sum modulo 2^256 of SHA-256 over each row, so that it can be kept up to date row by row and does
 * not depend on order. Two devices with the same bindings have the same hash.
 */

import { hash } from 'node:crypto';
import type { Binding } from './model.generated.ts';
import { encodeBinding } from './model.generated.ts';
import { bindingKey } from './row-form.ts';

const MODULUS = 1n << 256n;

/** Hash of one row: SHA-256 over the name of its AFTR, a zero octet, its key and its sealed value. */
export function rowHash(instance: string, binding: Binding): bigint {
  return sealedRowHash(instance, bindingKey(binding.address, binding.length), encodeBinding(binding));
}

/** The same of a row in the form of the store. */
export function sealedRowHash(instance: string, key: Uint8Array, value: Uint8Array): bigint {
  if (instance !== scratchName) {
    scratchName = instance;
    scratchStart = scratch.write(`${instance}\u0000`, 'utf8');
  }
  scratch.set(key, scratchStart);
  scratch.set(value, scratchStart + key.length);
  return BigInt(`0x${hash('sha256', scratch.subarray(0, scratchStart + key.length + value.length), 'hex')}`);
}

/** Begins with the name of the last AFTR; long enough for any name and row. */
const scratch = Buffer.alloc(8 * 1024);
let scratchName = '';
let scratchStart = 1;

/** `sum` with the rows that came added and those that went taken away. */
export function addHash(sum: bigint, added: bigint): bigint {
  return (sum + added) % MODULUS;
}

/** The inverse of `addHash`. */
export function subtractHash(sum: bigint, removed: bigint): bigint {
  return (sum - removed + MODULUS) % MODULUS;
}

/** 64 hexadecimal digits. */
export function hashText(sum: bigint): string {
  return sum.toString(16).padStart(64, '0');
}
