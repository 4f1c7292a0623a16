/** From sessions and announcements to what route sources are told, with a GoBGP that is played. */

import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { Path, Peer } from '../../../src/mgmt/bgp/engine-messages.ts';
import { anyOf } from '../../../src/mgmt/bgp/engine-messages.ts';
import { Importer } from '../../../src/mgmt/bgp/importer.ts';
import { readConfiguration } from '../../../src/state/configuration-reader.generated.ts';
import { formatNumber } from '../../../src/state/rows.ts';

const test = suite('importer');

const [N1, N2] = ['2001:db8:c::1', '2001:db8:c::2'];
const [A, B] = ['2001:db8:a::1', '2001:db8:a::2'];
const [IDLE, ESTABLISHED] = [1, 6];
const WAIT_MS = 60_000;
const LOG = { debug: () => undefined, info: () => undefined, warn: () => undefined, error: () => undefined };

interface SourceShape {
  readonly name: string;
  readonly address: string;
  readonly neighbors: readonly string[];
}

function softwire(sources: readonly SourceShape[], restartTime = 0) {
  return readConfiguration({
    'gi-4over6:softwire': {
      bgp: {
        'local-as': 65000,
        'router-id': '10.0.0.1',
        neighbor: [N1, N2].map((address) => ({ address, 'peer-as': 65001, 'graceful-restart-time': restartTime })),
      },
      aftr: [
        {
          name: 'a',
          'route-source': sources.map(({ name, address, neighbors }) => {
            return { name, 'gateway-ipv6-address': address, 'bgp-neighbor': neighbors };
          }),
        },
      ],
    },
  });
}

/** A path of one of 256 prefixes, 192.0.N.0/24. */
function path(neighborIp: string, n: number, nextHop: string, more: Partial<Path> = {}): Path {
  const nlri = anyOf('IPAddressPrefix', { prefixLen: 24, prefix: `192.0.${n}.0` });
  const pattrs = [anyOf('MpReachNLRIAttribute', { nextHops: [nextHop] })];
  return { nlri, pattrs, isWithdraw: false, stale: false, neighborIp, identifier: 0, ...more };
}

/** An importer and what it has made of its sources; `paths` is what GoBGP has of each neighbor. */
class Box {
  readonly paths = new Map<string, readonly Path[]>();
  readonly routes = new Map<string, Set<string>>();
  readonly states = new Map<string, string>();
  readonly withdrawals: string[] = [];
  readonly importer: Importer;
  restartTime = 0;
  hasToldAll = true;
  failures = 0;
  /** Called when what a neighbor announces was read, before it is told. */
  onRead: () => void = () => undefined;
  most = Number.POSITIVE_INFINITY;
  /** Sources whose room was asked for: that costs as much as there are sources. */
  readonly asked: string[] = [];
  left = 0;
  /** How often it does not say what a neighbor announces. */
  silences = 0;

  constructor(earlier: Readonly<Record<string, readonly string[]>> = {}) {
    for (const [name, routes] of Object.entries(earlier)) this.routes.set(name, new Set(routes));
    this.importer = new Importer({
      log: LOG,
      onSession: () => undefined,
      client: () => ({
        peers: async (address = '') => [this.#peer(address)],
        announcedBy: async (address) => {
          if (this.silences-- > 0) throw new Error('there is no such neighbor');
          const paths = [...(this.paths.get(address) ?? [])];
          this.onRead();
          return paths;
        },
      }),
      sources: {
        hasRoutes: (name) => (this.routes.get(name)?.size ?? 0) > 0,
        mark: (name, state, _expires, left) => {
          this.states.set(name, state);
          this.left = left;
        },
        most: (name) => {
          this.asked.push(name);
          return this.most;
        },
        tell: async (name, { isWhole, routes, withdrawn }) => {
          if (this.failures-- > 0) throw new Error('the disk is full');
          const known = this.routes.get(name) ?? new Set();
          this.routes.set(name, known);
          const gone = isWhole
            ? [...known].filter((text) => ![...routes].map(formatNumber).includes(text))
            : [...withdrawn].map(formatNumber);
          for (const text of gone) known.delete(text);
          for (const number of routes) known.add(formatNumber(number));
          this.withdrawals.push(...gone);
        },
      },
    });
  }

  #peer(address: string): Peer {
    const remoteCap = [anyOf('GracefulRestartCapability', { time: this.restartTime })];
    const state = { received: true, endOfRibReceived: this.hasToldAll };
    return {
      conf: { neighborAddress: address },
      state: { neighborAddress: address, sessionState: ESTABLISHED, remoteCap },
      afiSafis: [{ mpGracefulRestart: { state } }],
    };
  }

