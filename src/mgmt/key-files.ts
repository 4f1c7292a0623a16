/**
 * The keys and certificates of this device, files of the folder `keys` in the state directory, read once at the start:
 *
 *     ssh_host_ed25519_key    host key, OpenSSH form
 *     tls.key, tls.crt        key and certificate chain for HTTPS and NETCONF over TLS, PEM
 *     client-ca.crt           authorities whose client certificates are trusted, PEM; without it no client has one
 */

import { createPrivateKey, X509Certificate } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { ClientAuthorities } from './certificate-users.ts';
import { readAuthorities } from './certificate-users.ts';

export interface TlsFiles {
  readonly key: Buffer;
  readonly cert: Buffer;
  readonly authorities: ClientAuthorities | undefined;
}

/** @throws Error with code KEY and what to do */
export function readHostKey(stateDir: string): Buffer {
  return readKey(join(stateDir, 'keys', 'ssh_host_ed25519_key'));
}

/** @throws Error with code KEY and what to do when TLS could not begin with them */
export function readTlsFiles(stateDir: string): TlsFiles {
  const dir = join(stateDir, 'keys');
  const [key, cert] = [readKey(join(dir, 'tls.key')), readKey(join(dir, 'tls.crt'))];
  checkPair(key, cert, dir);
  const file = join(dir, 'client-ca.crt');
  return { key, cert, authorities: existsSync(file) ? authoritiesIn(file) : undefined };
}

function readKey(file: string): Buffer {
  try {
    return readFileSync(file);
  } catch (cause) {
    const message = `${file} cannot be read (${String(cause)}): it must be there, readable by the user of this process`;
    throw Object.assign(new Error(message, { cause }), { code: 'KEY' });
  }
}

function checkPair(key: Buffer, cert: Buffer, dir: string): void {
  let why = 'the key is not that of the certificate';
  try {
    if (new X509Certificate(cert).checkPrivateKey(createPrivateKey(key))) return;
  } catch (error) {
    why = String(error);
  }
  const advice = `put a certificate and its unencrypted key there, both PEM, or remove both for new ones`;
  throw Object.assign(new Error(`${join(dir, 'tls.crt')} and tls.key cannot be used (${why}): ${advice}`), {
    code: 'KEY',
  });
}

function authoritiesIn(file: string): ClientAuthorities {
  const pem = readKey(file);
  try {
    return readAuthorities(pem);
  } catch (cause) {
    const advice = 'put certificates of authorities there, PEM, or remove it when no client has a certificate';
    const message = `${file} cannot be used (${String(cause)}): ${advice}`;
    throw Object.assign(new Error(message, { cause }), { code: 'KEY' });
  }
}
