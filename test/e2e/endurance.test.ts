// needs: root
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { BusyAftr } from '../../tools/bench/load/busy-aftr.ts';
import type { Happening } from '../../tools/bench/load/endurance.ts';
import { endure, growthOf, judgeGaps } from '../../tools/bench/load/endurance.ts';
import type { Gap } from '../../tools/bench/load/load-generator.ts';
import { LoadGenerator } from '../../tools/bench/load/load-generator.ts';
import { Lab } from '../../tools/bench/rfc8219/lab.ts';

/** The endurance run in short, at a rate that any machine has: that traffic goes on, edits are done, and memory is flat. */
const test = suite('endurance');

const SECONDS = 120;
const PLAN = { seconds: SECONDS, eventMs: 8_000, rate: 10_000, progress: () => undefined };
const BINDINGS = 10_000;
const MEMORY_MEBIBYTES = 96;
/** What is longer cannot be the scheduler of a busy machine. */
const LONG_STALL_MS = 2_000;

const EVENT: Happening = { kind: 'restart', fromMs: 10_000, backMs: 10_000 };
/** Until packets came again. */
const OUTAGE: Gap = { atMs: 10_005, lengthMs: 1_995, ownMs: 0, machineMs: 0 };
const gap = (atMs: number, lengthMs: number, ownMs = 0, machineMs = 0): Gap => ({ atMs, lengthMs, ownMs, machineMs });

for (const [name, given, stalls, outage] of [
  ['nothing came for long', gap(1_000, 150), [150], 2_000],
  ['the generator sent nothing meanwhile', gap(1_000, 150, 60), [], 2_000],
  ['the core was taken away meanwhile', gap(1_000, 150, 0, 60), [], 2_000],
  ['the generator slept for a part of it', gap(1_000, 500, 300, 100), [500], 2_000],
  ['it lasts from just before an event', gap(9_900, 2_300), [], 2_200],
  ['it lasts from long before an event', gap(1_000, 11_500), [9_000], 2_500],
  ['it begins soon after packets came again', gap(12_900, 200), [], 3_100],
  ['it begins long after packets came again', gap(13_100, 200), [200], 2_000],
] as const) {
  test(`a gap: ${name}`, () => {
    const found = judgeGaps([OUTAGE, given], [EVENT]);
    assert.equal(
      found.stalls.map(({ lengthMs }) => lengthMs),
      stalls,
    );
    assert.is(found.outages.restart, outage);
  });
}

test('growth: what is collected now and then is none, what stays is', () => {
  const collected = Array.from({ length: 1_000 }, (_, second) => 200 + (second % 60));
  assert.ok(Math.abs(growthOf(collected)) <= 1, `${growthOf(collected)}`);
  const filling = Array.from({ length: 1_000 }, (_, second) => Math.min(second, 200));
  assert.is(growthOf(filling), 0);
  // Half of the samples lie between the two.
  const leaking = collected.map((mebibytes, second) => mebibytes + second / 50);
  assert.ok(Math.abs(growthOf(leaking) - 10) <= 1, `${growthOf(leaking)}`);
});

const lab = new Lab(`gi4end-test-${process.pid}`);
const aftr = await BusyAftr.start(lab, BINDINGS);

test('a gap is seen and whose it is: nine of ten frames of nobody, then a datapath that stands still', async () => {
  const generator = LoadGenerator.start(lab, { rate: 1_000, gapMs: 300, streams: [aftr.stream('downstream', 9)] });
  while (generator.lines.length < 1) await new Promise((resolve) => setTimeout(resolve, 50));
  const pid = aftr.instance.pid('datapath');
  process.kill(pid, 'SIGSTOP');
  await new Promise((resolve) => setTimeout(resolve, 1_000));
  process.kill(pid, 'SIGCONT');
  const said = generator.lines.length;
  while (generator.lines.length < said + 2) await new Promise((resolve) => setTimeout(resolve, 50));
  const last = await generator.end();
  const [stream] = last.streams;
  const gaps = generator.lines.flatMap((line) => line.streams.flatMap((counts) => counts.gaps));
  const received = stream?.received ?? 0;
  assert.ok(received > 0 && received <= (stream?.sent ?? 0) / 10 + 1, JSON.stringify(last));
  assert.ok(
    gaps.some(({ lengthMs }) => lengthMs >= 700),
    JSON.stringify(generator.lines),
  );
});

test('two minutes of load with edits, links that go and come, and a datapath that is killed', async () => {
  const { load, edits, events, stalls, growth, recovered } = await endure(aftr, PLAN);
  assert.ok(events.length >= 3, `${events.length} events`);
  assert.is(recovered, events.length);
  for (const { sent, received } of load.streams) assert.ok(sent > 0 && received > sent / 10, JSON.stringify(load));
  for (const { commits } of Object.values(edits.kinds)) assert.ok(commits > 0, JSON.stringify(edits));
  assert.equal(
    stalls.filter(({ lengthMs, ownMs, machineMs }) => lengthMs - Math.max(ownMs, machineMs) > LONG_STALL_MS),
    [],
  );
  for (const mebibytes of growth) assert.ok(mebibytes < MEMORY_MEBIBYTES, `${growth}`);
  assert.ok(await aftr.instance.isApplied(), 'the newest version is forwarded by');
});

test('everything is taken down', async () => {
  await aftr.stop();
  lab.close();
});

test.run();
