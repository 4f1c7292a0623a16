// needs: addon
/** Event streams over RESTCONF against the running program (RFC 8040 §6), with curl and with raw requests. */

import { spawn } from 'node:child_process';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { serverSentEvent } from '../../../src/mgmt/restconf/event-stream.ts';
import { openTls } from '../../helpers/http-connections.ts';
import { startManagement } from '../../helpers/management.ts';
import { outcome, RawClient } from '../../helpers/netconf-client.ts';
import { AFTR, binding, edit, nacm, noUser, RESET, systemUser, table } from '../../helpers/netconf-requests.ts';
import { PlayedDatapath } from '../../helpers/played-datapath.ts';

const test = suite('streams');
const management = await startManagement();
// Without a datapath there would be alarms among the events.
await new PlayedDatapath(management.socket).start();
const operator = (await RawClient.local(management.socket)).greet('1.1');
const ADMIN = `admin:${management.password}`;
const STREAM = '/restconf/streams/NETCONF/json';
const STREAM_XML = '/restconf/streams/NETCONF/xml';
const WAIT_MS = 60_000;

async function done(...operations: readonly string[]): Promise<void> {
  for (const operation of operations) assert.is(outcome(await operator.rpc(operation)), 'ok', operation);
}

interface Curl {
  readonly text: () => string;
  /** Waits until the output matches. */
  until(wanted: RegExp): Promise<string>;
  /** Waits for its end; what it has printed. */
  end(): Promise<string>;
  stop(): Promise<string>;
}

