// needs: addon
/** HTTP and TLS of the running program, with curl and raw sockets. */

import { once } from 'node:events';
import { connect as connectPlain } from 'node:net';
import type { TLSSocket } from 'node:tls';
import { connect } from 'node:tls';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { LIMITS } from '../../../src/mgmt/restconf/limits.ts';
import { ADMIN, JSON_TYPE, XML_TYPE } from '../../helpers/restconf.ts';
import { startProgram } from '../../helpers/restconf-program.ts';
import { GOOD, NOT_AEAD } from '../../helpers/tls-suites.ts';

const test = suite('restconf server: transport');
const program = await startProgram();

const DATA = '/restconf/data';
const AFTR = `${DATA}/gi-4over6:softwire/aftr=a`;
const AUTHORIZATION = `Authorization: Basic ${Buffer.from(ADMIN).toString('base64')}`;

async function open(port: number, protocol = 'http/1.1'): Promise<TLSSocket> {
  const socket = connect({ port, host: '127.0.0.1', rejectUnauthorized: false, ALPNProtocols: [protocol] });
  socket.on('error', () => undefined);
  await once(socket, 'secureConnect');
  return socket;
}

/** Sends text and gives what comes back until the server closes. */
async function exchange(port: number, text: string): Promise<string> {
  const socket = await open(port);
  let received = '';
  socket.setEncoding('latin1').on('data', (piece: string) => {
    received += piece;
  });
  socket.write(text);
  await once(socket, 'close');
  return received;
}

const refused = [
  ['no user', { user: '' }],
  ['an unknown user', { user: 'mallory:x' }],
  ['a wrong password', { user: 'admin:x' }],
  ['another scheme', { user: '', headers: ['Authorization: Bearer x'] }],
  ['no base64', { user: '', headers: ['Authorization: Basic %%'] }],
  ['no colon', { user: '', headers: ['Authorization: Basic YWRtaW4='] }],
] as const;
for (const [why, options] of refused) {
  test(`401 for ${why}, with a challenge, whatever the path`, () =>
    program.run(async ({ curl }) => {
      for (const path of [AFTR, '/restconf/nothing']) {
        const reply = await curl(path, options);
        assert.is(reply.status, 401);
        assert.is(reply.tag, 'access-denied');
        assert.is(reply.headers['www-authenticate'], 'Basic realm="gi4over6", charset="UTF-8"');
        assert.is(reply.headers['content-type'], JSON_TYPE);
      }
    }));
}

test('errors come in the encoding the client asks for', () =>
  program.run(async ({ curl }) => {
    const xml = { headers: [`Accept: ${XML_TYPE}`] };
    for (const [path, options, status] of [
      [AFTR, { ...xml, user: '' }, 401],
      ['/nothing', xml, 404],
      [DATA, { ...xml, method: 'DELETE' }, 405],
      [`${AFTR}?depth=0`, xml, 400],
    ] as const) {
      const reply = await curl(path, options);
      assert.is(reply.status, status);
      assert.is(reply.headers['content-type'], XML_TYPE);
      assert.match(reply.body, /^<errors xmlns="urn:ietf:params:xml:ns:yang:ietf-restconf"><error>/);
    }
  }));

test('405 says what is allowed', () =>
  program.run(async ({ curl }) => {
    for (const [path, method, allow] of [
      [DATA, 'DELETE', 'GET, HEAD, OPTIONS, POST, PUT, PATCH'],
      [`${AFTR}/lookup`, 'GET', 'OPTIONS, POST'],
      ['/restconf/operations', 'POST', 'GET, HEAD, OPTIONS'],
      ['/restconf/operations/gi-4over6:list-versions', 'GET', 'OPTIONS, POST'],
      [DATA, 'PROPFIND', 'GET, HEAD, OPTIONS, POST, PUT, PATCH'],
    ] as const) {
      const reply = await curl(path, { method });
      assert.equal([reply.status, reply.tag, reply.headers.allow], [405, 'operation-not-supported', allow], method);
    }
  }));

