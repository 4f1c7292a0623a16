/**
 * What must lie in the state directory before the processes start for the first time, made by the supervisor as root:
 *
 *     keys/ssh_host_ed25519_key, keys/tls.key, keys/tls.crt     unless they are there
 *     initial-password     root's: the password of the first administrator, only when there is no store yet
 *     first-start.json     its user and password hash, for the management process to create the store with
 *
 * The directory belongs to the unprivileged user, so root follows no link in it.
 */

import { randomBytes, randomInt } from 'node:crypto';
import {
  chmodSync,
  chownSync,
  closeSync,
  existsSync,
  fchownSync,
  fsyncSync,
  lstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { shaCrypt } from './sha-crypt.ts';

const FIRST_USER = 'admin';
const PASSWORD_LENGTH = 20;
/** Letters and digits that are not taken for one another. */
const PASSWORD_ALPHABET = 'abcdefghijkmnpqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ23456789';
const CERTIFICATE_YEARS = 10;

export interface Owner {
  readonly uid: number;
  readonly gid: number;
}

export interface FirstStartOptions extends Owner {
  readonly stateDir: string;
}

/** Makes what is missing; returns whether the first user is among it. @throws Error with code when the state directory is somebody else's or cannot be written */
export async function prepareFirstStart({ stateDir, ...owner }: FirstStartOptions): Promise<boolean> {
  ownDirectory(stateDir, owner);
  const keys = join(stateDir, 'keys');
  ownDirectory(keys, owner);
  await createHostKey(keys, owner);
  await createCertificate(keys, owner);
  if (hasStore(stateDir) || existsSync(join(stateDir, 'first-start.json'))) return false;
  createFirstUser(stateDir, owner);
  return true;
}

/**
 * Makes a directory that belongs to the owner and that only the owner may enter. One that root made and left empty is taken over.
 * @throws Error with code DIRECTORY when it is no directory, belongs to somebody else or holds files of root
 */
export function ownDirectory(path: string, { uid, gid }: Owner): void {
  mkdirSync(path, { recursive: true, mode: 0o755 });
  const found = lstatSync(path);
  if (!found.isDirectory()) throw directoryFault(`${path} is no directory: remove it or choose another path`);
  if (found.uid !== uid) {
    const isFree = found.uid === 0 && readdirSync(path).length === 0;
    if (!isFree) {
      throw directoryFault(
        `${path} belongs to user ${found.uid}, expected user ${uid}: choose another directory or chown -R it`,
      );
    }
    chownSync(path, uid, gid);
  }
  if ((found.mode & 0o777) !== 0o700) chmodSync(path, 0o700);
}

function directoryFault(message: string): Error {
  return Object.assign(new Error(message), { code: 'DIRECTORY' });
}

/**
 * What an earlier store has left where there is none any more, by name: the next start begins at version 1 beside it. None for a
 * first start, also for one that was cut short.
 */
export function tracesOfStore(stateDir: string): string[] {
  if (hasStore(stateDir) || existsSync(join(stateDir, 'first-start.json')) || !existsSync(stateDir)) return [];
  return readdirSync(stateDir).filter(
    (name) => name === 'events' || name === 'initial-password' || name.startsWith('store.replaced-'),
  );
}

function hasStore(stateDir: string): boolean {
  const file = statSync(join(stateDir, 'store', 'data.mdb'), { throwIfNoEntry: false });
  return (file !== undefined && file.size > 0) || existsSync(join(stateDir, 'store-state.json'));
}

async function createHostKey(keys: string, owner: Owner): Promise<void> {
  const file = join(keys, 'ssh_host_ed25519_key');
  if (existsSync(file)) return;
  createFile(file, await usableHostKey(), owner);
}

/** A host key that ssh2 can read: of those it makes itself, about 4 in 1,000 it cannot. */
export async function usableHostKey(generate?: () => string): Promise<string> {
  // Only a first start needs it, and every start would wait for it.
  const { utils } = (await import('ssh2')).default;
  for (;;) {
    const key = generate?.() ?? utils.generateKeyPairSync('ed25519').private;
    if (!(utils.parseKey(key) instanceof Error)) return key;
  }
}

/** Key and certificate belong together: if one is missing, both are made. */
async function createCertificate(keys: string, owner: Owner): Promise<void> {
  const [keyFile, certificateFile] = [join(keys, 'tls.key'), join(keys, 'tls.crt')];
  if (existsSync(keyFile) && existsSync(certificateFile)) return;
  const [name, notAfterDate] = [hostname(), new Date()];
  const { generate } = await import('selfsigned');
  notAfterDate.setFullYear(notAfterDate.getFullYear() + CERTIFICATE_YEARS);
  const made = await generate([{ name: 'commonName', value: name }], {
    keyType: 'ec',
    algorithm: 'sha256',
    notAfterDate,
    extensions: [
      { name: 'basicConstraints', cA: false },
      { name: 'keyUsage', digitalSignature: true },
      { name: 'extKeyUsage', serverAuth: true, clientAuth: true },
      {
        name: 'subjectAltName',
        altNames: [
          { type: 2, value: name },
          { type: 2, value: 'localhost' },
          { type: 7, ip: '127.0.0.1' },
          { type: 7, ip: '::1' },
        ],
      },
    ],
  });
  rmSync(certificateFile, { force: true });
  createFile(keyFile, made.private, owner);
  createFile(certificateFile, made.cert, owner);
}

/** first-start.json comes last: without it all is made anew at the next start. */
function createFirstUser(stateDir: string, owner: Owner): void {
  const characters = Array.from({ length: PASSWORD_LENGTH }, () =>
    PASSWORD_ALPHABET.charAt(randomInt(PASSWORD_ALPHABET.length)),
  );
  const password = characters.join('');
  const passwordHash = shaCrypt(password, `$6$${randomBytes(8).toString('hex')}`);
  createFile(join(stateDir, 'initial-password'), `${password}\n`, { uid: 0, gid: 0 });
  createFile(join(stateDir, 'first-start.json'), `${JSON.stringify({ user: FIRST_USER, passwordHash })}\n`, owner);
}

/** A file with mode 0600, there with its whole content or not at all. */
function createFile(path: string, content: string, { uid, gid }: Owner): void {
  const unfinished = `${path}.new`;
  rmSync(unfinished, { force: true });
  const file = openSync(unfinished, 'wx', 0o600);
  try {
    fchownSync(file, uid, gid);
    writeFileSync(file, content);
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
  renameSync(unfinished, path);
}
