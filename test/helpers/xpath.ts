/** Documents for tests of XPath: from a whole tree, its rows handed out as a table would, and libxml2 as the twin. */

import { spawnSync } from 'node:child_process';
import { parseIpv4Prefix } from '../../src/address.ts';
import type { XmlElement } from '../../src/mgmt/xml.ts';
import { escapeAttribute, escapeText } from '../../src/mgmt/xml.ts';
import type { Value } from '../../src/mgmt/xpath/conversions.ts';
import { isNodeSet } from '../../src/mgmt/xpath/conversions.ts';
import type { SourceRow, XPathNode, XPathSource } from '../../src/mgmt/xpath/document.ts';
import { XPathDocument } from '../../src/mgmt/xpath/document.ts';
import { Evaluation } from '../../src/mgmt/xpath/evaluation.ts';
import { nodesOf } from '../../src/mgmt/xpath/node-set.ts';
import { parseExpression } from '../../src/mgmt/xpath/parser.ts';
import { canonicalBy } from '../../src/mgmt/xpath/selection.ts';
import type { DataNode } from '../../src/state/data.ts';
import { prefixNumber } from '../../src/state/rows.ts';
import { plainCheck } from './state.ts';

export const NAMESPACES: Readonly<Record<string, string>> = { p: 'urn:gi-4over6', q: 'urn:gi-4over6', x: 'urn:other' };

/** An element `filter` with these attributes, the prefixes of NAMESPACES declared. */
export function filterElement(attributes: Readonly<Record<string, string>>): XmlElement {
  return {
    name: 'filter',
    namespace: '',
    prefix: '',
    prefixes: NAMESPACES,
    children: [],
    text: '',
    attributes: Object.entries(attributes).map(([name, value]) => ({ name, value, namespace: '', prefix: '' })),
  };
}

/** What was read of tables. */
export interface Reads {
  rows: number;
  keys: string[];
}

/** A whole tree as a source: entries of binding tables are its rows. `mayRead` hides the rest. */
export function sourceOf(
  root: DataNode,
  reads: Reads = { rows: 0, keys: [] },
  mayRead = (_: DataNode) => true,
): XPathSource {
  const known = new Map<DataNode, readonly SourceRow[]>();
  const rowsOf = (table: DataNode) => {
    const rows = known.get(table) ?? sortedRows(table).filter(({ entry }) => mayRead(entry));
    known.set(table, rows);
    return rows;
  };
  return {
    root,
    children: (node) => node.children().filter((child) => !child.schema.rows && mayRead(child)),
    *rows(table, from) {
      for (const row of rowsOf(table)) {
        if (row.number < from) continue;
        reads.rows++;
        yield row;
      }
    },
    row: (table, key) => {
      reads.keys.push(key);
      return rowsOf(table).find(({ entry }) => entry.leaf('ipv4-prefix') === key);
    },
  };
}

function sortedRows(table: DataNode): SourceRow[] {
  return table
    .children()
    .filter(({ schema }) => schema.rows)
    .map((entry) => {
      const { address, length } = parseIpv4Prefix(entry.leaf('ipv4-prefix') ?? '') ?? { address: 0, length: 0 };
      return { number: prefixNumber(address, length), entry };
    })
    .sort((a, b) => a.number - b.number);
}

export function evaluate(source: XPathSource, text: string, work?: number, pieceMs?: number): Value {
  const expression = parseExpression(text, (prefix) => NAMESPACES[prefix]);
  return new Evaluation(new XPathDocument(source, work, pieceMs), canonicalBy(plainCheck, NAMESPACES)).evaluate(
    expression,
  );
}

/** Instance paths of the selected nodes in order, the root left out as libxml2's binding does; the text of other values. */
export function result(source: XPathSource, text: string): readonly string[] | Value {
  const value = evaluate(source, text);
  if (!isNodeSet(value)) return value;
  return [...nodesOf(value)].filter(({ kind }) => kind !== 'root').map(placeOf);
}

export function placeOf({ data, kind }: XPathNode): string {
  return kind === 'text' ? `${data.path}/text()` : data.path;
}

/** The tree as XML; each element has its instance path in the attribute `i`. Rows stand last, as in replies. */
export function markedXml(node: DataNode, outer = ''): string {
  const { schema } = node;
  const namespace = schema.namespace === outer ? '' : ` xmlns="${escapeAttribute(schema.namespace)}"`;
  const open = `<${schema.name}${namespace} i="${escapeAttribute(node.path)}">`;
  const rows = sortedRows(node).map(({ entry }) => entry);
  const others = node.children().filter((child) => !child.schema.rows);
  const inside = schema.isLeaf
    ? escapeText(node.value)
    : [...others, ...rows].map((child) => markedXml(child, schema.namespace)).join('');
  return `${open}${inside}</${schema.name}>`;
}

export interface TwinDocument {
  readonly xml: string;
  readonly expressions: readonly string[];
}

export type TwinResult =
  | { readonly nodes: readonly string[] }
  | { readonly value: string }
  | { readonly error: string };

/** What libxml2 finds. Debian's python3 has its binding, with ncclient; another python3 may stand first in PATH. */
export function libxml2(documents: readonly TwinDocument[]): readonly (readonly TwinResult[])[] {
  const input = JSON.stringify(documents.map((document) => ({ ...document, namespaces: NAMESPACES })));
  const child = spawnSync('/usr/bin/python3', ['test/helpers/xpath-twin.py'], { input, maxBuffer: 256 * 1024 * 1024 });
  if (child.status !== 0) throw new Error(`xpath-twin.py: ${child.stderr}`);
  return JSON.parse(child.stdout.toString()) as TwinResult[][];
}
