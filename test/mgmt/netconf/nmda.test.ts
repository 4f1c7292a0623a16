// needs: addon
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { allOk, openLocal, withSessions } from '../../helpers/local-sessions.ts';
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
  NC_PREFIX,
  nacm,
  RESET,
  systemUser,
  table,
} from '../../helpers/netconf-requests.ts';
import { byIdentity, dataIn, editData, getData, NMDA, OR, subtree } from '../../helpers/nmda-requests.ts';

/** get-data and edit-data (RFC 8526) against the running program, startup included. */
const test = suite('netconf nmda');

const [P, Q] = ['192.0.2.1/32', '192.0.2.2/32'];
const [G1, G2] = ['2001:db8:a::1', '2001:db8:a::2'];
const SOFTWIRE = subtree(`<softwire ${GI}/>`);
const DEFAULT = `${OR} or:origin="or:default"`;
const INTENDED = `${OR} or:origin="or:intended"`;
const HOP = (leaf: string) => subtree(`<softwire ${GI}><aftr><name>a</name>${leaf}</aftr></softwire>`);

const management = await startManagement(['--startup']);

const connect = () => openLocal(management);

/** A client that finds one AFTR with a binding in running, and nothing else that is its own. */
function withClient(body: (client: RawClient) => Promise<void>): () => Promise<void> {
  return () =>
    withSessions(connect, 1, async (client) => {
      await allOk(client, '<discard-changes/>', RESET, edit(AFTR), edit(table(binding(P, G1))));
      await body(client);
    });
}

async function data(client: RawClient, datastore: string, more = ''): Promise<string> {
  return dataIn(await client.rpc(getData(datastore, more)));
}

test('the hello has with-operational-defaults, the library each datastore', async () => {
  const client = await connect();
  assert.match(client.hello, '>urn:ietf:params:netconf:capability:with-operational-defaults:1.0<');
  assert.match(client.hello, /yang-library:1\.1\?revision=2019-01-04&amp;content-id=/);
  const library = await data(
    client,
    'operational',
    subtree('<yang-library xmlns="urn:ietf:params:xml:ns:yang:ietf-yang-library"><datastore/></yang-library>'),
  );
  const named = [
    ...library.matchAll(/<datastore><name[^>]*>[^<:]*:([^<]*)<\/name><schema>complete<\/schema><\/datastore>/g),
  ];
  assert.equal(
    named.map(([, name]) => name),
    ['running', 'candidate', 'startup', 'intended', 'operational'],
  );
  client.end();
});

test(
  'N97: get-data of each datastore; conventional ones hold what get-config gives',
  withClient(async (client) => {
    await client.rpc(copy('<running/>', 'startup'));
    await client.rpc(edit(table(binding(Q, G1)), '', 'candidate'));
    for (const datastore of ['running', 'candidate', 'startup']) {
      const config = /<data[^>]*>(.*)<\/data>/s.exec(await client.rpc(getConfig('', datastore)))?.[1];
      assert.is(await data(client, datastore), config, datastore);
    }
    assert.is(await data(client, 'intended'), await data(client, 'running'));
    const holds = async (datastore: string) => (await data(client, datastore, SOFTWIRE)).includes(Q);
    assert.equal(
      [await holds('candidate'), await holds('running'), await holds('intended'), await holds('operational')],
      [true, false, false, false],
    );
    await client.rpc('<discard-changes/>');
  }),
);

