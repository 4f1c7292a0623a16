/**
 * The image of a table: its memory as it was in a moment without changes, in one file, so that a start reads it instead of building a
 * million rows anew.
 *
 *     4 words     magic number in the order of this processor, IMAGE_FORMAT, octets of the head, 0
 *     head        JSON: what it is an image of, numbers beside the memory, where its pieces belong
 *     pieces      what is not zero of each area
 *     16 octets   GMAC over all before
 *
 * It is never trusted to be there or right: written beside and moved into place, used only by who names exactly what it is an image of
 * (`terms`), and only when its checksum holds. So a file that is torn, old, or of another program or processor costs a start from the store.
 */

import { createCipheriv } from 'node:crypto';
import {
  closeSync,
  constants,
  fstatSync,
  openSync,
  read,
  readSync,
  renameSync,
  rmSync,
  statfsSync,
  writeSync,
} from 'node:fs';
import { dirname } from 'node:path';

/** Of the file itself; what the pieces mean is in the terms. */
export const IMAGE_FORMAT = 2;
const MAGIC = 0x67346f36;
const PREFACE_OCTETS = 16;
const CHECKSUM_OCTETS = 16;
/** A piece begins and ends at such a place of its area, or at the end of that. */
const GRAIN = 64 * 1024;
const MEBI = 1024 * 1024;
const READ_STEP = 4 * MEBI;
const WRITE_STEP = MEBI / 4;
/** Octets that are looked at for what is not zero. */
const FOUND_AT_ONCE = 2 * MEBI;
/** Free octets that are left alone. */
const RESERVE = 32 * MEBI;
/** Reads at a time: the worker threads load what they need by the same pool. */
const LANES = 2;
const MOST_HEAD_OCTETS = 64 * MEBI;
const OWNER_ONLY = 0o600;
const READ = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;

/** A table as an image has it. */
export interface TableParts {
  /** Always the same ones in the same order, zero in a table without rows; an image may leave out the end of one that is zero. */
  readonly areas: readonly Uint8Array[];
  /** Lists in the order of those who take them back. */
  readonly numbers: readonly (readonly number[])[];
}

interface ImageHead {
  readonly seed: number;
  readonly terms: string;
  readonly numbers: readonly (readonly number[])[];
  readonly pieces: readonly Piece[];
}

/** Of what is not zero its area, the first octet of it there, and its octets. */
type Piece = readonly [area: number, from: number, octets: number];

/** Writes an image in place of the one that is there. @throws Error of the file system; then that stays */
export function writeImage(...image: Parameters<typeof imageSteps>): void {
  for (const steps = imageSteps(...image); !steps.next().done; );
}

/**
 * The same in steps of some tenths of a millisecond, from the first to the last of which the parts do not change. Until the last one is made, and
 * when it never is, the image is the one that was there.
 */
export function* imageSteps(
  path: string,
  seed: number,
  terms: string,
  findParts: Generator<void, TableParts>,
): Generator<void, void> {
  const beside = besidePath(path);
  let file = -1;
  try {
    rmSync(beside, { force: true });
    const { areas, numbers } = yield* findParts;
    const pieces = yield* findPieces(areas);
    const head = Buffer.from(JSON.stringify({ seed, terms, numbers, pieces } satisfies ImageHead));
    requireRoom(dirname(path), head.length, pieces);
    file = openSync(beside, 'wx', OWNER_ONLY);
    const checksum = new Checksum();
    const put = (octets: Uint8Array) => {
      checksum.add(octets);
      writeWhole(file, octets);
    };
    for (const octets of [prefaceOf(head), head]) put(octets);
    for (const octets of inSteps(areas, pieces, WRITE_STEP)) {
      put(octets);
      yield;
    }
    writeWhole(file, checksum.end());
    // In the place of another one, ext4 would write it to the disk at once, and commits would wait for that.
    rmSync(path, { force: true });
    renameSync(beside, path);
  } finally {
    if (file >= 0) closeSync(file);
    rmSync(beside, { force: true });
  }
}

