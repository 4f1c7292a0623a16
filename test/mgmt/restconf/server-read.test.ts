// needs: addon
/** Reading over RESTCONF from the running program, with curl. */

import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { binding, edit, GI, lock, table } from '../../helpers/netconf-requests.ts';
import type { CurlReply } from '../../helpers/restconf.ts';
import { GUEST, JSON_TYPE, XML_TYPE } from '../../helpers/restconf.ts';
import { startProgram } from '../../helpers/restconf-program.ts';

const test = suite('restconf server: reading');
const program = await startProgram();

const DATA = '/restconf/data';
const AFTR = `${DATA}/gi-4over6:softwire/aftr=a`;
const TABLE = `${AFTR}/binding-table`;
const RC = 'urn:ietf:params:xml:ns:yang:ietf-restconf';

const BINDINGS = [
  { 'ipv4-prefix': '192.0.2.0/25', 'gateway-ipv6-address': '2001:db8:a::1' },
  { 'ipv4-prefix': '192.0.2.128/25', 'gateway-ipv6-address': '2001:db8:a::2' },
];

function json(reply: CurlReply): unknown {
  assert.is(reply.status, 200, reply.body);
  assert.is(reply.headers['content-type'], JSON_TYPE);
  return JSON.parse(reply.body);
}

test('R01: host-meta needs no user', () =>
  program.run(async ({ curl }) => {
    const reply = await curl('/.well-known/host-meta', { user: '', headers: ['Accept: application/xrd+xml'] });
    assert.is(reply.status, 200);
    assert.is(reply.headers['content-type'], 'application/xrd+xml');
    const xrd = 'http://docs.oasis-open.org/ns/xri/xrd-1.0';
    assert.is(reply.body, `<XRD xmlns="${xrd}"><Link rel="restconf" href="/restconf"/></XRD>`);
  }));

/** Of our model, in its order. */
const SYSTEM = ['restart', 'shutdown']
  .map((name) => `<system-${name} xmlns="urn:ietf:params:xml:ns:yang:ietf-system"/>`)
  .join('');
const SUBSCRIPTIONS = ['establish', 'modify', 'delete', 'kill'].map((name) => `${name}-subscription`);
const OPERATIONS = [
  'backup-store',
  'compact-store',
  'list-versions',
  'get-version',
  'lookup-address',
  'compare-versions',
  'roll-back',
  'advertise-routes',
  'trace',
  'trace-live',
];

test('R02 R03 R04: the API and its leaves, in both encodings', () =>
  program.run(async ({ curl }) => {
    const api = { data: {}, operations: {}, 'yang-library-version': '2019-01-04' };
    assert.equal(json(await curl('/restconf')), { 'ietf-restconf:restconf': api });
    assert.equal(json(await curl('/restconf/operations')), {
      'ietf-restconf:operations': {
        'ietf-system:system-restart': [null],
        'ietf-system:system-shutdown': [null],
        'ietf-nmda-compare:compare': [null],
        ...Object.fromEntries(SUBSCRIPTIONS.map((name) => [`ietf-subscribed-notifications:${name}`, [null]])),
        'ietf-yang-push:resync-subscription': [null],
        ...Object.fromEntries(OPERATIONS.map((name) => [`gi-4over6:${name}`, [null]])),
      },
    });
    assert.equal(json(await curl('/restconf/yang-library-version')), {
      'ietf-restconf:yang-library-version': '2019-01-04',
    });
    const xml = { headers: [`Accept: ${XML_TYPE}`] };
    const version = await curl('/restconf/yang-library-version', xml);
    assert.is(version.body, `<yang-library-version xmlns="${RC}">2019-01-04</yang-library-version>`);
    assert.is(version.headers['content-type'], XML_TYPE);
    const inside = '<data/><operations/><yang-library-version>2019-01-04</yang-library-version>';
    assert.is((await curl('/restconf', xml)).body, `<restconf xmlns="${RC}">${inside}</restconf>`);
    assert.is(
      (await curl('/restconf/operations', xml)).body,
      `<operations xmlns="${RC}">${SYSTEM}<compare xmlns="urn:ietf:params:xml:ns:yang:ietf-nmda-compare"/>${SUBSCRIPTIONS.map((name) => `<${name} xmlns="urn:ietf:params:xml:ns:yang:ietf-subscribed-notifications"/>`).join('')}<resync-subscription xmlns="urn:ietf:params:xml:ns:yang:ietf-yang-push"/>${OPERATIONS.map((name) => `<${name} xmlns="urn:gi-4over6"/>`).join('')}</operations>`,
    );
  }));

