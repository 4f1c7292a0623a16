// needs: root
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { removePersistent } from 'node-tuntap2';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { Batch } from '../../src/datapath/batch.ts';
import { PACKET_MAX, READABLE, STRIDE, TIMEOUT, WOKEN } from '../../src/datapath/packet-device.ts';
import { createPersistentTun, TunDevice, wakeTunDevice } from '../../src/datapath/tun-device.ts';
import { enterOwnNetwork } from '../helpers/own-network.ts';

enterOwnNetwork();
const test = suite('tun-device');

/** Runs a body with a device of a batch of 4 that is up, has 198.51.100.1/24 and the largest MTU. */
function withDevice(body: (device: TunDevice) => void): void {
  const device = TunDevice.open({ name: 'td0' }, new Batch(4, STRIDE));
  try {
    execFileSync('sysctl', ['-qw', 'net.ipv6.conf.td0.disable_ipv6=1']);
    execFileSync('ip', ['link', 'set', 'td0', 'mtu', String(PACKET_MAX), 'up']);
    execFileSync('ip', ['addr', 'add', '198.51.100.1/24', 'dev', 'td0']);
    body(device);
  } finally {
    device.close();
  }
}

/** UDP packets of these sizes, filled with their number. */
function sendFromKernel(...octets: readonly number[]): void {
  const code = `import socket, sys
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
for k, size in enumerate(sys.argv[1:]): s.sendto(bytes([k + 1]) * (int(size) - 28), ("198.51.100.9", 4000))`;
  execFileSync('/usr/bin/python3', ['-c', code, ...octets.map(String)]);
}

test('packets fill the slots of the batch, the longest with the others', () =>
  withDevice((device) => {
    const { batch } = device;
    sendFromKernel(60, PACKET_MAX, 100, 61, 62);
    assert.is(device.wait(1_000), READABLE);
    assert.is(device.readBatch(), 4);
    assert.equal([batch.count, ...batch.lengths.subarray(0, batch.capacity)], [4, 60, PACKET_MAX, 100, 61]);
    for (let k = 0; k < 4; k++) {
      const at = batch.at[k] ?? 0;
      const len = batch.lengths[k] ?? 0;
      assert.is(batch.buf[at], 0x45);
      assert.ok(batch.buf.subarray(at + 28, at + len).every((octet) => octet === k + 1));
    }
    assert.is(device.readBatch(), 1);
    assert.equal([device.readBatch(), batch.count], [0, 0]);
    assert.is(device.wait(0), TIMEOUT);
  }));

test('outputs reach the kernel, of those refused the error is told', () =>
  withDevice((device) => {
    const { batch } = device;
    const received = (): number => Number(/td0: +(\d+)/.exec(readFileSync('/proc/net/dev', 'utf8'))?.[1]);
    sendFromKernel(60, 100);
    device.readBatch();
    const [first = 0, second = 0] = batch.at;
    batch.send(0, first, 60);
    batch.sendPieces(1, first, 20, second + 20, 80);
    batch.send(1, second + 28, 40);
    const before = received();
    assert.is(device.writeBatch(), 2);
    assert.is(received() - before, 160);
    assert.equal([batch.output[1], batch.output[5], batch.output[9]], [60, 20, -22], 'version nibble 0: EINVAL');
  }));

test('woken; a wake after close does nothing', () => {
  const device = TunDevice.open({ name: 'td1' }, new Batch(4, STRIDE));
  const { wakeDescriptor } = device;
  wakeTunDevice(wakeDescriptor);
  assert.is(device.wait(1_000), WOKEN);
  device.close();
  device.close();
  wakeTunDevice(wakeDescriptor);
  assert.throws(
    () => device.readBatch(),
    (error: Error & { code?: string }) => error.code === 'EBADF',
  );
});

test('a batch of another stride is refused', () => {
  assert.throws(() => TunDevice.open({ name: 'td2' }, new Batch(4, 4_096)), /expected a stride of 69824/);
});

test('a persistent device outlives its queues until it is removed', () => {
  const links = (): string => execFileSync('ip', ['-br', 'link'], { encoding: 'utf8' });
  createPersistentTun('td3');
  const device = TunDevice.open({ name: 'td3' }, new Batch(4, STRIDE));
  device.close();
  createPersistentTun('td3');
  assert.match(links(), /td3/);
  removePersistent({ name: 'td3' });
  assert.not.match(links(), /td3/);
});

test.run();
