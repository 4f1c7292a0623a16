/** `set`, `delete`, `commit`, `discard`: edits of the candidate, and its way into running. */

import type { NetconfClient } from './client.ts';
import { deleteXml, setXml } from './data-xml.ts';
import { Refusal } from './failure.ts';
import { parsePlace, parseTarget } from './path.ts';

const CANDIDATE = '<target><candidate/></target>';

export function editOperation(config: string): string {
  return `<edit-config>${CANDIDATE}<config>${config}</config></edit-config>`;
}

export async function set(client: NetconfClient, words: readonly string[], commit: boolean): Promise<void> {
  const config = await setXml(client, parseTarget(words));
  await edit(client, [config], commit, true);
}

export async function remove(client: NetconfClient, words: readonly string[], commit: boolean): Promise<void> {
  const config = await deleteXml(client, parsePlace(words));
  await edit(client, [config], commit, true);
}

/**
 * Edits the candidate; with `commit` all edits become running's together. Either way nothing changes anywhere when one of
 * several edits, or the commit, is refused: a lock keeps others out meanwhile.
 */
export async function edit(
  client: NetconfClient,
  configs: Iterable<string> | AsyncIterable<string>,
  commit: boolean,
  isSingle = false,
): Promise<void> {
  const isLocked = commit || !isSingle;
  if (isLocked) await client.call(`<lock>${CANDIDATE}</lock>`).catch(explainLock);
  try {
    for await (const config of configs) await client.call(editOperation(config));
    if (commit) await client.call('<commit/>');
  } catch (error) {
    // The lock was given for an unchanged candidate: all that is in it is this command's.
    if (isLocked) await client.call('<discard-changes/>').catch(() => undefined);
    throw error;
  } finally {
    if (isLocked) await client.call(`<unlock>${CANDIDATE}</unlock>`).catch(() => undefined);
  }
}

/** The lock is refused while others' uncommitted changes stand in the candidate (RFC 6241 §8.3.5.2). */
function explainLock(error: unknown): never {
  const fault = error instanceof Refusal ? error.faults[0] : undefined;
  if (fault?.tag !== 'lock-denied') throw error;
  const message = `${fault.message}; see it with \`gi4over6 show --candidate\`, then \`gi4over6 commit\` or \`gi4over6 discard\``;
  throw new Refusal([{ ...fault, message }]);
}
