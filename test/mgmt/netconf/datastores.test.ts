// needs: addon, root
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { allOk, openLocal, outcomes, untilUnlocked, withSessions } from '../../helpers/local-sessions.ts';
import { startManagement } from '../../helpers/management.ts';
import { outcome, type RawClient } from '../../helpers/netconf-client.ts';
import {
  AFTR,
  binding,
  copy,
  edit,
  getConfig,
  lock,
  NC_PREFIX,
  nacm,
  RESET,
  table,
} from '../../helpers/netconf-requests.ts';

/** Datastores, their locks and their edits against the running program, startup included. */
const test = suite('netconf datastores');

const P = '192.0.2.1/32';
const G1 = '2001:db8:a::1';
const G2 = '2001:db8:a::2';

const management = await startManagement(['--startup']);

/** Two clients on the local socket, running reset before and whatever they hold freed after. */
function withTwo(body: (one: RawClient, other: RawClient) => Promise<void>): () => Promise<void> {
  return async () => {
    await withSessions(connect, 2, async (one, other) => {
      await allOk(one, RESET, '<discard-changes/>');
      await body(one, other);
    });
    await untilUnlocked(management);
  };
}

const connect = () => openLocal(management);

test(
  'N26: get-config of running, candidate and startup',
  withTwo(async (client) => {
    assert.is(outcome(await client.rpc(edit(AFTR))), 'ok');
    assert.is(outcome(await client.rpc(copy('<running/>', 'startup'))), 'ok');
    assert.is(outcome(await client.rpc(edit(table(binding(P, G1)), '', 'candidate'))), 'ok');
    const holds = async (source: string) => (await client.rpc(getConfig('', source))).includes(P);
    assert.equal([await holds('running'), await holds('candidate'), await holds('startup')], [false, true, false]);
    assert.match(await client.rpc(getConfig('', 'startup')), '2001:db8:b::1');
    await client.rpc('<discard-changes/>');
  }),
);

test(
  'N33: a prefix with host bits, and IPv6 in another spelling, match in a filter',
  withTwo(async (client) => {
    await client.rpc(edit(AFTR));
    await client.rpc(edit(table(binding('192.0.2.0/28', G1))));
    const filter = (leaf: string) => getConfig(`<filter>${table(`<binding>${leaf}</binding>`)}</filter>`);
    assert.match(await client.rpc(filter('<ipv4-prefix>192.0.2.9/28</ipv4-prefix>')), '192.0.2.0/28');
    const spelled = '<gateway-ipv6-address>2001:0DB8:a:0::0001</gateway-ipv6-address>';
    assert.match(await client.rpc(filter(spelled)), '192.0.2.0/28');
    assert.not.match(await client.rpc(filter('<ipv4-prefix>192.0.2.9/29</ipv4-prefix>')), '192.0.2.0');
  }),
);

test(
  'N40: default-operation replace at the root leaves what was sent and nothing else',
  withTwo(async (client) => {
    await client.rpc(edit(AFTR + nacm('<groups><group><name>g</name></group></groups>'), '', 'candidate'));
    const replace = '<default-operation>replace</default-operation>';
    assert.is(outcome(await client.rpc(edit(AFTR, replace, 'candidate'))), 'ok');
    const left = await client.rpc(getConfig('', 'candidate'));
    assert.match(left, '<softwire');
    assert.not.match(left, /<nacm|<system/);
    await client.rpc('<discard-changes/>');
  }),
);

test(
  'N41: default-operation none changes nothing, and an explicit one below a missing parent is data-missing',
  withTwo(async (client) => {
    const none = '<default-operation>none</default-operation>';
    assert.is(outcome(await client.rpc(edit(AFTR, none))), 'data-missing');
    await client.rpc(edit(AFTR));
    const before = await client.rpc(getConfig());
    assert.is(outcome(await client.rpc(edit(AFTR.replace('b::1', 'b::2'), none))), 'ok');
    assert.is(await client.rpc(getConfig()), before);
    const created = binding(P, G1, ` ${NC_PREFIX} nc:operation="create"`);
    assert.is(outcome(await client.rpc(edit(table(created), none))), 'ok');
    assert.match(await client.rpc(getConfig()), P);
    const elsewhere = table(created).replace('<name>a</name>', '<name>b</name>');
    assert.is(outcome(await client.rpc(edit(elsewhere, none))), 'data-missing');
  }),
);