test('R08 R10: resources in JSON: the target stands at the top', () =>
  program.run(async ({ curl, addBindings }) => {
    await addBindings(BINDINGS);
    const table = { binding: BINDINGS };
    const aftr = {
      name: 'a',
      'ipv6-address': '2001:db8:b::1',
      'ipv4-pool': ['192.0.2.0/24', '198.51.100.0/24'],
      'binding-table': table,
    };
    const get = async (path: string) => json(await curl(`${path}${path.includes('?') ? '&' : '?'}content=config`));
    const softwire = { gateway: [{ name: 'g', enabled: false }], aftr: [aftr] };
    assert.equal(await get(`${DATA}/gi-4over6:softwire`), { 'gi-4over6:softwire': softwire });
    const data = (await get(DATA)) as Record<string, Record<string, unknown>>;
    assert.equal(data['ietf-restconf:data']?.['gi-4over6:softwire'], softwire);
    assert.equal(await get(AFTR), { 'gi-4over6:aftr': [aftr] });
    assert.equal(await get(TABLE), { 'gi-4over6:binding-table': table });
    assert.equal(await get(`${TABLE}/binding`), { 'gi-4over6:binding': BINDINGS });
    assert.equal(await get(`${TABLE}/binding=192.0.2.128%2F25`), { 'gi-4over6:binding': BINDINGS.slice(1) });
    assert.equal(await get(`${TABLE}/binding=192.0.2.128%2F25/gateway-ipv6-address`), {
      'gi-4over6:gateway-ipv6-address': '2001:db8:a::2',
    });
    assert.equal(await get(`${AFTR}/ipv4-pool`), { 'gi-4over6:ipv4-pool': ['192.0.2.0/24', '198.51.100.0/24'] });
    assert.equal(await get(`${AFTR}/ipv4-pool=192.0.2.0%2F24`), { 'gi-4over6:ipv4-pool': ['192.0.2.0/24'] });
    assert.equal(await get(`${DATA}/gi-4over6:softwire/aftr`), { 'gi-4over6:aftr': [aftr] });
  }));

test('R08 R10: resources in XML', () =>
  program.run(async ({ curl, addBindings }) => {
    await addBindings(BINDINGS);
    const get = (path: string) => curl(`${path}?content=config`, { headers: [`Accept: ${XML_TYPE}`] });
    const binding = (prefix: string, gateway: string) =>
      `<ipv4-prefix>${prefix}</ipv4-prefix><gateway-ipv6-address>${gateway}</gateway-ipv6-address></binding>`;
    const entry = await get(`${TABLE}/binding=192.0.2.0%2F25`);
    assert.is(entry.status, 200);
    assert.is(entry.headers['content-type'], XML_TYPE);
    assert.is(entry.body, `<binding xmlns="urn:gi-4over6">${binding('192.0.2.0/25', '2001:db8:a::1')}`);
    assert.is(
      (await get(TABLE)).body,
      `<binding-table xmlns="urn:gi-4over6"><binding>${binding('192.0.2.0/25', '2001:db8:a::1')}` +
        `<binding>${binding('192.0.2.128/25', '2001:db8:a::2')}</binding-table>`,
    );
    assert.match((await get(DATA)).body, new RegExp(`^<data xmlns="${RC}">.*</data>$`));
    assert.is(
      (await get(`${AFTR}/ipv6-address`)).body,
      '<ipv6-address xmlns="urn:gi-4over6">2001:db8:b::1</ipv6-address>',
    );
    assert.is(
      (await get(`${AFTR}/ipv4-pool=192.0.2.0%2F24`)).body,
      '<ipv4-pool xmlns="urn:gi-4over6">192.0.2.0/24</ipv4-pool>',
    );
    const several = await get(`${TABLE}/binding`);
    assert.is(several.status, 400);
    assert.match(several.body, '<error-tag>invalid-value</error-tag>');
    assert.is((await get(`${DATA}/gi-4over6:softwire/aftr`)).status, 200);
  }));

