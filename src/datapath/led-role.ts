/** Which role of a host with both the kernel leads a packet to, by the routes and rules of src/kernel/plan.ts. */

import type { EngineMemory, Role } from './engine.ts';
import { Lookups } from './lookups.ts';
import { Softwires } from './softwires.ts';
import { TableReader } from './table.ts';
import * as ipv4 from './wire/ipv4.ts';
import { IPV6_DESTINATION, IPV6_HEADER_LEN } from './wire/ipv6.ts';

/**
 * The role for `packet`, octets from its IP header on; nothing when the kernel leads it to none. The main table comes first:
 * there tunnel addresses lead to the role that has them, and pools to the AFTR. What is left leads to the gateway by its
 * IPv4 source.
 */
export function ledRole(packet: Uint8Array, memoryOf: (role: Role) => EngineMemory | undefined): Role | undefined {
  const [aftr, gateway] = [memoryOf('aftr'), memoryOf('gateway')];
  const version = (packet[0] ?? 0) >> 4;
  if (version === 6 && packet.length >= IPV6_HEADER_LEN) {
    const words = new Int32Array(packet.slice(IPV6_DESTINATION, IPV6_HEADER_LEN).buffer);
    return [aftr, gateway].find((memory) => memory && new Softwires(memory.softwires).byLocal(words, 0) !== 0)?.role;
  }
  if (version !== 4 || packet.length < ipv4.IPV4_HEADER_LEN) return undefined;
  if (aftr && new Softwires(aftr.softwires).poolSoftwire(ipv4.destination(packet, 0)) !== 0) return 'aftr';
  if (!gateway) return undefined;
  const lookups = new Lookups('gateway', new TableReader(gateway.table), new Softwires(gateway.softwires));
  return [ipv4.destination(packet, 0), ipv4.source(packet, 0)].some((address) => lookups.rowOf(address) !== 0)
    ? 'gateway'
    : undefined;
}
