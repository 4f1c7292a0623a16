/** What a client asks first: where the API is and what it holds (RFC 8040 §3.1, §3.3). */

import { ManagementError } from '../../state/errors.ts';
import type { Caller } from '../../state/request.ts';
import type { Schema, SchemaNode } from '../../state/schema.ts';
import type { RestconfOperations } from './backend.ts';
import { notFound } from './fault.ts';
import type { Encoding } from './media.ts';
import type { Reply } from './reply.ts';
import { dataReply, RESTCONF_NAMESPACE } from './reply.ts';
import type { Conditions } from './request.ts';
import { operationsOf, ROOT } from './request.ts';
import { tagged, textReply } from './text-reply.ts';

/** Revision of ietf-yang-library that is served (§3.3.3). */
export const YANG_LIBRARY_VERSION = '2019-01-04';

/** RFC 6415; open to all, as it says nothing but the entry point. */
export function hostMeta(): Reply {
  const text = `<XRD xmlns="http://docs.oasis-open.org/ns/xri/xrd-1.0"><Link rel="restconf" href="${ROOT}"/></XRD>`;
  return { status: 200, headers: { 'content-type': 'application/xrd+xml' }, body: [text] };
}

/** `{+restconf}`: its three children, the first two empty (§3.3). */
export function apiResource(encoding: Encoding): Reply {
  const version = YANG_LIBRARY_VERSION;
  const text =
    encoding === 'json'
      ? `{"ietf-restconf:restconf":{"data":{},"operations":{},"yang-library-version":"${version}"}}`
      : `<restconf xmlns="${RESTCONF_NAMESPACE}"><data/><operations/><yang-library-version>${version}</yang-library-version></restconf>`;
  return dataReply(encoding, [text]);
}

export function yangLibraryVersion(encoding: Encoding): Reply {
  const text =
    encoding === 'json'
      ? `{"ietf-restconf:yang-library-version":"${YANG_LIBRARY_VERSION}"}`
      : `<yang-library-version xmlns="${RESTCONF_NAMESPACE}">${YANG_LIBRARY_VERSION}</yang-library-version>`;
  return dataReply(encoding, [text]);
}

/** The operations as empty leaves (§3.3.2). */
export function operationsResource(encoding: Encoding, schema: Schema): Reply {
  const operations = operationsOf(schema);
  const json = () => operations.map((node) => `"${node.qualifiedName}":[null]`).join(',');
  const xml = () => operations.map((node: SchemaNode) => `<${node.name} xmlns="${node.namespace}"/>`).join('');
  const text =
    encoding === 'json'
      ? `{"ietf-restconf:operations":{${json()}}}`
      : `<operations xmlns="${RESTCONF_NAMESPACE}">${xml()}</operations>`;
  return dataReply(encoding, [text]);
}

/**
 * The text of a module that is loaded (§3.7), for who may ask for it by get-schema (RFC 6022 §3.1).
 * @throws ManagementError access-denied; RestconfFault 404 when it is not loaded, 412
 */
export function moduleText(
  operations: Pick<RestconfOperations, 'authorizeOperation' | 'moduleText'>,
  caller: Caller,
  { name, revision }: { readonly name: string; readonly revision: string | undefined },
  conditions: Conditions,
): Reply {
  operations.authorizeOperation(caller, 'ietf-netconf-monitoring', 'get-schema');
  try {
    const text = operations.moduleText(name, revision, 'yang');
    return textReply(conditions, tagged(text), 'application/yang');
  } catch (error) {
    if (error instanceof ManagementError && error.tag === 'invalid-value') throw notFound(error.message);
    throw error;
  }
}
