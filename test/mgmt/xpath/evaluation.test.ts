import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { MAX_TEXT } from '../../../src/mgmt/xpath/conversions.ts';
import { MAX_HELD } from '../../../src/mgmt/xpath/node-set.ts';
import { ManagementError } from '../../../src/state/errors.ts';
import { tree } from '../../helpers/state.ts';
import type { Reads } from '../../helpers/xpath.ts';
import { evaluate, result, sourceOf } from '../../helpers/xpath.ts';

const test = suite('xpath evaluation');

/** Bindings in another order than that of their keys, which is the one they are seen in. */
const root = tree({
  'gi-4over6:softwire': {
    aftr: [
      {
        name: 'a',
        'ipv6-address': '2001:db8:b::1',
        'ipv4-pool': ['192.0.2.0/24', '198.51.100.0/24'],
        'binding-table': {
          binding: [
            { 'ipv4-prefix': '192.0.2.3/32', 'gateway-ipv6-address': '2001:db8::3', description: 'third' },
            { 'ipv4-prefix': '192.0.2.1/32', 'gateway-ipv6-address': '2001:db8::1', description: 'first' },
            { 'ipv4-prefix': '192.0.2.2/32', 'gateway-ipv6-address': '2001:db8::1' },
          ],
        },
      },
      {
        name: 'b',
        'ipv6-address': '2001:db8:b::2',
        'binding-table': { binding: [{ 'ipv4-prefix': '192.0.2.1/32', 'gateway-ipv6-address': '2001:db8::9' }] },
      },
    ],
  },
});
const A = "/gi-4over6:softwire/aftr[name='a']";
const B = "/gi-4over6:softwire/aftr[name='b']";
const row = (last: number, aftr = A) => `${aftr}/binding-table/binding[ipv4-prefix='192.0.2.${last}/32']`;
const TABLE = '/p:softwire/p:aftr/p:binding-table';

const selections: readonly (readonly [string, readonly string[]])[] = [
  ['/p:softwire/p:aftr', [A, B]],
  ['p:softwire/p:aftr/p:name', [`${A}/name`, `${B}/name`]],
  ['/softwire', []],
  ['/x:softwire', []],
  ['/p:softwire/@p:name', []],
  ['/p:softwire/namespace::*', []],
  ['//comment() | //processing-instruction()', []],
  [`${TABLE}/p:binding`, [row(1), row(2), row(3), row(1, B)]],
  [`${TABLE}/p:binding[2]`, [row(2)]],
  [`(${TABLE}/p:binding)[4]`, [row(1, B)]],
  [`${TABLE}/p:binding[last()]`, [row(3), row(1, B)]],
  [`(${TABLE}/p:binding)[last()]`, [row(1, B)]],
  [`${TABLE}/p:binding[p:description]`, [row(1), row(3)]],
  [`${TABLE}/p:binding[p:description][2]`, [row(3)]],
  [`${TABLE}/p:binding[2][p:description]`, []],
  ["//p:binding[p:ipv4-prefix='192.0.2.1/32']", [row(1), row(1, B)]],
  ["//p:binding[p:ipv4-prefix='192.0.2.2/32']/p:gateway-ipv6-address", [`${row(2)}/gateway-ipv6-address`]],
  ['//p:binding[p:gateway-ipv6-address=preceding-sibling::p:binding/p:gateway-ipv6-address]', [row(2)]],
  ["//p:binding[following-sibling::*[1]/p:description='third']", [row(2)]],
  ['//p:description/..', [row(1), row(3)]],
  ['//p:description/ancestor::p:aftr', [A]],
  ["//p:description[.='third']/ancestor-or-self::*[2]", [row(3)]],
  ["//p:description/text()[.='first']", [`${row(1)}/description/text()`]],
  ["//p:name[.='b']/following::p:ipv4-prefix", [`${row(1, B)}/ipv4-prefix`]],
  ["//p:aftr[p:name='b']/preceding::p:binding[1]", [row(3)]],
  [
    '//p:ipv4-pool | //p:binding[p:description]',
    [`${A}/ipv4-pool[.='192.0.2.0/24']`, `${A}/ipv4-pool[.='198.51.100.0/24']`, row(1), row(3)],
  ],
  ['//p:aftr[count(p:binding-table/p:binding) > 1]', [A]],
  ['//p:aftr[not(p:ipv4-pool)]/p:name', [`${B}/name`]],
  ['/p:softwire/p:aftr[current()/p:softwire]/p:name', [`${A}/name`, `${B}/name`]],
  ['id("a")', []],
];
for (const [text, expected] of selections) test(text, () => assert.equal(result(sourceOf(root), text), expected));

