/** D129: of however many gateways, each is looked at in turn, and those that are not reached are told of; on hosts that are made up. */

import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { formatIpv6 } from '../../src/address.ts';
import type { BoundGateways } from '../../src/kernel/gateway-round.ts';
import { GatewayRound, NO_GATEWAYS } from '../../src/kernel/gateway-round.ts';
import type { Way } from '../../src/kernel/netlink.ts';

const test = suite('kernel: gateway round');

const LINKS = ['eth0', 'gi-aftr'].map((name, i) => ({ index: i + 1, name, mtu: 1500, isUp: true }));

/** 2001:db8::N. */
function gatewayOf(number: number): Uint8Array {
  return Uint8Array.of(0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, number >>> 8, number & 255);
}

function numberOf(octets: Uint8Array): number {
  return ((octets[14] ?? 0) << 8) + (octets[15] ?? 0);
}

/** Gateways 0 to `size`, all reached out of eth0 but those of `ways`; each answer of the kernel takes `ms`. */
class Host {
  readonly ways = new Map<number, Way>();
  readonly asked: number[] = [];
  readonly #round = new GatewayRound();
  readonly #ms: number;
  size: number;

  constructor(size: number, ms = 0) {
    this.size = size;
    this.#ms = ms;
  }

  lose(number: number): void {
    this.ways.set(number, { kind: 'none', link: 0 });
  }

  async look(): Promise<{ sentences: string[]; stops: boolean }> {
    this.asked.length = 0;
    const wayTo = async (octets: Uint8Array) => {
      const end = performance.now() + this.#ms;
      while (performance.now() < end);
      this.asked.push(numberOf(octets));
      return this.ways.get(numberOf(octets)) ?? ({ kind: 'link', link: 1 } as const);
    };
    const bound: BoundGateways = {
      ...NO_GATEWAYS,
      some: (from, count) => {
        const end = Math.min(from + count, this.size);
        const gateways = Array.from({ length: end - from }, (_, i) => gatewayOf(from + i));
        return { gateways, next: end === this.size ? 0 : end };
      },
      leadsTo: (octets) => numberOf(octets) < this.size,
    };
    const problems = await this.#round.look(bound, { links: LINKS, device: 'gi-aftr', netlink: { wayTo } }, []);
    const stops = problems.some((problem) => problem.stops?.role === 'aftr');
    return { sentences: problems.map(({ sentence }) => sentence), stops };
  }
}

const lost = (number: number) => `no IPv6 route leads to gateway ${formatIpv6(gatewayOf(number))}, which bindings name`;

test('where the kernel is slow, a look ends early, and the next ones go on until all have had their turn', async () => {
  const host = new Host(400, 2);
  host.lose(399);
  host.ways.set(398, { kind: 'link', link: 2 });
  const seen = new Set<number>();
  let found: string[] = [];
  let looks = 0;
  for (; found.length < 2; looks++) {
    assert.ok(looks < 100, 'the last two were not found');
    found = (await host.look()).sentences;
    assert.ok(host.asked.length < 40, `${host.asked.length} were asked for in one look`);
    for (const number of host.asked) seen.add(number);
  }
  assert.is(seen.size, 400);
  assert.ok(looks > 1);
  assert.match(
    found[0] ?? '',
    /^gateway 2001:db8::18e is reached through softwires.*leads to gi-aftr/,
    'recursion first',
  );
  assert.is(found[1], lost(399));
});

test('a look at many lets others run on its core now and then, those with faults among them', async () => {
  for (const faults of [0, 64]) {
    const host = new Host(64);
    for (let number = 0; number < faults; number++) host.lose(number);
    // Then all of them are right again: they are no longer told of, and still looked at.
    if (faults > 0) await host.look();
    host.ways.clear();
    const turns = new Set<number>();
    // A machine that was away in the first moments ends a look with its first slice.
    for (let looks = 0; looks < 20 && turns.size === 0; looks++) {
      let isOver = false;
      const watched = (async () => {
        for (; !isOver; await new Promise(setImmediate)) {
          if (host.asked.length > 0 && host.asked.length < 64) turns.add(host.asked.length % 4);
        }
      })();
      await host.look();
      isOver = true;
      await watched;
    }
    assert.equal([...turns], [0], `of ${faults} faults`);
  }
});

test('a look begins when the one before has ended', async () => {
  const host = new Host(400, 2);
  await Promise.all([host.look(), host.look()]);
  // The second one begins with the one that was reached.
  const second = host.asked.indexOf(0, 1);
  const numbers = (from: number, end: number) => Array.from({ length: end - from }, (_, i) => from + i);
  assert.equal(host.asked, [...numbers(0, second), 0, ...numbers(second, host.asked.length - 1)]);
  assert.ok(second < host.asked.length - 1);
});

test('what was found is told until it is right again, or bound to nothing', async () => {
  const host = new Host(400, 2);
  host.lose(3);
  host.lose(5);
  for (let i = 0; i < 2; i++) assert.equal((await host.look()).sentences, [lost(3), lost(5)]);
  host.ways.delete(3);
  assert.equal((await host.look()).sentences, [lost(5)]);
  host.size = 5;
  assert.equal((await host.look()).sentences, []);
});

test('sixteen are told one by one, the others by their number, and any recursion before them', async () => {
  const host = new Host(2_000);
  for (let number = 0; number < 20; number++) host.lose(number);
  const told = async (count: number) => {
    let found = await host.look();
    for (let i = 0; i < 100 && found.sentences.length < count; i++) found = await host.look();
    return found.sentences;
  };
  const few = await told(17);
  assert.equal(few.slice(0, 2), [lost(0), lost(1)]);
  assert.is(few[16], '4 more of the gateways which bindings name are not reached either');
  for (let number = 0; number < 1_500; number++) host.lose(number);
  let many = await told(17);
  for (let i = 0; i < 100 && !many[16]?.startsWith('at least'); i++) many = (await host.look()).sentences;
  assert.is(many[16], 'at least 1008 more of the gateways which bindings name are not reached either');
  host.ways.set(1_900, { kind: 'link', link: 2 });
  for (let i = 0; i < 100 && !many[0]?.includes('softwires'); i++) many = (await host.look()).sentences;
  assert.match(many[0] ?? '', /^gateway 2001:db8::76c is reached through softwires/);
});

test('an AFTR forwards as long as one gateway is reached, wherever the looks are', async () => {
  const host = new Host(300, 2);
  for (let number = 0; number < 300; number++) if (number !== 250) host.lose(number);
  assert.ok((await host.look()).stops, 'none of those that were looked at is reached');
  let found = await host.look();
  for (let i = 0; i < 100 && found.stops; i++) found = await host.look();
  for (let i = 0; i < 20; i++) assert.not.ok((await host.look()).stops, 'the one that is reached is remembered');
  host.lose(250);
  assert.ok((await host.look()).stops);
});

test.run();
