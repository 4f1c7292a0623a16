// needs: addon
/** D126: hold and grace time of a route source where the clock of the day is set, while this end runs and while it does not. */

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { parseIpv4Prefix, parseIpv6 } from '../../../src/address.ts';
import type { SourceState } from '../../../src/mgmt/routes/route-sources.ts';
import { RouteSources } from '../../../src/mgmt/routes/route-sources.ts';
import { StaleMoments } from '../../../src/mgmt/routes/stale-moments.ts';
import { RouteHash } from '../../../src/state/learned/route-hash.ts';
import { RouteTable } from '../../../src/state/learned/route-table.ts';
import { prefixNumber } from '../../../src/state/rows.ts';
import { OPERATOR, request, softwire, withDatastores } from '../../helpers/state.ts';

const test = suite('route sources and the clock');

const GATEWAY = '2001:db8:a::1';
const HOLD_S = 90;
const GRACE_S = 120;
const log = { debug() {}, info() {}, warn() {}, error() {} };
const HOUR_MS = 3_600_000;
const CALLER = { user: 'g', session: 0, face: 'restconf' } as const;
const HASH = '$6$abcdefgh$LI0OBJ/CRCJdRHNZTFwyvhVcqSv1OMzNwTiDGEfu8gFuqCGuYFaMVUhDHtx45p2lVYsSSeTJHpKNfIc5uMgSJ1';
const CONFIGURATION = softwire({
  name: 'a',
  'ipv6-address': '2001:db8:b::1',
  'ipv4-pool': ['192.0.2.0/24'],
  'route-source': [
    {
      name: 'g',
      'gateway-ipv6-address': GATEWAY,
      password: HASH,
      'allowed-prefix': ['192.0.2.0/24'],
      'hold-time': HOLD_S,
      'grace-time': GRACE_S,
    },
  ],
});

/** A clock of the day that can be set, and time that goes on when it is told to. */
class Clock {
  wall = Date.parse('2026-05-01T12:00:00Z');
  #steady = 0;
  readonly #waiting = new Set<{ readonly at: number; readonly work: () => void }>();
  readonly wallMs = () => this.wall;

