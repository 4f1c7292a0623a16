// needs: root
/** A store that the user of the program may not read: one line that says what to do. */

import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { verifyStore } from '../../src/maintenance/verify.ts';
import { markOpen, storeDir, storeFile } from '../../src/state/store-files.ts';

const test = suite('rights of a store');
const NOBODY = 65_534;

for (const [why, mode, folder] of [
  ['a file without rights', 0o000, 0o755],
  ['a folder without rights', 0o644, 0o000],
] as const) {
  test(why, () => {
    const stateDir = mkdtempSync(join(tmpdir(), 'gi4over6-rights-'));
    try {
      mkdirSync(storeDir(stateDir));
      writeFileSync(storeFile(stateDir), 'anything', { mode });
      markOpen(stateDir);
      chmodSync(join(stateDir, 'store-state.json'), 0o644);
      chmodSync(storeDir(stateDir), folder);
      chmodSync(stateDir, 0o755);
      process.seteuid?.(NOBODY);
      let thrown: unknown;
      try {
        verifyStore(undefined, { stateDir, atStart: true });
      } catch (error) {
        thrown = error;
      } finally {
        process.seteuid?.(0);
      }
      assert.is((thrown as NodeJS.ErrnoException).code, 'STORE_ACCESS');
      assert.match(
        (thrown as Error).message,
        /^\S+ cannot be read by user nobody \(EACCES: .*\): let that user read it, with all in it: chown -R nobody \S+; chmod /,
      );
    } finally {
      rmSync(stateDir, { recursive: true });
    }
  });
}

test.run();
