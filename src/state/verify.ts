/**
 * Verification: reads a whole store file, every page and every entry, and says what it holds or what is wrong with it.
 *
 *   1. pages and trees                                                    page-file.ts
 *   2. the head; then each database by its checker: CRC of each row and record, and what the head says of them all
 *
 * It reads the file without LMDB. Nobody may write it meanwhile, unless he keeps the pages that are read (RunningStore.holdFile).
 * 4 µs of processor time a row.
 */

import { decodeBinding } from './binding.generated.ts';
import { ContentHash } from './content-hash.ts';
import { crc32c } from './crc32c.ts';
import { STORE_FORMAT } from './environment.ts';
import { rowHistoryKey } from './history.ts';
import { DamageError } from './model-values.ts';
import type { OnEntry } from './page-file.ts';
import { PageFile } from './page-file.ts';
import type { Head } from './records.ts';
import {
  openHead,
  openJson,
  placeOfChange,
  rowsOfChange,
  summaryOfChange,
  totalOf,
  unseal,
  weightOf,
} from './records.ts';
import { KEY_LENGTH } from './row-form.ts';
import { numberOfKey } from './rows.ts';

export interface StoreSummary {
  readonly version: number;
  readonly time: string;
  readonly contentHash: string;
  readonly rows: number;
  /** Of the file, and of what is free in it. */
  readonly octets: number;
  readonly freeOctets: number;
}

/** `empty`: LMDB made the file, and nothing was committed to it yet. `newer`: its form is that of a later program. */
export type Verification =
  | { readonly result: 'good'; readonly summary: StoreSummary }
  | { readonly result: 'empty' }
  | { readonly result: 'newer'; readonly format: number }
  | { readonly result: 'damaged'; readonly faults: readonly string[] };

interface Checker {
  entry: OnEntry;
  /** After the last entry. */
  end(): void;
}

/** The rows that row-history has, to be held against those that the change records name. */
interface HistoryKeys {
  /** Tables that were empty before a version, as `table version`: their rows have no entries. */
  readonly emptied: Set<string>;
  /** Sum of the CRCs of all other keys of versions on record. */
  sum: number;
}

/** What is asked of the entries of each database; one that is not here is read only as a tree. */
const CHECKERS: Readonly<Record<string, (head: Head, history: HistoryKeys) => Checker>> = {
  meta: checkMeta,
  tree: checkTrees,
  bindings: checkBindings,
  startup: checkStartup,
  'row-history': checkRowHistory,
  changes: checkChanges,
  'tree-history': checkTreeHistory,
};

const FIRST_FORMAT = 1;
const OF_FIRST_FORMAT = ['meta', 'tree', 'bindings', 'startup'];

/** `metaPages` as PageFile.open takes them. @throws Error of the system when the file cannot be read */
export function verifyFile(path: string, metaPages?: Buffer): Verification {
  let file: PageFile | undefined;
  try {
    file = PageFile.open(path, metaPages);
    return verifyPages(file);
  } catch (error) {
    return { result: 'damaged', faults: [faultOf(error)] };
  } finally {
    file?.close();
  }
}

function verifyPages(file: PageFile): Verification {
  const names = new Set(file.names);
  if (names.size === 0) return { result: 'empty' };
  const faults: string[] = [];
  const attempt = (name: string, work: () => void) => {
    try {
      work();
    } catch (error) {
      faults.push(`database ${name}: ${faultOf(error)}`);
    }
  };
  const meta = names.has('meta') ? entriesOf(file, 'meta', faults) : new Map<string, Buffer>();
  const sealed = meta.get('head');
  if (!sealed && faults.length === 0 && isUntouched(file, names)) return { result: 'empty' };
  if (!sealed) return { result: 'damaged', faults: [...faults, 'database meta: it has no head'] };
  const format = meta.get('format')?.[0] ?? 0;
  if (format > STORE_FORMAT) return { result: 'newer', format };
  let head: Head | undefined;
  attempt('meta', () => {
    head = openHead(sealed);
  });
  if (!head) return { result: 'damaged', faults };
  const history: HistoryKeys = { emptied: new Set(), sum: 0 };
  for (const [name, checker] of Object.entries(CHECKERS)) {
    // The first form had records of another kind; they go when it is opened.
    if (format === FIRST_FORMAT && !OF_FIRST_FORMAT.includes(name)) continue;
    const { entry, end } = checker(head, history);
    attempt(name, () => {
      if (name === 'meta') for (const [key, value] of meta) entry(Buffer.from(key), value);
      else file.read(name, entry);
      end();
    });
  }
  for (const name of names) if (!(name in CHECKERS)) attempt(name, () => file.read(name, () => undefined));
  return faults.length > 0 ? { result: 'damaged', faults } : { result: 'good', summary: summaryOf(file, head) };
}

/** A fault of the file as a sentence. @throws what is none */
function faultOf(error: unknown): string {
  // What a CRC lets through was written so by us, but a reader of pages may stumble over anything.
  if (error instanceof DamageError || error instanceof RangeError || error instanceof SyntaxError) return error.message;
  throw error;
}

function entriesOf(file: PageFile, name: string, faults: string[]): Map<string, Buffer> {
  const entries = new Map<string, Buffer>();
  try {
    file.read(name, (key, value) => entries.set(key.toString('latin1'), value));
  } catch (error) {
    faults.push(`database ${name}: ${faultOf(error)}`);
  }
  return entries;
}

/** Whether no database holds anything: the first commit never came. */
function isUntouched(file: PageFile, names: ReadonlySet<string>): boolean {
  return [...names].every((name) => file.entries(name) === 0);
}

