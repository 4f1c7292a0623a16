/**
 * Notifications of one session (RFC 5277): its one subscription, and their way to the client between the replies.
 *
 *   1. create-subscription is checked and made      `subscriptionIn`, `create`
 *   2. its reply goes out
 *   3. the subscription begins                      `begin`
 *   4. operations go on beside it (interleave, §6), until its stop or the end of the session
 */

import { parseDateTime } from '../../date-time.ts';
import { ManagementError } from '../../state/errors.ts';
import type { Caller } from '../../state/request.ts';
import { elementFilter } from '../events/filter.ts';
import { NOTIFICATION_NAMESPACE, notificationXml } from '../events/notification.ts';
import type { SubscriptionRequest } from '../events/streams.ts';
import { checkTimes, STREAM } from '../events/streams.ts';
import type { Subscription, SubscriptionEnd } from '../events/subscription.ts';
import type { RpcCounters } from '../netconf-statistics.ts';
import type { Operations } from '../operations.ts';
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
  /** The subscription is over: by its stop, or because the client left notifications unread. */
  readonly onEnd: (why: SubscriptionEnd) => void;
}

export class SessionNotifications {
  readonly #parts: SessionNotificationsParts;
  #subscription: Subscription | undefined;
  #hasBegun = false;

  constructor(parts: SessionNotificationsParts) {
    this.#parts = parts;
    parts.sender.onRoom = () => this.#subscription?.resume();
  }

  /** Whether there is a subscription. */
  get isActive(): boolean {
    return this.#subscription !== undefined;
  }

  /** @throws ManagementError in-use when there is one already: one at a time (§2.1.1) */
  create(caller: Caller, wanted: Wanted): void {
    if (this.#subscription) {
      const message = 'this session has a subscription: it ends with its stopTime or with the session';
      throw new ManagementError('in-use', { type: 'protocol', message });
    }
    const { operations, sender, counters, unreadMs, onEnd } = this.#parts;
    this.#hasBegun = false;
    this.#subscription = operations.subscribe(
      caller,
      { ...wanted, unreadMs },
      {
        send: (notification) => {
          counters.count('out-notifications');
          return sender.notify(notificationXml(notification));
        },
        end: (why) => {
          this.#subscription = undefined;
          onEnd(why);
        },
      },
    );
  }

  /** The reply is out: notifications may follow. */
  begin(): void {
    if (this.#hasBegun) return;
    this.#hasBegun = true;
    this.#subscription?.begin();
  }

  close(): void {
    this.#subscription?.close();
    this.#subscription = undefined;
  }
}
