/**
 * The records of the store beside rows: the head (what the store is at), small trees, and one change record a commit.
 * Each ends in a CRC-32C over its key and content, like the rows.
 *
 *     head, tree      | JSON, UTF-8 | CRC-32C |
 *     change record   | length of the JSON, 4 octets | JSON: time, caller, treeChanged, bulk, tally, instances, count | rows | CRC-32C |
 *     one row         | place in instances, 2 octets | key, 5 octets | before: length, 2 octets, value | after: likewise |
 *
 * All numbers in network order; a length of 0 says that there is no row.
 */

import { crc32c } from './crc32c.ts';
import { decodeBinding, encodeBinding } from './model.generated.ts';
import { DamageError } from './model-values.ts';
import type { Caller, RowChange, Tally } from './request.ts';
import { bindingKey, KEY_LENGTH } from './row-form.ts';

/** A commit of more rows leaves a record without them: whoever follows the store reads the tables anew. */
export const BULK_ROWS = 100_000;

/** What the store is at. */
export interface Head {
  readonly version: number;
  /** RFC 3339. */
  readonly time: string;
  /** Content hash over all tables, hexadecimal. */
  readonly contentHash: string;
  /** By name of the AFTR, those that are gone included: a number is never given to another name. */
  readonly tables: ReadonlyMap<string, Table>;
  readonly nextTable: number;
  readonly bootId: string;
  /** Version of the oldest change record. */
  readonly oldestChange: number;
  /** Rows in all change records. */
  readonly keptRows: number;
}

export interface Table {
  /** What stands for the AFTR in row keys; two octets. */
  readonly number: number;
  readonly rows: number;
}

export function sealHead(head: Head): Buffer {
  return sealJson('head', { ...head, tables: [...head.tables] });
}

/** @throws DamageError when the CRC does not fit */
export function openHead(octets: Uint8Array): Head {
  const { tables, ...rest } = openJson('head', octets) as Omit<Head, 'tables'> & { tables: [string, Table][] };
  return { ...rest, tables: new Map(tables) };
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
  readonly treeChanged: boolean;
  readonly tally: Tally;
}

export interface ChangeRecord extends ChangeSummary {
  /** True when the rows were too many to keep; `rows` is empty then. */
  readonly bulk: boolean;
  readonly rows: readonly RowChange[];
}

/** JSON with its CRC. */
export function sealJson(key: string, value: unknown): Buffer {
  return seal(key, Buffer.from(JSON.stringify(value), 'utf8'));
}

/** @throws DamageError when the CRC does not fit */
export function openJson(key: string, octets: Uint8Array): unknown {
  return JSON.parse(unseal(key, octets).toString('utf8'));
}

function seal(key: string, body: Buffer): Buffer {
  const crc = Buffer.alloc(4);
  crc.writeUInt32BE(crc32c(body, crc32c(Buffer.from(key, 'utf8'))));
  return Buffer.concat([body, crc]);
}

function unseal(key: string, octets: Uint8Array): Buffer {
  const whole = Buffer.from(octets.buffer, octets.byteOffset, octets.byteLength);
  const body = whole.subarray(0, Math.max(whole.length - 4, 0));
  if (whole.length < 4 || whole.readUInt32BE(body.length) !== crc32c(body, crc32c(Buffer.from(key, 'utf8')))) {
    throw new DamageError(`the stored record '${key}' is damaged: its CRC does not fit`);
  }
  return body;
}

/** The key of a change record: its version, eight octets. */
export function changeKey(version: number): Buffer {
  const key = Buffer.alloc(8);
  key.writeBigUInt64BE(BigInt(version));
  return key;
}

export function encodeChange(record: ChangeRecord): Buffer {
  const instances = [...new Set(record.rows.map(({ instance }) => instance))];
  const { time, caller, treeChanged, bulk, tally } = record;
  const header = Buffer.from(
    JSON.stringify({ time, caller, treeChanged, bulk, tally, instances, count: record.rows.length }),
    'utf8',
  );
  const parts: Uint8Array[] = [uint32(header.length), header];
  for (const { instance, before, after } of record.rows) {
    const row = after ?? before;
    if (!row) continue;
    parts.push(uint16(instances.indexOf(instance)), bindingKey(row.address, row.length));
    for (const binding of [before, after]) {
      const value = binding ? encodeBinding(binding) : NOTHING;
      parts.push(uint16(value.length), value);
    }
  }
  return seal(`change ${record.version}`, Buffer.concat(parts));
}

interface ChangeHeader extends Omit<ChangeRecord, 'rows' | 'version'> {
  readonly instances: readonly string[];
  readonly count: number;
}

/** Number of rows in a change record, without reading them. @throws DamageError when the CRC does not fit */
export function rowsInChange(version: number, octets: Uint8Array): number {
  return openChange(version, octets).header.count;
}

/** @throws DamageError when the CRC does not fit */
export function summaryOfChange(version: number, octets: Uint8Array): ChangeSummary {
  const { time, caller, treeChanged, tally } = openChange(version, octets).header;
  return { version, time, caller, treeChanged, tally };
}

function openChange(version: number, octets: Uint8Array): { body: Buffer; header: ChangeHeader; rowsAt: number } {
  const body = unseal(`change ${version}`, octets);
  const rowsAt = 4 + body.readUInt32BE(0);
  return { body, header: JSON.parse(body.subarray(4, rowsAt).toString('utf8')) as ChangeHeader, rowsAt };
}

/** @throws DamageError when the CRC does not fit */
export function decodeChange(version: number, octets: Uint8Array): ChangeRecord {
  const { body, header, rowsAt } = openChange(version, octets);
  const rows: RowChange[] = [];
  for (let at = rowsAt; at < body.length; ) {
    const instance = header.instances[body.readUInt16BE(at)] ?? '';
    const key = body.subarray(at + 2, at + 2 + KEY_LENGTH);
    at += 2 + KEY_LENGTH;
    const [before, after] = [0, 1].map(() => {
      const length = body.readUInt16BE(at);
      const value = body.subarray(at + 2, at + 2 + length);
      at += 2 + length;
      return length === 0 ? undefined : decodeBinding(key, value);
    });
    rows.push({ instance, before, after });
  }
  const { time, caller, treeChanged, bulk, tally } = header;
  return { version, time, caller, treeChanged, bulk, tally, rows };
}

const NOTHING = new Uint8Array(0);

function uint16(value: number): Buffer {
  const octets = Buffer.alloc(2);
  octets.writeUInt16BE(value);
  return octets;
}

function uint32(value: number): Buffer {
  const octets = Buffer.alloc(4);
  octets.writeUInt32BE(value);
  return octets;
}
