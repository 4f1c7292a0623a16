/**
 * Values that cross the border between the faces and the datastores: who asks, what is edited, what a commit changes.
 */

import type { Binding } from './binding.generated.ts';
import type { DataNode, Operation } from './data.ts';
import type { ManagementError } from './errors.ts';
import type { SchemaNode } from './schema.ts';
import type { Secrecy, Write } from './secrecy.ts';

export type DatastoreName = 'running' | 'candidate' | 'startup';

/** Who asks. `session` is the NETCONF session-id; 0 for RESTCONF. */
export interface Caller {
  readonly user: string;
  readonly session: number;
  /** `local` is NETCONF on the local socket. */
  readonly face: 'netconf' | 'local' | 'restconf' | 'system';
  /** Address of the client; absent where there is none. */
  readonly source?: string | undefined;
  /** Whether `user` is the name of a route source, which is no user. */
  readonly isRouteSource?: boolean;
}

/**
 * Type check and canonical form of one leaf value. `prefixes` maps XML prefixes to namespaces ('' is the default one);
 * without it the text is RFC 7951 (module names as prefixes).
 */
export type ValueCheck = (
  schema: SchemaNode,
  text: string,
  prefixes?: Readonly<Record<string, string>>,
) => { readonly value: string; readonly type: string } | { readonly message: string; readonly appTag?: string };

/** Validation of a whole small tree (no rows in it): every fault found, none when it is valid. */
export type TreeValidation = (tree: DataNode) => readonly ManagementError[];

/** May this caller do that to this data node? `undefined` allows everything. Asked once a node with its effective operation. */
export interface Authorize {
  (node: DataNode, operation: Write): boolean;
  /** What the caller may not read; undefined when that is nothing. */
  readonly secrecy?: Secrecy | undefined;
  /** The same question, where a no denies nothing; without it `secrecy` or the question itself says so. */
  readonly holds?: ((node: DataNode, operation: Write) => boolean) | undefined;
  /**
   * Whether the rules permit each node of a schema that could be below `above`, whatever its keys, with all below it, so that none needs
   * to be asked about; without it each is.
   */
  readonly writesEvery?: ((schema: SchemaNode, above: DataNode, write: Write) => boolean) | undefined;
  /** The keys of entries of a list, below `above`, that the rules tell from all others; undefined, or absent, where that is not known. */
  readonly ruledKeys?: ((list: SchemaNode, above: DataNode) => readonly string[] | undefined) | undefined;
}

/** One edit of one datastore: `tree` is a root whose nodes may carry operations and, below rows lists, entries. */
export interface EditRequest {
  readonly target: 'running' | 'candidate';
  /** Several are made one after the other, all or none; each is asked for when the one before it is made. */
  readonly tree: DataNode | Iterable<DataNode>;
  readonly defaultOperation: Extract<Operation, 'merge' | 'replace' | 'none'>;
  /** Where it is absent, running is tested and the candidate when it is committed or validated (RFC 7950 §8.3.3). */
  readonly testOption?: 'test-then-set' | 'set' | 'test-only' | undefined;
  /** What the user says about it, for the record of a commit; of an edit of the candidate nothing is kept. */
  readonly comment?: string | undefined;
  /**
   * Asked when the edit's turn has come, before it: no commit comes between. Throws to refuse; what comes back throws for conditions that
   * count only where neither rights nor locks refuse the edit, and is called more than once.
   */
  readonly precondition?: () => Promise<(() => void) | undefined>;
}

/** A state of running: the number of the commit that made it, and when. */
export interface Edition {
  readonly version: number;
  readonly time: Date;
}

export interface RowChange {
  /** Name of the AFTR whose table it is. */
  readonly instance: string;
  readonly before: Binding | undefined;
  readonly after: Binding | undefined;
}

/** One that is read from the store when it is asked for. */
export interface StoredChange extends RowChange {
  /** Of its prefix. */
  readonly number: number;
  readonly sealedBefore: Uint8Array | undefined;
  readonly sealedAfter: Uint8Array | undefined;
}

/** The small trees of two datastores, and the rows that differ, table by table in key order. */
export interface Compared {
  readonly from: DataNode;
  readonly to: DataNode;
  readonly rows: () => Iterable<RowChange>;
}

/** What a commit is about to do. Rows come table by table in key order; `rowCounts` are the table sizes after it, by instance name. */
export interface Change {
  /** The version the commit will have. */
  readonly version: number;
  readonly before: DataNode;
  readonly after: DataNode;
  readonly treeChanged: boolean;
  readonly rows: Iterable<RowChange>;
  /** Those of one table. */
  readonly rowsOf: (instance: string) => Iterable<StoredChange>;
  /** How many rows each table that changes gets, changes and loses. */
  readonly tallies: ReadonlyMap<string, Tally>;
  readonly rowCounts: ReadonlyMap<string, number>;
  /** Rows of all tables before it, operational ones too. */
  readonly storedRows: number;
  readonly caller: Caller;
  /** Whether startup becomes what running is then. */
  readonly savesStartup: boolean;
  /** What was running before returns: nobody can refuse that. */
  readonly isReturn: boolean;
}

/**
 * Whoever has a say in a commit. `prepare` may refuse (throws ManagementError) and changes nothing; what it returns is
 * called after the commit is durable, with its version and the content hash of that, and may not fail. Of commits that are made in
 * one transaction all are durable then.
 */
export interface Participant {
  prepare(change: Change): Promise<(version: number, contentHash: string) => Promise<void>>;
}

/** How many rows a commit brings, changes and takes. */
export interface Tally {
  readonly added: number;
  readonly changed: number;
  readonly removed: number;
}

/** What was committed; told to every listener after it is durable and applied. */
export interface Commit extends Edition, Tally {
  readonly caller: Caller;
  readonly comment: string | undefined;
  readonly treeChanged: boolean;
  /** Milliseconds in the queue behind other work, until it was judged, until it was durable, until the participants applied it. */
  readonly waitMs: number;
  readonly judgeMs: number;
  readonly writeMs: number;
  readonly applyMs: number;
}
