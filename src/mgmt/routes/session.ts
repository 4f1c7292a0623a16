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
import { inSlices } from '../../state/row-changes.ts';

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

/** What a whole message does; to be told with `taken` when it is done, and waited for. */
export interface Step {
  readonly advertisement: Advertisement;
  readonly taken: () => Promise<void>;
}

export class RouteSession {
  readonly id: string;
  #sequence = 0;
  /** Whether all routes were told of. */
  #isWhole = false;
  #routes = new Set<number>();
  #hash = new RouteHash();
  #staged: RouteMessage[] = [];
  #stagedRoutes = 0;

  constructor(id: string) {
    this.id = id;
  }

  /** Number of the last message that was taken. */
  get sequence(): number {
    return this.#sequence;
  }

  get isWhole(): boolean {
    return this.#isWhole;
  }

  /** How many routes are remembered of it. */
  get held(): number {
    return Math.max(this.#routes.size, this.#stagedRoutes);
  }

  /**
   * What the next message does, which is found in slices; undefined for a part of one that goes on. No two may be taken at once.
   * `maximum` routes are remembered at most.
   * @throws ManagementError with one of the app-tags above
   */
  async take(message: RouteMessage, maximum: number): Promise<Step | undefined> {
    this.#requireNext(message.sequence);
    this.#stagedRoutes += message.routes.length + message.withdrawn.length;
    // What a message may withdraw and tell at most, with room for parts that say things twice.
    if (this.#stagedRoutes > 2 * maximum) {
      const found = this.#stagedRoutes;
      this.#drop();
      throw refusal(
        'malformed',
        `expected at most ${maximum} routes (see maximum-routes), found ${found} in one message`,
      );
    }
    this.#staged.push(message);
    if (message.hasMore) {
      this.#sequence = message.sequence;
      return undefined;
    }
    const parts = this.#staged;
    this.#drop();
    return this.#step(message, parts, maximum);
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

  async #step(last: RouteMessage, parts: readonly RouteMessage[], maximum: number): Promise<Step> {
    if (!this.#isWhole && parts.some(({ withdrawn }) => withdrawn.length > 0)) {
      throw refusal(
        'malformed',
        'expected all routes in the first message of a session, found some that are withdrawn',
      );
    }
    const hash = this.#hash.copy();
    const fresh = new Set<number>();
    const gone = new Set<number>();
    await inSlices(allOf(parts, 'withdrawn'), (number) => {
      if (!this.#routes.has(number) || gone.has(number)) return;
      gone.add(number);
      hash.subtract(number);
    });
    await inSlices(allOf(parts, 'routes'), (number) => {
      if (fresh.has(number) || (this.#routes.has(number) && !gone.has(number))) return;
      fresh.add(number);
      hash.add(number);
    });
    const size = this.#routes.size - gone.size + fresh.size;
    if (size > maximum) {
      throw refusal('malformed', `expected at most ${maximum} routes (see maximum-routes), found ${size}`);
    }
    if (hash.text !== last.contentHash) {
      const found = last.contentHash ?? 'no content-hash';
      throw refusal('content-differs', `the routes come to ${hash.text}, ${found} came: open a new session`);
    }
    const advertisement = { isWhole: !this.#isWhole, routes: fresh, withdrawn: gone };
    const taken = async () => {
      await inSlices(gone, (number) => this.#routes.delete(number));
      await inSlices(fresh, (number) => this.#routes.add(number));
      this.#hash = hash;
      this.#isWhole = true;
      this.#sequence = last.sequence;
    };
    return { advertisement, taken };
  }
}

function* allOf(parts: readonly RouteMessage[], list: 'routes' | 'withdrawn'): Generator<number> {
  for (const part of parts) yield* part[list];
}

/** Why a message is not taken. */
export function refusal(appTag: string, message: string): ManagementError {
  return new ManagementError('operation-failed', { type: 'application', appTag, message });
}
