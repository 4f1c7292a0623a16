// needs: addon
/** What must be there (RFC 7950 §7.6.5, §7.7.5, §7.9.4, §8.1) in every module that is configured: one error through both faces. */

import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { oneOfChoice } from '../../src/mgmt/lacking.ts';
import type { SchemaNode } from '../../src/state/schema.ts';
import { outcome } from '../helpers/netconf-client.ts';
import { edit, NC_PREFIX } from '../helpers/netconf-requests.ts';
import type { ProgramBox } from '../helpers/restconf-program.ts';
import { startProgram, xmlOf } from '../helpers/restconf-program.ts';
import { schema } from '../helpers/state.ts';

const test = suite('management: mandatory nodes and choices');
const program = await startProgram();

type Json = Readonly<Record<string, unknown>>;

interface Case {
  /** Path of the schema: of a node, or of the parent of a choice and its name behind a `?`. */
  readonly needed: string;
  /** Configuration without it, and nothing else wrong. */
  readonly data: Json;
  /** Where the error is, with module names where they change. */
  readonly path: string;
}

const aftr = (more: Json): Json => ({ 'gi-4over6:softwire': { aftr: [{ name: 'a', ...more }] } });
const target = (more: Json): Json => ({
  'gi-4over6:softwire': { gateway: [{ name: 'g', 'route-advertisement': { target: [{ name: 't', ...more }] } }] },
});
const rule = (more: Json): Json => ({
  'ietf-netconf-acm:nacm': { 'rule-list': [{ name: 'l', rule: [{ name: 'r', ...more }] }] },
});
const key = (more: Json): Json => ({
  'ietf-system:system': { authentication: { user: [{ name: 'u', 'authorized-key': [{ name: 'k', ...more }] }] } },
});
const map = (more: Json): Json => ({
  'gi-4over6-management:management': { 'client-certificates': { 'cert-to-name': [{ id: 1, ...more }] } },
});
const client = (endpoint: readonly Json[]): Json => ({
  'gi-4over6-management:management': { 'call-home': { 'netconf-client': [{ name: 'c', endpoint }] } },
});

const AFTR = "/gi-4over6:softwire/aftr[name='a']";
const TABLE = `${AFTR}/binding-table`;
const TARGET = "/gi-4over6:softwire/gateway[name='g']/route-advertisement/target[name='t']";
const RULE = "/ietf-netconf-acm:nacm/rule-list[name='l']/rule[name='r']";
const KEY = "/ietf-system:system/authentication/user[name='u']/authorized-key[name='k']";
const MAP = "/gi-4over6-management:management/client-certificates/cert-to-name[id='1']";
const CLIENT = "/gi-4over6-management:management/call-home/netconf-client[name='c']";
const GATEWAY = '2001:db8:a::1';
const SHA_256 = Array(32).fill('ab').join(':');
const FINGERPRINT = `04:${SHA_256}`;
const SHARED = { 'ipv4-address': '192.0.2.200' };

