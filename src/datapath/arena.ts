/**
 * The memory of a role: one shared WebAssembly.Memory, because the fast path is a WebAssembly module, which reaches one memory and
 * nothing else. It grows by what is taken of it, all by the control thread before workers start; where it is never touched it costs
 * addresses only.
 *
 *     from 64 on   tables, tunnel addresses, own addresses, counters of rows
 *     a room for each worker   its batch
 *     a room for traces
 *
 * With a million bindings almost every look at what packets reach at random is waited for, so it matters how many cache lines and
 * pages a packet touches: each area begins at a cache line, and those that are reached at random lie in huge pages, of which
 * the processor's list holds more than it does of small ones.
 */

import { adviseHugePages } from 'node-tuntap2';
import type { Allocate } from './memory.ts';

/** The little of it that is used here; the types of Node.js leave it out. */
export interface WasmMemory {
  /** Another one after each growth, over the same memory. */
  readonly buffer: SharedArrayBuffer;
  /** By so many pages of 64 KiB. @throws RangeError when the system gives no more */
  grow(pages: number): number;
}

declare const WebAssembly: {
  readonly Memory: new (pages: { initial: number; maximum: number; shared: true }) => WasmMemory;
};

/** A part of the memory that one thread lays out by itself. */
export interface Room {
  readonly memory: WasmMemory;
  readonly from: number;
  readonly octets: number;
}

/** A machine without huge pages gives small ones. */
export type Pages = 'huge' | 'small';

const LINE = 64;
const HUGE_PAGE = 2 * 1024 * 1024;
const WASM_PAGE = 64 * 1024;
/** All that 32 bits name. */
const MOST_PAGES = 65_536;

export class Arena {
  readonly memory = new WebAssembly.Memory({ initial: 1, maximum: MOST_PAGES, shared: true });
  readonly #pages: Pages;
  #pagesTaken = 1;
  /** Behind the last area. Nothing lies at 0, so that 0 is no area. */
  #end = LINE;

  constructor(pages: Pages) {
    this.#pages = pages;
  }

  /** Zeroed words. What is reached at random is followed by nothing in its last huge page. @throws RangeError when there is no more */
  readonly allocate: Allocate = (octets, isRandom = false) => {
    const isHuge = isRandom && this.#pages === 'huge' && octets >= HUGE_PAGE;
    const unit = isHuge ? HUGE_PAGE : LINE;
    const from = this.#take(octets, unit);
    if (isHuge) adviseHugePages(new Int32Array(this.memory.buffer, from, roundUp(octets, unit) >> 2));
    return new Int32Array(this.memory.buffer, from, octets >> 2);
  };

  /** A part for another thread. */
  room(octets: number): Room {
    return { memory: this.memory, from: this.#take(octets, WASM_PAGE), octets };
  }

  #take(octets: number, unit: number): number {
    const from = roundUp(this.#end, unit);
    this.#end = from + roundUp(octets, unit);
    const missing = Math.ceil(this.#end / WASM_PAGE) - this.#pagesTaken;
    if (missing > 0) this.memory.grow(missing);
    this.#pagesTaken += Math.max(0, missing);
    return from;
  }
}

/** Lays out a room from its beginning, which is zero or of no use any more. @throws RangeError when it is full */
export function allocateIn({ memory, from, octets }: Room): Allocate {
  let end = from;
  return (count) => {
    const at = end;
    end += roundUp(count, LINE);
    if (end > from + octets) throw new RangeError(`room: ${end - from} octets do not fit ${octets}`);
    return new Int32Array(memory.buffer, at, count >> 2);
  };
}

/** Makes a room zero again. */
export function clearRoom({ memory, from, octets }: Room): void {
  new Int32Array(memory.buffer, from, octets >> 2).fill(0);
}

function roundUp(octets: number, unit: number): number {
  return Math.ceil(octets / unit) * unit;
}
