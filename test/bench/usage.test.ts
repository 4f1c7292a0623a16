/** Wrong usage of the tools is told in one line, before anything starts. */

import { spawnSync } from 'node:child_process';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';

const test = suite('usage of the tools');
const TOOLS = join(import.meta.dirname, '../../tools');
const NOWHERE = '/nonexistent/x.json';

for (const [words, what] of [
  [['bench'], 'usage: npm run bench -- NAME'],
  [['bench', 'toString'], 'usage: npm run bench -- NAME'],
  [
    ['bench', 'state', '--bindings', 'abc'],
    "--bindings: expected numbers from 1000 to 4000000 with commas between, got 'abc'",
  ],
  [['bench', 'state', '--bindings', '0'], '--bindings: expected numbers from 1000'],
  [['bench', 'state', '--bindings', '1000,'], '--bindings: expected numbers from 1000'],
  [['bench', 'state', '--bindings', '1000.5'], '--bindings: expected whole numbers'],
  [['bench', 'state', '--bindings'], '--bindings'],
  [['bench', 'state', '--bogus'], "Unknown option '--bogus': there are --json, --bindings"],
  [['bench', 'state', 'word'], "Unexpected argument 'word'"],
  [['bench', 'state', '--json', NOWHERE], `--json ${NOWHERE}: ENOENT`],
  [['bench', 'state', '--json', tmpdir()], 'expected a file'],
  [['bench', 'state', '--json', '/dev/null/x'], '--json /dev/null/x: '],
  [['bench', 'netconf', '--bindings', '1000'], "Unknown option '--bindings': there are --json"],
  [['bench', 'datapath', '--json', NOWHERE], `--json ${NOWHERE}: ENOENT`],
  [['bench', 'cores', '--json', NOWHERE], `--json ${NOWHERE}: ENOENT`],
  [['bench', 'latency', '--seconds', '3'], "Unknown option '--seconds': there are --json, --rounds"],
  [['bench', 'tun', '--rounds', '0'], "--rounds: expected a whole number from 1 to 1000, got '0'"],
  [['bench', 'offloads', '--seconds', '0'], "--seconds: expected a whole number from 1 to 600, got '0'"],
  [['bench', 'offloads', '--seconds', '1,2'], "--seconds: expected a whole number from 1 to 600, got '1,2'"],
  [['bench', 'offloads', '--rounds', '1.5'], "--rounds: expected a whole number from 1 to 1000, got '1.5'"],
  [['bench', 'change', '--rounds', '3,9'], "--rounds: expected a whole number from 1 to 1000, got '3,9'"],
  [['bench', 'change', '--seconds', ''], "--seconds: expected a whole number from 1 to 600, got ''"],
  [['bench', 'start', '--bindings', '1000,2000'], '--bindings: expected a whole number from 1000 to 4000000'],
  [['bench', 'hostile', '--kinds', 'nosuch'], "got 'nosuch'"],
  [['bench', 'hostile', '--kinds', 'ttl-1,'], "got ''"],
  [['bench', 'dynamic', '--parts', 'one,nosuch'], "got 'nosuch'"],
  [['bench', 'gate', '--record', 'x'], "Unexpected argument 'x'"],
  [['bench', 'gate', '--json', '/tmp/a', '--json', '/tmp/b'], '--json: expected once, got twice'],
  [['bench', 'rfc8219', '--bogus'], "Unknown option '--bogus'"],
  [['bench', 'rfc8219', '--seconds', '1,2'], "--seconds: expected a number from 0.05 to 600, got '1,2'"],
  [['bench', 'rfc8219', '--sizes', '1'], '--sizes: expected numbers from 64 to 9216'],
  [['bench', 'rfc8219', '--svg', NOWHERE], `--svg ${NOWHERE}: ENOENT`],
  [['endurance', '--seconds', '10,20'], "--seconds: expected a whole number from 10 to 1000000, got '10,20'"],
  [['crash', '--bogus', '1'], "Unknown option '--bogus': there are --store, --program, --losses, --seed"],
  [['crash', '--store', 'many'], "--store: expected a whole number, got 'many'"],
  [['crash', '--store', '1'], "--store: expected 0 or an even number from 100, got '1'"],
  [['crash', '--store', '1', '--losses', '-1'], '--losses'],
  [['crash', 'store'], "Unexpected argument 'store'"],
] as const) {
  test(words.join(' '), () => {
    const [tool, ...rest] = words;
    const { status, stdout, stderr } = spawnSync(process.execPath, [join(TOOLS, `${tool}.js`), ...rest], {
      encoding: 'utf8',
      timeout: 60_000,
    });
    assert.is(status, 2, stderr);
    assert.is(stdout, '');
    assert.is(stderr.trimEnd().split('\n').length, 1, stderr);
    assert.match(stderr, what);
  });
}

/** Of root a command is taken that is not: in a namespace of users its number is another. */
const NOT_ROOT = process.geteuid?.() === 0 ? ['unshare', '--user'] : [];
for (const name of ['cores', 'rfc8219', 'hostile', 'change']) {
  test(`${name} without root`, () => {
    const [program = '', ...words] = [...NOT_ROOT, process.execPath, join(TOOLS, 'bench.js'), name];
    const { status, stderr } = spawnSync(program, words, { encoding: 'utf8', timeout: 60_000 });
    assert.is(stderr, `bench ${name} makes network namespaces: run it as root\n`);
    assert.is(status, 2);
  });
}

test.run();
