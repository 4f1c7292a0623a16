import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { MAX_EXPRESSION } from '../../../src/mgmt/xpath/lexer.ts';
import { MAX_DEPTH, parseExpression } from '../../../src/mgmt/xpath/parser.ts';
import { xpathSelection } from '../../../src/mgmt/xpath/selection.ts';
import { faultOf } from '../../helpers/faults.ts';
import { plainCheck, schema } from '../../helpers/state.ts';
import { filterElement, NAMESPACES } from '../../helpers/xpath.ts';

const test = suite('xpath parser');

function parse(text: string) {
  return parseExpression(text, (prefix) => NAMESPACES[prefix]);
}

/** [expression, character of the fault, what the message says of it]. */
const wrong: readonly (readonly [string, number, RegExp])[] = [
  ['', 1, /a step of a path, found the end/],
  ['/p:softwire[', 13, /found the end/],
  ['/p:softwire]', 12, /an operator or the end/],
  ['/p:softwire[]', 13, /a step of a path/],
  ['/p:softwire//', 14, /a step of a path, found the end/],
  ['//', 3, /a step of a path/],
  ["/p:a[. = 'x]", 13, /the quote ' that ends the literal/],
  ['p:a p:b', 5, /an operator/],
  ['p:a & p:b', 5, /a name, number, literal or operator, found '& p:b'/],
  ['%', 1, /a name, number, literal or operator/],
  ['p:', 2, /a name, number, literal or operator/],
  ['sideways::p:a', 1, /the name of an axis/],
  ['p:a[$x]', 5, /no variable/],
  ['count()', 1, /1 arguments for count, not 0/],
  ['concat("a")', 1, /2 or more arguments/],
  ['substring("a")', 1, /2 to 3 arguments/],
  ['count("a")', 7, /a node-set, not a string/],
  ['p:a | 1', 7, /a node-set, not a number/],
  ['1 | p:a', 1, /a node-set before/],
  ['"a"[1]', 1, /a node-set, not a string/],
  ['"a"/p:a', 1, /a node-set, not a string/],
  ['string(p:a, p:b)', 1, /0 to 1 arguments/],
  ['p:f(1)', 1, /a function of XPath 1.0/],
  ['matches(p:a, "x")', 1, /a function of XPath 1.0/],
  [
    'p:a[re-match(., "[x")]',
    5,
    /a pattern of RFC 7950 §9\.4\.5 \(pattern: expected .*, found the end at its character 3\)/,
  ],
  ['p:a[re-match(.)]', 5, /2 arguments for re-match, not 1/],
  ['deref("a")', 7, /a node-set, not a string/],
  ['p:a[derived-from("a", "b")]', 18, /a node-set, not a string/],
  ['p:a[same-as(.)]', 5, /a function of XPath 1\.0 or of RFC 7950 §10/],
  ['(p:a', 5, /'\)', found the end/],
  ['1 = ', 5, /found the end/],
];
for (const [text, at, says] of wrong) {
  test(`refused: ${text}`, () => {
    const { tag, message, info } = faultOf(() => parse(text));
    assert.is(tag, 'invalid-value');
    assert.match(message, says);
    assert.match(message, new RegExp(`at character ${at}$`));
    assert.equal(info, { 'bad-attribute': 'select', 'bad-element': 'filter' });
  });
}

test('an undeclared prefix is an unknown namespace', () => {
  const { tag, info, message } = faultOf(() => parse('/p:softwire/z:aftr'));
  assert.equal([tag, info], ['unknown-namespace', { 'bad-element': 'filter', 'bad-namespace': 'z' }]);
  assert.match(message, /'z' at character 13/);
});

const nested = (depth: number) => `${'('.repeat(depth)}p:a${')'.repeat(depth)}`;
/** [what, below the limit, above it]. */
const limits: readonly (readonly [string, string, string])[] = [
  ['parentheses', nested(MAX_DEPTH), nested(MAX_DEPTH + 1)],
  [
    'predicates',
    `${'p:a['.repeat(MAX_DEPTH)}1${']'.repeat(MAX_DEPTH)}`,
    `${'p:a['.repeat(MAX_DEPTH + 1)}1${']'.repeat(MAX_DEPTH + 1)}`,
  ],
  ['characters', `p:a${' '.repeat(MAX_EXPRESSION - 3)}`, `p:a${' '.repeat(MAX_EXPRESSION - 2)}`],
];
for (const [what, below, above] of limits) {
  test(`limit of ${what}`, () => {
    parse(below);
    assert.is(faultOf(() => parse(above)).tag, 'too-big');
  });
}

test('long chains need no depth', () => {
  for (const [operand, operator] of [
    ['p:a', ' or '],
    ['p:a', ' and '],
    ['p:a', ' | '],
    ['1', ' + '],
    ['p:a', '/'],
    ['', '-'],
  ] as const) {
    parse(Array(5_000).fill(operand).join(operator) + (operand === '' ? '1' : ''));
  }
  assert.is(
    faultOf(() =>
      parse(
        Array(MAX_DEPTH + 2)
          .fill('1')
          .join(' = '),
      ),
    ).tag,
    'invalid-value',
  );
});

/** [expression, type]: what tells operators from names, and the static types. */
const types = [
  ['p:or or p:and', 'boolean'],
  ['* * *', 'number'],
  ['div div div', 'number'],
  ['p:a - p:b', 'number'],
  ['p:a-b', 'node-set'],
  ['--1', 'number'],
  ['(1)', 'number'],
  ['"it\'s"', 'string'],
  ['.5', 'number'],
  ['..', 'node-set'],
  ['@p:x', 'node-set'],
  ['child :: p:a', 'node-set'],
  ['text()', 'node-set'],
  ['processing-instruction("x")', 'node-set'],
  ['id("x")/p:a', 'node-set'],
  ['current()/p:a', 'node-set'],
  ['not(1)', 'boolean'],
  [' /p:a [ 1 ] \n', 'node-set'],
  ['/', 'node-set'],
  ['/ | /p:a', 'node-set'],
  ['/ = 1', 'boolean'],
] as const;
for (const [text, type] of types) test(`${text} is a ${type}`, () => assert.is(parse(text).type, type));

test('a filter needs select, and one that gives nodes', () => {
  const select = (attributes: Record<string, string>) =>
    faultOf(() => xpathSelection(schema, plainCheck, filterElement(attributes)));
  assert.is(select({}).tag, 'missing-attribute');
  for (const text of ['1', '"a"', 'count(/p:softwire)', '/p:softwire = 1', 'p:a or p:b']) {
    const { tag, message } = select({ select: text });
    assert.is(tag, 'invalid-value', text);
    assert.match(message, /expected a node-set, not a (number|string|boolean)/);
  }
});

test('an undeclared prefix may be the name of a module', () => {
  xpathSelection(schema, plainCheck, filterElement({ select: '/gi-4over6:softwire' }));
});

/** [select, top nodes that it can look at]. */
const tops: readonly (readonly [string, string])[] = [
  ['/p:softwire/p:aftr', 'softwire'],
  ['p:softwire', 'softwire'],
  ['/p:softwire | /p:store', 'softwire store'],
  ['/p:softwire[/p:store]', 'softwire store'],
  ['/p:softwire[p:store]', 'softwire'],
  ['/p:softwire[count(p:aftr) > 1]/p:aftr[string() = "x"]', 'softwire'],
  ['/softwire', ''],
  ['//p:aftr', 'all'],
  ['/', 'all'],
  ['/p:softwire/..', 'all'],
  ['/p:softwire[current()/p:store]', 'all'],
  ['/p:softwire[following::*]', 'all'],
  ['/*', 'all'],
  ['(/p:softwire)[1]/p:aftr', 'softwire'],
];
const topNodes = schema.root.children.filter(({ kind }) => kind !== 'rpc' && kind !== 'notification');
for (const [select, wanted] of tops) {
  test(`${select} looks at: ${wanted || 'nothing'}`, () => {
    const selection = xpathSelection(schema, plainCheck, filterElement({ select }));
    const found = topNodes.filter((top) => selection.wants(top)).map(({ name }) => name);
    const expected = wanted === 'all' ? topNodes.map(({ name }) => name) : wanted.split(' ').filter(Boolean);
    assert.equal(found, expected);
  });
}

test.run();
