/** Which port set answers for a port of a shared address: in the small tree, as it is or was. */

import { formatIpv4, formatIpv4Prefix } from '../address.ts';
import type { DataNode } from '../state/data.ts';
import { ManagementError } from '../state/errors.ts';
import { psidOf } from '../state/psid.ts';
import type { Rights } from './access.ts';
import { mayReach } from './discretion.ts';

/**
 * The leaves of the answer that may be read; undefined when the address is not shared or nobody has the port. `port` is 0 to 65,535.
 * @throws ManagementError missing-element for a shared address without a port
 */
export function lookUpPortSet(
  tree: DataNode,
  instance: string,
  { address, port }: { readonly address: number; readonly port: number | undefined },
  rights: Rights,
): Readonly<Record<string, string | undefined>> | undefined {
  const shared = sharedAddress(tree, instance, formatIpv4(address));
  if (!shared || !mayReach(rights, shared)) return undefined;
  if (port === undefined) {
    const message = `${formatIpv4(address)} is shared by port sets: lookup needs a port to say whose`;
    throw new ManagementError('missing-element', { message, info: { 'bad-element': 'port' } });
  }
  const offset = shared.leaf('psid-offset') ?? shared.schema.child('psid-offset')?.defaults[0];
  const psid = `${psidOf(port, Number(offset), Number(shared.leaf('psid-length')))}`;
  const portSet = shared.entries('port-set').find((entry) => entry.leaf('psid') === psid);
  if (!portSet || !mayReach(rights, portSet)) return undefined;
  const leaf = (name: string) => {
    const node = portSet.child(name);
    return node && !rights.isHidden(node) ? node.value : undefined;
  };
  return {
    'ipv4-prefix': formatIpv4Prefix(address, 32),
    'gateway-ipv6-address': leaf('b4-ipv6-address'),
    psid,
    'aftr-ipv6-address': leaf('aftr-ipv6-address'),
    origin: 'static',
  };
}

function sharedAddress(tree: DataNode, instance: string, address: string): DataNode | undefined {
  const aftrs = tree.child('softwire', 'gi-4over6')?.entries('aftr') ?? [];
  const table = aftrs.find((aftr) => aftr.leaf('name') === instance)?.child('binding-table');
  return table?.entries('shared-address').find((entry) => entry.leaf('ipv4-address') === address);
}
