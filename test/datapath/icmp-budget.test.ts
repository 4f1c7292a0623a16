import { Worker } from 'node:worker_threads';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import {
  ABOUT_IPV4,
  ABOUT_STRANGER,
  ABOUT_TUNNEL,
  ICMPV4_ERRORS,
  ICMPV6_ERRORS,
  IcmpBudget,
} from '../../src/datapath/icmp-budget.ts';
import { random, seed } from '../helpers/random.ts';

const test = suite('icmp-budget');

function budgetOf(rate: number, burst: number): IcmpBudget {
  const budget = new IcmpBudget(seed);
  budget.begin(3);
  budget.setLimits(3, ICMPV6_ERRORS, rate, burst);
  return budget;
}

/** How many of `count` askers of one source get a token. */
function ask(budget: IcmpBudget, count: number, source: number, nowMs: number): number {
  let granted = 0;
  for (let i = 0; i < count; i++) if (budget.take(3, ABOUT_TUNNEL, source, nowMs)) granted++;
  return granted;
}

test('without limits nothing may be sent', () => {
  const budget = new IcmpBudget(seed);
  assert.not(budget.take(3, ABOUT_TUNNEL, 1, 1_000));
});

test('a burst of one is one', () => {
  const budget = budgetOf(10, 1);
  assert.is(ask(budget, 5, 1, 0), 1);
  assert.is(ask(budget, 5, 1, 99), 0);
  assert.is(ask(budget, 5, 1, 100), 1);
});

test('a source alone takes a burst at once, and the rate in the long run', () => {
  const budget = budgetOf(10, 20);
  assert.is(ask(budget, 100, 1, 0), 20);
  let granted = 0;
  for (let ms = 10; ms <= 100_000; ms += 10) granted += ask(budget, 10, 1, ms);
  assert.ok(granted > 950 && granted <= 1_010, `${granted} in 100 s`);
});

test('of a bucket that one source has emptied the first tokens are for others, half of them for another kind', () => {
  const budget = budgetOf(10, 10);
  assert.is(ask(budget, 100, 1, 0), 10);
  assert.is(ask(budget, 1, 2, 99), 0, 'nothing is there yet');
  assert.is(ask(budget, 100, 1, 400), 0);
  assert.is(ask(budget, 1, 2, 400) + ask(budget, 1, 3, 400) + ask(budget, 1, 4, 400), 2);
  assert.is([7, 8, 9].filter((source) => budget.take(3, ABOUT_STRANGER, source, 400)).length, 2);
  assert.is(ask(budget, 100, 1, 10_000), 10, 'full again');
});

test('one source asks for 950 ms, then others, then those of the other kind: burst and rate in the second (D95)', () => {
  const budget = budgetOf(10, 10);
  let granted = 0;
  for (let ms = 0; ms < 950; ms++) granted += ask(budget, 1, 1, ms);
  assert.ok(granted >= 13, `${granted}`);
  for (let i = 0; i < 100; i++) granted += ask(budget, 1, 1_000 + i, 999);
  assert.ok(granted >= 16 && granted < 18, `${granted}`);
  for (let i = 0; i < 100; i++) if (budget.take(3, ABOUT_STRANGER, 1_000 + i, 999)) granted++;
  assert.ok(granted >= 18 && granted <= 20, `${granted}`);
});

for (const sources of [1, 2, 1_000]) {
  test(`1,000 askings of ${sources} sources in a second: burst and rate, and a burst after a pause`, () => {
    const budget = budgetOf(10, 10);
    const second = (from: number): number => {
      let granted = 0;
      for (let i = 0; i < 1_000; i++) granted += ask(budget, 1, i % sources, from + i);
      return granted;
    };
    for (const from of [0, 100_000]) {
      const granted = second(from);
      assert.ok(granted >= 14 && granted <= 20, `${granted}`);
    }
    assert.is(ask(budget, 50, 5, 200_000), 10);
  });
}

test('never more than rate and burst, whatever the sources do', () => {
  const next = random();
  const budget = budgetOf(50, 30);
  let granted = 0;
  for (let ms = 0; ms <= 20_000; ms += 1 + (next() % 20)) {
    granted += ask(budget, next() % 5, next() % 7 === 0 ? next() : next() % 3, ms);
    assert.ok(granted <= 30 + (50 * ms) / 1_000, `${granted} at ${ms} ms, seed ${seed}`);
  }
  assert.ok(granted > 900, `${granted}`);
});

test('ten sources that ask without end leave one to an eleventh', () => {
  // Who shares a hash slot with one of the ten is refused as he is, so one in 25: many secrets, and far from all refused.
  const askers = 200;
  let refused = 0;
  for (let secret = 0; secret < askers; secret++) {
    const budget = new IcmpBudget(seed + secret * 7_919);
    budget.begin(3);
    budget.setLimits(3, ICMPV6_ERRORS, 10, 20);
    for (let ms = 0; ms < 3_000; ms += 20) for (let source = 0; source < 10; source++) ask(budget, 3, source, ms);
    if (ask(budget, 1, 1_000 + secret, 3_000) === 0) refused++;
  }
  assert.ok(refused < askers / 6, `${refused} of ${askers} refused, seed ${seed}`);
});

