import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { DataNode, Insert } from '../../src/state/data.ts';
import { entryId } from '../../src/state/data.ts';
import { applyEdit } from '../../src/state/edit.ts';
import { ManagementError } from '../../src/state/errors.ts';
import { treeFromJson, treeToJson } from '../../src/state/json.ts';
import { RowOverlay } from '../../src/state/overlay.ts';
import type { Authorize } from '../../src/state/request.ts';
import { NoRows } from '../../src/state/rows.ts';
import { schema, tree } from '../helpers/state.ts';

const test = suite('edit');

type Json = Record<string, unknown>;

interface Options {
  readonly operation?: 'merge' | 'replace' | 'none';
  readonly authorize?: Authorize;
}

/** The small tree after the edit, without the empty containers that rows need; or the fault. */
function edited(base: Json, edit: DataNode, { operation = 'merge', authorize }: Options = {}): Json | ManagementError {
  const target = { tree: treeFromJson(schema, base), rows: new NoRows(), overlay: new RowOverlay(), merges: [] };
  try {
    applyEdit(target, edit, operation, authorize);
  } catch (error) {
    if (error instanceof ManagementError) return error;
    throw error;
  }
  return treeToJson(target.tree);
}

function fault(result: Json | ManagementError): ManagementError {
  if (result instanceof ManagementError) return result;
  throw new Error(`expected a fault, found ${JSON.stringify(result)}`);
}

const gateway = (entry: Json): Json => ({ 'gi-4over6:softwire': { gateway: [{ name: 'g', ...entry }] } });
const BASE = gateway({ 'ipv6-address': '2001:db8::1', 'hop-limit': 9, 'ipv4-interface': ['left'] });

const trees: readonly (readonly [string, Options['operation'], Json, Json | string])[] = [
  [
    'merge sets a leaf',
    'merge',
    gateway({ 'hop-limit': 8 }),
    gateway({ 'ipv6-address': '2001:db8::1', 'ipv4-interface': ['left'], 'hop-limit': 8 }),
  ],
  [
    'merge adds to a leaf-list',
    'merge',
    gateway({ 'ipv4-interface': ['right'] }),
    gateway({ 'ipv6-address': '2001:db8::1', 'ipv4-interface': ['left', 'right'], 'hop-limit': 9 }),
  ],
  [
    'replace of an entry drops the rest',
    'merge',
    gateway({ '@operation': 'replace', 'hop-limit': 7 }),
    gateway({ 'hop-limit': 7 }),
  ],
  ['default operation replace drops all else', 'replace', gateway({ 'hop-limit': 7 }), gateway({ 'hop-limit': 7 })],
  ['default operation replace with nothing', 'replace', {}, {}],
  ['delete of an entry takes the empty container along', 'merge', gateway({ '@operation': 'delete' }), {}],
  ['remove of nothing', 'merge', { 'gi-4over6:softwire': { gateway: [{ name: 'h', '@operation': 'remove' }] } }, BASE],
  [
    'create of an entry that is there',
    'merge',
    gateway({ '@operation': 'create' }),
    "data-exists /gi-4over6:softwire/gateway[name='g']",
  ],
  [
    'delete of an entry that is not there',
    'merge',
    { 'gi-4over6:softwire': { gateway: [{ name: 'h', '@operation': 'delete' }] } },
    "data-missing /gi-4over6:softwire/gateway[name='h']",
  ],
  [
    'delete of a container that holds nothing',
    'merge',
    { 'ietf-netconf-acm:nacm': { '@operation': 'delete' } },
    'data-missing /ietf-netconf-acm:nacm',
  ],
  [
    'create of a container that holds nothing',
    'merge',
    { 'ietf-netconf-acm:nacm': { '@operation': 'create', 'enable-nacm': true } },
    { ...BASE, 'ietf-netconf-acm:nacm': { 'enable-nacm': true } },
  ],
  [
    'create of a container that holds something',
    'merge',
    { 'gi-4over6:softwire': { '@operation': 'create' } },
    'data-exists /gi-4over6:softwire',
  ],
  ['none changes no leaf', 'none', gateway({ 'hop-limit': 3 }), BASE],
  [
    'none needs the entry',
    'none',
    { 'gi-4over6:softwire': { gateway: [{ name: 'h' }] } },
    "data-missing /gi-4over6:softwire/gateway[name='h']",
  ],
  ['an empty container leaves nothing behind', 'merge', { 'ietf-netconf-acm:nacm': { groups: {} } }, BASE],
];
for (const [why, operation, edit, expected] of trees) {
  test(why, () => {
    const result = edited(BASE, tree(edit), operation ? { operation } : {});
    if (typeof expected === 'string') assert.is(`${fault(result).tag} ${fault(result).path}`, expected);
    else assert.equal(sorted(result), sorted(expected));
  });
}

/** The JSON text with the members of each object in one order. */
function sorted(value: unknown): unknown {
  if (value instanceof Error) return String(value);
  if (Array.isArray(value)) return value.map(sorted);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([name, item]) => [name, sorted(item)]),
  );
}

/** An operation on one leaf of the gateway. */
function leafEdit(operation: 'create' | 'delete' | 'remove', name: string, value: unknown): DataNode {
  const edit = tree(gateway({ [name]: value }));
  for (const leaf of edit.child('softwire')?.entries('gateway')[0]?.childMap.values() ?? []) {
    if (leaf.schema.name === name) leaf.operation = operation;
  }
  return edit;
}

