import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { parseHttpDate } from '../../../src/mgmt/restconf/http-date.ts';

const test = suite('restconf HTTP-dates');

const NOW = new Date(Date.UTC(2026, 0, 1));
const TIME = Date.UTC(1994, 10, 6, 8, 49, 37);

const dates = [
  ['Sun, 06 Nov 1994 08:49:37 GMT', TIME],
  ['Sunday, 06-Nov-94 08:49:37 GMT', TIME],
  ['Sun Nov  6 08:49:37 1994', TIME],
  ['Wed, 16 Nov 1994 23:59:60 GMT', Date.UTC(1994, 10, 17)],
  ['Thursday, 01-Jan-76 00:00:00 GMT', Date.UTC(2076, 0, 1)],
  ['Saturday, 01-Jan-77 00:00:00 GMT', Date.UTC(1977, 0, 1)],
  ['Thu, 29 Feb 2024 00:00:00 GMT', Date.UTC(2024, 1, 29)],
  ['Wed, 29 Feb 2023 00:00:00 GMT', undefined],
  ['Sun, 00 Nov 1994 08:49:37 GMT', undefined],
  ['Sun, 06 Nov 1994 24:00:00 GMT', undefined],
  ['Sun, 06 Nov 1994 08:49:37 UTC', undefined],
  ['Sun, 06 Nov 1994 08:49:37 +0000', undefined],
  ['Sun, 6 Nov 1994 08:49:37 GMT', undefined],
  ['sun, 06 nov 1994 08:49:37 gmt', undefined],
  ['06 Nov 1994 08:49:37 GMT', undefined],
  ['1994-11-06', undefined],
  ['1994-11-06T08:49:37Z', undefined],
  ['2099', undefined],
  ['', undefined],
] as const;
for (const [text, expected] of dates) test(`'${text}'`, () => assert.is(parseHttpDate(text, NOW), expected));

test.run();
