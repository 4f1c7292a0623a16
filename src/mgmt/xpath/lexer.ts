/** XPath 1.0 §3.7: the tokens of an expression, `*` and the names of operators told from names by what stands before. */

import { ManagementError } from '../../state/errors.ts';

export type TokenKind = 'literal' | 'number' | 'operator' | 'name' | 'axis' | 'symbol' | 'end';

export interface Token {
  readonly kind: TokenKind;
  /** As written; a literal without its quotes. `operator` has `*` when it multiplies, `name` when it is a name test. */
  readonly text: string;
  /** Offset of its first character. */
  readonly at: number;
}

/** Characters of an expression: a thousand keys joined by `or` fit. */
export const MAX_EXPRESSION = 64 * 1024;

const SPACE = /[ \t\r\n]*/y;
const NUMBER = /\d+(?:\.\d*)?|\.\d+/y;
const NCNAME = '[\\p{L}_][\\p{L}\\p{N}\\p{M}._\\-\\u00b7]*';
const NAME = new RegExp(`${NCNAME}(?::(?:${NCNAME}|\\*))?`, 'uy');
const PLAIN_NAME = new RegExp(NCNAME, 'uy');
const SYMBOL = /\/\/|::|\.\.|!=|<=|>=|[()[\].@,|+\-=<>*/$]/y;
const OPERATORS = new Set(['/', '//', '|', '+', '-', '=', '!=', '<', '<=', '>', '>=', '*']);
const OPERATOR_NAMES = new Set(['and', 'or', 'mod', 'div']);

/** @throws ManagementError invalid-value with the place */
export function invalidExpression(text: string, at: number, expected: string): ManagementError {
  const found = at >= text.length ? 'the end' : `'${text.slice(at, at + 20)}'`;
  const message = `XPath expression: expected ${expected}, found ${found} at character ${at + 1}`;
  return new ManagementError('invalid-value', {
    type: 'protocol',
    message,
    info: { 'bad-attribute': 'select', 'bad-element': 'filter' },
  });
}

/** The tokens, one of kind `end` last. @throws ManagementError invalid-value, too-big */
export function tokensOf(text: string): Token[] {
  if (text.length > MAX_EXPRESSION) {
    const message = `XPath expression of ${text.length} characters: at most ${MAX_EXPRESSION} are taken`;
    throw new ManagementError('too-big', { type: 'protocol', message });
  }
  const tokens: Token[] = [];
  for (let at = skipSpace(text, 0); at < text.length; ) {
    const { token, end } = tokenAt(text, at, tokens[tokens.length - 1]);
    tokens.push(token);
    at = skipSpace(text, end);
  }
  tokens.push({ kind: 'end', text: '', at: text.length });
  return tokens;
}

function tokenAt(text: string, at: number, before: Token | undefined): { token: Token; end: number } {
  const first = text.charAt(at);
  if (first === '"' || first === "'") {
    const end = text.indexOf(first, at + 1);
    if (end < 0) throw invalidExpression(text, text.length, `the quote ${first} that ends the literal`);
    return { token: { kind: 'literal', text: text.slice(at + 1, end), at }, end: end + 1 };
  }
  const number = match(NUMBER, text, at);
  if (number !== undefined) return { token: { kind: 'number', text: number, at }, end: at + number.length };
  const symbol = match(SYMBOL, text, at);
  if (symbol !== undefined) return { token: symbolToken(symbol, at, before), end: at + symbol.length };
  return nameToken(text, at, before);
}

/** A name or `*` behind one of these is an operator (§3.7). */
function endsOperand(before: Token | undefined): boolean {
  if (!before || before.kind === 'operator' || before.kind === 'axis') return false;
  return before.kind !== 'symbol' || before.text === ')' || before.text === ']' || before.text.startsWith('.');
}

function symbolToken(text: string, at: number, before: Token | undefined): Token {
  if (text === '*' && !endsOperand(before)) return { kind: 'name', text, at };
  return { kind: OPERATORS.has(text) ? 'operator' : 'symbol', text, at };
}

function nameToken(text: string, at: number, before: Token | undefined): { token: Token; end: number } {
  const plain = match(PLAIN_NAME, text, at);
  if (plain === undefined) throw invalidExpression(text, at, 'a name, number, literal or operator');
  if (endsOperand(before)) {
    if (!OPERATOR_NAMES.has(plain)) throw invalidExpression(text, at, 'an operator');
    return { token: { kind: 'operator', text: plain, at }, end: at + plain.length };
  }
  const behind = skipSpace(text, at + plain.length);
  if (text.startsWith('::', behind)) return { token: { kind: 'axis', text: plain, at }, end: behind + 2 };
  const name = match(NAME, text, at) ?? plain;
  return { token: { kind: 'name', text: name, at }, end: at + name.length };
}

function match(pattern: RegExp, text: string, at: number): string | undefined {
  pattern.lastIndex = at;
  return pattern.exec(text)?.[0];
}

function skipSpace(text: string, at: number): number {
  return at + (match(SPACE, text, at)?.length ?? 0);
}
