import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { AccessControl } from '../../../src/mgmt/access.ts';
import type { ReadOptions } from '../../../src/mgmt/read-options.ts';
import { openReading } from '../../../src/mgmt/reading.ts';
import { parseXml } from '../../../src/mgmt/xml.ts';
import { writeXml } from '../../../src/mgmt/xml-data.ts';
import { xpathSelection } from '../../../src/mgmt/xpath/selection.ts';
import type { DataNode } from '../../../src/state/data.ts';
import type { Datastores, View } from '../../../src/state/datastores.ts';
import { aftr, binding, OPERATOR, plainCheck, request, schema, tree, withDatastores } from '../../helpers/state.ts';

/** What a filter of type xpath gives from real datastores: the answer as text, NACM, defaults, and what is read for it. */
const test = suite('xpath reading');
const GI = 'xmlns="urn:gi-4over6"';
const TABLE = '/p:softwire/p:aftr/p:binding-table';

function selection(select: string) {
  const text = select.replaceAll('&', '&amp;').replaceAll('"', '&quot;').replaceAll('<', '&lt;');
  return xpathSelection(
    schema,
    plainCheck,
    parseXml(`<filter xmlns:p="urn:gi-4over6" type="xpath" select="${text}"/>`),
  );
}

interface Read extends Partial<ReadOptions> {
  readonly watch?: (view: View) => View;
}

function read(datastores: Datastores, select: string, { watch = (view) => view, ...options }: Read = {}): string {
  const opened = datastores.view('running');
  const view = watch(opened);
  const reading = openReading(view.tree, view, {
    content: 'config',
    withDefaults: 'explicit',
    readsAll: true,
    mayRead: () => true,
    selection: selection(select),
    ...options,
  });
  try {
    return [...writeXml(reading.root.children(), reading.rows)].join('');
  } finally {
    reading.close();
  }
}

const row = (last: number, description = `d${last}`) =>
  `<binding><ipv4-prefix>192.0.2.${last}/32</ipv4-prefix><gateway-ipv6-address>2001:db8::${last}</gateway-ipv6-address><description>${description}</description></binding>`;
const inTable = (content: string) =>
  `<softwire ${GI}><aftr><name>a</name><binding-table>${content}</binding-table></aftr></softwire>`;
const inAftr = (content: string) => `<softwire ${GI}><aftr><name>a</name>${content}</aftr></softwire>`;
const ADDRESS = '<ipv6-address>2001:db8:b::1</ipv6-address>';
const POOL = '<ipv4-pool>192.0.2.0/24</ipv4-pool>';
const ROWS = [1, 2, 3].map((last) => row(last)).join('');
const ALL = inAftr(`${ADDRESS}${POOL}<binding-table>${ROWS}</binding-table>`);

function withRows(body: (datastores: Datastores) => Promise<void> | void): Promise<void> {
  return withDatastores(async (datastores) => {
    const bindings = [1, 2, 3].map((last) =>
      binding(`192.0.2.${last}/32`, `2001:db8::${last}`, { description: `d${last}` }),
    );
    await datastores.edit(OPERATOR, request(aftr(...bindings)));
    await body(datastores);
  });
}

/** [select, the whole answer]. */
const answers: readonly (readonly [string, string])[] = [
  ['/', ALL],
  ['.', ALL],
  ['/p:softwire', ALL],
  ['/*', ALL],
  ['//node()', ALL],
  ['/p:softwire | //p:description', ALL],
  ['/softwire', ''],
  ['/p:store', ''],
  ["//p:aftr[p:name='b']", ''],
  ['//p:ipv6-address', inAftr(ADDRESS)],
  ['//p:name', inAftr('')],
  ['//p:ipv4-pool/text()', inAftr(POOL)],
  ['//p:ipv4-pool | //p:ipv6-address | //p:ipv4-pool', inAftr(ADDRESS + POOL)],
  [`${TABLE}`, inTable(ROWS)],
  [`${TABLE}/p:binding`, inTable(ROWS)],
  [`${TABLE}/p:binding[p:ipv4-prefix='192.0.2.2/32']`, inTable(row(2))],
  [`${TABLE}/p:binding[p:ipv4-prefix='192.0.2.9/32']`, ''],
  [
    `${TABLE}/p:binding[p:ipv4-prefix='192.0.2.2/32'] | //p:ipv6-address`,
    inAftr(`${ADDRESS}<binding-table>${row(2)}</binding-table>`),
  ],
  [
    `${TABLE}/p:binding[p:gateway-ipv6-address='2001:db8::3']/p:description`,
    inTable('<binding><ipv4-prefix>192.0.2.3/32</ipv4-prefix><description>d3</description></binding>'),
  ],
  [`${TABLE}/p:binding[1]/p:ipv4-prefix`, inTable('<binding><ipv4-prefix>192.0.2.1/32</ipv4-prefix></binding>')],
  [`${TABLE}/p:binding[position() > 1]`, inTable(row(2) + row(3))],
  ["//text()[.='d2']/../..", inTable(row(2))],
  ["//p:description[.='d2']/ancestor::p:binding-table", inTable(ROWS)],
  [
    "//p:description[.='d2'] | //p:binding[1]",
    inTable(`${row(1)}<binding><ipv4-prefix>192.0.2.2/32</ipv4-prefix><description>d2</description></binding>`),
  ],
  ['//p:aftr[p:binding-table/p:binding/p:description="d3"]/p:ipv4-pool', inAftr(POOL)],
  ['//p:origin', ''],
];
for (const [select, expected] of answers) {
  test(select, () => withRows((datastores) => assert.is(read(datastores, select), expected)));
}

