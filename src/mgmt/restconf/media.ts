/** Encodings of requests and replies (RFC 8040 §5.2, RFC 9110 §12.5.1). */

import { RestconfFault } from './fault.ts';

export type Encoding = 'json' | 'xml';

export const MEDIA_TYPES = {
  json: 'application/yang-data+json',
  xml: 'application/yang-data+xml',
} as const;

/** RFC 8072 §2.2. */
export const YANG_PATCH_TYPES = {
  json: 'application/yang-patch+json',
  xml: 'application/yang-patch+xml',
} as const;

/** What PATCH takes, for Accept-Patch (RFC 5789 §3.1). */
export const PATCH_TYPES = [MEDIA_TYPES.xml, MEDIA_TYPES.json, YANG_PATCH_TYPES.xml, YANG_PATCH_TYPES.json].join(', ');

/** Entries of a list in one document (draft-ietf-netconf-list-pagination-rc §2.2). */
export const XML_LIST = 'application/yang-data+xml-list';

export const EVENT_STREAM = 'text/event-stream';

/** Header fields by lower-case name, as Node gives them. */
export type Headers = Readonly<Record<string, string | readonly string[] | undefined>>;

/** The text of a header field; several of one name are one list. */
export function header(headers: Headers, name: string): string | undefined {
  const value = headers[name];
  return typeof value === 'string' || value === undefined ? value : value.join(', ');
}

export interface BodyType {
  readonly encoding: Encoding;
  /** Whether the body is a YANG Patch (RFC 8072), not a resource. */
  readonly isYangPatch: boolean;
}

/**
 * The type of the request body; undefined when no Content-Type came.
 * @throws RestconfFault 415 for any other type, a YANG Patch with another method, a charset other than UTF-8
 */
export function bodyType(method: string, headers: Headers): BodyType | undefined {
  const text = header(headers, 'content-type');
  if (text === undefined) return undefined;
  const [type = '', ...parameters] = text.split(';').map((part) => part.trim().toLowerCase());
  const charset = parameters.find((parameter) => parameter.startsWith('charset='))?.slice('charset='.length);
  if (charset === undefined || charset.replaceAll('"', '') === 'utf-8') {
    for (const encoding of ['json', 'xml'] as const) {
      const isYangPatch = method === 'PATCH' && type === YANG_PATCH_TYPES[encoding];
      if (isYangPatch || type === MEDIA_TYPES[encoding]) return { encoding, isYangPatch };
    }
  }
  throw unsupportedMedia(`Content-Type '${text}' came`);
}

/** 415, with the types that are supported. */
export function unsupportedMedia(what: string): RestconfFault {
  const accepted = `${MEDIA_TYPES.json}, ${MEDIA_TYPES.xml}`;
  const message = `${what}; expected ${MEDIA_TYPES.json} or ${MEDIA_TYPES.xml} in UTF-8`;
  return new RestconfFault(415, 'invalid-value', { message }, { accept: accepted, 'accept-patch': PATCH_TYPES });
}

/**
 * The encoding the client prefers; where it does not mind, that of its request, else JSON (§5.2).
 * @throws RestconfFault 406 when it accepts neither
 */
export function replyEncoding(headers: Headers): Encoding {
  const preferred = preferredEncoding(headers);
  if (preferred !== undefined) return preferred;
  const message = `Accept '${header(headers, 'accept')}': only ${MEDIA_TYPES.json} and ${MEDIA_TYPES.xml} are there`;
  throw notAcceptable(message);
}

/** Whether a client that asks for a list wants its entries in one XML document: it names that type, and no other one rather. */
export function prefersXmlList(headers: Headers): boolean {
  const ranges = acceptedRanges(headers);
  const wanted = ranges.find(({ type }) => type === XML_LIST)?.quality ?? 0;
  return wanted > quality(ranges, MEDIA_TYPES.json) && wanted >= quality(ranges, MEDIA_TYPES.xml);
}

/**
 * The encoding of an error: as `replyEncoding`, but a client that accepts neither gets one all the same, rather one that it does not
 * name than one with a weight of 0.
 */
