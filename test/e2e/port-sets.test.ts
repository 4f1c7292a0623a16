// needs: root
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { Datapath } from '../../src/datapath/datapath.ts';
import { createPersistentTun } from '../../src/datapath/tun-device.ts';
import { echoCounts, echoWords } from '../helpers/echoes.ts';
import { AFTR, packetCounts } from '../helpers/engine-case.ts';
import { MemoryStore } from '../helpers/memory-store.ts';
import { enterOwnNetwork } from '../helpers/own-network.ts';
import { soon } from '../helpers/soon.ts';
import { tunDatapath } from '../helpers/tun-datapath.ts';

/**
 * A subscriber with a port set of a shared address, whose tunnel is Linux's own (a segment route without a header of its
 * own is plain IPv4-in-IPv6), and a host in the Internet:
 *
 *     subscriber ---- left [ 2001:db8:b::1 = gi-aftr ] right ---- internet
 *     198.51.103.9         router, own network namespace          203.0.113.80
 *     2001:db8:c::34
 */
enterOwnNetwork();
const test = suite('port-sets');

const SUBSCRIBER_NS = `gi4ps-${process.pid}-subscriber`;
const INTERNET_NS = `gi4ps-${process.pid}-internet`;
const SHARED = '198.51.103.9';
const INTERNET = '203.0.113.80';
const B4 = '2001:db8:c::34';
const TUN = 'gi-aftr';
const PYTHON = '/usr/bin/python3';
/** A port of PSID 0x34, one of the next PSID, and one of A = 0. */
const [IN_SET, FOREIGN, EXCLUDED] = [1_232, 1_236, 999];
const ECHO_PORT = 7_000;
/** For what comes, and for what does not. */
const [LONG_S, SHORT_S] = [30, 1];
const CLOSED_PORT = 7_001;

function ip(words: string): void {
  execFileSync('ip', words.split(' '));
}

function removeHosts(): void {
  for (const name of [SUBSCRIBER_NS, INTERNET_NS]) spawnSync('ip', ['netns', 'del', name], { stdio: 'ignore' });
}

function sysctl(...settings: readonly string[]): void {
  execFileSync('sysctl', ['-qw', ...settings]);
}

function build(): void {
  removeHosts();
  ip('link set lo up');
  // The outer header fits beside a full packet: Linux takes no tunnel packet apart that comes in fragments.
  for (const [name, link, mtu] of [
    [SUBSCRIBER_NS, 'left', 1_600],
    [INTERNET_NS, 'right', 1_500],
  ] as const) {
    ip(`netns add ${name}`);
    ip(`link add ${link} mtu ${mtu} type veth peer name eth0 mtu ${mtu} netns ${name}`);
    ip(`link set ${link} up`);
    ip(`-n ${name} link set lo up`);
    ip(`-n ${name} link set eth0 up`);
  }
  ip('addr add 203.0.113.1/24 dev right');
  ip(`-n ${INTERNET_NS} addr add ${INTERNET}/24 dev eth0`);
  ip(`-n ${INTERNET_NS} route add default via 203.0.113.1`);
  buildSubscriber();
  buildRouter();
}

function buildSubscriber(): void {
  ip('-6 addr add 2001:db8:1::1/64 dev left nodad');
  ip(`-n ${SUBSCRIBER_NS} -6 addr add 2001:db8:1::2/64 dev eth0 nodad`);
  ip(`-n ${SUBSCRIBER_NS} -6 route add default via 2001:db8:1::1`);
  ip(`-n ${SUBSCRIBER_NS} addr add ${SHARED}/32 dev lo`);
  ip(`-n ${SUBSCRIBER_NS} sr tunsrc set ${B4}`);
  ip(
    `-n ${SUBSCRIBER_NS} route add default encap seg6 mode encap.red segs 2001:db8:b::1 dev eth0 src ${SHARED} mtu 1400`,
  );
  ip(`-n ${SUBSCRIBER_NS} -6 route add ${B4}/128 encap seg6local action End.DX4 nh4 ${SHARED} dev eth0`);
  ip(`-6 route add ${B4}/128 via 2001:db8:1::2`);
}

function buildRouter(): void {
  sysctl('net.ipv4.ip_forward=1', 'net.ipv6.conf.all.forwarding=1');
  sysctl('net.ipv4.conf.all.rp_filter=0', 'net.ipv4.conf.default.rp_filter=0');
  createPersistentTun(TUN);
  sysctl(`net.ipv6.conf.${TUN}.addr_gen_mode=1`, `net.ipv4.conf.${TUN}.rp_filter=0`);
  ip(`link set ${TUN} mtu 65535 up`);
  ip(`-6 route add 2001:db8:b::1/128 dev ${TUN}`);
  ip(`route add 198.51.100.0/22 dev ${TUN}`);
}