test('state is data of get, and none of get-config', () =>
  withRows((datastores) => {
    const selected = `${TABLE}/p:binding[p:origin='static'][2]/p:description`;
    const leaf = '<binding><ipv4-prefix>192.0.2.2/32</ipv4-prefix><description>d2</description></binding>';
    assert.is(read(datastores, selected, { content: 'all' }), inTable(leaf));
    assert.is(read(datastores, selected), '');
    assert.match(read(datastores, `${TABLE}/p:binding[2]`, { content: 'all' }), /<origin>static<\/origin>/);
  }));

test('defaults are data where they are reported', () =>
  withRows((datastores) => {
    const hopLimit = inAftr('<hop-limit>64</hop-limit>');
    for (const select of ['//p:hop-limit', "//p:aftr/p:hop-limit[.='64']", '//p:aftr[p:hop-limit=64]/p:hop-limit']) {
      assert.is(read(datastores, select, { withDefaults: 'report-all' }), hopLimit, select);
      assert.is(read(datastores, select), '', select);
    }
  }));

function guestRights(datastores: Datastores, hidden: string) {
  const view = datastores.view('running');
  view.close();
  const nacm = tree({
    'ietf-netconf-acm:nacm': {
      'read-default': 'permit',
      groups: { group: [{ name: 'guests', 'user-name': ['guest'] }] },
      'rule-list': [{ name: 'l', group: ['guests'], rule: [{ name: 'r', path: hidden, action: 'deny' }] }],
    },
  });
  const rights = new AccessControl(() => nacm).rightsOf({ user: 'guest', session: 9, face: 'netconf' });
  return { readsAll: rights.readsAll, mayRead: (node: DataNode) => rights.may(node, 'read') };
}

const LIST = '/gi-4over6:softwire/aftr/binding-table/binding';

test('N105: what a caller may not read does not influence the result', () =>
  withRows((datastores) => {
    const guest = guestRights(datastores, `${LIST}/description`);
    const without = inTable(ROWS.replace(/<description>\w+<\/description>/g, ''));
    assert.is(read(datastores, '//p:binding', guest), without);
    for (const select of [
      '//p:description',
      "//p:binding[p:description='d1']",
      "//p:binding[contains(., 'd1')]",
      '//p:binding[count(*) > 2]',
      "//p:aftr[.//text()='d1']",
      "//p:aftr[contains(., 'd1')]",
      '//p:ipv4-prefix[following-sibling::*[2]]',
      "//p:binding[p:ipv4-prefix='192.0.2.1/32'][p:description]",
    ]) {
      assert.is(read(datastores, select, guest), '', select);
    }
    assert.is(read(datastores, "//p:binding[not(p:description='d1')]", guest), without);
  }));

test('N105: a row that may not be read is no row, also for its key and for positions', () =>
  withRows((datastores) => {
    const guest = guestRights(datastores, `${LIST}[ipv4-prefix='192.0.2.1/32']`);
    assert.is(read(datastores, '//p:binding', guest), inTable(row(2) + row(3)));
    assert.is(read(datastores, "//p:binding[p:ipv4-prefix='192.0.2.1/32']", guest), '');
    assert.is(read(datastores, '//p:binding[1]', guest), inTable(row(2)));
    assert.is(read(datastores, '//p:aftr[count(p:binding-table/*) = 3]', guest), '');
    const list = guestRights(datastores, '/gi-4over6:softwire/aftr/binding-table');
    assert.is(read(datastores, '//p:binding | //p:aftr[p:binding-table]', list), '');
  }));

/** [select, keyed reads, whether the table is walked]. */
const reads: readonly (readonly [string, number, boolean])[] = [
  [`/p:softwire/p:aftr[p:name='a']/p:binding-table/p:binding[p:ipv4-prefix='192.0.2.2/32']`, 1, false],
  [`//p:binding[p:ipv4-prefix='192.0.2.2/32']/p:description`, 1, false],
  [`//p:binding[p:ipv4-prefix='192.0.2.2/32' or p:ipv4-prefix='192.0.2.9/32']`, 2, false],
  ['//p:aftr/p:name', 0, false],
  [`//p:binding[p:description='d2']`, 0, true],
  ['//p:binding', 0, true],
];
for (const [select, keyed, walks] of reads) {
  test(`${select}: ${keyed} keyed reads, the table is ${walks ? 'walked' : 'left alone'}`, () =>
    withRows((datastores) => {
      const seen = { keyed: 0, passes: 0 };
      const watch = (view: View): View => ({
        ...view,
        binding: (...key) => {
          seen.keyed++;
          return view.binding(...key);
        },
        bindings: (...from) => {
          seen.passes++;
          return view.bindings(...from);
        },
        passingRows: (instance) => {
          seen.passes++;
          return view.passingRows(instance);
        },
        sealedRows: (...from) => {
          seen.passes++;
          return view.sealedRows(...from);
        },
      });
      read(datastores, select, { watch });
      assert.is(seen.keyed, keyed);
      assert.is(seen.passes > 0, walks);
    }));
}

test('rows are read as they are asked for', () =>
  withRows((datastores) => {
    const opened = datastores.view('running');
    let count = 0;
    const view: View = {
      ...opened,
      *bindings(...from) {
        for (const found of opened.bindings(...from)) {
          count++;
          yield found;
        }
      },
    };
    const reading = openReading(view.tree, view, {
      content: 'config',
      withDefaults: 'explicit',
      readsAll: true,
      mayRead: () => true,
      selection: selection('//p:binding[p:description]'),
    });
    const table = reading.root.child('softwire')?.entries('aftr')[0]?.child('binding-table') as DataNode;
    assert.is(count, 1);
    const rows = reading.rows(table)[Symbol.iterator]();
    rows.next();
    rows.next();
    assert.is(count, 2);
    reading.close();
  }));

test.run();
