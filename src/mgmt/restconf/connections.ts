/**
 * The connections of the HTTPS server, of both versions of HTTP, from TCP's accept on: how many there may be, and how long each may keep
 * us waiting. Who has no request by a user behind him is held shortest and counted apart, so that silence costs an outsider more than us.
 *
 *   1. accepted       a place is free, or one is made where another source has more than this one would have
 *   2. first header   within first-request-ms; the TLS handshake is in it
 *   3. authenticated  a request by a user, within login-ms
 *   4. from then on   idle-ms without a request ends it, and so does a client that takes nothing of what is on its way to it, or is gone
 */

import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Http2SecureServer, Http2ServerRequest, Http2ServerResponse, ServerHttp2Session } from 'node:http2';
import { constants } from 'node:http2';
import type { Socket } from 'node:net';
import type { TLSSocket } from 'node:tls';
import type { Log } from '../../log.ts';
import type { RestconfLimits } from '../../restconf-limits.ts';
import { sourceGroup } from '../source-group.ts';
import { RestconfFault } from './fault.ts';
import { GivenUpSession } from './given-up-session.ts';
import type { HeldBody } from './held-bodies.ts';
import { HeldBodies } from './held-bodies.ts';
import { LIMITS } from './limits.ts';
import { refuseExpectation, refuseTunnel } from './refusals.ts';
import { UnreadSocket, UnreadStreams } from './unread.ts';

/** How often times are looked at, at the most and at the least. */
const SWEEP_MS = { shortest: 10, longest: 500 };
/** Between two lines of the log about connections that found no place. */
const TELL_MS = 60_000;
/** What is refused in words has so much more time than what is cut off. */
const GRACE_MS = 2_000;
/** The body of a request that is answered may go on for so long: an answer has left by then. */
const LINGER_MS = 200;

export interface Connection {
  readonly source: string;
  readonly socket: Socket;
  readonly begunMs: number;
  readonly unread: UnreadSocket;
  /** Of HTTP/2, whose requests are not answered to their end. */
  readonly streams: UnreadStreams;
  /** Bodies of requests that are not answered: of those that wait behind each other over HTTP/1.1 not all are told of its end. */
  readonly held: Set<HeldBody>;
  /** The TLS on it. */
  tls?: TLSSocket;
  session?: ServerHttp2Session;
  givenUp?: GivenUpSession;
  hasRequested: boolean;
  isAuthenticated: boolean;
  isStopped: boolean;
  /** Requests that are not answered to their end. */
  running: number;
  /** When it was last busy. */
  busyMs: number;
}

type Request = IncomingMessage | Http2ServerRequest;

export class Connections {
  readonly #bodies: HeldBodies;
  readonly #limits: RestconfLimits;
  readonly #unreadMs: number;
  readonly #log: Log;
  readonly #open = new Set<Connection>();
  /** By the addresses of both ends, until TLS and HTTP are known. */
  readonly #byAddress = new Map<string, Connection>();
  /** By TLS socket, and by session of HTTP/2. */
  readonly #known = new WeakMap<object, Connection>();
  readonly #held = new WeakMap<Request, HeldBody>();
  /** Requests whose client sends the body when it is told to, or when it is tired of waiting. */
  readonly #expectant = new WeakMap<Request, Http2ServerResponse | ServerResponse>();
  readonly #sweep: NodeJS.Timeout;
  #refused = 0;
  #displaced = 0;
  #toldMs = -TELL_MS;

  /** `unreadMs`: for how long a client may take nothing of what is on its way to it. */
  constructor(limits: RestconfLimits, log: Log, unreadMs: number = LIMITS.unreadMs) {
    this.#limits = limits;
    this.#unreadMs = unreadMs;
    this.#log = log;
    this.#bodies = new HeldBodies(limits);
    const quarter = Math.min(limits.firstRequestMs, limits.loginMs, limits.idleMs, unreadMs) / 4;
    const everyMs = Math.max(SWEEP_MS.shortest, Math.min(SWEEP_MS.longest, quarter));
    this.#sweep = setInterval(() => this.#endOverdue(performance.now()), everyMs);
    this.#sweep.unref();
  }

