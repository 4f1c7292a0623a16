/** Authorities and certificates for tests, made by openssl in a folder of their own. */

import { execFileSync } from 'node:child_process';
import { createHash, X509Certificate } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export interface Issued {
  readonly keyFile: string;
  readonly certFile: string;
  readonly key: Buffer;
  readonly cert: Buffer;
  readonly x509: X509Certificate;
}

export interface IssueOptions {
  /** As `openssl req -subj` takes it. */
  readonly subject?: string;
  /** Whose authority; itself when there is none. */
  readonly issuer?: Issued;
  /** Lines of an extension section. */
  readonly extensions?: readonly string[];
  /** More words of `openssl req`. */
  readonly words?: readonly string[];
  /** As `openssl x509` takes it; of one that is issued. */
  readonly days?: number;
}

const AUTHORITY = ['basicConstraints=critical,CA:TRUE', 'keyUsage=keyCertSign,cRLSign'];

export class Certificates {
  readonly dir = mkdtempSync(join(tmpdir(), 'gi4over6-certificates-'));
  #count = 0;

  authority(subject: string, issuer?: Issued): Issued {
    return this.issue({ subject, extensions: AUTHORITY, ...(issuer && { issuer }) });
  }

  issue({ subject = '/CN=nobody', issuer, extensions = [], words = [], days = 30 }: IssueOptions): Issued {
    const base = join(this.dir, String(++this.#count));
    const [keyFile, certFile, request, section] = ['key', 'crt', 'csr', 'ext'].map((end) => `${base}.${end}`) as [
      string,
      string,
      string,
      string,
    ];
    writeFileSync(section, extensions.map((line) => `${line}\n`).join(''));
    const newKey = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-keyout', keyFile];
    openssl('req', '-new', ...newKey, '-out', request, '-subj', subject, ...words);
    const by = issuer
      ? ['-CA', issuer.certFile, '-CAkey', issuer.keyFile, '-CAcreateserial', '-CAserial', `${base}.srl`]
      : ['-signkey', keyFile];
    openssl('x509', '-req', '-in', request, ...by, '-out', certFile, '-days', `${days}`, '-extfile', section);
    const cert = readFileSync(certFile);
    return { keyFile, certFile, key: readFileSync(keyFile), cert, x509: new X509Certificate(cert) };
  }

  remove(): void {
    rmSync(this.dir, { recursive: true, force: true });
  }
}

function openssl(...words: readonly string[]): void {
  execFileSync('openssl', words, { stdio: ['ignore', 'ignore', 'pipe'] });
}

const HASHES = { sha1: '02', sha224: '03', sha256: '04', sha384: '05', sha512: '06' } as const;

/** As tls-fingerprint of RFC 7407. */
export function fingerprintOf({ x509 }: Issued, hash: keyof typeof HASHES = 'sha256'): string {
  const hex = createHash(hash).update(x509.raw).digest('hex');
  return [HASHES[hash], ...(hex.match(/../g) ?? [])].join(':');
}

const X509C2N = 'urn:ietf:params:xml:ns:yang:ietf-x509-cert-to-name';

/** An entry of the map as XML of the configuration. */
export function mapEntry(id: number, fingerprint: string, mapType: string, name?: string): string {
  const specified = name === undefined ? '' : `<name>${name}</name>`;
  const type = `<map-type xmlns:x509c2n="${X509C2N}">x509c2n:${mapType}</map-type>`;
  return `<cert-to-name><id>${id}</id><fingerprint>${fingerprint}</fingerprint>${type}${specified}</cert-to-name>`;
}

/** The whole configuration of client certificates. */
export function certificateMap(...entries: readonly string[]): string {
  return (
    '<management xmlns="urn:gi-4over6:management" xmlns:nc="urn:ietf:params:xml:ns:netconf:base:1.0">' +
    `<client-certificates nc:operation="replace">${entries.join('')}</client-certificates></management>`
  );
}
