/**
 * Event streams for every face: who subscribes, to what, under which rights. There is one stream, NETCONF, with all events
 * (RFC 5277 §3.2.3, RFC 8040 §6.3.1); its replay is the event log.
 */

import { DataNode } from '../../state/data.ts';
import { ManagementError } from '../../state/errors.ts';
import { treeFromJson } from '../../state/json.ts';
import type { Caller } from '../../state/request.ts';
import type { Schema } from '../../state/schema.ts';
import type { AccessControl } from '../access.ts';
import type { EventLog } from './event-log.ts';
import type { EventFilter } from './filter.ts';
import type { EventRecord } from './log-files.ts';
import type { Notification } from './notification.ts';
import type { ReaderEdits } from './reader-edits.ts';
import { READERS } from './reader-edits.ts';
import type { Sink } from './subscription.ts';
import { Subscription } from './subscription.ts';
import { visibleEvent } from './visibility.ts';

export const STREAM = 'NETCONF';
export const STREAM_DESCRIPTION = 'All events of this device.';

export interface SubscriptionRequest {
  readonly filter?: EventFilter | undefined;
  /** Replay from here on. */
  readonly start?: Date | undefined;
  readonly stop?: Date | undefined;
  readonly unreadMs: number;
}

/** Events that are read once for all subscribers who are at the same place. */
const REMEMBERED = 64;

export class EventStreams {
  readonly #log: EventLog;
  readonly #schema: Schema;
  readonly #access: AccessControl;
  readonly #read = new Map<number, Notification | undefined>();

  constructor(log: EventLog, schema: Schema, access: AccessControl) {
    this.#log = log;
    this.#schema = schema;
    this.#access = access;
  }

  get log(): EventLog {
    return this.#log;
  }

  /** When the replay log began. */
  get created(): Date {
    return this.#log.created;
  }

  /** A subscription that is not begun yet. */
  subscribe(caller: Caller, request: SubscriptionRequest, sink: Sink): Subscription {
    return new Subscription({
      log: this.#log,
      start: request.start,
      stop: request.stop,
      unreadMs: request.unreadMs,
      view: (number, record) => this.view(caller, request.filter, number, record),
      own: (name) => this.#own(name),
      sink,
    });
  }

  /**
   * What an event is to a caller through a filter; undefined when he is to see nothing. Rights are looked up for each event: they
   * may change while the subscription goes on.
   */
  view(caller: Caller, filter: EventFilter | undefined, number: number, record: EventRecord): Notification | undefined {
    const notification = this.#notification(number, record);
    if (!notification) return undefined;
    const { node } = notification;
    const seen = visibleEvent(this.#schema, this.#access.rightsOf(caller), node, notification.readers);
    if (!seen) return undefined;
    const shown = seen === node ? notification : { time: notification.time, node: seen };
    if (!filter) return shown;
    const root = new DataNode(this.#schema.root);
    root.add(seen.clone());
    return filter(root) ? shown : undefined;
  }

  /** Undefined for an event that another version of the model has written. */
  #notification(number: number, record: EventRecord): Notification | undefined {
    if (this.#read.has(number)) return this.#read.get(number);
    const notification = parse(this.#schema, record);
    if (this.#read.size >= REMEMBERED) this.#read.clear();
    this.#read.set(number, notification);
    return notification;
  }

  #own(name: string): Notification {
    const schema = this.#schema.root.child(name, 'nc-notifications');
    if (!schema) throw new Error(`the schema has no notification ${name}`);
    return { time: new Date(), node: new DataNode(schema) };
  }
}

function parse(schema: Schema, { timeMs, json }: EventRecord): Notification | undefined {
  try {
    const { [READERS]: readers, ...event } = JSON.parse(json) as Record<string, unknown>;
    const [node] = treeFromJson(schema, event).childMap.values();
    return node && { time: new Date(timeMs), node, readers: readers as ReaderEdits | undefined };
  } catch {
    return undefined;
  }
}

/**
 * The times of a subscription (RFC 5277 §2.1.1): a stop needs a start, a start is not in the future, a stop is later than it.
 * `names` are those of the two parameters.
 * @throws ManagementError missing-element, bad-element, which names the parameter
 */
export function checkTimes(
  { start, stop }: Pick<SubscriptionRequest, 'start' | 'stop'>,
  names: readonly [start: string, stop: string],
): void {
  const refuse = (tag: 'missing-element' | 'bad-element', element: string, message: string) => {
    throw new ManagementError(tag, { type: 'protocol', message, info: { 'bad-element': element } });
  };
  const [startName, stopName] = names;
  if (stop && !start) refuse('missing-element', startName, `${stopName} needs ${startName} beside it`);
  if (start && start.getTime() > Date.now()) {
    refuse('bad-element', startName, `${startName} ${start.toISOString()} is in the future`);
  }
  if (start && stop && stop <= start) {
    refuse(
      'bad-element',
      stopName,
      `${stopName} ${stop.toISOString()} is not later than ${startName} ${start.toISOString()}`,
    );
  }
}
