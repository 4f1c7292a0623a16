/** Which role of a host with both the kernel leads an IPv4 packet to, by the routes and rules of src/kernel/plan.ts. */

import type { EngineMemory, Role } from './engine.ts';
import { Lookups } from './lookups.ts';
import { Softwires } from './softwires.ts';
import { TableReader } from './table.ts';
import * as ipv4 from './wire/ipv4.ts';

const IPV4_HEADER_LEN = 20;

/**
 * The role for `packet`, octets from its IP header on; nothing when it is no IPv4 packet or the kernel leads it to none. The
 * main table comes first: there pools lead to the AFTR. What is left leads to the gateway by its source.
 */
export function ledRole(packet: Uint8Array, memoryOf: (role: Role) => EngineMemory | undefined): Role | undefined {
  if (packet.length < IPV4_HEADER_LEN || (packet[0] ?? 0) >> 4 !== 4) return undefined;
  const [aftr, gateway] = [memoryOf('aftr'), memoryOf('gateway')];
  if (aftr && new Softwires(aftr.softwires).poolSoftwire(ipv4.destination(packet, 0)) !== 0) return 'aftr';
  if (!gateway) return undefined;
  const lookups = new Lookups(new TableReader(gateway.table), new Softwires(gateway.softwires));
  return [ipv4.destination(packet, 0), ipv4.source(packet, 0)].some((address) => lookups.rowOf(address) !== 0)
    ? 'gateway'
    : undefined;
}
