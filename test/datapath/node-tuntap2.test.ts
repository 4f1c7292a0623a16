// needs: root
import { execFileSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { Worker } from 'node:worker_threads';
import { READABLE, TIMEOUT, Tun, TunQueue, WOKEN } from 'node-tuntap2';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { enterOwnNetwork } from '../helpers/own-network.ts';

enterOwnNetwork();
const test = suite('node-tuntap2');

function codeOf(work: () => unknown): string {
  try {
    work();
  } catch (error) {
    return error instanceof Error && 'code' in error ? String(error.code) : String(error);
  }
  return 'none';
}

function ip(words: string): string {
  return execFileSync('ip', words.split(' '), { encoding: 'utf8' });
}

/** Runs a body with a TUN that is up and has 192.0.2.1/24. */
function withTun(name: string, body: (tun: Tun) => void): void {
  const tun = new Tun({ name }).open();
  try {
    tun.ipv4 = '192.0.2.1/24';
    tun.isUp = true;
    body(tun);
  } finally {
    tun.release();
  }
}

const uses: readonly (readonly [string, (tun: Tun) => unknown])[] = [
  ['name', (tun) => tun.name],
  ['mtu', (tun) => tun.mtu],
  [
    'set mtu',
    (tun) => {
      tun.mtu = 1400;
    },
  ],
  ['isUp', (tun) => tun.isUp],
  [
    'set isUp',
    (tun) => {
      tun.isUp = true;
    },
  ],
  ['ipv4', (tun) => tun.ipv4],
  [
    'set ipv4',
    (tun) => {
      tun.ipv4 = '192.0.2.1/24';
    },
  ],
  ['ipv6', (tun) => tun.ipv6],
  ['addIpv6', (tun) => tun.addIpv6('2001:db8::1/64')],
  ['removeIpv6', (tun) => tun.removeIpv6('2001:db8::1/64')],
  ['read', (tun) => tun.read()],
];
for (const [name, use] of uses) {
  test(`life cycle: ${name} before open, open, after release`, () => {
    const tun = new Tun({ name: 'life0' });
    assert.is(
      codeOf(() => use(tun)),
      'EBADF',
    );
    tun.open();
    if (name === 'removeIpv6') tun.addIpv6('2001:db8::1/64');
    assert.is(
      codeOf(() => use(tun)),
      'none',
    );
    tun.release();
    assert.is(
      codeOf(() => use(tun)),
      'EBADF',
    );
  });
}

test('life cycle: open twice, release twice, open again', () => {
  const tun = new Tun({ name: 'life1' });
  tun.release();
  tun.open();
  assert.is(
    codeOf(() => tun.open()),
    'EALREADY',
  );
  tun.release();
  tun.release();
  assert.not(tun.isOpen);
  assert.is(tun.open().name, 'life1');
  tun.release();
});

const queueUses: readonly (readonly [string, (queue: TunQueue) => unknown])[] = [
  ['name', (queue) => queue.name],
  ['wakeDescriptor', (queue) => queue.wakeDescriptor],
  [
    'persist',
    (queue) => {
      queue.persist = false;
    },
  ],
  ['attach', (queue) => queue.attach(new Uint8Array(64), new Int32Array(1), new Int32Array(4))],
  ['readBatch', (queue) => queue.readBatch(0, 0, 64, 0)],
  ['writeBatch', (queue) => queue.writeBatch(0)],
  ['wait', (queue) => queue.wait(0)],
  ['wake', (queue) => queue.wake()],
];
for (const [name, use] of queueUses) {
  test(`life cycle of a queue: ${name} open and after close`, () => {
    const queue = TunQueue.open({ name: 'life2' });
    queue.attach(new Uint8Array(64), new Int32Array(1), new Int32Array(4));
    assert.is(
      codeOf(() => use(queue)),
      'none',
    );
    queue.close();
    queue.close();
    assert.is(
      codeOf(() => use(queue)),
      'EBADF',
    );
  });
}

test('properties are the kernel’s', () =>
  withTun('prop0', (tun) => {
    tun.mtu = 1400;
    tun.addIpv6('2001:db8::1/64');
    assert.is(tun.mtu, 1400);
    assert.is(tun.ipv4, '192.0.2.1/24');
    assert.ok(tun.ipv6.includes('2001:db8::1/64'));
    assert.match(ip('addr show dev prop0'), /mtu 1400[\s\S]*192\.0\.2\.1\/24[\s\S]*2001:db8::1\/64/);
    tun.removeIpv6('2001:db8::1/64');
    assert.not(tun.ipv6.includes('2001:db8::1/64'));
    tun.isUp = false;
    assert.not(tun.isUp);
  }));

test('errors carry code, syscall and device', () => {
  try {
    TunQueue.open({ name: 'lo' });
    assert.unreachable();
  } catch (error) {
    assert.ok(error instanceof Error);
    const { code, syscall, device } = error as Error & Record<'code' | 'syscall' | 'device', string>;
    assert.equal([code, syscall, device], ['EINVAL', 'TUNSETIFF', 'lo']);
  }
  withTun('bad0', (tun) => {
    assert.is(
      codeOf(() => {
        tun.mtu = 10;
      }),
      'EINVAL',
    );
    assert.throws(() => {
      tun.ipv4 = '192.0.2.1';
    }, /ADDRESS\/LENGTH/);
  });
  assert.throws(() => TunQueue.open({ name: 'a-name-that-is-too-long' }), /1 to 15/);
});

test('a packet from the kernel comes octet for octet, one to it arrives', () => {
  const queue = TunQueue.open({ name: 'wire1' });
  const arena = new Uint8Array(4 * 2048);
  const lengths = new Int32Array(4);
  const outputs = new Int32Array(16);
  queue.attach(arena, lengths, outputs);
  execFileSync('sysctl', ['-qw', 'net.ipv6.conf.wire1.disable_ipv6=1']);
  ip('link set lo up');
  ip('addr add 198.51.100.1/24 dev wire1');
  ip('link set wire1 up');
  execFileSync('bash', ['-c', 'for i in 1 2 3; do echo -n "ping $i" > /dev/udp/198.51.100.9/4000; done']);
  assert.is(queue.wait(1000), READABLE);
  assert.is(queue.readBatch(64, 2048, 1984, 4), 3);
  assert.equal([...lengths.subarray(0, 3)], [34, 34, 34]);
  const third = 64 + 2 * 2048;
  assert.is(Buffer.from(arena.subarray(third + 28, third + 34)).toString(), 'ping 3');
  // Addresses exchanged, the packet is for this host, which has no such port: it says so. Sent in two pieces.
  arena.copyWithin(third + 16, third + 12, third + 16);
  arena.set([198, 51, 100, 9], third + 12);
  outputs.set([0, 0, 0, 0, third, 20, third + 20, 14]);
  assert.is(queue.writeBatch(2), 1);
  assert.is(queue.wait(1000), READABLE);
  assert.is(queue.readBatch(64, 2048, 1984, 4), 1);
  assert.equal([...arena.subarray(64 + 20, 64 + 22)], [3, 3], 'port unreachable');
  assert.is(Buffer.from(arena.subarray(64 + 28 + 28, 64 + 28 + 34)).toString(), 'ping 3');
  queue.close();
});

test('what lies outside the attached memory is refused', () => {
  const queue = TunQueue.open({ name: 'range0' });
  const arena = new Uint8Array(1024);
  const outputs = new Int32Array(8);
  queue.attach(arena, new Int32Array(2), outputs);
  for (const words of [
    [0, 512, 512, 3],
    [0, 1024, 1024, 2],
    [-1, 0, 64, 1],
    [0, 0, 1025, 1],
  ] as const satisfies readonly (readonly [number, number, number, number])[]) {
    assert.throws(() => queue.readBatch(words[0], words[1], words[2], words[3]), /outside/);
  }
  for (const words of [
    [1000, 25, 0, 0],
    [-4, 20, 0, 0],
    [0, 20, 1020, 8],
    [0, 20, -8, 8],
  ]) {
    outputs.set(words);
    assert.throws(() => queue.writeBatch(1), /outside/);
  }
  assert.throws(() => queue.writeBatch(3), /outputs/);
  queue.close();
});

test('a packet the kernel refuses is marked with its error', () => {
  const queue = TunQueue.open({ name: 'refuse0' });
  const outputs = new Int32Array([0, 20, 0, 0]);
  queue.attach(new Uint8Array(64), new Int32Array(1), outputs);
  ip('link set refuse0 up');
  assert.is(queue.writeBatch(1), 0, 'version nibble 0');
  assert.ok((outputs[1] ?? 0) < 0);
  queue.close();
});

test('wait: time over, woken from another thread', async () => {
  const queue = TunQueue.open({ name: 'wait0' });
  assert.is(queue.wait(10), TIMEOUT);
  queue.wake();
  assert.is(queue.wait(1000), WOKEN);
  const code = `import { wake } from 'node-tuntap2'; import { workerData } from 'node:worker_threads'; wake(workerData);`;
  const url = new URL(
    `data:text/javascript,${encodeURIComponent(code.replace("'node-tuntap2'", JSON.stringify(import.meta.resolve('node-tuntap2'))))}`,
  );
  const worker = new Worker(url, { workerData: queue.wakeDescriptor });
  await new Promise((resolve) => worker.once('exit', resolve));
  assert.is(queue.wait(1000), WOKEN);
  queue.close();
});

test('two queues of one device share its traffic; a persistent device stays', () => {
  const first = TunQueue.open({ name: 'multi0', persist: true });
  const second = TunQueue.open({ name: 'multi0' });
  first.close();
  second.close();
  assert.match(ip('link show dev multi0'), /multi0/);
  const again = TunQueue.open({ name: 'multi0' });
  again.persist = false;
  again.close();
  assert.throws(() => ip('link show dev multi0'));
});

test('500 queues opened and closed leave no descriptor', () => {
  const open = () => readdirSync('/proc/self/fd').length;
  const device = TunQueue.open({ name: 'leak0' });
  const before = open();
  for (let i = 0; i < 500; i++) TunQueue.open({ name: 'leak0' }).close();
  assert.is(open(), before);
  device.close();
});

test('a worker that ends gives its descriptors back', async () => {
  const code = `import { TunQueue } from ${JSON.stringify(import.meta.resolve('node-tuntap2'))}; TunQueue.open({ name: 'thread0' });`;
  const before = readdirSync('/proc/self/fd').length;
  for (let i = 0; i < 3; i++) {
    const worker = new Worker(new URL(`data:text/javascript,${encodeURIComponent(code)}`));
    await new Promise((resolve) => worker.once('exit', resolve));
  }
  assert.ok(readdirSync('/proc/self/fd').length <= before + 2);
  assert.throws(() => ip('link show dev thread0'));
});

test.run();
