/**
 * Event streams (RFC 8040 §6): a GET of a stream resource is answered by server-sent events for as long as the client
 * stays. The flow of one:
 *
 *   1. parameters are checked, a place among the streams is taken
 *   2. a comment goes out at once, so that the client has the header fields
 *   3. each notification is one event: its text line by line behind `data:` (§6.4)
 *   4. a comment now and then while nothing happens
 *   5. the stop time, a client that does not read, or the end of the connection ends it
 */

import { parseDateTime } from '../../date-time.ts';
import { ManagementError } from '../../state/errors.ts';
import type { Caller } from '../../state/request.ts';
import type { EventFilter } from '../events/filter.ts';
import { textFilter } from '../events/filter.ts';
import type { Notification } from '../events/notification.ts';
import { notificationXml } from '../events/notification.ts';
import type { SubscriptionRequest } from '../events/streams.ts';
import { checkTimes } from '../events/streams.ts';
import type { Subscription, SubscriptionEnd } from '../events/subscription.ts';
import type { RestconfOperations } from './backend.ts';
import type { EventLimits } from './event-octets.ts';
import { EventOctets } from './event-octets.ts';
import { badRequest } from './fault.ts';
import { writeJson } from './json-writer.ts';
import { LIMITS } from './limits.ts';
import type { Encoding } from './media.ts';
import { EVENT_STREAM } from './media.ts';
import type { StreamQuery } from './query.ts';
import type { Reply } from './reply.ts';

export interface StreamLimits extends EventLimits {
  readonly eventStreams: number;
  readonly eventStreamsPerUser: number;
}

/** The streams that are open, within their limits. */
export class OpenStreams {
  readonly #operations: RestconfOperations;
  readonly #limits: StreamLimits;
  readonly #users: string[] = [];

  constructor(operations: RestconfOperations, limits: StreamLimits = LIMITS) {
    this.#operations = operations;
    this.#limits = limits;
  }

  /**
   * The reply to a GET of the stream in this encoding.
   * @throws ManagementError bad-element, missing-element, invalid-value, unknown-namespace for the parameters;
   *   resource-denied when too many streams are open
   */
  open(caller: Caller, encoding: Encoding, query: StreamQuery): Reply {
    const request = this.#request(query);
    const { eventStreams, eventStreamsPerUser } = this.#limits;
    const ofUser = this.#users.filter((user) => user === caller.user).length;
    if (this.#users.length >= eventStreams || ofUser >= eventStreamsPerUser) {
      const message = `all event streams are taken: ${eventStreams} at a time, ${eventStreamsPerUser} of one user`;
      throw new ManagementError('resource-denied', { type: 'protocol', message });
    }
    const subscribe = (stream: EventStream) => this.#operations.subscribe(caller, request, stream.sink);
    const stream = new EventStream(encoding, this.#limits, subscribe);
    this.#users.push(caller.user);
    stream.once('close', () => this.#users.splice(this.#users.indexOf(caller.user), 1));
    return { status: 200, headers: STREAM_HEADERS, stream };
  }

  /** What `open` begins with, without a stream. @throws RestconfFault 400 as `open` */
  describe(query: StreamQuery): Reply {
    this.#request(query);
    return { status: 200, headers: STREAM_HEADERS };
  }

  #request({ start, stop, filter }: StreamQuery): SubscriptionRequest {
    const times = { start: timeOf('start-time', start), stop: timeOf('stop-time', stop) };
    checkTimes(times, ['start-time', 'stop-time']);
    const { unreadMs } = this.#limits;
    return { ...times, unreadMs, filter: filter === undefined ? undefined : this.#filter(filter) };
  }

  #filter(text: string): EventFilter {
    const { schema, check } = this.#operations;
    try {
      return textFilter(schema, check, text);
    } catch (error) {
      // An expression knows itself as the attribute that NETCONF has it in.
      if (!(error instanceof ManagementError) || error.info['bad-attribute'] === undefined) throw error;
      throw badRequest(`query parameter filter: ${error.message}`);
    }
  }
}

export const STREAM_HEADERS = { 'content-type': EVENT_STREAM, 'cache-control': 'no-cache' };

function timeOf(name: string, text: string | undefined): Date | undefined {
  if (text === undefined) return undefined;
  const time = parseDateTime(text);
  if (time) return time;
  throw badRequest(`query parameter ${name}=${text}: expected a time that there is, such as 2026-01-31T12:00:00Z`);
}

/** The octets of one stream; nothing is made that nobody takes. */
class EventStream extends EventOctets {
  readonly sink = {
    send: (notification: Notification) => this.put(serverSentEvent(this.#text(notification))),
    end: (why: SubscriptionEnd) => (why === 'complete' ? this.finish() : this.breakOff()),
  };
  readonly #encoding: Encoding;
  readonly #subscription: Subscription;

  constructor(encoding: Encoding, limits: EventLimits, subscribe: (stream: EventStream) => Subscription) {
    super(limits);
    this.#encoding = encoding;
    this.#subscription = subscribe(this);
  }

  protected override begun(): void {
    this.#subscription.begin();
  }

  protected override room(): void {
    this.#subscription.resume();
  }

  protected override gone(): void {
    this.#subscription.close();
  }

  #text(notification: Notification): string {
    return this.#encoding === 'xml' ? notificationXml(notification) : notificationJson(notification);
  }
}

/** §6.4: the notification as a member of ietf-restconf. */
export function notificationJson({ time, node }: Notification): string {
  const event = [...writeJson([node])].join('').slice(1, -1);
  return `{"ietf-restconf:notification":{"eventTime":"${time.toISOString()}",${event}}}`;
}

/** One event of a stream; a text of several lines has as many fields, which the client joins. */
export function serverSentEvent(text: string): string {
  const lines = text.split(/\r\n|\r|\n/).map((line) => `data: ${line}\n`);
  return `${lines.join('')}\n`;
}
