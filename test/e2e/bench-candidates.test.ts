// needs: root
/** What the benches of offloads and latency compare carries packets the way it says: through both TUN devices, one, or none. */

import { execFileSync } from 'node:child_process';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { Candidate } from '../../tools/bench/offloads/candidates.ts';
import { prepareRouter, withCandidate } from '../../tools/bench/offloads/candidates.ts';
import { enterOwnNetwork } from '../helpers/own-network.ts';
import { buildTopology, DEVICE, DEVICE_NS, echoes, INTERNET, INTERNET_NS, ping } from '../helpers/tun-router.ts';

enterOwnNetwork();
buildTopology();
prepareRouter(DEVICE_NS);

const test = suite('bench-candidates');
const PINGS = 5;

/** Packets that came out of a TUN device, and into it. */
function countsOf(device: string): { out: number; into: number } {
  const said = execFileSync('ip', ['-s', '-j', 'link', 'show', device], { encoding: 'utf8' });
  const [link] = JSON.parse(said) as [{ stats64: { rx: { packets: number }; tx: { packets: number } } }];
  return { out: link.stats64.rx.packets, into: link.stats64.tx.packets };
}

for (const [candidate, gateway, aftr] of [
  ['kernel', false, false],
  ['seg6', false, false],
  ['c', true, true],
  ['off', true, true],
  ['on', true, true],
  ['c-aftr', false, true],
  ['off-aftr', false, true],
  ['on-aftr', false, true],
  ['c-gateway', true, false],
  ['off-gateway', true, false],
  ['on-gateway', true, false],
] as const satisfies readonly (readonly [Candidate, boolean, boolean])[]) {
  test(`${candidate}: pings both ways, ${gateway ? '' : 'not '}through gi-gw, ${aftr ? '' : 'not '}through gi-aftr`, () =>
    withCandidate(candidate, async () => {
      const before = [countsOf('gi-gw'), countsOf('gi-aftr')];
      const up = ping(DEVICE_NS, `-c ${PINGS} -i 0.01 ${INTERNET}`).replies;
      const down = ping(INTERNET_NS, `-c ${PINGS} -i 0.01 ${DEVICE}`).replies;
      // A reply later than a second counts as lost where the machine is busy.
      assert.ok(up > 0 && down > 0, `${up} and ${down} replies`);
      const after = [countsOf('gi-gw'), countsOf('gi-aftr')];
      for (const [i, isUsed] of [gateway, aftr].entries()) {
        const [then, now] = [before[i], after[i]];
        const [out, into] = [(now?.out ?? 0) - (then?.out ?? 0), (now?.into ?? 0) - (then?.into ?? 0)];
        // Each ping passes once in each direction. Into a device goes also what the kernel says on a link of its own.
        if (isUsed) assert.ok(out >= 2 * (up + down) && into >= out, `${out} out, ${into} into`);
        else assert.ok(out === 0 && into < 2 * PINGS, `${out} out, ${into} into`);
      }
    }));
}

test('afterwards the routes are those of before', () =>
  withCandidate('on', async () => {
    assert.is(await echoes(DEVICE_NS, INTERNET, 1), 1);
    const routes = execFileSync('ip', ['route', 'show', 'table', '100'], { encoding: 'utf8' });
    assert.match(routes, 'default dev gi-gw');
    assert.not.match(routes, 'seg6');
  }));

test.run();
