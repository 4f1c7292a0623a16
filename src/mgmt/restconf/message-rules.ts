/** What must hold of every HTTP message before anything is asked of it, whoever sends it. */

import { RestconfFault } from './fault.ts';
import { LIMITS } from './limits.ts';

/** The part of Node's requests that is needed. */
export interface Message {
  readonly httpVersionMajor: number;
  readonly httpVersionMinor: number;
  /** Names and values in turn, as they came. */
  readonly rawHeaders: readonly string[];
}

/** RFC 9110 §7.2 and RFC 3986 §3.2.2, §3.2.3: a name or address and a port, or nothing. */
const AUTHORITY = /^(?:\[[\w:.~%!$&'()*+,;=-]+\]|[\w.~%!$&'()*+,;=-]*)(?::\d*)?$/;

/**
 * Counts what came, alike in HTTP/1.1 and HTTP/2: the parser's own limits are wider and differ. Two Host fields may be read differently
 * by a proxy and by us (RFC 9112 §3.2); only HTTP/1.0 may have none.
 * @throws RestconfFault 414 for the URL, 431 for the header fields; 400 malformed-message, which ends a connection of HTTP/1.1
 */
export function requireSound({ httpVersionMajor, httpVersionMinor, rawHeaders }: Message, url: string): void {
  if (url.length > LIMITS.urlOctets) {
    const message = `the URL has ${url.length} octets; at most ${LIMITS.urlOctets} are allowed`;
    throw new RestconfFault(414, 'too-big', { message });
  }
  let hosts = 0;
  let octets = 0;
  for (let index = 0; index < rawHeaders.length; index += 2) {
    const name = rawHeaders[index] ?? '';
    const value = rawHeaders[index + 1] ?? '';
    octets += name.length + value.length;
    if (name.length !== 4 || name.toLowerCase() !== 'host') continue;
    hosts++;
    if (!AUTHORITY.test(value)) throw malformed(httpVersionMajor, 'header field Host names no host');
  }
  if (octets > LIMITS.headerOctets) {
    const message = `the header fields have ${octets} octets; at most ${LIMITS.headerOctets} are allowed`;
    throw new RestconfFault(431, 'too-big', { type: 'transport', message });
  }
  if (hosts > 1) throw malformed(httpVersionMajor, 'header field Host came more than once');
  if (hosts === 0 && httpVersionMajor === 1 && httpVersionMinor > 0) {
    throw malformed(httpVersionMajor, 'header field Host is missing');
  }
}

function malformed(httpVersionMajor: number, message: string): RestconfFault {
  // HTTP/2 has no such header field (RFC 9113 §8.2.2), and its messages have other bounds.
  const headers: Record<string, string> = httpVersionMajor === 1 ? { connection: 'close' } : {};
  return new RestconfFault(400, 'malformed-message', { type: 'transport', message }, headers);
}
