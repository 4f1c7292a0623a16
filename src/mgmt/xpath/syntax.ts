/**
 * An XPath 1.0 expression as a tree. Types are static (there are no variables), so each node carries its own, and what it
 * depends on: what depends on no context node is evaluated once. Chains of one operator are one node with many operands:
 * the depth of a tree is that of its parentheses, predicates and arguments, which the parser bounds.
 */

export type ValueType = 'node-set' | 'number' | 'string' | 'boolean';

export type Axis =
  | 'ancestor'
  | 'ancestor-or-self'
  | 'attribute'
  | 'child'
  | 'descendant'
  | 'descendant-or-self'
  | 'following'
  | 'following-sibling'
  | 'namespace'
  | 'parent'
  | 'preceding'
  | 'preceding-sibling'
  | 'self';

/** Axes whose first node is the one nearest before the context node (XPath 1.0 §2.4). */
export const REVERSE_AXES: ReadonlySet<Axis> = new Set([
  'ancestor',
  'ancestor-or-self',
  'preceding',
  'preceding-sibling',
]);

export type NodeTest =
  /** Elements; undefined is any. Namespace '' is no namespace, which no data node has. */
  | { readonly kind: 'name'; readonly namespace: string | undefined; readonly name: string | undefined }
  | { readonly kind: 'node' }
  | { readonly kind: 'text' }
  /** comment() and processing-instruction(): data has none. */
  | { readonly kind: 'nothing' };

export interface Step {
  readonly axis: Axis;
  readonly test: NodeTest;
  readonly predicates: readonly Expression[];
}

export type CompareOperator = '=' | '!=' | '<' | '<=' | '>' | '>=';
export type ArithmeticOperator = '+' | '-' | '*' | 'div' | 'mod';

/** What names mean in an expression. */
export interface NameScope {
  /** The namespace of a prefix; undefined when it is not bound. */
  readonly namespaceOf: (prefix: string) => string | undefined;
  /** The namespace of names without prefix: '' is none, undefined that of any module. */
  readonly unprefixed: string | undefined;
}

interface Facts {
  readonly type: ValueType;
  /** Whether the value can differ from one context node to the next. */
  readonly usesNode: boolean;
  /** Whether it asks for the context position or size. */
  readonly usesPosition: boolean;
}

export type Shape =
  | { readonly kind: 'literal'; readonly value: string }
  | { readonly kind: 'number'; readonly value: number }
  | { readonly kind: 'or' | 'and'; readonly operands: readonly Expression[] }
  | {
      readonly kind: 'compare';
      readonly operator: CompareOperator;
      readonly left: Expression;
      readonly right: Expression;
    }
  | {
      readonly kind: 'arithmetic';
      readonly first: Expression;
      readonly rest: readonly { readonly operator: ArithmeticOperator; readonly operand: Expression }[];
    }
  | { readonly kind: 'negate'; readonly operand: Expression }
  | { readonly kind: 'union'; readonly operands: readonly Expression[] }
  | { readonly kind: 'call'; readonly name: string; readonly args: readonly Expression[]; readonly scope: NameScope }
  /** Steps from the root, from the context node, or from the nodes of an expression. */
  | { readonly kind: 'path'; readonly from: 'root' | 'context' | Expression; readonly steps: readonly Step[] }
  | { readonly kind: 'filter'; readonly base: Expression; readonly predicates: readonly Expression[] };

export type Expression = Shape & Facts;
export type PathExpression = Extract<Expression, { kind: 'path' }>;

/** Functions whose value comes from the context node when they have no argument. */
const OF_CONTEXT_NODE = new Set([
  'string',
  'number',
  'string-length',
  'normalize-space',
  'name',
  'local-name',
  'namespace-uri',
]);

/** The expression of a shape; `type` is what a call returns. */
export function expression(shape: Shape, type: ValueType = typeOf(shape)): Expression {
  return { ...shape, type, usesNode: usesNode(shape), usesPosition: usesPosition(shape) };
}

/** Whether the predicate's truth depends on where a node stands among those that are filtered. */
export function isPositional(predicate: Expression): boolean {
  return predicate.type === 'number' || predicate.usesPosition;
}

function typeOf(shape: Shape): ValueType {
  switch (shape.kind) {
    case 'literal':
      return 'string';
    case 'number':
    case 'arithmetic':
    case 'negate':
      return 'number';
    case 'or':
    case 'and':
    case 'compare':
      return 'boolean';
    default:
      return 'node-set';
  }
}

/** The expressions whose context is that of the expression itself: predicates have another. */
export function partsOf(shape: Shape): readonly Expression[] {
  switch (shape.kind) {
    case 'or':
    case 'and':
    case 'union':
      return shape.operands;
    case 'compare':
      return [shape.left, shape.right];
    case 'arithmetic':
      return [shape.first, ...shape.rest.map(({ operand }) => operand)];
    case 'negate':
      return [shape.operand];
    case 'call':
      return shape.args;
    case 'path':
      return typeof shape.from === 'string' ? [] : [shape.from];
    case 'filter':
      return [shape.base];
    default:
      return [];
  }
}

function usesNode(shape: Shape): boolean {
  if (shape.kind === 'path' && shape.from === 'context') return true;
  if (shape.kind === 'call' && shape.args.length === 0 && OF_CONTEXT_NODE.has(shape.name)) return true;
  return partsOf(shape).some((part) => part.usesNode);
}

function usesPosition(shape: Shape): boolean {
  if (shape.kind === 'call' && (shape.name === 'position' || shape.name === 'last')) return true;
  return partsOf(shape).some((part) => part.usesPosition);
}

/** The predicates in the expression itself, not in its parts. */
export function predicatesOf(shape: Shape): readonly Expression[] {
  if (shape.kind === 'filter') return shape.predicates;
  return shape.kind === 'path' ? shape.steps.flatMap((step) => step.predicates) : [];
}
