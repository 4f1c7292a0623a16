import { setTimeout as sleep } from 'node:timers/promises';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { Guarded, GuardOptions } from '../../helpers/guard.ts';
import { BASE, chunked, clientHello, OK, reply, rpc, withGuard } from '../../helpers/guard.ts';

const test = suite('session');

const GET_NAME =
  '<get-config><source><running/></source><filter type="subtree"><softwire xmlns="urn:gi-4over6"><aftr><name/></aftr></softwire></filter></get-config>';
const NAME_DATA =
  '<data xmlns="urn:ietf:params:xml:ns:netconf:base:1.0"><softwire xmlns="urn:gi-4over6"><aftr><name>a</name></aftr></softwire></data>';
const GET_ALL = '<get-config><source><running/></source></get-config>';
const GET_NOTHING = '<get-config><source><running/></source><filter type="subtree"/></get-config>';
const CLOSE = '<close-session/>';

const error = (type: string, tag: string, message: string, info = '') =>
  `<rpc-error xmlns="${BASE}"><error-type>${type}</error-type><error-tag>${tag}</error-tag>` +
  `<error-severity>error</error-severity><error-message xml:lang="en">${message}</error-message>${info}</rpc-error>`;

const NO_MESSAGE_ID = error(
  'rpc',
  'missing-attribute',
  'an rpc needs the attribute message-id',
  '<error-info><bad-attribute>message-id</bad-attribute><bad-element>rpc</bad-element></error-info>',
);

/** A test over one session whose hellos are done. */
function guarded(name: string, body: (guarded: Guarded) => Promise<void>, options: GuardOptions = {}): void {
  test(name, () =>
    withGuard(options, async (session) => {
      session.client.write(clientHello(options.version ?? '1.1'));
      await body(session);
    }),
  );
}

guarded('an answer, whole', async ({ client, messages, events, seen }) => {
  client.write(chunked(rpc(101, GET_NAME)));
  assert.equal(await messages(1), [reply(101, NAME_DATA)]);
  assert.equal(events, ['open 7']);
  assert.match(seen[0] ?? '', '<reference xmlns="urn:gi-4over6:reference">');
  assert.not.match(seen[0] ?? '', 'softwire');
});

guarded(
  'end-of-message framing both ways for a client of base:1.0',
  async ({ client, messages, received }) => {
    client.write(`${rpc(1, GET_NAME)}]]>]]>\n<?xml version="1.0" encoding="UTF-8"?>${rpc(2, GET_NOTHING)}]]>]]>`);
    const nothing = `<data xmlns="${BASE}"></data>`;
    assert.equal(await messages(2), [reply(1, NAME_DATA), reply(2, nothing)]);
    assert.not.match(received().toString(), '\n#');
  },
  { version: '1.0' },
);

test('a whole session octet by octet', () =>
  withGuard({}, async ({ client, messages }) => {
    for (const octet of Buffer.from(clientHello('1.1') + chunked(rpc(1, GET_NAME)))) client.write(Buffer.from([octet]));
    assert.equal(await messages(1), [reply(1, NAME_DATA)]);
  }));

const HELLO_11 = clientHello('1.1').replace(']]>]]>', '');
const HELLO_10 = clientHello('1.0').replace(']]>]]>', '');

test('a hello in chunks is taken, whole and octet by octet', async () => {
  const octets = Buffer.from(chunked(HELLO_11) + chunked(rpc(1, GET_NAME)));
  for (const size of [octets.length, 1]) {
    await withGuard({}, async ({ client, messages }) => {
      for (let at = 0; at < octets.length; at += size) client.write(octets.subarray(at, at + size));
      assert.equal(await messages(1), [reply(1, NAME_DATA)]);
    });
  }
});

for (const [why, octets] of [
  ['without base:1.1', chunked(HELLO_10)],
  ['behind a line feed', `\n${chunked(HELLO_11)}`],
  ['with a sign before its size', chunked(HELLO_11).replace('#', '#+')],
] as const) {
  test(`a hello in chunks ${why} ends the session at once`, () =>
    withGuard({}, async ({ client, until, isEnded, events }) => {
      client.write(`${octets}]]>]]>`);
      await until(isEnded);
      assert.equal(events, ['end undefined']);
    }));
}

