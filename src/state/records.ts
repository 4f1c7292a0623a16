/**
 * The records of the store beside rows: the head (what the store is at), small trees, and what commits changed. Each ends in a
 * CRC-32C over its key and content, like the rows.
 *
 *     head, tree      | JSON, UTF-8 | CRC-32C |
 *     change record   | length of the JSON, 4 octets | JSON | changed rows | CRC-32C |
 *     changed row     | number of the table, 2 octets | address, 4 | length, 1 |
 *     older tree      | place in the chain, 2 octets | deflated JSON (history.ts) | CRC-32C |
 *
 * The JSON of a change record is [time in ms, user, session, face, comment, whether the tree changed, [[AFTR, added,
 * changed, removed], ...]]. A record of many rows goes on in further parts, which have no JSON. All numbers in network order.
 */

import { crc32c } from './crc32c.ts';
import { DamageError } from './model-values.ts';
import type { Caller, Edition, Tally } from './request.ts';
import { KEY_LENGTH } from './row-form.ts';
import { keyOfNumber, numberOfKey } from './rows.ts';

/** What the store is at. */
export interface Head {
  readonly version: number;
  /** RFC 3339; never before that of an older version. */
  readonly time: string;
  /** Content hash over all tables, hexadecimal. */
  readonly contentHash: string;
  /** By name of the AFTR, those that are gone included: a number is never given to another name. */
  readonly tables: ReadonlyMap<string, Table>;
  readonly nextTable: number;
  readonly bootId: string;
  /** Version of the oldest change record. */
  readonly oldestChange: number;
  /** When the version before the oldest change record was made; RFC 3339. */
  readonly oldestTime: string;
  /** All octets of history before this version are gone. */
  readonly takenOut: number;
  /** What the change records on record count for (see `weightOf`). */
  readonly keptChanges: number;
  /** History from this version on is kept whatever the limits say. */
  readonly protectedVersion?: number | undefined;
  /** The last commit of running, when others than it came later: those of operational tables. */
  readonly edited?: Edited | undefined;
  /** Restores, oldest first. */
  readonly gaps?: readonly Gap[] | undefined;
}

export interface Edited {
  readonly version: number;
  /** RFC 3339. */
  readonly time: string;
}

/** What running is: the number and time of the last commit that changed it. */
export function editionOf({ version, time, edited }: Head): Edition {
  return { version: edited?.version ?? version, time: new Date(edited?.time ?? time) };
}

/** A time of which nothing is on record, since a backup took the place of the store; RFC 3339. */
export interface Gap {
  /** The first version after it: the restore. */
  readonly version: number;
  readonly since: string;
  readonly until: string;
}

export interface Table {
  /** What stands for the AFTR in row keys; two octets. */
  readonly number: number;
  readonly rows: number;
}

export function sealHead(head: Head): Buffer {
  return sealJson('head', { ...head, tables: [...head.tables] });
}

/** The head that was opened last: most are opened several times. */
let opened: { readonly octets: Buffer; readonly head: Head } | undefined;

/** @throws DamageError when the CRC does not fit */
export function openHead(octets: Uint8Array): Head {
  if (opened && Buffer.compare(opened.octets, octets) === 0) return opened.head;
  const { tables, ...rest } = openJson('head', octets) as Omit<Head, 'tables'> & { tables: [string, Table][] };
  const head = { ...rest, tables: new Map(tables) };
  // A copy: what is read from the store is overwritten.
  opened = { octets: Buffer.from(octets), head };
  return head;
}

/** Number of rows of each AFTR that has some. */
export function rowCounts(head: Head | undefined): ReadonlyMap<string, number> {
  const tables = [...(head?.tables ?? [])].filter(([, { rows }]) => rows > 0);
  return new Map(tables.map(([instance, { rows }]) => [instance, rows]));
}

/** What a change record says of its commit, its rows apart. */
export interface ChangeSummary {
  readonly version: number;
  readonly time: string;
  readonly caller: Caller;
  /** What the user said about it. */
  readonly comment: string | undefined;
  readonly treeChanged: boolean;
  /** By AFTR; those whose tables stayed as they were are not there. */
  readonly tallies: ReadonlyMap<string, Tally>;
}

/** All AFTRs together. */
export function totalOf(tallies: ReadonlyMap<string, Tally>): Tally {
  const sum = { added: 0, changed: 0, removed: 0 };
  for (const { added, changed, removed } of tallies.values()) {
    sum.added += added;
    sum.changed += changed;
    sum.removed += removed;
  }
  return sum;
}

/** What a commit counts for in the limit of history: its changed rows, at least one. */
export function weightOf({ tallies }: Pick<ChangeSummary, 'tallies'>): number {
  const { added, changed, removed } = totalOf(tallies);
  return Math.max(1, added + changed + removed);
}

/** JSON with its CRC. */
export function sealJson(key: string, value: unknown): Buffer {
  return seal(key, Buffer.from(JSON.stringify(value), 'utf8'));
}

