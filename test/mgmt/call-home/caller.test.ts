/** A caller against TCP listeners of the test, with fronts that authenticate as the case says. */

import type { Server, Socket } from 'node:net';
import { createServer } from 'node:net';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { openLog } from '../../../src/log.ts';
import type { CallerParts, Front } from '../../../src/mgmt/call-home/caller.ts';
import { Caller } from '../../../src/mgmt/call-home/caller.ts';
import type { CallHomeClient, Endpoint } from '../../../src/mgmt/call-home/plan.ts';
import { eventually } from '../../helpers/program.ts';

const test = suite('call home: caller');

const WAIT_MS = 60_000;

interface Box {
  /** A listener; closing it leaves its connections. */
  listen(port?: number): Promise<{ readonly port: number; readonly sockets: Socket[]; close(): Promise<void> }>;
  caller(client: Partial<CallHomeClient> & Pick<CallHomeClient, 'endpoints'>, front?: Front): Caller;
  /** Endpoints of authenticated clients, in order. */
  readonly connected: string[];
  /** When each socket was handed to the front, in milliseconds. */
  readonly calls: number[];
}

const ACCEPTING: Front = { call: (socket, _source, onAuthenticated) => onAuthenticated(socket.resume()) };
const REFUSING: Front = { call: (socket) => void socket.destroy() };

const endpoint = (name: string, port: number): Endpoint => ({ name, transport: 'ssh', address: '127.0.0.1', port });

async function withCaller(body: (box: Box) => Promise<void>): Promise<void> {
  const servers: Server[] = [];
  const open = new Set<Socket>();
  const running: { readonly caller: Caller; readonly ended: Promise<void> }[] = [];
  const [connected, calls]: [string[], number[]] = [[], []];
  const box: Box = {
    connected,
    calls,
    listen: async (wanted = 0) => {
      const sockets: Socket[] = [];
      const server = createServer((socket) => {
        sockets.push(socket);
        open.add(socket);
        socket.on('error', () => undefined).resume();
      });
      servers.push(server);
      // Another program may have a port for a moment that was free before.
      await eventually(
        WAIT_MS,
        () =>
          new Promise<true>((resolve, reject) => {
            server.once('error', reject).listen(wanted, '127.0.0.1', () => resolve(true));
          }),
      );
      const address = server.address();
      const port = address && typeof address === 'object' ? address.port : 0;
      return { port, sockets, close: () => new Promise((resolve) => server.close(() => resolve())) };
    },
    caller: (client, front = ACCEPTING) => {
      const counted: Front = {
        call: (...words) => {
          calls.push(performance.now());
          front.call(...words);
        },
      };
      const parts: CallerParts = {
        fronts: { ssh: counted, tls: undefined },
        log: openLog('management'),
        last: () => connected.at(-1),
        onConnected: (name) => connected.push(name),
        random: () => 0,
      };
      const defaults = { name: 'nms', periodic: undefined, startWith: 'first-listed', maxWaitMs: 5_000 } as const;
      const caller = new Caller({ ...defaults, maxAttempts: 3, maxBackOffMs: 1_000, ...client }, parts);
      running.push({ caller, ended: caller.run() });
      return caller;
    },
  };
  try {
    await body(box);
  } finally {
    for (const { caller } of running) caller.update(undefined);
    for (const socket of open) socket.destroy();
    for (const server of servers) server.close();
    await Promise.all(running.map(({ ended }) => ended));
  }
}

const until = (isSo: () => boolean) => eventually(WAIT_MS, async () => isSo() || undefined);

test('the client is called, and called again when its connection has ended, after a wait', () =>
  withCaller(async ({ listen, caller, connected, calls }) => {
    const home = await listen();
    caller({ endpoints: [endpoint('a', home.port)] });
    await until(() => connected.length === 1);
    home.sockets[0]?.destroy();
    await until(() => connected.length === 2);
    assert.ok((calls[1] ?? 0) - (calls[0] ?? 0) >= 990, 'a second between them');
  }));

test('who is not there is tried again until it is', () =>
  withCaller(async ({ listen, caller, connected }) => {
    const home = await listen();
    await home.close();
    caller({ endpoints: [endpoint('a', home.port)] });
    await new Promise((resolve) => setTimeout(resolve, 300));
    assert.equal(connected, []);
    const again = await listen(home.port);
    await until(() => connected.length === 1);
    assert.is(again.sockets.length, 1);
  }));

test('attempts at one endpoint, then the next; the back-off doubles to its longest and never ends sooner', () =>
  withCaller(async ({ listen, caller, connected, calls }) => {
    const [a, b] = [await listen(), await listen()];
    const order: string[] = [];
    const front: Front = {
      call: (socket) => {
        order.push(socket.remotePort === a.port ? 'a' : 'b');
        socket.destroy();
      },
    };
    caller({ endpoints: [endpoint('a', a.port), endpoint('b', b.port)], maxAttempts: 2, maxBackOffMs: 2_000 }, front);
    await until(() => calls.length === 5);
    assert.is(order.join(' '), 'a a b b a');
    const waits = calls.slice(1).map((at, index) => at - (calls[index] ?? 0));
    for (const [index, least] of [1_000, 2_000, 2_000, 2_000].entries()) {
      assert.ok((waits[index] ?? 0) >= least - 10, `wait ${index}: ${waits[index]} ms`);
    }
    assert.equal(connected, []);
  }));

