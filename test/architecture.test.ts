/** Who may import whom in src/, read from the import lines. */

import { readdirSync, readFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';

const test = suite('architecture');

const PROJECT = join(import.meta.dirname, '../..');
const PACKAGES = ['src/datapath/node-tuntap2', 'src/mgmt/netconf-server'];
const LEAVES = ['src/address.ts', 'src/log.ts', 'src/control.ts'];
/** They build and wire the rest, so they may import anything of ours. */
const COMPOSITION_ROOTS = [
  'src/main.ts',
  'src/supervisor.ts',
  'src/first-start.ts',
  'src/mgmt/process.ts',
  'src/datapath/process.ts',
];

/** Folder, and what its files may import beside the leaves; a folder ends in a slash. The first that fits counts. */
const RULES: readonly (readonly [folder: string, allowed: readonly string[]])[] = [
  ['src/state/', ['src/state/', ...LEAVES]],
  ['src/mgmt/', ['src/mgmt/', 'src/state/', ...LEAVES]],
  ['src/datapath/wire/', ['src/datapath/wire/']],
  ['src/datapath/', ['src/datapath/', 'src/state/', ...LEAVES]],
  ['src/kernel/', ['src/kernel/', ...LEAVES]],
  ['src/cli/', ['src/cli/', ...LEAVES]],
];

/** Package, where it may be imported, by how many files at most. */
const PACKAGE_RULES: readonly (readonly [name: string, allowed: readonly string[], atMost: number])[] = [
  ['netconf-server', ['src/mgmt/'], 5],
  ['node-tuntap2', ['src/datapath/tun-device.ts', 'src/datapath/process.ts'], 2],
  ['lmdb', ['src/state/'], Number.POSITIVE_INFINITY],
  ['fastify', ['src/mgmt/restconf/'], Number.POSITIVE_INFINITY],
  ['ssh2', ['src/mgmt/netconf/', 'src/first-start.ts'], Number.POSITIVE_INFINITY],
];

const IMPORT = /^(?:import|export)\s(?:[^'";]*?\sfrom\s)?'([^']+)'|\bimport\('([^']+)'\)/gm;

interface SourceFile {
  readonly path: string;
  readonly text: string;
  /** Packages by name, our own files by path from the project. */
  readonly imports: readonly string[];
}

function importsOf(path: string, text: string): string[] {
  return [...text.matchAll(IMPORT)].map((match) => {
    const name = match[1] ?? match[2] ?? '';
    return name.startsWith('.') ? join(dirname(path), name) : name;
  });
}

function readSources(): SourceFile[] {
  return readdirSync(join(PROJECT, 'src'), { recursive: true, encoding: 'utf8' })
    .map((path) => join('src', path))
    .filter((path) => path.endsWith('.ts') && !PACKAGES.some((folder) => path.startsWith(`${folder}/`)))
    .sort()
    .map((path) => {
      const text = readFileSync(join(PROJECT, path), 'utf8');
      return { path, text, imports: importsOf(path, text) };
    });
}

const isIn = (path: string, places: readonly string[]) =>
  places.some((place) => (place.endsWith('/') ? path.startsWith(place) : path === place));

function allowedFor(path: string): readonly string[] {
  return RULES.find(([folder]) => path.startsWith(folder))?.[1] ?? [];
}

const sources = readSources();

test('import lines are read in every form', () => {
  const text = [
    "import { a,\n  b } from './one.ts';",
    "import type { C } from '../two.ts';",
    "import 'three';",
    "export { d } from 'four';",
    "  const { e } = await import('./five.ts');",
    "const text = 'import x from';",
  ].join('\n');
  assert.equal(importsOf('src/mgmt/x.ts', text), [
    'src/mgmt/one.ts',
    'src/two.ts',
    'three',
    'four',
    'src/mgmt/five.ts',
  ]);
});

test('the folders of the house are there and read', () => {
  for (const [folder] of RULES) {
    assert.ok(
      sources.some(({ path }) => path.startsWith(folder)),
      `no file in ${folder}`,
    );
  }
  assert.ok(sources.some(({ imports }) => imports.includes('lmdb')));
});

test('leaves import no file of ours; every other file only what its folder may', () => {
  const wrong = sources
    .filter(({ path }) => !COMPOSITION_ROOTS.includes(path))
    .flatMap(({ path, imports }) =>
      imports
        .filter((name) => name.startsWith('src/') && !isIn(name, allowedFor(path)))
        .map((name) => `${path} imports ${name}`),
    );
  assert.equal(wrong, []);
});

test('every file stands in a folder of the house', () => {
  const strange = sources
    .map(({ path }) => path)
    .filter((path) => !isIn(path, [...LEAVES, ...COMPOSITION_ROOTS, ...RULES.map(([folder]) => folder)]));
  assert.equal(strange, []);
});

for (const [name, allowed, atMost] of PACKAGE_RULES) {
  test(`${name} is imported only where it belongs`, () => {
    const importers = sources.filter(({ imports }) => imports.includes(name)).map(({ path }) => path);
    assert.equal(
      importers.filter((path) => !isIn(path, allowed)),
      [],
    );
    assert.ok(importers.length > 0, 'nobody imports it');
    assert.ok(importers.length <= atMost, `imported by ${importers.length} files: ${importers.join(', ')}`);
  });
}

test('no file is named for nothing in particular', () => {
  const vague = /^(utils?|helpers?|common|types|index)\.ts$/;
  assert.equal(
    sources.map(({ path }) => path).filter((path) => vague.test(basename(path))),
    [],
  );
});

test('no default export', () => {
  assert.equal(
    sources.filter(({ text }) => /^export default\b/m.test(text)).map(({ path }) => path),
    [],
  );
});

test.run();