/** @throws DamageError when the CRC does not fit */
export function openJson(key: string, octets: Uint8Array): unknown {
  return JSON.parse(unseal(key, octets).toString('utf8'));
}

/** A body with its CRC. */
export function seal(key: string, body: Uint8Array): Buffer {
  const crc = Buffer.alloc(4);
  crc.writeUInt32BE(crc32c(body, crc32c(Buffer.from(key, 'utf8'))));
  return Buffer.concat([body, crc]);
}

/** @throws DamageError when the CRC does not fit */
export function unseal(key: string, octets: Uint8Array): Buffer {
  const whole = Buffer.from(octets.buffer, octets.byteOffset, octets.byteLength);
  const body = whole.subarray(0, Math.max(whole.length - 4, 0));
  if (whole.length < 4 || whole.readUInt32BE(body.length) !== crc32c(body, crc32c(Buffer.from(key, 'utf8')))) {
    throw new DamageError(`the stored record '${key}' is damaged: its CRC does not fit`);
  }
  return body;
}

const CRC_LENGTH = 4;
/** Changed rows in one part of a change record. */
export const PART_ROWS = 128;
const ROW_LENGTH = 2 + KEY_LENGTH;

/** The key of a part of a change record: version, six octets, part, two. */
export function changeKey(version: number, part = 0): Buffer {
  const key = Buffer.alloc(8);
  key.writeUIntBE(version, 0, 6);
  key.writeUInt16BE(part, 6);
  return key;
}

/** Of a part of a change record. */
export interface Place {
  readonly version: number;
  readonly part: number;
}

export function placeOfChange(key: Uint8Array): Place {
  const octets = Buffer.from(key.buffer, key.byteOffset, key.byteLength);
  return { version: octets.readUIntBE(0, 6), part: octets.readUInt16BE(6) };
}

/** The changed rows of one part, as they are written. */
export class ChangedRows {
  readonly #octets = Buffer.alloc(PART_ROWS * ROW_LENGTH);
  #length = 0;

  get isFull(): boolean {
    return this.#length === this.#octets.length;
  }

  get isEmpty(): boolean {
    return this.#length === 0;
  }

  add(table: number, number: number): void {
    this.#length = this.#octets.writeUInt16BE(table, this.#length);
    this.#octets.set(keyOfNumber(number), this.#length);
    this.#length += KEY_LENGTH;
  }

  /** What was added since the last time. */
  take(): Buffer {
    const taken = Buffer.from(this.#octets.subarray(0, this.#length));
    this.#length = 0;
    return taken;
  }
}

/** One part of a change record; `summary` goes into the first one. */
export function encodeChange(version: number, part: number, rows: Buffer, summary?: ChangeSummary): Buffer {
  const json = summary ? Buffer.from(JSON.stringify(wordsOf(summary)), 'utf8') : Buffer.alloc(0);
  const length = Buffer.alloc(4);
  length.writeUInt32BE(json.length);
  return seal(nameOfChange(version, part), Buffer.concat([length, json, rows]));
}

type Words = [number, string, number, Caller['face'], string, boolean, [string, number, number, number][]];

function wordsOf({ time, caller, comment, treeChanged, tallies }: ChangeSummary): Words {
  const { user, session, face } = caller;
  const tables = [...tallies].map(
    ([instance, { added, changed, removed }]) => [instance, added, changed, removed] satisfies Words[6][number],
  );
  return [Date.parse(time), user, session, face, comment ?? '', treeChanged, tables];
}

function nameOfChange(version: number, part: number): string {
  return `change ${version}/${part}`;
}

/** @throws DamageError when the CRC does not fit */
export function summaryOfChange(version: number, octets: Uint8Array): ChangeSummary {
  const body = unseal(nameOfChange(version, 0), octets);
  const words = JSON.parse(body.subarray(4, 4 + body.readUInt32BE(0)).toString('utf8')) as Words;
  const [time, user, session, face, comment, treeChanged, tables] = words;
  return {
    version,
    time: new Date(time).toISOString(),
    caller: { user, session, face },
    comment: comment === '' ? undefined : comment,
    treeChanged,
    tallies: new Map(tables.map(([instance, added, changed, removed]) => [instance, { added, changed, removed }])),
  };
}

/** Whether a part has as many rows as one can have; only then another may follow. */
export function isFullPart(octets: Uint8Array): boolean {
  const part = Buffer.from(octets.buffer, octets.byteOffset, octets.byteLength);
  return part.length - CRC_LENGTH - 4 - part.readUInt32BE(0) >= PART_ROWS * ROW_LENGTH;
}

/** The changed rows of one part: number of the table, number of the prefix. @throws DamageError when the CRC does not fit */
export function* rowsOfChange(version: number, part: number, octets: Uint8Array): Generator<[number, number]> {
  const body = unseal(nameOfChange(version, part), octets);
  for (let at = 4 + body.readUInt32BE(0); at < body.length; at += ROW_LENGTH) {
    yield [body.readUInt16BE(at), numberOfKey(body, at + 2)];
  }
}
