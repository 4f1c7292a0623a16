/**
 * What others hold when a change comes, in the order in which it refuses one: locks of whole datastores, a confirmed commit that is
 * pending, locks of parts. It is asked after the rights, so that who may not make a change does not learn of them, and before
 * conditions, which count for nothing where the answer is a refusal anyhow (RFC 9110 §13.2.1), and validation.
 */

import type { Confirmation } from './confirmed.ts';
import type { Draft } from './draft.ts';
import { rowChanges } from './draft.ts';
import { ManagementError } from './errors.ts';
import type { Locks } from './locks.ts';
import type { Caller, DatastoreName } from './request.ts';
import type { RowSource } from './rows.ts';
import type { RunningStore } from './running-store.ts';

export class Contention {
  readonly #locks: Locks;
  readonly #store: RunningStore;
  readonly #confirmation: Confirmation;
  readonly #isRunningWritable: boolean;

  constructor(locks: Locks, store: RunningStore, confirmation: Confirmation, isRunningWritable: boolean) {
    this.#locks = locks;
    this.#store = store;
    this.#confirmation = confirmation;
    this.#isRunningWritable = isRunningWritable;
  }

  /**
   * RESTCONF may change no datastore that a NETCONF session has locked (RFC 8040 §1.4), and a change of running is one of the
   * candidate too, which follows it, and of startup, which is saved. The refusal is in-use; undefined when there is none.
   */
  lockRefusal(caller: Caller, target: DatastoreName): ManagementError | undefined {
    const refusal = this.#locks.refusal(caller, target);
    if (refusal || caller.face !== 'restconf') return refusal;
    return (
      this.#locks.refusal(caller, 'candidate') ??
      (target === 'running' ? this.#locks.refusal(caller, 'startup') : undefined)
    );
  }

  /** Whether parts that others have locked have to be looked at. */
  hasParts(caller: Caller): boolean {
    return this.#locks.partial.concern(caller);
  }

  /** Of a change of running that is no commit of the candidate. @throws ManagementError in-use */
  async requireFree(caller: Caller, draft: Draft, base: RowSource): Promise<void> {
    this.#confirmation.afterEdit(caller);
    await this.requirePartsFree(caller, draft, base);
  }

  /** @throws ManagementError in-use for a node that differs from running and that another session has locked */
  async requirePartsFree(caller: Caller, draft: Draft, base: RowSource): Promise<void> {
    if (!this.hasParts(caller)) return;
    const rows = await rowChanges(draft, base);
    this.#locks.partial.requireFree(caller, {
      before: this.#store.tree,
      after: draft.tree,
      treeChanged: draft.treeTouched,
      tallies: rows.tallies,
      rowsOf: (instance) => rows.of(instance),
    });
  }

  /**
   * Whether a change of running by this caller is one of the candidate that is committed at once.
   * @throws ManagementError operation-not-supported for NETCONF where clients do not write running (RFC 6241 §8.2)
   */
  isByCandidate({ face }: Caller): boolean {
    if (this.#isRunningWritable) return false;
    if (face === 'restconf') return true;
    const message = 'running is not written here: edit the candidate, then commit it';
    throw new ManagementError('operation-not-supported', { type: 'protocol', message });
  }
}
