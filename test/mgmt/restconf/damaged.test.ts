// needs: addon
/** R75: 500 of the running program, which a damaged row of its store gives, in the encoding of the client. */

import { spawnSync } from 'node:child_process';
import { closeSync, openSync, readFileSync, writeSync } from 'node:fs';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { formatIpv4 } from '../../../src/address.ts';
import { storeFile } from '../../../src/state/store-files.ts';
import { ADMIN, JSON_TYPE, XML_TYPE } from '../../helpers/restconf.ts';
import { startProgram } from '../../helpers/restconf-program.ts';

const test = suite('restconf: damaged');
const program = await startProgram();

const TABLE = '/restconf/data/gi-4over6:softwire/aftr=a/binding-table';
const ENTRY = `${TABLE}/binding=192.0.2.1%2F32`;
const WHY =
  'the store is damaged (the stored row of key c000020120 is damaged: its CRC does not fit): stop the program, then restore a backup with `gi4over6 restore`';

/** Flips a bit of each place in the file where these octets stand; LMDB has the file mapped and sees it at once. */
function flip(file: string, pattern: string): void {
  const octets = readFileSync(file);
  const wanted = Buffer.from(pattern, 'hex');
  const descriptor = openSync(file, 'r+');
  for (let at = octets.indexOf(wanted); at >= 0; at = octets.indexOf(wanted, at + 1)) {
    writeSync(descriptor, Buffer.of((octets[at] ?? 0) ^ 1), 0, 1, at);
  }
  closeSync(descriptor);
}

test('R75: 500 is JSON for a client of JSON and XML for one of XML; what is whole is answered', () =>
  program.run(async ({ curl, addBindings, management }) => {
    await addBindings([{ 'ipv4-prefix': '192.0.2.1/32', 'gateway-ipv6-address': '2001:db8:dead::1' }]);
    await addBindings([{ 'ipv4-prefix': '192.0.2.2/32', 'gateway-ipv6-address': '2001:db8:a::2' }]);
    flip(storeFile(management.stateDir), '20010db8dead00000000000000000001');
    for (const path of [ENTRY, `${ENTRY}?with-defaults=explicit`, TABLE]) {
      for (const version of ['--http1.1', '--http2']) {
        const json = await curl(path, { headers: [`Accept: ${JSON_TYPE}`], more: [version] });
        assert.equal([json.status, json.headers['content-type']], [500, JSON_TYPE], path);
        assert.equal(JSON.parse(json.body), {
          'ietf-restconf:errors': {
            error: [{ 'error-type': 'application', 'error-tag': 'operation-failed', 'error-message': WHY }],
          },
        });
        const xml = await curl(path, { headers: [`Accept: ${XML_TYPE}`], more: [version] });
        assert.equal([xml.status, xml.headers['content-type']], [500, XML_TYPE], path);
        assert.match(xml.body, /^<errors xmlns="[^"]+"><error>.*<error-tag>operation-failed<\/error-tag>.*<\/errors>$/);
      }
    }
    assert.is((await curl(`${TABLE}/binding=192.0.2.2%2F32`)).status, 200);
  }));

test('R75: an answer that has begun and cannot be ended is broken off: it does not look whole over either HTTP', async () => {
  const other = await startProgram();
  const ended: (readonly [version: string, status: number | null, expected: number])[] = [];
  await other.run(async ({ curl, merge, management, url }) => {
    const aftr = { name: 'big', enabled: false, 'ipv6-address': '2001:db8:b::9', 'ipv4-pool': ['10.0.0.0/8'] };
    await merge({ 'gi-4over6:softwire': { aftr: [aftr] } });
    const binding = Array.from({ length: 30_000 }, (_, index) => ({
      'ipv4-prefix': `${formatIpv4(0x0a_00_00_00 + index)}/32`,
      'gateway-ipv6-address': index === 29_000 ? '2001:db8:dead::2' : '2001:db8:a::1',
    }));
    const table = '/restconf/data/gi-4over6:softwire/aftr=big/binding-table';
    const body = JSON.stringify({ 'gi-4over6:binding-table': { binding } });
    assert.ok([201, 204].includes((await curl(table, { method: 'PUT', body })).status));
    flip(storeFile(management.stateDir), '20010db8dead00000000000000000002');
    // Of curl: a stream that ended with an error, and an answer that ended early.
    for (const [version, code] of [
      ['--http2', 92],
      ['--http1.1', 18],
    ] as const) {
      const words = ['-sSk', '--max-time', '60', '-o', '/dev/null', '-u', ADMIN, version, url + table];
      ended.push([version, spawnSync('curl', words).status, code]);
    }
  });
  assert.is(await other.stop(), 0);
  for (const [version, status, expected] of ended) assert.is(status, expected, version);
  assert.is(ended.length, 2);
});

test('the program ends cleanly', async () => {
  assert.is(await program.stop(), 0);
});

test.run();
