/** C++ programs of the benches, built when they are first needed; g++ is there by tools/setup.sh. */

import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';

const SOURCES = join(import.meta.dirname, '../../../tools/bench');

let dir: string | undefined;
const built = new Map<string, string>();

type Program =
  | 'load/load-generator'
  | 'offloads/c-engine'
  | 'offloads/udp-probe'
  | 'rfc8219/frame-tester'
  | 'rfc8219/tun-copy';

/** Path of a program, removed at the end of this process. @throws Error when g++ cannot build it */
export function nativeProgram(name: Program): string {
  const there = built.get(name);
  if (there !== undefined) return there;
  dir ??= newDirectory();
  const file = join(dir, basename(name));
  execFileSync('g++', ['-std=c++17', '-O2', '-pthread', '-o', file, join(SOURCES, `${name}.cc`)], { stdio: 'inherit' });
  built.set(name, file);
  return file;
}

function newDirectory(): string {
  const made = mkdtempSync(join(tmpdir(), 'gi4over6-bench-'));
  process.once('exit', () => rmSync(made, { recursive: true, force: true }));
  return made;
}
