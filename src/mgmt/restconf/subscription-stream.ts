/**
 * The notifications of one dynamic subscription as server-sent events (RFC 8650 §3). What is short goes out at once; a long one is
 * made while the client takes it, and what comes meanwhile waits behind it. When the connection ends, so does the subscription.
 */

import { tellDamage } from '../../state/damage.ts';
import type { Notification } from '../events/notification.ts';
import { notificationPieces, notificationXml } from '../events/notification.ts';
import type { Piece } from '../pause.ts';
import type { DynamicSubscription, Ending } from '../subscriptions/dynamic-subscription.ts';
import type { EventLimits } from './event-octets.ts';
import { EventOctets } from './event-octets.ts';
import { notificationJson, serverSentEvent } from './event-stream.ts';
import { writeJson } from './json-writer.ts';
import { LIMITS } from './limits.ts';
import type { Encoding } from './media.ts';

const SLICE_MS = 10;

export class SubscriptionStream extends EventOctets {
  readonly #subscription: DynamicSubscription;
  readonly #encoding: Encoding;
  /** Behind the one that is being written; short ones are texts already. */
  readonly #waiting: (Notification | string)[] = [];
  #waitingCharacters = 0;
  #isWriting = false;
  /** Nothing more comes than what waits. */
  #isOver = false;
  #onRoom: () => void = () => undefined;

  /** Nothing is sent before the client takes the first octets. */
  constructor(subscription: DynamicSubscription, encoding: Encoding, limits: EventLimits = LIMITS) {
    super(limits);
    this.#subscription = subscription;
    this.#encoding = encoding;
    subscription.attach();
  }

  protected override get isBetweenEvents(): boolean {
    return !this.#isWriting;
  }

  protected override begun(): void {
    this.#subscription.begin({
      send: (notification) => this.#send(notification),
      end: (ending, error) => {
        tellDamage(error);
        this.#end(ending);
      },
    });
  }

  protected override room(): void {
    this.#onRoom();
    if (!this.#isWriting) this.#subscription.resume();
  }

  protected override gone(): void {
    this.#onRoom();
    for (const waiting of this.#waiting.splice(0)) if (typeof waiting !== 'string') waiting.close?.();
    this.#subscription.close();
  }

  #send(notification: Notification): boolean {
    const short = notification.rows ? undefined : serverSentEvent(this.#text(notification));
    if (short !== undefined && !this.#isWriting) return this.put(short);
    this.#waiting.push(short ?? notification);
    this.#waitingCharacters += short?.length ?? 0;
    if (this.#waitingCharacters > LIMITS.unreadOctets) this.breakOff();
    else if (!this.#isWriting) void this.#writeWaiting();
    return false;
  }

  /** Writes what waits, one after the other as the client takes it. */
  async #writeWaiting(): Promise<void> {
    this.#isWriting = true;
    for (let next = this.#waiting.shift(); next !== undefined; next = this.#waiting.shift()) {
      if (typeof next === 'string') {
        this.#waitingCharacters -= next.length;
        this.put(next);
      } else await this.#writeLong(next);
    }
    this.#isWriting = false;
    if (this.destroyed) return;
    if (this.#isOver) this.finish();
    else this.#subscription.resume();
  }

  /** Its reading is closed, and the next one made, when the client has taken it or nearly. */
  async #writeLong(notification: Notification): Promise<void> {
    try {
      await this.#writePieces(this.#pieces(notification));
      await this.#untilRoom();
    } catch (error) {
      // Once it has begun it cannot be told as an error.
      tellDamage(error);
      this.destroy(error instanceof Error ? error : new Error(String(error)));
    } finally {
      notification.close?.();
    }
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
      this.put(text);
      await this.#untilRoom();
      text = '';
      if (performance.now() - began < SLICE_MS) continue;
      await new Promise((resolve) => setImmediate(resolve));
      began = performance.now();
    }
    if (!this.destroyed) this.put(`${text}\n\n`);
  }

  /** Until the client takes more. */
  async #untilRoom(): Promise<void> {
    if (this.destroyed || !this.isFull) return;
    await new Promise<void>((resolve) => {
      this.#onRoom = () => {
        this.#onRoom = () => undefined;
        resolve();
      };
    });
  }

  #end(ending: Ending): void {
    if (this.destroyed) return;
    this.#isOver = true;
    if (ending === 'slow' || ending === 'failed') this.destroy(new Error(`the subscription has ended: ${ending}`));
    else if (!this.#isWriting) this.finish();
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
