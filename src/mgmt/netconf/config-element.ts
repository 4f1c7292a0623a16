/** The `config` around the data of edit-config, edit-data, copy-config and validate. */

import type { DataNode } from '../../state/data.ts';
import { ManagementError } from '../../state/errors.ts';
import type { Operations } from '../operations.ts';
import type { XmlElement } from '../xml.ts';
import { dataFromXml, NETCONF_NAMESPACE } from '../xml-data.ts';

/**
 * The data in `config`. An operation belongs to what is inside (RFC 6241 §7.2): whoever writes it here means something else than
 * what would happen. @throws ManagementError unknown-attribute, bad-element for text; those of the data
 */
export function configIn(
  { schema, check }: Operations,
  config: XmlElement,
  { edit }: { readonly edit: boolean },
): DataNode {
  const [attribute] = config.attributes;
  if (attribute) {
    const isOperation = attribute.namespace === NETCONF_NAMESPACE && attribute.name === 'operation';
    const hint = isOperation ? '; an operation belongs to an element in it' : '';
    throw new ManagementError('unknown-attribute', {
      type: 'protocol',
      message: `attribute ${attribute.name} of config is unknown${hint}`,
      info: { 'bad-attribute': attribute.name, 'bad-element': 'config' },
    });
  }
  const text = config.text.trim();
  if (text !== '') {
    throw new ManagementError('bad-element', {
      type: 'protocol',
      message: `config holds elements only, but text came: '${text.slice(0, 40)}'`,
      info: { 'bad-element': 'config' },
    });
  }
  return dataFromXml(schema, check, config.children, { edit });
}
