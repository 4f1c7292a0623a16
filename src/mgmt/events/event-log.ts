/**
 * The one log of what happened, which every face replays and follows (RFC 5277 §3.3). It knows no protocol and no schema:
 * an event is RFC 7951 JSON with a time.
 *
 *   1. an event is added: it has its number at once, and costs whoever adds it no more than that
 *   2. in a later turn of the event loop the listeners are told, and it is appended to the files, without fsync
 *
 * So an edit is never answered later for its event, and a crash can take the newest events (architecture: notifications
 * follow the answer). Number and octets are bounded; the oldest segment goes first.
 */

import type { Log } from '../../log.ts';
import type { EventRecord } from './log-files.ts';
import { headRecord, LogFiles } from './log-files.ts';

export interface EventLogLimits {
  /** Events that are kept. */
  readonly events: number;
  /** Octets of their JSON. */
  readonly octets: number;
}

export const EVENT_LOG_LIMITS: EventLogLimits = { events: 10_000, octets: 4 * 1024 * 1024 };

/** The log is forgotten in so many pieces. */
const SEGMENTS = 8;

interface Piece {
  readonly number: number;
  count: number;
  octets: number;
}

/** What keeps the log over a restart. */
type Store = Pick<LogFiles, 'append' | 'remove'>;

export class EventLog {
  /** When the log began; earlier than its oldest event once events were forgotten. */
  readonly created: Date;
  readonly #limits: EventLogLimits;
  readonly #store: Store | undefined;
  readonly #log: Log | undefined;
  readonly #pieces: Piece[] = [];
  readonly #events: EventRecord[] = [];
  readonly #listeners = new Set<() => void>();
  /** Number of the oldest event that is kept. */
  #first = 1;
  /** Events that are not in the files yet, with their segment. */
  #unwritten: { readonly number: number; readonly record: EventRecord }[] = [];
  #isScheduled = false;
  #writing: Promise<void> = Promise.resolve();
  #isFailing = false;
  #aged: Date | undefined;

  private constructor(limits: EventLogLimits, created: Date, store?: Store, log?: Log) {
    this.#limits = limits;
    this.created = created;
    this.#store = store;
    this.#log = log;
  }

  /** A log that a restart empties. */
  static inMemory(limits: EventLogLimits = EVENT_LOG_LIMITS): EventLog {
    return new EventLog(limits, new Date());
  }

  /** The log in a folder. One that cannot be read begins anew: events are no reason not to start. */
  static open(dir: string, log: Log, limits: EventLogLimits = EVENT_LOG_LIMITS): EventLog {
    try {
      const files = new LogFiles(dir);
      const { created, segments, cut } = files.read();
      if (cut > 0) log.warn({ dir, octets: cut }, 'the event log was cut at a damaged record');
      const events = new EventLog(limits, created ?? new Date(), files, log);
      for (const { number, records } of segments) {
        events.#pieces.push({ number, count: 0, octets: 0 });
        for (const record of records) events.#take(record);
      }
      // What was forgotten in an earlier run is older than what is left.
      if ((events.#pieces[0]?.number ?? 1) > 1) events.#aged = new Date(events.at(events.first)?.timeMs ?? Date.now());
      events.#forget(1);
      return events;
    } catch (error) {
      log.error({ dir, error }, 'the event log cannot be used: events are kept until the next restart only');
      return EventLog.inMemory(limits);
    }
  }

  /** When the newest event that is forgotten happened, or somewhat later; undefined while none is. */
  get aged(): Date | undefined {
    return this.#aged;
  }

  /** Number of the oldest event. */
  get first(): number {
    return this.#first;
  }

  /** Number of the next event. */
  get next(): number {
    return this.#first + this.#events.length;
  }

  /** The event of a number; undefined when it is forgotten or did not happen yet. */
  at(number: number): EventRecord | undefined {
    return this.#events[number - this.#first];
  }

  /** `event` has the notification under its qualified name, and READERS where who may not read all is told something else. */
  add(event: Readonly<Record<string, unknown>>, time: Date = new Date()): void {
    const record = { timeMs: time.getTime(), json: JSON.stringify(event) };
    const last = this.#pieces[this.#pieces.length - 1];
    const isFull =
      !last || last.count >= this.#limits.events / SEGMENTS || last.octets >= this.#limits.octets / SEGMENTS;
    if (isFull) this.#begin((last?.number ?? 0) + 1);
    this.#unwritten.push({ number: this.#take(record), record });
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    setImmediate(() => this.#tell());
  }

  /** Told of events that were added, some at a time; returns what ends it. */
  listen(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Waits until all is in the files. */
  async close(): Promise<void> {
    this.#write();
    await this.#writing;
  }

  #begin(number: number): void {
    this.#pieces.push({ number, count: 0, octets: 0 });
    this.#unwritten.push({ number, record: headRecord(this.created) });
    this.#forget((SEGMENTS - 1) / SEGMENTS);
  }

  /** Counts a record in the newest segment, whose number it returns. */
  #take(record: EventRecord): number {
    const piece = this.#pieces[this.#pieces.length - 1];
    if (!piece) throw new Error('the event log has no segment');
    piece.count++;
    piece.octets += record.json.length;
    this.#events.push(record);
    return piece.number;
  }

  /** Forgets the oldest segments above this share of the limits. */
  #forget(share: number): void {
    while (this.#pieces.length > 1) {
      const count = this.#pieces.reduce((sum, piece) => sum + piece.count, 0);
      const octets = this.#pieces.reduce((sum, piece) => sum + piece.octets, 0);
      if (count <= this.#limits.events * share && octets <= this.#limits.octets * share) return;
      const oldest = this.#pieces.shift();
      if (!oldest) return;
      const newest = this.#events.splice(0, oldest.count).pop();
      if (newest) this.#aged = new Date(newest.timeMs);
      this.#first += oldest.count;
      this.#writing = this.#writing.then(() => this.#attempt(() => this.#store?.remove(oldest.number)));
    }
  }

  #tell(): void {
    this.#isScheduled = false;
    for (const listener of [...this.#listeners]) listener();
    this.#write();
  }

  /** Appends what is not in the files, one write at a time. */
  #write(): void {
    if (!this.#store) this.#unwritten = [];
    if (this.#unwritten.length === 0) return;
    this.#writing = this.#writing.then(async () => {
      const batch = this.#unwritten;
      this.#unwritten = [];
      // What is forgotten already would come back as a file.
      const numbers = this.#pieces.map(({ number }) => number);
      for (const number of numbers.filter((wanted) => batch.some((item) => item.number === wanted))) {
        const records = batch.filter((item) => item.number === number).map(({ record }) => record);
        await this.#attempt(() => this.#store?.append(number, records));
      }
    });
  }

  /** A disk that fails costs what is kept over a restart, and one line in the log each time it begins to. */
  async #attempt(work: () => Promise<void> | undefined): Promise<void> {
    try {
      await work();
      this.#isFailing = false;
    } catch (error) {
      if (!this.#isFailing) this.#log?.error({ error }, 'the event log could not be written: a restart loses events');
      this.#isFailing = true;
      this.#leaveSegment();
    }
  }

  /** After a failed write the rest of a segment cannot be trusted: what follows goes into a new one. */
  #leaveSegment(): void {
    const last = this.#pieces[this.#pieces.length - 1];
    if (last && last.count > 0) this.#begin(last.number + 1);
  }
}
