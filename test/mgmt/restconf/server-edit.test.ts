// needs: addon
/** Editing over RESTCONF, of the running program, with curl. */

import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { binding, edit, lock, table } from '../../helpers/netconf-requests.ts';
import type { CurlOptions, CurlReply } from '../../helpers/restconf.ts';
import { GUEST, JSON_TYPE, XML_TYPE } from '../../helpers/restconf.ts';
import type { ProgramBox } from '../../helpers/restconf-program.ts';
import { startProgram } from '../../helpers/restconf-program.ts';

const test = suite('restconf server: editing');
const program = await startProgram();

const DATA = '/restconf/data';
const SOFTWIRE = `${DATA}/gi-4over6:softwire`;
const AFTR = `${SOFTWIRE}/aftr=a`;
const TABLE = `${AFTR}/binding-table`;
const B = { 'ipv4-prefix': '192.0.2.0/25', 'gateway-ipv6-address': '2001:db8:a::1' };
const B_URL = `${TABLE}/binding=192.0.2.0%2F25`;

const brief = ({ status, tag }: CurlReply) => [status, tag];
const bindingBody = (more: Readonly<Record<string, unknown>> = {}) =>
  JSON.stringify({ 'gi-4over6:binding': [{ ...B, ...more }] });

async function entries({ curl }: ProgramBox): Promise<unknown> {
  const { status, body } = await curl(`${TABLE}/binding?content=config`);
  return status === 404 ? [] : JSON.parse(body)['gi-4over6:binding'];
}

const LIST = '/restconf/operations/gi-4over6:list-versions';

interface Version {
  readonly number: string;
  readonly face: string;
  readonly comment?: string;
  readonly added: number;
  readonly removed: number;
}

/** The versions on record, newest first. */
async function versions({ curl }: ProgramBox, input = ''): Promise<readonly Version[]> {
  return JSON.parse((await curl(LIST, { method: 'POST', body: input })).body)['gi-4over6:output'].version;
}

test('POST of a list entry: 201 and a Location that leads to it', () =>
  program.run(async (box) => {
    const reply = await box.curl(TABLE, { method: 'POST', body: bindingBody() });
    assert.is(reply.status, 201, reply.body);
    assert.is(reply.headers.location, box.url + B_URL);
    assert.is(reply.body, '');
    assert.equal(await entries(box), [B]);
    assert.is((await box.curl(B_URL)).headers.etag, reply.headers.etag);
  }));

test('the header field Edit-Comment goes on record with the edit; one that is too long is refused', () =>
  program.run(async (box) => {
    const put = (comment: string) =>
      box.curl(B_URL, {
        method: 'PUT',
        body: bindingBody({ description: comment }),
        headers: [`Edit-Comment: ${comment}`],
      });
    assert.is((await put('ticket 7 \u20ac')).status, 201);
    assert.is((await versions(box))[0]?.comment, 'ticket 7 \u20ac');
    const before = await box.tag();
    assert.is((await put('x'.repeat(10_000))).status, 400);
    assert.is(await box.tag(), before);
  }));

test('POST to the datastore and of a leaf-list entry', () =>
  program.run(async ({ curl, url }) => {
    const pool = await curl(AFTR, { method: 'POST', body: '{"gi-4over6:ipv4-pool":["203.0.113.0/24"]}' });
    assert.is(pool.status, 201, pool.body);
    assert.is(pool.headers.location, `${url}${AFTR}/ipv4-pool=203.0.113.0%2F24`);
    assert.is((await curl(SOFTWIRE, { method: 'DELETE' })).status, 204);
    const top = await curl(DATA, {
      method: 'POST',
      body: '{"gi-4over6:softwire":{"gateway":[{"name":"h","enabled":false}]}}',
    });
    assert.is(top.status, 201, top.body);
    assert.is(top.headers.location, `${url}${SOFTWIRE}`);
  }));

test('POST and PUT in XML, with prefixes and CDATA', () =>
  program.run(async (box) => {
    const xml = `<?xml version="1.0"?><x:binding xmlns:x="urn:gi-4over6"><x:ipv4-prefix><![CDATA[192.0.2.0/25]]></x:ipv4-prefix>
      <x:gateway-ipv6-address>2001:db8:a::1</x:gateway-ipv6-address></x:binding>`;
    const headers = [`Content-Type: ${XML_TYPE}`];
    assert.is((await box.curl(TABLE, { method: 'POST', body: xml, headers })).status, 201);
    assert.equal(await entries(box), [B]);
    const again = await box.curl(TABLE, { method: 'POST', body: xml, headers });
    assert.is(again.status, 409);
    assert.is(again.headers['content-type'], XML_TYPE);
    assert.match(again.body, '<error-tag>data-exists</error-tag>');
    assert.is((await box.curl(B_URL, { method: 'PUT', body: xml, headers })).status, 204);
  }));

test('PUT creates with 201, replaces with 204, and takes away what is not in it', () =>
  program.run(async (box) => {
    const put = (body: string) => box.curl(B_URL, { method: 'PUT', body });
    assert.is((await put(bindingBody({ description: 'first' }))).status, 201);
    assert.equal(await entries(box), [{ ...B, description: 'first' }]);
    const replaced = await put(bindingBody());
    assert.is(replaced.status, 204, replaced.body);
    assert.equal(await entries(box), [B]);
    assert.is(replaced.headers.etag, (await box.curl(B_URL)).headers.etag);
  }));

