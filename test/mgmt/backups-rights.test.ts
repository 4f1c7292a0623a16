// needs: root
/** Backups into a folder that the user of the program may not write. */

import { chmodSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { Backups } from '../../src/mgmt/backups.ts';
import { ManagementError } from '../../src/state/errors.ts';
import { withDatastores } from '../helpers/state.ts';

const test = suite('rights of backups');
const NOBODY = 65_534;

test('a folder of root: the refusal names it and says what to do, and nothing else fails', async () => {
  const stateDir = mkdtempSync(join(tmpdir(), 'gi4over6-backups-'));
  chmodSync(stateDir, 0o755);
  mkdirSync(join(stateDir, 'backups'), { mode: 0o500 });
  mkdirSync(join(stateDir, 'backups', '7.new'));
  try {
    await withDatastores(async (datastores) => {
      const configuration = () => datastores.runningTree;
      const verify = () => Promise.reject(new Error('there is no copy to be verified'));
      process.seteuid?.(NOBODY);
      try {
        const backups = new Backups({ stateDir, datastores, configuration, verify, log: pino({ level: 'silent' }) });
        const error = await backups.make().catch((thrown: unknown) => thrown);
        assert.instance(error, ManagementError);
        assert.is((error as ManagementError).tag, 'resource-denied');
        assert.match(
          (error as Error).message,
          /^no backup could be written to \S+\/backups \(EACCES: permission denied\): the folder must belong to the user/,
        );
        assert.equal(backups.list(), []);
      } finally {
        process.seteuid?.(0);
      }
    });
  } finally {
    rmSync(stateDir, { recursive: true });
  }
});

test.run();
