/**
 * `gi4over6 verify-store`: whether a store, or one backup, is whole. The supervisor runs it as the unprivileged user before
 * anybody opens the store (`--at-start`), when the store was not closed, or has changed since.
 *
 * Management runs it once after a start that it was not needed for (`--held`): with the first two pages of the file on standard
 * input, from which on it keeps what they lead to.
 *
 * Exit code 0 and one line about what it holds; 65 (EX_DATAERR) and one line about the damage and what to do.
 */

import { readFileSync, statSync } from 'node:fs';
import { userInfo } from 'node:os';
import { resolve } from 'node:path';
import { claimantOf } from '../claim.ts';
import { readFileHead } from '../state/file-head.ts';
import { listBackups, storeDir, storeFile, storeState } from '../state/store-files.ts';
import type { StoreSummary, Verification } from '../state/verify.ts';
import { verifyFile } from '../state/verify.ts';

const EXIT_DAMAGED = 65;

export interface VerifyOptions {
  readonly stateDir: string;
  /** By the supervisor: the state directory is claimed by it, and what was closed well is not read. */
  readonly atStart?: boolean;
  /** Also what was closed well. */
  readonly always?: boolean;
  /** By management, of the file that it has open. */
  readonly held?: boolean;
  /** For programs: what a good file holds, as JSON. */
  readonly json?: boolean;
}

/** Returns the exit code. @throws Error with code and a sentence when the store cannot be read */
export function verifyStore(file: string | undefined, options: VerifyOptions): number {
  const stateDir = resolve(options.stateDir);
  try {
    return verifyIn(stateDir, file, options);
  } catch (cause) {
    throw isForbidden(cause) ? forbidden(file ?? storeDir(stateDir), cause) : cause;
  }
}

function isForbidden(error: unknown): error is Error {
  return error instanceof Error && 'code' in error && (error.code === 'EACCES' || error.code === 'EPERM');
}

function forbidden(path: string, cause: Error): Error {
  const user = userInfo().username;
  const advice = `let that user read it, with all in it: chown -R ${user} ${path}; chmod -R u+rwX ${path}`;
  const message = `${path} cannot be read by user ${user} (${cause.message}): ${advice}`;
  return Object.assign(new Error(message, { cause }), { code: 'STORE_ACCESS' });
}

function verifyIn(stateDir: string, file: string | undefined, options: VerifyOptions): number {
  const advice = () => adviceFor(stateDir);
  if (file !== undefined && options.held) return report(file, verifyFile(file, readFileSync(0)), advice);
  if (file !== undefined) {
    const found = verifyFile(resolve(file));
    if (!options.json || found.result !== 'good') return report(file, found, () => '');
    process.stdout.write(`${JSON.stringify(found.summary)}\n`);
    return 0;
  }
  if (options.atStart) return verifyAtStart(stateDir, options.always ?? false);
  const pid = claimantOf(stateDir);
  if (pid !== undefined) {
    const how = 'stop it first, or verify a backup of it (gi4over6 backup)';
    throw Object.assign(new Error(`the store in ${stateDir} is in use by process ${pid}: ${how}`), {
      code: 'IN_USE',
    });
  }
  return report(storeFile(stateDir), verifyFile(storeFile(stateDir)), advice);
}

function verifyAtStart(stateDir: string, always: boolean): number {
  const state = storeState(stateDir);
  const file = storeFile(stateDir);
  const advice = () => adviceFor(stateDir);
  const isThere = statSync(file, { throwIfNoEntry: false }) !== undefined;
  if (!isThere && state === 'none' && listBackups(stateDir).length === 0) return 0;
  if (!isThere) return damaged(file, 'it is missing, though there was a store', advice);
  if (state === 'clean' && !always) return 0;
  const found = verifySettled(file);
  if (!found) {
    process.stdout.write(`${file} could not be verified: it is written all the time\n`);
    return 0;
  }
  if (state === 'none' && (found.result === 'empty' || statSync(file).size === 0)) {
    // A first start that was cut short: nobody was told of any commit.
    if (listBackups(stateDir).length === 0) return 0;
    return damaged(file, 'it holds nothing, though there are backups of a store', advice);
  }
  // The program that opens it says what to do.
  if (found.result === 'newer') return 0;
  return report(file, found, advice);
}

const TRIES = 5;

/**
 * A file that another process may write: damage counts when no commit came meanwhile, since a commit writes on no page of the
 * one before it. Undefined when commits came each time.
 */
function verifySettled(file: string): Verification | undefined {
  for (let tries = 0; tries < TRIES; tries++) {
    const before = readFileHead(file)?.transaction;
    const found = verifyFile(file);
    if (found.result !== 'damaged' || readFileHead(file)?.transaction === before) return found;
  }
  return undefined;
}

function report(file: string, found: Verification, advice: () => string): number {
  if (found.result === 'empty') return damaged(file, 'it holds nothing', advice);
  if (found.result === 'newer') {
    process.stderr.write(`${file} has format ${found.format}, which this program does not know: use a newer one\n`);
    return EXIT_DAMAGED;
  }
  if (found.result === 'damaged') {
    const [first = '', ...others] = found.faults;
    return damaged(file, others.length === 0 ? first : `${first}; and ${others.length} more`, advice);
  }
  process.stdout.write(`${file} is good: ${sentence(found.summary)}\n`);
  return 0;
}

function damaged(file: string, fault: string, advice: () => string): number {
  process.stderr.write(`${file} is damaged (${fault})${advice()}\n`);
  return EXIT_DAMAGED;
}

function sentence({ version, time, rows, octets, freeOctets }: StoreSummary): string {
  return `version ${version} of ${time}, ${rows} bindings, ${octets} octets, of them ${freeOctets} free`;
}

/** What to do about a damaged store: the newest backup that is good, which is looked for here. */
function adviceFor(stateDir: string): string {
  for (const { file } of listBackups(stateDir)) {
    const found = verifyFile(file);
    if (found.result !== 'good') continue;
    const { version, time } = found.summary;
    const command = `gi4over6 restore ${file} --state-dir ${stateDir}`;
    return `: the newest good backup is version ${version} of ${time}; take it with \`${command}\``;
  }
  const command = `gi4over6 restore FILE --state-dir ${stateDir}`;
  return `: there is no good backup in ${stateDir}/backups; take a copy of yours with \`${command}\`, or move ${stateDir} away to begin without configuration`;
}
