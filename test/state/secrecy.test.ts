/** What an edit tells of nodes that its user may not read: the same whether they are there or not. */

import { readdirSync, readFileSync } from 'node:fs';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { Binding } from '../../src/state/binding.generated.ts';
import { hasContent, keepRowParents } from '../../src/state/content.ts';
import type { DataNode } from '../../src/state/data.ts';
import { authorizeDifference, emptyDraft } from '../../src/state/draft.ts';
import { applyEdit } from '../../src/state/edit.ts';
import { ManagementError } from '../../src/state/errors.ts';
import { treeFromJson } from '../../src/state/json.ts';
import { OverlaidRows, RowOverlay } from '../../src/state/overlay.ts';
import type { Authorize } from '../../src/state/request.ts';
import { RowChanges } from '../../src/state/row-changes.ts';
import { NoRows } from '../../src/state/rows.ts';
import type { GuestRule } from '../helpers/guest-rights.ts';
import { deny, guestRights, PERMIT } from '../helpers/guest-rights.ts';
import { schema, tree } from '../helpers/state.ts';

const test = suite('secrecy of edits');

type Json = Record<string, unknown>;

const NO_CHANGES = await RowChanges.between(new NoRows(), new RowOverlay());

const SOFTWIRE = '/gi-4over6:softwire';
const gateways = (...entries: readonly Json[]): Json => ({ 'gi-4over6:softwire': { gateway: entries } });
const ONE = { name: 'g', 'hop-limit': 9 };
const HIDDEN = { name: 'h', 'hop-limit': 7, 'ipv4-interface': ['left'] };
/** What is hidden of them is `h`, or the hop limit of `g`. */
const ENTRY = [deny(`${SOFTWIRE}/gateway[name='h']`), PERMIT];
const LEAF = [deny(`${SOFTWIRE}/gateway/hop-limit`), PERMIT];

const MEMORY: readonly GuestRule[] = [
  { path: `${SOFTWIRE}/gateway/reassembly/maximum-packets`, operations: 'create', action: 'permit' },
  { operations: 'read', action: 'permit' },
];

function authorizeFor(rules: readonly GuestRule[]): { readonly authorize: Authorize; readonly asked: string[] } {
  const rights = guestRights(...rules);
  const asked: string[] = [];
  const may: Authorize = (node, operation) => {
    const isPermitted = rights.may(node, operation);
    if (!isPermitted) asked.push(node.path);
    return isPermitted;
  };
  const countDenial = () => void asked.push('');
  const secrecy = {
    isHidden: rights.isHidden.bind(rights),
    holds: rights.holds.bind(rights),
    readsEvery: rights.readsEvery.bind(rights),
    readsNone: rights.readsNone.bind(rights),
    readsEach: rights.readsEach.bind(rights),
    namedKeys: rights.namedKeys.bind(rights),
    mayHide: rights.mayHide.bind(rights),
    countDenial,
  };
  return { authorize: Object.assign(may, { secrecy, writesEvery: rights.writesEvery.bind(rights) }), asked };
}

/** The tag and path of the refusal, or `ok`; and how many denials were counted. */
function outcomeOf(
  base: Json,
  edit: Json,
  rules: readonly GuestRule[],
  operation: 'merge' | 'replace' | 'none',
  overlay = new RowOverlay(),
): string {
  const { authorize, asked } = authorizeFor(rules);
  const root = treeFromJson(schema, base);
  keepRowParents(root);
  const target = { tree: root, rows: new OverlaidRows(new NoRows(), overlay), overlay, merges: [] };
  try {
    applyEdit(target, tree(edit), operation, authorize);
  } catch (error) {
    if (error instanceof ManagementError) return `${error.tag} ${error.path}: ${error.message} (${asked.length})`;
    throw error;
  }
  return 'ok';
}

