import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { JsonNumber, parseJson, printJson } from '../../../src/mgmt/restconf/json-text.ts';
import { LIMITS } from '../../../src/mgmt/restconf/limits.ts';
import { isYangText } from '../../../src/mgmt/restconf/yang-text.ts';
import { ManagementError } from '../../../src/state/errors.ts';
import { random, seed } from '../../helpers/random.ts';

const test = suite('restconf json text');

const good = [
  ['null', 'null'],
  [' \t\r\n true \n', 'true'],
  ['{}', '{}'],
  ['[ ]', '[]'],
  ['{ "a" : [ 1 , -0 , 1.50 , 1E+2 , 18446744073709551616 ] }', '{"a":[1,-0,1.50,1E+2,18446744073709551616]}'],
  ['"\\u0041\\/\\n\\t\\r\\"\\\\"', '"A/\\n\\t\\r\\"\\\\"'],
  ['"\\ud83d\\ude00"', '"😀"'],
  ['"😀 é \u2028"', '"😀 é \u2028"'],
  ['{"__proto__":{"a":1},"constructor":2}', '{"__proto__":{"a":1},"constructor":2}'],
] as const;
for (const [text, expected] of good) test(`good: ${text}`, () => assert.is(printJson(parseJson(text)), expected));

const bad = [
  ['', 'nothing'],
  ['\ufeff{}', 'byte order mark'],
  ['{} x', 'trailing garbage'],
  ['{}{}', 'two documents'],
  ['{"a":1,"a":1}', 'a member twice'],
  ['{"a":1,"\\u0061":1}', 'a member twice, once escaped'],
  ['{"a":{"b":1,"b":2}}', 'a member twice further down'],
  ['{"a":1,}', 'comma at the end'],
  ['[1,]', 'comma at the end'],
  ['{a:1}', 'name without quotes'],
  ["{'a':1}", 'single quotes'],
  ['{"a" 1}', 'no colon'],
  ['{"a":}', 'no value'],
  ['{"a":1', 'cut short'],
  ['[1', 'cut short'],
  ['"abc', 'string cut short'],
  ['"a\\', 'escape cut short'],
  ['"\\u12', 'escape cut short'],
  ['"\\u12g4"', 'no hexadecimal digit'],
  ['"\\x"', 'unknown escape'],
  ['"a\nb"', 'raw line feed'],
  ['"a\tb"', 'raw tab'],
  ['"\\u0000"', 'NUL'],
  ['"\\u001b"', 'control character'],
  ['"\\ud800"', 'lone high surrogate'],
  ['"\\ude00\\ud83d"', 'surrogates in wrong order'],
  ['"\\uffff"', 'noncharacter'],
  ['NaN', 'NaN'],
  ['Infinity', 'Infinity'],
  ['01', 'leading zero'],
  ['+1', 'plus sign'],
  ['.5', 'no digit before the point'],
  ['1.', 'no digit after the point'],
  ['1e', 'no exponent'],
  ['0x10', 'hexadecimal'],
  ['-', 'sign alone'],
  ['tru', 'half a word'],
  ['True', 'capital'],
  ['{"a":1}// note', 'comment'],
  ['\u00a0{}', 'a space of Unicode'],
] as const;
for (const [text, why] of bad) test(`bad: ${why}`, () => assertTag(() => parseJson(text), 'malformed-message'));

function assertTag(work: () => unknown, tag: string): void {
  try {
    work();
  } catch (error) {
    assert.is(error instanceof ManagementError ? error.tag : error, tag);
    return;
  }
  assert.unreachable(`expected ${tag}`);
}

test('the message says where', () => {
  try {
    parseJson('{\n  "a": 1,\n  "b": x\n}');
    assert.unreachable('expected a fault');
  } catch (error) {
    assert.match(error instanceof Error ? error.message : '', /line 3, column 8: expected a value/);
  }
});

test('depth has a limit', () => {
  const nested = (depth: number) => '['.repeat(depth) + ']'.repeat(depth);
  assert.is(printJson(parseJson(nested(LIMITS.jsonDepth))), nested(LIMITS.jsonDepth));
  assertTag(() => parseJson(nested(LIMITS.jsonDepth + 1)), 'too-big');
  assertTag(() => parseJson(nested(1_000_000)), 'too-big');
});

test('numbers keep their text', () => {
  const value = parseJson('9007199254740993');
  assert.is(value instanceof JsonNumber && value.text, '9007199254740993');
});

test(`what JSON.stringify writes is read the same (seed ${seed})`, () => {
  const next = random();
  for (let round = 0; round < 500; round++) {
    const text = JSON.stringify(randomValue(next, 4));
    assert.is(printJson(parseJson(text)), text);
  }
});

function randomValue(next: () => number, depth: number): unknown {
  switch (next() % (depth > 0 ? 7 : 5)) {
    case 0:
      return null;
    case 1:
      return next() % 2 === 0;
    case 2:
      return (next() % 2_000_000) - 1_000_000;
    case 3:
      return (next() % 1000) / 7;
    case 4:
      return String.fromCodePoint(...Array.from({ length: next() % 6 }, () => 0x20 + (next() % 0xd000)));
    case 5:
      return Array.from({ length: next() % 4 }, () => randomValue(next, depth - 1));
    default:
      return Object.fromEntries(
        Array.from({ length: next() % 4 }, () => [`m${next() % 100}`, randomValue(next, depth - 1)]),
      );
  }
}

const texts = [
  ['', true],
  ['\t\n\r ~', true],
  ['\u007f\u0080\ud7ff\ue000\ufdcf\ufdf0\ufffd', true],
  ['\u{1fffd}\u{10fffd}', true],
  ['\u0000', false],
  ['\u0008', false],
  ['\u000b', false],
  ['\u001f', false],
  ['\ud800', false],
  ['\udfff', false],
  ['\ud800x', false],
  ['\ufdd0', false],
  ['\ufdef', false],
  ['\ufffe', false],
  ['\u{1fffe}', false],
  ['\u{10ffff}', false],
] as const;
for (const [text, expected] of texts) {
  test(`isYangText ${JSON.stringify(text)}`, () => assert.is(isYangText(text), expected));
}

test.run();
