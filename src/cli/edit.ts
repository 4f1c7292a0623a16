/** `set`, `delete`, `commit`, `discard`: edits of the candidate, and its way into running. */

import type { NetconfClient } from './client.ts';
import { nodesAt, textOf, textsOf } from './client.ts';
import { deleteXml, setXml } from './data-xml.ts';
import { CommandFailure, Refusal } from './failure.ts';
import type { Output } from './output.ts';
import { printable } from './output.ts';
import { parsePlace, parseTarget } from './path.ts';
import { readSoftwire } from './show.ts';

const CANDIDATE = '<target><candidate/></target>';

export function editOperation(config: string): string {
  return `<edit-config>${CANDIDATE}<config>${config}</config></edit-config>`;
}

export async function set(client: NetconfClient, words: readonly string[], commit: boolean): Promise<void> {
  const config = await setXml(client, parseTarget(words));
  await edit(client, [config], commit);
}

export async function remove(client: NetconfClient, words: readonly string[], commit: boolean): Promise<void> {
  const config = await deleteXml(client, parsePlace(words));
  await edit(client, [config], commit);
}

/** Makes the candidate running, and tells what came of it. */
export async function commit(client: NetconfClient, output: Output): Promise<void> {
  const before = await readState(client);
  await client.call('<commit/>');
  const { configured, applied, problems } = await readState(client);
  if (configured === before.configured) {
    output.line(`Nothing to commit: version ${configured} stays.`);
    return;
  }
  output.line(`Version ${configured} is running.`);
  if (applied === configured) return;
  if (applied !== '') output.line(`The datapath forwards by version ${applied} still:`);
  for (const problem of problems) output.line(`  - ${printable(problem)}`);
}

async function readState(client: NetconfClient) {
  const [state = {}] = nodesAt(await readSoftwire(client, '<state/>', {}), 'state');
  return {
    configured: textOf(state, 'configured-version'),
    applied: textOf(state, 'applied-version'),
    problems: textsOf(state, 'problem'),
  };
}

/**
 * Edits the candidate. With `commit` all edits become running's together, or nothing changes anywhere: a lock keeps others
 * out meanwhile. Without it there is no lock, because unlocking would discard the edits (RFC 6241 §8.3.5.2).
 * `explain` may say more about a refusal.
 */
export async function edit(
  client: NetconfClient,
  configs: Iterable<string> | AsyncIterable<string>,
  commit: boolean,
  explain: (refusal: Refusal) => Refusal = (refusal) => refusal,
): Promise<void> {
  let done = 0;
  if (commit) await client.call(`<lock>${CANDIDATE}</lock>`).catch(explainLock);
  try {
    for await (const config of configs) {
      await client.call(editOperation(config));
      done++;
    }
    if (commit) await client.call('<commit/>');
  } catch (caught) {
    const error = caught instanceof Refusal ? explain(caught) : caught;
    if (done === 0 || commit || !(error instanceof CommandFailure)) throw error;
    const message = `${error.message}; the candidate keeps what came before it: \`gi4over6 discard\` drops that`;
    throw new CommandFailure(error.exitCode, message);
  } finally {
    // Drops what was not committed.
    if (commit) await client.call(`<unlock>${CANDIDATE}</unlock>`).catch(() => undefined);
  }
}

/** The lock is refused while others' uncommitted changes stand in the candidate (RFC 6241 §8.3.5.2). */
function explainLock(error: unknown): never {
  const fault = error instanceof Refusal ? error.faults[0] : undefined;
  if (fault?.tag !== 'lock-denied') throw error;
  const message = `${fault.message}; see it with \`gi4over6 show --candidate\`, then \`gi4over6 commit\` or \`gi4over6 discard\``;
  throw new Refusal([{ ...fault, message }]);
}
