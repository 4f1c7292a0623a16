/**
 * Short answers of HTTP/1.1 wait for the end of the turn of the event loop in which they are made, and leave one after the other: a
 * write to a client that sleeps wakes it up, which costs more than all that was done for the answer; to one that is awake it is cheap.
 * Who asks alone waits for nothing, as the turn ends behind his answer. Over HTTP/2 the library does the same by itself.
 *
 * On one connection Node keeps answers in the order of their requests, whichever is ended first.
 */

/** The part of Node's response that is needed; its header fields are set. */
export interface Answer {
  end(text: string, encoding: 'utf8'): unknown;
}

/** Characters that wait at most: what a client leaves unread must soon be seen as such, so that no more is read of it. */
const WAITING_CHARACTERS = 16 * 1024;
/** In a turn that takes longer others are at work, for whom an answer need not wait. */
const LONG_TURN_MS = 5;
/** Answers then leave at once for so long. */
const DIRECT_MS = 100;

export class Outbox {
  #waiting: (readonly [answer: Answer, text: string])[] = [];
  #characters = 0;
  /** Of the turn that has answers, once one came. */
  #begunMs: number | undefined;
  #directUntilMs = 0;
  readonly #nowMs: () => number;

  constructor(nowMs: () => number = () => performance.now()) {
    this.#nowMs = nowMs;
  }

  /** Ends an answer with this text, before the turn is over. */
  put(answer: Answer, text: string): void {
    const now = this.#nowMs();
    if (now < this.#directUntilMs) return void answer.end(text, 'utf8');
    if (this.#begunMs === undefined) {
      this.#begunMs = now;
      setImmediate(() => this.#endTurn(now));
    }
    this.#waiting.push([answer, text]);
    this.#characters += text.length;
    if (this.#characters >= WAITING_CHARACTERS) this.#empty();
  }

  #endTurn(begunMs: number): void {
    this.#begunMs = undefined;
    const now = this.#nowMs();
    if (now - begunMs > LONG_TURN_MS) this.#directUntilMs = now + DIRECT_MS;
    this.#empty();
  }

  #empty(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    this.#characters = 0;
    for (const [answer, text] of waiting) answer.end(text, 'utf8');
  }
}
