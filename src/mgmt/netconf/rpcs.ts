/** NETCONF operations by name: from the elements of a request to the shared operations, and what the reply holds. */

import type { CommitParameters } from '../../state/confirmed.ts';
import { DataNode } from '../../state/data.ts';
import { ManagementError } from '../../state/errors.ts';
import type { Caller, DatastoreName, EditRequest } from '../../state/request.ts';
import type { Schema, SchemaNode } from '../../state/schema.ts';
import type { ActionOutput } from '../actions.ts';
import type { ConfigFiles } from '../config-files.ts';
import { filterKind } from '../filter-element.ts';
import type { Operations } from '../operations.ts';
import type { Content, WithDefaults } from '../read-options.ts';
import type { Reading } from '../reading.ts';
import type { AnySelection } from '../selection.ts';
import { subtreeSelection } from '../selection.ts';
import type { XmlElement, XmlLimits } from '../xml.ts';
import { childElement, escapeText } from '../xml.ts';
import { dataFromXml, NETCONF_NAMESPACE } from '../xml-data.ts';
import { xpathSelection } from '../xpath/selection.ts';
import { configIn } from './config-element.ts';
import { SUBSCRIPTION_HANDLERS } from './dynamic-subscription.ts';
import type { Envelope } from './envelope.ts';
import { editData, getData, namedDatastore, selectionIn } from './nmda.ts';
import { partialLock, partialUnlock } from './partial-lock.ts';
import type { SessionNotifications } from './subscription.ts';
import { subscriptionIn } from './subscription.ts';
import { copyFile, deleteFile, fileNameOf, saveConfig, saveToFile, urlIn, withFile } from './url.ts';

const WITH_DEFAULTS_NAMESPACE = 'urn:ietf:params:xml:ns:yang:ietf-netconf-with-defaults';
export const MONITORING_NAMESPACE = 'urn:ietf:params:xml:ns:yang:ietf-netconf-monitoring';

/** What a reply holds beside its envelope. */
export type RpcResult =
  | { readonly kind: 'ok' }
  /** `data` in this namespace around a reading, streamed. */
  | { readonly kind: 'reading'; readonly namespace: string; readonly reading: Reading }
  /** `data` in this namespace around a text. */
  | { readonly kind: 'text'; readonly namespace: string; readonly text: string }
  /** Nodes of the output of an operation or action. */
  | { readonly kind: 'output'; readonly output: ActionOutput };

export interface RpcContext {
  readonly operations: Operations;
  readonly caller: Caller;
  /** Ends another session. @throws ManagementError invalid-value */
  readonly killSession: (session: number) => void;
  /** Of this session. */
  readonly notifications: SessionNotifications;
  /** What URLs mean, and how long a document may be; undefined without :url. */
  readonly files: { readonly files: ConfigFiles; readonly limits: XmlLimits } | undefined;
}

const OK: RpcResult = { kind: 'ok' };

/** What an operation holds, read already; each throws the ManagementError that reading met, when it is asked for. */
export interface Contents {
  readonly config: () => DataNode | undefined;
  readonly selection: () => AnySelection | undefined;
}

const EDITS: readonly string[] = ['ietf-netconf:edit-config', 'ietf-netconf-nmda:edit-data'];

/** Reads the config or filter of an operation, and does nothing else: it may be done before the operation's turn. */
export function readContents(operations: Operations, { operation, module }: Envelope): Contents {
  const isEdit = EDITS.includes(`${module}:${operation.name}`);
  const config = isEdit ? childElement(operation, 'config') : undefined;
  return {
    config: attempt(() => config && configIn(operations, config, { edit: true })),
    selection: attempt(() => {
      if (module === 'ietf-netconf-nmda' || module === 'ietf-nmda-compare') return selectionIn(operations, operation);
      return module === 'ietf-netconf' ? filterIn(operations, operation) : undefined;
    }),
  };
}

function attempt<Result>(work: () => Result): () => Result {
  try {
    const result = work();
    return () => result;
  } catch (error) {
    return () => {
      throw error;
    };
  }
}