test('PUT of a container, a leaf and the datastore', () =>
  program.run(async (box) => {
    const { curl } = box;
    const table = await curl(TABLE, {
      method: 'PUT',
      body: JSON.stringify({ 'gi-4over6:binding-table': { binding: [B] } }),
    });
    assert.is(table.status, 204, table.body);
    assert.equal(await entries(box), [B]);
    assert.is((await curl(`${AFTR}/enabled`, { method: 'PUT', body: '{"gi-4over6:enabled":false}' })).status, 201);
    assert.is((await curl(`${AFTR}/enabled`, { method: 'PUT', body: '{"enabled":true}' })).status, 400);
    assert.is((await curl(`${AFTR}/enabled`, { method: 'PUT', body: '{"gi-4over6:enabled":true}' })).status, 204);
    const data = JSON.parse((await curl(`${DATA}?content=config`)).body);
    delete data['ietf-restconf:data']['gi-4over6:softwire'].gateway;
    assert.is((await curl(DATA, { method: 'PUT', body: JSON.stringify(data) })).status, 204);
    assert.is((await curl(`${SOFTWIRE}/gateway=g`)).status, 404);
    assert.equal(await entries(box), [B]);
  }));

const ICMP = `${AFTR}/icmp-policy/icmpv4-errors`;
const rate = (value: number) => ({ 'gi-4over6:icmpv4-rate': value });
const rates = { 'gi-4over6:icmpv4-errors': { 'icmpv4-rate': 7 } };
const withPatch = { 'ietf-yang-patch:yang-patch': { 'patch-id': 'p', edit: [mergeOf('/icmpv4-rate', rate(7))] } };

function mergeOf(target: string, value: unknown): Record<string, unknown> {
  return { 'edit-id': 'e', operation: 'merge', target, value };
}

/** Edits below two containers without presence that hold nothing; what stands there afterwards is the same. */
const BELOW_NOTHING: readonly (readonly [how: string, path: string, CurlOptions, status: number])[] = [
  ['PUT of a leaf', `${ICMP}/icmpv4-rate`, { method: 'PUT', body: JSON.stringify(rate(7)) }, 201],
  ['PUT of a container', ICMP, { method: 'PUT', body: JSON.stringify(rates) }, 204],
  ['POST', ICMP, { method: 'POST', body: JSON.stringify(rate(7)) }, 201],
  ['PATCH', ICMP, { method: 'PATCH', body: JSON.stringify(rates) }, 204],
  [
    'YANG Patch',
    ICMP,
    { method: 'PATCH', body: JSON.stringify(withPatch), headers: ['Content-Type: application/yang-patch+json'] },
    200,
  ],
];

for (const [how, path, options, status] of BELOW_NOTHING) {
  test(`RFC 7950 §7.5.1: ${how} below containers that are there since they always are`, () =>
    program.run(async ({ curl }) => {
      assert.equal(JSON.parse((await curl(ICMP)).body), { 'gi-4over6:icmpv4-errors': {} });
      const reply = await curl(path, options);
      assert.is(reply.status, status, reply.body);
      assert.equal(JSON.parse((await curl(ICMP)).body), rates);
      assert.is(
        (await curl(path.replace('aftr=a', 'aftr=b'), options)).status,
        404,
        'no entry of a list is always there',
      );
      assert.is((await curl(ICMP, { method: 'DELETE' })).status, 204);
      assert.is((await curl(ICMP, { method: 'DELETE' })).status, 409, 'there is nothing to delete');
    }));
}

test('PATCH merges and never creates its target', () =>
  program.run(async (box) => {
    const { curl } = box;
    await box.addBindings([B]);
    const body = '{"gi-4over6:binding":[{"ipv4-prefix":"192.0.2.0/25","description":"new"}]}';
    assert.is((await curl(B_URL, { method: 'PATCH', body })).status, 204);
    assert.equal(await entries(box), [{ ...B, description: 'new' }]);
    const data = '{"ietf-restconf:data":{"gi-4over6:softwire":{"aftr":[{"name":"a","hop-limit":9}]}}}';
    assert.is((await curl(DATA, { method: 'PATCH', body: data })).status, 204);
    assert.equal(JSON.parse((await curl(`${AFTR}/hop-limit`)).body), { 'gi-4over6:hop-limit': 9 });
    const missing = await curl(`${SOFTWIRE}/aftr=b`, { method: 'PATCH', body: '{"gi-4over6:aftr":[{"name":"b"}]}' });
    assert.is(missing.status, 404);
    assert.is((await curl(`${SOFTWIRE}/aftr=b`)).status, 404);
  }));

test('DELETE: 204, then 404', () =>
  program.run(async (box) => {
    await box.addBindings([B]);
    assert.is((await box.curl(B_URL, { method: 'DELETE' })).status, 204);
    assert.equal(await entries(box), []);
    assert.is((await box.curl(B_URL, { method: 'DELETE' })).status, 404);
    assert.is((await box.curl(`${AFTR}/ipv4-pool=192.0.2.0%2F24`, { method: 'DELETE' })).status, 204);
  }));

/** White space that makes a body a long one, which is read in another way. */
const PADDING = ' '.repeat(20_000);
const B_XML =
  '<binding xmlns="urn:gi-4over6"><ipv4-prefix>192.0.2.0/25</ipv4-prefix><gateway-ipv6-address>2001:db8:a::1</gateway-ipv6-address></binding>';
