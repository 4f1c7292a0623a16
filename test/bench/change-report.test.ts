/** What the bench of forwarding under change requires, and what it leaves unjudged. */

import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { JunkRound, Trial } from '../../tools/bench/change-report.ts';
import { judgeChange, judgeJunk } from '../../tools/bench/change-report.ts';
import type { EditReport } from '../../tools/bench/load/editor.ts';
import type { BenchResult } from '../../tools/bench/results.ts';

const test = suite('report of bench change');
const RATE = 1_000;
const SECONDS = 5;

function trial(sent: number, received = sent): Trial {
  return { sent, received, seconds: SECONDS, longestGapMs: 0 };
}

function edits({ bulkSeconds = SECONDS, longest = 50 } = {}): EditReport {
  const single = { commits: 20, bindings: 20, seconds: SECONDS, p50: 10, p99: 40, longest };
  const bulk = { commits: 50, bindings: 5_000, seconds: bulkSeconds, p50: 30, p99: 60, longest: 60 };
  return { kinds: { bulk, netconf: single, restconf: single } };
}

function metOf(results: readonly BenchResult[], name: string): boolean | null | undefined {
  return results.find(({ id }) => id === `x.${name}`)?.met;
}

for (const { name, busy = trial(5_000), report = edits(), met } of [
  { name: 'all as wanted', met: [true, true, true, true] },
  { name: 'a commit late at the end', report: edits({ bulkSeconds: 5.04 }), met: [true, true, true, true] },
  { name: 'too few bindings', report: edits({ bulkSeconds: 5.1 }), met: [true, false, null, null] },
  {
    name: 'too few bindings, and all the same one lost',
    report: edits({ bulkSeconds: 5.1 }),
    busy: trial(5_000, 4_999),
    met: [true, false, false, null],
  },
  { name: 'one lost', busy: trial(5_000, 4_999), met: [true, true, false, true] },
  { name: 'six of a hundred lost', busy: trial(5_000, 4_700), met: [true, true, false, false] },
  { name: 'too little offered says nothing of throughput', busy: trial(4_700), met: [false, true, true, null] },
]) {
  test(name, () => {
    const results = judgeChange('x', RATE, [trial(5_000)], [busy], [report]);
    const found = ['offered', 'bindings-in-bulk', 'lost', 'throughput'].map((id) => metOf(results, id));
    assert.equal(found, met);
    for (const { id, value } of results) assert.ok(Number.isFinite(value), id);
  });
}

test('of several rounds all count, the one with few edits too', () => {
  const results = judgeChange(
    'x',
    RATE,
    [trial(5_000)],
    [trial(5_000)],
    [edits(), edits(), edits({ bulkSeconds: 10 })],
  );
  const { value, met } = results.find(({ id }) => id === 'x.bindings-in-bulk') ?? {};
  assert.equal([value, met], [750, false]);
});

for (const { name, alone = trial(10_000, 4_000), mixed = trial(10_000, 400), report = edits(), met } of [
  { name: 'the fair share beside junk', met: [true, true] },
  { name: 'eight tenths of it', mixed: trial(10_000, 321), met: [true, true] },
  { name: 'less', mixed: trial(10_000, 319), met: [false, true] },
  {
    name: 'a flood that all passes displaces nothing',
    alone: trial(10_000),
    mixed: trial(10_000, 1_000),
    met: [null, true],
  },
  { name: 'an edit that waits', report: edits({ longest: 101 }), met: [true, false] },
]) {
  test(name, () => {
    const round: JunkRound = { alone, mixed, edits: report };
    const results = judgeJunk('x', [round]);
    assert.equal(
      ['of-fair-share', 'edit-longest'].map((id) => metOf(results, id)),
      met,
    );
    const share = results.find(({ id }) => id === 'x.alone-received-share');
    assert.is(share?.value, alone.received / alone.sent);
  });
}

test.run();
