import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { MAX_STATES, Matcher } from '../../../src/mgmt/xpath/pattern.ts';
import { PatternFault } from '../../../src/mgmt/xpath/pattern-parser.ts';
import { random, seed } from '../../helpers/random.ts';

/** Patterns of RFC 7950 §9.4.5, as re-match takes them. */
const test = suite('xpath patterns');

const matches = (pattern: string, text: string) => new Matcher(pattern).matches(text, () => {});

/** [pattern, texts that match, texts that do not]. */
const patterns: readonly (readonly [string, readonly string[], readonly string[]])[] = [
  ['', [''], ['a']],
  ['abc', ['abc'], ['ab', 'abcd', 'xabc', 'ABC']],
  ['a|bc|', ['a', 'bc', ''], ['b', 'abc']],
  ['^a$', ['^a$'], ['a']],
  ['a?b*c+', ['c', 'abbcc', 'bc'], ['', 'ab', 'aac']],
  ['a{2}', ['aa'], ['a', 'aaa']],
  ['a{0}b', ['b'], ['ab']],
  ['a{1,3}', ['a', 'aaa'], ['', 'aaaa']],
  ['(ab){2,}', ['abab', 'ababab'], ['ab', 'aba']],
  ['(a*)*', ['', 'aaa'], ['b']],
  ['(|a){3}', ['', 'a', 'aaa'], ['aaaa']],
  ['a.b', ['axb', 'a\u{1F600}b'], ['a\nb', 'a\rb', 'ab']],
  ['[a-c]', ['a', 'b', 'c'], ['d', '-', '']],
  ['[^a-c]', ['d', '\n'], ['a', '']],
  ['[a-]', ['a', '-'], ['b']],
  ['[-a]', ['a', '-'], ['b']],
  ['[a^]', ['a', '^'], ['b']],
  ['[\\]\\-\\\\]+', [']-\\'], ['[']],
  ['[a-z-[aeiou]]+', ['xyz'], ['xay', '-']],
  ['[^0-9-[x]]', ['a'], ['x', '5']],
  ['[a-z-[m-[m]]]', ['m', 'a'], ['-']],
  ['\\d+', ['0123456789', '\u0663'], ['1a', '']],
  ['\\D', ['a'], ['1']],
  ['\\s\\S', [' a', '\ta', '\na'], ['\u00a0a', '  ']],
  ['\\w+', ['aZ9', 'é', '+'], ['a b', 'a-b', '.']],
  ['\\W', ['-', ' '], ['a']],
  ['\\i\\c*', ['_a.b-c', 'x:y', 'Ä1'], ['1a', '-a', 'a b']],
  ['\\I\\C', ['1 '], ['a ', '1a']],
  ['\\p{Lu}\\p{L}*', ['Abc', 'Äb'], ['abc', 'A1']],
  ['\\P{Lu}', ['a', '1'], ['A']],
  ['\\p{IsBasicLatin}+', ['a1~\u007f', '\0'], ['\u0080', '\u00e9']],
  ['\\p{IsLatin-1Supplement}', ['\u0080', '\u00ff'], ['\u007f', '\u0100']],
  ['\\p{IsLatinExtended-A}', ['\u0100', '\u017f'], ['\u0180']],
  ['\\p{IsGreek}', ['\u03b1'], ['a', '\u0400']],
  ['[\\P{IsCyrillic}]', ['a'], ['\u0416']],
  ['\\p{IsGothic}', ['\u{10330}'], ['\u{10350}']],
  ['[\\p{Nd}a-f]+', ['12ab'], ['g']],
  ['\\n\\r\\t\\.\\?\\*\\+\\(\\)\\{\\}\\|\\^', ['\n\r\t.?*+(){}|^'], ['']],
  ['192\\.0\\.2\\.\\d{1,3}/32', ['192.0.2.1/32', '192.0.2.255/32'], ['192x0.2.1/32', '192.0.2.1/320']],
];
for (const [pattern, good, bad] of patterns) {
  test(`pattern ${pattern}`, () => {
    for (const text of good) assert.ok(matches(pattern, text), JSON.stringify(text));
    for (const text of bad) assert.not.ok(matches(pattern, text), JSON.stringify(text));
  });
}

