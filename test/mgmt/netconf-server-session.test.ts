// needs: addon
/**
 * What a session of netconf-server says: hello, RPCs, replies, errors and notifications, octet by octet.
 */

import { setTimeout as delay } from 'node:timers/promises';
import type { Rpc } from 'netconf-server';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import {
  ADD,
  BASE,
  BELL,
  Client,
  failed,
  NC,
  notification,
  PROBE,
  reply,
  rpc,
  withServer,
} from '../helpers/netconf-server.ts';

const test = suite('netconf-server-session');

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
    for (const until = Date.now() + 30_000; !chunks.endsWith('\n##\n') && Date.now() < until; ) await delay(1);
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

test.run();
