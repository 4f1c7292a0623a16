// needs: root
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { parseIpv6 } from '../../src/address.ts';
import type { Datapath } from '../../src/datapath/datapath.ts';
import { AFTR, binding, GATEWAY, packetCounts } from '../helpers/engine-case.ts';
import { enterOwnNetwork } from '../helpers/own-network.ts';
import { ipv4 } from '../helpers/packets.ts';
import { linkAddress, sendFrames } from '../helpers/raw-frames.ts';
import { soon } from '../helpers/soon.ts';
import {
  BINDING,
  buildTopology,
  DEVICE,
  DEVICE_NS,
  echoes,
  INTERNET,
  INTERNET_NS,
  ip,
  ping,
  withDatapath,
} from '../helpers/tun-router.ts';

enterOwnNetwork();
const test = suite('datapath-tun');

/** Counters are as said, now or in a moment: a worker sends what leaves before it counts. */
async function countsBecome(datapath: Datapath, wanted: Readonly<Record<string, number>>): Promise<void> {
  const read = () => {
    const counts = packetCounts(datapath.counters());
    return Object.fromEntries(Object.keys(wanted).map((name) => [name, counts[name]]));
  };
  await soon(() => assert.equal(read(), wanted));
}

/** Packets by side and end, without what the kernel itself says on its links. */
function traffic(datapath: Datapath): Record<string, number> {
  const { 'ipv6 link-layer-noise': _, ...counts } = packetCounts(datapath.counters());
  return counts;
}

buildTopology();

