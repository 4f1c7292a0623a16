/** Short answers over HTTP/1.1 that leave together at the end of a turn. */

import { once } from 'node:events';
import { connect } from 'node:tls';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { Outbox } from '../../../src/mgmt/restconf/outbox.ts';
import { ADMIN, addBindings, withRestconf } from '../../helpers/restconf.ts';

const test = suite('restconf: outbox');

const turn = () => new Promise((resolve) => setImmediate(resolve));

/** An outbox by a clock that is set by hand, and what has left it. */
function outbox() {
  const state = { nowMs: 1_000, sent: [] as string[] };
  const box = new Outbox(() => state.nowMs);
  return { state, put: (text: string) => box.put({ end: (ended) => state.sent.push(ended) }, text) };
}

test('what is made in one turn leaves at its end, in order', async () => {
  const { state, put } = outbox();
  for (const text of ['a', 'b', 'c']) put(text);
  assert.equal(state.sent, []);
  await turn();
  assert.equal(state.sent, ['a', 'b', 'c']);
  put('d');
  assert.is(state.sent.length, 3);
  await turn();
  assert.is(state.sent.join(''), 'abcd');
});

test('no more waits than a few answers', async () => {
  const { state, put } = outbox();
  const text = 'x'.repeat(6_000);
  for (let count = 0; count < 7; count++) put(text);
  assert.is(state.sent.length, 6);
  put('y'.repeat(100_000));
  assert.is(state.sent.length, 8);
  await turn();
  assert.is(state.sent.length, 8);
});

test('where others take long in a turn, the next answers leave at once, for a while', async () => {
  const { state, put } = outbox();
  put('late');
  state.nowMs += 10;
  await turn();
  put('at once');
  assert.equal(state.sent, ['late', 'at once']);
  state.nowMs += 200;
  put('waits');
  assert.is(state.sent.length, 2);
  await turn();
  assert.is(state.sent.length, 3);
});

/** The answers to requests that come in one piece, as [status, body]. */
async function pipelined(port: number, requests: readonly string[]): Promise<readonly [number, string][]> {
  const socket = connect({ host: '127.0.0.1', port, rejectUnauthorized: false, ALPNProtocols: ['http/1.1'] });
  await once(socket, 'secureConnect');
  const fields = `Host: a\r\nAuthorization: Basic ${Buffer.from(ADMIN).toString('base64')}\r\n`;
  const last = requests.length - 1;
  socket.write(
    requests
      .map((line, at) => `${line} HTTP/1.1\r\n${fields}${at === last ? 'Connection: close\r\n' : ''}\r\n`)
      .join(''),
  );
  let text = '';
  for await (const piece of socket.setEncoding('utf8')) text += piece;
  return text
    .split(/(?=HTTP\/1\.1 \d\d\d )/)
    .map((answer) => [Number(answer.slice(9, 12)), answer.slice(answer.indexOf('\r\n\r\n') + 4)]);
}

test('answers of a pipeline come in the order of the requests, whichever way each is sent', () =>
  withRestconf(async ({ port, datastores }) => {
    const prefixes = Array.from({ length: 256 }, (_, at) => `192.0.2.${at}/32`);
    await addBindings(
      datastores,
      prefixes.map((prefix) => ({ 'ipv4-prefix': prefix, 'gateway-ipv6-address': '2001:db8:a::1' })),
    );
    const table = '/restconf/data/gi-4over6:softwire/aftr=a/binding-table';
    const one = (at: number) => `GET ${table}/binding=192.0.2.${at}%2F32`;
    // Short ones, a long one that is made while it is sent, errors, and such without a body.
    const requests = [
      one(1),
      `HEAD ${table}`,
      one(2),
      `GET ${table}`,
      one(3),
      'GET /nowhere',
      `OPTIONS ${table}`,
      one(4),
    ];
    for (let again = 0; again < 3; again++) {
      const answers = await pipelined(port, requests);
      assert.equal(
        answers.map(([status]) => status),
        [200, 200, 200, 200, 200, 404, 200, 200],
      );
      const bodies = answers.map(([, body]) => body);
      for (const [at, address] of [
        [0, '192.0.2.1/32'],
        [2, '192.0.2.2/32'],
        [4, '192.0.2.3/32'],
        [7, '192.0.2.4/32'],
      ] as const) {
        assert.ok(bodies[at]?.includes(address), `${at}: ${bodies[at]?.slice(0, 300)}`);
      }
      assert.equal([bodies[1], bodies[6]], ['', '']);
      assert.ok(bodies[3]?.includes('192.0.2.255/32') && bodies[3].includes('192.0.2.0/32'));
    }
  }));

test('a client that goes away in the turn of its answers harms nobody', () =>
  withRestconf(async ({ port, curl }) => {
    for (let count = 0; count < 20; count++) {
      const socket = connect({ host: '127.0.0.1', port, rejectUnauthorized: false, ALPNProtocols: ['http/1.1'] });
      socket.on('error', () => undefined);
      await once(socket, 'secureConnect');
      socket.write('GET /restconf HTTP/1.1\r\nHost: a\r\n\r\n'.repeat(10), () => socket.destroy());
      await once(socket, 'close');
    }
    assert.is((await curl('/restconf')).status, 200);
  }));

test.run();
