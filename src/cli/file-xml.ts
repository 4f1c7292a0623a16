/** A configuration file in XML as the edits it means. */

import { SaxesParser } from 'saxes';
import { BASE_NAMESPACE } from './client.ts';
import { EditWriter } from './edit-writer.ts';
import { escapeXml } from './xml-text.ts';

/** With a prefix of its own, which no file will have. */
export const REPLACE = ` xmlns:gi4over6-edit="${BASE_NAMESPACE}" gi4over6-edit:operation="replace"`;
const RESTCONF_NAMESPACE = 'urn:ietf:params:xml:ns:yang:ietf-restconf';

interface OpenTag {
  readonly namespace: string;
  readonly isEnvelope: boolean;
}

/**
 * The top-level nodes of an XML document: its root, or what stands in a root `config` or `data` of NETCONF or `data` of RESTCONF,
 * cut into several edits or as one in pieces.
 * @throws Error with line and column when it is not well-formed, or one that names the encoding when it is not UTF-8
 */
export async function* editsFromXml(
  pieces: AsyncIterable<string>,
  replace: boolean,
  isCut: boolean,
): AsyncGenerator<string> {
  const writer = new EditWriter(isCut);
  const parser = new SaxesParser({ xmlns: true });
  const open: OpenTag[] = [];
  /** Declarations of the envelope, on which prefixes inside may rest. */
  let outerPrefixes: Readonly<Record<string, string>> = {};
  parser.on('error', (error) => {
    throw error;
  });
  parser.on('xmldecl', ({ encoding = 'UTF-8' }) => {
    if (!/^(utf-?8|us-ascii)$/i.test(encoding)) {
      throw new Error(`its XML declaration says ${encoding}: expected UTF-8: save the file in it, and say so there`);
    }
  });
  parser.on('opentag', ({ local, uri, attributes, ns }) => {
    const outer = open.at(-1);
    const isEnvelope = !outer && isEnvelopeName(local, uri);
    open.push({ namespace: isEnvelope ? '' : uri, isEnvelope });
    if (isEnvelope) {
      outerPrefixes = ns;
      return;
    }
    const isTop = !outer || outer.isEnvelope;
    let declarations = uri === (outer?.namespace ?? '') && !isTop ? '' : ` xmlns="${escapeXml(uri)}"`;
    for (const [prefix, namespace] of Object.entries(isTop ? { ...outerPrefixes, ...ns } : ns)) {
      if (prefix !== '') declarations += ` xmlns:${prefix}="${escapeXml(namespace)}"`;
    }
    let others = '';
    for (const { prefix, local: name, value } of Object.values(attributes)) {
      if (prefix === 'xmlns' || name === 'xmlns') continue;
      others += ` ${prefix === '' ? '' : `${prefix}:`}${name}="${escapeXml(value)}"`;
    }
    writer.open(local, declarations, isTop && replace ? others + REPLACE : others);
  });
  const onText = (piece: string) => {
    if (open.length > 0 && !open.at(-1)?.isEnvelope) writer.text(piece);
  };
  parser.on('text', onText);
  parser.on('cdata', onText);
  parser.on('closetag', () => {
    if (!open.pop()?.isEnvelope) writer.close();
  });
  for await (const piece of pieces) {
    parser.write(piece);
    yield* writer.take();
  }
  parser.close();
  yield* writer.take(true);
}

function isEnvelopeName(name: string, namespace: string): boolean {
  if (namespace === RESTCONF_NAMESPACE) return name === 'data';
  return namespace === BASE_NAMESPACE && (name === 'config' || name === 'data');
}
