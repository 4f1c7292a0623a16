import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { openEnvelope, shellOf } from '../../../src/mgmt/netconf/envelope.ts';
import { parseXml } from '../../../src/mgmt/xml.ts';
import { ManagementError } from '../../../src/state/errors.ts';
import { schema } from '../../helpers/state.ts';

const test = suite('envelope');

const BASE = 'urn:ietf:params:xml:ns:netconf:base:1.0';
const rpc = (inside: string, attributes = 'message-id="1"') => `<rpc xmlns="${BASE}" ${attributes}>${inside}</rpc>`;

/** [message, type, tag, info, why]. */
const faults = [
  [
    rpc('<get/>', ''),
    'rpc',
    'missing-attribute',
    { 'bad-attribute': 'message-id', 'bad-element': 'rpc' },
    'no message-id',
  ],
  [
    rpc('<get/>', `xmlns:n="${BASE}" n:message-id="1"`),
    'rpc',
    'missing-attribute',
    { 'bad-attribute': 'message-id', 'bad-element': 'rpc' },
    'a message-id in a namespace',
  ],
  [`<rpc message-id="1"><get/></rpc>`, 'rpc', 'malformed-message', {}, 'rpc without namespace'],
  [`<rpc xmlns="urn:x" message-id="1"><get/></rpc>`, 'rpc', 'malformed-message', {}, 'rpc in a wrong namespace'],
  [`<hello xmlns="${BASE}"/>`, 'rpc', 'malformed-message', {}, 'another message'],
  [rpc(''), 'protocol', 'missing-element', { 'bad-element': 'rpc' }, 'no operation'],
  [rpc('<get/><get/>'), 'protocol', 'bad-element', { 'bad-element': 'get' }, 'two operations'],
  [rpc('<foo/>'), 'protocol', 'operation-not-supported', { 'bad-element': 'foo' }, 'an unknown operation'],
  [rpc('<data/>'), 'protocol', 'operation-not-supported', { 'bad-element': 'data' }, 'no operation of its module'],
  [
    rpc('<softwire xmlns="urn:gi-4over6"/>'),
    'protocol',
    'operation-not-supported',
    { 'bad-element': 'softwire' },
    'data instead of an operation',
  ],
  [
    rpc('<get xmlns="urn:x"/>'),
    'protocol',
    'unknown-namespace',
    { 'bad-element': 'get', 'bad-namespace': 'urn:x' },
    'an unknown namespace',
  ],
  [
    rpc('<get xmlns="urn:gi-4over6:reference"/>'),
    'protocol',
    'unknown-namespace',
    { 'bad-element': 'get', 'bad-namespace': 'urn:gi-4over6:reference' },
    'the namespace of our references',
  ],
  [
    rpc('<action xmlns="urn:ietf:params:xml:ns:yang:1"><system xmlns=""/></action>'),
    'protocol',
    'unknown-namespace',
    { 'bad-element': 'system', 'bad-namespace': '' },
    'data of an action without namespace',
  ],
  [
    rpc('<edit-config><target xmlns="urn:x"><running/></target><config/></edit-config>'),
    'protocol',
    'unknown-namespace',
    { 'bad-element': 'target', 'bad-namespace': 'urn:x' },
    'a parameter in a namespace that no module has',
  ],
  [rpc('text<get/>'), 'protocol', 'bad-element', { 'bad-element': 'rpc' }, 'text before the operation'],
  [rpc('<get/>text'), 'protocol', 'bad-element', { 'bad-element': 'rpc' }, 'text behind it'],
  [
    rpc('<action xmlns="urn:ietf:params:xml:ns:yang:1"/>'),
    'application',
    'missing-element',
    { 'bad-element': 'action' },
    'an action of nothing',
  ],
  [
    rpc(
      '<action xmlns="urn:ietf:params:xml:ns:yang:1"><softwire xmlns="urn:gi-4over6"/><system xmlns="urn:gi-4over6"/></action>',
    ),
    'application',
    'bad-element',
    { 'bad-element': 'system' },
    'an action of two instances',
  ],
] as const;

test('names in a filter need no namespace', () => {
  const filter = '<get><filter><softwire xmlns=""/></filter></get>';
  assert.is(openEnvelope(parseXml(rpc(filter)), schema).module, 'ietf-netconf');
});

for (const [text, type, tag, info, why] of faults) {
  test(`${why}: ${tag}`, () => {
    try {
      openEnvelope(parseXml(text), schema);
    } catch (error) {
      assert.instance(error, ManagementError);
      const { type: foundType, tag: foundTag, info: foundInfo } = error as ManagementError;
      assert.equal({ type: foundType, tag: foundTag, info: foundInfo }, { type, tag, info });
      return;
    }
    assert.unreachable('it was let through');
  });
}

