/** Requests that their client breaks off before the body is whole. */

import { once } from 'node:events';
import type { ClientHttp2Session, ClientHttp2Stream } from 'node:http2';
import { connect } from 'node:http2';
import { Readable } from 'node:stream';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { RestconfFault } from '../../../src/mgmt/restconf/fault.ts';
import { takeBody } from '../../../src/mgmt/restconf/incoming-body.ts';
import { ADMIN, JSON_TYPE, withRestconf } from '../../helpers/restconf.ts';

const test = suite('restconf: broken off');

const ENABLED = '/restconf/data/gi-4over6:softwire/aftr=a/enabled';

function ask(session: ClientHttp2Session, method: string, path: string, hasBody: boolean): ClientHttp2Stream {
  const authorization = `Basic ${Buffer.from(ADMIN).toString('base64')}`;
  const fields = { ':method': method, ':path': path, authorization, ...(hasBody && { 'content-type': JSON_TYPE }) };
  const stream = session.request(fields, { endStream: !hasBody });
  stream.on('error', () => undefined);
  return stream;
}

async function statusOf(stream: ClientHttp2Stream): Promise<unknown> {
  const [headers] = await once(stream, 'response');
  stream.resume();
  await once(stream, 'close');
  return headers[':status'];
}

async function connected(port: number): Promise<ClientHttp2Session> {
  const session = connect(`https://127.0.0.1:${port}`, { rejectUnauthorized: false });
  session.on('error', () => undefined);
  await passes(session);
  return session;
}

/** The password is known by then, and what was sent before has come. */
async function passes(session: ClientHttp2Session): Promise<void> {
  assert.is(await statusOf(ask(session, 'GET', '/restconf', false)), 200);
}

const breaks: readonly (readonly [string, (session: ClientHttp2Session, cut: ClientHttp2Stream) => unknown])[] = [
  ['the stream is reset', (_session, cut) => cut.destroy(new Error('no more'))],
  ['the connection ends', (session) => session.destroy()],
];
for (const [how, breakOff] of breaks) {
  for (const body of ['{"gi-4over6:enabled":false}', '{"gi-4over6:enab', '']) {
    test(`HTTP/2: an edit of which '${body}' has come when ${how} is not made`, () =>
      withRestconf(async ({ port, datastores }) => {
        const [session, other] = [await connected(port), await connected(port)];
        const { version } = datastores.head();
        const cut = ask(session, 'PUT', ENABLED, true);
        if (body !== '') cut.write(body);
        await passes(session);
        breakOff(session, cut);
        if (!session.destroyed) await passes(session);
        await passes(other);
        const whole = ask(other, 'PUT', ENABLED, true);
        whole.end('{"gi-4over6:enabled":true}');
        assert.is(await statusOf(whole), 201);
        assert.is(datastores.head().version, version + 1);
        session.destroy();
        other.destroy();
      }));
  }
}

test('the body of a client that is gone already is neither waited for nor counted', async () => {
  const payload = new Readable({ read: () => undefined }).destroy();
  let held = 0;
  const hold = () => {
    held++;
    return { note: () => undefined, whole: () => undefined, end: () => undefined };
  };
  try {
    await takeBody(payload, { limit: 1_000, contentLength: 10, timeMs: 100, hold });
    assert.unreachable();
  } catch (error) {
    assert.instance(error, RestconfFault);
    assert.is((error as RestconfFault).status, 400);
  }
  assert.is(held, 0);
});

test.run();
