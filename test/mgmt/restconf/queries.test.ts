// needs: addon
/** What a request line may say, against the running program with curl: paths, query parameters, Accept; and JSON values in and out. */

import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { lock } from '../../helpers/netconf-requests.ts';
import type { CurlOptions, CurlReply } from '../../helpers/restconf.ts';
import { GUEST, JSON_TYPE, XML_TYPE } from '../../helpers/restconf.ts';
import { startProgram } from '../../helpers/restconf-program.ts';

const test = suite('restconf: queries');
const program = await startProgram();

const DATA = '/restconf/data';
const SOFTWIRE = `${DATA}/gi-4over6:softwire`;
const AFTR = `${SOFTWIRE}/aftr=a`;
const GATEWAY = `${SOFTWIRE}/gateway=g`;
const TABLE = `${AFTR}/binding-table`;
const NACM = `${DATA}/ietf-netconf-acm:nacm`;
const B = { 'ipv4-prefix': '192.0.2.0/25', 'gateway-ipv6-address': '2001:db8:a::1' };

const brief = ({ status, tag }: CurlReply) => [status, tag];

/** Query parameters that are refused, by row. */
const badQueries: readonly (readonly [row: string, method: string, url: string])[] = [
  ...['PUT', 'POST', 'PATCH', 'DELETE', 'OPTIONS'].map((method) => ['R36', method, `${AFTR}?content=config`] as const),
  ['R36', 'GET', `${AFTR}?content=some`],
  ...['0', '65536', 'x', '', '-1', '1.0', '01', 'Unbounded'].map(
    (depth) => ['R37', 'GET', `${AFTR}?depth=${depth}`] as const,
  ),
  ['R37', 'DELETE', `${AFTR}?depth=1`],
  ...['', 'name(', 'name)', ';name', 'name;', 'name/', 'nothing', 'nothing:name', 'name name', 'binding-table()'].map(
    (fields) => ['R38', 'GET', `${AFTR}?fields=${encodeURIComponent(fields)}`] as const,
  ),
  ['R38', 'PUT', `${AFTR}?fields=name`],
  ['R39', 'GET', `${NACM}?insert=first`],
  ['R39', 'PATCH', `${NACM}/rule-list=guest?insert=first`],
  ['R39', 'POST', `${NACM}?insert=middle`],
  ['R39', 'PUT', `${DATA}?insert=first`],
  ['R39', 'PUT', `${DATA}?insert=after&point=garbage`],
  ['R39', 'PUT', `/restconf/ds/ietf-datastores:candidate?insert=last`],
  ['R39', 'POST', `${NACM}?insert=before`],
  ['R39', 'POST', `${NACM}?point=/ietf-netconf-acm:nacm/rule-list=guest`],
  ['R40', 'GET', `${DATA}?filter=/gi-4over6:softwire`],
  ['R40', 'GET', `${AFTR}?start-time=2026-01-01T00:00:00Z`],
  ['R40', 'GET', '/restconf/operations?filter=x'],
  ['R41', 'GET', `${AFTR}?with-defaults=all`],
  ['R41', 'PUT', `${AFTR}?with-defaults=trim`],
  ['R42', 'GET', `${AFTR}?nothing=1`],
  ['R42', 'GET', `${AFTR}?depth=1&depth=1`],
  ['R42', 'GET', `${AFTR}?depth=1&depth=2`],
  ['R42', 'GET', `${AFTR}?depth`],
  ['R42', 'GET', `${AFTR}?depth=1&`],
  ['R42', 'GET', `${AFTR}?Depth=1`],
  ['R42', 'GET', `${AFTR}?depth=%zz`],
  ['R42', 'GET', '/restconf?depth=1'],
  ['R42', 'POST', '/restconf/operations/gi-4over6:list-versions?depth=1'],
  ['R42', 'GET', `${AFTR}?${Array.from({ length: 1000 }, (_, index) => `x${index}=1`).join('&')}`],
];
for (const [row, method, url] of badQueries) {
  test(`${row}: refused: ${method} ${url.slice(0, 100)}`, () =>
    program.run(async ({ curl, tag }) => {
      const before = await tag();
      const hasBody = ['PUT', 'POST', 'PATCH'].includes(method);
      const reply = await curl(url, hasBody ? { method, body: '{}' } : { method });
      assert.equal(brief(reply), [400, 'invalid-value'], reply.body);
      assert.is(reply.headers['content-type'], JSON_TYPE);
      assert.is(await tag(), before);
    }));
}