  /** Sets what GoBGP has of a neighbor, and tells of it. */
  announce(neighbor: string, ...paths: readonly Path[]): void {
    this.paths.set(neighbor, paths);
    this.importer.paths(paths);
  }

  async has(name: string, ...numbers: readonly number[]): Promise<void> {
    const wanted = numbers.map((n) => `192.0.${n}.0/24`).join();
    const found = () => [...(this.routes.get(name) ?? [])].sort().join();
    for (const end = Date.now() + WAIT_MS; found() !== wanted && Date.now() < end; ) await pause(10);
    assert.is(found(), wanted, name);
  }

  async isMarked(name: string, state: string): Promise<void> {
    for (const end = Date.now() + WAIT_MS; this.states.get(name) !== state && Date.now() < end; ) await pause(10);
    assert.is(this.states.get(name), state);
  }
}

const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));
const S = { name: 's', address: A, neighbors: [N1] };

async function withBox(box: Box, body: (box: Box) => Promise<void>): Promise<void> {
  try {
    await body(box);
  } finally {
    box.importer.close();
  }
}

test('two routes of one prefix in a session are those of two sources, each for itself', () =>
  withBox(new Box(), async (box) => {
    box.importer.follow(softwire([S, { name: 't', address: B, neighbors: [N1] }]));
    box.importer.session(N1, ESTABLISHED);
    const [first, second] = [path(N1, 1, A, { identifier: 4 }), path(N1, 1, B, { identifier: 9 })];
    box.announce(N1, first, second);
    await box.has('s', 1);
    await box.has('t', 1);
    box.importer.paths([{ ...first, isWithdraw: true }]);
    await box.has('s');
    await box.has('t', 1);
  }));

test('a route is of the source that names the neighbor and has its endpoint, also when the source comes later', () =>
  withBox(new Box(), async (box) => {
    box.importer.follow(softwire([S]));
    for (const address of [N1, N2]) box.importer.session(address, ESTABLISHED);
    box.announce(N1, path(N1, 1, A), path(N1, 2, B));
    box.announce(N2, path(N2, 3, A));
    await box.has('s', 1);
    box.importer.follow(softwire([S, { name: 't', address: B, neighbors: [N1, N2] }]));
    await box.has('t', 2);
    await box.has('s', 1);
    assert.equal([box.importer.report(N1).routes, box.importer.report(N2).unusable], [2, 1]);
    assert.match(box.importer.report(N2).example, `192.0.3.0/24: no route source`);
    box.importer.follow(softwire([{ ...S, address: B }]));
    await box.has('s', 2);
    await box.has('t');
  }));

test('a route that two neighbors carry is over with the second withdrawal', () =>
  withBox(new Box(), async (box) => {
    box.importer.follow(softwire([{ ...S, neighbors: [N1, N2] }]));
    for (const address of [N1, N2]) {
      box.importer.session(address, ESTABLISHED);
      box.announce(address, path(address, 1, A), path(address, 2, A));
    }
    await box.has('s', 1, 2);
    box.importer.paths([path(N1, 1, A, { isWithdraw: true })]);
    box.importer.paths([path(N2, 2, A, { isWithdraw: true })]);
    await pause(100);
    await box.has('s', 1, 2);
    box.importer.paths([path(N2, 1, A, { isWithdraw: true })]);
    await box.has('s', 2);
    assert.equal(box.withdrawals, ['192.0.1.0/24']);
  }));

test('routes beyond what is remembered are left out, and taken when there is room', () =>
  withBox(new Box(), async (box) => {
    box.most = 2;
    box.importer.follow(softwire([S]));
    box.importer.session(N1, ESTABLISHED);
    box.announce(N1, path(N1, 1, A), path(N1, 2, A), path(N1, 3, A));
    await box.has('s', 1, 2);
    assert.is(box.left, 1);
    // Those that are known stay before others.
    box.announce(N1, path(N1, 1, A), path(N1, 2, A), path(N1, 3, A), path(N1, 0, A));
    await pause(100);
    await box.has('s', 1, 2);
    assert.is(box.left, 2);
    box.announce(N1, path(N1, 2, A), path(N1, 3, A), path(N1, 0, A));
    box.importer.paths([path(N1, 1, A, { isWithdraw: true })]);
    await box.has('s', 2, 3);
    assert.is(box.left, 1);
    box.most = 3;
    await box.has('s', 0, 2, 3);
    assert.is(box.left, 0);
    assert.equal(box.withdrawals, ['192.0.1.0/24']);
  }));

