/**
 * The XML of edits, written an element at a time. Cut, a file of any size becomes edits of at most 20,000 bindings: an edit that has
 * so many ends there, and the next one opens the same elements again, without their operations: what they did is done. Whole, it
 * becomes one edit, in pieces.
 */

import { escapeXml } from './xml-text.ts';

/** Bindings of one edit: well under the size of one message. */
export const BATCH = 20_000;
const SPLIT_AT = ['softwire', 'aftr', 'binding-table', 'binding'];

interface OpenElement {
  readonly name: string;
  /** Declarations of namespaces. */
  readonly declarations: string;
  /** Its only key, once it is written. */
  key: string | undefined;
}

export class EditWriter {
  readonly #isCut: boolean;
  readonly #open: OpenElement[] = [];
  #parts: string[] = [];
  #bindings = 0;
  /** Text of the element that was opened last. */
  #text = '';
  readonly #ready: string[] = [];

  constructor(isCut: boolean) {
    this.#isCut = isCut;
  }

  /** Names of the elements that are open. */
  get depth(): number {
    return this.#open.length;
  }

  /** `declarations` and `attributes` are texts of attributes, each with a space before it. */
  open(name: string, declarations = '', attributes = ''): void {
    this.#open.push({ name, declarations, key: undefined });
    this.#parts.push(`<${name}${declarations}${attributes}>`);
    this.#text = '';
  }

  text(text: string): void {
    this.#text += text;
    this.#parts.push(escapeXml(text));
  }

  close(): void {
    const closed = this.#open.pop();
    if (!closed) return;
    this.#parts.push(`</${closed.name}>`);
    const parent = this.#open.at(-1);
    if (parent?.name === 'aftr' && closed.name === 'name') parent.key = this.#text;
    if (closed.name === 'binding') this.#splitWhenFull();
  }

  /** The edits that are complete, with `isLast` what is left, too; of a whole edit all that is written. */
  *take(isLast = false): Generator<string> {
    yield* this.#ready.splice(0);
    if ((isLast || !this.#isCut) && this.#parts.length > 0) yield this.#parts.splice(0).join('');
  }

  #splitWhenFull(): void {
    if (!this.#isCut || ++this.#bindings < BATCH) return;
    const [, aftr] = this.#open;
    const isTable = this.#open.length === 3 && this.#open.every(({ name }, level) => name === SPLIT_AT[level]);
    // Without its key the entry could not be opened again.
    if (!isTable || aftr?.key === undefined) return;
    const ends = this.#open.toReversed().map(({ name }) => `</${name}>`);
    this.#ready.push([...this.#parts, ...ends].join(''));
    this.#parts = this.#open.map(({ name, declarations, key }) => {
      return `<${name}${declarations}>${key === undefined ? '' : `<name>${escapeXml(key)}</name>`}`;
    });
    this.#bindings = 0;
  }
}
