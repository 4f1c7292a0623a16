/**
 * The IPv4 routes of the kernel as one reading of its tables left them, brought on by news of single routes: what a change costs does not
 * grow with the routes.
 *
 * A prefix has several routes in one table, in the order of the kernel: one for each type of service and metric, and more of both where
 * others were put before or behind it. Of each is kept what decides whether the prefix is followed, as one number.
 */

import type { Route, RouteNews } from './netlink.ts';
import { PROTOCOL } from './netlink.ts';

/** IPv4 unicast routes that are none of ours; by table, and by prefix as address * 64 + length. */
export interface Ipv4Routes {
  readonly has: (table: number, number: number) => boolean;
  readonly numbers: (table: number) => Iterable<number>;
}

/** More than the lengths of prefixes. */
const LENGTHS = 64;
/** More than any metric. */
const METRICS = 2 ** 32;
/** More than any type of service. */
const SERVICES = 256;
/** In a code below metric and type of service. */
const KINDS = 8;
const OWN = 4;
const CODES = { unicast: 0, blackhole: 1, other: 2 };

/** One route, or several in their order. */
type Codes = number | readonly number[];

export class RouteState implements Ipv4Routes {
  readonly #tables = new Map<number, Map<number, Codes>>();

  /** Takes a route of a reading; those of one prefix come in their order. */
  put(route: Route): void {
    const number = numberOf(route);
    const prefixes = this.#prefixes(route.table);
    const codes = prefixes.get(number);
    const code = codeOf(route);
    if (codes === undefined) prefixes.set(number, code);
    else prefixes.set(number, typeof codes === 'number' ? [codes, code] : [...codes, code]);
  }

  /**
   * Takes news. Those that are `late` may be known by the reading already. Returns whether it is known what they come to: where it is
   * not, the tables are to be read.
   */
  apply({ route, how }: RouteNews, isLate: boolean): boolean {
    const code = codeOf(route);
    const all = this.#codes(route);
    const place = all.findIndex(isBeside(code));
    const before = all.filter(isBeside(code));
    const [after, fits] = brought(before, code, how);
    const at = place < 0 ? all.length : place;
    this.#set(route.table, numberOf(route), all.toSpliced(at, before.length, ...after));
    if (!isLate) return fits;
    if (how === 'alone') return true;
    // One that is known beside one that is told of may be the same, or not.
    return before.length < 2 && after.length < 2;
  }

  /** Whether another state has the same routes to the prefix of a route, in its table. */
  isAsIn(other: RouteState, route: Route): boolean {
    const [own, others] = [this, other].map((state) => state.#codes(route).toSorted().join());
    return own === others;
  }

  has(table: number, number: number): boolean {
    return isFollowed(this.#tables.get(table)?.get(number));
  }

  *numbers(table: number): Generator<number> {
    for (const [number, codes] of this.#tables.get(table) ?? []) if (isFollowed(codes)) yield number;
  }

  /** Every table and prefix with a route of any kind. */
  *places(): Generator<readonly [table: number, number: number]> {
    for (const [table, prefixes] of this.#tables) for (const number of prefixes.keys()) yield [table, number];
  }

  #codes(route: Route): readonly number[] {
    const codes = this.#tables.get(route.table)?.get(numberOf(route)) ?? [];
    return typeof codes === 'number' ? [codes] : codes;
  }

  #set(table: number, number: number, codes: readonly number[]): void {
    const [code] = codes;
    if (code === undefined) this.#prefixes(table).delete(number);
    else this.#prefixes(table).set(number, codes.length === 1 ? code : codes);
  }

  #prefixes(table: number): Map<number, Codes> {
    const prefixes = this.#tables.get(table) ?? new Map<number, Codes>();
    this.#tables.set(table, prefixes);
    return prefixes;
  }
}

/** What news of one route make of those of its type of service and metric, and whether that is certain. */
function brought(
  before: readonly number[],
  code: number,
  how: RouteNews['how'],
): readonly [after: readonly number[], isCertain: boolean] {
  const same = before.indexOf(code);
  switch (how) {
    case 'alone':
      return [[code], before.length === 0];
    case 'before':
      return [[code, ...before], true];
    case 'behind':
      return [[...before, code], true];
    case 'instead':
      return [[code, ...before.slice(1)], before.length > 0];
    case 'again':
      return [before, same >= 0];
    case 'gone':
      // Of several that look alike and stand among others it is not known which one went.
      return [
        same < 0 ? before : before.toSpliced(same, 1),
        same >= 0 && (same === before.lastIndexOf(code) || before.every((other) => other === code)),
      ];
  }
}

/** A prefix as address * 64 + length. */
export function numberOf({ octets, length }: Route): number {
  return Buffer.from(octets.buffer, octets.byteOffset, octets.length).readUInt32BE(0) * LENGTHS + length;
}

function codeOf({ metric, tos = 0, kind, protocol }: Route): number {
  return (metric * SERVICES + tos) * KINDS + CODES[kind] + (protocol === PROTOCOL ? OWN : 0);
}

/** Of the same type of service and metric. */
function isBeside(code: number): (other: number) => boolean {
  return (other) => Math.floor(other / KINDS) === Math.floor(code / KINDS);
}

/**
 * Whether the kernel goes by a unicast route of others: of several the one of the least metric counts, so that none does that stands behind
 * a blackhole or an unreachable route. Routes of a type of service, by which only some packets go, count where there is no other to the
 * prefix. What leads to a softwire carries our protocol number.
 */
function isFollowed(codes: Codes | undefined): boolean {
  if (codes === undefined) return false;
  if (typeof codes === 'number') return codes % KINDS === CODES.unicast;
  let best: number | undefined;
  for (const code of codes) {
    if (code % KINDS < OWN && (best === undefined || rankOf(code) < rankOf(best))) best = code;
  }
  return best !== undefined && best % KINDS === CODES.unicast;
}

function rankOf(code: number): number {
  const both = Math.floor(code / KINDS);
  const metric = Math.floor(both / SERVICES);
  return both % SERVICES === 0 ? metric : METRICS + metric;
}
