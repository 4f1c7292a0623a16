/**
 * All dynamic subscriptions (RFC 8639, RFC 8641), whichever face they came through: who may have how many, whose they are, and
 * what the operations do. A face brings the input of an operation as data and an outlet for the notifications; a
 * subscription begins when its outlet is there.
 */

import { DataNode } from '../../state/data.ts';
import { ManagementError } from '../../state/errors.ts';
import { treeToJson } from '../../state/json.ts';
import type { Caller } from '../../state/request.ts';
import type { SchemaNode } from '../../state/schema.ts';
import type { EventStreams } from '../events/streams.ts';
import { ChangeFeed } from './change-feed.ts';
import { DynamicSubscription } from './dynamic-subscription.ts';
import type { Feed, FeedHost } from './feed.ts';
import type { ExpressionText, FilterContext } from './filters.ts';
import { LIMITS } from './limits.ts';
import { PeriodicFeed } from './periodic-feed.ts';
import type { PushBackend, Running } from './push-source.ts';
import { PushSource } from './push-source.ts';
import { answering, Refusal, SUBSCRIBED } from './refusal.ts';
import { subscriptionsState } from './state.ts';
import { StreamFeed } from './stream-feed.ts';
import type { PushTerms, Terms } from './terms.ts';
import {
  modified,
  readTerms,
  referredFilter,
  refersToFilter,
  requireSameKind,
  requireTimes,
  targetIn,
  tooShort,
} from './terms.ts';

export interface SubscriptionsParts extends FilterContext {
  readonly streams: EventStreams;
  readonly push: PushBackend;
  /** Running. */
  readonly configuration: () => DataNode;
}

/** What a face says of a subscription beside the input of the operation. */
export interface Wanted {
  /** An expression in the input as it came. */
  readonly expression?: ExpressionText | undefined;
  /** Encodings that the face has; the first where none was asked for. */
  readonly encodings: readonly ('encode-xml' | 'encode-json')[];
  /** How long a receiver may leave events unread, in milliseconds. */
  readonly unreadMs: number;
}

export interface Established {
  readonly subscription: DynamicSubscription;
  /** Where a replay begins, when that is later than what was asked for. */
  readonly revision: Date | undefined;
}

interface Entry {
  readonly subscription: DynamicSubscription;
  /** JSON of the configured filter that it refers to. */
  filter: string;
}

export class Subscriptions {
  readonly #parts: SubscriptionsParts;
  readonly #source: PushSource;
  readonly #entries = new Map<number, Entry>();
  readonly #list: SchemaNode;
  #lastId = 0;

  constructor(parts: SubscriptionsParts) {
    this.#parts = parts;
    this.#source = new PushSource(parts.push, parts.schema);
    const list = parts.schema.find(`/${SUBSCRIBED}:subscriptions/subscription`);
    if (!list) throw new Error('the schema has no subscriptions');
    this.#list = list;
  }