const PADDED = [
  ['JSON, behind', JSON_TYPE, bindingBody() + PADDING],
  ['JSON, in the middle', JSON_TYPE, bindingBody().replace('}]', `}${PADDING}]`)],
  ['JSON, in the entry', JSON_TYPE, bindingBody().replace(',', `,${PADDING}`)],
  ['JSON, before', JSON_TYPE, PADDING + bindingBody()],
  ['XML, behind', XML_TYPE, B_XML + PADDING],
  ['XML, in the entry', XML_TYPE, B_XML.replace('</ipv4-prefix>', `</ipv4-prefix>${PADDING}`)],
] as const;
for (const [where, type, body] of PADDED) {
  test(`R18 R19 R23: one binding in a body of ${body.length} octets, white space ${where}`, () =>
    program.run(async (box) => {
      const send = async (method: string, path: string, text: string = body) =>
        (await box.curl(path, { method, body: text, headers: [`Content-Type: ${type}`] })).status;
      assert.is(await send('POST', TABLE), 201);
      assert.equal(await entries(box), [B]);
      assert.is(await send('POST', TABLE), 409);
      assert.is(await send('PUT', B_URL), 204);
      assert.is(await send('PATCH', B_URL), 204);
      assert.is(await send('PUT', `${TABLE}/binding=192.0.2.0%2F26`), 400);
      assert.is(await send('DELETE', B_URL), 204);
      assert.is(await send('PUT', B_URL), 201);
      assert.equal(await entries(box), [B]);
      const two = bindingBody().replace(/\[(.*)\]/, (_, one: string) => `[${one},${one.replace('/25', '/26')}]`);
      if (type === JSON_TYPE) assert.is(await send('POST', TABLE, two + PADDING), 400);
      assert.equal(await entries(box), [B]);
    }));
}

test('RFC 7951 §4: names at the top of a body have their module', () =>
  program.run(async ({ curl }) => {
    const bodies = [
      ['PUT', B_URL, { binding: [B] }],
      ['PUT', SOFTWIRE, { softwire: { gateway: [] } }],
      ['POST', SOFTWIRE, { aftr: [{ name: 'z', enabled: false }] }],
      ['POST', DATA, { softwire: {} }],
      ['PUT', DATA, { data: {} }],
      ['PATCH', DATA, { data: {} }],
      ['POST', '/restconf/operations/gi-4over6:get-version', { input: { version: '1' } }],
    ] as const;
    for (const [method, path, body] of bodies) {
      const reply = await curl(path, { method, body: JSON.stringify(body) });
      assert.is(reply.status, 400, `${method} ${path}: ${reply.body}`);
      assert.match(reply.body, /unknown-element|malformed-message/);
    }
  }));

const RATE = '{"gi-4over6:icmpv4-rate":5}';
for (const [method, path, body, status] of [
  ['PUT', '/icmp-policy/icmpv4-errors/icmpv4-rate', RATE, 201],
  ['PUT', '/icmp-policy/icmpv4-errors', '{"gi-4over6:icmpv4-errors":{"icmpv4-rate":5}}', 204],
  ['POST', '/icmp-policy/icmpv4-errors', RATE, 201],
  ['PATCH', '/icmp-policy/icmpv4-errors', '{"gi-4over6:icmpv4-errors":{"icmpv4-rate":5}}', 204],
] as const) {
  test(`${method} ${path}: containers without presence are there with their AFTR, and not without it`, () =>
    program.run(async ({ curl }) => {
      const reply = await curl(AFTR + path, { method, body });
      assert.is(reply.status, status, reply.body);
      const rate = JSON.parse((await curl(`${AFTR}/icmp-policy?content=config`)).body);
      assert.equal(rate, { 'gi-4over6:icmp-policy': { 'icmpv4-errors': { 'icmpv4-rate': 5 } } });
      const nowhere = await curl(`${SOFTWIRE}/aftr=b${path}`, { method, body });
      assert.equal(brief(nowhere), [404, 'invalid-value']);
      assert.is((await curl(`${AFTR}/icmp-policy/icmpv6-errors/icmpv6-rate`, { method: 'DELETE' })).status, 404);
    }));
}
/** [as it comes, as it is read] */
const RULE_PATHS = [
  ['/gi-4over6:softwire/gateway', '/gi-4over6:softwire/gateway'],
  ['/gi-4over6:softwire/gi-4over6:gateway', '/gi-4over6:softwire/gateway'],
  [
    "/ietf-netconf-acm:nacm/ietf-netconf-acm:rule-list[ietf-netconf-acm:name='/x:a/x:b']/ietf-netconf-acm:group",
    "/ietf-netconf-acm:nacm/rule-list[name='/x:a/x:b']/group",
  ],
  [
    '/ietf-subscribed-notifications:filters/ietf-yang-push:selection-filter/ietf-yang-push:filter-id',
    '/ietf-subscribed-notifications:filters/ietf-yang-push:selection-filter/filter-id',
  ],
] as const;
test('R48: a path in a body names its module where that changes (RFC 7951 §6.11), or at each name', () =>
  program.run(async ({ curl }) => {
    const url = `${DATA}/ietf-netconf-acm:nacm/rule-list=guest/rule=p`;
    for (const [path, expected] of RULE_PATHS) {
      const body = JSON.stringify({ 'ietf-netconf-acm:rule': [{ name: 'p', path, action: 'deny' }] });
      const reply = await curl(url, { method: 'PUT', body });
      assert.ok([201, 204].includes(reply.status), `${path}: ${reply.body}`);
      assert.equal(JSON.parse((await curl(`${url}/path`)).body), { 'ietf-netconf-acm:path': expected });
    }
    for (const path of ['/gi-4over6:softwire/ietf-system:gateway', '/softwire', '/gi-4over6:gi-4over6:softwire']) {
      const body = JSON.stringify({ 'ietf-netconf-acm:rule': [{ name: 'p', path, action: 'deny' }] });
      assert.equal(brief(await curl(url, { method: 'PUT', body })), [400, 'invalid-value'], path);
    }
  }));

