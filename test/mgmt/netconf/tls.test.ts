// needs: addon
/** N114: NETCONF over TLS (RFC 7589) with client certificates and their map to users (RFC 7407). */

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { connect as connectPlain } from 'node:net';
import type { ConnectionOptions } from 'node:tls';
import { connect } from 'node:tls';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { Issued, IssueOptions } from '../../helpers/certificates.ts';
import { Certificates, certificateMap, fingerprintOf, mapEntry } from '../../helpers/certificates.ts';
import { startManagement } from '../../helpers/management.ts';
import { outcome, RawClient } from '../../helpers/netconf-client.ts';
import { AFTR, edit, getConfig, nacm, noUser, systemUser } from '../../helpers/netconf-requests.ts';
import { eventually } from '../../helpers/program.ts';
import { NOT_AEAD } from '../../helpers/tls-suites.ts';

const test = suite('NETCONF over TLS');

const WAIT_MS = 60_000;
const certificates = new Certificates();
process.once('exit', () => certificates.remove());
const root = certificates.authority('/CN=root');
const second = certificates.authority('/CN=second');
const stranger = certificates.authority('/CN=root');
const between = certificates.authority('/CN=between', root);
const deep = certificates.authority('/CN=deep', between);
const issue = (options: IssueOptions) => certificates.issue({ issuer: root, ...options });
const san = (text: string) => [`subjectAltName=${text}`];
const admin = issue({ subject: '/CN=admin' });
const management = await startManagement(['--netconf-limit', 'login-ms=1500'], undefined, {
  'client-ca.crt': Buffer.concat([root.cert, second.cert]),
});
const port = management.netconfTlsPort;

const shown = ({ key, cert }: Issued, ...chain: readonly Issued[]): ConnectionOptions => {
  return { key, cert: Buffer.concat([cert, ...chain.map((each) => each.cert)]) };
};

async function asRoot<Result>(body: (client: RawClient) => Promise<Result>): Promise<Result> {
  const client = (await RawClient.local(management.socket)).greet('1.1');
  try {
    return await body(client);
  } finally {
    client.end();
  }
}

/** Replaces the map. */
const map = (...entries: readonly string[]) =>
  asRoot(async (client) => assert.is(outcome(await client.rpc(edit(certificateMap(...entries)))), 'ok'));

/** The user of a session, as monitoring has it; undefined when there is no session. */
async function userOf(options: ConnectionOptions): Promise<string | undefined> {
  const client = await RawClient.tls(port, options).catch(() => undefined);
  const [, id] = /<session-id>(\d+)</.exec(client?.hello ?? '') ?? [];
  if (!client || id === undefined) return undefined;
  client.greet('1.1');
  await client.rpc('<get-nothing/>');
  const filter = `<filter><netconf-state xmlns="urn:ietf:params:xml:ns:yang:ietf-netconf-monitoring"><sessions><session><session-id>${id}</session-id></session></sessions></netconf-state></filter>`;
  const session = await asRoot((local) => local.rpc(`<get>${filter}</get>`));
  client.end();
  assert.match(session, /<transport[^>]*>(?:[^<:]*:)?netconf-tls<\/transport>/);
  assert.match(session, '<source-host>127.0.0.1</source-host>');
  return /<username>([^<]*)</.exec(session)?.[1];
}

/** Runs a body after which the log has a line with this text, and who it was. */
async function logged(text: string, body: () => Promise<unknown>): Promise<void> {
  const before = management.log().length;
  await body();
  const isThere = (line: string) => line.includes(text) && line.includes('"source":"127.0.0.1"');
  await eventually(WAIT_MS, async () => management.log().slice(before).split('\n').some(isThere) || undefined);
}

const USERS = ['olga', 'FooBar@example.com', 'router-1.example.com', '192.0.2.1', '20010db800000000000000000000000a'];
await asRoot(async (client) => {
  for (const user of USERS) assert.is(outcome(await client.rpc(edit(systemUser(user, '$0$word')))), 'ok');
});
const BY_ROOT = fingerprintOf(root);
const ADMIN_BY_NAME = mapEntry(1, BY_ROOT, 'common-name');

