// needs: root
/** The whole program under SIGKILL, while sessions over every face edit it. */

import { execFileSync } from 'node:child_process';
import { setTimeout as sleep } from 'node:timers/promises';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { parseIpv4Prefix, parseIpv6 } from '../../src/address.ts';
import { ContentHash } from '../../src/state/content-hash.ts';
import type { EditingSession, Own } from '../helpers/editing-sessions.ts';
import { configOf, HOP_LIMIT, LocalSession, RestconfSession, SshSession } from '../helpers/editing-sessions.ts';
import { outcome, RawClient } from '../helpers/netconf-client.ts';
import { enterOwnNetwork } from '../helpers/own-network.ts';
import type { Role } from '../helpers/program.ts';
import { eventually, Program } from '../helpers/program.ts';
import { random, seed } from '../helpers/random.ts';

enterOwnNetwork();
execFileSync('ip', ['link', 'set', 'lo', 'up']);

const test = suite('program kills');
const SHORT = 30;
const KILLS = Number(process.env.GI4OVER6_PROGRAM_KILLS ?? SHORT);
const ROLES: readonly Role[] = ['management', 'supervisor', 'datapath'];
const START_MS = 120_000;
/** How long the sessions edit before a kill, at most. */
const EDITING_MS = 700;
const AFTR =
  '<softwire xmlns="urn:gi-4over6"><aftr><name>a</name><ipv6-address>2001:db8:b::1</ipv6-address><ipv4-pool>192.0.2.0/24</ipv4-pool></aftr></softwire>';

/** What waits in the candidate when a process is killed; no session edits this row. */
const HELD = new Map([['192.0.2.250/32', '2001:db8:c::1']]);

const LOCK = '<lock><target><candidate/></target></lock>';

interface Found {
  /** Rows by prefix, and the hop limit. */
  readonly contents: Own;
  readonly isModified: boolean;
}

/** Whole state over a session of its own, once forwarding is at the version of running. */
async function look(program: Program): Promise<Found | undefined> {
  const client = (await RawClient.local(program.socket)).greet('1.1');
  try {
    const text = await client.rpc('<get><filter type="subtree"><softwire xmlns="urn:gi-4over6"/></filter></get>');
    const leaf = (name: string) => new RegExp(`<${name}>([^<]*)</${name}>`).exec(text)?.[1];
    if (leaf('applied-version') !== leaf('configured-version') || leaf('applied-version') === undefined)
      return undefined;
    const contents = contentsOf(text);
    assert.is(leaf('applied-content-hash'), leaf('content-hash'), 'the datapath forwards by the rows of the store');
    assert.is(leaf('content-hash'), hashOf(contents), 'the hash is that of the rows');
    return { contents, isModified: leaf('candidate-modified') === 'true' };
  } finally {
    client.end();
  }
}

function contentsOf(xml: string): Own {
  const rows = xml.matchAll(/<ipv4-prefix>([^<]*)<\/ipv4-prefix><gateway-ipv6-address>([^<]*)</g);
  const contents = new Map([...rows].map(([, prefix = '', gateway = '']) => [prefix, gateway]));
  const hopLimit = /<hop-limit>([^<]*)</.exec(xml)?.[1];
  if (hopLimit !== undefined) contents.set(HOP_LIMIT, hopLimit);
  return contents;
}

/** Locks the candidate and edits it; the session that holds the lock. */
async function holdCandidate(program: Program): Promise<RawClient> {
  const client = (await RawClient.local(program.socket)).greet('1.1');
  const edit = `<edit-config><target><candidate/></target>${configOf(HELD)}</edit-config>`;
  for (const operation of [LOCK, edit]) assert.is(outcome(await client.rpc(operation)), 'ok');
  return client;
}

/** The candidate went with management, its lock too; the datapath's end touches neither. */
async function judgeCandidate(program: Program, holder: RawClient, role: Role, found: Found): Promise<void> {
  const isKept = role === 'datapath';
  const client = (await RawClient.local(program.socket)).greet('1.1');
  const filter = '<filter type="subtree"><softwire xmlns="urn:gi-4over6"/></filter>';
  const candidate = contentsOf(await client.rpc(`<get-config><source><candidate/></source>${filter}</get-config>`));
  const expected = new Map([...found.contents, ...(isKept ? HELD : [])]);
  assert.equal(new Map([...candidate].sort()), new Map([...expected].sort()), `the candidate after ${role}'s death`);
  assert.is(found.isModified, isKept);
  assert.is(outcome(await client.rpc(LOCK)), isKept ? 'lock-denied' : 'ok');
  if (isKept) assert.is(outcome(await holder.rpc('<discard-changes/>')), 'ok');
  holder.end();
  client.end();
}

