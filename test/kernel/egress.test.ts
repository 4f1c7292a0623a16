import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { egressMtus } from '../../src/kernel/egress.ts';
import type { KernelConfig } from '../../src/kernel/plan.ts';

const test = suite('egress');

const ADDRESS = new Uint8Array(16);
const LINKS = [
  { index: 1, name: 'lo', mtu: 65_536, isUp: true },
  { index: 2, name: 'left', mtu: 1_500, isUp: true },
  { index: 3, name: 'lab', mtu: 1_400, isUp: true },
  { index: 4, name: 'right', mtu: 9_000, isUp: true },
];

function configuration(interfaces: readonly string[]): KernelConfig {
  const gateway = {
    name: 'home',
    ipv6Address: ADDRESS,
    aftrIpv6Address: ADDRESS,
    servedPrefixes: [],
    payloadMtu: 1_460,
    icmpSource: { ipv4Address: undefined, sendsErrors: false },
  };
  return {
    gatewayDevice: 'gi-gw',
    aftrDevice: 'gi-aftr',
    gateways: [{ ...gateway, ipv4Interfaces: interfaces }],
    aftrs: ['a', 'b'].map((name) => ({
      name,
      ipv6Addresses: [ADDRESS],
      pools: [],
      payloadMtu: 1_460,
      icmpSource: { ipv4Address: undefined, sendsErrors: false },
    })),
  };
}

const cases = [
  [['left'], 4, [['home', 1_500]], 9_000, 'one link, and the way outside'],
  [['left', 'lab'], 4, [['home', 1_400]], 9_000, 'the smallest of several'],
  [['left', 'gone'], 4, [['home', 1_500]], 9_000, 'a link that is not there does not count'],
  [['gone'], 4, [], 9_000, 'no link at all: not known'],
  [[], 0, [], undefined, 'no way outside: not known'],
] as const;
for (const [interfaces, outside, inside, mtu, why] of cases) {
  test(why, () => {
    const { gateway, aftr } = egressMtus(configuration(interfaces), LINKS, outside);
    assert.equal([...gateway], [...inside]);
    assert.equal([aftr.get('a'), aftr.get('b')], [mtu, mtu]);
  });
}

test.run();