const DENIED = `access-denied ${SOFTWIRE}: no right to change what is below ${SOFTWIRE} (1)`;
const G = `${SOFTWIRE}/gateway[name='g']`;
const DENIED_LEAF = `access-denied ${G}: no right to change what is below ${G} (1)`;
const DENIED_BELOW = `access-denied ${G}: no right to delete all that may be below ${G} (1)`;
const WITH = gateways(ONE, HIDDEN);
const WITHOUT = gateways(ONE);
const NO_LEAF = gateways({ name: 'g' });
const RULE = '/ietf-netconf-acm:nacm/rule-list/rule';
const R = "/ietf-netconf-acm:nacm/rule-list[name='l']/rule[name='r']";

const ruleOf = (rule: Json): Json => ({ 'ietf-netconf-acm:nacm': { 'rule-list': [{ name: 'l', rule: [rule] }] } });

const CERTIFICATE = '/gi-4over6-management:management/client-certificates/cert-to-name';
const C1 = `${CERTIFICATE}[id='1']`;
const certificate = (leaves: Json): Json => ({
  'gi-4over6-management:management': { 'client-certificates': { 'cert-to-name': [{ id: 1, ...leaves }] } },
});
const NAMELESS = certificate({ 'map-type': 'ietf-x509-cert-to-name:specified' });
const SPECIFIED = certificate({ 'map-type': 'ietf-x509-cert-to-name:specified', name: 'n' });
const SAN = certificate({ 'map-type': 'ietf-x509-cert-to-name:san-any' });
const DENIED_NAME = `access-denied ${C1}: no right to delete all that may be below ${C1} (1)`;

