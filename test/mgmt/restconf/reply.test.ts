import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { notFound, RestconfFault } from '../../../src/mgmt/restconf/fault.ts';
import { errorReply, statusOf, toManagementError } from '../../../src/mgmt/restconf/reply.ts';
import { parseXml, serializeXml } from '../../../src/mgmt/xml.ts';
import type { ErrorTag } from '../../../src/state/errors.ts';
import { ManagementError } from '../../../src/state/errors.ts';
import { schema } from '../../helpers/state.ts';

const test = suite('restconf reply');

const statuses: readonly (readonly [ErrorTag, number])[] = [
  ['in-use', 409],
  ['invalid-value', 400],
  ['too-big', 413],
  ['missing-attribute', 400],
  ['bad-attribute', 400],
  ['unknown-attribute', 400],
  ['missing-element', 400],
  ['bad-element', 400],
  ['unknown-element', 400],
  ['unknown-namespace', 400],
  ['access-denied', 403],
  ['lock-denied', 409],
  ['resource-denied', 409],
  ['rollback-failed', 500],
  ['data-exists', 409],
  ['data-missing', 409],
  ['operation-not-supported', 501],
  ['operation-failed', 500],
  ['malformed-message', 400],
];
for (const [tag, status] of statuses) {
  test(`${tag} is ${status}`, () => assert.is(statusOf(new ManagementError(tag, { message: 'x' })), status));
}

test('a refusal by a rule of the model is 412', () => {
  assert.is(statusOf(new ManagementError('operation-failed', { message: 'x', appTag: 'outside-pool' })), 412);
  assert.is(statusOf(new ManagementError('operation-failed', { message: 'x', path: '/a:b' })), 412);
});

test('a fault of the request line has its own status', () => {
  assert.is(statusOf(notFound('x')), 404);
  assert.is(statusOf(new RestconfFault(412, 'operation-failed', { message: 'x' })), 412);
});

const ERROR = new ManagementError(
  'operation-failed',
  {
    type: 'application',
    appTag: 'outside-pool',
    path: "/gi-4over6:softwire/aftr[name='a<']/binding-table",
    message: 'no pool & no binding',
    info: { 'bad-element': 'binding' },
  },
  [new ManagementError('invalid-value', { message: 'second', type: 'protocol' })],
);

test('what is quoted of a client is cut, and a path that is longer left out, in both encodings', () => {
  const long = 'x'.repeat(5_000_000);
  const detail = { message: long, path: `/a:${long}`, info: { 'bad-element': long, 'non-unique': [long, 'y'] } };
  const error = new ManagementError('unknown-element', detail, [new ManagementError('invalid-value', detail)]);
  const json = [...(errorReply(error, 'json', schema).body ?? [])].join('');
  const cut = `${'x'.repeat(1024)}...`;
  const [first, second] = JSON.parse(json)['ietf-restconf:errors'].error;
  assert.equal([first['error-message'], first['error-path'], second['error-message']], [cut, undefined, cut]);
  assert.equal(first['error-info'], { 'bad-element': cut, 'non-unique': [cut, 'y'] });
  const xml = [...(errorReply(error, 'xml', schema).body ?? [])].join('');
  assert.match(xml, `<error-message>${cut}</error-message><error-info><bad-element>${cut}</bad-element>`);
  assert.not.match(xml, 'error-path');
});

test('the whole body in JSON', () => {
  const reply = errorReply(ERROR, 'json', schema);
  assert.is(reply.status, 412);
  const vary = 'accept, content-type';
  assert.equal(reply.headers, { 'content-type': 'application/yang-data+json', 'cache-control': 'no-cache', vary });
  assert.equal(JSON.parse([...(reply.body ?? [])].join('')), {
    'ietf-restconf:errors': {
      error: [
        {
          'error-type': 'application',
          'error-tag': 'operation-failed',
          'error-app-tag': 'outside-pool',
          'error-path': "/gi-4over6:softwire/aftr[name='a<']/binding-table",
          'error-message': 'no pool & no binding',
          'error-info': { 'bad-element': 'binding' },
        },
        { 'error-type': 'protocol', 'error-tag': 'invalid-value', 'error-message': 'second' },
      ],
    },
  });
});

test('the whole body in XML', () => {
  const reply = errorReply(ERROR, 'xml', schema);
  assert.is(reply.headers['content-type'], 'application/yang-data+xml');
  const text = [...(reply.body ?? [])].join('');
  assert.is(
    text,
    '<errors xmlns="urn:ietf:params:xml:ns:yang:ietf-restconf"><error><error-type>application</error-type>' +
      '<error-tag>operation-failed</error-tag><error-app-tag>outside-pool</error-app-tag>' +
      '<error-path xmlns:gi="urn:gi-4over6">/gi:softwire/gi:aftr[gi:name=\'a&lt;\']/gi:binding-table</error-path>' +
      '<error-message>no pool &amp; no binding</error-message>' +
      '<error-info><bad-element>binding</bad-element></error-info></error>' +
      '<error><error-type>protocol</error-type><error-tag>invalid-value</error-tag>' +
      '<error-message>second</error-message></error></errors>',
  );
  assert.is(serializeXml(parseXml(text)).length > 0, true);
});

test('headers of a fault are those of the reply', () => {
  const fault = new RestconfFault(405, 'operation-not-supported', { message: 'x' }, { allow: 'GET' });
  assert.is(errorReply(fault, 'json', schema).headers.allow, 'GET');
});

const thrown = [
  [new Error('secret detail'), 500, 'operation-failed'],
  ['text', 500, 'operation-failed'],
  [Object.assign(new Error('x'), { statusCode: 413, code: 'FST_ERR_CTP_BODY_TOO_LARGE' }), 413, 'too-big'],
  [
    Object.assign(new Error('x'), { statusCode: 400, code: 'FST_ERR_CTP_INVALID_CONTENT_LENGTH' }),
    400,
    'malformed-message',
  ],
  [Object.assign(new Error('x'), { statusCode: 503 }), 500, 'operation-failed'],
] as const;
for (const [error, status, tag] of thrown) {
  test(`thrown ${error}: ${status} ${tag}`, () => {
    const fault = toManagementError(error);
    assert.is(statusOf(fault), status);
    assert.is(fault.tag, tag);
    assert.not.match(fault.message, /secret/);
  });
}

test('a ManagementError stays what it is', () => assert.is(toManagementError(ERROR), ERROR));

test.run();
