/** Work that is done bit by bit, with a pause before each so that others have their turn. */

/** Between two bits, in milliseconds. */
const PAUSE_MS = 100;

export class Tidying {
  readonly #bit: () => Promise<void>;
  #timer: NodeJS.Timeout | undefined;
  #isClosed = false;

  /** `bit` asks for the next one itself. */
  constructor(bit: () => Promise<void>) {
    this.#bit = bit;
  }

  /** A bit is to be done soon. */
  ask(): void {
    if (this.#timer || this.#isClosed) return;
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      // The disk that refuses it refuses the next commit too, and that one has somebody to tell.
      this.#bit().catch(() => undefined);
    }, PAUSE_MS);
    this.#timer.unref();
  }

  close(): void {
    this.#isClosed = true;
    clearTimeout(this.#timer);
  }
}
