import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { deleteXml, filterXml, setXml } from '../../src/cli/data-xml.ts';
import { CommandFailure, EXIT } from '../../src/cli/failure.ts';
import { parsePlace, parseTarget } from '../../src/cli/path.ts';

const test = suite('cli path');

const client = { namespaceOf: async (module: string) => (module === 'gi-4over6' ? 'urn:gi-4over6' : `urn:${module}`) };
const GI = 'xmlns="urn:gi-4over6"';
const NC = 'xmlns:nc="urn:ietf:params:xml:ns:netconf:base:1.0"';

const filters = [
  ['/gi-4over6:softwire', `<softwire ${GI}></softwire>`, 'a path'],
  ['/softwire/state', `<softwire ${GI}><state></state></softwire>`, 'our module where none is named'],
  [
    "/gi-4over6:softwire/aftr[name='a']/ipv6-address",
    `<softwire ${GI}><aftr><name>a</name><ipv6-address></ipv6-address></aftr></softwire>`,
    'a key',
  ],
  [
    `/softwire/aftr[name="a'b"]/binding-table/binding[ipv4-prefix='192.0.2.0/24']`,
    `<softwire ${GI}><aftr><name>a'b</name><binding-table><binding><ipv4-prefix>192.0.2.0/24</ipv4-prefix></binding></binding-table></aftr></softwire>`,
    'both quotes, a slash inside',
  ],
  [
    "/softwire/aftr[gi-4over6:name = 'a]b/c' ]",
    `<softwire ${GI}><aftr><name>a]b/c</name></aftr></softwire>`,
    'a bracket in a value',
  ],
  [
    "/softwire/aftr[name='a']/ipv4-pool[.='192.0.2.0/24']",
    `<softwire ${GI}><aftr><name>a</name><ipv4-pool>192.0.2.0/24</ipv4-pool></aftr></softwire>`,
    'a leaf-list entry',
  ],
  [
    '/ietf-system:system/gi-4over6:x',
    `<system xmlns="urn:ietf-system"><x ${GI}></x></system>`,
    'a module where it changes',
  ],
  ['aftr', `<softwire ${GI}><aftr></aftr></softwire>`, 'a list in words'],
  ['aftr a<b', `<softwire ${GI}><aftr><name>a&lt;b</name></aftr></softwire>`, 'an entry in words'],
  [
    'aftr a binding 192.0.2.0/24 gateway-ipv6-address',
    `<softwire ${GI}><aftr><name>a</name><binding-table><binding><ipv4-prefix>192.0.2.0/24</ipv4-prefix><gateway-ipv6-address></gateway-ipv6-address></binding></binding-table></aftr></softwire>`,
    'an entry in an entry',
  ],
  [
    'gateway g served-prefix 10.0.0.0/8',
    `<softwire ${GI}><gateway><name>g</name><served-prefix><ipv4-prefix>10.0.0.0/8</ipv4-prefix></served-prefix></gateway></softwire>`,
    'a served prefix',
  ],
  [
    'aftr a route-source s refused-route',
    `<softwire ${GI}><aftr><name>a</name><route-source><name>s</name><refused-route></refused-route></route-source></aftr></softwire>`,
    'a route source',
  ],
  [
    'bgp neighbor 2001:db8::1 session-state',
    `<softwire ${GI}><bgp><neighbor><address>2001:db8::1</address><session-state></session-state></neighbor></bgp></softwire>`,
    'a BGP neighbor',
  ],
  [
    'gateway g route-advertisement target t session-state',
    `<softwire ${GI}><gateway><name>g</name><route-advertisement><target><name>t</name><session-state></session-state></target></route-advertisement></gateway></softwire>`,
    'an entry in a container',
  ],
  [
    'aftr a statistics ipv4-side',
    `<softwire ${GI}><aftr><name>a</name><statistics><ipv4-side></ipv4-side></statistics></aftr></softwire>`,
    'containers',
  ],
  [
    'aftr a softwire 2001:db8::1 path-mtu',
    `<softwire ${GI}><aftr><name>a</name><softwire><gateway-ipv6-address>2001:db8::1</gateway-ipv6-address><path-mtu></path-mtu></softwire></aftr></softwire>`,
    'a gateway as its AFTR sees it',
  ],
  [
    'aftr a statistics ipv6-side drop no-binding',
    `<softwire ${GI}><aftr><name>a</name><statistics><ipv6-side><drop><reason>no-binding</reason></drop></ipv6-side></statistics></aftr></softwire>`,
    'drops for one reason',
  ],
  [
    'gateway g statistics ipv4-side drop too-big',
    `<softwire ${GI}><gateway><name>g</name><statistics><ipv4-side><drop><reason>too-big</reason></drop></ipv4-side></statistics></gateway></softwire>`,
    'the same of a gateway',
  ],
  [
    'aftr a route-source s learned-route 192.0.2.0/24',
    `<softwire ${GI}><aftr><name>a</name><route-source><name>s</name><learned-route><ipv4-prefix>192.0.2.0/24</ipv4-prefix></learned-route></route-source></aftr></softwire>`,
    'a route that became a binding',
  ],
  [
    'aftr a route-source s refused-route 192.0.2.0/24',
    `<softwire ${GI}><aftr><name>a</name><route-source><name>s</name><refused-route><ipv4-prefix>192.0.2.0/24</ipv4-prefix></refused-route></route-source></aftr></softwire>`,
    'a route that was refused',
  ],
  [
    'gateway g route-advertisement target t advertised-route 192.0.2.0/24',
    `<softwire ${GI}><gateway><name>g</name><route-advertisement><target><name>t</name><advertised-route><ipv4-prefix>192.0.2.0/24</ipv4-prefix></advertised-route></target></route-advertisement></gateway></softwire>`,
    'a route that is told',
  ],
  ['state problem', `<softwire ${GI}><state><problem></problem></state></softwire>`, 'state'],
  [
    'user u',
    '<system xmlns="urn:ietf-system"><authentication><user><name>u</name></user></authentication></system>',
    'a user',
  ],
] as const;
const words = (text: string) => (text.startsWith('/') ? [text] : text.split(' '));
for (const [text, expected, what] of filters) {
  test(`filter: ${what}`, async () => assert.is(await filterXml(client, parsePlace(words(text))), expected));
}

