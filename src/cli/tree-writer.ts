/** Data for people: one leaf a line, indented, a list entry headed by its key; a leaf alone is its bare value. */

import type { DataVisitor } from './data-reader.ts';
import { ARRAYS } from './model.ts';
import { printable } from './output.ts';

export class TreeWriter implements DataVisitor {
  readonly #write: (text: string) => void;
  readonly #names: string[];
  /** A list entry whose key, its first leaf, is still to come. */
  #head: string | undefined;

  constructor(write: (text: string) => void, parent = '') {
    this.#write = write;
    this.#names = [parent];
  }

  start(name: string): void {
    this.#flush('');
    const indent = this.#indent();
    const isEntry = ARRAYS.has(`${this.#names[this.#names.length - 1]}/${name}`);
    this.#names.push(name);
    if (isEntry) this.#head = indent + name;
    else this.#write(`${indent}${name}\n`);
  }

  leaf(name: string, _namespace: string, value: string): void {
    if (this.#head !== undefined) this.#flush(` ${printable(value)}`);
    else if (this.#names.length === 1) this.#write(`${printable(value)}\n`);
    else this.#write(`${this.#indent()}${name}  ${printable(value)}\n`);
  }

  end(): void {
    this.#flush('');
    this.#names.pop();
  }

  #flush(key: string): void {
    if (this.#head !== undefined) this.#write(`${this.#head}${key}\n`);
    this.#head = undefined;
  }

  #indent(): string {
    return '  '.repeat(this.#names.length - 1);
  }
}