  /**
   * establish-subscription: `input` has the children of its input. Nothing is sent before `begin`.
   * @throws ManagementError as RFC 8640 §7 has it; as `readTerms`, `requireTimes`
   */
  establish(caller: Caller, input: DataNode, wanted: Wanted): Established {
    return answering('establish', targetIn(input), () => {
      this.#requireRoom(caller);
      const policy = modified(new DataNode(this.#list), input);
      const encoding = encodingIn(policy, wanted);
      const leaf = this.#list.child('encoding');
      if (leaf) policy.add(new DataNode(leaf, `${SUBSCRIBED}:${encoding}`, 'identityref'));
      const terms = this.#terms(policy, wanted.expression);
      requireTimes(terms);
      const { schema } = this.#parts;
      const id = ++this.#lastId;
      const subscription = new DynamicSubscription({
        schema,
        id,
        caller,
        policy,
        uri: caller.face === 'restconf' ? `/restconf/subscriptions/${id}` : undefined,
        makeFeed: (host) => this.#feed(caller, terms, wanted, host),
        onEnd: () => this.#entries.delete(id),
      });
      this.#entries.set(id, { subscription, filter: this.#filterOf(policy) });
      return { subscription, revision: this.#revision(terms) };
    });
  }

  /**
   * modify-subscription; what it returns lets the new terms hold.
   * @throws ManagementError as `establish`; invalid-value for what cannot be changed
   */
  modify(caller: Caller, input: DataNode, expression?: ExpressionText): () => void {
    return answering('modify', targetIn(input), () => {
      const entry = this.#owned(caller, input, 'no-such-subscription');
      const { subscription } = entry;
      const policy = modified(subscription.policy, input);
      requireSameKind(subscription.policy, input);
      const terms = this.#terms(policy, expression);
      requireTimes(terms);
      return () => {
        entry.filter = this.#filterOf(policy);
        subscription.modify(terms, policy);
      };
    });
  }

  /** delete-subscription, of the caller's own. @throws ManagementError no-such-subscription */
  delete(caller: Caller, input: DataNode): void {
    answering('delete', 'stream', () => this.#owned(caller, input, 'no-such-subscription').subscription.close());
  }

  /** kill-subscription, of anybody's. @throws ManagementError no-such-subscription */
  kill(input: DataNode): void {
    answering('delete', 'stream', () => {
      const entry = this.#entries.get(Number(input.leaf('id')));
      if (!entry) throw new Refusal('no-such-subscription', `there is no subscription ${input.leaf('id') ?? ''}`);
      entry.subscription.terminate('no-such-subscription');
    });
  }

  /** resync-subscription; what it returns does it. @throws ManagementError no-such-subscription-resync, on-change-sync-unsupported */
  resync(caller: Caller, input: DataNode): () => void {
    return answering('resync', 'datastore', () => {
      const { subscription } = this.#owned(caller, input, 'no-such-subscription-resync');
      const onChange = subscription.policy.child('on-change');
      if (onChange && onChange.leaf('sync-on-start') !== 'false') return () => subscription.resync();
      const message = `subscription ${subscription.id} is not one to changes that may have the whole selection`;
      throw new Refusal('on-change-sync-unsupported', message);
    });
  }

  /** A subscription of the caller's; undefined when there is none of that number, or it is another's. */
  ofCaller(caller: Caller, id: number): DynamicSubscription | undefined {
    const subscription = this.#entries.get(id)?.subscription;
    return subscription && ownerOf(subscription.caller) === ownerOf(caller) ? subscription : undefined;
  }

  /** Running has become this. */
  committed(running: Running, treeChanged: boolean): void {
    for (const { subscription } of [...this.#entries.values()]) subscription.committed(running);
    if (treeChanged) for (const entry of [...this.#entries.values()]) this.#followFilter(entry);
  }

  /** Those of users over RESTCONF who are no users any more end; those of a session end with it. */
  keepUsers(isUser: (user: string) => boolean): void {
    for (const { subscription } of [...this.#entries.values()]) {
      const { face, user } = subscription.caller;
      if (face === 'restconf' && !isUser(user)) subscription.close();
    }
  }

  /** The containers /streams and /subscriptions. */
  state(): Readonly<Record<string, unknown>> {
    const entries = [...this.#entries.values()].map(({ subscription }) => subscription.state(this.#list));
    return subscriptionsState(this.#parts.streams, entries.map(treeToJson));
  }

  #terms(policy: DataNode, expression: ExpressionText | undefined): Terms {
    const { schema, check, configuration } = this.#parts;
    const terms = readTerms({ schema, check, configuration: configuration() }, policy, expression);
    if (terms.kind === 'datastore' && terms.trigger.kind === 'periodic') this.#requirePeriod(terms, policy);
    return terms;
  }

  #requirePeriod(terms: PushTerms, policy: DataNode): void {
    const period = Number(policy.child('periodic')?.leaf('period'));
    const least = this.#source.leastPeriod(this.#source.bindings(terms));
    if (period < least) throw tooShort('period', period, least);
  }

  #feed(caller: Caller, terms: Terms, { unreadMs }: Wanted, host: FeedHost): Feed {
    const { streams, schema } = this.#parts;
    if (terms.kind === 'stream') return new StreamFeed({ streams, caller, terms, unreadMs, host });
    const parts = { source: this.#source, schema, caller, terms, host };
    const { trigger } = terms;
    return trigger.kind === 'periodic' ? new PeriodicFeed(parts, trigger) : new ChangeFeed(parts, trigger);
  }

  /** From when on the log has events, when a replay was to begin earlier. */
  #revision(terms: Terms): Date | undefined {
    if (terms.kind !== 'stream' || !terms.start) return undefined;
    const { log, created } = this.#parts.streams;
    const begin = log.aged ?? created;
    return begin > terms.start ? begin : undefined;
  }

  /** @throws Refusal insufficient-resources */
  #requireRoom(caller: Caller): void {
    const owners = [...this.#entries.values()].map(({ subscription }) => ownerOf(subscription.caller));
    const own = owners.filter((owner) => owner === ownerOf(caller)).length;
    if (owners.length < LIMITS.inAll && own < LIMITS.ofOwner) return;
    const message = `all subscriptions are taken: ${LIMITS.inAll} at a time, ${LIMITS.ofOwner} of one subscriber`;
    throw new Refusal('insufficient-resources', message);
  }

  /** @throws Refusal */
  #owned(caller: Caller, input: DataNode, identity: Parameters<typeof noSuch>[1]): Entry {
    const id = Number(input.leaf('id'));
    const entry = this.#entries.get(id);
    if (entry && this.ofCaller(caller, id)) return entry;
    throw noSuch(input, identity, ' of this subscriber');
  }

  /** A configured filter that is another one modifies what refers to it; one that is gone ends it (RFC 8639 §2.7). */
  #followFilter(entry: Entry): void {
    const { subscription } = entry;
    const { policy } = subscription;
    const filter = this.#filterOf(policy);
    if (!refersToFilter(policy) || filter === entry.filter) return;
    entry.filter = filter;
    try {
      subscription.modify(this.#terms(policy, undefined), policy);
    } catch (error) {
      if (!(error instanceof Refusal) && !(error instanceof ManagementError)) throw error;
      subscription.terminate('filter-unavailable');
    }
  }

  #filterOf(policy: DataNode): string {
    const entry = referredFilter(this.#parts.configuration(), policy);
    return entry ? JSON.stringify(treeToJson(entry)) : '';
  }
}

/** A session, or a user over RESTCONF, where requests have no session. */
function ownerOf({ face, user, session }: Caller): string {
  return face === 'restconf' ? `user ${user}` : `session ${session}`;
}

function encodingIn(policy: DataNode, { encodings }: Wanted): string {
  const encoding = policy.leaf('encoding')?.replace(/^.*:/, '') ?? encodings[0] ?? 'encode-xml';
  if (encodings.some((name) => name === encoding)) return encoding;
  const message = `encoding ${encoding}: expected ${encodings.join(' or ')} here`;
  throw new Refusal('encoding-unsupported', message);
}

function noSuch(
  input: DataNode,
  identity: 'no-such-subscription' | 'no-such-subscription-resync',
  whose: '' | ' of this subscriber',
): Refusal {
  return new Refusal(identity, `there is no subscription ${input.leaf('id') ?? ''}${whose}`);
}
