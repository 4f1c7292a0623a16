/** What a session takes of very many routes, and that others have their turn meanwhile. */

import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { RouteSession } from '../../../src/mgmt/routes/session.ts';
import { ManagementError } from '../../../src/state/errors.ts';
import { RouteHash } from '../../../src/state/learned/route-hash.ts';
import { prefixNumber } from '../../../src/state/rows.ts';

const test = suite('route session');

const routesOf = (count: number) => Array.from({ length: count }, (_, i) => prefixNumber(0x0a00_0000 + i, 32));

function message(sequence: number, routes: readonly number[], hasMore = false) {
  const contentHash = hasMore ? undefined : new RouteHash(routes).text;
  return { session: '1', sequence, hasMore, isClose: false, routes, withdrawn: [], contentHash };
}

const MOST = 10;

for (const [count, isTaken] of [
  [MOST, true],
  [MOST + 1, false],
] as const) {
  test(`${count} of ${MOST} routes at most`, async () => {
    const session = new RouteSession('1');
    const step = await session.take(message(1, routesOf(count)), MOST).catch((error: unknown) => error);
    assert.is(step instanceof ManagementError, !isTaken);
    if (step instanceof ManagementError) {
      assert.is(step.message, 'expected at most 10 routes (see maximum-routes), found 11');
    }
  });
}

test('parts count while the rest is waited for, and not when they were too many', async () => {
  const session = new RouteSession('1');
  const routes = routesOf(2 * MOST);
  await session.take(message(1, routes, true), MOST);
  assert.is(session.held, 2 * MOST);
  const error = await session.take(message(2, routesOf(1), true), MOST).catch((found: unknown) => found);
  assert.ok(error instanceof ManagementError);
  assert.is(error.message, 'expected at most 10 routes (see maximum-routes), found 21 in one message');
  assert.is(session.held, 0);
});

test('very many routes are looked at and noted in slices', async () => {
  // A slice is 10 ms long: more than a quick machine does in one.
  const count = 500_000;
  const session = new RouteSession('1');
  const routes = routesOf(count);
  const whole = message(1, routes);
  const step = await turnsOf(session.take(whole, count));
  assert.ok(step.turns > 1, `${step.turns} turns while they were looked at`);
  let partly = 0;
  const noted = turnsOf(step.result?.taken() ?? Promise.resolve(), () => {
    if (session.held > 0 && session.held < count) partly++;
  });
  await noted;
  assert.is(session.held, count);
  assert.ok(session.isWhole);
  assert.ok(partly > 0, 'others saw some of them noted');
});

/** What work comes to, and how many turns others had meanwhile. */
async function turnsOf<Result>(work: Promise<Result>, eachTurn: () => void = () => undefined) {
  let isOver = false;
  const end = work.finally(() => {
    isOver = true;
  });
  let turns = 0;
  while (!isOver) {
    eachTurn();
    turns++;
    await new Promise((resolve) => setImmediate(resolve));
  }
  return { result: await end, turns };
}

test.run();