test('a route that comes and one that goes while all are read', () =>
  withBox(new Box(), async (box) => {
    let isRead = false;
    box.onRead = () => {
      box.importer.paths([path(N1, 3, A), path(N1, 1, A, { isWithdraw: true })]);
      isRead = true;
    };
    box.importer.follow(softwire([S]));
    box.importer.session(N1, ESTABLISHED);
    box.announce(N1, path(N1, 1, A), path(N1, 2, A));
    for (let left = WAIT_MS / 10; left > 0 && !isRead; left--) await pause(10);
    await pause(100);
    await box.has('s', 2, 3);
  }));

test('the room of a source is asked for when it has more routes, and only then', () =>
  withBox(new Box(), async (box) => {
    box.importer.follow(softwire([S, { name: 'other', address: B, neighbors: [N1] }]));
    box.importer.session(N1, ESTABLISHED);
    box.announce(N1, path(N1, 1, A));
    await box.has('s', 1);
    box.asked.length = 0;
    box.announce(N1, path(N1, 1, A), path(N1, 2, A), path(N1, 3, A));
    await box.has('s', 1, 2, 3);
    box.importer.paths([path(N1, 1, A, { isWithdraw: true })]);
    await box.has('s', 2, 3);
    assert.equal([...new Set(box.asked)], ['s']);
  }));

test('what an earlier run has left of a source stays until all its neighbors have told all', () =>
  withBox(new Box({ s: ['192.0.1.0/24', '192.0.2.0/24'] }), async (box) => {
    box.hasToldAll = false;
    box.importer.follow(softwire([{ ...S, neighbors: [N1, N2] }]));
    box.importer.session(N1, ESTABLISHED);
    box.announce(N1, path(N1, 1, A));
    box.hasToldAll = true;
    await pause(4_000);
    await box.has('s', 1, 2);
    assert.is(box.states.get('s'), undefined);
    box.importer.session(N2, ESTABLISHED);
    box.announce(N2, path(N2, 3, A));
    await box.has('s', 1, 3);
    assert.equal(box.withdrawals, ['192.0.2.0/24']);
    assert.is(box.states.get('s'), 'established');
  }));

test('a loss that GoBGP keeps the routes of is stale for the restart time; one that it does not is the end of them', () =>
  withBox(new Box(), async (box) => {
    box.restartTime = 4;
    box.importer.follow(softwire([S]));
    box.importer.session(N1, ESTABLISHED);
    box.announce(N1, path(N1, 1, A));
    await box.has('s', 1);
    box.paths.set(N1, [path(N1, 1, A, { stale: true })]);
    box.importer.session(N1, IDLE);
    await box.isMarked('s', 'stale');
    await box.has('s', 1);
    await box.has('s');
    assert.is(box.states.get('s'), 'idle');
    box.importer.session(N1, ESTABLISHED);
    box.announce(N1, path(N1, 2, A));
    await box.has('s', 2);
    box.paths.set(N1, [path(N1, 2, A)]);
    box.importer.session(N1, IDLE);
    await box.has('s');
  }));

test('a loss of which GoBGP does not say what it keeps at once is asked about again', () =>
  withBox(new Box(), async (box) => {
    box.importer.follow(softwire([S], 60));
    box.importer.session(N1, ESTABLISHED);
    box.announce(N1, path(N1, 1, A));
    await box.has('s', 1);
    box.paths.delete(N1);
    box.silences = 2;
    box.importer.session(N1, IDLE);
    await box.has('s');
    assert.is(box.states.get('s'), 'idle');
  }));

test('GoBGP that ends keeps routes for the time that is configured, and none without graceful restart', () =>
  withBox(new Box(), async (box) => {
    for (const [restartTime, state] of [
      [60, 'stale'],
      [0, 'idle'],
    ] as const) {
      box.importer.follow(softwire([S], restartTime));
      box.importer.session(N1, ESTABLISHED);
      box.announce(N1, path(N1, 1, A));
      await box.has('s', 1);
      box.importer.down();
      await box.isMarked('s', state);
    }
    await box.has('s');
  }));

test('an advertisement that the store did not take is made again, whole', () =>
  withBox(new Box(), async (box) => {
    box.failures = 1;
    box.importer.follow(softwire([S]));
    box.importer.session(N1, ESTABLISHED);
    box.announce(N1, path(N1, 1, A));
    await box.has('s', 1);
  }));

test.run();
