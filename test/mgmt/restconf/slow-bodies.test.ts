// needs: addon
/** Bodies that do not end, bodies that take much, and streams without number: of the running program, whose limits are small here. */

import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { Http2Client } from '../../helpers/http-connections.ts';
import { BASIC, errorIn, openHttp2, openTls, until } from '../../helpers/http-connections.ts';
import { startProgram } from '../../helpers/restconf-program.ts';

const test = suite('restconf: slow bodies');

const REQUEST_MS = 3_000;
/** What request-ms is by itself. */
const MINUTE_MS = 60_000;
const MEBI = 1024 * 1024;
const MEMORY = {
  'held-octets': 5 * MEBI,
  'held-octets-per-source': 4 * MEBI,
  'held-octets-per-connection': 2 * MEBI,
};
const startWith = (limits: Readonly<Record<string, number>>) =>
  startProgram(Object.entries(limits).flatMap(([name, value]) => ['--restconf-limit', `${name}=${value}`]));
const hasty = await startWith({ 'request-ms': REQUEST_MS });
const narrow = await startWith(MEMORY);

const AFTR = '/restconf/data/gi-4over6:softwire/aftr=a';
const PUT = { ':method': 'PUT' };
const ENABLED = '{"gi-4over6:enabled":true}';
const XML = 'application/yang-data+xml';

test('R70: a body over HTTP/2 that does not come in time is 408 on its stream, and others go on', () =>
  hasty.run(async ({ port }) => {
    const client = await openHttp2(port);
    const began = performance.now();
    const slow = client.ask(`${AFTR}/enabled`, PUT, false);
    const slowXml = client.ask(`${AFTR}/enabled`, { ...PUT, accept: XML, 'content-type': XML }, false);
    const trickle = setInterval(() => {
      slow.write(' ');
      slowXml.write(' ');
    }, 50);
    const { status, headers, body } = await slow.answer;
    const took = performance.now() - began;
    const xml = await slowXml.answer;
    clearInterval(trickle);
    assert.is(status, 408);
    assert.is(headers['content-type'], 'application/yang-data+json');
    assert.equal([errorIn(body)['error-type'], errorIn(body)['error-tag']], ['transport', 'operation-failed']);
    assert.ok(took > REQUEST_MS - 100 && took < MINUTE_MS - 15_000, `${took} ms`);
    assert.equal([xml.status, xml.headers['content-type']], [408, XML]);
    assert.match(xml.body, /^<errors .*<error-tag>operation-failed<\/error-tag>/);
    const whole = client.ask(`${AFTR}/enabled`, PUT, false);
    whole.end(ENABLED);
    assert.is((await whole.answer).status, 201);
    assert.not.ok(client.isClosed);
    client.end();
  }));

test('R70: the same over HTTP/1.1, where the connection ends', () =>
  hasty.run(async ({ port }) => {
    const slow = await openTls(port);
    const head = [`PUT ${AFTR}/enabled HTTP/1.1`, 'Host: a', `Authorization: ${BASIC}`, `Accept: ${XML}`];
    slow.write(`${head.join('\r\n')}\r\nContent-Type: ${XML}\r\nContent-Length: 1000\r\n\r\n`);
    const trickle = setInterval(() => slow.write(' '), 50);
    const took = await slow.timeToClose();
    clearInterval(trickle);
    assert.match(slow.received, /^HTTP\/1\.1 408 [\s\S]*<error-tag>operation-failed<\/error-tag>/);
    assert.ok(took < MINUTE_MS - 15_000, `${took} ms`);
  }));

