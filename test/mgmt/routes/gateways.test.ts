/** What gateways serve because it was told, over a store and a kernel that are played. */

import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { AdvertisingGateways } from '../../../src/mgmt/routes/gateways.ts';
import { readConfiguration } from '../../../src/state/configuration-reader.generated.ts';
import type { LearningStore } from '../../../src/state/learned/learning.ts';
import { servedTable } from '../../../src/state/learned/tables.ts';
import type { Softwire } from '../../../src/state/model.generated.ts';
import type { RowSource } from '../../../src/state/rows.ts';
import type { Snapshot } from '../../../src/state/snapshot.ts';

const test = suite('advertising gateways');
const TABLE = servedTable('g');
const ROUTE = { address: 0xc0000200, length: 24, table: 254 };

const silent = { debug: () => undefined, info: () => undefined, warn: () => undefined, error: () => undefined };

function configured(advertisement: Readonly<Record<string, unknown>>): Softwire {
  const gateway = {
    name: 'g',
    'ipv6-address': '2001:db8:a::1',
    'aftr-ipv6-address': '2001:db8:b::1',
    ...advertisement,
  };
  return readConfiguration({ 'gi-4over6:softwire': { gateway: [gateway] } });
}

const BY_BGP = configured({ 'route-advertisement': { 'bgp-neighbor': ['2001:db8:12::2'] } });
const NOT_AT_ALL = configured({});

test('an advertisement that ends and begins again serves the same routes again', async () => {
  let softwire = BY_BGP;
  const rows = new Set<number>();
  const store: LearningStore = {
    learn: async ({ work }) => {
      const sealedRows = () => Array.from(rows, (number) => ({ number }));
      const { overlay, done } = await work({ sealedRows } as unknown as Snapshot & RowSource, softwire);
      for (const number of overlay.numbers(TABLE)) {
        if (overlay.get(TABLE, number)) rows.add(number);
        else rows.delete(number);
      }
      await done();
    },
  };
  const gateways = new AdvertisingGateways({
    bgp: { announce: () => undefined, isTold: () => true },
    store,
    softwire: () => softwire,
    certificate: { key: Buffer.alloc(0), cert: Buffer.alloc(0) },
    log: silent,
    watch: (onRoutes) => {
      queueMicrotask(() => onRoutes([ROUTE]));
      return () => undefined;
    },
  });
  const settled = () => new Promise((resolve) => setImmediate(resolve));
  await gateways.start();
  await settled();
  assert.is(rows.size, 1);

  softwire = NOT_AT_ALL;
  // As the commit does (see reconcile).
  rows.clear();
  gateways.follow();
  await settled();
  assert.is(gateways.servedCount('g'), 0);

  softwire = BY_BGP;
  gateways.follow();
  await settled();
  assert.is(gateways.servedCount('g'), 1);
  assert.is(rows.size, 1);
  await gateways.close();
});

test.run();
