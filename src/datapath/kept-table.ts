/** When the table of an AFTR is kept in an image (table-image.ts), and when one is taken for it. */

import { createHash } from 'node:crypto';
import { readdirSync, readFileSync, rmSync } from 'node:fs';
import type { Forwarding } from './forwarding.ts';
import type { TableParts } from './table-image.ts';
import { TableImage, writeImage } from './table-image.ts';

/** In the state directory. */
export const IMAGE_FILE = 'table.image';
/** With fewer the store is read as quickly. */
export const FEWEST_BINDINGS = 10_000;

/** What rows were made of: with the same of it they are the same. */
export interface KeptOf {
  readonly version: number;
  /** Of the store. */
  readonly contentHash: string;
}

export class KeptTable {
  readonly #path: string;
  readonly #fewest: number;
  #image: TableImage | undefined;

  /** `path`: where the image is; `fewest`: bindings that are worth one. */
  constructor(path: string, fewest = FEWEST_BINDINGS) {
    this.#path = path;
    this.#fewest = fewest;
    this.#image = TableImage.open(path);
  }

  /** What the hashes of a table must be made with that takes the image. */
  get seed(): number | undefined {
    return this.#image?.seed;
  }

  /** Makes a table without rows the one that is kept, if it is of just this; one that is not is removed. Once only. */
  async restore(forwarding: Forwarding, of: KeptOf): Promise<boolean> {
    const image = this.#image;
    this.#image = undefined;
    if (!image) return false;
    const isOfSeed = image.seed === forwarding.memory.engine.seed;
    const numbers = isOfSeed && (await image.read(termsOf(forwarding, of), forwarding.keptParts.areas));
    image.close();
    if (numbers) forwarding.keptParts.resume(numbers);
    else rmSync(this.#path, { force: true });
    return Boolean(numbers);
  }

  /** Keeps a table whose workers have ended; nothing is to be done with it any more. @throws Error of the file system */
  keep(forwarding: Forwarding, of: KeptOf): void {
    const { bindings, refused, keptParts } = forwarding;
    keptParts.removeSharedAddresses();
    // A binding in the place of a shared address would not be there again.
    if (bindings < this.#fewest || refused > 0 || forwarding.bindings !== bindings) {
      this.remove();
      return;
    }
    const parts: TableParts = { areas: keptParts.usedAreas, numbers: keptParts.numbers() };
    writeImage(this.#path, forwarding.memory.engine.seed, termsOf(forwarding, of), parts);
  }

  remove(): void {
    rmSync(this.#path, { force: true });
  }
}

/** Rows name instances and tunnel addresses by numbers, which depend on what was configured before. */
function termsOf({ keptParts }: Forwarding, { version, contentHash }: KeptOf): string {
  const { capacity } = keptParts;
  return JSON.stringify({ version, contentHash, capacity, program: programDigest(), numbers: keptParts.numbering() });
}

/** SHA-256 of the files that say what a table is in memory: all of this folder. Another program has images of its own. */
export function programDigest(): string {
  const folder = new URL('.', import.meta.url);
  const digest = createHash('sha256');
  const files = readdirSync(folder).filter((name) => name.endsWith('.js') || name.endsWith('.wasm'));
  for (const name of files.sort()) digest.update(`${name}\n`).update(readFileSync(new URL(name, folder)));
  return digest.digest('hex');
}
