// needs: root
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { RunningAftr, RunningDevice } from '../../tools/bench/rfc8219/devices.ts';
import { aftr, cable, cLoop } from '../../tools/bench/rfc8219/devices.ts';
import { Lab } from '../../tools/bench/rfc8219/lab.ts';
import { measureCell, quickEffort } from '../../tools/bench/rfc8219/measure.ts';
import type { Load, StreamResult, TrialPlan } from '../../tools/bench/rfc8219/tester.ts';
import { lostOf, outcomeOf, Tester } from '../../tools/bench/rfc8219/tester.ts';

/** The bench after RFC 8219, in short: that its figures are of what they say, not how high they are (D141). */
const test = suite('rfc8219');

const lab = new Lab(`gi8219-test-${process.pid}`);
const tester = new Tester(lab);
const devices: RunningDevice[] = [];
const keep = <T extends RunningDevice>(device: T): T => {
  devices.push(device);
  return device;
};
const edge: RunningAftr = keep(await aftr(lab));
const loop = keep(await cLoop(lab));
const wire = keep(cable(lab));

/** Slow enough for any machine; what is lost all the same, another program has caused. */
const SLOW: TrialPlan = { rate: 2_000, frames: 1_000, drainMs: 500, tags: 100 };
const TRIES = 5;

/** A trial at a low rate, again when more was lost than must be. */
async function cleanly(load: Load, mustBeLost = 0): Promise<StreamResult[]> {
  let results: StreamResult[] = [];
  for (let i = 0; i < TRIES; i++) {
    results = await tester.run(load, SLOW);
    if (lostOf(results) <= mustBeLost) break;
  }
  return results;
}

function assertPlausible(results: readonly StreamResult[], plan: TrialPlan): void {
  for (const stream of results) {
    const { sent, received, duplicates, reordered, overruns, tagged } = stream;
    assert.equal(
      { sent, received, duplicates, reordered, overruns },
      {
        sent: plan.frames,
        received: plan.frames,
        duplicates: 0,
        reordered: 0,
        overruns: 0,
      },
    );
    assert.is(tagged, plan.tags);
    assert.ok(stream.leastNs > 0 && stream.typicalNs >= stream.leastNs, JSON.stringify(stream));
    assert.ok(stream.worstCaseNs >= stream.typicalNs && stream.worstCaseNs < 5e9, JSON.stringify(stream));
    assert.ok(stream.seconds >= ((plan.frames - 1) / plan.rate) * 0.99, JSON.stringify(stream));
  }
}

for (const [device, size] of [
  [edge, 64],
  [edge, 1_518],
  [edge, 9_216],
  [loop, 64],
  [wire, 64],
] as const) {
  test(`${device.name}: frames of ${size} octets come back whole, in both directions at once`, async () => {
    const load = { device, directions: ['upstream', 'downstream'], size, gateways: 1 } as const;
    assertPlausible(await cleanly(load), SLOW);
  });
}

test('loss is counted exactly: one of ten gateways is cut off, a tenth does not come back', async () => {
  await edge.setGateways(10);
  const load = { device: edge, directions: ['downstream'], size: 64, gateways: 10 } as const;
  const before = lostOf(await cleanly(load));
  lab.shell('aftr', 'ip -6 route add unreachable 2001:2:0:a::1/128');
  const results = await cleanly(load, 100);
  lab.shell('aftr', 'ip -6 route del unreachable 2001:2:0:a::1/128');
  await edge.setGateways(1);
  assert.is(before, 0);
  assert.is(lostOf(results), 100);
  // Each fifth frame of the second half is tagged, each tenth goes that way.
  assert.is(results[0]?.tagged, 50);
  assert.is(outcomeOf(results, SLOW), 'overloaded');
});

test('a frame from another gateway than its binding names is lost', async () => {
  const load = { device: edge, directions: ['upstream'], size: 64, gateways: 2 } as const;
  assert.is(lostOf(await cleanly(load, 500)), 500);
});

test('a rate that is too high shows loss', async () => {
  lab.ip('aftr', 'link set gi-aftr txqueuelen 4');
  const load = { device: edge, directions: ['downstream'], size: 64, gateways: 1 } as const;
  const plan = { rate: 0, frames: 20_000, drainMs: 500, tags: 0 };
  const results = await tester.run(load, plan);
  lab.ip('aftr', 'link set gi-aftr txqueuelen 1000');
  assert.is(results[0]?.sent, 20_000);
  assert.ok(lostOf(results) > 0, JSON.stringify(results));
  assert.ok((results[0]?.received ?? 0) > 0, JSON.stringify(results));
});

for (const direction of ['upstream', 'downstream'] as const) {
  test(`a cell: throughput without loss and latency at it, ${direction}`, async () => {
    const load = { device: edge, direction, size: 512, gateways: 1 };
    const cell = await measureCell(tester, load, { ceiling: 20_000 }, quickEffort(0.1));
    assert.ok(cell.framesPerSecond > 0 && cell.framesPerSecond <= 20_000, JSON.stringify(cell));
    assert.ok(cell.typicalUs > 0 && cell.worstCaseUs >= cell.typicalUs, JSON.stringify(cell));
    assert.ok(cell.variationUs > 0 && cell.tagged > 0, JSON.stringify(cell));
  });
}

test('everything is taken down', async () => {
  for (const device of devices) await device.stop();
  lab.close();
});

test.run();