const NAMES = [
  { 'ipv4-prefix': '192.0.2.0/25', 'gateway-ipv6-address': '2001:db8:a::1', description: 'x' },
  { 'ipv4-prefix': '192.0.2.128/25', 'gateway-ipv6-address': '2001:db8:a::2' },
];
const keys = NAMES.map((entry) => ({ 'ipv4-prefix': entry['ipv4-prefix'] }));
const pool = ['192.0.2.0/24', '198.51.100.0/24'];
const whole = { name: 'a', 'ipv6-address': '2001:db8:b::1', 'ipv4-pool': pool, 'binding-table': { binding: NAMES } };
const shallow = { name: 'a', 'ipv6-address': '2001:db8:b::1', 'ipv4-pool': pool };

/** What is read with a query, of configuration where the query does not say. */
const goodQueries: readonly (readonly [row: string, url: string, expected: unknown])[] = [
  ['R36', `${AFTR}?content=config`, { 'gi-4over6:aftr': [whole] }],
  ['R36', `${TABLE}?content=nonconfig&fields=bindings`, { 'gi-4over6:binding-table': { bindings: 2 } }],
  [
    'R36',
    `${TABLE}?content=all&fields=bindings;binding(ipv4-prefix)`,
    { 'gi-4over6:binding-table': { binding: keys, bindings: 2 } },
  ],
  ['R37', `${AFTR}?content=config&depth=1`, { 'gi-4over6:aftr': [{ name: 'a' }] }],
  ['R37', `${AFTR}?content=config&depth=2`, { 'gi-4over6:aftr': [{ ...shallow, 'binding-table': {} }] }],
  ['R37', `${AFTR}?content=config&depth=65535`, { 'gi-4over6:aftr': [whole] }],
  ['R37', `${AFTR}?content=config&depth=unbounded`, { 'gi-4over6:aftr': [whole] }],
  ['R37', `${TABLE}?content=config&depth=2`, { 'gi-4over6:binding-table': { binding: keys } }],
  ['R38', `${AFTR}?fields=ipv6-address;ipv4-pool`, { 'gi-4over6:aftr': [shallow] }],
  [
    'R38',
    `${AFTR}?fields=gi-4over6:ipv6-address;name`,
    { 'gi-4over6:aftr': [{ name: 'a', 'ipv6-address': '2001:db8:b::1' }] },
  ],
  [
    'R38',
    `${SOFTWIRE}?fields=gateway/enabled;aftr(name;binding-table/binding(ipv4-prefix))`,
    {
      'gi-4over6:softwire': {
        gateway: [{ name: 'g', enabled: false }],
        aftr: [{ name: 'a', 'binding-table': { binding: keys } }],
      },
    },
  ],
  [
    'R38',
    `${DATA}?fields=gi-4over6:softwire/gateway/name`,
    { 'ietf-restconf:data': { 'gi-4over6:softwire': { gateway: [{ name: 'g' }] } } },
  ],
  [
    'R38 with R37',
    `${AFTR}?content=config&fields=ipv6-address;binding-table&depth=2`,
    { 'gi-4over6:aftr': [{ name: 'a', 'ipv6-address': '2001:db8:b::1', 'binding-table': {} }] },
  ],
  ['R38 with R37', `${AFTR}?fields=ipv6-address&depth=1`, { 'gi-4over6:aftr': [{ name: 'a' }] }],
  ['R38 with R37', `${TABLE}?fields=binding/ipv4-prefix&depth=1`, { 'gi-4over6:binding-table': {} }],
  ['R41', `${GATEWAY}?fields=hop-limit;enabled&with-defaults=explicit`, gateway({ enabled: false })],
  ['R41', `${GATEWAY}?fields=hop-limit;enabled`, gateway({ enabled: false })],
  ['R41', `${GATEWAY}?fields=hop-limit;enabled&with-defaults=trim`, gateway({ enabled: false })],
  ['R41', `${GATEWAY}?fields=hop-limit;enabled&with-defaults=report-all`, gateway({ enabled: false, 'hop-limit': 64 })],
  [
    'R41 R50',
    `${GATEWAY}?fields=hop-limit;enabled&with-defaults=report-all-tagged`,
    gateway({
      enabled: false,
      'hop-limit': 64,
      '@hop-limit': { 'ietf-netconf-with-defaults:default': true },
    }),
  ],
];

