/** The data of a reply as a stream of events, so that a table of any size passes through. */

import { SaxesParser } from 'saxes';
import { ARRAYS, CONTAINERS } from './model.ts';

/** Gets the nodes inside `data`, in order. */
export interface DataVisitor {
  /** A container or list entry begins. */
  start(name: string, namespace: string): void;
  leaf(name: string, namespace: string, value: string): void;
  end(name: string): void;
}

interface OpenElement {
  readonly name: string;
  readonly namespace: string;
}

/** Reads a whole reply; `onPiece` is awaited after each piece of text, to let output out. */
export async function readData(
  pieces: AsyncIterable<string>,
  visitor: DataVisitor,
  onPiece: () => Promise<void> = async () => undefined,
): Promise<void> {
  const parser = new SaxesParser({ xmlns: true });
  const events = new DataEvents(visitor);
  parser.on('error', (error) => {
    throw error;
  });
  parser.on('opentag', ({ local, uri }) => events.open({ name: local, namespace: uri }));
  parser.on('text', (text) => events.text(text));
  parser.on('closetag', ({ local }) => events.close(local));
  for await (const piece of pieces) {
    parser.write(piece);
    await onPiece();
  }
  parser.close();
}

/** Elements to data: an element is a leaf when it ends before another begins in it. */
class DataEvents {
  readonly #visitor: DataVisitor;
  readonly #open: string[] = [];
  #pending: OpenElement | undefined;
  #text = '';

  constructor(visitor: DataVisitor) {
    this.#visitor = visitor;
  }

  open(element: OpenElement): void {
    this.#start();
    this.#open.push(element.name);
    // rpc-reply and data are the envelope.
    if (this.#open.length > 2) this.#pending = element;
    this.#text = '';
  }

  text(text: string): void {
    if (this.#pending) this.#text += text;
  }

  close(name: string): void {
    this.#open.pop();
    const { namespace } = this.#pending ?? {};
    const parent = this.#open[this.#open.length - 1] ?? '';
    if (namespace === undefined) {
      if (this.#open.length >= 2) this.#visitor.end(name);
    } else if (this.#text === '' && CONTAINERS.has(name) && !ARRAYS.has(`${parent}/${name}`)) {
      this.#start();
      this.#visitor.end(name);
    } else this.#visitor.leaf(name, namespace, this.#text);
    this.#pending = undefined;
  }

  #start(): void {
    if (this.#pending) this.#visitor.start(this.#pending.name, this.#pending.namespace);
    this.#pending = undefined;
  }
}

/** Passes on what stands at one depth under one name (a target), and all below it; counts what was there. */
export class TargetFilter implements DataVisitor {
  readonly #next: DataVisitor;
  readonly #depth: number;
  readonly #name: string;
  #level = 0;
  #inside = false;
  found = 0;

  /** `depth` is the number of steps of the path, `name` its last one; depth 0 lets everything pass. */
  constructor(next: DataVisitor, depth: number, name: string) {
    this.#next = next;
    this.#depth = depth;
    this.#name = name;
  }

  start(name: string, namespace: string): void {
    this.#level++;
    if (this.#isTarget(name)) this.#inside = true;
    if (this.#passes()) this.#next.start(name, namespace);
  }

  leaf(name: string, namespace: string, value: string): void {
    this.#level++;
    const isTarget = this.#isTarget(name);
    this.#level--;
    if (isTarget || this.#passes()) this.#next.leaf(name, namespace, value);
  }

  end(name: string): void {
    if (this.#passes()) this.#next.end(name);
    if (this.#level === this.#depth) this.#inside = false;
    this.#level--;
  }

  #passes(): boolean {
    return this.#inside || this.#depth === 0;
  }

  #isTarget(name: string): boolean {
    if (this.#depth === 0) {
      this.found++;
      return false;
    }
    if (this.#level !== this.#depth || name !== this.#name) return false;
    this.found++;
    return true;
  }
}
