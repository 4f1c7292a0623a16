/** Datastore locks (RFC 6241 §7.5): who holds which, and who is refused. */

import { ManagementError } from './errors.ts';
import type { Caller, DatastoreName } from './request.ts';

export interface LockOwner {
  readonly session: number;
  readonly since: Date;
}

export class Locks {
  readonly #owners = new Map<DatastoreName, LockOwner>();

  owner(datastore: DatastoreName): LockOwner | undefined {
    return this.#owners.get(datastore);
  }

  /** @throws ManagementError lock-denied with the session that holds it, the caller's own included */
  take(caller: Caller, datastore: DatastoreName): void {
    const owner = this.#owners.get(datastore);
    if (owner) throw lockDenied(datastore, owner.session, `session ${owner.session} holds the lock of ${datastore}`);
    this.#owners.set(datastore, { session: caller.session, since: new Date() });
  }

  /** @throws ManagementError operation-failed when the caller's session does not hold the lock */
  release(caller: Caller, datastore: DatastoreName): void {
    const owner = this.#owners.get(datastore);
    if (owner?.session !== caller.session) {
      const holder = owner ? `session ${owner.session} holds it` : 'nobody holds it';
      const message = `session ${caller.session} does not hold the lock of ${datastore}: ${holder}`;
      throw new ManagementError('operation-failed', { type: 'protocol', message });
    }
    this.#owners.delete(datastore);
  }

  /** Drops all locks of a session that ended; which they were. */
  releaseAll(session: number): DatastoreName[] {
    const held = [...this.#owners].filter(([, owner]) => owner.session === session).map(([datastore]) => datastore);
    for (const datastore of held) this.#owners.delete(datastore);
    return held;
  }

  /** @throws ManagementError in-use when another session holds the lock */
  requireFree(caller: Caller, datastore: DatastoreName): void {
    const owner = this.#owners.get(datastore);
    const isOwn = owner && caller.session !== 0 && owner.session === caller.session;
    if (!owner || isOwn) return;
    throw new ManagementError('in-use', {
      type: 'protocol',
      message: `session ${owner.session} holds the lock of ${datastore}`,
    });
  }
}

/** The refusal of a lock; session 0 when no NETCONF session is the reason. */
export function lockDenied(datastore: DatastoreName, session: number, reason: string): ManagementError {
  const message = `the lock of ${datastore} is denied: ${reason}`;
  return new ManagementError('lock-denied', { type: 'protocol', message, info: { 'session-id': String(session) } });
}
