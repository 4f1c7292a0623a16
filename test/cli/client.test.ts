import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { NetconfClient, nodesAt, textOf, textsOf } from '../../src/cli/client.ts';
import { CommandFailure, EXIT, Refusal } from '../../src/cli/failure.ts';

const test = suite('cli client');

const HELLO = '<hello><session-id>1</session-id></hello>]]>]]>';

/** A server that answers each message by a function, in pieces of `size` octets; undefined ends the connection. */
async function withServer(
  answer: (message: string) => string | undefined,
  body: (client: NetconfClient) => Promise<void>,
  size = 1000,
): Promise<void> {
  const dir = mkdtempSync(join(tmpdir(), 'gi4over6-cli-'));
  const path = join(dir, 'socket');
  const sockets: Socket[] = [];
  const server = createServer((socket) => {
    sockets.push(socket);
    socket.on('error', () => undefined);
    const send = async (text: string) => {
      const octets = Buffer.from(text);
      for (let at = 0; at < octets.length; at += size) {
        socket.write(octets.subarray(at, at + size));
        await new Promise((resolve) => setImmediate(resolve));
      }
    };
    let held = '';
    let isGreeted = false;
    void send(HELLO);
    socket.setEncoding('utf8').on('data', (text: string) => {
      const messages = (held + text).split(']]>]]>');
      held = messages.pop() ?? '';
      for (const message of messages) {
        if (isGreeted) {
          const reply = answer(message);
          if (reply === undefined) socket.destroy();
          else void send(`${reply}]]>]]>`);
        }
        isGreeted = true;
      }
    });
  });
  await new Promise<void>((resolve) => server.listen(path, resolve));
  const client = await NetconfClient.connect(path);
  try {
    await body(client);
  } finally {
    client.close();
    for (const socket of sockets) socket.destroy();
    server.close();
    rmSync(dir, { recursive: true, force: true });
  }
}

async function failureOf(work: Promise<unknown>): Promise<CommandFailure> {
  try {
    await work;
  } catch (error) {
    if (error instanceof CommandFailure) return error;
    throw error;
  }
  throw new Error('it did not fail');
}

const REPLY =
  '<rpc-reply xmlns="urn:b" message-id="1"><data><p:a xmlns:p="urn:a"><b>1</b><b>\u20ac&amp;</b></p:a></data></rpc-reply>';

for (const size of [1, 2, 1000]) {
  test(`a small reply as an object, in pieces of ${size} octets`, () =>
    withServer(
      () => REPLY,
      async (client) => {
        const [a = {}] = nodesAt(await client.call('<get/>'), 'data', 'a');
        assert.equal(textsOf(a, 'b'), ['1', '\u20ac&']);
        assert.is(textOf(a, 'c'), '');
        assert.is(textOf(a, 'b'), '1');
      },
      size,
    ));
}

test('a reply as pieces of text, then the next', () =>
  withServer(
    (message) => REPLY.replace('\u20ac', /<get><x>(\d)/.exec(message)?.[1] ?? ''),
    async (client) => {
      for (const id of ['1', '2']) {
        let text = '';
        for await (const piece of client.request(`<get><x>${id}</x></get>`)) text += piece;
        assert.is(text, REPLY.replace('\u20ac', id));
      }
    },
    3,
  ));

const ERROR =
  '<rpc-reply xmlns="urn:b" message-id="1"><rpc-error><error-type>application</error-type><error-tag>invalid-value</error-tag>' +
  '<error-severity>error</error-severity><error-app-tag>outside-pool</error-app-tag>' +
  `<error-path xmlns:gi="urn:gi">/gi:softwire/gi:aftr[gi:name='gi:x']</error-path><error-message xml:lang="en">no pool</error-message></rpc-error>` +
  '<rpc-error><error-type>application</error-type><error-tag>data-missing</error-tag><error-severity>error</error-severity></rpc-error></rpc-reply>';

test('rpc-error elements are one refusal with their faults', () =>
  withServer(
    () => ERROR,
    async (client) => {
      const error = await failureOf(client.call('<get/>'));
      assert.instance(error, Refusal);
      assert.is(error.exitCode, EXIT.refused);
      assert.equal((error as Refusal).faults, [
        { tag: 'invalid-value', message: 'no pool', path: "/softwire/aftr[name='gi:x']", appTag: 'outside-pool' },
        { tag: 'data-missing', message: '', path: '', appTag: '' },
      ]);
      assert.is(error.message, "no pool (at /softwire/aftr[name='gi:x']) [invalid-value]; refused [data-missing]");
    },
    5,
  ));

test('a connection that ends says so', () =>
  withServer(
    () => undefined,
    async (client) => {
      const error = await failureOf(client.call('<get/>'));
      assert.is(error.exitCode, EXIT.noConnection);
    },
  ));

test('nobody there: exit code 3 and what to do', async () => {
  const error = await failureOf(NetconfClient.connect('/nonexistent/netconf.sock'));
  assert.is(error.exitCode, EXIT.noConnection);
  assert.match(error.message, '/nonexistent/netconf.sock');
  assert.match(error.message, 'gi4over6 run');
});

test.run();
