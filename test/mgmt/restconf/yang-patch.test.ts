// needs: addon
/** YANG Patch (RFC 8072) against the running program, with curl. */

import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { LIMITS } from '../../../src/mgmt/restconf/limits.ts';
import { lock } from '../../helpers/netconf-requests.ts';
import type { CurlOptions, CurlReply } from '../../helpers/restconf.ts';
import { ADMIN, GUEST, JSON_TYPE, XML_TYPE } from '../../helpers/restconf.ts';
import type { ProgramBox } from '../../helpers/restconf-program.ts';
import { startProgram } from '../../helpers/restconf-program.ts';

const test = suite('restconf: YANG Patch');

const PATCH_JSON = 'application/yang-patch+json';
const PATCH_XML = 'application/yang-patch+xml';
const YP = 'urn:ietf:params:xml:ns:yang:ietf-yang-patch';
const DATA = '/restconf/data';
const SOFTWIRE = `${DATA}/gi-4over6:softwire`;
const AFTR = `${SOFTWIRE}/aftr=a`;
const TABLE = `${AFTR}/binding-table`;
const NACM = `${DATA}/ietf-netconf-acm:nacm`;

const B1 = { 'ipv4-prefix': '192.0.2.1/32', 'gateway-ipv6-address': '2001:db8:a::1' };
const B2 = { 'ipv4-prefix': '192.0.2.2/32', 'gateway-ipv6-address': '2001:db8:a::2' };
const OUTSIDE = { 'ipv4-prefix': '203.0.113.1/32', 'gateway-ipv6-address': '2001:db8:a::1' };

type Json = Readonly<Record<string, unknown>>;
type Edit = readonly [operation: string, target: string, value?: Json | undefined, more?: Json];

const program = await startProgram();

/** Edits named e1, e2, ... */
function edits(...list: readonly Edit[]): Json[] {
  return list.map(([operation, target, value, more], index) => {
    const given = value === undefined ? {} : { value };
    return { 'edit-id': `e${index + 1}`, operation, target, ...given, ...more };
  });
}

function patchOf(edit: readonly Json[], more: Json = {}): string {
  return JSON.stringify({ 'ietf-yang-patch:yang-patch': { 'patch-id': 'p', edit, ...more } });
}

function send({ curl }: ProgramBox, path: string, body: string, more: CurlOptions = {}): Promise<CurlReply> {
  const headers = [`Content-Type: ${PATCH_JSON}`, ...(more.headers ?? [])];
  return curl(path, { method: 'PATCH', body, ...more, headers });
}

const binding = (entry: Json) => ({ 'gi-4over6:binding': [entry] });
const rowOf = (entry: { readonly 'ipv4-prefix': string }) => `/binding=${encodeURIComponent(entry['ipv4-prefix'])}`;
const FULL = '/gi-4over6:softwire/aftr=a/binding-table';

async function entries({ curl }: ProgramBox): Promise<unknown> {
  const { status, body } = await curl(`${TABLE}/binding?content=config`);
  return status === 404 ? [] : JSON.parse(body)['gi-4over6:binding'];
}

async function ruleLists({ curl }: ProgramBox): Promise<string> {
  const { body } = await curl(`${NACM}/rule-list?fields=name`);
  const lists = JSON.parse(body)['ietf-netconf-acm:rule-list'] as readonly { readonly name: string }[];
  return lists.map(({ name }) => name).join(' ');
}

interface Errors {
  readonly error: readonly { readonly 'error-tag': string }[];
}

/** The status in a few words: ok, or the error-tags of the patch or of its edits by their ids. */
function outcome({ body, headers }: CurlReply): string {
  assert.is(headers['content-type'], JSON_TYPE, body);
  const status = JSON.parse(body)['ietf-yang-patch:yang-patch-status'];
  assert.is(status?.['patch-id'], 'p', body);
  if (status.ok) return assert.equal(status, { 'patch-id': 'p', ok: [null] }) ?? 'ok';
  const tags = ({ errors }: { errors?: Errors }) => errors?.error.map((error) => error['error-tag']).join('+') ?? 'ok';
  if (status.errors) return tags(status);
  const { edit } = status['edit-status'] as { edit: readonly { 'edit-id': string; errors?: Errors }[] };
  return edit.map((one) => `${one['edit-id']} ${tags(one)}`).join(', ');
}

