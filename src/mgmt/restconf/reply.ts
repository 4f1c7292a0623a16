/**
 * Replies as values, and the one place where an error becomes a status and an errors body (RFC 8040 §7).
 */

import type { Readable } from 'node:stream';
import { damageRefusal } from '../../state/damage.ts';
import type { DataNode } from '../../state/data.ts';
import type { ErrorTag } from '../../state/errors.ts';
import { ManagementError } from '../../state/errors.ts';
import type { Schema } from '../../state/schema.ts';
import { structureJson, structureXml } from '../error-structure.ts';
import type { Piece } from '../pause.ts';
import { prefixedPath } from '../prefixed-path.ts';
import { shortened, shownPath } from '../shortened.ts';
import { escapeText } from '../xml.ts';
import { writeXml } from '../xml-data.ts';
import { RestconfFault } from './fault.ts';
import { jsonText, writeJson } from './json-writer.ts';
import type { Encoding } from './media.ts';
import { MEDIA_TYPES } from './media.ts';

export const RESTCONF_NAMESPACE = 'urn:ietf:params:xml:ns:yang:ietf-restconf';

export interface Reply {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  /** A text, which is sent at once; or text in pieces, made while it is sent, so that it may need what `close` ends. */
  readonly body?: string | Iterable<Piece>;
  /** Octets in place of a body, for as long as the client takes them. */
  readonly stream?: Readable;
  /** Called once when the body is sent or given up. */
  readonly close?: () => void;
}

/** Nodes as the members of one JSON object, or as XML elements side by side. */
export function writeNodes(
  encoding: Encoding,
  nodes: Iterable<DataNode>,
  rows: (parent: DataNode) => Iterable<DataNode> = () => [],
): Iterable<Piece> {
  return encoding === 'json' ? writeJson(nodes, rows) : writeXml(nodes, rows);
}

/** What `writeNodes` gives of one list entry that has no rows below it, at once. */
export function entryText(encoding: Encoding, entry: DataNode): string {
  if (encoding === 'json') return `{"${entry.schema.module}:${entry.schema.name}":[${jsonText(entry)}]}`;
  return [...writeXml([entry])].join('');
}

/** Never to be cached without asking (§5.5), and what the encoding is chosen by (RFC 9110 §12.5.5, RFC 8040 §5.2). */
export const CACHE_HEADERS = { 'cache-control': 'no-cache', vary: 'accept, content-type' } as const;

/** A body in the encoding. */
export function dataReply(encoding: Encoding, body: string | Iterable<Piece>, headers: Reply['headers'] = {}): Reply {
  return {
    status: 200,
    headers: { 'content-type': MEDIA_TYPES[encoding], ...CACHE_HEADERS, ...headers },
    body,
  };
}

/** Status by error-tag where the fault names none itself; the first of those §7 allows, unless said otherwise. */
const STATUS: Readonly<Record<ErrorTag, number>> = {
  'in-use': 409,
  'invalid-value': 400,
  'too-big': 413,
  'missing-attribute': 400,
  'bad-attribute': 400,
  'unknown-attribute': 400,
  'missing-element': 400,
  'bad-element': 400,
  'unknown-element': 400,
  'unknown-namespace': 400,
  // 401 is for requests without valid credentials, which never come this far.
  'access-denied': 403,
  'lock-denied': 409,
  'resource-denied': 409,
  'rollback-failed': 500,
  'data-exists': 409,
  'data-missing': 409,
  // 405 is said by the request parser, with Allow.
  'operation-not-supported': 501,
  'operation-failed': 500,
  'malformed-message': 400,
};

/** Status of an error. A rule of the model that refuses an edit is the client's affair: 412, not 500. */
export function statusOf(error: ManagementError): number {
  if (error instanceof RestconfFault) return error.status;
  const isRefusal = error.tag === 'operation-failed' && (error.appTag !== undefined || error.path !== undefined);
  return isRefusal ? 412 : STATUS[error.tag];
}

