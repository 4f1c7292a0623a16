// needs: root
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import type { Writable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { parseIpv6 } from '../../src/address.ts';
import { createPersistentTun } from '../../src/datapath/tun-device.ts';
import { AFTR, binding, packetCounts } from '../helpers/engine-case.ts';
import { MemoryStore } from '../helpers/memory-store.ts';
import { enterOwnNetwork } from '../helpers/own-network.ts';
import { soon } from '../helpers/soon.ts';
import { tunDatapath } from '../helpers/tun-datapath.ts';

/**
 * 10,000 packets a second to bindings and port sets that stay, beside 1,000 changes a second of others (D114): what the
 * sender counts, the AFTR forwards, and the other end of the tunnel gets.
 */
enterOwnNetwork();
const test = suite('changes-under-traffic');

const TUN = 'gi-aftr';
const FAR_NS = `gi4ch-${process.pid}-far`;
const [PACKETS_A_SECOND, CHANGES_A_SECOND, SECONDS] = [10_000, 1_000, 4];
const SHARED = '198.51.103.9';
const PORT = 1_232;

function ip(words: string): void {
  execFileSync('ip', words.split(' '));
}

function build(): void {
  ip('link set lo up');
  ip(`netns add ${FAR_NS}`);
  ip(`link add far type veth peer name eth0 netns ${FAR_NS}`);
  ip('link set far txqueuelen 10000 up');
  ip(`-n ${FAR_NS} link set lo up`);
  ip(`-n ${FAR_NS} link set eth0 up`);
  ip('-6 addr add 2001:db8:1::1/64 dev far nodad');
  ip(`-n ${FAR_NS} -6 addr add 2001:db8:1::2/64 dev eth0 nodad`);
  ip(`-n ${FAR_NS} -6 addr add 2001:db8:c::1/128 dev lo nodad`);
  ip('-6 route add 2001:db8:c::/48 via 2001:db8:1::2');
  createPersistentTun(TUN);
  execFileSync('sysctl', ['-qw', 'net.ipv6.conf.all.forwarding=1', `net.ipv6.conf.${TUN}.addr_gen_mode=1`]);
  ip(`link set ${TUN} mtu 65535 txqueuelen 50000 up`);
  ip('addr add 203.0.113.80/32 dev lo');
  ip(`route add 198.51.100.0/22 dev ${TUN} src 203.0.113.80`);
}

process.once('exit', () => spawnSync('ip', ['netns', 'del', FAR_NS], { stdio: 'ignore' }));
build();

/** Counts the tunnel packets of both targets until it has as many as its input says at last, or ten seconds pass without one. */
const RECEIVER = `import select, socket, sys
s = socket.socket(socket.AF_INET6, socket.SOCK_RAW, 4)
s.setsockopt(socket.SOL_SOCKET, 33, 64 << 20)
print("ready", flush=True)
count, sent = 0, None
while True:
  waits = 1 if sent == count else 10 if sent is not None else None
  ready, _, _ = select.select([s] if sent is not None else [s, sys.stdin], [], [], waits)
  if s in ready:
    s.recv(2048)
    count += 1
  elif sys.stdin in ready: sent = int(sys.stdin.readline())
  else: break
print(count)`;

/**
 * Sends PACKETS_A_SECOND packets a second, to a bound address and a port of a shared one in turn, until its input ends, or for ten
 * minutes; says how many.
 */
const SENDER = `import select, socket, sys, time
rate = int(sys.argv[1])
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.setsockopt(socket.SOL_SOCKET, 32, 8 << 20)
targets = [("198.51.100.10", 9), ("${SHARED}", ${PORT})]
began, sent = time.monotonic(), 0
while sent < 600 * rate:
  due = min(600 * rate, int((time.monotonic() - began) * rate))
  while sent < due:
    s.sendto(b"0123456789", targets[sent & 1])
    sent += 1
  if select.select([sys.stdin], [], [], 0.0005)[0]: break
print(sent)`;

interface Program {
  readonly input: Writable;
  readonly output: Promise<string>;
  readonly ready: Promise<unknown>;
}

function start(words: readonly string[]): Program {
  const child = spawn('ip', words, { stdio: ['pipe', 'pipe', 'inherit'] });
  let output = '';
  const ready = new Promise((resolve) => child.stdout.once('data', resolve));
  child.stdout.on('data', (piece) => {
    output += String(piece);
  });
  return { input: child.stdin, ready, output: new Promise((resolve) => child.once('close', () => resolve(output))) };
}

test('1,000 changes a second lose none of 10,000 packets a second (D114)', async () => {
  const store = new MemoryStore();
  const datapath = tunDatapath(store, () => TUN);
  const portSet = [{ psid: 0x34, 'b4-ipv6-address': '2001:db8:c::1' }];
  const table = { 'shared-address': [{ 'ipv4-address': SHARED, 'psid-length': 8, 'port-set': portSet }] };
  const put = [binding(['198.51.100.0/24', '2001:db8:c::1'])];
  store.commit({ softwire: { aftr: [{ ...AFTR, 'binding-table': table }] }, put });
  await datapath.follow();
  execFileSync('ip', ['netns', 'exec', FAR_NS, 'ping', '-6', '-c', '1', '-W', '5', '2001:db8:1::1'], {
    stdio: 'ignore',
  });
  const receiver = start(['netns', 'exec', FAR_NS, '/usr/bin/python3', '-c', RECEIVER]);
  await receiver.ready;
  const sender = spawn('/usr/bin/python3', ['-c', SENDER, String(PACKETS_A_SECOND)], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const said = text(sender.stdout);
  const began = performance.now();
  let changes = 0;
  while (changes < CHANGES_A_SECOND * SECONDS) {
    const due = Math.floor(((performance.now() - began) / 1_000) * CHANGES_A_SECOND) - changes;
    for (let i = 0; i < due; i++, changes++) {
      const prefix = `198.51.${101 + (changes & 1)}.${(changes >> 1) & 255}/32`;
      const row = binding([prefix, '2001:db8:a::9']);
      // Each address is added, replaced and removed in turn.
      if (changes % 3 === 2) store.commit({ gone: [row] });
      else
        store.commit({
          put: [{ ...row, gatewayIpv6Address: parseIpv6(`2001:db8:9::${changes.toString(16)}`) ?? new Uint8Array(16) }],
        });
      await datapath.follow();
    }
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
  assert.is(sender.exitCode, null, 'packets are sent until after the last change');
  sender.stdin.end();
  const sent = Number(await said);
  receiver.input.end(`${sent}\n`);
  const received = Number((await receiver.output).split('\n')[1]);
  assert.ok(sent > PACKETS_A_SECOND, `${sent}`);
  await soon(() => assert.equal([packetCounts(datapath.counters())['ipv4 forwarded'], received], [sent, sent]), 5_000);
  await datapath.stop();
});

test.run();
