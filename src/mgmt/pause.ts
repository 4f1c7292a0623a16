/**
 * Answers are made as long as a client takes them, in steps that do not wait. Where one has to wait, for what another process
 * knows, it says so: in the place of a text, until when; in the place of a row, a node that is none.
 */

import { DataNode } from '../state/data.ts';
import type { SchemaNode } from '../state/schema.ts';

/** A piece of an answer: text, or what to wait for before the next piece is asked for. */
export type Piece = string | Promise<void>;

/** Stands among the entries of `schema`; nothing of it goes out. */
export class Pause extends DataNode {
  readonly until: Promise<void>;

  constructor(schema: SchemaNode, until: Promise<void>) {
    super(schema);
    this.until = until;
  }
}
