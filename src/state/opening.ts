/** What is done once when the store is opened: the first configuration of a new one, and files that are no more of it. */

import { keepRowParents } from './content.ts';
import type { DatastoreOptions } from './datastores.ts';
import type { Environment } from './environment.ts';
import { ManagementError } from './errors.ts';
import { generationOf, keepGeneration } from './generations.ts';
import { treeToJson } from './json.ts';

/** Files that are no more the store: once what is the store was read. */
export function removeOthers({ dir, tell }: Pick<DatastoreOptions, 'dir' | 'tell'>, environment: Environment): void {
  try {
    keepGeneration(dir, generationOf(dir, environment.dir));
  } catch (error) {
    tell?.(`files in ${dir} that are no more the store could not be removed`, error);
  }
}

/** @throws ManagementError when the first configuration is not valid */
export function firstTree({ initial, validate }: Pick<DatastoreOptions, 'initial' | 'validate'>): unknown {
  const tree = initial();
  keepRowParents(tree);
  const [first, ...others] = validate(tree);
  if (first) throw new ManagementError(first.tag, first, others);
  return treeToJson(tree);
}