function gateway(leaves: Readonly<Record<string, unknown>>): unknown {
  return { 'gi-4over6:gateway': [{ name: 'g', ...leaves }] };
}

test('R36 R37 R38 R41 R50: what is read with a query', () =>
  program.run(async ({ curl, addBindings }) => {
    await addBindings(NAMES);
    for (const [row, url, expected] of goodQueries) {
      const reply = await curl(url);
      assert.is(reply.status, 200, `${row} ${url} ${reply.body}`);
      assert.equal(JSON.parse(reply.body), expected, `${row} ${url}`);
    }
  }));

test('R41: trim leaves out what was set to the default, explicit does not', () =>
  program.run(async ({ curl, merge }) => {
    await merge({ 'gi-4over6:softwire': { gateway: [{ name: 'g', 'hop-limit': 64 }] } });
    const read = async (mode: string) =>
      JSON.parse((await curl(`${GATEWAY}?fields=hop-limit&with-defaults=${mode}`)).body);
    assert.equal(await read('explicit'), gateway({ 'hop-limit': 64 }));
    assert.equal(await read('trim'), gateway({}));
    // Not one that a client has set: it is no default here (RFC 6243 §2.3, basic mode explicit).
    assert.equal(await read('report-all-tagged'), gateway({ 'hop-limit': 64 }));
  }));

const oddNames = [
  'a,b',
  'a/b',
  'a=b',
  '=',
  ',',
  'é',
  '日本',
  'a b',
  'a+b',
  "a'b",
  'a"b',
  'a%2Fb',
  'a;b',
  'a?b',
  'a#b',
  '..',
  '&',
];
/** RFC 8040 §3.5.3: reserved characters of a key value are percent-encoded, all those of RFC 3986 §2.2. */
function encoded(key: string): string {
  return encodeURIComponent(key).replaceAll("'", '%27');
}

test('R43: keys of any characters: what Location says leads to the entry', () =>
  program.run(async ({ curl, url }) => {
    for (const name of oddNames) {
      const body = JSON.stringify({ 'ietf-netconf-acm:rule-list': [{ name }] });
      const posted = await curl(NACM, { method: 'POST', body });
      const expected = `${NACM}/rule-list=${encoded(name)}`;
      assert.equal([posted.status, posted.headers.location], [201, url + expected], posted.body);
      const read = await curl(expected);
      assert.equal(JSON.parse(read.body), { 'ietf-netconf-acm:rule-list': [{ name }] });
      assert.is((await curl(expected, { method: 'DELETE' })).status, 204, name);
      assert.is((await curl(expected)).status, 404, name);
    }
  }));

