/**
 * Identifications of outer fragments (RFC 8200 §4.5, RFC 7739 §5): none comes twice before 2^27 packets of a worker, and
 * whoever has seen many cannot tell the next.
 *
 * A counter, its high bits the number of the worker, goes through a Feistel permutation of 32 bits in ten rounds, as many
 * as NIST SP 800-38G takes for small blocks, whose round function is AES with a random key of 128 bits. AES works
 * on many counters at once, so a batch of them is made ahead.
 */

import type { Cipher } from 'node:crypto';
import { createCipheriv } from 'node:crypto';

export const IDENTIFICATION_KEY_LEN = 16;
const BATCH = 256;
const BLOCK = 16;
const ROUNDS = 10;
const COUNTER_BITS = 27;
const COUNTER_MASK = (1 << COUNTER_BITS) - 1;

export class Identifications {
  readonly #cipher: Cipher;
  readonly #worker: number;
  readonly #ready = new Uint32Array(BATCH);
  readonly #blocks = Buffer.alloc(BATCH * BLOCK);
  #counter = 0;
  #used = BATCH;

  /** `key`: 16 random octets, the same for the workers 0 to 31 of a role. */
  constructor(key: Uint8Array, worker: number) {
    this.#cipher = createCipheriv('aes-128-ecb', key, null).setAutoPadding(false);
    this.#worker = worker;
  }

  /** The next one: 32 bits, unsigned. */
  next(): number {
    if (this.#used === BATCH) this.#refill();
    return this.#ready[this.#used++] ?? 0;
  }

  #refill(): void {
    for (let i = 0; i < BATCH; i++) {
      this.#ready[i] = (this.#worker << COUNTER_BITS) | ((this.#counter + i) & COUNTER_MASK);
    }
    this.#counter = (this.#counter + BATCH) & COUNTER_MASK;
    for (let round = 0; round < ROUNDS; round++) this.#round(round);
    this.#used = 0;
  }

  /** (left, right) becomes (right, left xor AES(round, right)). */
  #round(round: number): void {
    const blocks = this.#blocks;
    for (let i = 0; i < BATCH; i++) {
      blocks[i * BLOCK] = round;
      blocks.writeUInt16LE((this.#ready[i] ?? 0) & 0xffff, i * BLOCK + 1);
    }
    const mixed = this.#cipher.update(blocks);
    for (let i = 0; i < BATCH; i++) {
      const block = this.#ready[i] ?? 0;
      this.#ready[i] = ((block << 16) | ((block >>> 16) ^ mixed.readUInt16LE(i * BLOCK))) >>> 0;
    }
  }
}