const values: readonly (readonly [string, string | number | boolean])[] = [
  ['count(//p:binding)', 4],
  ['count(//p:binding | //p:binding[1])', 4],
  ['count(/)', 1],
  ['string(//p:binding)', '192.0.2.1/322001:db8::1first'],
  ['string(//p:nothing)', ''],
  ['local-name(//p:binding/*[2])', 'gateway-ipv6-address'],
  ['namespace-uri(/*)', 'urn:gi-4over6'],
  ['name(/*)', 'softwire'],
  ['name(/)', ''],
  ['lang("en")', false],
  ['string(1 div 0)', 'Infinity'],
  ['string(-1 div 0)', '-Infinity'],
  ['string(0 div 0)', 'NaN'],
  ['string(-0)', '0'],
  ['string(1000000000000000000000000)', '1000000000000000000000000'],
  ['string(0.00000001)', '0.00000001'],
  ['string(12345.5)', '12345.5'],
  ['string(true())', 'true'],
  ['number(" -3.5 ")', -3.5],
  ['number("1e3")', Number.NaN],
  ['number("+1")', Number.NaN],
  ['number("-")', Number.NaN],
  ['number(false())', 0],
  ['boolean("false")', true],
  ['boolean("")', false],
  ['boolean(0 div 0)', false],
  ['5 mod -2', 1],
  ['-5 mod 2', -1],
  ['6 div 4', 1.5],
  ['1 - 1 - 1', -1],
  ['2 + 3 * 4', 14],
  ['round(-2.5)', -2],
  ['round(2.5)', 3],
  ['floor(-1.5)', -2],
  ['ceiling(1.2)', 2],
  ['substring("12345", 1.5, 2.6)', '234'],
  ['substring("12345", 0, 3)', '12'],
  ['substring("12345", 0 div 0, 3)', ''],
  ['substring("12345", -42, 1 div 0)', '12345'],
  ['substring("12345", -1 div 0, 1 div 0)', ''],
  ['substring("12345", 2)', '2345'],
  ['string-length("\u{1F600}x")', 2],
  ['substring("\u{1F600}x", 2)', 'x'],
  ['normalize-space("  a \t b ")', 'a b'],
  ['translate("bar", "abc", "AB")', 'BAr'],
  ['translate("--aaa--", "abc-", "ABC")', 'AAA'],
  ['substring-before("1999/04/01", "/")', '1999'],
  ['substring-before("abc", "")', ''],
  ['substring-after("1999/04/01", "/")', '04/01'],
  ['substring-after("abc", "")', 'abc'],
  ['starts-with("abc", "")', true],
  ['contains("abc", "d")', false],
  ['concat("a", 1, true())', 'a1true'],
  ['1 < 2 and 2 >= 2 and not(1 > 2)', true],
  ['"a" = "a" = true()', true],
  ['3 > 2 > 1', false],
  ['//p:name = "b"', true],
  ['//p:name != "b"', true],
  ['//p:nothing != "b"', false],
  ['//p:nothing = //p:nothing', false],
  ['//p:aftr/p:name = //p:description', false],
  ['//p:gateway-ipv6-address != //p:gateway-ipv6-address', true],
  ['//p:name = true()', true],
  ['//p:nothing = false()', true],
  ['position() = last()', true],
];
for (const [text, expected] of values) {
  test(`${text} is ${JSON.stringify(expected)}`, () =>
    assert.ok(Object.is(evaluate(sourceOf(root), text), expected), String(evaluate(sourceOf(root), text))));
}

/** What is read of the tables: [expression, keys, rows at most]. */
const keyed: readonly (readonly [string, readonly string[], number])[] = [
  ["/p:softwire/p:aftr[p:name='a']/p:binding-table/p:binding[p:ipv4-prefix='192.0.2.1/32']", ['192.0.2.1/32'], 0],
  [
    "/p:softwire/p:aftr[p:name='a']/p:binding-table/p:binding['192.0.2.1/32'=p:ipv4-prefix]/p:description",
    ['192.0.2.1/32'],
    0,
  ],
  ["//p:binding[p:ipv4-prefix='192.0.2.1/32']", ['192.0.2.1/32', '192.0.2.1/32'], 0],
  ["//p:aftr[1]//p:binding[./p:ipv4-prefix/text()='192.0.2.1/32'][1]", ['192.0.2.1/32'], 0],
  [
    "//p:aftr[1]//p:binding[p:description][p:ipv4-prefix='192.0.2.1/32' and p:gateway-ipv6-address]",
    ['192.0.2.1/32'],
    0,
  ],
  [
    "//p:aftr[1]//p:binding[p:ipv4-prefix='192.0.2.3/32' or p:ipv4-prefix='192.0.2.1/32']",
    ['192.0.2.3/32', '192.0.2.1/32'],
    0,
  ],
  ["//p:aftr[1]/p:binding-table/*[p:ipv4-prefix='192.0.2.1/32']", ['192.0.2.1/32'], 0],
  ["//p:binding[p:ipv4-prefix='no prefix']", [], 0],
  ["//p:aftr[1]/p:binding-table/p:binding[p:ipv4-prefix='192.0.2.1/32' or p:description]", [], 3],
  ["//p:aftr[1]/p:binding-table/p:binding[p:ipv4-prefix='192.0.2.1/32' and position()=1]", [], 3],
  ["//p:aftr[1]/p:binding-table/p:binding[1][p:ipv4-prefix='192.0.2.1/32']", [], 1],
  ['//p:aftr[1]/p:binding-table/p:binding[2]', [], 2],
  ['//p:aftr[1]/p:binding-table/p:binding[position() <= 2]', [], 2],
  ['//p:aftr[1]/p:binding-table/p:binding[2 >= position() and p:description]', [], 2],
  ['boolean(//p:binding)', [], 1],
  ['//p:aftr/p:name', [], 0],
  ["//p:aftr[p:name='a']", [], 0],
];
for (const [text, keys, rows] of keyed) {
  test(`what is read for ${text}`, () => {
    const reads: Reads = { rows: 0, keys: [] };
    result(sourceOf(root, reads), text);
    assert.equal(reads.keys, keys);
    assert.ok(reads.rows <= rows, `${reads.rows} rows`);
    if (rows === 0) assert.is(reads.rows, 0);
  });
}