test('a session over TLS: edits, monitoring, the event of its start', async () => {
  await map(ADMIN_BY_NAME);
  const observer = (await RawClient.local(management.socket)).greet('1.1');
  await observer.rpc('<create-subscription xmlns="urn:ietf:params:xml:ns:netconf:notification:1.0"/>');
  for (const maxVersion of ['TLSv1.2', 'TLSv1.3'] as const) {
    const client = (await RawClient.tls(port, { ...shown(admin), maxVersion })).greet('1.1');
    assert.is(outcome(await client.rpc(edit(AFTR))), 'ok');
    assert.match(await client.rpc(getConfig()), '2001:db8:b::1');
    const [, id] = /<session-id>(\d+)</.exec(client.hello) ?? [];
    const started = `<username>admin</username><session-id>${id}</session-id><source-host>127.0.0.1</source-host>`;
    for (;;) {
      const event = await observer.receive();
      if (event.includes('netconf-session-start') && event.includes(started)) break;
    }
    assert.is(outcome(await client.rpc('<close-session/>')), 'ok');
    assert.ok(await client.closes());
  }
  observer.end();
  assert.is(await userOf(shown(admin)), 'admin');
});

const refused: readonly (readonly [what: string, options: ConnectionOptions, logs: string])[] = [
  ['no certificate', {}, 'PEER_DID_NOT_RETURN_A_CERTIFICATE'],
  ['one that signs itself', shown(certificates.issue({ subject: '/CN=admin' })), 'DEPTH_ZERO_SELF_SIGNED_CERT'],
  [
    'an authority of a trusted name',
    shown(issue({ subject: '/CN=admin', issuer: stranger })),
    'CERT_SIGNATURE_FAILURE',
  ],
  ['a chain with a gap', shown(issue({ subject: '/CN=admin', issuer: between })), 'UNABLE_TO_VERIFY_LEAF_SIGNATURE'],
  ['one that has expired', shown(issue({ subject: '/CN=admin', days: -1 })), 'CERT_HAS_EXPIRED'],
  [
    'one for servers',
    shown(issue({ subject: '/CN=admin', extensions: ['extendedKeyUsage=serverAuth'] })),
    'INVALID_PURPOSE',
  ],
  ['one signed by no authority', shown(issue({ subject: '/CN=olga', issuer: admin }), admin), 'INVALID_PURPOSE'],
  ['TLS 1.1', { ...shown(admin), ...older('TLSv1.1') }, 'ERR_SSL_UNSUPPORTED_PROTOCOL'],
  ['TLS 1.0', { ...shown(admin), ...older('TLSv1') }, 'ERR_SSL_UNSUPPORTED_PROTOCOL'],
  ...NOT_AEAD.map((ciphers) => {
    const options: ConnectionOptions = { ...shown(admin), maxVersion: 'TLSv1.2', ciphers };
    return [`TLS 1.2 with ${ciphers}`, options, 'ERR_SSL_NO_SHARED_CIPHER'] as const;
  }),
  ['a name that is no user', shown(issue({ subject: '/CN=mallory' })), 'names no user for it'],
  ['no name at all', shown(issue({ subject: '/O=o' })), 'names no user for it'],
  [
    'an authority that is not in the map',
    shown(issue({ subject: '/CN=admin', issuer: second })),
    'names no user for it',
  ],
];

function older(version: 'TLSv1' | 'TLSv1.1'): ConnectionOptions {
  return { minVersion: version, maxVersion: version, ciphers: 'DEFAULT@SECLEVEL=0' };
}

for (const [what, options, logs] of refused) {
  test(`refused: ${what}`, async () => {
    await map(ADMIN_BY_NAME);
    await logged(logs, async () => assert.is(await userOf(options), undefined));
    assert.is(await userOf(shown(admin)), 'admin', 'others come in');
  });
}