const CASES: readonly Case[] = [
  {
    needed: '/gi-4over6:softwire/aftr/route-source?client-identity',
    data: aftr({ 'route-source': [{ name: 's', 'gateway-ipv6-address': GATEWAY }] }),
    path: `${AFTR}/route-source[name='s']`,
  },
  {
    needed: '/gi-4over6:softwire/aftr/route-source/gateway-ipv6-address',
    data: aftr({ 'route-source': [{ name: 's', 'certificate-fingerprint': SHA_256 }] }),
    path: `${AFTR}/route-source[name='s']/gateway-ipv6-address`,
  },
  {
    needed: '/gi-4over6:softwire/bgp/neighbor/peer-as',
    data: { 'gi-4over6:softwire': { bgp: { neighbor: [{ address: GATEWAY }] } } },
    path: `/gi-4over6:softwire/bgp/neighbor[address='${GATEWAY}']/peer-as`,
  },
  {
    needed: '/gi-4over6:softwire/gateway/route-advertisement/target?client-identity',
    data: target({ url: 'https://edge.example/' }),
    path: TARGET,
  },
  {
    needed: '/gi-4over6:softwire/gateway/route-advertisement/target/url',
    data: target({ 'client-name': 'n', password: 'p' }),
    path: `${TARGET}/url`,
  },
  {
    needed: '/gi-4over6:softwire/gateway/route-advertisement/target/client-name',
    data: target({ url: 'https://edge.example/', password: 'p' }),
    path: `${TARGET}/client-name`,
  },
  {
    needed: '/gi-4over6:softwire/gateway/route-advertisement/target/password',
    data: target({ url: 'https://edge.example/', 'client-name': 'n' }),
    path: `${TARGET}/password`,
  },
  {
    needed: '/gi-4over6:softwire/aftr/binding-table/binding/gateway-ipv6-address',
    data: aftr({ 'binding-table': { binding: [{ 'ipv4-prefix': '192.0.2.0/25' }] } }),
    path: `${TABLE}/binding[ipv4-prefix='192.0.2.0/25']/gateway-ipv6-address`,
  },
  {
    needed: '/gi-4over6:softwire/aftr/binding-table/shared-address/psid-length',
    data: aftr({ 'binding-table': { 'shared-address': [SHARED] } }),
    path: `${TABLE}/shared-address[ipv4-address='192.0.2.200']/psid-length`,
  },
  {
    needed: '/gi-4over6:softwire/aftr/binding-table/shared-address/port-set/b4-ipv6-address',
    data: aftr({
      'binding-table': { 'shared-address': [{ ...SHARED, 'psid-length': 8, 'port-set': [{ psid: 52 }] }] },
    }),
    path: `${TABLE}/shared-address[ipv4-address='192.0.2.200']/port-set[psid='52']/b4-ipv6-address`,
  },
  {
    needed: '/ietf-netconf-acm:nacm/rule-list/rule/action',
    data: rule({ 'module-name': '*' }),
    path: `${RULE}/action`,
  },
  {
    needed: '/ietf-system:system/authentication/user/authorized-key/algorithm',
    data: key({ 'key-data': 'AAAA' }),
    path: `${KEY}/algorithm`,
  },
  {
    needed: '/ietf-system:system/authentication/user/authorized-key/key-data',
    data: key({ algorithm: 'ssh-ed25519' }),
    path: `${KEY}/key-data`,
  },
  {
    needed: '/gi-4over6-management:management/client-certificates/cert-to-name/fingerprint',
    data: map({ 'map-type': 'ietf-x509-cert-to-name:common-name' }),
    path: `${MAP}/fingerprint`,
  },
  {
    needed: '/gi-4over6-management:management/client-certificates/cert-to-name/map-type',
    data: map({ fingerprint: FINGERPRINT }),
    path: `${MAP}/map-type`,
  },
  {
    needed: '/gi-4over6-management:management/client-certificates/cert-to-name/name',
    data: map({ fingerprint: FINGERPRINT, 'map-type': 'ietf-x509-cert-to-name:specified' }),
    path: `${MAP}/name`,
  },
  {
    needed: '/gi-4over6-management:management/call-home/netconf-client/endpoint',
    data: client([]),
    path: `${CLIENT}/endpoint`,
  },
  {
    needed: '/gi-4over6-management:management/call-home/netconf-client/endpoint/transport',
    data: client([{ name: 'e', 'remote-address': '192.0.2.1' }]),
    path: `${CLIENT}/endpoint[name='e']/transport`,
  },
  {
    needed: '/gi-4over6-management:management/call-home/netconf-client/endpoint/remote-address',
    data: client([{ name: 'e', transport: 'ssh' }]),
    path: `${CLIENT}/endpoint[name='e']/remote-address`,
  },
];

interface Told {
  readonly tag: unknown;
  readonly appTag: unknown;
  readonly path: string;
  readonly choice: unknown;
}