for (const offloads of [false, true]) {
  const mode = offloads ? 'with offloads' : 'without offloads';

  for (const queues of [1, 2]) {
    test(`${mode}: ping both ways through both tunnel ends, ${queues} queues each`, () =>
      withDatapath({ queues: queues, offloads }, async ({ datapath }) => {
        assert.is(await echoes(DEVICE_NS, INTERNET, 20), 20);
        assert.is(await echoes(INTERNET_NS, DEVICE, 20), 20);
        await countsBecome(datapath, { 'ipv4 forwarded': 80, 'ipv6 forwarded': 80 });
      }));
  }

  test(`${mode}: each of gateway and AFTR takes one from the TTL`, () =>
    withDatapath({ queues: 1, offloads }, async () => {
      assert.match(ping(DEVICE_NS, `-c 1 ${INTERNET}`).output, /ttl=62/);
    }));

  test(`${mode}: the payload MTU: what fits passes, what does not is reported or fragmented outside`, () =>
    withDatapath({ queues: 1, offloads }, async ({ store, datapath }) => {
      assert.is(ping(DEVICE_NS, `-c 1 -M do -s 1432 ${INTERNET}`).replies, 1);
      const tooBig = ping(DEVICE_NS, `-c 1 -M do -s 1433 ${INTERNET}`);
      assert.is(tooBig.replies, 0);
      assert.match(tooBig.output, /mtu = ?1460/i);
      await countsBecome(datapath, { 'ipv4 too-big': 1 });
      store.commit({
        softwire: {
          gateway: [{ ...GATEWAY, 'softwire-payload-mtu': 2_000 }],
          aftr: [{ ...AFTR, 'softwire-payload-mtu': 2_000 }],
        },
      });
      await datapath.follow();
      ip(`-n ${DEVICE_NS} route flush cache`);
      assert.is(ping(DEVICE_NS, `-c 1 -M do -s 1972 ${INTERNET}`).replies, 1);
    }));

  test(`${mode}: traceroute sees the tunnel end at which the TTL ends`, () =>
    withDatapath({ queues: 1, offloads }, async () => {
      // The router is one hop as gateway and one as AFTR; the second is the engine's to report, through the tunnel.
      assert.match(ping(DEVICE_NS, `-c 1 -t 2 ${INTERNET}`).output, /From 203\.0\.113\.1 .*Time to live exceeded/);
    }));

  test(`${mode}: a removed binding stops both directions at once; back again, it goes on`, () =>
    withDatapath({ queues: 1, offloads }, async ({ store, datapath }) => {
      store.commit({ gone: [BINDING] });
      await datapath.apply(2);
      assert.is(ping(DEVICE_NS, `-c 2 -i 0.01 ${INTERNET}`).replies, 0);
      assert.is(ping(INTERNET_NS, `-c 2 -i 0.01 ${DEVICE}`).replies, 0);
      store.commit({ put: [BINDING] });
      await datapath.apply(3);
      assert.is(await echoes(DEVICE_NS, INTERNET, 2), 2);
      await countsBecome(datapath, { 'ipv6 no-binding': 2 });
    }));

  test(`${mode}: 2,000 commits during a ping flood lose no packet of a binding that stays`, () =>
    withDatapath({ queues: 2, offloads }, async ({ store, datapath }) => {
      const received = echoes(DEVICE_NS, INTERNET, 1_000, 0.002);
      for (let version = 2; version < 2_002; version++) {
        const put = Array.from({ length: 20 }, (_, i) => ({
          ...binding([`198.51.101.${(version + i) & 255}/32`, '2001:db8:a::9']),
          gatewayIpv6Address: parseIpv6(`2001:db8:9::${(version & 0xffff).toString(16)}`) ?? new Uint8Array(16),
        }));
        store.commit({ put });
        await datapath.apply(version);
      }
      assert.is(await received, 1_000);
    }));

  test(`${mode}: TTL 1 or 0 on the IPv4 side: the kernel says so before the tunnel; to the box itself it is delivered (D4, D5)`, () =>
    withDatapath({ queues: 1, offloads }, async ({ datapath }) => {
      assert.match(ping(DEVICE_NS, `-c 1 -t 1 ${INTERNET}`).output, /From 198\.51\.100\.1 .*Time to live exceeded/);
      assert.match(ping(INTERNET_NS, `-c 1 -t 1 ${DEVICE}`).output, /From 203\.0\.113\.1 .*Time to live exceeded/);
      for (const [ns, link, src, dst] of [
        [DEVICE_NS, 'left', DEVICE, INTERNET],
        [INTERNET_NS, 'right', INTERNET, DEVICE],
      ] as const) {
        sendFrames(ns, linkAddress(link), [ipv4({ src, dst, ttl: 0 })]);
      }
      assert.is(ping(DEVICE_NS, '-c 1 -t 1 198.51.100.1').replies, 1);
      assert.is(ping(INTERNET_NS, '-c 1 -t 1 203.0.113.1').replies, 1);
      assert.equal(traffic(datapath), {});
    }));

  test(`${mode}: TTL that ends at the gateway is told from there, through the tunnel (D28)`, () =>
    withDatapath({ queues: 1, offloads }, async () => {
      assert.match(ping(INTERNET_NS, `-c 1 -t 2 ${DEVICE}`).output, /From 198\.51\.100\.1 .*Time to live exceeded/);
    }));

  test(`${mode}: unicast packets in broadcast and multicast frames go nowhere, without a word (D15)`, () =>
    withDatapath({ queues: 1, offloads }, async ({ datapath }) => {
      assert.is(ping(DEVICE_NS, `-c 1 ${INTERNET}`).replies, 1);
      const before = { 'ipv4 forwarded': 2, 'ipv6 forwarded': 2 };
      await soon(() => assert.equal(traffic(datapath), before));
      for (const mac of ['ff:ff:ff:ff:ff:ff', '01:00:5e:00:00:01']) {
        assert.is(sendFrames(DEVICE_NS, mac, [ipv4({ src: DEVICE, dst: INTERNET })]), 0);
        assert.is(sendFrames(INTERNET_NS, mac, [ipv4({ src: INTERNET, dst: DEVICE })]), 0);
      }
      assert.equal(traffic(datapath), before);
      // The same packet to the router's own link-layer address goes, and perhaps an answer comes back.
      sendFrames(DEVICE_NS, linkAddress('left'), [ipv4({ src: DEVICE, dst: INTERNET })]);
      await soon(() => assert.ok((traffic(datapath)['ipv4 forwarded'] ?? 0) > before['ipv4 forwarded']));
    }));

  test(`${mode}: record route and timestamp options pass both tunnel ends (D16)`, () =>
    withDatapath({ queues: 1, offloads }, async () => {
      for (const option of ['-R', '-T tsonly']) {
        assert.is(ping(DEVICE_NS, `-c 1 ${option} ${INTERNET}`).replies, 1, option);
      }
    }));

  test(`${mode}: any protocol passes both ways (D17)`, () =>
    withDatapath({ queues: 1, offloads }, async ({ datapath }) => {
      const [up, down] = [
        [DEVICE_NS, 'left', DEVICE, INTERNET],
        [INTERNET_NS, 'right', INTERNET, DEVICE],
      ].map(([ns = '', link = '', src = '', dst = '']) =>
        sendFrames(
          ns,
          linkAddress(link),
          [47, 50, 132, 253].map((protocol) => ipv4({ src, dst, protocol })),
        ),
      );
      assert.ok(up !== undefined && down !== undefined);
      await soon(() => {
        const counts = traffic(datapath);
        // What the far stacks answer to protocols they do not know comes through, too.
        assert.ok((counts['ipv4 forwarded'] ?? 0) >= 8, JSON.stringify(counts));
        assert.is(counts['ipv4 forwarded'], counts['ipv6 forwarded']);
        assert.equal(Object.keys(counts).sort(), ['ipv4 forwarded', 'ipv6 forwarded']);
      });
    }));
}

test.run();