const mapped: readonly (readonly [
  what: string,
  options: ConnectionOptions,
  entries: readonly string[],
  user: string,
])[] = [
  ['specified', shown(issue({})), [mapEntry(1, BY_ROOT, 'specified', 'olga')], 'olga'],
  ['common-name', shown(issue({ subject: '/CN=olga' })), [mapEntry(1, BY_ROOT, 'common-name')], 'olga'],
  [
    'san-rfc822-name',
    shown(issue({ extensions: san('email:FooBar@Example.COM') })),
    [mapEntry(1, BY_ROOT, 'san-rfc822-name')],
    'FooBar@example.com',
  ],
  [
    'san-dns-name',
    shown(issue({ extensions: san('DNS:Router-1.Example.COM') })),
    [mapEntry(1, BY_ROOT, 'san-dns-name')],
    'router-1.example.com',
  ],
  [
    'san-ip-address of IPv4',
    shown(issue({ extensions: san('IP:192.0.2.1') })),
    [mapEntry(1, BY_ROOT, 'san-ip-address')],
    '192.0.2.1',
  ],
  [
    'san-ip-address of IPv6',
    shown(issue({ extensions: san('IP:2001:db8::a') })),
    [mapEntry(1, BY_ROOT, 'san-ip-address')],
    '20010db800000000000000000000000a',
  ],
  [
    'san-any: the first',
    shown(issue({ extensions: san('IP:192.0.2.1,DNS:Router-1.Example.COM') })),
    [mapEntry(1, BY_ROOT, 'san-any')],
    '192.0.2.1',
  ],
  [
    'the order of ids, not that of the edit or of the text',
    shown(issue({ subject: '/CN=olga' })),
    [
      mapEntry(10, BY_ROOT, 'specified', 'nobody'),
      mapEntry(9, BY_ROOT, 'common-name'),
      mapEntry(8, fingerprintOf(second), 'specified', 'admin'),
      mapEntry(7, BY_ROOT, 'san-any'),
    ],
    'olga',
  ],
  [
    'a fingerprint of the certificate itself, by SHA-512',
    shown(admin),
    [mapEntry(1, fingerprintOf(admin, 'sha512'), 'specified', 'olga'), mapEntry(2, BY_ROOT, 'common-name')],
    'olga',
  ],
  [
    'a chain that the client sends, of an authority two levels up',
    shown(issue({ subject: '/CN=olga', issuer: deep }), deep, between),
    [mapEntry(1, fingerprintOf(deep), 'specified', 'admin'), mapEntry(2, BY_ROOT, 'common-name')],
    'olga',
  ],
];
for (const [what, options, entries, user] of mapped) {
  test(`mapped: ${what}`, async () => {
    await map(...entries);
    assert.is(await userOf(options), user);
  });
}

test('one certificate is shut out by an entry of its own with a name that is no user', async () => {
  await map(mapEntry(1, fingerprintOf(admin), 'specified', 'shut out'), mapEntry(2, BY_ROOT, 'common-name'));
  await logged('names no user for it', async () => assert.is(await userOf(shown(admin)), undefined));
  assert.is(await userOf(shown(issue({ subject: '/CN=olga' }))), 'olga');
});

test('an edit of the map, and of the users, holds for the next connection', async () => {
  const olga = shown(issue({ subject: '/CN=olga' }));
  await map(ADMIN_BY_NAME);
  assert.is(await userOf(olga), 'olga');
  await map();
  assert.is(await userOf(olga), undefined);
  await map(ADMIN_BY_NAME);
  assert.is(await userOf(olga), 'olga');
  const NC_PREFIX = 'xmlns:nc="urn:ietf:params:xml:ns:netconf:base:1.0"';
  const gone = `<system xmlns="urn:ietf:params:xml:ns:yang:ietf-system"><authentication><user ${NC_PREFIX} nc:operation="delete"><name>olga</name></user></authentication></system>`;
  await asRoot(async (client) => assert.is(outcome(await client.rpc(edit(gone))), 'ok'));
  assert.is(await userOf(olga), undefined);
  await asRoot(async (client) => assert.is(outcome(await client.rpc(edit(systemUser('olga', '$0$word')))), 'ok'));
});