/** [path, whether it is one document] */
const LISTS = [
  [`${TABLE}/binding`, false],
  [`${AFTR}/ipv4-pool`, false],
  [`${DATA}/ietf-system:system/authentication/user`, false],
  [`${DATA}/gi-4over6:softwire/aftr`, true],
] as const;
test('R06 R10 R34: a list in XML is refused alike by GET and HEAD, with any condition', () =>
  program.run(async ({ curl, addBindings }) => {
    await addBindings(BINDINGS);
    for (const [path, isOne] of LISTS) {
      for (const query of ['', '?content=config', '?limit=2', '?depth=1']) {
        const entry = await curl(AFTR, { headers: [`Accept: ${XML_TYPE}`] });
        for (const condition of ['', `If-None-Match: ${entry.headers.etag}`, 'If-None-Match: *', 'If-Match: "x"']) {
          const headers = [`Accept: ${XML_TYPE}`, ...(condition === '' ? [] : [condition])];
          const [get, head] = [
            await curl(path + query, { headers }),
            await curl(path + query, { headers, method: 'HEAD' }),
          ];
          const what = `${path}${query} ${condition}: ${get.status} ${head.status} ${get.body}`;
          assert.is(head.status, get.status, what);
          if (!isOne) assert.is(get.status, 400, what);
          else assert.ok([200, 304, 412].includes(get.status), what);
          assert.is(head.headers['content-type'], get.headers['content-type'], what);
        }
      }
    }
  }));

test('R08 R09 R41: a leaf that nobody set has the default that is in use (RFC 8040 §3.5.4)', () =>
  program.run(async ({ curl, tag }) => {
    for (const query of ['', '?content=config', '?with-defaults=report-all']) {
      const reply = await curl(`${AFTR}/hop-limit${query}`);
      assert.equal(json(reply), { 'gi-4over6:hop-limit': 64 }, query);
      assert.is(reply.headers.etag, await tag());
    }
    const xml = await curl(`${AFTR}/hop-limit`, { headers: [`Accept: ${XML_TYPE}`] });
    assert.is(xml.body, '<hop-limit xmlns="urn:gi-4over6">64</hop-limit>');
    assert.is((await curl(`${AFTR}/hop-limit`, { method: 'HEAD' })).status, 200);
    assert.equal(json(await curl(`${AFTR}?fields=hop-limit`)), { 'gi-4over6:aftr': [{ name: 'a' }] });
    assert.is((await curl(`${AFTR}/hop-limit`, { method: 'DELETE' })).status, 404);
  }));

const absent = [
  `${DATA}/gi-4over6:softwire/aftr=b`,
  `${DATA}/gi-4over6:softwire/aftr=b/name`,
  `${TABLE}/binding=192.0.2.0%2F26`,
  `${TABLE}/binding`,
  `${AFTR}/ipv4-pool=203.0.113.0%2F24`,
  // A default that is not asked for, or of an entry that is not there.
  `${DATA}/gi-4over6:softwire/aftr=b/hop-limit`,
  `${AFTR}/hop-limit?with-defaults=explicit`,
  `${AFTR}/hop-limit?with-defaults=trim`,
  `${AFTR}/hop-limit?content=nonconfig`,
  `${DATA}/gi-4over6:nothing`,
];
for (const path of absent) {
  test(`404 for ${path}`, () =>
    program.run(async ({ curl }) => {
      const reply = await curl(path);
      assert.is(reply.status, 404);
      assert.is(reply.tag, 'invalid-value');
    }));
}

test('an empty container that is always there is no 404', () =>
  program.run(async ({ curl }) =>
    assert.equal(json(await curl(`${TABLE}?content=config`)), { 'gi-4over6:binding-table': {} }),
  ));

