import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import type { Socket } from 'node:net';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { BINDING_COUNTERS, CONTROL_SOCKET, readLines } from '../../src/control.ts';
import type { ControlHandlers } from '../../src/datapath/control-server.ts';
import { ControlServer, checkRequest } from '../../src/datapath/control-server.ts';

const test = suite('control-server');

const STATUS = { pid: 4711, version: 7, contentHash: 'ab', bindings: 3, capacity: 10, startedAt: 'now', problems: [] };
const QUIET = { debug() {}, info() {}, warn() {}, error() {} };

let ends = 0;
const handlers: ControlHandlers = {
  end: () => {
    ends++;
  },
  status: () => Promise.resolve(STATUS),
  counters: () => [],
  bindingCounters: (_aftr, keys) => new Float64Array(keys.length * BINDING_COUNTERS).fill(keys.length),
  softwires: (gateways) => [{ name: 'br', softwires: (gateways ?? []).map((remote) => ({ remote, bindings: 1 })) }],
  clearStatistics: (role, name) => role === 'aftr' && name === 'br',
  trace: (packet) => ({ role: 'aftr', end: 'forwarded', sent: [Buffer.from(packet).toString('hex')] }),
  watch: (address) => ({ packets: [], missed: address }),
  learned: () => [],
  observe: () => ({ instances: [], reassemblyMemory: { gateway: 0, aftr: 0.5 }, violations: [] }),
  prepare: (configuration) => Promise.resolve([{ message: `no to ${JSON.stringify(configuration)}` }]),
  apply: (version) => (version > 9 ? Promise.reject(new Error('the store is gone')) : Promise.resolve({ version })),
};

async function withServer(body: (path: string) => Promise<void>): Promise<void> {
  const dir = mkdtempSync(join(tmpdir(), 'gi4over6-control-'));
  // What a process that was killed leaves behind.
  writeFileSync(join(dir, CONTROL_SOCKET), '');
  const server = await ControlServer.listen(dir, handlers, QUIET);
  try {
    await body(join(dir, CONTROL_SOCKET));
  } finally {
    await server.close();
    rmSync(dir, { recursive: true });
  }
}

/** Sends text and collects what comes until the connection ends or `count` messages are there. */
function exchange(path: string, text: string, count: number): Promise<unknown[]> {
  return new Promise((resolve) => {
    const messages: unknown[] = [];
    const socket: Socket = connect(path, () => socket.write(text));
    const end = (): void => {
      socket.destroy();
      resolve(messages);
    };
    socket.on('close', end).on('error', end);
    readLines(socket, (message) => {
      messages.push(message);
      if (messages.length === count) end();
    });
  });
}

test('only its own user may connect', () =>
  withServer(async (path) => {
    assert.is(statSync(path).mode & 0o777, 0o600);
  }));

test('each request is answered with its id', () =>
  withServer(async (path) => {
    const requests = [
      { id: 1, op: 'status' },
      { id: 2, op: 'counters' },
      { id: 3, op: 'prepare', configuration: { a: 1 } },
      { id: 4, op: 'apply', version: 9 },
      { id: 5, op: 'apply', version: 10 },
      { id: 6, op: 'learned' },
      { id: 7, op: 'observe' },
    ];
    const answers = await exchange(path, requests.map((request) => `${JSON.stringify(request)}\n`).join(''), 7);
    assert.equal(answers.sort(byId), [
      { id: 1, result: STATUS },
      { id: 2, result: [] },
      { id: 3, result: [{ message: 'no to {"a":1}' }] },
      { id: 4, result: { version: 9 } },
      { id: 5, error: 'the store is gone' },
      { id: 6, result: [] },
      { id: 7, result: { instances: [], reassemblyMemory: { gateway: 0, aftr: 0.5 }, violations: [] } },
    ]);
  }));

test('statistics cleared, a trace, a watch', () =>
  withServer(async (path) => {
    const requests = [
      { id: 1, op: 'clear-statistics', role: 'aftr', name: 'br' },
      { id: 2, op: 'clear-statistics', role: 'gateway', name: 'br' },
      { id: 3, op: 'trace', packet: '45ff' },
      { id: 4, op: 'watch', address: 0xffff_ffff },
    ];
    const answers = await exchange(path, requests.map((request) => `${JSON.stringify(request)}\n`).join(''), 4);
    assert.equal(answers.sort(byId), [
      { id: 1, result: true },
      { id: 2, result: false },
      { id: 3, result: { role: 'aftr', end: 'forwarded', sent: ['45ff'] } },
      { id: 4, result: { packets: [], missed: 0xffff_ffff } },
    ]);
  }));

test('told to end, it ends', () =>
  withServer(async (path) => {
    const before = ends;
    assert.equal(await exchange(path, '{"id":1,"op":"end"}\n{"id":2,"op":"counters"}\n', 2), [
      { id: 1 },
      { id: 2, result: [] },
    ]);
    assert.is(ends, before + 1);
  }));

const wrong = [
  ['no JSON', 'hello'],
  ['no object', '7'],
  ['null', 'null'],
  ['no id', '{"op":"status"}'],
  ['a negative id', '{"id":-1,"op":"status"}'],
  ['an id that is text', '{"id":"1","op":"status"}'],
  ['an unknown op', '{"id":1,"op":"stop"}'],
  ['a prepare without configuration', '{"id":1,"op":"prepare"}'],
  ['a configuration that is a list', '{"id":1,"op":"prepare","configuration":[]}'],
  ['a version that is no whole number', '{"id":1,"op":"apply","version":1.5}'],
  ['no version', '{"id":1,"op":"apply"}'],
  ['statistics of no role', '{"id":1,"op":"clear-statistics","role":"router","name":"a"}'],
  ['statistics of no name', '{"id":1,"op":"clear-statistics","role":"aftr"}'],
  ['a packet that is not hexadecimal', '{"id":1,"op":"trace","packet":"4500zz"}'],
  ['a packet of half an octet', '{"id":1,"op":"trace","packet":"450"}'],
  ['no octets', '{"id":1,"op":"trace","packet":""}'],
  ['a packet of 65,536 octets', `{"id":1,"op":"trace","packet":"${'00'.repeat(65_536)}"}`],
  ['an address of 33 bits', '{"id":1,"op":"watch","address":4294967296}'],
  ['the address 0', '{"id":1,"op":"watch","address":0}'],
] as const;
for (const [why, line] of wrong) {
  test(`${why} ends the connection, and that one alone`, () =>
    withServer(async (path) => {
      assert.equal(await exchange(path, `${line}\n`, 1), []);
      assert.is((await exchange(path, '{"id":1,"op":"status"}\n', 1)).length, 1);
    }));
}

test('a request keeps nothing but what it is made of', () => {
  assert.equal(checkRequest({ id: 1, op: 'apply', version: 2, more: 3 }), { id: 1, op: 'apply', version: 2 });
});

function byId(a: unknown, b: unknown): number {
  return (a as { id: number }).id - (b as { id: number }).id;
}

test.run();
