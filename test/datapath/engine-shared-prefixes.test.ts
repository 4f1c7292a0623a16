/** Two gateways of one device that serve the same addresses, as routes that both learned make them. */

import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { formatIpv4, inIpv4Prefix } from '../../src/address.ts';
import { planInstances } from '../../src/datapath/configuration.ts';
import { ROW_OTHER } from '../../src/datapath/layout.ts';
import { readConfiguration } from '../../src/state/configuration-reader.generated.ts';
import { EngineUnderTest, GATEWAY, packetCounts } from '../helpers/engine-case.ts';
import type { Ipv4Fields } from '../helpers/packets.ts';
import { icmpv6, ipv4, ipv6 } from '../helpers/packets.ts';
import { random, seed } from '../helpers/random.ts';

const test = suite('engine-shared-prefixes');

const DEVICE = '198.51.100.10';
const INTERNET = '203.0.113.80';
const P = '198.51.100.0/24';

const SILENT = {
  'icmpv4-errors': { 'generate-icmpv4-errors': false },
  'icmpv6-errors': { 'generate-icmpv6-errors': false },
};

/** Gateway `i` with an AFTR of its own. */
function gateway(i: number, ...served: string[]) {
  return {
    ...GATEWAY,
    name: `gw${i}`,
    'ipv6-address': `2001:db8:a::${i}`,
    'aftr-ipv6-address': `2001:db8:b::${i}`,
    'ipv4-address': `192.0.2.${i}`,
    'served-prefix': served.map((prefix) => ({ 'ipv4-prefix': prefix })),
    'icmp-policy': SILENT,
  };
}

type Gateways = readonly (ReturnType<typeof gateway> & { readonly enabled?: boolean })[];

/** From the AFTR of gateway `from` to gateway `i`, and the other way. */
const through = (i: number, payload: string, from = i): string =>
  ipv6({ src: `2001:db8:b::${from}`, dst: `2001:db8:a::${i}`, payload });
const into = (i: number, payload: string): string =>
  ipv6({ src: `2001:db8:a::${i}`, dst: `2001:db8:b::${i}`, payload });

interface Case {
  readonly name: string;
  readonly gateways: Gateways;
  readonly in: readonly string[];
  readonly out: readonly string[];
  /** Of each gateway. */
  readonly counters: readonly Readonly<Record<string, number>>[];
}