const AFTR_B = '{"gi-4over6:aftr":[{"name":"b"}]}';
const wrong: readonly (readonly [
  why: string,
  method: string,
  path: string,
  body: string,
  status: number,
  tag: string,
])[] = [
  ['an entry that exists', 'POST', SOFTWIRE, '{"gi-4over6:aftr":[{"name":"a"}]}', 409, 'data-exists'],
  ['a missing parent', 'POST', `${SOFTWIRE}/aftr=b/binding-table`, bindingBody(), 404, 'invalid-value'],
  ['a missing parent', 'PUT', `${SOFTWIRE}/aftr=b/enabled`, '{"gi-4over6:enabled":true}', 404, 'invalid-value'],
  ['no body', 'POST', SOFTWIRE, '', 400, 'malformed-message'],
  ['an empty object', 'POST', SOFTWIRE, '{}', 400, 'malformed-message'],
  [
    'two kinds of resources',
    'POST',
    SOFTWIRE,
    '{"gi-4over6:aftr":[{"name":"b"}],"gi-4over6:gateway":[{"name":"b"}]}',
    400,
    'malformed-message',
  ],
  ['two entries', 'POST', SOFTWIRE, '{"gi-4over6:aftr":[{"name":"b"},{"name":"c"}]}', 400, 'malformed-message'],
  ['an array', 'POST', SOFTWIRE, '[]', 400, 'malformed-message'],
  ['no JSON', 'POST', SOFTWIRE, '<aftr/>', 400, 'malformed-message'],
  [
    'a member twice',
    'PUT',
    `${AFTR}/enabled`,
    '{"gi-4over6:enabled":true,"gi-4over6:enabled":true}',
    400,
    'malformed-message',
  ],
  ['another key', 'PUT', AFTR, AFTR_B, 400, 'invalid-value'],
  ['another key', 'PATCH', AFTR, AFTR_B, 400, 'invalid-value'],
  [
    'another value',
    'PATCH',
    `${AFTR}/ipv4-pool=192.0.2.0%2F24`,
    '{"gi-4over6:ipv4-pool":["203.0.113.0/24"]}',
    400,
    'invalid-value',
  ],
  ['another resource', 'PUT', AFTR, '{"gi-4over6:gateway":[{"name":"a"}]}', 400, 'invalid-value'],
  ['no datastore around', 'PUT', DATA, '{"gi-4over6:softwire":{}}', 400, 'malformed-message'],
  ['an unknown leaf', 'PATCH', AFTR, '{"gi-4over6:aftr":[{"name":"a","nothing":1}]}', 400, 'unknown-element'],
  ['a wrong type', 'PATCH', AFTR, '{"gi-4over6:aftr":[{"name":"a","hop-limit":"64"}]}', 400, 'invalid-value'],
  ['state data', 'PATCH', AFTR, '{"gi-4over6:aftr":[{"name":"a","statistics":{}}]}', 400, 'unknown-element'],
  [
    'a rule of the model',
    'POST',
    TABLE,
    '{"gi-4over6:binding":[{"ipv4-prefix":"203.0.113.0/24","gateway-ipv6-address":"2001:db8:a::1"}]}',
    412,
    'operation-failed',
  ],
  ['a key leaf', 'DELETE', `${AFTR}/name`, '', 400, 'invalid-value'],
  ['the datastore', 'DELETE', DATA, '', 405, 'operation-not-supported'],
  ["insert where order is not the user's", 'POST', `${SOFTWIRE}?insert=first`, AFTR_B, 400, 'invalid-value'],
];
for (const [why, method, path, body, status, tag] of wrong) {
  test(`${method} refused: ${why} (${status} ${tag})`, () =>
    program.run(async ({ curl, tag: tagOf }) => {
      const before = await tagOf();
      const options: CurlOptions = body === '' ? { method } : { method, body };
      const reply = await curl(path, options);
      assert.is(reply.status, status, reply.body);
      assert.is(reply.tag, tag, reply.body);
      assert.is(reply.headers['content-type'], JSON_TYPE);
      assert.is(await tagOf(), before);
    }));
}

