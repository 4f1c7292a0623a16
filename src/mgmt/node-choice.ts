/** Which nodes of a tree a read wants, each by itself, and what its copy has beside its value. */

import { DataNode, entryId } from '../state/data.ts';
import { defaultChildren, orphan } from './defaults.ts';
import { originOf, shownOrigin } from './origin.ts';
import type { ReadOptions } from './read-options.ts';
import type { SelectionPart } from './selection.ts';

export class NodeChoice {
  readonly #options: ReadOptions;

  constructor(options: ReadOptions) {
    this.#options = options;
  }

  /** The children that may go out, with the defaults that are wanted. */
  candidates(source: DataNode, parts: readonly SelectionPart[] | undefined): DataNode[] {
    const children = source.children();
    const mode = this.#options.withDefaults;
    if (mode === 'report-all' || mode === 'report-all-tagged') {
      children.push(...defaultChildren(source, mode === 'report-all-tagged'));
    }
    for (const { schema, always } of parts ?? []) {
      if (always && !source.get(entryId(schema, []))) children.push(orphan(new DataNode(schema), source));
    }
    return children;
  }

  /** Whether the content, the origins and the defaults that are asked for have the node. */
  isWelcome(node: DataNode): boolean {
    const { schema } = node;
    const { content, withDefaults } = this.#options;
    if (content === 'config' && !schema.config) return false;
    if (content === 'nonconfig' && schema.isLeaf && schema.config && !schema.isKey) return false;
    if (schema.isLeaf && !schema.isKey && !this.isOfOrigin(node)) return false;
    if (withDefaults !== 'trim' || schema.kind !== 'leaf' || !schema.config) return true;
    return schema.isKey || schema.defaults[0] !== node.value;
  }

  /**
   * RFC 6241 §6.2.5: all match leaves of the sibling set must have their value. A leaf that the caller may not read
   * matches nothing, or a filter would tell its value (RFC 8341 §3.2.4).
   */
  matches(node: DataNode, part: SelectionPart): boolean {
    return part.matches.every(({ leaf, value }) => {
      if (leaf === node.schema) return node.value === value;
      const found = leaf.kind === 'leaf-list' ? node.get(entryId(leaf, [value])) : node.child(leaf.name, leaf.module);
      return found?.value === value && this.#options.mayRead(found);
    });
  }

  /** What the system says of its state has no origin, and passes. */
  isOfOrigin(node: DataNode): boolean {
    const { isWanted } = this.#options.origins ?? {};
    return isWanted === undefined || !node.schema.config || isWanted(originOf(node));
  }

  /** With content=nonconfig, or of another origin, an entry that shows nothing but its keys is left out. */
  keyCount(child: DataNode, copy: DataNode): number {
    if ((this.#options.content !== 'nonconfig' && this.isOfOrigin(child)) || !child.schema.config) return 0;
    return child.schema.keys.filter((key) => copy.child(key) !== undefined).length;
  }

  /** The copy with the keys of its entry. */
  withKeys(source: DataNode, copy: DataNode): DataNode {
    for (const key of source.schema.keys) {
      const leaf = source.child(key);
      if (leaf && !copy.child(key) && this.#options.mayRead(leaf))
        copy.add(new DataNode(leaf.schema, leaf.value, leaf.type));
    }
    return this.marked(source, copy);
  }

  /** The copy with its origin, where that is to be shown. */
  marked(source: DataNode, copy: DataNode): DataNode {
    if (this.#options.origins?.isShown) copy.origin = shownOrigin(source);
    return copy;
  }
}
