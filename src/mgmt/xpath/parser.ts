/**
 * An XPath 1.0 expression from text to its tree, by the grammar of the recommendation, everything checked that does not
 * need data: names, prefixes, functions, types. So no evaluation fails for the expression's form once a reply has begun.
 */

import { ManagementError } from '../../state/errors.ts';
import type { Token } from './lexer.ts';
import { invalidExpression, tokensOf } from './lexer.ts';
import { matcherOf } from './pattern.ts';
import { PatternFault } from './pattern-parser.ts';
import { SIGNATURES } from './signatures.ts';
import type { ArithmeticOperator, Axis, CompareOperator, Expression, NameScope, NodeTest, Step } from './syntax.ts';
import { expression, isPositional } from './syntax.ts';

/** How deep parentheses, predicates and arguments may stand in each other. */
export const MAX_DEPTH = 50;

/** The namespace of a prefix; undefined when it is not bound. */
export type PrefixLookup = (prefix: string) => string | undefined;

/**
 * `unprefixed` says which namespace names without prefix are in: none, that of any module, or a certain one (RFC 7950 §6.4.1).
 * @throws ManagementError invalid-value, unknown-namespace for a prefix, too-big
 */
export function parseExpression(
  text: string,
  namespaceOf: PrefixLookup,
  unprefixed: 'none' | 'any' | { readonly namespace: string } = 'none',
): Expression {
  const namespace = typeof unprefixed === 'object' ? unprefixed.namespace : unprefixed === 'any' ? undefined : '';
  return new Parser(text, namespaceOf, namespace).whole();
}

const AXES: ReadonlySet<string> = new Set<Axis>([
  'ancestor',
  'ancestor-or-self',
  'attribute',
  'child',
  'descendant',
  'descendant-or-self',
  'following',
  'following-sibling',
  'namespace',
  'parent',
  'preceding',
  'preceding-sibling',
  'self',
]);
const NODE_TYPES = new Set(['node', 'text', 'comment', 'processing-instruction']);
const ANY_NODE: NodeTest = { kind: 'node' };
const EVERYTHING_BELOW: Step = { axis: 'descendant-or-self', test: ANY_NODE, predicates: [] };

class Parser {
  readonly #text: string;
  readonly #scope: NameScope;
  readonly #tokens: readonly Token[];
  #next = 0;
  #depth = 0;

  constructor(text: string, namespaceOf: PrefixLookup, unprefixed: string | undefined) {
    this.#text = text;
    this.#scope = { namespaceOf, unprefixed };
    this.#tokens = tokensOf(text);
  }

  whole(): Expression {
    const found = this.#or();
    if (this.#token.kind !== 'end') throw this.#expected('an operator or the end');
    return found;
  }

  get #token(): Token {
    return this.#tokens[this.#next] ?? { kind: 'end', text: '', at: this.#text.length };
  }

