/**
 * The limits of the NETCONF face. A client that passes one is told so where the protocol can say it, else its session ends.
 * `gi4over6 run --netconf-limit NAME=VALUE` sets one; NAME is the one here with hyphens (`hello-octets`).
 */

import type { Limit } from './limit-settings.ts';
import { LONGEST_MS, limitSettings } from './limit-settings.ts';

const MEBI = 1024 * 1024;
/** The largest chunk there can be (RFC 6242 §4.2). */
const LARGEST_CHUNK = 2 ** 32 - 1;

export const LIMITS = {
  helloOctets: { standard: 64 * 1024, range: [256, 16 * MEBI], what: "octets of a client's hello" },
  helloMs: {
    standard: 30_000,
    range: [10, LONGEST_MS],
    what: "from the start of a session to the end of the client's hello",
  },
  messageOctets: {
    standard: 256 * MEBI,
    range: [1024, LARGEST_CHUNK],
    what: 'octets of a message, framing not counted',
  },
  heldOctets: {
    standard: 1024 * MEBI,
    range: [1024 * 1024, Number.MAX_SAFE_INTEGER],
    what: 'octets of memory that the messages of all sessions may take until they are carried out, about',
  },
  chunkOctets: { standard: 256 * MEBI, range: [64, LARGEST_CHUNK], what: 'octets of a chunk' },
  depth: { standard: 100, range: [20, 400], what: 'levels of elements in a message' },
  elements: {
    standard: 4_000_000,
    range: [1_000, 100_000_000],
    what: 'elements in a message, plain entries of binding tables not counted',
  },
  attributes: {
    standard: 100,
    range: [10, 10_000],
    what: 'attributes of an element, namespace declarations included',
  },
  operationCharacters: {
    standard: MEBI,
    range: [1024, 16 * MEBI],
    what: 'characters of an operation without its config and filter',
  },
  waiting: {
    standard: 32,
    range: [1, 10_000],
    what: 'messages of a session that wait while one is carried out; above, reading stops',
  },
  waitingOctets: { standard: MEBI, range: [1024, LARGEST_CHUNK], what: 'octets of those messages' },
  unreadMs: {
    standard: 60_000,
    range: [10, LONGEST_MS],
    what: 'how long a client may leave an answer or a notification unread',
  },
  sessions: { standard: 256, range: [1, 10_000], what: 'sessions over the network' },
  sessionsPerUser: { standard: 64, range: [1, 10_000], what: 'sessions of one user; of the local socket' },
  sessionsPerSource: { standard: 128, range: [1, 10_000], what: 'sessions from one address' },
  idleMs: {
    standard: 3_600_000,
    range: [10, LONGEST_MS],
    what: 'how long a session without a subscription may be without a whole request',
  },
  unauthenticated: { standard: 64, range: [1, 10_000], what: 'SSH and TLS connections that are not authenticated yet' },
  unauthenticatedPerSource: { standard: 16, range: [1, 10_000], what: 'the same from one address' },
  loginMs: { standard: 30_000, range: [10, LONGEST_MS], what: 'from an SSH or TLS connection to its authentication' },
  attempts: {
    standard: 6,
    range: [1, 100],
    what: 'attempts to authenticate on one connection; each key that a client offers is one',
  },
  channelMs: {
    standard: 30_000,
    range: [10, LONGEST_MS],
    what: 'from the authentication, and from the end of the last session, until a session is asked for',
  },
} as const satisfies Readonly<Record<string, Limit>>;

export type LimitName = keyof typeof LIMITS;
export type NetconfLimits = Readonly<Record<LimitName, number>>;

export const NETCONF_SETTINGS = limitSettings('--netconf-limit', LIMITS);

/** Those that hold where nothing else was said. */
export const NETCONF_LIMITS: NetconfLimits = NETCONF_SETTINGS.standard;
