/** The actions of our model, by their schema path. */

import { formatIpv4Prefix, formatIpv6, parseIpv4 } from '../address.ts';
import { DataNode } from '../state/data.ts';
import type { View } from '../state/datastores.ts';
import { ManagementError } from '../state/errors.ts';

/**
 * Runs an action on a view: `action` names the instance through its parents, `input` holds the input leaves. Returns a
 * node of the action's output.
 * @throws ManagementError operation-not-supported for an action nobody wrote, data-missing for an absent instance
 */
export function runAction(view: View, action: DataNode, input: DataNode): DataNode {
  requireInstance(view.tree, action);
  if (action.schema.path === '/gi-4over6:softwire/aftr/lookup') return lookup(view, action, input);
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
  const leaves: Readonly<Record<string, string | undefined>> = {
    'ipv4-prefix': formatIpv4Prefix(binding.address, binding.length),
    'gateway-ipv6-address': formatIpv6(gatewayIpv6Address),
    'aftr-ipv6-address': aftrIpv6Address && formatIpv6(aftrIpv6Address),
    description,
    origin,
  };
  for (const [name, value] of Object.entries(leaves)) {
    const schema = output.schema.child(name);
    if (schema && value !== undefined) output.add(new DataNode(schema, value));
  }
  return output;
}

function outputOf(action: DataNode) {
  const output = action.schema.child('output');
  if (!output) throw new Error(`${action.schema.path} has no output in the schema`);
  return output;
}
