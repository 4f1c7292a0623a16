/**
 * The OpenAPI 3.1 description of this face, made from the schema: data resources, operations and actions of our own model, and what
 * leads to them. It says what there is, not what a user may do: access control answers for itself.
 */

import type { Schema, SchemaNode } from '../../state/schema.ts';
import { STREAM } from '../events/streams.ts';
import { EVENT_STREAM, MEDIA_TYPES, YANG_PATCH_TYPES } from './media.ts';
import { FAULTS, PARAMETERS, RESPONSES } from './openapi-parts.ts';
import type { Json } from './openapi-schema.ts';
import { componentName, componentsOf, documentSchema, isData, objectSchema } from './openapi-schema.ts';
import { allowedMethods, HOST_META, OPENAPI, operationsOf, ROOT } from './request.ts';

const OWN_MODULE = 'gi-4over6';

/** The description as text; of one schema it is always the same. */
export function openApi(schema: Schema): string {
  const { revision = '' } = schema.module(OWN_MODULE) ?? {};
  const tops = schema.root.children.filter((node) => node.module === OWN_MODULE && isData(node));
  const operations = operationsOf(schema).filter((node) => node.module === OWN_MODULE);
  const invoked = [...operations, ...tops.flatMap(actionsBelow)];
  return JSON.stringify({
    openapi: '3.1.0',
    info: {
      title: 'gi4over6: gateway and AFTR of Gateway-Initiated 4over6',
      version: revision,
      description: `RESTCONF (RFC 8040) of the YANG module ${OWN_MODULE}. Other modules are resources in the same way. XML is answered as JSON is.`,
    },
    servers: [{ url: '/' }],
    security: [{ basic: [] }],
    paths: Object.fromEntries([
      ...fixedPaths(),
      ...tops.flatMap((node) => dataPaths(node, `${ROOT}/data/${OWN_MODULE}:${node.name}`, [])),
      ...operations.map((node) => [`${ROOT}/operations/${node.qualifiedName}`, invocation(node, [])]),
    ]),
    components: {
      securitySchemes: { basic: { type: 'http', scheme: 'basic' } },
      parameters: PARAMETERS,
      responses: RESPONSES,
      schemas: {
        errors: FAULTS,
        ...Object.fromEntries(tops.flatMap(componentsOf)),
        ...Object.fromEntries(invoked.flatMap((node) => node.children.flatMap(componentsOf))),
      },
    },
  });
}

function actionsBelow(node: SchemaNode): SchemaNode[] {
  return node.kind === 'action' ? [node] : node.children.flatMap(actionsBelow);
}

/** Resources that are there whatever the model says. */
function fixedPaths(): [string, Json][] {
  const object = { type: 'object' };
  const read = (summary: string, content: Json) => ({
    get: { summary, responses: { 200: ok(content), ...failures(['401', '406']) } },
  });
  const anyMethod = { ...edits(undefined, object), get: readOperation(undefined, object) };
  const query = ['start-time', 'stop-time', 'filter'].map(parameter);
  const events = { description: 'Notifications', content: { [EVENT_STREAM]: { schema: { type: 'string' } } } };
  return [
    [
      HOST_META,
      {
        get: {
          security: [],
          summary: 'Where RESTCONF is',
          responses: { 200: { description: 'A link', content: { 'application/xrd+xml': {} } } },
        },
      },
    ],
    [
      OPENAPI,
      {
        get: {
          summary: 'This description',
          responses: { 200: ok({ 'application/json': { schema: object } }), ...failures(['401']) },
        },
      },
    ],
    [ROOT, read('The API', json(object))],
    [`${ROOT}/yang-library-version`, read('Revision of the YANG library', json(object))],
    [`${ROOT}/operations`, read('Names of all operations', json(object))],
    [`${ROOT}/data`, anyMethod],
    ...(['json', 'xml'] as const).map((encoding): [string, Json] => [
      `${ROOT}/streams/${STREAM}/${encoding}`,
      {
        get: {
          summary: `Events in ${encoding.toUpperCase()}`,
          parameters: query,
          responses: { 200: events, ...failures(['400', '401', '406', '409']) },
        },
      },
    ]),
  ];
}

/** The paths of a data node and of all below it; `keys` are the parameters of the path so far. */
function dataPaths(node: SchemaNode, path: string, keys: readonly Json[]): [string, Json][] {
  if (node.kind === 'action') return [[path, invocation(node, keys)]];
  if (!isData(node)) return [];
  if (node.kind === 'anydata' || node.kind === 'anyxml') return [];
  if (!node.isList) return [[path, dataResource(node, keys)], ...below(node, path, keys)];
  const all = { get: readOperation(node, documentSchema(node)), ...(keys.length > 0 && { parameters: keys }) };
  if (node.kind === 'list' && node.keys.length === 0) return [[path, all]];
  const names = node.kind === 'leaf-list' ? ['value'] : node.keys;
  const own = names.map((name) => pathParameter(node, name));
  const entry = `${path}=${own.map(({ name }) => `{${name}}`).join(',')}`;
  const parameters = [...keys, ...own];
  return [[path, all], [entry, dataResource(node, parameters)], ...below(node, entry, parameters)];
}