  readonly after = (ms: number, work: () => void) => {
    const item = { at: this.#steady + ms, work };
    this.#waiting.add(item);
    return () => void this.#waiting.delete(item);
  };

  pass(seconds: number): void {
    const end = this.#steady + seconds * 1_000;
    const due = () => [...this.#waiting].filter(({ at }) => at <= end).sort((a, b) => a.at - b.at)[0];
    for (let item = due(); item; item = due()) {
      this.#waiting.delete(item);
      this.#goTo(item.at);
      item.work();
    }
    this.#goTo(end);
  }

  #goTo(steadyMs: number): void {
    this.wall += steadyMs - this.#steady;
    this.#steady = steadyMs;
  }

  /** What waits in a process that ends is not waited for. */
  restarted(): void {
    this.#waiting.clear();
  }
}

interface Aftr {
  readonly clock: Clock;
  /** One more message of the source. */
  hear(): Promise<void>;
  /** A message that is not taken. */
  hearOther(): Promise<void>;
  state(): string;
  problem(): string;
  /** As BGP does. */
  mark(state: SourceState): void;
  lastHeard(): number | undefined;
  restart(): Promise<void>;
  /** Whether its route is bound; the removal that is under way is waited for. */
  isBound(): Promise<boolean>;
}

async function withSource(work: (aftr: Aftr) => Promise<void>): Promise<void> {
  const dir = mkdtempSync(join(tmpdir(), 'gi4over6-clock-'));
  const clock = new Clock();
  await withDatastores(async (datastores) => {
    await datastores.edit(OPERATOR, request(CONFIGURATION));
    const begin = () => {
      const moments = new StaleMoments(join(dir, 'moments.json'), log);
      const table = new RouteTable(datastores);
      return new RouteSources({ table, softwire: () => datastores.softwire, moments, log, clock });
    };
    let sources = begin();
    const gateway = parseIpv6(GATEWAY) ?? new Uint8Array(16);
    const { address = 0, length = 0 } = parseIpv4Prefix('192.0.2.0/28') ?? {};
    const number = prefixNumber(address, length);
    const hash = new RouteHash();
    hash.add(number);
    let [session, sequence] = ['', 0];
    const hear = async (routes: readonly number[] = []) => {
      const message = { hasMore: false, isClose: false, routes, withdrawn: [], contentHash: hash.text };
      sequence++;
      await sources.take(CALLER, { kind: 'in-session', gateway, session, sequence, ...message });
    };
    ({ session } = await sources.take(CALLER, { kind: 'open', gateway }));
    await hear([number]);
    await work({
      clock,
      hear,
      hearOther: async () => {
        const message = { kind: 'open', gateway: parseIpv6('2001:db8:a::2') ?? new Uint8Array(16) } as const;
        const isTaken = await sources.take(CALLER, message).then(
          () => true,
          () => false,
        );
        assert.not.ok(isTaken);
      },
      state: () => sources.report('g').state,
      problem: () => sources.report('g').problem,
      mark: (state) => sources.mark('g', state, undefined, 0),
      lastHeard: () => sources.report('g').lastHeard?.getTime(),
      restart: async () => {
        sources.close();
        clock.restarted();
        sources = begin();
        await sources.start();
      },
      isBound: async () => {
        // A turn of the source's own comes after the one that removes it.
        await sources.take(CALLER, { kind: 'open', gateway });
        return (datastores.head().counts.get('a learned') ?? 0) > 0;
      },
    });
    sources.close();
  });
  rmSync(dir, { recursive: true });
}

for (const jumpMs of [-HOUR_MS, HOUR_MS]) {
  const what = `a clock set by ${jumpMs / HOUR_MS} h`;
  test(`${what} while the source advertises: it is silent after its hold time, and not before`, () =>
    withSource(async ({ clock, hear, state, isBound }) => {
      clock.pass(HOLD_S - 1);
      clock.wall += jumpMs;
      assert.is(state(), 'established');
      await hear();
      clock.pass(HOLD_S - 1);
      assert.is(state(), 'established');
      clock.pass(1);
      assert.equal([state(), await isBound()], ['stale', true]);
    }));

  test(`${what} while routes are stale: they go after the grace time, and not before`, () =>
    withSource(async ({ clock, state, isBound }) => {
      clock.pass(HOLD_S);
      clock.wall += jumpMs;
      clock.pass(GRACE_S - 1);
      assert.equal([state(), await isBound()], ['stale', true]);
      clock.pass(1);
      assert.equal([await isBound(), state()], [false, 'idle']);
    }));
}

test('a clock that goes back while the AFTR is down makes the time of stale routes no longer than hold and grace time', () =>
  withSource(async ({ clock, state, restart, isBound }) => {
    clock.pass(HOLD_S + 10);
    clock.wall -= HOUR_MS;
    await restart();
    clock.pass(HOLD_S + GRACE_S - 1);
    assert.equal([state(), await isBound()], ['stale', true]);
    clock.pass(1);
    assert.is(await isBound(), false);
  }));

test('a clock that goes on while the AFTR is down, set or not, is the time that has gone', () =>
  withSource(async ({ clock, state, restart, isBound }) => {
    clock.pass(HOLD_S + 10);
    clock.wall += 60_000;
    await restart();
    clock.pass(GRACE_S - 10 - 60 - 1);
    assert.equal([state(), await isBound()], ['stale', true]);
    clock.pass(1);
    assert.is(await isBound(), false);
  }));

test('a source that is silent is stale for that', () =>
  withSource(async ({ clock, hear, hearOther, problem }) => {
    await hearOther();
    await hear();
    clock.pass(HOLD_S);
    assert.is(problem(), `nothing was heard of it for ${HOLD_S} seconds`);
  }));

test('a source of which nothing is taken any more is stale with the reason', () =>
  withSource(async ({ clock, hearOther, state, problem }) => {
    await hearOther();
    clock.pass(HOLD_S);
    assert.is(state(), 'stale');
    assert.match(problem(), /2001:db8:a::2 came; nothing of it was taken for 90 seconds$/);
  }));

test('a source whose BGP session comes back is heard of then, also with the same routes', () =>
  withSource(async ({ clock, mark, lastHeard }) => {
    mark('stale');
    clock.pass(10);
    assert.is(lastHeard(), clock.wall - 10_000);
    mark('established');
    assert.is(lastHeard(), clock.wall);
    clock.pass(10);
    mark('established');
    assert.is(lastHeard(), clock.wall - 10_000, 'that it is there is no news');
  }));

test.run();
