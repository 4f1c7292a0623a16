import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import {
  FramingError,
  frameEnd,
  framePiece,
  type LongMessage,
  MessageReader,
} from '../../../src/mgmt/netconf/framing.ts';
import { random, seed } from '../../helpers/random.ts';

const test = suite('framing');

interface Outcome {
  readonly messages: readonly string[];
  readonly fault: string | undefined;
  readonly isInside: boolean;
}

function readAll(pieces: readonly (Buffer | string)[], framing: MessageReader['framing'], limit = 1000): Outcome {
  const messages: string[] = [];
  const reader = new MessageReader(limit, (message) => messages.push(message.toString('utf8')));
  reader.framing = framing;
  let fault: string | undefined;
  try {
    for (const piece of pieces) reader.push(Buffer.from(piece));
  } catch (error) {
    if (!(error instanceof FramingError)) throw error;
    fault = error.message;
  }
  return { messages, fault, isInside: reader.isInside };
}

const octetByOctet = (text: string) => [...Buffer.from(text)].map((octet) => Buffer.from([octet]));

const whole = [
  ['\n#3\nabc\n##\n', ['abc'], 'one chunk'],
  ['\n#1\na\n#2\nbc\n##\n', ['abc'], 'two chunks'],
  ['\n#1\na\n##\n\n#1\nb\n##\n', ['a', 'b'], 'two messages'],
  ['\n#5\n\n##\n#\n##\n', ['\n##\n#'], 'data that looks like an end'],
  ['\n#2\n\u00e9\n##\n', ['\u00e9'], 'the size counts octets'],
  ['\n#1\n', [], 'only a header so far'],
] as const;
for (const [text, messages, what] of whole) {
  test(`chunked: ${what}`, () => assert.equal(readAll([text], 'chunked').messages, messages));
  test(`chunked, octet by octet: ${what}`, () =>
    assert.equal(readAll(octetByOctet(text), 'chunked').messages, messages));
}

test('chunked: a header split at every offset, and data anywhere', () => {
  const text = '\n#12\nabcdefghijkl\n#1\nm\n##\n';
  for (let at = 0; at <= text.length; at++) {
    const outcome = readAll([text.slice(0, at), text.slice(at)], 'chunked');
    assert.equal(outcome, { messages: ['abcdefghijklm'], fault: undefined, isInside: false }, `split at ${at}`);
  }
});

test(`a long message is handed on while it comes, cut anywhere, in both framings (seed ${seed})`, () => {
  const next = random();
  for (let round = 0; round < 60; round++) {
    const tail = ['', ']', ']]', ']]>]', ']]>]]'][next() % 5] ?? '';
    const data = 'ab]]>]'.repeat(10_000 + (next() % 40_000)) + tail;
    for (const framing of ['chunked', 'end-of-message'] as const) {
      const octets = Buffer.concat([framePiece(data, framing), frameEnd(framing)]);
      const found: (string | readonly string[])[] = [];
      const reader = new MessageReader<LongMessage & { pieces: string[] }>(400_000, (message) =>
        found.push('pieces' in message ? message.pieces : message.toString()),
      );
      reader.framing = framing;
      reader.long = () => {
        const pieces: string[] = [];
        return { pieces, held: 0, push: (piece) => pieces.push(piece.toString()), giveUp: () => undefined };
      };
      const stream = Buffer.concat([octets, framePiece('short', framing), frameEnd(framing)]);
      for (let at = 0; at < stream.length; ) {
        const end = at + 1 + (next() % 30_000);
        reader.push(stream.subarray(at, end));
        at = end;
      }
      const [first = '', second] = found;
      assert.ok((typeof first === 'string' ? first : first.join('')) === data, 'the same in the end');
      assert.ok(data.length < 2 ** 17 || typeof first !== 'string', 'it came in pieces');
      assert.is(second, 'short');
      assert.is(reader.isInside, false);
      const small = new MessageReader(50_000, () => undefined);
      small.framing = framing;
      small.long = reader.long as never;
      assert.throws(() => small.push(stream), /at most 50000 octets/);
    }
  }
});

