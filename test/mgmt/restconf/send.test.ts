import { EventEmitter, once } from 'node:events';
import { Readable, Writable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { LIMITS } from '../../../src/mgmt/restconf/limits.ts';
import { send } from '../../../src/mgmt/restconf/send.ts';

/** How long a client may take over an answer. */
const test = suite('restconf send');
const UNREAD_MS = 1_200;
const PIECE = 'x'.repeat(LIMITS.chunkCharacters);

class OpenConnection extends EventEmitter {
  destroyed = false;

  end(): void {
    this.destroyed = true;
    this.emit('close');
  }
}

/** An answer of so many pieces, as it is handed to the connection. */
async function answerOf(
  pieces: number,
  work: () => void = () => undefined,
  socket = new OpenConnection(),
): Promise<{ readonly body: Readable; readonly closed: () => number }> {
  let [sent, closed]: [unknown, number] = [undefined, 0];
  const sender = {
    request: { raw: { httpVersionMajor: 1, socket } },
    code: () => undefined,
    headers: () => undefined,
    raw: { writeHead: () => undefined, end: () => undefined },
    hijack: () => undefined,
    send: (payload: unknown) => {
      sent = payload;
    },
  };
  function* body() {
    for (let at = 0; at < pieces; at++) {
      work();
      yield PIECE;
    }
  }
  const reply = { status: 200, headers: {}, body: body(), close: () => closed++ };
  await send(sender, reply, UNREAD_MS);
  assert.instance(sent, Readable);
  return { body: sent as Readable, closed: () => closed };
}

test('a client that is slow and steady gets all of it, however long it takes', async () => {
  const { body, closed } = await answerOf(40);
  const began = performance.now();
  let characters = 0;
  for await (const piece of body) {
    characters += String(piece).length;
    await sleep(100);
  }
  assert.ok(performance.now() - began > 2 * UNREAD_MS);
  assert.is(characters, 40 * PIECE.length);
  assert.is(closed(), 1);
});

test('a client that takes all at once does not hold up the others', async () => {
  const work = () => {
    for (const end = performance.now() + 12; performance.now() < end; );
  };
  const { body } = await answerOf(30, work);
  let turns = 0;
  let isOver = false;
  const count = () => {
    turns++;
    if (!isOver) setImmediate(count);
  };
  body.pipe(
    new Writable({
      write(_piece, _encoding, done) {
        done();
      },
    }),
  );
  setImmediate(count);
  await once(body, 'end');
  isOver = true;
  assert.ok(turns >= 25, `${turns} turns`);
});

test('a client that stops is cut off, and the reading ends', async () => {
  const { body, closed } = await answerOf(1_000);
  let fault: unknown;
  body.on('error', (error) => {
    fault = error;
  });
  await once(body, 'readable');
  body.read();
  await sleep(3 * UNREAD_MS);
  assert.match(String(fault), /left its answer unread for 1200 ms/);
  assert.is(closed(), 1);
});

test('what waits for its turn in a pipeline ends with the connection', async () => {
  const socket = new OpenConnection();
  const answers = [];
  for (let i = 0; i < 3; i++) answers.push(await answerOf(40, undefined, socket));
  assert.is(socket.listenerCount('close'), 1);
  const ended = answers.map(({ body }) => once(body, 'close'));
  socket.end();
  await Promise.all(ended);
  for (const { closed } of answers) assert.is(closed(), 1);
});

test('an answer to who has gone is begun no more', async () => {
  const socket = new OpenConnection();
  socket.end();
  const { body, closed } = await answerOf(40, undefined, socket);
  assert.is(body.destroyed, true);
  if (closed() === 0) await once(body, 'close');
  assert.is(closed(), 1);
});

test('an event stream of HTTP/2 that was reset before its answer ends at once', () => {
  let sent: unknown;
  const sender = {
    request: { raw: { httpVersionMajor: 2, socket: new OpenConnection() } },
    code: () => undefined,
    headers: () => undefined,
    raw: {
      writeHead: () => undefined,
      end: () => undefined,
      stream: { closed: true, close: () => undefined },
    },
    hijack: () => undefined,
    send: (payload: unknown) => {
      sent = payload;
    },
  };
  const stream = new Readable({ read: () => undefined });
  send(sender, { status: 200, headers: {}, stream });
  assert.ok(stream.destroyed);
  assert.is(sent, stream);
});

test('what the response refuses is thrown while fastify still sees to it', () => {
  let isHijacked = false;
  const refused = new Error('no such header field');
  const sender = {
    request: { raw: { httpVersionMajor: 1, socket: new OpenConnection() } },
    code: () => undefined,
    headers: () => undefined,
    raw: {
      writeHead: () => {
        throw refused;
      },
      end: () => undefined,
    },
    hijack: () => {
      isHijacked = true;
    },
    send: () => undefined,
  };
  assert.throws(
    () => send(sender, { status: 200, headers: {}, body: 'x' }),
    (error: unknown) => error === refused,
  );
  assert.not(isHijacked);
});

test('a text over HTTP/1.1 leaves at the end of the turn, over HTTP/2 at once', async () => {
  const sent: string[] = [];
  const sender = (version: number) => ({
    request: { raw: { httpVersionMajor: version, socket: new OpenConnection() } },
    code: () => undefined,
    headers: () => undefined,
    raw: {
      writeHead: () => undefined,
      end: (text: string) => sent.push(text),
      ...(version === 2 && { stream: { closed: false, close: () => undefined } }),
    },
    hijack: () => undefined,
    send: () => undefined,
  });
  send(sender(1), { status: 200, headers: {}, body: 'one' });
  send(sender(2), { status: 200, headers: {}, body: 'two' });
  assert.equal(sent, ['two']);
  await new Promise((resolve) => setImmediate(resolve));
  assert.equal(sent, ['two', 'one']);
});

test.run();
