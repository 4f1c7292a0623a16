import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { withModuleNames } from '../../../src/mgmt/xpath/module-names.ts';
import { parseExpression } from '../../../src/mgmt/xpath/parser.ts';
import { mayReachStatistics, xpathSelection } from '../../../src/mgmt/xpath/selection.ts';
import { faultOf } from '../../helpers/faults.ts';
import { plainCheck, schema, tree } from '../../helpers/state.ts';
import { evaluate, filterElement, NAMESPACES, result, sourceOf } from '../../helpers/xpath.ts';

/** The functions of RFC 7950 §10. */
const test = suite('xpath functions of YANG');

Object.assign(NAMESPACES, {
  nacm: 'urn:ietf:params:xml:ns:yang:ietf-netconf-acm',
  yl: 'urn:ietf:params:xml:ns:yang:ietf-yang-library',
  ds: 'urn:ietf:params:xml:ns:yang:ietf-datastores',
  ncm: 'urn:ietf:params:xml:ns:yang:ietf-netconf-monitoring',
  or: 'urn:ietf:params:xml:ns:yang:ietf-origin',
  yang: 'urn:ietf:params:xml:ns:yang:ietf-yang-metadata',
});

const BINDINGS = [1, 2, 12].map((last) => ({
  'ipv4-prefix': `192.0.2.${last}/32`,
  'gateway-ipv6-address': '2001:db8::1',
  description: last === 12 ? '(x+x+)+y' : `rack ${last}`,
}));
const LOCK = "/gi-4over6:softwire/aftr[name='a']/binding-table/binding[ipv4-prefix='192.0.2.2/32']";
const root = tree({
  'gi-4over6:softwire': { aftr: [{ name: 'a', 'binding-table': { binding: BINDINGS } }, { name: 'b' }] },
  'ietf-netconf-acm:nacm': {
    'rule-list': [
      {
        name: 'l',
        rule: [
          { name: 'yes', action: 'permit' },
          { name: 'no', action: 'deny' },
        ],
      },
    ],
  },
  'ietf-yang-library:yang-library': {
    'module-set': [{ name: 'm1' }, { name: 'm2' }],
    schema: [
      { name: 's1', 'module-set': ['m2'] },
      { name: 's2', 'module-set': ['m1', 'm2', 'gone'] },
    ],
    datastore: [
      { name: 'ietf-datastores:running', schema: 's1' },
      { name: 'ietf-datastores:operational', schema: 's2' },
    ],
  },
  'ietf-netconf-monitoring:netconf-state': {
    datastores: {
      datastore: [
        { name: 'running', locks: { 'partial-lock': [{ 'lock-id': 1, select: ['/x'], 'locked-node': [LOCK] }] } },
      ],
    },
  },
});
const source = sourceOf(root);
const LIBRARY = '/ietf-yang-library:yang-library';
const set = (name: string) => `${LIBRARY}/module-set[name='${name}']`;
const schemaOf = (name: string) => `${LIBRARY}/schema[name='${name}']`;
const datastore = (name: string) => `${LIBRARY}/datastore[name='ietf-datastores:${name}']`;
const row = (last: number) =>
  `/gi-4over6:softwire/aftr[name='a']/binding-table/binding[ipv4-prefix='192.0.2.${last}/32']`;

const selections: readonly (readonly [string, readonly string[]])[] = [
  ["//p:binding[re-match(p:ipv4-prefix, '192\\.0\\.2\\.\\d/32')]", [row(1), row(2)]],
  ["//p:binding[re-match(p:description, 'RACK.*')]", []],
  ["//p:binding[re-match(p:nothing, '')]", [row(1), row(2), row(12)]],
  ["//yl:datastore[derived-from(yl:name, 'ds:conventional')]", [datastore('running')]],
  ["//yl:datastore[derived-from(yl:name, 'ds:datastore')]", [datastore('running'), datastore('operational')]],
  ["//yl:datastore[derived-from(yl:name, 'ds:operational')]", []],
  ["//yl:datastore[derived-from-or-self(yl:name, 'ds:operational')]", [datastore('operational')]],
  ["//yl:datastore[derived-from(yl:schema, 'ds:datastore')]", []],
  ["//yl:datastore[derived-from(yl:name, concat('ds:', 'datastore'))][2]", [datastore('operational')]],
  ['deref(//yl:datastore[1]/yl:schema)', [`${schemaOf('s1')}/name`]],
  [
    'deref(//yl:datastore[2]/yl:schema)/../yl:module-set',
    ['m1', 'm2', 'gone'].map((m) => `${schemaOf('s2')}/module-set[.='${m}']`),
  ],
  ["deref(//yl:schema[yl:name='s2']/yl:module-set)/..", [set('m1')]],
  ['//yl:schema/yl:module-set[not(deref(.))]', [`${schemaOf('s2')}/module-set[.='gone']`]],
  ["//yl:schema[deref(yl:module-set)/../yl:name='m2']", [schemaOf('s1')]],
  ['deref(//yl:module-set/yl:name)', []],
  ['deref(//yl:nothing)', []],
  ['deref(/)', []],
  ['deref(//ncm:locked-node)', [row(2)]],
  ["deref(//ncm:locked-node)/p:description[.='rack 2']", [`${row(2)}/description`]],
  [
    '//nacm:rule[enum-value(nacm:action) > 0]/nacm:name',
    ["/ietf-netconf-acm:nacm/rule-list[name='l']/rule[name='no']/name"],
  ],
  ['current()//p:aftr[1]/p:name', ["/gi-4over6:softwire/aftr[name='a']/name"]],
];
for (const [text, expected] of selections) test(text, () => assert.equal(result(source, text), expected));

