import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { killStore } from '../helpers/crash-store.ts';
import { seed } from '../helpers/random.ts';

const test = suite('store kills');

const SHORT = 500;
const KILLS = Number(process.env.GI4OVER6_KILLS ?? SHORT);
/** Chains of lives beside each other; a life waits for the disk as much as it computes. */
const CHAINS = 2;

let reported = 0;

/** How far a long run is. */
function report(): void {
  if (++reported % SHORT === 0 && KILLS > SHORT) console.log(`${reported} of ${KILLS} kills`);
}

test(`${KILLS} kills: every acknowledged commit is there, and nothing else; seed ${seed}`, async () => {
  const chains = Array.from({ length: CHAINS }, (_, chain) => killStore(KILLS / CHAINS, seed + chain, report));
  for (const { kills, acknowledged, undecided, kinds } of await Promise.all(chains)) {
    assert.is(kills, KILLS / CHAINS);
    assert.ok(acknowledged > kills, `only ${acknowledged} edits were acknowledged`);
    assert.ok(undecided > kills / 4, `only ${undecided} kills came while edits were on their way`);
    assert.is(kinds.size, 5, `kinds of kills: ${[...kinds.keys()]}`);
  }
});

test.run();