export function errorEncoding(headers: Headers): Encoding {
  const preferred = preferredEncoding(headers) ?? (prefersXmlList(headers) ? 'xml' : undefined);
  if (preferred !== undefined) return preferred;
  const fallback = requestEncoding(headers);
  const ranges = acceptedRanges(headers);
  const isRefused = (encoding: Encoding) => weightOf(ranges, MEDIA_TYPES[encoding]) === 0;
  const other = fallback === 'json' ? 'xml' : 'json';
  return isRefused(fallback) && !isRefused(other) ? other : fallback;
}

/** @throws RestconfFault 406 when the client takes no event stream (RFC 8040 §6.3) */
export function requireEventStream(headers: Headers): void {
  const ranges = acceptedRanges(headers);
  if (ranges.length === 0 || quality(ranges, EVENT_STREAM) > 0) return;
  throw notAcceptable(`Accept '${header(headers, 'accept')}': this is a stream of ${EVENT_STREAM}`);
}

/**
 * Of what has one form, to a client that does not name it: it is sent all the same (RFC 9110 §12.5.1).
 * @throws RestconfFault 406 when it says that it does not take it: with a weight of 0 (§12.4.2)
 */
export function requireNotRefused(headers: Headers, type: string): void {
  if (weightOf(acceptedRanges(headers), type) !== 0) return;
  throw notAcceptable(`Accept '${header(headers, 'accept')}': this is ${type}`);
}

/** Replies have no content coding. @throws RestconfFault 406 for a client that says that it takes none without (RFC 9110 §12.5.3) */
export function requirePlainReply(headers: Headers): void {
  const accept = header(headers, 'accept-encoding');
  if (accept === undefined) return;
  const codings = accept.split(',').map(parseRange);
  const weight = (name: string) => codings.find(({ type }) => type === name)?.quality;
  if ((weight('identity') ?? weight('*')) !== 0) return;
  throw notAcceptable(`Accept-Encoding '${accept}': replies have no content coding`);
}

function notAcceptable(message: string): RestconfFault {
  return new RestconfFault(406, 'invalid-value', { message });
}

/** None where the client does not mind; empty elements of the list count for nothing (RFC 9110 §5.6.1.2). */
function acceptedRanges(headers: Headers): readonly MediaRange[] {
  const text = header(headers, 'accept') ?? '';
  if (text !== lastAccept.text) {
    const elements = text.split(',').filter((element) => element.trim() !== '');
    lastAccept = { text, ranges: elements.map(parseRange) };
  }
  return lastAccept.ranges;
}

/** What was accepted last: requests in a row are mostly of one client. */
let lastAccept: { readonly text: string; readonly ranges: readonly MediaRange[] } = { text: '', ranges: [] };

function preferredEncoding(headers: Headers): Encoding | undefined {
  const fallback = requestEncoding(headers);
  const ranges = acceptedRanges(headers);
  if (ranges.length === 0) return fallback;
  const [json, xml] = [quality(ranges, MEDIA_TYPES.json), quality(ranges, MEDIA_TYPES.xml)];
  if (json === 0 && xml === 0) return undefined;
  if (json === xml) return fallback;
  return json > xml ? 'json' : 'xml';
}

function requestEncoding(headers: Headers): Encoding {
  const type = header(headers, 'content-type')?.toLowerCase();
  if (type === undefined) return 'json';
  return [MEDIA_TYPES.xml, YANG_PATCH_TYPES.xml].some((xml) => type.startsWith(xml)) ? 'xml' : 'json';
}

interface MediaRange {
  readonly type: string;
  readonly quality: number;
}

function parseRange(text: string): MediaRange {
  const [type = '', ...parameters] = text.split(';').map((part) => part.trim().toLowerCase());
  const weight = parameters.find((parameter) => parameter.startsWith('q='))?.slice(2) ?? '1';
  return { type, quality: /^(0(\.\d{0,3})?|1(\.0{0,3})?)$/.test(weight) ? Number(weight) : 0 };
}

/** The weight of the most specific range that covers the type (RFC 9110 §12.5.1); 0 when none does. */
function quality(ranges: readonly MediaRange[], type: string): number {
  return weightOf(ranges, type) ?? 0;
}

/** The same; undefined when none does. */
function weightOf(ranges: readonly MediaRange[], type: string): number | undefined {
  for (const range of [type, `${type.slice(0, type.indexOf('/'))}/*`, '*/*']) {
    const found = ranges.find((candidate) => candidate.type === range);
    if (found) return found.quality;
  }
  return undefined;
}