async function withAftr(body: (datapath: Datapath) => Promise<void>): Promise<void> {
  const store = new MemoryStore();
  const datapath = tunDatapath(store, () => TUN);
  const portSet = [
    { psid: 0x34, 'b4-ipv6-address': B4 },
    { psid: 0x35, 'b4-ipv6-address': '2001:db8:c::35' },
  ];
  const shared = { 'ipv4-address': SHARED, 'psid-length': 8, 'port-set': portSet };
  store.commit({
    softwire: { aftr: [{ ...AFTR, 'softwire-payload-mtu': 1_500, 'binding-table': { 'shared-address': [shared] } }] },
  });
  await datapath.follow();
  try {
    await body(datapath);
  } finally {
    await datapath.stop();
  }
}

/** Runs a Python program in a namespace; what it printed. */
function python(namespace: string, code: string, ...words: readonly (string | number)[]): string {
  const command = ['netns', 'exec', namespace, PYTHON, '-c', code, ...words.map(String)];
  const { stdout, stderr } = spawnSync('ip', command, { encoding: 'utf8', timeout: 60_000 });
  return stdout.trim() || stderr.trim();
}

/** Sends so many octets from a port to a port; `echo` when they come back, else the name of the error. */
const UDP_CLIENT = `import socket, sys
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.settimeout(int(sys.argv[5]))
s.bind(("", int(sys.argv[1])))
s.connect((sys.argv[2], int(sys.argv[3])))
data = bytes(i % 251 for i in range(int(sys.argv[4])))
try:
  s.send(data)
  print("echo" if s.recv(65535) == data else "other data")
except Exception as error:
  print(type(error).__name__)`;

/**
 * The same in fragments of 1,000 octets, the last one first: Linux would put one large packet into its tunnel and fragment
 * that.
 */
const FRAGMENT_CLIENT = `import socket, struct, sys
port, target, target_port, octets = int(sys.argv[1]), sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.settimeout(int(sys.argv[5]))
s.bind(("", port))
raw = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)
data = bytes(i % 251 for i in range(octets))
whole = struct.pack("!HHHH", port, target_port, 8 + octets, 0) + data
pieces = [whole[at:at + 1000] for at in range(0, len(whole), 1000)]
for i, piece in reversed(list(enumerate(pieces))):
  field = i * 125 | (0x2000 if i < len(pieces) - 1 else 0)
  source, destination = socket.inet_aton("${SHARED}"), socket.inet_aton(target)
  head = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(piece), octets, field, 64, 17, 0, source, destination)
  raw.sendto(head + piece, (target, 0))
try:
  print("echo" if s.recv(65535) == data else "other data")
except Exception as error:
  print(type(error).__name__)`;

const TCP_CLIENT = `import socket, sys
s = socket.socket()
s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
s.settimeout(int(sys.argv[4]))
s.bind(("", int(sys.argv[1])))
data = bytes(i % 251 for i in range(100000))
got = b""
try:
  s.connect((sys.argv[2], int(sys.argv[3])))
  s.sendall(data)
  s.shutdown(socket.SHUT_WR)
  while True:
    piece = s.recv(65535)
    if not piece: break
    got += piece
  print("echo" if got == data else "other data")
except Exception as error:
  print(type(error).__name__)`;

/** Echoes UDP and TCP on the ports it is given, for five minutes at most. */
const SERVER = `import selectors, signal, socket, sys, threading
signal.alarm(300)
def tcp(s):
  while True:
    c, _ = s.accept()
    got = b""
    while True:
      piece = c.recv(65535)
      if not piece: break
      got += piece
    c.sendall(got)
    c.close()
selector = selectors.DefaultSelector()
for port in sys.argv[1:]:
  u = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
  u.bind(("", int(port)))
  selector.register(u, selectors.EVENT_READ)
  t = socket.socket()
  t.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
  t.bind(("", int(port)))
  t.listen()
  threading.Thread(target=tcp, args=(t,), daemon=True).start()
print("ready", flush=True)
while True:
  for key, _ in selector.select():
    data, peer = key.fileobj.recvfrom(65535)
    key.fileobj.sendto(data, peer)`;

async function withServer(namespace: string, ports: readonly number[], body: () => void): Promise<void> {
  const words = ['netns', 'exec', namespace, PYTHON, '-c', SERVER, ...ports.map(String)];
  const server = spawn('ip', words, { stdio: ['ignore', 'pipe', 'inherit'] });
  const ended = new Promise((resolve) => server.once('close', resolve));
  try {
    await Promise.race([new Promise((resolve) => server.stdout.once('data', resolve)), ended]);
    body();
  } finally {
    server.kill('SIGKILL');
    await ended;
  }
}

process.once('exit', removeHosts);
build();