  /** Takes a server's connections under its limits. */
  watch(server: Http2SecureServer): void {
    const { firstRequestMs, requestMs } = this.#limits;
    // Properties of the HTTP/1.1 side, which the server takes over when it begins to listen.
    Object.assign(server, {
      headersTimeout: Math.min(LIMITS.headerMs, firstRequestMs, requestMs),
      requestTimeout: requestMs + GRACE_MS,
      connectionsCheckingInterval: 1000,
      maxHeaderSize: LIMITS.parsedOctets,
    });
    server.on('checkExpectation', refuseExpectation);
    server.on('connect', refuseTunnel);
    server.on('checkContinue', (request: Request, response: Http2ServerResponse | ServerResponse) => {
      this.#expectant.set(request, response);
      server.emit('request', request, response);
    });
    server.on('connection', (socket: Socket) => this.#accept(socket));
    server.prependListener('secureConnection', (socket: TLSSocket) => {
      const connection = this.#know(socket, socket);
      if (connection) connection.tls = socket;
    });
    server.on('session', (session) => {
      const connection = this.#know(session, session.socket);
      if (connection) this.#watchSession(connection, session);
      // Node 20 loses the error of a write to a connection that was reset below HTTP/2; silence is all that is left to see.
      session.once('timeout', () => session.destroy());
    });
    server.prependListener('request', (request: Request, response: Http2ServerResponse | ServerResponse) => {
      this.#begin(request, response);
    });
  }

  /** That of a request; undefined when it has ended. */
  of(request: Request): Connection | undefined {
    const session = 'stream' in request ? request.stream.session : undefined;
    return this.#known.get(session ?? request.socket);
  }

  /** A request came from a user, or from whoever else is let in. */
  authenticated(request: Request): void {
    const connection = this.of(request);
    if (connection) connection.isAuthenticated = true;
  }

  /** From here on nothing of this connection is a request. */
  stop(request: Request): void {
    const connection = this.of(request);
    if (connection) connection.isStopped = true;
  }

  /** @throws RestconfFault 400 when the connection of the request was stopped before it */
  requireGoing(request: Request): void {
    if (!this.of(request)?.isStopped) return;
    const message = 'the request before this one has no certain end';
    throw new RestconfFault(400, 'malformed-message', { type: 'transport', message }, { connection: 'close' });
  }

  /**
   * From here on the body of a request is taken, and its client told so who waits for that (RFC 9110 §10.1.1); what it takes until the
   * request is answered is counted, see HeldBodies.
   */
  hold(request: Request, giveUp: () => void): HeldBody {
    this.#expectant.get(request)?.writeContinue();
    const connection = this.of(request);
    const held = this.#bodies.join(connection ?? request, connection?.source ?? '', giveUp);
    this.#held.set(request, held);
    connection?.held.add(held);
    return held;
  }

  destroyAll(): void {
    clearInterval(this.#sweep);
    for (const connection of [...this.#open]) this.#end(connection);
  }

  #accept(socket: Socket): void {
    const { remoteAddress } = socket;
    // It has gone already.
    if (remoteAddress === undefined) return void socket.destroy();
    const source = sourceGroup(remoteAddress);
    if (!this.#makesRoom(source)) {
      this.#refused++;
      this.#tell(source);
      return void socket.destroy();
    }
    // A client that vanished says nothing: as long as nothing is on its way to it, the system finds that out.
    socket.setKeepAlive(true, LIMITS.probeMs);
    const now = performance.now();
    const state = { hasRequested: false, isAuthenticated: false, isStopped: false, running: 0, busyMs: now };
    const watches = { unread: new UnreadSocket(socket), streams: new UnreadStreams() };
    const connection: Connection = { source, socket, begunMs: now, held: new Set(), ...watches, ...state };
    const address = addressOf(socket);
    this.#open.add(connection);
    this.#byAddress.set(address, connection);
    socket.once('close', () => {
      this.#open.delete(connection);
      for (const held of connection.held) held.end();
      if (this.#byAddress.get(address) === connection) this.#byAddress.delete(address);
    });
  }

  /** Whether there is a place for one more from this source, which may take that of a connection that does nothing. */
  #makesRoom(source: string): boolean {
    const { connections, connectionsPerSource, unauthenticated, unauthenticatedPerSource } = this.#limits;
    const all = [...this.#open];
    const waiting = all.filter(({ isAuthenticated }) => !isAuthenticated);
    const own = countOf(all, source);
    if (own >= connectionsPerSource || countOf(waiting, source) >= unauthenticatedPerSource) return false;
    const lasts = waiting.length < unauthenticated ? undefined : leastNeeded(waiting, source);
    if (waiting.length >= unauthenticated && !lasts) return false;
    const left = all.filter((connection) => connection !== lasts);
    const idle = left.length < connections ? undefined : leastNeeded(left, source);
    if (left.length >= connections && !idle) return false;
    for (const connection of [lasts, idle]) {
      if (!connection) continue;
      this.#displaced++;
      this.#tell(connection.source);
      this.#end(connection);
    }
    return true;
  }

  #know(key: object, socket: Socket): Connection | undefined {
    const connection = this.#byAddress.get(addressOf(socket));
    if (connection) this.#known.set(key, connection);
    else socket.destroy();
    return connection;
  }

  #watchSession(connection: Connection, session: ServerHttp2Session): void {
    connection.session = session;
    if (connection.tls) connection.givenUp = new GivenUpSession(session, connection.tls, this.#unreadMs);
  }

  #begin(request: Request, response: Http2ServerResponse | ServerResponse): void {
    const connection = this.of(request);
    if (connection) {
      connection.hasRequested = true;
      connection.running++;
    }
    response.once('close', () => this.#answered(request, connection));
    if (!('stream' in request)) return;
    connection?.streams.add(request.stream);
    if (!request.stream.endAfterHeaders) this.#limitBody(request.stream);
  }

  #answered(request: Request, connection: Connection | undefined): void {
    const held = this.#held.get(request);
    if (held) {
      held.end();
      connection?.held.delete(held);
    }
    if (!connection) return;
    connection.running--;
    connection.busyMs = performance.now();
    if ('stream' in request) connection.streams.delete(request.stream);
  }

  /** A stream of HTTP/2 whose body does not end, or is not wanted any more (RFC 9113 §8.1). */
  #limitBody(stream: Http2ServerRequest['stream']): void {
    const late = () => stream.close(constants.NGHTTP2_CANCEL);
    const timer = setTimeout(late, this.#limits.requestMs + GRACE_MS);
    const stop = () => clearTimeout(timer);
    stream.once('end', stop).once('close', stop);
    // That of the response comes when the stream is closed. An end at once would go out before a short answer.
    stream.once('finish', () => {
      const rest = setTimeout(() => stream.close(constants.NGHTTP2_NO_ERROR), LINGER_MS);
      stream.once('end', () => clearTimeout(rest)).once('close', () => clearTimeout(rest));
      if (stream.readableEnded || stream.destroyed) clearTimeout(rest);
    });
  }

  #endOverdue(now: number): void {
    const { firstRequestMs, loginMs, idleMs } = this.#limits;
    for (const connection of [...this.#open]) {
      const { hasRequested, isAuthenticated, running, begunMs, busyMs } = connection;
      const isLate = !isAuthenticated && now - begunMs > (hasRequested ? loginMs : firstRequestMs);
      const isIdle = running === 0 && now - busyMs > idleMs;
      const isUnread = connection.unread.lasts(now) > this.#unreadMs;
      if (isLate || isIdle || isUnread || connection.givenUp?.look(now)) this.#end(connection);
      else connection.streams.endOverdue(now, this.#unreadMs);
    }
  }

  /** Without ceremony: whoever is slow to take an end would keep the place. */
  #end(connection: Connection): void {
    this.#open.delete(connection);
    connection.session?.destroy();
    connection.socket.destroy();
  }

  #tell(source: string): void {
    const now = performance.now();
    if (now - this.#toldMs < TELL_MS) return;
    this.#toldMs = now;
    const counts = { source, refused: this.#refused, displaced: this.#displaced, open: this.#open.size };
    this.#log.warn(counts, 'RESTCONF connections are at a limit of docs/limits.md');
  }
}

/** Both ends, which no two connections have alike. */
function addressOf({ remoteAddress, remotePort, localAddress, localPort }: Socket): string {
  return `${remoteAddress} ${remotePort} ${localAddress} ${localPort}`;
}

function countOf(connections: readonly Connection[], source: string): number {
  return connections.filter((connection) => connection.source === source).length;
}

/**
 * The connection that gives up its place to one more of `source`: one that does nothing, of the source that has most, which keeps more
 * than the other then has; undefined when there is none.
 */
function leastNeeded(connections: readonly Connection[], source: string): Connection | undefined {
  const counts = new Map<string, number>();
  for (const connection of connections) counts.set(connection.source, (counts.get(connection.source) ?? 0) + 1);
  const own = counts.get(source) ?? 0;
  const rank = ({ isAuthenticated, running, busyMs }: Connection) =>
    [isAuthenticated ? 1 : 0, running > 0 ? 1 : 0, busyMs] as const;
  let least: Connection | undefined;
  for (const connection of connections) {
    const count = counts.get(connection.source) ?? 0;
    if (count <= own + 1 || (connection.isAuthenticated && connection.running > 0)) continue;
    const most = least === undefined ? 0 : (counts.get(least.source) ?? 0);
    if (!least || count > most || (count === most && isBefore(rank(connection), rank(least)))) least = connection;
  }
  return least;
}

function isBefore(one: readonly number[], other: readonly number[]): boolean {
  const at = one.findIndex((value, index) => value !== other[index]);
  return at >= 0 && (one[at] ?? 0) < (other[at] ?? 0);
}