test('406 and 415 in JSON', () =>
  program.run(async ({ curl }) => {
    assert.equal(await brief(curl(AFTR, { headers: ['Accept: text/html'] })), [406, 'invalid-value']);
    const put = (header: string) => curl(`${AFTR}/enabled`, { method: 'PUT', body: '{}', headers: [header] });
    assert.equal(await brief(put('Content-Type: text/plain')), [415, 'invalid-value']);
    assert.equal(await brief(put('Content-Type:')), [415, 'invalid-value']);
    const patch = await curl(AFTR, {
      method: 'PATCH',
      body: '{}',
      headers: ['Content-Type: application/merge-patch+json'],
    });
    const types = [XML_TYPE, JSON_TYPE, 'application/yang-patch+xml', 'application/yang-patch+json'];
    assert.is(patch.headers['accept-patch'], types.join(', '));
  }));

async function brief(reply: Promise<{ status: number; tag: string | undefined }>): Promise<unknown> {
  const { status, tag } = await reply;
  return [status, tag];
}

test('a body above the limit is 413, announced or chunked, and the server goes on', () =>
  program.run(async ({ curl }) => {
    const body = new Uint8Array(LIMITS.bodyOctets + 1).fill(0x20);
    assert.equal(await brief(curl(AFTR, { method: 'PUT', body })), [413, 'too-big']);
    const chunked = { method: 'PUT', body, headers: ['Transfer-Encoding: chunked'] };
    assert.equal(await brief(curl(AFTR, chunked)), [413, 'too-big']);
    assert.is((await curl(AFTR)).status, 200);
  }));

test('a 10 MB body with Expect: 100-continue, and a chunked one', () =>
  program.run(async ({ curl }) => {
    const body = `{"gi-4over6:enabled":true}${' '.repeat(10_000_000)}`;
    const put = (header: string) => curl(`${AFTR}/enabled`, { method: 'PUT', body, headers: [header] });
    assert.is((await put('Expect: 100-continue')).status, 201);
    assert.is((await put('Transfer-Encoding: chunked')).status, 204);
  }));

const LENGTHS = [
  ['a long URL', LIMITS.urlOctets, 0, 414],
  ['a URL of 65,000 octets', 65_000, 0, 414],
  ['long header fields', 0, LIMITS.headerOctets, 431],
  ['header fields of 60,000 octets', 0, 60_000, 431],
  ['header fields within the limit', 0, LIMITS.headerOctets - 1000, 200],
] as const;
for (const [what, url, fields, status] of LENGTHS) {
  test(`R68: ${what}: ${status}, over both versions of HTTP`, () =>
    program.run(async ({ curl }) => {
      for (const version of ['--http1.1', '--http2']) {
        const path = url === 0 ? '/restconf' : `${DATA}?x=${'a'.repeat(url)}`;
        const reply = await curl(path, { headers: [`X-Long: ${'a'.repeat(fields)}`], more: [version] });
        assert.equal([reply.status, reply.tag], [status, status === 200 ? undefined : 'too-big'], version);
      }
    }));
}

test('R30 R75: a method that nobody knows is 405 over HTTP/2, and only for users', () =>
  program.run(async ({ curl }) => {
    const foo = { method: 'FOO', more: ['--http2'] };
    const reply = await curl(DATA, foo);
    assert.equal([reply.status, reply.tag], [405, 'operation-not-supported']);
    assert.is(reply.headers.allow, 'GET, HEAD, OPTIONS, POST, PUT, PATCH');
    assert.equal(await brief(curl(DATA, { ...foo, user: '' })), [401, 'access-denied']);
    assert.equal(await brief(curl('/restconf/nothing', foo)), [404, 'invalid-value']);
  }));

test('R01 R30: host-meta has its methods, without a user too', () =>
  program.run(async ({ curl }) => {
    for (const user of ['', ADMIN]) {
      for (const method of ['POST', 'PUT', 'DELETE']) {
        const reply = await curl('/.well-known/host-meta', { method, user });
        assert.equal([reply.status, reply.headers.allow], [405, 'GET, HEAD, OPTIONS'], method);
      }
      assert.is((await curl('/.well-known/host-meta', { user, method: 'HEAD' })).status, 200);
      assert.is((await curl('/.well-known/host-meta?x', { user })).status, 400);
    }
  }));

