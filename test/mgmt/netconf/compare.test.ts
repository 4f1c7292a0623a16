// needs: addon
import { spawnSync } from 'node:child_process';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { allOk, openLocal } from '../../helpers/local-sessions.ts';
import { startManagement } from '../../helpers/management.ts';
import { outcome, RawClient } from '../../helpers/netconf-client.ts';
import {
  AFTR,
  binding,
  copy,
  edit,
  GI,
  NC_PREFIX,
  nacm,
  RESET,
  systemUser,
  table,
} from '../../helpers/netconf-requests.ts';
import { OR } from '../../helpers/nmda-requests.ts';

/** compare of ietf-nmda-compare (RFC 9144) against the running program, startup included. */
const test = suite('netconf compare');

const NAMES = `xmlns="urn:ietf:params:xml:ns:yang:ietf-nmda-compare" xmlns:ds="urn:ietf:params:xml:ns:yang:ietf-datastores" xmlns:gi="urn:gi-4over6"`;
const [P, Q, R] = ['192.0.2.1/32', '192.0.2.2/32', '192.0.2.3/32'];
const [G1, G2] = ['2001:db8:a::1', '2001:db8:a::2'];
const ROW = (prefix: string) => `/gi-4over6:softwire/aftr=a/binding-table/binding=${encodeURIComponent(prefix)}`;
const A = '/gi-4over6:softwire/aftr=a';

const ask = (source: string, target: string, more = '') =>
  `<compare ${NAMES}><source>ds:${source}</source><target>ds:${target}</target>${more}</compare>`;
const subtree = (content: string) => `<subtree-filter><softwire ${GI}>${content}</softwire></subtree-filter>`;
const xpath = (text: string) => `<xpath-filter>${text}</xpath-filter>`;
const leaf = (name: string, value: string | number, target = 'running') =>
  edit(`<softwire ${GI}><aftr><name>a</name><${name}>${value}</${name}></aftr></softwire>`, '', target);

const management = await startManagement(['--startup']);

/** A client; running and startup are an AFTR with the bindings P and Q, the candidate has Q changed, P gone, R new and a hop-limit. */
function withClient(body: (client: RawClient) => Promise<void>): () => Promise<void> {
  return async () => {
    const client = await openLocal(management);
    const gone = `<binding ${NC_PREFIX} nc:operation="delete"><ipv4-prefix>${P}</ipv4-prefix></binding>`;
    const steps = [
      '<discard-changes/>',
      RESET,
      edit(AFTR),
      edit(table(binding(P, G1) + binding(Q, G1))),
      copy('<running/>', 'startup'),
      edit(table(gone + binding(Q, G2) + binding(R, G1)), '', 'candidate'),
      leaf('hop-limit', 63, 'candidate'),
    ];
    try {
      await allOk(client, ...steps);
      await body(client);
      await client.rpc('<discard-changes/>');
    } finally {
      client.end();
    }
  };
}

/** The edits of an answer: operation and target. */
function edits(reply: string): string[] {
  if (reply.includes('<no-matches ')) return [];
  assert.match(reply, '<differences ', reply);
  return [...reply.matchAll(/<operation>(\w+)<\/operation><target>([^<]*)<\/target>/g)].map(
    ([, name, target]) => `${name} ${target}`,
  );
}