test('the links are up: neighbours are found', () =>
  withAftr(async () => {
    const words = ['netns', 'exec', SUBSCRIBER_NS, 'ping', '-n', '-c', '20', '-i', '0.2', '-W', '1', '-e', `${IN_SET}`];
    assert.match(spawnSync('ip', [...words, INTERNET], { encoding: 'utf8' }).stdout, /([5-9]|1\d|20) received/);
  }));

test('from the subscriber, the ports of its set work over UDP and TCP, and no others', () =>
  withAftr(async (datapath) => {
    await withServer(INTERNET_NS, [ECHO_PORT], () => {
      for (const port of [IN_SET, IN_SET + 3, 64_723]) {
        assert.is(
          python(SUBSCRIBER_NS, UDP_CLIENT, port, INTERNET, ECHO_PORT, 100, LONG_S),
          'echo',
          `UDP from ${port}`,
        );
      }
      assert.is(python(SUBSCRIBER_NS, TCP_CLIENT, IN_SET, INTERNET, ECHO_PORT, LONG_S), 'echo', 'TCP');
      for (const port of [FOREIGN, EXCLUDED]) {
        assert.is(
          python(SUBSCRIBER_NS, UDP_CLIENT, port, INTERNET, ECHO_PORT, 100, SHORT_S),
          'TimeoutError',
          `UDP from ${port}`,
        );
        assert.is(
          python(SUBSCRIBER_NS, TCP_CLIENT, port, INTERNET, ECHO_PORT, SHORT_S),
          'TimeoutError',
          `TCP from ${port}`,
        );
      }
    });
    await soon(() => {
      const counts = packetCounts(datapath.counters());
      assert.ok((counts['ipv6 source-mismatch'] ?? 0) >= 2, "the port set is another subscriber's");
      assert.ok((counts['ipv6 no-binding'] ?? 0) >= 2, 'the port is in no set');
    });
  }));

test('from the Internet, the ports of the set reach the subscriber, and no others (D111)', () =>
  withAftr(async () => {
    await withServer(SUBSCRIBER_NS, [IN_SET, FOREIGN, EXCLUDED], () => {
      assert.is(python(INTERNET_NS, UDP_CLIENT, 5_000, SHARED, IN_SET, 100, LONG_S), 'echo');
      assert.is(python(INTERNET_NS, TCP_CLIENT, 5_000, SHARED, IN_SET, LONG_S), 'echo');
      for (const port of [FOREIGN, EXCLUDED]) {
        assert.is(python(INTERNET_NS, UDP_CLIENT, 5_000, SHARED, port, 100, SHORT_S), 'TimeoutError', `port ${port}`);
      }
    });
  }));

test('large packets, in fragments inside the tunnel and out of it (D72)', () =>
  withAftr(async (datapath) => {
    await withServer(INTERNET_NS, [ECHO_PORT], () => {
      for (const octets of [1_400, 4_000, 20_000]) {
        assert.is(
          python(SUBSCRIBER_NS, FRAGMENT_CLIENT, IN_SET, INTERNET, ECHO_PORT, octets, LONG_S),
          'echo',
          `${octets}`,
        );
      }
      assert.is(python(SUBSCRIBER_NS, FRAGMENT_CLIENT, FOREIGN, INTERNET, ECHO_PORT, 3_900, SHORT_S), 'TimeoutError');
    });
    await soon(() => {
      const counts = packetCounts(datapath.counters());
      assert.equal([counts['ipv6 forwarded'], counts['ipv6 source-mismatch']], [2 + 5 + 21, 4]);
      assert.equal(counts['ipv4 forwarded'], 1 + 3 + 14);
    });
  }));

test('ping with an identifier of the set, and the error about a closed port (D99, D100)', () =>
  withAftr(async (datapath) => {
    const ping = (id: number): string =>
      spawnSync(
        'ip',
        ['netns', 'exec', SUBSCRIBER_NS, 'ping', '-n', '-c', '2', '-i', '0.2', '-W', '1', '-e', `${id}`, INTERNET],
        {
          encoding: 'utf8',
        },
      ).stdout;
    const words = echoWords(INTERNET, { count: 2, identifier: IN_SET });
    const { stdout } = spawnSync('ip', ['netns', 'exec', SUBSCRIBER_NS, ...words], { encoding: 'utf8' });
    assert.equal(echoCounts(stdout), { sent: 2, received: 2 });
    assert.match(ping(FOREIGN), '0 received');
    assert.is(python(SUBSCRIBER_NS, UDP_CLIENT, IN_SET, INTERNET, CLOSED_PORT, 10, LONG_S), 'ConnectionRefusedError');
    await soon(() => assert.is(packetCounts(datapath.counters())['ipv6 source-mismatch'], 2));
  }));

test.run();
