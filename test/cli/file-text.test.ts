import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { linesIn, utf8Text } from '../../src/cli/file-text.ts';
import { editsFromXml } from '../../src/cli/file-xml.ts';

const test = suite('cli file text');

async function* pieces(octets: Buffer, size: number): AsyncGenerator<Buffer> {
  for (let at = 0; at < octets.length; at += size) yield octets.subarray(at, at + size);
}

async function all(found: AsyncIterable<string>): Promise<string> {
  let text = '';
  for await (const piece of found) text += `${piece}`;
  return text;
}

function failure(work: Promise<unknown>): Promise<string> {
  return work.then(
    () => 'taken',
    (error: Error) => error.message,
  );
}

const SIZES = [1, 2, 3, 5, 1000];

for (const [octets, expected, what] of [
  [Buffer.from(''), '', 'nothing'],
  [Buffer.from('a'), 'a', 'one octet'],
  [Buffer.from('a\nü€𝄞b'), 'a\nü€𝄞b', 'characters of one to four octets'],
  [Buffer.from('\ufeffa\ufeff'), 'a\ufeff', 'a mark at the beginning is none of the text'],
  [Buffer.from('\ufeff'), '', 'a mark alone'],
] as const) {
  test(`UTF-8: ${what}`, async () => {
    for (const size of SIZES) assert.is(await all(utf8Text(pieces(octets, size))), expected, `pieces of ${size}`);
  });
}

for (const [octets, message, what] of [
  [Buffer.from('a\nM\u00fcller', 'latin1'), 'line 2, column 2: octet 0xFC is no UTF-8', 'Latin-1'],
  [Buffer.from('\u00fc', 'latin1'), 'line 1, column 1: octet 0xFC is no UTF-8', 'Latin-1, one octet'],
  [
    Buffer.concat([Buffer.from('ü€𝄞\n\nü€𝄞'), Buffer.from([0xe9, 0x74])]),
    'line 3, column 4: octet 0xE9 is no UTF-8',
    'Latin-1 behind UTF-8',
  ],
  [Buffer.from([0x61, 0xe2, 0x82]), 'line 1, column 2: octet 0xE2 is no UTF-8', 'a character cut off at the end'],
  [
    Buffer.from([0x61, 0x80, 0x62]),
    'line 1, column 2: octet 0x80 is no UTF-8',
    'a continuation without its first octet',
  ],
  [Buffer.from([0x61, 0x62, 0x63, 0xc0, 0x80]), 'line 1, column 4: octet 0xC0 is no UTF-8', 'an overlong form'],
  [Buffer.from([0x61, 0x62, 0xed, 0xa0, 0x80]), 'line 1, column 3: octet 0xED is no UTF-8', 'half a surrogate pair'],
  [Buffer.from('\ufeffa', 'utf16le'), 'it is in UTF-16', 'UTF-16, low octet first'],
  [Buffer.from([0xfe, 0xff, 0, 0x61]), 'it is in UTF-16', 'UTF-16, high octet first'],
  [Buffer.from([0xff, 0xfe, 0, 0, 0x61, 0, 0, 0]), 'it is in UTF-32', 'UTF-32'],
] as const) {
  test(`not UTF-8: ${what}`, async () => {
    for (const size of SIZES) {
      const found = await failure(all(utf8Text(pieces(octets, size))));
      assert.ok(found.startsWith(message), `pieces of ${size}: ${found}`);
    }
  });
}

test('what stands before the first octet that is no UTF-8 is given', async () => {
  let text = '';
  const read = async () => {
    for await (const piece of utf8Text(pieces(Buffer.from('ab\u00fccd', 'latin1'), 1000))) text += piece;
  };
  assert.match(await failure(read()), 'column 3');
  assert.is(text, 'ab');
});

async function* texts(...found: string[]): AsyncGenerator<string> {
  yield* found;
}

test('lines without their ends', async () => {
  const found: string[] = [];
  for await (const line of linesIn(texts('a\r', '\nb\n', '\nc'))) found.push(line);
  assert.equal(found, ['a', 'b', '', 'c']);
});

test('a line without end is refused', async () => {
  const long = Array.from({ length: 20 }, () => 'x'.repeat(65_536));
  assert.match(await failure(all(linesIn(texts('a\n', ...long)))), 'line 2 has more than 1048576 characters');
});

for (const [encoding, isTaken] of [
  ['UTF-8', true],
  ['utf-8', true],
  ['US-ASCII', true],
  ['ISO-8859-1', false],
  ['UTF-16', false],
  ['windows-1252', false],
] as const) {
  test(`an XML declaration of ${encoding} is ${isTaken ? 'taken' : 'refused by name'}`, async () => {
    const text = `<?xml version="1.0" encoding="${encoding}"?><a xmlns="urn:a"/>`;
    const found = await failure(all(editsFromXml(texts(text), false, true)));
    assert.match(found, isTaken ? /^taken$/ : `its XML declaration says ${encoding}: expected UTF-8`);
  });
}

test.run();