const lists = (name: string) => ({ 'ietf-netconf-acm:rule-list': [{ name }] });
const LIST = '/ietf-netconf-acm:nacm/rule-list=';

/** Each begins with the bindings B1; how the table, or what is read instead, is afterwards. */
const good: readonly (readonly [string, string, readonly Edit[], (box: ProgramBox) => Promise<unknown>, unknown])[] = [
  ['create', TABLE, [['create', rowOf(B2), binding(B2)]], entries, [B1, B2]],
  ['create on /data', DATA, [['create', FULL + rowOf(B2), binding(B2)]], entries, [B1, B2]],
  ['delete', TABLE, [['delete', rowOf(B1)]], entries, []],
  ['delete of a leaf', AFTR, [['delete', '/ipv4-pool=198.51.100.0%2F24']], pools, ['192.0.2.0/24']],
  ['remove of what is there', TABLE, [['remove', rowOf(B1)]], entries, []],
  ['remove of what is not there', TABLE, [['remove', rowOf(B2)]], entries, [B1]],
  [
    'merge into an entry',
    TABLE,
    [['merge', rowOf(B1), binding({ 'ipv4-prefix': '192.0.2.1/32', description: 'x' })]],
    entries,
    [{ ...B1, description: 'x' }],
  ],
  ['merge creates', TABLE, [['merge', rowOf(B2), binding(B2)]], entries, [B1, B2]],
  [
    'replace',
    TABLE,
    [
      ['merge', rowOf(B1), binding({ ...B1, description: 'x' })],
      ['replace', rowOf(B1), binding({ ...B1, 'gateway-ipv6-address': '2001:db8:a::9' })],
    ],
    entries,
    [{ ...B1, 'gateway-ipv6-address': '2001:db8:a::9' }],
  ],
  ['replace creates', TABLE, [['replace', rowOf(B2), binding(B2)]], entries, [B1, B2]],
  [
    'the target itself, a slash',
    TABLE,
    [['replace', '/', { 'gi-4over6:binding-table': { binding: [B2] } }]],
    entries,
    [B2],
  ],
  [
    'one after the other, in the order of the list',
    DATA,
    [
      ['delete', FULL + rowOf(B1)],
      ['create', FULL + rowOf(B1), binding(B1)],
      ['delete', '/gi-4over6:softwire/aftr=a'],
      ['create', '/gi-4over6:softwire/aftr=a', { 'gi-4over6:aftr': [{ name: 'a', 'ipv6-address': '2001:db8:b::1' }] }],
      ['create', '/gi-4over6:softwire/aftr=a/ipv4-pool=192.0.2.0%2F24', { 'gi-4over6:ipv4-pool': ['192.0.2.0/24'] }],
      ['merge', FULL, { 'gi-4over6:binding-table': { binding: [B2] } }],
      ['merge', FULL + rowOf(B2), binding({ 'ipv4-prefix': '192.0.2.2/32', description: 'y' })],
    ],
    entries,
    [{ ...B2, description: 'y' }],
  ],
  ['no edits', TABLE, [], entries, [B1]],
  ['insert first', DATA, [['insert', `${LIST}n`, lists('n'), { where: 'first' }]], ruleLists, 'n admin guest'],
  ['insert last', DATA, [['insert', `${LIST}n`, lists('n'), { where: 'last' }]], ruleLists, 'admin guest n'],
  ['insert anywhere is last', DATA, [['insert', `${LIST}n`, lists('n')]], ruleLists, 'admin guest n'],
  [
    'insert before',
    DATA,
    [['insert', `${LIST}n`, lists('n'), { where: 'before', point: `${LIST}guest` }]],
    ruleLists,
    'admin n guest',
  ],
  [
    'insert after, relative to a sub-resource',
    NACM,
    [['insert', '/rule-list=n', lists('n'), { where: 'after', point: '/rule-list=admin' }]],
    ruleLists,
    'admin n guest',
  ],
  ['move first', NACM, [['move', '/rule-list=guest', undefined, { where: 'first' }]], ruleLists, 'guest admin'],
  [
    'move after',
    NACM,
    [['move', '/rule-list=admin', undefined, { where: 'after', point: '/rule-list=guest' }]],
    ruleLists,
    'guest admin',
  ],
];

