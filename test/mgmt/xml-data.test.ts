import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { parsePath, parsePredicates } from '../../src/mgmt/path.ts';
import { parseXml } from '../../src/mgmt/xml.ts';
import { dataFromXml, writeXml } from '../../src/mgmt/xml-data.ts';
import { ManagementError } from '../../src/state/errors.ts';
import { treeToJson } from '../../src/state/json.ts';
import { aftr, binding, plainCheck, schema, tree } from '../helpers/state.ts';

const test = suite('xml-data');
const GI = 'xmlns="urn:gi-4over6"';
const NC = 'xmlns:nc="urn:ietf:params:xml:ns:netconf:base:1.0"';

function read(xml: string, edit = true) {
  return dataFromXml(schema, plainCheck, parseXml(`<config>${xml}</config>`).children, { edit });
}

function faults(xml: string, edit = true): string[] {
  try {
    read(xml, edit);
  } catch (error) {
    if (!(error instanceof ManagementError)) throw error;
    return error.faults.map(({ tag, path }) => `${tag} ${path ?? ''}`);
  }
  return [];
}

const inAftr = (content: string) => `<softwire ${GI} ${NC}><aftr><name>a</name>${content}</aftr></softwire>`;
const A = "/gi-4over6:softwire/aftr[name='a']";

const WD = 'xmlns:wd="urn:ietf:params:xml:ns:netconf:default:1.0" wd:default';
const cases: readonly (readonly [string, string, readonly string[]])[] = [
  ['nothing', '', []],
  ['a configuration', inAftr('<hop-limit>9</hop-limit>'), []],
  ['numbers with white space around', inAftr('<hop-limit>\n 9 </hop-limit>'), []],
  ['an unknown namespace', '<x xmlns="urn:x"/>', ['unknown-namespace ']],
  ['no namespace', '<x xmlns=""/>', ['unknown-namespace ']],
  ['an unknown element', inAftr('<colour/>'), [`unknown-element ${A}/colour`]],
  [
    'state data',
    inAftr('<binding-table><version>1</version></binding-table>'),
    [`unknown-element ${A}/binding-table/version`],
  ],
  [
    'an operation as data',
    '<get xmlns="urn:ietf:params:xml:ns:netconf:base:1.0"/>',
    ['unknown-element /ietf-netconf:get'],
  ],
  ['an element inside a leaf', inAftr('<hop-limit><x/></hop-limit>'), [`unknown-element ${A}/hop-limit/x`]],
  ['text inside a container', inAftr('<binding-table>text</binding-table>'), [`bad-element ${A}/binding-table`]],
  ['a wrong type', inAftr('<hop-limit>x</hop-limit>'), [`invalid-value ${A}/hop-limit`]],
  [
    'two wrong types',
    inAftr('<hop-limit>x</hop-limit><enabled>1</enabled>'),
    [`invalid-value ${A}/hop-limit`, `invalid-value ${A}/enabled`],
  ],
  ['an entry without key', `<softwire ${GI}><aftr/></softwire>`, ['missing-element /gi-4over6:softwire/aftr']],
  ['an entry twice', inAftr('').replace('</softwire>', '<aftr><name>a</name></aftr></softwire>'), [`bad-element ${A}`]],
  ['a leaf twice', inAftr('<hop-limit>1</hop-limit><hop-limit>2</hop-limit>'), [`bad-element ${A}/hop-limit`]],
  [
    'an operation without prefix',
    inAftr('<hop-limit operation="delete">1</hop-limit>'),
    [`unknown-attribute ${A}/hop-limit`],
  ],
  ['an unknown operation', inAftr('<hop-limit nc:operation="erase">1</hop-limit>'), [`bad-attribute ${A}/hop-limit`]],
  ['text in an entry', inAftr('text'), [`bad-element ${A}`]],
  ['default with another value', inAftr(`<hop-limit ${WD}="true">1</hop-limit>`), [`invalid-value ${A}/hop-limit`]],
  ['default="1" with another value', inAftr(`<hop-limit ${WD}="1">1</hop-limit>`), [`invalid-value ${A}/hop-limit`]],
  [
    'default of a leaf without',
    inAftr(`<ipv6-address ${WD}="true">2001:db8::1</ipv6-address>`),
    [`invalid-value ${A}/ipv6-address`],
  ],
  ['default of a container', inAftr(`<binding-table ${WD}="true"/>`), [`invalid-value ${A}/binding-table`]],
  [
    'default neither true nor false',
    inAftr(`<hop-limit ${WD}="maybe">64</hop-limit>`),
    [`bad-attribute ${A}/hop-limit`],
  ],
  ['default="false"', inAftr(`<hop-limit ${WD}="false">1</hop-limit>`), []],
  ['an unknown attribute', inAftr('<hop-limit x="1">1</hop-limit>'), [`unknown-attribute ${A}/hop-limit`]],
  [
    'insert where nobody orders',
    inAftr('<ipv4-pool xmlns:yang="urn:ietf:params:xml:ns:yang:1" yang:insert="first">192.0.2.0/24</ipv4-pool>'),
    [`bad-attribute ${A}/ipv4-pool[.='192.0.2.0/24']`],
  ],
  ['a leaf to delete needs no value', inAftr('<hop-limit nc:operation="delete"/>'), []],
];
for (const [why, xml, expected] of cases) test(`from XML: ${why}`, () => assert.equal(faults(xml), expected));

