/** What the model asks of BGP beyond types: a speaker that is whole, and no neighbor that is not there or cannot be. */

import { formatIpv6, isUnusableIpv6 } from '../../address.ts';
import type { Softwire } from '../model.generated.ts';
import type { FaultSink } from '../shared-address-rules.ts';

const ROOT = '/gi-4over6:softwire/bgp';

/** Tells the sink of each fault. */
export function checkBgp({ bgp, gateway, aftr }: Softwire, sink: Pick<FaultSink, 'fault'>): void {
  if (bgp.neighbor.length > 0) {
    const missing = [bgp.localAs === undefined && 'local-as', bgp.routerId === undefined && 'router-id'].filter(
      Boolean,
    );
    const message = `expected ${missing.join(' and ')} of this device beside a neighbor`;
    if (missing.length > 0) sink.fault(ROOT, 'incomplete-bgp', message);
    if (bgp.routerId === 0)
      sink.fault(`${ROOT}/router-id`, 'incomplete-bgp', 'expected a router-id other than 0.0.0.0');
  }
  for (const { address } of bgp.neighbor) {
    if (!isUnusableIpv6(address)) continue;
    const text = formatIpv6(address);
    const message = `${text} cannot be a neighbor: expected a unicast address that is not link-local`;
    sink.fault(`${ROOT}/neighbor[address='${text}']`, 'unusable-bgp-neighbor', message);
  }
  const known = new Set(bgp.neighbor.map(({ address }) => formatIpv6(address)));
  const check = (path: string, named: readonly Uint8Array[]) => {
    for (const address of named.map((octets) => formatIpv6(octets))) {
      const message = `expected the address of a neighbor of ${ROOT}, found ${address}`;
      if (!known.has(address)) sink.fault(`${path}/bgp-neighbor[.='${address}']`, 'unknown-bgp-neighbor', message);
    }
  };
  for (const { name, routeAdvertisement } of gateway) {
    check(`/gi-4over6:softwire/gateway[name='${name}']/route-advertisement`, routeAdvertisement.bgpNeighbor);
  }
  for (const { name, routeSource } of aftr) {
    for (const source of routeSource) {
      check(`/gi-4over6:softwire/aftr[name='${name}']/route-source[name='${source.name}']`, source.bgpNeighbor);
    }
  }
}