async function pools({ curl }: ProgramBox): Promise<unknown> {
  return JSON.parse((await curl(`${AFTR}/ipv4-pool`)).body)['gi-4over6:ipv4-pool'];
}

for (const [what, path, list, read, expected] of good) {
  test(`R60 R61: ${what}`, () =>
    program.run(async (box) => {
      await box.addBindings([B1]);
      const before = await box.tag();
      const reply = await send(box, path, patchOf(edits(...list)));
      assert.is(reply.status, 200, reply.body);
      assert.is(outcome(reply), 'ok');
      assert.equal(await read(box), expected);
      assert.is(reply.headers.etag, await box.tag());
      if (/^(no edits|remove of what is not)/.test(what)) assert.is(reply.headers.etag, before);
      else assert.is.not(reply.headers.etag, before);
    }));
}

/** Edits that are refused: the status of the reply, and how it tells them. None of the edits is made. */
const refused: readonly (readonly [string, string, readonly Edit[], number, string])[] = [
  ['create of what is there', TABLE, [['create', rowOf(B1), binding(B1)]], 409, 'e1 data-exists'],
  ['insert of what is there', DATA, [['insert', `${LIST}guest`, lists('guest')]], 409, 'e1 data-exists'],
  ['delete of what is not there', TABLE, [['delete', rowOf(B2)]], 409, 'e1 data-missing'],
  ['move of what is not there', DATA, [['move', `${LIST}n`]], 409, 'e1 data-missing'],
  ['what holds the target is not there', SOFTWIRE, [['remove', '/aftr=b/hop-limit']], 409, 'e1 data-missing'],
  [
    'the second of two',
    TABLE,
    [
      ['create', rowOf(B2), binding(B2)],
      ['create', rowOf(B1), binding(B1)],
      ['delete', rowOf(B2)],
    ],
    409,
    'e1 ok, e2 data-exists',
  ],
  [
    'a rule of the model, which belongs to no edit',
    TABLE,
    [
      ['create', rowOf(B2), binding(B2)],
      ['create', rowOf(OUTSIDE), binding(OUTSIDE)],
    ],
    412,
    'operation-failed',
  ],
  [
    'targets and values that cannot be',
    TABLE,
    [
      ['create', '/nothing', binding(B2)],
      ['create', rowOf(B2), binding({ ...B2, 'gateway-ipv6-address': 'x' })],
      ['create', rowOf(B2), binding(B2)],
      ['create', rowOf(B2), binding({ ...B2, nothing: 1 })],
    ],
    404,
    'e1 invalid-value, e2 invalid-value, e4 unknown-element',
  ],
  ['the datastore as the target', DATA, [['replace', '/', { 'gi-4over6:softwire': {} }]], 400, 'e1 invalid-value'],
  ['a target without slash', TABLE, [['delete', 'binding=192.0.2.1%2F32']], 400, 'e1 invalid-value'],
  ['an empty target', TABLE, [['delete', '']], 400, 'e1 invalid-value'],
  ['a target with a query', TABLE, [['delete', `${rowOf(B1)}?depth=1`]], 400, 'e1 invalid-value'],
  ['a list as the target', TABLE, [['delete', '/binding']], 400, 'e1 invalid-value'],
  ['a key as the target', AFTR, [['delete', '/name']], 400, 'e1 invalid-value'],
  ['state as the target', AFTR, [['delete', '/statistics']], 400, 'e1 invalid-value'],
  ['an action as the target', AFTR, [['delete', '/lookup']], 400, 'e1 invalid-value'],
  ['bad percent-encoding', TABLE, [['delete', '/binding=%zz']], 400, 'e1 invalid-value'],
  ['another key in the value', TABLE, [['create', rowOf(B2), binding(B1)]], 400, 'e1 invalid-value'],
  ['another resource in the value', AFTR, [['merge', '/hop-limit', binding(B1)]], 400, 'e1 unknown-element'],
  [
    'two resources in the value',
    TABLE,
    [['create', rowOf(B2), { 'gi-4over6:binding': [B1, B2] }]],
    400,
    'e1 malformed-message',
  ],
  ['an unqualified name', TABLE, [['create', rowOf(B2), { binding: [B2] }]], 400, 'e1 unknown-element'],
  ['an empty value', TABLE, [['create', rowOf(B2), {}]], 400, 'e1 malformed-message'],
  ['no value', TABLE, [['create', rowOf(B2)]], 400, 'e1 missing-element'],
  ['a value for delete', TABLE, [['delete', rowOf(B1), binding(B1)]], 400, 'e1 bad-element'],
  ['a place for create', TABLE, [['create', rowOf(B2), binding(B2), { where: 'first' }]], 400, 'e1 bad-element'],
  ['no point', DATA, [['move', `${LIST}guest`, undefined, { where: 'before' }]], 400, 'e1 missing-element'],
  [
    'a point for first',
    DATA,
    [['move', `${LIST}guest`, undefined, { where: 'first', point: `${LIST}admin` }]],
    400,
    'e1 bad-element',
  ],
  [
    'a point in another list',
    DATA,
    [['move', `${LIST}guest`, undefined, { where: 'after', point: '/gi-4over6:softwire/aftr=a' }]],
    400,
    'e1 invalid-value',
  ],
  [
    'a point that is not there',
    DATA,
    [['move', `${LIST}guest`, undefined, { where: 'after', point: `${LIST}n` }]],
    400,
    'e1 bad-attribute',
  ],
  ["move where the order is not the user's", TABLE, [['move', rowOf(B1)]], 400, 'e1 invalid-value'],
];
for (const [what, path, list, status, expected] of refused) {
  test(`R60 R61: refused: ${what}`, () =>
    program.run(async (box) => {
      await box.addBindings([B1]);
      const before = await box.tag();
      const reply = await send(box, path, patchOf(edits(...list)));
      assert.is(reply.status, status, reply.body);
      assert.is(outcome(reply), expected);
      assert.is(await box.tag(), before);
    }));
}