// [what, default operation, rules, the edit, the two worlds, what is answered in both]
const cases: readonly (readonly [
  string,
  'merge' | 'replace' | 'none',
  readonly GuestRule[],
  Json,
  readonly Json[],
  string,
])[] = [
  [
    'create of a hidden entry',
    'merge',
    ENTRY,
    gateways({ name: 'h', '@operation': 'create' }),
    [WITH, WITHOUT],
    DENIED,
  ],
  [
    'delete of a hidden entry',
    'merge',
    ENTRY,
    gateways({ name: 'h', '@operation': 'delete' }),
    [WITH, WITHOUT],
    DENIED,
  ],
  [
    'remove of a hidden entry',
    'merge',
    ENTRY,
    gateways({ name: 'h', '@operation': 'remove' }),
    [WITH, WITHOUT],
    DENIED,
  ],
  ['merge of the keys alone', 'merge', ENTRY, gateways({ name: 'h' }), [WITH, WITHOUT], DENIED],
  ['nothing to be done with a hidden entry', 'none', ENTRY, gateways({ name: 'h' }), [WITH, WITHOUT], DENIED],
  ['merge of a value it has', 'merge', ENTRY, gateways({ name: 'h', 'hop-limit': 7 }), [WITH, WITHOUT], DENIED],
  ['merge of another value', 'merge', ENTRY, gateways({ name: 'h', 'hop-limit': 8 }), [WITH, WITHOUT], DENIED],
  [
    'replace of a hidden entry',
    'merge',
    ENTRY,
    gateways({ name: 'h', '@operation': 'replace' }),
    [WITH, WITHOUT],
    DENIED,
  ],
  ['a guess of a hidden leaf', 'merge', LEAF, gateways({ name: 'g', 'hop-limit': 9 }), [WITHOUT, NO_LEAF], DENIED_LEAF],
  ['a wrong guess', 'merge', LEAF, gateways({ name: 'g', 'hop-limit': 8 }), [WITHOUT, NO_LEAF], DENIED_LEAF],
  [
    'delete of what holds a hidden leaf',
    'merge',
    LEAF,
    gateways({ name: 'g', '@operation': 'delete' }),
    [WITHOUT, NO_LEAF],
    DENIED_BELOW,
  ],
  [
    'replace of it',
    'merge',
    LEAF,
    gateways({ name: 'g', '@operation': 'replace', enabled: false }),
    [WITHOUT, NO_LEAF],
    DENIED_BELOW,
  ],
  [
    'replace of the whole datastore',
    'replace',
    ENTRY,
    gateways(ONE),
    [WITH, WITHOUT],
    'access-denied undefined: no right to delete all that may be below the top (1)',
  ],
  ...(['delete', 'remove', 'replace'] as const).map(
    (operation) =>
      [
        `${operation} of a container that is there for what is hidden in it`,
        'merge',
        [deny(`${SOFTWIRE}/gateway/reassembly/timeout`), PERMIT],
        gateways({ name: 'g', reassembly: { '@operation': operation } }),
        [gateways({ name: 'g', reassembly: { timeout: 9 } }), NO_LEAF],
        `access-denied ${G}/reassembly: no right to delete all that may be below ${G}/reassembly (1)`,
      ] as const,
  ),
  [
    'create of a container that is there for what is hidden in it',
    'merge',
    [deny(`${SOFTWIRE}/gateway/reassembly/timeout`), PERMIT],
    gateways({ name: 'g', reassembly: { '@operation': 'create' } }),
    [gateways({ name: 'g', reassembly: { timeout: 9 } }), NO_LEAF],
    'ok',
  ],
  [
    'a leaf in such a container by who may create no more',
    'merge',
    [deny(`${SOFTWIRE}/gateway/reassembly/timeout`), ...MEMORY],
    gateways({ name: 'g', reassembly: { 'maximum-packets': 70_000 } }),
    [gateways({ name: 'g', reassembly: { timeout: 9 } }), NO_LEAF],
    'ok',
  ],
  [
    'create of the container of softwires, where entries could be hidden',
    'merge',
    ENTRY,
    { 'gi-4over6:softwire': { '@operation': 'create', gateway: [{ name: 'n' }] } },
    [gateways(HIDDEN), {}],
    'ok',
  ],
  [
    'create of a container in an entry that comes with it',
    'merge',
    [deny(`${SOFTWIRE}/gateway/reassembly/timeout`), PERMIT],
    gateways({ name: 'n', reassembly: { '@operation': 'create', 'maximum-packets': 9 } }),
    [WITHOUT, NO_LEAF],
    'ok',
  ],
  [
    'a case where another one could be hidden',
    'merge',
    [deny(`${RULE}/path`), PERMIT],
    ruleOf({ name: 'r', 'rpc-name': 'x' }),
    [ruleOf({ name: 'r', path: '/' }), ruleOf({ name: 'r' })],
    `access-denied ${R}: no right to delete all that may be below ${R} (1)`,
  ],
  [
    'a case that is seen to be there',
    'merge',
    [deny(`${RULE}/path`), PERMIT],
    ruleOf({ name: 'r', 'rpc-name': 'x' }),
    [ruleOf({ name: 'r', 'rpc-name': 'y' })],
    'ok',
  ],
  [
    'a case of an entry that comes with it',
    'merge',
    [deny(`${RULE}/path`), PERMIT],
    ruleOf({ name: 'n', 'rpc-name': 'x' }),
    [ruleOf({ name: 'r', path: '/' }), ruleOf({ name: 'r' })],
    'ok',
  ],
  [
    'a guess by who may create a hidden leaf',
    'merge',
    [{ path: `${SOFTWIRE}/gateway/hop-limit`, operations: 'create', action: 'permit' }, ...LEAF],
    gateways({ name: 'g', 'hop-limit': 9 }),
    [WITHOUT, gateways({ name: 'g', 'hop-limit': 8 })],
    DENIED_LEAF,
  ],
  ...[
    // Who sees that the name of another map-type cannot be there is not asked.
    [[SPECIFIED, NAMELESS], DENIED_NAME],
    [[SAN], 'ok'],
  ].map(
    ([worlds, expected]) =>
      [
        `a leaf that others depend on, for the worlds ${JSON.stringify(worlds)}`,
        'merge',
        [deny(`${CERTIFICATE}/name`), PERMIT],
        certificate({ 'map-type': 'ietf-x509-cert-to-name:common-name' }),
        worlds,
        expected,
      ] as (typeof cases)[number],
  ),
  [
    'a leaf that others depend on, by who may not delete them',
    'merge',
    [deny(`${CERTIFICATE}/name`, 'delete'), PERMIT],
    certificate({ 'map-type': 'ietf-x509-cert-to-name:common-name' }),
    [SPECIFIED],
    `access-denied ${C1}/name: no right to delete ${C1}/name (1)`,
  ],
  [
    'a hidden leaf that others depend on',
    'merge',
    [
      { path: `${CERTIFICATE}/map-type`, operations: 'update', action: 'permit' },
      deny(`${CERTIFICATE}/map-type`),
      deny(`${CERTIFICATE}/name`),
      PERMIT,
    ],
    certificate({ 'map-type': 'ietf-x509-cert-to-name:common-name' }),
    [SPECIFIED, SAN],
    DENIED_NAME,
  ],
  ['what is beside it is edited', 'merge', ENTRY, gateways({ name: 'g', 'hop-limit': 3 }), [WITH, WITHOUT], 'ok'],
  ['and deleted', 'merge', ENTRY, gateways({ name: 'g', '@operation': 'delete' }), [WITH, WITHOUT], 'ok'],
  [
    'who may write all below may create what he cannot see',
    'merge',
    [{ path: `${SOFTWIRE}/gateway`, operations: 'create', action: 'permit' }],
    gateways({ name: 'n', 'hop-limit': 3 }),
    [WITH, WITHOUT],
    'ok',
  ],
];
for (const [what, operation, rules, edit, worlds, expected] of cases) {
  test(what, () =>
    assert.equal(
      worlds.map((base) => outcomeOf(base, edit, rules, operation)),
      worlds.map(() => expected),
    ),
  );
}

