import type { ValidationFault } from 'netconf-server';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { rememberGood } from '../../../src/mgmt/netconf/operation-check.ts';

const test = suite('operation check');

const FAULT: ValidationFault = { code: 'unknown', message: 'Node "x" not found', path: '', appTag: '' };

/** A check that refuses texts with `bad` in them, and what it was asked. */
function counted(): { check: ReturnType<typeof rememberGood>; asked: string[] } {
  const asked: string[] = [];
  const check = rememberGood((xml) => {
    asked.push(xml);
    return xml.includes('bad') ? [FAULT] : [];
  });
  return { check, asked };
}

/** [texts, those that libyang is asked about, why]. */
const cases = [
  [['<a/>', '<a/>', '<b/>', '<a/>'], ['<a/>', '<b/>'], 'a good text is asked about once'],
  [['<bad/>', '<bad/>'], ['<bad/>', '<bad/>'], 'one with a fault each time'],
  [['x'.repeat(1_024), 'x'.repeat(1_024)], ['x'.repeat(1_024)], 'the longest that is remembered'],
  [['x'.repeat(1_025), 'x'.repeat(1_025)], ['x'.repeat(1_025), 'x'.repeat(1_025)], 'one longer'],
] as const;
for (const [texts, expected, why] of cases) {
  test(why, () => {
    const { check, asked } = counted();
    const faults = texts.map((text) => check(text));
    assert.equal(asked, expected);
    assert.equal(
      faults.map(({ length }) => length),
      texts.map((text) => Number(text.includes('bad'))),
    );
  });
}

for (const [others, isForgotten] of [
  [63, false],
  [64, true],
] as const) {
  test(`after ${others} others the first is ${isForgotten ? 'forgotten' : 'remembered'}`, () => {
    const { check, asked } = counted();
    for (let i = 0; i <= others; i++) check(`<op${i}/>`);
    check('<op0/>');
    assert.is(asked.length, others + 1 + Number(isForgotten));
  });
}

test.run();