const XML_WRONG: readonly (readonly [why: string, method: string, path: string, body: string, tag: string])[] = [
  ['R21: nothing', 'POST', SOFTWIRE, '', 'malformed-message'],
  ['R21: white space', 'POST', SOFTWIRE, ' ', 'malformed-message'],
  [
    'R21: two siblings',
    'POST',
    SOFTWIRE,
    '<aftr xmlns="urn:gi-4over6"><name>b</name></aftr><gateway xmlns="urn:gi-4over6"><name>b</name></gateway>',
    'malformed-message',
  ],
  ['R24: another key', 'PUT', AFTR, '<aftr xmlns="urn:gi-4over6"><name>b</name></aftr>', 'invalid-value'],
  ['R27: another key', 'PATCH', AFTR, '<aftr xmlns="urn:gi-4over6"><name>b</name></aftr>', 'invalid-value'],
];
for (const [why, method, path, body, tag] of XML_WRONG) {
  test(`${why} in XML: ${method} is 400 ${tag}`, () =>
    program.run(async ({ curl, tag: tagOf }) => {
      const before = await tagOf();
      const reply = await curl(path, { method, body, headers: [`Content-Type: ${XML_TYPE}`] });
      assert.is(reply.status, 400, reply.body);
      assert.match(reply.body, `<error-tag>${tag}</error-tag>`);
      assert.is(await tagOf(), before);
    }));
}

test('R14: paths of faults name the entry the URL leads to', () =>
  program.run(async ({ curl }) => {
    const { body } = await curl(TABLE, { method: 'POST', body: bindingBody({ 'gateway-ipv6-address': 'x' }) });
    const path =
      "/gi-4over6:softwire/aftr[name='a']/binding-table/binding[ipv4-prefix='192.0.2.0/25']/gateway-ipv6-address";
    const [{ 'error-message': message, ...error }, ...others] = JSON.parse(body)['ietf-restconf:errors'].error;
    assert.equal(others, []);
    assert.equal(error, {
      'error-type': 'application',
      'error-tag': 'invalid-value',
      'error-path': path,
      'error-info': { 'bad-element': 'gateway-ipv6-address' },
    });
    assert.ok(message.startsWith(`${path}: `), message);
    const inXml = await curl(TABLE, {
      method: 'POST',
      body: bindingBody({ 'gateway-ipv6-address': 'x' }),
      headers: [`Accept: ${XML_TYPE}`],
    });
    const prefixed =
      "/gi:softwire/gi:aftr[gi:name='a']/gi:binding-table/gi:binding[gi:ipv4-prefix='192.0.2.0/25']/gi:gateway-ipv6-address";
    assert.is(
      inXml.body.replace(/<error-message>.*<\/error-message>/, ''),
      '<errors xmlns="urn:ietf:params:xml:ns:yang:ietf-restconf"><error><error-type>application</error-type>' +
        `<error-tag>invalid-value</error-tag><error-path xmlns:gi="urn:gi-4over6">${prefixed}</error-path>` +
        '<error-info><bad-element>gateway-ipv6-address</bad-element></error-info></error></errors>',
    );
  }));

test('R20: a key leaf is there with its entry (§4.4.1)', () =>
  program.run(async ({ curl, tag }) => {
    const before = await tag();
    for (const name of ['a', 'b']) {
      const { status, body } = await curl(AFTR, { method: 'POST', body: `{"gi-4over6:name":"${name}"}` });
      assert.is(status, 409, body);
      const [{ 'error-message': _, ...error }] = JSON.parse(body)['ietf-restconf:errors'].error;
      const path = "/gi-4over6:softwire/aftr[name='a']/name";
      assert.equal(error, { 'error-type': 'application', 'error-tag': 'data-exists', 'error-path': path });
    }
    const none = await curl(`${SOFTWIRE}/aftr=b`, { method: 'POST', body: '{"gi-4over6:name":"b"}' });
    assert.is(none.status, 404, none.body);
    const changed = { method: 'POST', body: '{"gi-4over6:name":"a"}', headers: ['If-Match: "x"'] };
    assert.is((await curl(AFTR, changed)).status, 412);
    assert.is((await curl(AFTR, { ...changed, user: GUEST })).status, 403);
    assert.is(await tag(), before);
  }));

test('a key leaf with a wrong value: error-path has the parents', () =>
  program.run(async ({ curl }) => {
    const path = "/gi-4over6:softwire/aftr[name='a']/name";
    const inJson = await curl(AFTR, { method: 'POST', body: '{"gi-4over6:name":"é"}' });
    assert.is(inJson.status, 400, inJson.body);
    assert.is(JSON.parse(inJson.body)['ietf-restconf:errors'].error[0]['error-path'], path);
    const headers = [`Content-Type: ${XML_TYPE}`, `Accept: ${JSON_TYPE}`];
    const inXml = await curl(AFTR, { method: 'POST', body: '<name xmlns="urn:gi-4over6">é</name>', headers });
    assert.is(inXml.status, 400, inXml.body);
    assert.is(JSON.parse(inXml.body)['ietf-restconf:errors'].error[0]['error-path'], path);
  }));