test('instances and families are apart, and counted', () => {
  const budget = budgetOf(10, 2);
  budget.setLimits(3, ICMPV4_ERRORS, 10, 2);
  budget.setLimits(4, ICMPV6_ERRORS, 10, 2);
  assert.is(ask(budget, 9, 1, 0), 2);
  assert.ok(budget.take(3, ABOUT_IPV4, 1, 0));
  assert.ok(budget.take(4, ABOUT_TUNNEL, 1, 0));
  assert.equal(budget.read(3, ICMPV6_ERRORS), { sent: 2, suppressed: 7 });
  assert.equal(budget.read(3, ICMPV4_ERRORS), { sent: 1, suppressed: 0 });
  budget.begin(3);
  assert.equal(budget.read(3, ICMPV6_ERRORS), { sent: 0, suppressed: 0 });
});

test('kinds of one family draw on one bucket (D95, D96), and are counted together', () => {
  const budget = new IcmpBudget(seed);
  budget.begin(3);
  budget.setLimits(3, ICMPV4_ERRORS, 10, 4);
  for (const kind of ICMPV4_ERRORS) assert.ok(budget.take(3, kind, 1, 0), `${kind}`);
  for (const kind of ICMPV4_ERRORS) assert.not(budget.take(3, kind, 2, 0), `${kind}`);
  assert.equal(budget.read(3, ICMPV4_ERRORS), { sent: 4, suppressed: 4 });
});

/** Floods of all `kinds` but `quiet`, each packet from another source, from a full bucket on. */
function flooded(kinds: readonly number[], rate: number, burst: number): IcmpBudget {
  const budget = new IcmpBudget(seed);
  budget.begin(3);
  budget.setLimits(3, kinds, rate, burst);
  return budget;
}

const families = [
  ['ICMPv4', ICMPV4_ERRORS],
  ['ICMPv6', ICMPV6_ERRORS],
] as const;
for (const [family, kinds] of families) {
  for (const [rate, burst] of [
    [10, 10],
    [10, 2],
    [10, 5],
    [100, 20],
    [3, 30],
    [1_000, 10],
  ] as const) {
    for (const quiet of kinds) {
      test(`${family}, rate ${rate}, burst ${burst}: a kind has its share of the rate while all others flood (kind ${quiet}, D95, seed ${seed})`, () => {
        const budget = flooded(kinds, rate, burst);
        // Made-up sources, and one that asks again and again; two tokens' time after their burst the quiet kind comes.
        const everyMs = (1_100 / rate) * kinds.length;
        let [granted, told, asked] = [0, 0, 0];
        let nextMs = 2_200 / rate;
        const untilMs = 1_000 * everyMs;
        const stepMs = 100 / rate;
        for (let ms = 0; ms <= untilMs; ms += stepMs) {
          for (const kind of kinds) {
            for (let i = 0; kind !== quiet && i < 10; i++) {
              if (budget.take(3, kind, i < 8 ? asked * 1_000 + ms * 10 + i : 7, ms)) granted++;
            }
          }
          if (ms >= nextMs) {
            asked++;
            nextMs += everyMs;
            if (budget.take(3, quiet, 5, ms)) told++;
          }
          assert.ok(granted + told <= burst + (rate * ms) / 1_000 + 1e-6, `${granted} and ${told} at ${ms} ms`);
        }
        // Right after their burst three kinds may be within their shares too. A burst below four is too small for a guard against three.
        const least = kinds.length === 2 ? asked : burst < kinds.length ? 0.3 * asked : asked - 3;
        assert.ok(told >= least, `${told} of ${asked}`);
        assert.ok(
          granted + told > 0.95 * (burst + (rate * untilMs) / 1_000),
          `${granted} and ${told} in ${untilMs} ms`,
        );
      });
    }
  }
}

test('the same limits again leave the bucket as it is', () => {
  const budget = budgetOf(10, 4);
  assert.is(ask(budget, 9, 1, 0), 4);
  budget.setLimits(3, ICMPV6_ERRORS, 10, 4);
  assert.is(ask(budget, 9, 1, 0), 0);
  budget.setLimits(3, ICMPV6_ERRORS, 10, 6);
  assert.is(ask(budget, 9, 1, 0), 6);
});

test('four threads draw on one bucket: together no more than one may', async () => {
  const budget = budgetOf(1, 1_000);
  const code = `
    const { workerData, parentPort } = require('node:worker_threads');
    import(workerData.module).then(({ IcmpBudget }) => {
      const budget = new IcmpBudget(workerData.seed, workerData.memory);
      let granted = 0;
      for (let i = 0; i < 20_000; i++) if (budget.take(3, workerData.kind, i * 4 + workerData.thread, 0)) granted++;
      parentPort.postMessage(granted);
    });`;
  const module = new URL('../../src/datapath/icmp-budget.js', import.meta.url).href;
  const granted = await Promise.all(
    [0, 1, 2, 3].map((thread) => {
      const workerData = { module, seed, memory: budget.memory, thread, kind: ABOUT_TUNNEL };
      const worker = new Worker(code, { eval: true, workerData });
      return new Promise<number>((resolve, reject) => {
        worker.once('message', resolve);
        worker.once('error', reject);
      });
    }),
  );
  const sent = granted.reduce((sum, count) => sum + count, 0);
  assert.ok(sent > 900 && sent <= 1_000, `${sent}`);
  assert.equal(budget.read(3, ICMPV6_ERRORS), { sent, suppressed: 80_000 - sent });
});

test.run();
