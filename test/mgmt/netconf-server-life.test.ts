// needs: addon
/**
 * How sessions and the server of netconf-server begin and end: deadlines, faults, descriptors, threads, processor time.
 */

import { readdirSync, readSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import { NetconfServer, type Rpc, YangContext } from 'netconf-server';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import {
  ADD,
  CLOSE,
  Client,
  failed,
  framed,
  HELLO,
  NC,
  PROBE,
  reply,
  rpc,
  SEARCH_DIRS,
  withServer,
} from '../helpers/netconf-server.ts';

const test = suite('netconf-server-life');

const TOO_BIG = '<error-type>rpc</error-type><error-tag>too-big</error-tag><error-severity>error</error-severity>';

const descriptors = (): number => readdirSync('/proc/self/fd').length;
const threads = (): number => readdirSync('/proc/self/task').length;

/** Descriptors and threads once they have stayed the same for a while: a thread that has told of its end is still there. */
async function atRest(): Promise<{ readonly descriptors: number; readonly threads: number }> {
  const end = performance.now() + 60_000;
  for (let same = 0, last = { descriptors: 0, threads: 0 }; ; await delay(10)) {
    const found = { descriptors: descriptors(), threads: threads() };
    same = found.descriptors === last.descriptors && found.threads === last.threads ? same + 1 : 0;
    if (same === 50) return found;
    if (performance.now() > end) throw new Error(`never at rest: ${JSON.stringify(found)}`);
    last = found;
  }
}

test('close-session: the reply, then the end', () =>
  withServer({}, async ({ connect, ends, until }) => {
    const client = await connect();
    assert.is(await client.call(1, CLOSE), reply(1, '<ok/>'));
    await client.ended;
    await until(() => ends.size === 1);
    assert.is(ends.get(client.session), 'closed by close-session');
  }));

test('a refused close-session leaves the session open', async () => {
  let refused = false;
  const once = ({ operation, reply }: Rpc): void => {
    if (operation === 'close-session' && !refused) reply.errors(`<rpc-error ${NC}>${TOO_BIG}</rpc-error>`);
    else reply.ok();
    refused = true;
  };
  await withServer({ onRpc: once }, async ({ connect }) => {
    const client = await connect();
    assert.match(await client.call(1, CLOSE), /too-big/);
    assert.is(await client.call(2, ADD), reply(2, '<ok/>'));
  });
});

test('elements nested 490 deep fit the stack of a session; more than 500 are refused', () =>
  withServer({}, async ({ connect }) => {
    const client = await connect();
    const nested = (depth: number): string => `${'<a xmlns="urn:a">'.repeat(depth)}${'</a>'.repeat(depth)}`;
    const edit = (depth: number): string =>
      `<edit-config ${NC}><target><candidate/></target><config>${nested(depth)}</config></edit-config>`;
    assert.is(await client.call(1, edit(490)), reply(1, '<ok/>'));
    assert.match(await client.call(2, edit(510)), /maximum number of open elements/);
    assert.is(await client.call(3, ADD), reply(3, '<ok/>'));
  }));

test('terminate ends a session, and one that is unknown is ignored', () =>
  withServer({}, async ({ server, connect, ends, until }) => {
    const client = await connect();
    server.terminate(client.session + 1);
    server.terminate(client.session);
    server.terminate(client.session);
    await client.ended;
    await until(() => ends.size === 1);
    assert.is(ends.get(client.session), 'terminated');
  }));

const helloFaults = [
  ['<hello/>]]>]]>', /no valid hello/],
  [`<hello ${NC}><capabilities><capability>urn:x</capability></capabilities></hello>]]>]]>`, /no valid hello/],
  ['', /no valid hello/],
] as const;
for (const [octets, reason] of helloFaults) {
  test(`hello: ${JSON.stringify(octets).slice(0, 40)}, then the end, is no session`, () =>
    withServer({}, async ({ server, ends, until }) => {
      const client = new Client(server);
      client.socket.end(octets);
      await until(() => ends.size === 1);
      assert.match(ends.get(client.session) ?? '', reason);
      client.socket.destroy();
    }));
}

test('a client that goes away in the middle of a message, and one that does during its RPC', async () => {
  const held: Rpc[] = [];
  await withServer({ onRpc: (request) => held.push(request) }, async ({ connect, ends, until }) => {
    const first = await connect();
    first.socket.end(rpc(1, ADD).slice(0, 40));
    await until(() => ends.size === 1);
    const second = await connect();
    second.socket.write(rpc(1, ADD));
    await until(() => held.length === 1);
    second.socket.destroy();
    await delay(20);
    assert.is(ends.size, 1, 'a started operation is awaited');
    held[0]?.reply.ok();
    await until(() => ends.size === 2);
  });
});

/** Reads so many octets, or what has come within half a minute, while JavaScript does nothing else. */
function readBusily({ fd }: Client, length: number): string {
  const octets = Buffer.alloc(length);
  let taken = 0;
  for (const end = performance.now() + 30_000; taken < length && performance.now() < end; ) {
    try {
      taken += readSync(fd, octets, taken, length - taken, null);
    } catch (error) {
      if (!(error instanceof Error && 'code' in error && error.code === 'EAGAIN')) throw error;
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 5);
    }
  }
  return octets.toString('utf8', 0, taken);
}

