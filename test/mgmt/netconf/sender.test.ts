/** Long messages, short ones and replies share one transport: each goes out whole, and a reply waits for one long message at most. */

import { duplexPair } from 'node:stream';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { MessageReader } from '../../../src/mgmt/netconf/framing.ts';
import { Sender } from '../../../src/mgmt/netconf/sender.ts';

const test = suite('sender');
const turn = () => new Promise<void>((resolve) => setImmediate(resolve));

/** A sender whose client reads, and the messages that the client has got. */
function pair(): { readonly sender: Sender; readonly messages: string[] } {
  const [transport, client] = duplexPair();
  const messages: string[] = [];
  const reader = new MessageReader(Number.MAX_SAFE_INTEGER, (message) => messages.push(message.toString()));
  reader.framing = 'chunked';
  client.on('data', (octets: Buffer) => reader.push(octets));
  const sender = new Sender(transport, 10_000, () => assert.unreachable('the client reads'));
  sender.framing = 'chunked';
  return { sender, messages };
}

/** A message of one letter in many pieces, which waits between two of them. */
function* long(letter: string): Generator<string | Promise<void>> {
  for (let piece = 0; piece < 5; piece++) {
    yield letter.repeat(70_000);
    yield turn();
  }
}

/** Messages as their letters, each once, with a count where it is not whole. */
const letters = (messages: readonly string[]) =>
  messages.map((message) => {
    const [first = ''] = message;
    const isOne = message === first.repeat(message.length);
    return isOne && (message.length === 1 || message.length === 350_000) ? first : `${first} of ${message.length}`;
  });

async function until(condition: () => boolean): Promise<void> {
  const end = Date.now() + 20_000;
  while (!condition()) {
    if (Date.now() > end) throw new Error('it did not come');
    await turn();
  }
}

/** Longer than the sender writes at a stretch. */
function* slow(): Generator<string> {
  const end = performance.now() + 20;
  while (performance.now() < end);
  yield 'a'.repeat(70_000);
}

// [when the client goes, what is sent until then]: what comes behind is made from what was closed with the session.
for (const [when, before] of [
  ['while a piece is waited for', () => ['a', turn()]],
  ['while others have their turn', slow],
] as const) {
  for (const how of ['destroy', 'end'] as const) {
    test(`a client that goes ${when} (${how}): no further piece is asked for`, async () => {
      const [transport, client] = duplexPair();
      client.resume();
      const sender = new Sender(transport, 10_000, () => assert.unreachable('the client reads'));
      let isAsked = false;
      function* pieces(): Generator<string | Promise<void>> {
        setImmediate(() => transport[how]());
        yield* before();
        isAsked = true;
        yield 'b';
      }
      assert.is(await sender.send(pieces()), false);
      assert.not.ok(isAsked);
    });
  }
}

test('long messages go out one after the other; short ones and a reply behind the one under way', async () => {
  const { sender, messages } = pair();
  const done: string[] = [];
  sender.stream(long('a'), () => done.push('a'));
  sender.stream(long('b'), () => done.push('b'));
  await turn();
  assert.not.ok(sender.notify('n'));
  const reply = sender.send(['r']);
  await until(() => messages.length === 4);
  assert.ok(await reply);
  assert.equal(letters(messages), ['a', 'n', 'r', 'b']);
  assert.equal(done, ['a', 'b']);
});

test('whoever has the next message ready when one is out does not keep replies waiting', async () => {
  const { sender, messages } = pair();
  let left = 4;
  const next = () => {
    if (left-- > 0) sender.stream(long('x'), next);
  };
  next();
  await turn();
  const reply = sender.send(['r']);
  await until(() => messages.length === 5);
  await reply;
  assert.equal(letters(messages), ['x', 'r', 'x', 'x', 'x']);
});

test('what fails is told, and what waits behind it goes out', async () => {
  const { sender, messages } = pair();
  const failures: unknown[] = [];
  function* failing(): Generator<string> {
    yield '';
    throw new Error('none');
  }
  sender.stream(failing(), (error) => failures.push(error));
  sender.stream(['y'], (error) => failures.push(error));
  await until(() => messages.length === 1);
  assert.match(String(failures[0]), /none/);
  await until(() => failures.length === 2);
  assert.is(failures[1], undefined);
  assert.equal(letters(messages), ['y']);
});

test('there is room again after the last of them', async () => {
  const { sender } = pair();
  let rooms = 0;
  sender.onRoom = () => rooms++;
  sender.stream(long('a'), () => assert.is(rooms, 0));
  await until(() => rooms > 0);
});

test('what is given up is told of', () => {
  const { sender } = pair();
  const done: string[] = [];
  sender.stream(long('a'), () => done.push('a'));
  sender.stream(long('b'), () => done.push('b'));
  sender.abandon();
  assert.equal(done, ['b']);
});

test.run();
