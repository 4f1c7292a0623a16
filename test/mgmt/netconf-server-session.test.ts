// needs: addon
/**
 * The NETCONF server of netconf-server, spoken to with raw octets over the socketpair.
 */

import { readdirSync } from 'node:fs';
import { Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import { NetconfServer, type Rpc, type ServerOptions, YangContext } from 'netconf-server';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { YANG_SEARCH_DIRS } from '../../src/mgmt/yang-modules.ts';

const test = suite('netconf-server-session');

const BASE = 'urn:ietf:params:xml:ns:netconf:base:1.0';
const NC = `xmlns="${BASE}"`;
const PROBE = 'xmlns="urn:probe"';
const HELLO = `<hello ${NC}><capabilities><capability>urn:ietf:params:netconf:base:1.1</capability></capabilities></hello>]]>]]>`;
const ADD = `<add ${PROBE}><a>1</a></add>`;
const CLOSE = `<close-session ${NC}/>`;
const BELL = (times: number): string => `<bell ${PROBE}><times>${times}</times></bell>`;

const framed = (message: string): string => `\n#${Buffer.byteLength(message)}\n${message}\n##\n`;
const rpc = (id: string | number, content: string): string => framed(`<rpc ${NC} message-id="${id}">${content}</rpc>`);
const reply = (id: string | number, content: string): string =>
  `<rpc-reply ${NC} message-id="${id}">${content}</rpc-reply>`;
const notification = (time: string, content: string): string =>
  `<notification xmlns="urn:ietf:params:xml:ns:netconf:notification:1.0"><eventTime>${time}</eventTime>${content}</notification>`;

/** What the library answers by itself when JavaScript gives it nothing to say. */
const failed = (message: string): string =>
  `<rpc-error><error-type>application</error-type><error-tag>operation-failed</error-tag><error-severity>error</error-severity>` +
  `<error-message xml:lang="en">${message}</error-message></rpc-error>`;

/** The client's end: collects whole messages, after the hello in base:1.1 framing. */
class Client {
  readonly session: number;
  readonly socket: Socket;
  readonly ended: Promise<void>;
  #received = '';
  #taken = 0;

  constructor(server: NetconfServer) {
    const { fd, session } = server.accept({ user: 'admin' });
    this.session = session;
    this.socket = new Socket({ fd });
    this.socket.setEncoding('utf8').on('error', () => {});
    this.socket.on('data', (text: string) => {
      this.#received += text;
    });
    this.ended = new Promise((resolve) => this.socket.on('close', () => resolve()));
  }

  /** The next `count` messages, in the order of arrival. */
  async take(count: number, pattern = /\n#\d+\n([\s\S]*?)\n##\n/g): Promise<string[]> {
    const until = Date.now() + 5_000;
    for (;;) {
      const found = [...this.#received.slice(this.#taken).matchAll(pattern)].slice(0, count);
      if (found.length === count) {
        const last = found.at(-1);
        this.#taken += (last?.index ?? 0) + (last?.[0].length ?? 0);
        return found.map((match) => match[1] ?? '');
      }
      if (Date.now() > until) throw new Error(`${found.length} of ${count} messages came: ${this.#received}`);
      await delay(1);
    }
  }

  async hello(): Promise<string> {
    this.socket.write(HELLO);
    const [hello = ''] = await this.take(1, /^([\s\S]*?)\]\]>\]\]>/g);
    return hello;
  }

  async call(id: string | number, content: string): Promise<string> {
    this.socket.write(rpc(id, content));
    const [message = ''] = await this.take(1);
    return message;
  }
}

interface Setting {
  readonly server: NetconfServer;
  readonly ends: Map<number, string>;
  connect(): Promise<Client>;
  /** Until `condition` holds; fails after five seconds. */
  until(condition: () => boolean): Promise<void>;
}

async function withServer(options: Partial<ServerOptions>, body: (setting: Setting) => Promise<void>): Promise<void> {
  const context = new YangContext({
    searchDirs: [...YANG_SEARCH_DIRS, 'test/fixtures/yang'],
    modules: [
      { name: 'probe', features: ['lit'] },
      { name: 'ietf-netconf', features: ['candidate'] },
      { name: 'ietf-netconf-monitoring', features: [] },
    ],
  });
  const ends = new Map<number, string>();
  const server = new NetconfServer(context, {
    capabilities: [],
    pickUpMs: 2_000,
    onRpc: ({ reply }) => reply.ok(),
    onClosed: (session, reason) => ends.set(session, reason),
    ...options,
  });
  const sockets: Socket[] = [];
  const setting: Setting = {
    server,
    ends,
    async connect() {
      const client = new Client(server);
      sockets.push(client.socket);
      await client.hello();
      return client;
    },
    async until(condition) {
      for (const end = Date.now() + 5_000; !condition(); await delay(1)) {
        if (Date.now() > end) throw new Error(`never happened: ${condition}`);
      }
    },
  };
  try {
    await body(setting);
  } finally {
    for (const socket of sockets) socket.destroy();
    await server.close();
    context.close();
  }
}

