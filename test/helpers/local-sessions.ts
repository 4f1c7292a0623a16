/** Sessions on the local socket of a management process, for tests that share one. */

import * as assert from 'uvu/assert';
import type { Management } from './management.ts';
import { outcome, RawClient } from './netconf-client.ts';
import { lock } from './netconf-requests.ts';
import { eventually } from './program.ts';

const [UNLOCKED_MS, ENDED_MS] = [60_000, 60_000];

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

/** Runs a body with one session of each, which are ended afterwards. */
export async function withEach(
  open: readonly (() => Promise<RawClient>)[],
  body: (...clients: readonly RawClient[]) => Promise<void>,
): Promise<void> {
  const left = [...open];
  return withSessions(() => (left.shift() as () => Promise<RawClient>)(), open.length, body);
}

/** A session over SSH whose user's password is his name, unless another is given. */
export async function openSsh(
  { netconfPort }: Pick<Management, 'netconfPort'>,
  user: string,
  password = user,
): Promise<RawClient> {
  return (await RawClient.ssh(netconfPort, user, { password })).greet('1.1');
}

/** The next notification whose text matches, of those from `first` on; others are passed over. @throws Error when the session is over, or after 200 */
export async function nextMatching(client: RawClient, wanted: RegExp, first?: string): Promise<string> {
  for (let tries = 0; tries < 200; tries++) {
    const message = tries === 0 && first !== undefined ? first : await client.receive();
    if (message === '') break;
    assert.match(message, /^<notification /);
    if (wanted.test(message)) return message;
  }
  throw new Error(`no notification matches ${wanted}`);
}

/** Operations in turn, each of which must be ok. */
export async function allOk(client: RawClient, ...operations: readonly string[]): Promise<void> {
  for (const operation of operations) assert.is(outcome(await client.rpc(operation)), 'ok', operation);
}

/** What comes of operations in turn. */
export async function outcomes(client: RawClient, operations: readonly string[]): Promise<string[]> {
  const found: string[] = [];
  for (const operation of operations) found.push(outcome(await client.rpc(operation)));
  return found;
}

/** Until no lock of running is left that a session which has ended had. */
export async function untilUnlocked(management: Management): Promise<void> {
  const client = await openLocal(management);
  await eventually(UNLOCKED_MS, async () => outcome(await client.rpc(lock('running'))) === 'ok' || undefined);
  await client.rpc(lock('running', 'unlock'));
  client.end();
}

/**
 * Until the server has seen the ends of all sessions but these: it counts them and tells of them. The first one asks, and may read the
 * list of sessions.
 */
export async function untilAlone(client: RawClient, ...others: readonly RawClient[]): Promise<void> {
  const ids = [client, ...others].map(({ hello }) => /<session-id>(\d+)</.exec(hello)?.[1]).sort();
  const list =
    '<get><filter><netconf-state xmlns="urn:ietf:params:xml:ns:yang:ietf-netconf-monitoring"><sessions/></netconf-state></filter></get>';
  await eventually(ENDED_MS, async () => {
    const found = [...(await client.rpc(list)).matchAll(/<session-id>(\d+)</g)].map(([, id]) => id);
    return found.sort().join() === ids.join() || undefined;
  });
}