/** [pattern, what is said of it]. */
const faults: readonly (readonly [string, RegExp])[] = [
  ['(a', /expected '\)', found the end at its character 3/],
  ['a)', /expected an atom or the end, found '\)'/],
  ['*a', /expected an atom, found '\*' at its character 1/],
  ['a**', /expected an atom, found '\*' at its character 3/],
  ['a{', /expected a number/],
  ['a{2,1}', /expected at least 2 as the most/],
  ['a{,2}', /expected a number/],
  ['a{1', /expected '}'/],
  ['{', /expected an atom/],
  ['[', /expected a character of the class/],
  ['[]', /expected a character of the class/],
  ['[b-a]', /expected the end of a range/],
  ['[a-\\d]', /expected the end of a range/],
  ['[a-[b]', /expected '\]'/],
  [']', /expected an atom/],
  ['\\', /expected an escape, found the end/],
  ['\\q', /expected an escape, found 'q'/],
  ['\\p{Xx}', /there is no such category or block/],
  ['\\p{Cs}', /there is no such category/],
  ['\\p{IsKlingon}', /\\p\{IsKlingon}: there is no such category or block/],
  ['\\p{Greek}', /there is no such category or block/],
  ['\\p', /expected '{'/],
  [`${'('.repeat(51)}${')'.repeat(51)}`, /nested more than 50 deep/],
  [`${'['.repeat(1)}${'a-['.repeat(51)}`, /nested more than 50 deep/],
  [`a{${MAX_STATES}}`, /more than 2000 states/],
  ['((a{100}){100}){100}', /more than 2000 states/],
  [`a{${'9'.repeat(400)}}`, /more than 2000 states/],
];
for (const [pattern, says] of faults) {
  test(`no pattern: ${pattern.slice(0, 40)}`, () => {
    try {
      matches(pattern, '');
    } catch (error) {
      assert.instance(error, PatternFault);
      assert.match(error instanceof Error ? error.message : '', says);
      return;
    }
    assert.unreachable('nothing was refused');
  });
}

test('the states that are looked at grow with text and pattern alone', () => {
  const work = (pattern: string, length: number) => {
    let states = 0;
    new Matcher(pattern).matches('a'.repeat(length), (more) => {
      states += more;
    });
    return states;
  };
  for (const pattern of ['(a|a)*b', '(a*)*b', '((a?){20}){20}b', '(a+)+b', '(.*)*x']) {
    const short = work(pattern, 1_000);
    assert.ok(short <= 1_000 * MAX_STATES, pattern);
    assert.ok(work(pattern, 2_000) <= 2 * short + MAX_STATES, pattern);
  }
});

/** The atoms of random patterns, here and as JavaScript writes them. */
const ATOMS: readonly (readonly [string, string])[] = [
  ['a', 'a'],
  ['b', 'b'],
  ['.', '.'],
  ['[ab]', '[ab]'],
  ['[^a]', '[^a]'],
  ['\\d', '\\d'],
  ['\\w', '[^\\p{P}\\p{Z}\\p{C}]'],
  ['\\s', '\\s'],
  ['[a-z-[b]]', '(?!b)[a-z]'],
  ['\\p{L}', '\\p{L}'],
  ['\\-', '-'],
  ['[\\d_]', '[\\d_]'],
  ['ä', 'ä'],
];
const QUANTIFIERS = ['', '', '', '?', '*', '+', '{2}', '{1,2}', '{2,}'];
const LETTERS = ['a', 'a', 'b', 'c', '1', ' ', '-', '_', 'ä', '.'];

test(`random patterns match what those of JavaScript do (seed ${seed})`, () => {
  const next = random();
  const pick = <Item>(items: readonly Item[], otherwise: Item) => items[next() % items.length] ?? otherwise;
  const several = <Item>(most: number, make: () => Item) => Array.from({ length: next() % (most + 1) }, make);
  const pair = (depth: number): readonly [string, string] => {
    const atom = (): readonly [string, string] => {
      if (depth === 0 || next() % 3 > 0) return pick(ATOMS, ['a', 'a']);
      const [ours, theirs] = pair(depth - 1);
      return [`(${ours})`, theirs];
    };
    const branch = () => {
      const pieces = several(3, () => ({ atom: atom(), times: pick(QUANTIFIERS, '') }));
      const text = (side: 0 | 1) =>
        pieces.map(({ atom, times }) => (side === 0 ? atom[0] : `(?:${atom[1]})`) + times).join('');
      return [text(0), text(1)] as const;
    };
    const [one, other] = [branch(), branch()];
    return next() % 3 === 0 ? [`${one[0]}|${other[0]}`, `${one[1]}|${other[1]}`] : one;
  };
  let matching = 0;
  for (let at = 0; at < 3_000; at++) {
    const [ours, theirs] = pair(2);
    const expression = new RegExp(`^(?:${theirs})$`, 'u');
    for (let i = 0; i < 20; i++) {
      const subject = several(5, () => pick(LETTERS, 'a')).join('');
      assert.is(matches(ours, subject), expression.test(subject), `${ours} ${JSON.stringify(subject)}`);
      if (expression.test(subject)) matching++;
    }
  }
  assert.ok(matching > 4_000, `only ${matching} match`);
});

test.run();
