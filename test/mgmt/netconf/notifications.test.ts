// needs: addon
/** Subscriptions to events over NETCONF against the running program (RFC 5277): streams, replay, filters. */

import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { BASE_EVENTS, LONG_AGO, subscribe, upTo } from '../../helpers/event-requests.ts';
import { allOk, nextMatching, openLocal, withSessions as withOpened } from '../../helpers/local-sessions.ts';
import { startManagement } from '../../helpers/management.ts';
import type { RawClient } from '../../helpers/netconf-client.ts';
import { outcome } from '../../helpers/netconf-client.ts';
import { AFTR, binding, edit, GI, NC_PREFIX, RESET, table } from '../../helpers/netconf-requests.ts';
import { PlayedDatapath } from '../../helpers/played-datapath.ts';
import { eventually } from '../../helpers/program.ts';

const test = suite('notifications');
const management = await startManagement(['--startup']);
// Without a datapath there would be alarms among the events.
await new PlayedDatapath(management.socket).start();

const WAIT_MS = 60_000;
const FUTURE = '2999-01-01T00:00:00Z';

/** Runs a body with sessions that are ended afterwards. */
function withSessions(count: number, body: (...clients: readonly RawClient[]) => Promise<void>): Promise<void> {
  return withOpened(() => openLocal(management), count, body);
}

const timeOf = (message: string) => Date.parse(/<eventTime>([^<]+)</.exec(message)?.[1] ?? '');

test('N86: a subscription to the default stream: one event after the other, each with its time', () =>
  withSessions(2, async (watcher, editor) => {
    const before = Date.now();
    assert.is(outcome(await watcher.rpc(subscribe('<stream>NETCONF</stream>'))), 'ok');
    await allOk(editor, edit(AFTR), edit(table(binding('192.0.2.1/32', '2001:db8::1'))), RESET);
    const events = [];
    for (let i = 0; i < 3; i++) events.push(await nextMatching(watcher, /netconf-config-change/));
    assert.match(
      events[0] ?? '',
      /^<notification xmlns="urn:ietf:params:xml:ns:netconf:notification:1.0"><eventTime>\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z<\/eventTime><netconf-config-change xmlns="urn:ietf:params:xml:ns:yang:ietf-netconf-notifications">.*<\/netconf-config-change><\/notification>$/,
    );
    const times = events.map(timeOf);
    assert.equal(times, [...times].sort());
    assert.ok((times[0] ?? 0) >= before && (times[2] ?? 0) <= Date.now());
    assert.match(events[0] ?? '', /<operation>create</);
    assert.match(events[2] ?? '', /<operation>delete</);
  }));

test('N86: the hello names notifications and interleave', () =>
  withSessions(1, async ({ hello }) => {
    for (const name of ['notification:1.0', 'interleave:1.0']) {
      assert.ok(hello.includes(`<capability>urn:ietf:params:netconf:capability:${name}</capability>`), name);
    }
  }));

const refused: readonly (readonly [string, string, string])[] = [
  ['N87: stop without start', `<stopTime>${FUTURE}</stopTime>`, 'missing-element startTime'],
  ['N87: stop before start', `${LONG_AGO}<stopTime>2019-01-01T00:00:00Z</stopTime>`, 'bad-element stopTime'],
  ['N87: start in the future', `<startTime>${FUTURE}</startTime>`, 'bad-element startTime'],
  ['N87: a start that is no time', '<startTime>yesterday</startTime>', 'invalid-value startTime'],
  ['N87: a start on no day', '<startTime>2026-02-31T10:00:00Z</startTime>', 'invalid-value startTime'],
  ['N87: a start at no hour', '<startTime>2026-11-25T40:23:30Z</startTime>', 'invalid-value startTime'],
  ['N86: an unknown stream', '<stream>SNMP</stream>', 'invalid-value stream'],
  ['N88: an unknown type of filter', '<filter type="regex"/>', 'bad-attribute filter'],
  [
    'N88: an XPath that is none',
    `<filter type="xpath" select="/x:[" xmlns:x="${BASE_EVENTS}"/>`,
    'invalid-value filter',
  ],
  ['N88: an XPath without select', '<filter type="xpath"/>', 'missing-attribute filter'],
];
for (const [name, inside, expected] of refused) {
  test(`${name} is refused, and nothing is subscribed`, () =>
    withSessions(1, async (client) => {
      const reply = await client.rpc(subscribe(inside));
      const element = /<bad-element>([^<]+)</.exec(reply)?.[1];
      assert.is(`${outcome(reply)} ${element}`, expected);
      assert.is(outcome(await client.rpc(subscribe())), 'ok');
    }));
}

