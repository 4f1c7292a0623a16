/**
 * Network configuration access control (RFC 8341 §3.4) over the ietf-netconf-acm data of the running configuration.
 * The rules are compiled once a configuration version; a question then walks only the rules of the caller's groups.
 */

import type { DataNode } from '../state/data.ts';
import type { Authorize, Caller } from '../state/request.ts';
import type { SchemaNode } from '../state/schema.ts';
import type { Secrecy, Write } from '../state/secrecy.ts';
import type { RowRights, RuleSet } from './access-coverage.ts';
import { coverageOf, mayHide, namedKeys, readsEvery, rowRightsOf, ruledKeys, writesEvery } from './access-coverage.ts';
import type { PathStep } from './path.ts';
import { parsePath } from './path.ts';

export type Access = 'create' | 'read' | 'update' | 'delete' | 'exec';

interface Rule {
  readonly module: string;
  /** Kind and target; `any` for a rule without rule-type. */
  readonly kind: 'rpc' | 'notification' | 'data' | 'any';
  readonly name: string;
  readonly path: readonly PathStep[] | undefined;
  readonly operations: ReadonlySet<string>;
  readonly permit: boolean;
}

interface RuleList {
  readonly groups: readonly string[];
  readonly rules: readonly Rule[];
}

interface Rules {
  readonly enabled: boolean;
  readonly defaults: Readonly<Record<'read' | 'write' | 'exec', boolean>>;
  readonly groupsOf: (user: string) => readonly string[];
  /** Who is in a group. */
  readonly users: Iterable<string>;
  readonly lists: readonly RuleList[];
}

/** What one caller may do, for one configuration version. */
export interface Rights extends Secrecy {
  /** Whether every data node may be read: no question needed a node. */
  readonly readsAll: boolean;
  /** Whether every data node may be created, updated and deleted. */
  readonly writesAll: boolean;
  /** Whether each node of this schema that could be below `above` may be written so, with all below it. */
  writesEvery(schema: SchemaNode, above: DataNode, write: Write): boolean;
  /** The keys of entries of a list, below `above`, that any rules name; undefined where these name entries by something else. */
  ruledKeys(list: SchemaNode, above: DataNode): readonly string[] | undefined;
  /** Whether the operation may be executed (§3.4.4). */
  mayExecute(module: string, operation: string, schema: SchemaNode | undefined): boolean;
  /** Whether this access to this data node is permitted (§3.4.5); ancestors are the caller's business. */
  may(node: DataNode, access: Exclude<Access, 'exec'>): boolean;
  /** Whether a notification of this schema may be received (§3.4.6). */
  mayReceive(notification: SchemaNode): boolean;
  /** Whether a rule about notifications permits this one, and so all that it says. */
  isNamed(notification: SchemaNode): boolean;
  /** The same text for rights that read the same data. */
  readonly readingMark: string;
  /** Whether nothing that could be below `above` of this schema may be read. */
  readsNone(schema: SchemaNode, above: DataNode): boolean;
  /** Whether each node of this schema that could be below `above` may be read; what is below them is another question. */
  readsEach(schema: SchemaNode, above: DataNode): boolean;
  /** What may be read of the entries that a list could have below `above`, which may be read itself. */
  rowRights(list: SchemaNode, above: DataNode): RowRights;
  /** Where that is some: the keys by which rules tell entries from each other; undefined when there are other ways. */
  namedKeys(list: SchemaNode, above: DataNode): readonly string[] | undefined;
}

/** How often something was denied since the program started (§3.5.2, the leaves of container nacm). */
export interface Denials {
  operations: number;
  dataWrites: number;
  notifications: number;
}

/** No user has this name. */
const NOBODY = '';

