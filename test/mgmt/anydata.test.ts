/** Anydata that came in one encoding and goes out in the other stays inside its place. */

import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { writeJson } from '../../src/mgmt/restconf/json-writer.ts';
import { parseXml } from '../../src/mgmt/xml.ts';
import { elementText } from '../../src/mgmt/xml-data.ts';
import { DataNode } from '../../src/state/data.ts';
import { treeFromJson, treeToJson } from '../../src/state/json.ts';
import { schema } from '../helpers/state.ts';

const test = suite('anydata');

/** A configured filter with this text. */
function filters(text: string): DataNode {
  const node = (path: string, value?: string) => {
    const found = schema.find(`/ietf-subscribed-notifications:filters${path}`);
    if (!found) throw new Error(`the schema has no ${path}`);
    return new DataNode(found, value);
  };
  const entry = node('/stream-filter');
  entry.add(node('/stream-filter/name', 'f'));
  entry.add(node('/stream-filter/stream-subtree-filter', text));
  const root = new DataNode(schema.root);
  root.add(node('')).add(entry);
  return root;
}

const texts = [
  '',
  '<a xmlns="urn:a">&lt;</a>',
  '{"a:b":"</stream-subtree-filter><x/>"}',
  ' {"a:b":"&"}',
  '["<"]',
  '"<"',
  '{"a":1},"b":{"c":2}',
  '","x":"',
  'a &amp; b',
];
for (const text of texts) {
  test(`'${text}' in XML and in JSON, and kept`, () => {
    const root = filters(text);
    const [child] = root.children();
    assert.ok(child);
    const element = parseXml(elementText(child));
    assert.equal(
      element.children[0]?.children.map(({ name }) => name),
      ['name', 'stream-subtree-filter'],
    );
    const json = JSON.parse([...writeJson(root.children())].join(''));
    const [entry] = json['ietf-subscribed-notifications:filters']['stream-filter'];
    assert.equal(Object.keys(entry), ['name', 'stream-subtree-filter']);
    const kept = treeFromJson(schema, JSON.parse(JSON.stringify(treeToJson(root))));
    assert.is(elementText(kept.children()[0] ?? kept), elementText(child));
  });
}

test.run();
