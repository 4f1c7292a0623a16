/** A NETCONF client that asks for much and reads none of it. */

import type { Socket } from 'node:net';
import { createConnection } from 'node:net';
import { BASE_NAMESPACE } from '../../src/cli/client.ts';

const END = ']]>]]>';
const HELLO = `<hello xmlns="${BASE_NAMESPACE}"><capabilities><capability>urn:ietf:params:netconf:base:1.0</capability></capabilities></hello>`;

export class StoppedReader {
  readonly #socket: Socket;
  readonly #askedAt = performance.now();

  /** Asks over the local socket `path`. */
  constructor(path: string, operation: string) {
    this.#socket = createConnection(path);
    this.#socket.pause();
    this.#socket.on('error', () => undefined);
    this.#socket.write(`${HELLO}${END}<rpc xmlns="${BASE_NAMESPACE}" message-id="1">${operation}</rpc>${END}`);
  }

  /** Milliseconds from the question until the server hung up; `longestMs` when it has not by then. */
  async untilDropped(longestMs: number): Promise<number> {
    // A paused socket tells nothing of its other end; writing does.
    while (!this.#socket.destroyed && performance.now() - this.#askedAt < longestMs) {
      this.#socket.write(' ');
      await new Promise((resolve) => setTimeout(resolve, 200));
    }
    this.#socket.destroy();
    return Math.min(longestMs, performance.now() - this.#askedAt);
  }
}
