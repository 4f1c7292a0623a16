// needs: addon
/** On-change subscriptions to datastores over NETCONF against the running program (RFC 8641 §3.3, §4.4). */

import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { allOk, openLocal, openSsh } from '../../helpers/local-sessions.ts';
import { startManagement } from '../../helpers/management.ts';
import { outcome, type RawClient } from '../../helpers/netconf-client.ts';
import { binding, edit, GI, getConfig, NC_PREFIX, nacm, systemUser, table } from '../../helpers/netconf-requests.ts';
import { PlayedDatapath } from '../../helpers/played-datapath.ts';
import {
  appTagOf,
  contentsOf,
  datastore,
  ESTABLISH,
  editsOf,
  idIn,
  KILL,
  MODIFY,
  onChange,
  RESYNC,
  SN,
  withWatcher,
  xpathFilter,
  YP,
} from '../../helpers/subscription-requests.ts';

const test = suite('push changes');
const management = await startManagement();
await new PlayedDatapath(management.socket).start();

const local = () => openLocal(management);
const as = (user: string) => openSsh(management, user);
const TABLE = `<softwire ${GI}><aftr><name>a</name><binding-table/></aftr></softwire>`;
const NO_SYNC = '<sync-on-start>false</sync-on-start>';
const GATEWAY = '2001:db8:1::1';
const remove = (prefix: string) =>
  edit(table(`<binding ${NC_PREFIX} nc:operation="remove"><ipv4-prefix>${prefix}</ipv4-prefix></binding>`));

const withSessions = (
  body: (watcher: RawClient, editor: RawClient) => Promise<void>,
  watch: () => Promise<RawClient> = local,
) => withWatcher(management, body, watch);

test('N96: the whole selection at first, then each commit as a YANG patch', () =>
  withSessions(async (watcher, editor) => {
    await allOk(editor, edit(table(binding('192.0.2.1/32', GATEWAY))));
    const id = idIn(await watcher.rpc(ESTABLISH(datastore(TABLE) + onChange())));
    const first = await watcher.receive();
    assert.match(
      first,
      new RegExp(`<push-update xmlns="urn:ietf:params:xml:ns:yang:ietf-yang-push"><id>${id}</id><datastore-contents>`),
    );
    assert.is(
      contentsOf(first),
      `<softwire ${GI}><aftr><name>a</name><binding-table>${binding('192.0.2.1/32', GATEWAY)}</binding-table></aftr></softwire>`,
    );
    await allOk(editor, edit(table(binding('192.0.2.2/32', GATEWAY) + binding('192.0.2.1/32', '2001:db8:1::2'))));
    const second = await watcher.receive();
    assert.match(
      second,
      new RegExp(`<push-change-update [^>]*><id>${id}</id><datastore-changes><yang-patch><patch-id>0</patch-id><edit>`),
    );
    assert.equal(editsOf(second), [
      'replace binding=192.0.2.1/32/gateway-ipv6-address 2001:db8:1::2',
      `create binding=192.0.2.2/32 192.0.2.2/32 ${GATEWAY}`,
    ]);
    await allOk(editor, remove('192.0.2.1/32'));
    const third = await watcher.receive();
    assert.match(third, /<patch-id>1</);
    assert.equal(editsOf(third), ['delete binding=192.0.2.1/32']);
    await allOk(
      editor,
      edit(`<softwire ${GI} ${NC_PREFIX}><aftr nc:operation="remove"><name>a</name></aftr></softwire>`),
    );
    assert.equal(editsOf(await watcher.receive()), ['delete binding=192.0.2.2/32', 'delete /gi-4over6:softwire']);
  }));

test('N96: changes of the small tree, of a datastore without filter', () =>
  withSessions(async (watcher, editor) => {
    await watcher.rpc(ESTABLISH(datastore() + onChange(NO_SYNC)));
    await allOk(editor, edit(systemUser('nobody', '$0$nobody')));
    const [created = ''] = editsOf(await watcher.receive());
    assert.match(created, /^create \/ietf-system:system.*nobody/);
  }));