test('nothing inside the server is named: a Content-Type that is none', () =>
  program.run(async ({ curl }) => {
    for (const method of ['OPTIONS', 'DELETE', 'PUT']) {
      const reply = await curl(`${AFTR}/enabled`, { method, headers: ['Content-Type: foo bar'], body: 'x' });
      assert.equal([reply.status, reply.tag], [415, 'invalid-value'], method);
      assert.not.match(reply.body, 'FST_');
    }
  }));

for (const protocol of ['--http1.1', '--http2']) {
  test(`all methods over ${protocol}`, () =>
    program.run(async ({ curl }) => {
      const more = [protocol];
      const body = '{"gi-4over6:enabled":true}';
      const statuses = [];
      for (const method of ['PUT', 'GET', 'PATCH', 'HEAD', 'OPTIONS', 'DELETE', 'GET']) {
        const hasBody = method === 'PUT' || method === 'PATCH';
        statuses.push((await curl(`${AFTR}/enabled`, { method, more, ...(hasBody && { body }) })).status);
      }
      assert.equal(statuses, [201, 200, 204, 200, 200, 204, 200]);
    }));
}

test('HTTP/1.1 requests one after the other on one connection, pipelined', () =>
  program.run(async ({ port }) => {
    const get = (path: string, last = false) =>
      `GET ${path} HTTP/1.1\r\nHost: x\r\n${AUTHORIZATION}\r\n${last ? 'Connection: close\r\n' : ''}\r\n`;
    const received = await exchange(port, get(`${AFTR}/name`) + get('/restconf/nothing') + get(`${AFTR}/name`, true));
    assert.equal(
      [...received.matchAll(/HTTP\/1\.1 (\d+)/g)].map(([, status]) => status),
      ['200', '404', '200'],
    );
  }));

/** Gives status and body of what a raw request is answered with; the request asks for the end of the connection. */
async function ask(port: number, line: string, ...fields: string[]): Promise<readonly [status: number, body: string]> {
  const head = [line, ...fields, AUTHORIZATION, 'Connection: close'];
  const received = await exchange(port, `${head.join('\r\n')}\r\n\r\n`);
  return [Number(received.slice(9, 12)), received.slice(received.indexOf('\r\n\r\n') + 4)];
}

const HOSTS = [
  ['none', 'HTTP/1.1', [], 400],
  ['none over HTTP/1.0', 'HTTP/1.0', [], 200],
  ['two', 'HTTP/1.1', ['Host: a', 'host: b'], 400],
  ['the same twice', 'HTTP/1.1', ['Host: a', 'Host: a'], 400],
  ['two over HTTP/1.0', 'HTTP/1.0', ['Host: a', 'HOST: b'], 400],
  ['a user', 'HTTP/1.1', ['Host: admin@a'], 400],
  ['a space', 'HTTP/1.1', ['Host: a b'], 400],
  ['a path', 'HTTP/1.1', ['Host: a/b'], 400],
  ['a port that is none', 'HTTP/1.1', ['Host: a:b'], 400],
  ['nothing', 'HTTP/1.1', ['Host:'], 200],
  ['a name and a port', 'HTTP/1.1', ['Host: a.example:8443'], 200],
  ['an IPv6 address', 'HTTP/1.1', ['Host: [2001:db8::1]:8443'], 200],
] as const;
for (const [what, version, fields, status] of HOSTS) {
  test(`RFC 9112 §3.2: Host is ${what}: ${status}`, () =>
    program.run(async ({ port }) => {
      for (const [method, path] of [
        ['GET', '/restconf'],
        ['OPTIONS', DATA],
        ['GET', '/.well-known/host-meta'],
      ] as const) {
        const [got, body] = await ask(port, `${method} ${path} ${version}`, ...fields);
        assert.is(got, status, `${method} ${path}`);
        if (status === 400) assert.match(body, '"error-tag":"malformed-message"');
      }
    }));
}

