/** Locks of datastores (RFC 6241 §7.5) and of parts of running (RFC 5717): who holds which, and who is refused. */

import type { DataNode } from './data.ts';
import { ManagementError } from './errors.ts';
import type { PartialLock } from './partial-locks.ts';
import { lockDenied, PartialLocks } from './partial-locks.ts';
import type { Caller, DatastoreName } from './request.ts';

export interface LockOwner {
  readonly session: number;
  readonly since: Date;
}

export class Locks {
  readonly partial = new PartialLocks();
  readonly #owners = new Map<DatastoreName, LockOwner>();

  owner(datastore: DatastoreName): LockOwner | undefined {
    return this.#owners.get(datastore);
  }

  /** @throws ManagementError lock-denied with the session that holds it, the caller's own included */
  take(caller: Caller, datastore: DatastoreName): void {
    const owner = this.#owners.get(datastore);
    if (owner) throw held(datastore, owner);
    if (datastore === 'running') this.partial.requireNone();
    this.#owners.set(datastore, { session: caller.session, since: new Date() });
  }

  /** @throws ManagementError lock-denied while running is locked, by whomever; as `PartialLocks.take` */
  takePart(caller: Caller, select: readonly string[], nodes: readonly DataNode[]): PartialLock {
    const owner = this.#owners.get('running');
    if (owner) throw held('running', owner);
    return this.partial.take(caller, select, nodes);
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

  /** Drops all locks of a session that ended; of which datastores they were. */
  releaseAll(session: number): DatastoreName[] {
    this.partial.releaseAll(session);
    const held = [...this.#owners].filter(([, owner]) => owner.session === session).map(([datastore]) => datastore);
    for (const datastore of held) this.#owners.delete(datastore);
    return held;
  }

  /** @throws ManagementError as `refusal` */
  requireFree(caller: Caller, datastore: DatastoreName): void {
    const refusal = this.refusal(caller, datastore);
    if (refusal) throw refusal;
  }

  /** What a change by the caller is refused with: in-use when another session holds the lock. */
  refusal(caller: Caller, datastore: DatastoreName): ManagementError | undefined {
    const owner = this.#owners.get(datastore);
    const isOwn = owner && caller.session !== 0 && owner.session === caller.session;
    if (!owner || isOwn) return undefined;
    return new ManagementError('in-use', {
      type: 'protocol',
      message: `session ${owner.session} holds the lock of ${datastore}`,
    });
  }
}

function held(datastore: DatastoreName, { session }: LockOwner): ManagementError {
  return lockDenied(datastore, session, `session ${session} holds the lock of ${datastore}`);
}