const row = (address: number, gateway = GATEWAY) => binding(`192.0.2.${address}/32`, gateway);
const selections: readonly [what: string, filter: string, told: readonly string[]][] = [
  [
    'one binding by its key',
    datastore(
      TABLE.replace(
        '<binding-table/>',
        '<binding-table><binding><ipv4-prefix>192.0.2.2/32</ipv4-prefix></binding></binding-table>',
      ),
    ),
    ['create binding=192.0.2.2/32 192.0.2.2/32 2001:db8:1::2'],
  ],
  [
    'bindings of a gateway',
    datastore(
      TABLE.replace(
        '<binding-table/>',
        `<binding-table><binding><gateway-ipv6-address>${GATEWAY}</gateway-ipv6-address></binding></binding-table>`,
      ),
    ),
    [`create binding=192.0.2.1/32 192.0.2.1/32 ${GATEWAY}`, `create binding=192.0.2.3/32 192.0.2.3/32 ${GATEWAY}`],
  ],
  [
    'an expression with a predicate',
    datastore() +
      xpathFilter(`/g:softwire/g:aftr[g:name='a']/g:binding-table/g:binding[g:gateway-ipv6-address='2001:db8:1::2']`),
    ['create binding=192.0.2.2/32 192.0.2.2/32 2001:db8:1::2'],
  ],
  [
    'bindings by a pattern',
    datastore() + xpathFilter(`/g:softwire/g:aftr/g:binding-table/g:binding[re-match(g:ipv4-prefix, '.*\\.[13]/32')]`),
    [1, 3].map((n) => `create binding=192.0.2.${n}/32 192.0.2.${n}/32 ${GATEWAY}`),
  ],
  [
    'one leaf of each',
    datastore() + xpathFilter('/g:softwire/g:aftr/g:binding-table/g:binding/g:ipv4-prefix'),
    [1, 2, 3].map((n) => `create binding=192.0.2.${n}/32 192.0.2.${n}/32`),
  ],
];
for (const [what, filter, told] of selections) {
  test(`N96: a filter selects ${what}`, () =>
    withSessions(async (watcher, editor) => {
      idIn(await watcher.rpc(ESTABLISH(filter + onChange(NO_SYNC))));
      await allOk(editor, edit(table(row(1) + row(2, '2001:db8:1::2') + row(3))));
      assert.equal(editsOf(await watcher.receive()), told);
    }));
}

test('N96: what a filter does not select makes no update; what comes under it is a create, what leaves it a delete', () =>
  withSessions(async (watcher, editor) => {
    const filter = TABLE.replace(
      '<binding-table/>',
      `<binding-table><binding><gateway-ipv6-address>${GATEWAY}</gateway-ipv6-address></binding></binding-table>`,
    );
    await watcher.rpc(ESTABLISH(datastore(filter) + onChange(NO_SYNC)));
    await allOk(
      editor,
      edit(table(row(1, '2001:db8:1::2'))),
      edit(table(row(1))),
      edit(table(row(1, '2001:db8:1::3'))),
    );
    assert.equal(editsOf(await watcher.receive()), [`create binding=192.0.2.1/32 192.0.2.1/32 ${GATEWAY}`]);
    assert.equal(editsOf(await watcher.receive()), ['delete binding=192.0.2.1/32']);
  }));

test('N96: excluded changes make no update', () =>
  withSessions(async (watcher, editor) => {
    const excluded = '<excluded-change>delete</excluded-change><excluded-change>replace</excluded-change>';
    await watcher.rpc(ESTABLISH(datastore(TABLE) + onChange(NO_SYNC + excluded)));
    await allOk(
      editor,
      edit(table(row(1))),
      edit(table(row(1, '2001:db8:1::2'))),
      remove('192.0.2.1/32'),
      edit(table(row(2))),
    );
    assert.equal(editsOf(await watcher.receive()), [`create binding=192.0.2.1/32 192.0.2.1/32 ${GATEWAY}`]);
    assert.equal(editsOf(await watcher.receive()), [`create binding=192.0.2.2/32 192.0.2.2/32 ${GATEWAY}`]);
  }));

test('N96: resync sends the whole selection; not without sync-on-start, not of another session', () =>
  withSessions(async (watcher, editor) => {
    const id = idIn(await watcher.rpc(ESTABLISH(datastore(TABLE) + onChange())));
    await watcher.receive();
    const patchAfter = async (...rows: readonly string[]) => {
      await allOk(editor, edit(table(rows.join(''))));
      return /<patch-id>([^<]*)</.exec(await watcher.receive())?.[1];
    };
    assert.is(await patchAfter(row(1)), '0');
    assert.is(await patchAfter(row(2)), '1');
    await allOk(watcher, RESYNC(id));
    assert.match(contentsOf(await watcher.receive()), /192\.0\.2\.1\/32/);
    // RFC 8641 §3.7: counted anew behind a push-update.
    assert.is(await patchAfter(row(3)), '0');
    const foreign = await editor.rpc(RESYNC(id));
    assert.is(outcome(foreign), 'invalid-value');
    assert.is(appTagOf(foreign), 'ietf-yang-push:no-such-subscription-resync');
    assert.match(foreign, /<resync-subscription-error [^>]*><reason /);
    const other = idIn(await watcher.rpc(ESTABLISH(datastore(TABLE) + onChange(NO_SYNC))));
    const refused = await watcher.rpc(RESYNC(other));
    assert.is(outcome(refused), 'operation-not-supported');
    assert.is(appTagOf(refused), 'ietf-yang-push:on-change-sync-unsupported');
  }));

