/**
 * Clients of RESTCONF that come with a certificate (RFC 8040 §2.5). Whoever shows one is the user that it names, and nobody else:
 * a password does not make up for a certificate that is not good or names nobody. Without one there is basic authentication.
 */

import { constants } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import type { Http2ServerRequest } from 'node:http2';
import { TLSSocket } from 'node:tls';
import type { PresentedCertificate } from '../cert-to-name.ts';
import type { CertificateUsers } from '../certificate-users.ts';
import { unauthorized } from './authentication.ts';

type Shown = PresentedCertificate | 'none' | 'untrusted';

export class ClientCertificates {
  readonly #users: CertificateUsers;
  /** By TLS socket of HTTP/1.1 or session of HTTP/2: a certificate is read once, its user looked up for each request. */
  readonly #shown = new WeakMap<object, Shown>();

  constructor(users: CertificateUsers) {
    this.#users = users;
  }

  /** For the server: a certificate is asked for, and judged here. */
  get tlsOptions() {
    return {
      ca: this.#users.authorities.pem,
      requestCert: true,
      rejectUnauthorized: false,
      // A session that is resumed brings no chain, and outlives the trust in it.
      secureOptions: constants.SSL_OP_NO_TICKET,
    } as const;
  }

  /** The user of the request's connection; undefined when it has no certificate. @throws RestconfFault 401 access-denied */
  userOf(request: IncomingMessage | Http2ServerRequest): string | undefined {
    const shown = this.#goodOn(request);
    if (!shown) return undefined;
    const user = this.#users.userOf(shown);
    if (user === undefined) throw unauthorized('the client certificate names no user');
    return user;
  }

  /**
   * The route source of the request's connection; undefined when it has no certificate. `find` knows route sources by the SHA-256 of
   * theirs. @throws RestconfFault 401 access-denied
   */
  routeSourceOf(
    request: IncomingMessage | Http2ServerRequest,
    find: (fingerprint: string) => string | undefined,
  ): string | undefined {
    const shown = this.#goodOn(request);
    if (!shown) return undefined;
    const name = find(shown.fingerprint256);
    if (name === undefined) throw unauthorized('the client certificate is that of no route source');
    return name;
  }

  /** Whether the request's connection has a certificate, a good one or not. */
  isShownOn(request: IncomingMessage | Http2ServerRequest): boolean {
    return this.#shownOn(request) !== 'none';
  }

  #goodOn(request: IncomingMessage | Http2ServerRequest): PresentedCertificate | undefined {
    const shown = this.#shownOn(request);
    if (shown === 'none') return undefined;
    if (shown === 'untrusted')
      throw unauthorized('the client certificate is not of a trusted authority, or not valid now');
    return shown;
  }

  #shownOn(request: IncomingMessage | Http2ServerRequest): Shown {
    const session = 'stream' in request ? request.stream.session : undefined;
    const connection = session ?? request.socket;
    let shown = this.#shown.get(connection);
    if (shown === undefined) {
      shown = this.#read(session?.socket ?? request.socket);
      this.#shown.set(connection, shown);
    }
    return shown;
  }

  #read(socket: unknown): Shown {
    // Over HTTP/2 it is a proxy of one.
    if (!(socket instanceof TLSSocket)) return 'none';
    return this.#users.presented(socket) ?? (socket.getPeerX509Certificate() ? 'untrusted' : 'none');
  }
}
