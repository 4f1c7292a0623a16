// needs: addon
/** Dampening of on-change subscriptions over NETCONF against the running program (RFC 8641 §3.3). */

import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { allOk } from '../../helpers/local-sessions.ts';
import { startManagement } from '../../helpers/management.ts';
import type { RawClient } from '../../helpers/netconf-client.ts';
import { binding, edit, GI, NC_PREFIX, table } from '../../helpers/netconf-requests.ts';
import { PlayedDatapath } from '../../helpers/played-datapath.ts';
import { datastore, ESTABLISH, editsOf, onChange, withWatcher } from '../../helpers/subscription-requests.ts';

const test = suite('push dampening');
const management = await startManagement();
await new PlayedDatapath(management.socket).start();

const TABLE = `<softwire ${GI}><aftr><name>a</name><binding-table/></aftr></softwire>`;
const NO_SYNC = '<sync-on-start>false</sync-on-start>';
const GATEWAY = '2001:db8:1::1';
const row = (address: number, gateway = GATEWAY) => binding(`192.0.2.${address}/32`, gateway);
const remove = (prefix: string) =>
  edit(table(`<binding ${NC_PREFIX} nc:operation="remove"><ipv4-prefix>${prefix}</ipv4-prefix></binding>`));

const withSessions = (body: (watcher: RawClient, editor: RawClient) => Promise<void>) => withWatcher(management, body);

test('N96: dampening: what changes within the period comes in one update, as it is then', () =>
  withSessions(async (watcher, editor) => {
    await watcher.rpc(ESTABLISH(datastore(TABLE) + onChange(`<dampening-period>300</dampening-period>${NO_SYNC}`)));
    await allOk(editor, edit(table(row(1))));
    const first = await watcher.receive();
    assert.equal(editsOf(first), [`create binding=192.0.2.1/32 192.0.2.1/32 ${GATEWAY}`]);
    await allOk(
      editor,
      edit(table(row(2))),
      edit(table(row(1, '2001:db8:1::2'))),
      edit(table(row(2, '2001:db8:1::4'))),
    );
    const second = await watcher.receive();
    assert.equal(editsOf(second), [
      'replace binding=192.0.2.1/32/gateway-ipv6-address 2001:db8:1::2',
      'create binding=192.0.2.2/32 192.0.2.2/32 2001:db8:1::4',
    ]);
    const time = (message: string) => Date.parse(/<eventTime>([^<]+)</.exec(message)?.[1] ?? '');
    assert.ok(time(second) - time(first) >= 2_950, `${time(second) - time(first)} ms`);
  }));

// [what happens in a dampening period, what the update tells, how long the period is in hundredths of a second]
const churned: readonly [what: string, operations: readonly string[], told: readonly string[], period?: number][] = [
  [
    'a value that returns',
    [edit(table(row(1, '2001:db8:1::2'))), edit(table(row(1)))],
    [`replace binding=192.0.2.1/32/gateway-ipv6-address ${GATEWAY}`],
  ],
  ['what comes and goes', [edit(table(row(2))), remove('192.0.2.2/32')], ['delete binding=192.0.2.2/32']],
  [
    'what goes and comes',
    [remove('192.0.2.1/32'), edit(table(row(1)))],
    [`create binding=192.0.2.1/32 192.0.2.1/32 ${GATEWAY}`],
  ],
  [
    'what goes, comes and changes, beside another change',
    [remove('192.0.2.1/32'), edit(table(row(1) + row(3))), edit(table(row(1, '2001:db8:1::5')))],
    [
      `create binding=192.0.2.1/32 192.0.2.1/32 ${GATEWAY}`,
      'replace binding=192.0.2.1/32/gateway-ipv6-address 2001:db8:1::5',
      `create binding=192.0.2.3/32 192.0.2.3/32 ${GATEWAY}`,
    ],
  ],
  [
    'what comes, changes and goes',
    [edit(table(row(2))), edit(table(row(2, '2001:db8:1::5'))), remove('192.0.2.2/32')],
    ['delete binding=192.0.2.2/32'],
  ],
  [
    'more commits than are kept',
    Array.from({ length: 40 }, (_, i) => edit(table(row(1, `2001:db8:1::${i % 2 === 0 ? 2 : 1}`)))),
    [`replace binding=192.0.2.1/32/gateway-ipv6-address ${GATEWAY}`],
    1_500,
  ],
];
for (const [what, operations, told, period = 400] of churned) {
  test(`N96: dampening: ${what}`, () =>
    withSessions(async (watcher, editor) => {
      await allOk(editor, edit(table(row(1))));
      await watcher.rpc(ESTABLISH(datastore(TABLE) + onChange(`<dampening-period>${period}</dampening-period>`)));
      await watcher.receive();
      await allOk(editor, ...operations);
      assert.equal(editsOf(await watcher.receive()), told);
    }));
}

test('N96: dampening: what changed back is told once, and not what is excluded', () =>
  withSessions(async (watcher, editor) => {
    const inside = '<dampening-period>400</dampening-period><excluded-change>delete</excluded-change>';
    await allOk(editor, edit(table(row(1))));
    await watcher.rpc(ESTABLISH(datastore(TABLE) + onChange(inside)));
    await watcher.receive();
    const back = [edit(table(row(1, '2001:db8:1::2'))), edit(table(row(1)))];
    await allOk(editor, ...back, edit(table(row(2))), remove('192.0.2.2/32'));
    assert.equal(editsOf(await watcher.receive()), [`replace binding=192.0.2.1/32/gateway-ipv6-address ${GATEWAY}`]);
    await allOk(editor, edit(table(row(9))));
    assert.equal(editsOf(await watcher.receive()), [`create binding=192.0.2.9/32 192.0.2.9/32 ${GATEWAY}`]);
  }));

test('N96: dampening: a leaf of the small tree that returns to what it was', () =>
  withSessions(async (watcher, editor) => {
    const limit = (value: number) =>
      edit(`<softwire ${GI}><aftr><name>a</name><hop-limit>${value}</hop-limit></aftr></softwire>`);
    await allOk(editor, limit(7));
    await watcher.rpc(ESTABLISH(datastore() + onChange('<dampening-period>400</dampening-period>')));
    await watcher.receive();
    await allOk(editor, limit(8), limit(7));
    assert.equal(editsOf(await watcher.receive()), ['replace /gi-4over6:softwire/aftr=a/hop-limit 7']);
  }));

test('stop', async () => assert.is(await management.stop(), 0));

test.run();