test('N96: modify: another filter, the whole of which comes anew; kill ends it', () =>
  withSessions(async (watcher, editor) => {
    const id = idIn(await watcher.rpc(ESTABLISH(datastore(TABLE) + onChange())));
    await watcher.receive();
    const users = '<system xmlns="urn:ietf:params:xml:ns:yang:ietf-system"/>';
    await allOk(watcher, MODIFY(id, datastore(users)));
    assert.match(
      await watcher.receive(),
      /<subscription-modified .*<on-change [^>]*><dampening-period>|<subscription-modified .*<on-change/,
    );
    assert.match(contentsOf(await watcher.receive()), /^<system xmlns="urn:ietf:params:xml:ns:yang:ietf-system">/);
    assert.is(outcome(await watcher.rpc(MODIFY(id, datastore(users, 'operational')))), 'invalid-value');
    await allOk(editor, KILL(id));
    assert.match(await watcher.receive(), /<subscription-terminated .*no-such-subscription</);
  }));

test('N96: a configured selection filter', () =>
  withSessions(async (watcher, editor) => {
    const filters = [
      `<datastore-subtree-filter>${TABLE}</datastore-subtree-filter>`,
      '<datastore-xpath-filter xmlns:g="urn:gi-4over6">/g:softwire/g:aftr[g:name=\'a\']/g:binding-table</datastore-xpath-filter>',
    ];
    for (const [index, filter] of filters.entries()) {
      await allOk(
        editor,
        edit(`<filters ${SN}><selection-filter ${YP}><filter-id>t</filter-id>${filter}</selection-filter></filters>`),
      );
      const reference = `<selection-filter-ref ${YP}>t</selection-filter-ref>`;
      await watcher.rpc(ESTABLISH(datastore() + reference + onChange(NO_SYNC)));
      await allOk(editor, edit(table(row(index + 1))));
      const prefix = `192.0.2.${index + 1}/32`;
      assert.equal(editsOf(await watcher.receive()), [`create binding=${prefix} ${prefix} ${GATEWAY}`]);
      await allOk(editor, edit(`<filters ${SN} ${NC_PREFIX} nc:operation="remove"/>`));
      assert.match(await watcher.receive(), /<subscription-terminated .*filter-unavailable</);
    }
  }));

test('N96: operational: configuration with the defaults in use', () =>
  withSessions(async (watcher, editor) => {
    await watcher.rpc(
      ESTABLISH(
        datastore(`<softwire ${GI}><aftr><name>a</name><binding-counters/></aftr></softwire>`, 'operational') +
          onChange(),
      ),
    );
    assert.match(contentsOf(await watcher.receive()), /<binding-counters>/);
    await allOk(
      editor,
      edit(`<softwire ${GI}><aftr><name>a</name><binding-counters>true</binding-counters></aftr></softwire>`),
    );
    await allOk(
      editor,
      edit(`<softwire ${GI}><aftr><name>a</name><binding-counters>false</binding-counters></aftr></softwire>`),
    );
    const told = await watcher.receive();
    assert.match(editsOf(told).join(), /^replace \/gi-4over6:softwire\/aftr=a\/binding-counters (true|false)$/);
  }));

test('N96: access control holds for every update', () =>
  withSessions(
    async (watcher, editor) => {
      await watcher.rpc(ESTABLISH(datastore(TABLE) + onChange()));
      assert.is(contentsOf(await watcher.receive()), `<softwire ${GI}><aftr><name>a</name></aftr></softwire>`);
      await allOk(editor, edit(table(row(1))));
      await allOk(editor, edit(table(row(2))));
      const told = await watcher.receive();
      assert.equal(editsOf(told), [`create binding=192.0.2.2/32 192.0.2.2/32 ${GATEWAY}`]);
    },
    async () => {
      const operator = await local();
      const path = `/g:softwire/g:aftr[g:name='a']/g:binding-table/g:binding[g:ipv4-prefix='192.0.2.1/32']`;
      const rule = `<rule><name>1</name><path xmlns:g="urn:gi-4over6">${path}</path><action>deny</action></rule>`;
      await allOk(
        operator,
        edit(systemUser('mike', '$0$mike')),
        edit(
          nacm(
            `<read-default>permit</read-default><exec-default>permit</exec-default><groups><group><name>g</name><user-name>mike</user-name></group></groups><rule-list><name>r</name><group>g</group>${rule}</rule-list>`,
          ),
        ),
      );
      operator.end();
      return as('mike');
    },
  ));