const HOP = `create ${A}/hop-limit`;
const ROWS = [`delete ${ROW(P)}`, `replace ${ROW(Q)}/gateway-ipv6-address`, `create ${ROW(R)}`];
const BACK = [
  `replace ${A}/hop-limit`,
  `create ${ROW(P)}`,
  `replace ${ROW(Q)}/gateway-ipv6-address`,
  `delete ${ROW(R)}`,
];
// [source, target, filter, what differs]
const cases: readonly (readonly [string, string, string, readonly string[]])[] = [
  ['running', 'candidate', '', [HOP, ...ROWS]],
  ['startup', 'candidate', '', [HOP, ...ROWS]],
  ['intended', 'candidate', '', [HOP, ...ROWS]],
  ['running', 'startup', '', []],
  ['running', 'intended', '', []],
  ['operational', 'operational', '<all/>', []],
  ['running', 'candidate', subtree(''), [HOP, ...ROWS]],
  ['running', 'candidate', subtree('<aftr><name/><hop-limit/></aftr>'), [HOP]],
  ['running', 'candidate', subtree('<aftr><binding-table/></aftr>'), ROWS],
  ['candidate', 'running', subtree('<aftr><hop-limit/></aftr>'), [`delete ${A}/hop-limit`]],
  [
    'running',
    'candidate',
    subtree(`<aftr><binding-table><binding><ipv4-prefix>${R}</ipv4-prefix></binding></binding-table></aftr>`),
    [ROWS[2] ?? ''],
  ],
  ['running', 'candidate', subtree('<gateway/>'), []],
  ['running', 'candidate', '<subtree-filter/>', []],
  ['running', 'candidate', xpath('/gi:softwire/gi:aftr/gi:binding-table/gi:binding'), ROWS],
  ['running', 'candidate', xpath(`//gi:binding[gi:ipv4-prefix='${Q}']`), [ROWS[1] ?? '']],
  ['running', 'candidate', xpath('//gi:hop-limit'), [HOP]],
  ['running', 'candidate', xpath('/ietf-system:system'), []],
  // Operational has the default in use.
  ['running', 'operational', xpath('//gi:hop-limit | //gi:binding'), [HOP]],
  ['candidate', 'operational', xpath('//gi:hop-limit | //gi:binding'), BACK],
  ['operational', 'running', xpath('//gi:hop-limit'), [`delete ${A}/hop-limit`]],
];
for (const [source, target, filter, expected] of cases) {
  test(
    `N118: ${source} and ${target}${filter === '' ? '' : `, ${filter}`}`,
    withClient(async (client) => {
      const found = edits(await client.rpc(ask(source, target, filter)));
      assert.equal(found, expected);
    }),
  );
}

test(
  'N118: without a filter operational differs from running by defaults alone; with all, by state too',
  withClient(async (client) => {
    const plain = edits(await client.rpc(ask('running', 'operational')));
    assert.ok(plain.includes(HOP));
    assert.ok(
      plain.every((text) => text.startsWith('create ')),
      plain.join(),
    );
    assert.not.ok(
      plain.some((text) => /yang-library|netconf-state|binding=/.test(text)),
      plain.join(),
    );
    const all = edits(await client.rpc(ask('running', 'operational', '<all/>')));
    for (const target of ['/ietf-yang-library:yang-library', `${A}/binding-table/bindings`, `${ROW(P)}/origin`]) {
      assert.ok(all.includes(`create ${target}`), target);
    }
    assert.equal(
      plain.filter((text) => !all.includes(text)),
      [],
    );
  }),
);

test(
  'N118: report-origin says where values of operational come from',
  withClient(async (client) => {
    const filter = xpath('//gi:hop-limit | //gi:binding');
    const told = await client.rpc(ask('candidate', 'operational', `<report-origin/>${filter}`));
    assert.match(
      told,
      `<value><hop-limit ${GI} ${OR} or:origin="or:default">64</hop-limit></value><source-value><hop-limit ${GI}>63</hop-limit>`,
    );
    assert.match(told, new RegExp(`<value><binding ${GI} ${OR} or:origin="or:intended"><ipv4-prefix>${P}<`));
    assert.not.match(await client.rpc(ask('candidate', 'operational', filter)), 'or:origin');
  }),
);

test(
  'N118: the patch that is answered makes the target of the source',
  withClient(async (client) => {
    const reply = await client.rpc(ask('running', 'candidate', xpath(`//gi:binding[gi:ipv4-prefix='${Q}']`)));
    const value = (gateway: string) => `<gateway-ipv6-address ${GI}>${gateway}</gateway-ipv6-address>`;
    assert.match(
      reply,
      `<patch-id>difference</patch-id><edit><edit-id>1</edit-id><operation>replace</operation><target>${ROW(Q)}/gateway-ipv6-address</target><value>${value(G2)}</value><source-value>${value(G1)}</source-value></edit></yang-patch></differences>`,
    );
  }),
);

