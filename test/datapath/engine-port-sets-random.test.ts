import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { EngineUnderTest, packetCounts } from '../helpers/engine-case.ts';
import { hex16, icmpv4, ipv4, ipv6 } from '../helpers/packets.ts';
import { random, seed } from '../helpers/random.ts';

/** Random shared addresses, bindings and packets, against a model that looks through lists. */
const test = suite('engine-port-sets-random');

const AFTR = '2001:db8:b::1';
const INTERNET = '203.0.113.80';

interface Shared {
  readonly address: string;
  readonly a: number;
  readonly k: number;
  /** B4 of each PSID. */
  readonly sets: Map<number, string>;
}

interface Naive {
  readonly shared: readonly Shared[];
  readonly bindings: readonly (readonly [string, string])[];
}

/** Who has a port of an address: undefined when the address is not ours, '' when nobody has it. */
function holder({ shared, bindings }: Naive, address: string, port: number | undefined): string | undefined {
  const bound = bindings.find(([prefix]) => prefix === `${address}/32`);
  if (bound) return bound[1];
  const found = shared.find((item) => item.address === address);
  if (!found) return undefined;
  if (port === undefined) return 'no-port';
  const bits = port.toString(2).padStart(16, '0');
  if (found.a > 0 && !bits.slice(0, found.a).includes('1')) return '';
  return found.sets.get(Number.parseInt(`0${bits.slice(found.a, found.a + found.k)}`, 2)) ?? '';
}

function randomModel(next: () => number): Naive {
  const shared = Array.from({ length: 6 }, (_, i) => {
    const k = [0, 1, 3, 6, 8, 10, 16][next() % 7] ?? 0;
    const a = next() % Math.min(8, 17 - k);
    const sets = new Map<number, string>();
    for (let n = next() % 30; n >= 0; n--) sets.set(next() % 2 ** k, `2001:db8:c::${(next() % 6) + 1}`);
    return { address: `198.51.103.${i}`, a, k, sets };
  });
  const bindings = [1, 2].map((n) => [`198.51.100.${n}/32`, `2001:db8:c::${n}`] as const);
  return { shared, bindings };
}

async function configure(engine: EngineUnderTest, { shared, bindings }: Naive): Promise<void> {
  const sharedAddress = shared.map(({ address, a, k, sets }) => ({
    'ipv4-address': address,
    'psid-offset': a,
    'psid-length': k,
    'port-set': [...sets].map(([psid, b4]) => ({ psid, 'b4-ipv6-address': b4 })),
  }));
  const aftr = {
    name: 'br',
    'ipv6-address': AFTR,
    'ipv4-pool': ['198.51.100.0/22'],
    'flow-label-mode': 'zero',
    'icmp-policy': { 'icmpv6-errors': { 'generate-icmpv6-errors': false } },
  };
  await engine.configure([{ ...aftr, 'binding-table': { 'shared-address': sharedAddress } }], bindings);
}

interface Sent {
  readonly packet: (ttl: number) => string;
  readonly source: string;
  readonly destination: string;
  readonly sourcePort: number | undefined;
  readonly destinationPort: number | undefined;
}

/** A packet of some kind between two addresses. */
function randomPacket(next: () => number, source: string, destination: string): Sent {
  const [from, to] = [next() % 65_536, next() % 65_536];
  const kind = next() % 5;
  const options = next() % 4 === 0 ? '01010101' : '';
  const ends = { source, destination };
  const make = (protocol: number, payload: string) => (ttl: number) =>
    ipv4({ src: source, dst: destination, protocol, payload, options, ttl });
  if (kind === 0) return { ...ends, packet: make(47, '00000800'), sourcePort: undefined, destinationPort: undefined };
  if (kind === 1) {
    const packet = make(1, icmpv4(next() % 2 === 0 ? 8 : 0, 0, `${hex16(from)}0001`));
    return { ...ends, packet, sourcePort: from, destinationPort: from };
  }
  if (kind === 2) {
    // About a packet that went the other way.
    const quoted = ipv4({ src: destination, dst: source, protocol: 17, payload: `${hex16(to)}${hex16(from)}00080000` });
    return { ...ends, packet: make(1, icmpv4(3, 3, `00000000${quoted}`)), sourcePort: from, destinationPort: to };
  }
  const packet = make(kind === 3 ? 6 : 17, `${hex16(from)}${hex16(to)}${'00'.repeat(16)}`);
  return { ...ends, packet, sourcePort: from, destinationPort: to };
}

/** What is to leave, and how the packet is counted. */
function expectation(model: Naive, sent: Sent, outer: string | undefined): readonly [out: string[], end: string] {
  const { packet, source, destination, sourcePort, destinationPort } = sent;
  const to = holder(model, destination, destinationPort);
  const tunnelled = (b4: string, ttl: number) => [ipv6({ src: AFTR, dst: b4, payload: packet(ttl) })];
  const drop = (b4: string) => (b4 === '' ? 'no-binding' : 'no-port');
  if (outer === undefined) {
    if (to === undefined) return [[], 'ipv4 no-binding'];
    return to === '' || to === 'no-port' ? [[], `ipv4 ${drop(to)}`] : [tunnelled(to, 64), 'ipv4 forwarded'];
  }
  const from = holder(model, source, sourcePort) ?? '';
  if (from === '' || from === 'no-port') return [[], `ipv6 ${drop(from)}`];
  if (from !== outer) return [[], 'ipv6 source-mismatch'];
  if (to === undefined) return [[packet(64)], 'ipv6 forwarded'];
  if (to === '' || to === 'no-port') return [[], `ipv6 ${drop(to)}`];
  return to === from ? [[], 'ipv6 same-gateway'] : [tunnelled(to, 63), 'ipv6 hairpinned'];
}

test(`the engine decides as the model does (seed ${seed})`, async () => {
  const next = random();
  const totals: Record<string, number> = {};
  const engine = new EngineUnderTest('aftr');
  for (let round = 0; round < 40; round++) {
    const model = randomModel(next);
    await configure(engine, model);
    const ours = [...model.shared.map(({ address }) => address), '198.51.100.1', '198.51.100.2', '198.51.100.3'];
    const someone = (): string => ours[next() % ours.length] ?? '';
    for (let i = 0; i < 500; i++) {
      const isInner = next() % 2 === 0;
      const sent = randomPacket(
        next,
        isInner ? someone() : INTERNET,
        isInner && next() % 2 === 0 ? INTERNET : someone(),
      );
      const isHonest = next() % 4 !== 0;
      const held = holder(model, sent.source, sent.sourcePort);
      const outer = isHonest && held ? held.replace('no-port', '2001:db8:c::1') : `2001:db8:c::${(next() % 6) + 1}`;
      const [out, end] = expectation(model, sent, isInner ? outer : undefined);
      const text = isInner ? ipv6({ src: outer, dst: AFTR, payload: sent.packet(64) }) : sent.packet(64);
      assert.equal(engine.run([text]), out, `round ${round}, packet ${i}: ${text}`);
      totals[end] = (totals[end] ?? 0) + 1;
    }
  }
  assert.equal(sorted(packetCounts(engine.counters())), sorted(totals));
  assert.ok(
    Object.keys(totals).length === 9 && Object.values(totals).every((count) => count > 50),
    JSON.stringify(totals),
  );
});

function sorted(counts: Readonly<Record<string, number>>): [string, number][] {
  return Object.entries(counts).sort(([a], [b]) => (a < b ? -1 : 1));
}

test.run();
