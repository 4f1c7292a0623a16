/**
 * NETCONF for the datastores of NMDA (RFC 8526): get-data, edit-data, and the datastores that lock, unlock and validate name.
 * Intended is running: nothing is inactive here, and there are no templates. Operational is running with the state of the
 * device and the defaults in force; how far forwarding has followed running is state of its own.
 */

import type { DataNode, Origin } from '../../state/data.ts';
import { ManagementError } from '../../state/errors.ts';
import type { DatastoreName, EditRequest } from '../../state/request.ts';
import type { Schema } from '../../state/schema.ts';
import type { Operations, ReadRequest } from '../operations.ts';
import type { OriginOptions } from '../origin.ts';
import type { WithDefaults } from '../read-options.ts';
import type { AnySelection } from '../selection.ts';
import { subtreeSelection } from '../selection.ts';
import type { XmlElement } from '../xml.ts';
import { childElement } from '../xml.ts';
import { xpathTextSelection } from '../xpath/selection.ts';
import { NMDA_NAMESPACE } from './envelope.ts';
import type { Handler } from './rpcs.ts';
import { urlIn, withFile } from './url.ts';

const DATASTORES_NAMESPACE = 'urn:ietf:params:xml:ns:yang:ietf-datastores';

type Datastore = DatastoreName | 'intended' | 'operational';
const CONVENTIONAL: readonly string[] = ['running', 'candidate', 'startup', 'intended'];

/** get-data (§3.1.1). @throws ManagementError invalid-value for a datastore that is not there; those of the filter */
export const getData: Handler = async ({ operations, caller }, operation, contents) => {
  const datastore = datastoreIn(operations.schema, operation);
  const request: ReadRequest = {
    selection: contents.selection(),
    maxDepth: maxDepthIn(operation),
    ...(datastore === 'operational' ? operationalRequest(operation) : conventionalRequest(operation, datastore)),
  };
  // What filters of conventional datastores leave of configuration when they want none of it.
  const isNothing = datastore !== 'operational' && textOf(operation, 'config-filter') === 'false';
  const selection = isNothing ? { parts: [], base: 0 } : request.selection;
  const reading = await operations.read(caller, { ...request, selection });
  return { kind: 'reading', namespace: NMDA_NAMESPACE, reading };
};

/** edit-data (§3.1.2). @throws ManagementError invalid-value for a datastore that cannot be edited; as edit-config */
export const editData: Handler = async (context, operation, contents) => {
  const { operations, caller } = context;
  const target = datastoreIn(operations.schema, operation);
  const isWritable = operations.schema.module('ietf-netconf')?.features.includes('writable-running') ?? false;
  if (target !== 'candidate' && !(target === 'running' && isWritable)) {
    throw unsupported(`${target} cannot be edited: expected ${isWritable ? 'running or candidate' : 'candidate'}`);
  }
  const defaultOperation = (textOf(operation, 'default-operation') ?? 'merge') as EditRequest['defaultOperation'];
  const edit = (tree: DataNode) => operations.edit(caller, { target, tree, defaultOperation });
  const tree = contents.config();
  const url = urlIn(operation);
  if (tree) await edit(tree);
  else if (url !== undefined) await withFile(context, url, { edit: true }, edit);
  else throw new Error('edit-data came without config and url: the schema was not asked');
  return { kind: 'ok' };
};

/** What the filter of get-data selects: `subtree-filter` as in RFC 6241 §6, or `xpath-filter`. @throws as those */
export function selectionIn({ schema, check }: Operations, operation: XmlElement): AnySelection | undefined {
  const subtree = childElement(operation, 'subtree-filter');
  if (subtree) return subtreeSelection(schema, check, subtree);
  const xpath = childElement(operation, 'xpath-filter');
  return xpath && xpathTextSelection(schema, check, xpath);
}

/**
 * The datastore of lock, unlock (`target`) and validate (`source`) where it is named by its identity (§3.2); undefined where it is
 * not. @throws ManagementError invalid-value for one that cannot be locked or validated
 */
export function namedDatastore(
  { schema }: Operations,
  operation: XmlElement,
  parameter: 'source' | 'target',
): DatastoreName | undefined {
  const holder = childElement(operation, parameter);
  if (!holder || !childElement(holder, 'datastore', NMDA_NAMESPACE)) return undefined;
  const datastore = datastoreIn(schema, holder);
  if (datastore === 'intended' && parameter === 'source') return 'running';
  if (datastore !== 'intended' && datastore !== 'operational') return datastore;
  throw unsupported(`${operation.name} of ${datastore}: it holds nothing that a client writes`);
}

function datastoreIn(schema: Schema, holder: XmlElement): Datastore {
  const element = childElement(holder, 'datastore', NMDA_NAMESPACE);
  const [namespace, name] = element ? identityIn(element) : ['', ''];
  const isThere = name !== 'startup' || schema.module('ietf-netconf')?.features.includes('startup');
  const isKnown = namespace === DATASTORES_NAMESPACE && isDatastore(name);
  if (isKnown && isThere) return name;
  throw unsupported(`there is no datastore '${element?.text.trim() ?? ''}' here`);
}

function isDatastore(name: string): name is Datastore {
  return name === 'operational' || CONVENTIONAL.includes(name);
}

/** An identity as it is written in XML: namespace and name. */
function identityIn({ text, prefixes }: XmlElement): [namespace: string, name: string] {
  const value = text.trim();
  const colon = value.indexOf(':');
  return [prefixes[value.slice(0, Math.max(colon, 0))] ?? '', value.slice(colon + 1)];
}

function unsupported(message: string): ManagementError {
  return new ManagementError('invalid-value', { type: 'protocol', message, info: { 'bad-element': 'datastore' } });
}

/** Conventional datastores hold what was written (RFC 6243 §2.3, explicit). */
function conventionalRequest(operation: XmlElement, datastore: Exclude<Datastore, 'operational'>): ReadRequest {
  const withDefaults = textOf(operation, 'with-defaults') as WithDefaults | undefined;
  return { datastore: datastore === 'intended' ? 'running' : datastore, content: 'config', withDefaults };
}

/** Operational shows what is in use, defaults too, unless it is asked otherwise (RFC 8342 §5.3, RFC 8526 §3.1.1.2). */
function operationalRequest(operation: XmlElement): ReadRequest {
  const configFilter = textOf(operation, 'config-filter');
  return {
    datastore: 'running',
    isOperational: true,
    content: configFilter === undefined ? 'all' : configFilter === 'true' ? 'config' : 'nonconfig',
    withDefaults: (textOf(operation, 'with-defaults') ?? 'report-all') as WithDefaults,
    origins: originsIn(operation),
  };
}

function originsIn(operation: XmlElement): OriginOptions {
  const named = (name: string) =>
    operation.children.filter((child) => child.name === name).map((element) => identityIn(element)[1]);
  const [wanted, unwanted] = [named('origin-filter'), named('negated-origin-filter')];
  const isShown = childElement(operation, 'with-origin') !== undefined;
  // No identity of ours is derived from another one of them.
  if (wanted.length > 0) return { isShown, isWanted: (origin: Origin) => wanted.includes(origin) };
  if (unwanted.length > 0) return { isShown, isWanted: (origin: Origin) => !unwanted.includes(origin) };
  return { isShown };
}

function maxDepthIn(operation: XmlElement): number | undefined {
  const text = textOf(operation, 'max-depth') ?? 'unbounded';
  return text === 'unbounded' ? undefined : Number(text);
}

function textOf(operation: XmlElement, name: string): string | undefined {
  return childElement(operation, name)?.text.trim();
}
