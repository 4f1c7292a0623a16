/**
 * The OpenAPI 3.1 description of this face, made from the schema: the resources, operations and actions of every module, in
 * `{+restconf}/data` and in each datastore of NMDA, and what leads to them. It says what there is, not what a user may do: access
 * control answers for itself. A method that a path does not list is answered by 405.
 */

import type { Schema, SchemaNode } from '../../state/schema.ts';
import { STREAM } from '../events/streams.ts';
import { datastoresOf } from './datastore-resource.ts';
import { EVENT_STREAM } from './media.ts';
import { dataMethods, invocation, OBJECT, plainReads } from './openapi-methods.ts';
import {
  datastoreParameter,
  FAULTS,
  json,
  PARAMETERS,
  PATCH_STATUS,
  parameterNamed,
  RESPONSES,
} from './openapi-parts.ts';
import type { Json } from './openapi-schema.ts';
import { componentsOf, isData } from './openapi-schema.ts';
import { HOST_META, OPENAPI, operationsOf, ROOT } from './request.ts';

/** A member of an object. */
type Named = readonly [name: string, value: Json];

const OWN_MODULE = 'gi-4over6';
const DESCRIPTION =
  'RESTCONF (RFC 8040) of all modules. XML is answered as JSON is. A method that a path does not list is answered by 405, with Allow.';

/** The description as text; of one schema it is always the same. In pieces, each of one path or less, as it is far too long for one step. */
export function* openApi(schema: Schema): Generator<string> {
  const { revision = '' } = schema.module(OWN_MODULE) ?? {};
  const tops = schema.root.children.filter(isData);
  const operations = operationsOf(schema);
  const head = {
    openapi: '3.1.0',
    info: {
      title: 'gi4over6: gateway and AFTR of Gateway-Initiated 4over6',
      version: revision,
      description: DESCRIPTION,
    },
    servers: [{ url: '/' }],
    security: [{ basic: [] }, { certificate: [] }],
  };
  const components = {
    securitySchemes: {
      basic: { type: 'http', scheme: 'basic' },
      certificate: { type: 'mutualTLS', description: 'A client certificate that is mapped to a user' },
    },
    parameters: { ...PARAMETERS, datastore: datastoreParameter(datastoresOf(schema)) },
    responses: RESPONSES,
  };
  yield `${unended(head)},"paths":`;
  yield* objectOf(pathsOf(tops, operations));
  yield `,"components":${unended(components)},"schemas":`;
  yield* objectOf(schemasOf(tops, operations));
  yield '}}';
}

/** An object as text, to be gone on with. */
function unended(value: Json): string {
  return JSON.stringify(value).slice(0, -1);
}

function* objectOf(members: Iterable<Named>): Generator<string> {
  let before = '{';
  for (const [name, value] of members) {
    yield `${before}${JSON.stringify(name)}:${JSON.stringify(value)}`;
    before = ',';
  }
  yield '}';
}

function* pathsOf(tops: readonly SchemaNode[], operations: readonly SchemaNode[]): Generator<Named> {
  yield* fixedPaths();
  yield* datastorePaths(tops, `${ROOT}/data`, []);
  yield* datastorePaths(tops, `${ROOT}/ds/{datastore}`, [parameterNamed('datastore')]);
  for (const node of operations) yield [`${ROOT}/operations/${node.qualifiedName}`, invocation(node)];
}

function* schemasOf(tops: readonly SchemaNode[], operations: readonly SchemaNode[]): Generator<Named> {
  yield ['errors', FAULTS];
  yield ['yang-patch-status', PATCH_STATUS];
  for (const node of tops) yield* componentsOf(node);
  for (const { children } of [...operations, ...tops.flatMap(actionsBelow)]) {
    for (const child of children) yield* componentsOf(child);
  }
}

function actionsBelow(node: SchemaNode): SchemaNode[] {
  return node.kind === 'action' ? [node] : node.children.flatMap(actionsBelow);
}

