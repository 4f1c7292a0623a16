// needs: addon
/** Paths and expressions that are longer than libyang can count are refused, and the program goes on. */

import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { startManagement } from '../../helpers/management.ts';
import { outcome, RawClient } from '../../helpers/netconf-client.ts';
import { edit, getConfig, nacm } from '../../helpers/netconf-requests.ts';
import { datastore, ESTABLISH, onChange, SN, xpathFilter } from '../../helpers/subscription-requests.ts';

const test = suite('long paths');
const management = await startManagement();
const LONG = '/a'.repeat(33_000);
const AL = 'xmlns="urn:ietf:params:xml:ns:yang:ietf-alarms"';
const ACTION = 'xmlns="urn:ietf:params:xml:ns:yang:1"';
const NMDA = 'xmlns="urn:ietf:params:xml:ns:yang:ietf-netconf-nmda"';
const DS = 'xmlns:ds="urn:ietf:params:xml:ns:yang:ietf-datastores"';

const rule = `<rule-list><name>r</name><group>g</group><rule><name>1</name><path>${LONG}</path><action>permit</action></rule></rule-list>`;
const filters = `<filters ${SN}><stream-filter><name>f</name><stream-xpath-filter>${LONG}</stream-xpath-filter></stream-filter></filters>`;
const cases: readonly [what: string, operation: string, expected: string][] = [
  ['a rule of access control', edit(nacm(rule)), 'invalid-value'],
  ['a configured filter', edit(filters), 'invalid-value'],
  ['a subscription', ESTABLISH(datastore() + xpathFilter(LONG) + onChange()), 'invalid-value'],
  [
    'resources of alarms to be compressed',
    `<action ${ACTION}><alarms ${AL}><alarm-list><compress-alarms><resource>${LONG}</resource></compress-alarms></alarm-list></alarms></action>`,
    'invalid-value',
  ],
  [
    'get-data, which reads it itself',
    `<get-data ${NMDA}><datastore ${DS}>ds:running</datastore><xpath-filter>${LONG}</xpath-filter></get-data>`,
    'too-big',
  ],
];
for (const [what, operation, expected] of cases) {
  test(`${LONG.length} octets as ${what}: ${expected}`, async () => {
    const client = (await RawClient.local(management.socket)).greet('1.1');
    try {
      assert.is(outcome(await client.rpc(operation)), expected);
      assert.is(outcome(await client.rpc(getConfig('<filter/>'))), 'data');
    } finally {
      client.end();
    }
  });
}

test('stop', async () => assert.is(await management.stop(), 0));

test.run();
