/** The operations and actions of our model, by their schema path. */

import { formatIpv4Prefix, formatIpv6, parseIpv4 } from '../address.ts';
import { DataNode } from '../state/data.ts';
import type { Datastores } from '../state/datastores.ts';
import { ManagementError } from '../state/errors.ts';
import type { History } from '../state/history.ts';
import { longestMatchAt } from '../state/history.ts';
import type { Authorize, Caller } from '../state/request.ts';
import { compareDatastores, compareVersions, getVersion, listVersions, rollBack, withView } from './versions.ts';

/** Who asks, and of what. */
export interface ActionContext {
  readonly caller: Caller;
  readonly datastores: Datastores;
  readonly readsAll: boolean;
  readonly mayRead: (node: DataNode) => boolean;
  readonly authorize: Authorize | undefined;
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

/** aftr/lookup: the longest bound prefix that holds an address, now or at a moment; an empty answer when there is none. */
async function lookup({ datastores }: ActionContext, action: DataNode, input: DataNode): Promise<ActionOutput> {
  const output = new DataNode(outputOf(action));
  const text = input.leaf('ipv4-address');
  const address = text === undefined ? undefined : parseIpv4(text);
  if (address === undefined) {
    throw new ManagementError('missing-element', {
      path: action.path,
      message: 'lookup needs an ipv4-address',
      info: { 'bad-element': 'ipv4-address' },
    });
  }
  const instance = action.parent?.leaf('name') ?? '';
  const found = await withView(datastores.view('running'), (view) => {
    const version = versionAsked(view.history, input.leaf('time'));
    return longestMatchAt(view.history, version, instance, address);
  });
  if (!found) return { output };
  const { binding, since, until } = found;
  const { gatewayIpv6Address, aftrIpv6Address, description, origin } = binding;
  withLeaves(output, {
    'ipv4-prefix': formatIpv4Prefix(binding.address, binding.length),
    'gateway-ipv6-address': formatIpv6(gatewayIpv6Address),
    'aftr-ipv6-address': aftrIpv6Address && formatIpv6(aftrIpv6Address),
    description,
    origin,
    since: since?.toISOString(),
    until: until?.toISOString(),
  });
  return { output };
}

/** How far the clock of who asks may be ahead. */
const CLOCK_TOLERANCE_MS = 60_000;

/**
 * The version of a moment; the newest one without. @throws ManagementError invalid-value when it is not on record, or is to come
 */
function versionAsked(history: History, time: string | undefined): number {
  if (time === undefined) return history.newest;
  const moment = new Date(time);
  if (moment.getTime() > Date.now() + CLOCK_TOLERANCE_MS) {
    const message = `time ${time} is to come: it is ${new Date().toISOString()} here`;
    throw new ManagementError('invalid-value', { message, appTag: 'not-on-record', info: { 'bad-element': 'time' } });
  }
  const version = history.versionAt(moment);
  if (version !== undefined) return version;
  const oldest = history.timeOf(history.oldest).toISOString();
  const message = `time ${time} is not on record: what was since ${oldest} is`;
  throw new ManagementError('invalid-value', { message, appTag: 'not-on-record', info: { 'bad-element': 'time' } });
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
