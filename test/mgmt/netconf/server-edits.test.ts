// needs: addon
/** What edits make of running and what filters leave of it, request by request, against the running program. */

import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { startManagement } from '../../helpers/management.ts';
import { outcome, RawClient } from '../../helpers/netconf-client.ts';
import { AFTR, binding, edit, GI, getConfig, NC_PREFIX, RESET, table } from '../../helpers/netconf-requests.ts';

const test = suite('netconf server: edits and filters');
const P = '192.0.2.1/32';
const G1 = '2001:db8:a::1';
const G2 = '2001:db8:a::2';

function hopLimit(value: string, attributes = ''): string {
  return `<softwire ${GI}><aftr><name>a</name><hop-limit${attributes}>${value}</hop-limit></aftr></softwire>`;
}

const management = await startManagement();
const client = (await RawClient.local(management.socket)).greet('1.1');
const with_ = (body: (one: RawClient) => Promise<void>) => () => body(client);

// [row and why, edits before, edit, expected outcome, what the configuration must (not) hold then]
const edits: readonly (readonly [string, readonly string[], string, string, RegExp | undefined])[] = [
  ['N38 merge into nothing', [], edit(AFTR), 'ok', /2001:db8:b::1/],
  ['N38 a binding', [AFTR], edit(table(binding(P, G1))), 'ok', /192\.0\.2\.1\/32/],
  [
    'N39 create of an existing one',
    [AFTR, table(binding(P, G1))],
    edit(table(binding(P, G2, ' nc:operation="create"'))),
    'data-exists',
    /a::1/,
  ],
  [
    'N39 delete of a missing one',
    [AFTR],
    edit(table(binding(P, G1, ' nc:operation="delete"'))),
    'data-missing',
    undefined,
  ],
  ['N39 remove of a missing one', [AFTR], edit(table(binding(P, G1, ' nc:operation="remove"'))), 'ok', undefined],
  [
    'N40 replace of a container',
    [AFTR, table(binding(P, G1))],
    edit(table(binding('192.0.2.9/32', G2)).replace('<binding-table>', '<binding-table nc:operation="replace">')),
    'ok',
    /^(?!.*192\.0\.2\.1\/32).*192\.0\.2\.9/s,
  ],
  [
    'N41 none with a missing parent',
    [],
    edit(table(binding(P, G1, ' nc:operation="delete"')), '<default-operation>none</default-operation>'),
    'data-missing',
    undefined,
  ],
  [
    'N42 unprefixed operation',
    [AFTR, table(binding(P, G1))],
    edit(table(binding(P, G1, ' operation="delete"'))),
    'unknown-attribute',
    /192\.0\.2\.1\/32/,
  ],
  ...['operation="delete"', 'nc:operation="replace"', 'foo="1"'].map(
    (attribute) =>
      [
        `N42 config ${attribute}`,
        [AFTR, table(binding(P, G1))],
        edit(`<softwire ${GI}/>`).replace('<config>', `<config ${NC_PREFIX} ${attribute}>`),
        'unknown-attribute',
        /192\.0\.2\.1\/32/,
      ] as const,
  ),
  ...(
    [
      ['true', 'another value', '63', 'invalid-value', undefined],
      ['true', 'the default: it was never written', '64', 'ok', /^(?!.*<hop-limit)/s],
      ['false', 'the default', '64', 'ok', /<hop-limit>64</],
    ] as const
  ).map(
    ([tag, why, value, expected, holds]) =>
      [
        `wd:default="${tag}" with ${why}`,
        [AFTR, hopLimit('7')],
        edit(hopLimit(value, ` xmlns:wd="urn:ietf:params:xml:ns:netconf:default:1.0" wd:default="${tag}"`)),
        expected,
        holds,
      ] as const,
  ),
  ['text in config', [AFTR], edit('abc'), 'bad-element', undefined],
  ['N43 unknown operation', [AFTR], edit(table(binding(P, G1, ' nc:operation="foo"'))), 'bad-attribute', undefined],
  [
    'N44 unknown leaf',
    [AFTR],
    edit(`<softwire ${GI}><aftr><name>a</name><colour>red</colour></aftr></softwire>`),
    'unknown-element',
    undefined,
  ],
  [
    'N44 wrong type',
    [AFTR],
    edit(`<softwire ${GI}><aftr><name>a</name><hop-limit>many</hop-limit></aftr></softwire>`),
    'invalid-value',
    undefined,
  ],
  [
    'N45 an entry without key',
    [AFTR],
    edit(table(`<binding><gateway-ipv6-address>${G1}</gateway-ipv6-address></binding>`)),
    'missing-element',
    undefined,
  ],
  ['N46 an entry twice', [AFTR], edit(table(binding(P, G1) + binding(P, G2))), 'bad-element', undefined],
  [
    'N47 two spellings of one key',
    [AFTR, table(binding('192.0.2.0/28', G1))],
    edit(table(binding('192.0.2.5/28', G2, ' nc:operation="create"'))),
    'data-exists',
    /a::1/,
  ],
  ['N56 state data', [AFTR], edit(table('<version>7</version>')), 'unknown-element', undefined],
  ['N57 outside every pool', [AFTR], edit(table(binding('203.0.113.1/32', G1))), 'operation-failed', undefined],
  ['N57 a link-local gateway', [AFTR], edit(table(binding(P, 'fe80::1'))), 'operation-failed', undefined],
  [
    'N58 one good and one bad',
    [AFTR],
    edit(table(binding(P, G1) + binding('203.0.113.1/32', G1)), '<error-option>rollback-on-error</error-option>'),
    'operation-failed',
    /^(?!.*192\.0\.2\.1\/32)/s,
  ],
  [
    'N60 test-only',
    [AFTR],
    edit(table(binding(P, G1)), '<test-option>test-only</test-option>'),
    'ok',
    /^(?!.*192\.0\.2\.1\/32)/s,
  ],
  [
    'a feature that is off',
    [AFTR],
    edit(`<softwire ${GI}><aftr><name>a</name><softwire-path-mru>1400</softwire-path-mru></aftr></softwire>`),
    'unknown-element',
    undefined,
  ],
];
for (const [why, before, operation, expected, holds] of edits) {
  test(
    `edit: ${why}: ${expected}`,
    with_(async (client) => {
      assert.is(outcome(await client.rpc(RESET)), 'ok');
      for (const config of before) assert.is(outcome(await client.rpc(edit(config))), 'ok');
      const earlier = await client.rpc(getConfig());
      const withPrefix = operation.replaceAll(
        '<softwire ',
        '<softwire xmlns:nc="urn:ietf:params:xml:ns:netconf:base:1.0" ',
      );
      assert.is(outcome(await client.rpc(withPrefix)), expected);
      const later = await client.rpc(getConfig());
      if (expected !== 'ok') assert.is(later, earlier, 'a refused edit left everything as it was');
      if (holds) assert.match(later, holds);
    }),
  );
}

