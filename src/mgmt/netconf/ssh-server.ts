/** NETCONF over SSH (RFC 6242): the subsystem netconf and nothing else; passwords and public keys of our own users. */

import type { Socket } from 'node:net';
import ssh2 from 'ssh2';
import type { Log } from '../../log.ts';
import type { NetconfLimits } from '../../netconf-limits.ts';
import type { Users } from '../users.ts';
import type { Client } from './server.ts';
import { SshConnection } from './ssh-connection.ts';
import type { Unauthenticated } from './tcp-listener.ts';

export interface SshOptions {
  readonly users: Users;
  readonly limits: NetconfLimits;
  readonly log: Log;
  /** SSH host key in OpenSSH form. */
  readonly hostKey: Buffer;
  readonly unauthenticated: Unauthenticated;
  readonly open: (client: Client) => void;
}

/**
 * The SSH side of sockets, whoever opened them. The TCP sockets are ours and ssh2 gets them handed over, so that a connection
 * that never says a word of SSH is counted and ended as well.
 */
export class SshFront {
  readonly #options: SshOptions;
  readonly #accepting: ssh2.Server;
  /** Those that came, by address and port of the peer. */
  readonly #accepted = new Map<string, SshConnection>();
  readonly #connections = new Set<SshConnection>();

  constructor(options: SshOptions) {
    this.#options = options;
    this.#accepting = this.#server(({ ip, port }) => this.#accepted.get(`${ip} ${port}`));
  }

  /** A client came. */
  take(socket: Socket, source: string): void {
    const { unauthenticated } = this.#options;
    if (!unauthenticated.admit(socket, source)) {
      socket.destroy();
      return;
    }
    const key = `${source} ${socket.remotePort}`;
    this.#accepted.set(
      key,
      this.#begin(socket, source, () => unauthenticated.authenticated(socket)),
    );
    socket.on('close', () => this.#accepted.delete(key));
    this.#accepting.injectSocket(socket);
  }

  /** We went to a client, which is the SSH client all the same (RFC 8071 §3.1). Of those several may have one address and port. */
  call(socket: Socket, source: string, onAuthenticated: (stream: Socket) => void): void {
    const connection = this.#begin(socket, source, () => onAuthenticated(socket));
    this.#server(() => connection).injectSocket(socket);
  }

  close(): void {
    for (const connection of this.#connections) connection.end();
  }

  #begin(socket: Socket, source: string, onAuthenticated: () => void): SshConnection {
    const { users, limits, log, open } = this.#options;
    const connection = new SshConnection({ socket, source, users, limits, log, open, onAuthenticated });
    this.#connections.add(connection);
    socket.on('close', () => this.#connections.delete(connection));
    // Without it a reply waits 40 ms.
    socket.setNoDelay(true);
    return connection;
  }

  #server(connectionOf: (peer: { ip: string; port: number }) => SshConnection | undefined): ssh2.Server {
    return new ssh2.Server({ hostKeys: [this.#options.hostKey], ident: 'gi4over6' }, (connection, peer) => {
      connectionOf(peer)?.attach(connection);
    });
  }
}
