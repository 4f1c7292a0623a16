/** What makes the notifications of one subscription, and what it is made for. */

import type { Notification } from '../events/notification.ts';
import type { Running } from './push-source.ts';
import type { Terms } from './terms.ts';

/** The subscription as its feed sees it. */
export interface FeedHost {
  readonly id: number;
  /** Sends an event record or an update. Whether more may follow at once; else `resume` is called when there is room. */
  send(notification: Notification): boolean;
  /** An event record was kept back by the filter or by access control. */
  excluded(): void;
  /** Everything of the past was sent. */
  replayed(): Notification;
  /** Something could not be sent, and what comes from now on can. */
  gap(reason: 'unsupportable-volume'): void;
  /** The stop-time is reached, or the subscriber is gone. */
  over(why: 'complete' | 'slow'): void;
  /** An update could not be made. */
  fail(error: unknown): void;
}

export interface Feed {
  /** Whether what there is cannot be brought to the receiver now. */
  readonly isSuspended: boolean;
  begin(): void;
  /** There may be room again. */
  resume(): void;
  /** Other terms of the same kind hold from now on. */
  modify(terms: Terms): void;
  /** Running has become this. */
  committed(running: Running): void;
  /** The whole selection is to be sent; false where that cannot be. */
  resync(): boolean;
  close(): void;
}
