/** What is logged of the offloads of a TUN device. */

import type { Log } from '../../log.ts';

/** Tells which the kernel has taken; `udp` where it hands UDP over in super-packets, too, as Linux does from 6.2 on. */
export function tellOffloads(log: Log, device: string, udp: boolean): void {
  if (udp) log.info({ device }, 'with offloads: TCP and UDP come in super-packets');
  else log.warn({ device }, 'with offloads of TCP alone: super-packets of UDP need Linux 6.2');
}
