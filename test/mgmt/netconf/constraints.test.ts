// needs: addon
/** What a model forbids (RFC 7950 §8, §15), as the program answers it: with a module of the tests, and with the rules of ours. */

import { fileURLToPath } from 'node:url';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { startManagement } from '../../helpers/management.ts';
import { outcome, RawClient } from '../../helpers/netconf-client.ts';
import { AFTR, binding, edit, GI, getConfig, NC_PREFIX, RESET, table } from '../../helpers/netconf-requests.ts';

const test = suite('constraints of models');

const PROGRAM = fileURLToPath(new URL('../../helpers/probe-process.js', import.meta.url));
const management = await startManagement([], PROGRAM);
const client = (await RawClient.local(management.socket)).greet('1.1');

const YANG = 'xmlns="urn:ietf:params:xml:ns:yang:1" xmlns:p="urn:probe"';
const rules = (inside: string) => `<rules xmlns="urn:probe" ${NC_PREFIX} nc:operation="replace">${inside}</rules>`;
const items = (...inside: string[]) => rules(inside.map((content) => `<item>${content}</item>`).join(''));
const strict = (inside: string) => rules(`<strict>${inside}</strict>`);

interface Expected {
  readonly tag: string;
  readonly appTag?: string;
  /** Without the prefix of the module, which is `p`. */
  readonly path?: string;
  /** Of the model, or what it names. */
  readonly message?: RegExp;
  /** The whole of error-info. */
  readonly info?: string;
}

