// needs: addon
/** List pagination (draft-ietf-netconf-list-pagination and -rc, module revision 2025-04-03), of the running program, with curl. */

import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { binding, edit, table } from '../../helpers/netconf-requests.ts';
import type { CurlOptions, CurlReply } from '../../helpers/restconf.ts';
import { GUEST, XML_TYPE } from '../../helpers/restconf.ts';
import type { ProgramBox } from '../../helpers/restconf-program.ts';
import { startProgram } from '../../helpers/restconf-program.ts';

const test = suite('restconf: list pagination');
const program = await startProgram();

const AFTR = '/restconf/data/gi-4over6:softwire/aftr=a';
const LIST = `${AFTR}/binding-table/binding`;
const MODULES = '/restconf/data/ietf-yang-library:yang-library/module-set=complete/module';
const XML_LIST = 'application/yang-data+xml-list';
const LPG = 'urn:ietf:params:xml:ns:yang:ietf-list-pagination';

interface Entry {
  readonly 'ipv4-prefix'?: string;
  readonly name?: string;
  readonly '@'?: Readonly<Record<string, unknown>>;
}

/** Last octets of the prefixes, and the marks of the page. */
interface Shown {
  readonly entries: string;
  readonly marks: Readonly<Record<string, unknown>>;
}

function shownIn(text: string): Shown {
  const [found = []] = Object.values(JSON.parse(text) as Record<string, readonly Entry[]>);
  const marks = Object.entries(found[0]?.['@'] ?? {}).map(([name, value]) => [
    name.replace(/^ietf-list-pagination:/, ''),
    value,
  ]);
  const names = found.map((entry) => entry['ipv4-prefix']?.split(/[./]/)[3] ?? entry.name ?? '');
  return { entries: names.join(' '), marks: Object.fromEntries(marks) };
}

async function page(box: ProgramBox, query: string, path = LIST): Promise<Shown> {
  const { status, body } = await box.curl(`${path}?${query}`);
  assert.is(status, 200, `${query}: ${body}`);
  return shownIn(body);
}

/** Bindings 192.0.2.0 to .9; the gateway falls, every third has a description. */
function run(body: (box: ProgramBox) => Promise<void>): () => Promise<void> {
  const rows = Array.from({ length: 10 }, (_, i) => ({
    'ipv4-prefix': `192.0.2.${i}/32`,
    'gateway-ipv6-address': `2001:db8:a::${9 - i || '0'}`.replace('::0', '::a'),
    ...(i % 3 === 0 && { description: `d${i}` }),
  }));
  return () =>
    program.run(async (box) => {
      await box.addBindings(rows);
      await body(box);
    });
}

const brief = (reply: CurlReply) => {
  const [error] = reply.body.startsWith('{"ietf-restconf:errors"')
    ? JSON.parse(reply.body)['ietf-restconf:errors'].error
    : [{}];
  return [reply.status, error['error-type'], error['error-tag'], error['error-app-tag']];
};

test(
  'R65: following next shows each binding once, remaining falls, previous leads back',
  run(async (box) => {
    for (const direction of ['forwards', 'backwards']) {
      const query = `limit=4&direction=${direction}`;
      const pages: Shown[] = [await page(box, query)];
      for (let next = pages[0]?.marks.next; next !== undefined; next = pages[pages.length - 1]?.marks.next) {
        pages.push(await page(box, `${query}&cursor=${next}`));
      }
      const order = direction === 'forwards' ? ['0 1 2 3', '4 5 6 7', '8 9'] : ['9 8 7 6', '5 4 3 2', '1 0'];
      assert.equal(
        pages.map(({ entries }) => entries),
        order,
      );
      assert.equal(
        pages.map(({ marks }) => marks.remaining),
        [6, 2, undefined],
      );
      assert.equal(
        pages.map(({ marks }) => marks.previous !== undefined),
        [false, true, true],
      );
      const back = await page(box, `${query}&cursor=${pages[2]?.marks.previous}`);
      assert.equal(back, pages[1]);
      assert.is((await page(box, `${query}&cursor=${back.marks.previous}`)).entries, order[0]);
    }
  }),
);

