/** Messages to the client in its framing, as fast as it reads. */

import type { Duplex } from 'node:stream';
import type { Piece } from '../pause.ts';
import type { Framing } from './framing.ts';
import { frameEnd, framePiece } from './framing.ts';

/** Pieces are gathered to about this many characters before they become a chunk. */
const GATHER = 64 * 1024;
const SLICE_MS = 10;

interface Stream {
  readonly pieces: Iterable<Piece>;
  readonly done: (error?: unknown) => void;
}

export class Sender {
  framing: Framing = 'end-of-message';
  /** Whether the client has got a part of the message that was sent last. */
  hasBegun = false;
  /** Called when there may be room for a notification again. */
  onRoom: () => void = () => undefined;
  #isSending = false;
  /** Notifications that came while another message was being written. */
  #waiting: Buffer[] = [];
  /** Long ones, which go out one after the other. */
  #streams: Stream[] = [];
  /** The one that is being written. */
  #streaming: Promise<void> | undefined;
  /** Whether a reply waits for its end. */
  #isReplyWaiting = false;
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
    this.#waiting.push(octets);
    return false;
  }

  /**
   * Writes a message that answers nothing in pieces, behind what is being written; a reply that comes meanwhile waits for its end.
   * `done` is called once: with what `pieces` threw, with nothing when it is out or given up.
   */
  stream(pieces: Iterable<Piece>, done: (error?: unknown) => void): void {
    this.#streams.push({ pieces, done });
    this.#nextStream();
  }

  /** Gives up what waits. */
  abandon(): void {
    this.#waiting = [];
    const streams = this.#streams;
    this.#streams = [];
    for (const { done } of streams) done();
  }

  /** Writes one message; false when the client went away before its end. What `pieces` throws is thrown on. */
  async send(pieces: Iterable<Piece>): Promise<boolean> {
    this.#isReplyWaiting = true;
    while (this.#streaming) await this.#streaming;
    this.#isReplyWaiting = false;
    this.#isSending = true;
    try {
      return await this.#send(pieces);
    } finally {
      this.#isSending = false;
      this.#sendWaiting();
    }
  }

  /** Begins the next long one, unless something is being written or a reply is to go first. */
  #nextStream(): void {
    if (this.#isSending || this.#isReplyWaiting) return;
    const stream = this.#streams.shift();
    if (!stream) return;
    const { pieces, done } = stream;
    this.#isSending = true;
    const end = (error?: unknown) => {
      this.#isSending = false;
      this.#streaming = undefined;
      done(error);
      this.#sendWaiting();
    };
    this.#streaming = this.#send(pieces).then(() => end(), end);
  }

  #sendWaiting(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const octets of waiting) if (this.#transport.writable) this.#transport.write(octets);
    this.#nextStream();
    if (!this.#isReplyWaiting && !this.#isSending && this.#transport.writable && !this.#transport.writableNeedDrain)
      this.onRoom();
  }

  async #send(pieces: Iterable<Piece>): Promise<boolean> {
    this.hasBegun = false;
    let gathered = '';
    let began = performance.now();
    for (const piece of pieces) {
      if (piece instanceof Promise) {
        await piece;
        // What the pieces are made from was closed with the session.
        if (this.#isGone) return false;
        continue;
      }
      gathered += piece;
      if (gathered.length < GATHER) continue;
      if (!(await this.#write(framePiece(gathered, this.framing))) || this.#isGone) return false;
      gathered = '';
      // A client that reads as fast as this writes must not hold up the others.
      if (performance.now() - began < SLICE_MS) continue;
      await new Promise((resolve) => setImmediate(resolve));
      if (this.#isGone) return false;
      began = performance.now();
    }
    return this.#write(Buffer.concat([framePiece(gathered, this.framing), frameEnd(this.framing)]));
  }

  get #isGone(): boolean {
    return this.#transport.destroyed || !this.#transport.writable;
  }

  /** Whether the transport took it. */
  async #write(octets: Buffer): Promise<boolean> {
    const transport = this.#transport;
    this.hasBegun = true;
    if (this.#isGone) return false;
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