test('requests that came before the hello of the server wait', () =>
  withGuard({}, async ({ client, messages }) => {
    client.write(clientHello('1.1') + chunked(rpc(1, GET_NAME)) + chunked(rpc(2, GET_NAME)));
    assert.equal(await messages(2), [reply(1, NAME_DATA), reply(2, NAME_DATA)]);
  }));

guarded('fifty requests at once are answered in order', async ({ client, messages }) => {
  const ids = Array.from({ length: 50 }, (_, at) => at);
  client.write(ids.map((id) => chunked(rpc(id, id % 2 === 0 ? GET_NAME : '<foo/>'))).join(''));
  const replies = await messages(50);
  assert.equal(
    replies.map((text) => /message-id="(\d+)"/.exec(text)?.[1]),
    ids.map(String),
  );
  for (const [id, text] of replies.entries()) assert.match(text, id % 2 === 0 ? NAME_DATA : 'operation-not-supported');
});

guarded('every attribute comes back, also with an error', async ({ client, messages }) => {
  const attributes = 'message-id="urn:uuid:1" xmlns:ex="urn:ex" ex:user-id="fred"';
  const tag = `<rpc-reply xmlns="${BASE}" xmlns:ex="urn:ex" message-id="urn:uuid:1" ex:user-id="fred">`;
  client.write(chunked(`<rpc xmlns="${BASE}" ${attributes}>${GET_NAME}</rpc>`));
  client.write(chunked(`<rpc xmlns="${BASE}" ${attributes}><foo/></rpc>`));
  const [good = '', bad = ''] = await messages(2);
  assert.is(good, `${tag}${NAME_DATA}</rpc-reply>`);
  assert.ok(bad.startsWith(`${tag}<rpc-error `), bad);
});

const answered = [
  [
    rpc(1, GET_NAME).replace(' message-id="1"', ''),
    `<rpc-reply xmlns="${BASE}">${NO_MESSAGE_ID}</rpc-reply>`,
    'no message-id',
  ],
  [
    '<rpc',
    `<rpc-reply xmlns="${BASE}">${error('rpc', 'malformed-message', 'not well-formed XML: 1:4: unexpected end.')}</rpc-reply>`,
    'XML that ends too early',
  ],
  [
    '<!DOCTYPE rpc [<!ENTITY x "y">]><rpc/>',
    `<rpc-reply xmlns="${BASE}">${error('rpc', 'malformed-message', 'not well-formed XML: a document type declaration is refused')}</rpc-reply>`,
    'a document type',
  ],
] as const;
for (const [message, expected, what] of answered) {
  guarded(`${what}: answered, and the session goes on`, async ({ client, messages }) => {
    client.write(chunked(message) + chunked(rpc(2, GET_NAME)));
    const [first = '', second] = await messages(2);
    assert.is(first.replace(/\d+:\d+: [^<]*/, '*'), expected.replace(/\d+:\d+: [^<]*/, '*'));
    assert.is(second, reply(2, NAME_DATA));
  });
}

guarded('octets that are no UTF-8: answered, and the session goes on', async ({ client, messages }) => {
  client.write(Buffer.concat([Buffer.from('\n#3\n'), Buffer.from([0xc3, 0x28, 0x41]), Buffer.from('\n##\n')]));
  client.write(chunked(rpc(2, GET_NAME)));
  const [first = '', second] = await messages(2);
  assert.match(first, '<error-tag>malformed-message</error-tag>');
  assert.is(second, reply(2, NAME_DATA));
});

guarded('several faults of one edit are several errors, and nothing is applied', async ({ client, messages }) => {
  const edit = (config: string) => `<edit-config><target><running/></target><config>${config}</config></edit-config>`;
  const config = '<softwire xmlns="urn:gi-4over6"><aftr><name>b</name><enabled>maybe</enabled><foo/></aftr></softwire>';
  client.write(chunked(rpc(1, edit(config))) + chunked(rpc(2, GET_NAME)));
  const [first = '', second] = await messages(2);
  assert.equal(
    [...first.matchAll(/<error-tag>([^<]*)/g)].map(([, tag]) => tag),
    ['invalid-value', 'unknown-element'],
  );
  assert.is(second, reply(2, NAME_DATA));
});

