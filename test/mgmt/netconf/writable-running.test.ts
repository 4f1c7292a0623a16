// needs: addon
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { startManagement } from '../../helpers/management.ts';
import { outcome, RawClient } from '../../helpers/netconf-client.ts';
import {
  AFTR,
  binding,
  copy,
  edit,
  GI,
  getConfig,
  lock,
  nacm,
  systemUser,
  table,
} from '../../helpers/netconf-requests.ts';
import { byIdentity, editData } from '../../helpers/nmda-requests.ts';
import type { CurlReply } from '../../helpers/restconf.ts';
import { curl } from '../../helpers/restconf.ts';

/** N61: without :writable-running (RFC 6241 §8.2) the candidate is the way to running; RESTCONF goes it by itself (RFC 8040 §1.4). */
const test = suite('without writable-running');

const management = await startManagement(['--no-writable-running']);
const TABLE = '/restconf/data/gi-4over6:softwire/aftr=a/binding-table';
const G = '2001:db8:a::1';
const ADMIN = `admin:${management.password}`;

/** A session on the local socket over the one AFTR, with a candidate that is running. */
function withSession(body: (netconf: RawClient) => Promise<void>): () => Promise<void> {
  return async () => {
    const netconf = (await RawClient.local(management.socket)).greet('1.1');
    try {
      const clean = `<softwire ${GI} xmlns:nc="urn:ietf:params:xml:ns:netconf:base:1.0" nc:operation="remove"/>`;
      for (const operation of ['<discard-changes/>', toCandidate(clean), toCandidate(AFTR), '<commit/>']) {
        assert.is(outcome(await netconf.rpc(operation)), 'ok');
      }
      await body(netconf);
    } finally {
      netconf.end();
    }
  };
}

function toCandidate(config: string): string {
  return edit(config, '', 'candidate');
}

function put(last: number, user = ADMIN): Promise<CurlReply> {
  const entry = { 'ipv4-prefix': `192.0.2.${last}/32`, 'gateway-ipv6-address': G };
  const path = `${TABLE}/binding=192.0.2.${last}%2F32`;
  const url = `https://127.0.0.1:${management.restconfPort}${path}`;
  return curl(url, { method: 'PUT', user, body: JSON.stringify({ 'gi-4over6:binding': [entry] }) });
}

/** Which of the addresses 192.0.2.1 to .9 a datastore has bound. */
async function bound(netconf: RawClient, datastore: string): Promise<readonly number[]> {
  const reply = await netconf.rpc(getConfig('', datastore));
  return [1, 2, 3, 4, 5, 6, 7, 8, 9].filter((last) => reply.includes(`<ipv4-prefix>192.0.2.${last}/32<`));
}

const row = (last: number) => table(binding(`192.0.2.${last}/32`, G));

test(
  'N61: the capability is not there, candidate is',
  withSession(async (netconf) => {
    assert.not.match(netconf.hello, 'writable-running');
    assert.match(netconf.hello, 'urn:ietf:params:netconf:capability:candidate:1.0');
    const library = await netconf.rpc(
      '<get><filter><yang-library xmlns="urn:ietf:params:xml:ns:yang:ietf-yang-library"/></filter></get>',
    );
    assert.match(library, '<feature>candidate</feature>');
    assert.not.match(library, 'writable-running');
  }),
);

const ROLL_BACK = `<roll-back ${GI}><version>1</version><target>running</target></roll-back>`;
/** What would write running, and how it is refused; the first two are an element whose if-feature is false (RFC 7950 §8.3.1). */
const REFUSED = [
  ['edit-config', edit(row(1)), 'unknown-element'],
  ['copy-config', copy('<candidate/>', 'running'), 'unknown-element'],
  ['edit-data', editData(row(1)), 'invalid-value'],
  ['roll-back', ROLL_BACK, 'operation-not-supported'],
] as const;

for (const [name, operation, tag] of REFUSED) {
  test(
    `N61: ${name} of running is refused with ${tag}, and changes nothing`,
    withSession(async (netconf) => {
      const before = await netconf.rpc(getConfig());
      const reply = await netconf.rpc(operation);
      assert.is(outcome(reply), tag, reply);
      if (tag === 'unknown-element') assert.match(reply, '<bad-element>running</bad-element>');
      assert.is(await netconf.rpc(getConfig()), before);
    }),
  );
}

test(
  'running is read, locked and validated as before; the candidate is edited and committed',
  withSession(async (netconf) => {
    for (const operation of [
      lock('running'),
      lock('running', 'unlock'),
      byIdentity('validate', 'running'),
      editData(row(1), '', 'candidate'),
      '<commit/>',
    ]) {
      assert.is(outcome(await netconf.rpc(operation)), 'ok', operation);
    }
    assert.equal(await bound(netconf, 'running'), [1]);
  }),
);

