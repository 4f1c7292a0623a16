/**
 * Notifications of one session: its one subscription of RFC 5277, or those of RFC 8639, and their way to the client between the
 * replies.
 *
 *   1. create-subscription is checked and made      `subscriptionIn`, `create`; establish-subscription `establish`
 *   2. its reply goes out
 *   3. the subscription begins                      `begin`
 *   4. operations go on beside it (interleave, §6), until its stop or the end of the session
 */

import { parseDateTime } from '../../date-time.ts';
import type { DataNode } from '../../state/data.ts';
import { ManagementError } from '../../state/errors.ts';
import type { Caller } from '../../state/request.ts';
import { elementFilter } from '../events/filter.ts';
import type { Notification } from '../events/notification.ts';
import { NOTIFICATION_NAMESPACE, notificationPieces, notificationXml } from '../events/notification.ts';
import type { SubscriptionRequest } from '../events/streams.ts';
import { checkTimes, STREAM } from '../events/streams.ts';
import type { Subscription } from '../events/subscription.ts';
import type { RpcCounters } from '../netconf-statistics.ts';
import type { Operations } from '../operations.ts';
import type { DynamicSubscription, Ending } from '../subscriptions/dynamic-subscription.ts';
import type { ExpressionText } from '../subscriptions/filters.ts';
import type { Established } from '../subscriptions/subscriptions.ts';
import type { XmlElement } from '../xml.ts';
import { childElement } from '../xml.ts';
import { NETCONF_NAMESPACE } from '../xml-data.ts';
import type { Sender } from './sender.ts';

/** What create-subscription asks for. */
export type Wanted = Omit<SubscriptionRequest, 'unreadMs'>;

/**
 * The parameters of create-subscription (§2.1.1). The filter may stand in the base namespace, where ncclient puts it.
 * @throws ManagementError invalid-value for a stream that is not there; as `checkTimes`, `elementFilter`
 */
export function subscriptionIn({ schema, check }: Operations, operation: XmlElement): Wanted {
  const stream = childElement(operation, 'stream', NOTIFICATION_NAMESPACE)?.text.trim() ?? STREAM;
  if (stream !== STREAM) {
    const message = `there is no stream '${stream}': expected ${STREAM}`;
    throw new ManagementError('invalid-value', { type: 'protocol', message, info: { 'bad-element': 'stream' } });
  }
  const times = { start: timeIn(operation, 'startTime'), stop: timeIn(operation, 'stopTime') };
  checkTimes(times, ['startTime', 'stopTime']);
  const filter =
    childElement(operation, 'filter', NOTIFICATION_NAMESPACE) ?? childElement(operation, 'filter', NETCONF_NAMESPACE);
  return { ...times, filter: filter && elementFilter(schema, check, filter) };
}

function timeIn(operation: XmlElement, name: string): Date | undefined {
  const text = childElement(operation, name, NOTIFICATION_NAMESPACE)?.text.trim();
  if (text === undefined) return undefined;
  const time = parseDateTime(text);
  if (time) return time;
  const message = `${name} '${text}': expected a time that there is, such as 2026-01-31T12:00:00Z`;
  throw new ManagementError('invalid-value', { type: 'protocol', message, info: { 'bad-element': name } });
}

export interface SessionNotificationsParts {
  readonly operations: Operations;
  readonly sender: Sender;
  readonly counters: RpcCounters;
  readonly unreadMs: number;
  /** A subscription is over: by its end, because the client left notifications unread, or because one could not be made. */
  readonly onEnd: (why: Ending, error?: unknown) => void;
}

export class SessionNotifications {
  readonly #parts: SessionNotificationsParts;
  #subscription: Subscription | undefined;
  /** Those of RFC 8639. */
  readonly #dynamic = new Set<DynamicSubscription>();
  /** What is to happen when the reply under way is out. */
  #next: (() => void)[] = [];

  constructor(parts: SessionNotificationsParts) {
    this.#parts = parts;
    parts.sender.onRoom = () => {
      this.#subscription?.resume();
      for (const subscription of [...this.#dynamic]) subscription.resume();
    };
  }

  /** Whether there is a subscription. */
  get isActive(): boolean {
    return this.#subscription !== undefined || this.#dynamic.size > 0;
  }

  /**
   * @throws ManagementError in-use when there is one already: one at a time (§2.1.1); operation-not-supported beside those of
   *   RFC 8639 (RFC 8640 §3)
   */
  create(caller: Caller, wanted: Wanted): void {
    if (this.#subscription) {
      const message = 'this session has a subscription: it ends with its stopTime or with the session';
      throw new ManagementError('in-use', { type: 'protocol', message });
    }
    if (this.#dynamic.size > 0) throw notBoth('create-subscription', 'establish-subscription');
    const { operations, unreadMs, onEnd } = this.#parts;
    const subscription = operations.subscribe(
      caller,
      { ...wanted, unreadMs },
      {
        send: (notification) => this.#send(notification),
        end: (why) => {
          this.#subscription = undefined;
          onEnd(why);
        },
      },
    );
    this.#subscription = subscription;
    this.afterReply(() => subscription.begin());
  }

  /**
   * establish-subscription. @throws ManagementError operation-not-supported beside create-subscription (RFC 8640 §3); as
   * `Subscriptions.establish`
   */
  establish(caller: Caller, input: DataNode, expression: ExpressionText | undefined): Established {
    if (this.#subscription) throw notBoth('establish-subscription', 'create-subscription');
    const { operations, unreadMs, onEnd } = this.#parts;
    const wanted = { expression, unreadMs, encodings: ['encode-xml'] } as const;
    const established = operations.subscriptions.establish(caller, input, wanted);
    const { subscription } = established;
    this.#dynamic.add(subscription);
    const outlet = {
      send: (notification: Notification) => this.#send(notification),
      end: (why: Ending, error?: unknown) => {
        if (this.#dynamic.delete(subscription)) onEnd(why, error);
      },
    };
    this.afterReply(() => subscription.begin(outlet));
    return established;
  }

  /** Done when the reply under way is out. */
  afterReply(work: () => void): void {
    this.#next.push(work);
  }

  /** The reply is out: notifications may follow. */
  begin(): void {
    const works = this.#next;
    this.#next = [];
    for (const work of works) work();
  }

  close(): void {
    this.#next = [];
    this.#subscription?.close();
    this.#subscription = undefined;
    const dynamic = [...this.#dynamic];
    this.#dynamic.clear();
    for (const subscription of dynamic) subscription.close();
    this.#parts.sender.abandon();
  }

  #send(notification: Notification): boolean {
    const { sender, counters, onEnd } = this.#parts;
    counters.count('out-notifications');
    const { rows, close } = notification;
    if (!rows) return sender.notify(notificationXml(notification));
    sender.stream(notificationPieces(notification), (error) => {
      close?.();
      if (error !== undefined) onEnd('failed', error);
    });
    return false;
  }
}

function notBoth(asked: string, used: string): ManagementError {
  const message = `${asked} after ${used}: one session has subscriptions of one kind (RFC 8640 section 3)`;
  return new ManagementError('operation-not-supported', { type: 'protocol', message });
}
