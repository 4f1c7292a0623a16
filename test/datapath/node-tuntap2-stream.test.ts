// needs: root
import { execFileSync, spawnSync } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';
import { Tun } from 'node-tuntap2';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { enterOwnNetwork } from '../helpers/own-network.ts';
import { soon } from '../helpers/soon.ts';

enterOwnNetwork();
const test = suite('node-tuntap2-stream');
execFileSync('ip', ['link', 'set', 'lo', 'up']);

/** Runs a body with a TUN that is up, has 198.51.100.1/24 and no IPv6 of its own. */
async function withTun(body: (tun: Tun) => Promise<void>): Promise<void> {
  const tun = new Tun({ name: 'stream0' }).open();
  try {
    execFileSync('sysctl', ['-qw', 'net.ipv6.conf.stream0.disable_ipv6=1']);
    tun.ipv4 = '198.51.100.1/24';
    tun.isUp = true;
    await body(tun);
  } finally {
    tun.release();
  }
}

function sendFromKernel(...texts: readonly string[]): void {
  const code = `import socket, sys
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
for text in sys.argv[1:]: s.sendto(text.encode(), ("198.51.100.9", 4000))`;
  execFileSync('/usr/bin/python3', ['-c', code, ...texts]);
}

const textOf = (packet: Uint8Array): string => Buffer.from(packet.subarray(28)).toString();

test('each chunk is one packet, in order', () =>
  withTun(async (tun) => {
    const seen: string[] = [];
    tun.packets().on('data', (packet: Uint8Array) => seen.push(textOf(packet)));
    sendFromKernel('one', 'two');
    await soon(() => assert.equal(seen, ['one', 'two']));
    sendFromKernel('three');
    await soon(() => assert.equal(seen, ['one', 'two', 'three']));
  }));

test('a slow reader loses nothing', () =>
  withTun(async (tun) => {
    const texts = Array.from({ length: 200 }, (_, k) => `packet ${k}`);
    const stream = tun.packets();
    stream.pause();
    sendFromKernel(...texts);
    await delay(20);
    const seen: string[] = [];
    for await (const packet of stream) {
      seen.push(textOf(packet));
      if (seen.length === texts.length) break;
      if (seen.length % 50 === 0) await delay(5);
    }
    assert.equal(seen, texts);
  }));

test('a packet written arrives at a socket of this host', () =>
  withTun(async (tun) => {
    const socket = createSocket('udp4').bind(4_000, '198.51.100.1');
    await once(socket, 'listening');
    sendFromKernel('there and back');
    const [packet] = (await once(tun.packets(), 'data')) as [Uint8Array];
    // Addresses exchanged, checksums stay what they are.
    packet.copyWithin(12, 16, 20);
    packet.set([198, 51, 100, 1], 16);
    packet.set([198, 51, 100, 9], 12);
    const arrived = once(socket, 'message');
    tun.packets().write(packet);
    const [message, { address }] = (await arrived) as [Buffer, { address: string }];
    assert.equal([message.toString(), address], ['there and back', '198.51.100.9']);
    socket.close();
  }));

test('a packet the kernel refuses does not end the stream', () =>
  withTun(async (tun) => {
    const stream = tun.packets();
    await new Promise((resolve) => stream.write(new Uint8Array(20), resolve));
    assert.not(stream.destroyed);
  }));

test('what is no packet ends it with an error', () =>
  withTun(async (tun) => {
    const stream = tun.packets();
    const failed = once(stream, 'error');
    stream.write(new Uint8Array(65_536));
    const [error] = await failed;
    assert.match(String(error), /expected 1 to 65535 octets, found 65536/);
  }));

test('one stream at a time; release ends it, another follows', async () => {
  const tun = new Tun({ name: 'stream1' });
  assert.throws(() => tun.packets(), /not open/);
  const first = tun.open().packets();
  assert.is(tun.packets(), first);
  const closed = once(first, 'close');
  tun.release();
  await closed;
  assert.throws(() => tun.packets(), /not open/);
  assert.is.not(tun.open().packets(), first);
  tun.release();
});

test('a device removed under a stream ends it with an error', () =>
  withTun(async (tun) => {
    const failed = once(tun.packets().resume(), 'error');
    execFileSync('ip', ['link', 'delete', 'stream0']);
    const [error] = await failed;
    assert.is(error.code, 'EBADFD');
  }));

test('a process that reads a stream ends when told to', () => {
  const code = `import { Tun } from '${import.meta.resolve('node-tuntap2')}';
    new Tun({ name: 'stream2' }).open().packets().resume();
    setTimeout(() => process.exit(7), 50);`;
  const result = spawnSync(process.execPath, ['--input-type=module', '-e', code], { encoding: 'utf8' });
  assert.equal([result.status, result.stderr], [7, '']);
});

test('a process ends by itself when its stream is released', () => {
  const code = `import { Tun } from '${import.meta.resolve('node-tuntap2')}';
    const tun = new Tun({ name: 'stream3' }).open();
    tun.packets().resume();
    setTimeout(() => tun.release(), 50);`;
  const result = spawnSync(process.execPath, ['--input-type=module', '-e', code], {
    encoding: 'utf8',
    timeout: 60_000,
  });
  assert.equal([result.status, result.stderr], [0, '']);
});

test('IPv6 addresses are set as a whole', () =>
  withTun(async (tun) => {
    execFileSync('sysctl', ['-qw', 'net.ipv6.conf.stream0.disable_ipv6=0']);
    tun.ipv6 = ['2001:db8::1/64', '2001:DB8:0::2/64'];
    const global = (): string[] => tun.ipv6.filter((text) => !text.startsWith('fe80')).sort();
    assert.equal(global(), ['2001:db8::1/64', '2001:db8::2/64']);
    tun.ipv6 = '2001:db8::3/128';
    assert.equal(global(), ['2001:db8::3/128']);
    for (const wrong of ['2001:db8::4', '192.0.2.1/24', '2001:db8::4/129', '/64']) {
      assert.throws(() => {
        tun.ipv6 = ['2001:db8::5/64', wrong];
      }, /IPv6 address: expected ADDRESS\/LENGTH/);
    }
    assert.equal(global(), ['2001:db8::3/128'], 'a wrong one changes nothing');
  }));

test.run();
