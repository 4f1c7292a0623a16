/**
 * The limits of the RESTCONF face that an operator may set; those that are fixed stand in mgmt/restconf/limits.ts. A source is an IPv4
 * address, or the /64 of an IPv6 address: whoever has one of these has all of it.
 * `gi4over6 run --restconf-limit NAME=VALUE` sets one; NAME is the one here with hyphens (`idle-ms`).
 */

import type { Limit } from './limit-settings.ts';
import { LONGEST_MS, limitSettings } from './limit-settings.ts';

const MEBI = 1024 * 1024;

export const RESTCONF_LIMIT_TABLE = {
  connections: { standard: 256, range: [2, 10_000], what: 'connections' },
  connectionsPerSource: { standard: 128, range: [1, 10_000], what: 'connections from one source' },
  unauthenticated: {
    standard: 128,
    range: [2, 10_000],
    what: 'connections without a request by a user yet, TLS handshake or not',
  },
  unauthenticatedPerSource: { standard: 32, range: [1, 10_000], what: 'the same from one source' },
  firstRequestMs: {
    standard: 10_000,
    range: [10, LONGEST_MS],
    what: 'from a connection to the end of the header of its first request, TLS handshake included',
  },
  loginMs: { standard: 60_000, range: [10, LONGEST_MS], what: 'from a connection to its first request by a user' },
  requestMs: { standard: 60_000, range: [10, LONGEST_MS], what: 'for a whole request with its body' },
  idleMs: { standard: 120_000, range: [10, LONGEST_MS], what: 'that a connection may be without a request' },
  heldOctets: {
    standard: 1024 * MEBI,
    range: [MEBI, Number.MAX_SAFE_INTEGER],
    what: 'octets of memory that the bodies of all requests may take until these are answered, about',
  },
  heldOctetsPerSource: {
    standard: 768 * MEBI,
    range: [MEBI, Number.MAX_SAFE_INTEGER],
    what: 'the same of one source',
  },
  heldOctetsPerConnection: {
    standard: 512 * MEBI,
    range: [MEBI, Number.MAX_SAFE_INTEGER],
    what: 'the same of one connection',
  },
} as const satisfies Readonly<Record<string, Limit>>;

export type RestconfLimits = Readonly<Record<keyof typeof RESTCONF_LIMIT_TABLE, number>>;

export const RESTCONF_SETTINGS = limitSettings('--restconf-limit', RESTCONF_LIMIT_TABLE);

/** Those that hold where nothing else was said. */
export const RESTCONF_LIMITS: RestconfLimits = RESTCONF_SETTINGS.standard;