/** Access control over the configuration that `configuration` returns (the root of running). */
export class AccessControl {
  readonly denials: Denials = { operations: 0, dataWrites: 0, notifications: 0 };
  readonly #configuration: () => DataNode;
  #compiledFrom: DataNode | undefined;
  #rules: Rules = {
    enabled: true,
    defaults: { read: false, write: false, exec: false },
    groupsOf: () => [],
    users: [],
    lists: [],
  };
  /** By user, under these rules. */
  readonly #rights = new Map<string, Rights>();

  constructor(configuration: () => DataNode) {
    this.#configuration = configuration;
  }

  rightsOf(caller: Caller): Rights {
    this.#compile();
    if (isRecovery(caller) || !this.#rules.enabled) return EVERYTHING;
    return this.#ofUser(caller.user);
  }

  /** The rights of users who may not read everything, each kind once and no more than `limit`: of who is in no group first. */
  readers(limit: number): Rights[] {
    this.#compile();
    const found = new Map<string, Rights>();
    if (!this.#rules.enabled) return [];
    for (const user of [NOBODY, ...this.#rules.users]) {
      if (found.size === limit) break;
      const rights = this.#ofUser(user);
      if (!rights.readsAll) found.set(rights.readingMark, rights);
    }
    return [...found.values()];
  }

  #ofUser(user: string): Rights {
    const known = this.#rights.get(user);
    if (known) return known;
    const rights = new RuleRights(this.#rules, user, this.denials);
    this.#rights.set(user, rights);
    return rights;
  }

  #compile(): void {
    const root = this.#configuration();
    if (root === this.#compiledFrom) return;
    this.#rules = compile(root.child('nacm', 'ietf-netconf-acm'));
    this.#compiledFrom = root;
    this.#rights.clear();
  }
}

/**
 * The recovery session of RFC 8341 §2.5, which is the local socket, and the system itself are under no rule. A user of any
 * name who comes over the network is.
 */
export function isRecovery(caller: Caller): boolean {
  return caller.face === 'system' || caller.face === 'local';
}

/** What edits ask; a no is counted as a denial. */
export function authorizeBy(rights: Rights): Authorize {
  const authorize = (node: DataNode, operation: Write) => rights.may(node, operation);
  const holds = (node: DataNode, operation: Write) => rights.holds(node, operation);
  const writesEvery = rights.writesEvery.bind(rights);
  const ruledKeys = rights.ruledKeys.bind(rights);
  return Object.assign(authorize, { holds, writesEvery, ruledKeys, secrecy: rights.readsAll ? undefined : rights });
}

const EVERYTHING: Rights = {
  readsAll: true,
  writesAll: true,
  readingMark: '',
  mayExecute: () => true,
  may: () => true,
  writesEvery: () => true,
  ruledKeys: () => [],
  mayReceive: () => true,
  isNamed: () => true,
  holds: () => true,
  isHidden: () => false,
  readsEvery: () => true,
  readsNone: () => false,
  readsEach: () => true,
  rowRights: () => 'whole',
  namedKeys: () => [],
  mayHide: () => false,
  countDenial: () => undefined,
};

class RuleRights implements Rights {
  readonly readsAll: boolean;
  readonly writesAll: boolean;
  readonly #defaults: Rules['defaults'];
  readonly #rules: readonly Rule[];
  readonly #denials: Denials;
  readonly #ruleSet: RuleSet;

  constructor(rules: Rules, user: string, denials: Denials) {
    this.#denials = denials;
    const groups = rules.groupsOf(user);
    this.#defaults = rules.defaults;
    // §3.4.5 step 5: without a group no rule list applies, not even one for '*'.
    this.#rules =
      groups.length === 0
        ? []
        : rules.lists
            .filter((list) => list.groups.some((group) => group === '*' || groups.includes(group)))
            .flatMap((list) => list.rules);
    const first = this.#rules[0];
    const permits = (access: Access) =>
      first?.kind === 'any' && first.module === '*' && first.permit && isFor(first, access);
    this.readsAll = permits('read');
    this.writesAll = permits('create') && permits('update') && permits('delete');
    this.#ruleSet = {
      rules: this.#rules.flatMap((rule) => {
        const isFound = rule.kind === 'any' || (rule.kind === 'data' && rule.path);
        const isForBoth = (module: string, access: Access) => isOfModule(rule, module) && isFor(rule, access);
        return isFound ? [{ permit: rule.permit, path: rule.path, isFor: isForBoth }] : [];
      }),
      permitsByDefault: (schema, access) => this.#permitsByDefault(schema, access),
    };
  }

  get readingMark(): string {
    if (this.readsAll) return EVERYTHING.readingMark;
    const rules = this.#rules.filter((rule) => (rule.kind === 'any' || rule.kind === 'data') && isFor(rule, 'read'));
    return JSON.stringify([this.#defaults.read, rules.map(({ module, path, permit }) => [module, path ?? '', permit])]);
  }

  mayExecute(module: string, operation: string, schema: SchemaNode | undefined): boolean {
    const isPermitted = this.#permitsExecution(module, operation, schema);
    if (!isPermitted) this.#denials.operations++;
    return isPermitted;
  }

  /** What is not read is silently left out; what is not written is counted, and ends the edit that asked. */
  may(node: DataNode, access: Exclude<Access, 'exec'>): boolean {
    const isPermitted = this.#permitsData(node, access);
    if (!isPermitted && access !== 'read') this.#denials.dataWrites++;
    return isPermitted;
  }

  mayReceive(notification: SchemaNode): boolean {
    const isPermitted = this.#permitsNotification(notification);
    if (!isPermitted) this.#denials.notifications++;
    return isPermitted;
  }

  holds(node: DataNode, write: Write): boolean {
    return this.#permitsData(node, write);
  }

  writesEvery(schema: SchemaNode, above: DataNode, write: Write): boolean {
    return writesEvery(this.#ruleSet, schema, above, write);
  }

  ruledKeys(list: SchemaNode, above: DataNode): string[] | undefined {
    return ruledKeys(this.#ruleSet, list, above);
  }

  isHidden(node: DataNode): boolean {
    return !this.#permitsData(node, 'read');
  }

  readsEvery(schema: SchemaNode, above: DataNode): boolean {
    return this.readsAll || readsEvery(this.#ruleSet, schema, above);
  }

  readsNone(schema: SchemaNode, above: DataNode): boolean {
    return coverageOf(this.#ruleSet, schema, above, 'read') === 'none';
  }

  readsEach(schema: SchemaNode, above: DataNode): boolean {
    return coverageOf(this.#ruleSet, schema, above, 'read') === 'all';
  }

  rowRights(list: SchemaNode, above: DataNode): RowRights {
    return this.readsAll ? 'whole' : rowRightsOf(this.#ruleSet, list, above);
  }

  namedKeys(list: SchemaNode, above: DataNode): string[] | undefined {
    return namedKeys(this.#ruleSet, list, above);
  }

  mayHide(node: DataNode, isAsked?: (child: SchemaNode) => boolean): boolean {
    return !this.readsAll && mayHide(this.#ruleSet, node, isAsked);
  }

  countDenial(): void {
    this.#denials.dataWrites++;
  }

  isNamed(notification: SchemaNode): boolean {
    const rule = this.#ruleOf(notification);
    return rule?.kind === 'notification' && rule.permit;
  }

  #permitsNotification(notification: SchemaNode): boolean {
    const { module, name, dump } = notification;
    // Those that speak of the subscription itself (§3.4.6 step 2).
    if (module === 'nc-notifications' && (name === 'replayComplete' || name === 'notificationComplete')) return true;
    const rule = this.#ruleOf(notification);
    return rule ? rule.permit : dump.nacm !== 'default-deny-all' && this.#defaults.read;
  }

  /** The rule that decides about a notification. */
  #ruleOf({ module, name }: SchemaNode): Rule | undefined {
    return this.#rules.find((rule) => {
      if (rule.kind !== 'any' && rule.kind !== 'notification') return false;
      if (!isOfModule(rule, module) || !isFor(rule, 'read')) return false;
      return rule.kind === 'any' || rule.name === '*' || rule.name === name;
    });
  }

  #permitsExecution(module: string, operation: string, schema: SchemaNode | undefined): boolean {
    if (module === NETCONF_MODULE && operation === 'close-session') return true;
    for (const rule of this.#rules) {
      if (rule.kind !== 'any' && rule.kind !== 'rpc') continue;
      if (!isOfModule(rule, module) || !isFor(rule, 'exec')) continue;
      if (rule.kind === 'any' || rule.name === '*' || rule.name === operation) return rule.permit;
    }
    if (schema?.dump.nacm === 'default-deny-all') return false;
    if (module === NETCONF_MODULE && (operation === 'kill-session' || operation === 'delete-config')) return false;
    return this.#defaults.exec;
  }

  #permitsData(node: DataNode, access: Access): boolean {
    if (access === 'read' && this.readsAll) return true;
    for (const rule of this.#rules) {
      if (rule.kind !== 'any' && rule.kind !== 'data') continue;
      if (!isOfModule(rule, node.schema.module) || !isFor(rule, access)) continue;
      if (rule.kind === 'any' || (rule.path && isAtOrBelow(node, rule.path))) return rule.permit;
    }
    return this.#permitsByDefault(node.schema, access);
  }

  /** Where no rule matches (§3.4.5 steps 8 to 11). */
  #permitsByDefault(node: SchemaNode, access: Access): boolean {
    for (let schema: SchemaNode | undefined = node; schema; schema = schema.parent) {
      if (schema.dump.nacm === 'default-deny-all') return false;
      if (schema.dump.nacm === 'default-deny-write' && access !== 'read') return false;
    }
    return access === 'read' ? this.#defaults.read : this.#defaults.write;
  }
}

const NETCONF_MODULE = 'ietf-netconf';

function isOfModule(rule: Rule, module: string): boolean {
  return rule.module === '*' || rule.module === module;
}

function isFor(rule: Rule, access: Access): boolean {
  return rule.operations.has('*') || rule.operations.has(access);
}

/** Whether the rule's path leads to the node or to one above it; keys that the rule leaves out match any entry. */
function isAtOrBelow(node: DataNode, path: readonly PathStep[]): boolean {
  const chain: DataNode[] = [];
  for (let at: DataNode | undefined = node; at && !at.schema.isRoot; at = at.parent) chain.unshift(at);
  if (chain.length < path.length) return false;
  let module = '';
  return path.every((step, index) => {
    const at = chain[index];
    module = step.prefix ?? module;
    if (!at || at.schema.name !== step.name || at.schema.module !== module) return false;
    return step.predicates.every(({ name, value }) => (name === '.' ? at.value : at.leaf(name)) === value);
  });
}

function compile(nacm: DataNode | undefined): Rules {
  const members = new Map<string, string[]>();
  for (const group of nacm?.child('groups')?.entries('group') ?? []) {
    for (const user of group.entries('user-name')) {
      members.set(user.value, [...(members.get(user.value) ?? []), group.leaf('name') ?? '']);
    }
  }
  const permits = (leaf: string, byDefault: boolean) =>
    (nacm?.leaf(leaf) ?? (byDefault ? 'permit' : 'deny')) === 'permit';
  return {
    enabled: nacm?.leaf('enable-nacm') !== 'false',
    defaults: {
      read: permits('read-default', true),
      write: permits('write-default', false),
      exec: permits('exec-default', true),
    },
    groupsOf: (user) => members.get(user) ?? [],
    users: [...members.keys()],
    lists: (nacm?.entries('rule-list') ?? []).map((list) => ({
      groups: list.entries('group').map(({ value }) => value),
      rules: list.entries('rule').map(compileRule),
    })),
  };
}

function compileRule(rule: DataNode): Rule {
  const path = rule.leaf('path');
  const [kind, name]: [Rule['kind'], string] =
    path !== undefined
      ? ['data', '']
      : rule.leaf('rpc-name') !== undefined
        ? ['rpc', rule.leaf('rpc-name') ?? '']
        : rule.leaf('notification-name') !== undefined
          ? ['notification', rule.leaf('notification-name') ?? '']
          : ['any', ''];
  return {
    module: rule.leaf('module-name') ?? '*',
    kind,
    name,
    path: path === undefined ? undefined : path === '/' ? [] : parsePath(path),
    operations: new Set((rule.leaf('access-operations') ?? '*').split(' ')),
    permit: rule.leaf('action') === 'permit',
  };
}
