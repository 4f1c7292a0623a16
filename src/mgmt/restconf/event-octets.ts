/**
 * The octets of an answer that goes on for as long as its client stays: comments while nothing happens, and an end for whoever leaves
 * lying what was sent. What is to be sent, and when, is said by who extends it.
 */

import { Readable } from 'node:stream';
import { LIMITS } from './limits.ts';

export interface EventLimits {
  /** Between two comments. */
  readonly keepAliveMs: number;
  /** How long a client may take nothing of what lies there for it. */
  readonly unreadMs: number;
}

export const COMMENT = ':\n\n';

export abstract class EventOctets extends Readable {
  readonly #unreadMs: number;
  readonly #keepAlive: NodeJS.Timeout;
  #unread: NodeJS.Timeout | undefined;
  #hasBegun = false;
  /** Octets that were put here, by whoever. */
  #octets = 0;

  constructor({ keepAliveMs, unreadMs }: EventLimits) {
    super({ highWaterMark: LIMITS.chunkCharacters });
    this.#unreadMs = unreadMs;
    this.#keepAlive = setInterval(() => this.#comment(), keepAliveMs);
    this.#keepAlive.unref();
  }

  /** The client has taken the header fields: events may follow. */
  protected abstract begun(): void;
  /** There may be room again. */
  protected abstract room(): void;
  /** Nobody reads any more. */
  protected abstract gone(): void;

  /** Whether a comment would stand between two events now. */
  protected get isBetweenEvents(): boolean {
    return true;
  }

  protected get isFull(): boolean {
    return this.readableLength >= this.readableHighWaterMark;
  }

  override _read(): void {
    clearTimeout(this.#unread);
    this.#unread = undefined;
    if (this.#hasBegun) {
      this.room();
      return;
    }
    this.#hasBegun = true;
    this.#push(COMMENT);
    this.begun();
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    clearInterval(this.#keepAlive);
    clearTimeout(this.#unread);
    this.gone();
    done(error);
  }

  /** Whether more may follow at once. Who leaves it lying is cut off after a time, and at once where much lies there already. */
  protected put(text: string): boolean {
    if (this.readableLength > LIMITS.unreadOctets) this.breakOff();
    if (this.#push(text)) return true;
    if (!this.destroyed) this.#awaitReader();
    return false;
  }

  /** Nothing more comes than what was written. */
  protected finish(): void {
    clearInterval(this.#keepAlive);
    this.push(null);
    if (this.readableLength > 0) this.#awaitReader();
  }

  protected breakOff(): void {
    this.destroy(new Error('the client does not read its events'));
  }

  #push(text: string): boolean {
    this.#octets += Buffer.byteLength(text, 'utf8');
    return this.push(text);
  }

  #awaitReader(): void {
    const taken = this.#octets - this.readableLength;
    this.#unread ??= setTimeout(() => {
      this.#unread = undefined;
      // What comes last is not asked for, and more may have come meanwhile than was taken.
      if (this.#octets - this.readableLength > taken) this.#awaitReader();
      else this.breakOff();
    }, this.#unreadMs).unref();
  }

  #comment(): void {
    if (this.readableLength === 0 && !this.readableEnded && this.isBetweenEvents) this.#push(COMMENT);
  }
}
