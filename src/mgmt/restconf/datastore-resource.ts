/**
 * The datastores of NMDA as resources (RFC 8527 §3.1): `{+restconf}/ds/ietf-datastores:NAME` beside `{+restconf}/data`,
 * which is as RFC 8040 has it.
 */

import type { DatastoreName, Edition } from '../../state/request.ts';
import type { Schema, SchemaNode } from '../../state/schema.ts';
import type { ReadRequest } from '../operations.ts';
import type { Form } from './conditions.ts';
import { editionHeaders } from './conditions.ts';
import { notFound } from './fault.ts';
import type { Query } from './query.ts';

export interface DatastoreResource {
  readonly name: DatastoreName | 'intended' | 'operational';
  /** What is not is read-only by nature, or changes by other means than edits (§3.2). */
  readonly isEditable: boolean;
}

const MODULE = 'ietf-datastores';

/**
 * The datastore of a name in a path, an identity with its module.
 * @throws RestconfFault 404 for any that is not there, startup when it is off included
 */
export function datastoreNamed(name: string, schema: Schema): DatastoreResource {
  const known = datastoresOf(schema);
  const found = known.find((datastore) => identityOf(datastore) === name);
  if (found) return found;
  throw notFound(`there is no datastore '${name}'; known here: ${known.map(identityOf).join(', ')}`);
}

/** Those that are there. */
export function datastoresOf(schema: Schema): readonly DatastoreResource[] {
  const features = schema.module('ietf-netconf')?.features ?? [];
  return [
    { name: 'running', isEditable: features.includes('writable-running') },
    { name: 'candidate', isEditable: true },
    // It is copied to.
    ...(features.includes('startup') ? [{ name: 'startup', isEditable: false } as const] : []),
    { name: 'intended', isEditable: false },
    { name: 'operational', isEditable: false },
  ];
}

/** The name with its module, as it stands in a path. */
export function identityOf({ name }: DatastoreResource): string {
  return `${MODULE}:${name}`;
}

/** The segments of the datastore below `{+restconf}`. */
export function datastorePath(ds: DatastoreResource | undefined): string {
  return ds ? `ds/${MODULE}:${ds.name}` : 'data';
}

/** Where an edit goes. */
export function editTarget(ds: DatastoreResource | undefined): 'running' | 'candidate' {
  return ds?.name === 'candidate' ? 'candidate' : 'running';
}

/**
 * Entity-tag and time of what the datastore holds. A commit changes those of running. What others hold changes without one:
 * candidate and startup by edits and copies, operational by what is learned; these have none.
 */
export function tagHeaders(ds: DatastoreResource | undefined, edition: Edition, form: Form): Record<string, string> {
  return hasTag(ds) ? editionHeaders(edition, form) : {};
}

export function hasTag(ds: DatastoreResource | undefined): boolean {
  return ds === undefined || ds.name === 'running' || ds.name === 'intended';
}

/**
 * What is read of a datastore. Conventional ones hold configuration alone, so without it nothing (§3.2); operational shows the
 * values that are in use unless they are to be trimmed (§3.2.1). `{+restconf}/data` shows the one that is asked for by itself (RFC 8040
 * §3.5.4), which conventional datastores do not (§3.2).
 */
export function readRequestOf(
  ds: DatastoreResource | undefined,
  { content, withDefaults, withOrigin }: Query,
  target: SchemaNode | undefined,
): ReadRequest {
  if (!ds) {
    const isValue = target?.kind === 'leaf' || target?.kind === 'leaf-list';
    return { datastore: 'running', content, withDefaults: withDefaults ?? (isValue ? 'report-all' : undefined) };
  }
  if (ds.name === 'operational') {
    const inUse = withDefaults === undefined || withDefaults === 'explicit' ? 'report-all' : withDefaults;
    return {
      datastore: 'running',
      isOperational: true,
      content,
      withDefaults: inUse,
      origins: { isShown: withOrigin },
    };
  }
  const datastore = ds.name === 'intended' ? 'running' : ds.name;
  const selection = content === 'nonconfig' ? { parts: [], base: 0 } : undefined;
  return { datastore, content: 'config', withDefaults, ...(selection && { selection }) };
}
