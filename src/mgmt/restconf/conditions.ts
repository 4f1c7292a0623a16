/**
 * Preconditions (RFC 8040 §3.4.1, RFC 9110 §13). All configuration resources have the entity-tag and time of the
 * datastore, as §3.5.1 and §3.5.2 allow: any commit changes them, state data never does.
 */

import type { Edition } from '../../state/request.ts';
import { RestconfFault } from './fault.ts';
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
 * Steps 1 to 3 of RFC 9110 §13.2.2; `exists` says whether the target does. Without an edition it has neither tag nor time: only
 * `*` is its tag then, and a time says nothing (§13.1.4).
 * @throws RestconfFault 412 operation-failed when a precondition is false
 */
export function requireConditions(conditions: Conditions, edition: Edition | undefined, exists: boolean): void {
  const { ifMatch, ifNoneMatch } = conditions;
  const tag = edition ? entityTag(edition) : 'none';
  if (ifMatch !== undefined) {
    const holds = ifMatch.trim() === '*' ? exists : isAmong(ifMatch, tag, false);
    if (!holds)
      throw failed(`If-Match ${ifMatch}: ${exists ? `the entity-tag is ${tag}` : 'there is no such resource'}`);
  } else {
    const since = parseDate(conditions.ifUnmodifiedSince);
    if (edition && since !== undefined && seconds(edition.time.getTime()) > seconds(since)) {
      throw failed(`If-Unmodified-Since ${conditions.ifUnmodifiedSince}: modified at ${edition.time.toUTCString()}`);
    }
  }
  if (ifNoneMatch === undefined) return;
  const holds = ifNoneMatch.trim() === '*' ? !exists : !isAmong(ifNoneMatch, tag, true);
  if (!holds) throw failed(`If-None-Match ${ifNoneMatch}: the resource is there with entity-tag ${tag}`);
}

/** Whether the list of entity-tags holds `tag`; a weak one counts only where the comparison is weak (§8.8.3.2). */
function isAmong(list: string, tag: string, weak: boolean): boolean {
  if (list.trim() === '*') return true;
  return [...list.matchAll(/(W\/)?("[^"]*")/g)].some(
    ([, mark, value]) => value === tag && (weak || mark === undefined),
  );
}

/** A date that cannot be read is no condition (§13.1.3, §13.1.4). */
function parseDate(text: string | undefined): number | undefined {
  const time = text === undefined ? Number.NaN : Date.parse(text);
  return Number.isNaN(time) ? undefined : time;
}

function seconds(timeMs: number): number {
  return Math.floor(timeMs / 1000);
}

function failed(message: string): RestconfFault {
  return new RestconfFault(412, 'operation-failed', { message });
}