test(
  'N97: operational holds state, and what is in force by default unless asked otherwise',
  withClient(async (client) => {
    const ask = (more = '') => data(client, 'operational', HOP('<hop-limit/><binding-table/>') + more);
    const all = await ask();
    assert.match(all, '<hop-limit>64</hop-limit>');
    assert.match(all, '<bindings>1</bindings>');
    assert.match(
      all,
      `<binding><ipv4-prefix>${P}</ipv4-prefix><gateway-ipv6-address>${G1}</gateway-ipv6-address><origin>static</origin></binding>`,
    );
    const mode = (name: string) => `<with-defaults>${name}</with-defaults>`;
    for (const name of ['explicit', 'trim']) assert.not.match(await ask(mode(name)), 'hop-limit');
    assert.is(await ask(mode('report-all')), all);
    assert.match(await ask(mode('report-all-tagged')), /<hop-limit xmlns:wd="[^"]*" wd:default="true">64</);
    assert.not.match(await data(client, 'running', HOP('<hop-limit/>')), 'hop-limit');
    assert.match(await data(client, 'running', HOP('<hop-limit/>') + mode('report-all')), '<hop-limit>64<');
  }),
);

test(
  'N97: config-filter leaves configuration, or state below the nodes that lead to it',
  withClient(async (client) => {
    const ask = (datastore: string, value: boolean) =>
      data(client, datastore, `${HOP('<hop-limit/><binding-table/>')}<config-filter>${value}</config-filter>`);
    const config = await ask('operational', true);
    assert.match(config, `<hop-limit>64</hop-limit><binding-table><binding><ipv4-prefix>${P}</ipv4-prefix>`);
    assert.not.match(config, /<bindings>|<origin>/);
    const state = await ask('operational', false);
    assert.match(state, `<softwire ${GI}><aftr><name>a</name><binding-table><version>`);
    assert.match(state, `<binding><ipv4-prefix>${P}</ipv4-prefix><origin>static</origin></binding>`);
    assert.not.match(state, /hop-limit|gateway-ipv6-address/);
    assert.match(await ask('running', true), P);
    assert.is(await ask('running', false), '');
  }),
);

test(
  'N97: with-origin marks the top and what differs from its parent; state has none',
  withClient(async (client) => {
    const filter = HOP('<hop-limit/><binding-table><bindings/><binding/></binding-table>');
    const row = `<binding><ipv4-prefix>${P}</ipv4-prefix><gateway-ipv6-address>${G1}</gateway-ipv6-address><origin>static</origin></binding>`;
    assert.is(
      await data(client, 'operational', `${filter}<with-origin/>`),
      `<softwire ${GI} ${INTENDED}><aftr><name>a</name><hop-limit ${DEFAULT}>64</hop-limit><binding-table><bindings>1</bindings>${row}</binding-table></aftr></softwire>`,
    );
    const alarms = '<alarms xmlns="urn:ietf:params:xml:ns:yang:ietf-alarms"><summary/></alarms>';
    assert.match(
      await data(client, 'operational', `${subtree(alarms)}<with-origin/>`),
      /^<alarms [^>]*or:origin="or:system"><summary>/,
    );
    const library = '<yang-library xmlns="urn:ietf:params:xml:ns:yang:ietf-yang-library"><content-id/></yang-library>';
    assert.not.match(await data(client, 'operational', `${subtree(library)}<with-origin/>`), 'origin');
    const xpath = `<xpath-filter>/gi:softwire/gi:aftr/gi:hop-limit</xpath-filter><with-origin/>`;
    assert.is(
      await data(client, 'operational', xpath),
      `<softwire ${GI} ${INTENDED}><aftr><name>a</name><hop-limit ${DEFAULT}>64</hop-limit></aftr></softwire>`,
    );
  }),
);