/** Resources that are there whatever the model says. */
function fixedPaths(): Named[] {
  const read = (summary: string) => plainReads(summary, json(OBJECT), []);
  const text = { schema: { type: 'string' } };
  const events = { [EVENT_STREAM]: text };
  const path = (name: string, description: string) => ({
    parameters: [{ name, in: 'path', required: true, description, schema: { type: 'string' } }],
  });
  const period = ['start-time', 'stop-time', 'filter'];
  return [
    [HOST_META, open(plainReads('Where RESTCONF is', { 'application/xrd+xml': {} }, []))],
    [OPENAPI, plainReads('This description', { 'application/json': { schema: OBJECT } }, ['304', '412'])],
    [ROOT, read('The API')],
    [`${ROOT}/yang-library-version`, read('Revision of the YANG library')],
    [`${ROOT}/operations`, read('Names of all operations')],
    [
      `${ROOT}/modules/{file}`,
      {
        ...path('file', 'NAME.yang or NAME@REVISION.yang, as the YANG library gives them'),
        ...plainReads('Text of a YANG module', { 'application/yang': text }, ['304', '403', '404', '412']),
      },
    ],
    ...(['json', 'xml'] as const).map(
      (encoding): Named => [
        `${ROOT}/streams/${STREAM}/${encoding}`,
        plainReads(`Events in ${encoding.toUpperCase()}`, events, ['409'], period),
      ],
    ),
    [
      `${ROOT}/subscriptions/{id}`,
      {
        ...path('id', 'As establish-subscription answers it (RFC 8650)'),
        ...plainReads('Notifications of a dynamic subscription', events, ['404', '409']),
      },
    ],
  ];
}

/** Without a user. */
function open(methods: Json): Json {
  return Object.fromEntries(
    Object.entries(methods).map(([method, value]) => [method, { ...Object(value), security: [] }]),
  );
}

/** A datastore and all resources in it. */
function* datastorePaths(tops: readonly SchemaNode[], root: string, keys: readonly Json[]): Generator<Named> {
  const place = { inDatastore: keys.length > 0 };
  yield [root, { ...shared(keys), ...dataMethods({ node: undefined, ...place }) }];
  for (const node of tops) yield* dataPaths(node, `${root}/${node.module}:${node.name}`, keys, place);
}

/** The paths of a data node and of all below it; `keys` are the parameters of the path so far. */
function* dataPaths(
  node: SchemaNode,
  path: string,
  keys: readonly Json[],
  place: { readonly inDatastore: boolean },
): Generator<Named> {
  if (node.kind === 'action') {
    // Operational has them alone, where `{+restconf}/data` is the same (RFC 8527 §3.1).
    if (!place.inDatastore) yield [path, { ...shared(keys), ...invocation(node) }];
    return;
  }
  if (!isData(node)) return;
  yield [path, { ...shared(keys), ...dataMethods({ node, ...place, isWholeList: node.isList }) }];
  // Values of leaf-lists of state may repeat, and entries without a key have no path.
  if (node.kind === 'list' && node.keys.length === 0) return;
  const names = node.kind === 'leaf-list' ? ['value'] : node.keys;
  const own = names.map((name) => pathParameter(node, name));
  const parameters = [...keys, ...own];
  const entry = node.isList ? `${path}=${own.map(({ name }) => `{${name}}`).join(',')}` : path;
  if (node.isList) yield [entry, { ...shared(parameters), ...dataMethods({ node, ...place }) }];
  for (const child of node.children) yield* dataPaths(child, `${entry}/${child.qualifiedName}`, parameters, place);
}

function shared(keys: readonly Json[]): Json {
  return keys.length > 0 ? { parameters: keys } : {};
}

function pathParameter(node: SchemaNode, key: string): Json & { readonly name: string } {
  const description = `${key} of ${node.name}; a slash in it is %2F, a comma %2C`;
  return { name: `${node.name}-${key}`, in: 'path', required: true, description, schema: { type: 'string' } };
}