/** Carries out one request whose envelope was checked. @throws ManagementError */
export async function executeRpc(
  context: RpcContext,
  { operation, module }: Envelope,
  contents: Contents,
): Promise<RpcResult> {
  if (module === '') return action(context, operation);
  context.operations.authorizeOperation(context.caller, module, operation.name);
  const handler = HANDLERS[`${module}:${operation.name}`];
  if (handler) return handler(context, operation, contents);
  const schema = context.operations.schema.root.child(operation.name, module);
  if (schema?.kind === 'rpc') return execute(context, new DataNode(schema), operation);
  const message = `operation ${operation.name} of ${module} is not served`;
  throw new ManagementError('operation-not-supported', { type: 'protocol', message });
}

export type Handler = (context: RpcContext, operation: XmlElement, contents: Contents) => Promise<RpcResult>;

const HANDLERS: Readonly<Record<string, Handler>> = {
  'ietf-netconf:get': (context, operation, contents) => read(context, operation, contents, 'running', 'all'),
  'ietf-netconf:get-config': (context, operation, contents) =>
    read(context, operation, contents, datastoreIn(operation, 'source'), 'config'),
  'ietf-netconf:edit-config': editConfig,
  'ietf-netconf:copy-config': copyConfig,
  'ietf-netconf:delete-config': async (context, operation) => {
    const url = urlIn(operation, 'target');
    if (url !== undefined) await deleteFile(context, url);
    else await context.operations.deleteConfig(context.caller, datastoreIn(operation, 'target'));
    return OK;
  },
  'ietf-netconf:lock': async ({ operations, caller }, operation) => {
    await operations.lock(caller, namedDatastore(operations, operation, 'target') ?? datastoreIn(operation, 'target'));
    return OK;
  },
  'ietf-netconf:unlock': async ({ operations, caller }, operation) => {
    operations.unlock(caller, namedDatastore(operations, operation, 'target') ?? datastoreIn(operation, 'target'));
    return OK;
  },
  'ietf-netconf:commit': async ({ operations, caller }, operation) => {
    await operations.commit(caller, commentIn(operation), commitParameters(operation));
    return OK;
  },
  'ietf-netconf:cancel-commit': async ({ operations, caller }, operation) => {
    await operations.cancelCommit(caller, parameterText(operation, 'persist-id'));
    return OK;
  },
  'ietf-netconf:discard-changes': async ({ operations, caller }) => {
    await operations.discard(caller);
    return OK;
  },
  'ietf-netconf:validate': async (context, operation) => {
    const { operations, caller } = context;
    const url = urlIn(operation, 'source');
    if (url !== undefined) {
      await withFile(context, url, { edit: false }, (tree) => operations.validate(caller, tree));
      return OK;
    }
    await operations.validate(
      caller,
      namedDatastore(operations, operation, 'source') ?? sourceIn(operations, operation),
    );
    return OK;
  },
  'ietf-netconf:close-session': async () => OK,
  'ietf-netconf:kill-session': async ({ killSession }, operation) => {
    killSession(Number(childElement(operation, 'session-id')?.text.trim()));
    return OK;
  },
  'ietf-netconf-nmda:get-data': getData,
  'ietf-netconf-nmda:edit-data': editData,
  'ietf-nmda-compare:compare': compare,
  'ietf-netconf-partial-lock:partial-lock': partialLock,
  'ietf-netconf-partial-lock:partial-unlock': partialUnlock,
  'notifications:create-subscription': async ({ operations, caller, notifications }, operation) => {
    notifications.create(caller, subscriptionIn(operations, operation));
    return OK;
  },
  ...SUBSCRIPTION_HANDLERS,
  'ietf-netconf-monitoring:get-schema': async ({ operations }, operation) => {
    const text = (name: string) => childElement(operation, name)?.text.trim();
    const source = operations.moduleText(text('identifier') ?? '', text('version'), text('format') ?? 'yang');
    return { kind: 'text', namespace: MONITORING_NAMESPACE, text: escapeText(source) };
  },
};

async function read(
  context: RpcContext,
  operation: XmlElement,
  contents: Contents,
  datastore: DatastoreName,
  content: Content,
): Promise<RpcResult> {
  const { operations, caller } = context;
  const selection = contents.selection();
  return {
    kind: 'reading',
    namespace: NETCONF_NAMESPACE,
    reading: await operations.read(caller, { datastore, content, selection, withDefaults: withDefaultsIn(operation) }),
  };
}

