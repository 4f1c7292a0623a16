/** The parts of the OpenAPI description that do not come from the model: parameters, refusals and their body. */

import type { DatastoreResource } from './datastore-resource.ts';
import { identityOf } from './datastore-resource.ts';
import { MEDIA_TYPES } from './media.ts';
import type { Json } from './openapi-schema.ts';

/** A query parameter, or a header field where the name is of one. */
function parameter(name: string, description: string, schema: Json = { type: 'string' }): [string, Json] {
  const isField = name.startsWith('if-') || name === 'edit-comment';
  return [name, { name, in: isField ? 'header' : 'query', description, schema }];
}

function oneOf(...words: readonly string[]): Json {
  return { type: 'string', enum: words };
}

const COUNT = { type: 'integer', minimum: 0, maximum: 4_294_967_295 };

export const PARAMETERS: Json = Object.fromEntries([
  parameter('content', 'Configuration, state, or both (RFC 8040 §4.8.1)', oneOf('all', 'config', 'nonconfig')),
  parameter('depth', 'Levels of the answer: 1 to 65535, or unbounded (§4.8.2)'),
  parameter('fields', 'What is wanted below the resource: a;b(c;d) (§4.8.3)'),
  parameter(
    'with-defaults',
    'Whether values nobody wrote are shown (§4.8.9)',
    oneOf('report-all', 'report-all-tagged', 'trim', 'explicit'),
  ),
  [
    'with-origin',
    {
      name: 'with-origin',
      in: 'query',
      description: 'Where each value comes from; of operational alone (RFC 8527 §3.2.2)',
      allowEmptyValue: true,
      schema: { type: 'string', enum: [''] },
    },
  ],
  parameter('insert', 'Place in a list of the user’s order (§4.8.5)', oneOf('first', 'last', 'before', 'after')),
  parameter('point', 'The entry that insert is relative to (§4.8.6)'),
  parameter('start-time', 'From when on (§4.8.7)', { type: 'string', format: 'date-time' }),
  parameter('stop-time', 'Until when (§4.8.8)', { type: 'string', format: 'date-time' }),
  parameter('filter', 'An XPath expression over each event (§4.8.4)'),
  parameter('limit', 'How many entries at most, or unbounded (draft-ietf-netconf-list-pagination)'),
  parameter('offset', 'How many entries to pass over', COUNT),
  parameter('cursor', 'Where to begin, as next or previous of another page says'),
  parameter('direction', 'Which way', oneOf('forwards', 'backwards')),
  parameter('sort-by', 'A leaf of the entries to sort by, or none'),
  parameter('locale', 'By the rules of which language texts are sorted'),
  parameter('where', 'An XPath expression that is true for the entries wanted, or unfiltered'),
  parameter('sublist-limit', 'How many entries of each list below, or unbounded'),
  parameter('if-match', 'Only while the entity-tag is this one (RFC 9110 §13.1.1)'),
  parameter('if-none-match', 'Only while it is another one; * for what is not there yet (RFC 9110 §13.1.2)'),
  parameter('if-modified-since', 'Only when there was a commit since (RFC 9110 §13.1.3)'),
  parameter('if-unmodified-since', 'Only when there was none since (RFC 9110 §13.1.4)'),
  parameter('edit-comment', 'Goes on record with the edit'),
]);

/** The datastore in a path, of those that are there. */
export function datastoreParameter(datastores: readonly DatastoreResource[]): Json {
  const edited = datastores.filter(({ isEditable }) => isEditable).map(({ name }) => name);
  return {
    name: 'datastore',
    in: 'path',
    required: true,
    description: `A datastore of NMDA (RFC 8527 §3.1); edits go to ${edited.join(' and ')}`,
    schema: oneOf(...datastores.map(identityOf)),
  };
}