/** [query, what is shown, remaining] */
const PAGES: readonly (readonly [string, string, unknown?])[] = [
  ['limit=1', '0', 9],
  ['limit=10', '0 1 2 3 4 5 6 7 8 9'],
  ['limit=unbounded', '0 1 2 3 4 5 6 7 8 9'],
  ['offset=7', '7 8 9'],
  ['offset=2&limit=3', '2 3 4', 5],
  ['offset=2&limit=3&direction=backwards', '7 6 5', 5],
  ['offset=10', ''],
  ['where=description', '0 3 6 9'],
  ["where=description='d3'%20or%20description='d6'", '3 6'],
  ["where=/gi-4over6:description='d3'", '3'],
  ["where=ipv4-prefix='192.0.2.4/32'", '4'],
  ['where=not(description)&limit=2', '1 2', 'unknown'],
  ['where=not(description)&limit=2&offset=2&direction=backwards', '5 4', 'unknown'],
  ["where=starts-with(ipv4-prefix,'203.')", ''],
  ['where=unfiltered&limit=9', '0 1 2 3 4 5 6 7 8', 1],
  ['sort-by=gateway-ipv6-address&limit=3', '8 7 6', 7],
  ['sort-by=gi-4over6:gateway-ipv6-address&limit=3&direction=backwards', '9 0 1', 7],
  // What has no value stands at the end, in the order of the list.
  ['sort-by=description&limit=6', '0 3 6 9 1 2', 4],
  ['sort-by=description&limit=6&locale=sv_SE.UTF-8', '0 3 6 9 1 2', 4],
  ['sort-by=description&direction=backwards&limit=3&offset=5', '1 9 6', 2],
  ['sort-by=ipv4-prefix&limit=2', '0 1', 8],
  ['where=description&sort-by=gateway-ipv6-address&limit=2&direction=backwards', '9 0', 2],
  ['sort-by=none&limit=2', '0 1', 8],
];
for (const [query, entries, remaining] of PAGES) {
  test(
    `R65: ${query}`,
    run(async (box) => {
      const found = await page(box, query);
      assert.equal([found.entries, found.marks.remaining], [entries, remaining]);
      const locale = query.includes('locale')
        ? 'sv_SE'
        : query.includes('sort-by') && !query.includes('none')
          ? 'C'
          : undefined;
      assert.is(found.marks.locale, locale);
    }),
  );
}

test(
  'R65: cursors of sorted and filtered pages lead on and back',
  run(async (box) => {
    for (const [query, ...order] of [
      ['sort-by=description&limit=4', '0 3 6 9', '1 2 4 5', '7 8'],
      ['sort-by=description&limit=4&direction=backwards', '8 7 5 4', '2 1 9 6', '3 0'],
      ['where=not(description)&limit=3', '1 2 4', '5 7 8'],
    ] as const) {
      let at = await page(box, query);
      for (const [index, entries] of order.entries()) {
        assert.is(at.entries, entries, query);
        if (index === order.length - 1) break;
        at = await page(box, `${query}&cursor=${at.marks.next}`);
      }
      assert.is(at.marks.next, undefined);
      assert.is((await page(box, `${query}&cursor=${at.marks.previous}`)).entries, order[order.length - 2]);
    }
  }),
);