// [filter parameters, whether the default hop-limit, the configured binding and the number of bindings are there]
const origins: readonly (readonly [string, readonly [boolean, boolean, boolean]])[] = [
  ['<origin-filter>or:intended</origin-filter>', [false, true, true]],
  ['<origin-filter>or:default</origin-filter>', [true, false, true]],
  ['<origin-filter>or:learned</origin-filter>', [false, false, true]],
  ['<origin-filter>or:intended</origin-filter><origin-filter>or:default</origin-filter>', [true, true, true]],
  ['<negated-origin-filter>or:intended</negated-origin-filter>', [true, false, true]],
  ['<negated-origin-filter>or:default</negated-origin-filter>', [false, true, true]],
  [
    '<negated-origin-filter>or:intended</negated-origin-filter><negated-origin-filter>or:default</negated-origin-filter>',
    [false, false, true],
  ],
];
for (const [filter, expected] of origins) {
  test(
    `N97: ${filter} filters configuration, never state`,
    withClient(async (client) => {
      const selections = [
        HOP('<hop-limit/><binding-table/>'),
        `<xpath-filter>/gi:softwire/gi:aftr/*[self::gi:hop-limit or self::gi:binding-table]</xpath-filter>`,
      ];
      for (const selection of selections) {
        const found = await data(client, 'operational', selection + filter);
        const shown = ['<hop-limit>', '<gateway-ipv6-address>', '<bindings>'].map((tag) => found.includes(tag));
        assert.equal(shown, expected, selection);
      }
    }),
  );
}

// [filter, depth, the answer of running]
const aftr = (content: string) => `<softwire ${GI}>${content}</softwire>`;
const entry = `<binding><ipv4-prefix>${P}</ipv4-prefix><gateway-ipv6-address>${G1}</gateway-ipv6-address></binding>`;
const leaves = '<name>a</name><ipv6-address>2001:db8:b::1</ipv6-address><ipv4-pool>192.0.2.0/24</ipv4-pool>';
const depths: readonly (readonly [string, string, string])[] = [
  [SOFTWIRE, '1', `<softwire ${GI}/>`],
  [SOFTWIRE, '2', aftr('<aftr><name>a</name></aftr>')],
  [SOFTWIRE, '3', aftr(`<aftr>${leaves}<binding-table/></aftr>`)],
  [
    SOFTWIRE,
    '4',
    aftr(`<aftr>${leaves}<binding-table><binding><ipv4-prefix>${P}</ipv4-prefix></binding></binding-table></aftr>`),
  ],
  [SOFTWIRE, '5', aftr(`<aftr>${leaves}<binding-table>${entry}</binding-table></aftr>`)],
  [SOFTWIRE, 'unbounded', aftr(`<aftr>${leaves}<binding-table>${entry}</binding-table></aftr>`)],
  // It counts from each node that is selected, however deep that is.
  [HOP('<binding-table/>'), '1', aftr('<aftr><name>a</name><binding-table/></aftr>')],
  [
    HOP('<ipv6-address/><binding-table><binding/></binding-table>'),
    '1',
    aftr(
      `<aftr><name>a</name><ipv6-address>2001:db8:b::1</ipv6-address><binding-table><binding><ipv4-prefix>${P}</ipv4-prefix></binding></binding-table></aftr>`,
    ),
  ],
  [
    HOP('<binding-table><binding/></binding-table>'),
    '2',
    aftr(`<aftr><name>a</name><binding-table>${entry}</binding-table></aftr>`),
  ],
  [
    '<xpath-filter>//gi:binding</xpath-filter>',
    '1',
    aftr(
      `<aftr><name>a</name><binding-table><binding><ipv4-prefix>${P}</ipv4-prefix></binding></binding-table></aftr>`,
    ),
  ],
  [
    '<xpath-filter>//gi:binding</xpath-filter>',
    '2',
    aftr(`<aftr><name>a</name><binding-table>${entry}</binding-table></aftr>`),
  ],
  ['<xpath-filter>/gi:softwire</xpath-filter>', '2', aftr('<aftr><name>a</name></aftr>')],
];
for (const [filter, depth, answer] of depths) {
  test(
    `N97: max-depth ${depth} of ${filter}`,
    withClient(async (client) => {
      // A container that may have rows has an end tag of its own.
      const expected = answer.replace(/<([\w-]+)([^<>]*)\/>/g, '<$1$2></$1>');
      assert.is(await data(client, 'running', `${filter}<max-depth>${depth}</max-depth>`), expected);
    }),
  );
}

