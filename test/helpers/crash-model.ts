/**
 * What a store may hold after a crash, in one place for all tests of crashes and the long run:
 *
 *     running and startup   as after the last acknowledged edit, or as after any of those that were on their way
 *     candidate             running itself: it lives in memory
 *
 * Edits are done in the order they are sent. Contents are keys with a text each: `a 192.0.2.1/32` a row of AFTR a with its
 * gateway, `a mtu` a leaf of the small tree, `limit` that of history, `b` that there is an AFTR b, `bulk` BULK_ROWS rows of a with one gateway.
 */

import { formatIpv4Prefix, formatIpv6 } from '../../src/address.ts';
import type { Binding } from '../../src/state/binding.generated.ts';
import { BULK_WRITE_ROWS } from '../../src/state/bulk-write.ts';
import { readConfiguration } from '../../src/state/configuration-reader.generated.ts';

export type Contents = ReadonlyMap<string, string>;
/** What an edit sets; null for what it takes away. */
export type Changes = readonly (readonly [key: string, value: string | null])[];

export type Edit =
  | {
      readonly kind: 'edit';
      readonly session: number;
      readonly target: 'running' | 'candidate';
      readonly changes: Changes;
    }
  | { readonly kind: 'commit' | 'discard' | 'save' | 'compact'; readonly session: number };

export interface State {
  readonly running: Contents;
  readonly startup: Contents;
  /** What the candidate has instead of running; undefined while it is running itself. */
  readonly candidate: Changes | undefined;
}

/** What was found in a store; a datastore that nobody looked at is left out. */
export interface Found {
  readonly running: Contents;
  readonly startup?: Contents;
  readonly candidate?: Contents;
}

export const EMPTY: State = { running: new Map(), startup: new Map(), candidate: undefined };

/** Enough for the thread that writes bulk commits. */
export const BULK_ROWS = BULK_WRITE_ROWS + 500;
const BULK_NET = 10;
/** Limits of history that edits set: small enough for it to be forgotten all the time. */
export const LEAST_LIMIT = 20;
export const LIMITS = 200;

export function changed(contents: Contents, changes: Changes): Contents {
  const result = new Map(contents);
  for (const [key, value] of changes) {
    if (value === null) result.delete(key);
    else result.set(key, value);
  }
  return result;
}

export function isSame(a: Contents, b: Contents): boolean {
  return a.size === b.size && [...a].every(([key, value]) => b.get(key) === value);
}

/** The state after an edit. */
export function after(state: State, edit: Edit): State {
  if (edit.kind === 'compact') return state;
  if (edit.kind !== 'edit') {
    if (edit.kind === 'save') return { ...state, startup: state.running };
    const running = edit.kind === 'commit' ? changed(state.running, state.candidate ?? []) : state.running;
    return { ...state, running, candidate: undefined };
  }
  if (edit.target === 'candidate') return { ...state, candidate: [...(state.candidate ?? []), ...edit.changes] };
  return { ...state, running: changed(state.running, edit.changes) };
}

/** The states that may be there. */
export class Expectation {
  /** After the last acknowledged edit, and after each that was sent since. */
  #possible: readonly State[];

  constructor(state: State = EMPTY) {
    this.#possible = [state];
  }

  /** The state when everything that was sent is done. */
  get latest(): State {
    return this.#possible.at(-1) ?? EMPTY;
  }

  send(edit: Edit): void {
    this.#possible = [...this.#possible, after(this.latest, edit)];
  }

  /** The oldest edit on its way was acknowledged. */
  acknowledge(): void {
    if (this.#possible.length < 2) throw new Error('more was acknowledged than sent');
    this.#possible = this.#possible.slice(1);
  }

  /** The process that held the candidate ended. */
  restart(): void {
    this.#possible = this.#possible.map((state) => ({ ...state, candidate: undefined }));
  }

  /** The machine starts anew: running returns to startup, once the store is open. */
  boot(): void {
    this.#possible = this.#possible.flatMap((state) => [state, { ...state, running: state.startup }]);
  }

  /** The boot is done: no state from before it is left. */
  booted(): void {
    this.#possible = this.#possible.map((state) => ({ ...state, running: state.startup }));
  }

  /** Takes what was found as what is there from now on. @throws Error when nothing that was sent explains it */
  find(found: Found): void {
    const fitting = this.#possible.filter(
      ({ running, startup, candidate }) =>
        isSame(running, found.running) &&
        (!found.startup || isSame(startup, found.startup)) &&
        (!found.candidate || isSame(changed(running, candidate ?? []), found.candidate)),
    );
    if (fitting.length === 0) throw new Error(`what is there is no state that may be:\n${this.#describe(found)}`);
    this.#possible = fitting;
  }

