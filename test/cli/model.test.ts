import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { ARRAYS, BOOLEANS, CONTAINERS, IDENTITIES, NUMBERS } from '../../src/cli/model.ts';
import type { SchemaNode } from '../../src/state/schema.ts';
import { schema } from '../helpers/state.ts';

const test = suite('cli model');

/** Data nodes; mount points are not served. */
function dataNodes(node: SchemaNode): SchemaNode[] {
  return node.children
    .filter(
      ({ kind, module }) => !['rpc', 'action', 'notification'].includes(kind) && module !== 'ietf-yang-schema-mount',
    )
    .flatMap((child) => [child, ...dataNodes(child)]);
}

const nodes = dataNodes(schema.root);
const keyOf = (node: SchemaNode) => `${node.parent?.name ?? ''}/${node.name}`;
const sorted = (names: Iterable<string>) => [...new Set(names)].sort();

test('lists and leaf-lists are those of the schema, and no other node has their name there', () => {
  assert.equal(sorted(ARRAYS), sorted(nodes.filter(({ isList }) => isList).map(keyOf)));
  assert.equal(
    nodes.filter((node) => !node.isList && ARRAYS.has(keyOf(node))).map(({ path }) => path),
    [],
  );
});

const isNumber = ({ type }: SchemaNode) => /^u?int(8|16|32)$/.test(type);
const isBoolean = ({ type }: SchemaNode) => type === 'boolean';
/** Anydata is an object too. */
const isContainer = ({ kind }: SchemaNode) => kind === 'container' || kind === 'anydata';
/** State whose value tells it apart: a leaf without one is no boolean, and one that always has one is no empty container. */
const TOLD_APART = [
  '/ietf-subscribed-notifications:streams/stream/replay-support',
  '/ietf-subscribed-notifications:subscriptions/subscription/receivers/receiver/state',
];
for (const [what, names, isOne] of [
  ['numbers', NUMBERS, isNumber],
  ['booleans', BOOLEANS, isBoolean],
  ['containers', CONTAINERS, isContainer],
] as const) {
  // A list's entries are told by the parent, and never empty.
  test(`${what} are those of the schema, and no leaf or container of another kind has their name`, () => {
    assert.equal(sorted(names), sorted(nodes.filter(isOne).map(({ name }) => name)));
    assert.equal(
      nodes
        .filter((node) => !isOne(node) && node.kind !== 'list' && names.has(node.name))
        .map(({ path }) => path)
        .filter((path) => !TOLD_APART.includes(path)),
      [],
    );
  });
}

test('identities are those of the configuration, and no other leaf has their name', () => {
  const isOne = ({ type }: SchemaNode) => type === 'identityref';
  assert.equal(sorted(IDENTITIES), sorted(nodes.filter((node) => isOne(node) && node.config).map(({ name }) => name)));
  assert.equal(
    nodes.filter((node) => !isOne(node) && IDENTITIES.has(node.name)).map(({ path }) => path),
    [],
  );
});

test('no leaf is of a type that JSON writes in a third way', () => {
  assert.equal(
    nodes.filter(({ type, config }) => config && ['empty', 'decimal64'].includes(type)).map(({ path }) => path),
    [],
  );
});

test.run();
