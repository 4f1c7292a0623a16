/**
 * The note that management leaves beside a store that it has closed (store-state.json), and the quick answer to whether it still holds:
 * who finds it true needs no process that looks at the store.
 */

import type { BigIntStats } from 'node:fs';
import { closeSync, constants, lstatSync, openSync, readdirSync, readSync, statSync } from 'node:fs';
import { join } from 'node:path';

export const STATE_FILE = 'store-state.json';
const STORE_FILE = 'data.mdb';
const STORE_FILES: readonly string[] = [STORE_FILE, 'lock.mdb'];
/** A note has less than half of it. */
const NOTE_OCTETS = 256;

export function stateText(state: string): string {
  return `${JSON.stringify({ store: state })}\n`;
}

/** What changes when somebody writes to the file; undefined when it is not there. */
export function stampOf(path: string): string | undefined {
  return stampText(statSync(path, { bigint: true, throwIfNoEntry: false }));
}

function stampText(found: BigIntStats | undefined): string | undefined {
  return found && `closed ${found.ino} ${found.size} ${found.mtimeNs}`;
}

/**
 * Whether the store is one file, in its first place, that is as it was when it was closed. False says no more than that it is to be
 * looked at. Follows no link, and what it reads may be anybody's: it is only compared.
 */
export function isClosedAsNoted(stateDir: string): boolean {
  try {
    const store = join(stateDir, 'store');
    const found = lstatSync(join(store, STORE_FILE), { bigint: true });
    const closed = found.isFile() ? stampText(found) : undefined;
    if (closed === undefined || !readdirSync(store).every((name) => STORE_FILES.includes(name))) return false;
    return readNote(join(stateDir, STATE_FILE)).trimEnd() === stateText(closed).trimEnd();
  } catch {
    return false;
  }
}

function readNote(path: string): string {
  const descriptor = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  try {
    const octets = Buffer.alloc(NOTE_OCTETS);
    return octets.toString('utf8', 0, readSync(descriptor, octets));
  } finally {
    closeSync(descriptor);
  }
}
