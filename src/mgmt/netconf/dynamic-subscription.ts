/** The operations of RFC 8639 and RFC 8641 over NETCONF (RFC 8640): a subscription belongs to the session it was established on. */

import { DataNode } from '../../state/data.ts';
import type { ExpressionText } from '../subscriptions/filters.ts';
import { PUSH, SUBSCRIBED } from '../subscriptions/refusal.ts';
import type { XmlElement } from '../xml.ts';
import { dataFromXml } from '../xml-data.ts';
import { withModuleNames } from '../xpath/module-names.ts';
import type { Handler, RpcContext, RpcResult } from './rpcs.ts';

const OK: RpcResult = { kind: 'ok' };
const EXPRESSIONS: readonly string[] = ['stream-xpath-filter', 'datastore-xpath-filter'];

/** By module and name. */
export const SUBSCRIPTION_HANDLERS: Readonly<Record<string, Handler>> = {
  [`${SUBSCRIBED}:establish-subscription`]: async (context, operation) => {
    const { input, expression } = inputOf(context, operation, SUBSCRIBED);
    const { subscription, revision } = context.notifications.establish(context.caller, input, expression);
    const output = new DataNode(partOf(context, SUBSCRIBED, operation.name, 'output'));
    const put = (name: string, value: string) => {
      const leaf = output.schema.child(name);
      if (!leaf) throw new Error(`the output of ${operation.name} has no ${name}`);
      output.add(new DataNode(leaf, value));
    };
    put('id', `${subscription.id}`);
    if (revision) put('replay-start-time-revision', revision.toISOString());
    return { kind: 'output', output: { output } };
  },
  [`${SUBSCRIBED}:modify-subscription`]: async (context, operation) => {
    const { operations, caller, notifications } = context;
    const { input, expression } = inputOf(context, operation, SUBSCRIBED);
    notifications.afterReply(operations.subscriptions.modify(caller, input, expression));
    return OK;
  },
  [`${SUBSCRIBED}:delete-subscription`]: async (context, operation) => {
    context.operations.subscriptions.delete(context.caller, inputOf(context, operation, SUBSCRIBED).input);
    return OK;
  },
  [`${SUBSCRIBED}:kill-subscription`]: async (context, operation) => {
    context.operations.subscriptions.kill(inputOf(context, operation, SUBSCRIBED).input);
    return OK;
  },
  [`${PUSH}:resync-subscription`]: async (context, operation) => {
    const { operations, caller, notifications } = context;
    notifications.afterReply(operations.subscriptions.resync(caller, inputOf(context, operation, PUSH).input));
    return OK;
  },
};

/** The input as data. An expression is taken as it came: what is wrong with it is for the subscription to say. */
function inputOf(
  context: RpcContext,
  operation: XmlElement,
  module: string,
): { readonly input: DataNode; readonly expression: ExpressionText | undefined } {
  const { schema, check } = context.operations;
  const parent = partOf(context, module, operation.name, 'input');
  const element = operation.children.find(({ name }) => EXPRESSIONS.includes(name));
  const children = operation.children.filter((child) => child !== element);
  const input = dataFromXml(schema, check, children, { edit: false, state: true, parent });
  const leaf = element && parent.child(element.name);
  if (!leaf) return { input, expression: undefined };
  const { text, prefixes } = element;
  input.add(new DataNode(leaf, withModuleNames(text.trim(), prefixes, schema.root.namespaces)));
  return { input, expression: { text: text.trim(), prefixes } };
}

function partOf(
  { operations }: RpcContext,
  module: string,
  name: string,
  part: 'input' | 'output',
): DataNode['schema'] {
  const schema = operations.schema.root.child(name, module)?.child(part);
  if (!schema) throw new Error(`the schema of ${name} has no ${part}`);
  return schema;
}