const [CREATE = {}] = edits(['create', rowOf(B2), binding(B2)]);
const without = (name: string, from: Json) => Object.fromEntries(Object.entries(from).filter(([key]) => key !== name));

/** Messages that are no YANG Patch, answered with an errors body. */
const malformed: readonly (readonly [string, string, number, string])[] = [
  ['no JSON', '{', 400, 'malformed-message'],
  ['nothing', '', 400, 'malformed-message'],
  ['a resource', JSON.stringify(binding(B2)), 400, 'malformed-message'],
  ['another member beside', `{"ietf-yang-patch:yang-patch":{"patch-id":"p"},"x":1}`, 400, 'malformed-message'],
  ['no patch-id', JSON.stringify({ 'ietf-yang-patch:yang-patch': { edit: [CREATE] } }), 400, 'missing-element'],
  ['a patch-id that is a number', patchOf([CREATE], { 'patch-id': 1 }), 400, 'invalid-value'],
  ['no edit-id', patchOf([without('edit-id', CREATE)]), 400, 'missing-element'],
  ['no operation', patchOf([without('operation', CREATE)]), 400, 'missing-element'],
  ['no target', patchOf([without('target', CREATE)]), 400, 'missing-element'],
  ['an unknown operation', patchOf([{ ...CREATE, operation: 'rename' }]), 400, 'invalid-value'],
  ['an unknown place', patchOf([{ ...CREATE, where: 'middle' }]), 400, 'invalid-value'],
  ['an edit-id twice', patchOf([CREATE, { ...CREATE, operation: 'merge' }]), 400, 'bad-element'],
  ['an unknown member', patchOf([CREATE], { nothing: 1 }), 400, 'unknown-element'],
  ['an unknown member of an edit', patchOf([{ ...CREATE, nothing: 1 }]), 400, 'unknown-element'],
  ['__proto__', patchOf([]).replace('"edit":', '"__proto__":'), 400, 'unknown-element'],
  [
    'a member twice',
    patchOf([]).replace('"edit":[]', '"comment":"a","ietf-yang-patch:comment":"b"'),
    400,
    'bad-element',
  ],
  ['edits twice', patchOf([]).replace('"edit":[]', '"edit":[],"ietf-yang-patch:edit":[]'), 400, 'bad-element'],
  ['an edit that is no array', patchOf([]).replace('[]', '{}'), 400, 'invalid-value'],
  ['an edit that is no object', patchOf([]).replace('[]', '[1]'), 400, 'invalid-value'],
  ['a value that is no object', patchOf([{ ...CREATE, value: [] }]), 400, 'invalid-value'],
  ['too many octets', patchOf([CREATE]) + ' '.repeat(LIMITS.patchOctets), 413, 'too-big'],
];
for (const [what, body, status, tag] of malformed) {
  test(`R60: no YANG Patch: ${what}`, () =>
    program.run(async (box) => {
      const before = await box.tag();
      const reply = await send(box, TABLE, body);
      assert.equal([reply.status, reply.tag], [status, tag], reply.body);
      assert.is(await box.tag(), before);
    }));
}

