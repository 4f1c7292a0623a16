/**
 * Whole datastores that become something else: copy-config, delete-config and roll-back, and the rights to what differs then
 * (RFC 8341 §3.2.6, §3.2.8). All of it is done in a turn of the store's queue, `base` being the snapshot of that turn.
 */

import type { Candidate } from './candidate.ts';
import type { Committer } from './committer.ts';
import type { Contention } from './contention.ts';
import type { DataNode } from './data.ts';
import type { Draft } from './draft.ts';
import { authorizeDifference, deleteSoftwire, rowChanges } from './draft.ts';
import { ManagementError } from './errors.ts';
import { draftOfVersion } from './history.ts';
import { treeToJson } from './json.ts';
import type { Locks } from './locks.ts';
import { OverlaidRows, overlayBetween } from './overlay.ts';
import type { Authorize, Caller, DatastoreName } from './request.ts';
import { RowChanges } from './row-changes.ts';
import type { RunningStore } from './running-store.ts';
import type { Schema } from './schema.ts';
import { askReplacement, ofHidden } from './secrecy.ts';
import type { Snapshot } from './snapshot.ts';
import type { Sources } from './sources.ts';

interface Parts {
  readonly schema: Schema;
  readonly store: RunningStore;
  readonly locks: Locks;
  readonly contention: Contention;
  readonly committer: Committer;
  readonly candidate: Candidate;
  readonly sources: Sources;
}

export interface CopyRequest {
  /** A datastore, or a whole configuration with rows as entries. */
  readonly source: DatastoreName | DataNode;
  readonly target: DatastoreName;
  /** Changes the small tree of what is copied. */
  readonly reshape?: ((tree: DataNode) => void) | undefined;
}

export interface RollBackRequest {
  readonly version: number;
  readonly target: 'candidate' | 'running';
  readonly comment?: string | undefined;
}

export class Copies {
  readonly #parts: Parts;

  constructor(parts: Parts) {
    this.#parts = parts;
  }

  /** @throws ManagementError invalid-value for a target that is the source; what an edit that leads there would throw */
  async copy(base: Snapshot, caller: Caller, request: CopyRequest, authorize?: Authorize): Promise<void> {
    const { source, target, reshape } = request;
    const { store, locks, contention, committer, candidate, sources } = this.#parts;
    if (source === target) {
      const message = `source and target are both ${target}`;
      throw new ManagementError('invalid-value', { type: 'protocol', message });
    }
    if (target === 'startup') sources.requireStartup();
    if (target === 'running') contention.isByCandidate(caller);
    const setCandidate = candidate.begin();
    if (authorize && typeof source !== 'string') askReplacement(store.tree, source, authorize);
    const draft = await sources.of(source, base);
    if (reshape) {
      reshape(draft.tree);
      draft.treeTouched = true;
    }
    if (authorize) await this.#authorize(draft, target, base, authorize);
    locks.requireFree(caller, target);
    if (target === 'running') {
      await contention.requireFree(caller, draft, base);
      await committer.change(caller, draft, base);
    } else if (target === 'candidate') setCandidate(await sources.unlessEmpty(draft, base));
    else {
      const changes = await rowChanges(draft, base);
      await committer.judge(draft, base, changes);
      await store.write({ startup: { tree: treeToJson(draft.tree), rows: changes } });
    }
  }

  /** @throws ManagementError invalid-value for a version that is not on record; what an edit that leads there would throw */
  async rollBack(base: Snapshot, caller: Caller, request: RollBackRequest, authorize?: Authorize): Promise<void> {
    const { version, target, comment } = request;
    const { schema, store, contention, committer, candidate, sources } = this.#parts;
    const settles = target === 'running' && contention.isByCandidate(caller);
    const setCandidate = candidate.begin();
    const draft = await draftOfVersion(schema, base, store.tree, version);
    if (authorize) await this.#authorize(draft, target, base, authorize);
    const locked = contention.lockRefusal(caller, target);
    if (locked) throw locked;
    if (target === 'running') {
      await contention.requireFree(caller, draft, base);
      await committer.change(caller, draft, base, comment);
    } else setCandidate(await sources.unlessEmpty(draft, base));
    if (settles) candidate.settle();
  }

  /**
   * delete-config of startup: at the next boot the device begins without softwires, its users stay.
   * @throws ManagementError access-denied where softwires may be hidden that the user may not delete
   */
  async deleteStartup(base: Snapshot, caller: Caller, authorize?: Authorize): Promise<void> {
    const { store, locks, sources } = this.#parts;
    sources.requireStartup();
    const draft = sources.draft();
    deleteSoftwire(draft, authorize);
    locks.requireFree(caller, 'startup');
    await store.write({ startup: { tree: treeToJson(draft.tree), rows: await rowChanges(draft, base) } });
  }

  /**
   * Asks about what a copy changes in its target (RFC 8341 §3.2.6), which may differ from running. Of what the user may not read startup
   * may become what running has, since he could save running as well: that asks for no right to data, and tells nothing.
   */
  async #authorize(draft: Draft, target: DatastoreName, base: Snapshot, authorize: Authorize): Promise<void> {
    if (target !== 'startup' || !authorize.secrecy) return this.#authorizeChange(draft, target, base, authorize);
    await this.#authorizeChange(draft, 'startup', base, ofHidden(authorize, false));
    await this.#authorizeChange(draft, 'running', base, ofHidden(authorize, true));
  }

  async #authorizeChange(draft: Draft, target: DatastoreName, base: Snapshot, authorize: Authorize): Promise<void> {
    const before = await this.#parts.sources.of(target, base);
    const rows = new OverlaidRows(base, before.overlay);
    const overlay = overlayBetween(base, before.overlay, draft.overlay);
    const changes = await RowChanges.between(rows, overlay);
    await authorizeDifference({ ...draft, treeTouched: true }, before.tree, changes, authorize);
  }
}
