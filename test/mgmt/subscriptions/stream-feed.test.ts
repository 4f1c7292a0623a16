/** What becomes of a subscription whose receiver leaves event records lying until they are gone (RFC 8639 §2.7.4, §2.7.5). */

import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { AccessControl } from '../../../src/mgmt/access.ts';
import { EventLog } from '../../../src/mgmt/events/event-log.ts';
import type { Notification } from '../../../src/mgmt/events/notification.ts';
import { EventStreams } from '../../../src/mgmt/events/streams.ts';
import type { Ending } from '../../../src/mgmt/subscriptions/dynamic-subscription.ts';
import { DynamicSubscription } from '../../../src/mgmt/subscriptions/dynamic-subscription.ts';
import { StreamFeed } from '../../../src/mgmt/subscriptions/stream-feed.ts';
import type { StreamTerms } from '../../../src/mgmt/subscriptions/terms.ts';
import { DataNode } from '../../../src/state/data.ts';
import type { Caller } from '../../../src/state/request.ts';
import { schema } from '../../helpers/state.ts';

const test = suite('stream feed');
const caller: Caller = { user: 'root', session: 1, face: 'local' };

interface Receiver {
  readonly log: EventLog;
  readonly subscription: DynamicSubscription;
  readonly told: string[];
  readonly endings: Ending[];
  hasRoom: boolean;
  state(): string | undefined;
}

/** A subscription on a log of eight events, whose receiver has room when the test says so. */
function receiver(terms: Partial<StreamTerms> = {}, unreadMs = 60_000): Receiver {
  const log = EventLog.inMemory({ events: 8, octets: 1_000_000 });
  const streams = new EventStreams(log, schema, new AccessControl(() => new DataNode(schema.root)));
  const list = schema.find('/ietf-subscribed-notifications:subscriptions/subscription');
  if (!list) throw new Error('the schema has no subscriptions');
  const whole: StreamTerms = { kind: 'stream', filter: undefined, start: undefined, stop: undefined, ...terms };
  const subscription = new DynamicSubscription({
    schema,
    id: 5,
    caller,
    policy: new DataNode(list),
    uri: undefined,
    makeFeed: (host) => new StreamFeed({ streams, caller, terms: whole, unreadMs, host }),
    onEnd: () => undefined,
  });
  const found: Receiver = {
    log,
    subscription,
    told: [],
    endings: [],
    hasRoom: true,
    state: () => subscription.state(list).child('receivers')?.entries('receiver')[0]?.leaf('state'),
  };
  const send = ({ node }: Notification) => {
    found.told.push(node.leaf('user') ?? `${node.schema.name} ${node.leaf('reason') ?? ''}`.trim());
    return found.hasRoom;
  };
  subscription.begin({ send, end: (ending) => found.endings.push(ending) });
  return found;
}

const add = (log: EventLog, ...users: readonly string[]) => {
  for (const user of users) log.add({ 'gi-4over6:binding-table-changed': { aftr: 'a', version: '1', user } });
};
/** What was begun is done: of a process that did not run for a while the timer may come first. */
async function turn(): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, 5));
  for (let left = 5; left > 0; left--) await new Promise((resolve) => setImmediate(resolve));
}

test('a receiver whose events went from the log is suspended, told so when he has room, and goes on', async () => {
  const found = receiver();
  found.hasRoom = false;
  add(found.log, 'a');
  await turn();
  add(found.log, ...Array.from({ length: 20 }, (_, n) => `${n}`));
  await turn();
  assert.equal(found.told, ['a']);
  assert.is(found.state(), 'suspended');
  found.hasRoom = true;
  found.subscription.resume();
  await turn();
  assert.equal(found.told.slice(1, 3), [
    'subscription-suspended ietf-subscribed-notifications:unsupportable-volume',
    'subscription-resumed',
  ]);
  const rest = found.told.slice(3);
  assert.ok(rest.length >= 1 && rest.length < 20);
  assert.is(rest.at(-1), '19');
  assert.is(found.state(), 'active');
  assert.equal(found.endings, []);
});

test('one who takes nothing for too long is given up', async () => {
  const found = receiver({}, 30);
  found.hasRoom = false;
  add(found.log, 'a', 'b');
  for (let tries = 0; found.endings.length === 0 && tries < 5_000; tries++) await turn();
  assert.equal(found.told, ['a']);
  assert.equal(found.endings, ['slow']);
});

test('another stop-time holds at once', async () => {
  const found = receiver();
  const list = found.subscription.policy;
  const terms: StreamTerms = { kind: 'stream', filter: undefined, start: undefined, stop: new Date(Date.now() - 1) };
  found.subscription.modify(terms, list);
  await turn();
  assert.equal(found.told, ['subscription-modified']);
  assert.equal(found.endings, ['complete']);
});

test.run();