function below(node: SchemaNode, path: string, keys: readonly Json[]): [string, Json][] {
  return node.children.flatMap((child) => dataPaths(child, `${path}/${child.qualifiedName}`, keys));
}

function pathParameter(node: SchemaNode, key: string): Json & { readonly name: string } {
  const description = `${key} of ${node.name}; a slash in it is %2F, a comma %2C`;
  return { name: `${node.name}-${key}`, in: 'path', required: true, description, schema: { type: 'string' } };
}

function dataResource(node: SchemaNode, keys: readonly Json[]): Json {
  const document = documentSchema(node);
  const parameters = keys.length > 0 && { parameters: keys };
  // A key never changes while its entry is there.
  const isFixed = node.isKey || !node.config;
  return { ...parameters, get: readOperation(node, document), ...(!isFixed && edits(node, document)) };
}

function readOperation(node: SchemaNode | undefined, document: Json): Json {
  const names = ['content', 'depth', 'fields', 'with-defaults', 'if-none-match', 'if-modified-since'];
  const statuses = ['304', '400', '401', '404', '406'];
  return {
    ...said(node),
    parameters: names.map(parameter),
    responses: { 200: { ...ok(json(document)), headers: EDITION }, ...failures(statuses) },
  };
}

const EDITION = {
  etag: { description: 'Of the whole configuration; any commit changes it', schema: { type: 'string' } },
  'last-modified': { description: 'Time of the last commit', schema: { type: 'string' } },
};
const CONDITIONS = ['if-match', 'if-none-match', 'if-unmodified-since'];
const REFUSALS = ['400', '401', '403', '404', '409', '412', '413', '415'];

/** The methods that change a resource, as far as it has them. */
function edits(node: SchemaNode | undefined, document: Json): Json {
  const kind = node ? { kind: 'data' as const, schema: node, steps: [] } : { kind: 'datastore' as const };
  const methods: readonly string[] = allowedMethods(kind);
  const body = { required: true, content: json(document) };
  const plain = CONDITIONS.map(parameter);
  const placed = [...['insert', 'point'].map(parameter), ...plain];
  const done = { 204: { description: 'Made, durable and applied', headers: EDITION }, ...failures(REFUSALS) };
  const made = { 201: { description: 'Created', headers: EDITION }, ...done };
  const patches = Object.values(YANG_PATCH_TYPES).map((type) => [type, {}]);
  const patch = { required: true, content: { ...body.content, ...Object.fromEntries(patches) } };
  const patched = { 200: { description: 'A YANG Patch was made', content: json({ type: 'object' }) }, ...done };
  return {
    ...(methods.includes('POST') && {
      post: {
        ...said(node),
        parameters: placed,
        requestBody: { required: true, content: json({ type: 'object' }) },
        responses: made,
      },
    }),
    put: { ...said(node), parameters: placed, requestBody: body, responses: made },
    patch: { ...said(node), parameters: plain, requestBody: patch, responses: patched },
    ...(methods.includes('DELETE') && { delete: { ...said(node), parameters: plain, responses: done } }),
  };
}

/** An operation or an action. */
function invocation(node: SchemaNode, keys: readonly Json[]): Json {
  const wrapped = (kind: string) => {
    const inner = node.children.find((child) => child.kind === kind && child.children.length > 0);
    const name = `${node.module}:${kind}`;
    return inner && { type: 'object', required: [name], properties: { [name]: objectSchema(inner) } };
  };
  const [input, output] = [wrapped('input'), wrapped('output')];
  const result = output ? { 200: ok(json(output)) } : {};
  const responses = { ...result, 204: { description: 'Done' }, ...failures([...REFUSALS, '500']) };
  const requestBody = input && { requestBody: { content: json(input) } };
  return { ...(keys.length > 0 && { parameters: keys }), post: { ...said(node), ...requestBody, responses } };
}

function said(node: SchemaNode | undefined): Json {
  return node
    ? { summary: node.name, tags: [componentName(node).split('_')[1] ?? OWN_MODULE] }
    : { summary: 'The datastore' };
}

function parameter(name: string): Json {
  return { $ref: `#/components/parameters/${name}` };
}

function failures(statuses: readonly string[]): Json {
  return Object.fromEntries(statuses.map((status) => [status, { $ref: `#/components/responses/${status}` }]));
}

function ok(content: Json): Json {
  return { description: 'As asked', content };
}

function json(schema: Json): Json {
  return { [MEDIA_TYPES.json]: { schema }, [MEDIA_TYPES.xml]: {} };
}
