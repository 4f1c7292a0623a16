// needs: root
/** The whole program under SIGKILL, while sessions over every face edit it. */

import { execFileSync } from 'node:child_process';
import { setTimeout as sleep } from 'node:timers/promises';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { parseIpv4Prefix, parseIpv6 } from '../../src/address.ts';
import { ContentHash } from '../../src/state/content-hash.ts';
import type { EditingSession, Own } from '../helpers/editing-sessions.ts';
import { HOP_LIMIT, LocalSession, RestconfSession, SshSession } from '../helpers/editing-sessions.ts';
import { outcome, RawClient } from '../helpers/netconf-client.ts';
import { enterOwnNetwork } from '../helpers/own-network.ts';
import type { Role } from '../helpers/program.ts';
import { eventually, Program } from '../helpers/program.ts';
import { random, seed } from '../helpers/random.ts';

enterOwnNetwork();
execFileSync('ip', ['link', 'set', 'lo', 'up']);

const test = suite('program kills');
const KILLS = Number(process.env.GI4OVER6_PROGRAM_KILLS ?? 30);
const START_MS = 30_000;
/** How long the sessions edit before a kill, at most. */
const EDITING_MS = 700;
const AFTR =
  '<softwire xmlns="urn:gi-4over6"><aftr><name>a</name><ipv6-address>2001:db8:b::1</ipv6-address><ipv4-pool>192.0.2.0/24</ipv4-pool></aftr></softwire>';

interface Found {
  /** Rows by prefix, and the hop limit. */
  readonly contents: Own;
  readonly state: string;
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
    const rows = text.matchAll(/<ipv4-prefix>([^<]*)<\/ipv4-prefix><gateway-ipv6-address>([^<]*)</g);
    const contents = new Map([...rows].map(([, prefix = '', gateway = '']) => [prefix, gateway]));
    const hopLimit = leaf(HOP_LIMIT);
    if (hopLimit !== undefined) contents.set(HOP_LIMIT, hopLimit);
    assert.is(leaf('applied-content-hash'), leaf('content-hash'), 'the datapath forwards by the rows of the store');
    assert.is(leaf('content-hash'), hashOf(contents), 'the hash is that of the rows');
    return { contents, state: leaf('applied-version') ?? '', isModified: leaf('candidate-modified') === 'true' };
  } finally {
    client.end();
  }
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
}

const part = (first: number) => Array.from({ length: 40 }, (_, index) => `192.0.2.${first + index}/32`);

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
    for (let kill = 0; kill < KILLS; kill++) {
      for (const session of sessions) session.begin();
      await sleep(100 + (next() % EDITING_MS));
      const role = (['management', 'supervisor', 'datapath'] as const)[next() % 3] ?? 'management';
      // After a supervisor's end its children are killed by the next one, and started again.
      await eventually(START_MS, async () => (await program.kill(role)) || undefined);
      kills[role]++;
      // The datapath's end holds up no session.
      if (role === 'datapath') await sleep(next() % 300);
      await Promise.all(sessions.map((session) => session.end()));
      const found = await eventually(START_MS, () => look(program));
      judge(sessions, parts, found);
      if (role !== 'datapath') assert.not(found.isModified, 'the candidate went with management');
      if (found.isModified) await discard(program);
    }
    const edits = sessions.map((session) => session.edits);
    assert.ok(
      edits.every((count) => count > KILLS),
      `each session made edits: ${edits.join(', ')}`,
    );
    console.log(`kills ${JSON.stringify(kills)}, edits acknowledged ${edits.join(', ')}`);
  } finally {
    await program.stop();
  }
});

/** An edit of the candidate that was not committed any more is not to go with the next commit. */
async function discard(program: Program): Promise<void> {
  const client = (await RawClient.local(program.socket)).greet('1.1');
  assert.is(outcome(await client.rpc('<discard-changes/>')), 'ok');
  client.end();
}

test.run();
