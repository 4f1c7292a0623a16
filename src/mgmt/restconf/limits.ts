/** The limits of the RESTCONF face that are fixed; those that an operator may set stand in restconf-limits.ts. */

export const LIMITS = {
  /** Octets of a request's path and query; above it 414. */
  urlOctets: 8 * 1024,
  /** Octets of names and values of all header fields; above it 431. */
  headerOctets: 32 * 1024,
  /** Octets the parser of HTTP/1.1 takes, request line included, so that what is too long still gets its right answer. */
  parsedOctets: 128 * 1024,
  /**
   * The same of HTTP/2, with 32 octets more for each field (RFC 9113 §6.5.2), and how many fields; the library ends a connection all the
   * same for one field of more than 64 KiB, and for more than eight frames of fields.
   */
  parsedListOctets: 512 * 1024,
  parsedFields: 8 * 1024,
  /** Octets of a request body; above it 413. */
  bodyOctets: 256 * 1024 * 1024,
  /**
   * Octets of a YANG Patch, which is read whole before its edits are made, and of a message of a route source; above it 413. Plain
   * PATCH and PUT are for more, and an advertisement may come in parts.
   */
  patchOctets: 16 * 1024 * 1024,
  /** From this length on, binding entries of a body are read as rows. */
  bulkOctets: 16 * 1024,
  /** Levels of objects and arrays in a JSON body. */
  jsonDepth: 100,
  /** Streams of one HTTP/2 connection at the same time. */
  streams: 32,
  /** Time for the TLS handshake, and for a whole header over HTTP/1.1. */
  headerMs: 10_000,
  /** Event streams at the same time, in all and of one user. */
  eventStreams: 64,
  eventStreamsPerUser: 16,
  /** Time between two comments on an event stream, shorter than a connection may be silent. */
  keepAliveMs: 30_000,
  /**
   * Silence after which the system asks whether a client is still there. It takes ten seconds for it, and must be done before the next
   * comment: it does not ask while something is on its way.
   */
  probeMs: 18_000,
  /** Time a client may leave an answer or events unread before it is cut off. */
  unreadMs: 60_000,
  /** Octets of events that a client may leave unread; what is told of its subscription waits for nobody. */
  unreadOctets: 1024 * 1024,
  /** Characters gathered before they are handed to the connection. */
  chunkCharacters: 16 * 1024,
} as const;