test('N87: a replay ends with replayComplete, and live events follow', () =>
  withSessions(2, async (watcher, editor) => {
    await allOk(editor, edit(AFTR), RESET);
    assert.is(outcome(await watcher.rpc(subscribe(LONG_AGO))), 'ok');
    const replayed = await upTo(watcher, /replayComplete/);
    assert.ok(replayed.filter((message) => message.includes('netconf-config-change')).length >= 2);
    assert.match(
      replayed[replayed.length - 1] ?? '',
      /<replayComplete xmlns="urn:ietf:params:xml:ns:netmod:notification"\/>/,
    );
    await allOk(editor, edit(AFTR));
    assert.match(await nextMatching(watcher, /config-change/), /<operation>create</);
    await allOk(editor, RESET);
  }));

test('N87: a replay begins with its startTime', () =>
  withSessions(2, async (watcher, editor) => {
    await allOk(editor, edit(AFTR));
    await new Promise((resolve) => setTimeout(resolve, 20));
    const start = new Date().toISOString();
    await allOk(editor, RESET);
    assert.is(outcome(await watcher.rpc(subscribe(`<startTime>${start}</startTime>`))), 'ok');
    const [first = ''] = await upTo(watcher, /replayComplete/);
    assert.match(first, /<operation>delete</);
    assert.ok(timeOf(first) >= Date.parse(start));
  }));

test('N87: a stopTime that is over: the replay, replayComplete, notificationComplete, and the session is free again', () =>
  withSessions(1, async (client) => {
    const stop = new Date().toISOString();
    assert.is(outcome(await client.rpc(subscribe(`${LONG_AGO}<stopTime>${stop}</stopTime>`))), 'ok');
    const events = await upTo(client, /notificationComplete/);
    assert.match(events[events.length - 2] ?? '', /replayComplete/);
    for (const event of events.slice(0, -2)) assert.ok(timeOf(event) <= Date.parse(stop));
    assert.is(outcome(await client.rpc(subscribe())), 'ok');
  }));

test('N87: a stopTime to come ends the subscription when it comes', () =>
  withSessions(1, async (client) => {
    const [start, stop] = [new Date(), new Date(Date.now() + 4_000)].map((time) => time.toISOString());
    const times = `<startTime>${start}</startTime><stopTime>${stop}</stopTime>`;
    assert.is(outcome(await client.rpc(subscribe(times))), 'ok');
    await nextMatching(client, /replayComplete/);
    await nextMatching(client, /notificationComplete/);
    assert.ok(Date.now() >= Date.parse(stop ?? ''));
    assert.is(outcome(await client.rpc('<get-config><source><running/></source><filter/></get-config>')), 'data');
  }));

const TABLE_CHANGE = `<binding-table-changed ${GI}>`;
const filters: readonly (readonly [string, string])[] = [
  ['subtree by name', `<filter>${TABLE_CHANGE}</binding-table-changed></filter>`],
  ['subtree by value', `<filter type="subtree">${TABLE_CHANGE}<aftr>a</aftr></binding-table-changed></filter>`],
  ['subtree with two names', `<filter>${TABLE_CHANGE}<removed/></binding-table-changed><x xmlns="urn:x"/></filter>`],
  ['XPath by name', '<filter type="xpath" xmlns:g="urn:gi-4over6" select="/g:binding-table-changed"/>'],
  ['XPath by value', `<filter type="xpath" xmlns:g="urn:gi-4over6" select="/*[g:aftr='a' and g:added &gt; 0]"/>`],
  [
    'XPath with a module name for a prefix',
    '<filter type="xpath" select="/gi-4over6:binding-table-changed/gi-4over6:version"/>',
  ],
  [
    'a filter in the base namespace, as ncclient sends it',
    `<nc:filter ${NC_PREFIX} type="subtree">${TABLE_CHANGE}</binding-table-changed></nc:filter>`,
  ],
];
for (const [name, filter] of filters) {
  test(`N88: ${name}: whole events pass or none`, () =>
    withSessions(2, async (watcher, editor) => {
      assert.is(outcome(await watcher.rpc(subscribe(filter))), 'ok');
      await allOk(editor, edit(AFTR), edit(table(binding('192.0.2.1/32', '2001:db8::1'))));
      const first = await watcher.receive();
      assert.match(first, /<binding-table-changed .*<aftr>a<\/aftr>.*<added>1<\/added>.*<removed>0<\/removed>/);
      await allOk(editor, RESET);
    }));
}

