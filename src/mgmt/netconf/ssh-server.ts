/** NETCONF over SSH (RFC 6242): the subsystem netconf and nothing else; passwords and public keys of our own users. */

import { timingSafeEqual } from 'node:crypto';
import type { AuthContext, Connection, PublicKeyAuthContext, ServerChannel } from 'ssh2';
import ssh2 from 'ssh2';
import type { Users } from '../users.ts';
import { NETCONF_LIMITS } from './limits.ts';
import type { Client, NetconfOptions } from './server.ts';

interface SshOptions extends Pick<NetconfOptions, 'users' | 'hostKey' | 'hosts' | 'port' | 'log'> {
  readonly open: (client: Client) => void;
}

/** @throws Error with code EADDRINUSE or EACCES and a sentence when it cannot listen */
export async function listenSsh(options: SshOptions): Promise<{ port: number; close(): Promise<void> }> {
  const servers = options.hosts.map(() => new SshListener(options));
  let { port } = options;
  for (const [index, host] of options.hosts.entries()) port = (await servers[index]?.listen(host, port)) ?? port;
  return {
    port,
    close: async () => {
      await Promise.all(servers.map((server) => server.close()));
    },
  };
}

class SshListener {
  readonly #options: SshOptions;
  readonly #server: ssh2.Server;
  readonly #connections = new Set<Connection>();
  #unauthenticated = 0;

  constructor(options: SshOptions) {
    this.#options = options;
    this.#server = new ssh2.Server({ hostKeys: [options.hostKey], ident: 'gi4over6' }, (connection, { ip }) => {
      this.#onConnection(connection, ip);
    });
  }

  listen(host: string, port: number): Promise<number> {
    return new Promise((resolve, reject) => {
      this.#server.once('error', (error: NodeJS.ErrnoException) => reject(listenError(error, host, port)));
      this.#server.listen(port, host, () => {
        const address = this.#server.address();
        resolve(typeof address === 'object' && address !== null ? address.port : port);
      });
    });
  }

  async close(): Promise<void> {
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()));
    for (const connection of this.#connections) connection.end();
    await closed;
  }

  #onConnection(connection: Connection, source: string): void {
    if (this.#unauthenticated >= NETCONF_LIMITS.unauthenticated) {
      connection.end();
      return;
    }
    this.#unauthenticated++;
    this.#connections.add(connection);
    // Without TCP_NODELAY a reply waits 40 ms; the types of ssh2 lack the method on the server's side.
    (connection as Connection & { setNoDelay(noDelay: boolean): void }).setNoDelay(true);
    let user = '';
    let attempts = 0;
    let isPending = true;
    const settle = () => {
      if (isPending) this.#unauthenticated--;
      isPending = false;
    };
    const timer = setTimeout(() => connection.end(), NETCONF_LIMITS.loginMs);
    connection.on('error', () => connection.end());
    connection.on('close', () => {
      clearTimeout(timer);
      settle();
      this.#connections.delete(connection);
    });
    connection.on('authentication', (context) => {
      if (context.method !== 'none' && ++attempts > NETCONF_LIMITS.attempts) {
        connection.end();
        return;
      }
      void authenticate(this.#options.users, context, source).then((isGood) => {
        user = context.username;
        if (isGood) context.accept();
        else context.reject(['password', 'publickey']);
      });
    });
    connection.on('ready', () => {
      clearTimeout(timer);
      settle();
    });
    connection.on('session', (accept) => {
      const session = accept();
      // Without a listener ssh2 refuses exec, shell, sftp and the rest by itself.
      session.on('subsystem', (acceptChannel, reject, { name }) => {
        if (name !== 'netconf') return reject?.();
        const channel: ServerChannel = acceptChannel();
        channel.on('close', () => connection.end());
        this.#options.open({ transport: channel, user, kind: 'netconf-ssh', source });
      });
    });
  }
}

async function authenticate(users: Users, context: AuthContext, source: string): Promise<boolean> {
  if (context.method === 'password') return users.verifyPassword(context.username, context.password, source);
  return context.method === 'publickey' ? verifyKey(users, context) : false;
}

/** A public key of the user, and the signature over it once the client sends one (RFC 4252 §7). */
function verifyKey(users: Users, context: PublicKeyAuthContext): boolean {
  const { data } = context.key;
  const isKnown = users
    .authorizedKeys(context.username)
    .some((key) => key.data.length === data.length && timingSafeEqual(key.data, data));
  if (!isKnown) return false;
  if (!context.signature || !context.blob) return true;
  const key = ssh2.utils.parseKey(data);
  if (key instanceof Error) return false;
  const [parsed] = Array.isArray(key) ? key : [key];
  return parsed?.verify(context.blob, context.signature, context.hashAlgo) === true;
}

function listenError(error: NodeJS.ErrnoException, host: string, port: number): Error {
  const why =
    error.code === 'EADDRINUSE'
      ? 'the port is taken: stop the other program or choose another with --netconf-port'
      : error.code === 'EACCES'
        ? 'a port below 1024 needs CAP_NET_BIND_SERVICE: start with gi4over6 run as root'
        : error.message;
  const message = `NETCONF cannot listen on ${host} port ${port}: ${why}`;
  return Object.assign(new Error(message, { cause: error }), { code: error.code ?? 'LISTEN' });
}
