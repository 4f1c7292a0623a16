// needs: addon
/** R06: HEAD of each kind of resource has the header fields of its GET, and no body (RFC 8040 §4.2, RFC 9110 §9.3.2). */

import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { CurlReply } from '../../helpers/restconf.ts';
import { GUEST, JSON_TYPE, XML_TYPE } from '../../helpers/restconf.ts';
import { startProgram } from '../../helpers/restconf-program.ts';

const test = suite('restconf: HEAD');
const program = await startProgram();

const DATA = '/restconf/data';
const AFTR = `${DATA}/gi-4over6:softwire/aftr=a`;
const BINDING = `${AFTR}/binding-table/binding`;
const B = { 'ipv4-prefix': '192.0.2.0/25', 'gateway-ipv6-address': '2001:db8:a::1' };

const RESOURCES: readonly (readonly [what: string, path: string, status: number])[] = [
  ['the API', '/restconf', 200],
  ['the operations', '/restconf/operations', 200],
  ['the version of the YANG library', '/restconf/yang-library-version', 200],
  ['the datastore', `${DATA}?content=config`, 200],
  ['a datastore of NMDA', '/restconf/ds/ietf-datastores:running', 200],
  ['a container', `${AFTR}/binding-table?content=config`, 200],
  ['an entry', `${AFTR}?content=config`, 200],
  ['a binding', `${BINDING}=192.0.2.0%2F25`, 200],
  ['a binding by a selection', `${BINDING}=192.0.2.0%2F25?depth=2`, 200],
  ['a whole list', BINDING, 200],
  ['a page of a list', `${BINDING}?limit=1`, 200],
  ['a leaf', `${AFTR}/ipv6-address`, 200],
  ['a leaf that nobody set', `${AFTR}/hop-limit`, 200],
  ['an entry of a leaf-list', `${AFTR}/ipv4-pool=192.0.2.0%2F24`, 200],
  ['state', `${AFTR}/binding-table/bindings`, 200],
  ['a module', '/restconf/modules/gi-4over6.yang', 200],
  ['the OpenAPI description', '/restconf/openapi.json', 200],
  ['where RESTCONF is', '/.well-known/host-meta', 200],
  ['a resource that is not there', `${AFTR}x`, 404],
  ['a binding that is not there', `${BINDING}=192.0.2.9%2F32`, 404],
  ['a query that is none', `${AFTR}?depth=0`, 400],
  ['an operation', '/restconf/operations/gi-4over6:list-versions', 405],
];

/** All but what tells of the body's way, and the time of the answer. */
function fieldsOf({ headers }: CurlReply): unknown {
  const { date: _, connection: _connection, 'keep-alive': _alive, ...rest } = headers;
  const { 'content-length': _length, 'transfer-encoding': _coding, ...fields } = rest;
  return fields;
}

for (const [what, path, status] of RESOURCES) {
  test(`R06: ${what}: ${status}`, () =>
    program.run(async ({ curl, addBindings }) => {
      await addBindings([B]);
      for (const type of [JSON_TYPE, XML_TYPE]) {
        for (const version of ['--http1.1', '--http2']) {
          const ask = { headers: [`Accept: ${type}, */*;q=0.1`], more: [version] };
          // A list has no document in XML, which is the same refusal for both.
          const get = await curl(path, ask);
          const head = await curl(path, { ...ask, method: 'HEAD' });
          if (type === JSON_TYPE) assert.is(get.status, status, get.body);
          assert.equal([head.status, head.body], [get.status, ''], `${type} ${version}`);
          assert.equal(fieldsOf(head), fieldsOf(get), `${type} ${version}`);
          assert.is.not(get.body, '');
        }
      }
    }));
}

test('R06: conditions and rights are those of GET, too', () =>
  program.run(async ({ curl, tag }) => {
    const gateway = `${DATA}/gi-4over6:softwire/gateway=g`;
    const current = `If-None-Match: ${await tag()}`;
    const asks = [
      [`${AFTR}/ipv6-address`, { headers: [current] }, 304],
      [AFTR, { headers: ['If-Match: "other"'] }, 412],
      [gateway, { user: GUEST }, 404],
      [gateway, { user: '' }, 401],
    ] as const;
    for (const [path, options, status] of asks) {
      const [get, head] = [await curl(path, options), await curl(path, { ...options, method: 'HEAD' })];
      assert.equal([get.status, head.status, head.body], [status, status, ''], path);
      assert.equal(fieldsOf(head), fieldsOf(get), path);
    }
  }));

test('the process ends cleanly', async () => assert.is(await program.stop(), 0));
test.run();