test(
  'N57: the refusal names app-tag, entry and sentence',
  with_(async (client) => {
    await client.rpc(RESET);
    await client.rpc(edit(AFTR));
    const reply = await client.rpc(edit(table(binding('203.0.113.1/32', G1))));
    assert.match(reply, /<error-app-tag>outside-pool<\/error-app-tag>/);
    assert.match(
      reply,
      /<error-path xmlns:gi="urn:gi-4over6">\/gi:softwire\/gi:aftr\[gi:name='a'\]\/gi:binding-table\/gi:binding\[gi:ipv4-prefix='203\.0\.113\.1\/32'\]<\/error-path>/,
    );
    assert.match(reply, /lies in no ipv4-pool of AFTR a/);
  }),
);

// Filters on a table of two bindings: [row and why, filter, what must be there, what must not]
const filters: readonly (readonly [string, string, RegExp, RegExp])[] = [
  ['N28 no filter', '', /192\.0\.2\.1\/32.*192\.0\.2\.2\/32/s, /never/],
  ['N28 an empty filter', '<filter type="subtree"/>', /<data[^>]*(\/>|><\/data>)/, /softwire/],
  [
    'N29 by key',
    `<filter>${table(`<binding><ipv4-prefix>${P}</ipv4-prefix></binding>`)}</filter>`,
    /192\.0\.2\.1\/32<.*a::1/s,
    /192\.0\.2\.2\/32|ipv4-pool/,
  ],
  [
    'N29 selection, with the key',
    `<filter>${table('<binding><gateway-ipv6-address/></binding>')}</filter>`,
    /192\.0\.2\.1\/32.*a::2/s,
    /ipv4-pool|description/,
  ],
  [
    'N30 two content matches',
    `<filter>${table(`<binding><ipv4-prefix>${P}</ipv4-prefix><gateway-ipv6-address>${G2}</gateway-ipv6-address></binding>`)}</filter>`,
    /<data/,
    /192\.0\.2/,
  ],
  [
    'N30 content match and selection',
    `<filter>${table(`<binding><gateway-ipv6-address>${G2}</gateway-ipv6-address><ipv4-prefix/></binding>`)}</filter>`,
    /192\.0\.2\.2\/32/,
    /192\.0\.2\.1\/32|description/,
  ],
  [
    'N31 any namespace',
    `<filter><softwire xmlns=""><aftr><name>a</name><ipv4-pool/></aftr></softwire></filter>`,
    /192\.0\.2\.0\/24/,
    /binding>/,
  ],
  [
    'an attribute, which no data has',
    `<filter><softwire ${GI} x="1"><aftr><name>a</name></aftr></softwire></filter>`,
    /<data/,
    /softwire/,
  ],
  [
    'an attribute of a content match',
    `<filter><softwire ${GI}><aftr><name y:x="1" xmlns:y="urn:y">a</name><ipv4-pool/></aftr></softwire></filter>`,
    /<data/,
    /aftr/,
  ],
  [
    'an attribute of a selection',
    `<filter><softwire ${GI}><aftr><ipv4-pool x="1"/><ipv6-address/></aftr></softwire></filter>`,
    /ipv6-address/,
    /ipv4-pool/,
  ],
  ['N32 an unknown node', `<filter><softwire ${GI}><colour/></softwire></filter>`, /<data/, /aftr/],
  [
    'N33 canonical comparison',
    `<filter>${table('<binding><gateway-ipv6-address>2001:DB8:A:0::2</gateway-ipv6-address></binding>')}</filter>`,
    /192\.0\.2\.2\/32/,
    /192\.0\.2\.1\/32/,
  ],
];
for (const [why, filter, holds, lacks] of filters) {
  test(
    `filter: ${why}`,
    with_(async (client) => {
      await client.rpc(RESET);
      await client.rpc(edit(AFTR));
      await client.rpc(
        edit(
          table(
            binding(P, G1).replace('</binding>', '<description>one</description></binding>') +
              binding('192.0.2.2/32', G2),
          ),
        ),
      );
      const reply = await client.rpc(getConfig(filter));
      assert.match(reply, holds);
      assert.not.match(reply.replace(/<rpc-reply[^>]*>/, ''), lacks);
    }),
  );
}

test(
  'N82 N83 N84: with-defaults',
  with_(async (client) => {
    assert.match(
      client.hello,
      /with-defaults:1\.0\?basic-mode=explicit&amp;also-supported=report-all,report-all-tagged,trim/,
    );
    await client.rpc(RESET);
    await client.rpc(edit(AFTR.replace('</name>', '</name><hop-limit>64</hop-limit>')));
    const mode = (name: string) =>
      client.rpc(
        `<get-config><source><running/></source><with-defaults xmlns="urn:ietf:params:xml:ns:yang:ietf-netconf-with-defaults">${name}</with-defaults></get-config>`,
      );
    assert.match(await mode('explicit'), /<hop-limit>64</);
    assert.not.match(await mode('explicit'), /<enabled>/);
    assert.match(await mode('report-all'), /<enabled>true<.*<hop-limit>64<|<hop-limit>64<.*<enabled>true</s);
    assert.not.match(await mode('trim'), /hop-limit/);
    assert.match(await mode('report-all-tagged'), /<enabled[^>]*wd:default="true"[^>]*>true</);
  }),
);

test('a stop on SIGTERM ends with code 0', async () => {
  client.end();
  assert.is(await management.stop(), 0);
});

test.run();