const fatal = [
  ['<rpc/>]]>]]>', 'end-of-message framing'],
  ['\n#0\n\n##\n', 'a chunk of size 0'],
  ['\n##\n', 'a lone end of chunks'],
  ['\n#4294967296\n', 'a chunk of 2^32'],
  ['\n#18446744073709551615\n', 'a chunk of 2^64 - 1'],
  ['\n#-1\n', 'a negative size'],
] as const;
for (const [octets, what] of fatal) {
  guarded(
    `${what} ends the session; an answer under way before it may come`,
    async ({ client, until, isEnded, events }) => {
      client.write(octets);
      await until(isEnded);
      assert.equal(events.at(-1), 'end 7');
    },
  );
}

const badHellos = [
  [clientHello('1.1').replace('</hello>', '<session-id>1</session-id></hello>'), 'a hello with session-id'],
  [clientHello('1.1').replace('base:1.1', 'base:9.9'), 'a hello of an unknown version'],
  ['<hello>]]>]]>', 'a hello that is no XML'],
  ['<softwire xmlns="urn:gi-4over6"/>]]>]]>', 'a hello of our own model'],
  [`${chunked(clientHello('1.1'))}]]>]]>`, 'a hello in chunks'],
] as const;
for (const [octets, what] of badHellos) {
  test(`${what} ends the session, which has never begun`, () =>
    withGuard({}, async ({ client, until, isEnded, events }) => {
      client.write(octets);
      await until(isEnded);
      assert.equal(events, ['end undefined']);
    }));
}

test('a hello over the limit ends the session', () =>
  withGuard({ limits: { helloOctets: 100 } }, async ({ client, until, isEnded }) => {
    client.write(' '.repeat(101));
    await until(isEnded);
  }));

test('no hello in time ends the session', () =>
  withGuard({ limits: { helloMs: 20 } }, async ({ until, isEnded, events }) => {
    await until(isEnded);
    assert.equal(events, ['end undefined']);
  }));

guarded(
  'an idle session ends',
  async ({ client, messages, until, isEnded, events }) => {
    client.write(chunked(rpc(1, GET_NAME)));
    assert.is((await messages(1)).length, 1);
    await until(isEnded);
    assert.equal(events, ['open 7', 'end 7']);
  },
  // Long enough for a busy machine to come to the request.
  { limits: { idleMs: 2_000 } },
);

guarded(
  'a message over the limit ends the session',
  async ({ client, until, isEnded }) => {
    client.write('\n#1001\n');
    await until(isEnded);
  },
  { limits: { messageOctets: 1000 } },
);

guarded('close-session: ok, then the end; what came after it is not carried out', async (session) => {
  const { client, messages, until, isEnded, events, seen } = session;
  client.write(chunked(rpc(1, CLOSE)) + chunked(rpc(2, GET_NAME)));
  assert.equal(await messages(2), [reply(1, OK)]);
  await until(isEnded);
  await until(() => events.length === 2);
  assert.equal(events, ['open 7', 'end 7']);
  assert.is(seen.length, 1);
});

test('close-session: what the transport says besides comes behind the answer, also to who reads it late', async () => {
  let said = 0;
  const buffers = { readableHighWaterMark: 1, writableHighWaterMark: 65_536 };
  await withGuard({ silent: true, buffers, farewell: () => said++ }, async ({ client, seen, until, isEnded }) => {
    client.write(clientHello('1.1') + chunked(rpc(1, CLOSE)));
    await until(() => seen.length === 1);
    await sleep(50);
    assert.is(said, 0);
    let text = '';
    client.on('data', (octets: Buffer) => {
      if (said === 0) text += octets.toString();
    });
    await until(isEnded);
    assert.is(said, 1);
    assert.ok(text.endsWith(chunked(reply(1, OK))), text);
  });
});

