import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { formatIpv4 } from '../../src/address.ts';
import { allocateShared } from '../../src/datapath/memory.ts';
import { OwnAddresses } from '../../src/datapath/own-addresses.ts';
import { EngineUnderTest, GATEWAY } from '../helpers/engine-case.ts';
import { fastPathOf } from '../helpers/fast-path.ts';
import { ipv4, ipv6 } from '../helpers/packets.ts';
import { random, seed } from '../helpers/random.ts';

const test = suite('own-addresses');

const OTHER = 0x08_08_08_08;
const SERVED = 0xc6_33_64_07;
const INSTANCE = 0xcb_00_71_01;

/** Whether a packet from IPv4, or one from the tunnel, is good on the fast path. */
type Judge = (from: 4 | 6, source: number, destination: number) => boolean;

/** Of a gateway that serves all these addresses, so that nothing but an own one keeps a packet from the fast path. */
async function judgeFor(links: number): Promise<Judge> {
  const engine = new EngineUnderTest('gateway');
  const prefixes = ['10.0.0.0/8', '198.51.100.0/24', '203.0.113.0/24'];
  const served = prefixes.map((prefix) => ({ 'ipv4-prefix': prefix }));
  await engine.configure([{ ...GATEWAY, 'ipv4-address': formatIpv4(INSTANCE), 'served-prefix': served }]);
  const { broadcasts, hosts } = addressesOf(links);
  engine.forwarding.setLinkAddresses(broadcasts, hosts);
  const fastPath = fastPathOf(engine.forwarding);
  const { batch } = engine;
  fastPath.enter(batch);
  return (from, source, destination) => {
    const inner = ipv4({ src: formatIpv4(source), dst: formatIpv4(destination) });
    const packet = from === 4 ? inner : ipv6({ src: '2001:db8:b::1', dst: '2001:db8:a::1', payload: inner });
    batch.clearOutputs();
    batch.count = 1;
    batch.lengths[0] = packet.length / 2;
    batch.buf.set(Buffer.from(packet, 'hex'), batch.at[0]);
    fastPath.lookUp(batch);
    return fastPath.forward(batch, 0, false) === 1;
  };
}

/** So many subnets of length 24 from 10.0.0.0 on: the address of this device in each, and the broadcast address. */
function addressesOf(links: number): { readonly hosts: number[]; readonly broadcasts: number[] } {
  const hosts = Array.from({ length: links }, (_, i) => 0x0a_00_00_01 + i * 256);
  return { hosts, broadcasts: hosts.map((host) => host + 254) };
}

for (const links of [0, 1, 100, 1_000, 4_096]) {
  test(`${links} links: no packet of others leaves the fast path (seed ${seed})`, async () => {
    const isGood = await judgeFor(links);
    const next = random();
    for (let i = 0; i < 10_000; i++) {
      const [served, other] = [0xc6_33_64_00 + (next() % 256), 0x20_00_00_00 + (next() % 0x5e_00_00_00)];
      assert.ok(isGood(4, served, other) && isGood(6, other, served), `${served} ${other}`);
    }
  });

  test(`${links} links: each address is found, as what it is`, async () => {
    const isGood = await judgeFor(links);
    const { hosts, broadcasts } = addressesOf(links);
    for (const [addresses, isNoHost] of [
      [hosts, false],
      [[...broadcasts, INSTANCE], true],
    ] as const) {
      for (const address of addresses) {
        assert.not(isGood(6, address, SERVED), `${address} from the tunnel`);
        assert.is(isGood(4, address, OTHER), !isNoHost, `${address} from IPv4`);
        assert.is(isGood(6, OTHER, address), !isNoHost, `${address} to it`);
      }
    }
    const own = new OwnAddresses(allocateShared);
    own.set([INSTANCE], broadcasts, hosts);
    assert.ok(hosts.every((address) => own.isHost(address) && !own.isBroadcast(address)));
    assert.ok(broadcasts.every((address) => own.isBroadcast(address) && !own.isHost(address)));
    assert.ok(own.isInstance(INSTANCE) && !own.isInstance(OTHER));
  });
}

test('an address may be of several kinds, and is gone with the next list', () => {
  const own = new OwnAddresses(allocateShared);
  own.set([INSTANCE], [INSTANCE], [INSTANCE]);
  assert.ok(own.isInstance(INSTANCE) && own.isBroadcast(0xcb_00_71_01) && own.isHost(0xcb_00_71_01));
  own.set([], [], [INSTANCE]);
  assert.not(own.isInstance(INSTANCE) || own.isBroadcast(0xcb_00_71_01));
  own.set([], [], []);
  assert.not(own.isHost(0xcb_00_71_01));
});

test.run();
