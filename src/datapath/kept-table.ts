/**
 * When the table of an AFTR is kept in an image (table-image.ts), and when one is taken for it: at an orderly end; and, so that behind a crash there is
 * one that few rows are missing of, in calm moments.
 */

import { createHash } from 'node:crypto';
import { readdirSync, readFileSync, rmSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Forwarding } from './forwarding.ts';
import { besidePath, imageSteps, TableImage, writeImage } from './table-image.ts';

/** In the state directory. */
export const IMAGE_FILE = 'table.image';
/** With fewer the store is read as quickly. */
export const FEWEST_BINDINGS = 10_000;

/** When a table in use is kept. */
export interface KeptWhen {
  /** After the last change: a client that makes more of them has processor and disk. */
  readonly calmMs: number;
  /** Between two tries: one ends early when rows change. Behind one that failed, as for want of room, PATIENCE times as long. */
  readonly againMs: number;
  /** Rows that an image may lack: a start reads as many in some tenths of a second. */
  readonly missingRows: number;
  /** Between its steps, each of some tenths of a millisecond. */
  readonly restMs: number;
}

const WHEN: KeptWhen = { calmMs: 5_000, againMs: 60_000, missingRows: 10_000, restMs: 5 };

const PATIENCE = 10;

/** What rows were made of: with the same of it, and the same numbering, they are the same. */
export interface KeptOf {
  readonly version: number;
  /** Of the store. */
  readonly contentHash: string;
}

export class KeptTable {
  readonly #path: string;
  readonly #fewest: number;
  readonly #when: KeptWhen;
  #image: TableImage | undefined;
  /** Of the image that is there. */
  #numbering: string | undefined;
  #missing = 0;
  #changedAt = Number.NEGATIVE_INFINITY;
  #triedAt = Number.NEGATIVE_INFINITY;

  /** `path`: where the image is; `fewest`: bindings that are worth one. */
  constructor(path: string, fewest = FEWEST_BINDINGS, when: KeptWhen = WHEN) {
    this.#path = path;
    this.#fewest = fewest;
    this.#when = when;
    this.#image = TableImage.open(path);
    rmSync(besidePath(path), { force: true });
    // Before anybody puts other files in their place.
    programDigest();
  }

  /** What the image says it is of; undefined without one. */
  get of(): KeptOf | undefined {
    return this.#image && ofTerms(this.#image.terms);
  }

  /** What the hashes of a table must be made with that takes the image. */
  get seed(): number | undefined {
    return this.#image?.seed;
  }

  /** Makes a table without rows the one that is kept, if it is of just this; one that is not is removed. Once only. */
  async restore(forwarding: Forwarding | undefined, of: KeptOf | undefined): Promise<boolean> {
    const image = this.#image;
    this.#image = undefined;
    if (!image) return false;
    const isOfSeed = image.seed === forwarding?.memory.engine.seed;
    const isWanted = forwarding && of && isOfSeed;
    const numbers = isWanted && (await image.read(termsOf(forwarding, of), forwarding.keptParts.areas));
    image.close();
    if (!numbers) {
      this.remove();
      return false;
    }
    forwarding.keptParts.resume(numbers);
    this.#hasKept(forwarding);
    return true;
  }

  /** Keeps a table whose workers have ended; nothing is to be done with it any more. @throws Error of the file system */
  keep(forwarding: Forwarding, of: KeptOf): void {
    const { bindings, keptParts } = forwarding;
    keptParts.removeSharedAddresses();
    // A binding in the place of a shared address would not be there again.
    if (forwarding.bindings !== bindings || !this.#isWorth(forwarding)) this.remove();
    else writeImage(...this.#imageOf(forwarding, of));
  }

  /** So many rows are another than in the image that is there. */
  changed(rows: number): void {
    this.#missing += rows;
    this.#changedAt = performance.now();
  }

  /** Whether it is calm, and there is no image, or one that has other numbers or lacks much. */
  isDue(forwarding: Forwarding): boolean {
    const { calmMs, againMs, missingRows } = this.#when;
    const now = performance.now();
    if (now - this.#changedAt < calmMs || now - this.#triedAt < againMs) return false;
    return this.#missing > missingRows || this.#numbering !== numberingOf(forwarding);
  }

  /**
   * Keeps a table that is in use, in steps with rests between them, as workers may want the same core; true when it was done. All is left as it was when the
   * table `isChanged` meanwhile. One with shared addresses is not kept. @throws Error of the file system
   */
  async keepMeanwhile(forwarding: Forwarding, of: KeptOf, isChanged: () => boolean): Promise<boolean> {
    this.#triedAt = performance.now();
    if (!this.#isWorth(forwarding) || forwarding.keptParts.hasSharedAddresses) return false;
    try {
      for (const _step of imageSteps(...this.#imageOf(forwarding, of))) {
        await sleep(this.#when.restMs);
        if (isChanged()) return false;
      }
    } catch (error) {
      // What is in the way may stay there.
      this.#triedAt += PATIENCE * this.#when.againMs;
      throw error;
    }
    this.#hasKept(forwarding);
    return true;
  }

  #hasKept(forwarding: Forwarding): void {
    this.#numbering = numberingOf(forwarding);
    this.#missing = 0;
  }

  #isWorth({ bindings, refused }: Forwarding): boolean {
    return bindings >= this.#fewest && refused === 0;
  }

  #imageOf(forwarding: Forwarding, of: KeptOf): Parameters<typeof writeImage> {
    const { keptParts, memory } = forwarding;
    return [this.#path, memory.engine.seed, termsOf(forwarding, of), keptParts.parts()];
  }

  remove(): void {
    this.#numbering = undefined;
    for (const path of [this.#path, besidePath(this.#path)]) rmSync(path, { force: true });
  }
}

/** Rows name instances and tunnel addresses by numbers, which depend on what was configured before. */
function termsOf({ keptParts }: Forwarding, { version, contentHash }: KeptOf): string {
  const { capacity } = keptParts;
  return JSON.stringify({ version, contentHash, capacity, program: programDigest(), numbers: keptParts.numbering() });
}

function numberingOf({ keptParts }: Forwarding): string {
  return JSON.stringify(keptParts.numbering());
}

function ofTerms(terms: string): KeptOf | undefined {
  try {
    const { version, contentHash } = JSON.parse(terms) as Partial<KeptOf>;
    return typeof version === 'number' && typeof contentHash === 'string' ? { version, contentHash } : undefined;
  } catch {
    return undefined;
  }
}

/** SHA-256 of the files that say what a table is in memory: all of this folder. Another program has images of its own. */
export function programDigest(): string {
  digestOfProgram ??= digestFiles();
  return digestOfProgram;
}

let digestOfProgram: string | undefined;

function digestFiles(): string {
  const folder = new URL('.', import.meta.url);
  const digest = createHash('sha256');
  const files = readdirSync(folder).filter((name) => name.endsWith('.js') || name.endsWith('.wasm'));
  for (const name of files.sort()) digest.update(`${name}\n`).update(readFileSync(new URL(name, folder)));
  return digest.digest('hex');
}