function filterIn({ schema, check }: Operations, operation: XmlElement): AnySelection | undefined {
  const filter = childElement(operation, 'filter', NETCONF_NAMESPACE);
  if (!filter) return undefined;
  return filterKind(filter) === 'xpath'
    ? xpathSelection(schema, check, filter)
    : subtreeSelection(schema, check, filter);
}

function withDefaultsIn(operation: XmlElement): WithDefaults | undefined {
  return childElement(operation, 'with-defaults', WITH_DEFAULTS_NAMESPACE)?.text.trim() as WithDefaults | undefined;
}

/** The datastore that `source` or `target` names. */
function datastoreIn(operation: XmlElement, parameter: 'source' | 'target'): DatastoreName {
  const chosen = childElement(operation, parameter)?.children[0];
  if (chosen?.name === 'running' || chosen?.name === 'candidate' || chosen?.name === 'startup') return chosen.name;
  throw new ManagementError('operation-not-supported', {
    type: 'protocol',
    message: `${parameter} ${chosen?.name ?? '(none)'} of ${operation.name}: expected running, candidate or startup`,
    info: { 'bad-element': chosen?.name ?? parameter },
  });
}

/** A datastore, or the configuration that came inline. */
function sourceIn(operations: Operations, operation: XmlElement): DatastoreName | DataNode {
  const source = childElement(operation, 'source');
  const config = source && childElement(source, 'config');
  if (!config) return datastoreIn(operation, 'source');
  return configIn(operations, config, { edit: false });
}

const CONFIRM_TIMEOUT_S = 600;

/** RFC 6241 §8.4.5.1. @throws ManagementError missing-element for parameters that say nothing without `confirmed` */
function commitParameters(operation: XmlElement): CommitParameters {
  const text = (name: string) => parameterText(operation, name);
  const [timeout, persist, persistId] = [text('confirm-timeout'), text('persist'), text('persist-id')];
  if (text('confirmed') !== undefined) {
    return { persistId, confirmed: { timeoutMs: Number(timeout ?? CONFIRM_TIMEOUT_S) * 1_000, persist } };
  }
  if (timeout === undefined && persist === undefined) return { persistId };
  throw new ManagementError('missing-element', {
    type: 'protocol',
    message: `commit: ${persist === undefined ? 'confirm-timeout' : 'persist'} needs confirmed beside it`,
    info: { 'bad-element': 'confirmed' },
  });
}

/** The text of a parameter of the base operations, white space included: a token means what it says. */
function parameterText(operation: XmlElement, name: string): string | undefined {
  return childElement(operation, name, NETCONF_NAMESPACE)?.text;
}

/** What our model adds to operations that commit. */
function commentIn(operation: XmlElement): string | undefined {
  return childElement(operation, 'comment', 'urn:gi-4over6')?.text;
}

/** copy-config to a url, from a url, a datastore or what came inline (RFC 6241 §7.3, §8.8.5.2). */
async function copyToFile(
  context: RpcContext,
  operation: XmlElement,
  from: string | undefined,
  to: string,
): Promise<void> {
  const withDefaults = withDefaultsIn(operation);
  if (from === undefined) {
    const source = sourceIn(context.operations, operation);
    if (typeof source === 'string') await saveToFile(context, to, source, withDefaults);
    else await saveConfig(context, to, source, withDefaults);
  } else if (fileNameOf(from) !== fileNameOf(to)) await copyFile(context, from, to, withDefaults);
  else {
    const message = `copy-config: source and target are both ${to}`;
    throw new ManagementError('invalid-value', { type: 'protocol', message, info: { 'bad-element': 'url' } });
  }
}

async function copyConfig(context: RpcContext, operation: XmlElement): Promise<RpcResult> {
  const { operations, caller } = context;
  const [from, to] = [urlIn(operation, 'source'), urlIn(operation, 'target')];
  if (to !== undefined) {
    await copyToFile(context, operation, from, to);
    return OK;
  }
  const target = datastoreIn(operation, 'target');
  const withDefaults = withDefaultsIn(operation);
  const copy = (source: DatastoreName | DataNode) => operations.copy(caller, source, target, withDefaults);
  if (from === undefined) await copy(sourceIn(operations, operation));
  else await withFile(context, from, { edit: false }, copy);
  return OK;
}