test('a text is taken in the canonical form of the leaf', () => {
  const found = (text: string) => result(sourceOf(root), text);
  assert.equal(found("//p:binding[p:gateway-ipv6-address='2001:DB8:0::3']"), [row(3)]);
  assert.equal(found("//p:binding['192.0.2.03/32'=p:ipv4-prefix]"), []);
  assert.equal(found("//p:gateway-ipv6-address[.='2001:db8:0:0::9']"), [`${row(1, B)}/gateway-ipv6-address`]);
  assert.equal(found("//p:binding[p:ipv4-prefix != '192.0.2.1/32']"), [row(2), row(3)]);
  assert.equal(found("//p:binding[not(p:gateway-ipv6-address != '2001:DB8::9')]"), [row(1, B)]);
});

test('what may not be seen does not influence the result', () => {
  const blind = sourceOf(root, undefined, ({ schema }) => schema.name !== 'description');
  assert.equal(result(blind, '//p:description | //text()[.="first"]'), []);
  assert.equal(result(blind, '//p:binding[p:description="first"]'), []);
  assert.equal(result(blind, '//p:binding[count(*) = 3]'), []);
  assert.is(evaluate(blind, 'string(//p:binding)'), '192.0.2.1/322001:db8::1');
  assert.is(evaluate(blind, 'contains(/, "first")'), false);
  const fewer = sourceOf(root, undefined, (node) => node.leaf?.('ipv4-prefix') !== '192.0.2.1/32');
  assert.equal(result(fewer, '//p:binding[1]'), [row(2)]);
  assert.equal(result(fewer, "//p:binding[p:ipv4-prefix='192.0.2.1/32']"), []);
  assert.is(evaluate(fewer, 'count(//p:binding)'), 2);
});

function refusal(body: () => unknown): string {
  try {
    body();
  } catch (error) {
    if (error instanceof ManagementError) return error.tag;
    throw error;
  }
  return 'none';
}

test('work, held nodes and texts have their limits', () => {
  const many = tree({
    'gi-4over6:softwire': {
      aftr: [
        {
          name: 'a',
          'binding-table': {
            binding: Array.from({ length: MAX_HELD + 2 }, (_, at) => ({
              'ipv4-prefix': `10.0.${at >> 8}.${at & 255}/32`,
              'gateway-ipv6-address': '2001:db8::1',
              description: 'd'.repeat(120),
            })),
          },
        },
      ],
    },
  });
  const source = sourceOf(many);
  assert.is(evaluate(source, 'count(//p:binding)'), MAX_HELD + 2);
  assert.is(
    refusal(() => evaluate(source, 'count(//p:binding)', 1_000)),
    'resource-denied',
  );
  assert.is(
    refusal(() => evaluate(source, 'count(//p:binding[count(//p:binding[. = current()]) = 1])', 1_000_000)),
    'resource-denied',
  );
  // The looks at the time are some work apart, and that takes time.
  assert.is(
    refusal(() => evaluate(source, 'count(//p:binding)', undefined, 0)),
    'resource-denied',
  );
  assert.is(
    refusal(() => evaluate(source, `count(//p:binding[position() <= ${MAX_HELD}]/following-sibling::*[1])`)),
    'none',
  );
  assert.is(
    refusal(() => evaluate(source, 'count(//p:binding/following-sibling::*[1])')),
    'resource-denied',
  );
  assert.ok((MAX_HELD + 2) * 120 > MAX_TEXT);
  assert.is(
    refusal(() => evaluate(source, 'string(/)')),
    'resource-denied',
  );
});

test.run();