/** Where an image is written. */
export function besidePath(path: string): string {
  return `${path}.new`;
}

/** An image that may be read once. */
export class TableImage {
  readonly #file: number;
  readonly #head: ImageHead;
  readonly #headOctets: Uint8Array;

  private constructor(file: number, head: ImageHead, headOctets: Uint8Array) {
    this.#file = file;
    this.#head = head;
    this.#headOctets = headOctets;
  }

  /** Undefined when there is none of this format, as far as its head tells. */
  static open(path: string): TableImage | undefined {
    let file = -1;
    try {
      file = openSync(path, READ);
      const octets = headOf(file);
      const head = octets && (JSON.parse(Buffer.from(octets.subarray(PREFACE_OCTETS)).toString()) as ImageHead);
      if (octets && head && isWhole(file, octets, head)) return new TableImage(file, head, octets);
    } catch {
      // None, or none that can be read: the store has all of it.
    }
    if (file >= 0) closeSync(file);
    return undefined;
  }

  /** What it says it is an image of; its checksum may not hold. */
  get terms(): string {
    return this.#head.terms;
  }

  /** What hashes in it were made with. */
  get seed(): number {
    return this.#head.seed;
  }

  /**
   * Fills zeroed areas when it is an image of just this; gives the numbers, or undefined with the areas zero as before. Others have their
   * turn while threads of the system's pool read.
   */
  async read(terms: string, areas: readonly Uint8Array[]): Promise<readonly (readonly number[])[] | undefined> {
    const { pieces, numbers } = this.#head;
    const fits = pieces.every(([index, from, octets]) => from >= 0 && from + octets <= (areas[index]?.length ?? 0));
    if (terms !== this.#head.terms || !fits) return undefined;
    const steps = [...inSteps(areas, pieces, READ_STEP)];
    if ((await this.#fill(steps)) && this.#holds(steps)) return numbers;
    for (const step of steps) step.fill(0);
    return undefined;
  }

  close(): void {
    closeSync(this.#file);
  }

  /** Whether all of it could be read. Ends when nobody writes to the steps any more. */
  async #fill(steps: readonly Uint8Array[]): Promise<boolean> {
    let at = this.#headOctets.length;
    const places = steps.map((step) => {
      at += step.length;
      return at - step.length;
    });
    const left = steps.keys();
    const lane = async (): Promise<boolean> => {
      // All lanes take from the same ones.
      for (const i of left) {
        const step = steps[i] ?? new Uint8Array(0);
        const octets = await readAt(this.#file, step, places[i] ?? 0);
        if (octets !== step.length) return false;
      }
      return true;
    };
    const lanes = await Promise.all(Array.from({ length: LANES }, lane));
    return lanes.every(Boolean);
  }

  /** Whether it is as it was written. */
  #holds(steps: readonly Uint8Array[]): boolean {
    const checksum = new Checksum();
    checksum.add(this.#headOctets);
    for (const step of steps) checksum.add(step);
    const told = Buffer.alloc(CHECKSUM_OCTETS);
    const at = steps.reduce((sum, { length }) => sum + length, this.#headOctets.length);
    try {
      return readSync(this.#file, told, 0, told.length, at) === told.length && checksum.end().equals(told);
    } catch {
      return false;
    }
  }
}

/**
 * GMAC (NIST SP 800-38D) of a key that is no secret: it finds damage as surely as a hash, and processors have instructions for it, so that
 * it takes a fifth of the time. Whoever may write the file may write one that holds, as with a hash.
 */
export class Checksum {
  readonly #cipher = createCipheriv('aes-128-gcm', Buffer.alloc(16), Buffer.alloc(12));

  /** Takes the next octets. */
  add(octets: Uint8Array): void {
    this.#cipher.setAAD(octets);
  }

  /** CHECKSUM_OCTETS over all; once only. */
  end(): Buffer {
    this.#cipher.final();
    return this.#cipher.getAuthTag();
  }
}

/** Octets that were read; -1 for a fault. */
function readAt(file: number, into: Uint8Array, at: number): Promise<number> {
  return new Promise((done) => {
    read(file, into, 0, into.length, at, (error, octets) => done(error ? -1 : octets));
  });
}

/** Preface and head; undefined when the file does not begin as an image of this format and processor. */
function headOf(file: number): Uint8Array | undefined {
  const preface = new Int32Array(PREFACE_OCTETS / 4);
  if (readSync(file, preface, 0, PREFACE_OCTETS, 0) !== PREFACE_OCTETS) return undefined;
  const [magic, format, headOctets = 0] = preface;
  if (magic !== MAGIC || format !== IMAGE_FORMAT || headOctets <= 0 || headOctets > MOST_HEAD_OCTETS) return undefined;
  const octets = new Uint8Array(PREFACE_OCTETS + headOctets);
  return readSync(file, octets, 0, octets.length, 0) === octets.length ? octets : undefined;
}

/** Whether the file is as long as its head says. */
function isWhole(file: number, head: Uint8Array, { pieces }: ImageHead): boolean {
  const octets = pieces.reduce((sum, [, , length]) => sum + length, head.length + CHECKSUM_OCTETS);
  return fstatSync(file).size === octets;
}

/** Looks for what is not zero, in steps. */
function* findPieces(areas: readonly Uint8Array[]): Generator<void, Piece[]> {
  const zero = Buffer.alloc(GRAIN);
  const pieces: Piece[] = [];
  let looked = 0;
  for (const [index, area] of areas.entries()) {
    for (let from = 0; from < area.length; from += GRAIN) {
      const grain = area.subarray(from, Math.min(area.length, from + GRAIN));
      looked += grain.length;
      if (looked % FOUND_AT_ONCE < grain.length) yield;
      if (zero.compare(grain, 0, grain.length, 0, grain.length) === 0) continue;
      const last = pieces.at(-1);
      if (last && last[0] === index && last[1] + last[2] === from) {
        pieces[pieces.length - 1] = [index, last[1], last[2] + grain.length];
      } else pieces.push([index, from, grain.length]);
    }
  }
  return pieces;
}

/** The store comes first: as much again stays free for it. */
function requireRoom(folder: string, headOctets: number, pieces: readonly Piece[]): void {
  const octets = pieces.reduce((sum, [, , length]) => sum + length, headOctets);
  const { bavail, bsize } = statfsSync(folder);
  if (headOctets > MOST_HEAD_OCTETS)
    throw new Error(`the image of the table would have a head of ${headOctets} octets`);
  if (bavail * bsize >= 2 * octets + RESERVE) return;
  const [needed, free] = [2 * octets + RESERVE, bavail * bsize].map((some) => Math.ceil(some / MEBI));
  throw new Error(`the image of the table is written where ${needed} MiB are free: there are ${free} MiB in ${folder}`);
}

/** The octets of the pieces, so many `atOnce`. */
function* inSteps(areas: readonly Uint8Array[], pieces: readonly Piece[], atOnce: number): Generator<Uint8Array, void> {
  for (const [index, from, octets] of pieces) {
    for (let at = from; at < from + octets; at += atOnce) {
      const step = areas[index]?.subarray(at, Math.min(from + octets, at + atOnce));
      if (step) yield step;
    }
  }
}

function prefaceOf(head: Uint8Array): Uint8Array {
  return new Uint8Array(Int32Array.of(MAGIC, IMAGE_FORMAT, head.length, 0).buffer);
}

function writeWhole(file: number, octets: Uint8Array): void {
  for (let done = 0; done < octets.length; ) done += writeSync(file, octets, done);
}
