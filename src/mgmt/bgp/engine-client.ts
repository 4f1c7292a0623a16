/** The interface of a GoBGP over its unix socket. Every call fails with an Error whose message says what GoBGP answered. */

import type { ClientReadableStream, ClientWritableStream, ServiceError } from '@grpc/grpc-js';
import { Client, credentials } from '@grpc/grpc-js';
import { decode, encode, IPV4_UNICAST, type Path, type Peer, type WatchEvent } from './engine-messages.ts';

const SERVICE = '/apipb.GobgpApi/';
const ANSWER_MS = 10_000;
/** Octets of a message: some ten thousand paths. */
const LONGEST = 64 * 1024 * 1024;
const ADJACENCY_IN = 2;
const WATCH_ADJACENCY_IN = 1;
/** Paths in one message. */
const PART_PATHS = 1_000;

export class EngineClient {
  readonly #client: Client;

  constructor(socket: string) {
    this.#client = new Client(`unix:${socket}`, credentials.createInsecure(), {
      'grpc.max_receive_message_length': LONGEST,
      'grpc.initial_reconnect_backoff_ms': 100,
      'grpc.max_reconnect_backoff_ms': 1_000,
    });
  }

  /** Whether it answers within `ms`. */
  async isReady(ms: number): Promise<boolean> {
    const isThere = await new Promise<boolean>((resolve) => {
      this.#client.waitForReady(Date.now() + ms, (error) => resolve(!error));
    });
    return isThere;
  }

  /** Calls an operation that answers once; `answer` is the name of the message it answers with. */
  async call(operation: string, request: object, answer = 'Empty'): Promise<unknown> {
    return new Promise((resolve, reject) => {
      this.#client.makeUnaryRequest(
        SERVICE + operation,
        (message: object) => encode(`${operation}Request`, message),
        (octets) => decode(answer, octets),
        request,
        { deadline: Date.now() + ANSWER_MS },
        (error, value) => (error ? reject(faultOf(operation, error)) : resolve(value)),
      );
    });
  }

  async #list<Answer>(operation: string, request: object): Promise<Answer[]> {
    const stream = this.#stream(operation, request, Date.now() + ANSWER_MS);
    const answers: Answer[] = [];
    stream.on('data', (answer: Answer) => answers.push(answer));
    return new Promise((resolve, reject) => {
      stream.on('error', (error: ServiceError) => reject(faultOf(operation, error)));
      stream.on('end', () => resolve(answers));
    });
  }

  #stream(operation: string, request: object, deadline: number): ClientReadableStream<unknown> {
    return this.#client.makeServerStreamRequest(
      SERVICE + operation,
      (message: object) => encode(`${operation}Request`, message),
      (octets) => decode(`${operation}Response`, octets),
      request,
      { deadline },
    );
  }

  /** Its neighbors, or the one of `address`. */
  async peers(address = ''): Promise<Peer[]> {
    const answers = await this.#list<{ readonly peer: Peer | null }>('ListPeer', { address });
    return answers.flatMap(({ peer }) => (peer ? [peer] : []));
  }

  /** What a neighbor announces, before any policy. */
  async announcedBy(address: string): Promise<Path[]> {
    const request = { tableType: ADJACENCY_IN, name: address, family: IPV4_UNICAST };
    type Answer = { readonly destination: { readonly paths: readonly Path[] } | null };
    const answers = await this.#list<Answer>('ListPath', request);
    return answers.flatMap(({ destination }) => destination?.paths ?? []);
  }

  /** Puts paths, so many, into its table, those with `isWithdraw` out of it. Others have their turn while very many are sent. */
  async addPaths(paths: Iterable<object>, count: number): Promise<void> {
    const operation = 'AddPathStream';
    let sending: ClientWritableStream<object> | undefined;
    let isOver = false;
    let endWait: () => void = () => undefined;
    const answer = new Promise<void>((resolve, reject) => {
      sending = this.#client.makeClientStreamRequest(
        SERVICE + operation,
        (message: object) => encode(`${operation}Request`, message),
        (octets) => decode('Empty', octets),
        { deadline: Date.now() + ANSWER_MS + count },
        (error) => {
          isOver = true;
          endWait();
          if (error) reject(faultOf(operation, error));
          else resolve();
        },
      );
    });
    // It is waited for below, when all is sent.
    answer.catch(() => undefined);
    let part: object[] = [];
    for (const path of paths) {
      if (part.push(path) < PART_PATHS) continue;
      const isFull = sending?.write({ paths: part }) === false;
      part = [];
      await new Promise<void>((resolve) => {
        endWait = resolve;
        if (isFull && !isOver) sending?.once('drain', resolve);
        else setImmediate(resolve);
      });
      if (isOver) break;
    }
    if (part.length > 0 && !isOver) sending?.write({ paths: part });
    sending?.end();
    await answer;
  }

  /** Follows sessions and announcements, from all that there is now; `onEnd` is told why there is no more. */
  watch(onEvent: (event: WatchEvent) => void, onEnd: (why: string) => void): () => void {
    const request = { peer: {}, table: { filters: [{ type: WATCH_ADJACENCY_IN, init: true }] } };
    const stream = this.#stream('WatchEvent', request, Number.POSITIVE_INFINITY);
    let isOver = false;
    const end = (why: string) => {
      if (!isOver) onEnd(why);
      isOver = true;
    };
    stream.on('data', onEvent);
    stream.on('error', (error: ServiceError) => end(faultOf('WatchEvent', error).message));
    stream.on('end', () => end('GoBGP has ended the stream of events'));
    return () => {
      isOver = true;
      stream.cancel();
    };
  }

  close(): void {
    this.#client.close();
  }
}

function faultOf(operation: string, error: ServiceError): Error {
  return new Error(`GoBGP, ${operation}: ${error.details || error.message}`);
}
