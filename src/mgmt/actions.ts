/** The operations and actions of our model, by their schema path. */

import { formatIpv4Prefix, formatIpv6, parseIpv4 } from '../address.ts';
import { DataNode } from '../state/data.ts';
import type { View } from '../state/datastores.ts';
import { ManagementError } from '../state/errors.ts';
import { totalOf } from '../state/records.ts';

const HANDLERS: Readonly<Record<string, (view: View, action: DataNode, input: DataNode) => DataNode>> = {
  '/gi-4over6:list-versions': listVersions,
  '/gi-4over6:softwire/aftr/lookup': lookup,
};

/**
 * Runs an operation or action on a view: `action` names the instance through its parents, `input` holds the input leaves. Returns a
 * node of the action's output.
 * @throws ManagementError operation-not-supported for an action nobody wrote, data-missing for an absent instance
 */
export function runAction(view: View, action: DataNode, input: DataNode): DataNode {
  requireInstance(view.tree, action);
  const handler = HANDLERS[action.schema.path];
  if (handler) return handler(view, action, input);
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

/** aftr/lookup: the longest bound prefix that holds an address; an empty answer when there is none. */
function lookup(view: View, action: DataNode, input: DataNode): DataNode {
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
  const binding = view.longestMatch(action.parent?.leaf('name') ?? '', address);
  if (!binding) return output;
  const { gatewayIpv6Address, aftrIpv6Address, description, origin } = binding;
  return withLeaves(output, {
    'ipv4-prefix': formatIpv4Prefix(binding.address, binding.length),
    'gateway-ipv6-address': formatIpv6(gatewayIpv6Address),
    'aftr-ipv6-address': aftrIpv6Address && formatIpv6(aftrIpv6Address),
    description,
    origin,
  });
}

/** list-versions: the commits on record, newest first. */
function listVersions(view: View, action: DataNode, input: DataNode): DataNode {
  const output = new DataNode(outputOf(action));
  const list = output.schema.child('version');
  if (!list) throw new Error(`${action.schema.path} has no list in the schema`);
  const maximum = Number(input.leaf('maximum') ?? input.schema.child('maximum')?.defaults[0]);
  const before = input.leaf('before');
  const summaries = view.history.summaries(Number(before ?? Number.POSITIVE_INFINITY));
  for (const { version, time, caller, comment, treeChanged, tallies } of summaries) {
    if (output.size === maximum) break;
    const tally = totalOf(tallies);
    const entry = new DataNode(list);
    withLeaves(entry, {
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
  return output;
}

function withLeaves(node: DataNode, leaves: Readonly<Record<string, string | undefined>>): DataNode {
  for (const [name, value] of Object.entries(leaves)) {
    const schema = node.schema.child(name);
    if (schema && value !== undefined) node.add(new DataNode(schema, value));
  }
  return node;
}

function outputOf(action: DataNode) {
  const output = action.schema.child('output');
  if (!output) throw new Error(`${action.schema.path} has no output in the schema`);
  return output;
}
