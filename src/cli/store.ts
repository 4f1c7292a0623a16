/** `backup` and `compact`: care for the store of the program that runs (operations of the model). */

import type { NetconfClient } from './client.ts';
import { textOf } from './client.ts';
import type { Output } from './output.ts';

export interface StoreOptions {
  readonly json?: boolean;
}

/** Writes a backup on the device and says where it lies. */
export async function backup(client: NetconfClient, output: Output, { json }: StoreOptions): Promise<void> {
  const reply = await client.call('<backup-store xmlns="urn:gi-4over6"/>');
  const [file, version, octets] = [textOf(reply, 'file'), textOf(reply, 'version'), textOf(reply, 'octets')];
  if (json) output.line(JSON.stringify({ file, version: Number(version), octets: Number(octets) }));
  else output.line(`Version ${version} is in ${file}, ${octets} octets.`);
}

/** Makes the store's file as small as what it holds. */
export async function compact(client: NetconfClient, output: Output, { json }: StoreOptions): Promise<void> {
  const reply = await client.call('<compact-store xmlns="urn:gi-4over6"/>');
  const [before, after] = [textOf(reply, 'octets-before'), textOf(reply, 'octets-after')];
  if (json) output.line(JSON.stringify({ octetsBefore: Number(before), octetsAfter: Number(after) }));
  else output.line(`The store has ${after} octets; it had ${before}.`);
}
