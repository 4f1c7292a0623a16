/** What datastores are opened with. */

import type { CommitterOptions } from './committer.ts';
import type { Tell } from './compaction.ts';
import type { DataNode } from './data.ts';

export interface DatastoreOptions extends CommitterOptions {
  readonly dir: string;
  /** Changes with each boot of the kernel; running returns to startup when it has. */
  readonly bootId: string;
  /** The first configuration of a store that is created, without rows. */
  readonly initial: () => DataNode;
  /** Called once there is a store and before anything is written to one that was there. */
  readonly onOpen?: () => void;
  /** Asked before each change that a client wants. @throws ManagementError when none is taken now */
  readonly mayChange?: () => void;
  /** Told of what failed and stops nothing. */
  readonly tell?: Tell;
  /** How long a reader holds a snapshot before he goes on from another, in milliseconds. */
  readonly holdMs?: number;
}
