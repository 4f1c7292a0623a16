/**
 * NETCONF framing (RFC 6242 §4): the end-of-message mark of base:1.0 and the chunks of base:1.1.
 *
 *     chunked-message = 1*( LF "#" chunk-size LF chunk-data ) LF "##" LF
 *     chunk-size      = 1 to 4294967295, no leading zero
 *
 * A fault of framing cannot be answered: it ends the session. Octets are collected in pieces and joined once a message.
 */

export type Framing = 'end-of-message' | 'chunked';

/** The peer broke the framing; what was expected and what came. */
export class FramingError extends Error {}

const END = Buffer.from(']]>]]>');
const LF = 0x0a;
const HASH = 0x23;
const MAX_CHUNK = 4_294_967_295;
const SEND_CHUNK = 64 * 1024;

type State = 'start' | 'hash' | 'first' | 'size' | 'data' | 'end';

/** Cuts a stream of octets into messages. */
export class MessageReader {
  framing: Framing = 'end-of-message';
  /** Octets of a message above which it is a fault. */
  limit: number;
  readonly #onMessage: (message: Buffer) => void;
  #parts: Buffer[] = [];
  #octets = 0;
  #state: State = 'start';
  #size = 0;
  #remaining = 0;

  constructor(limit: number, onMessage: (message: Buffer) => void) {
    this.limit = limit;
    this.#onMessage = onMessage;
  }

  /** Takes the next octets. @throws FramingError */
  push(octets: Buffer): void {
    let rest = octets;
    while (rest.length > 0) rest = this.framing === 'chunked' ? this.#takeChunked(rest) : this.#takeMarked(rest);
  }

  /** Whether a message has begun and not ended. */
  get isInside(): boolean {
    return this.#octets > 0 || this.#state !== 'start';
  }

  #takeMarked(octets: Buffer): Buffer {
    const held = this.#parts.pop() ?? Buffer.alloc(0);
    const tail = held.subarray(Math.max(0, held.length - END.length + 1));
    const window = Buffer.concat([tail, octets]);
    const at = window.indexOf(END);
    this.#parts.push(held.subarray(0, held.length - tail.length));
    if (at >= 0) {
      this.#parts.push(window.subarray(0, at));
      this.#octets = 0;
      this.#finish();
      return window.subarray(at + END.length);
    }
    this.#octets += octets.length;
    if (this.#octets > this.limit) throw new FramingError(`a message of more than ${this.limit} octets`);
    this.#parts.push(window);
    return Buffer.alloc(0);
  }

  #takeChunked(octets: Buffer): Buffer {
    if (this.#state === 'data') {
      const part = octets.subarray(0, this.#remaining);
      this.#parts.push(part);
      this.#remaining -= part.length;
      if (this.#remaining === 0) this.#state = 'start';
      return octets.subarray(part.length);
    }
    this.#takeHeader(octets[0] ?? 0);
    return octets.subarray(1);
  }

  #takeHeader(octet: number): void {
    const digit = octet - 0x30;
    const isDigit = digit >= 0 && digit <= 9;
    if (this.#state === 'start') this.#expect(octet === LF, 'a line feed before a chunk', octet, 'hash');
    else if (this.#state === 'hash') this.#expect(octet === HASH, '# after the line feed', octet, 'first');
    else if (this.#state === 'first' && octet === HASH) {
      this.#expect(this.#parts.length > 0, 'a chunk before the end of chunks', octet, 'end');
    } else if (this.#state === 'first') {
      this.#expect(isDigit && digit > 0, 'a chunk size without sign and leading zero', octet, 'size');
      this.#size = digit;
    } else if (this.#state === 'end') {
      this.#expect(octet === LF, 'a line feed after the end of chunks', octet, 'start');
      this.#octets = 0;
      this.#finish();
    } else if (octet === LF) this.#startData();
    else {
      this.#expect(isDigit, 'a digit or a line feed in a chunk size', octet, 'size');
      this.#size = this.#size * 10 + digit;
      if (this.#size > MAX_CHUNK) throw new FramingError(`a chunk size above ${MAX_CHUNK}`);
    }
  }

  #expect(isGood: boolean, what: string, octet: number, next: State): void {
    if (!isGood) throw new FramingError(`expected ${what}, found octet 0x${octet.toString(16).padStart(2, '0')}`);
    this.#state = next;
  }

  #startData(): void {
    this.#octets += this.#size;
    if (this.#octets > this.limit) throw new FramingError(`a message of more than ${this.limit} octets`);
    this.#remaining = this.#size;
    this.#state = 'data';
  }

  #finish(): void {
    const parts = this.#parts;
    this.#parts = [];
    this.#onMessage(Buffer.concat(parts));
  }
}

/** One piece of a message as the framing wants it; with chunks of at most 64 KiB, cut between characters. */
export function framePiece(text: string, framing: Framing): Buffer {
  const octets = Buffer.from(text, 'utf8');
  if (framing === 'end-of-message' || octets.length === 0) return octets;
  const parts: Buffer[] = [];
  for (let at = 0; at < octets.length; ) {
    let end = Math.min(at + SEND_CHUNK, octets.length);
    while (end < octets.length && ((octets[end] ?? 0) & 0xc0) === 0x80) end--;
    parts.push(Buffer.from(`\n#${end - at}\n`), octets.subarray(at, end));
    at = end;
  }
  return Buffer.concat(parts);
}

/** What ends a message. */
export function frameEnd(framing: Framing): Buffer {
  return Buffer.from(framing === 'chunked' ? '\n##\n' : ']]>]]>');
}
