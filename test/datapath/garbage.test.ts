import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { Follower } from '../../src/datapath/follower.ts';
import { GarbageCare } from '../../src/datapath/garbage.ts';
import { AFTR, binding } from '../helpers/engine-case.ts';
import { MemoryStore } from '../helpers/memory-store.ts';

const test = suite('garbage');

test('it is collected after many rows at once, and not after as many one after the other', () => {
  let collected = 0;
  const garbage = new GarbageCare(() => collected++);
  const told = [0, 49_999, 50_000, 99_999, 149_999, 1_000_000, 1_000_000].map((rows) => {
    garbage.look(rows);
    return collected;
  });
  assert.equal(told, [0, 0, 0, 0, 1, 2, 2]);
});

test('rows of the store count as often as they are read: those of the first version also for their sum, then those that change', async () => {
  const store = new MemoryStore();
  const follower = new Follower(store, 1, 'small');
  const rows = Array.from({ length: 5 }, (_, i) => binding([`198.51.100.${i}/32`, '2001:db8:a::1']));
  store.commit({ softwire: { aftr: [AFTR] }, put: rows });
  await follower.follow();
  await follower.summed;
  assert.is(follower.rowsRead, 10);
  store.commit({ put: [binding(['198.51.100.0/32', '2001:db8:a::2'])] });
  await follower.follow();
  assert.is(follower.rowsRead, 11);
});

test.run();
