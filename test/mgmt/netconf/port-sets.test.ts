// needs: addon
/** Shared addresses over NETCONF: what is refused, read, compared and taken back. */

import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { startManagement } from '../../helpers/management.ts';
import { outcome, RawClient } from '../../helpers/netconf-client.ts';

const test = suite('netconf port-sets');
const GI = 'xmlns="urn:gi-4over6"';
const TREE = '<name>a</name><ipv6-address>2001:db8:b::1</ipv6-address><ipv4-pool>192.0.2.0/24</ipv4-pool>';

const management = await startManagement();
const client = (await RawClient.local(management.socket)).greet('1.1');

const portSet = (psid: number | string, b4 = '2001:db8:c::1', more = '') =>
  `<port-set${more}><psid>${psid}</psid>${b4 === '' ? '' : `<b4-ipv6-address>${b4}</b4-ipv6-address>`}</port-set>`;
const shared = (inside: string, more = '') =>
  `<shared-address${more}><ipv4-address>192.0.2.9</ipv4-address>${inside}</shared-address>`;
const LENGTH = '<psid-length>8</psid-length>';
const binding =
  '<binding><ipv4-prefix>192.0.2.0/29</ipv4-prefix><gateway-ipv6-address>2001:db8:a::1</gateway-ipv6-address></binding>';

function edit(inside: string, more = ''): Promise<string> {
  const nc = 'xmlns:nc="urn:ietf:params:xml:ns:netconf:base:1.0"';
  const config = `<softwire ${GI} ${nc}><aftr>${TREE}<binding-table${more}>${inside}</binding-table></aftr></softwire>`;
  return client.rpc(`<edit-config><target><running/></target><config>${config}</config></edit-config>`);
}
const REPLACE = ' nc:operation="replace"';

async function version(): Promise<number> {
  const text = await client.rpc(`<list-versions ${GI}><maximum>1</maximum></list-versions>`);
  return Number(/<number>(\d+)</.exec(text)?.[1]);
}

const read = (filter: string) =>
  client.rpc(
    `<get-config><source><running/></source><filter type="subtree"><softwire ${GI}><aftr>${filter}</aftr></softwire></filter></get-config>`,
  );

const refused = [
  ['two psid-lengths in one address (D112)', shared(`${LENGTH}<psid-length>7</psid-length>${portSet(1)}`)],
  [
    'two psid-offsets in one address (D112)',
    shared(`<psid-offset>6</psid-offset><psid-offset>5</psid-offset>${LENGTH}`),
  ],
  [
    'one address in two entries (D112)',
    shared(LENGTH + portSet(1)) + shared(`<psid-length>7</psid-length>${portSet(2)}`),
  ],
  ['one psid twice', shared(LENGTH + portSet(1) + portSet(1))],
  ['one psid twice, spelled differently', shared(LENGTH + portSet(1) + portSet('01'))],
  ['a psid that does not fit', shared(LENGTH + portSet(256))],
  ['a psid of 17 bits', shared(`<psid-offset>0</psid-offset><psid-length>16</psid-length>${portSet(65_536)}`)],
  ['a psid-length of 17 bits', shared('<psid-offset>0</psid-offset><psid-length>17</psid-length>')],
  ['an address without psid-length', shared(portSet(1))],
  ['a port set without its B4', shared(LENGTH + portSet(1, ''))],
  ['an address inside a binding', shared(LENGTH) + binding.replace('192.0.2.0/29', '192.0.2.8/29')],
] as const;
for (const [why, inside] of refused) {
  test(`refused: ${why}`, async () => {
    await edit('', REPLACE);
    const before = await version();
    assert.is.not(outcome(await edit(inside)), 'ok');
    assert.is(await version(), before, 'nothing is committed');
  });
}

test('another psid-length is another value of the one leaf: it replaces the first, for all port sets (D112)', async () => {
  await edit(shared(LENGTH + portSet(1)), REPLACE);
  assert.is(outcome(await edit(shared('<psid-length>7</psid-length>'))), 'ok');
  const text = await read('<binding-table><shared-address/></binding-table>');
  assert.equal(text.match(/<psid-length>\d+/g), ['<psid-length>7']);
});

test('a binding that is committed later, alone, cannot hold a shared address', async () => {
  await edit(shared(LENGTH + portSet(1)), REPLACE);
  const reply = await edit(binding.replace('192.0.2.0/29', '192.0.2.8/29'));
  assert.match(reply, '<error-app-tag>shared-address-bound</error-app-tag>');
  assert.match(reply, '192.0.2.9 lies in binding 192.0.2.8/29');
});

test('one port set is created, read, changed and deleted by its key', async () => {
  await edit(shared(LENGTH + portSet(1)) + binding, REPLACE);
  assert.is(outcome(await edit(shared(portSet(2, '2001:db8:c::2', ' nc:operation="create"')))), 'ok');
  assert.is(outcome(await edit(shared(portSet(2, '2001:db8:c::2', ' nc:operation="create"')))), 'data-exists');
  const one = await read(`<binding-table>${shared('<port-set><psid>2</psid></port-set>')}</binding-table>`);
  assert.match(one, portSet(2, '2001:db8:c::2'));
  assert.not.match(one, '<psid>1</psid>');
  assert.not.match(one, '<binding>');
  assert.is(outcome(await edit(shared(portSet(2, '', ' nc:operation="delete"')))), 'ok');
  assert.is(outcome(await edit(shared(portSet(2, '', ' nc:operation="delete"')))), 'data-missing');
  assert.match(await read('<binding-table><binding/></binding-table>'), '192.0.2.0/29');
});

test('port sets are on record: compared, shown as they were, and taken back', async () => {
  await edit(shared(LENGTH + portSet(1)), REPLACE);
  const first = await version();
  await edit(shared(portSet(1, '2001:db8:c::9')));
  assert.match(
    await client.rpc(`<compare-versions ${GI}><from>${first}</from></compare-versions>`),
    /binding-table\/shared-address=192\.0\.2\.9\/port-set=1\/b4-ipv6-address<\/target>/,
  );
  assert.match(await client.rpc(`<get-version ${GI}><version>${first}</version></get-version>`), portSet(1));
  const list = await client.rpc(`<list-versions ${GI}><maximum>1</maximum></list-versions>`);
  assert.match(list, '<other-configuration>true</other-configuration>');
  const back = `<roll-back ${GI}><version>${first}</version><target>running</target></roll-back>`;
  assert.is(outcome(await client.rpc(back)), 'ok');
  assert.match(await read('<binding-table/>'), portSet(1));
});

test('a replaced table is what the edit says: shared addresses that it does not have go', async () => {
  await edit(shared(LENGTH + portSet(1)) + binding, REPLACE);
  assert.is(outcome(await edit(binding, REPLACE)), 'ok');
  assert.not.match(await read('<binding-table/>'), 'shared-address');
});

test('the management process ends cleanly', async () => {
  client.end();
  assert.is(await management.stop(), 0);
});

test.run();