test('without edit an operation is unknown', () => {
  assert.equal(faults(inAftr('<hop-limit nc:operation="delete"/>'), false), [`unknown-attribute ${A}/hop-limit`]);
  assert.equal(faults(inAftr('<hop-limit nc:operation="merge">1</hop-limit>'), false), [
    `unknown-attribute ${A}/hop-limit`,
  ]);
});

// [elements, what is said of the first]
for (const [xml, said] of [
  ['<softwire xmlns=""/>', `no module has the namespace ''; expected xmlns="urn:gi-4over6"`],
  ['<softwire xmlns="urn:ietf:params:xml:ns:yang:ietf-system"/>', `of ietf-system; expected xmlns="urn:gi-4over6"`],
  [`<softwire ${GI}><aftr xmlns=""><name>a</name></aftr></softwire>`, `''; expected xmlns="urn:gi-4over6"`],
  [`<hardwire ${GI}/>`, 'element hardwire in the top level is not in the schema of gi-4over6'],
  ['<hardwire xmlns=""/>', "element hardwire in the top level: no module has the namespace ''"],
] as const) {
  test(`a namespace that was forgotten is named: ${xml}`, () => {
    try {
      read(xml);
      assert.unreachable();
    } catch (error) {
      assert.instance(error, ManagementError);
      assert.ok(error instanceof Error && error.message.endsWith(said), String(error));
    }
  });
}

test('what is said of an operation is true of it', () => {
  const said = (attribute: string, edit: boolean) => {
    try {
      read(inAftr(`<hop-limit ${attribute}>1</hop-limit>`), edit);
    } catch (error) {
      return error instanceof Error ? error.message : '';
    }
    return 'nothing';
  };
  const elsewhere = ' is unknown here; operations are for edit-config and edit-data';
  assert.match(said('nc:operation="delete"', false), elsewhere);
  assert.match(said('operation="delete"', false), elsewhere);
  assert.match(said('operation="delete"', true), ' is unknown; an operation needs the namespace urn:ietf:');
});

test('at most twenty faults are told', () => {
  const many = Array.from({ length: 50 }, (_, i) => `<x${i}/>`).join('');
  assert.is(faults(inAftr(many)).length, 20);
});

test('operations and keys are taken over', () => {
  const root = read(
    inAftr(
      `<binding-table><binding nc:operation="delete"><ipv4-prefix>192.0.2.9/24</ipv4-prefix></binding></binding-table>`,
    ),
  );
  const entry = root.child('softwire')?.entries('aftr')[0]?.child('binding-table')?.entries('binding')[0];
  assert.is(entry?.operation, 'delete');
  assert.is(entry?.leaf('ipv4-prefix'), '192.0.2.0/24');
});

test('what is written reads back the same', () => {
  const data = aftr(binding('192.0.2.1/32', '2001:db8::1', { description: 'a <b> & "c"' }));
  const xml = [...writeXml(tree(data).children())].join('');
  assert.match(xml, /^<softwire xmlns="urn:gi-4over6"><aftr><name>a<\/name>/);
  assert.equal(treeToJson(read(xml, false)), data);
});

test('a type that names modules declares them', () => {
  const data = {
    'ietf-netconf-acm:nacm': {
      'rule-list': [{ name: 'l', rule: [{ name: 'r', path: '/gi-4over6:softwire', action: 'deny' }] }],
    },
  };
  const xml = [...writeXml(tree(data).children())].join('');
  assert.match(xml, /<path xmlns:gi-4over6="urn:gi-4over6">\/gi-4over6:softwire<\/path>/);
});

const paths: readonly (readonly [string, unknown])[] = [
  ['/a', [{ prefix: undefined, name: 'a', predicates: [] }]],
  [
    '/m:a/b[k=\'1\'][p:l="2]"]/c',
    [
      { prefix: 'm', name: 'a', predicates: [] },
      {
        prefix: undefined,
        name: 'b',
        predicates: [
          { prefix: undefined, name: 'k', value: '1' },
          { prefix: 'p', name: 'l', value: '2]' },
        ],
      },
      { prefix: undefined, name: 'c', predicates: [] },
    ],
  ],
  ["/a[.='x']", [{ prefix: undefined, name: 'a', predicates: [{ prefix: undefined, name: '.', value: 'x' }] }]],
  ['', undefined],
  ['a', undefined],
  ['/a/', undefined],
  ['//a', undefined],
  ['/a[1]', undefined],
  ["/a[k='1", undefined],
  ['/a | /b', undefined],
];
for (const [text, expected] of paths) test(`path '${text}'`, () => assert.equal(parsePath(text), expected));

test('predicates alone', () => {
  assert.equal(parsePredicates("[a='1'][b='2']"), [
    { prefix: undefined, name: 'a', value: '1' },
    { prefix: undefined, name: 'b', value: '2' },
  ]);
  assert.equal(parsePredicates(' [p:a="1"] \n [ b = \'2\' ] '), [
    { prefix: 'p', name: 'a', value: '1' },
    { prefix: undefined, name: 'b', value: '2' },
  ]);
  assert.is(parsePredicates(' '), undefined);
  assert.is(parsePredicates(''), undefined);
  assert.is(parsePredicates("[a='1']x"), undefined);
});

test.run();
