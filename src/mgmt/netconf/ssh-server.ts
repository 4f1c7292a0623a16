/** NETCONF over SSH (RFC 6242): the subsystem netconf and nothing else; passwords and public keys of our own users. */

import type { Server, Socket } from 'node:net';
import { createServer } from 'node:net';
import ssh2 from 'ssh2';
import type { Log } from '../../log.ts';
import type { NetconfLimits } from '../../netconf-limits.ts';
import type { Users } from '../users.ts';
import type { Client, NetconfOptions } from './server.ts';
import { SshConnection } from './ssh-connection.ts';

interface SshOptions extends Pick<NetconfOptions, 'users' | 'hostKey' | 'hosts' | 'port' | 'limits' | 'log'> {
  readonly open: (client: Client) => void;
}

/** @throws Error with code EADDRINUSE or EACCES and a sentence when it cannot listen */
export async function listenSsh(options: SshOptions): Promise<{ port: number; close(): Promise<void> }> {
  const { hosts, users, limits, log, open, hostKey } = options;
  const listeners: SshListener[] = [];
  const close = async () => {
    await Promise.all(listeners.map((listener) => listener.close()));
  };
  let { port } = options;
  try {
    for (const host of hosts) {
      const listener = new SshListener({ users, limits, log, open, hostKey });
      port = await listener.listen(host, port);
      listeners.push(listener);
    }
  } catch (error) {
    await close();
    throw error;
  }
  return { port, close };
}

interface ListenerParts {
  readonly users: Users;
  readonly limits: NetconfLimits;
  readonly log: Log;
  readonly hostKey: Buffer;
  readonly open: (client: Client) => void;
}

/**
 * One address. The TCP sockets are ours and ssh2 gets them handed over, so that a connection that never says a word of
 * SSH is counted and ended as well.
 */
class SshListener {
  readonly #parts: ListenerParts;
  readonly #ssh: ssh2.Server;
  readonly #tcp: Server;
  /** By address and port of the peer. */
  readonly #connections = new Map<string, SshConnection>();

  constructor(parts: ListenerParts) {
    this.#parts = parts;
    this.#ssh = new ssh2.Server({ hostKeys: [parts.hostKey], ident: 'gi4over6' }, (connection, { ip, port }) => {
      this.#connections.get(`${ip} ${port}`)?.attach(connection);
    });
    this.#tcp = createServer((socket) => this.#onSocket(socket));
  }

  listen(host: string, port: number): Promise<number> {
    return new Promise((resolve, reject) => {
      this.#tcp.once('error', (error: NodeJS.ErrnoException) => reject(listenError(error, host, port)));
      this.#tcp.listen(port, host, () => {
        const address = this.#tcp.address();
        resolve(typeof address === 'object' && address !== null ? address.port : port);
      });
    });
  }

  async close(): Promise<void> {
    const closed = new Promise<void>((resolve) => this.#tcp.close(() => resolve()));
    for (const connection of this.#connections.values()) connection.end();
    await closed;
  }

  #onSocket(socket: Socket): void {
    const { remoteAddress: source, remotePort } = socket;
    if (source === undefined || this.#isCrowded(source)) {
      socket.destroy();
      return;
    }
    const { users, limits, log, open } = this.#parts;
    const key = `${source} ${remotePort}`;
    this.#connections.set(key, new SshConnection({ socket, source, users, limits, log, open }));
    socket.on('close', () => this.#connections.delete(key));
    // Without it a reply waits 40 ms.
    socket.setNoDelay(true);
    this.#ssh.injectSocket(socket);
  }

  #isCrowded(source: string): boolean {
    const pending = [...this.#connections.values()].filter(({ isAuthenticated }) => !isAuthenticated);
    const { unauthenticated, unauthenticatedPerSource } = this.#parts.limits;
    return (
      pending.length >= unauthenticated ||
      pending.filter((connection) => connection.source === source).length >= unauthenticatedPerSource
    );
  }
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