const descriptors = (): number => readdirSync('/proc/self/fd').length;
const threads = (): number => readdirSync('/proc/self/task').length;

test('hello: ours beside those of modules and features, and the session-id', () =>
  withServer(
    {
      capabilities: ['urn:example:one', 'urn:example:two?a=1&b=2'],
      withDefaults: { basic: 'explicit', also: ['report-all', 'report-all-tagged'] },
    },
    async ({ server }) => {
      const client = new Client(server);
      const hello = await client.hello();
      const capabilities = [...hello.matchAll(/<capability>(.*?)<\/capability>/g)].map((match) => match[1]);
      for (const expected of [
        'urn:ietf:params:netconf:base:1.0',
        'urn:ietf:params:netconf:base:1.1',
        'urn:ietf:params:netconf:capability:candidate:1.0',
        'urn:ietf:params:netconf:capability:with-defaults:1.0?basic-mode=explicit&amp;also-supported=report-all,report-all-tagged',
        'urn:example:one',
        'urn:example:two?a=1&amp;b=2',
        `${BASE}?module=ietf-netconf&amp;revision=2011-06-01&amp;features=candidate`,
      ]) {
        assert.is(capabilities.filter((capability) => capability === expected).length, 1, expected);
      }
      assert.ok(
        capabilities.some((capability) =>
          /yang-library:1\.1\?revision=2019-01-04&amp;content-id=/.test(capability ?? ''),
        ),
      );
      assert.not.ok(
        hello.includes('module=probe'),
        'YANG 1.1 modules are told by the YANG library alone (RFC 7950 §5.6.4)',
      );
      assert.match(hello, /<session-id>1<\/session-id><\/hello>$/);
      client.socket.destroy();
    },
  ));

test('an RPC comes as text, and its answer carries the message-id', async () => {
  const seen: Omit<Rpc, 'reply'>[] = [];
  await withServer(
    {
      onRpc({ reply, ...request }) {
        seen.push(request);
        reply.ok();
      },
    },
    async ({ connect }) => {
      const client = await connect();
      assert.is(await client.call('urn:uuid:1-&lt;', ADD), reply('urn:uuid:1-&lt;', '<ok/>'));
      assert.equal(seen, [{ session: client.session, operation: 'add', module: 'probe', xml: ADD }]);
    },
  );
});

test('an action comes inside its data nodes', async () => {
  const tree = `<rules ${PROBE}><item><name>a</name><poke><times>1</times></poke></item></rules>`;
  const seen: string[] = [];
  await withServer(
    {
      onRpc({ operation, xml, reply }) {
        seen.push(operation, xml);
        reply.data(`<felt ${PROBE}>true</felt>`);
      },
    },
    async ({ connect }) => {
      const client = await connect();
      const answer = await client.call(1, `<action xmlns="urn:ietf:params:xml:ns:yang:1">${tree}</action>`);
      assert.is(answer, reply(1, `<felt ${PROBE}>true</felt>`));
      assert.equal(seen, ['poke', tree]);
    },
  );
});

const FETCH = `<fetch ${PROBE}/>`;
const answers: readonly (readonly [what: string, operation: string, data: string, out: string])[] = [
  [
    'anyxml content is not touched',
    FETCH,
    `<data ${PROBE}><z:a xmlns:z="urn:z" z:k='v'> <b/>&#228;<![CDATA[<]]> </z:a></data>`,
    `<data ${PROBE}><z:a xmlns:z="urn:z" z:k='v'> <b/>&#228;<![CDATA[<]]> </z:a></data>`,
  ],
  ['empty anyxml', FETCH, `<data ${PROBE}/>`, `<data ${PROBE}/>`],
  ['empty anyxml with an end tag', FETCH, `<data ${PROBE}></data>`, `<data ${PROBE}/>`],
  [
    'a prefix on the start tag is kept',
    FETCH,
    `<data ${PROBE} xmlns:z="urn:z"><z:a/></data>`,
    `<data ${PROBE}><a xmlns="urn:z"/></data>`,
  ],
  [
    'get in the base namespace',
    `<get ${NC}/>`,
    `<data ${NC}><x xmlns="urn:x"/></data>`,
    '<data><x xmlns="urn:x"/></data>',
  ],
  [
    'output leafs',
    ADD,
    `<sum ${PROBE}>2</sum><details ${PROBE}><x xmlns="urn:x">1</x></details>`,
    `<sum ${PROBE}>2</sum><details ${PROBE}><x xmlns="urn:x">1</x></details>`,
  ],
  ['no output at all is ok (RFC 7950 §7.14.4)', ADD, '', '<ok/>'],
  [
    'output that is none',
    ADD,
    `<product ${PROBE}/>`,
    failed('The reply does not fit the schema: Node "product" not found as a child of "add" node.'),
  ],
  [
    'output with a wrong value',
    ADD,
    `<sum ${PROBE}>x</sum>`,
    failed('The reply does not fit the schema: Invalid type uint16 value "x".'),
  ],
];
for (const [what, operation, data, out] of answers) {
  test(`reply: ${what}`, () =>
    withServer({ onRpc: ({ reply }) => reply.data(data) }, async ({ connect }) => {
      const client = await connect();
      const answer = await client.call(1, operation);
      assert.is(answer, reply(1, out));
    }));
}