/** Without prefixes and module names, which the faces write each in its own way. */
function bare(path: string): string {
  return path.replaceAll(/([/[])[\w.-]+:/g, '$1').replaceAll('&apos;', "'");
}

function ofJson(body: string): Told {
  const [error, ...others] = JSON.parse(body)['ietf-restconf:errors'].error;
  assert.equal(others, [], body);
  const choice = error['error-info']?.['missing-choice'];
  return { tag: error['error-tag'], appTag: error['error-app-tag'], path: bare(error['error-path']), choice };
}

function ofXml(reply: string): Told {
  const inside = (name: string) => new RegExp(`<${name}[^>]*>([^<]*)</`).exec(reply)?.[1];
  assert.is(reply.split('<error-tag>').length, 2, reply);
  return {
    tag: inside('error-tag'),
    appTag: inside('error-app-tag'),
    path: bare(inside('error-path') ?? ''),
    choice: inside('missing-choice'),
  };
}

function patchOf(data: Json): string {
  const target = `/${Object.keys(data)[0]}`;
  const edits = [{ 'edit-id': 'e', operation: 'merge', target, value: data }];
  return JSON.stringify({ 'ietf-yang-patch:yang-patch': { 'patch-id': 'p', edit: edits } });
}

/** What each way to running says to the data. */
async function everyAnswer({ curl, netconf, done }: ProgramBox, data: Json): Promise<Readonly<Record<string, Told>>> {
  const body = JSON.stringify({ 'ietf-restconf:data': data });
  const plain = await curl('/restconf/data', { method: 'PATCH', body });
  assert.ok([409, 412].includes(plain.status), plain.body);
  const inDatastore = await curl('/restconf/ds/ietf-datastores:running', { method: 'PATCH', body });
  const patch = await curl('/restconf/data', {
    method: 'PATCH',
    body: patchOf(data),
    headers: ['Content-Type: application/yang-patch+json'],
  });
  const status = JSON.parse(patch.body)['ietf-yang-patch:yang-patch-status'];
  const errors = status.errors ?? status['edit-status'].edit[0].errors;
  const edited = await netconf.rpc(edit(xmlOf(data)));
  const candidate = await netconf.rpc(edit(xmlOf(data), '', 'candidate'));
  // A row without its parts is refused where it comes.
  const committed = candidate.includes('<ok/>') ? await netconf.rpc('<commit/>') : candidate;
  await done('<discard-changes/>');
  return {
    plain: ofJson(plain.body),
    inDatastore: ofJson(inDatastore.body),
    patch: ofJson(JSON.stringify({ 'ietf-restconf:errors': errors })),
    edited: ofXml(edited),
    committed: ofXml(committed),
  };
}

/** [error-tag, error-app-tag] by what is missing (RFC 7950 §15.2, §15.6; a mandatory leaf has no app-tag). */
function tagsOf(needed: string): readonly [string, string | undefined] {
  if (needed.includes('?')) return ['data-missing', 'missing-choice'];
  return needed.endsWith('/endpoint') ? ['operation-failed', 'too-few-elements'] : ['data-missing', undefined];
}

for (const { needed, data, path } of CASES) {
  test(`N54: without ${needed}`, () =>
    program.run(async (box) => {
      const before = await box.tag();
      const [tag, appTag] = tagsOf(needed);
      const choice = needed.split('?')[1];
      const answers = await everyAnswer(box, data);
      for (const [way, told] of Object.entries(answers)) {
        assert.equal(told, { tag, appTag, path: bare(path), choice }, way);
      }
      assert.is(await box.tag(), before);
    }));
}

test('the table has everything of the schema that must be there', () => {
  const known = new Set(CASES.map(({ needed }) => needed));
  // One of the cases of a choice that is not mandatory, which nothing else is in.
  const own = ['/ietf-netconf-acm:nacm/rule-list/rule/path'];
  const missing: string[] = [];
  const look = (node: SchemaNode) => {
    for (const child of node.children.filter(({ config }) => config)) {
      const { mandatory, min = 0, choices = [] } = child.dump;
      if ((mandatory || min > 0) && !known.has(child.path) && !own.includes(child.path)) missing.push(child.path);
      for (const [choice, , isMandatory] of choices) {
        if (isMandatory && !known.has(`${node.path}?${choice}`)) missing.push(`${node.path}?${choice}`);
      }
      look(child);
    }
  };
  look(schema.root);
  assert.equal(missing, []);
});

test('N54: what takes the last node of a choice away is refused alike: DELETE, PUT, operation delete and replace', () =>
  program.run(async (box) => {
    const source = { name: 's', 'gateway-ipv6-address': GATEWAY };
    await box.merge(aftr({ 'route-source': [{ ...source, 'certificate-fingerprint': SHA_256 }] }));
    const url = '/restconf/data/gi-4over6:softwire/aftr=a/route-source=s';
    const expected = {
      tag: 'data-missing',
      appTag: 'missing-choice',
      path: bare(`${AFTR}/route-source[name='s']`),
      choice: 'client-identity',
    };
    const leaf = await box.curl(`${url}/certificate-fingerprint`, { method: 'DELETE' });
    const put = await box.curl(url, { method: 'PUT', body: JSON.stringify({ 'gi-4over6:route-source': [source] }) });
    const inside = (attribute: string, content: string) =>
      edit(
        `<softwire xmlns="urn:gi-4over6" ${NC_PREFIX}><aftr><name>a</name><route-source${attribute}><name>s</name>${content}</route-source></aftr></softwire>`,
      );
    const deleted = await box.netconf.rpc(inside('', '<certificate-fingerprint nc:operation="delete"/>'));
    const replaced = await box.netconf.rpc(
      inside(' nc:operation="replace"', `<gateway-ipv6-address>${GATEWAY}</gateway-ipv6-address>`),
    );
    for (const { status, body } of [leaf, put]) {
      assert.is(status, 409, body);
      assert.equal(ofJson(body), expected);
    }
    for (const reply of [deleted, replaced]) assert.equal(ofXml(reply), expected);
  }));

test('N54: of several entries the one without its choice is named', () =>
  program.run(async (box) => {
    const good = { 'gateway-ipv6-address': GATEWAY, 'certificate-fingerprint': SHA_256 };
    const other = SHA_256.replace('ab', 'cd');
    const sources = [
      { name: 'one', ...good },
      { name: 'two', 'gateway-ipv6-address': '2001:db8:a::2' },
      { name: 'three', 'gateway-ipv6-address': '2001:db8:a::3', 'certificate-fingerprint': other },
    ];
    const told = Object.values(await everyAnswer(box, aftr({ 'route-source': sources })));
    assert.equal(
      told.map(({ path }) => path),
      told.map(() => bare(`${AFTR}/route-source[name='two']`)),
    );
  }));

/** [parent of the choice, its name, what an error says may stand there] */
const CHOICES = [
  [
    '/gi-4over6:softwire/aftr/route-source',
    'client-identity',
    'one of password, certificate-fingerprint, bgp-neighbor',
  ],
  ['/ietf-subscribed-notifications:establish-subscription/input', 'target', 'one of stream, ietf-yang-push:datastore'],
  [
    '/ietf-subscribed-notifications:modify-subscription/input',
    'target',
    'one of stream-filter-name, stream-subtree-filter, stream-xpath-filter, ietf-yang-push:datastore',
  ],
] as const;
for (const [parent, choice, words] of CHOICES) {
  test(`an error says what the choice ${choice} is between`, () =>
    assert.is(oneOfChoice(schema.find(parent) ?? schema.root, choice), `${words} (choice ${choice})`));
}

test('RFC 7950 §15.6: the words of a refused configuration name the nodes, too', () =>
  program.run(async ({ curl }) => {
    const body = JSON.stringify({ 'gi-4over6:route-source': [{ name: 's', 'gateway-ipv6-address': GATEWAY }] });
    const reply = await curl('/restconf/data/gi-4over6:softwire/aftr=a', { method: 'POST', body });
    assert.match(
      reply.body,
      oneOfChoice(schema.find('/gi-4over6:softwire/aftr/route-source') ?? schema.root, 'client-identity'),
    );
  }));

/** Input of operations and actions without a mandatory choice. */
const INPUTS = [
  ['establish-subscription', '', {}, 'target'],
  ['modify-subscription', '<id>1</id>', { id: 1 }, 'target'],
] as const;
for (const [name, xml, json, choice] of INPUTS) {
  test(`N54: ${name} without its choice`, () =>
    program.run(async ({ curl, netconf }) => {
      const module = 'ietf-subscribed-notifications';
      const body = JSON.stringify({ [`${module}:input`]: json });
      const reply = await curl(`/restconf/operations/${module}:${name}`, { method: 'POST', body });
      assert.is(reply.status, 400, reply.body);
      const expected = { tag: 'missing-element', appTag: 'missing-choice', path: `/${name}`, choice };
      assert.equal(ofJson(reply.body), expected);
      assert.equal(
        ofXml(await netconf.rpc(`<${name} xmlns="urn:ietf:params:xml:ns:yang:${module}">${xml}</${name}>`)),
        expected,
      );
    }));
}

/** [operation with its module, input over RESTCONF, the node that it lacks] */
const LACKING_INPUTS = [
  ['ietf-subscribed-notifications:delete-subscription', {}, 'id'],
  ['ietf-subscribed-notifications:kill-subscription', {}, 'id'],
  ['ietf-yang-push:resync-subscription', {}, 'id'],
  ['ietf-nmda-compare:compare', { target: 'ietf-datastores:candidate' }, 'source'],
  ['ietf-nmda-compare:compare', { source: 'ietf-datastores:candidate' }, 'target'],
  ['gi-4over6:get-version', {}, 'version'],
  ['gi-4over6:roll-back', {}, 'version'],
  ['gi-4over6:lookup-address', {}, 'ipv4-address'],
] as const;
for (const [operation, input, name] of LACKING_INPUTS) {
  test(`${operation} of ${JSON.stringify(input)} lacks ${name} over both faces (RFC 7950 §7.14.2)`, () =>
    program.run(async ({ curl, netconf }) => {
      const [module = '', local = ''] = operation.split(':');
      const body = JSON.stringify({ [`${module}:input`]: input });
      const reply = await curl(`/restconf/operations/${operation}`, { method: 'POST', body });
      assert.equal([reply.status, reply.tag], [400, 'missing-element'], reply.body);
      const [error] = JSON.parse(reply.body)['ietf-restconf:errors'].error;
      assert.equal([error['error-path'], error['error-info']], [`/${operation}`, { 'bad-element': name }]);
      const namespace = schema.module(module)?.namespace ?? '';
      const leaves = Object.entries(input).map(([leaf, value]) => `<${leaf}>${value}</${leaf}>`);
      const prefixes = 'xmlns:ietf-datastores="urn:ietf:params:xml:ns:yang:ietf-datastores"';
      const rpc = `<${local} xmlns="${namespace}" ${prefixes}>${leaves.join('')}</${local}>`;
      const told = await netconf.rpc(rpc);
      assert.is(outcome(told), 'missing-element', told);
      assert.match(told, `<bad-element>${name}</bad-element>`);
    }));
}

test('the program ends cleanly', async () => assert.is(await program.stop(), 0));

test.run();
