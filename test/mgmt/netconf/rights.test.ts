// needs: addon, root
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { openLocal, outcomes } from '../../helpers/local-sessions.ts';
import { startManagement } from '../../helpers/management.ts';
import { outcome, RawClient } from '../../helpers/netconf-client.ts';
import {
  AFTR,
  binding,
  copy,
  edit,
  getConfig,
  NC_PREFIX,
  nacm,
  RESET,
  systemUser,
  table,
} from '../../helpers/netconf-requests.ts';

/** What a user with few rights may do, read and change (RFC 8341), against the running program. */
const test = suite('netconf rights');

const P = '192.0.2.1/32';
const G1 = '2001:db8:a::1';
const G2 = '2001:db8:a::2';

const management = await startManagement(['--startup']);

const connect = () => openLocal(management);

/** A user in a group with these rules, over SSH. */
async function withUser(rules: string, body: (root: RawClient, user: RawClient) => Promise<void>): Promise<void> {
  const root = await connect();
  const list = nacm(
    `<groups><group><name>few</name><user-name>guest</user-name></group></groups><rule-list nc:operation="replace"><name>few</name><group>few</group>${rules}</rule-list>`,
  );
  await root.rpc(RESET);
  await root.rpc(edit(AFTR));
  assert.is(outcome(await root.rpc(edit(systemUser('guest', '$0$guest word') + list))), 'ok');
  const user = (await RawClient.ssh(management.netconfPort, 'guest', { password: 'guest word' })).greet('1.1');
  try {
    await body(root, user);
  } finally {
    user.end();
    root.end();
  }
}

const rule = (name: string, content: string, action = 'permit') =>
  `<rule><name>${name}</name>${content}<action>${action}</action></rule>`;
const EXECUTE = rule('exec', '<access-operations>exec</access-operations>');
const path = (name: string, text: string, operations: string, action = 'permit') =>
  rule(
    name,
    `<path xmlns:gi="urn:gi-4over6">${text}</path><access-operations>${operations}</access-operations>`,
    action,
  );
const BINDINGS = '/gi:softwire/gi:aftr/gi:binding-table/gi:binding';

test('N106: a guess of what is hidden is told from nothing by who may create it, a row that came as one included', () => {
  const hidden = path('hidden', BINDINGS, 'read update delete', 'deny');
  const rest = path('rest', '/gi:softwire', 'create read update delete');
  return withUser(hidden + rest + EXECUTE, async (root, user) => {
    await root.rpc(edit(table(binding(P, G1))));
    const [right, wrong, none] = await outcomes(user, [
      edit(table(binding(P, G1))),
      edit(table(binding(P, G2))),
      edit(table(binding('192.0.2.2/32', G2))),
    ]);
    assert.equal([right, wrong, none], ['access-denied', 'access-denied', 'ok']);
    const created = edit(table('').replace('<binding-table>', `<binding-table ${NC_PREFIX} nc:operation="create">`));
    assert.is(await user.rpc(created).then(outcome), 'ok', 'no row that he may read');
    await root.rpc(edit(table('').replace('<binding-table>', `<binding-table ${NC_PREFIX} nc:operation="remove">`)));
    assert.is(await user.rpc(created).then(outcome), 'ok', 'as with rows');
  });
});

test('N105: copy-config with-defaults leaves what is hidden as it is', () => {
  const hop = '/gi:softwire/gi:aftr/gi:hop-limit';
  const rules = path('hidden', hop, '*', 'deny') + path('rest', '/', '*') + EXECUTE;
  return withUser(rules, async (root, user) => {
    const aftr = (leaf: string) =>
      edit(AFTR.replace(/<aftr>.*<\/aftr>/s, `<aftr><name>a</name><${leaf}>64</${leaf}></aftr>`));
    for (const mode of ['trim', 'report-all']) {
      const copied = copy('<running/>', 'startup').replace(
        '</copy-config>',
        `<with-defaults xmlns="urn:ietf:params:xml:ns:yang:ietf-netconf-with-defaults">${mode}</with-defaults></copy-config>`,
      );
      for (const set of [edit(''), aftr('hop-limit')]) {
        assert.is(await root.rpc(set).then(outcome), 'ok');
        assert.is(await user.rpc(copied).then(outcome), 'ok', mode);
        const startup = await root.rpc(getConfig('', 'startup'));
        assert.is(startup.includes('<hop-limit>64<'), set !== edit(''));
        assert.is(startup.includes('<enabled>true<'), mode === 'report-all');
      }
      const remove = `<aftr><name>a</name><hop-limit ${NC_PREFIX} nc:operation="remove"/></aftr>`;
      await root.rpc(edit(AFTR.replace(/<aftr>.*<\/aftr>/s, remove)));
    }
  });
});

test('N104 N110 N111: an operation that is denied is access-denied with its path, and is counted', () =>
  withUser(
    rule('get', '<rpc-name>get-config</rpc-name><access-operations>exec</access-operations>'),
    async (root, user) => {
      const denied = async () =>
        Number(/<denied-operations>(\d+)</.exec(await root.rpc(`<get><filter>${nacm('')}</filter></get>`))?.[1]);
      const before = await denied();
      const reply = await user.rpc('<kill-session><session-id>4242</session-id></kill-session>');
      assert.is(outcome(reply), 'access-denied');
      assert.match(reply, /<error-path[^>]*>[^<]*kill-session</);
      assert.is(outcome(await user.rpc('<delete-config><target><startup/></target></delete-config>')), 'access-denied');
      assert.is(await denied(), before + 2);
      assert.is(outcome(await user.rpc(getConfig())), 'data');
      assert.is(outcome(await user.rpc('<close-session/>')), 'ok');
    },
  ));

