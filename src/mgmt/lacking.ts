/**
 * Where a node, an entry or a choice that must be there is missing (RFC 7950 §8.1). libyang says in which place of the schema, choices
 * and cases among it; an error names the instance (§15.6).
 */

import type { DataNode } from '../state/data.ts';
import type { CaseOf, SchemaNode } from '../state/schema.ts';

/** What libyang says is missing: its path in the schema, and the name of a choice, whose parent that path leads to then. */
export interface Missing {
  readonly path: string;
  readonly choice?: string | undefined;
}

/** Paths of the instances in which it is missing, in the order of the tree; of a choice its parent's. */
export function lackingPaths(tree: DataNode, { path, choice }: Missing): string[] {
  const places = nodesOnTheWay(tree.schema, path);
  const last = places[places.length - 1];
  if (!last) return [];
  const parents = instancesOf(tree, choice === undefined ? places.slice(0, -1) : places);
  return choice === undefined
    ? parents.filter((parent) => lacksNode(parent, last)).map((parent) => `${parent.path}/${last.qualifiedName}`)
    : parents.filter((parent) => lacksChoice(parent, choice)).map((parent) => parent.path);
}

/** Names of mandatory choices of which a node has nothing, as its parameters or its configuration need (§7.9.4). */
export function missingChoices(node: DataNode): string[] {
  const needed = new Set(node.schema.children.flatMap((child) => mandatoryChoices(node, child)));
  return [...needed].filter((choice) => lacksChoice(node, choice));
}

/** What may stand for a choice that a fault is about, in words; undefined where it is about none. */
export function choiceInWords(root: SchemaNode, { path, choice }: Missing): string | undefined {
  const parent = nodesOnTheWay(root, path).pop();
  return choice === undefined || !parent ? undefined : oneOfChoice(parent, choice);
}

/** Of each case the nodes that it needs, or else all, those of nested choices only where it has no others. */
export function oneOfChoice(parent: SchemaNode, choice: string): string {
  const cases = new Map<string, { readonly own: SchemaNode[]; readonly nested: SchemaNode[] }>();
  for (const child of parent.children) {
    const choices = child.dump.choices ?? [];
    const level = choices.findIndex(([name]) => name === choice);
    const name = choices[level]?.[1];
    if (name === undefined) continue;
    const nodes = cases.get(name) ?? { own: [], nested: [] };
    (level === choices.length - 1 ? nodes.own : nodes.nested).push(child);
    cases.set(name, nodes);
  }
  const names = [...cases.values()].map(({ own: nodes, nested }) => {
    if (nodes.length === 0) return nested.map(({ qualifiedName }) => qualifiedName).join(', ');
    const needed = nodes.filter(({ dump }) => dump.mandatory);
    return (needed.length > 0 ? needed : nodes).map(({ qualifiedName }) => qualifiedName).join(' and ');
  });
  return `one of ${names.join(', ')} (choice ${choice})`;
}

/** The mandatory children that a node lacks, and what is there below it likewise (§7.6.5, §7.14.2). */
export function missingBelow(node: DataNode): { readonly parent: DataNode; readonly name: string }[] {
  const { children } = node.schema;
  const own = children.filter((child) => child.dump.mandatory && lacksNode(node, child));
  return [
    ...own.map((child) => ({ parent: node, name: child.qualifiedName })),
    ...[...node.childMap.values()].filter(({ schema }) => !schema.isLeaf).flatMap(missingBelow),
  ];
}

/** A choice in a case counts only where something of that case is there. */
function mandatoryChoices(node: DataNode, { dump: { choices = [] } }: SchemaNode): string[] {
  return choices.flatMap(([name, , isMandatory], level) =>
    isMandatory && hasCase(node, choices.slice(0, level)) ? [name] : [],
  );
}

function lacksChoice(node: DataNode, choice: string): boolean {
  return ![...node.childMap.values()].some(({ schema }) => schema.dump.choices?.some(([name]) => name === choice));
}

/** Fewer than there must be, where the case that it stands in is taken. */
function lacksNode(parent: DataNode, schema: SchemaNode): boolean {
  const count = [...parent.childMap.values()].filter((child) => child.schema === schema).length;
  return count < (schema.dump.min ?? 1) && hasCase(parent, schema.dump.choices ?? []);
}

/** Whether a node has something of the innermost of these cases. */
function hasCase(node: DataNode, cases: readonly CaseOf[]): boolean {
  const isInside = (of: readonly CaseOf[] = []) =>
    cases.every(([choice, name], level) => of[level]?.[0] === choice && of[level]?.[1] === name);
  return cases.length === 0 || [...node.childMap.values()].some(({ schema }) => isInside(schema.dump.choices));
}

/** The data nodes that a path of the schema passes; a choice and the case behind it are none, whatever the case is called. */
function nodesOnTheWay(root: SchemaNode, path: string): SchemaNode[] {
  const passed: SchemaNode[] = [];
  let at = root;
  let isBehindChoice = false;
  for (const step of path.split('/').slice(1)) {
    const colon = step.indexOf(':');
    const [module, name] = colon < 0 ? [at.module, step] : [step.slice(0, colon), step.slice(colon + 1)];
    const isChoice = at.children.some(({ dump }) => dump.choices?.some(([choice]) => choice === name));
    const found = isChoice || isBehindChoice ? undefined : at.child(name, module);
    isBehindChoice = isChoice;
    if (!found) continue;
    passed.push(found);
    at = found;
  }
  return passed;
}

function instancesOf(tree: DataNode, steps: readonly SchemaNode[]): DataNode[] {
  let instances = [tree];
  for (const schema of steps) {
    instances = instances.flatMap((node) => [...node.childMap.values()].filter((child) => child.schema === schema));
  }
  return instances;
}
