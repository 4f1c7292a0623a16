// needs: addon
import { connect, type Socket } from 'node:net';
import ssh2 from 'ssh2';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { startManagement } from '../../helpers/management.ts';
import { NC, outcome, RawClient } from '../../helpers/netconf-client.ts';
import { AFTR, edit, GI, getConfig, lock, table } from '../../helpers/netconf-requests.ts';

const test = suite('what hostile clients send');

// Well below what `closes` waits: a hello in UTF-16 has no end that anybody sees.
const management = await startManagement(['--netconf-limit', 'hello-ms=10000']);
const probe = (await RawClient.local(management.socket)).greet('1.1');
assert.is(outcome(await probe.rpc(edit(AFTR))), 'ok');
const configuration = await probe.rpc(getConfig());

let connection: ssh2.Client | undefined;

/** One connection for all channels, as long as it lives: what ends a session leaves it. */
async function sharedConnection(): Promise<ssh2.Client> {
  if (connection) return connection;
  const made = new ssh2.Client();
  await new Promise<void>((resolve, reject) => {
    made.once('ready', resolve).on('error', reject);
    const { netconfPort: port, password } = management;
    made.connect({ host: '127.0.0.1', port, username: 'admin', password });
  });
  made.on('close', () => {
    connection = undefined;
  });
  connection = made;
  return made;
}

const TRANSPORTS = {
  'the local socket': () => RawClient.local(management.socket),
  SSH: async () => RawClient.over(await sharedConnection()),
} as const;

/** A session that was there before is answered, and so is a new one; nothing has changed. */
async function othersGoOn(): Promise<void> {
  assert.is(await probe.rpc(getConfig()), configuration);
  const client = (await RawClient.local(management.socket)).greet('1.1');
  assert.is(await client.rpc(getConfig()), configuration);
  client.end();
}

type Transport = keyof typeof TRANSPORTS;
const BOTH: readonly Transport[] = ['the local socket', 'SSH'];
/** For what is so long that enciphering it takes most of the time. */
const LOCAL: readonly Transport[] = ['the local socket'];

/** One test over each transport, with a client that has the server's hello and has sent nothing. */
function hostile(name: string, body: (client: RawClient) => Promise<void>, transports = BOTH): void {
  for (const transport of transports) {
    const open = TRANSPORTS[transport];
    test(`${name}, over ${transport}`, async () => {
      const client = await open();
      try {
        await body(client);
        await othersGoOn();
      } finally {
        client.end();
      }
    });
  }
}

const BASE_11 = 'urn:ietf:params:netconf:base:1.1';
const capability = (text: string) => `<capability>${text}</capability>`;
const hello = (capabilities: string, more = '') =>
  `<hello ${NC}><capabilities>${capabilities}</capabilities>${more}</hello>`;
const GOOD = hello(capability(BASE_11));
const request = (operation: string, id = '1') => `<rpc ${NC} message-id="${id}">${operation}</rpc>`;

// [row and what is wrong, what the client sends]: the session ends, and has never begun.
const hellos: readonly (readonly [string, string | Buffer])[] = [
  ['N02: a session-id', `${hello(capability(BASE_11), '<session-id>4</session-id>')}]]>]]>`],
  ['N03: no common version', `${hello(capability('urn:ietf:params:netconf:base:9.9'))}]]>]]>`],
  ['N03: no capability', `${hello('')}]]>]]>`],
  ['N04: no capabilities', `<hello ${NC}/>]]>]]>`],
  ['N04: another root', `<goodbye ${NC}><capabilities>${capability(BASE_11)}</capabilities></goodbye>]]>]]>`],
  ['N04: another namespace', `${GOOD.replace(NC, 'xmlns="urn:x"')}]]>]]>`],
  ['N04: a root of our own model', `<softwire ${GI}/>]]>]]>`],
  ['N04: no XML', 'garbage]]>]]>'],
  ['N04: a request', `${request(getConfig())}]]>]]>`],
  ['N05: a prefix of a capability', `${hello(capability('urn:ietf'))}]]>]]>`],
  ['N05: a capability and more', `${hello(capability(`${BASE_11}1`))}]]>]]>`],
  ['in chunks', `\n#${GOOD.length}\n${GOOD}\n##\n]]>]]>`],
  ['with a document type', `<!DOCTYPE hello [<!ENTITY v "${BASE_11}">]>${hello(capability('&v;'))}]]>]]>`],
  ['with NUL', `${GOOD.replace('base', 'b\u0000ase')}]]>]]>`],
  ['of no UTF-8', Buffer.concat([Buffer.from('<hello>'), Buffer.from([0xc3, 0x28]), Buffer.from(']]>]]>')])],
  ['of UTF-16', Buffer.from(`\ufeff${GOOD}]]>]]>`, 'utf16le').subarray(0, -1)],
  ['500 deep', `${hello(capability(BASE_11), '<a>'.repeat(500) + '</a>'.repeat(500))}]]>]]>`],
  ['of 10 MB, with an end', `${hello(capability(BASE_11), `<a>${'x'.repeat(10_000_000)}</a>`)}]]>]]>`],
  ['of 10 MB without an end', ' '.repeat(10_000_000)],
  ['with a million capabilities', `${hello(capability('urn:x').repeat(1_000_000) + capability(BASE_11))}]]>]]>`],
];
for (const [why, octets] of hellos) {
  hostile(`hello ${why}: the session ends`, async (client) => {
    client.write(octets);
    assert.ok(await client.closes());
    assert.is(await client.receive(), '');
  });
}

