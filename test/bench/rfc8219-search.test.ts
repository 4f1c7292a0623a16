import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { Found, Outcome, SearchPlan } from '../../tools/bench/rfc8219/search.ts';
import { findThroughput } from '../../tools/bench/rfc8219/search.ts';
import type { StreamResult, TrialPlan } from '../../tools/bench/rfc8219/tester.ts';
import { lostOf, offeredOf, outcomeOf } from '../../tools/bench/rfc8219/tester.ts';

const test = suite('rfc8219 search');

const PLAN: SearchPlan = { ceiling: 1_000, precision: 0.01, maxSteps: 20, tries: 1, maxConfirmations: 8 };

interface Run {
  readonly found: Found;
  readonly rates: readonly number[];
  readonly outcomes: readonly Outcome[];
}

/** Searches with a device that does what a function of rate and trial (from 1) says. */
async function search(plan: Partial<SearchPlan>, device: (rate: number, trial: number) => Outcome): Promise<Run> {
  const rates: number[] = [];
  const outcomes: Outcome[] = [];
  const found = await findThroughput({ ...PLAN, ...plan }, async (rate) => {
    rates.push(rate);
    const outcome = device(rate, rates.length);
    outcomes.push(outcome);
    return outcome;
  });
  return { found, rates, outcomes };
}

/** Loses what is above its capacity. */
const upTo = (capacity: number) => (rate: number) => (rate <= capacity ? 'clean' : 'overloaded') as Outcome;

for (const [capacity, why] of [
  [999, 'just below the ceiling'],
  [700, 'in the middle'],
  [500, 'at the first bisection'],
  [499.9, 'just below the first bisection'],
  [123, 'far below'],
  [1.5, 'very far below'],
] as const) {
  test(`capacity ${capacity}, ${why}: found to the precision, never above it, and confirmed`, async () => {
    const { found, rates, outcomes } = await search({}, upTo(capacity));
    assert.is(found.limitedBy, 'device');
    assert.ok(found.rate <= capacity && found.rate >= capacity * 0.98, `${found.rate}`);
    assert.is(found.trials, rates.length);
    assert.is(rates.at(-1), found.rate);
    assert.is(outcomes.at(-1), 'clean');
  });
}

for (const [hint, capacity, most, why] of [
  [500, 480, 8, 'a little high'],
  [500, 530, 8, 'a little low'],
  [800, 200, 12, 'far too high'],
  [100, 900, 12, 'far too low'],
  [990, 500, 12, 'so near the ceiling that nothing is tried above it'],
  [0, 500, 12, 'of a search that found nothing'],
] as const) {
  test(`a hint of ${hint} for a capacity of ${capacity}, ${why}: found as without one, in ${most} trials at most`, async () => {
    const { found } = await search({ hint, precision: 0.03 }, upTo(capacity));
    assert.is(found.limitedBy, 'device');
    assert.ok(found.rate <= capacity && found.rate >= capacity * 0.95, `${found.rate}`);
    assert.ok(found.trials <= most, `${found.trials} trials`);
  });
}

test('a hint for a device faster than the tester: the ceiling all the same', async () => {
  const { found, rates } = await search({ hint: 500 }, upTo(5_000));
  assert.equal(found, { rate: 1_000, limitedBy: 'tester', trials: 3 });
  assert.equal(rates, [540, 1_000, 1_000]);
});

test('a device faster than the tester: the ceiling, twice, and said so', async () => {
  const { found, rates } = await search({}, upTo(5_000));
  assert.equal(found, { rate: 1_000, limitedBy: 'tester', trials: 2 });
  assert.equal(rates, [1_000, 1_000]);
});

test('what the tester cannot offer is not held against the device', async () => {
  const { found } = await search({}, (rate) => (rate <= 300 ? 'clean' : 'unoffered'));
  assert.is(found.limitedBy, 'tester');
  assert.ok(found.rate <= 300 && found.rate > 290, `${found.rate}`);
});

test('a device that passes nothing: 0, in as many trials as there are steps', async () => {
  const { found } = await search({ maxSteps: 7 }, () => 'overloaded');
  assert.equal(found, { rate: 0, limitedBy: 'device', trials: 7 });
});

test('the steps are bounded whatever the precision', async () => {
  const { rates } = await search({ precision: 0, maxSteps: 9 }, upTo(700));
  assert.is(rates.length, 10);
});

const hiccup = (at: number) => (rate: number, trial: number) => (trial === at ? 'lossy' : upTo(700)(rate));

