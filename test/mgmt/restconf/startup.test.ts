// needs: addon, root
/** Startup under RESTCONF edits (RFC 8040 §1.4), of the running program, with curl and the boot id of another boot. */

import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { outcome, RawClient } from '../../helpers/netconf-client.ts';
import { binding, copy, edit, getConfig, lock, table } from '../../helpers/netconf-requests.ts';
import type { ProgramBox } from '../../helpers/restconf-program.ts';
import { startProgram } from '../../helpers/restconf-program.ts';

const test = suite('restconf: startup');
const program = await startProgram(['--startup']);

const TABLE = '/restconf/data/gi-4over6:softwire/aftr=a/binding-table';
const B = { 'ipv4-prefix': '192.0.2.1/32', 'gateway-ipv6-address': '2001:db8:a::1' };
const B_URL = `${TABLE}/binding=192.0.2.1%2F32`;
const body = (more: Readonly<Record<string, unknown>> = {}) =>
  JSON.stringify({ 'gi-4over6:binding': [{ ...B, ...more }] });
const SOFTWIRE = '<filter><softwire xmlns="urn:gi-4over6"/></filter>';

/** The softwires of a datastore, as NETCONF shows them. */
async function softwires(netconf: RawClient, datastore: string): Promise<string> {
  const reply = await netconf.rpc(getConfig(SOFTWIRE, datastore));
  return /<data.*<\/data>/s.exec(reply)?.[0] ?? reply;
}

/** What NETCONF has changed of running and not saved. */
const unsaved = (box: ProgramBox) => box.done(edit(table(binding('192.0.2.9/32', '2001:db8:a::9'))));

const PATCH = {
  'ietf-yang-patch:yang-patch': {
    'patch-id': 'one',
    edit: [{ 'edit-id': '1', operation: 'delete', target: '/binding=192.0.2.1%2F32' }],
  },
};
const PATCH_TYPE = ['Content-Type: application/yang-patch+json'];

/** Each writing method in turn, with its status. */
const EDITS = [
  ['POST', TABLE, body(), 201],
  ['PUT', B_URL, body({ description: 'put' }), 204],
  ['PATCH', B_URL, body({ description: 'patched' }), 204],
  ['YANG PATCH', TABLE, JSON.stringify(PATCH), 200],
  ['POST', TABLE, body(), 201],
  ['DELETE', B_URL, undefined, 204],
] as const;

test('R54: each method that edits leaves startup as running is then', () =>
  program.run(async (box) => {
    for (const [method, path, text, status] of EDITS) {
      await unsaved(box);
      const isYangPatch = method === 'YANG PATCH';
      const more = { ...(text !== undefined && { body: text }), ...(isYangPatch && { headers: PATCH_TYPE }) };
      const reply = await box.curl(path, { method: isYangPatch ? 'PATCH' : method, ...more });
      assert.is(reply.status, status, `${method}: ${reply.body}`);
      const running = await softwires(box.netconf, 'running');
      assert.match(running, '192.0.2.9/32');
      assert.is(await softwires(box.netconf, 'startup'), running, method);
      await box.done('<copy-config><target><startup/></target><source><candidate/></source></copy-config>');
      await box.done(
        edit(
          table(
            '<binding xmlns:nc="urn:ietf:params:xml:ns:netconf:base:1.0" nc:operation="delete"><ipv4-prefix>192.0.2.9/32</ipv4-prefix></binding>',
          ),
        ),
      );
    }
  }));

test('the OpenAPI description has startup among the datastores', () =>
  program.run(async ({ curl }) => {
    const { components } = JSON.parse((await curl('/restconf/openapi.json')).body);
    const names = ['running', 'candidate', 'startup', 'intended', 'operational'];
    assert.equal(
      components.parameters.datastore.schema.enum,
      names.map((name) => `ietf-datastores:${name}`),
    );
    assert.is((await curl('/restconf/ds/ietf-datastores:startup?depth=1')).status, 200);
  }));

test('R54: a change of startup is told with that of running (RFC 6470 §2.1)', () =>
  program.run(async (box) => {
    // Behind what was committed before: times have milliseconds.
    await new Promise((resolve) => setTimeout(resolve, 10));
    const begin = new Date(Date.now() - 1).toISOString();
    assert.is((await box.curl(B_URL, { method: 'PUT', body: body() })).status, 201);
    await unsaved(box);
    const query = `start-time=${begin}&stop-time=${new Date().toISOString()}`;
    const { status, body: text } = await box.curl(`/restconf/streams/NETCONF/json?${query}`);
    assert.is(status, 200, text);
    const changes = [...text.matchAll(/^data: (.*netconf-config-change.*)$/gm)].map(([, line = '']) =>
      JSON.parse(line),
    );
    const told = changes.map((event) => {
      const { datastore, 'changed-by': by } =
        event['ietf-restconf:notification']['ietf-netconf-notifications:netconf-config-change'];
      return [datastore, by.username];
    });
    assert.equal(told.slice(0, 3), [
      ['running', 'admin'],
      ['startup', 'admin'],
      ['running', 'root'],
    ]);
    assert.is(told.length, 3);
  }));

test('R54: a boot returns to what the last RESTCONF edit left, an unsaved NETCONF edit behind it is gone', () =>
  program.run(async (box) => {
    await unsaved(box);
    assert.is((await box.curl(B_URL, { method: 'PUT', body: body() })).status, 201);
    await box.done(edit(table(binding('192.0.2.10/32', '2001:db8:a::9'))));
    box.management.reboot();
    await box.management.restart('SIGTERM');
    const client = (await RawClient.local(box.management.socket)).greet('1.1');
    const running = await softwires(client, 'running');
    client.end();
    const found = ['192.0.2.1/32', '192.0.2.9/32', '192.0.2.10/32'].filter((prefix) => running.includes(prefix));
    assert.equal(found, ['192.0.2.1/32', '192.0.2.9/32']);
  }));

test('R54: what is refused saves nothing, and the lock of startup refuses', () =>
  program.run(async (box) => {
    await box.done(copy('<running/>', 'startup'));
    await unsaved(box);
    const saved = await softwires(box.netconf, 'startup');
    assert.is((await box.curl(B_URL, { method: 'DELETE' })).status, 404);
    assert.is((await box.curl(B_URL, { method: 'PUT', body: body(), headers: ['If-Match: "other"'] })).status, 412);
    await box.done(lock('startup'));
    const { status, tag } = await box.curl(B_URL, { method: 'PUT', body: body() });
    assert.equal([status, tag], [409, 'in-use']);
    assert.is(await softwires(box.netconf, 'startup'), saved);
    await box.done(lock('startup', 'unlock'));
    assert.is((await box.curl(B_URL, { method: 'PUT', body: body() })).status, 201);
    assert.is(outcome(await box.netconf.rpc(lock('startup'))), 'ok');
  }));

test('it ends cleanly', async () => assert.is(await program.stop(), 0));

test.run();
