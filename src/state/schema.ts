/**
 * The schema tree as TypeScript sees it: what libyang compiled, choice and case flattened away. It is built from a
 * plain dump (the addon's at run time, a committed one in tests), so that nothing here needs the addon.
 */

import { identitiesOf } from './identities.ts';

export type NodeKind =
  | 'container'
  | 'list'
  | 'leaf'
  | 'leaf-list'
  | 'anydata'
  | 'anyxml'
  | 'rpc'
  | 'action'
  | 'notification'
  | 'input'
  | 'output';

/** [choice, case, choice is mandatory, case is the default]. */
export type CaseOf = readonly [choice: string, name: string, mandatory: boolean, isDefault: boolean];

export interface SchemaNodeDump {
  readonly id: number;
  /** Id of the parent; -1 at the top. */
  readonly parent: number;
  readonly name: string;
  readonly module: string;
  readonly kind: NodeKind;
  readonly config: boolean;
  readonly presence?: boolean;
  readonly keys?: readonly string[];
  /** Outermost first. */
  readonly choices?: readonly CaseOf[];
  /** Name of the built-in base type; a leafref has that of its target. */
  readonly type?: string;
  /** Base types of a union's members, in order. */
  readonly types?: readonly string[];
  /** Limits of a whole number, or of the length of a text, as YANG writes them: `1..64 | 128`. */
  readonly range?: string;
  readonly enums?: readonly string[];
  /** Of an enumeration, or of those in a union: the number of each name (RFC 7950 §9.6.4.2). */
  readonly numbers?: Readonly<Record<string, number>>;
  /** Where a leafref points: its path, with the module of each prefix; that of the empty one is of names without. */
  readonly leafref?: { readonly path: string; readonly prefixes: Readonly<Record<string, string>> };
  readonly typedef?: string;
  readonly defaults?: readonly string[];
  readonly units?: string;
  readonly mandatory?: boolean;
  readonly userOrdered?: boolean;
  readonly min?: number;
  readonly max?: number;
  /** Stated on this very node (RFC 8341 §3.2.2); not inherited here. */
  readonly nacm?: 'default-deny-write' | 'default-deny-all';
  readonly description?: string;
}

export interface ModuleDump {
  readonly name: string;
  readonly revision?: string;
  readonly namespace: string;
  readonly prefix: string;
  readonly implemented: boolean;
  readonly features: readonly string[];
  /** By name, those derived from it directly, with their modules: `ietf-alarms:alarm-type-id`. */
  readonly identities?: Readonly<Record<string, readonly string[]>>;
}

export interface SchemaDump {
  readonly modules: readonly ModuleDump[];
  readonly nodes: readonly SchemaNodeDump[];
}

/** Parent and name of lists that may be as long as a table and are none. */
const STREAMED: ReadonlySet<string> = new Set([
  'yang-patch edit',
  'route-source learned-route',
  'route-source refused-route',
]);

/** What all nodes of a schema know of its modules. */
export interface ModuleFacts {
  /** Of every module by its name, those without data nodes too: they may have identities. */
  readonly namespaces: ReadonlyMap<string, string>;
  /** Every identity, `ietf-alarms:alarm-type-id`, with all that it is derived from (RFC 7950 §7.18.2). */
  readonly identities: ReadonlyMap<string, ReadonlySet<string>>;
}

const NO_MODULES: ModuleFacts = { namespaces: new Map(), identities: new Map() };

/** One node of the schema tree. `id` is libyang's, for the value check; the root has id -1 and kind container. */
export class SchemaNode {
  readonly dump: SchemaNodeDump;
  readonly parent: SchemaNode | undefined;
  readonly children: SchemaNode[] = [];
  readonly namespace: string;
  /** Position among the siblings: the order in which data is printed. */
  readonly order: number;
  /** True for the lists kept as ordered rows in the store, never as a tree (the binding table). */
  readonly rows: boolean;
  /** True for lists of state and outputs whose entries are made while they are sent. */
  readonly isStreamed: boolean;
  readonly facts: ModuleFacts;
  readonly #byName = new Map<string, SchemaNode>();