test('one frame lost once by chance: the rate is tried again and stands', async () => {
  // Trials: 1,000, 500, 500 again.
  const { found, rates } = await search({ tries: 2 }, hiccup(2));
  assert.equal(rates.slice(0, 3), [1_000, 500, 500]);
  assert.ok(found.rate > 690, `${found.rate}`);
});

test('strictly any loss ends a rate (RFC 2544 §26.1)', async () => {
  const { found } = await search({ tries: 1 }, hiccup(2));
  assert.ok(found.rate < 500, `${found.rate}`);
});

test('no second try where a large part is lost', async () => {
  const { rates } = await search({ tries: 3, maxSteps: 2 }, upTo(700));
  assert.equal(rates, [1_000, 500, 500]);
});

test('so many losses in a row end a rate', async () => {
  const { rates } = await search({ tries: 3, maxSteps: 1 }, () => 'lossy');
  assert.equal(rates, [1_000, 1_000, 1_000]);
});

test('a rate that fails its confirming trial goes down by a twentieth until one is clean', async () => {
  // Trials: 1,000, 500, then the confirmations.
  const { found, rates } = await search({ maxSteps: 2 }, (rate, trial) =>
    trial === 3 || trial === 4 ? 'lossy' : upTo(700)(rate),
  );
  assert.equal(rates, [1_000, 500, 500, 475, 451.25]);
  assert.is(found.rate, 451.25);
});

test('only the trials at the rate that is found are confirmations', async () => {
  const kinds: boolean[] = [];
  await findThroughput({ ...PLAN, maxSteps: 3 }, async (rate, isConfirmation) => {
    kinds.push(isConfirmation);
    return rate <= 600 && (!isConfirmation || rate < 500) ? 'clean' : 'lossy';
  });
  // 1,000, 500, 750; then 500 and 475.
  assert.equal(kinds, [false, false, false, true, true]);
});

test('none confirmed: 0, and no trial without end', async () => {
  const { found, rates } = await search({ maxSteps: 2, maxConfirmations: 3 }, (rate, trial) =>
    trial > 2 ? 'lossy' : upTo(700)(rate),
  );
  assert.is(found.rate, 0);
  assert.is(rates.length, 5);
});

const TRIAL: TrialPlan = { rate: 1_000, frames: 1_000, drainMs: 0, tags: 0 };
const STREAM: StreamResult = {
  sent: 1_000,
  received: 1_000,
  duplicates: 0,
  reordered: 0,
  foreign: 0,
  overruns: 0,
  stalls: 0,
  seconds: 0.999,
  tagged: 0,
  typicalNs: 0,
  worstCaseNs: 0,
  leastNs: 0,
  p999Ns: 0,
};

const outcomes: readonly (readonly [readonly Partial<StreamResult>[], Outcome, string])[] = [
  [[{}], 'clean', 'all came back'],
  [[{}, {}], 'clean', 'in both directions'],
  [[{ received: 999 }], 'lossy', 'one lost'],
  [[{}, { received: 999 }], 'lossy', 'one lost in the second direction'],
  [[{ received: 950 }], 'lossy', 'a twentieth lost'],
  [[{ received: 949 }], 'overloaded', 'more than a twentieth'],
  [[{ duplicates: 1 }], 'lossy', 'one came twice'],
  [[{ foreign: 7, reordered: 3, stalls: 2 }], 'clean', 'what is not loss does not count'],
  [[{ seconds: 1.02 }], 'clean', 'two in a hundred too slow'],
  [[{ seconds: 1.04 }], 'unoffered', 'four in a hundred too slow'],
  [[{ seconds: 1.04, received: 999 }], 'lossy', 'a loss at less than the rate is a loss'],
  [[{ sent: 900, received: 900, seconds: 0.899 }], 'unoffered', 'not all sent'],
  [[{ overruns: 1, received: 999 }], 'unoffered', 'the tester had no room'],
];
for (const [streams, outcome, why] of outcomes) {
  test(`outcome: ${why}: ${outcome}`, () => {
    const results = streams.map((stream) => ({ ...STREAM, ...stream }));
    assert.is(outcomeOf(results, TRIAL), outcome);
  });
}

test('loss and offered rate count all directions', () => {
  const results = [STREAM, { ...STREAM, received: 990 }];
  assert.is(lostOf(results), 10);
  assert.is(Math.round(offeredOf(results)), 2_000);
});

test.run();
