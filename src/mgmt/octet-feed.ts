/** UTF-8 that comes in pieces of octets, read while it comes: nobody holds a long document, and it is read when it is there. */

import { isAscii } from 'node:buffer';
import { TextDecoder } from 'node:util';

/** What takes text in pieces and makes something of the whole. */
export interface TextFeed<Result> {
  push(text: string): void;
  end(): Result;
  /** Octets of memory that what was read takes, about; 0 where nobody asks. */
  readonly held?: number;
}

export class OctetFeed<Result> {
  /** Undefined after a fault: what was read until then is of no use. */
  #feed: TextFeed<Result> | undefined;
  readonly #notUtf8: () => Error;
  /** Once an octet beyond ASCII has come, it knows what stands half. */
  #decoder: TextDecoder | undefined;
  #fault: unknown;
  #length = 0;

  /** `notUtf8` makes the fault of octets that are no UTF-8. */
  constructor(feed: TextFeed<Result>, notUtf8: () => Error) {
    this.#feed = feed;
    this.#notUtf8 = notUtf8;
  }

  /** Octets that have come. */
  get length(): number {
    return this.#length;
  }

  /** Octets of memory that it takes, about. */
  get held(): number {
    return this.#feed?.held ?? 0;
  }

  /** Gives back what was read; `end` throws the fault. */
  giveUp(fault: Error): void {
    this.#fault ??= fault;
    this.#feed = undefined;
  }

  /** The next octets. What is wrong with them `end` throws, when all have come. */
  push(octets: Buffer): void {
    this.#length += octets.length;
    this.#try((feed) => feed.push(this.#decode(octets)));
  }

  /** @throws the first fault of a piece, and what the end brings up */
  end(): Result {
    this.#try((feed) => {
      if (this.#decoder) feed.push(this.#decode(Buffer.alloc(0), false));
    });
    if (!this.#feed) throw this.#fault;
    return this.#feed.end();
  }

  #try(work: (feed: TextFeed<Result>) => void): void {
    if (!this.#feed) return;
    try {
      work(this.#feed);
    } catch (error) {
      this.#fault = error;
      this.#feed = undefined;
    }
  }

  #decode(octets: Buffer, stream = true): string {
    if (!this.#decoder && isAscii(octets)) return octets.toString('latin1');
    this.#decoder ??= new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
    try {
      return this.#decoder.decode(octets, { stream });
    } catch (error) {
      throw error instanceof TypeError ? this.#notUtf8() : error;
    }
  }
}
