// needs: addon
/** Dynamic subscriptions over RESTCONF against the running program (RFC 8650), with curl. */

import { spawn } from 'node:child_process';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { RestconfOperations } from '../../../src/mgmt/restconf/backend.ts';
import { endUnlessGot, subscriptionOperation } from '../../../src/mgmt/restconf/dynamic-subscription.ts';
import type { RestconfRequest } from '../../../src/mgmt/restconf/request.ts';
import { DataNode } from '../../../src/state/data.ts';
import { startManagement } from '../../helpers/management.ts';
import { outcome, RawClient } from '../../helpers/netconf-client.ts';
import { AFTR, binding, edit, GI, nacm, noUser, RESET, systemUser, table } from '../../helpers/netconf-requests.ts';
import { PlayedDatapath } from '../../helpers/played-datapath.ts';
import { schema } from '../../helpers/state.ts';
import { appTagOf, DELETE, KILL, SN } from '../../helpers/subscription-requests.ts';

const test = suite('subscriptions over RESTCONF');
const management = await startManagement();
await new PlayedDatapath(management.socket).start();
const operator = (await RawClient.local(management.socket)).greet('1.1');
const ADMIN = `admin:${management.password}`;
const MIKE = 'mike:mike';
const WAIT_MS = 60_000;
const JSON_TYPE = 'application/yang-data+json';
const XML_TYPE = 'application/yang-data+xml';

async function done(...operations: readonly string[]): Promise<void> {
  for (const operation of operations) assert.is(outcome(await operator.rpc(operation)), 'ok', operation);
}

interface Curl {
  until(wanted: RegExp): Promise<string>;
  end(): Promise<string>;
  stop(): Promise<string>;
}