hostile('N06: white space around a capability is none of it', async (client) => {
  client.write(`${hello(`<capability> \r\n\t${BASE_11}\n </capability>`)}]]>]]>`);
  client.speak('chunked');
  assert.is(outcome(await client.rpc(getConfig())), 'data');
});

// [what the client sends after a hello of base:1.1]: the session ends.
const frames: readonly (readonly [string, string])[] = [
  ['N09: end-of-message', `${request(getConfig())}]]>]]>`],
  ['N09: end-of-message behind a chunk', '\n#3\nabc]]>]]>'],
  ['N10: size 0', '\n#0\n'],
  ['N10: size -1', '\n#-1\n'],
  ['N10: size +5', '\n#+5\nabcde'],
  ['N10: size 00012', '\n#00012\nabcdefghijkl'],
  ['N10: 11 digits', '\n#12345678901\n'],
  ['N10: 2^32', '\n#4294967296\n'],
  ['N10: 2^64 - 1', '\n#18446744073709551615\n'],
  ['N10: 2^32 - 1, which is above our limit', '\n#4294967295\n'],
  ['N10: a size of a million digits', `\n#${'1'.repeat(1_000_000)}`],
  ['N10: 0x5', '\n#0x5\nabcde'],
  ['N10: no size', '\n#\nabc'],
  ['N10: a space before the size', '\n# 3\nabc'],
  ['N10: a space behind the size', '\n#3 \nabc'],
  ['no line feed behind the size', '\n#3abc'],
  ['no line feed before the chunk', '#3\nabc'],
  ['no line feed before the second chunk', '\n#3\nabc#3\nabc'],
  ['CR LF before the chunk', '\r\n#3\nabc'],
  ['CR LF behind the size', '\n#3\r\nabc'],
  ['CR LF everywhere', '\r\n#3\r\nabc\r\n##\r\n'],
  ['a lone end of chunks', '\n##\n'],
  ['two ends of chunks', '\n#3\nabc\n##\n\n##\n'],
  ['an end of chunks without its line feed', '\n#3\nabc\n##x'],
  ['three marks', '\n#3\nabc\n###'],
  ['NUL', '\u0000\n#3\nabc'],
  ['NUL in a size', '\n#\u00003\nabc'],
  ['NUL for the line feed', '\n#3\u0000abc'],
  ['N02: the same hello again', `${GOOD}]]>]]>`],
];
for (const [why, octets] of frames) {
  hostile(`framing ${why}: the session ends`, async (client) => {
    client.greet('1.1').write(octets);
    assert.ok(await client.closes());
  });
}