test('RFC 9113 §8.1: a stream whose body nobody reads ends with its answer: its place is free', () =>
  narrow.run(async ({ port }) => {
    const client = await openHttp2(port);
    const began = performance.now();
    for (const [fields, status] of [
      [{ ':method': 'GET' }, 200],
      [{ ...PUT, 'content-type': 'text/plain' }, 415],
      [{ ...PUT, authorization: 'none' }, 401],
    ] as const) {
      for (let count = 0; count < 15; count++) {
        const asked = client.ask(AFTR, fields, false);
        asked.write(' ');
        assert.is((await asked.answer).status, status);
      }
    }
    // There are 32 places, and request-ms is a minute.
    assert.ok(performance.now() - began < 45_000);
    assert.not.ok(client.isClosed);
    client.end();
  }));

/** So many unfinished bodies of so many octets; of JSON, which is kept as it came. */
function hold(client: Http2Client, count: number, octets: number) {
  return Array.from({ length: count }, () => {
    const asked = client.ask(AFTR, { ':method': 'PATCH' }, false);
    asked.write(`{"gi-4over6:aftr":[{"name":"a"}]${' '.repeat(octets)}`);
    return asked;
  });
}

const statuses = async (asked: readonly ReturnType<Http2Client['ask']>[]) =>
  Promise.all(asked.map(async ({ answer }) => (await answer).status));

test('R70: bodies of a connection take so much memory together, whatever the streams: the largest is given up', () =>
  narrow.run(async ({ port }) => {
    const client = await openHttp2(port);
    const [large] = hold(client, 1, 900_000);
    const small = hold(client, 3, 500_000);
    const { status, body } = (await large?.answer) ?? {};
    assert.is(status, 409);
    assert.is(errorIn(body ?? '')['error-tag'], 'resource-denied');
    // Its body has not ended, and nobody waits for that.
    await until(() => large?.isClosed === true);
    for (const asked of small) asked.end('}');
    assert.equal(await statuses(small), [204, 204, 204]);
    // It is free again.
    const [again] = hold(client, 1, 1_900_000);
    again?.end('}');
    assert.equal(await statuses(again ? [again] : []), [204]);
    client.end();
  }));

test('R70: a source that takes all it can makes nobody else lose a body', () =>
  narrow.run(async ({ port }) => {
    const greedy = await Promise.all([1, 2, 3, 4].map(() => openHttp2(port, '127.0.0.1')));
    const modest = await openHttp2(port, '127.0.0.2');
    const [kept] = hold(modest, 1, 1_500_000);
    // 7.2 MB, of which the server takes 4 MiB; with the other one 5 MiB.
    const many = greedy.flatMap((client) => hold(client, 18, 100_000));
    let denied = 0;
    for (const { answer } of many) void answer.then(({ status }) => (denied += status === 409 ? 1 : 0));
    await until(() => denied > 20);
    assert.not.ok(kept?.isAnswered);
    kept?.end('}');
    assert.is((await kept?.answer)?.status, 204);
    for (const client of [...greedy, modest]) client.end();
  }));

test('R70: rapid reset: the connection ends, others are served meanwhile and afterwards', () =>
  narrow.run(async ({ port, curl }) => {
    const client = await openHttp2(port);
    let made = 0;
    while (!client.isClosed && made < 50_000) {
      for (let burst = 0; burst < 100 && !client.isClosed; burst++, made++) {
        const stream = client.session.request({ ':path': AFTR, authorization: BASIC });
        stream.on('error', () => undefined);
        stream.close(8);
      }
      await new Promise((resolve) => setImmediate(resolve));
    }
    await until(() => client.isClosed);
    assert.is((await curl(AFTR)).status, 200);
  }));

test('R70: no more streams than there may be, the rest wait for them', () =>
  narrow.run(async ({ port }) => {
    const client = await openHttp2(port);
    assert.is(client.session.remoteSettings.maxConcurrentStreams, 32);
    const asked = Array.from({ length: 200 }, () => client.ask(`${AFTR}/name`));
    assert.equal(new Set(await statuses(asked)), new Set([200]));
    client.end();
  }));

test('the processes end cleanly', async () => {
  assert.equal(await Promise.all([hasty.stop(), narrow.stop()]), [0, 0]);
});
test.run();