const MEANINGS: Readonly<Record<string, string>> = {
  400: 'The request is wrong',
  401: 'User or password is missing or wrong',
  403: 'The user has no right to it',
  404: 'There is no such resource',
  405: 'The resource does not take this method; Allow says which',
  406: 'The client takes no media type that there is',
  408: 'The body did not come in time',
  409: 'It does not go with what is there, or is locked',
  412: 'A precondition is false, or a rule of the model refuses it',
  413: 'The body is too large, or too much would have to be looked at',
  414: 'Path and query are too long',
  415: 'The body has no media type that is taken',
  416: 'The offset is behind the last entry',
  417: 'What is expected is not to be had',
  431: 'The header fields are too large',
  500: 'It failed; the log says more',
  501: 'The server has no such method, option or coding',
  503: 'Too many logins of this address wait; Retry-After says when to come again',
};

/** The statuses that an edit of a YANG Patch may have, whose body then is another one (RFC 8072 §2.3). */
const OF_PATCHES = ['400', '403', '404', '409', '412', '413', '500', '501'];

function schemaNamed(name: string): Json {
  return { $ref: `#/components/schemas/${name}` };
}

function refusal(status: string, description: string, schema: Json): Json {
  const allow = { allow: { description: 'Its methods', schema: { type: 'string' } } };
  return { description, ...(status === '405' && { headers: allow }), content: json(schema) };
}

/** Each with the body that says why; 304 has none. */
export const RESPONSES: Json = {
  304: { description: 'Not modified' },
  ...Object.fromEntries(
    Object.entries(MEANINGS).map(([status, text]) => [status, refusal(status, text, schemaNamed('errors'))]),
  ),
  ...Object.fromEntries(
    OF_PATCHES.map((status) => {
      const text = `${MEANINGS[status]}; of a YANG Patch, how each edit went`;
      const either = { oneOf: [schemaNamed('errors'), schemaNamed('yang-patch-status')] };
      return [`patch-${status}`, refusal(status, text, either)];
    }),
  ),
};

export function parameterNamed(name: string): Json {
  return { $ref: `#/components/parameters/${name}` };
}

export function failures(statuses: readonly string[]): Json {
  return Object.fromEntries(statuses.map((status) => [status, { $ref: `#/components/responses/${status}` }]));
}

/** Those of PATCH, which may have come as a YANG Patch. */
export function patchFailures(statuses: readonly string[]): Json {
  const named = (status: string) => (OF_PATCHES.includes(status) ? `patch-${status}` : status);
  return Object.fromEntries(statuses.map((status) => [status, { $ref: `#/components/responses/${named(status)}` }]));
}

export function ok(content: Json): Json {
  return { description: 'As asked', content };
}

export function json(schema: Json): Json {
  return { [MEDIA_TYPES.json]: { schema }, [MEDIA_TYPES.xml]: {} };
}

const TEXT = { type: 'string' };

/** An errors container (RFC 8040 §7.1). */
const ERRORS: Json = {
  type: 'object',
  required: ['error'],
  additionalProperties: false,
  properties: {
    error: {
      type: 'array',
      minItems: 1,
      items: {
        type: 'object',
        required: ['error-type', 'error-tag'],
        additionalProperties: false,
        properties: {
          'error-type': { enum: ['transport', 'rpc', 'protocol', 'application'] },
          'error-tag': TEXT,
          'error-app-tag': TEXT,
          'error-path': TEXT,
          'error-message': TEXT,
          'error-info': { type: 'object' },
        },
      },
    },
  },
};

/** RFC 8040 §7.1. */
export const FAULTS: Json = objectOf({ 'ietf-restconf:errors': ERRORS }, ['ietf-restconf:errors']);

const OUTCOME = { ok: { type: 'array', items: { type: 'null' }, minItems: 1, maxItems: 1 }, errors: ERRORS };
const EDIT_STATUS = objectOf({ 'edit-id': TEXT, ...OUTCOME }, ['edit-id']);

/** How a YANG Patch went (RFC 8072 §2.3). */
export const PATCH_STATUS: Json = objectOf(
  {
    'ietf-yang-patch:yang-patch-status': objectOf(
      {
        'patch-id': TEXT,
        ...OUTCOME,
        'edit-status': objectOf({ edit: { type: 'array', items: EDIT_STATUS } }, ['edit']),
      },
      ['patch-id'],
    ),
  },
  ['ietf-yang-patch:yang-patch-status'],
);

function objectOf(properties: Json, required: readonly string[]): Json {
  return { type: 'object', required, additionalProperties: false, properties };
}
