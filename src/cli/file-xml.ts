/** The content of a configuration file, XML or RFC 7951 JSON, as the XML of an edit. */

import { SaxesParser } from 'saxes';
import type { NetconfClient } from './client.ts';
import { BASE_NAMESPACE } from './client.ts';
import { escapeXml } from './xml-text.ts';

/** With a prefix of its own, which no file will have. */
const REPLACE = ` xmlns:gi4over6-edit="${BASE_NAMESPACE}" gi4over6-edit:operation="replace"`;

/**
 * The top-level nodes of an XML document: its root, or what stands in a root `config` or `data` of NETCONF.
 * @throws Error with line and column when it is not well-formed
 */
export function editFromXml(text: string, replace: boolean): string {
  const parser = new SaxesParser({ xmlns: true });
  const open: { namespace: string; isEnvelope: boolean }[] = [];
  let xml = '';
  let isStarted = false;
  /** Declarations of the envelope, on which prefixes inside may rest. */
  let outerPrefixes: Readonly<Record<string, string>> = {};
  parser.on('error', (error) => {
    throw error;
  });
  const endStart = () => {
    if (isStarted) xml += '>';
    isStarted = false;
  };
  parser.on('opentag', ({ local, uri, attributes, ns }) => {
    endStart();
    const outer = open[open.length - 1];
    const isEnvelope = !outer && uri === BASE_NAMESPACE && (local === 'config' || local === 'data');
    open.push({ namespace: isEnvelope ? '' : uri, isEnvelope });
    if (isEnvelope) {
      outerPrefixes = ns;
      return;
    }
    const isTop = !outer || outer.isEnvelope;
    xml += `<${local}${uri === (outer?.namespace ?? '') && !isTop ? '' : ` xmlns="${escapeXml(uri)}"`}`;
    for (const [prefix, namespace] of Object.entries(isTop ? { ...outerPrefixes, ...ns } : ns)) {
      if (prefix !== '') xml += ` xmlns:${prefix}="${escapeXml(namespace)}"`;
    }
    for (const { prefix, local: name, value } of Object.values(attributes)) {
      if (prefix !== 'xmlns' && name !== 'xmlns')
        xml += ` ${prefix === '' ? '' : `${prefix}:`}${name}="${escapeXml(value)}"`;
    }
    if (isTop && replace) xml += REPLACE;
    isStarted = true;
  });
  const onText = (piece: string) => {
    if (open.length === 0 || open[open.length - 1]?.isEnvelope) return;
    endStart();
    xml += escapeXml(piece);
  };
  parser.on('text', onText);
  parser.on('cdata', onText);
  parser.on('closetag', ({ local }) => {
    endStart();
    if (!open.pop()?.isEnvelope) xml += `</${local}>`;
  });
  parser.write(text).close();
  return xml;
}

/**
 * The members of an RFC 7951 JSON object.
 * @throws Error when the text is no JSON object, or a name at the top has no module
 */
export async function editFromJson(client: NetconfClient, text: string, replace: boolean): Promise<string> {
  const data: unknown = JSON.parse(text.replace(/^\ufeff/, ''));
  if (!isObject(data)) throw new Error('expected one JSON object, for example {"gi-4over6:softwire": {...}}');
  const namespaces = await client.namespaces();
  // Values may name modules (identities, paths); the names become prefixes.
  const prefixes = [...namespaces].map(([name, namespace]) => ` xmlns:${name}="${escapeXml(namespace)}"`).join('');
  let xml = '';
  for (const [name, value] of Object.entries(data)) {
    if (!name.includes(':')) throw new Error(`expected a module name before '${name}', as in gi-4over6:softwire`);
    xml += memberXml(name, value, namespaces, prefixes + (replace ? REPLACE : ''));
  }
  return xml;
}

function memberXml(name: string, value: unknown, namespaces: ReadonlyMap<string, string>, attributes: string): string {
  if (Array.isArray(value) && !(value.length === 1 && value[0] === null)) {
    return value.map((item) => memberXml(name, item, namespaces, attributes)).join('');
  }
  const [module, local] = name.includes(':') ? name.split(':', 2) : [undefined, name];
  if (!local || !/^[A-Za-z_][\w.-]*$/.test(local)) throw new Error(`expected a name, found '${name}'`);
  const namespace = module === undefined ? undefined : namespaces.get(module);
  if (module !== undefined && namespace === undefined) throw new Error(`the device has no YANG module ${module}`);
  const start = `<${local}${namespace === undefined ? '' : ` xmlns="${escapeXml(namespace)}"`}${attributes}>`;
  return `${start}${insideXml(value, namespaces)}</${local}>`;
}

function insideXml(value: unknown, namespaces: ReadonlyMap<string, string>): string {
  if (Array.isArray(value) || value === null) return '';
  if (!isObject(value)) return escapeXml(String(value));
  return Object.entries(value)
    .filter(([name]) => !name.startsWith('@'))
    .map(([name, inside]) => memberXml(name, inside, namespaces, ''))
    .join('');
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
