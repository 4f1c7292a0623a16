/** Calls of node:fs that fail where a test wants it, for whoever imports them. */

import fs from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';

type Faulty = 'rmSync' | 'renameSync' | 'fsyncSync' | 'openSync' | 'writeFileSync';

/** Runs a body in which a call fails with EIO when `isFaulty` says so of its first argument. */
export async function withFault<Result>(
  name: Faulty,
  isFaulty: (first: string) => boolean,
  body: () => Promise<Result>,
): Promise<Result> {
  const real = fs[name] as (...words: unknown[]) => unknown;
  const faulty = (...words: unknown[]) => {
    if (!isFaulty(String(words[0]))) return real(...words);
    throw Object.assign(new Error(`EIO: i/o error, ${name} '${String(words[0])}'`), { code: 'EIO' });
  };
  Object.assign(fs, { [name]: faulty });
  syncBuiltinESMExports();
  try {
    return await body();
  } finally {
    Object.assign(fs, { [name]: real });
    syncBuiltinESMExports();
  }
}
