/**
 * Memory for what packets reach at random. With a million bindings almost every look at it is waited for, so it matters how many
 * cache lines and pages a packet touches:
 *
 *   - it begins at a cache line: what malloc gives begins 16 octets behind one, so that every block and every other row
 *     would lie in two, and a packet take half as long again
 *   - it lies in huge pages: the processor's list of small ones holds only a part of them
 */

import { adviseHugePages } from 'node-tuntap2';
import type { Allocate } from './memory.ts';

/** The little of it that is used here; the types of Node.js leave it out. */
declare const WebAssembly: {
  readonly Memory: new (pages: { initial: number; maximum: number; shared: true }) => { readonly buffer: unknown };
};

const HUGE_PAGE = 2 * 1024 * 1024;
const WASM_PAGE = 64 * 1024;

/** A machine without huge pages gives small ones. The last page of what is reached at random is whole. */
export const allocateInHugePages: Allocate = (octets, isRandom = false) => {
  if (!isRandom || octets < HUGE_PAGE) return new SharedArrayBuffer(octets);
  const memory = newAlignedMemory(Math.ceil(octets / WASM_PAGE));
  adviseHugePages(memory);
  return memory;
};

/** The one shared memory of JavaScript that begins at a page. */
function newAlignedMemory(pages: number): SharedArrayBuffer {
  const { buffer } = new WebAssembly.Memory({ initial: pages, maximum: pages, shared: true });
  if (!(buffer instanceof SharedArrayBuffer)) throw new Error('the memory is not shared');
  return buffer;
}