const TARGETS = [
  ['https://127.0.0.1/restconf', 200],
  ['HTTPS://other.example:1/restconf', 200],
  ['https://a/.well-known/host-meta', 200],
  ['https://a/restconf/nothing', 404],
  ['https://a', 404],
  ['ftp://a/restconf', 404],
] as const;
for (const [target, status] of TARGETS) {
  test(`R69: ${target} as a request target: ${status} (RFC 9112 §3.2.2)`, () =>
    program.run(async ({ port }) => {
      const [got] = await ask(port, `GET ${target} HTTP/1.1`, 'Host: a');
      assert.is(got, status);
    }));
}

test('an expectation other than 100-continue is 417, with an errors body', () =>
  program.run(async ({ port, curl }) => {
    const [status, body] = await ask(port, 'GET /restconf HTTP/1.1', 'Host: a', 'Expect: foo');
    assert.is(status, 417);
    const [error] = JSON.parse(body)['ietf-restconf:errors'].error;
    assert.equal([error['error-type'], error['error-tag']], ['transport', 'operation-not-supported']);
    const over2 = await curl('/restconf', { headers: ['Expect: foo'], more: ['--http2'] });
    assert.equal([over2.status, over2.tag], [417, 'operation-not-supported']);
  }));

test('what is no HTTP is refused in JSON', () =>
  program.run(async ({ port, curl }) => {
    const received = await exchange(port, 'nonsense\r\n\r\n');
    assert.match(received, /^HTTP\/1\.1 400 /);
    assert.match(received, '"error-tag":"malformed-message"');
    assert.is((await curl(AFTR)).status, 200);
  }));

test('plain HTTP on the TLS port gets no data', () =>
  program.run(async ({ port, curl }) => {
    const socket = connectPlain(port, '127.0.0.1');
    let received = '';
    socket.on('error', () => undefined);
    socket.setEncoding('latin1').on('data', (piece: string) => {
      received += piece;
    });
    socket.write(`GET ${AFTR} HTTP/1.1\r\nHost: x\r\n${AUTHORIZATION}\r\n\r\n`);
    await once(socket, 'close');
    assert.not.match(received, /HTTP\/1\.1 200|gi-4over6/);
    assert.is((await curl(AFTR)).status, 200);
  }));

test('TLS before 1.2 is refused, and in 1.2 what is not AEAD with forward secrecy (RFC 9325 §4.2)', () =>
  program.run(async ({ port }) => {
    const attempt = (maxVersion: 'TLSv1.1' | 'TLSv1.2', ciphers = 'DEFAULT@SECLEVEL=0') => {
      const socket = connect({
        port,
        host: '127.0.0.1',
        rejectUnauthorized: false,
        minVersion: 'TLSv1',
        maxVersion,
        ciphers,
      });
      return new Promise<boolean>((resolve) => {
        socket.once('secureConnect', () => resolve(true)).once('error', () => resolve(false));
      }).finally(() => socket.destroy());
    };
    assert.not.ok(await attempt('TLSv1.1'));
    assert.ok(await attempt('TLSv1.2'));
    for (const suites of NOT_AEAD) assert.not.ok(await attempt('TLSv1.2', suites), suites);
    assert.ok(await attempt('TLSv1.2', GOOD));
  }));

test('a header that does not come to its end closes the connection in time', () =>
  program.run(async ({ port }) => {
    const started = Date.now();
    const received = await exchange(port, 'GET /restconf HTTP/1.1\r\nHost: x\r\n');
    const took = Date.now() - started;
    assert.match(received, /^(HTTP\/1\.1 408 |$)/);
    assert.ok(took >= LIMITS.headerMs - 1000 && took < LIMITS.headerMs + 30_000, `${took} ms`);
  }));

test('the process ends cleanly', async () => assert.is(await program.stop(), 0));
test.run();