// [row and what, the message, error-type and error-tag]: answered, and the session goes on.
const CONTENT = 'rpc malformed-message';
const tooDeep = '<a>'.repeat(500) + '</a>'.repeat(500);
const unknown = Array.from({ length: 100_000 }, (_, at) => `<x${at}/>`).join('');
const attributes = Array.from({ length: 1_000_000 }, (_, at) => ` a${at}=""`).join('');
const messages: readonly (readonly [string, string | Buffer, string])[] = [
  ['N15: XML that ends too early', `<rpc ${NC} message-id="1"><get>`, CONTENT],
  ['N15: a wrong end tag', `<rpc ${NC} message-id="1"><get></rpc>`, CONTENT],
  ['N15: two roots', request('<commit/>').repeat(2), CONTENT],
  ['N15: text and no element', 'hello', CONTENT],
  ['N15: white space alone', ' \n', CONTENT],
  ['N15: an undeclared prefix', request('<x:get/>'), CONTENT],
  ['N15: the same attribute twice', request('<get a="1" a="2"/>'), CONTENT],
  [
    'N15: the same attribute twice by two prefixes',
    request('<get xmlns:a="urn:a" xmlns:b="urn:a" a:c="1" b:c="2"/>'),
    CONTENT,
  ],
  ['N15: the same declaration twice', request('<get xmlns:a="urn:a" xmlns:a="urn:b"/>'), CONTENT],
  ['N15: NUL', request('<get>\u0000</get>'), CONTENT],
  ['N15: a reference to NUL', request('<get>&#0;</get>'), CONTENT],
  ['N15: a reference to a character of XML 1.1', `<?xml version="1.1"?>${request('<get>&#1;</get>')}`, CONTENT],
  ['N15: an unknown entity', request('<get>&x;</get>'), CONTENT],
  ['N15: half a surrogate', request('<get>&#xD800;</get>'), CONTENT],
  ['N15: octets of no UTF-8', Buffer.from(request('<get>\u00e9</get>'), 'latin1'), CONTENT],
  ['N15: UTF-8 longer than it must be', Buffer.from(request('<get>\u00c1\u0081</get>'), 'latin1'), CONTENT],
  ['N15: UTF-8 that is cut', Buffer.from(`${request('<get/>')}\u00e2\u0082`, 'latin1'), CONTENT],
  ['N15: UTF-16', Buffer.from(`\ufeff${request('<get/>')}`, 'utf16le'), CONTENT],
  [
    'N15: a declaration of another encoding',
    `<?xml version="1.0" encoding="ISO-8859-1"?>${request('<get/>')}`,
    CONTENT,
  ],
  ['N16: a document type', `<!DOCTYPE rpc>${request('<get/>')}`, CONTENT],
  [
    'N16: entities of entities',
    `<!DOCTYPE rpc [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;&a;&a;">]>${request('<get>&b;</get>')}`,
    CONTENT,
  ],
  [
    'N16: an entity from a file',
    `<!DOCTYPE rpc [<!ENTITY a SYSTEM "file:///etc/passwd">]>${request('<get>&a;</get>')}`,
    CONTENT,
  ],
  ['N16: a processing instruction', request('<?x y?><get/>'), CONTENT],
  ['a second hello', GOOD, CONTENT],
  ['a reply', `<rpc-reply ${NC} message-id="1"><ok/></rpc-reply>`, CONTENT],
  ['nesting of 500', request(`<get>${tooDeep}</get>`), 'rpc too-big'],
  ['nesting of 500 in a configuration', request(edit(tooDeep)), 'rpc too-big'],
  ['nesting of 500 in a filter', request(getConfig(`<filter>${tooDeep}</filter>`)), 'rpc too-big'],
  ['nesting of 500 without an end', request('<a>'.repeat(500)), 'rpc too-big'],
  ['a million attributes', request(`<get${attributes}/>`), 'rpc too-big'],
  [
    'a million declarations',
    request(`<get${attributes.replaceAll(' a', ' xmlns:a').replaceAll('""', '"x"')}/>`),
    'rpc too-big',
  ],
  ['100,000 unknown elements beside each other', request(unknown), 'protocol bad-element'],
  ['100,000 unknown parameters', request(`<commit>${unknown}</commit>`), 'protocol unknown-element'],
];
/** For an answer to much, on a machine with other work. */
const LONG_MS = 180_000;
const long = 'x'.repeat(64 * 1024 * 1024);
const longMessages: typeof messages = [
  ['64 MB of a name', request(`<${long}/>`), 'protocol operation-not-supported'],
  ['64 MB of a parameter', request(`<commit><persist-id>${long}</persist-id></commit>`), 'protocol too-big'],
  ['64 MB of a number', request(`<kill-session><session-id>${long}</session-id></kill-session>`), 'protocol too-big'],
  ['64 MB of a leaf', request(edit(AFTR.replace('192.0.2.0/24', long))), 'application invalid-value'],
  [
    '64 MB of a key',
    request(edit(`<softwire ${GI}><aftr><name>${long}</name></aftr></softwire>`)),
    'application invalid-value',
  ],
  [
    '64 MB of a description',
    request(
      edit(
        table(
          `<binding><ipv4-prefix>192.0.2.1/32</ipv4-prefix><gateway-ipv6-address>2001:db8::1</gateway-ipv6-address><description>${long}</description></binding>`,
        ),
      ),
    ),
    'application invalid-value',
  ],
  ['64 MB without an element', long, CONTENT],
];
for (const [why, message, expected] of [...messages, ...longMessages]) {
  const isLong = message.length > 1_000_000 && !why.endsWith('leaf');
  const body = async (client: RawClient) => {
    client.greet('1.1').send(message);
    const reply = await client.receive(LONG_MS);
    const [, type] = /<error-type>([^<]*)</.exec(reply) ?? [];
    assert.is(`${type} ${outcome(reply)}`, expected, reply.slice(0, 1000));
    assert.ok(reply.length < 4_000, `${reply.length} characters of reply`);
    assert.is(outcome(await client.rpc(getConfig())), 'data');
  };
  hostile(`${why}: ${expected}, and the session goes on`, body, isLong ? LOCAL : BOTH);
}

