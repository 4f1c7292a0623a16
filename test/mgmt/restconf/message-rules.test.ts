// needs: addon
/** What HTTP says of framing, codings and header fields, on the running program: nothing is misread, each refusal has its words. */

import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { BASIC, errorIn, openHttp2, openTls, until } from '../../helpers/http-connections.ts';
import { startProgram } from '../../helpers/restconf-program.ts';

const test = suite('restconf: message rules');
const program = await startProgram();

const JSON_TYPE = 'application/yang-data+json';
const XML = 'application/yang-data+xml';
const AFTR = '/restconf/data/gi-4over6:softwire/aftr=a';
const BODY = '{"gi-4over6:enabled":false}';
/** What a proxy would take for a part of the body. */
const SMUGGLED = `DELETE ${AFTR} HTTP/1.1\r\nHost: a\r\nAuthorization: ${BASIC}\r\n\r\n`;
const chunked = (text: string) => `${text.length.toString(16)}\r\n${text}\r\n0\r\n\r\n`;
const LENGTH = `Content-Length: ${BODY.length}`;

/** [what, header fields, version, octets behind them, status or statuses] */
const framings: readonly (readonly [string, readonly string[], string, string, readonly number[]])[] = [
  ['chunked', ['Transfer-Encoding: chunked'], '1.1', chunked(BODY), [201]],
  ['chunked, in capitals', ['transfer-encoding:CHUNKED '], '1.1', chunked(BODY), [201]],
  ['gzip under chunked', ['Transfer-Encoding: gzip, chunked'], '1.1', chunked(BODY), [501]],
  ['the same in two fields', ['Transfer-Encoding: gzip', 'Transfer-Encoding: chunked'], '1.1', chunked(BODY), [501]],
  ['nothing, gzip under chunked', ['Transfer-Encoding: gzip, chunked'], '1.1', '0\r\n\r\n', [501]],
  ['an unknown one under chunked', ['Transfer-Encoding: x, chunked'], '1.1', chunked(BODY), [501]],
  ['identity under chunked', ['Transfer-Encoding: identity, chunked'], '1.1', chunked(BODY), [501]],
  ['chunked twice', ['Transfer-Encoding: chunked, chunked'], '1.1', chunked(chunked(BODY)), [400]],
  ['chunked twice, in two fields', ['Transfer-Encoding: chunked', 'Transfer-Encoding: chunked'], '1.1', '', [400]],
  ['chunked under gzip', ['Transfer-Encoding: chunked, gzip'], '1.1', chunked(BODY), [400, 501]],
  ['gzip alone', ['Transfer-Encoding: gzip'], '1.1', BODY, [400, 501]],
  ['nearly chunked', ['Transfer-Encoding: xchunked'], '1.1', chunked(BODY), [400, 501]],
  ['chunked in quotes', ['Transfer-Encoding: "chunked"'], '1.1', chunked(BODY), [400, 501]],
  ['chunked with a parameter', ['Transfer-Encoding: chunked;a=b'], '1.1', chunked(BODY), [400, 501]],
  ['chunked in HTTP/1.0', ['Transfer-Encoding: chunked'], '1.0', chunked(BODY), [400]],
  ['chunked and a length', ['Transfer-Encoding: chunked', LENGTH], '1.1', chunked(BODY), [400]],
  ['a length and chunked', [LENGTH, 'Transfer-Encoding: chunked'], '1.1', chunked(BODY), [400]],
  ['two lengths', [LENGTH, 'Content-Length: 5'], '1.1', BODY, [400]],
  ['a list of lengths', [`${LENGTH}, 5`], '1.1', BODY, [400]],
  ['a length with a sign', ['Content-Length: +5'], '1.1', BODY, [400]],
  ['a length that is none', ['Content-Length: 0x5'], '1.1', BODY, [400]],
  ['a space before the colon', ['Transfer-Encoding : chunked'], '1.1', chunked(BODY), [400]],
  ['a chunk size that is none', ['Transfer-Encoding: chunked'], '1.1', `-1\r\n${BODY}`, [400]],
  ['a chunk longer than its size', ['Transfer-Encoding: chunked'], '1.1', `2\r\n${BODY}\r\n0\r\n\r\n`, [400]],
  ['a content coding', ['Content-Encoding: gzip', LENGTH], '1.1', BODY, [415]],
  ['two content codings', ['Content-Encoding: identity, br', LENGTH], '1.1', BODY, [415]],
  ['the content coding that is none', ['Content-Encoding: identity', LENGTH], '1.1', BODY, [201]],
];
for (const [what, fields, version, octets, statuses] of framings) {
  test(`R69: framing: ${what}: ${statuses.join(' or ')}, and nothing behind it is taken for a request`, () =>
    program.run(async ({ port, curl }) => {
      const connection = await openTls(port);
      const isGood = statuses.includes(201);
      const head = [`PUT ${AFTR}/enabled HTTP/${version}`, 'Host: a', `Authorization: ${BASIC}`, ...fields];
      const more = isGood ? ['Connection: close'] : [`Accept: ${XML}`];
      const text = [...head, ...more, `Content-Type: ${JSON_TYPE}`].join('\r\n');
      connection.write(`${text}\r\n\r\n${octets}${isGood ? '' : SMUGGLED}`);
      if (statuses.includes(415)) connection.write('GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n');
      await connection.timeToClose();
      const status = Number(connection.received.slice(9, 12));
      assert.ok(statuses.includes(status), connection.received);
      if (!isGood) assert.match(connection.received, '<errors xmlns=');
      if (status === 400) assert.match(connection.received, '<error-tag>malformed-message</error-tag>');
      const exists = (await curl(AFTR)).status;
      // A content coding changes no framing: what follows is a request.
      assert.is(exists, status === 415 ? 404 : 200);
    }));
}

