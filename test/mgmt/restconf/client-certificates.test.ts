// needs: addon
/** R67: client certificates over HTTPS (RFC 8040 §2.5), by the map that NETCONF over TLS has too; curl is the client. */

import { once } from 'node:events';
import { connect } from 'node:tls';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { Issued, IssueOptions } from '../../helpers/certificates.ts';
import { Certificates, certificateMap, fingerprintOf, mapEntry } from '../../helpers/certificates.ts';
import { RawClient } from '../../helpers/netconf-client.ts';
import { edit } from '../../helpers/netconf-requests.ts';
import { eventually } from '../../helpers/program.ts';
import { ADMIN, GUEST } from '../../helpers/restconf.ts';
import type { ProgramBox } from '../../helpers/restconf-program.ts';
import { startProgram } from '../../helpers/restconf-program.ts';

const test = suite('restconf: client certificates');

const certificates = new Certificates();
process.once('exit', () => certificates.remove());
const root = certificates.authority('/CN=root');
const stranger = certificates.authority('/CN=stranger');
const impostor = certificates.authority('/CN=root');
const issue = (options: IssueOptions) => certificates.issue({ issuer: root, ...options });
const admin = issue({ subject: '/CN=admin' });
const guest = issue({ extensions: ['subjectAltName=DNS:GUEST'] });
const nobody = issue({ subject: '/CN=mallory' });
const untrusted = certificates.issue({ subject: '/CN=admin', issuer: stranger });
const forged = certificates.issue({ subject: '/CN=admin', issuer: impostor });
const old = issue({ subject: '/CN=admin', days: -1 });
const program = await startProgram([], { 'client-ca.crt': root.cert });

const AFTR = '/restconf/data/gi-4over6:softwire/aftr=a';
const GATEWAY = '/restconf/data/gi-4over6:softwire/gateway=g';
const MAP = certificateMap(
  mapEntry(1, fingerprintOf(root), 'san-dns-name'),
  mapEntry(2, fingerprintOf(root), 'common-name'),
);
/** The log may come behind the answer. */
const LOG_MS = 60_000;
const VERSIONS = ['--http1.1', '--http2'] as const;

/** With the map in place. */
const run = (body: (box: ProgramBox) => Promise<void>) =>
  program.run(async (box) => {
    await box.done(edit(MAP));
    await body(box);
  });

const shown = ({ certFile, keyFile }: Issued, ...more: readonly string[]) => {
  return ['--cert', certFile, '--key', keyFile, ...more];
};

for (const version of VERSIONS) {
  test(`${version}: a certificate makes the user, with the rights of that user`, () =>
    run(async ({ curl, management }) => {
      const body = JSON.stringify({ 'gi-4over6:aftr': [{ name: 'a', 'ipv6-address': '2001:db8:b::2' }] });
      const patch = { method: 'PATCH', body, user: '' };
      assert.is((await curl(GATEWAY, { user: '', more: shown(admin, version) })).status, 200);
      assert.is((await curl(GATEWAY, { user: '', more: shown(guest, version) })).status, 404);
      assert.is((await curl(AFTR, { user: '', more: shown(guest, version) })).status, 200);
      const before = management.log().length;
      assert.is((await curl(AFTR, { ...patch, more: shown(guest, version) })).status, 403);
      assert.is((await curl(AFTR, { ...patch, more: shown(admin, version) })).status, 204);
      const lines = () => management.log().slice(before).split('\n');
      const committed = await eventually(LOG_MS, async () => lines().find((line) => line.includes('"committed"')));
      assert.match(committed, '"user":"admin"');
      assert.match(committed, '"face":"restconf"');
    }));

  test(`${version}: without a certificate there is basic authentication as ever`, () =>
    run(async ({ curl }) => {
      assert.is((await curl(GATEWAY, { user: ADMIN, more: [version] })).status, 200);
      assert.is((await curl(GATEWAY, { user: GUEST, more: [version] })).status, 404);
      for (const user of ['', 'admin:x', 'mallory:x']) {
        const reply = await curl(AFTR, { user, more: [version] });
        assert.is(reply.status, 401, user);
        assert.is(reply.tag, 'access-denied');
      }
    }));

  for (const [what, certificate] of [
    ['of an unknown authority', untrusted],
    ['that signs itself', certificates.issue({ subject: '/CN=admin' })],
    ['that has expired', old],
    ['for servers', issue({ subject: '/CN=admin', extensions: ['extendedKeyUsage=serverAuth'] })],
    ['that names no user', nobody],
  ] as const) {
    test(`${version}: 401 for a certificate ${what}, with a good password too`, () =>
      run(async ({ curl }) => {
        for (const user of ['', ADMIN]) {
          const reply = await curl(AFTR, { user, more: shown(certificate, version) });
          assert.is(reply.status, 401);
          assert.is(reply.tag, 'access-denied');
          assert.is(reply.headers['www-authenticate'], 'Basic realm="gi4over6", charset="UTF-8"');
        }
      }));
  }

  test(`${version}: a signature that is not that of the authority: no answer, or one that is none of RESTCONF`, () =>
    run(async ({ curl }) => {
      for (const user of ['', ADMIN]) {
        const { status } = await curl(AFTR, { user, more: shown(forged, version, '--stderr', '/dev/null') });
        // OpenSSL leaves the error of the signature behind, and Node ends the connection for it.
        assert.ok(Number.isNaN(status) || status === 400 || status === 401, `${status}`);
      }
      assert.is((await curl(AFTR, { user: '', more: shown(admin, version) })).status, 200);
    }));

  test(`${version}: a certificate decides, whatever password comes with it`, () =>
    run(async ({ curl }) => {
      assert.is((await curl(GATEWAY, { user: ADMIN, more: shown(guest, version) })).status, 404);
      assert.is((await curl(GATEWAY, { user: 'admin:wrong', more: shown(admin, version) })).status, 200);
    }));
}

