/**
 * Configurations in files of one directory, which clients name by URLs (RFC 6241 §8.8). A name is one plain file of the directory:
 *
 *   read     opened without following a link, a plain file with no other name, not longer than a message may be
 *   write    into a file of its own that takes the name once it is whole and on the disk
 *   remove   a plain file
 *
 * One is worked on at a time, so that they take the memory of one message.
 */

import { randomUUID } from 'node:crypto';
import { constants, lstatSync, readdirSync, realpathSync, unlinkSync } from 'node:fs';
import type { FileHandle } from 'node:fs/promises';
import { lstat, open, readdir, rename, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import { ManagementError } from '../state/errors.ts';
import { faultOfFile, fileFault } from './file-fault.ts';
import type { Piece } from './pause.ts';

const { O_CREAT, O_EXCL, O_NOFOLLOW, O_NONBLOCK, O_RDONLY, O_WRONLY } = constants;
/** Files that clients may make. */
export const MOST_FILES = 32;
const UNFINISHED = '.unfinished-';
/** Octets that are read, and characters that are gathered for a write, at a time. */
const BLOCK = 256 * 1024;

export class ConfigFiles {
  readonly #dir: string;
  readonly #octets: number;
  #turn: Promise<unknown> = Promise.resolve();

  /**
   * `octets` of a file at most; `others` are directories of the program.
   * @throws Error with code URL_DIRECTORY when others than this user could change what a name means, or files of the program have names
   */
  constructor(dir: string, octets: number, others: readonly string[]) {
    const found = lstatSync(dir, { throwIfNoEntry: false });
    const isOurs = found?.isDirectory() && found.uid === process.geteuid?.() && (found.mode & 0o022) === 0;
    if (!isOurs) {
      const message = `--url-dir ${dir}: expected a directory of this program's user that nobody else can write to`;
      throw Object.assign(new Error(message), { code: 'URL_DIRECTORY' });
    }
    this.#dir = realpathSync(dir);
    const near = others.find(
      (other) => isWithin(this.#dir, realpathSync(other)) || isWithin(realpathSync(other), this.#dir),
    );
    if (near !== undefined) {
      const message = `--url-dir ${dir}: expected a directory apart from ${near}, which has files of the program`;
      throw Object.assign(new Error(message), { code: 'URL_DIRECTORY' });
    }
    this.#octets = octets;
    for (const name of readdirSync(dir)) if (name.startsWith(UNFINISHED)) unlinkSync(join(dir, name));
  }

  /** Work on files, after what came before. */
  inTurn<Result>(work: () => Promise<Result>): Promise<Result> {
    const done = this.#turn.then(work);
    this.#turn = done.catch(() => undefined);
    return done;
  }

  /**
   * The octets of a file, a block at a time, each good until `take` returns.
   * @throws ManagementError invalid-value for what is no plain file, too-big, in-use for one that changes meanwhile
   */
  async read(name: string, take: (octets: Buffer) => void): Promise<void> {
    // A device or a pipe would answer when it likes.
    const handle = await open(join(this.#dir, name), O_RDONLY | O_NOFOLLOW | O_NONBLOCK).catch(faultOfFile(name));
    try {
      const before = await handle.stat();
      if (!before.isFile() || before.nlink !== 1) {
        throw fileFault('invalid-value', name, 'it is no plain file of the directory alone');
      }
      if (before.size > this.#octets) throw this.#tooBig(name);
      const block = Buffer.alloc(Math.min(BLOCK, before.size + 1));
      let sum = 0;
      for (;;) {
        const { bytesRead } = await handle.read(block, 0, block.length, null);
        sum += bytesRead;
        if (bytesRead === 0 || sum > before.size) break;
        take(block.subarray(0, bytesRead));
      }
      const after = await handle.stat();
      if (sum === before.size && after.size === before.size && after.mtimeMs === before.mtimeMs) return;
      throw fileFault('in-use', name, 'it changed while it was read');
    } catch (error) {
      throw asFault(error, name);
    } finally {
      await handle.close();
    }
  }

  /**
   * Makes a file, or one in the place of that name when `mayReplace`, asked for that alone, says so. It is there whole or not at all.
   * @throws ManagementError access-denied, resource-denied, too-big, invalid-value for what is no plain file
   */
  async write(name: string, pieces: Iterable<Piece>, mayReplace: () => boolean): Promise<void> {
    await this.#requirePlace(name, mayReplace);
    const unfinished = join(this.#dir, `${UNFINISHED}${randomUUID()}`);
    const flags = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW;
    const handle = await open(unfinished, flags, 0o600).catch(faultOfFile(name));
    try {
      await this.#fill(handle, pieces, name);
      await handle.sync();
      await handle.close();
      await rename(unfinished, join(this.#dir, name));
      await this.#sync();
    } catch (error) {
      await handle.close().catch(() => undefined);
      await unlink(unfinished).catch(() => undefined);
      throw asFault(error, name);
    }
  }

  /** @throws ManagementError data-missing, invalid-value for what is no plain file */
  async remove(name: string): Promise<void> {
    const isThere = await this.#isThere(name);
    if (!isThere) throw fileFault('data-missing', name, 'there is none');
    await unlink(join(this.#dir, name)).catch(faultOfFile(name));
    await this.#sync();
  }

  async #requirePlace(name: string, mayReplace: () => boolean): Promise<void> {
    if (await this.#isThere(name)) {
      if (mayReplace()) return;
      throw fileFault('access-denied', name, 'to replace a file takes the right to execute delete-config');
    }
    if ((await readdir(this.#dir)).length < MOST_FILES) return;
    throw fileFault('resource-denied', name, `there are ${MOST_FILES} files already: delete one`);
  }

  async #isThere(name: string): Promise<boolean> {
    const found = await lstat(join(this.#dir, name)).catch((error: unknown) => {
      if (isMissing(error)) return undefined;
      return faultOfFile(name)(error);
    });
    if (!found || found.isFile()) return found !== undefined;
    throw fileFault('invalid-value', name, 'it is no plain file');
  }

  async #fill(handle: FileHandle, pieces: Iterable<Piece>, name: string): Promise<void> {
    let gathered = '';
    let sum = 0;
    const flush = async () => {
      const octets = Buffer.from(gathered);
      gathered = '';
      sum += octets.length;
      if (sum > this.#octets) throw this.#tooBig(name);
      await handle.writeFile(octets);
    };
    for (const piece of pieces) {
      if (piece instanceof Promise) await piece;
      else gathered += piece;
      if (gathered.length >= BLOCK) await flush();
    }
    await flush();
  }

  /** What the directory says is on the disk. */
  async #sync(): Promise<void> {
    const handle = await open(this.#dir, O_RDONLY);
    try {
      await handle.sync();
    } finally {
      await handle.close();
    }
  }

  #tooBig(name: string): ManagementError {
    return fileFault('too-big', name, `more than the ${this.#octets} octets of a message (message-octets)`);
  }
}

function isWithin(inner: string, outer: string): boolean {
  return inner === outer || inner.startsWith(`${outer}/`);
}

function isMissing(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'ENOENT';
}

function asFault(error: unknown, name: string): unknown {
  if (error instanceof ManagementError || !(error instanceof Error) || !('syscall' in error)) return error;
  try {
    return faultOfFile(name)(error);
  } catch (fault) {
    return fault;
  }
}
