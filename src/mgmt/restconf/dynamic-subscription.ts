/**
 * Dynamic subscriptions over RESTCONF (RFC 8650): the operations, and the resource from which the notifications of one are got. A
 * subscription is its user's; it ends when nobody gets its notifications in time, and with the connection that got them.
 */

import { DataNode } from '../../state/data.ts';
import { ManagementError } from '../../state/errors.ts';
import type { Caller } from '../../state/request.ts';
import type { SchemaNode } from '../../state/schema.ts';
import type { DynamicSubscription } from '../subscriptions/dynamic-subscription.ts';
import { LIMITS as SUBSCRIPTION_LIMITS } from '../subscriptions/limits.ts';
import { PUSH, SUBSCRIBED } from '../subscriptions/refusal.ts';
import type { RestconfOperations } from './backend.ts';
import { STREAM_HEADERS } from './event-stream.ts';
import { notFound } from './fault.ts';
import { LIMITS } from './limits.ts';
import type { Reply } from './reply.ts';
import { dataReply, writeNodes } from './reply.ts';
import type { RestconfRequest } from './request.ts';
import { SubscriptionStream } from './subscription-stream.ts';

type Handler = (operations: RestconfOperations, caller: Caller, input: DataNode, request: RestconfRequest) => Reply;

const DONE: Reply = { status: 204, headers: {} };

const HANDLERS: Readonly<Record<string, Handler>> = {
  [`${SUBSCRIBED}:establish-subscription`]: establish,
  [`${SUBSCRIBED}:modify-subscription`]: ({ subscriptions }, caller, input) => {
    subscriptions.modify(caller, input)();
    return DONE;
  },
  [`${SUBSCRIBED}:delete-subscription`]: ({ subscriptions }, caller, input) => {
    subscriptions.delete(caller, input);
    return DONE;
  },
  [`${SUBSCRIBED}:kill-subscription`]: ({ subscriptions }, _caller, input) => {
    subscriptions.kill(input);
    return DONE;
  },
  [`${PUSH}:resync-subscription`]: ({ subscriptions }, caller, input) => {
    subscriptions.resync(caller, input)();
    return DONE;
  },
};

/** The operation of a subscription; undefined for another one. */
export function subscriptionOperation({ module, name, kind }: SchemaNode): Handler | undefined {
  return kind === 'rpc' ? HANDLERS[`${module}:${name}`] : undefined;
}

function establish(
  operations: RestconfOperations,
  caller: Caller,
  input: DataNode,
  { bodyEncoding, replyEncoding, origin }: RestconfRequest,
): Reply {
  const [own, other] = bodyEncoding === 'xml' ? (['xml', 'json'] as const) : (['json', 'xml'] as const);
  const wanted = { encodings: [`encode-${own}`, `encode-${other}`] as const, unreadMs: LIMITS.unreadMs };
  const { subscription, revision } = operations.subscriptions.establish(caller, input, wanted);
  endUnlessGot(subscription);
  const schema = operations.schema.root.child('establish-subscription', SUBSCRIBED)?.child('output');
  if (!schema) throw new Error('establish-subscription has no output');
  const output = new DataNode(schema);
  const leaves = {
    id: `${subscription.id}`,
    'replay-start-time-revision': revision?.toISOString(),
    uri: `${origin}${subscription.uri ?? ''}`,
  };
  for (const [name, value] of Object.entries(leaves)) {
    const leaf = schema.child(name);
    if (leaf && value !== undefined) output.add(new DataNode(leaf, value));
  }
  return dataReply(replyEncoding, writeNodes(replyEncoding, [output]));
}

/** Ends a subscription whose notifications nobody gets in time. */
export function endUnlessGot(
  subscription: Pick<DynamicSubscription, 'isAttached' | 'close'>,
  waitMs: number = SUBSCRIPTION_LIMITS.waitMs,
): void {
  const end = () => {
    if (!subscription.isAttached) subscription.close();
  };
  setTimeout(end, waitMs).unref();
}

/**
 * The notifications of a subscription, for whoever established it, once.
 * @throws RestconfFault 404 when there is none, or it is another user's; ManagementError in-use when they are being got already
 */
export function openSubscription(operations: RestconfOperations, caller: Caller, request: RestconfRequest): Reply {
  const { resource, method } = request;
  const id = resource.kind === 'subscription' ? resource.id : 0;
  const subscription = operations.subscriptions.ofCaller(caller, id);
  if (!subscription) throw notFound(`there is no subscription ${id} of ${caller.user}: it may be over`);
  if (method === 'HEAD') return { status: 200, headers: STREAM_HEADERS };
  if (subscription.isAttached) {
    const message = `the notifications of subscription ${id} are being got on another connection`;
    throw new ManagementError('in-use', { type: 'protocol', message });
  }
  const encoding = subscription.policy.leaf('encoding') === `${SUBSCRIBED}:encode-xml` ? 'xml' : 'json';
  return { status: 200, headers: STREAM_HEADERS, stream: new SubscriptionStream(subscription, encoding) };
}
