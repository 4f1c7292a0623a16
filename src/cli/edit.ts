/** `set`, `delete`, `commit`, `discard`: edits of the candidate, and its way into running. */

import type { NetconfClient } from './client.ts';
import { nodesAt, textOf, textsOf } from './client.ts';
import { eachDifference } from './compare.ts';
import { deleteXml, setXml } from './data-xml.ts';
import { Refusal, usageFailure } from './failure.ts';
import type { Output } from './output.ts';
import { printable } from './output.ts';
import { parsePlace, parseTarget } from './path.ts';
import type { PendingCommit } from './pending.ts';
import { pendingIn } from './pending.ts';
import { readSoftwire } from './show.ts';
import { escapeXml } from './xml-text.ts';

const CANDIDATE = '<target><candidate/></target>';

export function editOperation(config: string): string {
  return `<edit-config>${CANDIDATE}<config>${config}</config></edit-config>`;
}

/** Whether an edit becomes running at once, and what is on record of it. */
export interface EditOptions {
  readonly commit?: boolean;
  readonly comment?: string;
}

/** @throws CommandFailure for a comment that would be on record nowhere */
export function requireRecord({ commit: isCommitted, comment: words }: EditOptions): void {
  if (words === undefined || isCommitted) return;
  throw usageFailure('--comment goes on record with a commit: add --commit, or give it to `gi4over6 commit`');
}

/** Without --commit nothing is printed. */
export async function set(
  client: NetconfClient,
  output: Output,
  words: readonly string[],
  options: EditOptions,
): Promise<void> {
  requireRecord(options);
  const config = await setXml(client, parseTarget(words));
  await editOnce(client, output, config, options);
}

/** As `set`. */
export async function remove(
  client: NetconfClient,
  output: Output,
  words: readonly string[],
  options: EditOptions,
): Promise<void> {
  requireRecord(options);
  const config = await deleteXml(client, parsePlace(words));
  await editOnce(client, output, config, options);
}

async function editOnce(client: NetconfClient, output: Output, config: string, options: EditOptions): Promise<void> {
  const work = () => edit(client, [config], options);
  await (options.commit ? tellVersion(client, output, work) : work());
}

/** Makes the candidate running, and tells what came of it. */
export async function commit(client: NetconfClient, output: Output, comment: string | undefined): Promise<void> {
  await tellVersion(client, output, () => client.call(commitOperation(comment)));
}

/** Does what commits, and tells which version runs then. */
async function tellVersion(client: NetconfClient, output: Output, work: () => Promise<unknown>): Promise<void> {
  const before = await readState(client);
  await work();
  const after = await readState(client);
  if (after.configured === before.configured) {
    output.line(`Nothing to commit: version ${after.configured} stays.`);
    return;
  }
  output.line(`Version ${after.configured} is running.`);
  tellApplied(output, after);
}

/** What of the state a commit is about. */
export interface CommitState {
  readonly configured: string;
  /** '' while the datapath does not answer. */
  readonly applied: string;
  readonly problems: readonly string[];
  readonly candidateModified: boolean;
  readonly pending: PendingCommit | undefined;
}

/** Tells when the datapath does not forward by what is committed. */
export function tellApplied(output: Output, { configured, applied, problems }: CommitState): void {
  if (applied === configured) return;
  if (applied !== '') output.line(`The datapath forwards by version ${applied} still:`);
  for (const problem of problems) output.line(`  - ${printable(problem)}`);
}

/** `parameters` are those of a confirmed commit. */
export function commitOperation(comment: string | undefined, parameters = ''): string {
  const word = comment === undefined ? '' : `<comment xmlns="urn:gi-4over6">${escapeXml(comment)}</comment>`;
  return `<commit>${parameters}${word}</commit>`;
}

export async function readState(client: NetconfClient): Promise<CommitState> {
  const [state = {}] = nodesAt(await readSoftwire(client, '<state/>', {}), 'state');
  return {
    configured: textOf(state, 'configured-version'),
    applied: textOf(state, 'applied-version'),
    problems: textsOf(state, 'problem'),
    candidateModified: textOf(state, 'candidate-modified') === 'true',
    pending: pendingIn(state),
  };
}

