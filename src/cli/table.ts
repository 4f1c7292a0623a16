/** A table for people: columns as wide as the first rows want, later rows as they come. */

import { printable } from './output.ts';

const MEASURED_ROWS = 500;

export class Table {
  readonly #write: (text: string) => void;
  readonly #rows: string[][];
  readonly #rightAligned: ReadonlySet<number>;
  #widths: number[] | undefined;
  #count = 0;

  /** A heading that begins with `>` stands above a column of numbers. */
  constructor(write: (text: string) => void, headings: readonly string[]) {
    this.#write = write;
    this.#rightAligned = new Set(headings.flatMap((heading, index) => (heading.startsWith('>') ? [index] : [])));
    this.#rows = [headings.map((heading) => heading.replace(/^>/, ''))];
  }

  row(cells: readonly string[]): void {
    this.#count++;
    const row = cells.map(printable);
    if (this.#widths) this.#print(row, this.#widths);
    else {
      this.#rows.push(row);
      if (this.#rows.length > MEASURED_ROWS) this.#begin();
    }
  }

  /** Prints what is left; `none` stands for a table without rows. */
  finish(none: string): void {
    if (this.#count === 0) this.#write(`${none}\n`);
    else if (!this.#widths) this.#begin();
  }

  #begin(): void {
    const columns = this.#rows[0]?.length ?? 0;
    const widths = Array.from({ length: columns }, (_, column) =>
      Math.max(...this.#rows.map((row) => row[column]?.length ?? 0)),
    );
    this.#widths = widths;
    for (const row of this.#rows) this.#print(row, widths);
    this.#rows.length = 0;
  }

  #print(row: readonly string[], widths: readonly number[]): void {
    const cells = row.map((cell, column) => {
      const width = widths[column] ?? 0;
      return this.#rightAligned.has(column) ? cell.padStart(width) : cell.padEnd(width);
    });
    this.#write(`${cells.join('  ').trimEnd()}\n`);
  }
}