test('a client that comes and goes at once is not called without a pause', () =>
  withCaller(async ({ listen, caller, connected, calls }) => {
    const home = await listen();
    const front: Front = {
      call: (socket, _source, onAuthenticated) => {
        onAuthenticated(socket);
        socket.destroy();
      },
    };
    caller({ endpoints: [endpoint('a', home.port)], maxBackOffMs: 4_000 }, front);
    await until(() => connected.length === 3);
    assert.ok((calls[1] ?? 0) - (calls[0] ?? 0) >= 990);
    assert.ok((calls[2] ?? 0) - (calls[1] ?? 0) >= 1_990);
  }));

test('an endpoint whose host takes no connection is given up after max-wait', () =>
  withCaller(async ({ listen, caller, connected }) => {
    const home = await listen();
    // Of the block for documentation: nobody answers, and the kernel may say so at once.
    const nowhere: Endpoint = { name: 'nowhere', transport: 'ssh', address: '192.0.2.1', port: 4334 };
    caller({ endpoints: [nowhere, endpoint('a', home.port)], maxAttempts: 1, maxWaitMs: 1_000 });
    await until(() => connected.length === 1);
    assert.equal(connected, ['a']);
  }));

test('over TLS nobody is called when no client could be authenticated', () =>
  withCaller(async ({ listen, caller, connected }) => {
    const home = await listen();
    const tls: Endpoint = { ...endpoint('tls', home.port), transport: 'tls' };
    caller({ endpoints: [tls, endpoint('ssh', home.port)], maxAttempts: 1 });
    await until(() => connected.length === 1);
    assert.equal(connected, ['ssh']);
    assert.is(home.sockets.length, 1);
  }));

test('last-connected begins where it was', () =>
  withCaller(async ({ listen, caller, connected }) => {
    const [a, b] = [await listen(), await listen()];
    await a.close();
    const endpoints = [endpoint('a', a.port), endpoint('b', b.port)];
    caller({ endpoints, startWith: 'last-connected', maxAttempts: 1 });
    await until(() => connected.length === 1);
    await listen(a.port);
    b.sockets[0]?.destroy();
    await until(() => connected.length === 2);
    assert.equal(connected, ['b', 'b']);
  }));

test('a change while it waits or calls holds at once; a connection goes on to its end', () =>
  withCaller(async ({ listen, caller, connected }) => {
    const [a, b] = [await listen(), await listen()];
    const client: CallHomeClient = {
      name: 'nms',
      endpoints: [endpoint('a', a.port)],
      periodic: undefined,
      startWith: 'first-listed',
      maxWaitMs: 5_000,
      maxAttempts: 1,
      maxBackOffMs: 3_600_000,
    };
    let front = REFUSING;
    const one = caller(client, { call: (...words) => front.call(...words) });
    await until(() => a.sockets.length === 3);
    front = ACCEPTING;
    // It would be called in four seconds, and then ever later.
    one.update({ ...client, endpoints: [endpoint('b', b.port)] });
    await until(() => connected.length === 1);
    assert.equal(connected, ['b']);
    one.update({ ...client, endpoints: [endpoint('a', a.port)] });
    await new Promise((resolve) => setTimeout(resolve, 300));
    assert.not(b.sockets[0]?.destroyed, 'it goes on');
    b.sockets[0]?.destroy();
    await until(() => connected.length === 2);
    assert.equal(connected, ['b', 'a']);
  }));

test('a periodic client is called at once, its idle connection ended, and not called before its period is over', () =>
  withCaller(async ({ listen, caller, connected, calls }) => {
    const home = await listen();
    const periodic = { periodMs: 2_000, anchor: undefined, idleMs: 300 };
    caller({ endpoints: [endpoint('a', home.port)], periodic });
    await until(() => home.sockets[0]?.destroyed === true);
    await until(() => connected.length === 2);
    assert.ok((calls[1] ?? 0) - (calls[0] ?? 0) >= 1_900, `${calls}`);
  }));

test('a connection on which something is sent is not idle', () =>
  withCaller(async ({ listen, caller, connected }) => {
    const home = await listen();
    caller({ endpoints: [endpoint('a', home.port)], periodic: { periodMs: 60_000, anchor: undefined, idleMs: 3_000 } });
    await until(() => connected.length === 1);
    const [socket] = home.sockets;
    for (let count = 0; count < 45; count++) {
      socket?.write('x');
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
    assert.not(socket?.destroyed);
    await until(() => socket?.destroyed === true);
  }));

test.run();
