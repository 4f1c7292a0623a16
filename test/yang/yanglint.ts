/** Runs yanglint, libyang's own tool: what it says of our modules and of documents. */

import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { YangModule } from '../../src/mgmt/yang-modules.ts';
import { WORKING_FEATURES, YANG_SEARCH_DIRS, yangModules } from '../../src/mgmt/yang-modules.ts';

export interface LintResult {
  readonly accepted: boolean;
  /** What it printed as result. */
  readonly output: string;
  /** Errors and warnings. */
  readonly complaints: string;
}

/** The module of RFC 6470 as published: the `when` of its confirmed commit looks one node too high. Nothing of ours. */
const KNOWN_COMPLAINT =
  /^libyang warn: Schema node "confirm-event" .*"\/ietf-netconf-notifications:netconf-confirmed-commit"\.\n/gm;

export function yanglint(...words: readonly string[]): LintResult {
  return yanglintIn(YANG_SEARCH_DIRS, ...words);
}

/** The same with modules from these folders alone. */
export function yanglintIn(searchDirs: readonly string[], ...words: readonly string[]): LintResult {
  const dirs = searchDirs.flatMap((dir) => ['-p', dir]);
  const { status, stdout, stderr, error } = spawnSync('yanglint', ['-D', ...dirs, ...words], { encoding: 'utf8' });
  if (error) throw new Error('yanglint does not run: install the Debian package libyang2-tools', { cause: error });
  return { accepted: status === 0, output: stdout, complaints: stderr.replace(KNOWN_COMPLAINT, '') };
}

/** The file libyang would take for a module. */
export function fileOf({ name, revision }: YangModule): string {
  const names = [...(revision === undefined ? [] : [`${name}@${revision}.yang`]), `${name}.yang`];
  const files = YANG_SEARCH_DIRS.flatMap((dir) => names.map((file) => join(dir, file)));
  const found = files.find((file) => existsSync(file));
  if (found === undefined) throw new Error(`no file of module ${name} in ${YANG_SEARCH_DIRS.join(', ')}`);
  return found;
}

/** The modules of the program with their features; `on` instead of those of ours that work. */
export function moduleWords(on: readonly string[] = WORKING_FEATURES, startup = false): string[] {
  const modules = yangModules({ startup });
  const features = modules.flatMap(({ name, features }) => [
    '-F',
    `${name}:${(name === 'gi-4over6' ? on : features).join(',')}`,
  ]);
  return [...features, ...modules.map(fileOf)];
}

/** Validates one XML document against the modules of the program. */
export function lintDocument(type: 'config' | 'data' | 'rpc' | 'notif', xml: string, on?: readonly string[]) {
  const dir = mkdtempSync(join(tmpdir(), 'gi4over6-yang-'));
  try {
    const file = join(dir, 'document.xml');
    writeFileSync(file, xml);
    const present = type === 'rpc' || type === 'notif' ? [] : ['-e'];
    return yanglint('-t', type, ...present, ...moduleWords(on), file);
  } finally {
    rmSync(dir, { recursive: true });
  }
}
