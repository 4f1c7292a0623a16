/** Sessions on the local socket of a management process, for tests that share one. */

import * as assert from 'uvu/assert';
import type { Management } from './management.ts';
import { outcome, RawClient } from './netconf-client.ts';
import { lock } from './netconf-requests.ts';

/** A session that has greeted. */
export async function openLocal({ socket }: Pick<Management, 'socket'>): Promise<RawClient> {
  return (await RawClient.local(socket)).greet('1.1');
}

/** Runs a body with sessions, local ones unless `open` makes others, which are ended afterwards. */
export async function withSessions(
  open: () => Promise<RawClient>,
  count: number,
  body: (...clients: readonly RawClient[]) => Promise<void>,
): Promise<void> {
  const clients: RawClient[] = [];
  try {
    for (let i = 0; i < count; i++) clients.push(await open());
    await body(...clients);
  } finally {
    for (const client of clients) client.end();
  }
}

/** Operations in turn, each of which must be ok. */
export async function allOk(client: RawClient, ...operations: readonly string[]): Promise<void> {
  for (const operation of operations) assert.is(outcome(await client.rpc(operation)), 'ok', operation);
}

/** Until no lock of running is left that a session which has ended had. */
export async function untilUnlocked(management: Management): Promise<void> {
  const client = await openLocal(management);
  for (let tries = 0; tries < 500 && outcome(await client.rpc(lock('running'))) !== 'ok'; tries++);
  await client.rpc(lock('running', 'unlock'));
  client.end();
}