const CURSOR = Buffer.from(JSON.stringify([['192.0.2.99/32']])).toString('base64url');
/** [query, status, error-type, error-tag, error-app-tag], of the binding table where no path is given. */
const REFUSED: readonly (readonly [query: string, expected: readonly unknown[], path?: string])[] = [
  ...[
    'limit=0',
    'limit=-1',
    'limit=x',
    'limit=4294967296',
    'offset=-1',
    'offset=1.5',
    'direction=up',
    'sublist-limit=0',
  ].map((query) => [query, [400, 'application', 'invalid-value', undefined]] as const),
  ['offset=1&cursor=x', [400, 'application', 'invalid-value', undefined]],
  ['sort-by=nothing', [400, 'application', 'invalid-value', undefined]],
  ['sort-by=ietf-system:description', [400, 'application', 'invalid-value', undefined]],
  ['locale=sv_SE', [400, 'application', 'invalid-value', undefined]],
  ['sort-by=description&locale=xx_nonsense_y', [501, 'application', 'invalid-value', 'locale-unavailable']],
  ['where=nothing', [400, 'application', 'invalid-value', undefined]],
  ['where=description%3D', [400, 'application', 'invalid-value', undefined]],
  ["where=no-module:description='x'", [400, 'application', 'invalid-value', undefined]],
  ['where=statistics/encapsulated-packets>5', [501, 'application', 'operation-not-supported', undefined]],
  ['offset=11', [416, 'application', 'invalid-value', 'offset-out-of-range']],
  ['cursor=x', [404, 'application', 'invalid-value', 'cursor-not-found']],
  [`cursor=${CURSOR}`, [404, 'application', 'invalid-value', 'cursor-not-found']],
  [`cursor=${CURSOR}&sort-by=description`, [404, 'application', 'invalid-value', 'cursor-not-found']],
  ['sort-by=description&offset=95000&limit=6000', [413, 'application', 'too-big', undefined]],
  ['limit=1&limit=2', [400, 'protocol', 'invalid-value', undefined]],
  ['limit=1', [400, 'protocol', 'operation-not-supported', undefined], AFTR],
  ['offset=1', [400, 'protocol', 'operation-not-supported', undefined], '/restconf/data'],
  ['where=name', [400, 'protocol', 'operation-not-supported', undefined], `${LIST}=192.0.2.1%2F32`],
  [
    'limit=1',
    [404, 'protocol', 'invalid-value', undefined],
    '/restconf/data/gi-4over6:softwire/aftr=none/binding-table/binding',
  ],
  ['limit=1', [404, 'protocol', 'invalid-value', undefined], '/restconf/data/gi-4over6:softwire/aftr=none/ipv4-pool'],
  ['cursor=x', [501, 'application', 'operation-not-supported', undefined], `${AFTR}/ipv4-pool`],
  ['offset=3', [416, 'application', 'invalid-value', 'offset-out-of-range'], `${AFTR}/ipv4-pool`],
  [
    'limit=1&content=nonconfig',
    [404, 'protocol', 'invalid-value', undefined],
    LIST.replace('data', 'ds/ietf-datastores:running'),
  ],
];
test(
  'R65: what is refused, with the status and the error that the drafts give',
  run(async ({ curl }) => {
    for (const [query, expected, path = LIST] of REFUSED) {
      assert.equal(brief(await curl(`${path}?${query}`)), expected, `${path}?${query}`);
    }
    for (const method of ['PUT', 'DELETE', 'PATCH', 'POST']) {
      const reply = await curl(`${AFTR}?limit=1`, method === 'DELETE' ? { method } : { method, body: '{}' });
      assert.equal([reply.status, reply.tag], [400, 'operation-not-supported'], method);
    }
  }),
);

test(
  'R65: entries in XML stand in one element of their own media type, with the marks as attributes',
  run(async (box) => {
    const list = (query: string, accept = XML_LIST) => box.curl(LIST + query, { headers: [`Accept: ${accept}`] });
    const reply = await list('?limit=2&offset=3&content=config');
    assert.equal([reply.status, reply.headers['content-type']], [200, XML_LIST]);
    const opening = `<lpg:xml-list xmlns:lpg="${LPG}"><binding xmlns="urn:gi-4over6" xmlns:lpg="${LPG}" lpg:remaining="5" lpg:next="`;
    assert.ok(reply.body.startsWith(opening), reply.body);
    assert.match(reply.body, '</binding></lpg:xml-list>');
    const found = [...reply.body.matchAll(/<ipv4-prefix>([^<]*)</g)].map(([, prefix]) => prefix);
    assert.equal(found, ['192.0.2.3/32', '192.0.2.4/32']);
    assert.is((await list('?offset=10')).body, `<lpg:xml-list xmlns:lpg="${LPG}"></lpg:xml-list>`);
    assert.is([...(await list('')).body.matchAll(/<binding /g)].length, 10);
    // Plain XML is one resource, and rather JSON is what others get.
    assert.is((await list('?limit=2', XML_TYPE)).status, 400);
    assert.is((await list('?limit=1', XML_TYPE)).headers['content-type'], XML_TYPE);
    assert.is((await list('?limit=2', '*/*')).headers['content-type'], 'application/yang-data+json');
    assert.is(
      (await list('?limit=2', `${XML_LIST};q=0.5, application/yang-data+json`)).headers['content-type'],
      'application/yang-data+json',
    );
    assert.is((await box.curl(AFTR, { headers: [`Accept: ${XML_LIST}`] })).status, 406);
    const error = await list('?limit=0');
    assert.equal([error.status, error.headers['content-type']], [400, XML_TYPE]);
  }),
);

