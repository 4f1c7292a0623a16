/** What the model asks of route sources beyond types: names, tunnel addresses and certificates are each of one source. */

import { formatIpv6 } from '../../address.ts';
import type { Aftr } from '../model.generated.ts';
import type { FaultSink } from '../shared-address-rules.ts';

/** Tells the sink of each fault; `pathOf` is the path of an AFTR. */
export function checkRouteSources(
  aftrs: readonly Aftr[],
  pathOf: (aftr: Aftr) => string,
  sink: Pick<FaultSink, 'fault' | 'farEnd'>,
): void {
  const names = new Map<string, string>();
  const certificates = new Map<string, string>();
  for (const aftr of aftrs) {
    const addresses = new Map<string, string>();
    for (const { name, gatewayIpv6Address, certificateFingerprint } of aftr.routeSource) {
      const path = `${pathOf(aftr)}/route-source[name='${name}']`;
      const other = names.get(name);
      if (other !== undefined) {
        const message = `${name} is the name of a route source of AFTR ${other} already: a client is known by it`;
        sink.fault(path, 'duplicate-route-source', message);
      }
      names.set(name, aftr.name);
      const fingerprint = certificateFingerprint?.toLowerCase();
      const holder = fingerprint === undefined ? undefined : certificates.get(fingerprint);
      if (holder !== undefined) {
        const message = `that is the certificate of route source ${holder} already: a client is known by it`;
        sink.fault(`${path}/certificate-fingerprint`, 'duplicate-route-source', message);
      }
      if (fingerprint !== undefined) certificates.set(fingerprint, name);
      const address = formatIpv6(gatewayIpv6Address);
      const owner = addresses.get(address);
      if (owner !== undefined) {
        const message = `${address} is the tunnel address of route source ${owner} already`;
        sink.fault(`${path}/gateway-ipv6-address`, 'duplicate-route-source', message);
      }
      addresses.set(address, name);
      sink.farEnd(`${path}/gateway-ipv6-address`, gatewayIpv6Address);
    }
  }
}
