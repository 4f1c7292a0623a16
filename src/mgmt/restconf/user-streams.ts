/** Whose the replies are that last as long as the client stays: they end with their user. */

import type { Readable } from 'node:stream';
import type { Caller } from '../../state/request.ts';
import type { Reply } from './reply.ts';

export class UserStreams {
  readonly #users = new Map<Readable, string>();

  /** The reply, whose stream is noted while it is open. */
  note({ user }: Caller, reply: Reply): Reply {
    const { stream } = reply;
    if (!stream) return reply;
    this.#users.set(stream, user);
    stream.once('close', () => this.#users.delete(stream));
    return reply;
  }

  /** Cuts off those of anybody else. */
  keepUsers(isUser: (user: string) => boolean): void {
    for (const [stream, user] of [...this.#users]) {
      if (!isUser(user)) stream.destroy(new Error(`${user} is no user any more`));
    }
  }
}