const row = (last: number): Binding => ({
  address: 0xc0000200 + last,
  length: 32,
  gatewayIpv6Address: new Uint8Array(16).fill(1),
  aftrIpv6Address: undefined,
  description: undefined,
  origin: 'static',
});

test('create of a table: it exists where a row may be read', () => {
  const list = `${SOFTWIRE}/aftr/binding-table/binding`;
  const hidden = [deny(`${list}[ipv4-prefix='192.0.2.2/32']`), PERMIT];
  const edit = { 'gi-4over6:softwire': { aftr: [{ name: 'a', 'binding-table': { '@operation': 'create' } }] } };
  const base = { 'gi-4over6:softwire': { aftr: [{ name: 'a' }] } };
  const outcomes = [[], [2], [2, 3]].map((lasts) =>
    [hidden, [deny(list), PERMIT], [PERMIT]].map((rules) => {
      const overlay = new RowOverlay();
      for (const last of lasts) overlay.put('a', row(last));
      return outcomeOf(base, edit, rules, 'merge', overlay).split(' ')[0];
    }),
  );
  assert.equal(outcomes, [
    ['ok', 'ok', 'ok'],
    ['ok', 'ok', 'data-exists'],
    ['data-exists', 'ok', 'data-exists'],
  ]);
});

/** Rows of which none is ever walked over. */
class LookedUp extends OverlaidRows {
  readonly looked: number[] = [];
  override sealed(instance: string, number: number): Uint8Array | undefined {
    this.looked.push(number);
    return super.sealed(instance, number);
  }
  override sealedRows(): never {
    throw new Error('it walked over the rows');
  }
}

