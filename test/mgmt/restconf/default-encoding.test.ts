// needs: addon
/**
 * R12: who does not say what he accepts is answered in the encoding of his request, and in JSON where his request has no body, whether
 * the answer is data, an output, a status of YANG Patch or an error (RFC 8040 §5.2).
 */

import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { CurlOptions } from '../../helpers/restconf.ts';
import { JSON_TYPE, XML_TYPE } from '../../helpers/restconf.ts';
import { startProgram } from '../../helpers/restconf-program.ts';

const test = suite('restconf: the encoding of answers by default');
const program = await startProgram();

const AFTR = '/restconf/data/gi-4over6:softwire/aftr=a';
const TABLE = `${AFTR}/binding-table`;
const PATCH_JSON = 'application/yang-patch+json';
const PATCH_XML = 'application/yang-patch+xml';
const B = { 'ipv4-prefix': '192.0.2.0/25', 'gateway-ipv6-address': '2001:db8:a::1' };

/** Fields of Accept that leave it to the server; `Accept:` is none at all. */
const INDIFFERENT = ['Accept:', 'Accept: */*', 'Accept: application/*', `Accept: ${XML_TYPE}, ${JSON_TYPE}`];

type Case = readonly [
  why: string,
  path: string,
  method: string,
  type: string | undefined,
  body: string | undefined,
  status: number,
  expected: string,
];

const LOOKUP = `${AFTR}/lookup`;
const LIST = '/restconf/operations/gi-4over6:list-versions';
const EDITS = [{ 'edit-id': 'e', operation: 'delete', target: '/description' }];
const JSON_PATCH = JSON.stringify({ 'ietf-yang-patch:yang-patch': { 'patch-id': 'p', edit: EDITS } });
const XML_PATCH =
  '<yang-patch xmlns="urn:ietf:params:xml:ns:yang:ietf-yang-patch"><patch-id>p</patch-id><edit><edit-id>e</edit-id><operation>delete</operation><target>/description</target></edit></yang-patch>';
const JSON_BINDING = JSON.stringify({ 'gi-4over6:binding': [B] });
const XML_BINDING = `<binding xmlns="urn:gi-4over6">${Object.entries(B)
  .map(([name, value]) => `<${name}>${value}</${name}>`)
  .join('')}</binding>`;
/** An entry that is not there. */
const other = (body: string) => body.replace('192.0.2.0/25', '192.0.2.9/32');
const JSON_INPUT = '{"gi-4over6:input":{"ipv4-address":"192.0.2.7"}}';
const XML_INPUT = '<input xmlns="urn:gi-4over6"><ipv4-address>192.0.2.7</ipv4-address></input>';

/** With a body: its encoding is that of the answer. */
const WITH_BODY: readonly Case[] = [
  ['the output of an action', LOOKUP, 'POST', JSON_TYPE, JSON_INPUT, 200, JSON_TYPE],
  ['the output of an action', LOOKUP, 'POST', XML_TYPE, XML_INPUT, 200, XML_TYPE],
  [
    'a type in capitals, with a charset',
    LOOKUP,
    'POST',
    `${XML_TYPE.toUpperCase()};charset=utf-8`,
    XML_INPUT,
    200,
    XML_TYPE,
  ],
  ['an operation', LIST, 'POST', JSON_TYPE, '{"gi-4over6:input":{}}', 200, JSON_TYPE],
  ['an operation', LIST, 'POST', XML_TYPE, '<input xmlns="urn:gi-4over6"/>', 200, XML_TYPE],
  ['an entry that is there', TABLE, 'POST', JSON_TYPE, JSON_BINDING, 409, JSON_TYPE],
  ['an entry that is there', TABLE, 'POST', XML_TYPE, XML_BINDING, 409, XML_TYPE],
  [
    'a target that is not there',
    `${TABLE}/binding=192.0.2.9%2F32`,
    'PATCH',
    JSON_TYPE,
    other(JSON_BINDING),
    404,
    JSON_TYPE,
  ],
  [
    'a target that is not there',
    `${TABLE}/binding=192.0.2.9%2F32`,
    'PATCH',
    XML_TYPE,
    other(XML_BINDING),
    404,
    XML_TYPE,
  ],
  ['another key', `${TABLE}/binding=192.0.2.9%2F32`, 'PUT', JSON_TYPE, JSON_BINDING, 400, JSON_TYPE],
  ['another key', `${TABLE}/binding=192.0.2.9%2F32`, 'PUT', XML_TYPE, XML_BINDING, 400, XML_TYPE],
  ['a body that is none', TABLE, 'POST', JSON_TYPE, '{', 400, JSON_TYPE],
  ['a body that is none', TABLE, 'POST', XML_TYPE, '<', 400, XML_TYPE],
  ['a status of YANG Patch', `${TABLE}/binding=192.0.2.0%2F25`, 'PATCH', PATCH_JSON, JSON_PATCH, 409, JSON_TYPE],
  ['a status of YANG Patch', `${TABLE}/binding=192.0.2.0%2F25`, 'PATCH', PATCH_XML, XML_PATCH, 409, XML_TYPE],
  ['a type that is not known', TABLE, 'POST', 'text/plain', 'x', 415, JSON_TYPE],
];

/** Without one: JSON is the server's default. */
const WITHOUT_BODY: readonly Case[] = [
  ['a resource', AFTR, 'GET', undefined, undefined, 200, JSON_TYPE],
  ['one binding', `${TABLE}/binding=192.0.2.0%2F25`, 'GET', undefined, undefined, 200, JSON_TYPE],
  ['a whole list', `${TABLE}/binding`, 'GET', undefined, undefined, 200, JSON_TYPE],
  ['a resource', AFTR, 'HEAD', undefined, undefined, 200, JSON_TYPE],
  ['the API', '/restconf', 'GET', undefined, undefined, 200, JSON_TYPE],
  ['an operation without an input', LIST, 'POST', undefined, undefined, 200, JSON_TYPE],
  ['what is not there', `${AFTR}x`, 'GET', undefined, undefined, 404, JSON_TYPE],
  ['what is not there', `${TABLE}/binding=192.0.2.9%2F32`, 'DELETE', undefined, undefined, 404, JSON_TYPE],
  ['a method that is not for it', '/restconf/data', 'DELETE', undefined, undefined, 405, JSON_TYPE],
];

for (const [why, path, method, type, body, status, expected] of [...WITH_BODY, ...WITHOUT_BODY]) {
  test(`R12: ${method} ${type ?? 'without a body'}, ${why}: ${status} in ${expected}`, () =>
    program.run(async ({ curl, addBindings }) => {
      await addBindings([B]);
      const typed = type === undefined ? [] : [`Content-Type: ${type}`];
      const ask = (accept: string) => {
        const options: CurlOptions = { method, headers: [...typed, accept], ...(body !== undefined && { body }) };
        return curl(path, options);
      };
      for (const accept of INDIFFERENT) {
        const reply = await ask(accept);
        assert.equal([reply.status, reply.headers['content-type']], [status, expected], `${accept}: ${reply.body}`);
        if (method !== 'HEAD') assert.is(reply.body[0], expected === JSON_TYPE ? '{' : '<', accept);
      }
      // Who does say it is answered so, whatever his request is in.
      const wanted = expected === JSON_TYPE ? XML_TYPE : JSON_TYPE;
      assert.is((await ask(`Accept: ${wanted}`)).headers['content-type'], wanted);
    }));
}

test('the process ends cleanly', async () => assert.is(await program.stop(), 0));
test.run();
