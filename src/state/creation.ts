/**
 * The first state of a store. It is made in a folder beside and moved into place when it is whole and synced, so that there
 * is either no store or a good one, whatever happens meanwhile.
 */

import { renameSync, rmSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { writeFirst } from './commit.ts';
import { makeWritable, openEnvironment } from './environment.ts';
import { generationDir, generations, STORE_FILE } from './generations.ts';
import { syncPath } from './sync.ts';

/** Makes a store in `dir` unless there is one. @throws Error with code STORE_ACCESS, what `first` gives, or of the system */
export async function createStore(dir: string, bootId: string, first: () => unknown): Promise<void> {
  // A file without an octet is none: what makes a store moves a whole one into place.
  if (generations(dir).some((at) => statSync(join(generationDir(dir, at), STORE_FILE)).size > 0)) return;
  makeWritable(dir);
  const beside = `${dir}.new`;
  rmSync(beside, { recursive: true, force: true });
  const environment = openEnvironment(beside, 'create');
  try {
    writeFirst(environment, first(), bootId);
  } finally {
    await environment.root.close();
  }
  syncPath(join(beside, STORE_FILE));
  renameSync(join(beside, STORE_FILE), join(dir, STORE_FILE));
  for (const folder of [dir, dirname(dir)]) syncPath(folder);
  rmSync(beside, { recursive: true, force: true });
}