test(
  'N97: without a filter a depth counts from the top; an empty one selects nothing, XPath what it says',
  withClient(async (client) => {
    const top = await data(client, 'running', '<max-depth>1</max-depth>');
    assert.match(top, `<softwire ${GI}></softwire>`);
    assert.not.match(top, '<aftr>');
    assert.is(await data(client, 'running', '<subtree-filter/>'), '');
    assert.is(await data(client, 'running', '<xpath-filter>/</xpath-filter>'), await data(client, 'running'));
    const keyed = (prefix: string) =>
      data(
        client,
        'operational',
        `<xpath-filter>/gi:softwire/gi:aftr/gi:binding-table/gi:binding[gi:ipv4-prefix='${prefix}']/gi:origin</xpath-filter>`,
      );
    assert.match(await keyed(P), `<binding><ipv4-prefix>${P}</ipv4-prefix><origin>static</origin></binding>`);
    assert.is(await keyed(Q), '');
  }),
);

// [what is wrong, request, error-tag]
const FAULTS: readonly (readonly [string, string, string])[] = [
  ['a datastore that is not there', getData('dynamic'), 'invalid-value'],
  ['a datastore of no name', getData('nowhere'), 'invalid-value'],
  ['no datastore', `<get-data xmlns="${NMDA}"/>`, 'missing-element'],
  ['with-origin of running', getData('running', '<with-origin/>'), 'invalid-value'],
  ['an origin-filter on running', getData('running', '<origin-filter>or:intended</origin-filter>'), 'unknown-element'],
  ['an origin that is none', getData('operational', '<origin-filter>or:elsewhere</origin-filter>'), 'invalid-value'],
  [
    'both kinds of origin filter',
    getData(
      'operational',
      '<origin-filter>or:intended</origin-filter><negated-origin-filter>or:default</negated-origin-filter>',
    ),
    'bad-element',
  ],
  ['both kinds of filter', getData('running', `${SOFTWIRE}<xpath-filter>/gi:softwire</xpath-filter>`), 'bad-element'],
  ['max-depth 0', getData('running', '<max-depth>0</max-depth>'), 'invalid-value'],
  ['XPath that is none', getData('running', '<xpath-filter>/gi:softwire[</xpath-filter>'), 'invalid-value'],
  ['XPath that gives no nodes', getData('running', '<xpath-filter>1 + 1</xpath-filter>'), 'invalid-value'],
  ['a with-defaults that is none', getData('running', '<with-defaults>some</with-defaults>'), 'invalid-value'],
  ['edit-data of operational', editData(AFTR, '', 'operational'), 'invalid-value'],
  ['edit-data of intended', editData(AFTR, '', 'intended'), 'invalid-value'],
  ['edit-data of startup', editData(AFTR, '', 'startup'), 'invalid-value'],
  ['edit-data without content', editData('').replace('<config></config>', ''), 'missing-element'],
  ['edit-data of a wrong value', editData(table(binding(P, 'no address'))), 'invalid-value'],
  ['edit-data of an unknown leaf', editData(table('<colour/>')), 'unknown-element'],
  ['edit-data of state', editData(table('<bindings>7</bindings>')), 'unknown-element'],
  ['edit-data with a plain operation', editData(table(binding(P, G1, ' operation="delete"'))), 'unknown-attribute'],
  ['a lock of operational', byIdentity('lock', 'operational'), 'invalid-value'],
  ['a lock of intended', byIdentity('lock', 'intended'), 'invalid-value'],
  ['validate of operational', byIdentity('validate', 'operational'), 'invalid-value'],
];
for (const [what, request, tag] of FAULTS) {
  test(
    `N97 N98: ${what} is ${tag}`,
    withClient(async (client) => {
      const before = await data(client, 'running');
      assert.is(outcome(await client.rpc(request)), tag);
      assert.is(await data(client, 'running'), before);
    }),
  );
}