const faults: readonly (readonly [what: string, entry: string, tag: string])[] = [
  ['of SHA-256 cut short', mapEntry(1, BY_ROOT.slice(0, -3), 'common-name'), 'operation-failed'],
  ['of SHA-256 said to be SHA-1', mapEntry(1, BY_ROOT.replace(/^04/, '02'), 'common-name'), 'operation-failed'],
  ['of MD5', mapEntry(1, `01:${BY_ROOT.slice(3, 50)}`, 'common-name'), 'operation-failed'],
  ['that is none', mapEntry(1, 'abc', 'common-name'), 'invalid-value'],
];
for (const [what, entry, tag] of faults) {
  test(`a fingerprint ${what} is refused by the edit`, () =>
    asRoot(async (client) => assert.is(outcome(await client.rpc(edit(certificateMap(entry)))), tag)));
}

test('access control holds for the user of the certificate', async () => {
  await map(mapEntry(1, BY_ROOT, 'common-name'));
  const client = (await RawClient.tls(port, shown(issue({ subject: '/CN=olga' })))).greet('1.1');
  assert.is(outcome(await client.rpc(edit(AFTR))), 'access-denied');
  client.end();
});

test('who may write anything may not write whom a certificate means, nor whom the device calls', async () => {
  const permit = (write: string) =>
    edit(nacm(`<write-default>${write}</write-default><exec-default>permit</exec-default>`));
  await asRoot(async (client) => assert.is(outcome(await client.rpc(permit('permit'))), 'ok'));
  const client = (await RawClient.tls(port, shown(issue({ subject: '/CN=olga' })))).greet('1.1');
  const alarms =
    '<alarms xmlns="urn:ietf:params:xml:ns:yang:ietf-alarms"><control><notify-status-changes>raise-and-clear</notify-status-changes></control></alarms>';
  assert.is(outcome(await client.rpc(edit(alarms))), 'ok');
  assert.is(
    outcome(await client.rpc(edit(certificateMap(mapEntry(1, BY_ROOT, 'specified', 'admin'))))),
    'access-denied',
  );
  const home =
    '<netconf-client><name>x</name><endpoint><name>e</name><transport>ssh</transport><remote-address>::1</remote-address></endpoint></netconf-client>';
  const called = `<management xmlns="urn:gi-4over6:management"><call-home>${home}</call-home></management>`;
  assert.is(outcome(await client.rpc(edit(called))), 'access-denied');
  client.end();
  const deny = permit('deny').replace('<exec-default>permit', '<exec-default>deny');
  await asRoot(async (local) => assert.is(outcome(await local.rpc(deny)), 'ok'));
});

test('a session is not resumed: each connection shows its certificate', async () => {
  await map(ADMIN_BY_NAME);
  for (const maxVersion of ['TLSv1.2', 'TLSv1.3'] as const) {
    const options = { host: '127.0.0.1', port, rejectUnauthorized: false, maxVersion, ...shown(admin) };
    const first = connect(options);
    const sessions: Buffer[] = [];
    first.on('error', () => undefined).on('session', (session) => sessions.push(session));
    await once(first, 'data');
    first.destroy();
    for (const session of [...sessions, first.getSession()]) {
      if (!session) continue;
      const next = connect({ ...options, session });
      next.on('error', () => undefined);
      await once(next, 'secureConnect');
      assert.not(next.isSessionReused(), maxVersion);
      next.destroy();
    }
  }
});