const PUT = [`PUT ${AFTR}/enabled HTTP/1.1`, 'Host: a', `Content-Type: ${JSON_TYPE}`, 'Expect: 100-continue'];
const AS_ADMIN = `Authorization: ${BASIC}`;
/** [what, header fields, status] */
const uninvited: readonly (readonly [string, readonly string[], number])[] = [
  ['nobody', [LENGTH], 401],
  ['a body that is too large', [AS_ADMIN, 'Content-Length: 999999999999'], 413],
  ['a media type that is not taken', [AS_ADMIN, 'Content-Type: text/plain', LENGTH], 415],
  ['a content coding', [AS_ADMIN, 'Content-Encoding: gzip', LENGTH], 415],
];
for (const [what, fields, status] of uninvited) {
  test(`R69: ${what} with Expect: 100-continue is ${status} without being asked for the body (RFC 9110 §10.1.1)`, () =>
    program.run(async ({ port }) => {
      const connection = await openTls(port);
      const isTyped = fields.some((field) => field.startsWith('Content-Type'));
      const head = PUT.filter((field) => !isTyped || !field.startsWith('Content-Type'));
      connection.write(`${[...head, ...fields].join('\r\n')}\r\n\r\n`);
      // What comes behind would be the body to one, a request to another.
      await connection.timeToClose();
      assert.match(connection.received, new RegExp(`^HTTP/1.1 ${status} `));
    }));
}

test('R69: a body that is taken is asked for, over both versions of HTTP', () =>
  program.run(async ({ port, curl }) => {
    const connection = await openTls(port);
    connection.write(`${[...PUT, AS_ADMIN, LENGTH, 'Connection: close'].join('\r\n')}\r\n\r\n`);
    await until(() => connection.received.startsWith('HTTP/1.1 100 Continue\r\n\r\n'));
    connection.write(BODY);
    await connection.timeToClose();
    assert.match(connection.received, 'HTTP/1.1 201 Created');
    const client = await openHttp2(port);
    const asked = client.ask(`${AFTR}/enabled`, { ':method': 'PUT', expect: '100-continue' }, false);
    await until(() => asked.isInvited);
    asked.end('{"gi-4over6:enabled":true}');
    assert.is((await asked.answer).status, 204);
    client.end();
    assert.is((await curl(`${AFTR}/enabled`)).body, '{"gi-4over6:enabled":true}');
  }));

