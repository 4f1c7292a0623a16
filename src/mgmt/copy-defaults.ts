/** copy-config with the parameter with-defaults (RFC 6243 §4.5.1): which nodes with default values the copy has as its own. */

import { settle } from '../state/content.ts';
import { DataNode } from '../state/data.ts';
import { defaultChildren } from './defaults.ts';
import type { WithDefaults } from './read-options.ts';

/**
 * What is done to the small tree of a copy, which is changed in place; undefined for nothing. The target takes what a reading of the
 * source in that mode holds: with report-all every default becomes a value that was set, with trim no value that is the default
 * stays. What is tagged as a default was not set and is not written (§4.5.2), so that report-all-tagged is as explicit, the basic
 * mode. Bindings have no defaults. What `mayRead` denies is in no reading of his and stays as it is.
 */
export function reshapeFor(mode: WithDefaults | undefined, mayRead: Sees): ((tree: DataNode) => void) | undefined {
  if (mode === 'report-all') return (tree) => reshape(tree, (node) => writeDefaults(node, false, mayRead));
  if (mode === 'trim') return (tree) => reshape(tree, (node) => trimDefaults(node, mayRead));
  return undefined;
}

type Sees = (node: DataNode) => boolean;
const all: Sees = () => true;

/** The same for a copy that goes into a file: what a reading in that mode shows, tags included. A tag that came is none of the data. */
export function reshapeForFile(tree: DataNode, mode: WithDefaults | undefined): void {
  const work = {
    explicit: () => undefined,
    trim: (node: DataNode) => trimDefaults(node),
    'report-all': (node: DataNode) => writeDefaults(node),
    'report-all-tagged': (node: DataNode) => writeDefaults(node, true),
  }[mode ?? 'explicit'];
  dropTagged(tree);
  reshape(tree, work);
}

function reshape(tree: DataNode, work: (node: DataNode) => void): void {
  work(tree);
  settle(tree);
}

function dropTagged(node: DataNode): void {
  for (const child of [...node.childMap.values()]) {
    if (child.isDefault) node.remove(child.id);
    else if (isInner(child)) dropTagged(child);
  }
}

function writeDefaults(node: DataNode, isTagged = false, mayRead = all): void {
  for (const { schema, value, type } of defaultChildren(node, false)) {
    const added = new DataNode(schema, value, type);
    added.isDefault = isTagged && schema.isLeaf;
    added.parent = node;
    if (mayRead(added)) node.add(added);
  }
  for (const child of node.childMap.values())
    if (isInner(child) && mayRead(child)) writeDefaults(child, isTagged, mayRead);
}

function trimDefaults(node: DataNode, mayRead = all): void {
  for (const child of [...node.childMap.values()]) {
    const { schema, value, id } = child;
    if (!mayRead(child)) continue;
    if (isInner(child)) trimDefaults(child, mayRead);
    else if (schema.kind === 'leaf' && !schema.isKey && schema.defaults[0] === value) node.remove(id);
  }
}

function isInner({ schema }: DataNode): boolean {
  return schema.kind === 'container' || schema.kind === 'list';
}