test('R43: several keys, one of them empty', () =>
  program.run(async ({ curl }) => {
    const list = `${DATA}/ietf-alarms:alarms/alarm-inventory/alarm-type`;
    const type = 'gi-4over6-alarms:datapath-down';
    const read = await curl(`${list}=${type},?fields=alarm-type-id;alarm-type-qualifier`);
    const entry = { 'alarm-type-id': type, 'alarm-type-qualifier': '' };
    assert.equal(JSON.parse(read.body), { 'ietf-alarms:alarm-type': [entry] });
    assert.is((await curl(`${list}=${encodeURIComponent(type)},/will-clear`)).status, 200);
    assert.is((await curl(`${list}=${type},x`)).status, 404);
    assert.is((await curl(`${list}=${type}`)).status, 400);
    assert.is((await curl(`${list}=,${type}`)).status, 400);
    assert.is((await curl(`${list}=${type},,`)).status, 400);
  }));

const badPaths: readonly (readonly [row: string, url: string, status: number])[] = [
  ['R43', `${SOFTWIRE}/aftr=%zz`, 400],
  ['R43', `${SOFTWIRE}/aftr=%`, 400],
  ['R43', `${SOFTWIRE}/aftr=%ff`, 400],
  ['R43', `${SOFTWIRE}/aftr=a%00`, 400],
  ['R43', `${SOFTWIRE}/aftr=%ED%A0%80`, 400],
  ['R43', `${SOFTWIRE}/aftr=a,b`, 400],
  ['R43', `${SOFTWIRE}/aftr/name`, 400],
  ['R43', `${SOFTWIRE}=a`, 400],
  ['R43', `${AFTR}/name=a`, 400],
  ['R43', `${TABLE}/binding=192.0.2.0/25`, 400],
  ['R43', `${TABLE}/binding=nonsense`, 400],
  ['R43', `${DATA}//gi-4over6:softwire`, 400],
  ['R43', '/restconf%2Fdata', 404],
  ['R43', '/restconf/%2564ata', 404],
  ['R43', '/restconf/%zzdata', 404],
  ['R43', `${SOFTWIRE}/__proto__`, 404],
  ['R44', `${DATA}/softwire`, 400],
  ['R44', `${DATA}/nothing:softwire`, 404],
  ['R44', `${SOFTWIRE}/ietf-system:aftr=a`, 404],
  ['R44', `${DATA}/gi-4over6:aftr=a`, 404],
];
const goodPaths: readonly (readonly [row: string, url: string])[] = [
  ['R43', `${TABLE}/binding=192.0.2.0%2F25`],
  ['R43', `${TABLE}/binding=192.0.2.0%2f25`],
  ['R43', `${TABLE}/binding=192.0.2.9%2F25`],
  ['R43', `${DATA}/gi-4over6%3Asoftwire/aftr=%61`],
  ['R43', `${AFTR}/`],
  ['R43', '/%72estconf/%64ata/gi-4over6:softwire/aftr=a'],
  ['R43', '/restconf/%6fperations'],
  ['R44', `${DATA}/gi-4over6:softwire/gi-4over6:aftr=a/gi-4over6:ipv6-address`],
  ['R44', `${AFTR}/ipv6-address`],
];
test('R43 R44: paths', () =>
  program.run(async ({ curl, addBindings }) => {
    await addBindings([B]);
    for (const [row, url] of goodPaths) assert.is((await curl(url)).status, 200, `${row} ${url}`);
    for (const [row, url, status] of badPaths) {
      assert.equal(brief(await curl(url)), [status, 'invalid-value'], `${row} ${url}`);
    }
  }));

