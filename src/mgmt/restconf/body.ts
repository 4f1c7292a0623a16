/** Request bodies to data trees, in either encoding. */

import { isAscii } from 'node:buffer';
import type { DataNode } from '../../state/data.ts';
import { ManagementError } from '../../state/errors.ts';
import type { SchemaNode } from '../../state/schema.ts';
import { OctetFeed } from '../octet-feed.ts';
import type { XmlElement } from '../xml.ts';
import { parseXml, XML_LIMITS, XmlFeed } from '../xml.ts';
import { dataFromXml } from '../xml-data.ts';
import type { RestconfOperations } from './backend.ts';
import { JsonFeed } from './json-feed.ts';
import { dataFromJson } from './json-reader.ts';
import type { JsonObject, JsonValue } from './json-text.ts';
import { describeJson, isJsonObject, parseJson } from './json-text.ts';
import type { Encoding } from './media.ts';
import { unsupportedMedia } from './media.ts';

/** A message root around the data: `{"ietf-restconf:data": {...}}`, `<input xmlns="...">...</input>`. */
export interface Wrapper {
  readonly name: string;
  readonly module: string;
  readonly namespace: string;
}

/** Data as it came, before the schema has a say. */
export type RawData =
  | { readonly encoding: 'json'; readonly members: JsonObject }
  | { readonly encoding: 'xml'; readonly elements: readonly XmlElement[] };

export interface DataShape {
  /** Schema node whose children the data are. */
  readonly parent: SchemaNode;
  /** Instance path of that node, for error-path. */
  readonly path: string;
  /** Module of unqualified JSON names; none may be, where it is absent (RFC 7951 §4). */
  readonly module?: string;
  /** Whether `config false` nodes are welcome (input of operations). */
  readonly state?: boolean;
}

export interface BodyShape extends DataShape {
  readonly wrapper?: Wrapper;
}

/** A body of configuration that is read while it comes. */
export type LongBody =
  | { readonly encoding: 'json'; readonly feed: OctetFeed<JsonValue> }
  | { readonly encoding: 'xml'; readonly feed: OctetFeed<XmlElement> };

export function longBody(encoding: Encoding): LongBody {
  if (encoding === 'json') return { encoding, feed: new OctetFeed(new JsonFeed(), notUtf8) };
  return { encoding, feed: new OctetFeed(new XmlFeed(XML_LIMITS, 'body'), notUtf8) };
}

/**
 * The body as children of one node of `shape.parent`.
 * @throws RestconfFault 415 without a Content-Type; ManagementError malformed-message for what is not well-formed or
 *   holds something else than expected, and all faults of the data
 */
export async function readBody(
  body: Uint8Array | LongBody,
  encoding: Encoding | undefined,
  operations: Pick<RestconfOperations, 'schema' | 'check'>,
  shape: BodyShape,
): Promise<DataNode> {
  return dataOf(rawBody(body, encoding, shape.wrapper), operations, shape);
}

/**
 * The body, taken out of its wrapper.
 * @throws RestconfFault 415 without a Content-Type; ManagementError malformed-message for what is not well-formed or has another wrapper
 */
export function rawBody(
  body: Uint8Array | LongBody,
  encoding: Encoding | undefined,
  wrapper: Wrapper | undefined,
): RawData {
  const whole = body instanceof Uint8Array ? body : undefined;
  if (whole?.length === 0) throw malformed('the request has no body; expected the resource in JSON or XML');
  if (encoding === undefined) throw unsupportedMedia('no Content-Type came');
  if (encoding === 'json') return { encoding, members: unwrapJson(jsonOf(body), wrapper) };
  const root = xmlOf(body);
  if (wrapper && (root.name !== wrapper.name || root.namespace !== wrapper.namespace)) {
    throw malformed(
      `expected the element ${wrapper.name} of ${wrapper.namespace}, ${root.name} of '${root.namespace}' came`,
    );
  }
  return { encoding, elements: wrapper ? root.children : [root] };
}

/** The data as children of one node of `shape.parent`. @throws ManagementError with all their faults */
export function dataOf(
  raw: RawData,
  { schema, check }: Pick<RestconfOperations, 'schema' | 'check'>,
  { parent, path, module, state = false }: DataShape,
): DataNode {
  try {
    if (raw.encoding === 'xml') return dataFromXml(schema, check, raw.elements, { parent, state, edit: false });
    return dataFromJson(schema, check, raw.members, { parent, state, module: module ?? '' });
  } catch (error) {
    throw error instanceof ManagementError ? atInstance(error, parent.path, path) : error;
  }
}

function jsonOf(body: Uint8Array | LongBody): JsonValue {
  if (body instanceof Uint8Array) return parseJson(decodeUtf8(body));
  if (body.encoding === 'json') return body.feed.end();
  throw new Error('a body that came as XML is asked for JSON');
}

function xmlOf(body: Uint8Array | LongBody): XmlElement {
  if (body instanceof Uint8Array) return parseXml(decodeUtf8(body));
  if (body.encoding === 'xml') return body.feed.end();
  throw new Error('a body that came as JSON is asked for XML');
}

function decodeUtf8(body: Uint8Array): string {
  if (isAscii(body)) return Buffer.from(body.buffer, body.byteOffset, body.byteLength).toString('latin1');
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(body);
  } catch (error) {
    if (error instanceof TypeError) throw notUtf8();
    throw error;
  }
}

function notUtf8(): ManagementError {
  return malformed('the body is not UTF-8');
}

function unwrapJson(value: ReturnType<typeof parseJson>, wrapper: Wrapper | undefined): JsonObject {
  if (!isJsonObject(value)) throw malformed(`expected a JSON object, ${describeJson(value)} came`);
  if (!wrapper) return value;
  const name = `${wrapper.module}:${wrapper.name}`;
  // RFC 7951 §4: at the top a member has the name of its module before it.
  const inside = value.get(name);
  if (value.size === 1 && isJsonObject(inside)) return inside;
  throw malformed(`expected one member "${name}" with an object, ${[...value.keys()].join(', ') || 'nothing'} came`);
}

function malformed(message: string): ManagementError {
  return new ManagementError('malformed-message', { type: 'rpc', message });
}

/** The readers know the parent's schema only; here its keys come into the paths. */
function atInstance(error: ManagementError, schemaPath: string, path: string): ManagementError {
  if (path === schemaPath || schemaPath === '') return error;
  const moved = error.faults.map(({ tag, type, appTag, info, message, path: at }) => {
    const isBelow = at !== undefined && (at === schemaPath || at.startsWith(`${schemaPath}/`));
    const place = isBelow ? path + at.slice(schemaPath.length) : at;
    return new ManagementError(tag, {
      type,
      info,
      message: isBelow ? message.replaceAll(schemaPath, () => path) : message,
      ...(appTag === undefined ? {} : { appTag }),
      ...(place === undefined ? {} : { path: place }),
    });
  });
  const [first = error, ...others] = moved;
  return new ManagementError(first.tag, { ...first, message: first.message }, others);
}