test('user-ordered lists: insert and point', () =>
  program.run(async ({ curl }) => {
    const nacm = `${DATA}/ietf-netconf-acm:nacm`;
    const post = (name: string, query: string) =>
      curl(`${nacm}${query}`, { method: 'POST', body: `{"ietf-netconf-acm:rule-list":[{"name":"${name}"}]}` });
    const point = (name: string) => encodeURIComponent(`/ietf-netconf-acm:nacm/rule-list=${name}`);
    assert.is((await post('one', '?insert=first')).status, 201);
    assert.is((await post('two', `?insert=after&point=${point('one')}`)).status, 201);
    assert.is((await post('three', `?insert=before&point=${point('one')}`)).status, 201);
    assert.is((await post('last', '')).status, 201);
    const { body } = await curl(`${nacm}/rule-list?fields=name`);
    const names = JSON.parse(body)['ietf-netconf-acm:rule-list'].map(({ name }: { name: string }) => name);
    assert.equal(names, ['three', 'one', 'two', 'admin', 'guest', 'last']);
    for (const bad of [
      'nothing',
      '/ietf-netconf-acm:nacm',
      '/gi-4over6:softwire/aftr=a',
      '/ietf-netconf-acm:nacm/rule-list',
    ]) {
      const reply = await post('five', `?insert=after&point=${encodeURIComponent(bad)}`);
      assert.is(reply.status, 400, bad);
    }
    assert.is((await post('five', `?insert=after&point=${point('absent')}`)).status, 400);
    const put = (name: string, query: string) =>
      curl(`${nacm}/rule-list=${name}${query}`, {
        method: 'PUT',
        body: `{"ietf-netconf-acm:rule-list":[{"name":"${name}"}]}`,
      });
    assert.is((await put('four', `?insert=before&point=${point('two')}`)).status, 201);
    assert.is((await put('last', '?insert=first')).status, 204);
    assert.is((await put('four', `?insert=before&point=${point('absent')}`)).status, 400);
    const moved = JSON.parse((await curl(`${nacm}/rule-list?fields=name`)).body)['ietf-netconf-acm:rule-list'];
    assert.equal(
      moved.map(({ name }: { name: string }) => name),
      ['last', 'three', 'one', 'four', 'two', 'admin', 'guest'],
    );
  }));

test('preconditions: a false one changes nothing', () =>
  program.run(async ({ curl }) => {
    const put = (...headers: string[]) => curl(B_URL, { method: 'PUT', body: bindingBody(), headers });
    const before = (await curl(DATA)).headers.etag;
    const refused = await put('If-Match: "other"');
    assert.is(refused.status, 412);
    assert.is(refused.tag, 'operation-failed');
    assert.is((await put('If-Match: *')).status, 412);
    assert.is((await curl(DATA)).headers.etag, before);
    // What is not there has no tag and no time (RFC 9110 §13.1).
    assert.is((await put(`If-Match: ${before}`)).status, 412);
    const old = 'If-Unmodified-Since: Thu, 01 Jan 1970 00:00:00 GMT';
    assert.is((await put(`If-None-Match: ${before}`, old)).status, 201);
    assert.is((await put(`If-Match: ${before}`)).status, 412);
    const elsewhere = { method: 'DELETE', headers: ['If-Match: *'] };
    assert.is((await curl(`${TABLE}/binding=192.0.2.128%2F26`, elsewhere)).status, 404);
    assert.is((await put('If-Unmodified-Since: 2015-01-01')).status, 204);
    assert.is((await put('If-None-Match: *')).status, 412);
    assert.is((await put('If-Match: *')).status, 204);
    assert.is((await put('If-Unmodified-Since: Thu, 01 Jan 1970 00:00:00 GMT')).status, 412);
    const modified = (await curl(B_URL)).headers['last-modified'];
    assert.is((await put(`If-Unmodified-Since: ${modified}`)).status, 204);
  }));

const OTHER = '192.0.2.128/25';
/** An edit by each method, and what is there afterwards. */
const EDITS: readonly (readonly [method: string, path: string, body: string | undefined, status: number])[] = [
  ['POST', TABLE, bindingBody().replace(B['ipv4-prefix'], OTHER), 201],
  ['PUT', B_URL, bindingBody({ description: 'x' }), 204],
  ['PATCH', AFTR, '{"gi-4over6:aftr":[{"name":"a","hop-limit":9}]}', 204],
  ['DELETE', B_URL, undefined, 204],
];
for (const [method, path, body, status] of EDITS) {
  test(`R33 R34: ${method} of ${path} under false conditions changes nothing, under true ones it is made`, () =>
    program.run(async (box) => {
      await box.addBindings([B]);
      const read = async () => JSON.parse((await box.curl(`${DATA}?content=config`)).body);
      const before = await read();
      const { etag, 'last-modified': modified } = (await box.curl(DATA)).headers;
      const options = { method, ...(body !== undefined && { body }) };
      const falseOnes = [
        'If-Match: "other"',
        `If-Match: W/${etag}`,
        'If-Unmodified-Since: Thu, 01 Jan 1970 00:00:00 GMT',
      ];
      for (const header of [...falseOnes, `If-None-Match: ${etag}`, 'If-None-Match: *']) {
        const reply = await box.curl(path, { ...options, headers: [header] });
        assert.equal(brief(reply), [412, 'operation-failed'], header);
        assert.equal(await read(), before, header);
      }
      const trueOnes = [`If-Match: "other", ${etag}`, `If-Unmodified-Since: ${modified}`];
      const reply = await box.curl(path, { ...options, headers: trueOnes });
      assert.is(reply.status, status, reply.body);
      assert.not.equal(await read(), before);
    }));
}

test('of two edits under one entity-tag one wins', () =>
  program.run(async ({ curl, addBindings }) => {
    await addBindings([B]);
    const tag = (await curl(DATA)).headers.etag;
    const put = (description: string) =>
      curl(B_URL, { method: 'PUT', body: bindingBody({ description }), headers: [`If-Match: ${tag}`] });
    const statuses = (await Promise.all(['1', '2', '3', '4'].map(put))).map(({ status }) => status).sort();
    assert.equal(statuses, [204, 412, 412, 412]);
  }));

