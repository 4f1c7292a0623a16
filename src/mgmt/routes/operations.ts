/** advertise-routes and promote: from nodes of the model to messages of route sources, and back. */

import { parseIpv4Prefix, parseIpv6 } from '../../address.ts';
import { DataNode } from '../../state/data.ts';
import { ManagementError } from '../../state/errors.ts';
import { prefixOf } from '../../state/learned/reconciliation.ts';
import type { Caller } from '../../state/request.ts';
import { inSlices } from '../../state/row-changes.ts';
import { RowPack } from '../../state/row-pack.ts';
import { formatNumber, prefixNumber } from '../../state/rows.ts';
import { outputOf, withLeaves } from '../actions.ts';
import { missingInput } from '../missing-input.ts';
import type { StoreOperation } from '../store-care.ts';
import type { RouteSources, SourceAnswer, SourceMessage } from './route-sources.ts';
import { refusal } from './session.ts';

/** Makes an edit of running that merges a tree, as the caller. */
export type Merge = (caller: Caller, tree: DataNode) => Promise<unknown>;

/** By schema path, as `storeOperations`. */
export function routeOperations(
  sources: RouteSources,
  root: () => DataNode,
  merge: Merge,
): Readonly<Record<string, StoreOperation>> {
  return {
    '/gi-4over6:advertise-routes': (operation, input, caller) => advertise(sources, operation, input, caller),
    '/gi-4over6:softwire/aftr/route-source/promote': (action, input, caller) =>
      promote(sources, root(), merge, action, input, caller),
  };
}

/** @throws ManagementError access-denied for who is no route source; as RouteSources.take */
async function advertise(
  sources: RouteSources,
  operation: DataNode,
  input: DataNode,
  caller: Caller,
): Promise<DataNode> {
  if (!caller.isRouteSource) {
    const message = `user ${caller.user} is no route source: routes are advertised over RESTCONF by a route-source, with its own password or certificate`;
    throw new ManagementError('access-denied', { type: 'protocol', path: operation.path, message });
  }
  const answer = await sources.take(caller, messageOf(operation, input));
  const output = new DataNode(outputOf(operation));
  const { session, sequence, holdTime } = answer;
  withLeaves(output, { session, sequence: String(sequence), 'hold-time': String(holdTime) });
  addNews(output, answer);
  return output;
}

function addNews(output: DataNode, { accepted, refused }: SourceAnswer): void {
  const [route, list] = [output.schema.child('accepted'), output.schema.child('refused')];
  if (!route || !list) throw new Error('advertise-routes has no routes in its output');
  for (const number of accepted) output.add(new DataNode(route, formatNumber(number)));
  for (const [number, reason] of refused) {
    output.add(withLeaves(new DataNode(list), { 'ipv4-prefix': formatNumber(number), reason }));
  }
}

function messageOf(operation: DataNode, input: DataNode): SourceMessage {
  const gateway = parseIpv6(input.leaf('gateway-ipv6-address') ?? '');
  if (!gateway) throw missingInput(operation, 'gateway-ipv6-address');
  const has = (name: string) => input.child(name) !== undefined;
  if (has('open')) {
    const other = ['session', 'sequence', 'more', 'close', 'route', 'withdrawn', 'content-hash'].find(
      (name) => has(name) || input.entries(name).length > 0,
    );
    if (other !== undefined) throw refusal('malformed', `expected nothing beside open, found ${other}`);
    return { kind: 'open', gateway };
  }
  const session = input.leaf('session');
  const sequence = Number(input.leaf('sequence'));
  if (session === undefined) throw missingInput(operation, 'session');
  if (!Number.isSafeInteger(sequence)) throw missingInput(operation, 'sequence');
  return {
    kind: 'in-session',
    gateway,
    session,
    sequence,
    hasMore: has('more'),
    isClose: has('close'),
    routes: numbersIn(input, 'route'),
    withdrawn: numbersIn(input, 'withdrawn'),
    contentHash: input.leaf('content-hash'),
  };
}

function numbersIn(input: DataNode, name: string): number[] {
  return input.entries(name).map(({ value }) => {
    const prefix = parseIpv4Prefix(value);
    if (!prefix) throw refusal('malformed', `expected an IPv4 prefix as ${name}, found '${value}'`);
    return prefixNumber(prefix.address, prefix.length);
  });
}

/** An edit that writes the bindings: what was learned of the same prefixes goes in its commit. */
async function promote(
  sources: RouteSources,
  root: DataNode,
  merge: Merge,
  action: DataNode,
  input: DataNode,
  caller: Caller,
): Promise<DataNode> {
  const source = action.parent;
  const aftr = source?.parent;
  const name = source?.leaf('name') ?? '';
  const asked = input.leaf('ipv4-prefix');
  const prefix = asked === undefined ? undefined : parseIpv4Prefix(asked);
  const { numbers } = sources.kept(name, 'bound');
  const only = prefix && prefixNumber(prefix.address, prefix.length);
  if (asked !== undefined && (only === undefined || !numbers.sealed(name, only))) {
    const message = `${asked} is no route that was learned from ${name}`;
    throw new ManagementError('data-missing', { path: source?.path, message });
  }
  const gatewayIpv6Address = parseIpv6(gatewayOf(root, aftr?.leaf('name') ?? '', name) ?? '');
  if (!gatewayIpv6Address) {
    throw new ManagementError('data-missing', { path: source?.path, message: `there is no route source ${name}` });
  }
  const leaves = { gatewayIpv6Address, aftrIpv6Address: undefined, description: undefined, origin: 'static' } as const;
  const promoted = new RowPack();
  const promoteOne = (number: number) => promoted.putBinding({ ...prefixOf(number), ...leaves });
  if (only !== undefined) promoteOne(only);
  else await inSlices(numbers.sealedRows(name), ({ number }) => promoteOne(number));
  const tree = new DataNode(root.schema);
  const softwire = tree.add(new DataNode(childOf(tree, 'softwire', 'gi-4over6')));
  const entry = softwire.add(withLeaves(new DataNode(childOf(softwire, 'aftr')), { name: aftr?.leaf('name') }));
  const table = entry.add(new DataNode(childOf(entry, 'binding-table')));
  table.bulk = promoted;
  if (promoted.size > 0) await merge(caller, tree);
  return withLeaves(new DataNode(outputOf(action)), { bindings: String(promoted.size) });
}

function childOf(node: DataNode, name: string, module?: string) {
  const schema = node.schema.child(name, module);
  if (!schema) throw new Error(`${node.path} has no ${name} in the schema`);
  return schema;
}

function gatewayOf(root: DataNode, aftr: string, source: string): string | undefined {
  const aftrs = root.child('softwire', 'gi-4over6')?.entries('aftr') ?? [];
  const sources = aftrs.find((item) => item.leaf('name') === aftr)?.entries('route-source') ?? [];
  return sources.find((item) => item.leaf('name') === source)?.leaf('gateway-ipv6-address');
}