test('a client that says it sends nothing more has its answers still', async () => {
  await map(ADMIN_BY_NAME);
  const socket = connect({ host: '127.0.0.1', port, rejectUnauthorized: false, ...shown(admin) });
  const pieces: string[] = [];
  socket.setEncoding('utf8').on('data', (piece: string) => pieces.push(piece));
  await once(socket, 'secureConnect');
  const hello =
    '<hello xmlns="urn:ietf:params:xml:ns:netconf:base:1.0"><capabilities><capability>urn:ietf:params:netconf:base:1.0</capability></capabilities></hello>]]>]]>';
  const rpc = `<rpc xmlns="urn:ietf:params:xml:ns:netconf:base:1.0" message-id="7">${getConfig()}</rpc>]]>]]>`;
  socket.end(hello + rpc);
  await once(socket, 'close');
  assert.match(pieces.join(''), /<rpc-reply[^>]* message-id="7"><data/);
});

test('openssl s_client as the client', async () => {
  await map(ADMIN_BY_NAME);
  const words = ['s_client', '-quiet', '-connect', `127.0.0.1:${port}`, '-cert', admin.certFile, '-key', admin.keyFile];
  const client = spawn('openssl', words, { stdio: ['pipe', 'pipe', 'ignore'] });
  let text = '';
  client.stdout.setEncoding('utf8').on('data', (piece: string) => {
    text += piece;
  });
  client.stdin.write(
    '<hello xmlns="urn:ietf:params:xml:ns:netconf:base:1.0"><capabilities><capability>urn:ietf:params:netconf:base:1.0</capability></capabilities></hello>]]>]]>',
  );
  client.stdin.write(
    `<rpc xmlns="urn:ietf:params:xml:ns:netconf:base:1.0" message-id="8"><close-session/></rpc>]]>]]>`,
  );
  await once(client, 'close');
  assert.match(text, /<rpc-reply[^>]* message-id="8"><ok\/><\/rpc-reply>/);
});

test('octets that are no TLS end their connection and no other', async () => {
  await map(ADMIN_BY_NAME);
  const client = (await RawClient.tls(port, shown(admin))).greet('1.1');
  for (const octets of ['SSH-2.0-x\r\n', 'GET / HTTP/1.1\r\n\r\n', '\x16\x03\x01\x40\x00'.padEnd(20_000, '\xff')]) {
    const socket = connectPlain(port, '127.0.0.1');
    socket.on('error', () => undefined).resume();
    socket.write(Buffer.from(octets, 'latin1'));
    await once(socket, 'close');
  }
  assert.is(outcome(await client.rpc(getConfig())), 'data');
  client.end();
});

test('without authorities there is no TLS port; with what is no certificate there is no start', async () => {
  const bare = await startManagement();
  assert.is(bare.netconfTlsPort, 0);
  assert.is(await bare.stop(), 0);
  const files = { 'client-ca.crt': Buffer.from('nothing') };
  let said = '';
  await startManagement([], undefined, files).catch((error: Error) => {
    said = error.message;
  });
  assert.match(said, /ended with code 78/);
  assert.match(said, /client-ca\.crt cannot be used .*it holds no certificate in PEM/);
});

test('a user who is deleted has no session any more', async () => {
  await map(ADMIN_BY_NAME);
  await asRoot(async (client) => assert.is(outcome(await client.rpc(edit(systemUser('gone', '$0$word')))), 'ok'));
  const gone = (await RawClient.tls(port, shown(issue({ subject: '/CN=gone' })))).greet('1.1');
  const stays = (await RawClient.tls(port, shown(admin))).greet('1.1');
  assert.is(outcome(await gone.rpc('<get-nothing/>')), 'operation-not-supported');
  await asRoot(async (client) => assert.is(outcome(await client.rpc(edit(noUser('gone')))), 'ok'));
  assert.ok(await gone.closes());
  assert.is(outcome(await stays.rpc(edit(AFTR))), 'ok');
  stays.end();
});

test('stop', async () => assert.is(await management.stop(), 0));

test.run();