test(
  'an edit through RESTCONF is committed with what else the candidate holds',
  withSession(async (netconf) => {
    assert.is(outcome(await netconf.rpc(toCandidate(row(1)))), 'ok');
    assert.equal(await bound(netconf, 'running'), []);
    assert.is((await put(2)).status, 201);
    assert.equal(await bound(netconf, 'running'), [1, 2]);
    assert.is((await put(2)).status, 204);
    // The candidate is running again: nothing of it is left to be committed, and it can be locked.
    assert.is(outcome(await netconf.rpc(lock('candidate'))), 'ok');
  }),
);

test(
  'the datastore resource running is not edited, that of the candidate is; startup is off and not there',
  withSession(async (netconf) => {
    const entry = { 'ipv4-prefix': '192.0.2.9/32', 'gateway-ipv6-address': G };
    const statusOf = async (datastore: string) => {
      const path = `/restconf/ds/ietf-datastores:${datastore}/gi-4over6:softwire/aftr=a/binding-table/binding=192.0.2.9%2F32`;
      const body = JSON.stringify({ 'gi-4over6:binding': [entry] });
      const url = `https://127.0.0.1:${management.restconfPort}${path}`;
      return (await curl(url, { method: 'PUT', user: ADMIN, body })).status;
    };
    assert.is(await statusOf('running'), 405);
    assert.is(await statusOf('startup'), 404);
    assert.is(await statusOf('candidate'), 201);
    assert.equal([await bound(netconf, 'running'), await bound(netconf, 'candidate')], [[], [9]]);
  }),
);

test(
  'what the candidate holds and is not valid refuses the edit, and stays in the candidate',
  withSession(async (netconf) => {
    const outside = table(binding('203.0.113.1/32', G));
    assert.is(outcome(await netconf.rpc(toCandidate(outside))), 'ok');
    const reply = await put(3);
    assert.equal([reply.status, reply.tag], [412, 'operation-failed']);
    assert.equal(await bound(netconf, 'running'), []);
    assert.match(await netconf.rpc(getConfig('', 'candidate')), '203.0.113.1/32');
    assert.equal(await bound(netconf, 'candidate'), []);
  }),
);

test(
  'a locked candidate refuses the edit in-use',
  withSession(async (netconf) => {
    assert.is(outcome(await netconf.rpc(lock('candidate'))), 'ok');
    const reply = await put(4);
    assert.equal([reply.status, reply.tag], [409, 'in-use']);
    assert.equal(await bound(netconf, 'running'), []);
  }),
);

test(
  'an edit through RESTCONF confirms a confirmed commit without token, and is refused by one with',
  withSession(async (netconf) => {
    for (const [persist, last, status, after] of [
      ['', 5, 201, 'invalid-value'],
      ['<persist>token</persist>', 6, 409, 'ok'],
    ] as const) {
      assert.is(outcome(await netconf.rpc(toCandidate(row(1)))), 'ok');
      assert.is(outcome(await netconf.rpc(`<commit><confirmed/>${persist}</commit>`)), 'ok');
      assert.is((await put(last)).status, status);
      // Whether there is one left to be confirmed.
      assert.is(outcome(await netconf.rpc('<commit><persist-id>token</persist-id></commit>')), after);
    }
    assert.equal(await bound(netconf, 'running'), [1, 5]);
  }),
);

test(
  'who may not write what others have in the candidate commits nothing of it',
  withSession(async (netconf) => {
    const rules =
      `<rule><name>bind</name><path xmlns:gi="urn:gi-4over6">/gi:softwire/gi:aftr/gi:binding-table</path><access-operations>*</access-operations><action>permit</action></rule>` +
      '<rule><name>read</name><module-name>*</module-name><access-operations>read</access-operations><action>permit</action></rule>' +
      '<rule><name>rest</name><module-name>*</module-name><access-operations>*</access-operations><action>deny</action></rule>';
    const list = nacm(
      `<groups><group><name>few</name><user-name>guest</user-name></group></groups><rule-list><name>few</name><group>few</group>${rules}</rule-list>`,
    );
    assert.is(outcome(await netconf.rpc(toCandidate(systemUser('guest', '$0$guest word') + list))), 'ok');
    assert.is(outcome(await netconf.rpc('<commit/>')), 'ok');
    const guest = 'guest:guest word';
    assert.is((await put(7, guest)).status, 201);
    const pool = `<softwire ${GI}><aftr><name>a</name><ipv4-pool>198.51.100.0/24</ipv4-pool></aftr></softwire>`;
    assert.is(outcome(await netconf.rpc(toCandidate(pool))), 'ok');
    const reply = await put(8, guest);
    assert.equal([reply.status, reply.tag], [403, 'access-denied']);
    assert.equal(await bound(netconf, 'running'), [7]);
    assert.is((await put(8)).status, 201);
    assert.match(await netconf.rpc(getConfig()), '198.51.100.0/24');
  }),
);

test('it ends cleanly', async () => assert.is(await management.stop(), 0));

test.run();