test('R47: an operation below /data, and GET of operations and actions', () =>
  program.run(async ({ curl }) => {
    const post = { method: 'POST', body: '' };
    const cases: readonly (readonly [string, CurlOptions, number, string])[] = [
      [`${DATA}/ietf-system:system-restart`, post, 400, 'invalid-value'],
      [`${DATA}/gi-4over6:list-versions`, post, 400, 'invalid-value'],
      [`${DATA}/gi-4over6:list-versions`, {}, 400, 'invalid-value'],
      ['/restconf/operations/gi-4over6:list-versions', {}, 405, 'operation-not-supported'],
      ['/restconf/operations/gi-4over6:nothing', post, 404, 'invalid-value'],
      ['/restconf/operations/list-versions', post, 404, 'invalid-value'],
      [`${AFTR}/lookup`, {}, 405, 'operation-not-supported'],
      [`${AFTR}/lookup/input`, post, 400, 'invalid-value'],
    ];
    for (const [url, options, status, tag] of cases) assert.equal(brief(await curl(url, options)), [status, tag], url);
  }));

const accepts: readonly (readonly [accept: string, expected: string | number])[] = [
  [JSON_TYPE, JSON_TYPE],
  [XML_TYPE, XML_TYPE],
  ['*/*', JSON_TYPE],
  ['application/*', JSON_TYPE],
  [`${JSON_TYPE};q=0.5, ${XML_TYPE}`, XML_TYPE],
  [`${JSON_TYPE};q=0.5, ${XML_TYPE};q=0.4`, JSON_TYPE],
  [`${JSON_TYPE};q=0, */*;q=0.1`, XML_TYPE],
  [`text/html, ${XML_TYPE};q=0.1`, XML_TYPE],
  [`${JSON_TYPE};q=0`, 406],
  ['text/html', 406],
  ['*/*;q=0', 406],
];
test('R11: Accept', () =>
  program.run(async ({ curl }) => {
    for (const [accept, expected] of accepts) {
      const { status, headers } = await curl(`${AFTR}/name`, { headers: [`Accept: ${accept}`] });
      if (typeof expected === 'number') assert.is(status, expected, accept);
      else assert.equal([status, headers['content-type']], [200, expected], accept);
    }
  }));

test('R48: JSON values by their types', () =>
  program.run(async ({ curl, addBindings }) => {
    await addBindings([B]);
    const read = async (path: string) => JSON.parse((await curl(path)).body);
    const version = (await read(`${TABLE}/version`))['gi-4over6:version'];
    assert.type(version, 'string', 'uint64');
    assert.equal(await read(`${TABLE}/bindings`), { 'gi-4over6:bindings': 1 });
    assert.equal(await read(`${GATEWAY}/enabled`), { 'gi-4over6:enabled': false });
    assert.equal(await read(`${AFTR}/ipv4-pool`), { 'gi-4over6:ipv4-pool': pool });
    const inventory = await read(`${DATA}/ietf-alarms:alarms/alarm-inventory`);
    assert.match(
      JSON.stringify(inventory),
      '"alarm-type-id":"gi-4over6-alarms:datapath-down"',
      'identityref of another module',
    );
    const rule = await read(`${NACM}/rule-list=admin/rule=all/access-operations`);
    assert.equal(rule, { 'ietf-netconf-acm:access-operations': '*' }, 'union');
    const post = (name: string, input: unknown) =>
      curl(`/restconf/operations/${name}`, { method: 'POST', body: JSON.stringify(input) });
    const same = { source: 'ietf-datastores:running', target: 'ietf-datastores:candidate' };
    const compared = await post('ietf-nmda-compare:compare', { 'ietf-nmda-compare:input': same });
    assert.equal(JSON.parse(compared.body), { 'ietf-nmda-compare:output': { 'no-matches': [null] } }, 'empty');
    const got = await post('gi-4over6:get-version', { 'gi-4over6:input': { version } });
    const { data } = JSON.parse(got.body)['gi-4over6:output'];
    assert.equal(data['gi-4over6:softwire'].aftr[0]['binding-table'].binding, [B], 'anydata');
    const asNumber = await post('gi-4over6:get-version', { 'gi-4over6:input': { version: Number(version) } });
    assert.equal(brief(asNumber), [400, 'invalid-value'], 'uint64 as a number');
  }));

