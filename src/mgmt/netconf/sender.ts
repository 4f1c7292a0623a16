/** Messages to the client in its framing, as fast as it reads. */

import type { Duplex } from 'node:stream';
import type { Piece } from '../pause.ts';
import type { Framing } from './framing.ts';
import { frameEnd, framePiece } from './framing.ts';

/** Pieces are gathered to about this many characters before they become a chunk. */
const GATHER = 64 * 1024;
const SLICE_MS = 10;

export class Sender {
  framing: Framing = 'end-of-message';
  /** Whether the client has got a part of the message that was sent last. */
  hasBegun = false;
  /** Called when there may be room for a notification again. */
  onRoom: () => void = () => undefined;
  #isSending = false;
  /** A notification that came while a reply was being written. */
  #waiting: Buffer | undefined;
  readonly #transport: Duplex;
  readonly #unreadMs: number;
  /** Called when the client leaves its answers unread for too long, before `send` gives up. */
  readonly #onSlow: () => void;

  constructor(transport: Duplex, unreadMs: number, onSlow: () => void) {
    this.#transport = transport;
    this.#unreadMs = unreadMs;
    this.#onSlow = onSlow;
    transport.on('drain', () => this.#isSending || this.onRoom());
  }

  /**
   * Writes a message that answers nothing, behind the one that is being written. Whether there is room for another; else
   * `onRoom` is called when there is, and none may come before.
   */
  notify(text: string): boolean {
    const octets = Buffer.concat([framePiece(text, this.framing), frameEnd(this.framing)]);
    if (!this.#isSending) return this.#transport.writable && this.#transport.write(octets);
    this.#waiting = octets;
    return false;
  }

  /** Writes one message; false when the client went away before its end. What `pieces` throws is thrown on. */
  async send(pieces: Iterable<Piece>): Promise<boolean> {
    this.#isSending = true;
    try {
      return await this.#send(pieces);
    } finally {
      this.#isSending = false;
      this.#sendWaiting();
    }
  }

  #sendWaiting(): void {
    const octets = this.#waiting;
    if (!octets) return;
    this.#waiting = undefined;
    if (this.#transport.writable && this.#transport.write(octets)) this.onRoom();
  }

  async #send(pieces: Iterable<Piece>): Promise<boolean> {
    this.hasBegun = false;
    let gathered = '';
    let began = performance.now();
    for (const piece of pieces) {
      if (piece instanceof Promise) {
        await piece;
        continue;
      }
      gathered += piece;
      if (gathered.length < GATHER) continue;
      if (!(await this.#write(framePiece(gathered, this.framing)))) return false;
      gathered = '';
      // A client that reads as fast as this writes must not hold up the others.
      if (performance.now() - began < SLICE_MS) continue;
      await new Promise((resolve) => setImmediate(resolve));
      began = performance.now();
    }
    return this.#write(Buffer.concat([framePiece(gathered, this.framing), frameEnd(this.framing)]));
  }

  /** Whether the transport took it. */
  async #write(octets: Buffer): Promise<boolean> {
    const transport = this.#transport;
    this.hasBegun = true;
    if (transport.destroyed || !transport.writable) return false;
    if (transport.write(octets)) return true;
    return new Promise((resolve) => {
      const settle = (isTaken: boolean) => {
        clearTimeout(timer);
        transport.off('drain', onDrain);
        transport.off('close', onClose);
        resolve(isTaken);
      };
      const onDrain = () => settle(true);
      const onClose = () => settle(false);
      const timer = setTimeout(() => {
        this.#onSlow();
        settle(false);
      }, this.#unreadMs);
      transport.once('drain', onDrain);
      transport.once('close', onClose);
    });
  }
}