test('R61: the fault of an edit-id that comes twice is told where it is', () =>
  program.run(async (box) => {
    const { body } = await send(box, TABLE, patchOf([CREATE, { ...CREATE, operation: 'merge' }]));
    assert.is(
      JSON.parse(body)['ietf-restconf:errors'].error[0]['error-path'],
      '/ietf-yang-patch:yang-patch/edit/edit-id',
    );
  }));

const xmlPatch = (edit: string) => `<yang-patch xmlns="${YP}"><patch-id>p &amp; q</patch-id>${edit}</yang-patch>`;
const xmlEdit = (operation: string, target: string, value: string) =>
  `<edit><edit-id>e</edit-id><operation> ${operation} </operation><target>${target}</target>${value}</edit>`;
const XML_B2 = `<value><x:binding xmlns:x="urn:gi-4over6"><x:ipv4-prefix>192.0.2.2/32</x:ipv4-prefix><x:gateway-ipv6-address>2001:db8:a::2</x:gateway-ipv6-address></x:binding></value>`;

test('R60: in XML, answered in XML', () =>
  program.run(async (box) => {
    const type = { headers: [`Content-Type: ${PATCH_XML}`] };
    const patch = () =>
      box.curl(TABLE, { method: 'PATCH', body: xmlPatch(xmlEdit('create', rowOf(B2), XML_B2)), ...type });
    const reply = await patch();
    assert.is(reply.status, 200, reply.body);
    assert.is(reply.headers['content-type'], XML_TYPE);
    const status = (inside: string) =>
      `<yang-patch-status xmlns="${YP}"><patch-id>p &amp; q</patch-id>${inside}</yang-patch-status>`;
    assert.is(reply.body, status('<ok/>'));
    assert.equal(await entries(box), [B2]);
    const again = await patch();
    assert.is(again.status, 409);
    const path = `/gi-4over6:softwire/aftr[name='a']/binding-table/binding[ipv4-prefix='192.0.2.2/32']`;
    const prefixed = `/gi:softwire/gi:aftr[gi:name='a']/gi:binding-table/gi:binding[gi:ipv4-prefix='192.0.2.2/32']`;
    const error = `<error><error-type>application</error-type><error-tag>data-exists</error-tag><error-path xmlns:gi="urn:gi-4over6">${prefixed}</error-path><error-message>${path} exists already and was to be created</error-message></error>`;
    assert.is(
      again.body,
      status(`<edit-status><edit><edit-id>e</edit-id><errors>${error}</errors></edit></edit-status>`),
    );
    for (const [body, tag] of [
      [xmlPatch('<nothing/>'), 'unknown-element'],
      [xmlPatch('<edit xmlns="urn:x"/>'), 'unknown-element'],
      [xmlPatch('<comment a="b"/>'), 'unknown-attribute'],
      [xmlPatch(xmlEdit('create', '<a/>', XML_B2)), 'invalid-value'],
      [`<yang-patch xmlns="${YP}x"/>`, 'malformed-message'],
    ] as const) {
      const bad = await box.curl(TABLE, { method: 'PATCH', body, ...type });
      assert.is(bad.status, 400, bad.body);
      assert.match(bad.body, `<error-tag>${tag}</error-tag>`);
    }
  }));

test('R60: the encoding of the status is negotiated; a YANG Patch is for PATCH alone', () =>
  program.run(async (box) => {
    const body = patchOf([]);
    const inXml = await send(box, TABLE, body, { headers: [`Accept: ${XML_TYPE}`] });
    assert.is(inXml.headers['content-type'], XML_TYPE);
    assert.is(inXml.body, `<yang-patch-status xmlns="${YP}"><patch-id>p</patch-id><ok/></yang-patch-status>`);
    assert.is((await send(box, TABLE, body, { headers: ['Accept: text/html'] })).status, 406);
    assert.is((await send(box, TABLE, body, { method: 'PUT' })).status, 415);
    assert.is((await send(box, TABLE, body, { method: 'POST' })).status, 415);
    assert.is((await send(box, `${AFTR}/statistics`, body)).status, 405);
  }));

