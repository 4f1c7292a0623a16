/**
 * The memory that messages of all sessions take together, unfinished ones and those that wait to be carried out. Each session says what
 * its own take; when it is too much, the largest unfinished message of any session is given up, until it is not.
 */

/** What one session holds. */
export interface HeldMessages {
  /** Octets of memory, about: of the message that is coming, and of those that came whole. */
  note(unfinished: number, whole: number): void;
  /** The session is over. */
  end(): void;
}

interface Share {
  unfinished: number;
  whole: number;
  readonly giveUp: () => void;
}

export class HeldMemory {
  readonly #limit: number;
  readonly #shares = new Set<Share>();
  #total = 0;

  /** `limit` in octets. */
  constructor(limit: number) {
    this.#limit = limit;
  }

  /** Octets that all sessions hold, about. */
  get total(): number {
    return this.#total;
  }

  /** For a session, whose `giveUp` is called when its unfinished message is one too many. */
  join(giveUp: () => void): HeldMessages {
    const share: Share = { unfinished: 0, whole: 0, giveUp };
    this.#shares.add(share);
    return {
      note: (unfinished, whole) => {
        if (!this.#shares.has(share)) return;
        this.#set(share, unfinished, whole);
        if (this.#total > this.#limit) this.#makeRoom();
      },
      end: () => {
        this.#set(share, 0, 0);
        this.#shares.delete(share);
      },
    };
  }

  #set(share: Share, unfinished: number, whole: number): void {
    this.#total += unfinished + whole - share.unfinished - share.whole;
    share.unfinished = unfinished;
    share.whole = whole;
  }

  /** What came whole is carried out and goes by itself. */
  #makeRoom(): void {
    while (this.#total > this.#limit) {
      let largest: Share | undefined;
      for (const share of this.#shares) if (share.unfinished > (largest?.unfinished ?? 0)) largest = share;
      if (!largest) return;
      this.#set(largest, 0, largest.whole);
      largest.giveUp();
    }
  }
}
