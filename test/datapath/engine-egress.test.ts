import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { EngineUnderTest } from '../helpers/engine-case.ts';
import { AFTR, assertPartition, engineFor, GATEWAY, packetCounts } from '../helpers/engine-case.ts';
import { fragments } from '../helpers/fragments.ts';
import { icmpv4, ipv4, ipv6, udp } from '../helpers/packets.ts';

/** Decapsulated packets and the largest packet that the links of the IPv4 side take (D73, D74, D75). */
const test = suite('engine-egress');

const SIDES = {
  aftr: {
    name: AFTR.name,
    src: '2001:db8:a::1',
    dst: '2001:db8:b::1',
    own: '203.0.113.1',
    from: '198.51.100.10',
    to: '203.0.113.80',
  },
  gateway: {
    name: GATEWAY.name,
    src: '2001:db8:b::1',
    dst: '2001:db8:a::1',
    own: '198.51.100.1',
    from: '203.0.113.80',
    to: '198.51.100.10',
  },
} as const;

for (const role of ['aftr', 'gateway'] as const) {
  const { name, src, dst, own, from, to } = SIDES[role];
  const sized = (octets: number, more: Parameters<typeof ipv4>[0] = {}): string =>
    ipv4({ src: from, dst: to, payload: udp(octets - 28), ...more });
  const inTunnel = (payload: string): string => ipv6({ src, dst, payload });

  const withMtu = async (mtu: number): Promise<EngineUnderTest> => {
    const engine = await engineFor(role);
    engine.forwarding.setEgressMtus(new Map([[name, mtu]]));
    return engine;
  };

  test(`${role}: DF up to the egress MTU passes, one octet more is answered 3/4 through the tunnel (D74)`, async () => {
    const engine = await withMtu(576);
    const [fits, tooBig] = [sized(576, { df: true }), sized(577, { df: true })];
    const packets = [inTunnel(fits), inTunnel(tooBig)];
    const quoted = `00000240${tooBig.slice(0, 2 * 548)}`;
    const report = ipv4({
      src: own,
      dst: from,
      tos: 0xc0,
      id: 0,
      df: true,
      protocol: 1,
      payload: icmpv4(3, 4, quoted),
    });
    const row = role === 'gateway' ? [fits] : [fits, ipv6({ src: dst, dst: src, trafficClass: 0xc0, payload: report })];
    const out = engine.run(packets);
    assert.equal(out.slice(0, row.length), row);
    if (role === 'gateway')
      assert.equal(out.slice(1), [ipv6({ src: dst, dst: src, trafficClass: 0xc0, payload: report })]);
    assert.equal(packetCounts(engine.counters()), { 'ipv6 forwarded': 1, 'ipv6 too-big': 1 });
    assertPartition(engine.counters(), packets);
  });

  test(`${role}: without DF it goes on whole, identification and flags as they are, for Linux to cut (D73, D75)`, async () => {
    const engine = await withMtu(576);
    const packets = [sized(1_446, { id: 0xbeef }), sized(1_446, { id: 0xbeef, mf: true, offset: 185 })];
    assert.equal(engine.run(packets.map(inTunnel)), packets);
    assert.equal(packetCounts(engine.counters()), { 'ipv6 forwarded': 2 });
  });

  test(`${role}: a packet put together from fragments is measured as a whole (D74)`, async () => {
    const engine = await withMtu(1_500);
    const packets = fragments(sized(1_501, { df: true }), 800, { src, dst });
    assert.is(engine.run(packets).length, 1);
    assert.equal(packetCounts(engine.counters()), { 'ipv6 too-big': 2 });
    assert.equal(engine.run(fragments(sized(1_500, { df: true }), 800, { src, dst })), [sized(1_500, { df: true })]);
  });

  for (const mtu of [65_535, 65_536, 65_575]) {
    test(`${role}: links of ${mtu} octets take every packet, and clamp no segments of their own accord`, async () => {
      const engine = await withMtu(mtu);
      const syn = '03e8005000000001000000006002200000000000020405b400000000';
      const packets = [sized(1_400, { df: true }), ipv4({ src: from, dst: to, protocol: 6, payload: syn })];
      assert.equal(engine.run(packets.map(inTunnel)), packets);
    });
  }

  test(`${role}: an MTU that is not known limits nothing; a change holds from the next packet on`, async () => {
    const engine = await engineFor(role);
    const packet = sized(3_000, { df: true });
    assert.equal(engine.run([inTunnel(packet)]), [packet]);
    engine.forwarding.setEgressMtus(new Map([[name, 2_999]]));
    assert.is(engine.run([inTunnel(packet)]).length, 1);
    assert.is(packetCounts(engine.counters())['ipv6 too-big'], 1);
    engine.forwarding.setEgressMtus(new Map());
    assert.equal(engine.run([inTunnel(packet)]), [packet]);
  });
}

test.run();
