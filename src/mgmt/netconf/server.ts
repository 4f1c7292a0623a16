/** The NETCONF server: SSH, TLS and local sessions over one libnetconf2, a registry of them, and their limits. */

import { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import type { YangContext } from 'netconf-server';
import { NetconfServer } from 'netconf-server';
import type { Log } from '../../log.ts';
import type { NetconfLimits } from '../../netconf-limits.ts';
import { ManagementError } from '../../state/errors.ts';
import type { CertificateUsers } from '../certificate-users.ts';
import type { ConfigFiles } from '../config-files.ts';
import type { EventSources } from '../events/sources.ts';
import { RpcCounters } from '../netconf-statistics.ts';
import type { Operations } from '../operations.ts';
import type { SessionInfo } from '../state-data.ts';
import type { Users } from '../users.ts';
import { HeldMemory } from './held-memory.ts';
import { rememberGood } from './operation-check.ts';
import { GuardedSession } from './session.ts';
import { SshFront } from './ssh-server.ts';
import type { Listening } from './tcp-listener.ts';
import { listenTcp, Unauthenticated } from './tcp-listener.ts';
import { TlsFront } from './tls-server.ts';
import { listenUnix } from './unix-server.ts';

export interface NetconfOptions {
  readonly context: YangContext;
  readonly operations: Operations;
  readonly events: EventSources;
  /** Told of the capabilities that a session was greeted with. */
  readonly onCapabilities: (capabilities: readonly string[]) => void;
  readonly users: Users;
  /** SSH host key in OpenSSH form. */
  readonly hostKey: Buffer;
  /** Where there are authorities for client certificates. */
  readonly tls: TlsParts | undefined;
  readonly hosts: readonly string[];
  readonly port: number;
  readonly runDir: string;
  readonly limits: NetconfLimits;
  /** What file: URLs mean, where there are any. */
  readonly files: ConfigFiles | undefined;
  readonly log: Log;
}

export interface TlsParts {
  /** PEM. */
  readonly key: Buffer;
  readonly cert: Buffer;
  readonly certificateUsers: CertificateUsers;
  readonly port: number;
}

export interface NetconfListening {
  readonly port: number;
  /** undefined without TLS. */
  readonly tlsPort: number | undefined;
  /** Sides of a server for sockets that this device opened. */
  readonly fronts: { readonly ssh: SshFront; readonly tls: TlsFront | undefined };
  /** The configuration changed, by a request of `session`: ends the sessions of those who are no users any more. */
  usersChanged(session: number): void;
  close(): Promise<void>;
}

/** A client that is authenticated. */
export interface Client {
  readonly transport: Duplex;
  readonly farewell?: () => void;
  readonly user: string;
  readonly kind: SessionInfo['transport'];
  readonly source: string | undefined;
}

/** What the user of the local socket is called in logs and monitoring. */
const LOCAL_USER = 'root';
/** How long an RPC may wait for this thread before it is answered operation-failed. */
const PICK_UP_MS = 60_000;
/** Beside those that the library derives from modules and features (RFC 5277 §3.1, §6; RFC 8526 §3.1.1.2, RFC 5717 §2.3). */
const CAPABILITIES = [
  'urn:ietf:params:netconf:capability:notification:1.0',
  'urn:ietf:params:netconf:capability:interleave:1.0',
  'urn:ietf:params:netconf:capability:partial-lock:1.0',
  'urn:ietf:params:netconf:capability:with-operational-defaults:1.0',
];

/** RFC 6241 §8.8.4. */
const URL_CAPABILITY = 'urn:ietf:params:netconf:capability:url:1.0?scheme=file';

/** Listens; a port is the real one when 0 was asked for. @throws Error with code when a port or socket is taken */
export async function startNetconf(options: NetconfOptions): Promise<NetconfListening> {
  const { hosts, port, limits, tls } = options;
  const registry = new Sessions(options);
  const open = (client: Client) => registry.open(client);
  const unauthenticated = new Unauthenticated(limits);
  const ssh = new SshFront({ ...options, unauthenticated, open });
  const tlsFront = tls && new TlsFront({ ...options, ...tls, unauthenticated, open });
  const listeners: Listening[] = [];
  const usersChanged = (session: number) => registry.usersChanged(session);
  const close = async () => {
    const closed = Promise.all(listeners.map((listener) => listener.close()));
    ssh.close();
    tlsFront?.close();
    await closed;
    await registry.close();
  };
  try {
    const onSsh = { face: 'NETCONF', option: '--netconf-port', allowHalfOpen: false, onSocket: ssh.take.bind(ssh) };
    const sshListener = await listenTcp({ hosts, port, ...onSsh });
    listeners.push(sshListener);
    let tlsPort: number | undefined;
    if (tls && tlsFront) {
      const onTls = { face: 'NETCONF over TLS', option: '--netconf-tls-port', onSocket: tlsFront.take.bind(tlsFront) };
      const tlsListener = await listenTcp({ hosts, port: tls.port, allowHalfOpen: true, ...onTls });
      listeners.push(tlsListener);
      tlsPort = tlsListener.port;
    }
    const onUnix = (transport: Socket) => open({ transport, user: LOCAL_USER, kind: 'local', source: undefined });
    const unix = await listenUnix(options.runDir, onUnix);
    listeners.push({ port: 0, close: unix.close });
    return { port: sshListener.port, tlsPort, fronts: { ssh, tls: tlsFront }, usersChanged, close };
  } catch (error) {
    await close();
    throw error;
  }
}

interface Entry {
  readonly guard: GuardedSession;
  readonly client: Client;
}

class Sessions {
  readonly #options: NetconfOptions;
  readonly #library: NetconfServer;
  readonly #byHandle = new Map<number, Entry>();
  readonly #memory: HeldMemory;
  readonly #checkOperation: ReturnType<typeof rememberGood>;

  constructor(options: NetconfOptions) {
    this.#options = options;
    this.#memory = new HeldMemory(options.limits.heldOctets);
    this.#checkOperation = rememberGood((xml) => options.context.checkOperation(xml));
    this.#library = new NetconfServer(options.context, {
      capabilities: options.files ? [...CAPABILITIES, URL_CAPABILITY] : CAPABILITIES,
      withDefaults: { basic: 'explicit', also: ['report-all', 'report-all-tagged', 'trim'] },
      pickUpMs: PICK_UP_MS,
      onRpc: ({ session, reply }) => {
        const entry = this.#byHandle.get(session);
        if (entry) void entry.guard.onRpc(reply);
        else reply.ok();
      },
      onClosed: () => undefined,
    });
  }

  open(client: Client): void {
    const { transport, farewell, user, kind, source } = client;
    const refusal = this.#refusal(client);
    if (refusal !== undefined) {
      this.#options.log.warn({ user, source }, refusal);
      transport.destroy();
      return;
    }
    const { fd, session: handle } = this.#library.accept({ user });
    const { operations, log, events, limits, files, onCapabilities } = this.#options;
    const { statistics } = operations;
    const counters = new RpcCounters(statistics.all);
    statistics.sessions++;
    const guard = new GuardedSession({
      transport,
      farewell,
      library: new Socket({ fd, readable: true, writable: true }),
      user,
      face: kind === 'local' ? 'local' : 'netconf',
      source,
      checkOperation: this.#checkOperation,
      operations,
      limits,
      files,
      memory: this.#memory,
      log,
      counters,
      killSession: (session) => this.#kill(session, guard.sessionId),
      onOpen: (session) => {
        log.info({ session, user, source }, 'a NETCONF session has begun');
        operations.sessionStarted({ session, user, transport: kind, source, since: new Date(), counters });
        onCapabilities(operations.capabilities);
        events.sessionStarted({ session, user, source });
      },
      onEnd: (session, { reason, killedBy, session: id }) => {
        this.#byHandle.delete(handle);
        if (reason === 'bad-hello') statistics.badHellos++;
        else if (reason !== 'closed' && reason !== 'killed') statistics.dropped++;
        this.#library.terminate(handle);
        if (id !== undefined) events.sessionEnded({ session: id, user, source }, reason, killedBy);
        if (session === undefined) return;
        operations.sessionEnded(session);
        log.info({ session, user }, 'a NETCONF session has ended');
      },
    });
    this.#byHandle.set(handle, { guard, client });
  }

  /** The session that made the change itself still has its answer. */
  usersChanged(session: number): void {
    for (const { guard, client } of [...this.#byHandle.values()]) {
      if (this.#mayStay(client)) continue;
      this.#options.log.info({ user: client.user, session: guard.sessionId }, 'a NETCONF session ends with its user');
      if (guard.sessionId === session) guard.endAfterAnswer('other');
      else guard.end('other');
    }
  }

  #mayStay({ kind, user }: Client): boolean {
    return kind === 'local' || this.#options.users.exists(user);
  }

  async close(): Promise<void> {
    for (const { guard } of [...this.#byHandle.values()]) guard.end('other');
    await this.#library.close();
  }

  /** Whoever fills the sessions of the network leaves the local socket its own: it is the way to help. */
  #refusal(client: Client): string | undefined {
    const { user, source, kind } = client;
    if (!this.#mayStay(client)) return 'refused: there is no such user any more';
    const { sessions, sessionsPerUser, sessionsPerSource } = this.#options.limits;
    const clients = [...this.#byHandle.values()]
      .map((entry) => entry.client)
      .filter((other) => (other.kind === 'local') === (kind === 'local'));
    if (clients.filter((other) => other.user === user).length >= sessionsPerUser) {
      return 'refused: this user has all the sessions one user may have';
    }
    if (kind === 'local') return undefined;
    if (clients.length >= sessions) return 'refused: all sessions are taken';
    if (clients.filter((other) => other.source === source).length >= sessionsPerSource) {
      return 'refused: this source has all the sessions one source may have';
    }
    return undefined;
  }

  /** @throws ManagementError invalid-value for the own session and for one that is not there (RFC 6241 §7.9) */
  #kill(session: number, own: number | undefined): void {
    const victim = [...this.#byHandle.values()].find(({ guard }) => guard.sessionId === session)?.guard;
    if (victim && session !== own) {
      victim.end('killed', own);
      return;
    }
    const message = victim
      ? `session ${session} is this very session: use close-session`
      : `there is no session ${session}`;
    throw new ManagementError('invalid-value', { type: 'protocol', message, info: { 'bad-element': 'session-id' } });
  }
}