function summaryOf({ octets, freeOctets }: PageFile, head: Head): StoreSummary {
  const { version, time, contentHash } = head;
  const rows = [...head.tables.values()].reduce((sum, table) => sum + table.rows, 0);
  return { version, time, contentHash, rows, octets, freeOctets };
}

function checkMeta(): Checker {
  let format: number | undefined;
  return {
    entry: (key, value) => {
      if (key.toString('latin1') === 'format' && value.length === 1) format = value[0];
    },
    end: () => {
      if (format !== STORE_FORMAT && format !== FIRST_FORMAT)
        throw new DamageError(`the format is ${format}, expected ${STORE_FORMAT}`);
    },
  };
}

function checkTrees(): Checker {
  const found = new Set<string>();
  return {
    entry: (key, value) => {
      const name = key.toString('latin1');
      openJson(name, value);
      found.add(name);
    },
    end: () => {
      if (!found.has('running')) throw new DamageError('there is no configuration running');
    },
  };
}

function checkBindings(head: Head): Checker {
  const names = new Map([...head.tables].map(([name, { number }]) => [number, name]));
  const counts = new Map<string, number>();
  const hash = new ContentHash();
  return {
    entry: (key, value) => {
      const name = tableOf(names, key);
      const prefix = key.subarray(2);
      decodeBinding(prefix, value);
      counts.set(name, (counts.get(name) ?? 0) + 1);
      hash.add(name, numberOfKey(prefix, 0), value);
    },
    end: () => {
      for (const [name, { rows }] of head.tables) {
        const found = counts.get(name) ?? 0;
        if (found !== rows) throw new DamageError(`AFTR ${name} has ${found} rows and should have ${rows}`);
      }
      if (hash.text !== head.contentHash) throw new DamageError('the content hash is not that of the rows');
    },
  };
}

function checkStartup(head: Head): Checker {
  const names = new Map([...head.tables].map(([name, { number }]) => [number, name]));
  return {
    entry: (key, value) => {
      tableOf(names, key);
      if (value.length > 0) decodeBinding(key.subarray(2), value);
    },
    end: () => undefined,
  };
}

/** @throws DamageError when the key is none of a row */
function tableOf(names: ReadonlyMap<number, string>, key: Buffer): string {
  const name = key.length === 2 + KEY_LENGTH ? names.get(key.readUInt16BE(0)) : undefined;
  if (name === undefined) throw new DamageError(`the row of key ${key.toString('hex')} belongs to no AFTR`);
  return name;
}

/** Records of forgotten versions may still be there; of the others each, in all its parts. */
function checkChanges(head: Head, { emptied, sum }: HistoryKeys): Checker {
  let named = 0;
  let last = { version: head.oldestChange - 1, part: 0, isRecent: false };
  let [kept, missing] = [0, 0];
  return {
    entry: (key, value) => {
      if (key.length !== CHANGE_KEY) throw new DamageError(`the key ${key.toString('hex')} is none of a change record`);
      const { version, part } = placeOfChange(key);
      const isRecent = version >= head.oldestChange;
      const isNext =
        part === 0 ? version === last.version + 1 && missing === 0 : version === last.version && part === last.part + 1;
      if (isRecent && !isNext) throw new DamageError(`part ${part} of the record of commit ${version} does not follow`);
      if (part === 0) {
        const summary = summaryOfChange(version, value);
        if (isRecent) kept += weightOf(summary);
        const { added, changed, removed } = totalOf(summary.tallies);
        missing = added + changed + removed;
      }
      for (const [table, number] of rowsOfChange(version, part, value)) {
        missing--;
        if (isRecent && !emptied.has(`${table} ${version}`)) named += crc32c(rowHistoryKey(table, number, version));
      }
      if (isRecent) last = { version, part, isRecent };
      else missing = 0;
    },
    end: () => {
      if (last.version !== head.version || (last.isRecent && missing !== 0)) {
        throw new DamageError(`the record of commit ${last.version + 1} is missing, or the end of the one before`);
      }
      if (named !== sum) throw new DamageError('row-history has other rows than the records of commits name');
      if (kept !== head.keptChanges) {
        throw new DamageError(`the records count for ${kept} and should count for ${head.keptChanges}`);
      }
    },
  };
}

/** Stands where a prefix has its length. */
const EMPTY_TABLE_LENGTH = 255;
const CHANGE_KEY = 8;
const VERSION_KEY = 6;

function checkRowHistory(head: Head, history: HistoryKeys): Checker {
  const names = new Map([...head.tables].map(([name, { number }]) => [number, name]));
  return {
    entry: (key, value) => {
      tableOf(names, key.subarray(0, -VERSION_KEY));
      const prefix = key.subarray(2, -VERSION_KEY);
      const version = key.readUIntBE(key.length - VERSION_KEY, VERSION_KEY);
      const isMark = prefix[KEY_LENGTH - 1] === EMPTY_TABLE_LENGTH;
      if (value.length > 0) decodeBinding(prefix, value);
      if (isMark) history.emptied.add(`${key.readUInt16BE(0)} ${version}`);
      else if (version >= head.oldestChange) history.sum += crc32c(key);
    },
    end: () => undefined,
  };
}

function checkTreeHistory(): Checker {
  return {
    entry: (key, value) => {
      if (key.length !== VERSION_KEY) throw new DamageError(`the key ${key.toString('hex')} is none of an older tree`);
      unseal(`tree ${key.readUIntBE(0, VERSION_KEY)}`, value);
    },
    end: () => undefined,
  };
}