test(
  'N98: edit-data of running and candidate, with each operation and default-operation',
  withClient(async (client) => {
    const operated = (name: string, prefix: string) =>
      table(binding(prefix, G2, ` ${NC_PREFIX} nc:operation="${name}"`));
    const steps: readonly (readonly [string, string])[] = [
      [editData(table(binding(P, G2))), 'ok'],
      [editData(operated('create', P)), 'data-exists'],
      [editData(operated('create', Q)), 'ok'],
      [editData(operated('delete', Q)), 'ok'],
      [editData(operated('delete', Q)), 'data-missing'],
      [editData(operated('remove', Q)), 'ok'],
      [editData(table(binding(Q, G2)), '<default-operation>none</default-operation>'), 'data-missing'],
      [editData(AFTR, '', 'candidate'), 'ok'],
      [editData(table(binding(Q, G2)), '', 'candidate'), 'ok'],
    ];
    for (const [request, expected] of steps) assert.is(outcome(await client.rpc(request)), expected, request);
    assert.equal(
      [(await data(client, 'running')).includes(Q), (await data(client, 'candidate')).includes(Q)],
      [false, true],
    );
    assert.is(outcome(await client.rpc('<commit/>')), 'ok');
    assert.match(await data(client, 'operational', SOFTWIRE), `<ipv4-prefix>${Q}</ipv4-prefix>`);
    const replaced = editData(AFTR, '<default-operation>replace</default-operation>', 'candidate');
    assert.is(outcome(await client.rpc(replaced)), 'ok');
    assert.not.match(await data(client, 'candidate'), /<nacm|<binding>/);
    assert.is(outcome(await client.rpc('<discard-changes/>')), 'ok');
  }),
);

test(
  'N98: an edit with one fault changes nothing; a path names it',
  withClient(async (client) => {
    const before = await data(client, 'running');
    const reply = await client.rpc(editData(table(binding(Q, G2) + binding('203.0.113.1/32', G2))));
    assert.is(outcome(reply), 'operation-failed');
    assert.match(reply, /<error-path[^>]*>[^<]*203\.0\.113\.1/);
    assert.is(await data(client, 'running'), before);
  }),
);

test(
  'RFC 8526 section 3.2: datastores are locked, unlocked and validated by their identity',
  withClient(async (client) => {
    const other = await connect();
    for (const datastore of ['running', 'candidate', 'startup']) {
      assert.is(outcome(await client.rpc(byIdentity('lock', datastore))), 'ok', datastore);
      assert.is(outcome(await other.rpc(lock(datastore))), 'lock-denied');
      if (datastore !== 'startup') assert.is(outcome(await other.rpc(editData(AFTR, '', datastore))), 'in-use');
      assert.is(outcome(await other.rpc(byIdentity('unlock', datastore))), 'operation-failed');
      assert.is(outcome(await client.rpc(byIdentity('unlock', datastore))), 'ok');
    }
    for (const datastore of ['running', 'candidate', 'startup', 'intended']) {
      assert.is(outcome(await client.rpc(byIdentity('validate', datastore))), 'ok', datastore);
    }
    const enabled = `<softwire ${GI}><aftr><name>b</name></aftr></softwire>`;
    assert.is(outcome(await client.rpc(editData(enabled, '', 'candidate'))), 'ok');
    assert.is.not(outcome(await client.rpc(byIdentity('validate', 'candidate'))), 'ok');
    assert.is(outcome(await client.rpc(byIdentity('validate', 'running'))), 'ok');
    await client.rpc('<discard-changes/>');
    other.end();
  }),
);