/** Fields that a proxy and a server may each take another one of (RFC 9110 §5.3). */
const TWICE = [
  ['Authorization', [`Authorization: ${BASIC}`, 'Authorization: Basic bm9ib2R5Ong=']],
  ['Content-Type', [`Content-Type: ${JSON_TYPE}`, `content-type: ${XML}`]],
] as const;
for (const [name, fields] of TWICE) {
  test(`R13 R67: ${name} comes once, over both versions of HTTP`, () =>
    program.run(async ({ curl, tag }) => {
      const before = await tag();
      for (const version of ['--http1.1', '--http2']) {
        const user = name === 'Authorization' ? { user: '' } : {};
        const put = { method: 'PUT', body: BODY, headers: fields, more: [version], ...user };
        const reply = await curl(`${AFTR}/enabled`, put);
        assert.equal([reply.status, reply.tag], [400, 'malformed-message'], version);
        assert.match(reply.body, `header field ${name} came more than once`);
        const once = await curl(`${AFTR}/enabled`, { ...user, headers: fields.slice(0, 1), more: [version] });
        assert.is(once.status, 200, once.body);
      }
      assert.is(await tag(), before);
    }));
}

test('R13: a content coding over HTTP/2 is 415 and says what is taken (RFC 9110 §12.5.3)', () =>
  program.run(async ({ port }) => {
    const client = await openHttp2(port);
    const fields = { ':method': 'PUT', 'content-encoding': 'gzip' };
    const asked = client.ask(`${AFTR}/enabled`, fields, false);
    asked.end(BODY);
    const { status, headers, body } = await asked.answer;
    assert.equal([status, headers['accept-encoding'], headers['content-type']], [415, 'identity', JSON_TYPE]);
    assert.is(errorIn(body)['error-tag'], 'invalid-value');
    client.end();
  }));

/** Over HTTP/2, where neither type nor length need be said of a body: [method, path, body, status] */
const unannounced: readonly (readonly [string, string, string, number])[] = [
  ['PUT', `${AFTR}/enabled`, BODY, 415],
  ['POST', '/restconf/operations/gi-4over6:list-versions', '{"gi-4over6:input":{}}', 415],
  ['POST', '/restconf/operations/gi-4over6:list-versions', '', 200],
  ['PUT', `${AFTR}/enabled`, '', 400],
];
for (const [method, path, octets, status] of unannounced) {
  test(`R13: ${method} ${path} over HTTP/2 with '${octets}' and without a Content-Type: ${status}`, () =>
    program.run(async ({ port }) => {
      const client = await openHttp2(port);
      const asked = client.ask(path, { ':method': method, 'content-type': undefined }, false);
      asked.end(octets);
      const answer = await asked.answer;
      assert.is(answer.status, status, answer.body);
      client.end();
    }));
}

/** [:authority, Host beside it, status] */
const names: readonly (readonly [authority: string, host: string | undefined, status: number])[] = [
  ['a.example', undefined, 200],
  ['a.example:8443', 'a.example:8443', 200],
  ['a.example', 'A.Example:443', 200],
  ['[2001:DB8::1]:443', '[2001:db8::1]', 200],
  ['a.example', 'b.example', 400],
  ['a.example:8443', 'a.example', 400],
  ['a.example', 'user@a.example', 400],
  ['user@a.example', undefined, 400],
  ['a.example:x', undefined, 400],
];
for (const [authority, host, status] of names) {
  test(`R69: over HTTP/2 :authority ${authority} and Host ${host ?? 'none'}: ${status} (RFC 9113 §8.3.1)`, () =>
    program.run(async ({ port }) => {
      const client = await openHttp2(port);
      const fields = { ':authority': authority, ...(host !== undefined && { host }) };
      for (const path of [AFTR, '/.well-known/host-meta']) {
        const answer = await client.ask(path, fields).answer;
        assert.is(answer.status, status, answer.body);
        if (status === 400) assert.is(errorIn(answer.body)['error-tag'], 'malformed-message');
      }
      assert.is((await client.ask(AFTR).answer).status, 200, 'the connection goes on');
      client.end();
    }));
}

/** Header fields of so many octets each. */
const manyFields = (count: number, octets: number) =>
  Object.fromEntries(Array.from({ length: count }, (_, at) => [`x-${at}`, 'a'.repeat(octets)]));

for (const [what, fields] of [
  ['of 33,000 octets', manyFields(1, 33_000)],
  ['of 60,000 octets', manyFields(1, 60_000)],
  ['of 120,000 octets, in ten', manyFields(10, 12_000)],
  ['of 60 octets, 1,500 of them', manyFields(1_500, 60)],
  ['of 20 octets, 3,000 of them', manyFields(3_000, 20)],
] as const) {
  test(`R68: header fields over HTTP/2 ${what}: 431 on the stream, others go on`, () =>
    program.run(async ({ port }) => {
      const client = await openHttp2(port);
      // The settings of the server hold by then.
      assert.is((await client.ask(`${AFTR}/name`).answer).status, 200);
      for (const [accept, start] of [
        [JSON_TYPE, '{"ietf-restconf:errors":'],
        [XML, '<errors xmlns='],
      ] as const) {
        const { status, headers, body } = await client.ask(`${AFTR}/name`, { ...fields, accept }).answer;
        assert.equal([status, headers['content-type'], body.slice(0, start.length)], [431, accept, start]);
        assert.match(body, 'too-big');
      }
      assert.is((await client.ask(`${AFTR}/name`).answer).status, 200);
      client.end();
    }));
}

