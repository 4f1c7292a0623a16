/** When routes that are advertised are an alarm, and that one which comes and goes is no flood of them. */

import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { RouteAlarms } from '../../../src/mgmt/routes/route-alarms.ts';

const test = suite('route-alarms');

const source = (reasons: readonly string[], isStale = false) => [{ aftr: 'a', name: 'g', isStale, reasons }];
const target = (isFailing: boolean) => [{ gateway: 'g', name: 'a', isFailing }];

test('refused routes: raised at once, one text a minute, over a minute after the last', () => {
  const alarms = new RouteAlarms();
  const texts = (reasons: readonly string[], nowMs: number) =>
    alarms.conditions(source(reasons), [], nowMs)['routes-refused'].map(({ text }) => /\((.*)\)/.exec(text)?.[1]);
  // [seconds, reasons, text]
  const steps: readonly (readonly [number, readonly string[], readonly string[]])[] = [
    [0, [], []],
    [1, ['not-allowed'], ['not-allowed']],
    [2, [], ['not-allowed']],
    [3, ['not-allowed', 'too-many'], ['not-allowed']],
    [60, ['too-many'], ['not-allowed']],
    [61, ['too-many'], ['too-many']],
    [62, [], ['too-many']],
    [120, [], ['too-many']],
    [121, [], []],
  ];
  for (const [seconds, reasons, expected] of steps) {
    assert.equal(texts(reasons, seconds * 1_000), expected, `after ${seconds} s`);
  }
  texts(['too-many'], 200_000);
  assert.equal(alarms.conditions([], [], 200_001)['routes-refused'], [], 'a source that is gone is no alarm');
});

test('a silent source, and a gateway that has failed for ten seconds', () => {
  const alarms = new RouteAlarms();
  const stale = alarms.conditions(source([], true), [], 0)['route-source-silent'];
  assert.equal(
    stale.map(({ resource }) => resource),
    ["/gi-4over6:softwire/aftr[name='a']/route-source[name='g']"],
  );
  const failing = (isFailing: boolean, nowMs: number) =>
    alarms.conditions([], target(isFailing), nowMs)['advertisement-failing'].length;
  assert.equal(
    [failing(true, 0), failing(true, 9_999), failing(true, 10_000), failing(false, 10_001), failing(true, 10_002)],
    [0, 0, 1, 0, 0],
  );
});

test.run();
