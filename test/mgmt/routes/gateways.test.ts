/** What gateways serve because it was told, over a store and a kernel that are played. */

import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { AdvertisingGateways } from '../../../src/mgmt/routes/gateways.ts';
import { readConfiguration } from '../../../src/state/configuration-reader.generated.ts';
import type { LearningStore } from '../../../src/state/learned/learning.ts';
import { servedTable } from '../../../src/state/learned/tables.ts';
import type { Softwire } from '../../../src/state/model.generated.ts';
import type { RowSource } from '../../../src/state/rows.ts';
import { prefixNumber } from '../../../src/state/rows.ts';
import type { Snapshot } from '../../../src/state/snapshot.ts';

const test = suite('advertising gateways');
const TABLE = servedTable('g');
/** What is in every message of a session. */
const COMMON = ['gateway-ipv6-address', 'session', 'sequence'];
const ROUTE = prefixNumber(0xc0000200, 24);
const KERNEL = { has: (table: number, number: number) => table === 254 && number === ROUTE, numbers: () => [ROUTE] };

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

const ADVERTISED = { 'route-advertisement': { 'bgp-neighbor': ['2001:db8:12::2'] } };
const BY_BGP = configured(ADVERTISED);
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
    clientFor: () => {
      throw new Error('there is no target');
    },
    log: silent,
    watch: (onRoutes) => {
      queueMicrotask(() => onRoutes(KERNEL, [ROUTE]));
      return () => undefined;
    },
  });
  const settled = () => new Promise((resolve) => setImmediate(resolve));
  await gateways.start();
  await settled();
  assert.is(rows.size, 1);

  softwire = configured({ ...ADVERTISED, enabled: false });
  gateways.follow();
  await settled();
  assert.equal([gateways.servedCount('g'), gateways.served('g')], [0, []], 'none while it is disabled');
  assert.is(rows.size, 1, 'the table is kept');
  softwire = BY_BGP;
  gateways.follow();
  await settled();
  assert.equal([gateways.servedCount('g'), gateways.served('g')], [1, ['192.0.2.0/24']]);

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

test('what the store did not take is tried again, though nothing else changes', async () => {
  const rows = new Set<number>();
  const problems: unknown[] = [];
  let isFull = true;
  const gateways = new AdvertisingGateways({
    bgp: { announce: () => undefined, isTold: () => true },
    store: {
      learn: async ({ comment, work }) => {
        if (isFull && comment !== 'served prefixes') throw new Error('the disk is full');
        const { overlay } = await work({ sealedRows: () => [] } as unknown as Snapshot & RowSource, BY_BGP);
        for (const number of overlay.numbers(TABLE)) rows.add(number);
      },
    },
    softwire: () => BY_BGP,
    clientFor: () => {
      throw new Error('there is no target');
    },
    log: { ...silent, error: (problem: unknown) => problems.push(problem) },
    watch: (onRoutes) => {
      queueMicrotask(() => onRoutes(KERNEL, [ROUTE]));
      return () => undefined;
    },
  });
  const until = async (is: () => boolean) => {
    for (let left = 6_000; left > 0 && !is(); left--) await new Promise((resolve) => setTimeout(resolve, 10));
  };
  await gateways.start();
  await until(() => problems.length > 0);
  assert.is(rows.size, 0);
  isFull = false;
  await until(() => rows.size > 0);
  assert.equal([...rows], [ROUTE]);
  await gateways.close();
});

const PASSWORD = { 'client-name': 'g', password: 'first' };
const TARGET = { name: 't', url: 'https://aftr.example/restconf', ...PASSWORD };

// [what is changed, the target then, whether all is withdrawn before]
for (const [what, target, isWithdrawn] of [
  ['the password', { ...TARGET, password: 'second' }, false],
  ['the fingerprint of the AFTR', { ...TARGET, 'server-certificate-fingerprint': 'AB'.repeat(32) }, false],
  ['the name at the AFTR', { ...TARGET, 'client-name': 'h' }, true],
  ['the AFTR', { ...TARGET, url: 'https://other.example/restconf' }, true],
  ['the kind of proof', { name: 't', url: TARGET.url, 'client-certificate': 'device' }, true],
] as const) {
  test(`another target: ${what}; ${isWithdrawn ? 'all is withdrawn and told anew' : 'the session goes on'}`, async () => {
    let softwire = configured({ 'route-advertisement': { target: [TARGET] } });
    const said: string[] = [];
    const gateways = new AdvertisingGateways({
      bgp: { announce: () => undefined, isTold: () => false },
      store: { learn: async () => undefined },
      softwire: () => softwire,
      clientFor: ({ url, clientName, password, clientCertificate, serverCertificateFingerprint }) => {
        const as = [
          new URL(url).host,
          clientName,
          password,
          clientCertificate,
          serverCertificateFingerprint?.slice(0, 2),
        ];
        const client = as.filter((part) => part !== undefined).join(' ');
        return {
          send: async (input) => {
            said.push(`${client}: ${Object.keys(input).filter((name) => !COMMON.includes(name))}`);
            return { session: '1', sequence: '1', 'hold-time': 90 };
          },
          close: () => void said.push(`${client}: end`),
        };
      },
      log: silent,
      watch: (onRoutes) => {
        queueMicrotask(() => onRoutes(KERNEL, [ROUTE]));
        return () => undefined;
      },
    });
    const until = async (is: () => boolean) => {
      for (let i = 0; i < 3_000 && !is(); i++) await new Promise((resolve) => setTimeout(resolve, 10));
    };
    await gateways.start();
    await until(() => said.length >= 2);
    const first = 'aftr.example g first';
    assert.equal(said, [`${first}: open`, `${first}: route,content-hash`]);

    said.length = 0;
    softwire = configured({ 'route-advertisement': { target: [target] } });
    gateways.follow();
    await until(() => said.length >= (isWithdrawn ? 4 : 2));
    const mine = said.filter((text) => text.startsWith(`${first}: `));
    const others = said.filter((text) => !text.startsWith(`${first}: `)).map((text) => text.split(': ')[1]);
    assert.equal(mine, isWithdrawn ? [`${first}: close`, `${first}: end`] : [`${first}: end`]);
    assert.equal(others, isWithdrawn ? ['open', 'route,content-hash'] : ['content-hash']);
    await gateways.close();
  });
}

test.run();