test('R07: the datastore: configuration and state together, or one of them', () =>
  program.run(async ({ curl, addBindings }) => {
    await addBindings(BINDINGS);
    const read = async (query: string) => {
      const data = (json(await curl(`${DATA}${query}`)) as Record<string, Record<string, unknown>>)[
        'ietf-restconf:data'
      ];
      const softwire = data?.['gi-4over6:softwire'] as { aftr: Record<string, Record<string, unknown>>[] };
      const [aftr] = softwire.aftr;
      const binding = aftr?.['binding-table']?.binding as unknown[] | undefined;
      return [
        binding?.length,
        aftr?.['ipv6-address'],
        Number(aftr?.['binding-table']?.bindings),
        'ietf-yang-library:yang-library' in (data ?? {}),
      ];
    };
    assert.equal(await read(''), [2, '2001:db8:b::1', 2, true]);
    assert.equal(await read('?content=all'), [2, '2001:db8:b::1', 2, true]);
    assert.equal(await read('?content=config'), [2, '2001:db8:b::1', Number.NaN, false]);
    const [, address, count, hasLibrary] = await read('?content=nonconfig');
    assert.equal([address, count, hasLibrary], [undefined, 2, true]);
  }));

test('content, depth, fields and with-defaults', () =>
  program.run(async ({ curl, addBindings }) => {
    await addBindings(BINDINGS);
    const get = async (path: string) => json(await curl(path));
    assert.equal(await get(`${AFTR}?depth=1`), { 'gi-4over6:aftr': [{ name: 'a' }] });
    assert.equal(await get(`${AFTR}?fields=ipv6-address`), {
      'gi-4over6:aftr': [{ name: 'a', 'ipv6-address': '2001:db8:b::1' }],
    });
    assert.equal(await get(`${TABLE}?fields=binding(ipv4-prefix)`), {
      'gi-4over6:binding-table': { binding: BINDINGS.map((entry) => ({ 'ipv4-prefix': entry['ipv4-prefix'] })) },
    });
    assert.equal(await get(`${DATA}?fields=gi-4over6:softwire/gateway/enabled`), {
      'ietf-restconf:data': { 'gi-4over6:softwire': { gateway: [{ name: 'g', enabled: false }] } },
    });
    const gateway = `${DATA}/gi-4over6:softwire/gateway=g`;
    const all = (await get(`${gateway}?with-defaults=report-all&fields=hop-limit`)) as unknown;
    assert.equal(all, { 'gi-4over6:gateway': [{ name: 'g', 'hop-limit': 64 }] });
    assert.equal(await get(`${gateway}?with-defaults=report-all-tagged&fields=hop-limit`), {
      'gi-4over6:gateway': [
        { name: 'g', 'hop-limit': 64, '@hop-limit': { 'ietf-netconf-with-defaults:default': true } },
      ],
    });
  }));

test('HEAD is GET without a body', () =>
  program.run(async ({ curl }) => {
    const [get, head] = [await curl(AFTR), await curl(AFTR, { method: 'HEAD' })];
    assert.is(head.status, 200);
    assert.is(head.body, '');
    for (const name of ['content-type', 'etag', 'last-modified', 'cache-control']) {
      assert.is(head.headers[name], get.headers[name]);
    }
    assert.is((await curl(`${AFTR}x`, { method: 'HEAD' })).status, 404);
  }));

test('OPTIONS tells methods and patch formats', () =>
  program.run(async ({ curl }) => {
    const options = async (path: string) => {
      const { status, headers } = await curl(path, { method: 'OPTIONS' });
      return [status, headers.allow, headers['accept-patch']];
    };
    const patch = `${XML_TYPE}, ${JSON_TYPE}, application/yang-patch+xml, application/yang-patch+json`;
    assert.equal(await options(DATA), [200, 'GET, HEAD, OPTIONS, POST, PUT, PATCH', patch]);
    assert.equal(await options(`${AFTR}/enabled`), [200, 'GET, HEAD, OPTIONS, PUT, PATCH, DELETE', patch]);
    assert.equal(await options(`${AFTR}/statistics`), [200, 'GET, HEAD, OPTIONS', undefined]);
    assert.equal(await options(`${AFTR}/lookup`), [200, 'OPTIONS, POST', undefined]);
  }));

