/** A snapshot that reads in a row share is that of the version they ask for, and is not held for long. */

import { setTimeout as sleep } from 'node:timers/promises';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { Glance } from '../../src/state/glance.ts';
import type { Snapshot } from '../../src/state/snapshot.ts';

const test = suite('glance');

/** A store at a version, and what is open of it. */
class Store {
  version = 1;
  opened = 0;
  readonly open = new Set<Snapshot>();

  snapshot(): Snapshot {
    this.opened++;
    const snapshot = {
      head: { version: this.version },
      close: () => void this.open.delete(snapshot),
    } as unknown as Snapshot;
    this.open.add(snapshot);
    return snapshot;
  }
}

test('reads of one version share a snapshot', () => {
  const store = new Store();
  const glance = new Glance(() => store.snapshot());
  const first = glance.at(1);
  assert.ok(first);
  assert.is(glance.at(1), first);
  assert.is(store.opened, 1);
  glance.close();
  assert.is(store.open.size, 0);
});

test('a newer version gets one of its own, and the older is closed', () => {
  const store = new Store();
  const glance = new Glance(() => store.snapshot());
  const first = glance.at(1);
  store.version = 2;
  const second = glance.at(2);
  assert.is(second?.head?.version, 2);
  assert.is.not(second, first);
  assert.equal([...store.open], [second]);
  glance.close();
});

test('a store that is at another version gives none, and nothing stays open', () => {
  const store = new Store();
  store.version = 2;
  const glance = new Glance(() => store.snapshot());
  assert.is(glance.at(1), undefined);
  assert.is(store.open.size, 0);
});

test('it is closed after a moment', async () => {
  const store = new Store();
  const glance = new Glance(() => store.snapshot());
  glance.at(1);
  for (let tries = 0; store.open.size > 0 && tries < 500; tries++) await sleep(10);
  assert.is(store.open.size, 0);
  assert.ok(glance.at(1));
  assert.is(store.opened, 2);
  glance.close();
});

test.run();
