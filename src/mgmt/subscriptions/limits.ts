/** Every limit of subscriptions, in one place; docs/limits.md tells them. */

export const LIMITS = {
  /** Subscriptions of one NETCONF session, or of one user over RESTCONF. */
  ofOwner: 32,
  /** Subscriptions at the same time. */
  inAll: 256,
  /** Characters of a filter. */
  filterCharacters: 32 * 1024,
  /** The shortest period, in hundredths of a second. */
  periodCs: 100,
  /** For each so many bindings that an update may hold, one such period more. */
  bindingsPerPeriod: 10_000,
  /** Rows of binding tables that one change update tells; above, the whole selection is sent. */
  changedRows: 10_000,
  /** Changes that changed back which one change update tells; above, it tells the difference alone. */
  churnEdits: 1_000,
  /** Commits that a dampening period keeps before it looks at what they changed. */
  keptCommits: 32,
  /** How long a subscription over RESTCONF waits for the GET of its events, in milliseconds. */
  waitMs: 60_000,
} as const;