test('N105: what may not be read is not there, and no filter tells of it', () => {
  const rules =
    path('secret', `${BINDINGS}/gi:gateway-ipv6-address`, 'read', 'deny') +
    path('read', '/gi:softwire', 'read') +
    EXECUTE;
  return withUser(rules, async (root, user) => {
    await root.rpc(edit(table(binding(P, G1))));
    const whole = await user.rpc(getConfig());
    assert.match(whole, P);
    assert.not.match(whole, G1);
    const subtree = (gateway: string) =>
      `<filter>${table(`<binding><gateway-ipv6-address>${gateway}</gateway-ipv6-address></binding>`)}</filter>`;
    const xpath = (gateway: string) =>
      `<filter type="xpath" xmlns:gi="urn:gi-4over6" select="${BINDINGS}[gi:gateway-ipv6-address='${gateway}']"/>`;
    for (const filter of [subtree, xpath]) {
      assert.match(await root.rpc(getConfig(filter(G1))), P);
      assert.is(await user.rpc(getConfig(filter(G1))), await user.rpc(getConfig(filter(G2))));
    }
  });
});

// [what the rule permits, the three edits: create, update, delete]
for (const [permitted, expected] of [
  ['create', ['ok', 'access-denied', 'access-denied']],
  ['update', ['access-denied', 'ok', 'access-denied']],
  ['delete', ['access-denied', 'access-denied', 'ok']],
] as const) {
  test(`N106 N108: ${permitted} of bindings alone`, () => {
    const rules = path('some', BINDINGS, permitted) + EXECUTE;
    return withUser(rules, async (root, user) => {
      // softwire has default-deny-write: a write-default of permit changes nothing.
      await root.rpc(edit(nacm('<write-default>permit</write-default>')));
      const old = '192.0.2.7/32';
      await root.rpc(edit(table(binding(old, G1))));
      const edits = [
        edit(table(binding(P, G1))),
        edit(table(binding(old, G2))),
        edit(table(`<binding ${NC_PREFIX} nc:operation="delete"><ipv4-prefix>${old}</ipv4-prefix></binding>`)),
      ];
      assert.equal(await outcomes(user, edits), expected);
      await root.rpc(edit(nacm('<write-default nc:operation="remove"/>')));
    });
  });
}

test('N108 N111 N119: where all defaults permit, what is default-deny-all is denied still, and close-session never', () =>
  withUser('', async (root, user) => {
    const defaults = (action: string) =>
      nacm(['read', 'write', 'exec'].map((what) => `<${what}-default>${action}</${what}-default>`).join(''));
    assert.is(outcome(await root.rpc(edit(defaults('permit')))), 'ok');
    const id = /<session-id>(\d+)</.exec(root.hello)?.[1];
    const SYSTEM = 'xmlns="urn:ietf:params:xml:ns:yang:ietf-system"';
    const found = await outcomes(user, [
      '<discard-changes/>',
      `<kill-session><session-id>${id}</session-id></kill-session>`,
      '<delete-config><target><startup/></target></delete-config>',
      `<system-restart ${SYSTEM}/>`,
      `<system-shutdown ${SYSTEM}/>`,
      edit(nacm('<enable-nacm>false</enable-nacm>')),
    ]);
    assert.equal(found, ['ok', ...Array<string>(5).fill('access-denied')]);
    const read = await user.rpc(getConfig());
    assert.match(read, '<ipv4-pool>');
    assert.not.match(read, '<nacm');
    assert.is(outcome(await root.rpc(edit(defaults('deny')))), 'ok');
    assert.equal(await outcomes(user, ['<discard-changes/>', '<close-session/>']), ['access-denied', 'ok']);
  }));

test('N106: one node that is denied refuses the whole edit', () =>
  withUser(path('some', BINDINGS, 'create') + EXECUTE, async (root, user) => {
    const both = table(binding(P, G1)).replace('<binding-table>', '<hop-limit>9</hop-limit><binding-table>');
    assert.is(outcome(await user.rpc(edit(both))), 'access-denied');
    assert.not.match(await root.rpc(getConfig()), P);
  }));

test('N107: commit and copy-config are judged by what they would change', () =>
  withUser(path('some', BINDINGS, 'create') + EXECUTE, async (root, user) => {
    await root.rpc(edit(table(binding(P, G1)), '', 'candidate'));
    assert.is(outcome(await user.rpc('<commit/>')), 'ok', 'a binding more');
    const hop = AFTR.replace('<ipv4-pool>', '<hop-limit>9</hop-limit><ipv4-pool>');
    await root.rpc(edit(hop, '', 'candidate'));
    assert.equal(await outcomes(user, ['<commit/>', copy('<candidate/>', 'running')]), [
      'access-denied',
      'access-denied',
    ]);
    assert.not.match(await root.rpc(getConfig()), '<hop-limit>9<');
    await root.rpc('<discard-changes/>');
  }));

test('a stop on SIGTERM ends with code 0', async () => {
  assert.is(await management.stop(), 0);
});

test.run();
