/**
 * What clients last knew of this server: modules and capabilities follow the options of the start, so that they change
 * between two runs and never during one. A change is an event of the next run (RFC 6470 §2.2, RFC 8525 §3).
 */

import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Log } from '../../log.ts';
import type { EventSources } from './sources.ts';

interface Known {
  readonly contentId: string;
  readonly capabilities: readonly string[];
}

export class KnownServer {
  readonly #file: string;
  readonly #events: EventSources;
  readonly #log: Log;
  #isTold = false;

  /** `dir` is where the file `server.json` is kept. */
  constructor(dir: string, events: EventSources, log: Log) {
    this.#file = join(dir, 'server.json');
    this.#events = events;
    this.#log = log;
  }

  /** The first hello of this run: tells what is other than it was, and remembers. */
  greeted(contentId: string, capabilities: readonly string[]): void {
    if (this.#isTold) return;
    this.#isTold = true;
    const known = this.#read();
    if (known && known.contentId !== contentId) this.#events.libraryChanged(contentId);
    const isSame = known && [...known.capabilities].sort().join() === [...capabilities].sort().join();
    if (known && !isSame) this.#events.capabilitiesChanged(known.capabilities, capabilities);
    if (!isSame) this.#write({ contentId, capabilities });
  }

  #read(): Known | undefined {
    try {
      const { contentId, capabilities } = JSON.parse(readFileSync(this.#file, 'utf8')) as Partial<Known>;
      return contentId !== undefined && capabilities ? { contentId, capabilities } : undefined;
    } catch {
      // None, or one that a crash left unfinished: nothing can be compared.
      return undefined;
    }
  }

  #write(known: Known): void {
    try {
      writeFileSync(`${this.#file}.new`, JSON.stringify(known), { mode: 0o600 });
      renameSync(`${this.#file}.new`, this.#file);
    } catch (error) {
      this.#log.error({ error }, 'what clients know of this server could not be kept');
    }
  }
}
