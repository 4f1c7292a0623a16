/** The events of one dynamic subscription over RESTCONF whose client does not read: what is kept for it, and for how long. */

import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { Pause } from '../../../src/mgmt/pause.ts';
import { COMMENT } from '../../../src/mgmt/restconf/event-octets.ts';
import { SubscriptionStream } from '../../../src/mgmt/restconf/subscription-stream.ts';
import { DynamicSubscription } from '../../../src/mgmt/subscriptions/dynamic-subscription.ts';
import type { Feed, FeedHost } from '../../../src/mgmt/subscriptions/feed.ts';
import { DataNode } from '../../../src/state/data.ts';
import { until } from '../../helpers/http-connections.ts';
import { schema } from '../../helpers/state.ts';

const test = suite('stream of a subscription');
const LIST = schema.find('/ietf-subscribed-notifications:subscriptions/subscription');
const UPDATE = schema.root.child('push-update', 'ietf-yang-push');
const NACM = schema.find('/ietf-netconf-acm:nacm');
const LEAF = NACM?.child('read-default');
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

  constructor(unreadMs: number, keepAliveMs = 60_000) {
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
    this.stream = new SubscriptionStream(this.subscription, 'json', { keepAliveMs, unreadMs });
    this.stream.on('error', () => undefined);
    this.stream.read(0);
  }

  /** An update with so much in it, which goes on behind that when it is let. */
  update(characters: number, held?: Promise<void>): void {
    if (!UPDATE) throw new Error('the schema has no push-update');
    const node = new DataNode(UPDATE);
    const id = UPDATE.child('id');
    if (id) node.add(new DataNode(id, '5'));
    const contents = UPDATE.child('datastore-contents');
    if (!contents || !NACM || !LEAF) throw new Error('the schema has no contents');
    const selection = node.add(new DataNode(contents));
    const nacm = selection.add(new DataNode(NACM));
    nacm.add(new DataNode(LEAF, 'x'.repeat(characters)));
    const close = () => {
      this.out++;
    };
    const { schema: ofNacm } = nacm;
    const rows = (parent: DataNode) => (held && parent === selection ? [new Pause(ofNacm, held)] : []);
    this.#host?.send({ time: new Date(), node, rows, close });
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

test('comments while nothing happens, and none within an update', async () => {
  const box = new Box(60_000, 5);
  let text = '';
  box.stream.on('data', (octets) => {
    text += octets;
  });
  await until(() => text.length >= 4 * COMMENT.length);
  assert.is(text, COMMENT.repeat(text.length / COMMENT.length));
  let go: () => void = () => undefined;
  const held = new Promise<void>((resolve) => {
    go = resolve;
  });
  text = '';
  box.update(20_000, held);
  await until(() => text.includes('data: '));
  const began = text.indexOf('data: ');
  // Timers of 5 ms go first.
  await new Promise((resolve) => setTimeout(resolve, 30));
  go();
  await until(() => box.out === 1);
  assert.match(text.slice(began), /^data: [^\n]*\n\n(:\n\n)*$/);
  box.stream.destroy();
});

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
    if (box === reader) box.modify();
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
