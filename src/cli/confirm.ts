/**
 * `commit --confirm`, `confirm`, `cancel`: a commit that is taken back unless it is confirmed in time (RFC 6241 §8.4). Each
 * command is a session of its own, so the commit is made persistent, under a token that all of them know.
 */

import type { NetconfClient } from './client.ts';
import { commitOperation, readState, tellApplied } from './edit.ts';
import { CommandFailure, EXIT } from './failure.ts';
import type { Output } from './output.ts';
import type { PendingCommit } from './pending.ts';
import { fate } from './pending.ts';
import { escapeXml } from './xml-text.ts';

const TOKEN = 'gi4over6';

export interface ConfirmOptions {
  /** Token of another client's confirmed commit. */
  readonly persistId?: string;
  readonly withCandidate?: boolean;
}

/** Makes the candidate running for so many seconds; extends the one of an earlier command that is pending still. */
export async function commitForNow(
  client: NetconfClient,
  output: Output,
  seconds: number,
  comment: string | undefined,
): Promise<void> {
  const before = await readState(client);
  const persistId = before.pending?.persistent ? persistIdXml(TOKEN) : '';
  const persist = `<confirm-timeout>${seconds}</confirm-timeout><persist>${TOKEN}</persist>`;
  await client.call(commitOperation(comment, `<confirmed/>${persist}${persistId}`));
  const after = await readState(client);
  if (after.configured === before.configured) output.line(`Nothing to commit: version ${after.configured} stays.`);
  else output.line(`Version ${after.configured} is running.`);
  if (after.pending) output.line(`${fate(after.pending)} \`gi4over6 confirm\` keeps it, \`gi4over6 cancel\` does not.`);
  if (after.configured !== before.configured) tellApplied(output, after);
}

export async function confirm(client: NetconfClient, output: Output, options: ConfirmOptions): Promise<void> {
  const { pending, candidateModified } = await readState(client);
  requirePending(pending);
  if (candidateModified && !options.withCandidate) {
    const look = 'see them with `gi4over6 show --candidate`, then `gi4over6 confirm --with-candidate`';
    const message = `the candidate holds changes that would be committed as well: ${look} or \`gi4over6 discard\``;
    throw new CommandFailure(EXIT.refused, message);
  }
  await client.call(commitOperation(undefined, tokenFor(pending, options)));
  output.line(`Version ${(await readState(client)).configured} is confirmed.`);
}

export async function cancel(client: NetconfClient, output: Output, options: ConfirmOptions): Promise<void> {
  const { pending } = await readState(client);
  requirePending(pending);
  await client.call(`<cancel-commit>${tokenFor(pending, options)}</cancel-commit>`);
  const after = await readState(client);
  output.line(`Running is as it was at version ${pending.baseVersion}, now version ${after.configured}.`);
  tellApplied(output, after);
}

function requirePending(pending: PendingCommit | undefined): asserts pending {
  if (pending) return;
  const message = 'no confirmed commit is pending; `gi4over6 log` tells what was committed and taken back';
  throw new CommandFailure(EXIT.refused, message);
}

/** None for one that its own session must confirm: the device says so. */
function tokenFor({ persistent }: PendingCommit, { persistId }: ConfirmOptions): string {
  return persistId !== undefined || persistent ? persistIdXml(persistId ?? TOKEN) : '';
}

function persistIdXml(token: string): string {
  return `<persist-id>${escapeXml(token)}</persist-id>`;
}
