/**
 * Octets that come in pieces of any size, joined once: pieces are copied into blocks, so that a message sent octet by
 * octet costs no more memory than one sent whole. The first block is small and stays for the next message: memory outside of the
 * heap makes the garbage collector go through all of the heap, some 20 ms, as soon as 64 MiB of it have been asked for.
 */

const FIRST_BLOCK = 4 * 1024;
const BLOCK = 64 * 1024;

export class OctetCollector {
  readonly #full: Buffer[] = [];
  #first: Buffer | undefined;
  #block: Buffer | undefined;
  #used = 0;
  #length = 0;

  get length(): number {
    return this.#length;
  }

  append(piece: Buffer): void {
    this.#length += piece.length;
    for (let at = 0; at < piece.length; ) {
      this.#block ??= this.#nextBlock();
      const copied = piece.copy(this.#block, this.#used, at);
      at += copied;
      this.#used += copied;
      if (this.#used < this.#block.length) continue;
      this.#full.push(this.#block);
      this.#block = undefined;
      this.#used = 0;
    }
  }

  #nextBlock(): Buffer {
    if (this.#full.length > 0) return Buffer.allocUnsafeSlow(BLOCK);
    this.#first ??= Buffer.allocUnsafeSlow(FIRST_BLOCK);
    return this.#first;
  }

  /** All but the last `without` octets; the collector is empty afterwards. */
  take(without = 0): Buffer {
    const rest = this.#block?.subarray(0, this.#used) ?? Buffer.alloc(0);
    const whole = Buffer.concat([...this.#full, rest], this.#length - without);
    this.#full.length = 0;
    this.#block = undefined;
    this.#used = 0;
    this.#length = 0;
    return whole;
  }
}