test('R31 R32 R35: entity-tag and time are of the configuration: new with each commit of any face, not with state', () =>
  program.run(async ({ curl, done, addBindings }) => {
    const before = await curl(DATA);
    assert.match(before.headers.etag ?? '', /^"[^"]+"$/);
    assert.ok(Date.parse(before.headers['last-modified'] ?? '') > 0);
    assert.is(before.headers['cache-control'], 'no-cache');
    for (const path of [AFTR, TABLE, `${AFTR}/ipv6-address`, `${AFTR}/ipv4-pool=192.0.2.0%2F24`]) {
      const {
        etag,
        'last-modified': modified,
        'cache-control': caching,
      } = (await curl(path, { method: 'HEAD' })).headers;
      assert.equal([etag, modified, caching], [before.headers.etag, before.headers['last-modified'], 'no-cache'], path);
    }
    const seen = new Set([before.headers.etag]);
    const assertNew = async (why: string) => {
      const { etag } = (await curl(DATA, { method: 'HEAD' })).headers;
      assert.not(seen.has(etag), why);
      seen.add(etag);
    };
    await addBindings(BINDINGS);
    await assertNew('an edit of running over NETCONF');
    await done(edit(table(binding('192.0.2.0/25', '2001:db8:a::9')), '', 'candidate'));
    assert.ok(seen.has((await curl(DATA, { method: 'HEAD' })).headers.etag), 'an edit of the candidate');
    await done('<commit/>');
    await assertNew('a commit over NETCONF');
    assert.is((await curl(`${TABLE}/binding=192.0.2.0%2F25`, { method: 'DELETE' })).status, 204);
    await assertNew('an edit over RESTCONF');
    // A refused operation is a change of state: the counter of denials.
    const denials = async () =>
      json(await curl(`${DATA}/ietf-netconf-acm:nacm/denied-operations`)) as Record<string, number>;
    const counted = await denials();
    const refused = await curl('/restconf/operations/gi-4over6:list-versions', { method: 'POST', user: GUEST });
    assert.is(refused.status, 403);
    assert.is.not(
      (await denials())['ietf-netconf-acm:denied-operations'],
      counted['ietf-netconf-acm:denied-operations'],
    );
    assert.ok(seen.has((await curl(DATA, { method: 'HEAD' })).headers.etag), 'a change of state');
  }));

test('R35: no answer with data may be kept without asking: state, a page, XML, one that changed nothing', () =>
  program.run(async ({ curl }) => {
    const { etag } = (await curl(`${AFTR}/ipv6-address`)).headers;
    for (const [path, ...headers] of [
      [`${AFTR}/statistics`],
      [`${TABLE}/binding?limit=1`],
      [AFTR, `Accept: ${XML_TYPE}`],
      [`${AFTR}/ipv6-address`, `If-None-Match: ${etag}`],
    ]) {
      const reply = await curl(path ?? '', { headers });
      assert.is(reply.headers['cache-control'], 'no-cache', path);
    }
  }));

test('304 for what did not change, when it is configuration only', () =>
  program.run(async ({ curl, addBindings }) => {
    const { headers } = await curl(AFTR);
    const condition = { headers: [`If-None-Match: ${headers.etag}`] };
    const unchanged = await curl(`${AFTR}?content=config`, condition);
    assert.is(unchanged.status, 304);
    assert.is(unchanged.body, '');
    assert.is((await curl(`${AFTR}/enabled`, condition)).status, 304);
    assert.is((await curl(`${AFTR}/absent`, condition)).status, 404);
    assert.is((await curl(`${AFTR}/ipv6-address`, condition)).status, 304);
    assert.is((await curl(AFTR, condition)).status, 200);
    const since = { headers: [`If-Modified-Since: ${headers['last-modified']}`] };
    assert.is((await curl(`${AFTR}/ipv6-address`, since)).status, 304);
    await addBindings(BINDINGS);
    assert.is((await curl(`${AFTR}?content=config`, condition)).status, 200);
  }));

