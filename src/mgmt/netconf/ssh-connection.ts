/** One SSH connection: authentication within its limits, then sessions of the subsystem netconf. */

import { timingSafeEqual } from 'node:crypto';
import type { Socket } from 'node:net';
import type { AuthContext, Connection, KeyboardAuthContext, PublicKeyAuthContext, ServerChannel, Session } from 'ssh2';
import ssh2 from 'ssh2';
import type { Log } from '../../log.ts';
import type { NetconfLimits } from '../../netconf-limits.ts';
import type { Users } from '../users.ts';
import type { Client } from './server.ts';

export interface SshConnectionParts {
  readonly socket: Socket;
  readonly source: string;
  readonly users: Users;
  readonly limits: NetconfLimits;
  readonly log: Log;
  readonly open: (client: Client) => void;
  readonly onAuthenticated: () => void;
}

const METHODS = ['publickey', 'password', 'keyboard-interactive'] as const;
/** After our farewell, until the socket is cut. */
const FAREWELL_MS = 1_000;

export class SshConnection {
  readonly #parts: SshConnectionParts;
  #connection: Connection | undefined;
  #user: string | undefined;
  #attempts = 0;
  #channels = 0;
  #timer: NodeJS.Timeout;

  constructor(parts: SshConnectionParts) {
    this.#parts = parts;
    this.#timer = setTimeout(() => this.end(), parts.limits.loginMs);
    parts.socket.on('error', () => undefined);
    parts.socket.on('close', () => clearTimeout(this.#timer));
  }

  end(): void {
    clearTimeout(this.#timer);
    this.#connection?.end();
    const { socket } = this.#parts;
    if (this.#connection) setTimeout(() => socket.destroy(), FAREWELL_MS).unref();
    else socket.destroy();
  }

  /** The peer speaks SSH. */
  attach(connection: Connection): void {
    this.#connection = connection;
    connection.on('error', () => this.end());
    connection.on('authentication', (context) => void this.#authenticate(context));
    connection.on('session', (accept) => this.#onSession(accept()));
  }

  async #authenticate(context: AuthContext): Promise<void> {
    const { username, method } = context;
    if (method !== 'none' && ++this.#attempts > this.#parts.limits.attempts) {
      this.end();
      return;
    }
    const { users, source, log } = this.#parts;
    let isAbandoned = false;
    // Another attempt came before the answers: this one is not answered (RFC 4256 §3.1, RFC 4252 §5.1).
    if (method === 'keyboard-interactive') context.once('abort', () => (isAbandoned = true));
    const isGood = await isAuthentic(users, context, source).catch((error: unknown) => {
      log.error({ error, user: username }, 'authentication could not be carried out');
      return false;
    });
    if (this.#user !== undefined || isAbandoned) return;
    if (!isGood) {
      if (method !== 'none' && !isQuery(context)) log.warn({ user: username, source, method }, 'authentication failed');
      context.reject([...METHODS]);
      return;
    }
    // A key that a client merely offers is no authentication yet (RFC 4252 §7).
    if (!isQuery(context)) {
      this.#user = username;
      this.#parts.onAuthenticated();
      this.#awaitChannel();
    }
    context.accept();
  }

  #awaitChannel(): void {
    clearTimeout(this.#timer);
    if (this.#parts.socket.destroyed) return;
    this.#timer = setTimeout(() => this.end(), this.#parts.limits.channelMs);
  }

  #onSession(session: Session): void {
    // Without a listener ssh2 refuses exec, shell, sftp and the rest by itself.
    session.on('subsystem', (accept, reject, { name }) => {
      const user = this.#user;
      if (name !== 'netconf' || user === undefined) return reject?.();
      const channel: ServerChannel = accept();
      this.#channels++;
      clearTimeout(this.#timer);
      channel.on('close', () => {
        if (--this.#channels === 0) this.#awaitChannel();
      });
      // Without a status OpenSSH's client ends as if something had gone wrong (RFC 4254 §6.10).
      const farewell = () => channel.exit(0);
      this.#parts.open({ transport: channel, farewell, user, kind: 'netconf-ssh', source: this.#parts.source });
    });
  }
}

function isQuery(context: AuthContext): boolean {
  return context.method === 'publickey' && !context.signature;
}

async function isAuthentic(users: Users, context: AuthContext, source: string): Promise<boolean> {
  const { username } = context;
  if (context.method === 'password') return users.verifyPassword(username, context.password, source);
  if (context.method === 'keyboard-interactive') {
    const password = await askedPassword(context);
    return password !== undefined && users.verifyPassword(username, password, source);
  }
  return context.method === 'publickey' ? isKeyAuthentic(users, context) : false;
}

/** What is answered to the one question for a password (RFC 4256 §3.2, §3.4); undefined when it is not one answer. */
function askedPassword(context: KeyboardAuthContext): Promise<string | undefined> {
  return new Promise((resolve) => {
    const prompt = { prompt: 'Password: ', echo: false };
    context.prompt([prompt], (answers) => {
      // ssh2 has an error here when the attempt is abandoned.
      const [password, more] = Array.isArray(answers) ? answers : [];
      resolve(more === undefined ? password : undefined);
    });
  });
}

/** A public key of the user, and the signature over it once the client sends one (RFC 4252 §7). */
function isKeyAuthentic(users: Users, context: PublicKeyAuthContext): boolean {
  const { data } = context.key;
  const isKnown = users
    .authorizedKeys(context.username)
    .some((key) => key.data.length === data.length && timingSafeEqual(key.data, data));
  if (!isKnown) return false;
  if (!context.signature || !context.blob) return !context.signature;
  const key = ssh2.utils.parseKey(data);
  if (key instanceof Error) return false;
  const [parsed] = Array.isArray(key) ? key : [key];
  return parsed?.verify(context.blob, context.signature, context.hashAlgo) === true;
}