test('create of a table looks for the rows that rules name, whether they are there or not, and at no other', () => {
  const list = `${SOFTWIRE}/aftr/binding-table/binding`;
  const at = (last: number): string => `${list}[ipv4-prefix='192.0.2.${last}/32']`;
  const one: readonly GuestRule[] = [{ path: at(2), action: 'permit' }, deny(list), PERMIT];
  const allBut: readonly GuestRule[] = [deny(at(2)), deny(at(3)), PERMIT];
  const found: unknown[] = [];
  for (const rules of [one, allBut, [deny(`${list}/description`), PERMIT]]) {
    for (const lasts of [[3], [2, 3], [4]]) {
      const overlay = new RowOverlay();
      for (const last of lasts) overlay.put('a', row(last));
      const rows = new LookedUp(new NoRows(), overlay);
      const root = treeFromJson(schema, { 'gi-4over6:softwire': { aftr: [{ name: 'a' }] } });
      keepRowParents(root);
      const table = root.child('softwire')?.entries('aftr')[0]?.child('binding-table');
      assert.ok(table);
      const has = hasContent(table, rows, authorizeFor(rules).authorize.secrecy);
      found.push([has, rows.looked.length]);
    }
  }
  assert.equal(found, [
    ...[
      [false, 1],
      [true, 1],
      [false, 1],
    ],
    ...[
      [false, 2],
      [false, 2],
      [true, 2],
    ],
    ...[
      [true, 0],
      [true, 0],
      [true, 0],
    ],
  ]);
});

const NACM = '/ietf-netconf-acm:nacm';
const lists = (...names: readonly string[]): Json => ({
  'ietf-netconf-acm:nacm': { 'rule-list': names.map((name) => ({ name })) },
});

/** What an edit of one node, which is changed before, comes to in each of the worlds. */
function outcomes(
  worlds: readonly Json[],
  edit: Json,
  rules: readonly GuestRule[],
  change: (edit: DataNode) => void,
): string[] {
  const { authorize } = authorizeFor(rules);
  return worlds.map((base) => {
    const asked = tree(edit);
    change(asked);
    const target = { tree: treeFromJson(schema, base), rows: new NoRows(), overlay: new RowOverlay(), merges: [] };
    try {
      applyEdit(target, asked, 'merge', authorize);
    } catch (error) {
      return error instanceof ManagementError ? `${error.tag} ${error.appTag}` : String(error);
    }
    return 'ok';
  });
}

test('a place beside a hidden entry is a place beside none', () => {
  const rules = [deny(`${NACM}/rule-list[name='h']`), PERMIT];
  const tags = outcomes([lists('a', 'h'), lists('a')], lists('b'), rules, (edit) => {
    const added = edit.child('nacm')?.entries('rule-list')[0];
    const beside = tree(lists('h')).child('nacm')?.entries('rule-list')[0];
    if (added && beside) added.insert = { where: 'after', point: beside.id };
  });
  assert.equal(tags, ['bad-attribute missing-instance', 'bad-attribute missing-instance']);
});

for (const [where, worlds] of [
  ['first', [lists('h', 'v'), lists('v')]],
  ['last', [lists('v', 'h'), lists('v')]],
] as const) {
  test(`an entry that may stand ${where} already is moved there by who may update it, whether hidden ones are there or not`, () => {
    const move = (edit: DataNode) => {
      const moved = edit.child('nacm')?.entries('rule-list')[0];
      if (moved) moved.insert = { where };
    };
    const hidden = deny(`${NACM}/rule-list[name='h']`);
    const reads: GuestRule = { operations: 'read', action: 'permit' };
    assert.equal(outcomes(worlds, lists('v'), [hidden, reads], move), [
      'access-denied undefined',
      'access-denied undefined',
    ]);
    assert.equal(outcomes(worlds, lists('v'), [hidden, PERMIT], move), ['ok', 'ok']);
    // Who sees all entries learns nothing.
    assert.equal(outcomes([lists('v')], lists('v'), [reads], move), ['ok']);
  });
}

test('an entry that rules hide and whose keys they permit counts among hidden ones', () => {
  const rules: readonly GuestRule[] = [
    { path: `${NACM}/rule-list[name='v']`, operations: 'read', action: 'permit' },
    { path: `${NACM}/rule-list/name`, operations: 'read', action: 'permit' },
    deny(`${NACM}/rule-list`),
    { operations: 'read', action: 'permit' },
  ];
  const found = outcomes([lists('h', 'v'), lists('v')], lists('v'), rules, (edit) => {
    const moved = edit.child('nacm')?.entries('rule-list')[0];
    if (moved) moved.insert = { where: 'first' };
  });
  assert.equal(found, ['access-denied undefined', 'access-denied undefined']);
});