/** Status and errors body for any error, in the client's encoding. */
export function errorReply(error: ManagementError, encoding: Encoding, schema: Schema): Reply {
  const text = encoding === 'json' ? jsonErrors(error) : xmlErrors(error, schema);
  const headers = error instanceof RestconfFault ? error.headers : {};
  return { ...dataReply(encoding, text, headers), status: statusOf(error) };
}

/** Anything thrown as a ManagementError; what is no error of a client's becomes operation-failed without its message. */
export function toManagementError(error: unknown): ManagementError {
  if (error instanceof ManagementError) return error;
  const damage = damageRefusal(error);
  if (damage) return damage;
  const status = httpStatus(error);
  if (status === 413) {
    return new RestconfFault(413, 'too-big', { type: 'transport', message: 'the request body is larger than allowed' });
  }
  if (status === 415) {
    return new RestconfFault(415, 'invalid-value', { message: 'header field Content-Type: expected a media type' });
  }
  if (status >= 400 && status < 500) {
    const message = 'the HTTP request is not acceptable';
    return new RestconfFault(status, 'malformed-message', { type: 'transport', message });
  }
  return new RestconfFault(500, 'operation-failed', {
    type: 'application',
    message: 'an error inside the server; its log says more',
  });
}

/** The status that fastify gives its own errors. */
function httpStatus(error: unknown): number {
  const isHttp = error instanceof Error && 'statusCode' in error && typeof error.statusCode === 'number';
  return isHttp ? Number(error.statusCode) : 500;
}

function jsonErrors(error: ManagementError): string {
  return JSON.stringify({ 'ietf-restconf:errors': { error: jsonFaults(error) } });
}

/** The entries of the list `error` of an errors container. */
export function jsonFaults(error: ManagementError): readonly Readonly<Record<string, unknown>>[] {
  return error.faults.map((fault) => {
    const path = shownPath(fault.path);
    return {
      'error-type': fault.type,
      'error-tag': fault.tag,
      ...(fault.appTag === undefined ? {} : { 'error-app-tag': fault.appTag }),
      ...(path === undefined ? {} : { 'error-path': path }),
      'error-message': shortened(fault.message),
      ...infoMember(fault),
    };
  });
}

function infoMember({ info, structure }: ManagementError): Readonly<Record<string, unknown>> {
  const texts = Object.entries(info).map(([name, value]) => [
    name,
    // The one number among them (RFC 6241 §4.3), which JSON has as one (RFC 7951 §6.1).
    name === 'session-id' ? Number(value) : typeof value === 'string' ? shortened(value) : value.map(shortened),
  ]);
  const members = { ...Object.fromEntries(texts), ...(structure && structureJson(structure)) };
  return Object.keys(members).length === 0 ? {} : { 'error-info': members };
}

function xmlErrors(error: ManagementError, schema: Schema): string {
  return `<errors xmlns="${RESTCONF_NAMESPACE}">${xmlFaults(error, schema)}</errors>`;
}

/** The same as elements. */
export function xmlFaults(error: ManagementError, schema: Schema): string {
  const faults = error.faults.map((fault) => {
    const appTag = fault.appTag === undefined ? '' : leaf('error-app-tag', fault.appTag);
    const shown = shownPath(fault.path);
    const path = shown === undefined ? '' : pathLeaf(shown, schema);
    const info = Object.entries(fault.info).flatMap(([name, value]) =>
      [value].flat().map((text) => leaf(name, shortened(text))),
    );
    if (fault.structure) info.push(structureXml(fault.structure, schema));
    return [
      '<error>',
      leaf('error-type', fault.type),
      leaf('error-tag', fault.tag),
      appTag,
      path,
      leaf('error-message', shortened(fault.message)),
      info.length === 0 ? '' : `<error-info>${info.join('')}</error-info>`,
      '</error>',
    ].join('');
  });
  return faults.join('');
}

function leaf(name: string, value: string, attributes = ''): string {
  return `<${name}${attributes}>${escapeText(value)}</${name}>`;
}

function pathLeaf(path: string, schema: Schema): string {
  const { text, declarations } = prefixedPath(path, schema);
  return leaf('error-path', text, declarations);
}
