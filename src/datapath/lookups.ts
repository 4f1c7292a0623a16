/**
 * Where addresses lead, one packet at a time: to rows of the table, and from these to softwires and their instances. For the
 * slow path, which looks everything up again.
 */

import type { Role } from './engine.ts';
import { ROW_OTHER, ROW_SHIFT, ROW_SOFTWIRE, SOFTWIRE_MASK, SOFTWIRE_SHIFT } from './layout.ts';
import { sameFourWords } from './memory.ts';
import type { Softwires } from './softwires.ts';
import type { TableReader } from './table.ts';
import { IPV6_DESTINATION, IPV6_SOURCE } from './wire/ipv6.ts';

export class Lookups {
  readonly #isGateway: boolean;
  readonly #table: TableReader;
  readonly #softwires: Softwires;

  constructor(role: Role, table: TableReader, softwires: Softwires) {
    this.#isGateway = role === 'gateway';
    this.#table = table;
    this.#softwires = softwires;
  }

  /** Row of an address; 0 also while the softwire of the row is being taken out of use, and no other gateway serves it. */
  rowOf(address: number): number {
    let row = this.#table.lookup(address);
    while (row !== 0 && !this.#softwires.isEnabled(this.softwireOf(row))) row = this.#otherThan(row);
    return row;
  }

  /** The row by which one gateway of several serves an address; 0 when it does not. */
  rowOfInstance(address: number, instance: number): number {
    let row = this.rowOf(address);
    while (row !== 0 && this.#softwires.instance(this.softwireOf(row)) !== instance) row = this.#otherThan(row);
    return row;
  }

  /** At a gateway, the next row for the addresses of this one (served-prefixes.ts). */
  #otherThan(row: number): number {
    return this.#isGateway ? (this.#table.rows[(row << ROW_SHIFT) + ROW_OTHER] ?? 0) : 0;
  }

  softwireOf(row: number): number {
    return (this.#table.rows[(row << ROW_SHIFT) + ROW_SOFTWIRE] ?? 0) & SOFTWIRE_MASK;
  }

  /** Whether the outer source of the packet at `outer` is the remote address of a row. */
  comesFrom(words: Int32Array, outer: number, row: number): boolean {
    return sameFourWords(words, (outer + IPV6_SOURCE) >> 2, this.#table.rows, row << ROW_SHIFT);
  }

  /** Whether the outer source of the packet at `outer` is the one other end that a gateway's softwire has. */
  comesFromAftr(words: Int32Array, outer: number, softwire: number): boolean {
    const remote = (softwire << SOFTWIRE_SHIFT) + (IPV6_DESTINATION >> 2);
    return sameFourWords(words, (outer + IPV6_SOURCE) >> 2, this.#softwires.words, remote);
  }

  sameRemote(row: number, other: number): boolean {
    return sameFourWords(this.#table.rows, row << ROW_SHIFT, this.#table.rows, other << ROW_SHIFT);
  }
}
