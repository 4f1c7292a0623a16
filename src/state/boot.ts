/** A boot of the kernel: running returns to startup when there is one. */

import { readPending } from './commit.ts';
import { SYSTEM } from './committer.ts';
import { withoutHolder } from './confirmed.ts';
import type { DatastoreOptions } from './datastores.ts';
import { emptyDraft, rowChanges } from './draft.ts';
import { storeError } from './environment.ts';
import { ManagementError } from './errors.ts';
import { treeToJson } from './json.ts';
import type { RunningStore } from './running-store.ts';
import type { Snapshot } from './snapshot.ts';
import { startupDraft } from './startup.ts';

type BootOptions = Pick<DatastoreOptions, 'schema' | 'startup' | 'bootId' | 'tell'>;

/**
 * A boot that a full disk does not take: without startup there was nothing to return to, and the next start tries again.
 * @throws Error with code DISK_FULL when running should have returned to startup
 */
export async function bootIfRoom(options: BootOptions, store: RunningStore): Promise<void> {
  const base = store.snapshot();
  try {
    await boot(options, store, base);
  } catch (cause) {
    if (!(cause instanceof ManagementError) || cause.tag !== 'resource-denied') throw cause;
    if (!options.startup) return options.tell?.('that the machine was booted could not be noted', cause);
    const message = `running cannot return to startup: ${cause.message}; make room, then start again`;
    throw storeError('DISK_FULL', message, cause);
  } finally {
    base.close();
  }
}

async function boot({ schema, startup, bootId }: BootOptions, store: RunningStore, base: Snapshot): Promise<void> {
  const draft = startup ? startupDraft(schema, base, store.tree) : undefined;
  const rows = await rowChanges(draft ?? emptyDraft(store.tree), base);
  const tree = draft && treeToJson(draft.tree);
  const isSame = !tree || (rows.size === 0 && !store.differs(tree));
  const pending = draft ? null : withoutHolder(readPending(base));
  if (isSame) await store.write({ bootId, pending });
  else {
    const commit = { caller: SYSTEM, tree, rows, hasStartup: true };
    await store.write({ bootId, pending, commit, startup: { tree } });
  }
  store.reload();
}
