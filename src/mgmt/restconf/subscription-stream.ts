/**
 * The notifications of one dynamic subscription as server-sent events (RFC 8650 §3). What is short goes out at once; a long one is
 * made while the client takes it, and what comes meanwhile waits behind it. When the connection ends, so does the subscription.
 */

import { Readable } from 'node:stream';
import { tellDamage } from '../../state/damage.ts';
import type { Notification } from '../events/notification.ts';
import { notificationPieces, notificationXml } from '../events/notification.ts';
import type { Piece } from '../pause.ts';
import type { DynamicSubscription, Ending } from '../subscriptions/dynamic-subscription.ts';
import { COMMENT, notificationJson, serverSentEvent } from './event-stream.ts';
import { writeJson } from './json-writer.ts';
import { LIMITS } from './limits.ts';
import type { Encoding } from './media.ts';

const SLICE_MS = 10;

export class SubscriptionStream extends Readable {
  readonly #subscription: DynamicSubscription;
  readonly #encoding: Encoding;
  readonly #keepAlive: NodeJS.Timeout;
  #hasBegun = false;
  readonly #waiting: Notification[] = [];
  #isWriting = false;
  /** Nothing more comes than what waits. */
  #isOver = false;
  #onRoom: () => void = () => undefined;

  /** Nothing is sent before the client takes the first octets. */
  constructor(subscription: DynamicSubscription, encoding: Encoding) {
    super({ highWaterMark: LIMITS.chunkCharacters });
    this.#subscription = subscription;
    this.#encoding = encoding;
    this.#keepAlive = setInterval(() => this.#comment(), LIMITS.keepAliveMs);
    this.#keepAlive.unref();
    subscription.attach();
  }

  override _read(): void {
    if (this.#hasBegun) {
      this.#onRoom();
      if (!this.#isWriting) this.#subscription.resume();
      return;
    }
    this.#hasBegun = true;
    this.push(COMMENT);
    this.#subscription.begin({
      send: (notification) => this.#send(notification),
      end: (ending, error) => {
        tellDamage(error);
        this.#end(ending);
      },
    });
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    clearInterval(this.#keepAlive);
    this.#onRoom();
    for (const { close } of this.#waiting.splice(0)) close?.();
    this.#subscription.close();
    done(error);
  }

  #send(notification: Notification): boolean {
    if (!notification.rows && !this.#isWriting) return this.push(serverSentEvent(this.#text(notification)));
    this.#waiting.push(notification);
    if (!this.#isWriting) void this.#write();
    return false;
  }

  /** Writes what waits, one after the other. */
  async #write(): Promise<void> {
    this.#isWriting = true;
    for (let next = this.#waiting.shift(); next; next = this.#waiting.shift()) {
      try {
        if (next.rows) await this.#writePieces(this.#pieces(next));
        else this.push(serverSentEvent(this.#text(next)));
      } catch (error) {
        // Once it has begun it cannot be told as an error.
        tellDamage(error);
        this.destroy(error instanceof Error ? error : new Error(String(error)));
      } finally {
        next.close?.();
      }
    }
    this.#isWriting = false;
    if (this.destroyed) return;
    if (this.#isOver) this.push(null);
    else this.#subscription.resume();
  }

  async #writePieces(pieces: Iterable<Piece>): Promise<void> {
    let began = performance.now();
    let text = 'data: ';
    for (const piece of pieces) {
      if (this.destroyed) return;
      if (piece instanceof Promise) {
        await piece;
        continue;
      }
      text += piece.replace(/\r\n|\r|\n/g, '\ndata: ');
      if (text.length < LIMITS.chunkCharacters) continue;
      if (!this.push(text)) await this.#room();
      text = '';
      if (performance.now() - began < SLICE_MS) continue;
      await new Promise((resolve) => setImmediate(resolve));
      began = performance.now();
    }
    if (!this.destroyed) this.push(`${text}\n\n`);
  }

  /** Until the client takes more; one who does not is cut off. */
  #room(): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(() => this.destroy(new Error('the client does not read its events')), LIMITS.unreadMs);
      this.#onRoom = () => {
        clearTimeout(timer);
        this.#onRoom = () => undefined;
        resolve();
      };
    });
  }

  #comment(): void {
    if (this.readableLength === 0 && !this.readableEnded && !this.#isWriting) this.push(COMMENT);
  }

  #end(ending: Ending): void {
    clearInterval(this.#keepAlive);
    if (this.destroyed) return;
    this.#isOver = true;
    if (ending === 'slow' || ending === 'failed') this.destroy(new Error(`the subscription has ended: ${ending}`));
    else if (!this.#isWriting) this.push(null);
  }

  #text(notification: Notification): string {
    return this.#encoding === 'xml' ? notificationXml(notification) : notificationJson(notification);
  }

  #pieces(notification: Notification): Iterable<Piece> {
    return this.#encoding === 'xml' ? notificationPieces(notification) : jsonPieces(notification);
  }
}

/** As `notificationJson`, in pieces: the members of the event follow the time in the same object. */
function* jsonPieces({ time, node, rows }: Notification): Generator<Piece> {
  yield `{"ietf-restconf:notification":{"eventTime":"${time.toISOString()}",`;
  let isFirst = true;
  for (const piece of writeJson([node], rows)) {
    // The brace that opens the object stands above.
    if (!isFirst) yield piece;
    isFirst = false;
  }
  yield '}';
}
