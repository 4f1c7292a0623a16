/** The `fields` expression (RFC 8040 §4.8.3): `a;b(c;d)`, `a/b`, `m:a`. */

import type { SchemaNode } from '../../state/schema.ts';
import type { SelectionPart } from '../selection.ts';
import { badRequest } from './fault.ts';

const NAME = /(?:([A-Za-z_][\w.-]*):)?([A-Za-z_][\w.-]*)/y;
/** Depth of parentheses and slashes. */
const MAX_DEPTH = 32;

/**
 * The parts below `target` that the expression selects.
 * @throws RestconfFault 400 for wrong syntax or a name that is not in the schema
 */
export function parseFields(text: string, target: SchemaNode): SelectionPart[] {
  const parser = new FieldsParser(text);
  const parts = parser.list(target, 0);
  parser.end();
  return parts;
}

class FieldsParser {
  readonly #text: string;
  #at = 0;

  constructor(text: string) {
    this.#text = text;
  }

  /** path [ "(" list ")" ] *( ";" ... ) */
  list(parent: SchemaNode, depth: number): SelectionPart[] {
    const parts = [this.#path(parent, depth)];
    while (this.#take(';')) parts.push(this.#path(parent, depth));
    return parts;
  }

  end(): void {
    if (this.#at < this.#text.length) this.#fail("expected ';', '/', '(' or the end");
  }

  #path(parent: SchemaNode, depth: number): SelectionPart {
    if (depth > MAX_DEPTH) this.#fail(`nested more than ${MAX_DEPTH} deep`);
    const schema = this.#name(parent);
    const plain = { schema, always: false, matches: [] };
    if (this.#take('/')) return { ...plain, whole: false, children: [this.#path(schema, depth + 1)] };
    if (!this.#take('(')) return { ...plain, whole: true, children: [] };
    const children = this.list(schema, depth + 1);
    if (!this.#take(')')) this.#fail("expected ')'");
    return { ...plain, whole: false, children };
  }

  #name(parent: SchemaNode): SchemaNode {
    NAME.lastIndex = this.#at;
    const [found = '', prefix, name = ''] = NAME.exec(this.#text) ?? [];
    if (found === '') this.#fail('expected a name');
    const child = parent.child(name, prefix ?? (parent.isRoot ? undefined : parent.module));
    if (!child || ['rpc', 'action', 'notification'].includes(child.kind)) {
      return this.#fail(`${found} is not in the schema below ${parent.path || 'the top level'}`);
    }
    this.#at += found.length;
    return child;
  }

  #take(character: string): boolean {
    if (this.#text[this.#at] !== character) return false;
    this.#at++;
    return true;
  }

  #fail(what: string): never {
    throw badRequest(`query parameter fields=${this.#text}, at character ${this.#at + 1}: ${what}`);
  }
}