test('the map as it is now holds for each request of a connection that is open', () =>
  run(async ({ port, done }) => {
    const options = { host: '127.0.0.1', port, rejectUnauthorized: false, ALPNProtocols: ['http/1.1'] };
    const socket = connect({ ...options, key: admin.key, cert: admin.cert });
    socket.setEncoding('latin1');
    await once(socket, 'secureConnect');
    const status = async () => {
      socket.write(`HEAD ${AFTR} HTTP/1.1\r\nHost: x\r\n\r\n`);
      const [text] = (await once(socket, 'data')) as [string];
      return /^HTTP\/1\.1 (\d+)/.exec(text)?.[1];
    };
    assert.is(await status(), '200');
    await done(edit(certificateMap()));
    assert.is(await status(), '401');
    await done(edit(MAP));
    assert.is(await status(), '200');
    socket.destroy();
  }));

for (const version of ['TLSv1.2', 'TLSv1.3'] as const) {
  test(`${version}: no session is resumed: each connection shows its certificate`, () =>
    run(async ({ port }) => {
      let session: Buffer | undefined;
      const statusWith = async (resumed?: Buffer) => {
        const options = { host: '127.0.0.1', port, rejectUnauthorized: false, ALPNProtocols: ['http/1.1'] };
        const { key, cert } = resumed ? {} : admin;
        const socket = connect({ ...options, key, cert, session: resumed, minVersion: version, maxVersion: version });
        socket.setEncoding('latin1');
        socket.on('session', (found: Buffer) => {
          session = found;
        });
        await once(socket, 'secureConnect');
        assert.not.ok(socket.isSessionReused());
        session ??= socket.getSession();
        socket.write(`HEAD ${AFTR} HTTP/1.1\r\nHost: x\r\n\r\n`);
        const [text] = (await once(socket, 'data')) as [string];
        socket.destroy();
        return /^HTTP\/1\.1 (\d+)/.exec(text)?.[1];
      };
      assert.is(await statusWith(), '200');
      assert.ok(session);
      assert.is(await statusWith(session), '401');
    }));
}

test('the same certificate is the same user over NETCONF', () =>
  run(async ({ management }) => {
    const { key, cert } = admin;
    const client = (await RawClient.tls(management.netconfTlsPort, { key, cert })).greet('1.1');
    assert.match(await client.rpc('<get-config><source><running/></source></get-config>'), '<name>g</name>');
    client.end();
    const { hello } = await RawClient.tls(management.netconfTlsPort, { key: nobody.key, cert: nobody.cert });
    assert.is(hello, '');
  }));

test('without authorities nobody is asked for a certificate, and one that comes makes nobody a user', async () => {
  const bare = await startProgram();
  await bare.run(async ({ curl, done }) => {
    await done(edit(MAP));
    assert.is((await curl(AFTR, { user: '', more: shown(admin) })).status, 401);
    assert.is((await curl(AFTR, { user: ADMIN, more: shown(admin) })).status, 200);
  });
  assert.is(await bare.stop(), 0);
});

test('stop', async () => assert.is(await program.stop(), 0));

test.run();