test('N96: what the receiver may read no more is told as deleted, what he may read since as created', () =>
  withSessions(
    async (watcher, editor) => {
      await allOk(editor, edit(table(row(1) + row(2) + row(3))));
      const users = '<system xmlns="urn:ietf:params:xml:ns:yang:ietf-system"/>';
      await watcher.rpc(
        ESTABLISH(datastore(`<softwire ${GI}><aftr><name/><binding-table/></aftr></softwire>`) + onChange(NO_SYNC)),
      );
      const denied = (name: string, path: string) =>
        edit(
          nacm(
            `<rule-list><name>n</name><group>n</group><rule><name>${name}</name><path xmlns:g="urn:gi-4over6" xmlns:s="urn:ietf:params:xml:ns:yang:ietf-system">${path}</path><action>deny</action></rule></rule-list>`,
          ),
        );
      const permitted = (name: string) =>
        edit(nacm(`<rule-list><name>n</name><rule nc:operation="delete"><name>${name}</name></rule></rule-list>`));
      const entry = (n: number) => `g:binding[g:ipv4-prefix='192.0.2.${n}/32']`;
      const inTable = '/g:softwire/g:aftr/g:binding-table';
      await allOk(editor, denied('one', `${inTable}/${entry(1)}`));
      assert.equal(editsOf(await watcher.receive()), ['delete binding=192.0.2.1/32']);
      await allOk(editor, remove('192.0.2.1/32'), edit(table(row(1) + row(4))));
      assert.equal(editsOf(await watcher.receive()), [`create binding=192.0.2.4/32 192.0.2.4/32 ${GATEWAY}`]);
      // What is hidden meanwhile is what is told when it is seen again; rights of other data tell nothing.
      await allOk(editor, denied('other', '/s:system'), permitted('one'));
      assert.equal(editsOf(await watcher.receive()), [`create binding=192.0.2.1/32 192.0.2.1/32 ${GATEWAY}`]);
      await allOk(editor, denied('all', '/g:softwire'));
      const lost = editsOf(await watcher.receive());
      assert.ok(
        lost.some((line) => line === 'delete /gi-4over6:softwire'),
        lost.join('\n'),
      );
      await allOk(editor, remove('192.0.2.2/32'), permitted('all'));
      const gained = await watcher.receive();
      for (const n of [1, 3, 4]) assert.match(gained, `192.0.2.${n}/32`);
      assert.not.match(gained, '192.0.2.2/32');
      assert.match(await watcher.rpc(getConfig(`<filter>${users}</filter>`)), /<data[^>]*\/>|<data[^>]*><\/data>/);
    },
    async () => {
      const operator = await local();
      const group = '<groups><group><name>n</name><user-name>nora</user-name></group></groups>';
      const defaults = '<read-default>permit</read-default><exec-default>permit</exec-default>';
      const list = '<rule-list><name>n</name><group>n</group></rule-list>';
      await allOk(operator, edit(systemUser('nora', '$0$nora')), edit(nacm(defaults + group + list)));
      operator.end();
      return as('nora');
    },
  ));

test('N96: more rows than one update may tell: the whole selection, or an update that says that it is incomplete', () =>
  withSessions(async (watcher, editor) => {
    await watcher.rpc(ESTABLISH(datastore(TABLE) + onChange()));
    await watcher.receive();
    const second = await local();
    await second.rpc(ESTABLISH(datastore(TABLE) + onChange(NO_SYNC)));
    const many = Array.from({ length: 10_001 }, (_, n) => binding(`198.18.${n >> 8}.${n & 255}/32`, GATEWAY)).join('');
    await allOk(
      editor,
      edit(
        `<softwire ${GI}><aftr><name>a</name><ipv4-pool>198.18.0.0/15</ipv4-pool><binding-table>${many}</binding-table></aftr></softwire>`,
      ),
    );
    const whole = await watcher.receive();
    assert.match(whole, /<push-update /);
    assert.is([...contentsOf(whole).matchAll(/<binding>/g)].length, 10_001);
    const incomplete = await second.receive();
    assert.match(
      incomplete,
      /<push-change-update .*<patch-id>0<\/patch-id><\/yang-patch><\/datastore-changes><incomplete-update\/>/,
    );
    await allOk(editor, edit(table(row(1))));
    for (const client of [watcher, second]) {
      assert.equal(editsOf(await client.receive()), [`create binding=192.0.2.1/32 192.0.2.1/32 ${GATEWAY}`]);
    }
    second.end();
  }));

