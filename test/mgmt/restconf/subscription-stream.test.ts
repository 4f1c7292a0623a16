/** The events of one dynamic subscription over RESTCONF whose client does not read: what is kept for it, and for how long. */

import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { SubscriptionStream } from '../../../src/mgmt/restconf/subscription-stream.ts';
import { DynamicSubscription } from '../../../src/mgmt/subscriptions/dynamic-subscription.ts';
import type { Feed, FeedHost } from '../../../src/mgmt/subscriptions/feed.ts';
import { DataNode } from '../../../src/state/data.ts';
import { until } from '../../helpers/http-connections.ts';
import { schema } from '../../helpers/state.ts';

const test = suite('stream of a subscription');
const LIST = schema.find('/ietf-subscribed-notifications:subscriptions/subscription');
const UPDATE = schema.root.child('push-update', 'ietf-yang-push');
const FILTER = LIST?.child('stream-xpath-filter');
/** Characters of a filter, which each message about the subscription repeats. */
const FILTER_CHARACTERS = 30_000;

class Box {
  isClosed = false;
  resumed = 0;
  /** Updates that are out or given up. */
  out = 0;
  readonly subscription: DynamicSubscription;
  readonly stream: SubscriptionStream;
  #host: FeedHost | undefined;

  constructor(unreadMs: number) {
    if (!LIST || !FILTER) throw new Error('the schema has no subscriptions');
    const policy = new DataNode(LIST);
    policy.add(new DataNode(FILTER, 'x'.repeat(FILTER_CHARACTERS)));
    this.subscription = new DynamicSubscription({
      schema,
      id: 5,
      caller: { user: 'root', session: 0, face: 'restconf' },
      policy,
      uri: '/restconf/subscriptions/5',
      makeFeed: (host) => this.#feed(host),
      onEnd: () => {
        this.isClosed = true;
      },
    });
    this.stream = new SubscriptionStream(this.subscription, 'json', { keepAliveMs: 60_000, unreadMs });
    this.stream.on('error', () => undefined);
    this.stream.read(0);
  }

  /** An update with so much in it. */
  update(characters: number): void {
    if (!UPDATE) throw new Error('the schema has no push-update');
    const node = new DataNode(UPDATE);
    const id = UPDATE.child('id');
    if (id) node.add(new DataNode(id, '5'));
    const contents = UPDATE.child('datastore-contents');
    if (contents) node.add(new DataNode(contents, JSON.stringify({ text: 'x'.repeat(characters) })));
    const close = () => {
      this.out++;
    };
    this.#host?.send({ time: new Date(), node, rows: () => [], close });
  }

  modify(): void {
    const terms = { kind: 'stream', filter: undefined, start: undefined, stop: undefined } as const;
    this.subscription.modify(terms, this.subscription.policy);
  }

  #feed(host: FeedHost): Feed {
    this.#host = host;
    const nothing = () => undefined;
    const resume = () => {
      this.resumed++;
    };
    const resync = () => false;
    return { isSuspended: false, begin: nothing, resume, modify: nothing, committed: nothing, resync, close: nothing };
  }
}

const turn = () => new Promise((resolve) => setImmediate(resolve));

test('an update is out when the client takes it, however short it is', async () => {
  const box = new Box(60_000);
  box.update(10_000);
  await turn();
  assert.is(box.out, 1);
  box.update(10_000);
  await turn();
  assert.is(box.out, 1, 'the second does not fit any more');
  box.stream.read();
  await until(() => box.out === 2);
  assert.not(box.stream.destroyed);
  box.stream.destroy();
});

test('who takes no update for the time there is loses the subscription', async () => {
  const box = new Box(20);
  for (let update = 0; update < 3; update++) box.update(10_000);
  await until(() => box.stream.destroyed && box.isClosed);
  assert.is(box.out, 3);
});

for (const isUpdating of [false, true]) {
  test(`what is told of the subscription itself is bounded${isUpdating ? ', behind an update too' : ''}`, async () => {
    const box = new Box(60_000);
    if (isUpdating) box.update(20_000);
    let told = 0;
    for (; told < 200 && !box.stream.destroyed; told++) {
      box.modify();
      await turn();
    }
    assert.ok(box.stream.destroyed && box.isClosed);
    assert.ok(told > 20 && told < 50, `${told}`);
  });
}

test('who leaves that lying is cut off, too, though no event comes', async () => {
  const box = new Box(20);
  box.modify();
  await until(() => box.stream.destroyed && box.isClosed);
});

test('what was told when the subscription ends is still got, and not waited for without end', async () => {
  const [reader, other] = [new Box(60_000), new Box(20)];
  let text = '';
  for (const box of [reader, other]) {
    box.modify();
    box.subscription.terminate('filter-unavailable');
    assert.ok(box.isClosed);
  }
  reader.stream.on('data', (octets) => {
    text += octets;
  });
  await until(() => reader.stream.readableEnded);
  assert.match(text, /subscription-modified[\s\S]*subscription-terminated/);
  await until(() => other.stream.destroyed);
});

test.run();
