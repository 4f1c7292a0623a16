/** Dates with times: `date-and-time` of RFC 6991 §3, which is RFC 3339, and what people write for it. */

const STRICT = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)$/;
const LOOSE = /^(\d{4})-(\d\d)-(\d\d)(?:[T ](\d\d):(\d\d)(?::(\d\d)(\.\d+)?)?(Z|[+-]\d\d:\d\d)?)?$/;
const MINUTE_MS = 60_000;

/**
 * The moment that a date-and-time is; undefined for text of another form and for a date or a time of day that there is none of. The
 * second 60 is taken where a leap second may be, at the end of a month in UTC (RFC 3339 §5.7); it is the same as the next one.
 */
export function parseDateTime(text: string): Date | undefined {
  return STRICT.test(text) ? parseMoment(text) : undefined;
}

/** As `parseDateTime`; a space for the T, and no seconds, no time of day and no zone are taken, too. Without zone it is local time. */
export function parseMoment(text: string): Date | undefined {
  const found = LOOSE.exec(text);
  if (!found) return undefined;
  const [, year = '', month = '', day = '', hour = '0', minute = '0', second = '0', fraction = '0', zone] = found;
  const offset = zone === undefined ? undefined : offsetMinutes(zone);
  const time = [Number(hour), Number(minute), Number(second)] as const;
  const date = [Number(year), Number(month), Number(day)] as const;
  if (!isDate(date) || !isTime(time) || (zone !== undefined && offset === undefined)) return undefined;
  const isLeap = time[2] === 60;
  const ms = Math.trunc(Number(fraction) * 1_000);
  const moment = offset === undefined ? localMoment(date, time) : new Date(utc(date, time) - offset * MINUTE_MS);
  if (!moment || (isLeap && !isMonthBegin(moment))) return undefined;
  return new Date(moment.getTime() + ms);
}

type Date3 = readonly [year: number, month: number, day: number];
type Time3 = readonly [hour: number, minute: number, second: number];

function isDate(date: Date3): boolean {
  const [year, month, day] = date;
  const found = new Date(utc(date, [0, 0, 0]));
  return found.getUTCFullYear() === year && found.getUTCMonth() === month - 1 && found.getUTCDate() === day;
}

function isTime([hour, minute, second]: Time3): boolean {
  return hour < 24 && minute < 60 && second <= 60;
}

/** Milliseconds; a second 60 is the next one. */
function utc([year, month, day]: Date3, [hour, minute, second]: Time3): number {
  const date = new Date(0);
  // Not with Date.UTC, for which the years 0 to 99 are others.
  date.setUTCFullYear(year, month - 1, day);
  return date.setUTCHours(hour, minute, second);
}

/** Undefined for an hour that is left out when clocks are put forward. */
function localMoment([year, month, day]: Date3, [hour, minute, second]: Time3): Date | undefined {
  const moment = new Date(2000, 0, 1, hour, minute, 0);
  moment.setFullYear(year, month - 1, day);
  moment.setHours(hour, minute, 0, 0);
  if (moment.getHours() !== hour || moment.getMinutes() !== minute) return undefined;
  return new Date(moment.getTime() + second * 1_000);
}

/** Undefined when it is none. */
function offsetMinutes(zone: string): number | undefined {
  if (zone === 'Z') return 0;
  const [hours, minutes] = [Number(zone.slice(1, 3)), Number(zone.slice(4))];
  if (hours > 23 || minutes > 59) return undefined;
  return (zone.startsWith('-') ? -1 : 1) * (hours * 60 + minutes);
}

function isMonthBegin(moment: Date): boolean {
  return moment.getUTCDate() === 1 && moment.getTime() % (24 * 60 * MINUTE_MS) === 0;
}