function check(reply: string, { tag, appTag, path, message, info }: Expected): void {
  assert.is(outcome(reply), tag, reply);
  assert.is(/<error-app-tag>([^<]*)</.exec(reply)?.[1], appTag);
  const found = /<error-path xmlns:(?:p="urn:probe"|gi="urn:gi-4over6")>([^<]*)</.exec(reply)?.[1];
  assert.is(found?.replace(/([/[])(?:p|gi):/g, '$1'), path);
  assert.match(/<error-message xml:lang="en">([^<]*)</.exec(reply)?.[1] ?? '', message ?? /./);
  assert.is(/<error-info>(.*)<\/error-info>/.exec(reply)?.[1], info);
}

// [row and what, configuration, what the answer has]
const cases: readonly (readonly [string, string, Expected])[] = [
  [
    'N50: must, with the app-tag and the sentence of the model',
    items('<name>bad</name>'),
    { tag: 'operation-failed', appTag: 'bad-name', path: '/rules', message: /^An item must not be called bad\.$/ },
  ],
  [
    'N50: must without either',
    rules('<limit>5</limit>'),
    { tag: 'operation-failed', appTag: 'must-violation', path: '/rules/limit' },
  ],
  [
    'N51: unique',
    items('<name>a</name><port>1</port>', '<name>b</name><port>1</port>'),
    {
      tag: 'operation-failed',
      appTag: 'data-not-unique',
      path: "/rules/item[name='b']",
      info:
        `<non-unique ${YANG}>/p:rules/p:item[p:name='a']/p:port</non-unique>` +
        `<non-unique ${YANG}>/p:rules/p:item[p:name='b']/p:port</non-unique>`,
    },
  ],
  [
    'N52: min-elements',
    strict('<needed>a</needed><left/>'),
    { tag: 'operation-failed', appTag: 'too-few-elements', path: '/rules/strict/order' },
  ],
  [
    'N52: max-elements',
    items(...['a', 'b', 'c', 'd'].map((name) => `<name>${name}</name>`)),
    { tag: 'operation-failed', appTag: 'too-many-elements', path: "/rules/item[name='d']" },
  ],
  [
    'N53: a leafref to nothing',
    items('<name>a</name><friend>b</friend>'),
    { tag: 'data-missing', appTag: 'instance-required', path: "/rules/item[name='a']/friend" },
  ],
  [
    'N54: a mandatory choice',
    strict('<needed>a</needed><order>a</order>'),
    {
      tag: 'data-missing',
      appTag: 'missing-choice',
      path: '/rules/strict',
      info: '<missing-choice xmlns="urn:ietf:params:xml:ns:yang:1">way</missing-choice>',
    },
  ],
  ['a mandatory leaf', strict('<left/><order>a</order>'), { tag: 'data-missing', path: '/rules/strict/needed' }],
  [
    'N55: a node whose when is false',
    items('<name>a</name><port>2</port><extra>x</extra>'),
    { tag: 'unknown-element', path: "/rules/item[name='a']/extra" },
  ],
];
for (const [what, config, expected] of cases) {
  test(`${what}: edit-config of running refuses it`, async () => {
    const before = await client.rpc(getConfig());
    check(await client.rpc(edit(config)), expected);
    assert.is(await client.rpc(getConfig()), before);
  });

  test(`${what}: commit and validate refuse it`, async () => {
    const before = await client.rpc(getConfig());
    const reply = await client.rpc(edit(config, '<test-option>set</test-option>', 'candidate'));
    if (outcome(reply) !== 'ok') check(reply, expected);
    else {
      for (const operation of ['<validate><source><candidate/></source></validate>', '<commit/>']) {
        check(await client.rpc(operation), expected);
      }
    }
    await client.rpc('<discard-changes/>');
    assert.is(await client.rpc(getConfig()), before);
  });
}

test('N55: a node goes when its when is no longer true', async () => {
  assert.is(outcome(await client.rpc(edit(items('<name>a</name><port>1</port><extra>x</extra>')))), 'ok');
  assert.match(await client.rpc(getConfig()), '<extra>x</extra>');
  const port = '<rules xmlns="urn:probe"><item><name>a</name><port>2</port></item></rules>';
  assert.is(outcome(await client.rpc(edit(port))), 'ok');
  const config = await client.rpc(getConfig());
  assert.match(config, '<port>2</port>');
  assert.not.match(config, '<extra>');
});

const aftr = (name: string, inside: string) => `<softwire ${GI}><aftr><name>${name}</name>${inside}</aftr></softwire>`;
const gateway = (name: string, inside: string) =>
  `<softwire ${GI}><gateway><name>${name}</name>${inside}</gateway></softwire>`;
const shared = (inside: string) =>
  table(`<shared-address><ipv4-address>192.0.2.9</ipv4-address>${inside}</shared-address>`);
const served = (prefix: string) => `<served-prefix><ipv4-prefix>${prefix}</ipv4-prefix></served-prefix>`;
const OTHER = '<ipv6-address>2001:db8:b::2</ipv6-address>';
const ENDS = (address: string) =>
  `<ipv6-address>${address}</ipv6-address><aftr-ipv6-address>2001:db8:f::1</aftr-ipv6-address>`;
const TABLE = "/softwire/aftr[name='a']/binding-table";
const ENTRY = `${TABLE}/binding[ipv4-prefix='192.0.2.1/32']`;
const GATEWAY = `${ENTRY}/gateway-ipv6-address`;

// N57 and design/model.md, Rules: [what, configurations before, the edit, app-tag, path, tag]
const ruleCases: readonly (readonly [string, readonly string[], string, string, string, string?])[] = [
  [
    'a binding outside every pool',
    [],
    table(binding('203.0.113.1/32', '2001:db8:a::1')),
    'outside-pool',
    `${TABLE}/binding[ipv4-prefix='203.0.113.1/32']`,
  ],
  [
    'a shared address inside a bound prefix',
    [table(binding('192.0.2.8/29', '2001:db8:a::1'))],
    shared('<psid-length>8</psid-length>'),
    'shared-address-bound',
    `${TABLE}/shared-address[ipv4-address='192.0.2.9']`,
  ],
  [
    'a bound prefix around a shared address',
    [shared('<psid-length>8</psid-length>')],
    table(binding('192.0.2.8/29', '2001:db8:a::1')),
    'shared-address-bound',
    `${TABLE}/shared-address[ipv4-address='192.0.2.9']`,
  ],
  ['a gateway that is multicast', [], table(binding('192.0.2.1/32', 'ff02::1')), 'unusable-tunnel-address', GATEWAY],
  ['a gateway that is unspecified', [], table(binding('192.0.2.1/32', '::')), 'unusable-tunnel-address', GATEWAY],
  ['a gateway that is link-local', [], table(binding('192.0.2.1/32', 'fe80::1')), 'unusable-tunnel-address', GATEWAY],
  [
    'a gateway that is our own tunnel address',
    [],
    table(binding('192.0.2.1/32', '2001:db8:b::1')),
    'both-ends-local',
    GATEWAY,
  ],
  [
    'an AFTR address that is not listed',
    [],
    table(
      binding('192.0.2.1/32', '2001:db8:a::1').replace(
        '</binding>',
        '<aftr-ipv6-address>2001:db8:9::9</aftr-ipv6-address></binding>',
      ),
    ),
    'unknown-aftr-address',
    `${ENTRY}/aftr-ipv6-address`,
  ],
  [
    'a martian pool',
    [],
    aftr('a', '<ipv4-pool>127.0.0.0/8</ipv4-pool>'),
    'martian-prefix',
    "/softwire/aftr[name='a']/ipv4-pool[.='127.0.0.0/8']",
  ],
  [
    'more bindings than softwire-num-max',
    [aftr('a', '<softwire-num-max>1</softwire-num-max>'), table(binding('192.0.2.1/32', '2001:db8:a::1'))],
    table(binding('192.0.2.2/32', '2001:db8:a::1')),
    'too-many-bindings',
    "/softwire/aftr[name='a']/softwire-num-max",
  ],
  [
    'pools that overlap across AFTRs',
    [],
    aftr('b', `${OTHER}<ipv4-pool>192.0.2.128/25</ipv4-pool>`),
    'overlapping-pool',
    "/softwire/aftr[name='b']/ipv4-pool[.='192.0.2.128/25']",
  ],
  [
    'served prefixes that overlap across gateways',
    [gateway('g', ENDS('2001:db8:a::1') + served('198.51.100.0/24'))],
    gateway('h', ENDS('2001:db8:a::2') + served('198.51.100.7/32')),
    'overlapping-served-prefix',
    "/softwire/gateway[name='h']/served-prefix[ipv4-prefix='198.51.100.7/32']",
  ],
  [
    'one tunnel address twice',
    [],
    aftr('b', '<ipv6-address>2001:db8:b::1</ipv6-address><ipv4-pool>203.0.113.0/24</ipv4-pool>'),
    'duplicate-tunnel-address',
    "/softwire/aftr[name='b']",
  ],
];
for (const [what, before, config, appTag, path, tag = 'operation-failed'] of ruleCases) {
  test(`N57: ${what}: ${appTag}, with the path of the entry and a sentence`, async () => {
    for (const earlier of [RESET, edit(AFTR), ...before.map((text) => edit(text))]) {
      assert.is(outcome(await client.rpc(earlier)), 'ok');
    }
    const configuration = await client.rpc(getConfig());
    check(await client.rpc(edit(config)), { tag, appTag, path, message: /\S+ \S+ \S+/ });
    assert.is(await client.rpc(getConfig()), configuration);
  });
}

test('the management process ends cleanly', async () => {
  client.end();
  assert.is(await management.stop(), 0);
});

test.run();
