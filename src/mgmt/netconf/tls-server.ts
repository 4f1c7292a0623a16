/**
 * NETCONF over TLS (RFC 7589): both sides show a certificate, that of the client makes its user, and the session begins at once.
 * A client without one, or with one of an authority that is not trusted here, does not get through the handshake.
 */

import { constants } from 'node:crypto';
import type { Socket } from 'node:net';
import type { Server, TLSSocket } from 'node:tls';
import { createServer } from 'node:tls';
import type { Log } from '../../log.ts';
import type { NetconfLimits } from '../../netconf-limits.ts';
import type { CertificateUsers } from '../certificate-users.ts';
import { TLS_SUITES } from '../tls-suites.ts';
import type { Client } from './server.ts';
import type { Unauthenticated } from './tcp-listener.ts';

export interface TlsOptions {
  /** PEM, of this device. */
  readonly key: Buffer;
  readonly cert: Buffer;
  readonly certificateUsers: CertificateUsers;
  readonly limits: NetconfLimits;
  readonly log: Log;
  readonly unauthenticated: Unauthenticated;
  readonly open: (client: Client) => void;
}

interface Pending {
  readonly source: string;
  readonly onAuthenticated: (stream: TLSSocket) => void;
}

/** The TLS side of sockets, whoever opened them. */
export class TlsFront {
  readonly #options: TlsOptions;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  /** What TLS goes on with, and from where: a socket that was refused has no address any more. */
  readonly #sources = new WeakMap<TLSSocket, string>();
  /** Of those in their handshake, by both ports and the peer's address. */
  readonly #pending = new Map<string, Pending>();

  constructor(options: TlsOptions) {
    this.#options = options;
    const { key, cert, certificateUsers, limits } = options;
    this.#server = createServer({
      key,
      cert,
      ca: certificateUsers.authorities.pem,
      requestCert: true,
      rejectUnauthorized: true,
      ...TLS_SUITES,
      handshakeTimeout: limits.loginMs,
      allowHalfOpen: true,
      // A session that is resumed brings no chain, and outlives the trust in it.
      secureOptions: constants.SSL_OP_NO_TICKET | constants.SSL_OP_NO_RENEGOTIATION,
    });
    // The one event with the socket that comes before it is refused for its certificate.
    this.#server.on('keylog', (_line, socket) => {
      if (socket.remoteAddress !== undefined) this.#sources.set(socket, socket.remoteAddress);
    });
    this.#server.on('secureConnection', (socket) => this.#onSecure(socket));
    this.#server.on('tlsClientError', (error, socket) => this.#onFailure(error, socket));
  }

  /** A client came. */
  take(socket: Socket, source: string): void {
    const { unauthenticated } = this.#options;
    if (unauthenticated.admit(socket, source)) {
      this.#begin(socket, { source, onAuthenticated: () => unauthenticated.authenticated(socket) });
    } else socket.destroy();
  }

  /** We went to a client, which is the TLS client all the same (RFC 8071 §3.1). */
  call(socket: Socket, source: string, onAuthenticated: (stream: Socket) => void): void {
    this.#begin(socket, { source, onAuthenticated });
  }

  close(): void {
    for (const socket of this.#sockets) socket.destroy();
  }

  #begin(socket: Socket, pending: Pending): void {
    const key = keyOf(socket);
    this.#sockets.add(socket);
    this.#pending.set(key, pending);
    socket.on('close', () => {
      this.#sockets.delete(socket);
      this.#pending.delete(key);
    });
    socket.setNoDelay(true);
    this.#server.emit('connection', socket);
  }

  #onSecure(transport: TLSSocket): void {
    transport.on('error', () => undefined);
    const { certificateUsers, log, open } = this.#options;
    const pending = this.#pending.get(keyOf(transport));
    const certificate = pending && certificateUsers.presented(transport);
    if (!pending || !certificate) {
      transport.destroy();
      return;
    }
    const { source, onAuthenticated } = pending;
    const user = certificateUsers.userOf(certificate);
    if (user === undefined) {
      log.warn(
        { source, subject: subjectOf(transport) },
        'refused: the map of client certificates names no user for it',
      );
      transport.destroy();
      return;
    }
    onAuthenticated(transport);
    open({ transport, user, kind: 'netconf-tls', source });
  }

  #onFailure(error: Error & { code?: string }, socket: TLSSocket): void {
    const { authorizationError } = socket;
    // What goes wrong before there is a certificate is in the code of OpenSSL; afterwards we ended it ourselves.
    const reason = authorizationError ? String(authorizationError) : (error.code ?? error.message);
    const source = this.#sources.get(socket) ?? socket.remoteAddress;
    this.#options.log.warn({ source, reason }, 'refused: a TLS connection of NETCONF');
    socket.destroy();
  }
}

function keyOf({ remoteAddress, remotePort, localPort }: Socket): string {
  return `${remoteAddress} ${remotePort} ${localPort}`;
}

function subjectOf(socket: TLSSocket): string | undefined {
  return socket.getPeerX509Certificate()?.subject;
}