for (const datastore of ['running', 'candidate']) {
  test(`R52: a lock of a NETCONF session on ${datastore} refuses edits`, () =>
    program.run(async ({ curl, done, tag }) => {
      await done(lock(datastore));
      const before = await tag();
      const put = { method: 'PUT', body: bindingBody() };
      for (const [path, options] of [
        [TABLE, { method: 'POST', body: bindingBody() }],
        [B_URL, put],
        [AFTR, { method: 'PATCH', body: '{"gi-4over6:aftr":[{"name":"a","hop-limit":9}]}' }],
        [`${AFTR}/ipv4-pool=192.0.2.0%2F24`, { method: 'DELETE' }],
      ] as const) {
        const reply = await curl(path, options);
        assert.equal([reply.status, reply.tag], [409, 'in-use'], options.method);
      }
      assert.is(await tag(), before);
      await done(lock(datastore, 'unlock'));
      assert.is((await curl(B_URL, put)).status, 201);
    }));
}

test('R52: a lock is met by who may edit what is there: before it come 403 and 404, behind it conditions', () =>
  program.run(async ({ curl, done, tag }) => {
    await done(lock('running'));
    const put = { method: 'PUT', body: bindingBody() };
    const stale = ['If-Match: "other"'];
    for (const [path, options, expected] of [
      [B_URL, { method: 'DELETE' }, [404, 'invalid-value']],
      [B_URL, { method: 'DELETE', headers: stale }, [404, 'invalid-value']],
      [
        `${DATA}/gi-4over6:softwire/aftr=b/hop-limit`,
        { method: 'PUT', body: '{"gi-4over6:hop-limit":9}' },
        [404, 'invalid-value'],
      ],
      [B_URL, { ...put, user: GUEST }, [403, 'access-denied']],
      [B_URL, { ...put, user: GUEST, headers: stale }, [403, 'access-denied']],
      [AFTR, { method: 'DELETE', user: GUEST }, [403, 'access-denied']],
      [B_URL, put, [409, 'in-use']],
      [AFTR, { method: 'DELETE', headers: stale }, [409, 'in-use']],
    ] as const) {
      const { status, tag: found, body } = await curl(path, options);
      assert.equal([status, found], expected, `${options.method} ${path}: ${body}`);
    }
    assert.is((await curl(AFTR, { method: 'DELETE', headers: stale, user: GUEST })).status, 403);
    const before = await tag();
    await done(lock('running', 'unlock'));
    assert.is(await tag(), before);
    assert.is((await curl(AFTR, { method: 'DELETE', headers: stale })).status, 412);
    // RFC 9110 §13.2.1: rights are asked before conditions.
    const entry = { method: 'POST', body: '{"gi-4over6:aftr":[{"name":"a"}]}', headers: stale };
    const softwire = `${DATA}/gi-4over6:softwire`;
    assert.is((await curl(softwire, entry)).status, 412);
    for (const [path, options] of [
      [AFTR, { method: 'DELETE', headers: stale }],
      [B_URL, { ...put, headers: stale }],
      [softwire, entry],
    ] as const) {
      assert.is((await curl(path, { ...options, user: GUEST })).status, 403, `${options.method} ${path}`);
    }
  }));

test('R55: running is the target: what the candidate of NETCONF holds stays uncommitted, and follows', () =>
  program.run(async (box) => {
    const B2 = { 'ipv4-prefix': '192.0.2.128/25', 'gateway-ipv6-address': '2001:db8:a::2' };
    const row = binding(B2['ipv4-prefix'], B2['gateway-ipv6-address']);
    await box.done(edit(table(row), '', 'candidate'));
    assert.is((await box.curl(B_URL, { method: 'PUT', body: bindingBody() })).status, 201);
    assert.equal(await entries(box), [B]);
    await box.done('<commit/>');
    assert.equal(await entries(box), [B, B2]);
  }));

test('who may not write gets 403 and nothing is changed', () =>
  program.run(async (box) => {
    const attempt = (options: CurlOptions, path = B_URL) => box.curl(path, { user: GUEST, ...options });
    const refused: CurlReply[] = [
      await attempt({ method: 'POST', body: bindingBody() }, TABLE),
      await attempt({ method: 'PUT', body: bindingBody() }),
    ];
    await box.addBindings([B]);
    refused.push(
      await attempt({ method: 'PATCH', body: bindingBody({ description: 'x' }) }),
      await attempt({ method: 'DELETE' }),
    );
    for (const { status, tag } of refused) assert.equal([status, tag], [403, 'access-denied']);
    assert.equal(await entries(box), [B]);
  }));

test('one transaction: a good and a bad entry leave nothing', () =>
  program.run(async (box) => {
    const bad = { 'ipv4-prefix': '203.0.113.0/24', 'gateway-ipv6-address': '2001:db8:a::1' };
    const body = JSON.stringify({ 'gi-4over6:binding-table': { binding: [B, bad] } });
    const reply = await box.curl(TABLE, { method: 'PATCH', body });
    assert.is(reply.status, 412, reply.body);
    assert.equal(await entries(box), []);
  }));

