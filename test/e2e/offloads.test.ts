// needs: root
import { execFileSync, spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { Datapath } from '../../src/datapath/datapath.ts';
import type { Role } from '../../src/datapath/engine.ts';
import { enterOwnNetwork } from '../helpers/own-network.ts';
import { eventually } from '../helpers/program.ts';
import { soon } from '../helpers/soon.ts';
import { buildTopology, DEVICE, DEVICE_NS, INTERNET, INTERNET_NS, withDatapath } from '../helpers/tun-router.ts';

/** TCP and UDP between two hosts, through gateway and AFTR with and without offloads. */
enterOwnNetwork();
const test = suite('offloads');

const PYTHON = '/usr/bin/python3';
const OCTETS = 8_000_000;
/** Longest packet that goes whole through the tunnel. */
const PAYLOAD_MTU = 1_460;
const MORE_THAN_ONE = 2_000;

/** Sends or receives OCTETS that both ends know, and says what has gone wrong. */
const TRANSFER = `import hashlib, socket, sys
data = b"".join(hashlib.sha256(b"%d" % i).digest() for i in range(${OCTETS / 32}))
what, address = sys.argv[1:]
if what == "receive":
    listening = socket.create_server((address, 4000))
    print("ready", flush=True)
    connection, _ = listening.accept()
    got = bytearray()
    while piece := connection.recv(1 << 20): got += piece
    print("same" if got == data else "different: %d octets" % len(got))
else:
    connection = socket.create_connection((address, 4000), timeout=60)
    connection.sendall(data)
    connection.close()`;

/** Datagrams of 1,200 octets, as many as one call of the sender makes (UDP_SEGMENT is option 103 of level 17). */
const DATAGRAMS = `import socket, sys
what, address = sys.argv[1:]
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
data = b"".join(bytes([i]) * 1200 for i in range(20))
if what == "receive":
    s.bind((address, 4000))
    s.settimeout(60)
    print("ready", flush=True)
    got = [s.recv(65535) for i in range(20)]
    print("same" if b"".join(got) == data and all(len(g) == 1200 for g in got) else "different")
else:
    s.setsockopt(17, 103, 1200)
    s.sendto(data, (address, 4000))`;

/** Runs the two ends of a script in two namespaces; what the receiver says. */
async function transfer(script: string, from: string, to: string, address: string): Promise<string> {
  const words = (namespace: string, what: string) => ['netns', 'exec', namespace, PYTHON, '-c', script, what, address];
  const receiver = spawn('ip', words(to, 'receive'), { stdio: ['ignore', 'pipe', 'inherit'] });
  let said = '';
  receiver.stdout.on('data', (chunk) => {
    said += String(chunk);
  });
  const ended = new Promise((resolve) => receiver.once('close', resolve));
  await eventually(60_000, async () => (said.includes('ready') ? true : undefined));
  execFileSync('ip', words(from, 'send'), { timeout: 60_000 });
  await ended;
  return said.replace('ready\n', '').trim();
}

/** Octets in a packet of the kernel's, on average, that this network's link has received or sent. */
function packetMeter(link: string, way: 'rx' | 'tx'): () => number {
  const read = (): readonly [number, number] => {
    const fields = new RegExp(`${link}: *(.*)`).exec(readFileSync('/proc/net/dev', 'utf8'))?.[1]?.split(/ +/) ?? [];
    const at = way === 'rx' ? 0 : 8;
    return [Number(fields[at]), Number(fields[at + 1])];
  };
  const [octets, packets] = read();
  return () => {
    const [octetsNow, packetsNow] = read();
    return (octetsNow - octets) / (packetsNow - packets);
  };
}

/** Packets that a role has forwarded from the IPv4 side, and their octets; what it has dropped is told. */
function forwarded(datapath: Datapath, role: Role, side: 'ipv4' | 'ipv6'): { packets: number; octets: number } {
  const counters = datapath.counters().find((instance) => instance.role === role) ?? assert.unreachable();
  return (counters as Exclude<typeof counters, void>)[side].forwarded;
}

buildTopology();

const WAYS = [
  ['device to internet', DEVICE_NS, INTERNET_NS, INTERNET, 'gateway', 'aftr', 'gi-gw', 'gi-aftr'],
  ['internet to device', INTERNET_NS, DEVICE_NS, DEVICE, 'aftr', 'gateway', 'gi-aftr', 'gi-gw'],
] as const;

for (const offloads of [true, false]) {
  const mode = offloads ? 'with offloads' : 'without offloads';
  for (const [way, from, to, address, enters, leaves, entry, exit] of WAYS) {
    test(`${mode}, ${way}: TCP finds the path MTU and brings every octet; each segment is counted`, () =>
      withDatapath({ offloads }, async ({ datapath }) => {
        const entering = packetMeter(entry, 'tx');
        const leaving = packetMeter(exit, 'rx');
        assert.is(await transfer(TRANSFER, from, to, address), 'same');
        await soon(() => {
          const { packets, octets } = forwarded(datapath, enters, 'ipv4');
          assert.ok(octets >= OCTETS && octets / packets <= PAYLOAD_MTU, `${octets} octets in ${packets} packets`);
          assert.ok(octets / packets > PAYLOAD_MTU * 0.9, `${octets} octets in ${packets} packets`);
          const out = forwarded(datapath, leaves, 'ipv6');
          assert.ok(out.packets <= packets && out.packets >= OCTETS / (PAYLOAD_MTU - 52), `${out.packets} came out`);
        });
        assert.is(entering() > MORE_THAN_ONE, offloads, `${entering()} octets in a packet to ${entry}`);
        assert.is(leaving() > MORE_THAN_ONE, offloads, `${leaving()} octets in a packet from ${exit}`);
      }));

    test(`${mode}, ${way}: UDP that the sender leaves to be cut`, () =>
      withDatapath({ offloads }, async ({ datapath }) => {
        const entering = packetMeter(entry, 'tx');
        assert.is(await transfer(DATAGRAMS, from, to, address), 'same');
        await soon(() => {
          assert.ok(forwarded(datapath, leaves, 'ipv6').packets >= 20);
          assert.equal(forwarded(datapath, enters, 'ipv4'), { packets: 20, octets: 20 * 1_228 });
        });
        assert.is(entering() > MORE_THAN_ONE, offloads, `${entering()} octets in a packet to ${entry}`);
      }));
  }
}

test.run();
