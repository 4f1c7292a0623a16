/** Drafts of the datastores as they are: what an edit works on, what a copy takes, and what it is compared with. */

import type { Candidate } from './candidate.ts';
import type { DataNode } from './data.ts';
import type { DatastoreOptions } from './datastore-options.ts';
import type { Draft } from './draft.ts';
import { copyDraft, editDraft, emptyDraft, rowChanges } from './draft.ts';
import { ManagementError } from './errors.ts';
import { treeToJson } from './json.ts';
import type { DatastoreName } from './request.ts';
import type { RowSource } from './rows.ts';
import type { RunningStore } from './running-store.ts';
import type { Snapshot } from './snapshot.ts';
import { startupDraft, startupDraftInSlices } from './startup.ts';

export class Sources {
  readonly #options: Pick<DatastoreOptions, 'schema' | 'startup'>;
  readonly #store: RunningStore;
  readonly #candidate: Candidate;

  constructor(options: Pick<DatastoreOptions, 'schema' | 'startup'>, store: RunningStore, candidate: Candidate) {
    this.#options = options;
    this.#store = store;
    this.#candidate = candidate;
  }

  /** A draft that work may change: a copy, or a new one that is running. */
  draft(draft?: Draft): Draft {
    return draft ? copyDraft(draft, this.#store.tree) : emptyDraft(this.#store.tree);
  }

  /** Undefined for a draft that is running after all. */
  async unlessEmpty(draft: Draft, base: RowSource): Promise<Draft | undefined> {
    draft.treeTouched &&= this.#store.differs(treeToJson(draft.tree));
    // Whether very many rows come to nothing is not worth looking at each edit: a commit finds out.
    if (draft.overlay.size > COMPARED_ROWS) return draft;
    return draft.treeTouched || (await rowChanges(draft, base)).size > 0 ? draft : undefined;
  }

  /** What a datastore is, or running when it becomes a whole configuration. @throws ManagementError as `startup` */
  async of(source: DatastoreName | DataNode, base: Snapshot): Promise<Draft> {
    if (source === 'startup') {
      this.requireStartup();
      const { schema } = this.#options;
      return (await startupDraftInSlices(schema, base, this.#store.tree)) ?? this.draft();
    }
    const draft = this.draft(source === 'candidate' ? this.#candidate.draft : undefined);
    if (typeof source !== 'string') await editDraft(draft, base, source, 'replace');
    return draft;
  }

  /** Undefined while startup is running. @throws ManagementError operation-not-supported when there is no startup */
  startup(snapshot: Snapshot): Draft | undefined {
    this.requireStartup();
    return startupDraft(this.#options.schema, snapshot, this.#store.tree);
  }

  /** @throws ManagementError operation-not-supported */
  requireStartup(): void {
    if (this.#options.startup) return;
    const message = 'this device has no startup datastore: running is kept over a restart';
    throw new ManagementError('operation-not-supported', { type: 'protocol', message });
  }
}

/** An overlay of more rows counts as a change without being compared. */
const COMPARED_ROWS = 10_000;