test('a session that does not end in order has no word besides', async () => {
  let said = 0;
  await withGuard({ farewell: () => said++ }, async ({ client, until, isEnded }) => {
    client.write(`${clientHello('1.1')}\n#0\n`);
    await until(isEnded);
    assert.is(said, 0);
  });
});

guarded('a client that sends nothing more still gets its answers', async ({ client, messages, until, isEnded }) => {
  client.end(`${chunked(rpc(1, GET_NAME)) + chunked(rpc(2, GET_ALL))}\n#100\n<rpc`);
  const [first, second = ''] = await messages(2);
  assert.is(first, reply(1, NAME_DATA));
  assert.match(second, '192.0.2.0/32');
  await until(isEnded);
});

guarded(
  'a large answer comes in chunks of at most 64 KiB, each of whole characters',
  async ({ client, messages, received }) => {
    client.write(chunked(rpc(1, GET_ALL)));
    const [whole = ''] = await messages(1);
    assert.is([...whole.matchAll(/<binding>/g)].length, 4000);
    assert.match(whole, /^<rpc-reply [^>]*><data xmlns="[^"]*"><softwire .*<\/softwire><\/data><\/rpc-reply>$/s);
    const octets = received();
    let chunks = 0;
    for (let at = 0; octets.toString('latin1', at, at + 4) !== '\n##\n'; chunks++) {
      const header = /^\n#(\d+)\n/.exec(octets.toString('latin1', at, at + 12));
      const size = Number(header?.[1]);
      assert.ok(size > 0 && size <= 64 * 1024);
      at += header?.[0].length ?? 0;
      new TextDecoder('utf-8', { fatal: true }).decode(octets.subarray(at, at + size));
      at += size;
    }
    assert.ok(chunks > 10, `${chunks} chunks`);
  },
  { bindings: 4000 },
);

guarded(
  'a client that does not read is dropped, and what was read for it closed',
  async ({ client, until, openReadings, isEnded, events }) => {
    client.write(chunked(rpc(1, GET_ALL)));
    await until(() => openReadings() === 1);
    await until(isEnded);
    assert.is(events.at(-1), 'end 7');
  },
  // Long enough for the reading to be seen open.
  { bindings: 4000, silent: true, limits: { unreadMs: 2_000 } },
);

guarded(
  'a client that goes away in the middle of an answer leaves nothing open',
  async ({ client, until, openReadings, guard, events }) => {
    client.write(chunked(rpc(1, GET_ALL)));
    await until(() => openReadings() === 1);
    guard.end();
    await until(() => openReadings() === 0);
    client.destroy();
    assert.equal(events, ['open 7', 'end 7']);
  },
  { bindings: 4000, silent: true },
);

guarded(
  'a session that ends while its reading is opened closes it',
  async ({ client, until, operations, guard, openReadings }) => {
    const read = operations.read;
    let isAsked = false;
    let isOpened = false;
    let go: () => void = () => undefined;
    const gate = new Promise<void>((resolve) => {
      go = resolve;
    });
    operations.read = async (...wanted) => {
      isAsked = true;
      await gate;
      const reading = await read(...wanted);
      isOpened = true;
      return reading;
    };
    client.write(chunked(rpc(1, GET_ALL)));
    await until(() => isAsked);
    guard.end();
    go();
    await until(() => isOpened);
    await until(() => openReadings() === 0);
  },
);

guarded(
  'reading stops while too much waits',
  async ({ client, operations, until, messages }) => {
    const read = operations.read;
    let go: () => void = () => undefined;
    const gate = new Promise<void>((resolve) => {
      go = resolve;
    });
    operations.read = async (...wanted) => {
      await gate;
      return read(...wanted);
    };
    for (let id = 0; id < 400; id++) client.write(chunked(rpc(id, GET_NAME)));
    await until(() => client.writableLength > 0);
    await new Promise((resolve) => setTimeout(resolve, 30));
    assert.ok(client.writableLength > 10_000, `${client.writableLength} octets wait at the client`);
    go();
    assert.is((await messages(400)).length, 400);
  },
  { limits: { waiting: 4 } },
);

test.run();
