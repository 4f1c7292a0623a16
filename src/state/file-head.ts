/** What a store file says of itself, read without LMDB from the few pages that say it; the rest may still be damaged. */

import { NEXT_GENERATION } from './generations.ts';
import { PageFile } from './page-file.ts';
import type { Head } from './records.ts';
import { openHead } from './records.ts';

export interface FileHead {
  /** Undefined for a file to which nothing was committed. */
  readonly head: Head | undefined;
  /** The generation that has taken its place. */
  readonly nextGeneration: number | undefined;
  /** The last commit of LMDB. */
  readonly transaction: number;
}

/** Undefined for a file that is not there or cannot be read so far. */
export function readFileHead(path: string): FileHead | undefined {
  let file: PageFile | undefined;
  try {
    file = PageFile.open(path);
    const meta = new Map<string, Buffer>();
    file.read('meta', (key, value) => meta.set(key.toString('latin1'), value));
    const [head, next] = [meta.get('head'), meta.get(NEXT_GENERATION)];
    const { transaction } = file;
    return { head: head && openHead(head), nextGeneration: next && Number(next.toString('latin1')), transaction };
  } catch {
    // Why, a verification of the whole file says.
    return undefined;
  } finally {
    file?.close();
  }
}
