/**
 * Calls one client (RFC 8071 §3.1), again and again:
 *
 *   1. a periodic client is called when its time has come
 *   2. TCP connections are tried by the reconnect strategy, with a wait before each but the first
 *   3. on one that is there this device is the SSH or TLS server; the client has the time of a login to authenticate itself
 *   4. the connection goes on until either side ends it, then from 1
 *
 * A change of the configuration ends what waits and what is not connected; a connection that is there goes on.
 */

import type { Socket } from 'node:net';
import { createConnection } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Log } from '../../log.ts';
import type { CallHomeClient, Endpoint } from './plan.ts';
import { attempts, backOffMs, untilCallMs } from './plan.ts';

/** The server's side of SSH or TLS. */
export interface Front {
  /** Takes a socket that we opened; tells the stream once the client is authenticated. */
  call(socket: Socket, source: string, onAuthenticated: (stream: Socket) => void): void;
}

export interface CallerParts {
  readonly fronts: Readonly<Record<Endpoint['transport'], Front | undefined>>;
  readonly log: Log;
  /** Name of the endpoint of the last connection. */
  readonly last: () => string | undefined;
  readonly onConnected: (endpoint: string) => void;
  readonly random?: () => number;
}

/** A timer takes no more than 24 days. */
const LONGEST_SLEEP_MS = 24 * 60 * 60 * 1000;
/** A connection that is shorter counts as none for the back-off: who comes and goes is not called without a pause. */
const STEADY_MS = 10_000;
/** Until TCP asks whether a peer that says nothing is still there. */
const KEEP_ALIVE_MS = 30_000;

export class Caller {
  readonly #parts: CallerParts;
  readonly #random: () => number;
  #client: CallHomeClient | undefined;
  #change = new AbortController();
  /** Attempts in turn that led to nothing. */
  #failures = 0;
  /** When the last call of a period began. */
  #begun: number | undefined;

  constructor(client: CallHomeClient, parts: CallerParts) {
    this.#client = client;
    this.#parts = parts;
    this.#random = parts.random ?? Math.random;
  }

  /** The client as it is configured now; undefined when it is no more. */
  update(client: CallHomeClient | undefined): void {
    if (JSON.stringify(client) === JSON.stringify(this.#client)) return;
    this.#client = client;
    this.#failures = 0;
    this.#begun = undefined;
    this.#change.abort();
    this.#change = new AbortController();
  }

  /** Calls until the client is no more, and its connection neither. */
  async run(): Promise<void> {
    for (let client = this.#client; client; client = this.#client) {
      const { signal } = this.#change;
      try {
        await this.#call(client, signal);
      } catch (error) {
        if (!signal.aborted) throw error;
      }
    }
  }

  /** One call, to the end of its connection. @throws AbortError when the configuration changes before there is one */
  async #call(client: CallHomeClient, signal: AbortSignal): Promise<void> {
    if (client.periodic) {
      await sleepUntil(() => untilCallMs(client.periodic ?? NEVER, this.#begun, Date.now()), signal);
      this.#begun = Date.now();
    }
    for (const endpoint of attempts(client, this.#parts.last(), this.#random)) {
      if (this.#failures > 0) {
        await sleep(backOffMs(this.#failures, client.maxBackOffMs, this.#random), undefined, { signal });
      }
      signal.throwIfAborted();
      const took = await this.#attempt(client, endpoint, signal);
      this.#failures = took !== undefined && (took >= STEADY_MS || client.periodic) ? 0 : this.#failures + 1;
      if (took !== undefined) return;
    }
  }

  /** How long the connection was there, in milliseconds; undefined when the client was not authenticated on any. */
  async #attempt(client: CallHomeClient, endpoint: Endpoint, signal: AbortSignal): Promise<number | undefined> {
    const { fronts, log } = this.#parts;
    const about = { client: client.name, endpoint: endpoint.name };
    try {
      const front = fronts[endpoint.transport];
      if (!front) throw new Error('there is no keys/client-ca.crt: no client could be authenticated over TLS');
      const socket = await connect(endpoint, client.maxWaitMs, signal);
      return await this.#serve(client, endpoint, socket, front, signal);
    } catch (error) {
      if (signal.aborted) throw error;
      log.warn({ ...about, error: String(error), failures: this.#failures + 1 }, 'call home: nobody was authenticated');
      return undefined;
    }
  }

  /** @throws Error when the connection ends before the client is authenticated */
  #serve(
    client: CallHomeClient,
    endpoint: Endpoint,
    socket: Socket,
    front: Front,
    signal: AbortSignal,
  ): Promise<number> {
    const { log, onConnected } = this.#parts;
    const about = { client: client.name, endpoint: endpoint.name, source: socket.remoteAddress };
    return new Promise((resolve, reject) => {
      let began: number | undefined;
      const give = () => void socket.destroy();
      signal.addEventListener('abort', give, { once: true });
      socket.once('close', () => {
        signal.removeEventListener('abort', give);
        if (began === undefined) return reject(new Error('the connection ended before the client was authenticated'));
        log.info(about, 'call home: the connection has ended');
        resolve(performance.now() - began);
      });
      front.call(socket, socket.remoteAddress ?? endpoint.address, (stream) => {
        began = performance.now();
        signal.removeEventListener('abort', give);
        log.info(about, 'call home: the client is connected');
        onConnected(endpoint.name);
        const idleMs = client.periodic?.idleMs ?? 0;
        if (idleMs > 0) stream.setTimeout(idleMs, () => stream.destroy());
      });
    });
  }
}

const NEVER = { periodMs: LONGEST_SLEEP_MS, anchor: undefined, idleMs: 0 };

/** Sleeps until a time that is asked for again after each sleep: the clock may be set, and it may be far. */
async function sleepUntil(leftMs: () => number, signal: AbortSignal): Promise<void> {
  for (let left = leftMs(); left > 0; left = leftMs()) {
    await sleep(Math.min(left, LONGEST_SLEEP_MS), undefined, { signal });
  }
}

/** @throws Error of the system, with code ETIMEDOUT after the wait, or AbortError */
function connect({ address, port, transport }: Endpoint, waitMs: number, signal: AbortSignal): Promise<Socket> {
  return new Promise((resolve, reject) => {
    // Over TLS a client may say that it sends nothing more and still wait for its answers.
    const socket = createConnection({ host: address, port, allowHalfOpen: transport === 'tls' });
    const fail = (error: unknown) => {
      clearTimeout(timer);
      signal.removeEventListener('abort', onAbort);
      socket.destroy();
      reject(error);
    };
    const onAbort = () => fail(signal.reason);
    const message = `no connection to ${address} port ${port} within ${waitMs} ms`;
    const timer = setTimeout(() => fail(Object.assign(new Error(message), { code: 'ETIMEDOUT' })), waitMs);
    signal.addEventListener('abort', onAbort, { once: true });
    socket.on('error', fail);
    socket.once('connect', () => {
      clearTimeout(timer);
      signal.removeEventListener('abort', onAbort);
      socket.setKeepAlive(true, KEEP_ALIVE_MS);
      resolve(socket);
    });
  });
}
