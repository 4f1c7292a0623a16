/** What must hold of every HTTP message before anything is asked of it, whoever sends it. */

import { RestconfFault } from './fault.ts';
import { LIMITS } from './limits.ts';

/** The part of Node's requests that is needed. */
export interface Message {
  readonly httpVersionMajor: number;
  readonly httpVersionMinor: number;
  /** In HTTP/2 alone. */
  readonly stream?: unknown;
  /** Names and values in turn, as they came. */
  readonly rawHeaders: readonly string[];
}

/** Whether it came in HTTP/2, whatever version the octets of a request line name. */
export function isHttp2({ httpVersionMajor, stream }: Message): boolean {
  return httpVersionMajor === 2 && stream !== undefined;
}

/** RFC 9110 §7.2 and RFC 3986 §3.2.2, §3.2.3: a name or address and a port, or nothing. */
const AUTHORITY = /^(?:\[[\w:.~%!$&'()*+,;=-]+\]|[\w.~%!$&'()*+,;=-]*)(?::\d*)?$/;
/** RFC 3986 §6.2.3: a port that is none, or that of the scheme, says nothing. */
const USUAL_PORT = /:(?:443)?$/;

/**
 * Counts what came, alike in HTTP/1.1 and HTTP/2: the parser's own limits are wider and differ. Two Host fields may be read differently
 * by a proxy and by us (RFC 9112 §3.2), as may two that say who it is or what the body is; only HTTP/1.0 may have no Host.
 * Over HTTP/2 a Host beside :authority names the same (RFC 9113 §8.3.1). A body is taken as it comes: what a proxy would take for gzip must not be read as anything else.
 * @throws RestconfFault 414 for the URL, 431 for the header fields, 415 for a content coding; 505 for the version, 501 for a transfer
 *   coding and 400 malformed-message, which end a connection of HTTP/1.1
 */
export function requireSound(message: Message, url: string): void {
  const { httpVersionMajor, httpVersionMinor, rawHeaders } = message;
  if (httpVersionMajor !== 1 && !isHttp2(message)) throw otherVersion(message);
  if (url.length > LIMITS.urlOctets) {
    const text = `the URL has ${url.length} octets; at most ${LIMITS.urlOctets} are allowed`;
    throw new RestconfFault(414, 'too-big', { message: text });
  }
  let [hosts, authorizations, types] = [0, 0, 0];
  let octets = 0;
  let [host, authority]: (string | undefined)[] = [];
  const transfer: string[] = [];
  for (let index = 0; index < rawHeaders.length; index += 2) {
    const name = rawHeaders[index] ?? '';
    const value = rawHeaders[index + 1] ?? '';
    octets += name.length + value.length;
    if (name.length === CONTENT_CODING.length && name.toLowerCase() === CONTENT_CODING) requireIdentity(value);
    if (name.length === TRANSFER_CODING.length && name.toLowerCase() === TRANSFER_CODING) transfer.push(value);
    if (name.length === AUTHORIZATION.length && name.toLowerCase() === AUTHORIZATION) authorizations++;
    if (name.length === CONTENT_TYPE.length && name.toLowerCase() === CONTENT_TYPE) types++;
    if (name === ':authority') {
      authority = value;
      if (!namesHost(value)) throw malformed(httpVersionMajor, `pseudo-header field ${name} names no host`);
    }
    if (name.length !== 4 || name.toLowerCase() !== 'host') continue;
    hosts++;
    host = value;
    if (!namesHost(value)) throw malformed(httpVersionMajor, 'header field Host names no host');
  }
  if (octets > LIMITS.headerOctets) {
    const text = `the header fields have ${octets} octets; at most ${LIMITS.headerOctets} are allowed`;
    throw new RestconfFault(431, 'too-big', { type: 'transport', message: text });
  }
  if (transfer.length > 0) requireChunked(message, transfer);
  const repeated = hosts > 1 ? 'Host' : authorizations > 1 ? 'Authorization' : types > 1 ? 'Content-Type' : undefined;
  if (repeated !== undefined) throw malformed(httpVersionMajor, `header field ${repeated} came more than once`);
  if (host !== undefined && authority !== undefined && !isSameHost(host, authority)) {
    throw malformed(httpVersionMajor, `header field Host is ${host}, and :authority ${authority}`);
  }
  if (hosts === 0 && httpVersionMajor === 1 && httpVersionMinor > 0) {
    throw malformed(httpVersionMajor, 'header field Host is missing');
  }
}

/** The last that names a host: most requests come to one. */
let lastHost: string | undefined;

function namesHost(value: string): boolean {
  if (value === lastHost) return true;
  if (!AUTHORITY.test(value)) return false;
  lastHost = value;
  return true;
}

/** RFC 3986 §6.2.2.1, §6.2.3. */
function isSameHost(one: string, other: string): boolean {
  return one === other || plainAuthority(one) === plainAuthority(other);
}

function plainAuthority(text: string): string {
  return text.toLowerCase().replace(USUAL_PORT, '');
}

const AUTHORIZATION = 'authorization';
const CONTENT_TYPE = 'content-type';
const CONTENT_CODING = 'content-encoding';
const TRANSFER_CODING = 'transfer-encoding';

/** RFC 9110 §8.4, §12.5.3, §15.5.16. */
function requireIdentity(field: string): void {
  if (codingsIn(field).every((coding) => coding === 'identity')) return;
  const message = `Content-Encoding '${field}': a body comes without one`;
  throw new RestconfFault(415, 'invalid-value', { type: 'transport', message }, { 'accept-encoding': 'identity' });
}

/** RFC 9112 §6.1: chunked is the only one, comes once, and not in HTTP/1.0. */
function requireChunked({ httpVersionMajor, httpVersionMinor }: Message, fields: readonly string[]): void {
  const codings = codingsIn(fields.join(','));
  if (httpVersionMinor === 0) throw malformed(httpVersionMajor, 'HTTP/1.0 has no Transfer-Encoding');
  if (codings.some((coding) => coding !== 'chunked')) {
    const message = `Transfer-Encoding '${fields.join(', ')}': chunked alone is known`;
    throw new RestconfFault(501, 'operation-not-supported', { type: 'transport', message }, { connection: 'close' });
  }
  if (codings.length !== 1) throw malformed(httpVersionMajor, 'Transfer-Encoding is chunked once');
}

function codingsIn(field: string): string[] {
  return field
    .split(',')
    .map((coding) => coding.trim().toLowerCase())
    .filter((coding) => coding !== '');
}

/** RFC 9110 §15.6.6: Node's parser takes a few more versions than there are over HTTP/1.1. */
function otherVersion({ httpVersionMajor, httpVersionMinor }: Message): RestconfFault {
  const message = `HTTP/${httpVersionMajor}.${httpVersionMinor}: expected HTTP/1.1 or HTTP/2`;
  return new RestconfFault(505, 'operation-not-supported', { type: 'transport', message }, { connection: 'close' });
}

function malformed(httpVersionMajor: number, message: string): RestconfFault {
  // HTTP/2 has no such header field (RFC 9113 §8.2.2), and its messages have other bounds.
  const headers: Record<string, string> = httpVersionMajor === 1 ? { connection: 'close' } : {};
  return new RestconfFault(400, 'malformed-message', { type: 'transport', message }, headers);
}