const aftr = (member: string) => `{"gi-4over6:aftr":[{"name":"a",${member}}]}`;
const badBodies: readonly (readonly [what: string, body: string | Uint8Array, tag: string])[] = [
  ['a member twice', aftr('"hop-limit":1,"hop-limit":2'), 'malformed-message'],
  ['a member twice, once with its module', aftr('"hop-limit":1,"gi-4over6:hop-limit":2'), 'bad-element'],
  ['something behind', `${aftr('"hop-limit":1')}}`, 'malformed-message'],
  ['a second document', `${aftr('"hop-limit":1')}{}`, 'malformed-message'],
  ['an unknown name', aftr('"nothing":1'), 'unknown-element'],
  ['__proto__', aftr('"__proto__":{"hop-limit":1}'), 'unknown-element'],
  ['an unknown module', aftr('"nothing:hop-limit":1'), 'unknown-namespace'],
  ['a string for a number', aftr('"hop-limit":"1"'), 'invalid-value'],
  ['a number for a string', aftr('"ipv6-address":1'), 'invalid-value'],
  ['an object for a leaf', aftr('"hop-limit":{}'), 'invalid-value'],
  ['null', aftr('"hop-limit":null'), 'invalid-value'],
  ['a leaf-list that is no array', aftr('"ipv4-pool":"192.0.2.0/24"'), 'invalid-value'],
  ['NaN', aftr('"hop-limit":NaN'), 'malformed-message'],
  ['a fraction', aftr('"hop-limit":1.5'), 'invalid-value'],
  ['more than 2^53', aftr('"hop-limit":9007199254740993'), 'invalid-value'],
  ['a lone surrogate', aftr('"ipv6-address":"\\ud800"'), 'malformed-message'],
  ['NUL', aftr('"ipv6-address":"\\u0000"'), 'malformed-message'],
  ['a byte order mark', `\ufeff${aftr('"hop-limit":1')}`, 'malformed-message'],
  ['what is not UTF-8', Uint8Array.of(0x7b, 0x22, 0xff, 0x22, 0x3a, 0x31, 0x7d), 'malformed-message'],
  ['single quotes', "{'gi-4over6:aftr':[]}", 'malformed-message'],
  ['a comment', `/* */${aftr('"hop-limit":1')}`, 'malformed-message'],
  ['a comma at the end', aftr('"hop-limit":1,'), 'malformed-message'],
  ['an annotation that is unknown', aftr('"hop-limit":1,"@hop-limit":{"x:y":1}'), 'unknown-attribute'],
];
for (const [what, body, tag] of badBodies) {
  test(`R49: refused in JSON: ${what}`, () =>
    program.run(async (box) => {
      const before = await box.tag();
      const reply = await box.curl(AFTR, { method: 'PATCH', body });
      assert.equal(brief(reply), [400, tag], reply.body);
      assert.is(await box.tag(), before);
    }));
}

test('an error is short, however long the text is that it is about', () =>
  program.run(async ({ curl }) => {
    const long = 'x'.repeat(300_000);
    const bodies = [`{"gi-4over6:aftr":[{"name":"a","${long}":1}]}`, `{"gi-4over6:aftr":[{"name":"${long}"}]}`];
    for (const body of bodies) {
      const reply = await curl('/restconf/data/gi-4over6:softwire/aftr=a', { method: 'PATCH', body });
      assert.is(reply.status, 400);
      assert.ok(reply.body.length < 4096, `${reply.body.length} octets`);
    }
  }));

test('R49: nested too deep is too big', () =>
  program.run(async ({ curl }) => {
    const body = `{"gi-4over6:aftr":${'['.repeat(100_000)}`;
    assert.equal(brief(await curl(AFTR, { method: 'PATCH', body })), [413, 'too-big']);
  }));