test('the module of an operation, of one in its own namespace, of an action', () => {
  const monitoring = 'urn:ietf:params:xml:ns:yang:ietf-netconf-monitoring';
  const moduleOf = (inside: string) => openEnvelope(parseXml(rpc(inside)), schema).module;
  assert.is(moduleOf('<get/>'), 'ietf-netconf');
  assert.is(moduleOf(`<get-schema xmlns="${monitoring}"/>`), 'ietf-netconf-monitoring');
  assert.is(moduleOf('<action xmlns="urn:ietf:params:xml:ns:yang:1"><softwire xmlns="urn:gi-4over6"/></action>'), '');
});

test('the reply repeats every attribute, and the declarations they need', () => {
  const message = rpc('<get/>', `message-id="a&lt;b&quot;" xmlns:ex="urn:ex" ex:user-id="fred" other="1"`);
  assert.is(
    openEnvelope(parseXml(message), schema).replyTag,
    `<rpc-reply xmlns="${BASE}" xmlns:ex="urn:ex" message-id="a&lt;b&quot;" ex:user-id="fred" other="1">`,
  );
});

test('a prefixed request has a reply in the default namespace, its prefix declared', () => {
  const message = `<nc:rpc xmlns:nc="${BASE}" nc:x="1" message-id="7"><nc:get/></nc:rpc>`;
  assert.is(
    openEnvelope(parseXml(message), schema).replyTag,
    `<rpc-reply xmlns="${BASE}" xmlns:nc="${BASE}" nc:x="1" message-id="7">`,
  );
});

test('the library gets references instead of contents', () => {
  const reference = '<reference xmlns="urn:gi-4over6:reference">1</reference>';
  const shell = (inside: string) => shellOf(openEnvelope(parseXml(rpc(inside)), schema).operation);
  assert.is(
    shell(
      '<edit-config><target><running/></target><config><softwire xmlns="urn:gi-4over6"><aftr/></softwire></config></edit-config>',
    ),
    `<edit-config xmlns="${BASE}"><target><running/></target><config>${reference}</config></edit-config>`,
  );
  assert.is(
    shell('<get><filter type="subtree"><softwire xmlns="urn:gi-4over6"/></filter></get>'),
    `<get xmlns="${BASE}"><filter>${reference}</filter></get>`,
  );
});

/** [what came, what the library gets of it]; the contents keep the prefixes around them. */
const reference = '<reference xmlns="urn:gi-4over6:reference">1</reference>';
const bare = [
  [
    `<n:edit-config><n:target><n:running/></n:target><config xmlns:e="urn:e"/></n:edit-config>`,
    `<n:edit-config xmlns:n="${BASE}"><n:target><n:running/></n:target><n:config xmlns:e="urn:e">${reference}</n:config></n:edit-config>`,
  ],
  [
    '<n:copy-config><n:target><n:candidate/></n:target><n:source><config/></n:source></n:copy-config>',
    `<n:copy-config xmlns:n="${BASE}"><n:target><n:candidate/></n:target><n:source><n:config>${reference}</n:config></n:source></n:copy-config>`,
  ],
  [
    '<lock><target><candidate/></target></lock>',
    `<n:lock xmlns:n="${BASE}"><n:target><n:candidate/></n:target></n:lock>`,
  ],
  [
    '<get><filter type="xpath" select="/e:a" xmlns:e="urn:e"/></get>',
    `<n:get xmlns:n="${BASE}"><n:filter xmlns:e="urn:e">${reference}</n:filter></n:get>`,
  ],
  [
    '<get-schema xmlns="urn:ietf:params:xml:ns:yang:ietf-netconf-monitoring"><identifier xmlns="">x</identifier></get-schema>',
    `<get-schema xmlns:n="${BASE}" xmlns="urn:ietf:params:xml:ns:yang:ietf-netconf-monitoring"><identifier>x</identifier></get-schema>`,
  ],
] as const;
for (const [came, shell] of bare) {
  test(`in no namespace is in that of what it stands in: ${came}`, () => {
    const message = `<n:rpc xmlns:n="${BASE}" message-id="1">${came}</n:rpc>`;
    assert.is(shellOf(openEnvelope(parseXml(message), schema).operation), shell);
  });
}

test('contents are left as they came', () => {
  const filter = '<filter><softwire><aftr xmlns:e="urn:e"/></softwire></filter>';
  const message = `<n:rpc xmlns:n="${BASE}" message-id="1"><n:get>${filter}</n:get></n:rpc>`;
  const [top] = openEnvelope(parseXml(message), schema).operation.children;
  assert.is(top?.namespace, BASE);
  assert.is(top?.children[0]?.namespace, '');
  assert.is(top?.children[0]?.children[0]?.prefixes.e, 'urn:e');
});

test('many names without namespace share the declarations of their scope', () => {
  const inside = `<get><a xmlns="" xmlns:e="urn:e">${'<b/>'.repeat(3)}</a></get>`;
  const [top] = openEnvelope(parseXml(rpc(inside)), schema).operation.children;
  assert.equal(top?.prefixes, { ...parseXml(rpc('')).prefixes, e: 'urn:e' });
  for (const { namespace, prefixes } of top?.children ?? []) {
    assert.is(namespace, BASE);
    assert.is(prefixes, top?.prefixes);
  }
});

test.run();
