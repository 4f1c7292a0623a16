/** The IPv6 addresses of an AFTR's name, from the name servers that DHCPv6 told with it, else from those of the system. */

import { Resolver } from 'node:dns/promises';
import { parseIpv6 } from '../../address.ts';

const TIMEOUT_MS = 2_000;
const TRIES = 2;

export interface NameAnswer {
  readonly addresses: readonly Uint8Array[];
  /** How long they may be used for, the shortest of all. */
  readonly ttlSeconds: number;
}

/** Asks for AAAA. @throws Error with the sentence of the resolver */
export type LookUpName = (name: string, servers: readonly string[]) => Promise<NameAnswer>;

export const lookUpName: LookUpName = async (name, servers) => {
  const resolver = new Resolver({ timeout: TIMEOUT_MS, tries: TRIES });
  if (servers.length > 0) resolver.setServers(servers.map((server) => (server.includes(':') ? `[${server}]` : server)));
  const records = await resolver.resolve6(name, { ttl: true });
  const addresses = records.flatMap(({ address }) => parseIpv6(address) ?? []);
  return { addresses, ttlSeconds: Math.min(...records.map(({ ttl }) => ttl)) };
};