async function editConfig(context: RpcContext, operation: XmlElement, contents: Contents): Promise<RpcResult> {
  const { operations, caller } = context;
  const text = (name: string) => childElement(operation, name)?.text.trim();
  const target = datastoreIn(operation, 'target');
  if (target === 'startup') {
    throw new ManagementError('operation-not-supported', {
      type: 'protocol',
      message: 'startup cannot be edited: copy to it',
    });
  }
  const edit = (tree: DataNode) =>
    operations.edit(caller, {
      target,
      tree,
      defaultOperation: (text('default-operation') ?? 'merge') as EditRequest['defaultOperation'],
      testOption: text('test-option') as EditRequest['testOption'],
      comment: commentIn(operation),
    });
  const url = urlIn(operation);
  const tree = contents.config();
  if (tree) await edit(tree);
  else if (url !== undefined) await withFile(context, url, { edit: true }, edit);
  else throw new Error('edit-config came without config and url: the schema was not asked');
  return OK;
}

/** The filter has been read already, with the prefixes around it. */
function compare(context: RpcContext, operation: XmlElement, contents: Contents): Promise<RpcResult> {
  const schema = context.operations.schema.find('/ietf-nmda-compare:compare');
  if (!schema) throw new Error('the schema has no compare');
  const children = operation.children.filter(({ name }) => name !== 'subtree-filter' && name !== 'xpath-filter');
  return execute(context, new DataNode(schema), { ...operation, children }, contents.selection());
}

/** An operation or action that the model defines; `node` has it with its instance, `element` holds the input. */
async function execute(
  { operations, caller }: RpcContext,
  node: DataNode,
  element: XmlElement,
  selection?: AnySelection,
): Promise<RpcResult> {
  const input = dataFromXml(operations.schema, operations.check, element.children, {
    edit: false,
    state: true,
    parent: node.schema.child('input') ?? node.schema,
  });
  const output = await operations.action(caller, node, input, selection);
  return output.output.size === 0 ? OK : { kind: 'output', output };
}

/** RFC 7950 §7.15: the action stands inside the data nodes that name its instance. */
async function action(context: RpcContext, envelope: XmlElement): Promise<RpcResult> {
  const { operations } = context;
  const { schema } = operations;
  const top = envelope.children[0];
  const found = top && findAction(schema.root, top, schema);
  if (!top || !found) {
    const message = 'action: expected the data nodes of one instance with an action of the schema inside';
    throw new ManagementError('unknown-element', {
      type: 'application',
      message,
      info: { 'bad-element': top?.name ?? 'action' },
    });
  }
  const path = dataFromXml(schema, operations.check, [withoutActions(top, schema.root, schema)], {
    edit: false,
    state: true,
  });
  const node = new DataNode(found.schema);
  node.parent = deepest(path, found.schema.parent ?? schema.root);
  return execute(context, node, found.element);
}

interface FoundAction {
  readonly schema: SchemaNode;
  readonly element: XmlElement;
}

function findAction(parent: SchemaNode, element: XmlElement, schema: Schema): FoundAction | undefined {
  const node = parent.child(element.name, schema.moduleOfNamespace(element.namespace)?.name);
  if (node?.kind === 'action') return { schema: node, element };
  if (!node) return undefined;
  for (const child of element.children) {
    const found = findAction(node, child, schema);
    if (found) return found;
  }
  return undefined;
}

/** The element without the action inside it: the instance alone. */
function withoutActions(element: XmlElement, parent: SchemaNode, schema: Schema): XmlElement {
  const node = parent.child(element.name, schema.moduleOfNamespace(element.namespace)?.name);
  if (!node) return element;
  const children = element.children
    .filter((child) => node.child(child.name)?.kind !== 'action')
    .map((child) => withoutActions(child, node, schema));
  return { ...element, children };
}

/** The node of that schema in a tree that holds one instance. */
function deepest(node: DataNode, schema: SchemaNode): DataNode {
  if (node.schema === schema) return node;
  for (const child of node.childMap.values()) if (!child.schema.isLeaf) return deepest(child, schema);
  return node;
}