test(
  'R65: pages go with fields, depth, content, defaults, origins and datastores',
  run(async (box) => {
    const json = async (path: string) => JSON.parse((await box.curl(path)).body)['gi-4over6:binding'];
    assert.equal(
      (await json(`${LIST}?limit=1&offset=4&fields=gateway-ipv6-address`))[0]['gateway-ipv6-address'],
      '2001:db8:a::5',
    );
    assert.equal(Object.keys((await json(`${LIST}?offset=9&content=config`))[0]), [
      '@',
      'ipv4-prefix',
      'gateway-ipv6-address',
      'description',
    ]);
    assert.equal(Object.keys((await json(`${LIST}?offset=9&depth=1`))[0]), ['@', 'ipv4-prefix']);
    const ds = (name: string) => LIST.replace('data', `ds/ietf-datastores:${name}`);
    const [origin] = await json(`${ds('operational')}?limit=1&with-origin`);
    assert.is(origin['@']['ietf-origin:origin'], 'ietf-origin:intended');
    assert.is(origin['@']['ietf-list-pagination:remaining'], 9);
    await box.done(edit(table(binding('192.0.2.200/32', '2001:db8:a::1')), '', 'candidate'));
    assert.equal(
      await page(box, 'direction=backwards&limit=1&where=true()', ds('candidate')).then(({ entries }) => entries),
      '200',
    );
    assert.is((await page(box, 'direction=backwards&limit=1', ds('candidate'))).marks.remaining, 'unknown');
    assert.is((await page(box, 'direction=backwards&limit=1')).entries, '9');
  }),
);

test(
  'R65: a page has the entity-tag of the datastore, and is 304 while that holds',
  run(async (box) => {
    const tag = await box.tag();
    const get = (options: CurlOptions) => box.curl(`${LIST}?limit=2&content=config`, options);
    assert.is((await get({})).headers.etag, tag);
    assert.is((await get({ headers: [`If-None-Match: ${tag}`] })).status, 304);
    const head = await get({ method: 'HEAD' });
    assert.equal([head.status, head.headers.etag, head.body], [200, tag, '']);
    await box.addBindings([{ 'ipv4-prefix': '192.0.2.77/32', 'gateway-ipv6-address': '2001:db8::7' }]);
    assert.is((await get({ headers: [`If-None-Match: ${tag}`] })).status, 200);
  }),
);

