import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { Batch } from '../../src/datapath/batch.ts';
import { CounterReader } from '../../src/datapath/counter-reader.ts';
import { Counters, SIDE_IPV4, SIDE_IPV6 } from '../../src/datapath/counters.ts';
import { Events } from '../../src/datapath/events.ts';
import { DROP_NO_BINDING, FORWARDED } from '../../src/datapath/verdict.ts';

const test = suite('counters');

/** A batch of packets as the engine leaves it: [instance, version, verdict, octets]. */
function decided(packets: readonly (readonly [number, number, number, number])[]): Batch {
  const batch = new Batch(64, 128);
  batch.count = packets.length;
  for (const [k, [instance, side, verdict, octets]] of packets.entries()) {
    batch.instances[k] = instance;
    batch.sides[k] = side;
    batch.verdicts[k] = verdict;
    batch.lengths[k] = octets;
  }
  return batch;
}

test('each packet counts once, with its octets, for its instance, side and verdict', () => {
  const counters = new Counters(2);
  const batch = decided([
    [0, 4, FORWARDED, 100],
    [0, 4, FORWARDED, 50],
    [0, 6, FORWARDED, 7],
    [255, 4, DROP_NO_BINDING, 20],
    [0, 4, FORWARDED, 1],
  ]);
  counters.countBatch(0, batch);
  counters.countBatch(1, batch);
  assert.equal(counters.read(0, SIDE_IPV4, FORWARDED), { packets: 6, octets: 302 });
  assert.equal(counters.read(0, SIDE_IPV6, FORWARDED), { packets: 2, octets: 14 });
  assert.equal(counters.read(255, SIDE_IPV4, DROP_NO_BINDING), { packets: 2, octets: 40 });
  assert.equal(counters.read(255, SIDE_IPV6, DROP_NO_BINDING), { packets: 0, octets: 0 });
});

test('octets carry over 2^32', () => {
  const counters = new Counters(1);
  const batch = decided(new Array<readonly [number, number, number, number]>(64).fill([3, 6, FORWARDED, 65_535]));
  for (let i = 0; i < 1_100; i++) counters.countBatch(0, batch);
  assert.equal(counters.read(3, SIDE_IPV6, FORWARDED), { packets: 70_400, octets: 70_400 * 65_535 });
  assert.ok(70_400 * 65_535 > 2 ** 32);
});

test('an instance counts from when it began, whoever had its number before', () => {
  const counters = new Counters(1);
  const reader = new CounterReader('aftr', counters, new Events(1));
  reader.begin(5);
  counters.countBatch(0, decided([[5, 4, FORWARDED, 10]]));
  assert.equal(reader.read('old', 5).ipv4.forwarded, { packets: 1, octets: 10 });
  reader.begin(5);
  assert.equal(reader.read('new', 5).ipv4.received, { packets: 0, octets: 0 });
  counters.countBatch(0, decided([[5, 4, DROP_NO_BINDING, 30]]));
  const { ipv4, name, role } = reader.read('new', 5);
  assert.equal([name, role], ['new', 'aftr']);
  assert.equal(ipv4.drops, { 'no-binding': { packets: 1, octets: 30 } });
  assert.equal([ipv4.received, ipv4.dropped], [ipv4.drops['no-binding'], ipv4.drops['no-binding']]);
});

test.run();