test('an RPC that JavaScript does not pick up in time is refused and never started', async () => {
  const seen: string[] = [];
  await withServer(
    {
      pickUpMs: 2_000,
      onRpc({ xml, reply }) {
        seen.push(xml);
        reply.ok();
      },
    },
    async ({ connect }) => {
      const client = await connect();
      client.socket.write(rpc(1, ADD));
      const busy = 'The server is too busy to start the operation; nothing was changed.';
      assert.is(readBusily(client, framed(reply(1, failed(busy))).length), framed(reply(1, failed(busy))));
      assert.is(await client.call(2, ADD), reply(2, '<ok/>'));
      assert.is(seen.length, 1);
    },
  );
});

test('an operation that was started in time may take longer than the pick-up', () =>
  withServer({ pickUpMs: 1_000, onRpc: ({ reply }) => setTimeout(() => reply.ok(), 1_500) }, async ({ connect }) => {
    const client = await connect();
    assert.is(await client.call(1, ADD), reply(1, '<ok/>'));
  }));

test('200 sessions at once, ended in three ways, leave no descriptor and no thread', () =>
  withServer({}, async ({ server, connect, ends, until }) => {
    (await connect()).socket.destroy();
    await until(() => ends.size === 1);
    const before = await atRest();
    const clients = await Promise.all(Array.from({ length: 200 }, connect));
    assert.ok(threads() >= before.threads + 200);
    await Promise.all(clients.map((client, at) => client.call(at, ADD)));
    for (const [at, client] of clients.entries()) {
      if (at % 3 === 0) client.socket.destroy();
      else if (at % 3 === 1) server.terminate(client.session);
      else client.socket.write(rpc(1, CLOSE));
    }
    await until(() => ends.size === 201);
    await Promise.all(clients.map((client) => client.ended));
    await until(() => descriptors() <= before.descriptors && threads() <= before.threads);
  }));

test('200 idle sessions use next to no processor time', () =>
  withServer({}, async ({ connect }) => {
    await Promise.all(Array.from({ length: 200 }, connect));
    // The quietest half second of several: the first may have what the beginning of the sessions left, or a collection of garbage.
    const used: number[] = [];
    while (used.length < 20 && Math.min(...used) >= 50_000) {
      const start = process.cpuUsage();
      await delay(500);
      const { user, system } = process.cpuUsage(start);
      used.push(user + system);
    }
    assert.ok(Math.min(...used) < 50_000, `${used} us in 500 ms each`);
  }));