hostile('100,000 unknown elements in a configuration: errors, a bounded number of them', async (client) => {
  client.greet('1.1');
  const reply = await client.rpc(edit(unknown));
  assert.match(outcome(reply), /^unknown-[a-z]+( unknown-[a-z]+)*$/);
  assert.ok(reply.length < 100_000, `${reply.length} characters`);
  assert.is(outcome(await client.rpc(getConfig())), 'data');
});

hostile(
  '100,000 unknown elements, and 64 MB of text, in a filter select nothing',
  async (client) => {
    client.greet('1.1');
    for (const filter of [`<softwire ${GI}>${unknown}</softwire>`, `<softwire ${GI}><a>${long}</a></softwire>`]) {
      client.send(request(getConfig(`<filter type="subtree">${filter}</filter>`)));
      const reply = await client.receive(LONG_MS);
      assert.not.match(reply, '192.0.2.0/24');
      assert.match(outcome(reply), /^(data|unknown-element)$/);
    }
  },
  LOCAL,
);

const whole = request(getConfig(), '7');

hostile('N11: chunks of one octet, each octet of their headers alone', async (client) => {
  client.greet('1.1');
  for (const octet of whole) for (const part of `\n#1\n${octet}`) client.write(part);
  client.write('\n##\n');
  assert.match(await client.receive(), 'message-id="7"');
});

hostile('N11: headers split at every offset', async (client) => {
  client.greet('1.1');
  const first = whole.slice(0, 12);
  const octets = `\n#12\n${first}\n#${whole.length - 12}\n${whole.slice(12)}\n##\n`;
  const headers = [
    ...Array.from({ length: 24 }, (_, at) => at),
    octets.length - 3,
    octets.length - 2,
    octets.length - 1,
  ];
  for (const at of headers) {
    client.write(octets.slice(0, at));
    await new Promise((resolve) => setTimeout(resolve, 5));
    client.write(octets.slice(at));
    assert.match(await client.receive(), 'message-id="7"', `split at ${at}`);
  }
});

hostile('N08: the mark of base:1.0 split at every offset', async (client) => {
  client.greet('1.0');
  for (let at = 0; at <= 6; at++) {
    client.write(whole + ']]>]]>'.slice(0, at));
    await new Promise((resolve) => setTimeout(resolve, 5));
    client.write(']]>]]>'.slice(at));
    assert.match(await client.receive(), 'message-id="7"', `split at ${at}`);
  }
});

hostile('a stall, behind each octet of a header and in a chunk, holds up nobody', async (client) => {
  client.greet('1.1');
  for (const octets of ['\n', '#', `${whole.length}`, '\n', whole.slice(0, 9)]) {
    client.write(octets);
    await othersGoOn();
  }
  client.write(`${whole.slice(9)}\n##\n`);
  assert.match(await client.receive(), 'message-id="7"');
});

hostile('N12: requests behind a fault of framing are not carried out', async (client) => {
  client.greet('1.1').write(`\n#0\n\n#${request(lock('running')).length}\n${request(lock('running'))}\n##\n`);
  assert.ok(await client.closes());
  assert.is(outcome(await probe.rpc(lock('running'))), 'ok');
  assert.is(outcome(await probe.rpc(lock('running', 'unlock'))), 'ok');
});

test('a client that sends requests and never reads: its requests wait with it, the others go on', async () => {
  const socket = connect(management.socket);
  socket.on('error', () => undefined).pause();
  const octets = Buffer.from(`${GOOD}]]>]]>${`\n#${whole.length}\n${whole}\n##\n`.repeat(200)}`);
  const sent = await writeUntilFull(socket, octets);
  assert.ok(sent < 64 * 1024 * 1024, `the server took ${sent} octets`);
  await othersGoOn();
  socket.destroy();
  await othersGoOn();
});

/** Writes until nothing has been taken for a second; how many octets were. */
async function writeUntilFull(socket: Socket, octets: Buffer): Promise<number> {
  for (;;) {
    if (socket.write(octets)) continue;
    const isTaken = await new Promise<boolean>((resolve) => {
      const timer = setTimeout(() => resolve(false), 1_000);
      socket.once('drain', () => {
        clearTimeout(timer);
        resolve(true);
      });
    });
    if (!isTaken) return socket.bytesWritten - socket.writableLength;
    if (socket.bytesWritten > 256 * 1024 * 1024) return socket.bytesWritten;
  }
}

test('nothing of it was a mistake of the program, and it ends as it should', async () => {
  await othersGoOn();
  probe.end();
  connection?.end();
  const own = management
    .log()
    .split('\n')
    .filter((line) => /"level":[56]0/.test(line));
  assert.equal(own, []);
  assert.is(await management.stop(), 0);
});

test.run();
