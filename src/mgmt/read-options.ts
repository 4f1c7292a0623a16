/** What a read asks for, and what its caller may see. */

import type { DataNode } from '../state/data.ts';
import type { SchemaNode } from '../state/schema.ts';
import type { EntryLists } from './entry-list.ts';
import type { OriginOptions } from './origin.ts';
import type { TableRights } from './row-rights.ts';
import type { AnySelection } from './selection.ts';

export type WithDefaults = 'report-all' | 'report-all-tagged' | 'trim' | 'explicit';
export type Content = 'all' | 'config' | 'nonconfig';

export interface ReadOptions {
  readonly selection?: AnySelection | undefined;
  readonly content: Content;
  readonly withDefaults: WithDefaults;
  /** RFC 8040 §4.8.2; unbounded when undefined. */
  readonly depth?: number | undefined;
  /** RFC 8526 §3.1.1, max-depth: levels from each node that is selected; unbounded when undefined. */
  readonly maxDepth?: number | undefined;
  /** Of operational state data (RFC 8342 §5.3.4). */
  readonly origins?: OriginOptions | undefined;
  /** Whether the caller may read all nodes. */
  readonly readsAll: boolean;
  /** Whether the caller may read this node; ancestors were asked before. */
  readonly mayRead: (node: DataNode) => boolean;
  /** Lists below nodes of the source that are not part of it. */
  readonly lists?: EntryLists | undefined;
  /** Whether he may read none of a list, whatever its entries: then it is not read, or the time that takes would tell its size. */
  readonly readsNone?: ((list: SchemaNode, above: DataNode) => boolean) | undefined;
  /** What he sees of the rows of a table that he may read, where more is known of that than from `mayRead`. */
  readonly ofRows?: ((table: DataNode, list: SchemaNode) => TableRights) | undefined;
}
