/** The preload shim of disk-shim.cc: built once a process, and the environment that puts it under a child. */

import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const SOURCE = 'test/helpers/disk-shim.cc';

/** What the shim is to do to a child about the files below `dir`. */
export interface DiskPlan {
  readonly dir: string;
  /** The file that gets a record of each call. */
  readonly log?: string;
  /** The call at which the child ends, the first being 1. */
  readonly dieAt?: number;
  /** How many octets it writes before it ends. */
  readonly dieOctets?: number;
}

let built: string | undefined;

/** Path of the shim. @throws Error when g++, which tools/setup.sh installs, cannot build it */
function shim(): string {
  if (built !== undefined) return built;
  const dir = mkdtempSync(join(tmpdir(), 'gi4over6-shim-'));
  process.once('exit', () => rmSync(dir, { recursive: true, force: true }));
  const file = join(dir, 'disk-shim.so');
  execFileSync('g++', ['-shared', '-fPIC', '-O1', '-o', file, SOURCE, '-ldl'], { stdio: 'inherit' });
  built = file;
  return file;
}

export function diskEnvironment({ dir, log, dieAt, dieOctets }: DiskPlan): Record<string, string> {
  return {
    LD_PRELOAD: shim(),
    GI4OVER6_DISK_DIR: dir,
    ...(log !== undefined && { GI4OVER6_DISK_LOG: log }),
    ...(dieAt !== undefined && { GI4OVER6_DIE_AT: `${dieAt}` }),
    ...(dieOctets !== undefined && { GI4OVER6_DIE_OCTETS: `${dieOctets}` }),
  };
}
