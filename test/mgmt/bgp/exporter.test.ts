/** What GoBGP has of the routes of gateways, with a GoBGP that is played: nothing stays in it that no gateway has. */

import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { EngineClient } from '../../../src/mgmt/bgp/engine-client.ts';
import type { Path } from '../../../src/mgmt/bgp/engine-messages.ts';
import { namedIn } from '../../../src/mgmt/bgp/engine-messages.ts';
import { Exporter } from '../../../src/mgmt/bgp/exporter.ts';
import { prefixNumber } from '../../../src/state/rows.ts';

const test = suite('exporter');

const NEIGHBORS = ['2001:db8:c::1'];
const [A, B] = ['2001:db8:a::1', '2001:db8:a::2'];
const [ONE, TWO] = [prefixNumber(0xc0000000, 24), prefixNumber(0xc0000100, 24)];
const LOG = { debug: () => undefined, info: () => undefined, warn: () => undefined, error: () => undefined };

/** A GoBGP and what gateways announce through it. */
class Box {
  readonly exporter = new Exporter({ log: LOG, onTold: () => undefined });
  /** Prefixes in its table. */
  readonly table = new Set<string>();
  /** What it waits for before it takes paths. */
  free: Promise<void> = Promise.resolve();
  /** How often it was given paths. */
  given = 0;

  /** GoBGP of the test, as far as it is called. */
  get client(): EngineClient {
    const addPaths = async (messages: Iterable<object>) => {
      const paths = [...messages] as unknown as Path[];
      this.given++;
      await this.free;
      for (const { nlri, isWithdraw } of paths) {
        const [prefix] = namedIn<{ prefix: string }>(nlri ? [nlri] : [], 'IPAddressPrefix');
        if (isWithdraw) this.table.delete(prefix?.prefix ?? '');
        else this.table.add(prefix?.prefix ?? '');
      }
    };
    return { call: async () => undefined, addPaths } as unknown as EngineClient;
  }

  async until(is: () => boolean): Promise<void> {
    for (let left = 10_000; left > 0 && !is(); left--) await new Promise((resolve) => setTimeout(resolve, 5));
    assert.ok(is());
  }
}

test('a route that goes while a GoBGP that was started is given all of them', async () => {
  const box = new Box();
  const routes = new Set([ONE, TWO]);
  let release: () => void = () => undefined;
  box.free = new Promise((resolve) => {
    release = resolve;
  });
  box.exporter.set('g', { nextHop: A, neighbors: NEIGHBORS, routes }, undefined);
  // There is none yet that it could be told to.
  await new Promise((resolve) => setImmediate(resolve));
  const prepared = box.exporter.prepare(box.client, true);
  await box.until(() => box.given === 1);
  routes.delete(TWO);
  box.exporter.set('g', { nextHop: A, neighbors: NEIGHBORS, routes }, [TWO]);
  await new Promise((resolve) => setImmediate(resolve));
  release();
  await prepared;
  await box.until(() => box.given === 2);
  await box.until(() => box.table.size === 1);
  assert.equal([...box.table], ['192.0.0.0']);
});

// [what is announced then]
for (const [what, announced] of [
  ['another tunnel address', { nextHop: B, neighbors: NEIGHBORS }],
  ['no neighbor', { nextHop: A, neighbors: [] }],
  ['nothing', undefined],
] as const) {
  test(`a route that goes together with another announcement: ${what}`, async () => {
    const box = new Box();
    const routes = new Set([ONE, TWO]);
    await box.exporter.prepare(box.client, true);
    box.exporter.set('g', { nextHop: A, neighbors: NEIGHBORS, routes }, undefined);
    await box.until(() => box.table.size === 2);
    routes.delete(TWO);
    box.exporter.set('g', announced && { ...announced, routes }, announced && [TWO]);
    await box.until(() => !box.table.has('192.0.1.0'));
    assert.is(box.table.has('192.0.0.0'), announced?.nextHop === B);
  });
}

test.run();
