/** Data to RFC 7951 JSON while it comes. */

import type { DataVisitor } from './data-reader.ts';
import { PATH_LEAVES, pathWithFewModules } from './instance-path.ts';
import { ARRAYS, BOOLEANS, NUMBERS } from './model.ts';

interface Level {
  readonly name: string;
  readonly namespace: string;
  /** Name of the list or leaf-list whose array is open. */
  array: string;
  members: number;
}

/** Writes one object whose members are the nodes it is given; `end` of the document is `finish`. */
export class JsonWriter implements DataVisitor {
  readonly #write: (text: string) => void;
  readonly #modules: ReadonlyMap<string, string>;
  readonly #levels: Level[];

  /**
   * `modules` maps namespaces to module names; `parent` is the name of the node that the first nodes stand in, ''
   * at the top.
   */
  constructor(write: (text: string) => void, modules: ReadonlyMap<string, string>, parent = '') {
    this.#write = write;
    this.#modules = modules;
    this.#levels = [{ name: parent, namespace: '', array: '', members: 0 }];
    write('{');
  }

  start(name: string, namespace: string): void {
    this.#member(name, namespace);
    this.#write('{');
    this.#levels.push({ name, namespace, array: '', members: 0 });
  }

  leaf(name: string, namespace: string, value: string): void {
    this.#member(name, namespace);
    const isPlain =
      (NUMBERS.has(name) && /^-?\d+$/.test(value)) || (BOOLEANS.has(name) && /^(true|false)$/.test(value));
    const text = PATH_LEAVES.has(name) ? pathWithFewModules(value) : value;
    this.#write(isPlain ? value : JSON.stringify(text));
  }

  end(): void {
    this.#endArray();
    this.#levels.pop();
    this.#write('}');
  }

  finish(): void {
    this.#endArray();
    this.#write('}\n');
  }

  #member(name: string, namespace: string): void {
    const level = this.#levels[this.#levels.length - 1];
    if (!level) return;
    if (level.array === name) {
      this.#write(',');
      return;
    }
    this.#endArray();
    const prefix = namespace === level.namespace ? '' : `${this.#modules.get(namespace) ?? namespace}:`;
    this.#write(`${level.members++ > 0 ? ',' : ''}${JSON.stringify(prefix + name)}:`);
    if (!ARRAYS.has(`${level.name}/${name}`)) return;
    level.array = name;
    this.#write('[');
  }

  #endArray(): void {
    const level = this.#levels[this.#levels.length - 1];
    if (!level || level.array === '') return;
    level.array = '';
    this.#write(']');
  }
}
