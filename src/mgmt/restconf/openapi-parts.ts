/** The parts of the OpenAPI description that do not come from the model: parameters, refusals and their body. */

import { MEDIA_TYPES } from './media.ts';
import type { Json } from './openapi-schema.ts';

/** A query parameter, or a header field where the name begins with `if-`. */
function parameter(name: string, description: string, schema: Json = { type: 'string' }): [string, Json] {
  return [name, { name, in: name.startsWith('if-') ? 'header' : 'query', description, schema }];
}

function oneOf(...words: readonly string[]): Json {
  return { type: 'string', enum: words };
}

export const PARAMETERS: Json = Object.fromEntries([
  parameter('content', 'Configuration, state, or both (RFC 8040 §4.8.1)', oneOf('all', 'config', 'nonconfig')),
  parameter('depth', 'Levels of the answer: 1 to 65535, or unbounded (§4.8.2)'),
  parameter('fields', 'What is wanted below the resource: a;b(c;d) (§4.8.3)'),
  parameter(
    'with-defaults',
    'Whether values nobody wrote are shown (§4.8.9)',
    oneOf('report-all', 'report-all-tagged', 'trim', 'explicit'),
  ),
  parameter('insert', 'Place in a list of the user’s order (§4.8.5)', oneOf('first', 'last', 'before', 'after')),
  parameter('point', 'The entry that insert is relative to (§4.8.6)'),
  parameter('start-time', 'From when on (§4.8.7)', { type: 'string', format: 'date-time' }),
  parameter('stop-time', 'Until when (§4.8.8)', { type: 'string', format: 'date-time' }),
  parameter('filter', 'An XPath expression over each event (§4.8.4)'),
  parameter('if-match', 'Only while the entity-tag is this one (RFC 9110 §13.1.1)'),
  parameter('if-none-match', 'Only while it is another one; * for what is not there yet (RFC 9110 §13.1.2)'),
  parameter('if-modified-since', 'Only when there was a commit since (RFC 9110 §13.1.3)'),
  parameter('if-unmodified-since', 'Only when there was none since (RFC 9110 §13.1.4)'),
]);

const MEANINGS: Readonly<Record<string, string>> = {
  400: 'The request is wrong',
  401: 'User or password is missing or wrong',
  403: 'The user has no right to it',
  404: 'There is no such resource',
  406: 'The client takes no media type that there is',
  409: 'It does not go with what is there, or is locked',
  412: 'A precondition is false, or a rule of the model refuses it',
  413: 'The body is too large',
  415: 'The body has no media type that is taken',
  500: 'It failed; the log says more',
};

/** Each with the body that says why; 304 has none. */
export const RESPONSES: Json = {
  304: { description: 'Not modified' },
  ...Object.fromEntries(
    Object.entries(MEANINGS).map(([status, description]) => [
      status,
      {
        description,
        content: { [MEDIA_TYPES.json]: { schema: { $ref: '#/components/schemas/errors' } }, [MEDIA_TYPES.xml]: {} },
      },
    ]),
  ),
};

const TEXT = { type: 'string' };

/** RFC 8040 §7.1. */
export const FAULTS: Json = {
  type: 'object',
  required: ['ietf-restconf:errors'],
  additionalProperties: false,
  properties: {
    'ietf-restconf:errors': {
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
    },
  },
};
