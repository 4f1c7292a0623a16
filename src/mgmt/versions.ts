/** The operations of our model on the versions of running: list, get, compare, roll back; and compare of datastores. */

import { DataNode } from '../state/data.ts';
import type { View } from '../state/datastores.ts';
import { ManagementError } from '../state/errors.ts';
import { totalOf } from '../state/records.ts';
import type { DatastoreName } from '../state/request.ts';
import type { ActionContext, ActionOutput } from './actions.ts';
import { outputOf, withLeaves } from './actions.ts';
import type { Comparison } from './patch.ts';
import { editNode, patchEdits } from './patch.ts';
import { openReading } from './reading.ts';

/** list-versions: the commits on record, newest first. */
export async function listVersions(
  { datastores }: ActionContext,
  operation: DataNode,
  input: DataNode,
): Promise<ActionOutput> {
  const output = new DataNode(outputOf(operation));
  const list = output.schema.child('version');
  if (!list) throw new Error(`${operation.schema.path} has no list in the schema`);
  const maximum = Number(input.leaf('maximum') ?? input.schema.child('maximum')?.defaults[0]);
  return withView(datastores.view('running'), ({ history }) => {
    for (const summary of history.summaries(Number(input.leaf('before') ?? Number.POSITIVE_INFINITY))) {
      if (output.size === maximum) break;
      const { version, time, caller, comment, treeChanged, tallies } = summary;
      const tally = totalOf(tallies);
      const entry = withLeaves(new DataNode(list), {
        number: `${version}`,
        time,
        user: caller.user,
        'session-id': caller.session === 0 ? undefined : `${caller.session}`,
        face: caller.face,
        comment,
        'other-configuration': `${treeChanged}`,
        added: `${tally.added}`,
        changed: `${tally.changed}`,
        removed: `${tally.removed}`,
      });
      output.add(entry);
    }
    return { output };
  });
}

/** get-version: the whole configuration, streamed. */
export async function getVersion(context: ActionContext, operation: DataNode, input: DataNode): Promise<ActionOutput> {
  const view = context.datastores.viewVersion(versionIn(input, 'version'));
  try {
    await view.gather(view.version, view.history.newest);
    const { readsAll, mayRead } = context;
    const reading = openReading(view.tree, view, { content: 'config', withDefaults: 'explicit', readsAll, mayRead });
    const output = new DataNode(outputOf(operation));
    const schema = output.schema.child('data');
    const data = schema && output.add(new DataNode(schema));
    for (const child of reading.root.children()) data?.add(child);
    return { output, rows: reading.rows, close: reading.close };
  } catch (error) {
    view.close();
    throw error;
  }
}

/** compare-versions: from one version on record to another, or to the newest. */
export async function compareVersions(
  context: ActionContext,
  operation: DataNode,
  input: DataNode,
): Promise<ActionOutput> {
  const { datastores } = context;
  const from = versionIn(input, 'from');
  const views: View[] = [datastores.view('running')];
  const close = () => {
    for (const view of views) view.close();
  };
  try {
    const [now] = views;
    const to = Number(input.leaf('to') ?? now?.version);
    for (const version of [from, to]) views.push(datastores.viewVersion(version));
    const [before, after] = [views[1]?.tree, views[2]?.tree];
    if (!now || !before || !after) throw new Error('a view of each version was opened');
    await now.gather(from, to);
    const rows = () => now.changes(from, to);
    return differences(operation, { from: before, to: after, rows, mayRead: context.mayRead }, close);
  } catch (error) {
    close();
    throw error;
  }
}

/**
 * compare of ietf-nmda-compare (RFC 9144): running, candidate and startup, without filter.
 * @throws ManagementError operation-not-supported for a filter, invalid-value for another datastore
 */
export async function compareDatastores(
  context: ActionContext,
  operation: DataNode,
  input: DataNode,
): Promise<ActionOutput> {
  if (input.child('subtree-filter') || input.child('xpath-filter')) {
    throw new ManagementError('operation-not-supported', { message: 'compare takes no filter here' });
  }
  const [source, target] = [datastoreIn(input, 'source'), datastoreIn(input, 'target')];
  const { comparison, close } = await context.datastores.compare(source, target);
  try {
    return differences(operation, { ...comparison, mayRead: context.mayRead }, close);
  } catch (error) {
    close();
    throw error;
  }
}

function datastoreIn(input: DataNode, name: 'source' | 'target'): DatastoreName {
  const value = input.leaf(name) ?? '';
  const datastore = value.slice(value.indexOf(':') + 1);
  if (datastore === 'running' || datastore === 'candidate' || datastore === 'startup') return datastore;
  const message = `${name} '${value}': expected running, candidate or startup`;
  throw new ManagementError('invalid-value', { message, info: { 'bad-element': name } });
}

/** The answer of RFC 9144 §4.2: `no-matches` or a patch, made while it is sent. */
function differences(operation: DataNode, comparison: Comparison, close: () => void): ActionOutput {
  const output = new DataNode(outputOf(operation));
  const edits = patchEdits(comparison);
  const first = edits.next();
  const { schema } = output;
  const [none, some] = [schema.child('no-matches'), schema.child('differences')];
  const patch = some?.child('yang-patch', 'ietf-yang-patch') ?? some?.child('yang-patch');
  const list = patch?.child('edit');
  if (!none || !some || !patch || !list) throw new Error(`${operation.schema.path} has no answer in the schema`);
  if (first.done) {
    close();
    output.add(new DataNode(none, '', 'empty'));
    return { output };
  }
  const holder = withLeaves(output.add(new DataNode(some)).add(new DataNode(patch)), { 'patch-id': 'difference' });
  function* nodes(begun = first): Generator<DataNode> {
    let number = 1;
    for (let next = begun; !next.done; next = edits.next()) {
      if (list) yield editNode(list, number++, next.value);
    }
  }
  return { output, rows: (parent) => (parent === holder ? nodes() : []), close };
}

/** roll-back: the candidate, or running at once, becomes what running was. */
export async function rollBack(
  { caller, datastores, authorize }: ActionContext,
  operation: DataNode,
  input: DataNode,
): Promise<ActionOutput> {
  const target = input.leaf('target') === 'running' ? 'running' : 'candidate';
  await datastores.rollBack(caller, versionIn(input, 'version'), target, authorize, input.leaf('comment'));
  return { output: new DataNode(outputOf(operation)) };
}

/** @throws ManagementError missing-element, which no face but NETCONF has looked for */
function versionIn(input: DataNode, name: string): number {
  const value = input.leaf(name);
  if (value !== undefined) return Number(value);
  const message = `expected the leaf ${name}, a version on record`;
  throw new ManagementError('missing-element', { path: input.path, message, info: { 'bad-element': name } });
}

export async function withView<Result>(view: View, work: (view: View) => Result): Promise<Result> {
  try {
    return work(view);
  } finally {
    view.close();
  }
}
