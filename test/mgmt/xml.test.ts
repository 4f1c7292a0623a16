import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { childElement, escapeAttribute, escapeText, parseXml, serializeXml } from '../../src/mgmt/xml.ts';
import { ManagementError } from '../../src/state/errors.ts';

const test = suite('xml');

function tagOf(text: string, limits?: Parameters<typeof parseXml>[1]): string {
  try {
    parseXml(text, limits);
  } catch (error) {
    if (error instanceof ManagementError) return error.tag;
    throw error;
  }
  return 'none';
}

const small = { depth: 3, elements: 5, attributes: 2 };
const cases = [
  ['<a/>', 'none', 'an element'],
  ['<?xml version="1.0" encoding="UTF-8"?><a/>', 'none', 'with a declaration'],
  ['<a><b></a>', 'malformed-message', 'tags crossed'],
  ['<a>', 'malformed-message', 'not closed'],
  ['<a/><b/>', 'malformed-message', 'two roots'],
  ['', 'malformed-message', 'nothing'],
  ['text', 'malformed-message', 'text alone'],
  ['<a x="1" x="2"/>', 'malformed-message', 'an attribute twice'],
  ['<p:a/>', 'malformed-message', 'an unbound prefix'],
  ['<a>&undefined;</a>', 'malformed-message', 'an unknown entity'],
  ['<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>', 'malformed-message', 'a document type'],
  ['<a><?php?></a>', 'malformed-message', 'a processing instruction'],
  ['<a><b><c/></b></a>', 'none', 'at the depth limit'],
  ['<a><b><c><d/></c></b></a>', 'too-big', 'one too deep'],
  ['<a><b/><b/><b/><b/></a>', 'none', 'at the element limit'],
  ['<a><b/><b/><b/><b/><b/></a>', 'too-big', 'one element too many'],
  ['<a x="1" y="2"/>', 'none', 'at the attribute limit'],
  ['<a x="1" y="2" z="3"/>', 'too-big', 'one attribute too many'],
  ['<a x="1" y="2"><b x="1" y="2"/><c x="1"/></a>', 'none', 'at the limit of attributes of all elements'],
  ['<a x="1" y="2"><b x="1" y="2"/><c x="1" y="2"/></a>', 'too-big', 'one attribute of all elements too many'],
  ['<a xmlns:p="u"><b xmlns:q="u"/><c xmlns:r="u"/></a>', 'none', 'at the limit of declarations in scopes'],
  ['<a xmlns:p="u"><b xmlns:q="u"/><c xmlns:r="u" xmlns:s="u"/></a>', 'too-big', 'one declaration in scopes too many'],
] as const;
for (const [text, tag, why] of cases) test(`${why}: ${tag}`, () => assert.is(tagOf(text, small), tag));

test('names, namespaces, text and attributes', () => {
  const root = parseXml('<a xmlns="urn:a" xmlns:b="urn:b"><b:c b:d="1" e="2">x<![CDATA[<&]]>y</b:c>\n</a>');
  const child = childElement(root, 'c', 'urn:b');
  assert.is(root.namespace, 'urn:a');
  assert.is(child?.text, 'x<&y');
  assert.equal(
    child?.attributes.map(({ name, namespace, value }) => [name, namespace, value]),
    [
      ['d', 'urn:b', '1'],
      ['e', '', '2'],
    ],
  );
  assert.equal({ ...child?.prefixes }, { '': 'urn:a', b: 'urn:b' });
});

test('what is written reads back the same', () => {
  const text = '<a xmlns="urn:a" xmlns:b="urn:b"><b:c b:d="&lt;&quot;&#10;">&amp;&lt;&gt;</b:c><d xmlns=""/></a>';
  const once = serializeXml(parseXml(text));
  assert.is(once, text);
  assert.is(serializeXml(parseXml(once)), once);
});

test('a prefix taken from above is declared at the top of a part', () => {
  const root = parseXml('<a xmlns:b="urn:b"><b:c/></a>');
  const child = root.children[0];
  assert.ok(child);
  assert.is(serializeXml(child), '<b:c xmlns:b="urn:b"/>');
});

test('escapes', () => {
  assert.is(escapeText('a<b>&\r'), 'a&lt;b&gt;&amp;&#13;');
  assert.is(escapeAttribute('"\n\t'), '&quot;&#10;&#9;');
});

test.run();