test('R68: one field over HTTP/2 that no decoder takes ends its connection, and no other', () =>
  program.run(async ({ port, curl }) => {
    const [client, other] = [await openHttp2(port), await openHttp2(port)];
    const { status } = await client.ask(`${AFTR}/name`, manyFields(1, 120_000)).answer;
    assert.is(status, 0);
    assert.is((await other.ask(`${AFTR}/name`).answer).status, 200);
    assert.is((await curl(`${AFTR}/name`)).status, 200);
    client.end();
    other.end();
  }));

/** [path, header field, status, what the Content-Type begins with] */
const accepts: readonly (readonly [path: string, field: string, status: number, type?: string])[] = [
  [AFTR, `Accept: ${JSON_TYPE};q=0`, 406, XML],
  [AFTR, `Accept: ${JSON_TYPE};q=0, */*`, 200, XML],
  [AFTR, `Accept: */*, ${JSON_TYPE};q=0.000`, 200, XML],
  [AFTR, `Accept: ${XML};q=0, application/*;q=0.1`, 200, JSON_TYPE],
  [AFTR, `Accept: application/*;q=0, */*`, 406, JSON_TYPE],
  [AFTR, `Accept: */*;q=0, ${XML};q=0.1`, 200, XML],
  [AFTR, 'Accept: */*;q=0', 406, JSON_TYPE],
  [AFTR, `Accept: ${JSON_TYPE};q=0, ${XML};q=0`, 406, JSON_TYPE],
  [AFTR, 'Accept: text/html', 406, JSON_TYPE],
  ['/restconf/streams/NETCONF/json', 'Accept: text/event-stream;q=0, */*', 406, 'application/yang-data'],
  ['/restconf/streams/NETCONF/json', 'Accept: text/*;q=0, */*', 406, 'application/yang-data'],
  ['/restconf/openapi.json', `Accept: ${JSON_TYPE}`, 200, 'application/json'],
  ['/restconf/openapi.json', 'Accept: application/json;q=0, */*', 406],
  ['/restconf/openapi.json', 'Accept: application/*;q=0', 406],
  ['/.well-known/host-meta', 'Accept: application/xrd+xml;q=0, */*', 406],
  [AFTR, 'Accept-Encoding: gzip', 200, JSON_TYPE],
  [AFTR, 'Accept-Encoding: gzip, *;q=0, identity', 200, JSON_TYPE],
  [AFTR, 'Accept-Encoding: *;q=0.1', 200, JSON_TYPE],
  [AFTR, 'Accept-Encoding: identity;q=0', 406, JSON_TYPE],
  [AFTR, 'Accept-Encoding: identity;q=0.0, gzip', 406, JSON_TYPE],
  [AFTR, 'Accept-Encoding: gzip, *;q=0', 406, JSON_TYPE],
  [AFTR, 'Accept-Encoding: *, identity;q=0', 406, JSON_TYPE],
];
for (const [path, field, status, type] of accepts) {
  test(`R11: ${field} for ${path}: ${status}`, () =>
    program.run(async ({ curl }) => {
      const { headers, status: found } = await curl(path, { method: 'HEAD', headers: [field] });
      assert.is(found, status);
      if (type !== undefined) assert.ok(headers['content-type']?.startsWith(type), headers['content-type']);
    }));
}

