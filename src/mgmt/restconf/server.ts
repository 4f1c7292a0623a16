/**
 * RESTCONF over HTTPS (RFC 8040): HTTP/1.1 and HTTP/2 on one TLS port. fastify is the plumbing; it never sees a path,
 * since routers decode `%2F` too early. A request goes this way:
 *
 *   1. who it is                       client-certificates.ts, authentication.ts
 *   2. request line to one value        request.ts
 *   3. body, within limits              incoming-body.ts
 *   4. the handler of its kind          read, edit, invoke, discovery
 *   5. the reply, or the errors body    reply.ts, send.ts
 */

import type { IncomingMessage } from 'node:http';
import type { Http2SecureServer, Http2ServerRequest } from 'node:http2';
import type { Readable } from 'node:stream';
import { fastify } from 'fastify';
import type { Log } from '../../log.ts';
import type { RestconfLimits } from '../../restconf-limits.ts';
import type { Caller } from '../../state/request.ts';
import type { CertificateUsers } from '../certificate-users.ts';
import { TLS_SUITES } from '../tls-suites.ts';
import type { PasswordUsers, RouteSourceUsers } from './authentication.ts';
import { authenticate, firstOf, identifyRouteSource, nameIn } from './authentication.ts';
import type { RestconfOperations } from './backend.ts';
import type { LongBody } from './body.ts';
import { longBody } from './body.ts';
import { ClientCertificates } from './client-certificates.ts';
import { Connections } from './connections.ts';
import { apiResource, hostMeta, moduleText, operationsResource, yangLibraryVersion } from './discovery.ts';
import { openSubscription } from './dynamic-subscription.ts';
import { Editor } from './edit.ts';
import { OpenStreams } from './event-stream.ts';
import { RestconfFault } from './fault.ts';
import { takeBody } from './incoming-body.ts';
import { invoke } from './invoke.ts';
import { LIMITS } from './limits.ts';
import type { Headers } from './media.ts';
import { errorEncoding } from './media.ts';
import { isHttp2, requireSound } from './message-rules.ts';
import { openApi } from './openapi.ts';
import { readResource } from './read.ts';
import { refuseConnection } from './refusals.ts';
import type { Reply } from './reply.ts';
import { errorReply, statusOf, toManagementError } from './reply.ts';
import type { Conditions, RestconfRequest } from './request.ts';
import { HOST_META, isOperationPath, optionsHeaders, parseRequest, splitTarget, WITH_BODY } from './request.ts';
import type { Sender } from './send.ts';
import { send } from './send.ts';
import type { TaggedText } from './text-reply.ts';
import { taggedInSlices, textReply } from './text-reply.ts';
import { UserStreams } from './user-streams.ts';
import { yangPatch } from './yang-patch.ts';

/** The operation of route sources, who are let in nowhere else. */
const ADVERTISEMENT = 'gi-4over6:advertise-routes';

export interface RestconfOptions {
  readonly operations: RestconfOperations;
  readonly users: PasswordUsers;
  /** Where there are authorities for client certificates. */
  readonly certificateUsers?: CertificateUsers | undefined;
  /** Clients that may advertise routes, and nothing else. */
  readonly routeSources: RouteSourceUsers;
  /** PEM. */
  readonly key: string | Buffer;
  readonly cert: string | Buffer;
  /** Addresses to listen on. */
  readonly hosts: readonly string[];
  /** 0 for any; then one host only. */
  readonly port: number;
  readonly limits: RestconfLimits;
  readonly log: Log;
}

export interface RestconfServer {
  readonly port: number;
  /** The configuration changed: ends event streams and subscriptions of those who are no users any more. */
  usersChanged(): void;
  close(): Promise<void>;
}

type Listening = Omit<RestconfServer, 'usersChanged'>;

/** @throws Error with code (EADDRINUSE, EACCES, ...) and what to do when the port cannot be opened */
export async function startRestconf(options: RestconfOptions): Promise<RestconfServer> {
  const face = new RestconfFace(options);
  const servers: Listening[] = [];
  try {
    for (const host of options.hosts) servers.push(await listen(options, face, host));
  } catch (error) {
    face.connections.destroyAll();
    await Promise.all(servers.map((server) => server.close()));
    throw error;
  }
  return {
    port: servers[0]?.port ?? options.port,
    usersChanged: () => face.usersChanged(),
    close: async () => {
      face.connections.destroyAll();
      await Promise.all(servers.map((server) => server.close()));
    },
  };
}

