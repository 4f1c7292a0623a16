// needs: addon
/** Route sources that are known by a client certificate: whose it must be, and the gateway's client that shows it. */

import { connect } from 'node:tls';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { AftrClient, TargetRefusal } from '../../../src/mgmt/routes/aftr-client.ts';
import { shaCrypt } from '../../../src/sha-crypt.ts';
import type { Target } from '../../../src/state/model.generated.ts';
import type { Issued, IssueOptions } from '../../helpers/certificates.ts';
import { Certificates, certificateMap, fingerprintOf, mapEntry } from '../../helpers/certificates.ts';
import { edit } from '../../helpers/netconf-requests.ts';
import { ADMIN } from '../../helpers/restconf.ts';
import type { ProgramBox } from '../../helpers/restconf-program.ts';
import { startProgram } from '../../helpers/restconf-program.ts';

const test = suite('route sources with certificates');

const certificates = new Certificates();
process.once('exit', () => certificates.remove());
const root = certificates.authority('/CN=root');
const stranger = certificates.authority('/CN=stranger');
const issue = (options: IssueOptions) => certificates.issue({ issuer: root, ...options });
const own = issue({ subject: '/CN=gateway one' });
const other = issue({ subject: '/CN=gateway two' });
const nobody = issue({ subject: '/CN=gateway one' });
const admin = issue({ subject: '/CN=admin' });
const expired = issue({ subject: '/CN=gateway three', days: -1 });
const untrusted = certificates.issue({ subject: '/CN=gateway four', issuer: stranger });
const forServers = issue({ subject: '/CN=gateway five', extensions: ['extendedKeyUsage=serverAuth'] });
const selfSigned = certificates.issue({ subject: '/CN=gateway six' });
const ca = Buffer.concat([root.cert, selfSigned.cert]);
const program = await startProgram([], { 'client-ca.crt': ca });

const OPERATION = '/restconf/operations/gi-4over6:advertise-routes';
const AFTR = '/restconf/data/gi-4over6:softwire/aftr=a';
const PASSWORD = 'g0:g0-password';

const gatewayOf = (number: number) => `2001:db8:a::${number}`;
/** As certificate-fingerprint has it. */
const sha256 = (issued: Issued) => issued.x509.fingerprint256;

function source(number: number, identity: Readonly<Record<string, unknown>>) {
  const allowed = ['192.0.2.0/24'];
  return { name: `g${number}`, 'gateway-ipv6-address': gatewayOf(number), ...identity, 'allowed-prefix': allowed };
}

const byCertificate = [own, other, expired, untrusted, forServers, selfSigned].map((issued, index) =>
  source(index + 1, { 'certificate-fingerprint': sha256(issued) }),
);
const byPassword = source(9, { password: shaCrypt('g0-password', '$6$rounds=1000$salt') });
const SOURCES = {
  'gi-4over6:softwire': { aftr: [{ name: 'a', 'route-source': [...byCertificate, { ...byPassword, name: 'g0' }] }] },
};

const run = (body: (box: ProgramBox) => Promise<void>) =>
  program.run(async (box) => {
    await box.merge(SOURCES);
    await box.done(edit(certificateMap(mapEntry(1, fingerprintOf(admin), 'common-name'))));
    await body(box);
  });

const shown = ({ certFile, keyFile }: Issued) => ['--cert', certFile, '--key', keyFile];

/** Asks for a session. */
async function open(box: ProgramBox, number: number, certificate?: Issued, user = '') {
  const body = JSON.stringify({ 'gi-4over6:input': { 'gateway-ipv6-address': gatewayOf(number), open: [null] } });
  return box.curl(OPERATION, { method: 'POST', body, user, more: certificate ? shown(certificate) : [] });
}

for (const [what, number, certificate] of [
  ['of a trusted authority', 1, own],
  ['that signs itself and is trusted', 6, selfSigned],
] as const) {
  test(`the fingerprint of a certificate ${what} is the route source, which is no user`, () =>
    run(async (box) => {
      const reply = await open(box, number, certificate);
      assert.is(reply.status, 200, reply.body);
      for (const user of ['', ADMIN]) {
        const elsewhere = await box.curl(AFTR, { user, more: shown(certificate) });
        assert.is(elsewhere.status, 401);
        assert.match(elsewhere.body, 'the client certificate names no user');
      }
    }));
}

