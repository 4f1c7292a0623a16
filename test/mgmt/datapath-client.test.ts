import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import type { Socket } from 'node:net';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { ControlReply, ControlRequest } from '../../src/control.ts';
import { CONTROL_SOCKET, readLines, sendLine } from '../../src/control.ts';
import { DatapathClient } from '../../src/mgmt/datapath-client.ts';
import { RowOverlay } from '../../src/state/overlay.ts';
import type { Change } from '../../src/state/request.ts';
import { RowChanges } from '../../src/state/row-changes.ts';
import { NoRows } from '../../src/state/rows.ts';
import { eventually } from '../helpers/program.ts';
import { OPERATOR, tree } from '../helpers/state.ts';

const test = suite('datapath client');
const QUIET = { debug() {}, info() {}, warn() {}, error() {} };
const WAIT_MS = 60_000;

interface Played {
  readonly client: DatapathClient;
  /** The requests that came, without the status that is asked for at first. */
  readonly asked: ControlRequest[];
  /** Tells of a version, that took so many rows away. */
  apply(version: number, removed?: number, stored?: number): Promise<void>;
}

/** A client and a datapath that is played: `answer` gives the result of a request or its promise, undefined for no answer. */
async function withPlayed(
  answer: (request: ControlRequest) => unknown,
  body: (played: Played) => Promise<void>,
): Promise<void> {
  const dir = mkdtempSync(join(tmpdir(), 'gi4over6-client-'));
  const asked: ControlRequest[] = [];
  const sockets: Socket[] = [];
  const server = createServer((socket) => {
    sockets.push(socket);
    socket.on('error', () => undefined);
    readLines(socket, (message) => {
      const request = message as ControlRequest;
      asked.push(request);
      void Promise.resolve(answer(request)).then((result) => {
        if (result !== undefined) sendLine(socket, { id: request.id, result } satisfies ControlReply);
      });
    });
  });
  await new Promise<void>((resolve) => server.listen(join(dir, CONTROL_SOCKET), resolve));
  const client = new DatapathClient(dir, QUIET);
  try {
    await eventually(WAIT_MS, async () => (asked.length > 0 ? true : undefined));
    // Its answer has been read when the next one has.
    await client.counters();
    asked.splice(0);
    const apply = async (version: number, removed = 0, stored = 0) =>
      (await client.prepare(await change(version, removed, stored)))(version);
    await body({ client, asked, apply });
  } finally {
    client.close();
    for (const socket of sockets) socket.destroy();
    server.close();
    rmSync(dir, { recursive: true });
  }
}

async function change(version: number, removed: number, stored: number): Promise<Change> {
  const nothing = tree({});
  const rows = await RowChanges.between(new NoRows(), new RowOverlay());
  const [before, after] = [nothing, nothing];
  const none = {
    rows,
    rowsOf: () => [],
    tallies: new Map([['edge', { added: 0, changed: 0, removed }]]),
    rowCounts: new Map(),
    storedRows: stored,
  };
  return {
    version,
    before,
    after,
    treeChanged: false,
    ...none,
    caller: OPERATOR,
    savesStartup: false,
    isReturn: false,
  };
}

const status = (version: number, pid: number) => ({
  pid,
  version,
  contentHash: '',
  bindings: 0,
  capacity: 1,
  startedAt: 'now',
  problems: [],
});

test('a datapath that follows is not behind', () =>
  withPlayed(
    ({ op }) => (op === 'apply' ? { version: 7 } : op === 'status' ? status(7, 1) : []),
    async ({ client, asked, apply }) => {
      await apply(7);
      assert.is(client.behind, undefined);
      assert.equal(
        asked.map(({ op }) => op),
        ['apply'],
      );
    },
  ));

test('what it has followed to with another version is not asked for again', () =>
  withPlayed(
    ({ op, ...request }) =>
      op === 'status' ? status(9, 1) : 'version' in request ? { version: Math.max(8, request.version) } : [],
    async ({ client, asked, apply }) => {
      for (const version of [7, 8, 9]) await apply(version);
      assert.is(client.behind, undefined);
      assert.equal(
        asked.flatMap((request) => ('version' in request ? [request.version] : [])),
        [7, 9],
      );
    },
  ));

test('one that answers with an older version is behind until it has followed, and is not ended', () => {
  let version = 6;
  return withPlayed(
    ({ op }) => (op === 'apply' ? { version } : op === 'status' ? status(version, 1) : []),
    async ({ client, asked, apply }) => {
      await apply(7);
      assert.is(client.behind?.version, 7);
      await client.status();
      assert.is(client.behind?.version, 7);
      version = 7;
      await client.status();
      assert.is(client.behind, undefined);
      assert.not(asked.some(({ op }) => op === 'end'));
    },
  );
});

for (const [name, isAlive] of [
  ['one that does not answer within two seconds is told to end, and killed when it does not', false],
  ['and one that answers other questions, when it has not followed some seconds later', true],
] as const) {
  test(name, async () => {
    const stuck = spawn('sleep', ['60'], { stdio: 'ignore' });
    const ended = new Promise<NodeJS.Signals | null>((resolve) =>
      stuck.once('exit', (_code, signal) => resolve(signal)),
    );
    let isStuck = false;
    await withPlayed(
      ({ op }) => {
        isStuck ||= op === 'apply';
        if (op === 'counters') return isStuck && !isAlive ? undefined : [];
        return op === 'status' ? status(6, stuck.pid ?? 0) : undefined;
      },
      async ({ client, asked, apply }) => {
        const began = performance.now();
        await apply(7);
        const elapsed = performance.now() - began;
        assert.ok(elapsed > 1_900 && elapsed < 11_000, `${elapsed} ms`);
        assert.is(client.behind?.version, 7);
        assert.is(await ended, 'SIGKILL');
        const questions = asked.filter(({ op }) => op === 'counters').length;
        assert.ok(isAlive ? questions > 1 : questions === 1, `${questions} questions`);
        const others = asked.map(({ op }) => op).filter((op) => op !== 'counters');
        assert.equal(others, ['apply', 'end']);
      },
    );
  });
}

test('one that follows later, and answers other questions until then, is behind and not ended', async () => {
  let follow: () => void = () => undefined;
  const followed = new Promise<void>((resolve) => {
    follow = resolve;
  });
  await withPlayed(
    ({ op }) => (op === 'apply' ? followed.then(() => ({ version: 7 })) : op === 'status' ? status(6, 1) : []),
    async ({ client, asked, apply }) => {
      await apply(7);
      assert.is(client.behind?.version, 7);
      await eventually(WAIT_MS, async () =>
        asked.filter(({ op }) => op === 'counters').length > 1 ? true : undefined,
      );
      follow();
      await eventually(WAIT_MS, async () => (client.behind === undefined ? true : undefined));
      assert.not(asked.some(({ op }) => op === 'end'));
    },
  );
});

for (const [what, removed, stored] of [
  ['takes many rows away, though few are left', 20_000, 20_000],
  ['may have to read many rows anew', 0, 100_000],
] as const) {
  test(`one that ${what} has longer`, () =>
    withPlayed(
      ({ op }) => {
        if (op !== 'apply') return op === 'status' ? status(6, 1) : [];
        return new Promise((resolve) => setTimeout(() => resolve({ version: 7 }), 3_000));
      },
      async ({ client, asked, apply }) => {
        await apply(7, removed, stored);
        assert.is(client.behind, undefined);
        assert.not(asked.some(({ op }) => op === 'end'));
      },
    ));
}

test.run();