const faults = [
  ['<rpc/>]]>]]>', 'end-of-message framing where chunks were agreed (RFC 6242 §4.2)'],
  ['\n#0\n\n##\n', 'size 0'],
  ['\n#00012\n', 'leading zeros'],
  ['\n#01\na\n##\n', 'a leading zero'],
  ['\n#+5\nabcde\n##\n', 'a plus sign'],
  ['\n#-1\n', 'a negative size'],
  ['\n#4294967296\n', '2^32'],
  ['\n#18446744073709551615\n', '2^64 - 1'],
  ['\n#99999999999999999999999999\n', 'a size no integer holds'],
  ['\n#x\n', 'a letter'],
  ['\n#1a\n', 'a letter after a digit'],
  ['\n#\n', 'no size'],
  ['\n# 5\nabcde\n##\n', 'a space before the size'],
  ['\n#5 \nabcde\n##\n', 'a space after the size'],
  ['#5\nabcde\n##\n', 'no line feed before #'],
  ['\n\n#5\n', 'two line feeds before #'],
  ['\n5\nabcde\n##\n', 'no #'],
  ['\r\n#5\r\nabcde\r\n##\r\n', 'CR LF'],
  ['\n#5\r\nabcde', 'CR LF after the size'],
  ['\n##\n', 'an end of chunks without a chunk'],
  ['\n#1\na\n##\n\n##\n', 'an end of chunks without a chunk, after a message'],
  ['\n#1\na\n#\n', 'a chunk header without size after a chunk'],
  ['\n#1\na\n##x', 'no line feed after the end of chunks'],
  ['\n#1\na\n###', 'three #'],
  ['\n#1\nab\n##\n', 'more data than the size says'],
  ['\n#1001\n', 'a chunk over the limit, before any of its data'],
  [`\n#999\n${'a'.repeat(999)}\n#2\n`, 'a message over the limit in its second chunk'],
] as const;
for (const [text, what] of faults) {
  test(`chunked fault: ${what}`, () => assert.type(readAll([text], 'chunked').fault, 'string'));
  test(`chunked fault, octet by octet: ${what}`, () =>
    assert.type(readAll(octetByOctet(text), 'chunked').fault, 'string'));
}

test('chunked: the largest size is no fault of framing, only of the limit', () => {
  assert.is(readAll(['\n#4294967295\n'], 'chunked', 5_000_000_000).fault, undefined);
  assert.type(readAll(['\n#4294967296\n'], 'chunked', 5_000_000_000).fault, 'string');
});

test('chunked: a message of exactly the limit is taken', () => {
  const text = 'a'.repeat(1000);
  assert.equal(readAll([`\n#1000\n${text}\n##\n`], 'chunked').messages, [text]);
});

const marked = [
  ['a]]>]]>', ['a'], 'a message'],
  ['a]]>]]>b]]>]]>', ['a', 'b'], 'two messages'],
  [']]>]]>', [''], 'an empty message'],
  ['a]]>]]]]>]]>', ['a]]>]]'], 'the mark begins anew inside a part of itself'],
  ['a]]]>]]>', ['a]'], 'one bracket more'],
  ['a]]>]]x]]>]]>', ['a]]>]]x'], 'five octets of the mark are data'],
  ['a]]>]>]]>]]>', ['a]]>]>'], 'four octets of the mark are data'],
  ['a]]>', [], 'half a mark'],
] as const;
for (const [text, messages, what] of marked) {
  test(`end-of-message: ${what}`, () => assert.equal(readAll([text], 'end-of-message').messages, messages));
  test(`end-of-message, octet by octet: ${what}`, () =>
    assert.equal(readAll(octetByOctet(text), 'end-of-message').messages, messages));
}

