/** Who comes with a client certificate: the map of the running configuration, for NETCONF over TLS and RESTCONF alike. */

import { X509Certificate } from 'node:crypto';
import type { TLSSocket } from 'node:tls';
import type { DataNode } from '../state/data.ts';
import type { MapEntry } from './cert-to-name.ts';
import { nameOf, PresentedCertificate } from './cert-to-name.ts';
import type { Users } from './users.ts';

const PEM = /-----BEGIN CERTIFICATE-----[\s\S]+?-----END CERTIFICATE-----/g;

/** What TLS trusts clients by: certificates of authorities. */
export interface ClientAuthorities {
  readonly pem: Buffer;
  readonly certificates: readonly X509Certificate[];
}

/** The certificates of a PEM file, one or many. @throws Error of OpenSSL, or with a sentence when there is none */
export function readAuthorities(pem: Buffer): ClientAuthorities {
  const certificates = [...pem.toString('latin1').matchAll(PEM)].map(([text]) => new X509Certificate(text));
  if (certificates.length === 0) throw new Error('it holds no certificate in PEM');
  return { pem, certificates };
}

export interface CertificateUsersOptions {
  /** Root of the small tree of running. */
  readonly configuration: () => DataNode;
  readonly users: Pick<Users, 'exists'>;
  readonly authorities: ClientAuthorities;
}

export class CertificateUsers {
  readonly authorities: ClientAuthorities;
  readonly #configuration: () => DataNode;
  readonly #users: Pick<Users, 'exists'>;

  constructor({ configuration, users, authorities }: CertificateUsersOptions) {
    this.authorities = authorities;
    this.#configuration = configuration;
    this.#users = users;
  }

  /** The certificate of a connection; undefined when the client has none or TLS did not find it good. */
  presented(socket: TLSSocket): PresentedCertificate | undefined {
    const certificate = socket.authorized ? socket.getPeerX509Certificate() : undefined;
    return certificate && new PresentedCertificate(certificate, this.authorities.certificates);
  }

  /** The user whom the map names now; undefined when it names none, or one who is no user. */
  userOf(certificate: PresentedCertificate): string | undefined {
    const name = nameOf(certificate, mapOf(this.#configuration()));
    return name !== undefined && this.#users.exists(name) ? name : undefined;
  }
}

function mapOf(configuration: DataNode): MapEntry[] {
  const map = configuration.child('management', 'gi-4over6-management')?.child('client-certificates');
  return (map?.entries('cert-to-name') ?? []).map((entry) => ({
    id: Number(entry.leaf('id')),
    fingerprint: entry.leaf('fingerprint') ?? '',
    mapType: (entry.leaf('map-type') ?? '').replace(/^.*:/, ''),
    name: entry.leaf('name'),
  }));
}