// [row, what is sent in a table, error-tag, what the error must name]
const faults: readonly (readonly [string, string, string, RegExp])[] = [
  [
    'N44 an unknown leaf',
    binding(P, G1).replace('</binding>', '<colour>red</colour></binding>'),
    'unknown-element',
    /<error-path[^>]*>[^<]*binding\[[^<]*192\.0\.2\.1\/32[^<]*<.*<bad-element>colour</s,
  ],
  [
    'N44 a wrong type',
    binding(P, 'no address'),
    'invalid-value',
    /<error-path[^>]*>[^<]*binding\[[^<]*192\.0\.2\.1\/32[^<]*gateway-ipv6-address</s,
  ],
  [
    'N45 an entry without its key',
    '<binding><gateway-ipv6-address>2001:db8:a::1</gateway-ipv6-address></binding>',
    'missing-element',
    /<bad-element>ipv4-prefix</,
  ],
];
for (const [why, content, tag, names] of faults) {
  test(
    `${why}: ${tag}, with its place`,
    withTwo(async (client) => {
      await client.rpc(edit(AFTR));
      const reply = await client.rpc(edit(table(content)));
      assert.is(outcome(reply), tag);
      assert.match(reply, names);
      assert.not.match(await client.rpc(getConfig()), P);
    }),
  );
}

/** Names of the rule lists in order, of nobody's group. */
async function ruleLists(client: RawClient): Promise<string[]> {
  const reply = await client.rpc(getConfig(`<filter>${nacm('<rule-list><name/></rule-list>')}</filter>`, 'candidate'));
  return [...reply.matchAll(/<name>(l\d)<\/name>/g)].map(([, name]) => name ?? '');
}

const YANG = 'xmlns:yang="urn:ietf:params:xml:ns:yang:1"';
const ruleList = (name: string, more = '') => nacm(`<rule-list ${YANG} ${more}><name>${name}</name></rule-list>`);
const at = (place: string, key?: string) => {
  const keyed = key === undefined ? '' : ` yang:key="[acm:name='${key}']"`;
  return `xmlns:acm="urn:ietf:params:xml:ns:yang:ietf-netconf-acm" yang:insert="${place}"${keyed}`;
};

test(
  'N48: insert first, last, before, after; a place that is not there is bad-attribute',
  withTwo(async (client) => {
    const send = async (name: string, more = '') =>
      outcome(await client.rpc(edit(ruleList(name, more), '', 'candidate')));
    for (const [name, more] of [
      ['l1', ''],
      ['l2', at('last')],
      ['l3', at('first')],
      ['l4', at('before', 'l2')],
      ['l5', at('after', 'l3')],
    ] as const) {
      assert.is(await send(name, more), 'ok', name);
    }
    assert.equal(await ruleLists(client), ['l3', 'l5', 'l1', 'l4', 'l2']);
    assert.is(await send('l2', at('first')), 'ok', 'one that is there moves');
    assert.equal(await ruleLists(client), ['l2', 'l3', 'l5', 'l1', 'l4']);
    const missing = await client.rpc(edit(ruleList('l6', at('after', 'l9')), '', 'candidate'));
    assert.is(outcome(missing), 'bad-attribute');
    assert.match(missing, '<error-app-tag>missing-instance<');
    await client.rpc('<discard-changes/>');
  }),
);

test(
  'N49: a node of another case takes away those of the first',
  withTwo(async (client) => {
    const rule = (content: string) =>
      nacm(
        `<rule-list><name>l1</name><rule><name>r</name><module-name>m</module-name>${content}<action>deny</action></rule></rule-list>`,
      );
    await client.rpc(edit(rule('<rpc-name>reboot</rpc-name>'), '', 'candidate'));
    assert.is(outcome(await client.rpc(edit(rule('<notification-name>n</notification-name>'), '', 'candidate'))), 'ok');
    const reply = await client.rpc(getConfig('', 'candidate'));
    assert.match(reply, '<notification-name>n<');
    assert.not.match(reply, '<rpc-name>reboot<');
    await client.rpc('<discard-changes/>');
  }),
);

for (const option of ['stop-on-error', 'continue-on-error', 'rollback-on-error']) {
  test(
    `N58 N59: ${option} with one good and one bad entry applies none`,
    withTwo(async (client) => {
      await client.rpc(edit(AFTR));
      const rows = table(binding(P, G1) + binding('203.0.113.9/32', G1));
      assert.is(outcome(await client.rpc(edit(rows, `<error-option>${option}</error-option>`))), 'operation-failed');
      assert.not.match(await client.rpc(getConfig()), P);
    }),
  );
}

test(
  'N60: test-only changes nothing; test-then-set takes nothing that is wrong; set takes into the candidate what a commit then refuses',
  withTwo(async (client) => {
    await client.rpc(edit(AFTR));
    const option = (name: string) => `<test-option>${name}</test-option>`;
    assert.is(outcome(await client.rpc(edit(table(binding(P, G1)), option('test-only'), 'candidate'))), 'ok');
    assert.not.match(await client.rpc(getConfig('', 'candidate')), P);
    const outside = table(binding('203.0.113.9/32', G1));
    assert.is(outcome(await client.rpc(edit(outside, option('test-only'), 'candidate'))), 'operation-failed');
    assert.is(outcome(await client.rpc(edit(outside, option('test-then-set'), 'candidate'))), 'operation-failed');
    assert.not.match(await client.rpc(getConfig('', 'candidate')), '203.0.113.9');
    assert.is(outcome(await client.rpc(edit(table(binding(P, G1)), option('test-then-set'), 'candidate'))), 'ok');
    assert.match(await client.rpc(getConfig('', 'candidate')), P);
    assert.is(outcome(await client.rpc(edit(outside, option('set'), 'candidate'))), 'ok');
    assert.is(outcome(await client.rpc('<validate><source><candidate/></source></validate>')), 'operation-failed');
    const refused = await client.rpc('<commit/>');
    assert.is(outcome(refused), 'operation-failed', 'N64');
    assert.match(refused, '<error-app-tag>outside-pool<');
    assert.not.match(await client.rpc(getConfig()), '203.0.113.9', 'N64: running is as it was');
    assert.match(await client.rpc(getConfig('', 'candidate')), '203.0.113.9');
    await client.rpc('<discard-changes/>');
  }),
);

test(
  'N66: lock of a candidate with changes is denied, by nobody',
  withTwo(async (client, other) => {
    await client.rpc(edit(AFTR, '', 'candidate'));
    const reply = await other.rpc(lock('candidate'));
    assert.is(outcome(reply), 'lock-denied');
    assert.match(reply, '<session-id>0<');
    await client.rpc('<discard-changes/>');
    assert.is(outcome(await other.rpc(lock('candidate'))), 'ok');
  }),
);

test(
  'N67: a lock that another holds is denied at once, and names the session',
  withTwo(async (client, other) => {
    const [, id] = /<session-id>(\d+)</.exec(other.hello) ?? [];
    await other.rpc(lock('running'));
    const times: number[] = [];
    for (let i = 0; i < 9; i++) {
      const began = performance.now();
      const reply = await client.rpc(lock('running'));
      times.push(performance.now() - began);
      assert.is(outcome(reply), 'lock-denied');
      assert.match(reply, `<session-id>${id}<`);
    }
    // Nothing waits for the lock: the best of nine is as quick as any answer.
    assert.ok(Math.min(...times) < 100, `${times}`);
  }),
);

test(
  'N68: unlock of what is not locked, or by another session',
  withTwo(async (client, other) => {
    assert.is(outcome(await client.rpc(lock('running', 'unlock'))), 'operation-failed');
    await other.rpc(lock('running'));
    assert.is(outcome(await client.rpc(lock('running', 'unlock'))), 'operation-failed');
    assert.is(outcome(await other.rpc(lock('running', 'unlock'))), 'ok');
  }),
);

test(
  'N69: edit, copy, delete and commit of what another session has locked are in-use',
  withTwo(async (client, other) => {
    await client.rpc(edit(AFTR));
    assert.equal(
      await outcomes(
        other,
        ['running', 'candidate', 'startup'].map((name) => lock(name)),
      ),
      ['ok', 'ok', 'ok'],
    );
    const found = await outcomes(client, [
      edit(table(binding(P, G1))),
      edit(table(binding(P, G1)), '', 'candidate'),
      copy('<candidate/>', 'running'),
      copy('<running/>', 'candidate'),
      copy('<running/>', 'startup'),
      '<delete-config><target><startup/></target></delete-config>',
      '<commit/>',
      '<discard-changes/>',
    ]);
    assert.equal(
      found,
      found.map(() => 'in-use'),
    );
    assert.not.match(await client.rpc(getConfig()), P);
  }),
);

test(
  'N70: a lock survives edits of its owner, and is not given twice',
  withTwo(async (client) => {
    await client.rpc(edit(AFTR));
    const [first, second] = [binding(P, G1), binding('192.0.2.2/32', G2)].map((entry) => edit(table(entry)));
    assert.equal(await outcomes(client, [lock('running'), first ?? '', second ?? '', lock('running')]), [
      'ok',
      'ok',
      'ok',
      'lock-denied',
    ]);
    assert.is(outcome(await client.rpc(lock('running', 'unlock'))), 'ok');
  }),
);

test(
  'N71 N72: copy-config and delete-config',
  withTwo(async (client) => {
    await client.rpc(edit(AFTR));
    assert.is(outcome(await client.rpc(copy('<running/>', 'startup'))), 'ok');
    assert.match(await client.rpc(getConfig('', 'startup')), '2001:db8:b::1');
    assert.is(outcome(await client.rpc(copy('<running/>', 'running'))), 'invalid-value');
    const inline = `<config>${AFTR.replace('<name>a<', '<name>z<')}</config>`;
    assert.is(outcome(await client.rpc(copy(inline, 'candidate'))), 'ok');
    assert.match(await client.rpc(getConfig('', 'candidate')), '<name>z<');
    await client.rpc('<discard-changes/>');
    assert.is(outcome(await client.rpc('<delete-config><target><startup/></target></delete-config>')), 'ok');
    assert.not.match(await client.rpc(getConfig('', 'startup')), '2001:db8:b::1');
    const deleted = outcome(await client.rpc('<delete-config><target><running/></target></delete-config>'));
    assert.is.not(deleted, 'ok');
    assert.match(await client.rpc(getConfig()), '2001:db8:b::1');
  }),
);

test(
  'N84: in mode explicit a leaf that was set to its default is there, one that was not is missing',
  withTwo(async (client) => {
    await client.rpc(edit(AFTR));
    const hop = (operation: string) =>
      edit(
        `<softwire xmlns="urn:gi-4over6" ${NC_PREFIX}><aftr><name>a</name><hop-limit nc:operation="${operation}">64</hop-limit></aftr></softwire>`,
      );
    assert.equal(await outcomes(client, [hop('delete'), hop('create'), hop('create'), hop('delete')]), [
      'data-missing',
      'ok',
      'data-exists',
      'ok',
    ]);
  }),
);

test('N73: a restart of the program keeps running; a boot returns to startup', async () => {
  const setUp = await connect();
  await setUp.rpc(RESET);
  await setUp.rpc(edit(AFTR));
  await setUp.rpc(copy('<running/>', 'startup'));
  await setUp.rpc(edit(table(binding(P, G1))));
  setUp.end();
  const hasBinding = async () => {
    const client = await connect();
    const reply = await client.rpc(getConfig());
    client.end();
    assert.match(reply, '2001:db8:b::1');
    return reply.includes(P);
  };
  await management.restart('SIGKILL');
  assert.is(await hasBinding(), true);
  management.reboot();
  await management.restart('SIGTERM');
  assert.is(await hasBinding(), false);
});

test(
  'there is no :url: it is not advertised, and an element url is refused wherever it stands',
  withTwo(async (client) => {
    assert.not.match(client.hello, 'capability:url');
    const url = '<url>file:///tmp/x.xml</url>';
    const refused = [
      copy(url, 'running'),
      `<copy-config><target>${url}</target><source><running/></source></copy-config>`,
      `<delete-config><target>${url}</target></delete-config>`,
      `<edit-config><target><running/></target>${url}</edit-config>`,
      `<validate><source>${url}</source></validate>`,
    ];
    assert.equal(await outcomes(client, refused), Array<string>(refused.length).fill('unknown-element'));
  }),
);

test('a stop on SIGTERM ends with code 0', async () => {
  assert.is(await management.stop(), 0);
});

test.run();
