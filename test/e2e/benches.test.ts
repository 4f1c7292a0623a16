// needs: root
/** Benches that no other test runs end well in their shortest form, and say what README looks for. What they measure is not asked. */

import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { FEWEST_BINDINGS } from '../../src/datapath/kept-table.ts';
import type { BenchResult } from '../../tools/bench/results.ts';

const test = suite('benches');
const BENCH = join(import.meta.dirname, '../../tools/bench.js');
const START_TARGETS = ['first-packet', 'peak-management', 'peak-datapath', 'memory-management', 'memory-datapath'];
const dir = mkdtempSync(join(tmpdir(), 'gi4over6-benches-'));

test.after(() => rmSync(dir, { recursive: true }));

interface File {
  readonly machine: { readonly cores: number; readonly load: number };
  readonly commit: string;
  readonly results: readonly BenchResult[];
}

/** What is asked of each bench besides one round, and what of it has a target. */
for (const [name, more, targets] of [
  [
    'tun',
    [],
    ['encapsulation', 'decapsulation'].flatMap((way) => [64, 512, 1400].map((size) => `${way}.${size}.of-bare`)),
  ],
  [
    'cores',
    [],
    ['encapsulation', 'decapsulation'].flatMap((way) => [64, 1400].map((size) => `${way}.${size}.speed-up`)),
  ],
  ['latency', [], ['p50.off.of-c', 'p50.on.of-c']],
  ['offloads', ['--seconds', '1'], ['upstream.of-c', 'downstream.of-c', 'decapsulation.of-c', 'udp.of-c', 'udp.gain']],
  [
    'start',
    ['--bindings', `${FEWEST_BINDINGS}`],
    [
      ...['', 'from-store.'].flatMap((source) => START_TARGETS.map((what) => `${source}${what}.${FEWEST_BINDINGS}`)),
      `after-kill.first-packet.${FEWEST_BINDINGS}`,
    ],
  ],
  [
    'change',
    ['--bindings', '10000', '--seconds', '1'],
    ['downstream', 'upstream'].flatMap((way) =>
      [
        'change.offered',
        'change.bindings-in-bulk',
        'change.lost',
        'change.throughput',
        'junk.of-fair-share',
        'junk.edit-longest',
      ].map((what) => `${way}.${what}`),
    ),
  ],
] as const) {
  test(name, () => {
    const file = join(dir, `${name}.json`);
    const words = [BENCH, name, '--rounds', '1', ...more, '--json', file];
    const { status, stdout, stderr } = spawnSync(process.execPath, words, { encoding: 'utf8', timeout: 540_000 });
    assert.is(status, 0, stderr);
    const { machine, commit, results }: File = JSON.parse(readFileSync(file, 'utf8'));
    assert.ok(Number.isFinite(machine.load));
    assert.match(commit, /^([0-9a-f]{40}(-dirty)?|unknown)$/);
    const judged = results.filter(({ target }) => target !== null);
    assert.equal(judged.map(({ id }) => id).sort(), targets.map((id) => `${name}.${id}`).sort());
    assert.is(new Set(results.map(({ id }) => id)).size, results.length, 'each figure has its own name');
    for (const { id, value, met } of judged) {
      // So short a run may have too few edits to say anything.
      if (name !== 'change' || met !== null) assert.type(met, 'boolean', `${id}: ${value}`);
    }
    for (const { id, value } of results) {
      assert.ok(Number.isFinite(value) && (value > 0 || /lost|gap/.test(id)), `${id}: ${value}`);
      assert.match(stdout, id);
    }
  });
}

test.run();
