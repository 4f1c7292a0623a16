/** What the rules of the model find in a configuration. */

import * as assert from 'uvu/assert';
import { ManagementError } from '../../src/state/errors.ts';
import { OPERATOR, request, withDatastores } from './state.ts';

type Json = Readonly<Record<string, unknown>>;

/** `app-tag path` of each fault of the configuration, committed to an empty store after `before`; none when it is taken. */
export async function faults(edit: Json, before?: Json): Promise<string[]> {
  let found: string[] = [];
  await withDatastores(async (datastores) => {
    if (before) await datastores.edit(OPERATOR, request(before));
    const { version, contentHash } = datastores.head();
    try {
      await datastores.edit(OPERATOR, request(edit, { defaultOperation: before ? 'replace' : 'merge' }));
    } catch (error) {
      if (!(error instanceof ManagementError)) throw error;
      found = error.faults.map(({ appTag, path }) => `${appTag} ${path?.replace('/gi-4over6:softwire/', '')}`);
      assert.equal([datastores.head().version, datastores.head().contentHash], [version, contentHash]);
    }
  });
  return found;
}
