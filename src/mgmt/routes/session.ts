/**
 * One session of a route source at the AFTR: the messages it may send, in their order. A message is looked at whole before any of it
 * counts, so that one that is refused has changed nothing:
 *
 *     malformed        what no message of this model is
 *     unknown-session  a session that was never given out, has ended or was followed by another
 *     replayed         a number that was taken already
 *     out-of-order     a number that leaves others out
 *     content-differs  the routes do not come to what the source says
 */

import { ManagementError } from '../../state/errors.ts';
import { RouteHash } from '../../state/learned/route-hash.ts';
import type { Advertisement } from '../../state/learned/route-table.ts';

/** A message of advertise-routes in a session. */
export interface RouteMessage {
  readonly session: string;
  readonly sequence: number;
  readonly hasMore: boolean;
  readonly isClose: boolean;
  readonly routes: readonly number[];
  readonly withdrawn: readonly number[];
  readonly contentHash: string | undefined;
}

/** What a whole message does; to be told with `taken` when it is done. */
export interface Step {
  readonly advertisement: Advertisement;
  readonly taken: () => void;
}

export class RouteSession {
  readonly id: string;
  readonly #maximum: number;
  #sequence = 0;
  /** Whether all routes were told of. */
  #isWhole = false;
  #routes = new Set<number>();
  #hash = new RouteHash();
  #staged: RouteMessage[] = [];
  #stagedRoutes = 0;

  /** `maximum` routes are remembered at most. */
  constructor(id: string, maximum: number) {
    this.id = id;
    this.#maximum = maximum;
  }

  /** Number of the last message that was taken. */
  get sequence(): number {
    return this.#sequence;
  }

  get isWhole(): boolean {
    return this.#isWhole;
  }

  /** What the next message does; undefined for a part of one that goes on. @throws ManagementError with one of the app-tags above */
  take(message: RouteMessage): Step | undefined {
    this.#requireNext(message.sequence);
    this.#stagedRoutes += message.routes.length + message.withdrawn.length;
    if (this.#stagedRoutes > 2 * this.#maximum) {
      this.#drop();
      throw refusal('malformed', `expected at most ${this.#maximum} routes in a session, found more`);
    }
    this.#staged.push(message);
    if (message.hasMore) {
      this.#sequence = message.sequence;
      return undefined;
    }
    const parts = this.#staged;
    this.#drop();
    return this.#step(message, parts);
  }

  /** Looks at a message that ends the session and says nothing else. @throws as `take` */
  checkEnd({ sequence, hasMore, routes, withdrawn }: RouteMessage): void {
    this.#requireNext(sequence);
    const found = [hasMore && 'more', routes.length > 0 && 'route', withdrawn.length > 0 && 'withdrawn'].find(Boolean);
    if (found) throw refusal('malformed', `expected no routes beside close, found ${found}`);
  }

  #drop(): void {
    this.#staged = [];
    this.#stagedRoutes = 0;
  }

  #requireNext(sequence: number): void {
    const next = this.#sequence + 1;
    if (sequence === next) return;
    const [tag, what] = sequence < next ? ['replayed', 'was taken already'] : ['out-of-order', 'leaves others out'];
    throw refusal(
      tag ?? '',
      `expected message ${next} of the session, found ${sequence}, which ${what}: open a new one`,
    );
  }

  #step(last: RouteMessage, parts: readonly RouteMessage[]): Step {
    const withdrawn = parts.flatMap((part) => part.withdrawn);
    const added = parts.flatMap((part) => part.routes);
    if (!this.#isWhole && withdrawn.length > 0) {
      throw refusal(
        'malformed',
        'expected all routes in the first message of a session, found some that are withdrawn',
      );
    }
    const hash = this.#hash.copy();
    const fresh = new Set<number>();
    const gone = new Set<number>();
    for (const number of withdrawn) {
      if (!this.#routes.has(number) || gone.has(number)) continue;
      gone.add(number);
      hash.subtract(number);
    }
    for (const number of added) {
      if (fresh.has(number) || (this.#routes.has(number) && !gone.has(number))) continue;
      fresh.add(number);
      hash.add(number);
    }
    const size = this.#routes.size - gone.size + fresh.size;
    if (size > this.#maximum) {
      throw refusal('malformed', `expected at most ${this.#maximum} routes, found ${size}`);
    }
    if (hash.text !== last.contentHash) {
      const found = last.contentHash ?? 'no content-hash';
      throw refusal('content-differs', `the routes come to ${hash.text}, ${found} came: open a new session`);
    }
    const advertisement = { isWhole: !this.#isWhole, routes: [...fresh], withdrawn: [...gone] };
    const taken = () => {
      for (const number of gone) this.#routes.delete(number);
      for (const number of fresh) this.#routes.add(number);
      this.#hash = hash;
      this.#isWhole = true;
      this.#sequence = last.sequence;
    };
    return { advertisement, taken };
  }
}

/** Why a message is not taken. */
export function refusal(appTag: string, message: string): ManagementError {
  return new ManagementError('operation-failed', { type: 'application', appTag, message });
}