test('the context is read from twenty sessions and from here at the same time', async () => {
  const names = (at: number): string =>
    Array.from({ length: 3 }, (_, n) => `<item><name>n${at}-${n}</name></item>`).join('');
  await withServer(
    { onRpc: ({ reply }) => reply.data(`<sum ${PROBE}>1</sum><details ${PROBE}><x xmlns="urn:x"/></details>`) },
    async ({ context, connect }) => {
      const clients = await Promise.all(Array.from({ length: 20 }, connect));
      for (const client of clients) client.socket.write(Array.from({ length: 50 }, (_, at) => rpc(at, ADD)).join(''));
      const answers = Promise.all(clients.map((client) => client.take(50)));
      for (let at = 0; at < 2_000; at++) {
        assert.equal(context.validateConfig(`<rules ${PROBE}>${names(at)}</rules>`), []);
        if (at % 20 === 0) await delay(0);
      }
      for (const messages of await answers) assert.is(messages.length, 50);
    },
  );
});

test('close ends open sessions and awaits a started operation', async () => {
  const held: Rpc[] = [];
  await withServer({ onRpc: (request) => held.push(request) }, async ({ server, connect, ends, until }) => {
    const idle = await connect();
    const busy = await connect();
    busy.socket.write(rpc(1, ADD));
    await until(() => held.length === 1);
    let closed = false;
    const closing = server.close().then(() => {
      closed = true;
    });
    await until(() => ends.has(idle.session));
    await delay(20);
    assert.not.ok(closed);
    held[0]?.reply.ok();
    await closing;
    assert.ok(ends.has(busy.session));
    assert.throws(
      () => server.accept({ user: 'late' }),
      (error: Error) => Reflect.get(error, 'code') === 'SERVER_CLOSED',
    );
    await server.close();
  });
});

test('one server per process, and a new one after it', () =>
  withServer({}, async () => {
    let code: unknown;
    await withServer({}, async () => {}).catch((error) => {
      code = error.code;
    });
    assert.is(code, 'SERVER_EXISTS');
  }).then(() => withServer({}, async ({ connect }) => void (await connect()))));

test('a context that is closed first stays alive until its server ends', async () => {
  const context = new YangContext({
    searchDirs: SEARCH_DIRS,
    modules: [{ name: 'ietf-netconf', features: ['candidate'] }],
  });
  const server = new NetconfServer(context, {
    capabilities: [],
    pickUpMs: 1_000,
    onRpc: ({ reply }) => reply.ok(),
    onClosed: () => {},
  });
  context.close();
  const client = new Client(server);
  await client.hello();
  assert.is(await client.call(1, `<discard-changes ${NC}/>`), reply(1, '<ok/>'));
  client.socket.destroy();
  await server.close();
});

test('JavaScript that ends with open sessions and a running operation ends cleanly', async () => {
  const code = `
    const { parentPort, workerData } = require('node:worker_threads');
    const { Socket } = require('node:net');
    import('netconf-server').then(({ NetconfServer, YangContext }) => {
      const context = new YangContext({ searchDirs: workerData.dirs, modules: [{ name: 'probe', features: [] }, { name: 'ietf-netconf', features: [] }] });
      const server = new NetconfServer(context, { capabilities: [], pickUpMs: 1000, onRpc: () => parentPort.postMessage('busy'), onClosed: () => {} });
      for (let i = 0; i < 20; i++) {
        const socket = new Socket({ fd: server.accept({ user: 'u' }).fd });
        socket.resume();
        if (i === 0) socket.write(workerData.octets);
      }
    });`;
  for (let round = 0; round < 3; round++) {
    const workerData = { dirs: SEARCH_DIRS, octets: HELLO + rpc(1, ADD) };
    const worker = new Worker(code, { eval: true, workerData });
    await new Promise((resolve, reject) => worker.once('message', resolve).once('error', reject));
    await worker.terminate();
  }
  await withServer({}, async ({ connect }) => void (await connect()));
});

test.run();
