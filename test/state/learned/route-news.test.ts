/** News of very many routes are taken in slices, so that others have their turn meanwhile; each is taken once. */

import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { readConfiguration } from '../../../src/state/configuration-reader.generated.ts';
import type { LearningStore } from '../../../src/state/learned/learning.ts';
import { RouteTable } from '../../../src/state/learned/route-table.ts';
import { prefixNumber } from '../../../src/state/rows.ts';
import type { Snapshot } from '../../../src/state/snapshot.ts';

const test = suite('news of routes');

const ROUTES = 10_240;
const BEYOND = 240;
const source = {
  name: 'g',
  'gateway-ipv6-address': '2001:db8:a::1',
  'maximum-routes': ROUTES - BEYOND,
  'allowed-prefix': ['10.0.0.0/8'],
};
const SOFTWIRE = readConfiguration({
  'gi-4over6:softwire': {
    aftr: [{ name: 'a', 'ipv6-address': '2001:db8:b::1', 'ipv4-pool': ['10.0.0.0/8'], 'route-source': [source] }],
  },
});
const NO_ROWS = { count: () => 0, sealed: () => undefined, binding: () => undefined, bindings: () => [] };

test('others have their turn while news are taken', async () => {
  const { now } = performance;
  let [ms, turns, learnedAt] = [0, 0, 0];
  let isOver = false;
  const count = () => {
    turns++;
    if (!isOver) setImmediate(count);
  };
  const store: LearningStore = {
    learn: async ({ work }) => {
      const { done } = await work(NO_ROWS as unknown as Snapshot, SOFTWIRE);
      await done();
      learnedAt = turns;
    },
  };
  const table = new RouteTable(store);
  const routes = new Set(Array.from({ length: ROUTES }, (_, i) => prefixNumber(0x0a00_0000 + i, 32)));
  // Each look at the clock takes a millisecond: slices are of as many routes on any machine.
  performance.now = () => ms++;
  try {
    count();
    const news = await table.advertise({ user: 'g', session: 0, face: 'restconf' }, 'g', {
      isWhole: true,
      routes,
      withdrawn: new Set(),
    });
    assert.equal([news.accepted.length, news.refused.length], [ROUTES - BEYOND, BEYOND]);
    assert.ok(turns - learnedAt > 2, `${turns - learnedAt} turns of others`);
    assert.equal(await table.takeNews('g'), { accepted: [], refused: [] });
  } finally {
    isOver = true;
    performance.now = now;
  }
});

test.run();