export type Configs = Iterable<string> | AsyncIterable<string>;

/**
 * Edits the candidate: all of it, or nothing. With --commit the configs are edits that become running's together, or nothing changes
 * anywhere: a lock keeps others out meanwhile. Without it they are the pieces of one edit, and there is no lock, because
 * unlocking would discard the edit (RFC 6241 §8.3.5.2). `explain` may say more about a refusal.
 */
export async function edit(
  client: NetconfClient,
  configs: Configs,
  { commit = false, comment }: EditOptions,
  explain: (refusal: Refusal) => Refusal = (refusal) => refusal,
): Promise<void> {
  if (commit) await lock(client);
  try {
    if (commit) {
      for await (const config of configs) await client.call(editOperation(config));
      await client.call(commitOperation(comment));
    } else await editWhole(client, configs);
  } catch (caught) {
    throw caught instanceof Refusal ? explain(caught) : caught;
  } finally {
    if (commit) await unlock(client);
  }
}

/** One edit however long it is: the device carries it out when it is all there, or not at all. */
async function editWhole(client: NetconfClient, configs: Configs): Promise<void> {
  const pieces = inOrder(configs);
  // What the first piece asks the device comes before the request; without one there is nothing to edit.
  const first = await pieces.next();
  if (first.done) return;
  await client.call(wholeOperation(first.value, pieces));
}

async function* inOrder(configs: Configs): AsyncGenerator<string, undefined> {
  yield* configs;
}

async function* wholeOperation(first: string, others: AsyncIterable<string>): AsyncGenerator<string> {
  yield `<edit-config>${CANDIDATE}<config>${first}`;
  yield* others;
  yield '</config></edit-config>';
}

/**
 * Edits the candidate for a look and takes it all back: what would come, change and go, after every check of a commit. A lock
 * keeps others out meanwhile.
 */
export async function rehearse(
  client: NetconfClient,
  configs: Configs,
  explain: (refusal: Refusal) => Refusal = (refusal) => refusal,
): Promise<string> {
  await lock(client);
  try {
    for await (const config of configs) await client.call(editOperation(config));
    await client.call('<validate><source><candidate/></source></validate>');
    return await tallyOf(client);
  } catch (caught) {
    throw caught instanceof Refusal ? explain(caught) : caught;
  } finally {
    await unlock(client);
  }
}

const BINDING_TARGET = /\/binding=[^/]*/;

/** What the candidate has beyond running, in words. */
async function tallyOf(client: NetconfClient): Promise<string> {
  const counts = { add: 0, change: 0, remove: 0, other: 0 };
  let last = '';
  await eachDifference(client, undefined, undefined, ({ operation, target }) => {
    const binding = BINDING_TARGET.exec(target);
    if (!binding) counts.other++;
    else if (binding.index + binding[0].length === target.length) counts[operation === 'delete' ? 'remove' : 'add']++;
    else if (last !== target.slice(0, binding.index + binding[0].length)) {
      // A changed binding gives an edit for each of its leaves, one after the other.
      last = target.slice(0, binding.index + binding[0].length);
      counts.change++;
    }
  });
  const { add, change, remove, other } = counts;
  const others = other === 0 ? '' : `, and ${other} other ${other === 1 ? 'change' : 'changes'}`;
  return `would add ${add}, change ${change} and remove ${remove} bindings${others}`;
}

async function lock(client: NetconfClient): Promise<void> {
  await client.call(`<lock>${CANDIDATE}</lock>`).catch(explainLock);
}

/** Drops what was not committed. */
async function unlock(client: NetconfClient): Promise<void> {
  await client.call(`<unlock>${CANDIDATE}</unlock>`).catch(() => undefined);
}

/** The lock is refused while others' uncommitted changes stand in the candidate (RFC 6241 §8.3.5.2). */
function explainLock(error: unknown): never {
  const fault = error instanceof Refusal ? error.faults[0] : undefined;
  if (fault?.tag !== 'lock-denied') throw error;
  const message = `${fault.message}; see it with \`gi4over6 show --candidate\`, then \`gi4over6 commit\` or \`gi4over6 discard\``;
  throw new Refusal([{ ...fault, message }]);
}
