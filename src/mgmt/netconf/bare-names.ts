/**
 * Elements of a request that came in no namespace. Clients write some so: ncclient takes `config` and `filter` either way, and Ansible's
 * netconf_rpc has no namespace unless it is told one. No module has names without namespace, so that such an element can mean
 * only one of what it stands in, as libyang reads it too; a prefix or another namespace is what it says.
 */

import type { XmlElement } from '../xml.ts';

type IsContent = (element: XmlElement) => boolean;

/** The operation with every such element, outside of contents, in the namespace of the one around it; itself where there is none. */
export function inNamespaces(operation: XmlElement, rpc: XmlElement, isContent: IsContent): XmlElement {
  return namedIn(operation, rpc, rpc, isContent);
}

/** `parent` is what the element came in, `around` the same as it is named now. */
function namedIn(element: XmlElement, parent: XmlElement, around: XmlElement, isContent: IsContent): XmlElement {
  const named = element.namespace === '' ? inNamespaceOf(element, parent, around) : element;
  if (isContent(named)) return named;
  let isSame = named === element;
  const children = element.children.map((child) => {
    const result = namedIn(child, element, named, isContent);
    isSame &&= result === child;
    return result;
  });
  return isSame ? element : { ...named, children };
}

/** What is declared around contents still is: the prefix that the name needs comes besides, once for all that are in one scope. */
function inNamespaceOf(element: XmlElement, parent: XmlElement, around: XmlElement): XmlElement {
  const { namespace, prefix } = around;
  const { prefixes } = element;
  if (prefixes[prefix] === namespace) return { ...element, namespace, prefix };
  const scope = prefixes === parent.prefixes ? around.prefixes : { ...prefixes, [prefix]: namespace };
  return { ...element, namespace, prefix, prefixes: scope };
}