for (const [name, filter] of [
  ['an empty filter', '<filter/>'],
  ['another value', `<filter>${TABLE_CHANGE}<aftr>b</aftr></binding-table-changed></filter>`],
  [
    'an XPath that holds nowhere',
    `<filter type="xpath" xmlns:g="urn:gi-4over6" select="/g:binding-table-changed[g:aftr='b']"/>`,
  ],
] as const) {
  test(`N88: ${name} lets nothing pass but what ends the subscription`, () =>
    withSessions(2, async (watcher, editor) => {
      await allOk(editor, edit(AFTR), edit(table(binding('192.0.2.1/32', '2001:db8::1'))), RESET);
      const stop = new Date(Date.now() - 1).toISOString();
      assert.is(outcome(await watcher.rpc(subscribe(`${filter}${LONG_AGO}<stopTime>${stop}</stopTime>`))), 'ok');
      const events = await upTo(watcher, /notificationComplete/);
      assert.is(events.length, 2, events.join('\n'));
    }));
}

test('N89: a second subscription of one session is refused, the first goes on', () =>
  withSessions(2, async (watcher, editor) => {
    assert.is(outcome(await watcher.rpc(subscribe())), 'ok');
    assert.is(outcome(await watcher.rpc(subscribe())), 'in-use');
    await allOk(editor, edit(AFTR), RESET);
    await nextMatching(watcher, /<operation>delete</);
  }));

test('N90: operations work in a session with a subscription, each message whole', () =>
  withSessions(2, async (watcher, editor) => {
    const rows = Array.from({ length: 3_000 }, (_, i) => binding(`192.0.${2 + (i >> 8)}.${i & 255}/32`, '2001:db8::1'));
    const wide = AFTR.replace('192.0.2.0/24', '192.0.0.0/16');
    await allOk(editor, edit(wide), edit(table(rows.join(''))));
    assert.is(outcome(await watcher.rpc(subscribe())), 'ok');
    const get = `<rpc xmlns="urn:ietf:params:xml:ns:netconf:base:1.0" message-id="9"><get-config><source><running/></source></get-config></rpc>`;
    for (let i = 0; i < 10; i++) watcher.send(get);
    for (let i = 0; i < 10; i++) await allOk(editor, edit(table(binding('192.0.2.7/32', `2001:db8::${i + 2}`))));
    let [replies, events] = [0, 0];
    while (replies < 10 || events < 10) {
      const message = await watcher.receive();
      if (message.startsWith('<rpc-reply')) {
        assert.match(message, /message-id="9".*<\/data><\/rpc-reply>$/s);
        assert.is(message.match(/<binding>/g)?.length, 3_000);
        replies++;
      } else {
        assert.match(message, /^<notification .*<\/notification>$/s);
        if (message.includes('binding-table-changed')) events++;
      }
    }
    await allOk(editor, RESET);
  }));

test('N91: the stream, its replay and when its log began', () =>
  withSessions(1, async (client) => {
    const filter = '<filter><netconf xmlns="urn:ietf:params:xml:ns:netmod:notification"/></filter>';
    const reply = await client.rpc(`<get>${filter}</get>`);
    assert.match(
      reply,
      /<data><netconf xmlns="urn:ietf:params:xml:ns:netmod:notification"><streams><stream><name>NETCONF<\/name><description>[^<]+<\/description><replaySupport>true<\/replaySupport><replayLogCreationTime>[^<]+Z<\/replayLogCreationTime><\/stream><\/streams><\/netconf><\/data>/,
    );
    assert.ok(Date.parse(/CreationTime>([^<]+)</.exec(reply)?.[1] ?? '') < Date.now());
  }));

test('N87: the log survives a restart, also one by a kill', () =>
  withSessions(1, async (editor) => {
    await allOk(editor, edit(AFTR), edit(table(binding('192.0.2.77/32', '2001:db8::1'))));
    // The file is written behind the answer.
    const folder = join(management.stateDir, 'events');
    const isWritten = () =>
      readdirSync(folder).some((name) => readFileSync(join(folder, name)).includes('192.0.2.77/32'));
    await eventually(WAIT_MS, async () => isWritten() || undefined);
    await management.restart('SIGKILL');
    await withSessions(1, async (watcher) => {
      assert.is(outcome(await watcher.rpc(subscribe(LONG_AGO))), 'ok');
      const replayed = (await upTo(watcher, /replayComplete/)).join('');
      assert.match(replayed, /binding\[gi-4over6:ipv4-prefix='192.0.2.77\/32'\]/);
      await allOk(watcher, '<close-session/>');
    });
    await withSessions(1, (other) => allOk(other, RESET));
  }));

test('the program ends cleanly', async () => assert.is(await management.stop(), 0));

test.run();
