/**
 * The files of the event log: segments that are only ever appended to, in a folder of their own.
 *
 *     events-N.log     records one after the other; the first says when the log was created
 *
 *     record:  | length u32 | CRC-32C u32 | time f64 | text |     little endian; length and CRC are those of time and text
 *
 * Nothing is synced: what a crash of the machine takes is the newest events, never an older one. What follows a damaged
 * record of a segment is not read; of the newest segment it is cut off, so that appending can go on.
 */

import { mkdirSync, readdirSync, readFileSync, truncateSync } from 'node:fs';
import { appendFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { crc32c } from '../../state/crc32c.ts';

/** RFC 7951 JSON of one event, with what readers are told of it (reader-edits.ts), and when it happened, in milliseconds since 1970. */
export interface EventRecord {
  readonly timeMs: number;
  readonly json: string;
}

export interface Segment {
  readonly number: number;
  readonly records: readonly EventRecord[];
}

const PREFIX_LEN = 8;
const TIME_LEN = 8;
const FORMAT = 1;
const NAME = /^events-(\d+)\.log$/;

export function encodeRecord({ timeMs, json }: EventRecord): Buffer {
  const text = Buffer.from(json, 'utf8');
  const record = Buffer.allocUnsafe(PREFIX_LEN + TIME_LEN + text.length);
  record.writeUInt32LE(TIME_LEN + text.length, 0);
  record.writeDoubleLE(timeMs, PREFIX_LEN);
  text.copy(record, PREFIX_LEN + TIME_LEN);
  record.writeUInt32LE(crc32c(record, 0, PREFIX_LEN), 4);
  return record;
}

/** The whole records at the beginning, and how many octets they have. */
export function decodeRecords(octets: Buffer): { readonly records: EventRecord[]; readonly good: number } {
  const records: EventRecord[] = [];
  let at = 0;
  while (at + PREFIX_LEN + TIME_LEN <= octets.length) {
    const length = octets.readUInt32LE(at);
    const end = at + PREFIX_LEN + length;
    if (length < TIME_LEN || end > octets.length) break;
    if (crc32c(octets, 0, at + PREFIX_LEN, end) !== octets.readUInt32LE(at + 4)) break;
    const timeMs = octets.readDoubleLE(at + PREFIX_LEN);
    records.push({ timeMs, json: octets.toString('utf8', at + PREFIX_LEN + TIME_LEN, end) });
    at = end;
  }
  return { records, good: at };
}

/** The first record of a segment. */
export function headRecord(created: Date): EventRecord {
  return { timeMs: created.getTime(), json: JSON.stringify({ format: FORMAT }) };
}

/** What a folder holds; `cut` is how many octets were damaged at the end of the newest segment. */
export interface Found {
  /** When the log was created; undefined when there is none. */
  readonly created: Date | undefined;
  readonly segments: readonly Segment[];
  readonly cut: number;
}

export class LogFiles {
  readonly #dir: string;

  /** @throws Error of the system when the folder cannot be made */
  constructor(dir: string) {
    this.#dir = dir;
    mkdirSync(dir, { recursive: true, mode: 0o700 });
  }

  /** Reads all segments, oldest first; one of another format, or damaged from the start, is passed over. */
  read(): Found {
    const names = readdirSync(this.#dir).map((name) => NAME.exec(name)?.[1]);
    const numbers = names
      .filter((text) => text !== undefined)
      .map(Number)
      .sort((a, b) => a - b);
    const segments: Segment[] = [];
    let created: Date | undefined;
    let cut = 0;
    for (const number of numbers) {
      const octets = readFileSync(this.#path(number));
      const { records, good } = decodeRecords(octets);
      if (number === numbers[numbers.length - 1] && good < octets.length) {
        cut = octets.length - good;
        truncateSync(this.#path(number), good);
      }
      const [head, ...events] = records;
      if (head?.json !== headRecord(new Date(0)).json) continue;
      created ??= new Date(head.timeMs);
      segments.push({ number, records: events });
    }
    return { created, segments, cut };
  }

  /** @throws Error of the system */
  append(number: number, records: readonly EventRecord[]): Promise<void> {
    return appendFile(this.#path(number), Buffer.concat(records.map(encodeRecord)), { mode: 0o600 });
  }

  remove(number: number): Promise<void> {
    return rm(this.#path(number), { force: true });
  }

  #path(number: number): string {
    return join(this.#dir, `events-${number}.log`);
  }
}
