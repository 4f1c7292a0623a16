/** The operations of our model on the versions of running: list, get, compare, roll back; and compare of datastores. */

import { DataNode } from '../state/data.ts';
import type { View } from '../state/datastores.ts';
import { ManagementError } from '../state/errors.ts';
import { changesRunning, isOperational, ofRunning } from '../state/learned/tables.ts';
import { totalOf } from '../state/records.ts';
import type { DatastoreName } from '../state/request.ts';
import type { ActionContext, ActionOutput } from './actions.ts';
import { outputOf, withLeaves } from './actions.ts';
import type { Side } from './compare.ts';
import { compareReadings } from './compare.ts';
import { readsBindings, readsForwarding } from './discretion.ts';
import type { PatchStep } from './patch.ts';
import { editNode, patchEdits } from './patch.ts';
import { Pause } from './pause.ts';
import { openReading } from './reading.ts';
import type { AnySelection } from './selection.ts';
import { subtreeSelection } from './selection.ts';
import { parseXml } from './xml.ts';
import { xpathTextSelection } from './xpath/selection.ts';

/** list-versions: the commits on record, newest first. What was learned names route sources and gateways. */
export async function listVersions(
  { datastores, rights, schema }: ActionContext,
  operation: DataNode,
  input: DataNode,
): Promise<ActionOutput> {
  const output = new DataNode(outputOf(operation));
  const countsRows = readsBindings(rights, schema);
  const readsLearned = readsForwarding(rights, schema);
  const list = output.schema.child('version');
  if (!list) throw new Error(`${operation.schema.path} has no list in the schema`);
  const maximum = Number(input.leaf('maximum') ?? input.schema.child('maximum')?.defaults[0]);
  return withView(datastores.view('running'), ({ history }) => {
    for (const summary of history.summaries(Number(input.leaf('before') ?? Number.POSITIVE_INFINITY))) {
      if (output.size === maximum) break;
      const { version, time, caller, comment, treeChanged, tallies } = summary;
      const tally = totalOf(tallies);
      const isNamed = readsLearned || changesRunning(treeChanged, tallies);
      const isCounted = readsLearned || (countsRows && ![...tallies.keys()].some(isOperational));
      const entry = withLeaves(new DataNode(list), {
        number: `${version}`,
        time,
        user: isNamed ? caller.user : undefined,
        'session-id': caller.session === 0 ? undefined : `${caller.session}`,
        face: caller.face,
        comment: isNamed ? comment : undefined,
        ...(rights.readsAll && { 'other-configuration': `${treeChanged}` }),
        ...(isCounted && { added: `${tally.added}`, changed: `${tally.changed}`, removed: `${tally.removed}` }),
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
    const { readsAll, mayRead, readsNone } = context;
    const rights = { readsAll, mayRead, readsNone };
    const reading = openReading(view.tree, view, { content: 'config', withDefaults: 'explicit', ...rights });
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
    const rows = () => ofRunning(now.changes(from, to));
    const edits = patchEdits({ from: before, to: after, rows, mayRead: context.mayRead });
    return await differences(operation, edits, close);
  } catch (error) {
    close();
    throw error;
  }
}

/**
 * compare of ietf-nmda-compare (RFC 9144). Two conventional datastores as wholes are compared by what is known to differ.
 * @throws ManagementError invalid-value for another datastore; operation-not-supported for what RESTCONF cannot say
 */
export async function compareDatastores(
  context: ActionContext,
  operation: DataNode,
  input: DataNode,
): Promise<ActionOutput> {
  const [source, target] = [datastoreIn(context, input, 'source'), datastoreIn(context, input, 'target')];
  const selection = context.selection ?? filterIn(context, input);
  const [all, reportOrigin] = ['all', 'report-origin'].map((name) => input.child(name) !== undefined);
  if (reportOrigin && context.caller.face === 'restconf') throw notOverRestconf('report-origin');
  if (source === target) return differences(operation, none(), () => undefined);
  if (!selection && ![source, target].includes('operational')) {
    const [from, to] = [conventional(source), conventional(target)];
    const { comparison, close } = await context.datastores.compare(from, to);
    return differences(operation, patchEdits({ ...comparison, mayRead: context.mayRead }), close);
  }
  const sides = { source: await sideOf(context, source), target: await sideOf(context, target) };
  const { mayRead } = context;
  const request = { ...sides, selection, all: all === true, reportOrigin: reportOrigin === true, mayRead };
  const { steps, close } = await compareReadings(request, context.read);
  return differences(operation, steps, close);
}

type Comparable = DatastoreName | 'intended' | 'operational';

/** What holds the configuration of a datastore: intended and operational are running, what is in force by default apart. */
function conventional(datastore: Comparable): DatastoreName {
  return datastore === 'intended' || datastore === 'operational' ? 'running' : datastore;
}

function sideOf({ datastores }: ActionContext, name: Comparable): Promise<Side> {
  const datastore = conventional(name);
  const isOperational = name === 'operational';
  return withView(datastores.view(datastore), ({ tree }) => ({ isOperational, datastore, actual: tree }));
}

/** A filter that came with data of the input alone, as over RESTCONF: prefixes are names of modules. */
function filterIn({ schema, check }: ActionContext, input: DataNode): AnySelection | undefined {
  const [subtree, xpath] = [input.child('subtree-filter'), input.leaf('xpath-filter')];
  const element = { name: 'xpath-filter', namespace: '', prefix: '', attributes: [], prefixes: {}, children: [] };
  if (xpath !== undefined) return xpathTextSelection(schema, check, { ...element, text: xpath });
  if (!subtree) return undefined;
  if (subtree.size > 0 || /^\s*[^<\s]/.test(subtree.value)) throw notOverRestconf('subtree-filter');
  return subtreeSelection(schema, check, parseXml(`<filter>${subtree.value}</filter>`));
}

function notOverRestconf(name: string): ManagementError {
  const message = `${name} of compare is taken in XML over NETCONF alone`;
  return new ManagementError('operation-not-supported', { message, info: { 'bad-element': name } });
}

function datastoreIn({ schema }: ActionContext, input: DataNode, name: 'source' | 'target'): Comparable {
  const value = input.leaf(name) ?? '';
  const datastore = value.replace(/^ietf-datastores:/, '');
  const hasStartup = schema.module('ietf-netconf')?.features.includes('startup');
  if (datastore === 'startup' && hasStartup) return datastore;
  if (datastore === 'running' || datastore === 'candidate') return datastore;
  if (datastore === 'intended' || datastore === 'operational') return datastore;
  const message = `${name} '${value}': there is no such datastore here`;
  throw new ManagementError('invalid-value', { message, info: { 'bad-element': name } });
}

function* none(): Generator<PatchStep> {}

/** The answer of RFC 9144 §4.2: `no-matches` or a patch, made while it is sent. When it fails, it has closed. */
async function differences(operation: DataNode, steps: Generator<PatchStep>, close: () => void): Promise<ActionOutput> {
  try {
    let first = steps.next();
    for (; first.value instanceof Promise; first = steps.next()) await first.value;
    return patchOutput(operation, first, steps, close);
  } catch (error) {
    close();
    throw error;
  }
}

function patchOutput(
  operation: DataNode,
  first: IteratorResult<PatchStep>,
  steps: Generator<PatchStep>,
  close: () => void,
): ActionOutput {
  const output = new DataNode(outputOf(operation));
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
    for (let next = begun; !next.done; next = steps.next()) {
      if (!list) continue;
      yield next.value instanceof Promise ? new Pause(list, next.value) : editNode(list, number++, next.value);
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