  constructor(
    dump: SchemaNodeDump,
    parent: SchemaNode | undefined,
    namespace: string,
    rows: boolean,
    facts = parent?.facts ?? NO_MODULES,
  ) {
    this.dump = dump;
    this.facts = facts;
    this.parent = parent;
    this.namespace = namespace;
    this.rows = rows;
    this.isStreamed = STREAMED.has(`${parent?.name} ${dump.name}`);
    this.order = parent ? parent.children.length : 0;
    if (parent) {
      parent.children.push(this);
      parent.#byName.set(`${dump.module}:${dump.name}`, this);
      if (!parent.#byName.has(dump.name)) parent.#byName.set(dump.name, this);
    }
  }

  get namespaces(): ReadonlyMap<string, string> {
    return this.facts.namespaces;
  }
  get id(): number {
    return this.dump.id;
  }
  get name(): string {
    return this.dump.name;
  }
  get module(): string {
    return this.dump.module;
  }
  get kind(): NodeKind {
    return this.dump.kind;
  }
  get config(): boolean {
    return this.dump.config;
  }
  get keys(): readonly string[] {
    return this.dump.keys ?? [];
  }
  get presence(): boolean {
    return this.dump.presence ?? false;
  }
  get type(): string {
    return this.dump.type ?? '';
  }
  get defaults(): readonly string[] {
    return this.dump.defaults ?? [];
  }
  get isRoot(): boolean {
    return this.parent === undefined;
  }
  get isLeaf(): boolean {
    return this.dump.kind === 'leaf' || this.dump.kind === 'leaf-list';
  }
  get isList(): boolean {
    return this.dump.kind === 'list' || this.dump.kind === 'leaf-list';
  }
  get isKey(): boolean {
    return this.kind === 'leaf' && (this.parent?.keys.includes(this.name) ?? false);
  }

  /** A child by name; `module` is needed only where two modules give one name. */
  child(name: string, module?: string): SchemaNode | undefined {
    const first = this.#byName.get(name);
    if (module === undefined || (first?.dump.module === module && first.dump.name === name)) return first;
    return this.#byName.get(`${module}:${name}`);
  }

  /** RFC 7951 name: with its module at the top and where the module changes. */
  get qualifiedName(): string {
    return this.parent === undefined || this.parent.isRoot || this.parent.module !== this.module
      ? `${this.module}:${this.name}`
      : this.name;
  }

  /** Schema path with module names where they change, for messages and rules: /gi-4over6:softwire/aftr/name. */
  get path(): string {
    return this.parent === undefined ? '' : `${this.parent.path}/${this.qualifiedName}`;
  }
}

/** Path of the list that is kept as rows (design: the binding table). */
export const BINDING_PATH = '/gi-4over6:softwire/aftr/binding-table/binding';

/** All loaded modules and the tree of their nodes below one root. */
export class Schema {
  readonly root: SchemaNode;
  readonly modules: readonly ModuleDump[];
  readonly #byId = new Map<number, SchemaNode>();
  readonly #moduleByName = new Map<string, ModuleDump>();
  readonly #moduleByNamespace = new Map<string, ModuleDump>();

  /** @throws Error when a node names a parent or module that is not in the dump (our own mistake). */
  constructor(dump: SchemaDump) {
    this.modules = dump.modules;
    for (const module of dump.modules) {
      this.#moduleByName.set(module.name, module);
      this.#moduleByNamespace.set(module.namespace, module);
    }
    this.root = new SchemaNode(
      { id: -1, parent: -1, name: '', module: '', kind: 'container', config: true },
      undefined,
      '',
      false,
      {
        namespaces: new Map(dump.modules.map(({ name, namespace }) => [name, namespace])),
        identities: identitiesOf(dump.modules),
      },
    );
    for (const node of dump.nodes) this.#add(node);
  }

  #add(dump: SchemaNodeDump): void {
    const parent = dump.parent === -1 ? this.root : this.#byId.get(dump.parent);
    const module = this.#moduleByName.get(dump.module);
    if (!parent || !module)
      throw new Error(`schema dump: node ${dump.id} ${dump.name} names no known parent or module`);
    const path = `${parent.path}/${parent.isRoot || parent.module !== dump.module ? `${dump.module}:` : ''}${dump.name}`;
    this.#byId.set(dump.id, new SchemaNode(dump, parent, module.namespace, path === BINDING_PATH));
  }

  module(name: string): ModuleDump | undefined {
    return this.#moduleByName.get(name);
  }

  moduleOfNamespace(namespace: string): ModuleDump | undefined {
    return this.#moduleByNamespace.get(namespace);
  }

  /** The node at a schema path as `SchemaNode.path` writes it; undefined when there is none. */
  find(path: string): SchemaNode | undefined {
    let node: SchemaNode | undefined = this.root;
    for (const step of path.split('/').slice(1)) {
      const [first = '', second] = step.split(':');
      node = second === undefined ? node?.child(first) : node?.child(second, first);
    }
    return node;
  }
}
