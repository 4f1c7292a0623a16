/** The operations and actions of our model, by their schema path. */

import { DataNode } from '../state/data.ts';
import type { Datastores } from '../state/datastores.ts';
import { ManagementError } from '../state/errors.ts';
import type { Authorize, Caller, ValueCheck } from '../state/request.ts';
import type { Schema } from '../state/schema.ts';
import type { Rights } from './access.ts';
import { lookUpAddress, lookup } from './lookup.ts';
import type { ReadRequest } from './operations.ts';
import type { ReadOptions } from './read-options.ts';
import type { Reading } from './reading.ts';
import type { AnySelection } from './selection.ts';
import { compareDatastores, compareVersions, getVersion, listVersions, rollBack, withView } from './versions.ts';

/** Who asks, and of what. */
export interface ActionContext {
  readonly caller: Caller;
  readonly datastores: Datastores;
  readonly readsAll: boolean;
  readonly mayRead: (node: DataNode) => boolean;
  readonly readsNone: ReadOptions['readsNone'];
  readonly rights: Rights;
  readonly authorize: Authorize | undefined;
  readonly read: (request: ReadRequest) => Promise<Reading>;
  /** The filter of the input, where the face has read it. */
  readonly selection: AnySelection | undefined;
  readonly schema: Schema;
  readonly check: ValueCheck;
}

export interface ActionOutput {
  /** A node of the output; without children when there is nothing to say. */
  readonly output: DataNode;
  /** Entries that stand below a node of it, made while they are sent; can be walked once. */
  readonly rows?: (parent: DataNode) => Iterable<DataNode>;
  /** To be called once when all is sent or given up. */
  readonly close?: () => void;
}

type Handler = (context: ActionContext, action: DataNode, input: DataNode) => Promise<ActionOutput>;

const HANDLERS: Readonly<Record<string, Handler>> = {
  '/gi-4over6:list-versions': listVersions,
  '/gi-4over6:get-version': getVersion,
  '/gi-4over6:compare-versions': compareVersions,
  '/gi-4over6:roll-back': rollBack,
  '/ietf-nmda-compare:compare': compareDatastores,
  '/gi-4over6:softwire/aftr/lookup': lookup,
  '/gi-4over6:lookup-address': lookUpAddress,
};

/**
 * Runs an operation or action: `action` names the instance through its parents, `input` holds the input leaves.
 * @throws ManagementError operation-not-supported for an action nobody wrote, data-missing for an absent instance
 */
export async function runAction(context: ActionContext, action: DataNode, input: DataNode): Promise<ActionOutput> {
  if (action.schema.kind === 'action') {
    await withView(context.datastores.view('running'), ({ tree }) => requireInstance(tree, action));
  }
  const handler = HANDLERS[action.schema.path];
  if (handler) return handler(context, action, input);
  throw new ManagementError('operation-not-supported', {
    path: action.path,
    message: `${action.path} cannot be executed`,
  });
}

/** RFC 7950 §7.15: the action's parents must exist. */
function requireInstance(tree: DataNode, action: DataNode): void {
  const chain: DataNode[] = [];
  for (let node = action.parent; node && !node.schema.isRoot; node = node.parent) chain.unshift(node);
  let at: DataNode | undefined = tree;
  for (const node of chain) at = at?.get(node.id);
  if (at) return;
  const path = action.parent?.path ?? '';
  throw new ManagementError('data-missing', { path, message: `${path} does not exist` });
}

export function withLeaves(node: DataNode, leaves: Readonly<Record<string, string | undefined>>): DataNode {
  for (const [name, value] of Object.entries(leaves)) {
    const schema = node.schema.child(name);
    if (schema && value !== undefined) node.add(new DataNode(schema, value));
  }
  return node;
}

export function outputOf(action: DataNode) {
  const output = action.schema.child('output');
  if (!output) throw new Error(`${action.schema.path} has no output in the schema`);
  return output;
}
