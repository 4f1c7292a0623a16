/** Event records of the event stream for one subscription (RFC 8639 §2.4), on the place in the event log that RFC 5277 has too. */

import type { Caller } from '../../state/request.ts';
import type { EventStreams } from '../events/streams.ts';
import { Subscription } from '../events/subscription.ts';
import type { Feed, FeedHost } from './feed.ts';
import type { StreamTerms, Terms } from './terms.ts';

export interface StreamFeedParts {
  readonly streams: EventStreams;
  readonly caller: Caller;
  readonly terms: StreamTerms;
  readonly unreadMs: number;
  readonly host: FeedHost;
}

export class StreamFeed implements Feed {
  #terms: StreamTerms;
  readonly #subscription: Subscription;

  constructor({ streams, caller, terms, unreadMs, host }: StreamFeedParts) {
    this.#terms = terms;
    const stopOf = () => this.#terms.stop;
    this.#subscription = new Subscription({
      log: streams.log,
      start: terms.start,
      get stop() {
        return stopOf();
      },
      unreadMs,
      view: (number, record) => {
        const seen = streams.view(caller, this.#terms.filter, number, record);
        if (!seen) host.excluded();
        return seen;
      },
      // A stop-time ends a dynamic subscription without a word: subscription-completed is for configured ones (RFC 8639 §4).
      own: (name) => (name === 'replayComplete' ? host.replayed() : undefined),
      onLost: () => host.gap('unsupportable-volume'),
      sink: { send: (notification) => host.send(notification), end: (why) => host.over(why) },
    });
  }

  /** Whether events went from the log before the receiver had room for them. */
  get isSuspended(): boolean {
    return this.#subscription.isBehind;
  }

  begin(): void {
    this.#subscription.begin();
  }

  resume(): void {
    this.#subscription.resume();
  }

  modify(terms: Terms): void {
    if (terms.kind !== 'stream') return;
    this.#terms = { ...terms, start: this.#terms.start };
    this.#subscription.stopChanged();
  }

  committed(): void {}

  resync(): boolean {
    return false;
  }

  close(): void {
    this.#subscription.close();
  }
}