test('R31 R34: JSON and XML have tags of their own, and answers vary (RFC 9110 §8.8.1, §12.5.5)', () =>
  program.run(async ({ curl, addBindings }) => {
    await addBindings(BINDINGS);
    for (const path of [`${AFTR}?content=config`, `${TABLE}/binding=192.0.2.0%2F25?content=config`]) {
      const [own, other] = [await curl(path), await curl(path, { headers: [`Accept: ${XML_TYPE}`] })];
      assert.is.not(own.headers.etag, other.headers.etag);
      for (const { headers } of [own, other]) assert.is(headers.vary, 'accept, content-type');
      const read = async (type: string, tag = '') =>
        curl(path, { headers: [`Accept: ${type}`, `If-None-Match: ${tag}`] });
      const unchanged = await read(XML_TYPE, other.headers.etag);
      assert.equal([unchanged.status, unchanged.headers.vary], [304, 'accept, content-type']);
      assert.is((await read(XML_TYPE, own.headers.etag)).status, 200);
      assert.is((await read(JSON_TYPE, other.headers.etag)).status, 200);
    }
    const row = `${TABLE}/binding=192.0.2.0%2F25`;
    const { headers } = await curl(row, { headers: [`Accept: ${XML_TYPE}`] });
    assert.is((await curl(row, { headers: [`If-Match: ${headers.etag}`] })).status, 412);
    const removal = { method: 'DELETE', headers: [`If-Match: ${headers.etag}`] };
    assert.is((await curl(row, removal)).status, 204);
  }));

const OLD = 'If-Unmodified-Since: Thu, 01 Jan 2015 00:00:00 GMT';
const READS = [
  [['If-Match: "nope"'], 412],
  [[OLD], 412],
  [['If-Match: *'], 200],
  [['If-Match: TAG'], 200],
  [['If-Match: "nope", TAG', OLD], 200],
  [['If-Match: "nope"', 'If-None-Match: TAG'], 412],
  [['If-Unmodified-Since: 2015-01-01'], 200],
] as const;
for (const [fields, status] of READS) {
  test(`R33 R34: GET and HEAD with ${fields.join(', ')}: ${status} (RFC 9110 §13.1.1, §13.2.2)`, () =>
    program.run(async ({ curl, addBindings, tag }) => {
      await addBindings(BINDINGS);
      const headers = [];
      for (const field of fields) headers.push(field.replace('TAG', await tag()));
      for (const path of [`${TABLE}?content=config`, `${TABLE}/binding=192.0.2.0%2F25`, DATA, `${AFTR}/ipv6-address`]) {
        const reply = await curl(path, { headers });
        assert.is(reply.status, status, path);
        if (status === 412) assert.is(reply.tag, 'operation-failed');
        assert.is((await curl(path, { headers, method: 'HEAD' })).status, status, path);
      }
    }));
}

test('what a user may not read is not there', () =>
  program.run(async ({ curl }) => {
    const gateway = `${DATA}/gi-4over6:softwire/gateway=g`;
    assert.is((await curl(gateway)).status, 200);
    const hidden = await curl(gateway, { user: GUEST });
    const missing = await curl(`${gateway}2`, { user: GUEST });
    assert.is(hidden.status, 404);
    assert.is(hidden.body.replace('=g', '=g2'), missing.body);
    const visible = json(await curl(`${DATA}/gi-4over6:softwire?content=config`, { user: GUEST })) as object;
    assert.not.match(JSON.stringify(visible), 'gateway');
  }));

test('R72: a large answer is streamed and comes whole', () =>
  program.run(async ({ curl, addBindings }) => {
    const bindings = Array.from({ length: 256 }, (_, index) => ({
      'ipv4-prefix': `198.51.100.${index}/32`,
      'gateway-ipv6-address': '2001:db8:a::1',
      description: `${'x'.repeat(80)}${index}`,
    }));
    await addBindings(bindings);
    const reply = await curl(`${TABLE}/binding?content=config`);
    assert.is(reply.headers['content-length'], undefined);
    assert.equal(JSON.parse(reply.body)['gi-4over6:binding'], bindings);
  }));

test('reading running is not disturbed by the lock of a NETCONF session, and sees its edits', () =>
  program.run(async ({ curl, done }) => {
    await done(lock('running'));
    assert.is((await curl(AFTR)).status, 200);
    await done(edit(`<softwire ${GI}><aftr><name>a</name><enabled>false</enabled></aftr></softwire>`));
    assert.equal(json(await curl(`${AFTR}/enabled`)), { 'gi-4over6:enabled': false });
  }));

test('the process ends cleanly', async () => assert.is(await program.stop(), 0));
test.run();