for (const [what, number, certificate, status, problem] of [
  ['none', 1, undefined, 401, /expected user and password/],
  ['one with the same name', 1, nobody, 401, /is that of no route source/],
  ['that of another route source', 1, other, 403, /advertises for tunnel address 2001:db8:a::2/],
  ['one that has expired', 3, expired, 401, /not of a trusted authority, or not valid now/],
  ['one of an authority that is not trusted', 4, untrusted, 401, /not of a trusted authority, or not valid now/],
  ['one for servers', 5, forServers, 401, /not of a trusted authority, or not valid now/],
  ['that of a user', 1, admin, 403, /user admin is no route source/],
] as const) {
  test(`another certificate gets nowhere: ${what}`, () =>
    run(async (box) => {
      const reply = await open(box, number, certificate);
      assert.is(reply.status, status, reply.body);
      assert.match(reply.body, problem);
      assert.is(reply.tag, 'access-denied');
      const { body } = await box.curl(`${AFTR}?content=nonconfig`);
      assert.not.match(body, '"established"');
    }));
}

test('a password does not make up for a certificate, nor is there one for who has a certificate', () =>
  run(async (box) => {
    assert.is((await open(box, 9, undefined, PASSWORD)).status, 200);
    assert.is((await open(box, 9, nobody, PASSWORD)).status, 401);
    assert.is((await open(box, 9, own, PASSWORD)).status, 403);
    assert.is((await open(box, 1, own, ADMIN)).status, 200, 'a certificate decides, whatever name comes with it');
    assert.is((await open(box, 1, undefined, 'g1:')).status, 401);
    assert.is((await open(box, 1, undefined, 'g1:undefined')).status, 401);
  }));

test('a fingerprint that is changed holds for the next request', () =>
  run(async (box) => {
    assert.is((await open(box, 1, nobody)).status, 401);
    const changed = source(1, { 'certificate-fingerprint': sha256(nobody).toLowerCase() });
    await box.merge({ 'gi-4over6:softwire': { aftr: [{ name: 'a', 'route-source': [changed] }] } });
    assert.is((await open(box, 1, nobody)).status, 200);
    assert.is((await open(box, 1, own)).status, 401);
  }));

test('two route sources with one certificate are refused', () =>
  run(async (box) => {
    const twin = source(8, { 'certificate-fingerprint': sha256(own).toLowerCase() });
    const body = JSON.stringify({ 'gi-4over6:aftr': [{ name: 'a', 'route-source': [twin] }] });
    const reply = await box.curl(AFTR, { method: 'PATCH', body });
    assert.match(reply.body, 'that is the certificate of route source g1 already');
    assert.match(reply.body, 'duplicate-route-source');
  }));

const target = ({ url }: ProgramBox, more: Readonly<Record<string, string>> = {}): Target => ({
  name: 'edge',
  url: `${url}/restconf`,
  clientName: undefined,
  password: undefined,
  clientCertificate: 'device',
  serverCertificateFingerprint: undefined,
  ...more,
});

/** What the gateway's client has of it: the hold time, or what it says. */
async function ask(box: ProgramBox, { key, cert }: Issued, more: Readonly<Record<string, string>>): Promise<string> {
  const client = new AftrClient(target(box, more), { key, cert });
  try {
    const answer = await client.send({ 'gateway-ipv6-address': gatewayOf(1), open: [null] });
    return `hold time ${answer['hold-time']}`;
  } catch (error) {
    if (!(error instanceof Error)) throw error;
    return `${error instanceof TargetRefusal}: ${error.message}`;
  } finally {
    client.close();
  }
}

test("the gateway's client shows its certificate to the AFTR that it expects, and to no other", () =>
  run(async (box) => {
    const expected = { serverCertificateFingerprint: await serverFingerprint(box) };
    assert.is(await ask(box, own, expected), 'hold time 90');
    assert.match(
      await ask(box, nobody, expected),
      'true: the AFTR refused: the client certificate is that of no route',
    );
    const wrong = { serverCertificateFingerprint: Array(32).fill('00').join(':') };
    assert.match(await ask(box, own, wrong), 'false: the AFTR has another certificate');
    // Nor is an AFTR believed whose certificate no authority of the system has signed.
    assert.match(await ask(box, own, {}), /^false: .*(self-signed|unable to verify)/);
  }));

async function serverFingerprint({ port }: ProgramBox): Promise<string> {
  const socket = connect({ host: '127.0.0.1', port, rejectUnauthorized: false });
  await new Promise((resolve) => socket.once('secureConnect', resolve));
  const { fingerprint256 } = socket.getPeerCertificate();
  socket.destroy();
  return fingerprint256;
}

test('stop', async () => assert.is(await program.stop(), 0));

test.run();