async function listen(options: RestconfOptions, face: RestconfFace, host: string): Promise<Listening> {
  const { key, cert, port, limits } = options;
  const https = {
    allowHTTP1: true,
    key,
    cert,
    ...TLS_SUITES,
    ...face.certificates?.tlsOptions,
    handshakeTimeout: Math.min(LIMITS.headerMs, limits.firstRequestMs),
    settings: { maxConcurrentStreams: LIMITS.streams, maxHeaderListSize: LIMITS.parsedListOctets },
    maxHeaderListPairs: LIMITS.parsedFields,
  };
  // Who waits for events hears of them at each keep-alive; idleness between requests is seen to by `Connections`.
  const silenceMs = Math.max(limits.idleMs, 3 * LIMITS.keepAliveMs);
  const app = fastify({
    http2: true,
    https,
    http2SessionTimeout: silenceMs,
    connectionTimeout: silenceMs,
    bodyLimit: LIMITS.bodyOctets,
    rewriteUrl: () => '/',
    clientErrorHandler: refuseConnection,
    exposeHeadRoutes: false,
  });
  face.connections.watch(app.server);
  app.removeAllContentTypeParsers();
  app.addContentTypeParser('*', (request: Incoming, payload: Readable) => face.takeBody(request, payload));
  app.setErrorHandler((error, request, reply) => {
    // HTTP/2 has no such header field (RFC 9113 §8.2.2); fastify sets it with 413.
    if (isHttp2(request.raw)) reply.removeHeader('connection');
    if (isUnknownMethod(error)) return face.readOrRefuse(request, reply);
    return send(reply, face.refuse(error, request));
  });
  // Without a body there is nothing to do between admission and answer, and without a promise a small answer costs less.
  app.route({ method: BODILESS, url: '/', handler: (request, reply) => face.read(request, reply) });
  // Methods that it knows but has no route for; those of HTTP/2 that it does not know come to the error handler.
  app.setNotFoundHandler((request, reply) => face.read(request, reply));
  app.route({
    method: app.supportedMethods.filter((method) => !BODILESS.includes(method)),
    url: '/',
    onRequest: (request) => face.admit(request),
    handler: async (request, reply) => send(reply, await face.answer(request)),
  });
  try {
    await app.listen({ host, port });
  } catch (error) {
    await app.close();
    const code = error instanceof Error && 'code' in error ? String(error.code) : '';
    const hint =
      code === 'EADDRINUSE'
        ? 'the port is taken: stop the other program or choose another with --restconf-port'
        : 'see cause';
    throw Object.assign(
      new Error(`RESTCONF cannot listen on ${host} port ${port} (${code}): ${hint}`, { cause: error }),
      { code },
    );
  }
  return {
    port: portOf(app.server.address()) ?? port,
    close: () => app.close(),
  };
}

function portOf(address: ReturnType<Http2SecureServer['address']>): number | undefined {
  return address === null || typeof address === 'string' ? undefined : address.port;
}

/** The part of fastify's request that is needed, whatever the HTTP version. */
interface Incoming {
  readonly method: string;
  /** Path and query as they came. */
  readonly originalUrl: string;
  readonly headers: Headers;
  readonly ip: string;
  readonly raw: IncomingMessage | Http2ServerRequest;
}

interface Admitted {
  readonly caller: Caller;
  readonly value: RestconfRequest;
  /** When one came. */
  readonly body?: Uint8Array | LongBody;
}

/** Requests to replies. */
class RestconfFace {
  readonly certificates: ClientCertificates | undefined;
  readonly connections: Connections;
  readonly #options: RestconfOptions;
  readonly #editor: Editor;
  readonly #streams: OpenStreams;
  readonly #endless = new UserStreams();
  /** Made when it is asked for. */
  #openApi: Promise<TaggedText> | undefined;
  readonly #admitted = new WeakMap<Incoming, Admitted>();