  #isAt(text: string, kind: Token['kind'] = 'symbol'): boolean {
    return this.#token.kind === kind && this.#token.text === text;
  }

  /** The operator that stands here, if it is one of these; it is taken. */
  #operator<Operator extends string>(...operators: readonly Operator[]): Operator | undefined {
    const { kind, text } = this.#token;
    const found = kind === 'operator' ? operators.find((operator) => operator === text) : undefined;
    if (found !== undefined) this.#next++;
    return found;
  }

  #take(symbol: string): void {
    if (!this.#isAt(symbol)) throw this.#expected(`'${symbol}'`);
    this.#next++;
  }

  #expected(what: string, at = this.#token.at): ManagementError {
    return invalidExpression(this.#text, at, what);
  }

  /** An expression inside another. */
  #inner(): Expression {
    if (++this.#depth > MAX_DEPTH) {
      const message = `XPath expression: nested more than ${MAX_DEPTH} deep at character ${this.#token.at + 1}`;
      throw new ManagementError('too-big', { type: 'protocol', message });
    }
    const found = this.#or();
    this.#depth--;
    return found;
  }

  #or(): Expression {
    return this.#chain('or', () => this.#chain('and', () => this.#equality()));
  }

  #chain(kind: 'or' | 'and', operand: () => Expression): Expression {
    const first = operand();
    const operands = [first];
    while (this.#operator(kind)) operands.push(operand());
    return operands.length === 1 ? first : expression({ kind, operands });
  }

  #equality(): Expression {
    return this.#comparisons(['=', '!='], () => this.#comparisons(['<', '<=', '>', '>='], () => this.#additive()));
  }

  /** `a = b = c` nests to the left, so it counts as depth. */
  #comparisons(operators: readonly CompareOperator[], operand: () => Expression): Expression {
    let left = operand();
    const depth = this.#depth;
    for (let operator = this.#operator(...operators); operator; operator = this.#operator(...operators)) {
      if (++this.#depth > MAX_DEPTH) throw this.#expected(`at most ${MAX_DEPTH} comparisons in a row`);
      left = expression({ kind: 'compare', operator, left, right: operand() });
    }
    this.#depth = depth;
    return left;
  }

  #additive(): Expression {
    return this.#arithmetic(['+', '-'], () => this.#arithmetic(['*', 'div', 'mod'], () => this.#unary()));
  }

  #arithmetic(operators: readonly ArithmeticOperator[], operand: () => Expression): Expression {
    const first = operand();
    const rest: { operator: ArithmeticOperator; operand: Expression }[] = [];
    for (let operator = this.#operator(...operators); operator; operator = this.#operator(...operators)) {
      rest.push({ operator, operand: operand() });
    }
    return rest.length === 0 ? first : expression({ kind: 'arithmetic', first, rest });
  }

  #unary(): Expression {
    let signs = 0;
    while (this.#operator('-')) signs++;
    const operand = this.#union();
    if (signs === 0) return operand;
    const once = expression({ kind: 'negate', operand });
    return signs % 2 === 1 ? once : expression({ kind: 'negate', operand: once });
  }

  #union(): Expression {
    const at = this.#token.at;
    const first = this.#path();
    const operands = [first];
    while (this.#operator('|')) operands.push(this.#nodeSet(() => this.#path()));
    if (operands.length === 1) return first;
    if (first.type !== 'node-set') throw this.#expected(`a node-set before '|', not a ${first.type}`, at);
    return expression({ kind: 'union', operands });
  }

  /** What `parse` takes must give nodes. */
  #nodeSet(parse: () => Expression): Expression {
    const at = this.#token.at;
    const found = parse();
    if (found.type === 'node-set') return found;
    throw this.#expected(`a node-set, not a ${found.type}`, at);
  }

  #path(): Expression {
    if (this.#startsPrimary()) return this.#filter();
    if (this.#operator('//')) {
      return expression({ kind: 'path', from: 'root', steps: simplified([EVERYTHING_BELOW, ...this.#steps()]) });
    }
    if (!this.#operator('/')) return expression({ kind: 'path', from: 'context', steps: simplified(this.#steps()) });
    const steps = this.#startsStep() ? simplified(this.#steps()) : [];
    return expression({ kind: 'path', from: 'root', steps });
  }

  #startsPrimary(): boolean {
    const { kind, text } = this.#token;
    if (kind === 'literal' || kind === 'number') return true;
    if (kind === 'symbol') return text === '(' || text === '$';
    const after = this.#tokens[this.#next + 1];
    return kind === 'name' && after?.kind === 'symbol' && after.text === '(' && !NODE_TYPES.has(text);
  }

  #startsStep(): boolean {
    const { kind, text } = this.#token;
    return kind === 'name' || kind === 'axis' || (kind === 'symbol' && (text === '.' || text === '..' || text === '@'));
  }

  /** A primary expression, its predicates, and the steps from it. */
  #filter(): Expression {
    const at = this.#token.at;
    let base = this.#primary();
    const needNodes = () => {
      if (base.type !== 'node-set') throw this.#expected(`a node-set, not a ${base.type}`, at);
    };
    if (this.#isAt('[')) {
      needNodes();
      base = expression({ kind: 'filter', base, predicates: this.#predicates() });
    }
    const slash = this.#operator('/', '//');
    if (!slash) return base;
    needNodes();
    const steps = slash === '//' ? [EVERYTHING_BELOW, ...this.#steps()] : this.#steps();
    return expression({ kind: 'path', from: base, steps: simplified(steps) });
  }

  #primary(): Expression {
    const { kind, text, at } = this.#token;
    if (this.#isAt('$')) throw this.#expected('no variable: none is bound (RFC 6241 §8.9.5.1)', at);
    this.#next++;
    if (kind === 'literal') return expression({ kind: 'literal', value: text });
    if (kind === 'number') return expression({ kind: 'number', value: Number(text) });
    if (kind === 'name') return this.#call(text, at);
    const inner = this.#inner();
    this.#take(')');
    return inner;
  }

  #call(name: string, at: number): Expression {
    const signature = SIGNATURES.get(name);
    if (!signature) throw this.#expected('a function of XPath 1.0 or of RFC 7950 §10', at);
    this.#take('(');
    const args: Expression[] = [];
    while (!this.#isAt(')')) {
      if (args.length > 0) this.#take(',');
      const isNodeSet = args.length < (signature.nodeSets ?? 0);
      args.push(isNodeSet ? this.#nodeSet(() => this.#inner()) : this.#inner());
    }
    this.#take(')');
    const [fewest, most] = signature.count;
    if (args.length < fewest || args.length > most) {
      const wanted =
        fewest === most
          ? `${fewest}`
          : most === Number.POSITIVE_INFINITY
            ? `${fewest} or more`
            : `${fewest} to ${most}`;
      throw this.#expected(`${wanted} arguments for ${name}, not ${args.length}`, at);
    }
    if (name === 're-match') this.#checkPattern(args[1], at);
    return expression({ kind: 'call', name, args, scope: this.#scope }, signature.returns);
  }

  /** A pattern that is written here is checked here. */
  #checkPattern(pattern: Expression | undefined, at: number): void {
    if (pattern?.kind !== 'literal') return;
    try {
      matcherOf(pattern.value);
    } catch (error) {
      if (!(error instanceof PatternFault)) throw error;
      throw this.#expected(`a pattern of RFC 7950 §9.4.5 (${error.message})`, at);
    }
  }

  #steps(): Step[] {
    const steps = [this.#step()];
    for (let slash = this.#operator('/', '//'); slash; slash = this.#operator('/', '//')) {
      if (slash === '//') steps.push(EVERYTHING_BELOW);
      steps.push(this.#step());
    }
    return steps;
  }

  #step(): Step {
    for (const [symbol, axis] of [
      ['.', 'self'],
      ['..', 'parent'],
    ] as const) {
      if (!this.#isAt(symbol)) continue;
      this.#next++;
      return { axis, test: ANY_NODE, predicates: [] };
    }
    const axis = this.#axis();
    const test = this.#nodeTest();
    return { axis, test, predicates: this.#predicates() };
  }

  #axis(): Axis {
    if (this.#isAt('@')) {
      this.#next++;
      return 'attribute';
    }
    const { kind, text } = this.#token;
    if (kind !== 'axis') return 'child';
    if (!isAxis(text)) throw this.#expected('the name of an axis');
    this.#next++;
    return text;
  }

  #nodeTest(): NodeTest {
    const { kind, text, at } = this.#token;
    if (kind !== 'name') throw this.#expected('a step of a path');
    this.#next++;
    if (NODE_TYPES.has(text) && this.#isAt('(')) return this.#nodeType(text);
    if (text === '*') return { kind: 'name', namespace: undefined, name: undefined };
    const colon = text.indexOf(':');
    // A name without prefix is in no namespace (XPath 1.0 §2.3), and no data node is: it matches nothing, on purpose.
    const namespace = colon < 0 ? this.#scope.unprefixed : this.#namespace(text.slice(0, colon), at);
    const name = text.slice(colon + 1);
    return { kind: 'name', namespace, name: name === '*' ? undefined : name };
  }

  #nodeType(name: string): NodeTest {
    this.#take('(');
    if (name === 'processing-instruction' && this.#token.kind === 'literal') this.#next++;
    this.#take(')');
    return { kind: name === 'node' ? 'node' : name === 'text' ? 'text' : 'nothing' };
  }

  #namespace(prefix: string, at: number): string {
    const found = this.#scope.namespaceOf(prefix);
    if (found !== undefined) return found;
    throw new ManagementError('unknown-namespace', {
      type: 'protocol',
      message: `XPath expression: prefix '${prefix}' at character ${at + 1} is declared nowhere around, and no module is called so`,
      info: { 'bad-element': 'filter', 'bad-namespace': prefix },
    });
  }

  #predicates(): Expression[] {
    const predicates: Expression[] = [];
    while (this.#isAt('[')) {
      this.#next++;
      predicates.push(this.#inner());
      this.#take(']');
    }
    return predicates;
  }
}

function isAxis(name: string): name is Axis {
  return AXES.has(name);
}

/** `//x` is the descendants called x, unless a predicate counts among the children of each. */
function simplified(steps: readonly Step[]): Step[] {
  const found: Step[] = [];
  for (const step of steps) {
    const isJoined =
      found[found.length - 1] === EVERYTHING_BELOW && step.axis === 'child' && !step.predicates.some(isPositional);
    if (isJoined) found[found.length - 1] = { ...step, axis: 'descendant' };
    else found.push(step);
  }
  return found;
}
