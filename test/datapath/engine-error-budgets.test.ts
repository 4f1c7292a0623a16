import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { EngineUnderTest } from '../helpers/engine-case.ts';
import { engineFor } from '../helpers/engine-case.ts';
import { ipv4, ipv6, udp } from '../helpers/packets.ts';
import { random, seed } from '../helpers/random.ts';

/** Who floods takes no errors from those that others need. */
const test = suite('engine-error-budgets');

const G1 = '2001:db8:a::1';
const AFTR = '2001:db8:b::1';
const DEVICE = '198.51.100.10';
const INTERNET = '203.0.113.80';

const tunnelled = (src: string, payload: string): string => ipv6({ src, dst: AFTR, payload });

/** ICMPv4 errors sent and suppressed. */
function icmpv4Errors(engine: EngineUnderTest): { readonly sent: number; readonly suppressed: number } {
  return engine.counters()[0]?.icmpv4Errors ?? { sent: 0, suppressed: 0 };
}

/**
 * 20 seconds of `perSecond` packets of a flood, and every half second one packet with an error due; how many of the 40 are
 * answered to `isAnswer`. All in steps of 10 ms.
 */
function answered(
  engine: EngineUnderTest,
  perSecond: number,
  flood: () => string,
  packet: string,
  isAnswer: (out: string) => boolean,
): number {
  let answers = 0;
  let owed = 0;
  for (let ms = 0; ms < 20_000; ms += 10) {
    const batch: string[] = [];
    for (owed += perSecond / 100; owed >= 1; owed--) batch.push(flood());
    if (ms % 500 === 250) batch.push(packet);
    answers += engine.run(batch, 100_000 + ms).filter(isAnswer).length;
  }
  return answers;
}

const next = random();
/** From any host of the Internet to an address of the pool that no binding holds. */
const scan = (): string =>
  ipv4({ src: `${64 + (next() % 60)}.${next() % 256}.${next() % 256}.7`, dst: `198.51.103.${1 + (next() % 250)}` });
const tooBig = ipv4({ src: INTERNET, dst: DEVICE, df: true, payload: udp(1_472) });
const isTooBig = (out: string): boolean => out.slice(40, 44) === '0304';
const lastHop = tunnelled(G1, ipv4({ src: DEVICE, dst: INTERNET, ttl: 1 }));
const isTimeExceeded = (out: string): boolean => out.slice(80 + 40, 80 + 44) === '0b00';

for (const perSecond of [20, 100, 1_000]) {
  test(`a scan of unbound addresses, ${perSecond} packets a second, stops no path MTU discovery (D56, D96, D104, seed ${seed})`, async () => {
    const engine = await engineFor('aftr');
    assert.is(answered(engine, perSecond, scan, tooBig, isTooBig), 40);
    const { sent, suppressed } = icmpv4Errors(engine);
    assert.is(sent + suppressed, 20 * perSecond + 40);
    assert.ok(sent >= 40 + 190 && sent <= 40 + 220, `${sent} sent`);
  });

  test(`nor a traceroute through the tunnel (D28, D96, D104, seed ${seed})`, async () => {
    const engine = await engineFor('aftr');
    assert.is(answered(engine, perSecond, scan, lastHop, isTimeExceeded), 40);
  });
}

test('packets too big for the egress link are reported during a scan (D74, D96)', async () => {
  const engine = await engineFor('aftr');
  engine.forwarding.setEgressMtus(new Map([['br', 1_400]]));
  const big = tunnelled(G1, ipv4({ src: DEVICE, dst: INTERNET, df: true, payload: udp(1_400) }));
  assert.is(
    answered(engine, 1_000, scan, big, (out) => out.slice(80 + 40, 80 + 44) === '0304'),
    40,
  );
});

test.run();