function hashOf(contents: Own): string {
  const hash = new ContentHash();
  for (const [text, gateway] of contents) {
    const prefix = parseIpv4Prefix(text);
    const gatewayIpv6Address = parseIpv6(gateway);
    if (!prefix || !gatewayIpv6Address) continue;
    const others = { aftrIpv6Address: undefined, description: undefined, origin: 'static' } as const;
    hash.addBinding('a', { ...prefix, gatewayIpv6Address, ...others });
  }
  return hash.text.match(/../g)?.join(':') ?? '';
}

/** Holds each session's part against what it may be. */
function judge(sessions: readonly EditingSession[], parts: readonly (readonly string[])[], { contents }: Found): void {
  for (const [place, session] of sessions.entries()) {
    const own = new Map([...contents].filter(([key]) => parts[place]?.includes(key)));
    const isPossible = session.possible.some(
      (state) => state.size === own.size && [...state].every(([key, value]) => own.get(key) === value),
    );
    const words = session.possible.map((state) => [...state].join(' '));
    assert.ok(isPossible, `${session.constructor.name} found ${[...own].join(' ')}, possible are\n${words.join('\n')}`);
    session.settle(own);
  }
  const strangers = [...contents.keys()].filter((key) => !parts.flat().includes(key));
  assert.equal(strangers, [], 'there is nothing that nobody made');
}

const part = (first: number) => Array.from({ length: 40 }, (_, index) => `192.0.2.${first + index}/32`);

/** The sessions edit until a process is killed; what is there afterwards. */
async function liveOnce(
  program: Program,
  role: Role,
  sessions: readonly EditingSession[],
  parts: readonly (readonly string[])[],
  next: () => number,
): Promise<void> {
  // The candidate is shared: its session rests while it is held, and so does RESTCONF, which is refused.
  const isHeld = next() % 2 === 0;
  const rests = (session: EditingSession) => session instanceof SshSession || session instanceof RestconfSession;
  const editing = sessions.filter((session) => !isHeld || !rests(session));
  const holder = isHeld ? await holdCandidate(program) : undefined;
  for (const session of editing) session.begin();
  await sleep(100 + (next() % EDITING_MS));
  await eventually(START_MS, async () => (await program.kill(role)) || undefined);
  if (role === 'datapath') await sleep(next() % 300);
  const endings = await Promise.all(editing.map((session) => session.end()));
  if (role === 'datapath')
    assert.equal(
      endings,
      editing.map(() => undefined),
      'it holds up no session',
    );
  const found = await eventually(START_MS, () => look(program));
  judge(sessions, parts, found);
  if (holder) await judgeCandidate(program, holder, role, found);
  else assert.not(found.isModified);
}

test(`${KILLS} kills of management, datapath and supervisor: what was acknowledged is there and forwarded, seed ${seed}`, async () => {
  const next = random();
  const program = new Program(10_830, 18_443);
  const parts = [part(0), part(50), part(100), [HOP_LIMIT]];
  const [local, ssh, rest, leaf] = parts;
  const sessions: readonly EditingSession[] = [
    new LocalSession(program, next, local ?? []),
    new SshSession(program, next, ssh ?? []),
    new RestconfSession(program, next, rest ?? []),
    new LocalSession(program, next, leaf ?? []),
  ];
  const kills: Record<Role, number> = { supervisor: 0, management: 0, datapath: 0 };
  let kill = 0;
  program.start();
  try {
    await eventually(START_MS, async () => {
      const client = (await RawClient.local(program.socket)).greet('1.1');
      const edited = outcome(
        await client.rpc(`<edit-config><target><running/></target><config>${AFTR}</config></edit-config>`),
      );
      client.end();
      return edited === 'ok' ? true : undefined;
    });
    // A slow machine may not come to an edit of each session before so many.
    for (kill = 0; kill < KILLS || (kill < 2 * KILLS && sessions.some(({ edits }) => edits === 0)); kill++) {
      const role = ROLES[next() % ROLES.length] ?? 'management';
      await liveOnce(program, role, sessions, parts, next);
      kills[role]++;
      if (KILLS > SHORT && kill % SHORT === SHORT - 1) console.log(`${kill + 1} of ${KILLS} kills`);
    }
    const edits = sessions.map((session) => session.edits);
    assert.ok(
      // How many is the machine's affair.
      edits.every((count) => count > 0),
      `each session made edits: ${edits.join(', ')}`,
    );
    console.log(`kills ${JSON.stringify(kills)}, edits acknowledged ${edits.join(', ')}`);
  } catch (cause) {
    await program.abandon();
    throw new Error(`seed ${seed}, kill ${kill}, the folder is kept: ${program.dir}: ${String(cause)}`, { cause });
  }
  assert.is(await program.stop(), 0);
});

test.run();
