/**
 * Who may import whom (ARCHITECTURE.md). The import lines of every source are read and held against one table:
 * an area imports itself and what its row names. Composition roots build a process out of parts, so they reach further.
 */

import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';

const PROJECT = join(import.meta.dirname, '../..');

/** Longest path first: a file belongs to the first area whose path begins its own. */
const AREAS: readonly (readonly [path: string, area: string])[] = [
  ['src/datapath/node-tuntap2/', 'node-tuntap2'],
  ['src/mgmt/netconf-server/', 'netconf-server'],
  ['src/datapath/early-start.ts', 'datapath process'],
  ['src/datapath/process.ts', 'datapath process'],
  ['src/datapath/kernel-part.ts', 'datapath process'],
  ['src/mgmt/process.ts', 'mgmt process'],
  ['src/mgmt/route-part.ts', 'mgmt process'],
  ['src/datapath/wire/', 'wire'],
  ['src/datapath/', 'datapath'],
  ['src/mgmt/', 'mgmt'],
  ['src/kernel/', 'kernel'],
  ['src/state/', 'state'],
  ['src/cli/', 'cli'],
  ['src/maintenance/', 'maintenance'],
  ['src/main.ts', 'main'],
  ['src/command-line.ts', 'main'],
  ['src/supervisor.ts', 'supervisor'],
  ['src/launch.ts', 'supervisor'],
  ['src/first-start.ts', 'first start'],
  ['src/address.ts', 'leaves'],
  ['src/common-js.ts', 'leaves'],
  ['src/date-time.ts', 'leaves'],
  ['src/exit-codes.ts', 'leaves'],
  ['src/log.ts', 'leaves'],
  ['src/netconf-limits.ts', 'leaves'],
  ['src/restconf-limits.ts', 'leaves'],
  ['src/limit-settings.ts', 'leaves'],
  ['src/claim.ts', 'leaves'],
  ['src/closed-note.ts', 'leaves'],
  ['src/control.ts', 'leaves'],
  ['src/supervisor-pipe.ts', 'leaves'],
  ['src/sha-crypt.ts', 'leaves'],
];

/** What an area may import beside itself, in the program. */
const MAY_IMPORT: Readonly<Record<string, readonly string[]>> = {
  main: ['supervisor', 'maintenance', 'mgmt process', 'datapath process', 'cli', 'leaves'],
  supervisor: ['first start', 'leaves'],
  'first start': ['leaves'],
  'mgmt process': ['mgmt', 'kernel', 'state', 'leaves'],
  'datapath process': ['datapath', 'kernel', 'state', 'leaves'],
  mgmt: ['state', 'leaves'],
  datapath: ['wire', 'state', 'leaves'],
  wire: [],
  kernel: ['leaves'],
  state: ['leaves'],
  cli: ['leaves'],
  maintenance: ['state', 'leaves'],
  leaves: [],
  'node-tuntap2': [],
  'netconf-server': [],
};

/** Packages that stay behind one door: who may load them, and from how many files at most. Types load nothing. */
const DOORS: Readonly<Record<string, { readonly areas: readonly string[]; readonly files: number }>> = {
  'node-tuntap2': { areas: ['datapath', 'kernel'], files: 4 },
  'netconf-server': { areas: ['mgmt', 'mgmt process'], files: 2 },
  netlink: { areas: ['kernel'], files: 2 },
  lmdb: { areas: ['state'], files: 2 },
};

interface Import {
  readonly file: string;
  readonly specifier: string;
  /** Gone when compiled: the importer does not load what it names. */
  readonly typeOnly: boolean;
}

function areaOf(file: string): string {
  return AREAS.find(([path]) => file.startsWith(path))?.[1] ?? 'none';
}