test('reply: a large one arrives whole', () => {
  const text = `<t xmlns="urn:t">${'0123456789abcdef'.repeat(1 << 19)}</t>`;
  return withServer({ onRpc: ({ reply }) => reply.data(`<data ${PROBE}>${text}</data>`) }, async ({ connect }) => {
    const client = await connect();
    client.socket.write(rpc(1, FETCH));
    let size = 0;
    let chunks = '';
    client.socket.on('data', (part: string) => {
      size += part.length;
      chunks = (chunks + part).slice(-8);
    });
    for (const until = Date.now() + 5_000; !chunks.endsWith('\n##\n') && Date.now() < until; ) await delay(1);
    assert.ok(size > text.length && size < text.length + 1_000, `${size} octets`);
  });
});

const FIRST =
  '<error-type>application</error-type><error-tag>invalid-value</error-tag><error-severity>error</error-severity>' +
  `<error-app-tag>bad-name</error-app-tag><error-path xmlns:p="urn:probe">/p:rules/p:item[p:name='a']/p:port</error-path>` +
  '<error-message xml:lang="en">No &lt; "x" ä</error-message>' +
  '<error-info><bad-element>port</bad-element><why xmlns="urn:mine"><part k="1">z</part></why></error-info>';
const SECOND = '<error-type>rpc</error-type><error-tag>too-big</error-tag><error-severity>error</error-severity>';

test('errors: child order, path prefixes, language and own error-info stay as given, and both errors go out', () =>
  withServer(
    {
      onRpc: ({ reply }) => reply.errors(`<rpc-error ${NC}>${FIRST}</rpc-error><rpc-error ${NC}>${SECOND}</rpc-error>`),
    },
    async ({ connect }) => {
      const client = await connect();
      const expected = reply(3, `<rpc-error>${FIRST}</rpc-error><rpc-error>${SECOND}</rpc-error>`);
      assert.is(await client.call(3, ADD), expected);
    },
  ));

for (const text of ['', '<rpc-error', `<other ${NC}/>`, 'text']) {
  test(`errors: ${JSON.stringify(text)} is answered operation-failed`, () =>
    withServer({ onRpc: ({ reply }) => reply.errors(text) }, async ({ connect }) => {
      const client = await connect();
      assert.match(await client.call(1, ADD), /^<rpc-reply .*<error-tag>operation-failed<\/error-tag>.*<\/rpc-reply>$/);
    }));
}

test('one answer only, and none that XML cannot hold', async () => {
  const codes: unknown[] = [];
  const codeOf = (body: () => void): void => {
    try {
      body();
    } catch (error) {
      codes.push(error instanceof Error && Reflect.get(error, 'code'));
    }
  };
  await withServer(
    {
      onRpc({ reply }) {
        codeOf(() => reply.data(`<sum ${PROBE}>\u0001</sum>`));
        codeOf(() => reply.ok());
        codeOf(() => reply.ok());
        codeOf(() => reply.errors(''));
      },
    },
    async ({ connect }) => {
      const client = await connect();
      assert.is(await client.call(1, ADD), reply(1, '<ok/>'));
      assert.equal(codes, ['YANG_DATA', 'ALREADY_ANSWERED', 'ALREADY_ANSWERED']);
    },
  );
});

test('a handler that throws: the client gets an error, the process gets the exception', async () => {
  const thrown: unknown[] = [];
  const listener = (error: unknown): void => {
    thrown.push(error);
  };
  process.on('uncaughtException', listener);
  try {
    await withServer(
      {
        onRpc() {
          throw new Error('on purpose');
        },
      },
      async ({ connect }) => {
        const client = await connect();
        assert.match(await client.call(1, ADD), /operation-failed/);
        assert.is(thrown.length, 1);
      },
    );
  } finally {
    process.off('uncaughtException', listener);
  }
});

