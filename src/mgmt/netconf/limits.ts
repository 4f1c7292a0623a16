/** The limits of the NETCONF face. A client that passes one is told so where the protocol can say it, else dropped. */

export type NetconfLimits = { readonly [Name in keyof typeof NETCONF_LIMITS]: number };

export const NETCONF_LIMITS = {
  /** Octets of one message of a client, framing not counted. */
  messageOctets: 256 * 1024 * 1024,
  /** Octets of a client's hello. */
  helloOctets: 64 * 1024,
  /** From the start of a session to the end of the client's hello, in milliseconds. */
  helloMs: 30_000,
  /** Messages of one session that may wait while one is carried out; reading stops above. */
  waiting: 32,
  /** Octets of those messages. */
  waitingOctets: 1024 * 1024,
  /** How long a client may leave an answer unread before it is dropped, in milliseconds. */
  unreadMs: 60_000,
  /** Sessions in all, of one user, from one source. */
  sessions: 256,
  sessionsPerUser: 64,
  sessionsPerSource: 128,
  /** A session without a request for so long is ended, in milliseconds. */
  idleMs: 3_600_000,
  /** SSH connections that are not authenticated yet, in all and from one source. */
  unauthenticated: 64,
  unauthenticatedPerSource: 16,
  /** From a connection to its authentication, in milliseconds. */
  loginMs: 30_000,
  /** Attempts on one connection; each key that a client offers is one. */
  attempts: 6,
  /** From the authentication, and from the end of the last session, until a session is asked for, in milliseconds. */
  channelMs: 30_000,
} as const;