const leaves = [
  ['create', 'hop-limit', 9, 'data-exists'],
  ['create', 'softwire-payload-mtu', 1460, 'ok'],
  ['delete', 'hop-limit', 64, 'ok'],
  ['delete', 'softwire-payload-mtu', 1460, 'data-missing'],
  ['remove', 'softwire-payload-mtu', 1460, 'ok'],
  ['delete', 'ipv4-interface', ['left'], 'ok'],
  ['delete', 'ipv4-interface', ['right'], 'data-missing'],
  ['create', 'ipv4-interface', ['left'], 'data-exists'],
] as const;
for (const [operation, name, value, expected] of leaves) {
  test(`${operation} of ${name} ${value}: ${expected}`, () => {
    const result = edited(BASE, leafEdit(operation, name, value));
    assert.is(result instanceof ManagementError ? result.tag : 'ok', expected);
  });
}

const rule = (more: Json): Json => ({
  'ietf-netconf-acm:nacm': { 'rule-list': [{ name: 'l', rule: [{ name: 'r', action: 'permit', ...more }] }] },
});

test('a node of one case removes the other case', () => {
  const result = edited(rule({ 'rpc-name': 'get' }), tree(rule({ path: '/gi-4over6:softwire' })));
  assert.equal(sorted(result), sorted(rule({ path: '/gi-4over6:softwire' })));
});

const ruleLists = (...names: readonly string[]): Json => ({
  'ietf-netconf-acm:nacm': { 'rule-list': names.map((name) => ({ name })) },
});

function names(result: Json | ManagementError): string[] {
  if (result instanceof ManagementError) return [result.tag, result.appTag ?? ''];
  const nacm = result['ietf-netconf-acm:nacm'] as { 'rule-list': { name: string }[] };
  return nacm['rule-list'].map(({ name }) => name);
}

const ruleList = schema.find('/ietf-netconf-acm:nacm/rule-list');
const idOf = (name: string) => (ruleList ? entryId(ruleList, [name]) : '');
const inserts: readonly (readonly [string, Insert, string, readonly string[]])[] = [
  ['first', { where: 'first' }, 'new', ['new', 'a', 'b', 'c']],
  ['last', { where: 'last' }, 'new', ['a', 'b', 'c', 'new']],
  ['before another', { where: 'before', point: idOf('b') }, 'new', ['a', 'new', 'b', 'c']],
  ['after another', { where: 'after', point: idOf('b') }, 'new', ['a', 'b', 'new', 'c']],
  ['a move to the front', { where: 'first' }, 'c', ['c', 'a', 'b']],
  ['a move behind another', { where: 'after', point: idOf('c') }, 'a', ['b', 'c', 'a']],
  ['a move to where it is', { where: 'after', point: idOf('a') }, 'b', ['a', 'b', 'c']],
  ['at a point that is not there', { where: 'before', point: idOf('x') }, 'new', ['bad-attribute', 'missing-instance']],
  ['at itself', { where: 'before', point: idOf('a') }, 'a', ['bad-attribute', 'missing-instance']],
];
for (const [why, insert, name, expected] of inserts) {
  test(`insert ${why}`, () => {
    const edit = tree(ruleLists(name));
    for (const entry of edit.child('nacm')?.entries('rule-list') ?? []) entry.insert = insert;
    assert.equal(names(edited(ruleLists('a', 'b', 'c'), edit)), expected);
  });
}

test('replace brings the order of the edit', () => {
  assert.equal(names(edited(ruleLists('a', 'b', 'c'), tree(ruleLists('c', 'a')), { operation: 'replace' })), [
    'c',
    'a',
  ]);
});

/** What is asked about an edit, and where the refusal of one question ends. */
function asked(base: Json, edit: DataNode, operation: Options['operation'] = 'merge'): string[] {
  const questions: string[] = [];
  const authorize: Authorize = (node, access) => {
    questions.push(`${access} ${node.path}`);
    return true;
  };
  edited(base, edit, { ...(operation && { operation }), authorize });
  return questions;
}

test('rights are asked for effective operations only', () => {
  const path = "/gi-4over6:softwire/gateway[name='g']";
  assert.equal(asked(BASE, tree(BASE)), []);
  assert.equal(asked(BASE, tree(BASE), 'replace'), []);
  assert.equal(asked(BASE, tree(gateway({ 'hop-limit': 3 }))), [`update ${path}/hop-limit`]);
  assert.equal(asked(BASE, tree(gateway({ enabled: false }))), [`create ${path}/enabled`]);
  assert.equal(asked(ruleLists('a', 'b'), tree(ruleLists('b', 'a')), 'replace').length, 2);
  assert.equal(asked({}, tree(gateway({ enabled: false }))), [`create ${path}`, `create ${path}/enabled`]);
  const deleted = asked(BASE, tree(gateway({ '@operation': 'delete' })));
  assert.is(deleted[0], `delete ${path}`);
  assert.ok(deleted.includes(`delete ${path}/hop-limit`), deleted.join());
});

test('a refused right names its node', () => {
  const error = fault(edited(BASE, tree(gateway({ 'hop-limit': 3 })), { authorize: () => false }));
  assert.is(error.tag, 'access-denied');
  assert.is(error.path, "/gi-4over6:softwire/gateway[name='g']/hop-limit");
});

test.run();
