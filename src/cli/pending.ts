/** The confirmed commit that is pending, as the device tells of it. */

import type { ReplyNode } from './client.ts';
import { nodesAt, textOf } from './client.ts';

export interface PendingCommit {
  readonly user: string;
  /** 0 when its session is over. */
  readonly session: number;
  readonly persistent: boolean;
  readonly deadline: string;
  readonly baseVersion: string;
}

/** Of the state of our model; undefined when none is pending. */
export function pendingIn(state: ReplyNode): PendingCommit | undefined {
  const [pending] = nodesAt(state, 'confirmed-commit');
  if (!pending || textOf(pending, 'deadline') === '') return undefined;
  return {
    user: textOf(pending, 'user'),
    session: Number(textOf(pending, 'session-id') || 0),
    persistent: textOf(pending, 'persistent') === 'true',
    deadline: textOf(pending, 'deadline'),
    baseVersion: textOf(pending, 'base-version'),
  };
}

/** What becomes of running. */
export function fate({ deadline, baseVersion }: PendingCommit): string {
  return `Unless it is confirmed until ${deadline}, running returns to version ${baseVersion}.`;
}
