/**
 * What the rules of a user say of all nodes that could be, without a look at those that are (RFC 8341 §3.4.5): whether every instance
 * of a schema node below an instance is permitted, none is, or it depends on keys.
 */

import type { DataNode } from '../state/data.ts';
import type { SchemaNode } from '../state/schema.ts';
import type { Write } from '../state/secrecy.ts';
import type { Access } from './access.ts';
import type { PathStep } from './path.ts';

export type Coverage = 'all' | 'some' | 'none';

/** A rule about data, in the order in which they are asked. */
export interface DataRule {
  readonly permit: boolean;
  /** Undefined for every node. */
  readonly path: readonly PathStep[] | undefined;
  readonly isFor: (module: string, access: Access) => boolean;
}

/** The rules of one user with what counts where none matches. */
export interface RuleSet {
  readonly rules: readonly DataRule[];
  readonly permitsByDefault: (schema: SchemaNode, access: Access) => boolean;
}

/** Of the instances of `schema` below `above` (the node itself when it is of that schema), those that `access` is permitted to. */
export function coverageOf(set: RuleSet, schema: SchemaNode, above: DataNode, access: Access): Coverage {
  const chain = chainOf(schema, above);
  let [permits, denies] = [false, false];
  const note = (isPermitted: boolean) => {
    permits ||= isPermitted;
    denies ||= !isPermitted;
  };
  const covering = set.rules.find((rule) => {
    const matched = rule.isFor(schema.module, access) ? matches(rule.path, chain) : 'none';
    if (matched !== 'none') note(rule.permit);
    return matched === 'all';
  });
  if (!covering) note(set.permitsByDefault(schema, access));
  if (permits && denies) return 'some';
  return permits ? 'all' : 'none';
}

/** What a user sees of the entries of a list: all of each, each but not all of it, some, none. */
export type RowRights = 'whole' | 'each' | 'some' | 'none';

/** Of the entries that `list` could have below `above`. */
export function rowRightsOf(set: RuleSet, list: SchemaNode, above: DataNode): RowRights {
  const coverage = coverageOf(set, list, above, 'read');
  if (coverage !== 'all') return coverage;
  return readsEvery(set, list, above) ? 'whole' : 'each';
}

/**
 * The keys that rules about reading name of the entries that a list of one key could have below `above`: all others are permitted or
 * denied alike. Undefined where rules name entries by something else.
 */
export function namedKeys(set: RuleSet, list: SchemaNode, above: DataNode): string[] | undefined {
  const chain = chainOf(list, above);
  const names: string[] = [];
  for (const { path, isFor } of set.rules) {
    if (!isFor(list.module, 'read') || matches(path, chain) !== 'some') continue;
    const [predicate, ...more] = path?.[chain.length - 1]?.predicates ?? [];
    if (!predicate || more.length > 0 || list.keys.length !== 1 || predicate.name !== list.keys[0]) return undefined;
    names.push(predicate.value);
  }
  return names;
}

/**
 * The keys that any rules name of the entries that a list of one key could have below `above`, or of what is in these: the rules for all
 * others are the same. Undefined where rules name entries by something else.
 */
export function ruledKeys(set: RuleSet, list: SchemaNode, above: DataNode): string[] | undefined {
  const chain = chainOf(list, above);
  const names: string[] = [];
  for (const { path } of set.rules) {
    if (!path || path.length < chain.length || matches(path.slice(0, chain.length), chain) === 'none') continue;
    const [predicate, ...more] = path[chain.length - 1]?.predicates ?? [];
    if (!predicate) continue;
    if (more.length > 0 || list.keys.length !== 1 || predicate.name !== list.keys[0]) return undefined;
    names.push(predicate.value);
  }
  return names;
}

/** Whether every possible instance of `schema` below `above` may be read, with all that could be below it. */
export function readsEvery(set: RuleSet, schema: SchemaNode, above: DataNode): boolean {
  if (coverageOf(set, schema, above, 'read') !== 'all') return false;
  return dataChildren(schema).every((child) => readsEvery(set, child, above));
}

/** Whether each possible instance of `schema` below `above` may be written so, with all configuration that could be below it. */
export function writesEvery(set: RuleSet, schema: SchemaNode, above: DataNode, write: Write): boolean {
  if (coverageOf(set, schema, above, write) !== 'all') return false;
  return configChildren(schema).every((child) => writesEvery(set, child, above, write));
}

/** Whether something could be below the node that may be neither read nor deleted; of its children `isAsked` says which count. */
export function mayHide(set: RuleSet, node: DataNode, isAsked = (_child: SchemaNode) => true): boolean {
  const hides = (schema: SchemaNode, isBelowHidden: boolean): boolean => {
    const isHidden = isBelowHidden || coverageOf(set, schema, node, 'read') !== 'all';
    if (isHidden && coverageOf(set, schema, node, 'delete') !== 'all') return true;
    return configChildren(schema).some((child) => hides(child, isHidden));
  };
  return configChildren(node.schema).some((child) => isAsked(child) && hides(child, false));
}

function dataChildren({ children }: SchemaNode): SchemaNode[] {
  return children.filter(({ kind }) => kind !== 'rpc' && kind !== 'action' && kind !== 'notification');
}

function configChildren(schema: SchemaNode): SchemaNode[] {
  return dataChildren(schema).filter(({ config }) => config);
}

/** The way down: instances as far as they are known, then schema nodes. */
interface Step {
  readonly schema: SchemaNode;
  readonly node: DataNode | undefined;
}

function chainOf(schema: SchemaNode, above: DataNode): Step[] {
  const steps: Step[] = [];
  for (let at: SchemaNode | undefined = schema; at && at !== above.schema; at = at.parent) {
    steps.unshift({ schema: at, node: undefined });
  }
  for (let at: DataNode | undefined = above; at && !at.schema.isRoot; at = at.parent) {
    steps.unshift({ schema: at.schema, node: at });
  }
  return steps.filter((step) => !step.schema.isRoot);
}

function matches(path: readonly PathStep[] | undefined, chain: readonly Step[]): Coverage {
  if (!path) return 'all';
  if (chain.length < path.length) return 'none';
  let module = '';
  let coverage: Coverage = 'all';
  for (const [index, step] of path.entries()) {
    const at = chain[index];
    module = step.prefix ?? module;
    if (!at || at.schema.name !== step.name || at.schema.module !== module) return 'none';
    const { node } = at;
    if (step.predicates.length === 0) continue;
    if (!node) coverage = 'some';
    else if (!step.predicates.every(({ name, value }) => (name === '.' ? node.value : node.leaf(name)) === value))
      return 'none';
  }
  return coverage;
}
