import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { allocateShared, swapWord } from '../../src/datapath/memory.ts';
import { ANY_OWN, NO_HOSTS, OwnAddresses, touchesOwn } from '../../src/datapath/own-addresses.ts';
import { DESTINATION_WORD, SOURCE_WORD } from '../../src/datapath/plain.ts';
import { random, seed } from '../helpers/random.ts';

const test = suite('own-addresses');

const OTHER = 0x08_08_08_08;

function packet(source: number, destination: number): Int32Array {
  const words = new Int32Array(5);
  words[SOURCE_WORD] = swapWord(source);
  words[DESTINATION_WORD] = swapWord(destination);
  return words;
}

/** So many subnets of length 24 from 10.0.0.0 on: the address of this device in each, and the broadcast address. */
function addressesOf(links: number): { readonly hosts: number[]; readonly broadcasts: number[] } {
  const hosts = Array.from({ length: links }, (_, i) => 0x0a_00_00_01 + i * 256);
  return { hosts, broadcasts: hosts.map((host) => host + 254) };
}

for (const links of [0, 1, 100, 1_000, 4_096]) {
  test(`${links} links: no packet of others leaves the fast path (seed ${seed})`, () => {
    const own = new OwnAddresses(allocateShared);
    const { hosts, broadcasts } = addressesOf(links);
    own.set([0xcb_00_71_01], broadcasts, hosts);
    const next = random();
    let touched = 0;
    for (let i = 0; i < 20_000; i++) {
      const words = packet(0xc6_33_64_00 + (next() % 256), 0x20_00_00_00 + (next() % 0x60_00_00_00));
      if (touchesOwn(own.words, words, 0, ANY_OWN)) touched++;
    }
    assert.is(touched, 0);
  });

  test(`${links} links: each address is found, as what it is`, () => {
    const own = new OwnAddresses(allocateShared);
    const { hosts, broadcasts } = addressesOf(links);
    own.set([0xcb_00_71_01], broadcasts, hosts);
    for (const [addresses, isNoHost] of [
      [hosts, false],
      [[...broadcasts, 0xcb_00_71_01], true],
    ] as const) {
      for (const address of addresses) {
        assert.ok(touchesOwn(own.words, packet(address, OTHER), 0, ANY_OWN));
        assert.is(touchesOwn(own.words, packet(address, OTHER), 0, NO_HOSTS), isNoHost);
        assert.is(touchesOwn(own.words, packet(OTHER, address), 0, ANY_OWN), isNoHost);
      }
    }
    assert.ok(hosts.every((address) => own.isHost(address) && !own.isBroadcast(address)));
    assert.ok(broadcasts.every((address) => own.isBroadcast(address) && !own.isHost(address)));
    assert.ok(own.isInstance(0xcb_00_71_01) && !own.isInstance(OTHER));
  });
}

test('an address may be of several kinds, and is gone with the next list', () => {
  const own = new OwnAddresses(allocateShared);
  own.set([0xcb_00_71_01], [0xcb_00_71_01], [0xcb_00_71_01]);
  assert.ok(own.isInstance(0xcb_00_71_01) && own.isBroadcast(0xcb_00_71_01) && own.isHost(0xcb_00_71_01));
  own.set([], [], [0xcb_00_71_01]);
  assert.not(own.isInstance(0xcb_00_71_01) || own.isBroadcast(0xcb_00_71_01));
  own.set([], [], []);
  assert.not(own.isHost(0xcb_00_71_01));
});

test.run();
