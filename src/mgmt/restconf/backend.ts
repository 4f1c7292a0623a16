/** What the RESTCONF face needs of the operations; tests give it a small one in memory. */

import type { Operations } from '../operations.ts';

export type RestconfOperations = Pick<
  Operations,
  | 'schema'
  | 'check'
  | 'read'
  | 'row'
  | 'moment'
  | 'edit'
  | 'authorizeOperation'
  | 'moduleText'
  | 'action'
  | 'subscribe'
  | 'subscriptions'
>;
