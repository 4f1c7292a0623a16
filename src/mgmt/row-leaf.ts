/** Leaves of a binding from the row itself: what is looked at of very many has no node made for it. */

import { formatIpv4Prefix, formatIpv6, parseIpv6 } from '../address.ts';
import type { Binding } from '../state/binding.generated.ts';
import type { SchemaNode } from '../state/schema.ts';

/** The canonical text of a leaf; undefined when the binding has none. */
export type LeafText = (binding: Binding) => string | undefined;

const TEXTS: Readonly<Record<string, LeafText>> = {
  'ipv4-prefix': ({ address, length }) => formatIpv4Prefix(address, length),
  'gateway-ipv6-address': ({ gatewayIpv6Address }) => formatIpv6(gatewayIpv6Address),
  'aftr-ipv6-address': ({ aftrIpv6Address }) => aftrIpv6Address && formatIpv6(aftrIpv6Address),
  description: ({ description }) => description,
};

/** How the leaf of a binding is read; undefined for a node that is not configured, or not of the row. */
export function leafText({ name, module, parent }: SchemaNode): LeafText | undefined {
  return parent?.rows && parent.module === module ? TEXTS[name] : undefined;
}

/** Whether the leaf has this canonical text: addresses are compared as octets. */
export function leafEquals(leaf: SchemaNode, text: string): ((binding: Binding) => boolean) | undefined {
  const read = leafText(leaf);
  const octets = leaf.name.endsWith('-ipv6-address') ? parseIpv6(text) : undefined;
  if (!read || !octets) return read && ((binding) => read(binding) === text);
  const isGateway = leaf.name === 'gateway-ipv6-address';
  return ({ gatewayIpv6Address, aftrIpv6Address }) => {
    const address = isGateway ? gatewayIpv6Address : aftrIpv6Address;
    return address !== undefined && Buffer.compare(address, octets) === 0;
  };
}
