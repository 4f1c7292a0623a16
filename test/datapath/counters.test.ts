import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { Batch } from '../../src/datapath/batch.ts';
import { CounterReader } from '../../src/datapath/counter-reader.ts';
import { Counters, LANE_WORDS, SIDE_IPV4, SIDE_IPV6 } from '../../src/datapath/counters.ts';
import { Engine } from '../../src/datapath/engine.ts';
import { Events } from '../../src/datapath/events.ts';
import { Forwarding } from '../../src/datapath/forwarding.ts';
import { IcmpBudget } from '../../src/datapath/icmp-budget.ts';
import { DROP_NO_BINDING, FORWARDED, VERDICTS } from '../../src/datapath/verdict.ts';

const test = suite('counters');

/** Two workers of a role, and what they have counted. */
function twoWorkers() {
  const forwarding = new Forwarding('aftr', 2, 1, 'small');
  const { engine } = forwarding.memory;
  const batch = new Batch(64, 128, 0, forwarding.allocate);
  const workers = [0, 1].map((worker) => new Engine(engine, worker));
  return {
    counters: new Counters(2, engine.counters),
    /** Counts packets as an engine leaves them: [instance, version, verdict, octets]. */
    count: (worker: number, packets: readonly (readonly [number, number, number, number])[]): void => {
      batch.count = packets.length;
      for (const [k, [instance, side, verdict, octets]] of packets.entries()) {
        batch.instances[k] = instance;
        batch.sides[k] = side;
        batch.verdicts[k] = verdict;
        batch.lengths[k] = octets;
      }
      workers[worker]?.count(batch);
    },
  };
}

test('each packet counts once, with its octets, for its instance, side and verdict', () => {
  const { counters, count } = twoWorkers();
  const packets = [
    [0, 4, FORWARDED, 100],
    [0, 4, FORWARDED, 50],
    [0, 6, FORWARDED, 7],
    [255, 4, DROP_NO_BINDING, 20],
    [0, 4, FORWARDED, 1],
    [7, 15, VERDICTS - 1, 3],
  ] as const;
  count(0, packets);
  count(1, packets);
  assert.equal(counters.read(0, SIDE_IPV4, FORWARDED), { packets: 6, octets: 302 });
  assert.equal(counters.read(0, SIDE_IPV6, FORWARDED), { packets: 2, octets: 14 });
  assert.equal(counters.read(255, SIDE_IPV4, DROP_NO_BINDING), { packets: 2, octets: 40 });
  assert.equal(counters.read(255, SIDE_IPV6, DROP_NO_BINDING), { packets: 0, octets: 0 });
  assert.equal(counters.read(7, SIDE_IPV6, VERDICTS - 1), { packets: 2, octets: 6 });
});

test('octets carry over 2^32, and another worker has words of its own', () => {
  const { counters, count } = twoWorkers();
  const packets = new Array<readonly [number, number, number, number]>(64).fill([3, 6, FORWARDED, 65_535]);
  for (let i = 0; i < 1_100; i++) count(1, packets);
  assert.equal(counters.read(3, SIDE_IPV6, FORWARDED), { packets: 70_400, octets: 70_400 * 65_535 });
  assert.ok(70_400 * 65_535 > 2 ** 32);
  // The sequence word of its lane was odd and is even again.
  assert.equal([counters.words[0], counters.words[LANE_WORDS]], [0, 2]);
});

test('an instance counts from when it began, whoever had its number before', () => {
  const { counters, count } = twoWorkers();
  const reader = new CounterReader('aftr', counters, new Events(1), new IcmpBudget(0));
  reader.begin(5);
  count(0, [[5, 4, FORWARDED, 10]]);
  assert.equal(reader.read('old', 5).ipv4.forwarded, { packets: 1, octets: 10 });
  reader.begin(5);
  assert.equal(reader.read('new', 5).ipv4.received, { packets: 0, octets: 0 });
  count(0, [[5, 4, DROP_NO_BINDING, 30]]);
  const { ipv4, name, role } = reader.read('new', 5);
  assert.equal([name, role], ['new', 'aftr']);
  assert.equal(ipv4.drops, { 'no-binding': { packets: 1, octets: 30 } });
  assert.equal([ipv4.received, ipv4.dropped], [ipv4.drops['no-binding'], ipv4.drops['no-binding']]);
});

test.run();