function curl(url: string, more: readonly string[] = [], user = ADMIN): Curl {
  const whole = url.startsWith('/') ? `https://127.0.0.1:${management.restconfPort}${url}` : url;
  const child = spawn('curl', ['-skNi', '-m', '300', '-u', user, ...more, whole], {
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  let output = '';
  child.stdout.on('data', (octets: Buffer) => {
    output += octets.toString();
  });
  const ended = new Promise<string>((resolve) => child.once('close', () => resolve(output)));
  return {
    until: async (wanted) => {
      const deadline = Date.now() + WAIT_MS;
      while (!wanted.test(output)) {
        if (Date.now() > deadline) throw new Error(`${wanted} did not come, but:\n${output}`);
        await new Promise((resolve) => setTimeout(resolve, 10));
      }
      return output;
    },
    end: () => ended,
    stop: () => {
      child.kill();
      return ended;
    },
  };
}

const statusOf = (text: string) => Number(/^HTTP\/\S+ (\d+)/.exec(text)?.[1]);
const bodyOf = (text: string) => text.split('\r\n\r\n')[1] ?? '';
const eventsOf = (text: string) => [...text.matchAll(/^data: (.*)$/gm)].map(([, line = '']) => line);

function post(operation: string, body: string, user = ADMIN, type = JSON_TYPE): Promise<string> {
  const module = operation === 'resync-subscription' ? 'ietf-yang-push' : 'ietf-subscribed-notifications';
  const words = ['-X', 'POST', '-H', `Content-Type: ${type}`, '-H', `Accept: ${type}`, '-d', body];
  return curl(`/restconf/operations/${module}:${operation}`, words, user).end();
}

const call = (operation: string, input: object, user = ADMIN) => {
  const module = operation === 'resync-subscription' ? 'ietf-yang-push' : 'ietf-subscribed-notifications';
  return post(operation, JSON.stringify({ [`${module}:input`]: input }), user);
};

interface Established {
  readonly id: number;
  readonly uri: string;
}

async function establish(input: object, user = ADMIN): Promise<Established> {
  const reply = await call('establish-subscription', input, user);
  assert.is(statusOf(reply), 200, reply);
  const output = JSON.parse(bodyOf(reply))['ietf-subscribed-notifications:output'];
  return { id: output.id, uri: output['ietf-restconf-subscribed-notifications:uri'] };
}

/** The events of a subscription, open: its header and first comment have come. */
async function get({ uri }: Established, user = ADMIN, more: readonly string[] = []): Promise<Curl> {
  const stream = curl(uri, more, user);
  await stream.until(/\r\n\r\n:\n\n/);
  return stream;
}

async function isThere(id: number): Promise<boolean> {
  const filter = `<subscriptions ${SN}><subscription><id>${id}</id></subscription></subscriptions>`;
  return /<subscription>/.test(await operator.rpc(`<get><filter>${filter}</filter></get>`));
}

async function goes(id: number): Promise<void> {
  for (let tries = 0; await isThere(id); tries++) {
    assert.ok(tries < 1_000, 'it ends');
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

const STREAM = { stream: 'NETCONF' };
const TABLE = { 'stream-subtree-filter': { 'gi-4over6:binding-table-changed': {} } };
let address = 1;
const change = () => edit(table(binding(`192.0.2.${address++}/32`, '2001:db8:1::1')));

await done(
  RESET,
  edit(AFTR),
  edit(systemUser('mike', '$0$mike')),
  edit(nacm('<exec-default>permit</exec-default><read-default>permit</read-default>')),
);

for (const version of ['--http1.1', '--http2']) {
  test(`R64: ${version}: establish, the events at the uri, delete`, async () => {
    const subscription = await establish({ ...STREAM, ...TABLE });
    assert.match(subscription.uri, /^https:\/\/127\.0\.0\.1:\d+\/restconf\/subscriptions\/\d+$/);
    // What happens before somebody asks is not lost.
    await done(change());
    const stream = await get(subscription, ADMIN, [version]);
    await done(change());
    const text = await stream.until(/(^data: .*\n\n[\s\S]*){2}/m);
    assert.match(text, /content-type: text\/event-stream/i);
    const [first, second] = eventsOf(text).map((line) => JSON.parse(line)['ietf-restconf:notification']);
    for (const event of [first, second]) assert.is(event['gi-4over6:binding-table-changed'].aftr, 'a');
    assert.match(first.eventTime, /^\d{4}-/);
    assert.is(statusOf(await call('delete-subscription', { id: subscription.id })), 204);
    await stream.end();
    assert.not.ok(await isThere(subscription.id));
    assert.is(statusOf(await curl(subscription.uri).end()), 404);
  });
}

test('R64: the uri is for its owner alone, and for one connection at a time', async () => {
  const subscription = await establish(STREAM);
  assert.is(statusOf(await curl(subscription.uri, [], MIKE).end()), 404);
  assert.is(statusOf(await curl(subscription.uri, ['-I']).end()), 200);
  const stream = await get(subscription);
  assert.is(statusOf(await curl(subscription.uri).end()), 409);
  const json = bodyOf(await call('delete-subscription', { id: subscription.id }, MIKE));
  const [error] = JSON.parse(json)['ietf-restconf:errors'].error;
  assert.is(error['error-tag'], 'invalid-value');
  assert.is(error['error-app-tag'], 'ietf-subscribed-notifications:no-such-subscription');
  assert.equal(error['error-info'], {
    'ietf-subscribed-notifications:delete-subscription-error-info': {
      reason: 'ietf-subscribed-notifications:no-such-subscription',
    },
  });
  assert.is(
    appTagOf(await operator.rpc(DELETE(`${subscription.id}`))),
    'ietf-subscribed-notifications:no-such-subscription',
  );
  assert.is(statusOf(await curl(subscription.uri, ['-X', 'DELETE']).end()), 405);
  assert.is(statusOf(await curl(subscription.uri, ['-H', `Accept: ${JSON_TYPE}`]).end()), 406);
  await stream.stop();
});

test('R64: the subscription ends when its client goes away', async () => {
  const subscription = await establish(STREAM);
  const stream = await get(subscription);
  const shown = await curl(
    `/restconf/data/ietf-subscribed-notifications:subscriptions/subscription=${subscription.id}`,
  ).end();
  const [entry] = JSON.parse(bodyOf(shown))['ietf-subscribed-notifications:subscription'];
  assert.is(entry['ietf-restconf-subscribed-notifications:uri'], `/restconf/subscriptions/${subscription.id}`);
  assert.is(entry.encoding, 'ietf-subscribed-notifications:encode-json');
  assert.is(entry.receivers.receiver[0].name, 'admin');
  await stream.stop();
  await goes(subscription.id);
});

test('R64: killed by an operator: the client is told, and the stream ends', async () => {
  const subscription = await establish({ ...STREAM, ...TABLE });
  const stream = await get(subscription);
  assert.is(statusOf(await call('kill-subscription', { id: subscription.id }, MIKE)), 403);
  await done(KILL(`${subscription.id}`));
  const [event = ''] = eventsOf(await stream.end());
  assert.equal(
    JSON.parse(event)['ietf-restconf:notification']['ietf-subscribed-notifications:subscription-terminated'],
    {
      id: subscription.id,
      reason: 'ietf-subscribed-notifications:no-such-subscription',
    },
  );
});

test('R64: in XML, with a replay, modified', async () => {
  const wrapped = (operation: string, inside: string) =>
    post(operation, `<input ${SN}>${inside}</input>`, ADMIN, XML_TYPE);
  const xpath = '<stream-xpath-filter xmlns:g="urn:gi-4over6">/g:binding-table-changed</stream-xpath-filter>';
  const start = '<replay-start-time>2020-01-01T00:00:00Z</replay-start-time>';
  const reply = await wrapped('establish-subscription', `<stream>NETCONF</stream>${start}${xpath}`);
  assert.match(reply, /<replay-start-time-revision>/);
  const id = Number(/<id>(\d+)<\/id>/.exec(reply)?.[1]);
  const uri = /<uri [^>]*>([^<]+)<\/uri>/.exec(reply)?.[1] ?? '';
  const stream = await get({ id, uri });
  await stream.until(/^data: <notification [^>]*><eventTime>[^<]*<\/eventTime><replay-completed /m);
  const modify = `<id>${id}</id><stream-subtree-filter><nothing xmlns="urn:nothing"/></stream-subtree-filter>`;
  assert.is(statusOf(await wrapped('modify-subscription', modify)), 204);
  await stream.until(/<subscription-modified [^\n]*<uri [^>]*>\/restconf\/subscriptions\/\d+<\/uri>/);
  await stream.stop();
});

test('a subscription to nothing misses the choice of a target', async () => {
  const reply = await call('establish-subscription', {});
  assert.is(statusOf(reply), 400);
  const [error] = JSON.parse(bodyOf(reply))['ietf-restconf:errors'].error;
  assert.equal([error['error-tag'], error['error-app-tag']], ['missing-element', 'missing-choice']);
});

test('R64: what is refused says why in the encoding of the request', async () => {
  const reply = await call('establish-subscription', {
    'ietf-yang-push:datastore': 'ietf-datastores:running',
    'ietf-yang-push:periodic': { period: 1 },
  });
  assert.is(statusOf(reply), 400);
  const [error] = JSON.parse(bodyOf(reply))['ietf-restconf:errors'].error;
  assert.is(error['error-app-tag'], 'ietf-yang-push:period-unsupported');
  assert.equal(error['error-info'], {
    'ietf-yang-push:establish-subscription-datastore-error-info': {
      reason: 'ietf-yang-push:period-unsupported',
      'period-hint': 100,
    },
  });
});

test('R64: changes of a datastore: the whole selection, then YANG patches', async () => {
  const filter = { 'gi-4over6:softwire': { aftr: [{ name: 'a', 'binding-table': {} }] } };
  const subscription = await establish({
    'ietf-yang-push:datastore': 'ietf-datastores:running',
    'ietf-yang-push:datastore-subtree-filter': filter,
    'ietf-yang-push:on-change': {},
  });
  const stream = await get(subscription);
  const at = `192.0.2.${address}/32`;
  await stream.until(/^data: .*push-update.*\n\n/m);
  await done(change());
  const text = await stream.until(/^data: .*push-change-update.*\n\n/m);
  const [whole, changed] = eventsOf(text).map((line) => JSON.parse(line)['ietf-restconf:notification']);
  const contents = whole['ietf-yang-push:push-update']['datastore-contents']['gi-4over6:softwire'];
  assert.is(contents.aftr[0].name, 'a');
  assert.ok(contents.aftr[0]['binding-table'].binding.length >= 1);
  assert.equal(changed['ietf-yang-push:push-change-update'], {
    id: subscription.id,
    'datastore-changes': {
      'yang-patch': {
        'patch-id': '0',
        edit: [
          {
            'edit-id': '0',
            operation: 'create',
            target: `/gi-4over6:softwire/aftr=a/binding-table/binding=${encodeURIComponent(at)}`,
            value: { 'gi-4over6:binding': [{ 'ipv4-prefix': at, 'gateway-ipv6-address': '2001:db8:1::1' }] },
          },
        ],
      },
    },
  });
  assert.is(statusOf(await call('resync-subscription', { id: subscription.id })), 204);
  await stream.until(/(push-update[\s\S]*){2}\n\n/);
  await stream.stop();
  await goes(subscription.id);
});

for (const isAttached of [false, true]) {
  test(`R64: a subscription that ${isAttached ? 'is got goes on' : 'nobody gets in time ends'}`, async () => {
    let closed = 0;
    endUnlessGot({ isAttached, close: () => closed++ }, 10);
    assert.is(closed, 0);
    await new Promise((resolve) => setTimeout(resolve, 60));
    assert.is(closed, isAttached ? 0 : 1);
  });
}

test('R64: each subscription that is established is waited for so long, and no longer', () => {
  const { setTimeout } = globalThis;
  const waits: { readonly end: () => void; readonly ms: number | undefined }[] = [];
  let closed = 0;
  const subscription = { id: 7, uri: '/restconf/subscriptions/7', isAttached: false, close: () => closed++ };
  const operations = { schema, subscriptions: { establish: () => ({ subscription, revision: undefined }) } };
  const rpc = schema.root.child('establish-subscription', 'ietf-subscribed-notifications');
  const handler = rpc && subscriptionOperation(rpc);
  assert.ok(rpc && handler);
  const own = (end: () => void, ms?: number) => {
    waits.push({ end, ms });
    return { unref: () => undefined };
  };
  globalThis.setTimeout = own as unknown as typeof setTimeout;
  try {
    const request = { bodyEncoding: 'json', replyEncoding: 'json', origin: 'https://a' };
    handler(
      operations as unknown as RestconfOperations,
      { user: 'a', session: 0, face: 'restconf' },
      new DataNode(rpc),
      request as unknown as RestconfRequest,
    );
  } finally {
    globalThis.setTimeout = setTimeout;
  }
  assert.equal(
    waits.map(({ ms }) => ms),
    [60_000],
  );
  waits[0]?.end();
  assert.is(closed, 1);
});

test('R64: a whole table of 20,000 bindings as one event', async () => {
  const rows = Array.from({ length: 20_000 }, (_, n) =>
    binding(`198.18.${n >> 8}.${n & 255}/32`, '2001:db8:1::1'),
  ).join('');
  const pool = '<ipv4-pool>198.18.0.0/15</ipv4-pool>';
  await done(
    edit(`<softwire ${GI}><aftr><name>a</name>${pool}<binding-table>${rows}</binding-table></aftr></softwire>`),
  );
  const subscription = await establish({
    'ietf-yang-push:datastore': 'ietf-datastores:running',
    'ietf-yang-push:periodic': { period: 500 },
  });
  const stream = await get(subscription);
  const [event = ''] = eventsOf(await stream.until(/^data: .*\}\n\n/m));
  const softwire =
    JSON.parse(event)['ietf-restconf:notification']['ietf-yang-push:push-update']['datastore-contents'][
      'gi-4over6:softwire'
    ];
  assert.ok(softwire.aftr[0]['binding-table'].binding.length >= 20_000);
  await stream.stop();
  await goes(subscription.id);
});

test('subscriptions of a user who is deleted end, whether their events are being got or not', async () => {
  await done(edit(systemUser('gone', '$0$gone')));
  const [got, waiting] = [await establish(STREAM, 'gone:gone'), await establish(STREAM, 'gone:gone')];
  const [kept, stream] = [await establish(STREAM), await get(got, 'gone:gone')];
  await done(edit(noUser('gone')));
  await stream.end();
  for (const { id } of [got, waiting]) await goes(id);
  assert.ok(await isThere(kept.id));
  assert.is(statusOf(await call('delete-subscription', { id: kept.id })), 204);
});

test('stop', async () => {
  operator.end();
  assert.is(await management.stop(), 0);
});

test.run();