const values: readonly (readonly [string, string | number | boolean])[] = [
  ["re-match('1.22.333', '\\d{1,3}\\.\\d{1,3}\\.\\d{1,3}')", true],
  ["re-match(12, '\\d')", false],
  ['enum-value(//nacm:action)', 0],
  ['enum-value(//nacm:rule[2]/nacm:action)', 1],
  ['enum-value(//p:name)', Number.NaN],
  ['enum-value(//p:nothing)', Number.NaN],
  ["bit-is-set(//p:name, 'a')", false],
  ["bit-is-set(//p:nothing, 'a')", false],
  ["derived-from(//p:nothing, 'ds:datastore')", false],
];
for (const [text, expected] of values) {
  test(`${text} is ${expected}`, () =>
    assert.ok(Object.is(evaluate(source, text), expected), String(evaluate(source, text))));
}

const select = (text: string) => xpathSelection(schema, plainCheck, filterElement({ select: text }));

/** [expression, tag, what is said]: literals are looked at before any data. */
const refused: readonly (readonly [string, string, RegExp])[] = [
  ["/*[derived-from(., 'nix:datastore')]", 'unknown-namespace', /'nix:datastore' is declared nowhere/],
  ["/*[derived-from(., 'ds:nix')]", 'invalid-value', /'ds:nix': no module has such an identity/],
  [
    "/*[derived-from-or-self(., 'datastore')]",
    'invalid-value',
    /'datastore': an identity without prefix is of no module/,
  ],
  ["/*[re-match(., 'a{')]", 'invalid-value', /a pattern of RFC 7950 §9\.4\.5/],
];
for (const [text, tag, says] of refused) {
  test(`refused: ${text}`, () => {
    const error = faultOf(() => select(text));
    assert.is(error.tag, tag);
    assert.match(error.message, says);
  });
}

test('what only data says is refused when it is evaluated', () => {
  assert.is(
    faultOf(() => result(source, '//p:binding[re-match("a", concat("(", p:description))]')).tag,
    'invalid-value',
  );
  assert.equal(result(source, '//p:binding[p:description="(x+x+)+y"][re-match("xxxy", p:description)]'), [row(12)]);
  assert.is(faultOf(() => result(source, '//yl:datastore[derived-from(yl:name, ../../p:name)]')).tag, 'invalid-value');
});

test('a name without prefix is an identity of any module where names are', () => {
  const parse = (text: string) => parseExpression(text, (prefix) => NAMESPACES[prefix], 'any');
  const call = parse("derived-from(//datastore/name, 'datastore')");
  assert.is(call.type, 'boolean');
});

test('a pattern costs work', () => {
  const text = `//p:aftr[re-match('${'a'.repeat(2_000)}', '(a?){300}b')]`;
  assert.equal(result(source, text), []);
  assert.is(
    faultOf(() => evaluate(source, text.replace('//p:aftr[', 'boolean(//p:binding[').concat(')'), 3_000)).tag,
    'resource-denied',
  );
});

test('a reference may lead anywhere', () => {
  const selection = select('/p:softwire[deref(p:x)]');
  assert.ok(schema.root.children.every((top) => selection.wants(top)));
  assert.ok(mayReachStatistics(parseExpression('deref(p:a)', (prefix) => NAMESPACES[prefix])));
});

test('a kept expression has names of modules in its identities, too', () => {
  const text = `//yl:datastore[derived-from(yl:name, "ds:conventional") and yl:schema != 'ds:x'][contains("ds:a", 'b')]`;
  assert.is(
    withModuleNames(text, NAMESPACES, schema.root.namespaces),
    `//ietf-yang-library:datastore[derived-from(ietf-yang-library:name, "ietf-datastores:conventional") and ietf-yang-library:schema != 'ds:x'][contains("ds:a", 'b')]`,
  );
});

test.run();