const edits = [
  [
    ['aftr', 'a', 'ipv6-address', '2001:db8::1', 'ipv4-pool', '10.0.0.0/8'],
    `<softwire ${GI}><aftr><name>a</name><ipv6-address>2001:db8::1</ipv6-address><ipv4-pool>10.0.0.0/8</ipv4-pool></aftr></softwire>`,
  ],
  [
    ["/softwire/aftr[name='a']/hop-limit", '7'],
    `<softwire ${GI}><aftr><name>a</name><hop-limit>7</hop-limit></aftr></softwire>`,
  ],
  [["/softwire/aftr[name='a']"], `<softwire ${GI}><aftr><name>a</name></aftr></softwire>`],
  [['aftr', 'a'], `<softwire ${GI}><aftr><name>a</name></aftr></softwire>`],
  [
    ["/m:x/y[id='1']/map-type", 'ways:by-name'],
    '<x xmlns="urn:m"><y><id>1</id><map-type xmlns:ways="urn:ways">ways:by-name</map-type></y></x>',
  ],
  [["/m:x/y[id='1']/name", 'a:b'], '<x xmlns="urn:m"><y><id>1</id><name>a:b</name></y></x>'],
] as const;
for (const [given, expected] of edits) {
  test(`set ${given.join(' ')}`, async () => assert.is(await setXml(client, parseTarget(given)), expected));
}

const deletions = [
  [
    ['aftr', 'a', 'binding', '10.0.0.0/8'],
    `<softwire ${GI}><aftr><name>a</name><binding-table><binding ${NC} nc:operation="delete"><ipv4-prefix>10.0.0.0/8</ipv4-prefix></binding></binding-table></aftr></softwire>`,
  ],
  [
    ['aftr', 'a', 'ipv4-pool', '10.0.0.0/8'],
    `<softwire ${GI}><aftr><name>a</name><ipv4-pool ${NC} nc:operation="delete">10.0.0.0/8</ipv4-pool></aftr></softwire>`,
  ],
  [
    ['aftr', 'a', 'hop-limit'],
    `<softwire ${GI}><aftr><name>a</name><hop-limit ${NC} nc:operation="delete"></hop-limit></aftr></softwire>`,
  ],
] as const;
for (const [given, expected] of deletions) {
  test(`delete ${given.join(' ')}`, async () => assert.is(await deleteXml(client, parsePlace(given)), expected));
}

const wrong: readonly (readonly [() => unknown, string])[] = [
  [() => parsePlace(['softwire']), 'an unknown word'],
  [() => parsePlace([]), 'no word'],
  [() => parsePlace(['/']), 'a slash alone'],
  [() => parsePlace(['/a//b']), 'an empty step'],
  [() => parsePlace(['/a[b]']), 'a predicate without value'],
  [() => parsePlace(['/a[1]']), 'a position'],
  [() => parsePlace(["/a[b='c]"]), 'a quote that does not end'],
  [() => parsePlace(['/a b']), 'a space'],
  [() => parsePlace(['/a', 'b']), 'a word after a path'],
  [() => parsePlace(['aftr', 'a', '<x>']), 'no name'],
  [() => parseTarget(['aftr', 'a', 'hop-limit']), 'a leaf without value'],
  [() => parseTarget(['/a/b', 'c', 'd']), 'two values'],
  [() => parseTarget(["/a/b[c='d']", 'e']), 'a value for a list entry'],
  [() => parseTarget(['/a', 'b']), 'a value for a top-level container'],
  [() => parseTarget(['hop-limit', '7']), 'no entry'],
];
for (const [parse, what] of wrong) {
  test(`wrong usage: ${what}`, () => {
    try {
      parse();
    } catch (error) {
      assert.instance(error, CommandFailure);
      assert.is((error as CommandFailure).exitCode, EXIT.usage);
      return;
    }
    assert.unreachable('it was taken');
  });
}

test.run();
