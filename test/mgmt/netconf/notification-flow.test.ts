import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { Guarded, GuardOptions } from '../../helpers/guard.ts';
import { chunked, clientHello, rpc, withGuard } from '../../helpers/guard.ts';

/** Notifications between replies, in both framings, to clients who read and who do not. */
const test = suite('notification flow');

const SUBSCRIBE = '<create-subscription xmlns="urn:ietf:params:xml:ns:netconf:notification:1.0"/>';
const REPLAY = SUBSCRIBE.replace('/>', '><startTime>2020-01-01T00:00:00Z</startTime></create-subscription>');

/** Long enough for a busy machine to come to the first request. */
const IDLE_MS = 2_000;

function framed(message: string, version: '1.0' | '1.1'): string {
  return version === '1.1' ? chunked(message) : `${message}]]>]]>`;
}

/** A session that has subscribed. */
function withSubscriber(
  options: GuardOptions & { readonly version: '1.0' | '1.1' },
  body: (guarded: Guarded) => Promise<void>,
  operation = SUBSCRIBE,
): Promise<void> {
  return withGuard(options, async (guarded) => {
    guarded.client.write(clientHello(options.version));
    guarded.client.write(framed(rpc(1, operation), options.version));
    await body(guarded);
  });
}

const add = ({ log }: Guarded, user: string) =>
  log.add({ 'gi-4over6:binding-table-changed': { aftr: 'a', version: '1', user } });

for (const version of ['1.0', '1.1'] as const) {
  test(`framing ${version}: the reply first, then each event as a message of its own`, () =>
    withSubscriber({ version }, async (guarded) => {
      assert.match((await guarded.messages(1))[0] ?? '', /message-id="1"><ok\/>/);
      for (const user of ['u1', ']]>]]>\u20ac', 'u3']) add(guarded, user);
      const events = await guarded.messages(3);
      assert.equal(
        events.map((event) => /<user>(.*)<\/user>/.exec(event)?.[1]),
        ['u1', ']]&gt;]]&gt;\u20ac', 'u3'],
      );
    }));
}

test('a replay of more than the transport takes at once comes whole and in order', () =>
  withGuard({ version: '1.1' }, async (guarded) => {
    guarded.client.write(clientHello('1.1'));
    for (let n = 0; n < 3_000; n++) add(guarded, `u${n}`);
    guarded.client.write(chunked(rpc(1, REPLAY)));
    const [reply = '', ...events] = await guarded.messages(3_002);
    assert.match(reply, /<ok\/>/);
    assert.match(events.pop() ?? '', /replayComplete/);
    assert.equal(
      events.map((event) => Number(/<user>u(\d+)</.exec(event)?.[1])),
      Array.from({ length: 3_000 }, (_, n) => n),
    );
  }));

test('a client that does not read is dropped in time, and holds nothing', () =>
  withSubscriber({ version: '1.1', silent: true, limits: { unreadMs: 200 } }, async (guarded) => {
    await guarded.until(() => guarded.seen.length === 1);
    await new Promise((resolve) => setTimeout(resolve, 50));
    const began = performance.now();
    for (let n = 0; n < 1_000; n++) add(guarded, 'u'.repeat(100));
    await guarded.until(() => guarded.isEnded());
    assert.ok(performance.now() - began >= 150);
    assert.equal(guarded.events, ['open 7', 'end 7']);
  }));

test('a client that falls behind the log is dropped', () =>
  withSubscriber({ version: '1.1', silent: true }, async (guarded) => {
    await guarded.until(() => guarded.seen.length === 1);
    await new Promise((resolve) => setTimeout(resolve, 50));
    for (let n = 0; n < 500; n++) add(guarded, 'u'.repeat(100));
    await new Promise((resolve) => setTimeout(resolve, 50));
    for (let n = 0; n < 20_000; n++) add(guarded, 'u');
    guarded.client.resume();
    await guarded.until(() => guarded.isEnded());
  }));

test('whoever listens is not idle; when the subscription is over, it is again', () =>
  withSubscriber({ version: '1.1', limits: { idleMs: IDLE_MS } }, async (guarded) => {
    await guarded.messages(1);
    await new Promise((resolve) => setTimeout(resolve, 1.5 * IDLE_MS));
    assert.not(guarded.isEnded());
    add(guarded, 'u');
    await guarded.messages(1);
  }));

test('a subscription that has ended leaves the session to its idle time', () => {
  const stop = new Date().toISOString();
  const over = REPLAY.replace('</create', `<stopTime>${stop}</stopTime></create`);
  return withSubscriber(
    { version: '1.1', limits: { idleMs: IDLE_MS } },
    async (guarded) => {
      assert.match((await guarded.messages(3)).join(''), /notificationComplete/);
      await guarded.until(() => guarded.isEnded());
    },
    over,
  );
});

test.run();
