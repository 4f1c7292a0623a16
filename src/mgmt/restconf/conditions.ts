/**
 * Preconditions (RFC 8040 §3.4.1, RFC 9110 §13). All configuration resources have the entity-tag and time of the
 * datastore, as §3.5.1 and §3.5.2 allow: any commit changes them, state data never does.
 */

import type { Edition } from '../../state/request.ts';
import { RestconfFault } from './fault.ts';
import { parseHttpDate } from './http-date.ts';
import type { Conditions } from './request.ts';

/** The commit time is part of it, so that a store begun anew never repeats a tag. */
export function entityTag({ version, time }: Edition): string {
  return `"${version.toString(36)}-${time.getTime().toString(36)}"`;
}

export function editionHeaders({ version, time }: Edition): Readonly<Record<string, string>> {
  const timeMs = time.getTime();
  if (version !== last.version || timeMs !== last.timeMs) {
    const headers = { etag: entityTag({ version, time }), 'last-modified': time.toUTCString() };
    last = { version, timeMs, headers };
  }
  return last.headers;
}

/** The header fields that were made last: most are of one edition. */
let last: { readonly version: number; readonly timeMs: number; readonly headers: Readonly<Record<string, string>> } = {
  version: Number.NaN,
  timeMs: Number.NaN,
  headers: {},
};

/** Whether a GET may be answered with 304 (RFC 9110 §13.2.2, steps 3 and 4). */
export function isUnmodified(conditions: Conditions, edition: Edition): boolean {
  if (conditions.ifNoneMatch !== undefined) return isAmong(conditions.ifNoneMatch, entityTag(edition), true);
  const since = parseDate(conditions.ifModifiedSince);
  return since !== undefined && seconds(edition.time.getTime()) <= seconds(since);
}

/**
 * Steps 1 and 2 of RFC 9110 §13.2.2, for any method that has a representation; `exists` says whether the target has one. Without an
 * edition that has neither tag nor time: only `*` is its tag then, and a time says nothing (§13.1.4), as of a target that is not there.
 * @throws RestconfFault 412 operation-failed when a precondition is false
 */
export function requireUnchanged(conditions: Conditions, edition: Edition | undefined, exists: boolean): void {
  const { ifMatch, ifUnmodifiedSince } = conditions;
  if (ifMatch !== undefined) {
    const tag = tagOf(edition);
    if (exists && isAmong(ifMatch, tag, false)) return;
    throw failed(`If-Match ${ifMatch}: ${exists ? `the entity-tag is ${tag}` : 'there is no such resource'}`);
  }
  const since = parseDate(ifUnmodifiedSince);
  if (exists && edition && since !== undefined && seconds(edition.time.getTime()) > seconds(since)) {
    throw failed(`If-Unmodified-Since ${ifUnmodifiedSince}: modified at ${edition.time.toUTCString()}`);
  }
}

/** The same and step 3, for methods that change something. @throws RestconfFault as `requireUnchanged` */
export function requireConditions(conditions: Conditions, edition: Edition | undefined, exists: boolean): void {
  requireUnchanged(conditions, edition, exists);
  const { ifNoneMatch } = conditions;
  const tag = tagOf(edition);
  if (ifNoneMatch === undefined || !exists || !isAmong(ifNoneMatch, tag, true)) return;
  throw failed(`If-None-Match ${ifNoneMatch}: the resource is there with entity-tag ${tag}`);
}

/** What no entity-tag is equal to where there is none. */
function tagOf(edition: Edition | undefined): string {
  return edition ? entityTag(edition) : 'none';
}

/** Whether the list of entity-tags holds `tag`; a weak one counts only where the comparison is weak (§8.8.3.2). */
function isAmong(list: string, tag: string, weak: boolean): boolean {
  if (list.trim() === '*') return true;
  return [...list.matchAll(/(W\/)?("[^"]*")/g)].some(
    ([, mark, value]) => value === tag && (weak || mark === undefined),
  );
}

/** What is no HTTP-date is no condition (§13.1.3, §13.1.4). */
function parseDate(text: string | undefined): number | undefined {
  return text === undefined ? undefined : parseHttpDate(text);
}

function seconds(timeMs: number): number {
  return Math.floor(timeMs / 1000);
}

function failed(message: string): RestconfFault {
  return new RestconfFault(412, 'operation-failed', { message });
}