test('end-of-message: both sides of the limit, whatever the pieces', () => {
  const text = 'a'.repeat(1000);
  assert.equal(readAll([`${text}]]>]]>`], 'end-of-message').messages, [text]);
  assert.equal(readAll(octetByOctet(`${text}]]>]]>`), 'end-of-message').messages, [text]);
  assert.type(readAll([`${text}a]]>]]>`], 'end-of-message').fault, 'string');
  assert.type(readAll(octetByOctet(`${text}a`), 'end-of-message').fault, 'string');
});

test('the framing may change between two messages of one piece', () => {
  const messages: string[] = [];
  const reader = new MessageReader(100, (message) => {
    messages.push(message.toString());
    reader.framing = 'chunked';
  });
  reader.push(Buffer.from('hello]]>]]>\n#1\na\n##\n\n#1\nb\n##\n'));
  assert.equal(messages, ['hello', 'a', 'b']);
});

test('isInside tells a message that has begun', () => {
  for (const [text, isInside] of [
    ['', false],
    ['\n', true],
    ['\n#1\na', true],
    ['\n#1\na\n##', true],
    ['\n#1\na\n##\n', false],
  ] as const) {
    assert.is(readAll([text], 'chunked').isInside, isInside, JSON.stringify(text));
  }
});

test('one million chunks of one octet', () => {
  const count = 1_000_000;
  const messages: Buffer[] = [];
  const reader = new MessageReader(count, (message) => messages.push(message));
  reader.framing = 'chunked';
  reader.push(Buffer.from('\n#1\na'.repeat(count)));
  reader.push(Buffer.from('\n##\n'));
  assert.is(messages.length, 1);
  assert.ok(messages[0]?.equals(Buffer.alloc(count, 'a')));
});

test(`random messages in random pieces, both framings (seed ${seed})`, () => {
  const next = random();
  const below = (limit: number) => next() % limit;
  const alphabet = [']', '>', '\n', '#', '1', 'a', '\u00e9', '\u{1f600}'];
  for (let turn = 0; turn < 300; turn++) {
    const framing = turn % 2 === 0 ? 'chunked' : 'end-of-message';
    const messages = Array.from({ length: 1 + below(4) }, () => {
      const text = Array.from({ length: 1 + below(40) }, () => alphabet[below(8)]).join('');
      // What the mark must not stand in, nor be made of together with it.
      return framing === 'chunked' ? text : `${text.replaceAll('>', '')}.`;
    });
    const stream = Buffer.concat(messages.flatMap((text) => [framePiece(text, framing), frameEnd(framing)]));
    const pieces: Buffer[] = [];
    for (let at = 0; at < stream.length; ) {
      const end = at + 1 + below(10);
      pieces.push(stream.subarray(at, end));
      at = end;
    }
    const outcome = readAll(pieces, framing);
    assert.equal(outcome, { messages, fault: undefined, isInside: false }, `turn ${turn}`);
  }
});

test('what is sent is cut into chunks of at most 64 KiB between characters', () => {
  for (const text of ['a'.repeat(200_000), '\u20ac'.repeat(70_000), `a${'\u{1f600}'.repeat(50_000)}`]) {
    const octets = framePiece(text, 'chunked');
    const pieces: string[] = [];
    for (let at = 0; at < octets.length; ) {
      const header = /^\n#([1-9]\d*)\n/.exec(octets.toString('latin1', at, at + 12));
      const size = Number(header?.[1]);
      assert.ok(size <= 64 * 1024, `a chunk of ${size}`);
      at += header?.[0].length ?? 0;
      pieces.push(new TextDecoder('utf-8', { fatal: true }).decode(octets.subarray(at, at + size)));
      at += size;
    }
    assert.is(pieces.join(''), text);
  }
});

test('nothing is no chunk', () => assert.is(framePiece('', 'chunked').length, 0));

test.run();
