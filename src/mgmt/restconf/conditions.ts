/**
 * Preconditions (RFC 8040 §3.4.1, RFC 9110 §13). All configuration resources have the entity-tags and time of the
 * datastore, as §3.5.1 and §3.5.2 allow: any commit changes them, state data never does.
 */

import type { Edition } from '../../state/request.ts';
import { RestconfFault } from './fault.ts';
import { parseHttpDate } from './http-date.ts';
import type { Conditions } from './request.ts';

/** What a tag is of: a representation has its own, as one that is current in JSON says nothing of XML (RFC 9110 §8.8.1). */
export type Form = 'json' | 'xml' | 'xml-list';

const SUFFIXES: Readonly<Record<Form, string>> = { json: '', xml: '-xml', 'xml-list': '-xml-list' };
const FORMS: readonly Form[] = ['json', 'xml', 'xml-list'];

/** The commit time is part of it, so that a store begun anew never repeats a tag. */
export function entityTag({ version, time }: Edition, form: Form): string {
  return `"${version.toString(36)}-${time.getTime().toString(36)}${SUFFIXES[form]}"`;
}

export function editionHeaders({ version, time }: Edition, form: Form): Readonly<Record<string, string>> {
  const timeMs = time.getTime();
  if (version !== last.version || timeMs !== last.timeMs || form !== last.form) {
    const headers = { etag: entityTag({ version, time }, form), 'last-modified': time.toUTCString() };
    last = { version, timeMs, form, headers };
  }
  return last.headers;
}

/** The header fields that were made last: most are of one edition. */
let last: {
  readonly version: number;
  readonly timeMs: number;
  readonly form: Form;
  readonly headers: Readonly<Record<string, string>>;
} = { version: Number.NaN, timeMs: Number.NaN, form: 'json', headers: {} };

/** Whether a GET may be answered with 304 (RFC 9110 §13.2.2, steps 3 and 4). */
export function isUnmodified(conditions: Conditions, edition: Edition, form: Form): boolean {
  if (conditions.ifNoneMatch !== undefined) return isAmong(conditions.ifNoneMatch, [entityTag(edition, form)], true);
  const since = parseDate(conditions.ifModifiedSince);
  return since !== undefined && seconds(edition.time.getTime()) <= seconds(since);
}

/**
 * Steps 1 and 2 of RFC 9110 §13.2.2, for any method that has a representation; `exists` says whether the target has one. Without an
 * edition that has neither tag nor time: only `*` is its tag then, and a time says nothing (§13.1.4), as of a target that is not there.
 * The tag of any of `forms` will do: a change is of all, a read of one.
 * @throws RestconfFault 412 operation-failed when a precondition is false
 */
export function requireUnchanged(
  conditions: Conditions,
  edition: Edition | undefined,
  exists: boolean,
  forms: readonly Form[],
): void {
  const { ifMatch, ifUnmodifiedSince } = conditions;
  if (ifMatch !== undefined) {
    const tags = tagsOf(edition, forms);
    if (exists && isAmong(ifMatch, tags, false)) return;
    throw failed(
      `If-Match ${ifMatch}: ${exists ? `the entity-tag is ${tags[0] ?? 'none'}` : 'there is no such resource'}`,
    );
  }
  const since = parseDate(ifUnmodifiedSince);
  if (exists && edition && since !== undefined && seconds(edition.time.getTime()) > seconds(since)) {
    throw failed(`If-Unmodified-Since ${ifUnmodifiedSince}: modified at ${edition.time.toUTCString()}`);
  }
}

/** Of what has this one tag and no time. @throws RestconfFault 412 */
export function requireTag({ ifMatch }: Conditions, tag: string): void {
  if (ifMatch !== undefined && !isAmong(ifMatch, [tag], false)) {
    throw failed(`If-Match ${ifMatch}: the entity-tag is ${tag}`);
  }
}

/** Whether the client has what has this tag. */
export function sameTag({ ifNoneMatch }: Conditions, tag: string): boolean {
  return ifNoneMatch !== undefined && isAmong(ifNoneMatch, [tag], true);
}

/** Of an operation or action, which has no representation, so that no entity-tag is its own (§13.1.1). @throws RestconfFault 412 */
export function requireNoMatch({ ifMatch }: Conditions): void {
  if (ifMatch === undefined) return;
  throw failed(`If-Match ${ifMatch}: an operation has no entity-tag, and is not carried out under that condition`);
}

/** The same as `requireUnchanged` and step 3, for methods that change something. @throws RestconfFault as `requireUnchanged` */
export function requireConditions(conditions: Conditions, edition: Edition | undefined, exists: boolean): void {
  requireUnchanged(conditions, edition, exists, FORMS);
  const { ifNoneMatch } = conditions;
  const tags = tagsOf(edition, FORMS);
  if (ifNoneMatch === undefined || !exists || !isAmong(ifNoneMatch, tags, true)) return;
  throw failed(`If-None-Match ${ifNoneMatch}: the resource is there with entity-tag ${tags[0] ?? 'none'}`);
}

function tagsOf(edition: Edition | undefined, forms: readonly Form[]): readonly string[] {
  return edition ? forms.map((form) => entityTag(edition, form)) : [];
}

/** Whether the list of entity-tags holds one of `tags`; a weak one counts only where the comparison is weak (§8.8.3.2). */
function isAmong(list: string, tags: readonly string[], weak: boolean): boolean {
  if (list.trim() === '*') return true;
  return [...list.matchAll(/(W\/)?("[^"]*")/g)].some(
    ([, mark, value = '']) => tags.includes(value) && (weak || mark === undefined),
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