  #describe(found: Found): string {
    const lines = this.#possible.map(
      (state, index) =>
        `  edit ${index} ${index === 0 ? '(acknowledged)' : '(on its way)'}: ${stateText(state, found)}`,
    );
    return [`  found: running ${[...found.running].join(' ')}`, ...lines].join('\n');
  }
}

function stateText({ running, startup, candidate }: State, found: Found): string {
  const parts = [`running ${difference(found.running, running)}`];
  if (found.startup) parts.push(`startup ${difference(found.startup, startup)}`);
  if (found.candidate) parts.push(`candidate ${difference(found.candidate, changed(running, candidate ?? []))}`);
  return parts.join('; ');
}

function difference(found: Contents, expected: Contents): string {
  const keys = [...new Set([...found.keys(), ...expected.keys()])].filter(
    (key) => found.get(key) !== expected.get(key),
  );
  return keys.length === 0
    ? 'fits'
    : keys.map((key) => `${key}: ${found.get(key)}, not ${expected.get(key)}`).join(', ');
}

/** Contents of rows and the small tree (RFC 7951 JSON). */
export function contentsOf(
  rows: Iterable<{ readonly instance: string; readonly binding: Binding }>,
  tree: unknown,
): Contents {
  const contents = new Map<string, string>();
  const bulk = new Map<string, number>();
  for (const { instance, binding } of rows) {
    const gateway = formatIpv6(binding.gatewayIpv6Address);
    if (binding.address >>> 24 === BULK_NET) bulk.set(gateway, (bulk.get(gateway) ?? 0) + 1);
    else contents.set(`${instance} ${formatIpv4Prefix(binding.address, binding.length)}`, gateway);
  }
  const { aftr, history } = readConfiguration(tree);
  if (history.maximumChanges < LEAST_LIMIT + LIMITS) contents.set('limit', `${history.maximumChanges}`);
  for (const { name, softwirePayloadMtu } of aftr) {
    if (name === 'a') contents.set('a mtu', `${softwirePayloadMtu}`);
    else contents.set(name, 'there');
  }
  for (const [gateway, count] of bulk)
    contents.set('bulk', count === BULK_ROWS ? gateway : `${count} rows: ${gateway}`);
  return contents;
}

/** Contents as RFC 7951 JSON of an edit, for test/helpers/state.ts. The rows of `bulk` are written out. */
export function jsonOf(changes: Changes): Record<string, unknown> {
  const a: Record<string, unknown> = {
    name: 'a',
    'ipv6-address': '2001:db8:b::1',
    'ipv4-pool': ['192.0.2.0/24', `${BULK_NET}.0.0.0/8`],
  };
  const b: Record<string, unknown> = { name: 'b', 'ipv6-address': '2001:db8:b::2', 'ipv4-pool': ['203.0.113.0/24'] };
  const rows: Record<string, Record<string, unknown>[]> = { a: [], b: [] };
  let bOperation: 'none' | 'merge' | 'remove' = 'none';
  let limit: string | undefined;
  for (const [key, value] of changes) {
    const [instance = '', prefix = ''] = key.split(' ');
    if (key === 'a mtu') a['softwire-payload-mtu'] = Number(value);
    else if (key === 'limit') limit = value ?? undefined;
    else if (key === 'b') bOperation = value === null ? 'remove' : 'merge';
    else if (key === 'bulk') rows.a?.push(...bulkPrefixes().map((each) => rowEntry(each, value)));
    else rows[instance]?.push(rowEntry(prefix, value));
  }
  a['binding-table'] = { binding: rows.a };
  if (bOperation !== 'remove') b['binding-table'] = { binding: rows.b };
  const others = bOperation === 'none' ? [] : [bOperation === 'remove' ? { name: 'b', '@operation': 'remove' } : b];
  const history = limit === undefined ? {} : { history: { 'maximum-changes': Number(limit) } };
  return { 'gi-4over6:softwire': { aftr: [a, ...others], ...history } };
}

function rowEntry(prefix: string, gateway: string | null): Record<string, unknown> {
  return gateway === null
    ? { 'ipv4-prefix': prefix, '@operation': 'remove' }
    : { 'ipv4-prefix': prefix, 'gateway-ipv6-address': gateway };
}

function bulkPrefixes(): string[] {
  return Array.from({ length: BULK_ROWS }, (_, index) => `${BULK_NET}.0.${index >>> 8}.${index & 255}/32`);
}