test('R61: the resource that is patched must be one, and there', () =>
  program.run(async (box) => {
    const status = async (path: string) => (await send(box, path, patchOf(edits(['delete', '/x'])))).status;
    assert.is(await status(`${SOFTWIRE}/aftr=b`), 404);
    assert.is(await status(`${TABLE}/binding`), 400);
    assert.is(await status(`${AFTR}/name`), 400);
    assert.is(await status(`${DATA}/gi-4over6:nothing`), 404);
  }));

test('R60: preconditions', () =>
  program.run(async (box) => {
    const patch = (header: string) => send(box, TABLE, patchOf([CREATE]), { headers: [header] });
    const tag = await box.tag();
    const wrong = await patch('If-Match: "other"');
    assert.equal([wrong.status, wrong.tag], [412, 'operation-failed']);
    assert.is(await box.tag(), tag);
    assert.is((await patch(`If-Match: ${tag}`)).status, 200);
    assert.is((await patch(`If-Match: ${tag}`)).status, 412);
    assert.is((await patch('If-Unmodified-Since: Thu, 01 Jan 1970 00:00:00 GMT')).status, 412);
  }));

/** The tag of an error of the patch as a whole (RFC 8072 §2.2). */
function errorOf(body: string): string {
  return JSON.parse(body)['ietf-yang-patch:yang-patch-status'].errors.error[0]['error-tag'];
}

test('R60: a lock of a NETCONF session refuses it', () =>
  program.run(async (box) => {
    for (const datastore of ['running', 'candidate']) {
      await box.done(lock(datastore));
      const reply = await send(box, TABLE, patchOf([CREATE]));
      assert.is(reply.status, 409, reply.body);
      assert.is(errorOf(reply.body), 'in-use');
      const stale = await send(box, TABLE, patchOf([CREATE]), { headers: ['If-Match: "other"'] });
      assert.is(stale.status, 409, stale.body);
      await box.done(lock(datastore, 'unlock'));
    }
    assert.is((await send(box, TABLE, patchOf([CREATE]))).status, 200);
  }));

test('R60: access control is asked for each edit', () =>
  program.run(async (box) => {
    const permit = {
      name: 'tables',
      'module-name': '*',
      path: '/gi-4over6:softwire/gi-4over6:aftr/gi-4over6:binding-table',
      'access-operations': '*',
      action: 'permit',
    };
    const rule = [permit];
    await box.merge({ 'ietf-netconf-acm:nacm': { 'rule-list': [{ name: 'guest', group: ['guest'], rule }] } });
    const mayNot: Edit = ['merge', '/gi-4over6:softwire/aftr=a/hop-limit', { 'gi-4over6:hop-limit': 9 }];
    const may: Edit = ['create', FULL + rowOf(B2), binding(B2)];
    const patch = (...list: Edit[]) => send(box, DATA, patchOf(edits(...list)), { user: GUEST });
    const reply = await patch(may, mayNot);
    assert.is(reply.status, 403);
    assert.is(outcome(reply), 'e1 ok, e2 access-denied');
    assert.equal(await entries(box), []);
    assert.is((await patch(may)).status, 200);
    assert.equal(await entries(box), [B2]);
    const hidden = await send(box, `${SOFTWIRE}/gateway=g`, patchOf([]), { user: GUEST });
    assert.is(hidden.status, 404);
  }));

test('R60: 10,000 bindings, an edit each, and all in one edit; what fails last undoes all', () =>
  program.run(async (box) => {
    await box.merge({ 'gi-4over6:softwire': { aftr: [{ name: 'a', 'ipv4-pool': ['10.0.0.0/8'] }] } });
    const rows = Array.from({ length: 10_000 }, (_, index) => ({
      'ipv4-prefix': `10.0.${index >> 8}.${index & 255}/32`,
      'gateway-ipv6-address': '2001:db8:a::1',
    }));
    const each = edits(...rows.map((row): Edit => ['create', rowOf(row), binding(row)]));
    const last = { 'edit-id': 'last', operation: 'delete', target: rowOf(B2) };
    const bad = await send(box, TABLE, patchOf([...each, last]));
    assert.is(bad.status, 409);
    assert.match(bad.body, '"edit-id":"e10000","ok":[null]},{"edit-id":"last","errors"');
    assert.equal(await entries(box), []);
    assert.is((await send(box, TABLE, patchOf(each))).status, 200);
    assert.equal(await entries(box), rows);
    const changed = rows.map((row) => ({ ...row, 'gateway-ipv6-address': '2001:db8:a::2' }));
    const whole = edits(['merge', '/', { 'gi-4over6:binding-table': { binding: changed } }]);
    assert.is((await send(box, TABLE, patchOf(whole))).status, 200);
    assert.equal(await entries(box), changed);
  }));

