/**
 * NETCONF framing (RFC 6242 §4): the end-of-message mark of base:1.0 and the chunks of base:1.1.
 *
 *     chunked-message = 1*( LF "#" chunk-size LF chunk-data ) LF "##" LF
 *     chunk-size      = 1 to 4294967295, no leading zero
 *
 * A fault of framing cannot be answered: it ends the session.
 */

import { OctetCollector } from './octet-collector.ts';

export type Framing = 'end-of-message' | 'chunked';

/** The peer broke the framing; what was expected and what came. */
export class FramingError extends Error {}

const MARK = Buffer.from(']]>]]>');
/** How many octets of the mark still match when the one after n matching ones does not (Knuth, Morris, Pratt). */
const FALLBACK = [0, 0, 1, 0, 1, 2] as const;
const LF = 0x0a;
const HASH = 0x23;
const MAX_CHUNK = 4_294_967_295;
const SEND_CHUNK = 64 * 1024;

type State = 'start' | 'hash' | 'first' | 'size' | 'data' | 'end';

/** Whether a stream of octets begins with a chunk; undefined while too few have come. */
export function beginsChunk(octets: Buffer): boolean | undefined {
  if (octets.length === 0 || (octets.length === 1 && octets[0] === LF)) return undefined;
  return octets[0] === LF && octets[1] === HASH;
}

/** Takes a long message while it comes. */
export interface LongMessage {
  push(octets: Buffer): void;
  /** Octets of memory that it takes, about. */
  readonly held: number;
  /** Gives that back; what it becomes is the fault. */
  giveUp(fault: Error): void;
}

/** Octets of a message above which it is long. */
const LONG = 64 * 1024;

/** Cuts a stream of octets into messages. */
export class MessageReader<Long extends LongMessage = never> {
  /** May change between messages. */
  framing: Framing = 'end-of-message';
  /** Octets of a message above which it is a fault. */
  limit: number;
  /** Octets of a chunk above which it is a fault. */
  chunkLimit = MAX_CHUNK;
  /** What long messages are read by; without it they are collected like others. */
  long: (() => Long) | undefined;
  readonly #onMessage: (message: Buffer | Long) => void;
  /** The message under way when it is long, and how much of it went there. */
  #long: Long | undefined;
  #passed = 0;
  readonly #collector = new OctetCollector();
  #state: State = 'start';
  /** Octets of the mark that have come in a row. */
  #matched = 0;
  #size = 0;
  #remaining = 0;
  #isInside = false;

  constructor(limit: number, onMessage: (message: Buffer | Long) => void) {
    this.limit = limit;
    this.#onMessage = onMessage;
  }

  /** Takes the next octets. @throws FramingError */
  push(octets: Buffer): void {
    let rest = octets;
    while (rest.length > 0) rest = this.framing === 'chunked' ? this.#takeChunked(rest) : this.#takeMarked(rest);
  }

  /** Octets of memory that the message under way takes, about. */
  get held(): number {
    return this.#collector.length + (this.#long?.held ?? 0);
  }

  /** Gives back what a long message under way takes; it is read to its end, and is the fault. */
  giveUp(fault: Error): void {
    this.#long?.giveUp(fault);
  }

  /** Whether a message has begun and not ended. */
  get isInside(): boolean {
    return this.#isInside || this.#length > 0;
  }

  /** Octets of the message under way, those of a mark included. */
  get #length(): number {
    return this.#passed + this.#collector.length;
  }

  #takeMarked(octets: Buffer): Buffer {
    const end = this.#findMark(octets);
    this.#collector.append(end < 0 ? octets : octets.subarray(0, end));
    const markOctets = end < 0 ? this.#matched : MARK.length;
    if (this.#length - markOctets > this.limit) this.#tooLong();
    if (end < 0) {
      this.#passOn(this.#matched);
      return octets.subarray(octets.length);
    }
    this.#matched = 0;
    this.#finish(MARK.length);
    return octets.subarray(end);
  }

  /** Where the octets go on after the mark; -1 when its end is not in them. */
  #findMark(octets: Buffer): number {
    for (let at = 0; at < octets.length; at++) {
      if (this.#matched === 0) {
        at = octets.indexOf(MARK[0] ?? 0, at);
        if (at < 0) return -1;
      }
      while (this.#matched > 0 && octets[at] !== MARK[this.#matched]) this.#matched = FALLBACK[this.#matched] ?? 0;
      if (octets[at] === MARK[this.#matched]) this.#matched++;
      if (this.#matched === MARK.length) return at + 1;
    }
    return -1;
  }

  #takeChunked(octets: Buffer): Buffer {
    if (this.#state === 'data') {
      const part = octets.subarray(0, this.#remaining);
      this.#collector.append(part);
      this.#remaining -= part.length;
      this.#passOn(0);
      if (this.#remaining === 0) this.#state = 'start';
      return octets.subarray(part.length);
    }
    this.#takeHeader(octets[0] ?? 0);
    return octets.subarray(1);
  }

  #takeHeader(octet: number): void {
    this.#isInside = true;
    const digit = octet - 0x30;
    const isDigit = digit >= 0 && digit <= 9;
    if (this.#state === 'start') this.#expect(octet === LF, 'a line feed before a chunk', octet, 'hash');
    else if (this.#state === 'hash') this.#expect(octet === HASH, '# after the line feed', octet, 'first');
    else if (this.#state === 'first' && octet === HASH) {
      this.#expect(this.#length > 0, 'a chunk before the end of chunks', octet, 'end');
    } else if (this.#state === 'first') {
      this.#expect(isDigit && digit > 0, 'a chunk size without sign and leading zero', octet, 'size');
      this.#size = digit;
    } else if (this.#state === 'end') {
      this.#expect(octet === LF, 'a line feed after the end of chunks', octet, 'start');
      this.#finish(0);
    } else if (octet === LF) this.#startData();
    else {
      this.#expect(isDigit, 'a digit or a line feed in a chunk size', octet, 'size');
      this.#size = this.#size * 10 + digit;
      if (this.#size > MAX_CHUNK) throw new FramingError(`expected a chunk size up to ${MAX_CHUNK}, a larger one came`);
    }
  }

  #expect(isGood: boolean, what: string, octet: number, next: State): void {
    if (!isGood) throw new FramingError(`expected ${what}, found octet 0x${octet.toString(16).padStart(2, '0')}`);
    this.#state = next;
  }

  #startData(): void {
    if (this.#size > this.chunkLimit) {
      throw new FramingError(`expected a chunk of at most ${this.chunkLimit} octets, one of ${this.#size} came`);
    }
    if (this.#length + this.#size > this.limit) this.#tooLong();
    this.#remaining = this.#size;
    this.#state = 'data';
  }

  #tooLong(): never {
    throw new FramingError(`expected a message of at most ${this.limit} octets, a longer one came`);
  }

  /** Hands on what has come of a long message, but for the last `held` octets, which begin a mark or do not. */
  #passOn(held: number): void {
    if (!this.long || this.#collector.length < LONG) return;
    this.#long ??= this.long();
    this.#passed += this.#collector.length - held;
    this.#long.push(this.#collector.take(held));
    this.#collector.append(MARK.subarray(0, held));
  }

  #finish(without: number): void {
    this.#isInside = false;
    const long = this.#long;
    const rest = this.#collector.take(without);
    this.#long = undefined;
    this.#passed = 0;
    long?.push(rest);
    this.#onMessage(long ?? rest);
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
