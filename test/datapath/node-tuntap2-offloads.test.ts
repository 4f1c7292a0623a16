// needs: root
import { execFileSync } from 'node:child_process';
import { READABLE, TunQueue } from 'node-tuntap2';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { naiveSegments, offloadHeader, TCP_FIELDS, transportPacket } from '../helpers/naive-segments.ts';
import { enterOwnNetwork } from '../helpers/own-network.ts';
import { checksumOf } from '../helpers/packets.ts';

enterOwnNetwork();
const test = suite('node-tuntap2: offloads');

const HEADER_LEN = 12;
/** EINVAL, EMSGSIZE. */
const REFUSALS = [-22, -90];

interface Memory {
  readonly queue: TunQueue;
  readonly arena: Uint8Array;
  readonly lengths: Int32Array;
  readonly outputs: Int32Array;
}

/** Runs a body with a queue of a device that is up and has 198.51.100.1/24, and that stays when `persist`. */
function withQueue(name: string, offloads: boolean, body: (memory: Memory) => void): void {
  const queue = TunQueue.open({ name, offloads, persist: true });
  const arena = new Uint8Array(4 * 70_000);
  const lengths = new Int32Array(4);
  const outputs = new Int32Array(64);
  queue.attach(arena, lengths, outputs);
  try {
    execFileSync('sysctl', ['-qw', `net.ipv6.conf.${name}.disable_ipv6=1`]);
    execFileSync('ip', ['addr', 'replace', '198.51.100.1/24', 'dev', name]);
    execFileSync('ip', ['link', 'set', name, 'up']);
    body({ queue, arena, lengths, outputs });
  } finally {
    queue.close();
  }
}

function readOne({ queue, arena, lengths }: Memory): string {
  assert.is(queue.wait(2_000), READABLE);
  assert.is(queue.readBatch(0, 70_000, 70_000, 1), 1);
  return Buffer.from(arena.subarray(0, lengths[0])).toString('hex');
}

function sendUdp(): void {
  execFileSync('bash', ['-c', 'echo -n "ping" > /dev/udp/198.51.100.9/4000']);
}

/** The UDP header and data of a packet, after the sum of its pseudo-header. */
function summed(packet: string): string {
  return `${packet.slice(24, 40)}0011${packet.slice(48, 52)}${packet.slice(40)}`;
}

test('a packet comes behind its header, its checksum left; without offloads again, whole and without', () => {
  withQueue('off0', true, (memory) => {
    sendUdp();
    const read = readOne(memory);
    assert.is(read.slice(0, HEADER_LEN * 2), offloadHeader(1, 0, 0, 0, 20, 6));
    assert.is.not(checksumOf(summed(read.slice(HEADER_LEN * 2))), 0);
  });
  withQueue('off0', false, (memory) => {
    sendUdp();
    const read = readOne(memory);
    assert.is(read.slice(0, 2), '45');
    assert.is(checksumOf(summed(read)), 0);
  });
  const last = TunQueue.open({ name: 'off0' });
  last.persist = false;
  last.close();
});

test('the kernel is asked for super-packets of UDP with offloads only, and says that it has them', () => {
  for (const offloads of [true, false]) {
    withQueue('off3', offloads, ({ queue }) => {
      assert.is(queue.offloadsUdp, offloads);
      queue.persist = false;
    });
  }
});

test('a packet in several pieces, and a super-packet, reach the kernel; what it refuses is marked', () =>
  withQueue('off1', true, (memory) => {
    const { queue, arena, outputs } = memory;
    const fields = { ...TCP_FIELDS, src: '198.51.100.9', dst: '198.51.100.1', payload: 'ab'.repeat(300) };
    const [single = ''] = naiveSegments({ ...fields, payload: 'ab' }, 100);
    const plain = offloadHeader(0) + single;
    const large = offloadHeader(1, 1, 40, 100, 20, 16) + transportPacket(fields, true);
    arena.set(Buffer.from(plain, 'hex'), 0);
    arena.set(Buffer.from(large, 'hex'), 1_000);
    const end = large.length / 2;
    outputs.set([2, 0, 30, 30, plain.length / 2 - 30]);
    outputs.set([1, 0, 5], 5);
    outputs.set([3, 1_000, HEADER_LEN, 1_000 + HEADER_LEN, 140, 1_000 + HEADER_LEN + 140, end - HEADER_LEN - 140], 8);
    assert.is(queue.writeGathered(3), 2);
    assert.is(outputs[0], 2);
    assert.ok(REFUSALS.includes(outputs[5] ?? 0), `${outputs[5]}`);
    assert.is(outputs[8], 3);
    const resets = [readOne(memory), readOne(memory)].map((packet) => {
      const tcp = packet.slice((HEADER_LEN + 20) * 2);
      return [tcp.slice(26, 28), tcp.slice(8, 16)];
    });
    // Nobody listens; a reset has the acknowledgment number as its sequence number (RFC 9293 §3.10.7.1).
    assert.equal(resets, [
      ['04', '20000000'],
      ['04', '20000000'],
    ]);
  }));

test('pieces that are none, too many, or outside the attached memory are refused', () =>
  withQueue('off2', true, ({ queue, arena, outputs }) => {
    for (const words of [
      [0, 0, 20],
      [-1, 0, 20],
      [257, 0, 20],
      [1, arena.length - 10, 11],
      [1, -4, 20],
      [1, 0, -1],
      [2, 0, 20, arena.length, 1],
    ]) {
      outputs.fill(0);
      outputs.set(words);
      assert.throws(() => queue.writeGathered(1), /writeGathered: packet 0/, words.join());
    }
    outputs.fill(0);
    outputs[0] = 32;
    assert.throws(() => queue.writeGathered(1), /packet 0/, 'pieces that end behind the outputs');
  }));

test.run();
