import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { AccessControl } from '../../../src/mgmt/access.ts';
import { EventLog } from '../../../src/mgmt/events/event-log.ts';
import { EventStreams } from '../../../src/mgmt/events/streams.ts';
import type { RestconfOperations } from '../../../src/mgmt/restconf/backend.ts';
import { EventOctets } from '../../../src/mgmt/restconf/event-octets.ts';
import { OpenStreams } from '../../../src/mgmt/restconf/event-stream.ts';
import { DataNode } from '../../../src/state/data.ts';
import { plainCheck, schema } from '../../helpers/state.ts';

/** One event stream by itself: keep-alive, a client that does not read, places. */
const test = suite('event stream');

const CALLER = { user: 'root', session: 0, face: 'local' } as const;
const LIMITS = { eventStreams: 2, eventStreamsPerUser: 2, keepAliveMs: 60_000, unreadMs: 60_000 };

function streams(limits: Partial<typeof LIMITS> = {}): { readonly log: EventLog; readonly open: OpenStreams } {
  const log = EventLog.inMemory();
  const events = new EventStreams(log, schema, new AccessControl(() => new DataNode(schema.root)));
  const subscribe: RestconfOperations['subscribe'] = (...parts) => events.subscribe(...parts);
  const operations = { schema, check: plainCheck, subscribe } as unknown as RestconfOperations;
  return { log, open: new OpenStreams(operations, { ...LIMITS, ...limits }) };
}

function opened(open: OpenStreams) {
  const { stream } = open.open(CALLER, 'json', {});
  if (!stream) throw new Error('no stream');
  return stream;
}

const WAIT_MS = 60_000;
const wait = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));
const add = (log: EventLog) => log.add({ 'gi-4over6:binding-table-changed': { aftr: 'a'.repeat(60), version: '1' } });

test('comments while nothing happens, and none that nobody takes', async () => {
  const { open } = streams({ keepAliveMs: 20 });
  const stream = opened(open);
  let text = '';
  stream.on('data', (octets) => {
    text += octets;
  });
  const began = performance.now();
  for (const end = began + WAIT_MS; text.length < 9 && performance.now() < end; ) await wait(10);
  assert.match(text, /^(:\n\n){3,}$/);
  assert.ok(text.length / 3 <= (performance.now() - began) / 20 + 2, `${text.length / 3} comments`);
  stream.pause();
  await wait(150);
  assert.ok(stream.readableLength <= 3, String(stream.readableLength));
  stream.destroy();
});

test('a client that does not read is broken off in time; what it holds is bounded', async () => {
  const { log, open } = streams({ unreadMs: 2_000 });
  const stream = opened(open);
  let error: Error | undefined;
  stream.on('error', (thrown) => {
    error = thrown;
  });
  stream.read(0);
  for (let i = 0; i < 5_000; i++) add(log);
  await wait(50);
  assert.not(stream.destroyed);
  assert.ok(stream.readableLength < 20_000, String(stream.readableLength));
  for (const end = performance.now() + WAIT_MS; !stream.destroyed && performance.now() < end; ) await wait(50);
  assert.ok(stream.destroyed);
  assert.match(error?.message ?? '', /does not read/);
});

test('a client that reads slowly gets everything', async () => {
  const { log, open } = streams({ unreadMs: 1_000 });
  const stream = opened(open);
  let events = 0;
  stream.on('data', (octets) => {
    events += String(octets).match(/^data: /gm)?.length ?? 0;
    stream.pause();
    setTimeout(() => stream.resume(), 1);
  });
  await wait(10);
  for (let i = 0; i < 500; i++) add(log);
  for (let tries = 0; events < 500 && tries < 1_000; tries++) await wait(50);
  assert.is(events, 500);
  stream.destroy();
});

/** Events by hand. */
class Octets extends EventOctets {
  give(text: string): boolean {
    return this.put(text);
  }

  protected override begun(): void {}

  protected override room(): void {}

  protected override gone(): void {}
}

test('a client that reads is not broken off though more comes than it takes, and is when it stops', async () => {
  const octets = new Octets({ keepAliveMs: 60_000, unreadMs: 1_000 });
  let error: Error | undefined;
  octets.on('error', (thrown) => {
    error = thrown;
  });
  octets.read(0);
  octets.give('x'.repeat(30_000));
  for (let turn = 0; turn < 30; turn++) {
    octets.read(1_000);
    octets.give('x'.repeat(3_000));
    await wait(100);
  }
  assert.not(octets.destroyed);
  assert.ok(octets.readableLength > 80_000, String(octets.readableLength));
  for (let tries = 0; !octets.destroyed && tries < 200; tries++) await wait(50);
  assert.match(error?.message ?? '', /does not read/);
});

test('places are limited, and free again when a stream is over', async () => {
  const { open } = streams();
  const [first, second] = [opened(open), opened(open)];
  assert.throws(() => opened(open), /all event streams are taken/);
  first.destroy();
  await wait(10);
  opened(open).destroy();
  second.destroy();
});

test.run();
