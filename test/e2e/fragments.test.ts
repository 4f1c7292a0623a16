// needs: root
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { HostName } from '../../tools/topology.ts';
import { AFTR_TUNNEL, DEVICE, GATEWAY_TUNNEL, INTERNET, SECOND_PREFIX, stop, until } from '../../tools/topology.ts';
import { captured } from '../helpers/capture.ts';
import { soon } from '../helpers/soon.ts';
import { AFTR_CONFIGURATION, GATEWAY_CONFIGURATION, TwoBoxes } from '../helpers/two-boxes.ts';

/**
 * Fragments and sizes with real stacks at all ends: the whole program on two boxes, an IPv6 network of 1,280 octets between
 * them.
 */
const test = suite('fragments end to end');
const boxes = await TwoBoxes.start(`gi4over6-frag-${process.pid}`);
const { topology } = boxes;
const PAYLOAD_MTU = 1_240;
/** The gateway host's own address: its kernel is a tunnel end too, for one prefix. */
const STACK_GATEWAY = '2001:db8:12::1';

for (const host of ['gateway', 'aftr'] as const) topology.ip(host, 'link set right mtu 1280');
for (const [host, entry] of [
  ['gateway', { ...GATEWAY_CONFIGURATION, 'softwire-payload-mtu': PAYLOAD_MTU }],
  [
    'aftr',
    {
      ...AFTR_CONFIGURATION,
      'softwire-payload-mtu': PAYLOAD_MTU,
      'binding-table': {
        binding: [
          ...AFTR_CONFIGURATION['binding-table'].binding,
          { 'ipv4-prefix': SECOND_PREFIX, 'gateway-ipv6-address': STACK_GATEWAY },
        ],
      },
    },
  ],
] as const) {
  const { status, body } = boxes.configure(host, entry);
  assert.is(status, 204, body);
}

interface Seen {
  readonly id: number;
  readonly offset: number;
  readonly more: boolean;
  readonly length: number;
}

/** The IPv4 packets of one filter on a link of a host while a body runs. */
async function capture(
  host: HostName,
  link: string,
  filter: string,
  body: () => void | Promise<void>,
): Promise<Seen[]> {
  const text = await captured(topology, [host, link, filter], body, ['-nv']);
  return [...text.matchAll(/ id (\d+), offset (\d+), flags \[([^\]]*)\], .* length (\d+)\)/g)].map(
    ([, id, offset, flags = '', length]) => ({
      id: Number(id),
      offset: Number(offset),
      more: flags.includes('+'),
      length: Number(length),
    }),
  );
}

function ping(host: HostName, target: string, more: readonly string[]): string {
  return topology.run(host, ['ping', '-n', '-W', '15', ...more, target]).output;
}

/** Whether each of some packets comes back that may be fragmented. */
function comeBack(host: HostName, target: string, count: number, size: number): void {
  assert.equal(boxes.echoes(host, target, { count, size, mayFragment: true }), { sent: count, received: count });
}

test('packets larger than the tunnel takes: outer fragments one way and the other, put together (D55, D60)', async () => {
  const before = boxes.counter('aftr', 'ipv6-side', 'forwarded-packets');
  comeBack('device', INTERNET, 5, 1_400);
  comeBack('internet', DEVICE, 5, 1_400);
  // Requests of the device and answers to the Internet: ten packets in two fragments each.
  await soon(() => assert.is(boxes.counter('aftr', 'ipv6-side', 'forwarded-packets') - before, 20));
  // Long before what is left over would be given up.
  await soon(() => {
    assert.is(boxes.counter('aftr', 'ipv6-side', 'held-packets'), 0);
    assert.is(boxes.counter('gateway', 'ipv6-side', 'held-packets'), 0);
  }, 20_000);
});

test('IPv4 fragments of a real stack, each in outer fragments (D60, D71)', () => {
  comeBack('device', INTERNET, 3, 3_000);
  comeBack('internet', DEVICE, 3, 20_000);
});

/** The link between AFTR and Internet; a veth takes no packet that is larger than its own end. */
function setOutsideMtu(mtu: number): void {
  topology.ip('aftr', `link set left mtu ${mtu}`);
  topology.ip('internet', `link set eth0 mtu ${mtu}`);
}

/** Sends an echo request of so many octets in IPv4 in IPv6, which its kernel cuts, and prints what comes back. */
const STACK_PROBE = `
import socket, struct, sys
def checksum(octets):
    total = sum(struct.unpack('!%dH' % (len(octets) // 2), octets))
    while total > 0xffff: total = (total & 0xffff) + (total >> 16)
    return ~total & 0xffff
size = int(sys.argv[3])
data = bytes(i * 7 & 255 for i in range(size))
echo = struct.pack('!BBHHH', 8, 0, 0, 77, 1) + data
echo = echo[:2] + struct.pack('!H', checksum(echo)) + echo[4:]
header = struct.pack('!BBHHHBBH4s4s', 0x45, 0, 20 + len(echo), 4660, 0, 64, 1, 0, socket.inet_aton('192.0.2.10'), socket.inet_aton('${INTERNET}'))
header = header[:10] + struct.pack('!H', checksum(header)) + header[12:]
tunnel = socket.socket(socket.AF_INET6, socket.SOCK_RAW, 4)
tunnel.bind((sys.argv[1], 0))
tunnel.settimeout(30)
tunnel.sendto(header + echo, (sys.argv[2], 0))
parts = {}
while sum(map(len, parts.values())) < len(echo):
    packet = tunnel.recv(70000)
    parts[(struct.unpack('!H', packet[6:8])[0] & 0x1fff) * 8] = packet[20:]
reply = b''.join(parts[offset] for offset in sorted(parts))
print('reply' if reply[0] == 0 and reply[8:] == data else reply.hex())
`;
for (const octets of [1_400, 3_000, 20_000]) {
  test(`outer fragments of a real IPv6 stack, and ours put together by one: ${octets} octets (D58, D60)`, () => {
    const words = ['/usr/bin/python3', '-c', STACK_PROBE, STACK_GATEWAY, AFTR_TUNNEL, String(octets)];
    const { output, errors } = topology.run('gateway', words);
    assert.is(output, 'reply\n', errors);
  });
}

