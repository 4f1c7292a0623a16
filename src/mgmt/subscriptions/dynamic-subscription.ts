/**
 * One dynamic subscription (RFC 8639 §2.4): its terms, what feeds it, where its notifications go, and its counters. It knows no
 * transport.
 */

import { DataNode } from '../../state/data.ts';
import { ManagementError } from '../../state/errors.ts';
import type { Caller } from '../../state/request.ts';
import type { Schema, SchemaNode } from '../../state/schema.ts';
import type { Notification } from '../events/notification.ts';
import type { Feed, FeedHost } from './feed.ts';
import type { Running } from './push-source.ts';
import { SUBSCRIBED } from './refusal.ts';
import type { Terms } from './terms.ts';
import { adopted } from './terms.ts';

/** How a subscription ended: by its stop-time, by somebody else, by a receiver who does not read, by a mistake of ours. */
export type Ending = 'complete' | 'terminated' | 'slow' | 'failed';

/** Where notifications go. */
export interface Outlet {
  /** Whether more may follow at once; else the subscription's `resume` is to be called when there is room. */
  send(notification: Notification): boolean;
  /** Nothing more comes. */
  end(ending: Ending, error?: unknown): void;
}

export interface DynamicSubscriptionParts {
  readonly schema: Schema;
  readonly id: number;
  readonly caller: Caller;
  /** A node of the list of subscriptions with the terms as they were asked for. */
  readonly policy: DataNode;
  /** Where its notifications are got, where that is a place of its own (RFC 8650). */
  readonly uri: string | undefined;
  readonly makeFeed: (host: FeedHost) => Feed;
  /** Told once, however it ends. */
  readonly onEnd: () => void;
}

export class DynamicSubscription implements FeedHost {
  readonly id: number;
  readonly caller: Caller;
  policy: DataNode;
  readonly #parts: DynamicSubscriptionParts;
  readonly #feed: Feed;
  #outlet: Outlet | undefined;
  #isAttached = false;
  #isEnded = false;
  #sent = 0;
  #excluded = 0;

  constructor(parts: DynamicSubscriptionParts) {
    this.#parts = parts;
    this.id = parts.id;
    this.caller = parts.caller;
    this.policy = parts.policy;
    this.#feed = parts.makeFeed(this);
  }

  get uri(): string | undefined {
    return this.#parts.uri;
  }

  /** Whether somebody takes its notifications, or is about to. */
  get isAttached(): boolean {
    return this.#isAttached;
  }

  /** Somebody is there for its notifications, and begins in a moment. */
  attach(): void {
    this.#isAttached = true;
  }

  /** Notifications go there from now on. */
  begin(outlet: Outlet): void {
    if (this.#isEnded) {
      outlet.end('complete');
      return;
    }
    this.#isAttached = true;
    this.#outlet = outlet;
    this.#feed.begin();
  }

  resume(): void {
    if (this.#outlet) this.#feed.resume();
  }

  modify(terms: Terms, policy: DataNode): void {
    this.policy = policy;
    const node = this.#own('subscription-modified');
    copyTerms(policy, node);
    this.#putUri(node);
    this.#tell(node);
    this.#feed.modify(terms);
  }

  committed(running: Running): void {
    this.#feed.committed(running);
  }

  resync(): boolean {
    return this.#feed.resync();
  }

  /** Ends it, and tells the receiver why. */
  terminate(reason: 'no-such-subscription' | 'filter-unavailable'): void {
    this.#tell(this.#own('subscription-terminated', `${SUBSCRIBED}:${reason}`));
    this.#end('terminated');
  }

  /** Ends it without a word: it was its subscriber, or he is gone. */
  close(): void {
    this.#end('complete');
  }

  /** An entry of the list of subscriptions. */
  state(schema: SchemaNode): DataNode {
    const entry = new DataNode(schema);
    put(entry, 'id', `${this.id}`);
    copyTerms(this.policy, entry);
    this.#putUri(entry);
    const receivers = put(entry, 'receivers');
    const list = receivers.schema.child('receiver');
    if (!list) throw new Error('the schema has no receiver');
    const receiver = new DataNode(list);
    put(receiver, 'name', receiverName(this.caller));
    put(receiver, 'sent-event-records', `${this.#sent}`);
    put(receiver, 'excluded-event-records', `${this.#excluded}`);
    put(receiver, 'state', this.#feed.isSuspended ? 'suspended' : 'active');
    receivers.add(receiver);
    return entry;
  }

  send(notification: Notification): boolean {
    if (!this.#outlet) {
      notification.close?.();
      return true;
    }
    if (notification.node.schema.module !== SUBSCRIBED) this.#sent++;
    return this.#outlet.send(notification);
  }

  excluded(): void {
    this.#excluded++;
  }

  replayed(): Notification {
    return { time: new Date(), node: this.#own('replay-completed') };
  }

  gap(reason: 'unsupportable-volume'): void {
    this.#tell(this.#own('subscription-suspended', `${SUBSCRIBED}:${reason}`));
    this.#tell(this.#own('subscription-resumed'));
  }

  over(why: 'complete' | 'slow'): void {
    this.#end(why);
  }

  /** What takes more than there is for one reading ends the subscription, and no more; anything else is a mistake of ours. */
  fail(error: unknown): void {
    if (!(error instanceof ManagementError)) {
      this.#end('failed', error);
      return;
    }
    this.#tell(this.#own('subscription-suspended', `${SUBSCRIBED}:insufficient-resources`));
    this.#tell(this.#own('subscription-terminated', `${SUBSCRIBED}:suspension-timeout`));
    this.#end('terminated');
  }

  #putUri(node: DataNode): void {
    const { uri } = this.#parts;
    if (uri !== undefined) put(node, 'uri', uri);
  }

  #tell(node: DataNode): void {
    this.#outlet?.send({ time: new Date(), node });
  }

  #own(name: string, reason?: string): DataNode {
    const schema = this.#parts.schema.root.child(name, SUBSCRIBED);
    if (!schema) throw new Error(`the schema has no notification ${name}`);
    const node = new DataNode(schema);
    put(node, 'id', `${this.id}`);
    if (reason !== undefined) put(node, 'reason', reason);
    return node;
  }

  #end(ending: Ending, error?: unknown): void {
    if (this.#isEnded) return;
    this.#isEnded = true;
    this.#feed.close();
    this.#parts.onEnd();
    this.#outlet?.end(ending, error);
    this.#outlet = undefined;
  }
}

function copyTerms(policy: DataNode, target: DataNode): void {
  for (const child of policy.childMap.values()) {
    const schema = target.schema.child(child.schema.name, child.schema.module);
    if (schema) target.add(adopted(child, schema));
  }
}

/** Adds a node with that name. */
function put(parent: DataNode, name: string, value = ''): DataNode {
  const schema = parent.schema.child(name);
  if (!schema) throw new Error(`the schema has no ${name} in ${parent.schema.path}`);
  return parent.add(new DataNode(schema, value));
}

/** Who gets the notifications; unique in a subscription, which has one receiver. */
function receiverName({ user, session, face }: Caller): string {
  return face === 'restconf' ? user : `${user} in session ${session}`;
}
