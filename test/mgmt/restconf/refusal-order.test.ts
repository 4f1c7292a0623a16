/** What HTTP/1.1 cannot parse, behind requests that it can: each of these has its own answer first. */

import { once } from 'node:events';
import type { TLSSocket } from 'node:tls';
import { connect } from 'node:tls';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { until } from '../../helpers/http-connections.ts';
import { ADMIN, JSON_TYPE, withRestconf } from '../../helpers/restconf.ts';

const test = suite('restconf: order of refusals');

const ENABLED = '/restconf/data/gi-4over6:softwire/aftr=a/enabled';
const BODY = '{"gi-4over6:enabled":true}';
const FIELDS = `Host: a\r\nAuthorization: Basic ${Buffer.from(ADMIN).toString('base64')}\r\n`;
const CLOSE = 'Connection: close\r\n';
const NONSENSE = 'nonsense\r\n\r\n';

const get = (more = '') => `GET /restconf HTTP/1.1\r\n${FIELDS}${more}\r\n`;
const put = (more: string, body: string) =>
  `PUT ${ENABLED} HTTP/1.1\r\n${FIELDS}Content-Type: ${JSON_TYPE}\r\n${more}\r\n${body}`;
const whole = (more = '') => put(`${more}Content-Length: ${BODY.length}\r\n`, BODY);
const BAD_CHUNK = put('Transfer-Encoding: chunked\r\n', 'zz\r\n');

/** What comes in one piece, and the statuses of the answers, whose connection then ends. */
const pipelines: readonly (readonly [string, string, readonly number[]])[] = [
  ['a read, nonsense', get() + NONSENSE, [200, 501]],
  ['two reads, nonsense', get() + get() + NONSENSE, [200, 200, 501]],
  ['an edit with a body that is longer than announced', `${whole()}}}`, [201, 501]],
  ['an edit, a read, nonsense', whole() + get() + NONSENSE, [201, 200, 501]],
  ['a last read, nonsense', get(CLOSE) + NONSENSE, [200]],
  ['a last read, one more', get(CLOSE) + get(), [200]],
  ['a last edit with a body that is longer', `${whole(CLOSE)}}}`, [201]],
  ['an edit whose body has no end', BAD_CHUNK, [400]],
  ['a read, an edit whose body has no end', get() + BAD_CHUNK, [200, 400]],
  ['a read, CONNECT', `${get()}CONNECT a:99 HTTP/1.1\r\n${FIELDS}\r\n`, [200, 501]],
];

async function opened(port: number): Promise<TLSSocket> {
  const socket = connect({ host: '127.0.0.1', port, rejectUnauthorized: false, ALPNProtocols: ['http/1.1'] });
  await once(socket, 'secureConnect');
  return socket.setEncoding('utf8');
}

for (const [what, text, statuses] of pipelines) {
  test(`${what}: ${statuses.join(', ')}`, () =>
    withRestconf(async ({ port, curl, datastores }) => {
      // With a password that is known reads are answered at once.
      assert.is((await curl('/restconf')).status, 200);
      const { version } = datastores.head();
      const socket = await opened(port);
      socket.write(text);
      let received = '';
      for await (const piece of socket) received += piece;
      const found = [...received.matchAll(/HTTP\/1\.1 (\d{3}) /g)].map(([, status]) => Number(status));
      assert.equal(found, statuses, received);
      assert.is(datastores.head().version, version + (statuses[0] === 201 ? 1 : 0));
    }));
}

test('an event stream behind which nonsense came goes on', () =>
  withRestconf(async ({ port, curl }) => {
    const socket = await opened(port);
    let [received, isOver] = ['', false];
    socket.on('data', (piece: string) => {
      received += piece;
    });
    socket.once('end', () => {
      isOver = true;
    });
    socket.write(`GET /restconf/streams/NETCONF/json HTTP/1.1\r\n${FIELDS}\r\n${NONSENSE}`);
    await until(() => received.includes('\r\n\r\n'));
    socket.write(NONSENSE);
    assert.is((await curl('/restconf')).status, 200);
    assert.equal(received.match(/HTTP\/1\.1 \d+/g), ['HTTP/1.1 200'], received);
    assert.not(isOver);
    socket.destroy();
  }));

test.run();