test('smaller links behind the AFTR: Linux cuts, the identification stays, also of what was cut before (D73)', async () => {
  setOutsideMtu(576);
  assert.ok(
    await until(60_000, () => ping('device', INTERNET, ['-c', '1', '-M', 'do', '-s', '600']).includes('mtu = 576')),
  );
  topology.ip('device', 'route flush cache');
  let inside: Seen[] = [];
  let outside: Seen[] = [];
  for (const size of ['1418', '3000']) {
    outside = await capture('internet', 'eth0', `icmp and src host ${DEVICE}`, () => {
      const run = ping('device', INTERNET, ['-c', '1', '-M', 'dont', '-s', size]);
      assert.match(run, /1 received/, size);
    });
    inside = await capture('device', 'eth0', `icmp and src host ${DEVICE}`, () => {
      ping('device', INTERNET, ['-c', '1', '-M', 'dont', '-s', size]);
    });
    assert.ok(outside.length > inside.length, `${outside.length} of ${inside.length}`);
    assert.ok(outside.every(({ length }) => length <= 576));
    assert.is(new Set(outside.map(({ id }) => id)).size, 1, 'one identification');
    const payload = Number(size) + 8;
    const last = outside.find(({ more }) => !more);
    assert.is((last?.offset ?? 0) + (last?.length ?? 0) - 20, payload, 'the end');
    assert.is(outside.filter(({ more }) => !more).length, 1, 'one last fragment');
  }
});

test('the identification outside is that of the device (D73)', async () => {
  const filter = `icmp and src host ${DEVICE}`;
  const outside: Seen[] = [];
  const inside = await capture('device', 'eth0', filter, async () => {
    outside.push(
      ...(await capture('internet', 'eth0', filter, () => {
        comeBack('device', INTERNET, 3, 3_000);
      })),
    );
  });
  const ids = (seen: readonly Seen[]) => [...new Set(seen.map(({ id }) => id))];
  assert.is(ids(inside).length, 3);
  assert.equal(ids(outside), ids(inside));
});

test('DF and a smaller link behind the AFTR: 3/4 through the tunnel, and the stack learns it (D74)', () => {
  const output = ping('device', INTERNET, ['-c', '1', '-M', 'do', '-s', '1000']);
  assert.match(output, /From 203\.0\.113\.1 .*mtu = 576/);
  assert.match(ping('device', INTERNET, ['-c', '1', '-M', 'do', '-s', '548']), /1 received/);
  setOutsideMtu(1_500);
  topology.ip('device', 'route flush cache');
});

test('DF and a smaller link behind the gateway: 3/4 through the tunnel (D74)', async () => {
  topology.ip('gateway', 'link set left mtu 700');
  const probe = () => ping('internet', DEVICE, ['-c', '1', '-M', 'do', '-s', '900']);
  // The link event is on its way.
  assert.ok(await until(60_000, () => /From 198\.51\.100\.1 .*mtu = 700/.test(probe())));
  topology.ip('gateway', 'link set left mtu 1500');
  topology.ip('internet', 'route flush cache');
});

test('segment sizes are lowered in both directions on the wire (D81)', async () => {
  const { status, body } = boxes.configure('aftr', { name: 'edge', 'tcp-mss-clamp': 1_111 });
  assert.is(status, 204, body);
  const syns = 'tcp[tcpflags] & tcp-syn != 0';
  let inside = '';
  const outside = await captured(topology, ['internet', 'eth0', syns], async () => {
    inside = await captured(topology, ['device', 'eth0', syns], async () => {
      const server = topology.start('internet', ['iperf3', '-s', '-1']);
      await until(60_000, () => topology.run('internet', ['ss', '-lnt']).output.includes(':5201'));
      const { output } = topology.run('device', ['iperf3', '-c', INTERNET, '-n', '2M', '-J']);
      assert.match(output, /"sum_received"/);
      await stop(server);
    });
  });
  const sizes = (text: string, from: string) =>
    [...text.matchAll(/^\S+ IP (\S+)\.\d+ > .*\bmss (\d+)/gm)]
      .filter(([, sender]) => sender === from)
      .map(([, , size]) => Number(size));
  const request = sizes(outside, DEVICE);
  assert.ok(request.length > 0 && request.every((size) => size === 1_111), `SYN: ${request}`);
  const answer = sizes(inside, INTERNET);
  assert.ok(answer.length > 0 && answer.every((size) => size === 1_111), `SYN-ACK: ${answer}`);
});

test('the encapsulation limit, from one end to the other (D12)', async () => {
  const { status, body } = boxes.configure('gateway', { name: 'rack', 'encapsulation-limit': 4 });
  assert.is(status, 204, body);
  const traffic = () => {
    comeBack('device', INTERNET, 2, 56);
    comeBack('device', INTERNET, 2, 1_400);
    assert.match(ping('device', INTERNET, ['-c', '1', '-M', 'do', '-s', '1205']), /mtu = 1232/);
  };
  const packets = await captured(topology, ['aftr', 'right', `ip6 src host ${GATEWAY_TUNNEL}`], traffic, ['-nx']);
  assert.match(packets.replaceAll(/\s+(0x\w+:)?\s*/g, ''), /0400040104010100/);
});

test('the end', async () => {
  await boxes.close();
});

test.run();
