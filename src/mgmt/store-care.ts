/** The operations of our model that care for the store, and what the model says of its file and backups. */

import { DataNode } from '../state/data.ts';
import type { Datastores } from '../state/datastores.ts';
import type { Caller } from '../state/request.ts';
import type { StoreSummary } from '../state/verify.ts';
import type { Backups, MadeBackup } from './backups.ts';

/** Takes a node of the operation or action, one of its input, and who asks; gives one of its output. */
export type StoreOperation = (operation: DataNode, input: DataNode, caller: Caller) => Promise<DataNode>;

export interface StoreCare {
  readonly backups: Backups;
  readonly datastores: Pick<Datastores, 'compact' | 'storeSize'>;
  /** Reads a copy back. @throws ManagementError when it is not whole */
  readonly verify: (file: string) => Promise<StoreSummary>;
}

/**
 * By schema path: each takes a node of its operation and returns one of its output, which has sizes for whom `mayMeasure` says so: they
 * tell how many bindings there are.
 */
export function storeOperations(
  { backups, datastores, verify }: StoreCare,
  mayMeasure: (caller: Caller) => boolean,
): Readonly<Record<string, StoreOperation>> {
  return {
    '/gi-4over6:backup-store': async (operation, _input, caller) => {
      const { octets, ...made } = leavesOf(await backups.make());
      return outputOf(operation, mayMeasure(caller) ? { ...made, octets } : made);
    },
    '/gi-4over6:compact-store': async (operation, _input, caller) => {
      const { before, after } = await datastores.compact(verify);
      return outputOf(operation, mayMeasure(caller) ? { 'octets-before': before, 'octets-after': after } : {});
    },
  };
}

/** The state of the container `store`, as RFC 7951 JSON. */
export function storeState({ backups, datastores }: StoreCare): Readonly<Record<string, unknown>> {
  const { octets, freeOctets } = datastores.storeSize();
  const backup = backups.list().map((made) => leavesOf(made));
  const state = { octets: String(octets), 'free-octets': String(freeOctets), backup };
  return { 'gi-4over6:store': { state } };
}

function leavesOf({ file, version, time, automatic, octets }: MadeBackup): Record<string, string | boolean> {
  return { file, version: String(version), time: time.toISOString(), automatic, octets: String(octets) };
}

function outputOf(operation: DataNode, leaves: Readonly<Record<string, unknown>>): DataNode {
  const schema = operation.schema.child('output');
  if (!schema) throw new Error(`${operation.schema.path} has no output in the schema`);
  const output = new DataNode(schema);
  for (const [name, value] of Object.entries(leaves)) {
    const leaf = schema.child(name);
    if (leaf) output.add(new DataNode(leaf, String(value)));
  }
  return output;
}
