import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { type Framing, FramingError, frameEnd, framePiece, MessageReader } from '../../../src/mgmt/netconf/framing.ts';

const test = suite('framing');
const LIMIT = 100;

/** Messages that came out, and 'fault' when the reader refused. `cut` splits the input after so many octets. */
function read(framing: Framing, input: string, cuts: readonly number[] = []): string[] {
  const found: string[] = [];
  const reader = new MessageReader(LIMIT, (message) => found.push(message.toString()));
  reader.framing = framing;
  const octets = Buffer.from(input);
  const edges = [0, ...cuts, octets.length];
  try {
    for (let i = 1; i < edges.length; i++) reader.push(octets.subarray(edges[i - 1], edges[i]));
  } catch (error) {
    if (!(error instanceof FramingError)) throw error;
    found.push('fault');
  }
  return found;
}

const chunked: readonly (readonly [string, string, readonly string[]])[] = [
  ['one chunk', '\n#3\nabc\n##\n', ['abc']],
  ['two chunks', '\n#3\nabc\n#2\nde\n##\n', ['abcde']],
  ['two messages', '\n#1\na\n##\n\n#1\nb\n##\n', ['a', 'b']],
  ['data that looks like framing', '\n#6\n]]>]]>\n##\n', [']]>]]>']],
  ['one-octet chunks', '\n#1\na\n#1\nb\n#1\nc\n##\n', ['abc']],
  ['size at the limit', `\n#100\n${'x'.repeat(100)}\n##\n`, ['x'.repeat(100)]],
  ['size above the limit', `\n#101\n${'x'.repeat(101)}\n##\n`, ['fault']],
  ['sum above the limit', `\n#100\n${'x'.repeat(100)}\n#1\nx\n##\n`, ['fault']],
  ['size 0', '\n#0\n\n##\n', ['fault']],
  ['size -1', '\n#-1\na\n##\n', ['fault']],
  ['size +5', '\n#+5\nabcde\n##\n', ['fault']],
  ['size 00012', '\n#00012\nabcdefghijkl\n##\n', ['fault']],
  ['size 12a', '\n#12a\n', ['fault']],
  ['size of 11 digits', '\n#10000000000\n', ['fault']],
  ['size 2^32', '\n#4294967296\n', ['fault']],
  ['size 2^64-1', '\n#18446744073709551615\n', ['fault']],
  ['no size', '\n#\nabc', ['fault']],
  ['a blank in the size', '\n# 3\nabc\n##\n', ['fault']],
  ['no line feed before the chunk', '#3\nabc\n##\n', ['fault']],
  ['CR LF', '\r\n#3\r\nabc\r\n##\r\n', ['fault']],
  ['CR after the size', '\n#3\r\nabc', ['fault']],
  ['a lone end of chunks', '\n##\n', ['fault']],
  ['end of chunks without line feed', '\n#1\na\n##x', ['fault']],
  ['end-of-message mark under 1.1', '<rpc/>]]>]]>', ['fault']],
  ['a NUL in the header', '\n#\u00003\nabc', ['fault']],
  ['a NUL in the data passes to the parser', '\n#1\n\u0000\n##\n', ['\u0000']],
  ['an end without a beginning after a message', '\n#1\na\n##\n\n##\n', ['a', 'fault']],
  ['nothing yet', '\n#5\nab', []],
];
for (const [why, input, expected] of chunked) {
  test(`chunked: ${why}`, () => assert.equal(read('chunked', input), expected));
  test(`chunked: ${why}, cut at every offset`, () => {
    const length = Buffer.byteLength(input);
    for (let at = 1; at < length; at++) assert.equal(read('chunked', input, [at]), expected, `cut at ${at}`);
    assert.equal(
      read(
        'chunked',
        input,
        Array.from({ length: Math.max(length - 1, 0) }, (_, i) => i + 1),
      ),
      expected,
    );
  });
}

const marked: readonly (readonly [string, string, readonly string[]])[] = [
  ['one message', '<a/>]]>]]>', ['<a/>']],
  ['two messages', '<a/>]]>]]><b/>]]>]]>', ['<a/>', '<b/>']],
  ['half a mark inside', '<a>]]></a>]]>]]>', ['<a>]]></a>']],
  ['nearly two marks', ']]>]]]]>]]>', [']]>]]']],
  ['at the limit', `${'x'.repeat(94)}]]>]]>`, ['x'.repeat(94)]],
  ['without an end above the limit', 'x'.repeat(101), ['fault']],
];
for (const [why, input, expected] of marked) {
  test(`end of message: ${why}`, () => {
    assert.equal(read('end-of-message', input), expected);
    for (let at = 1; at < input.length; at++)
      assert.equal(read('end-of-message', input, [at]), expected, `cut at ${at}`);
    assert.equal(
      read(
        'end-of-message',
        input,
        Array.from({ length: input.length - 1 }, (_, i) => i + 1),
      ),
      expected,
    );
  });
}

test('what is written reads back; chunks end between characters', () => {
  const text = `${'a'.repeat(65_535)}${'\u20ac'.repeat(30_000)}`;
  const octets = Buffer.concat([framePiece(text, 'chunked'), frameEnd('chunked')]);
  const found: string[] = [];
  const reader = new MessageReader(1_000_000, (message) => found.push(message.toString()));
  reader.framing = 'chunked';
  reader.push(octets);
  assert.equal(found, [text]);
  for (let at = 0; octets.subarray(at, at + 3).toString() !== '\n##'; ) {
    const end = octets.indexOf('\n', at + 2);
    const size = Number(octets.subarray(at + 2, end).toString());
    assert.ok(size > 0 && size <= 65_536);
    assert.not.throws(() => new TextDecoder('utf-8', { fatal: true }).decode(octets.subarray(end + 1, end + 1 + size)));
    at = end + 1 + size;
  }
  assert.is(framePiece('', 'chunked').length, 0);
  assert.is(framePiece('<a/>', 'end-of-message').toString() + frameEnd('end-of-message'), '<a/>]]>]]>');
});

test.run();