test('a tagged default takes away what was set, and needs the right to delete it where that is hidden', () => {
  const update: GuestRule = { path: `${SOFTWIRE}/gateway/hop-limit`, operations: 'update', action: 'permit' };
  const tag = (edit: DataNode) => {
    const leaf = edit.child('softwire')?.entries('gateway')[0]?.child('hop-limit');
    if (leaf) leaf.isDefault = true;
  };
  const edit = gateways({ name: 'g', 'hop-limit': 64 });
  const found = outcomes([gateways({ name: 'g', 'hop-limit': 64 }), NO_LEAF], edit, [update, ...LEAF], tag);
  assert.equal(found, ['access-denied undefined', 'access-denied undefined']);
});

async function tagOf(work: () => Promise<void>): Promise<string> {
  try {
    await work();
  } catch (error) {
    return error instanceof ManagementError ? error.tag : String(error);
  }
  return 'ok';
}

/** Of a difference in a list in the order of the user: by who may update `v` and create `n`, and reads all. */
for (const [before, after, expected] of [
  [['a', 'b', 'v'], ['v', 'a', 'b'], 'ok'],
  [['a', 'v'], ['v', 'a'], 'ok'],
  [['a', 'b'], ['a', 'n', 'b'], 'ok'],
  [['a', 'b', 'v'], ['b', 'a', 'v'], 'access-denied'],
] as const) {
  test(`a difference of order is asked about by what must have moved: ${before} to ${after}`, async () => {
    const draft = emptyDraft(treeFromJson(schema, lists(...after)));
    draft.treeTouched = true;
    const { authorize } = authorizeFor([
      { path: `${NACM}/rule-list[name='v']`, operations: 'update', action: 'permit' },
      { path: `${NACM}/rule-list[name='n']`, operations: 'create', action: 'permit' },
      { operations: 'read', action: 'permit' },
    ]);
    const found = await tagOf(() =>
      authorizeDifference(draft, treeFromJson(schema, lists(...before)), NO_CHANGES, authorize),
    );
    assert.is(found, expected);
  });
}

test('a difference by which a `when` becomes false needs the right to delete what depends on it', async () => {
  const draft = emptyDraft(tree(certificate({ 'map-type': 'ietf-x509-cert-to-name:san-any', name: 'n' })));
  draft.treeTouched = true;
  const ask = (...rules: readonly GuestRule[]) =>
    tagOf(() => authorizeDifference(draft, treeFromJson(schema, SPECIFIED), NO_CHANGES, authorizeFor(rules).authorize));
  assert.equal([await ask(deny(`${CERTIFICATE}/name`, 'delete'), PERMIT), await ask(PERMIT)], ['access-denied', 'ok']);
});

test('the `when`s of the configuration are those that edits know of', () => {
  const found = readdirSync('yang').filter((name) => /^\s*when "/m.test(readFileSync(`yang/${name}`, 'utf8')));
  // Of the others they are in operations and in messages.
  assert.equal(found.map((name) => name.split('@')[0]).sort(), [
    'ietf-nmda-compare',
    'ietf-x509-cert-to-name',
    'ietf-yang-patch',
  ]);
});

test('of a hidden difference it is told that there is one, and not where', async () => {
  const running = treeFromJson(schema, WITHOUT);
  const draft = emptyDraft(treeFromJson(schema, WITH));
  draft.treeTouched = true;
  const { authorize } = authorizeFor(ENTRY);
  try {
    await authorizeDifference(draft, running, NO_CHANGES, authorize);
    assert.unreachable('it was permitted');
  } catch (error) {
    assert.instance(error, ManagementError);
    assert.equal([(error as ManagementError).tag, (error as ManagementError).path], ['access-denied', undefined]);
    assert.not.match((error as Error).message, /gateway|'h'/);
  }
});

test.run();