test('an action: output, no output, wrong input, missing instance, no right', () =>
  program.run(async ({ curl, addBindings }) => {
    await addBindings([B]);
    const lookup = (body: string, more: CurlOptions = {}, aftr = AFTR) =>
      curl(`${aftr}/lookup`, { method: 'POST', body, ...more });
    const input = (address: string) => `{"gi-4over6:input":{"ipv4-address":"${address}"}}`;
    const found = await lookup(input('192.0.2.7'));
    assert.is(found.status, 200, found.body);
    assert.equal(JSON.parse(found.body)['gi-4over6:output']['gateway-ipv6-address'], '2001:db8:a::1');
    assert.is((await lookup(input('192.0.2.200'))).status, 204);
    const xml = '<input xmlns="urn:gi-4over6"><ipv4-address>192.0.2.7</ipv4-address></input>';
    const inXml = await lookup(xml, { headers: [`Content-Type: ${XML_TYPE}`] });
    assert.match(inXml.body, '<output xmlns="urn:gi-4over6"><ipv4-prefix>192.0.2.0/25</ipv4-prefix>');
    assert.is((await lookup('{"gi-4over6:wrong":{}}')).tag, 'malformed-message');
    assert.is((await lookup('{"gi-4over6:input":{"nothing":1}}')).tag, 'unknown-element');
    assert.is((await curl(`${AFTR}/lookup`, { method: 'POST' })).tag, 'missing-element');
    assert.is((await lookup(input('192.0.2.7'), {}, `${SOFTWIRE}/aftr=b`)).status, 404);
    assert.is((await lookup(input('192.0.2.7'), { user: GUEST })).status, 403);
  }));

test('the operation list-versions: newest first, in parts, and only for who may', () =>
  program.run(async (box) => {
    await box.addBindings([B]);
    assert.is((await box.curl(B_URL, { method: 'DELETE' })).status, 204);
    const list = (body: string, more: CurlOptions = {}) => box.curl(LIST, { method: 'POST', body, ...more });
    const [newest, ...others] = await versions(box);
    assert.equal([newest?.face, newest?.removed], ['restconf', 1]);
    assert.equal([others[0]?.face, others[0]?.added], ['local', 1]);
    const before = await versions(box, `{"gi-4over6:input":{"before":"${newest?.number}"}}`);
    assert.equal(before.slice(0, others.length), others);
    assert.is((await versions(box, '{"gi-4over6:input":{"maximum":1}}')).length, 1);
    assert.is((await list('{"gi-4over6:input":{"before":"1"}}')).status, 204);
    assert.is((await list('', { user: GUEST })).status, 403);
    assert.is((await list('{"gi-4over6:input":{}}')).status, 200);
    assert.equal(brief(await list('{"gi-4over6:wrong":{}}')), [400, 'malformed-message']);
    assert.equal(brief(await list('{"gi-4over6:input":{"nothing":1}}')), [400, 'unknown-element']);
  }));

test('the operation get-version: bindings too, in both encodings; a version is asked for', () =>
  program.run(async (box) => {
    const { curl } = box;
    await box.addBindings([B]);
    const version = (await versions(box))[0]?.number;
    const post = (name: string, body: string, more: CurlOptions = {}) =>
      curl(`/restconf/operations/gi-4over6:${name}`, { method: 'POST', body, ...more });
    const input = `{"gi-4over6:input":{"version":"${version}"}}`;
    const { data } = JSON.parse((await post('get-version', input)).body)['gi-4over6:output'];
    assert.equal(data['gi-4over6:softwire'].aftr[0]['binding-table'], { binding: [B] });
    const inXml = await post('get-version', input, { headers: [`Accept: ${XML_TYPE}`] });
    assert.match(inXml.body, `<binding><ipv4-prefix>${B['ipv4-prefix']}</ipv4-prefix>`);
    for (const name of ['get-version', 'compare-versions', 'roll-back']) {
      assert.is((await post(name, '{"gi-4over6:input":{}}')).tag, 'missing-element', name);
    }
  }));

test('an operation under If-Match is not carried out, as nothing is the tag of one (RFC 9110 §13.1.1)', () =>
  program.run(async (box) => {
    const before = (await versions(box))[0]?.number;
    await box.addBindings([B]);
    for (const tag of ['"stale"', '*', await box.tag()]) {
      const headers = [`If-Match: ${tag}`];
      const body = `{"gi-4over6:input":{"version":"${before}"}}`;
      const rolled = await box.curl('/restconf/operations/gi-4over6:roll-back', { method: 'POST', body, headers });
      assert.equal(brief(rolled), [412, 'operation-failed'], tag);
      const lookup = '{"gi-4over6:input":{"ipv4-address":"192.0.2.7"}}';
      assert.is((await box.curl(`${AFTR}/lookup`, { method: 'POST', body: lookup, headers })).status, 412, tag);
    }
    assert.equal(await entries(box), [B]);
    // The rest is as without.
    assert.is((await box.curl(LIST, { method: 'POST', headers: ['If-None-Match: *'] })).status, 200);
  }));

test('edits of others are seen at once', () =>
  program.run(async ({ curl, merge }) => {
    await merge({ 'gi-4over6:softwire': { aftr: [{ name: 'a', 'hop-limit': 3 }] } });
    assert.equal(JSON.parse((await curl(`${AFTR}/hop-limit`)).body), { 'gi-4over6:hop-limit': 3 });
  }));

test('the process ends cleanly', async () => assert.is(await program.stop(), 0));
test.run();
