import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { parseDateTime, parseMoment } from '../src/date-time.ts';

const test = suite('date and time');

for (const [text, moment] of [
  ['2026-11-25T23:59:59Z', '2026-11-25T23:59:59.000Z'],
  ['2026-11-25T23:59:59.123456Z', '2026-11-25T23:59:59.123Z'],
  ['2026-11-25T00:30:00+02:00', '2026-11-24T22:30:00.000Z'],
  ['2026-11-25T23:30:00-00:30', '2026-11-26T00:00:00.000Z'],
  ['2026-11-25T12:00:00-00:00', '2026-11-25T12:00:00.000Z'],
  ['2024-02-29T00:00:00Z', '2024-02-29T00:00:00.000Z'],
  ['0099-01-01T00:00:00Z', '0099-01-01T00:00:00.000Z'],
  ['2016-12-31T23:59:60Z', '2017-01-01T00:00:00.000Z'],
  ['2017-01-01T00:59:60+01:00', '2017-01-01T00:00:00.000Z'],
] as const) {
  test(`${text} is a moment`, () => assert.is(parseDateTime(text)?.toISOString(), moment));
}

for (const text of [
  '2026-11-25T40:23:30Z',
  '2026-11-25T24:00:00Z',
  '2026-11-25T23:60:00Z',
  '2026-11-25T23:59:61Z',
  '2026-11-25T12:00:60Z',
  '2026-11-25T23:59:60Z',
  '2016-12-31T23:59:60+01:00',
  '2026-02-31T10:00:00Z',
  '2026-02-29T10:00:00Z',
  '2026-04-31T10:00:00Z',
  '2026-00-10T10:00:00Z',
  '2026-13-10T10:00:00Z',
  '2026-11-00T10:00:00Z',
  '2026-11-25T10:00:00+24:00',
  '2026-11-25T10:00:00+01:60',
]) {
  test(`${text} is none`, () => {
    assert.is(parseDateTime(text), undefined);
    assert.is(parseMoment(text), undefined);
  });
}

for (const text of [
  '2026-11-25',
  '2026-11-25 10:00:00Z',
  '2026-11-25T10:00Z',
  '2026-11-25T10:00:00',
  '2026-11-25t10:00:00z',
]) {
  test(`'${text}' is no date-and-time`, () => assert.is(parseDateTime(text), undefined));
}

/** In a zone five hours behind UTC in winter, where clocks are put forward on the 8th of March 2026. */
function inNewYork(body: () => void): void {
  const before = process.env.TZ;
  process.env.TZ = 'America/New_York';
  try {
    body();
  } finally {
    if (before === undefined) delete process.env.TZ;
    else process.env.TZ = before;
  }
}

for (const [text, moment] of [
  ['2026-11-26', '2026-11-26T05:00:00.000Z'],
  ['2026-11-26 14:00', '2026-11-26T19:00:00.000Z'],
  ['2026-11-26T14:00:30.5', '2026-11-26T19:00:30.500Z'],
  ['2026-07-26 14:00', '2026-07-26T18:00:00.000Z'],
  ['2026-11-26 14:00Z', '2026-11-26T14:00:00.000Z'],
  ['2026-11-26 14:00+01:00', '2026-11-26T13:00:00.000Z'],
  ['2026-03-08 01:59', '2026-03-08T06:59:00.000Z'],
  ['2026-03-08 02:30', undefined],
  ['2026-02-31 10:00', undefined],
  ['2026-02-31', undefined],
  ['2026-11-26 24:00', undefined],
  ['yesterday', undefined],
  ['2026-11', undefined],
  ['2026-11-26Z', undefined],
] as const) {
  test(`people write '${text}'`, () => inNewYork(() => assert.is(parseMoment(text)?.toISOString(), moment)));
}

test.run();