test(
  'R65: lists that are small, of state and of values are paged, too',
  run(async (box) => {
    const all = (await page(box, 'limit=1000', MODULES)).entries.split(' ');
    const first = await page(box, 'limit=5', MODULES);
    assert.equal([first.entries.split(' '), first.marks.remaining], [all.slice(0, 5), all.length - 5]);
    const second = await page(box, `limit=5&cursor=${first.marks.next}`, MODULES);
    assert.equal(second.entries.split(' '), all.slice(5, 10));
    assert.is((await page(box, `limit=5&cursor=${second.marks.previous}`, MODULES)).entries, first.entries);
    const chosen = await page(
      box,
      "where=starts-with(name,'gi-')&sort-by=name&direction=backwards&fields=name&limit=1",
      MODULES,
    );
    const ours = all.filter((name) => name.startsWith('gi-')).sort();
    assert.equal([chosen.entries, chosen.marks.remaining], [ours[ours.length - 1], ours.length - 1]);
    const pools = async (query: string) => JSON.parse((await box.curl(`${AFTR}/ipv4-pool?${query}`)).body);
    assert.equal(await pools('limit=1'), {
      'gi-4over6:ipv4-pool': ['192.0.2.0/24'],
      '@gi-4over6:ipv4-pool': [{ 'ietf-list-pagination:remaining': 1 }],
    });
    assert.equal((await pools('direction=backwards&limit=2'))['gi-4over6:ipv4-pool'], [
      '198.51.100.0/24',
      '192.0.2.0/24',
    ]);
    assert.equal((await pools('offset=2'))['gi-4over6:ipv4-pool'], []);
    assert.is(
      (await page(box, 'limit=1&where=count(binding-table/binding)=10', `${AFTR.replace('=a', '')}`)).entries,
      'a',
    );
    assert.is(
      (await page(box, 'limit=1&where=count(binding-table/binding)=9', `${AFTR.replace('=a', '')}`)).entries,
      '',
    );
  }),
);

