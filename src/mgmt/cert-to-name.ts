/**
 * From a certificate to the name of a user (RFC 7407 §2, the list cert-to-name; RFC 7589 §7): the entries in the order of their ids,
 * each with a fingerprint that matches the certificate itself or a trusted authority in its chain, and a way to the name.
 */

import type { X509Certificate } from 'node:crypto';
import { createHash } from 'node:crypto';
import type { CertificateNames, SubjectAltName } from './certificate-names.ts';
import { certificateNames } from './certificate-names.ts';

export interface MapEntry {
  readonly id: number;
  /** As tls-fingerprint: `04:` and 32 octets, in any case. */
  readonly fingerprint: string;
  /** Name of the identity, without a module. */
  readonly mapType: string;
  /** Of map-type specified. */
  readonly name?: string | undefined;
}

/** Registry TLS HashAlgorithm (RFC 5246 §7.4.1.4.1); its 1 is MD5, which proves nothing. */
const HASHES: ReadonlyMap<string, string> = new Map([
  ['02', 'sha1'],
  ['03', 'sha224'],
  ['04', 'sha256'],
  ['05', 'sha384'],
  ['06', 'sha512'],
]);
/** Longer chains are nobody's. */
const LONGEST_CHAIN = 16;

/** A certificate that a client presented and TLS found to be good. */
export class PresentedCertificate {
  readonly names: CertificateNames;
  /** SHA-256 of it, as `AB:CD:EF`. */
  readonly fingerprint256: string;
  /** In DER: its own, and those of the trusted authorities in its chain. */
  readonly #matchable: readonly Buffer[];
  readonly #fingerprints = new Map<string, readonly string[]>();

  /** `trusted` are the authorities whose certificates are held here. */
  constructor(leaf: X509Certificate, trusted: readonly X509Certificate[]) {
    this.names = certificateNames(leaf.raw);
    this.fingerprint256 = leaf.fingerprint256;
    this.#matchable = [leaf, ...authoritiesOf(leaf, trusted)].map(({ raw }) => raw);
  }

  /** Whether a tls-fingerprint is that of the certificate or of a trusted authority in its chain. */
  matches(fingerprint: string): boolean {
    const octets = fingerprint.toLowerCase();
    const hash = HASHES.get(octets.slice(0, 2));
    if (hash === undefined) return false;
    let known = this.#fingerprints.get(hash);
    if (!known) {
      known = this.#matchable.map((der) => colons(createHash(hash).update(der).digest('hex')));
      this.#fingerprints.set(hash, known);
    }
    return known.includes(octets.slice(3));
  }
}

/** The name by the first entry that matches and gives one; undefined when none does. */
export function nameOf(certificate: PresentedCertificate, entries: readonly MapEntry[]): string | undefined {
  const inOrder = [...entries].sort((one, other) => one.id - other.id);
  for (const entry of inOrder) {
    const name = certificate.matches(entry.fingerprint) ? nameBy(entry, certificate.names) : undefined;
    if (name) return name;
  }
  return undefined;
}

function nameBy({ mapType, name }: MapEntry, { commonNames, subjectAltNames }: CertificateNames): string | undefined {
  const first = (...kinds: readonly SubjectAltName['kind'][]) => {
    const found = subjectAltNames.find(({ kind }) => kinds.includes(kind));
    return found && textOf(found);
  };
  switch (mapType) {
    case 'specified':
      return name;
    case 'san-rfc822-name':
      return first('rfc822');
    case 'san-dns-name':
      return first('dns');
    case 'san-ip-address':
      return first('ip');
    case 'san-any':
      return first('rfc822', 'dns', 'ip');
    case 'common-name':
      // Which of several is meant nobody can say.
      return commonNames.length === 1 ? commonNames[0] : undefined;
    default:
      return undefined;
  }
}

/** RFC 6353, SnmpTlstmCertToTSNEntry: one text for each of these values. */
function textOf({ kind, octets }: SubjectAltName): string | undefined {
  if (kind === 'ip') {
    if (octets.length === 4) return octets.join('.');
    return octets.length === 16 ? octets.toString('hex') : undefined;
  }
  // IA5String: others are no address and no name.
  if (octets.some((octet) => octet < 0x21 || octet > 0x7e)) return undefined;
  const text = octets.toString('latin1');
  if (kind === 'dns') return text.toLowerCase();
  const at = text.lastIndexOf('@');
  return at < 0 ? undefined : text.slice(0, at) + text.slice(at).toLowerCase();
}

/** The trusted authorities in the chain of a certificate; between them may be some that the client sent. */
function authoritiesOf(leaf: X509Certificate, trusted: readonly X509Certificate[]): X509Certificate[] {
  const found: X509Certificate[] = [];
  let at = leaf;
  for (let step = 0; step < LONGEST_CHAIN; step++) {
    const isIssuer = (other: X509Certificate) => at.checkIssued(other) && at.verify(other.publicKey);
    const held = trusted.find(isIssuer);
    const sent = at.issuerCertificate;
    const issuer = held ?? (sent && isIssuer(sent) ? sent : undefined);
    if (!issuer || issuer.raw.equals(at.raw)) break;
    if (held) found.push(held);
    at = issuer;
  }
  return found;
}

function colons(hex: string): string {
  return (hex.match(/../g) ?? []).join(':');
}
