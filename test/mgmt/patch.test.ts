import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { PatchEdit } from '../../src/mgmt/patch.ts';
import { patchEdits, resourcePath } from '../../src/mgmt/patch.ts';
import { DataNode } from '../../src/state/data.ts';
import type { Datastores } from '../../src/state/datastores.ts';
import { random, seed } from '../helpers/random.ts';
import { randomStates, stateOf } from '../helpers/random-edits.ts';
import { aftr, binding, OPERATOR, request, softwire, withDatastores } from '../helpers/state.ts';

const test = suite('patch');

/** The edits between two versions; `hidden` names what the caller may not read. */
function editsBetween(datastores: Datastores, from: number, to: number, hidden: readonly string[] = []): PatchEdit[] {
  const views = [datastores.view('running'), datastores.viewVersion(from), datastores.viewVersion(to)] as const;
  const [now, before, after] = views;
  const rows = () => now.history.changes(from, to);
  const mayRead = ({ schema }: DataNode) => !hidden.includes(schema.name);
  const edits = [...patchEdits({ from: before.tree, to: after.tree, rows, mayRead })];
  for (const view of views) view.close();
  return edits;
}

/** The edit as one of a datastore: the way down to the target, and the operation there. */
function treeOf({ operation, target, value, place }: PatchEdit): DataNode {
  const node = value?.clone() ?? bare(target);
  node.operation = operation === 'delete' ? 'delete' : operation === 'create' ? 'create' : 'merge';
  if (operation === 'replace') node.operation = 'replace';
  if (operation === 'insert') node.operation = 'create';
  if (place) node.insert = place.after ? { where: 'after', point: place.after.id } : { where: 'first' };
  let child = node;
  for (let at = target.parent; at; at = at.parent) {
    const parent = bare(at);
    parent.add(child);
    child = parent;
  }
  return child;
}

function bare(node: DataNode): DataNode {
  const copy = new DataNode(node.schema, node.value, node.type);
  for (const key of node.schema.keys) {
    const leaf = node.child(key);
    if (leaf) copy.add(new DataNode(leaf.schema, leaf.value, leaf.type));
  }
  return copy;
}

test(`the edits made one after the other lead from one version to the other, seed ${seed}`, () =>
  withDatastores(async (datastores) => {
    const next = random();
    const states = await randomStates(datastores, 60);
    for (let tries = 0; tries < 40; tries++) {
      const [from, to] = [states[next() % states.length], states[next() % states.length]];
      if (!from || !to) continue;
      const edits = editsBetween(datastores, from.version, to.version);
      await datastores.rollBack(OPERATOR, from.version, 'candidate');
      for (const edit of edits) {
        await datastores.edit(OPERATOR, {
          ...request({}),
          target: 'candidate',
          tree: treeOf(edit),
          defaultOperation: 'none',
        });
      }
      const reached = stateOf(datastores.view('candidate'));
      assert.equal([reached.rows, inOrder(reached.tree)], [to.rows, inOrder(to.tree)]);
    }
  }));

/** The order of AFTRs is the system's. */
function inOrder(tree: string): unknown {
  const json = JSON.parse(tree) as Record<string, { aftr?: { name: string }[] } | undefined>;
  json['gi-4over6:softwire']?.aftr?.sort((a, b) => a.name.localeCompare(b.name));
  return json;
}

const wordsOf = ({ operation, target, place }: PatchEdit) =>
  [
    operation,
    resourcePath(target),
    ...(place ? [place.after ? `after ${resourcePath(place.after)}` : 'first'] : []),
  ].join(' ');

test('edits name leaves where both sides have the node, and whole nodes where one has', () =>
  withDatastores(async (datastores) => {
    const [one, two] = ['192.0.2.1/32', '192.0.2.0/28'].map((prefix) => binding(prefix, '2001:db8:a::1'));
    await datastores.edit(OPERATOR, request(aftr(one ?? {}, two ?? {})));
    const from = datastores.head().version;
    await datastores.edit(
      OPERATOR,
      request(
        softwire({
          name: 'a',
          'hop-limit': 9,
          'ipv6-address': '2001:db8:b::9',
          'ipv4-pool': ['203.0.113.0/24'],
          'binding-table': {
            binding: [
              { 'ipv4-prefix': '192.0.2.0/28', '@operation': 'remove' },
              binding('192.0.2.1/32', '2001:db8:a::2', { description: 'moved' }),
              binding('203.0.113.7/32', '2001:db8:a::3'),
            ],
          },
        }),
      ),
    );
    const aftrPath = '/gi-4over6:softwire/aftr=a';
    assert.equal(
      editsBetween(datastores, from, from + 1)
        .map(wordsOf)
        .sort(),
      [
        `create ${aftrPath}/binding-table/binding=192.0.2.1%2F32/description`,
        `create ${aftrPath}/binding-table/binding=203.0.113.7%2F32`,
        `create ${aftrPath}/hop-limit`,
        `create ${aftrPath}/ipv4-pool=203.0.113.0%2F24`,
        `delete ${aftrPath}/binding-table/binding=192.0.2.0%2F28`,
        `replace ${aftrPath}/binding-table/binding=192.0.2.1%2F32/gateway-ipv6-address`,
        `replace ${aftrPath}/ipv6-address`,
      ],
    );
    assert.equal(editsBetween(datastores, from, from), []);
  }));

test('what may not be read does not show, not as a part of a value either', () =>
  withDatastores(async (datastores) => {
    const from = datastores.head().version;
    await datastores.edit(OPERATOR, request(aftr(binding('192.0.2.1/32', '2001:db8:a::1', { description: 'secret' }))));
    const all = editsBetween(datastores, from, from + 1);
    const some = editsBetween(datastores, from, from + 1, ['description', 'ipv4-pool']);
    const leaves = (edits: readonly PatchEdit[]) => edits.map(({ value }) => namesBelow(value));
    assert.ok(leaves(all).flat().includes('description') && leaves(all).flat().includes('ipv4-pool'));
    assert.not.ok(leaves(some).flat().includes('description'));
    assert.not.ok(leaves(some).flat().includes('ipv4-pool'));
    assert.equal(editsBetween(datastores, from, from + 1, ['softwire']), []);
    assert.equal(editsBetween(datastores, from, from + 1, ['binding']).length, 1);
  }));

function namesBelow(node: DataNode | undefined): string[] {
  return node ? [node.schema.name, ...[...node.childMap.values()].flatMap(namesBelow)] : [];
}

test.run();