/** Packets without options take the fast path, others the slow one. */
function casesOf(options: string): readonly Case[] {
  const packet = (fields: Ipv4Fields) => ipv4({ ...fields, options });
  const up = packet({ src: DEVICE, dst: INTERNET });
  const down = packet({ src: INTERNET, dst: DEVICE });
  return [
    {
      name: 'a prefix of two: what comes through either is taken, what leaves goes through the first',
      gateways: [gateway(1, P), gateway(2, P)],
      in: [through(1, down), through(2, down), up],
      out: [down, down, into(1, up)],
      counters: [{ 'ipv6 forwarded': 1, 'ipv4 forwarded': 1 }, { 'ipv6 forwarded': 1 }],
    },
    {
      name: 'the first is by the order of the configuration',
      gateways: [gateway(2, P), gateway(1, P)],
      in: [up],
      out: [into(2, up)],
      counters: [{ 'ipv4 forwarded': 1 }, {}],
    },
    {
      name: 'a prefix of three',
      gateways: [gateway(1, P), gateway(2, P), gateway(3, P)],
      in: [through(3, down), through(2, down), through(1, down)],
      out: [down, down, down],
      counters: [{ 'ipv6 forwarded': 1 }, { 'ipv6 forwarded': 1 }, { 'ipv6 forwarded': 1 }],
    },
    {
      name: 'from the AFTR of the other one',
      gateways: [gateway(1, P), gateway(2, P)],
      in: [through(1, down, 2), through(2, down, 1)],
      out: [],
      counters: [{ 'ipv6 wrong-aftr': 1 }, { 'ipv6 wrong-aftr': 1 }],
    },
    {
      name: 'through one that does not serve it',
      gateways: [gateway(1, P), gateway(2, P), gateway(3, '192.0.2.128/25')],
      in: [through(3, down)],
      out: [],
      counters: [{}, {}, { 'ipv6 endpoint-mismatch': 1 }],
    },
    {
      name: 'a part of a prefix of the first: its packets leave through the second, and come through both',
      gateways: [gateway(1, P), gateway(2, '198.51.100.8/29')],
      in: [through(1, down), through(2, down), up, through(2, packet({ src: INTERNET, dst: '198.51.100.20' }))],
      out: [down, down, into(2, up)],
      counters: [{ 'ipv6 forwarded': 1 }, { 'ipv6 forwarded': 1, 'ipv4 forwarded': 1, 'ipv6 endpoint-mismatch': 1 }],
    },
    {
      name: 'a part of a part, and of each the nearest around it',
      gateways: [gateway(1, '198.51.0.0/16'), gateway(2, P), gateway(3, `${DEVICE}/32`)],
      in: [1, 2, 3].map((i) => through(i, down)),
      out: [down, down, down],
      counters: [{ 'ipv6 forwarded': 1 }, { 'ipv6 forwarded': 1 }, { 'ipv6 forwarded': 1 }],
    },
    {
      name: 'to a device behind the same gateway, which would come back: whichever of the two it is',
      gateways: [gateway(1, P), gateway(2, P, '198.51.102.0/24')],
      in: [
        through(2, packet({ src: '198.51.102.1', dst: DEVICE })),
        through(1, packet({ src: '198.51.100.77', dst: DEVICE })),
        packet({ src: '198.51.102.1', dst: DEVICE }),
      ],
      out: [],
      counters: [{ 'ipv6 loop-prevented': 1 }, { 'ipv6 loop-prevented': 1, 'ipv4 loop-prevented': 1 }],
    },
    {
      name: 'to a device behind another gateway: it comes back through that one',
      gateways: [gateway(1, P), gateway(2, '198.51.102.0/24')],
      in: [packet({ src: '198.51.102.1', dst: DEVICE }), through(1, packet({ src: '198.51.102.1', dst: DEVICE }))],
      out: [into(2, packet({ src: '198.51.102.1', dst: DEVICE })), packet({ src: '198.51.102.1', dst: DEVICE })],
      counters: [{ 'ipv6 forwarded': 1 }, { 'ipv4 forwarded': 1 }],
    },
  ];
}

for (const [options, where] of [
  ['', 'fast path'],
  ['01010101', 'slow path'],
] as const) {
  for (const { name, gateways, in: packets, out, counters } of casesOf(options)) {
    test(`${where}: ${name}`, async () => {
      const engine = new EngineUnderTest('gateway');
      await engine.configure(gateways);
      assert.equal(engine.run(packets), out);
      const counts = engine.counters().map((instance) => packetCounts([instance]));
      assert.equal(counts, counters);
    });
  }
}

test('what a gateway is configured to serve leaves through it, whichever other one learned it', async () => {
  const configured = [gateway(1), gateway(2, P)];
  const withLearned = [gateway(1, P), gateway(2, P)];
  const read = (gateways: Gateways) => readConfiguration({ 'gi-4over6:softwire': { gateway: gateways } });
  const engine = new EngineUnderTest('gateway');
  const { forwarding } = engine;
  forwarding.setInstances(planInstances('gateway', read(withLearned), read(configured)));
  await forwarding.synchronizeServedPrefixes(() => Promise.resolve());
  const up = ipv4({ src: DEVICE, dst: INTERNET });
  assert.equal(engine.run([up]), [into(2, up)]);
});

test('an error about a packet that left by the second while the first goes out of use is relayed, before the rows follow', async () => {
  const loud = (i: number) => ({ ...gateway(i, P), 'icmp-policy': {} });
  const engine = new EngineUnderTest('gateway');
  await engine.configure([loud(1), loud(2)]);
  const off = readConfiguration({ 'gi-4over6:softwire': { gateway: [{ ...loud(1), enabled: false }, loud(2)] } });
  engine.forwarding.setInstances(planInstances('gateway', off));
  const up = ipv4({ src: DEVICE, dst: INTERNET });
  assert.equal(engine.run([up]), [into(2, up)]);
  const [router, local] = ['2001:db8:99::1', '2001:db8:a::2'];
  const payload = icmpv6(router, local, 3, 0, `00000000${into(2, up)}`);
  assert.is(engine.run([ipv6({ src: router, dst: local, nextHeader: 58, payload })]).length, 1);
  const counts = packetCounts(engine.counters().filter(({ name }) => name === 'gw2'));
  assert.equal(counts, { 'ipv4 forwarded': 1, 'ipv6 forwarded': 1 });
});

