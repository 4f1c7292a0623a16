import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { AFTR, BINDINGS, EngineUnderTest, packetCounts } from '../helpers/engine-case.ts';
import { fragments } from '../helpers/fragments.ts';
import { ipv4, udp } from '../helpers/packets.ts';

/** A packet from gateway to gateway that came in outer fragments: what both bindings count (D130). */
const test = suite('engine-hairpin-fragments');

const G1 = '2001:db8:a::1';
const G2 = '2001:db8:a::2';
const TO_G2 = ipv4({ src: '198.51.100.10', dst: '198.51.101.20', payload: udp(200) });

const octetsOf = (packets: readonly string[]): number => packets.join('').length / 2;

for (const cut of [200, 96, 48]) {
  const sent = fragments(TO_G2, cut, { src: G1 });
  test(`${sent.length} fragments count for the binding that they come from, and for the one that they go to`, async () => {
    const engine = new EngineUnderTest('aftr');
    await engine.configure([{ ...AFTR, 'binding-counters': true }], BINDINGS);
    const out = sent.flatMap((packet, i) => engine.run([packet], i));
    assert.is(out.length, 1);
    assert.equal(packetCounts(engine.counters()), { 'ipv6 hairpinned': sent.length });
    const counted = [G1, G2].map((remote) => {
      const found = engine.forwarding.aftrSoftwires([remote])[0]?.softwires[0]?.counters;
      return [
        found?.encapsulatedPackets,
        found?.encapsulatedOctets,
        found?.decapsulatedPackets,
        found?.decapsulatedOctets,
      ];
    });
    assert.equal(counted, [
      [0, 0, sent.length, octetsOf(sent)],
      [sent.length, octetsOf(sent), 0, 0],
    ]);
  });
}

test.run();