const READ = 'GET, HEAD, OPTIONS';
const EDIT = `${READ}, PUT, PATCH, DELETE`;
const SOFTWIRE = '/restconf/data/gi-4over6:softwire';
const USER = '/restconf/data/ietf-system:system/authentication/user=admin';
/** [path, Allow]; with PATCH there is Accept-Patch. */
const resources: readonly (readonly [string, string])[] = [
  ['/restconf', READ],
  ['/restconf/yang-library-version', READ],
  ['/restconf/openapi.json', READ],
  ['/restconf/modules/gi-4over6.yang', READ],
  ['/.well-known/host-meta', READ],
  ['/restconf/operations', READ],
  ['/restconf/operations/gi-4over6:list-versions', 'OPTIONS, POST'],
  ['/restconf/operations/gi-4over6:advertise-routes', 'OPTIONS, POST'],
  ['/restconf/operations/gi-4over6:advertise-routes/', 'OPTIONS, POST'],
  ['/restconf/operations/gi-4over6%3Aadvertise-routes', 'OPTIONS, POST'],
  ['/restconf/streams/NETCONF/json', READ],
  ['/restconf/streams/NETCONF/xml', READ],
  ['/restconf/subscriptions/1', READ],
  ['/restconf/data', `${READ}, POST, PUT, PATCH`],
  ['/restconf/ds/ietf-datastores:candidate', `${READ}, POST, PUT, PATCH`],
  ['/restconf/ds/ietf-datastores:operational', READ],
  [SOFTWIRE, `${READ}, POST, PUT, PATCH, DELETE`],
  [AFTR, `${READ}, POST, PUT, PATCH, DELETE`],
  [`${SOFTWIRE}/aftr`, READ],
  [`${AFTR}/binding-table/binding`, READ],
  [`${AFTR}/ipv4-pool`, READ],
  [`${AFTR}/ipv4-pool=192.0.2.0%2F24`, EDIT],
  [`${AFTR}/name`, READ],
  [`${USER}/name`, READ],
  [`${AFTR}/binding-table/binding=192.0.2.1%2F32/ipv4-prefix`, READ],
  [`${AFTR}/enabled`, EDIT],
  [`${AFTR}/statistics`, READ],
  [`${AFTR}/lookup`, 'OPTIONS, POST'],
];
test('R05: OPTIONS of each kind of resource says what it takes, and no more', () =>
  program.run(async ({ curl }) => {
    for (const [path, allow] of resources) {
      const { status, headers } = await curl(path, { method: 'OPTIONS' });
      assert.equal([status, headers.allow], [200, allow], path);
      assert.is(headers['accept-patch'] !== undefined, allow.includes('PATCH'), path);
    }
  }));

test('R05: OPTIONS * is answered for the server as a whole, over both versions, to users; nothing else is asked of it (RFC 9110 §9.3.7)', () =>
  program.run(async ({ curl }) => {
    for (const version of ['--http1.1', '--http2']) {
      const more = ['--request-target', '*', version];
      const { status, headers, body } = await curl('', { method: 'OPTIONS', more });
      assert.equal([status, headers.allow, body], [200, 'GET, HEAD, OPTIONS, POST, PUT, PATCH, DELETE', ''], version);
      assert.match(headers['accept-patch'] ?? '', 'application/yang-patch+json');
      assert.is((await curl('', { method: 'OPTIONS', user: '', more })).status, 401, version);
    }
    // HTTP/2 has no such request (RFC 9113 §8.3.1): its library ends the stream.
    const got = await curl('', { more: ['--request-target', '*', '--http1.1'] });
    assert.equal([got.status, got.tag, got.headers.allow], [405, 'operation-not-supported', 'OPTIONS']);
  }));

test('R30 R47: advertise-routes is to a user what any other operation is', () =>
  program.run(async ({ curl }) => {
    for (const path of ['gi-4over6:advertise-routes', 'gi-4over6:advertise-routes/', 'gi-4over6%3Aadvertise-routes']) {
      const operation = `/restconf/operations/${path}`;
      for (const method of ['GET', 'HEAD', 'PUT', 'DELETE']) {
        const { status, headers } = await curl(operation, { method });
        assert.equal([status, headers.allow], [405, 'OPTIONS, POST'], `${method} ${path}`);
      }
      for (const user of ['', 'admin:x', 'nobody:x']) {
        assert.is((await curl(operation, { user, method: 'OPTIONS' })).status, 401, user);
      }
      const body = '{"gi-4over6:input":{"gateway-ipv6-address":"2001:db8:a::1","open":[null]}}';
      for (const user of [undefined, 'guest:guest-password']) {
        const reply = await curl(operation, { method: 'POST', body, ...(user !== undefined && { user }) });
        assert.equal([reply.status, reply.tag], [403, 'access-denied'], `${user} ${path}`);
      }
    }
  }));

test('the process ends cleanly', async () => assert.is(await program.stop(), 0));
test.run();