test('notifications before and after an answer, and while an operation runs', async () => {
  const held: Rpc[] = [];
  await withServer({ onRpc: (request) => held.push(request) }, async ({ server, connect, until }) => {
    const client = await connect();
    client.socket.write(rpc(1, ADD));
    await until(() => held.length === 1);
    server.notify(client.session, BELL(1), 't1');
    assert.equal(await client.take(1), [notification('t1', BELL(1))]);
    server.notify(client.session, BELL(2), 't2');
    held[0]?.reply.ok();
    server.notify(client.session, BELL(3), 't3');
    assert.equal(await client.take(3), [notification('t2', BELL(2)), reply(1, '<ok/>'), notification('t3', BELL(3))]);
  });
});

test('a notification that is none of the schema is refused; one for a session that is gone is not', () =>
  withServer({}, async ({ server, connect }) => {
    const client = await connect();
    for (const xml of [`<ring ${PROBE}/>`, `<bell ${PROBE}><times>x</times></bell>`, '', '<']) {
      assert.throws(
        () => server.notify(client.session, xml, 't'),
        (error: Error) => Reflect.get(error, 'code') === 'YANG_DATA',
      );
    }
    server.notify(client.session + 1, BELL(1), 't');
  }));

test('pipelined RPCs are carried out one after the other, in order', async () => {
  const seen: string[] = [];
  await withServer(
    {
      onRpc({ xml, reply }) {
        seen.push(xml);
        setTimeout(() => reply.ok(), 1);
      },
    },
    async ({ connect }) => {
      const client = await connect();
      const adds = Array.from({ length: 50 }, (_, at) => `<add ${PROBE}><a>${at}</a></add>`);
      client.socket.write(adds.map((add, at) => rpc(at, add)).join(''));
      assert.equal(
        await client.take(50),
        adds.map((_, at) => reply(at, '<ok/>')),
      );
      assert.equal(seen, adds);
    },
  );
});

test('a message in many small pieces', () =>
  withServer({}, async ({ connect }) => {
    const client = await connect();
    for (const octet of rpc(1, ADD)) {
      client.socket.write(octet);
      if (octet === '>') await delay(1);
    }
    assert.equal(await client.take(1), [reply(1, '<ok/>')]);
  }));

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
    if (operation === 'close-session' && !refused) reply.errors(`<rpc-error ${NC}>${SECOND}</rpc-error>`);
    else reply.ok();
    refused = true;
  };
  await withServer({ onRpc: once }, async ({ connect }) => {
    const client = await connect();
    assert.match(await client.call(1, CLOSE), /too-big/);
    assert.is(await client.call(2, ADD), reply(2, '<ok/>'));
  });
});

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

test('an RPC that JavaScript does not pick up in time is refused and never started', async () => {
  const seen: string[] = [];
  await withServer(
    {
      pickUpMs: 30,
      onRpc({ xml, reply }) {
        seen.push(xml);
        reply.ok();
      },
    },
    async ({ connect }) => {
      const client = await connect();
      client.socket.write(rpc(1, ADD));
      for (const until = performance.now() + 300; performance.now() < until; );
      const busy = 'The server is too busy to start the operation; nothing was changed.';
      assert.equal(await client.take(1), [reply(1, failed(busy))]);
      assert.is(await client.call(2, ADD), reply(2, '<ok/>'));
      assert.is(seen.length, 1);
    },
  );
});

test('an operation that was started in time may take longer than the pick-up', () =>
  withServer({ pickUpMs: 30, onRpc: ({ reply }) => setTimeout(() => reply.ok(), 150) }, async ({ connect }) => {
    const client = await connect();
    assert.is(await client.call(1, ADD), reply(1, '<ok/>'));
  }));

test('200 sessions at once, ended in three ways, leave no descriptor and no thread', () =>
  withServer({}, async ({ server, connect, ends, until }) => {
    (await connect()).socket.destroy();
    await until(() => ends.size === 1);
    await delay(10);
    const before = { descriptors: descriptors(), threads: threads() };
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
    await until(() => descriptors() === before.descriptors && threads() === before.threads);
  }));

test('200 idle sessions use next to no processor time', () =>
  withServer({}, async ({ connect }) => {
    await Promise.all(Array.from({ length: 200 }, connect));
    await delay(50);
    const start = process.cpuUsage();
    await delay(500);
    const { user, system } = process.cpuUsage(start);
    assert.ok(user + system < 50_000, `${user + system} us in 500 ms`);
  }));

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
    searchDirs: YANG_SEARCH_DIRS,
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
    const workerData = { dirs: [...YANG_SEARCH_DIRS, 'test/fixtures/yang'], octets: HELLO + rpc(1, ADD) };
    const worker = new Worker(code, { eval: true, workerData });
    await new Promise((resolve, reject) => worker.once('message', resolve).once('error', reject));
    await worker.terminate();
  }
  await withServer({}, async ({ connect }) => void (await connect()));
});

test.run();
