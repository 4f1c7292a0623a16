// needs: root
import { execFileSync } from 'node:child_process';
import { TunQueue } from 'node-tuntap2';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { enterOwnNetwork } from '../helpers/own-network.ts';

enterOwnNetwork();
const test = suite('node-tuntap2-memory');

const LENGTHS = new Int32Array(4);
const OUTPUTS = new Int32Array(16);

/** A queue of a device that is up, with `count` UDP packets of `octets` waiting on it. */
function withPackets(octets: number, count: number, body: (queue: TunQueue) => void): void {
  const queue = TunQueue.open({ name: 'mem0' });
  try {
    execFileSync('sysctl', ['-qw', 'net.ipv6.conf.mem0.disable_ipv6=1']);
    execFileSync('ip', ['link', 'set', 'mem0', 'mtu', '65535', 'up']);
    execFileSync('ip', ['addr', 'add', '198.51.100.1/24', 'dev', 'mem0']);
    const send =
      'import socket, sys\ns = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)\n' +
      'for i in range(int(sys.argv[2])): s.sendto(bytes([i]) * (int(sys.argv[1]) - 28), ("198.51.100.9", 4000))';
    execFileSync('/usr/bin/python3', ['-c', send, String(octets), String(count)]);
    body(queue);
  } finally {
    queue.close();
  }
}

const arenas = [
  ['ArrayBuffer', () => new Uint8Array(new ArrayBuffer(8_192))],
  ['SharedArrayBuffer', () => new Uint8Array(new SharedArrayBuffer(8_192))],
  ['view in the middle of one', () => new Uint8Array(new SharedArrayBuffer(16_384), 4_001, 8_192)],
] as const;
for (const [name, makeArena] of arenas) {
  test(`packets come into and go from a ${name}`, () =>
    withPackets(100, 3, (queue) => {
      const arena = makeArena();
      queue.attach(arena, LENGTHS, OUTPUTS);
      assert.is(queue.readBatch(64, 2_048, 1_984, 4), 3);
      assert.equal([...LENGTHS.subarray(0, 3)], [100, 100, 100]);
      for (let k = 0; k < 3; k++) {
        const at = 64 + k * 2_048;
        assert.is(arena[at - 1], 0, 'octet before the packet');
        assert.is(arena[at], 0x45);
        assert.equal(arena.slice(at + 28, at + 100), new Uint8Array(72).fill(k));
        assert.is(arena[at + 100], 0, 'octet behind the packet');
      }
      OUTPUTS.set([64, 100, 0, 0, 64, 20, 84, 80, 64, 0, 0, 0]);
      assert.is(queue.writeBatch(3), 2);
    }));
}

test('attached memory outlives its last reference in JavaScript', () =>
  withPackets(1_000, 3, (queue) => {
    (() => queue.attach(new Uint8Array(8_192), new Int32Array(4), new Int32Array(4)))();
    const churn: Uint8Array[] = [];
    for (let i = 0; i < 2_000; i++) churn[i % 10] = new Uint8Array(100_000);
    assert.is(queue.readBatch(0, 2_048, 2_048, 3), 3);
  }));

test('memory that was transferred away is not touched any more', () =>
  withPackets(100, 1, (queue) => {
    const arena = new Uint8Array(8_192);
    const outputs = new Int32Array([0, 100, 0, 0]);
    queue.attach(arena, LENGTHS, outputs);
    structuredClone(arena, { transfer: [arena.buffer] });
    assert.throws(() => queue.readBatch(0, 2_048, 2_048, 1), /attached memory of 0 octets/);
    assert.throws(() => queue.writeBatch(1), /attached memory of 0 octets/);
    const lengths = new Int32Array(4);
    queue.attach(new Uint8Array(8_192), lengths, outputs);
    structuredClone(lengths, { transfer: [lengths.buffer] });
    assert.throws(() => queue.readBatch(0, 2_048, 2_048, 1), /and 0 lengths/);
    structuredClone(outputs, { transfer: [outputs.buffer] });
    assert.throws(() => queue.writeBatch(1), /outputs hold 0/);
  }));

test('nothing attached: no batch', () =>
  withPackets(100, 1, (queue) => {
    assert.throws(() => queue.readBatch(0, 0, 64, 1), RangeError);
    assert.throws(() => queue.writeBatch(1), RangeError);
    assert.is(queue.writeBatch(0), 0);
  }));

test('views of other kinds are refused', () =>
  withPackets(100, 1, (queue) => {
    const wrong: unknown = new Float64Array(4);
    const [arena, lengths] = [new Uint8Array(64), new Int32Array(1)];
    assert.throws(() => queue.attach(wrong as Uint8Array, lengths, OUTPUTS), TypeError);
    assert.throws(() => queue.attach(arena, wrong as Int32Array, OUTPUTS), TypeError);
    assert.throws(() => queue.attach(arena, lengths, wrong as Int32Array), TypeError);
    assert.throws(() => queue.readBatch(0, 0, 64, 1), RangeError);
  }));

const limits = [
  ['the longest packet comes whole', 65_507 + 28, 65_535, 65_535],
  ['a packet of exactly the capacity', 200, 200, 200],
  ['a packet longer than the capacity is cut', 201, 200, 200],
] as const;
for (const [name, octets, capacity, expected] of limits) {
  test(name, () =>
    withPackets(octets, 1, (queue) => {
      const arena = new Uint8Array(capacity + 1);
      queue.attach(arena, LENGTHS, OUTPUTS);
      assert.is(queue.readBatch(0, 0, capacity, 1), 1);
      assert.is(LENGTHS[0], expected);
      assert.is(arena[capacity], 0, 'octet behind the capacity');
      assert.is(queue.readBatch(0, 0, capacity, 1), 0);
    }),
  );
}

test.run();