test('the comment of the patch goes on record, that of the header field before it, none that is too long', () =>
  program.run(async (box) => {
    const comment = async (words: string, ...headers: string[]) => {
      const [edit = {}] = edits(['merge', '/hop-limit', { 'gi-4over6:hop-limit': 10 + (words.length % 50) }]);
      const reply = await send(box, AFTR, patchOf([edit], { comment: words }), { headers });
      assert.is(reply.status, 200, reply.body);
      const list = await box.curl('/restconf/operations/gi-4over6:list-versions', { method: 'POST' });
      return JSON.parse(list.body)['gi-4over6:output'].version[0].comment;
    };
    assert.is(await comment('ticket 7'), 'ticket 7');
    assert.is(await comment('ticket 10', 'Edit-Comment: ticket 9'), 'ticket 9');
    assert.is(await comment('x'.repeat(10_000)), undefined);
  }));

test('the example of the README works as it stands there', () =>
  program.run(async (box) => {
    const readme = readFileSync('README.md', 'utf8');
    const [command = ''] = /^curl [^`]*yang-patch[^`]*/m.exec(readme) ?? [];
    const aftr = [
      {
        name: 'edge',
        'ipv6-address': '2001:db8:b::2',
        'ipv4-pool': ['203.0.113.0/24', '198.51.100.0/24'],
        'binding-table': {
          binding: [{ 'ipv4-prefix': '198.51.100.0/24', 'gateway-ipv6-address': '2001:db8:a::1' }],
        },
      },
    ];
    assert.is((await box.curl(AFTR, { method: 'DELETE' })).status, 204);
    await box.merge({ 'gi-4over6:softwire': { aftr } });
    const here = command.replace('https://aftr:8443', box.url).replace('admin:PASSWORD', ADMIN);
    const { stdout } = spawnSync('sh', ['-c', `${here} -s`], { encoding: 'utf8' });
    assert.is(stdout, '{"ietf-yang-patch:yang-patch-status":{"patch-id":"split","ok":[null]}}');
    const table = `${SOFTWIRE}/aftr=edge/binding-table/binding`;
    const found = JSON.parse((await box.curl(`${table}?content=config&fields=ipv4-prefix`)).body)['gi-4over6:binding'];
    assert.equal(found, [{ 'ipv4-prefix': '198.51.100.0/25' }, { 'ipv4-prefix': '198.51.100.128/25' }]);
  }));

test('R05: OPTIONS tells the patch formats', () =>
  program.run(async ({ curl }) => {
    const accepted = async (path: string) => (await curl(path, { method: 'OPTIONS' })).headers['accept-patch'];
    const types = [XML_TYPE, JSON_TYPE, PATCH_XML, PATCH_JSON].join(', ');
    for (const path of [DATA, AFTR, `${AFTR}/hop-limit`]) assert.is(await accepted(path), types, path);
    for (const path of [`${AFTR}/statistics`, `${AFTR}/lookup`]) assert.is(await accepted(path), undefined, path);
  }));

test('the capability is told, and the YANG library has the module', () =>
  program.run(async ({ curl }) => {
    const { body } = await curl(`${DATA}/ietf-restconf-monitoring:restconf-state/capabilities`);
    assert.match(body, 'urn:ietf:params:restconf:capability:yang-patch:1.0');
    const library = await curl(
      `${DATA}/ietf-yang-library:yang-library?fields=module-set/import-only-module;module-set/module`,
    );
    assert.match(library.body, '"name":"ietf-yang-patch","revision":"2017-02-22"');
  }));

test('the process ends cleanly', async () => assert.is(await program.stop(), 0));
test.run();