// [what is wrong, request, error-tag]
const FAULTS: readonly (readonly [string, string, string])[] = [
  ['a datastore that is not there', ask('running', 'dynamic'), 'invalid-value'],
  ['no target', `<compare ${NAMES}><source>ds:running</source></compare>`, 'missing-element'],
  ['XPath that is none', ask('running', 'candidate', xpath('/gi:softwire[')), 'invalid-value'],
  ['XPath that gives no nodes', ask('running', 'candidate', xpath('1')), 'invalid-value'],
  ['two filters', ask('running', 'candidate', subtree('') + xpath('/gi:softwire')), 'bad-element'],
];
for (const [what, request, tag] of FAULTS) {
  test(
    `N118: ${what} is ${tag}`,
    withClient(async (client) => assert.is(outcome(await client.rpc(request)), tag)),
  );
}

test(
  'N118: what a user may not read is no difference, however it is filtered',
  withClient(async (client) => {
    const rule = (name: string, content: string, action = 'permit') =>
      `<rule><name>${name}</name>${content}<action>${action}</action></rule>`;
    const path = (text: string) =>
      `<path xmlns:gi="urn:gi-4over6">${text}</path><access-operations>read</access-operations>`;
    const rules =
      rule('exec', '<access-operations>exec</access-operations>') +
      rule('table', path('/gi:softwire/gi:aftr/gi:binding-table'), 'deny') +
      rule('read', path('/gi:softwire'));
    const list = `<groups><group><name>few</name><user-name>guest</user-name></group></groups><rule-list nc:operation="replace"><name>few</name><group>few</group>${rules}</rule-list>`;
    await client.rpc(edit(systemUser('guest', '$0$guest word') + nacm(list)));
    const guest = (await RawClient.ssh(management.netconfPort, 'guest', { password: 'guest word' })).greet('1.1');
    for (const filter of ['', subtree(''), xpath('/gi:softwire')]) {
      assert.equal(edits(await guest.rpc(ask('running', 'candidate', filter))), [HOP], filter);
    }
    assert.equal(edits(await guest.rpc(ask('running', 'candidate', xpath('//gi:binding')))), []);
    assert.equal(edits(await guest.rpc(ask('running', 'operational', `${xpath('//gi:binding')}<all/>`))), []);
    guest.end();
  }),
);

/** compare over RESTCONF with this input. */
function post(input: Readonly<Record<string, unknown>>): { readonly status: string; readonly body: string } {
  const body = JSON.stringify({ 'ietf-nmda-compare:input': input });
  const url = `https://127.0.0.1:${management.restconfPort}/restconf/operations/ietf-nmda-compare:compare`;
  const words = [
    '-sk',
    '-u',
    `admin:${management.password}`,
    '-X',
    'POST',
    '-H',
    'Content-Type: application/yang-data+json',
  ];
  const { stdout } = spawnSync('curl', [...words, '-d', body, '-w', '\n%{http_code}', url], { encoding: 'utf8' });
  const at = stdout.lastIndexOf('\n');
  return { status: stdout.slice(at + 1), body: stdout.slice(0, at) };
}

test(
  'N118: over RESTCONF, with an XPath filter',
  withClient(async () => {
    const sides = { source: 'ietf-datastores:running', target: 'ietf-datastores:operational' };
    const { status, body } = post({ ...sides, 'xpath-filter': '//gi-4over6:hop-limit' });
    assert.is(status, '200');
    assert.match(body, `"operation":"create","target":"${A}/hop-limit","value":{"gi-4over6:hop-limit":64}`);
    assert.is(post({ ...sides, 'report-origin': [null] }).status, '501');
    assert.is(post({ ...sides, 'subtree-filter': { 'gi-4over6:softwire': {} } }).status, '501');
  }),
);

test('the program ends cleanly', async () => {
  assert.is(await management.stop(), 0);
});

test.run();
