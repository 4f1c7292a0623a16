/** HTTP basic authentication (RFC 7617) over the users of ietf-system; TLS is always there (RFC 8040 §2.5). */

import type { Caller } from '../../state/request.ts';
import type { Users } from '../users.ts';
import { USER_LIMITS } from '../users.ts';
import { RestconfFault } from './fault.ts';
import type { Headers } from './media.ts';
import { header } from './media.ts';

export type PasswordUsers = Pick<Users, 'exists' | 'judgePassword' | 'knownBy' | 'rememberWords'>;

const UNKNOWN_SOURCE =
  'expected user and password by HTTP basic authentication; a route source may show its client certificate instead, which this device ' +
  'asks for only where it has a keys/client-ca.crt';
const BUSY = 503;
const CHALLENGE = { 'www-authenticate': 'Basic realm="gi4over6", charset="UTF-8"' };

/**
 * Who sends the request; `source` is the client's address. At once when the password is remembered.
 * @throws RestconfFault 401 access-denied, the same for an unknown user and a wrong password; 503 resource-denied when it was not judged
 */
export function authenticate(users: PasswordUsers, headers: Headers, source: string): Caller | Promise<Caller> {
  const words = header(headers, 'authorization') ?? '';
  const known = users.knownBy(words, source);
  return known === undefined ? verified(users, words, source) : callerOf(known, source);
}

async function verified(users: PasswordUsers, words: string, source: string): Promise<Caller> {
  const [user, password] = await verifiedWords(users, words, source);
  users.rememberWords(words, user, password);
  return callerOf(user, source);
}

async function verifiedWords(
  users: Pick<Users, 'judgePassword'>,
  words: string,
  source: string,
): Promise<readonly [user: string, password: string]> {
  const credentials = parseBasic(words);
  if (!credentials) throw unauthorized('expected user and password by HTTP basic authentication');
  const [user, password] = credentials;
  const verdict = await users.judgePassword(user, password, source);
  if (verdict === 'busy') throw busy();
  if (verdict !== 'right') throw unauthorized('user or password is wrong');
  return credentials;
}

function callerOf(user: string, source: string): Caller {
  return { user, session: 0, face: 'restconf', source };
}

/** Who may advertise routes. */
export interface RouteSourceUsers extends Pick<Users, 'exists' | 'judgePassword'> {
  /** The route source whose certificate has this SHA-256, as `AB:CD:EF`. */
  certified(fingerprint: string): string | undefined;
}

/**
 * The route source that sends a request for advertise-routes, which is no user: `certified` is the one whose certificate was shown,
 * without one there is the password. @throws RestconfFault as above
 */
export async function identifyRouteSource(
  sources: Pick<Users, 'judgePassword'>,
  certified: string | undefined,
  headers: Headers,
  source: string,
): Promise<Caller> {
  const words = header(headers, 'authorization') ?? '';
  if (certified === undefined && words === '') throw unauthorized(UNKNOWN_SOURCE);
  const name = certified ?? (await verifiedWords(sources, words, source))[0];
  return { ...callerOf(name, source), isRouteSource: true };
}

/** The name in the words of basic authentication; '' when there is none. */
export function nameIn(headers: Headers): string {
  return parseBasic(header(headers, 'authorization') ?? '')?.[0] ?? '';
}

/** Whom the first of two ways knows, else whom the second does. @throws RestconfFault of the first when neither knows anybody: 401, or 503 when one did not judge */
export async function firstOf(
  first: () => Caller | Promise<Caller>,
  second: () => Caller | Promise<Caller>,
): Promise<Caller> {
  try {
    return await first();
  } catch (error) {
    if (!(error instanceof RestconfFault)) throw error;
    return await Promise.resolve()
      .then(second)
      .catch((other: unknown) => {
        throw other instanceof RestconfFault && other.status !== BUSY ? error : other;
      });
  }
}

function parseBasic(text: string): readonly [user: string, password: string] | undefined {
  const [, token] = /^Basic +([A-Za-z0-9+/]+={0,2})$/i.exec(text) ?? [];
  if (token === undefined) return undefined;
  const pair = Buffer.from(token, 'base64').toString('utf8');
  const colon = pair.indexOf(':');
  return colon < 0 ? undefined : [pair.slice(0, colon), pair.slice(colon + 1)];
}

/** 401 access-denied with the challenge. */
export function unauthorized(message: string): RestconfFault {
  return new RestconfFault(401, 'access-denied', { message }, CHALLENGE);
}

function busy(): RestconfFault {
  const message = 'too many logins from this address wait to be judged: try again later';
  const headers = { 'retry-after': `${Math.ceil(USER_LIMITS.longestWaitMs / 1000)}` };
  return new RestconfFault(BUSY, 'resource-denied', { message }, headers);
}
