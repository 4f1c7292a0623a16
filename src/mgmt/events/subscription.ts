/**
 * One subscriber: a place in the event log that moves on as fast as the subscriber takes what is there, so that nothing is
 * kept for one who is slow. The flow (RFC 5277 §2.1.1, §3.3):
 *
 *   1. with a start, the log from there on, and replayComplete where it ends
 *   2. what happens from then on
 *   3. with a stop, nothing that is later, and notificationComplete
 */

import { MomentTimer } from '../moment-timer.ts';
import type { EventLog } from './event-log.ts';
import type { EventRecord } from './log-files.ts';
import type { Notification } from './notification.ts';

/** Why a subscription ended: its stop was reached; the subscriber left its notifications lying, for too long or too many. */
export type SubscriptionEnd = 'complete' | 'slow';

/** Where notifications go. */
export interface Sink {
  /** Whether more may follow at once; else `resume` is to be called when there is room. */
  send(notification: Notification): boolean;
  end(why: SubscriptionEnd): void;
}

export interface SubscriptionParts {
  readonly log: EventLog;
  readonly start: Date | undefined;
  /** Asked for anew each time. */
  readonly stop: Date | undefined;
  /** How long the subscriber may leave what it was sent unread, in milliseconds. */
  readonly unreadMs: number;
  /** What an event is to this subscriber; undefined when it is to see nothing. */
  readonly view: (number: number, record: EventRecord) => Notification | undefined;
  /** A notification of the subscription itself, where there is one. */
  readonly own: (name: 'replayComplete' | 'notificationComplete') => Notification | undefined;
  /** Told when events went from the log before the subscriber took them; without it that ends the subscription. */
  readonly onLost?: () => void;
  readonly sink: Sink;
}

/** A replay gives way to others after so long. */
const SLICE_MS = 10;

export class Subscription {
  readonly #parts: SubscriptionParts;
  /** Number of the event that comes next. */
  #next: number;
  /** The first event that is no replay; undefined when the replay is over. */
  #replayEnd: number | undefined;
  #isPaused = false;
  #isEnded = false;
  #isWaiting = false;
  #unlisten: () => void = () => undefined;
  readonly #stopTimer = new MomentTimer();
  #slowTimer: NodeJS.Timeout | undefined;

  /** Nothing is sent before `begin`. */
  constructor(parts: SubscriptionParts) {
    this.#parts = parts;
    const { log, start } = parts;
    this.#next = start ? log.first : log.next;
    this.#replayEnd = start && log.next;
  }

  get isEnded(): boolean {
    return this.#isEnded;
  }

  /** Whether events went from the log before the subscriber took them. */
  get isBehind(): boolean {
    return this.#next < this.#parts.log.first;
  }

  /** The stop is another one. */
  stopChanged(): void {
    if (this.#isEnded) return;
    this.#awaitStop();
    this.#pump();
  }

  begin(): void {
    if (this.#isEnded) return;
    this.#unlisten = this.#parts.log.listen(() => this.#pump());
    this.#awaitStop();
    this.#pump();
  }

  /** There is room again. */
  resume(): void {
    if (!this.#isPaused) return;
    this.#isPaused = false;
    clearTimeout(this.#slowTimer);
    this.#pump();
  }

  /** Ends it without a word: the subscriber is gone. */
  close(): void {
    this.#isEnded = true;
    this.#unlisten();
    this.#stopTimer.clear();
    clearTimeout(this.#slowTimer);
  }

  #awaitStop(): void {
    const { stop } = this.#parts;
    if (stop) this.#stopTimer.set(stop.getTime(), () => this.#pump());
    else this.#stopTimer.clear();
  }

  #pump(): void {
    const began = performance.now();
    while (!this.#isEnded && !this.#isPaused && !this.#isWaiting) {
      if (!this.#step()) return;
      if (performance.now() - began < SLICE_MS) continue;
      this.#isWaiting = true;
      setImmediate(() => {
        this.#isWaiting = false;
        this.#pump();
      });
    }
  }

  /** Goes on by one event; false when there is nothing to do before something happens. */
  #step(): boolean {
    const { log, start, stop, view, own, onLost } = this.#parts;
    if (this.isBehind) {
      if (!onLost) return this.#end('slow');
      this.#next = log.first;
      onLost();
      return true;
    }
    if (this.#replayEnd !== undefined && this.#next >= this.#replayEnd) {
      this.#replayEnd = undefined;
      this.#send(own('replayComplete'));
      return true;
    }
    const record = log.at(this.#next);
    if (record && this.#replayEnd !== undefined && start && record.timeMs < start.getTime()) {
      this.#next++;
      return true;
    }
    if (stop && (record ? record.timeMs > stop.getTime() : Date.now() >= stop.getTime())) return this.#stop();
    if (!record) return false;
    const notification = view(this.#next, record);
    this.#next++;
    if (notification) this.#send(notification);
    return true;
  }

  /** What is later than the stop is not told; the replay is over with it (§3.3.1). */
  #stop(): boolean {
    if (this.#replayEnd === undefined) {
      this.#send(this.#parts.own('notificationComplete'));
      return this.#end('complete');
    }
    this.#replayEnd = this.#next;
    return true;
  }

  #send(notification: Notification | undefined): void {
    if (!notification || this.#parts.sink.send(notification)) return;
    this.#isPaused = true;
    this.#slowTimer = setTimeout(() => this.#end('slow'), this.#parts.unreadMs);
    this.#slowTimer.unref();
  }

  #end(why: SubscriptionEnd): false {
    if (this.#isEnded) return false;
    this.close();
    this.#parts.sink.end(why);
    return false;
  }
}