function curl(path: string, more: readonly string[] = [], user = ADMIN): Curl {
  const url = `https://127.0.0.1:${management.restconfPort}${path}`;
  const child = spawn('curl', ['-skNi', '-m', '300', '-u', user, ...more, url], {
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  let output = '';
  child.stdout.on('data', (octets: Buffer) => {
    output += octets.toString();
  });
  const ended = new Promise<string>((resolve) => child.once('close', () => resolve(output)));
  const until = async (wanted: RegExp) => {
    const deadline = Date.now() + WAIT_MS;
    while (!wanted.test(output)) {
      if (Date.now() > deadline) throw new Error(`${wanted} did not come, but:\n${output}`);
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
    return output;
  };
  const stop = () => {
    child.kill();
    return ended;
  };
  return { text: () => output, until, end: () => ended, stop };
}

/** A stream that is open: its header and first comment have come. */
async function openStream(path: string, more: readonly string[] = [], user = ADMIN): Promise<Curl> {
  const stream = curl(path, more, user);
  await stream.until(/\r\n\r\n:\n\n/);
  return stream;
}

async function until(probe: () => boolean | Promise<boolean>): Promise<boolean> {
  for (const deadline = Date.now() + WAIT_MS; Date.now() < deadline; ) {
    if (await probe()) return true;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  return false;
}

const statusOf = (text: string) => Number(/^HTTP\/\S+ (\d+)/.exec(text)?.[1]);
const eventsOf = (text: string) => [...text.matchAll(/^data: (.*)$/gm)].map(([, line = '']) => line);

test('R57: the capabilities are exactly these, and the stream is where the list says', async () => {
  const reply = await curl('/restconf/data/ietf-restconf-monitoring:restconf-state').end();
  const { capabilities, streams } = JSON.parse(reply.split('\r\n\r\n')[1] ?? '')[
    'ietf-restconf-monitoring:restconf-state'
  ];
  const name = (text: string) => `urn:ietf:params:restconf:capability:${text}`;
  assert.equal(
    [...capabilities.capability].sort(),
    [
      name('defaults:1.0?basic-mode=explicit'),
      name('depth:1.0'),
      name('fields:1.0'),
      name('filter:1.0'),
      name('replay:1.0'),
      name('with-defaults:1.0'),
      name('with-operational-defaults:1.0'),
      name('with-origin:1.0'),
      name('yang-patch:1.0'),
      ...['limit', 'offset', 'cursor', 'direction', 'sort-by', 'locale', 'where', 'sublist-limit'].map((one) =>
        name(`${one}:1.0`),
      ),
    ].sort(),
  );
  const [stream, ...others] = streams.stream;
  assert.equal(others, []);
  assert.is(stream.name, 'NETCONF');
  assert.is(stream['replay-support'], true);
  assert.ok(Date.parse(stream['replay-log-creation-time']) <= Date.now());
  assert.equal(stream.access, [
    { encoding: 'json', location: STREAM },
    { encoding: 'xml', location: STREAM_XML },
  ]);
  for (const { location } of stream.access) await (await openStream(location)).stop();
});

for (const version of ['--http1.1', '--http2']) {
  test(`R58: ${version}: text/event-stream, each notification one event, in JSON and in XML`, async () => {
    const accept = ['-H', 'Accept: text/event-stream'];
    const [json, xml] = await Promise.all([STREAM, STREAM_XML].map((path) => openStream(path, [version, ...accept])));
    assert.ok(json && xml);
    assert.match(json.text(), /\r\ncontent-type: text\/event-stream\r\n/i);
    await done(edit(AFTR), edit(table(binding('192.0.2.1/32', '2001:db8::1'))), RESET);
    for (const stream of [json, xml]) await stream.until(/delete[\s\S]*\n\n$/);
    // A second event of the deletion may have come to one of them only.
    assert.ok(await until(() => eventsOf(json.text()).length === eventsOf(xml.text()).length));
    const [created] = eventsOf(json.text());
    const { eventTime, ...event } = JSON.parse(created ?? '')['ietf-restconf:notification'];
    assert.match(eventTime, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
    const change = event['ietf-netconf-notifications:netconf-config-change'];
    assert.equal(change.edit, [{ target: "/gi-4over6:softwire/aftr[name='a']", operation: 'create' }]);
    assert.is(change['changed-by'].username, 'root');
    assert.match(
      eventsOf(xml.text())[0] ?? '',
      /^<notification xmlns="[^"]+:notification:1.0"><eventTime>.*<\/notification>$/,
    );
    await Promise.all([json.stop(), xml.stop()]);
  });
}

for (const [text, expected] of [
  ['one', 'data: one\n\n'],
  ['a\nb', 'data: a\ndata: b\n\n'],
  ['a\r\nb\rc', 'data: a\ndata: b\ndata: c\n\n'],
  ['\u20ac', 'data: \u20ac\n\n'],
] as const) {
  test(`R58: ${JSON.stringify(text)} as an event`, () => assert.is(serverSentEvent(text), expected));
}

test('R58: an event of RESTCONF says so: session 0 and the address', async () => {
  const stream = await openStream(STREAM);
  const body = '{"gi-4over6:softwire":{"aftr":[{"name":"r","enabled":false}]}}';
  const put = await curl('/restconf/data/gi-4over6:softwire', [
    '-X',
    'PUT',
    '-d',
    body,
    '-H',
    'Content-Type: application/yang-data+json',
  ]).end();
  assert.ok([201, 204].includes(statusOf(put)), put);
  const text = await stream.until(/config-change/);
  assert.match(text, /"changed-by":\{"username":"admin","session-id":0,"source-host":"[^"]*127\.0\.0\.1"\}/);
  await stream.stop();
  await done(RESET);
});

const refused: readonly (readonly [string, string, readonly string[], number])[] = [
  ['R58: an unknown stream', '/restconf/streams/SNMP/json', [], 404],
  ['R58: an unknown encoding', '/restconf/streams/NETCONF/cbor', [], 404],
  ['R58: the list of streams itself', '/restconf/streams', [], 404],
  ['R58: a client that takes no event stream', STREAM, ['-H', 'Accept: application/yang-data+json'], 406],
  ['R58: another method', STREAM, ['-X', 'POST'], 405],
  ['R58: without a password', STREAM, ['-H', 'Authorization:'], 401],
  ['R59: stop-time without start-time', `${STREAM}?stop-time=2020-01-01T00:00:00Z`, [], 400],
  ['R59: start-time in the future', `${STREAM}?start-time=2999-01-01T00:00:00Z`, [], 400],
  [
    'R59: stop-time before start-time',
    `${STREAM}?start-time=2020-01-02T00:00:00Z&stop-time=2020-01-01T00:00:00Z`,
    [],
    400,
  ],
  ['R59: a start-time that is no time', `${STREAM}?start-time=2020`, [], 400],
  ['R59: a start-time on no day', `${STREAM}?start-time=2026-02-31T10:00:00Z`, [], 400],
  ['R59: a start-time at no hour', `${STREAM}?start-time=2026-11-25T40:23:30Z`, [], 400],
  ['R59: start-time twice', `${STREAM}?start-time=2020-01-01T00:00:00Z&start-time=2020-01-01T00:00:00Z`, [], 400],
  ['R59: a filter that is no expression', `${STREAM}?filter=%2F%5B`, [], 400],
  ['R59: a filter with an unknown module', `${STREAM}?filter=%2Fno-module:x`, [], 400],
  [
    'R59: a filter with a pattern that is none',
    `${STREAM}?filter=${encodeURIComponent("re-match('a','a{')")}`,
    [],
    400,
  ],
  [
    'R59: a filter with an identity that is none',
    `${STREAM}?filter=${encodeURIComponent("derived-from(/*,'none')")}`,
    [],
    400,
  ],
  ['R59: a parameter of data', `${STREAM}?depth=1`, [], 400],
  ['R59: start-time for data', '/restconf/data?start-time=2020-01-01T00:00:00Z', [], 400],
];
for (const [name, path, more, status] of refused) {
  test(`${name}: ${status}, of HEAD too`, async () => {
    assert.is(statusOf(await curl(path, more).end()), status);
    if (!more.includes('-X')) assert.is(statusOf(await curl(path, ['-I', ...more]).end()), status);
  });
}

test('R59: the fault of a filter speaks of no attribute of NETCONF', async () => {
  const [, body = ''] = (await curl(`${STREAM}?filter=((`, ['-i']).end()).split('\r\n\r\n');
  const [error] = JSON.parse(body)['ietf-restconf:errors'].error;
  assert.equal([error['error-tag'], error['error-info']], ['invalid-value', undefined], body);
});

/** When the newest event happened, once that is one of such an operation. */
async function timeOfNewest(operation: string): Promise<string> {
  let newest = '';
  const isThere = async () => {
    const stream = await openStream(`${STREAM}?start-time=2020-01-01T00:00:00Z`);
    newest = eventsOf(await stream.until(/replayComplete.*\n\n/)).at(-2) ?? '';
    await stream.stop();
    return newest.includes(`"operation":"${operation}"`);
  };
  assert.ok(await until(isThere), `${operation}, not ${newest}`);
  return JSON.parse(newest)['ietf-restconf:notification'].eventTime;
}

/** A later moment, which has come: times have milliseconds. */
async function momentAfter(time: string): Promise<string> {
  const moment = new Date(Date.parse(time) + 1);
  assert.ok(await until(() => Date.now() >= moment.getTime()));
  return moment.toISOString();
}

test('R59: a replay between two times ends by itself', async () => {
  await done(edit(AFTR));
  const start = await momentAfter(await timeOfNewest('create'));
  await done(RESET);
  const stop = await momentAfter(await timeOfNewest('delete'));
  // What comes later than the stop is later by its time, too.
  await momentAfter(stop);
  await done(edit(AFTR), RESET);
  const events = eventsOf(await curl(`${STREAM}?start-time=${start}&stop-time=${stop}`).end());
  assert.is(events.length, 3, events.join('\n'));
  assert.match(events[0] ?? '', /"operation":"delete"/);
  assert.match(events[1] ?? '', /"nc-notifications:replayComplete":\{\}/);
  assert.match(events[2] ?? '', /"nc-notifications:notificationComplete":\{\}/);
});

test('R59: an offset in a start-time is part of the time', async () => {
  const start = encodeURIComponent(new Date(Date.now() - 3_600_000).toISOString().replace('Z', '+00:00'));
  const stream = await openStream(`${STREAM}?start-time=${start}`);
  await stream.until(/replayComplete/);
  await stream.stop();
});

const passing: readonly (readonly [string, boolean])[] = [
  ['/gi-4over6:binding-table-changed', true],
  ["/gi-4over6:binding-table-changed/gi-4over6:aftr='a'", true],
  ["/gi-4over6:binding-table-changed[gi-4over6:aftr='b']", false],
  ["/binding-table-changed/aftr='a'", true],
  ['/binding-table-changed/added > 0', true],
  ['/gi-4over6:* and not(/gi-4over6:binding-table-changed/gi-4over6:added = 0)', true],
  ['/binding-table-changed/added > 1', false],
  ["/binding-table-changed[re-match(aftr, '[a-c]')]", true],
  ["re-match(/binding-table-changed/aftr, '[b-c]')", false],
];
test('R59: events pass a filter whole or not at all', async () => {
  const streams: Curl[] = [];
  for (const [filter] of passing) streams.push(await openStream(`${STREAM}?filter=${encodeURIComponent(filter)}`));
  const all = await openStream(STREAM);
  await done(edit(AFTR), edit(table(binding('192.0.2.1/32', '2001:db8::1'))));
  await all.until(/binding-table-changed.*\n\n$/);
  // Who is told of what passes is told in the order of opening, so that the others were looked at before.
  for (const [index, [, passes]] of passing.entries()) if (passes) await streams[index]?.until(/"added":1/);
  for (const [index, [filter, passes]] of passing.entries()) {
    const events = eventsOf((await streams[index]?.stop()) ?? '');
    assert.is(events.length, passes ? 1 : 0, `${filter}: ${events}`);
    if (passes) assert.match(events[0] ?? '', /"added":1,"changed":0,"removed":0/, filter);
  }
  await all.stop();
  await done(RESET);
});

test('R58: who may not receive a notification does not; an operation cannot be called through a stream', async () => {
  const group = '<groups><group><name>watchers</name><user-name>w</user-name></group></groups>';
  const rule =
    '<rule><name>tables</name><module-name>gi-4over6</module-name><notification-name>*</notification-name><action>permit</action></rule>';
  const list = `<rule-list><name>w</name><group>watchers</group>${rule}</rule-list>`;
  await done(edit(systemUser('w', '$0$secret')), edit(nacm(group + list)));
  const stream = await openStream(STREAM, [], 'w:secret');
  await done(edit(AFTR), edit(table(binding('192.0.2.1/32', '2001:db8::1'))), RESET);
  await stream.until(/"removed":1/);
  const events = eventsOf(await stream.stop());
  assert.is(events.length, 2, events.join('\n'));
  for (const event of events) assert.match(event, /"gi-4over6:binding-table-changed"/);
});

test("the stream of a user who is deleted ends, and nobody else's", async () => {
  await done(edit(systemUser('gone', '$0$secret')));
  const [stream, other] = [await openStream(STREAM, [], 'gone:secret'), await openStream(STREAM)];
  await done(edit(noUser('gone')));
  await stream.end();
  await done(edit(AFTR));
  await other.until(/netconf-config-change/);
  await other.stop();
});

test('R58: streams of one user are limited, and a place is free when its client has gone', async () => {
  const streams: Curl[] = [];
  for (let i = 0; i < 16; i++) streams.push(await openStream(STREAM));
  const refusal = await curl(STREAM).end();
  assert.is(statusOf(refusal), 409);
  assert.match(refusal, /"error-tag":"resource-denied"/);
  await Promise.all(streams.map((stream) => stream.stop()));
  // A connection that was ended may not have reached the program yet.
  assert.ok(
    await until(async () => {
      const stream = curl(STREAM);
      const isOpen = statusOf(await stream.until(/\r\n\r\n/)) === 200;
      await stream.stop();
      return isOpen;
    }),
  );
});

test('R58: streams that wait behind another one in a pipeline of HTTP/1.1 end with their connection', async () => {
  const authorization = `Basic ${Buffer.from(ADMIN).toString('base64')}`;
  const client = await openTls(management.restconfPort);
  client.write(`GET ${STREAM} HTTP/1.1\r\nHost: a\r\nAuthorization: ${authorization}\r\n\r\n`.repeat(16));
  const status = async () => {
    const stream = curl(STREAM);
    const text = await stream.until(/\r\n\r\n/);
    await stream.stop();
    return statusOf(text);
  };
  assert.ok(await until(async () => (await status()) === 409));
  client.end();
  const streams: Curl[] = [];
  for (let i = 0; i < 16; i++) {
    assert.ok(await until(async () => (await status()) === 200), `place ${i}`);
    streams.push(await openStream(STREAM));
  }
  await Promise.all(streams.map((stream) => stream.stop()));
});

test('R58: HEAD has the header fields and opens nothing', async () => {
  const reply = await curl(STREAM, ['-I']).end();
  assert.is(statusOf(reply), 200);
  assert.match(reply, /content-type: text\/event-stream/i);
});

test('the program ends cleanly with a stream open', async () => {
  const stream = curl(STREAM);
  const opened = await stream.until(/\n:\n\n/).catch(String);
  operator.end();
  assert.is(await management.stop(), 0);
  assert.is(statusOf(opened), 200, opened);
  await stream.end();
});

test.run();