  constructor(options: RestconfOptions) {
    this.#options = options;
    const { certificateUsers } = options;
    this.connections = new Connections(options.limits, options.log);
    this.certificates = certificateUsers && new ClientCertificates(certificateUsers);
    this.#editor = new Editor(options.operations);
    this.#streams = new OpenStreams(options.operations);
  }

  /** Before the body is read: who it is and what is wanted. */
  async admit(request: Incoming): Promise<void> {
    this.#requireSound(request);
    const admitted = this.#admit(request, await this.#callerOf(request));
    this.#admitted.set(request, admitted);
  }

  /**
   * What stands behind a message whose end may be read otherwise is no request, though it was parsed: at once, since that is not waited for.
   * @throws RestconfFault as requireSound
   */
  #requireSound({ raw, originalUrl }: Incoming): void {
    this.connections.requireGoing(raw);
    try {
      requireSound(raw, originalUrl);
    } catch (error) {
      if (error instanceof RestconfFault && error.headers.connection === 'close') this.connections.stop(raw);
      throw error;
    }
  }

  #callerOf({ originalUrl, raw, method, headers, ip }: Incoming): Caller | Promise<Caller> {
    const { path } = splitTarget(originalUrl);
    if (path === HOST_META) return { user: '', session: 0, face: 'restconf', source: ip };
    const asUser = () => this.#userOf(raw, headers, ip);
    if (!isOperationPath(path, ADVERTISEMENT)) return asUser();
    const asSource = () => this.#routeSourceOf(raw, headers, ip);
    const { users, routeSources } = this.#options;
    // A certificate decides, whatever name comes with it.
    const name = this.certificates?.isShownOn(raw) ? '' : nameIn(headers);
    // A name is tried where it stands, or a source with an old password would be slowed as a user, too.
    const [isUser, isSource] = [users.exists(name), routeSources.exists(name)];
    const isUnknown = name !== '' && !isUser && !isSource;
    if (isSource !== isUser || isUnknown) return isSource || (isUnknown && method === 'POST') ? asSource() : asUser();
    return method === 'POST' ? firstOf(asSource, asUser) : firstOf(asUser, asSource);
  }

  #userOf(raw: Incoming['raw'], headers: Headers, ip: string): Caller | Promise<Caller> {
    const user = this.certificates?.userOf(raw);
    if (user === undefined) return authenticate(this.#options.users, headers, ip);
    return { user, session: 0, face: 'restconf', source: ip };
  }

  async #routeSourceOf(raw: Incoming['raw'], headers: Headers, ip: string): Promise<Caller> {
    const { routeSources } = this.#options;
    const certified = this.certificates?.routeSourceOf(raw, (fingerprint) => routeSources.certified(fingerprint));
    return identifyRouteSource(routeSources, certified, headers, ip);
  }

  #admit({ method, originalUrl, headers, raw }: Incoming, caller: Caller): Admitted {
    if (caller.user !== '') this.connections.authenticated(raw);
    const { schema, check } = this.#options.operations;
    return { caller, value: parseRequest(method, originalUrl, headers, schema, check) };
  }

  /** A request without a body, from its beginning to its end; what comes back is for fastify. */
  read(request: Incoming, reply: Sender): unknown {
    this.#requireSound(request);
    const caller = this.#callerOf(request);
    return caller instanceof Promise
      ? caller.then((known) => this.#read(request, known, reply))
      : this.#read(request, caller, reply);
  }

  /** The same where nobody waits for what is thrown. */
  async readOrRefuse(request: Incoming, reply: Sender): Promise<unknown> {
    try {
      return await this.read(request, reply);
    } catch (error) {
      return send(reply, this.refuse(error, request));
    }
  }

  #read(request: Incoming, caller: Caller, reply: Sender): unknown {
    const answer = this.#handle(this.#admit(request, caller));
    return answer instanceof Promise
      ? answer.then((value) => send(reply, shaped(request, value)))
      : send(reply, shaped(request, answer));
  }

  /** A long body of configuration is read while it comes. */
  async takeBody(request: Incoming, payload: Readable): Promise<void> {
    const contentLength = Number(request.headers['content-length']);
    const admitted = this.#admitted.get(request);
    const { resource, bodyEncoding, isYangPatch = false } = admitted?.value ?? {};
    const isLong = resource?.kind === 'data' && bodyEncoding !== undefined && !isYangPatch;
    const long = isLong ? { long: () => longBody(bodyEncoding) } : {};
    const isShort = isYangPatch || admitted?.caller.isRouteSource;
    const limit = isShort ? LIMITS.patchOctets : LIMITS.bodyOctets;
    const timeMs = this.#options.limits.requestMs;
    const hold = (giveUp: () => void) => this.connections.hold(request.raw, giveUp);
    const body = await takeBody(payload, { limit, contentLength, timeMs, hold, ...long });
    if (admitted) this.#admitted.set(request, { ...admitted, body });
  }

  async answer(request: Incoming): Promise<Reply> {
    if (this.#hasUnannouncedBody(request)) await this.takeBody(request, request.raw);
    const admitted = this.#admitted.get(request);
    if (!admitted) throw new Error('a request is answered that was not admitted');
    return this.#handle(admitted);
  }

  /** Over HTTP/2 fastify sees none where neither type nor length is said; what makes no use of a body does not wait for it. */
  #hasUnannouncedBody(request: Incoming): boolean {
    const { raw, method } = request;
    const isTaken = this.#admitted.get(request)?.body !== undefined || !WITH_BODY.includes(method);
    return !isTaken && 'stream' in raw && !raw.stream.endAfterHeaders;
  }

  #handle({ caller, value, body = new Uint8Array() }: Admitted): Reply | Promise<Reply> {
    const { resource, method, replyEncoding } = value;
    const { operations } = this.#options;
    if (method === 'OPTIONS') return { status: 200, headers: optionsHeaders(resource) };
    switch (resource.kind) {
      case 'api':
        return apiResource(replyEncoding);
      case 'yang-library-version':
        return yangLibraryVersion(replyEncoding);
      case 'host-meta':
        return hostMeta();
      case 'module':
        return moduleText(operations, caller, resource, value.conditions);
      case 'openapi':
        return this.#describe(value.conditions);
      case 'operations':
        return operationsResource(replyEncoding, operations.schema);
      case 'stream':
        if (method === 'HEAD') return this.#streams.describe(value.streamQuery ?? {});
        return this.#endless.note(caller, this.#streams.open(caller, resource.encoding, value.streamQuery ?? {}));
      case 'subscription':
        return this.#endless.note(caller, openSubscription(operations, caller, value));
      case 'operation':
        return invoke(operations, caller, value, resource.schema, [], body);
      case 'action':
        return invoke(operations, caller, value, resource.schema, resource.steps, body);
      default:
        if (method === 'GET' || method === 'HEAD') return readResource(operations, caller, value);
        if (value.isYangPatch) return yangPatch(operations, caller, value, body);
        return this.#editor.edit(caller, value, body);
    }
  }

  async #describe(conditions: Conditions): Promise<Reply> {
    this.#openApi ??= taggedInSlices(openApi(this.#options.operations.schema));
    return textReply(conditions, await this.#openApi, 'application/json');
  }

  usersChanged(): void {
    const { users, operations } = this.#options;
    const isUser = (user: string) => users.exists(user);
    operations.subscriptions.keepUsers(isUser);
    this.#endless.keepUsers(isUser);
  }

  /** The reply to anything thrown on the way. */
  refuse(thrown: unknown, request: Incoming): Reply {
    const error = toManagementError(thrown);
    const { log, operations } = this.#options;
    if (error !== thrown && statusOf(error) === 500) log.error({ err: thrown }, 'RESTCONF request failed');
    const reply = shaped(request, errorReply(error, errorEncoding(request.headers), operations.schema));
    if (!isHttp2(request.raw)) return reply;
    // HTTP/2 has no such header field (RFC 9113 §8.2.2).
    const { connection: _, ...headers } = reply.headers;
    return { ...reply, headers };
  }
}

const BODILESS = ['GET', 'HEAD'];

/** What fastify says of a method that is none of its own. */
function isUnknownMethod(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'FST_ERR_NOT_FOUND';
}

/** Without its body for HEAD. */
function shaped({ method }: Incoming, reply: Reply): Reply {
  if (method !== 'HEAD') return reply;
  const { status, headers, close } = reply;
  close?.();
  return { status, headers };
}
