import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { engineFor } from '../helpers/engine-case.ts';
import { icmpv4, icmpv6, ipv4, ipv6 } from '../helpers/packets.ts';

/** No ICMPv4 error is made or passed on about an ICMPv4 error of any type (RFC 1812 §4.3.2.7), but about other messages (D88, D92). */
const test = suite('engine-icmpv4-silence');

const G1 = '2001:db8:a::1';
const BR = '2001:db8:b::1';
const ROUTER = '2001:db8:99::1';
const INTERNET = '203.0.113.80';
const DEVICE = '198.51.100.10';
const UNBOUND = '198.51.103.9';

const errors = [
  ['unreachable', 3],
  ['source quench', 4],
  ['redirect', 5],
  ['time exceeded', 11],
  ['parameter problem', 12],
] as const;
const others = [
  ['echo reply', 0],
  ['a type between the errors', 6],
  ['echo', 8],
  ['router advertisement', 9],
  ['router solicitation', 10],
  ['timestamp', 13],
  ['a type that nobody knows', 255],
] as const;

/** An ICMPv4 message that is an error only by its type. */
const message = (type: number): string => icmpv4(type, 0, `00000000${ipv4({})}`);

/** An ICMPv6 error from inside the tunnel about a packet of the tunnel end `to`. */
const fromInside = (to: string, quoted: string): string =>
  ipv6({ src: ROUTER, dst: to, nextHeader: 58, payload: icmpv6(ROUTER, to, 1, 0, `00000000${quoted}`) });

const occasions = [
  ['to an unbound address', 'aftr', (inner) => ipv4({ src: INTERNET, dst: UNBOUND, ...inner })],
  [
    'whose TTL ends at the AFTR',
    'aftr',
    (inner) => ipv6({ src: G1, dst: BR, payload: ipv4({ src: DEVICE, dst: INTERNET, ttl: 1, ...inner }) }),
  ],
  [
    'whose TTL ends at the gateway',
    'gateway',
    (inner) => ipv6({ src: BR, dst: G1, payload: ipv4({ src: INTERNET, dst: DEVICE, ttl: 1, ...inner }) }),
  ],
  [
    'that did not reach the gateway',
    'aftr',
    (inner) => fromInside(BR, ipv6({ src: BR, dst: G1, payload: ipv4({ src: INTERNET, dst: DEVICE, ...inner }) })),
  ],
  [
    'that did not reach the AFTR',
    'gateway',
    (inner) => fromInside(G1, ipv6({ src: G1, dst: BR, payload: ipv4({ src: DEVICE, dst: INTERNET, ...inner }) })),
  ],
] as const satisfies readonly (readonly [
  string,
  'aftr' | 'gateway',
  (inner: { readonly protocol: number; readonly payload: string }) => string,
])[];

for (const [when, role, packet] of occasions) {
  for (const [name, type] of errors) {
    test(`${role}: ${name} ${when}: nothing`, async () => {
      const engine = await engineFor(role);
      assert.equal(engine.run([packet({ protocol: 1, payload: message(type) })]), []);
    });
  }
  for (const [name, type] of others) {
    test(`${role}: ${name} ${when}: an error`, async () => {
      const engine = await engineFor(role);
      assert.is(engine.run([packet({ protocol: 1, payload: message(type) })]).length, 1);
    });
  }
}

for (const [when, role, packet] of occasions.slice(0, 3)) {
  test(`${role}: ICMP that ends before its type ${when}: nothing, whatever stands behind it (D92)`, async () => {
    const engine = await engineFor(role);
    assert.equal(engine.run([packet({ protocol: 1, payload: '' })]), []);
  });
}

test.run();
