/**
 * SHA-crypt password hashes, `$5$` (SHA-256) and `$6$` (SHA-512), as crypt(3) and iana-crypt-hash (RFC 7317 §3.7.3) have
 * them. Written after Drepper's "Unix crypt using SHA-256 and SHA-512"; its step numbers stand beside the steps. The npm
 * package `unixcrypt` 3.0.4 gives wrong hashes for passwords whose length is a multiple of the digest's.
 */

import { createHash, timingSafeEqual } from 'node:crypto';

const ALPHABET = './0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz';
const SETTING = /^\$([56])\$(?:rounds=(\d{1,9})\$)?([./0-9A-Za-z]{0,16})(?:\$([./0-9A-Za-z]*))?$/;
const DEFAULT_ROUNDS = 5000;
const MIN_ROUNDS = 1000;
/** Above this a hash is refused: a million rounds take seconds of a worker, and crypt(3) would allow a thousand times that. */
const MAX_ROUNDS = 1_000_000;
/** The cost grows with the square of the length. */
export const MAX_PASSWORD_OCTETS = 1024;

interface Method {
  readonly name: 'sha256' | 'sha512';
  readonly length: number;
  /** First three octets of the digest to print; each further group is the one before, turned and counted up by one. */
  readonly first: readonly [number, number, number];
  readonly turnLeft: boolean;
}

const METHODS: Readonly<Record<string, Method>> = {
  5: { name: 'sha256', length: 32, first: [0, 10, 20], turnLeft: false },
  6: { name: 'sha512', length: 64, first: [0, 21, 42], turnLeft: true },
};

/**
 * The hash of a password under `setting`: `$6$salt`, `$6$rounds=N$salt`, or a whole hash, whose digest is ignored.
 * @returns undefined when the setting is none of these, asks for more than a million rounds, or the password is longer
 *   than MAX_PASSWORD_OCTETS.
 */
export function shaCrypt(password: string, setting: string): string | undefined {
  const [, id = '', roundsText, salt = ''] = SETTING.exec(setting) ?? [];
  const method = METHODS[id];
  const rounds = roundsText === undefined ? DEFAULT_ROUNDS : Math.max(Number(roundsText), MIN_ROUNDS);
  const secret = Buffer.from(password, 'utf8');
  if (!method || rounds > MAX_ROUNDS || secret.length > MAX_PASSWORD_OCTETS) return undefined;
  const digest = stretch(method, secret, Buffer.from(salt, 'latin1'), rounds);
  return `$${id}$${roundsText === undefined ? '' : `rounds=${rounds}$`}${salt}$${print(method, digest)}`;
}

/** Whether `hash` is the hash of the password; the digests are compared in constant time. False for any other kind of hash. */
export function shaCryptMatches(password: string, hash: string): boolean {
  const expected = Buffer.from(hash.slice(hash.lastIndexOf('$') + 1), 'latin1');
  const computed = shaCrypt(password, hash);
  if (computed === undefined) return false;
  const actual = Buffer.from(computed.slice(computed.lastIndexOf('$') + 1), 'latin1');
  return actual.length === expected.length && timingSafeEqual(actual, expected);
}

/** Method and rounds of a hash, as a setting without salt: hashing under it costs what hashing under `hash` costs. */
export function costOf(hash: string): string | undefined {
  const [, id, rounds] = SETTING.exec(hash) ?? [];
  return id === undefined ? undefined : `$${id}$${rounds === undefined ? '' : `rounds=${rounds}$`}`;
}

function stretch(method: Method, password: Buffer, salt: Buffer, rounds: number): Buffer {
  const hash = (...parts: readonly Uint8Array[]): Buffer => {
    const state = createHash(method.name);
    for (const part of parts) state.update(part);
    return state.digest();
  };
  // Steps 4 to 8, then 1 to 12.
  const b = hash(password, salt, password);
  const bits: Buffer[] = [];
  for (let rest = password.length; rest > 0; rest >>>= 1) bits.push(rest & 1 ? b : password);
  let digest = hash(password, salt, cycle(b, password.length), ...bits);
  // Steps 13 to 20.
  const p = cycle(hash(...Array<Buffer>(password.length).fill(password)), password.length);
  const s = cycle(hash(...Array<Buffer>(16 + (digest[0] ?? 0)).fill(salt)), salt.length);
  // Step 21.
  const none = Buffer.alloc(0);
  for (let round = 0; round < rounds; round++) {
    const odd = round % 2 === 1;
    digest = hash(odd ? p : digest, round % 3 ? s : none, round % 7 ? p : none, odd ? digest : p);
  }
  return digest;
}

/** `length` octets: `block` over and over. */
function cycle(block: Buffer, length: number): Buffer {
  return Buffer.alloc(length, block);
}

/** Step 22: groups of three octets to four characters, low bits first. */
function print(method: Method, digest: Buffer): string {
  let text = '';
  let [a, b, c] = method.first;
  for (let group = 0; group < Math.floor(method.length / 3); group++) {
    text += characters([digest[a], digest[b], digest[c]], 4);
    [a, b, c] = method.turnLeft ? [b + 1, c + 1, a + 1] : [c + 1, a + 1, b + 1];
  }
  if (method.length === 64) return text + characters([0, 0, digest[63]], 2);
  return text + characters([0, digest[31], digest[30]], 3);
}

function characters([high = 0, middle = 0, low = 0]: readonly (number | undefined)[], count: number): string {
  let word = (high << 16) | (middle << 8) | low;
  let text = '';
  for (let i = 0; i < count; i++) {
    text += ALPHABET.charAt(word & 63);
    word >>>= 6;
  }
  return text;
}
