/** Values of options, checked as they are read. */

import { parseIpv4 } from '../address.ts';
import { require } from '../common-js.ts';
import { parseMoment } from '../date-time.ts';
import { isXmlText } from './xml-text.ts';

const { InvalidArgumentError } = require('commander') as typeof import('commander');

const MAX_COMMENT = 256;

/** For an option that takes a whole number. */
export function wholeNumber(min: number, max = Number.MAX_SAFE_INTEGER): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (/^\d+$/.test(text) && value >= min && value <= max) return value;
    throw new InvalidArgumentError(`expected a whole number from ${min} to ${max}.`);
  };
}

/** For an argument that is an IPv4 address. */
export function ipv4Address(text: string): string {
  if (parseIpv4(text) !== undefined) return text;
  throw new InvalidArgumentError('expected an IPv4 address such as 192.0.2.1.');
}

/** For an option that says what is on record of a commit. */
export function comment(text: string): string {
  const { length } = [...text];
  if (length >= 1 && length <= MAX_COMMENT && isXmlText(text)) return text;
  throw new InvalidArgumentError(
    `expected 1 to ${MAX_COMMENT} characters, and no control character among them but tabs and ends of lines.`,
  );
}

/** For an option that takes a name of something on the device. */
export function plainText(text: string): string {
  if (isXmlText(text)) return text;
  throw new InvalidArgumentError('expected no control characters.');
}

/** For an option that takes a moment: RFC 3339; without a zone, or as a date alone, it is local time. */
export function moment(text: string): Date {
  const at = parseMoment(text);
  if (at) return at;
  throw new InvalidArgumentError(
    'expected a time such as 2026-11-23T14:00:00Z or, in local time, 2026-11-23 14:00 or 2026-11-23, and one that there is.',
  );
}
