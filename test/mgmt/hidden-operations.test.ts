// needs: addon
/**
 * Operations and counters for a user who may not read all that they tell of (RFC 8341 §3.2.4, §3.2.5): a trace, the purge of alarms, traffic, counters of
 * sessions.
 */

import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { openLocal } from '../helpers/local-sessions.ts';
import { startManagement } from '../helpers/management.ts';
import { outcome, RawClient } from '../helpers/netconf-client.ts';
import { AFTR, binding, edit, GI, NC_PREFIX, nacm, systemUser, table } from '../helpers/netconf-requests.ts';
import { PlayedDatapath } from '../helpers/played-datapath.ts';
import { eventually } from '../helpers/program.ts';

const test = suite('hidden operations');
const management = await startManagement();
const datapath = new PlayedDatapath(management.socket);
await datapath.start();
const operator = await openLocal(management);

const AL = 'xmlns="urn:ietf:params:xml:ns:yang:ietf-alarms"';
const NCM = 'xmlns="urn:ietf:params:xml:ns:yang:ietf-netconf-monitoring"';
const TRACE = `<trace ${GI}><packet>RQAAFA==</packet></trace>`;
const LIVE = `<trace-live ${GI}><ipv4-address>192.0.2.9</ipv4-address><seconds>1</seconds><maximum-packets>1</maximum-packets></trace-live>`;
const PURGE = `<action xmlns="urn:ietf:params:xml:ns:yang:1"><alarms ${AL}><alarm-list><purge-alarms><alarm-clearance-status>any</alarm-clearance-status></purge-alarms></alarm-list></alarms></action>`;
const COUNTERS = `<get><filter><netconf-state ${NCM}><statistics/></netconf-state></filter></get>`;

/** What guest may do under a denial, all else permitted. */
async function guest(...denied: readonly string[]): Promise<RawClient> {
  const names = 'xmlns:g="urn:gi-4over6" xmlns:m="urn:ietf:params:xml:ns:yang:ietf-netconf-monitoring"';
  const rules = [...denied.map((path) => `<path ${names}>${path}</path>`), '']
    .map(
      (path, index) =>
        `<rule><name>r${index}</name>${path}<access-operations>*</access-operations><action>${path === '' ? 'permit' : 'deny'}</action></rule>`,
    )
    .join('');
  const group = '<groups><group><name>few</name><user-name>guest</user-name></group></groups>';
  const list = `<rule-list nc:operation="replace"><name>few</name><group>few</group>${rules}</rule-list>`;
  assert.is(outcome(await operator.rpc(edit(nacm(group + list)))), 'ok');
  return (await RawClient.ssh(management.netconfPort, 'guest', { password: 'guest' })).greet('1.1');
}

test('what is there: an AFTR with a full table and the alarm about it', async () => {
  const full = AFTR.replace('</aftr>', '<softwire-num-max>1</softwire-num-max></aftr>');
  for (const config of [full, table(binding('192.0.2.9/32', '2001:db8::9')), systemUser('guest', '$0$guest')])
    assert.is(outcome(await operator.rpc(edit(config))), 'ok');
  const traced = async () => (outcome(await operator.rpc(TRACE)) !== 'operation-failed' ? true : undefined);
  await eventually(60_000, traced);
});

const ROW = "/g:softwire/g:aftr/g:binding-table/g:binding[g:ipv4-prefix='192.0.2.9/32']";
/** [what, paths that are denied, whether he traces]. */
const tracers: readonly (readonly [string, readonly string[], boolean])[] = [
  ['who reads all', [], true],
  ['who may not read sessions', ['/m:netconf-state/m:sessions'], true],
  ['who may not read passwords', ['/g:softwire/g:aftr/g:route-source/g:password'], true],
  ['who may not read a binding', [ROW], false],
  ['who may not read an AFTR that is not there', ["/g:softwire/g:aftr[g:name='none']"], false],
  ['who may not read a description', ['/g:softwire/g:aftr/g:binding-table/g:binding/g:description'], false],
];
for (const [what, denied, traces] of tracers) {
  test(`a trace of one ${what}`, async () => {
    const client = await guest(...denied);
    const found = { prefix: '192.0.2.9/32', remote: '2001:db8::9', role: 'aftr', instance: 'a', sent: [] } as const;
    const answers: string[] = [];
    for (const result of [{ ...found, end: 'forwarded' } as const, null]) {
      datapath.traced = result;
      answers.push((await client.rpc(TRACE)).replace(/message-id="\d+"/, ''));
    }
    const live = await client.rpc(LIVE);
    client.end();
    if (traces) {
      assert.match(answers[0] ?? '', /<ipv4-prefix>192\.0\.2\.9\/32</);
      assert.match(live, /<missed-packets /);
      return;
    }
    assert.is(answers[0], answers[1], 'the packet goes through or not');
    for (const reply of [...answers, live]) assert.is(outcome(reply), 'access-denied');
  });
}

test('counters of all sessions are for who may read each of them', async () => {
  for (const [denied, shows] of [
    [ROW, true],
    ["/m:netconf-state/m:sessions/m:session[m:session-id='1']", false],
  ] as const) {
    const client = await guest(denied);
    const reply = await client.rpc(COUNTERS);
    client.end();
    assert.match(reply, /<netconf-start-time>/);
    assert.is(/<in-sessions>/.test(reply), shows, denied);
    assert.is(/<in-rpcs>/.test(reply), shows, denied);
  }
});

test('sizes of the store are for who may read each binding', async () => {
  for (const [denied, shows] of [
    [ROW, false],
    ['/g:softwire/g:gateway', true],
  ] as const) {
    const client = await guest(denied);
    const made = await client.rpc(`<backup-store ${GI}/>`);
    const state = await client.rpc(`<get><filter><store ${GI}><state/></store></filter></get>`);
    const compacted = await client.rpc(`<compact-store ${GI}/>`);
    client.end();
    for (const reply of [made, state]) assert.match(reply, /<file[ >]/);
    assert.is(outcome(compacted) === 'ok', !shows, compacted);
    for (const reply of [made, state, compacted]) assert.is(/octets/.test(reply), shows, reply);
  }
});

test('an alarm that is hidden is neither purged nor counted', async () => {
  const purged = async (client: RawClient) => /<purged-alarms[^>]*>(\d+)</.exec(await client.rpc(PURGE))?.[1];
  const alarms = () => operator.rpc(`<get><filter><alarms ${AL}><alarm-list/></alarms></filter></get>`);
  await purged(operator);
  const more = table(`<binding ${NC_PREFIX} nc:operation="remove"><ipv4-prefix>192.0.2.9/32</ipv4-prefix></binding>`);
  for (const config of [more, table(binding('192.0.2.9/32', '2001:db8::9'))]) {
    assert.is(outcome(await operator.rpc(edit(config))), 'ok');
  }
  assert.match(await alarms(), /binding-table-near-limit/);
  const blind = await guest(ROW);
  assert.is(await purged(blind), '0');
  blind.end();
  assert.match(await alarms(), /binding-table-near-limit/);
  const seeing = await guest();
  assert.is(await purged(seeing), '1');
  seeing.end();
  assert.not.match(await alarms(), /binding-table-near-limit/);
});

test('the end', async () => {
  operator.end();
  await datapath.stop();
  assert.is(await management.stop(), 0);
});

test.run();