const SESSIONS =
  '<netconf-state xmlns="urn:ietf:params:xml:ns:yang:ietf-netconf-monitoring"><sessions/></netconf-state>';
const NOT_LOCAL = '/g:softwire/g:aftr/g:binding-table/g:binding[last()]';
const refused: readonly [what: string, inside: string, tag: string, appTag: string | undefined][] = [
  [
    'the candidate',
    datastore('', 'candidate') + onChange(),
    'invalid-value',
    'ietf-yang-push:datastore-not-subscribable',
  ],
  [
    'a filter of nodes that are not there',
    datastore('<nothing xmlns="urn:nothing"/>') + onChange(),
    'operation-failed',
    'ietf-yang-push:unchanging-selection',
  ],
  [
    'an expression that gives a number',
    datastore() + xpathFilter('count(/g:softwire)') + onChange(),
    'operation-failed',
    'ietf-yang-push:unchanging-selection',
  ],
  [
    'an expression that is none',
    datastore() + xpathFilter('/g:softwire[') + onChange(),
    'invalid-value',
    'ietf-subscribed-notifications:filter-unsupported',
  ],
  [
    'an expression that looks at other rows',
    datastore() + xpathFilter(NOT_LOCAL) + onChange(),
    'invalid-value',
    'ietf-subscribed-notifications:filter-unsupported',
  ],
  [
    'state alone',
    datastore(SESSIONS, 'operational') + onChange(),
    'operation-not-supported',
    'ietf-yang-push:on-change-unsupported',
  ],
  [
    'state alone within configuration',
    datastore(`<softwire ${GI}><aftr><binding-table><version/></binding-table></aftr></softwire>`, 'operational') +
      onChange(),
    'operation-not-supported',
    'ietf-yang-push:on-change-unsupported',
  ],
  [
    'an expression that selects state alone',
    datastore('', 'operational') + xpathFilter('/g:softwire/g:aftr/g:binding-table/g:version') + onChange(),
    'operation-not-supported',
    'ietf-yang-push:on-change-unsupported',
  ],
  [
    'a pattern that is none',
    datastore() + xpathFilter(`/g:softwire/g:aftr[re-match(g:name, 'a{')]`) + onChange(),
    'invalid-value',
    'ietf-subscribed-notifications:filter-unsupported',
  ],
  [
    'an identity that is none',
    datastore() + xpathFilter(`/g:softwire/g:aftr[derived-from(g:name, 'g:none')]`) + onChange(),
    'invalid-value',
    'ietf-subscribed-notifications:filter-unsupported',
  ],
  [
    'a reference, which leads to other nodes',
    datastore() + xpathFilter('/g:softwire/g:aftr[deref(g:name)]') + onChange(),
    'invalid-value',
    'ietf-subscribed-notifications:filter-unsupported',
  ],
  ['neither periodic nor on-change', datastore(), 'missing-element', undefined],
];
for (const [what, inside, tag, appTag] of refused) {
  test(`N96: refused: ${what}`, async () => {
    const client = await local();
    const reply = await client.rpc(ESTABLISH(inside));
    client.end();
    assert.is(outcome(reply), tag, reply);
    assert.is(appTagOf(reply), appTag);
    if (appTag !== undefined)
      assert.match(
        reply,
        /<establish-subscription-datastore-error-info xmlns="urn:ietf:params:xml:ns:yang:ietf-yang-push"><reason /,
      );
  });
}

test('N96: state beside configuration is no reason to refuse; of running and operational', async () => {
  const client = await local();
  const both = `<softwire ${GI}><aftr><name/><binding-table><version/></binding-table></aftr></softwire>`;
  const wanted = [
    datastore(both, 'operational'),
    datastore(SESSIONS + both),
    datastore('', 'operational') + xpathFilter('/g:softwire/g:aftr/* | /g:softwire/g:aftr/g:binding-table/g:version'),
  ];
  for (const terms of wanted) idIn(await client.rpc(ESTABLISH(terms + onChange(NO_SYNC))));
  client.end();
});

test('stop', async () => assert.is(await management.stop(), 0));

test.run();