test('R50: the annotation of defaults comes back in', () =>
  program.run(async ({ curl }) => {
    const read = await curl(`${AFTR}?content=config&with-defaults=report-all-tagged`);
    assert.match(read.body, '"@hop-limit":{"ietf-netconf-with-defaults:default":true}');
    const reply = await curl(AFTR, { method: 'PUT', body: read.body });
    assert.is(reply.status, 204, reply.body);
    const explicit = await curl(`${AFTR}?content=config`);
    assert.not.match(explicit.body, 'hop-limit', 'what was in force by default still is');
  }));

const POST = { method: 'POST' };
const patch = (body: string): CurlOptions => ({ method: 'PATCH', body });
const ruleList = { method: 'POST', body: '{"ietf-netconf-acm:rule-list":[{"name":"n"}]}' };
const outside = { ...B, 'ipv4-prefix': '203.0.113.0/25' };
/** One request for each error-tag that one can provoke with an errors body. */
const tags: readonly (readonly [status: number, tag: string, url: string, options: CurlOptions])[] = [
  [400, 'invalid-value', `${AFTR}?depth=0`, {}],
  [404, 'invalid-value', `${SOFTWIRE}/aftr=b`, {}],
  [406, 'invalid-value', AFTR, { headers: ['Accept: text/html'] }],
  [415, 'invalid-value', AFTR, { ...patch('{}'), headers: ['Content-Type: text/html'] }],
  [413, 'too-big', AFTR, patch('['.repeat(1000))],
  [414, 'too-big', `${DATA}?${'x'.repeat(10_000)}`, {}],
  [400, 'bad-attribute', `${NACM}?insert=after&point=/ietf-netconf-acm:nacm/rule-list=absent`, ruleList],
  [400, 'unknown-attribute', AFTR, patch(aftr('"@name":{"x:y":1}'))],
  [400, 'missing-element', `${AFTR}/lookup`, POST],
  [400, 'bad-element', AFTR, patch(aftr('"ipv4-pool":["192.0.2.0/24","192.0.2.0/24"]'))],
  [400, 'unknown-element', AFTR, patch(aftr('"nothing":1'))],
  [400, 'unknown-namespace', AFTR, patch(aftr('"nothing:name":1'))],
  [401, 'access-denied', AFTR, { user: '' }],
  [403, 'access-denied', AFTR, { ...patch(aftr('"hop-limit":9')), user: GUEST }],
  [409, 'data-exists', NACM, { ...POST, body: '{"ietf-netconf-acm:rule-list":[{"name":"guest"}]}' }],
  [405, 'operation-not-supported', DATA, { method: 'DELETE' }],
  [
    501,
    'operation-not-supported',
    '/restconf/operations/ietf-nmda-compare:compare',
    {
      ...POST,
      body: '{"ietf-nmda-compare:input":{"source":"ietf-datastores:running","target":"ietf-datastores:candidate","report-origin":[null]}}',
    },
  ],
  [412, 'operation-failed', TABLE, { ...POST, body: JSON.stringify({ 'gi-4over6:binding': [outside] }) }],
  [412, 'operation-failed', AFTR, { ...patch(aftr('"hop-limit":9')), headers: ['If-Match: "x"'] }],
  [400, 'malformed-message', AFTR, patch('{')],
];
test('R15: error-tag and status', () =>
  program.run(async (box) => {
    for (const [status, tag, url, options] of tags) {
      const reply = await box.curl(url, options);
      assert.equal(brief(reply), [status, tag], `${tag} ${reply.body}`);
      const [error] = JSON.parse(reply.body)['ietf-restconf:errors'].error;
      assert.type(error['error-message'], 'string');
      assert.match(error['error-type'], /^(transport|rpc|protocol|application)$/);
    }
    await box.done(lock('running'));
    assert.equal(brief(await box.curl(AFTR, patch(aftr('"hop-limit":9')))), [409, 'in-use']);
  }));

test('the process ends cleanly', async () => assert.is(await program.stop(), 0));
test.run();