test(
  'N97 N98: access control is that of get-config and edit-config',
  withClient(async (client) => {
    const rule = (name: string, content: string) =>
      `<rule><name>${name}</name>${content}<action>permit</action></rule>`;
    const rules = [
      rule('exec', '<rpc-name>get-data</rpc-name><access-operations>exec</access-operations>'),
      rule(
        'read',
        '<path xmlns:gi="urn:gi-4over6">/gi:softwire/gi:aftr/gi:hop-limit</path><access-operations>read</access-operations>',
      ),
    ];
    const path = '<path xmlns:gi="urn:gi-4over6">/gi:softwire</path><access-operations>read</access-operations>';
    const hidden = `<rule><name>table</name><path xmlns:gi="urn:gi-4over6">/gi:softwire/gi:aftr/gi:binding-table</path><access-operations>*</access-operations><action>deny</action></rule>`;
    const list = (content: string) =>
      nacm(
        `<groups><group><name>few</name><user-name>guest</user-name></group></groups><rule-list nc:operation="replace"><name>few</name><group>few</group>${content}</rule-list>`,
      );
    await client.rpc(edit(systemUser('guest', '$0$guest word') + list(rules.join('') + hidden + rule('all', path))));
    const guest = (await RawClient.ssh(management.netconfPort, 'guest', { password: 'guest word' })).greet('1.1');
    assert.is(outcome(await guest.rpc(editData(AFTR))), 'access-denied');
    const seen = await data(guest, 'operational');
    assert.match(seen, '<hop-limit>64</hop-limit>');
    assert.not.match(seen, /binding-table|<nacm|<system/);
    const nothing = [
      ['<xpath-filter>//gi:binding</xpath-filter>', ''],
      [HOP('<binding-table/>'), `<softwire ${GI}><aftr><name>a</name></aftr></softwire>`],
    ] as const;
    for (const [filter, answer] of nothing) {
      for (const depth of ['1', 'unbounded']) {
        const found = await data(guest, 'running', `${filter}<max-depth>${depth}</max-depth>`);
        assert.is(found, answer, `${filter} ${depth}`);
      }
    }
    const may = rule('edit', '<rpc-name>edit-data</rpc-name><access-operations>exec</access-operations>');
    await client.rpc(edit(list(may + rules.join('') + rule('all', path))));
    assert.is(outcome(await guest.rpc(editData(table(binding(Q, G1))))), 'access-denied');
    assert.not.match(await data(client, 'running'), Q);
    guest.end();
  }),
);

test(
  'N97 N98: 20,000 bindings go in and come out as through edit-config and get-config',
  withClient(async (client) => {
    const pool = AFTR.replace('192.0.2.0/24', '10.0.0.0/8');
    const rows = Array.from({ length: 20_000 }, (_, i) => binding(`10.0.${i >> 8}.${i & 255}/32`, G1)).join('');
    assert.is(outcome(await client.rpc(editData(pool))), 'ok');
    assert.is(outcome(await client.rpc(editData(table(rows)))), 'ok');
    assert.match(await client.rpc(getConfig()), rows);
    assert.match(await data(client, 'running'), rows);
    const operational = await data(client, 'operational', '<with-origin/>');
    assert.is(operational.split('<origin>static</origin></binding>').length - 1, 20_001);
    assert.match(
      operational,
      `<binding><ipv4-prefix>10.0.78.31/32</ipv4-prefix><gateway-ipv6-address>${G1}</gateway-ipv6-address><origin>static</origin></binding>`,
    );
  }),
);

test('without startup there is no datastore of that name', async () => {
  await management.restart('SIGTERM');
  const other = await startManagement();
  const client = (await RawClient.local(other.socket)).greet('1.1');
  for (const request of [getData('startup'), byIdentity('lock', 'startup'), byIdentity('validate', 'startup')]) {
    assert.is(outcome(await client.rpc(request)), 'invalid-value');
  }
  client.end();
  assert.is(await other.stop(), 0);
});

test('the program ends cleanly', async () => {
  assert.is(await management.stop(), 0);
});

test.run();