test(
  'R65: sublist-limit is for the lists below, wherever it stands',
  run(async (box) => {
    const left = { 'ietf-list-pagination:remaining': 1 };
    const unknown = { 'ietf-list-pagination:remaining': 'unknown' };
    const read = async (path: string) => JSON.parse((await box.curl(path)).body);
    for (const path of ['/restconf/data', '/restconf/data/gi-4over6:softwire', AFTR]) {
      const text = (await box.curl(`${path}?sublist-limit=1&content=config`)).body;
      const { '@ipv4-pool': pools, 'binding-table': bindings } = JSON.parse(
        /\{"name":"a","ipv6.*?\}\]\}\}/s.exec(text)?.[0] ?? '',
      );
      assert.equal([pools, bindings.binding.length, bindings.binding[0]['@']], [[left], 1, unknown], path);
    }
    const [aftr] = (await read(`${AFTR}?sublist-limit=50&content=config`))['gi-4over6:aftr'];
    assert.equal(
      [aftr['binding-table'].binding.length, aftr['binding-table'].binding[0]['@'], aftr['@ipv4-pool']],
      [10, undefined, undefined],
    );
    const [entry] = (await read(`${AFTR.replace('=a', '')}?limit=1&sublist-limit=2&content=config`))['gi-4over6:aftr'];
    assert.equal([entry['binding-table'].binding.length, entry['ipv4-pool'].length], [2, 2]);
  }),
);

test(
  'R65: what a user may not read is in no page, no count and no cursor',
  run(async (box) => {
    const rule = `<nacm xmlns="urn:ietf:params:xml:ns:yang:ietf-netconf-acm" xmlns:nc="urn:ietf:params:xml:ns:netconf:base:1.0"><rule-list nc:operation="replace"><name>guest</name><group>guest</group>
      <rule><name>hide</name><path xmlns:gi="urn:gi-4over6">/gi:softwire/gi:aftr/gi:binding-table/gi:binding[gi:ipv4-prefix='192.0.2.4/32']</path><access-operations>*</access-operations><action>deny</action></rule>
      <rule><name>no-words</name><path xmlns:gi="urn:gi-4over6">/gi:softwire/gi:aftr/gi:binding-table/gi:binding/gi:description</path><access-operations>*</access-operations><action>deny</action></rule>
      <rule><name>read</name><module-name>*</module-name><access-operations>read</access-operations><action>permit</action></rule></rule-list></nacm>`;
    await box.done(edit(rule));
    const guest = async (query: string) => {
      const reply = await box.curl(`${LIST}?${query}`, { user: GUEST });
      assert.is(reply.status, 200, reply.body);
      return shownIn(reply.body);
    };
    const first = await guest('limit=4&offset=2');
    assert.equal([first.entries, first.marks.remaining], ['2 3 5 6', 'unknown']);
    assert.is((await guest(`limit=4&cursor=${first.marks.next}`)).entries, '7 8 9');
    const hidden = Buffer.from(JSON.stringify([['192.0.2.4/32']])).toString('base64url');
    const none = Buffer.from(JSON.stringify([['192.0.2.99/32']])).toString('base64url');
    const asked = async (cursor: string) => (await box.curl(`${LIST}?cursor=${cursor}`, { user: GUEST })).body;
    assert.is(await asked(hidden), await asked(none));
    assert.equal((await guest("where=ipv4-prefix='192.0.2.4/32'")).entries, '');
    assert.equal((await guest("where=description='d3'")).entries, '');
    // Not sorted by what is not seen.
    assert.is((await guest('sort-by=description&limit=3')).entries, '0 1 2');
    assert.equal((await page(box, "where=description='d3'")).entries, '3');
  }),
);

test(
  'R65: who sees each binding has pages and counts as who sees all; who sees some by their prefixes has a list of these',
  run(async (box) => {
    const guest = async (query: string) => shownIn((await box.curl(`${LIST}?${query}`, { user: GUEST })).body);
    for (const query of ['limit=3&offset=5', 'limit=3', "where=description='d3'", 'sort-by=description&limit=3']) {
      assert.equal(await guest(query), await page(box, query), query);
    }
    const path = (end: string) =>
      `<path xmlns:gi="urn:gi-4over6">/gi:softwire/gi:aftr${end}</path><access-operations>read</access-operations>`;
    const permit = (name: string, end: string) =>
      `<rule><name>${name}</name>${path(end)}<action>permit</action></rule>`;
    const deny = (name: string, end: string) => `<rule><name>${name}</name>${path(end)}<action>deny</action></rule>`;
    const row = (octet: number) => `/gi:binding-table/gi:binding[gi:ipv4-prefix='192.0.2.${octet}/32']`;
    const rules = (...all: readonly string[]) =>
      box.done(
        edit(`<nacm xmlns="urn:ietf:params:xml:ns:yang:ietf-netconf-acm" xmlns:nc="urn:ietf:params:xml:ns:netconf:base:1.0"><rule-list nc:operation="replace"><name>guest</name><group>guest</group>
      ${all.join('')}<rule><name>read</name><access-operations>read</access-operations><action>permit</action></rule></rule-list></nacm>`),
      );
    await rules(deny('words', '/gi:binding-table/gi:binding/gi:description'));
    assert.equal(await guest('limit=3&offset=5'), await page(box, 'limit=3&offset=5'), 'each');
    assert.equal((await guest("where=description='d3'")).entries, '');
    assert.equal((await guest('sort-by=description&limit=3')).entries, '0 1 2');
    await rules(
      permit('a', row(4)),
      permit('b', row(9)),
      permit('c', row(77)),
      deny('all', '/gi:binding-table/gi:binding'),
    );
    assert.equal(await guest(''), { entries: '4 9', marks: {} });
    assert.equal((await guest('offset=1')).entries, '9');
    assert.equal((await guest('direction=backwards&limit=1')).entries, '9');
    assert.is((await box.curl(`${LIST}?offset=3`, { user: GUEST })).status, 416);
    await rules(deny('all', '/gi:binding-table/gi:binding'));
    assert.equal(await guest('limit=4'), { entries: '', marks: {} });
    assert.is((await box.curl(`${LIST}?offset=1`, { user: GUEST })).status, 416);
  }),
);

test(
  'R65: the capabilities say it',
  run(async ({ curl }) => {
    const { body } = await curl('/restconf/data/ietf-restconf-monitoring:restconf-state/capabilities');
    for (const name of ['limit', 'offset', 'cursor', 'direction', 'sort-by', 'locale', 'where', 'sublist-limit']) {
      assert.match(body, `"urn:ietf:params:restconf:capability:${name}:1.0"`);
    }
  }),
);

test('it ends cleanly', async () => assert.is(await program.stop(), 0));

test.run();