test('while one of two takes over a lot of prefixes and gives them back, no packet of the other is lost', async () => {
  const engine = new EngineUnderTest('gateway', 40_000);
  const many = Array.from({ length: 12_000 }, (_, i) => `10.0.${i >> 8}.${i & 255}/32`);
  const both = [gateway(1, ...many), gateway(2, ...many)];
  await engine.configure(both);
  const [first, last] = ['10.0.0.0', '10.0.46.223'];
  const downs = [first, last].map((dst) => ipv4({ src: INTERNET, dst }));
  const ups = [first, last].map((src) => ipv4({ src, dst: INTERNET }));
  const read = (gateways: Gateways) => readConfiguration({ 'gi-4over6:softwire': { gateway: gateways } });
  for (const [gateways, leavesBy, firstTakes] of [
    [[gateway(1), gateway(2, ...many)], 2, false],
    [both, 1, true],
    [[{ ...gateway(1, ...many), enabled: false }, gateway(2, ...many)], 2, false],
    [both, 1, true],
    [[gateway(2, ...many)], 2, false],
  ] as const) {
    engine.forwarding.setInstances(planInstances('gateway', read(gateways)));
    let pauses = 0;
    const look = () => {
      pauses++;
      assert.equal(engine.run(downs.map((down) => through(2, down))), downs);
      const left = engine.run(ups);
      for (const [k, up] of ups.entries()) assert.ok([into(1, up), into(2, up)].includes(left[k] ?? ''), `up ${k}`);
      return Promise.resolve();
    };
    await engine.forwarding.synchronizeServedPrefixes(look);
    engine.forwarding.releaseNumbers();
    assert.ok(pauses >= 4, `${pauses} pauses`);
    assert.is(engine.forwarding.table.rows[ROW_OTHER] !== 0, firstTakes, 'nothing is asked for when nothing is shared');
    await look();
    assert.equal(
      engine.run(ups),
      ups.map((up) => into(leavesBy, up)),
    );
    assert.equal(engine.run(downs.map((down) => through(1, down))), firstTakes ? downs : []);
  }
});

test(`random prefixes of three gateways come and go: each takes exactly what it serves (seed ${seed})`, async () => {
  const next = random();
  const below = (n: number) => next() % n;
  const engine = new EngineUnderTest('gateway', 60);
  const randomPrefix = () => {
    const length = 20 + below(13);
    const address = ((0x0a000000 | below(4096)) & (-1 << (32 - length))) >>> 0;
    return { address, length };
  };
  for (let round = 0; round < 150; round++) {
    const served = [1, 2, 3]
      .slice(0, 1 + below(3))
      .map((i) => ({ i, list: Array.from({ length: below(12) }, randomPrefix) }));
    const texts = served.map(({ i, list }) => {
      const distinct = new Set(list.map(({ address, length }) => `${formatIpv4(address)}/${length}`));
      return gateway(i, ...distinct);
    });
    await engine.configure(texts);
    for (let k = 0; k < 60; k++) {
      const address = (0x0a000000 | below(4096)) >>> 0;
      const options = k % 2 === 0 ? '' : '01010101';
      const longest = (list: readonly { address: number; length: number }[]) =>
        Math.max(-1, ...list.filter((prefix) => inIpv4Prefix(address, prefix)).map(({ length }) => length));
      const matches = served.map(({ i, list }) => ({ i, length: longest(list) }));
      const best = Math.max(...matches.map(({ length }) => length));
      const owner = best < 0 ? undefined : matches.find(({ length }) => length === best);
      const up = ipv4({ src: formatIpv4(address), dst: INTERNET, options });
      assert.equal(engine.run([up]), owner ? [into(owner.i, up)] : []);
      const down = ipv4({ src: INTERNET, dst: formatIpv4(address), options });
      for (const { i, length } of matches) assert.equal(engine.run([through(i, down)]), length < 0 ? [] : [down]);
    }
  }
});

test.run();