function sources(): string[] {
  return readdirSync(join(PROJECT, 'src'), { recursive: true, encoding: 'utf8' })
    .filter((path) => path.endsWith('.ts') && !/(^|\/)(dist|build|node_modules)\//.test(path))
    .map((path) => join('src', path))
    .sort();
}

/** Import and export-from declarations, dynamic imports with a literal, what `require` loads, and the workers named by URL; no compiled addons. */
function importsOf(text: string): Omit<Import, 'file'>[] {
  const forms = [
    /^\s*(?:import|export)\b[^'"`;]*?\bfrom\s*['"]([^'"]+)['"]/gm,
    /^\s*import\s*['"]([^'"]+)['"]/gm,
    /(?:\btypeof )?(?<!\.)\b(?:import|require)\(\s*['"]([^'"]+)['"]\s*\)/g,
    /\bnew URL\(\s*['"](\.[^'"]+)['"]\s*,\s*import\.meta\.url\s*\)/g,
  ];
  return forms
    .flatMap((form) => [...text.matchAll(form)])
    .map(([line, specifier = '']) => ({ specifier, typeOnly: /^\s*(import|export) type\b|^typeof /.test(line) }))
    .filter(({ specifier }) => !specifier.endsWith('.node'));
}

const imports: readonly Import[] = sources().flatMap((file) =>
  importsOf(readFileSync(join(PROJECT, file), 'utf8')).map((line) => ({ file, ...line })),
);

function importedFile({ file, specifier }: Import): string {
  return normalize(join(dirname(file), specifier));
}

function packageOf(specifier: string): string {
  const parts = specifier.split('/');
  return specifier.startsWith('@') ? parts.slice(0, 2).join('/') : (parts[0] ?? '');
}

const test = suite('architecture');

test('import lines are found in every form', () => {
  const text = [
    "import { a } from 'one';",
    "import type {\n  B,\n} from './two.ts';",
    "import 'three';",
    "export { c } from '../four.ts';",
    "const five = await import('./five.ts');",
    "readonly seven: typeof import('seven');",
    "const { eight } = require('eight');",
    "const nothing = texts.require('nothing');",
    "new Worker(new URL('./six.js', import.meta.url));",
    "const text = 'nothing from here';",
  ].join('\n');
  const found = importsOf(text);
  assert.equal(found.map(({ specifier }) => specifier).sort(), [
    '../four.ts',
    './five.ts',
    './six.js',
    './two.ts',
    'eight',
    'one',
    'seven',
    'three',
  ]);
  assert.equal(
    found.filter(({ typeOnly }) => typeOnly).map(({ specifier }) => specifier),
    ['./two.ts', 'seven'],
  );
});

test('every source belongs to an area', () => {
  assert.equal(
    sources().filter((file) => areaOf(file) === 'none'),
    [],
  );
});

for (const [area, others] of Object.entries(MAY_IMPORT)) {
  test(`${area} imports ${others.length > 0 ? `only itself, ${others.join(', ')}` : 'only itself'}`, () => {
    const allowed = [area, ...others];
    const wrong = imports
      .filter(({ file, specifier }) => areaOf(file) === area && specifier.startsWith('.'))
      .filter((line) => !allowed.includes(areaOf(importedFile(line))))
      .map((line) => `${line.file} imports ${importedFile(line)} (${areaOf(importedFile(line))})`);
    assert.equal(wrong, []);
  });
}

for (const [name, { areas, files }] of Object.entries(DOORS)) {
  test(`${name} is loaded by at most ${files} files, in ${areas.join(' or ')}`, () => {
    const lines = imports.filter(({ specifier, typeOnly }) => packageOf(specifier) === name && !typeOnly);
    assert.equal(
      lines.filter(({ file }) => !areas.includes(areaOf(file))),
      [],
    );
    const importers = new Set(lines.map(({ file }) => file));
    assert.ok(importers.size <= files, [...importers].join(', '));
  });
}

test('the datapath never forks: what it runs it runs by runProgram of node-tuntap2', () => {
  const forks = imports.filter(({ file, specifier, typeOnly }) => {
    const isOfDatapath = ['kernel', 'datapath', 'datapath process', 'node-tuntap2'].includes(areaOf(file));
    return isOfDatapath && specifier === 'node:child_process' && !typeOnly;
  });
  assert.equal(forks, []);
});

test('no source imports a test or a tool', () => {
  const outside = imports.filter((line) => line.specifier.startsWith('.') && !importedFile(line).startsWith('src/'));
  assert.equal(outside, []);
});

test('packages imported are dependencies, and built-in modules carry node:', () => {
  const { dependencies } = JSON.parse(readFileSync(join(PROJECT, 'package.json'), 'utf8')) as {
    dependencies: Record<string, string>;
  };
  const unknown = imports
    .filter(({ specifier }) => !specifier.startsWith('.') && !specifier.startsWith('node:'))
    .filter(({ specifier }) => !(packageOf(specifier) in dependencies));
  assert.equal(unknown, []);
});

test('no file is a catch-all', () => {
  const packages = new Set(['src/datapath/node-tuntap2/index.ts', 'src/mgmt/netconf-server/index.ts']);
  const catchAll = sources().filter((file) => /\/(utils?|helpers?|common|types|index)\.ts$/.test(file));
  assert.equal(
    catchAll.filter((file) => !packages.has(file)),
    [],
  );
});

test.run();
