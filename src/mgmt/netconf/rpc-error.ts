/** ManagementError to rpc-error: the one place of the NETCONF face that knows the form (RFC 6241 §4.3, appendix B). */

import { damageRefusal } from '../../state/damage.ts';
import { ManagementError } from '../../state/errors.ts';
import type { Schema } from '../../state/schema.ts';
import { structureXml } from '../error-structure.ts';
import { prefixedPath } from '../prefixed-path.ts';
import { shortened, shownPath } from '../shortened.ts';
import { escapeText } from '../xml.ts';
import { NETCONF_NAMESPACE } from '../xml-data.ts';

const YANG_NAMESPACE = 'urn:ietf:params:xml:ns:yang:1';

/** Every fault of the error as rpc-error elements, children in the order of the schema. */
export function renderErrors(error: unknown, schema: Schema): string {
  const fault = error instanceof ManagementError ? error : (damageRefusal(error) ?? ownMistake());
  return fault.faults.map((item) => renderOne(item, schema)).join('');
}

/** A mistake of ours: the client learns that, the log has the stack. */
function ownMistake(): ManagementError {
  return new ManagementError('operation-failed', { message: 'the server failed while it carried out the operation' });
}

function renderOne(fault: ManagementError, schema: Schema): string {
  const { type, tag, appTag, message, info, structure } = fault;
  const path = shownPath(fault.path);
  const infos = Object.entries(info).flatMap(([name, value]) =>
    [value].flat().map((text) => renderInfo(name, text, schema)),
  );
  if (structure) infos.push(structureXml(structure, schema));
  return (
    `<rpc-error xmlns="${NETCONF_NAMESPACE}">` +
    element('error-type', type) +
    element('error-tag', tag) +
    element('error-severity', 'error') +
    (appTag === undefined ? '' : element('error-app-tag', appTag)) +
    (path === undefined ? '' : renderPath('error-path', path, schema)) +
    `<error-message xml:lang="en">${escapeText(shortened(message))}</error-message>` +
    (infos.length === 0 ? '' : `<error-info>${infos.join('')}</error-info>`) +
    '</rpc-error>'
  );
}

/** Those of RFC 7950 §15.1 and §15.6 have the namespace of YANG. */
function renderInfo(name: string, text: string, schema: Schema): string {
  const inYang = `${name} xmlns="${YANG_NAMESPACE}"`;
  if (name === 'non-unique') return renderPath(name, shortened(text), schema, inYang);
  return `<${name === 'missing-choice' ? inYang : name}>${escapeText(shortened(text))}</${name}>`;
}

function element(name: string, text: string): string {
  return `<${name}>${escapeText(text)}</${name}>`;
}

function renderPath(name: string, path: string, schema: Schema, head = name): string {
  const { text, declarations } = prefixedPath(path, schema);
  return `<${head}${declarations}>${escapeText(text)}</${name}>`;
}
