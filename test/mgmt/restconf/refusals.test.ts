// needs: addon
/** What the parsers of HTTP refuse by themselves, on the running program: status and words as for any refusal, in the client's encoding. */

import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { BASIC, openHttp2, openTls } from '../../helpers/http-connections.ts';
import { startProgram } from '../../helpers/restconf-program.ts';

const test = suite('restconf: refusals of the parsers');
const program = await startProgram();

const FIELDS = `Host: a\r\nAuthorization: ${BASIC}\r\n`;
const DATA = '/restconf/data';

/** [what, request line, more header fields, status, error-tag] */
const refused: readonly (readonly [string, string, string, number, string])[] = [
  ['a method that nobody knows', `FOO ${DATA} HTTP/1.1`, '', 501, 'operation-not-supported'],
  ['a method in small letters', `get ${DATA} HTTP/1.1`, '', 501, 'operation-not-supported'],
  ['CONNECT', 'CONNECT a:99 HTTP/1.1', '', 501, 'operation-not-supported'],
  ['another version', `GET ${DATA} HTTP/3.7`, '', 505, 'operation-not-supported'],
  ['HTTP/2 as text', `GET ${DATA} HTTP/2.0`, '', 505, 'operation-not-supported'],
  ['an edit in it', `DELETE ${DATA}/gi-4over6:softwire HTTP/2.0`, '', 505, 'operation-not-supported'],
  ['a version before the first', `GET ${DATA} HTTP/0.9`, '', 505, 'operation-not-supported'],
  ['a line that ends in LF alone', `GET ${DATA} HTTP/1.1\nX: a`, '', 400, 'malformed-message'],
  ['a field without colon', `GET ${DATA} HTTP/1.1`, 'nothing\r\n', 400, 'malformed-message'],
  ['two lengths', `PUT ${DATA} HTTP/1.1`, 'Content-Length: 1\r\nContent-Length: 2\r\n', 400, 'malformed-message'],
  ['a coding that has no end', `PUT ${DATA} HTTP/1.1`, 'Transfer-Encoding: gzip\r\n', 400, 'malformed-message'],
  ['an expectation', `PUT ${DATA} HTTP/1.1`, 'Expect: cake\r\nConnection: close\r\n', 417, 'operation-not-supported'],
];
for (const [what, line, fields, status, tag] of refused) {
  test(`R75: ${what}: ${status}, in the encoding that is accepted`, () =>
    program.run(async ({ port }) => {
      const answer = async (accept: string) => {
        const connection = await openTls(port);
        connection.write(`${line}\r\n${FIELDS}${accept}${fields}\r\n`);
        await connection.timeToClose();
        assert.match(connection.received, new RegExp(`^HTTP/1.1 ${status} `));
        const [head = '', body = ''] = connection.received.split('\r\n\r\n');
        return { type: /^content-type: (.*)$/im.exec(head)?.[1]?.trim(), body };
      };
      const xml = await answer('Accept: application/yang-data+xml\r\n');
      assert.is(xml.type, 'application/yang-data+xml');
      assert.match(xml.body, `<error-type>transport</error-type><error-tag>${tag}</error-tag>`);
      const json = await answer('');
      assert.is(json.type, 'application/yang-data+json');
      const [error] = JSON.parse(json.body)['ietf-restconf:errors'].error;
      assert.equal([error['error-type'], error['error-tag']], ['transport', tag]);
    }));
}

test('R68: a header beyond all limits: 431 in JSON, as its beginning is not there any more', () =>
  program.run(async ({ port }) => {
    const connection = await openTls(port);
    connection.write(`GET ${DATA} HTTP/1.1\r\n${FIELDS}X: ${'a'.repeat(140_000)}\r\n\r\n`);
    await connection.timeToClose();
    assert.match(connection.received, /^HTTP\/1.1 431 /);
    assert.match(connection.received, '"error-tag":"too-big"');
  }));

test('R75: CONNECT over HTTP/2 is 501, too', () =>
  program.run(async ({ port }) => {
    const client = await openHttp2(port);
    const stream = client.session.request({ ':method': 'CONNECT', ':authority': 'a:99' });
    const status = await new Promise((resolve) => stream.once('response', (fields) => resolve(fields[':status'])));
    assert.is(status, 501);
    client.end();
  }));

test('the process ends cleanly', async () => assert.is(await program.stop(), 0));
test.run();
