// needs: root
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import {
  AFTR_TUNNEL,
  DEVICE,
  GATEWAY_TUNNEL,
  INTERNET,
  SECOND_DEVICE,
  SECOND_PREFIX,
  stop,
  until,
} from '../../tools/topology.ts';
import { soon } from '../helpers/soon.ts';
import { TwoBoxes } from '../helpers/two-boxes.ts';

/** ICMP between real hosts through both boxes: traceroute, path MTU discovery of TCP, refusals, policy, and their state. */
const test = suite('icmp end to end');
const SOFTWIRE = '/restconf/data/gi-4over6:softwire';
/** What the AFTR learned of the gateway. */
const LEARNED = `/softwire=${encodeURIComponent(GATEWAY_TUNNEL)}`;
const BOX_OF_GATEWAY = '198.51.100.1';
const BOX_OF_AFTR = '203.0.113.1';

const boxes = await TwoBoxes.start(`gi4over6-icmp-${process.pid}`);
const { topology } = boxes;
await boxes.configureBoth();

type Host = 'gateway' | 'aftr';

/** What RESTCONF says at a path below an instance; undefined when there is nothing. */
function read(host: Host, path: string): unknown {
  const { status, body } = boxes.restconf(
    host,
    'GET',
    `${SOFTWIRE}/${host}=${host === 'gateway' ? 'rack' : 'edge'}${path}`,
  );
  if (status === 404) return undefined;
  assert.is(status, 200, body);
  return Object.values(JSON.parse(body) as Record<string, unknown>)[0];
}

function errorsOf(host: Host): Record<string, string> {
  return read(host, '/statistics/icmp-errors') as Record<string, string>;
}

/** MTU of the links between the boxes: the kernel of each tells its engine what it cannot send. */
function setLinkMtu(mtu: number): void {
  for (const host of ['gateway', 'aftr'] as const) topology.ip(host, `link set right mtu ${mtu}`);
}

function configure(host: Host, entry: Readonly<Record<string, unknown>>): void {
  const { status, body } = boxes.configure(host, entry);
  assert.is(status, 204, body);
}

/** Second column of each hop line of traceroute. */
function hops(from: 'device' | 'internet', target: string): string[] {
  const { output } = topology.run(from, ['traceroute', '-n', '-q', '1', '-w', '15', '-N', '1', target]);
  return output
    .split('\n')
    .slice(1)
    .filter((line) => line !== '')
    .map((line) => line.trim().split(/\s+/)[1] ?? '');
}

test('traceroute shows both boxes, in both directions (D28, D104)', async () => {
  assert.equal(hops('device', INTERNET), [BOX_OF_GATEWAY, BOX_OF_AFTR, INTERNET]);
  assert.equal(hops('internet', DEVICE), [BOX_OF_AFTR, BOX_OF_GATEWAY, DEVICE]);
  await soon(() => {
    for (const host of ['gateway', 'aftr'] as const) assert.ok(Number(errorsOf(host)['icmpv4-sent']) >= 1, host);
  });
});

test('both boxes answer echo to their addresses in both families (D103)', () => {
  assert.match(topology.run('device', ['ping', '-c', '1', '-W', '15', BOX_OF_AFTR]).output, /ttl=63/);
  assert.match(topology.run('internet', ['ping', '-c', '1', '-W', '15', BOX_OF_GATEWAY]).output, /ttl=6[34]/);
  assert.match(topology.run('aftr', ['ping', '-6', '-c', '1', '-W', '15', GATEWAY_TUNNEL]).output, /ttl=6[34]/);
  assert.match(topology.run('gateway', ['ping', '-6', '-c', '1', '-W', '15', AFTR_TUNNEL]).output, /ttl=6[34]/);
});

test('nothing is learned as long as everything fits', () => {
  assert.equal(read('gateway', '/state'), {});
  assert.equal(read('aftr', LEARNED), [{ 'gateway-ipv6-address': GATEWAY_TUNNEL, bindings: 1 }]);
});

test('a narrow link between the boxes: TCP finds its way, both directions, and the path MTU is shown (D76, D80, D104)', async () => {
  setLinkMtu(1_400);
  for (const more of [[], ['-R']]) {
    // A server a run: one that is not done with the run before refuses the next.
    const server = topology.start('internet', ['iperf3', '-s', '-1']);
    assert.ok(
      await until(60_000, () => topology.run('internet', ['sh', '-c', 'ss -tln | grep -q :5201']).status === 0),
    );
    // What the device knows of the path would otherwise be the segment size it offers.
    topology.run('device', ['ip', 'route', 'flush', 'cache']);
    const { status, output } = topology.run('device', ['iperf3', '-c', INTERNET, '-n', '500K', ...more]);
    assert.is(status, 0, output);
    if (more.length === 0) assert.match(topology.run('device', ['ip', 'route', 'get', INTERNET]).output, /mtu 1360/);
    await stop(server);
  }
  assert.equal(read('gateway', '/state'), { 'path-mtu': 1_400 });
  assert.equal(read('aftr', LEARNED), [{ 'gateway-ipv6-address': GATEWAY_TUNNEL, bindings: 1, 'path-mtu': 1_400 }]);
  assert.match(topology.run('internet', ['ip', 'route', 'get', DEVICE]).output, /mtu 1360/);
});

test('what may be fragmented goes in outer fragments that fit the narrow link', async () => {
  for (const host of ['device', 'internet'] as const) topology.run(host, ['ip', 'route', 'flush', 'cache']);
  const before = boxes.counter('gateway', 'ipv4-side', 'forwarded-packets');
  const counts = boxes.echoes('device', INTERNET, { count: 2, size: 1_400, mayFragment: true });
  assert.equal(counts, { sent: 2, received: 2 });
  await soon(() => assert.is(boxes.counter('gateway', 'ipv4-side', 'forwarded-packets') - before, 2));
  setLinkMtu(1_600);
});

test('an end device that the AFTR does not know: 1/5 to the gateway, unreachable to the device (D25, D26, D83)', async () => {
  configure('gateway', { name: 'rack', 'served-prefix': [{ 'ipv4-prefix': SECOND_PREFIX }] });
  const { output } = topology.run('device', ['ping', '-c', '2', '-i', '0.5', '-W', '2', '-I', SECOND_DEVICE, INTERNET]);
  assert.match(output, /From 198\.51\.100\.1 .*Destination Host Unreachable/);
  await soon(() => {
    const state = read('gateway', '/state') as { 'source-refusal': Record<string, string> };
    const { packets, 'last-time': time, 'last-ipv4-source': source } = state['source-refusal'];
    assert.equal([packets, source], ['2', SECOND_DEVICE]);
    assert.ok(Math.abs(Date.now() - Date.parse(time ?? '')) < 300_000, time);
    assert.is(errorsOf('aftr')['icmpv6-sent'], '2');
  });
  // Told at most once a minute, so the second packet may be in suppressed or left for later.
  const told = () => refusalsTold('gateway');
  assert.ok(await until(30_000, () => told().length > 0), 'an event tells of it');
  assert.equal(
    told().map(({ gateway, 'ipv4-source': inner }) => [gateway, inner]),
    [['rack', SECOND_DEVICE]],
  );
});

/** The notifications source-refusal in the event stream of a box. */
function refusalsTold(host: Host): Readonly<Record<string, unknown>>[] {
  const times = `start-time=2020-01-01T00:00:00Z&stop-time=${new Date(Date.now() - 1).toISOString()}`;
  const { body } = boxes.restconf(host, 'GET', `/restconf/streams/NETCONF/json?${times}`);
  const events = [...body.matchAll(/^data: (.*)$/gm)].map(([, text = '']) => JSON.parse(text));
  return events.map((event) => event['ietf-restconf:notification']['gi-4over6:source-refusal']).filter(Boolean);
}

test('ICMPv4 from the Internet can be denied while traffic of end devices passes (D98)', async () => {
  configure('aftr', { name: 'edge', 'icmp-policy': { 'icmpv4-errors': { 'allow-incoming-icmpv4': false } } });
  assert.not(boxes.ping('internet', DEVICE, ['-c', '2', '-i', '0.2', '-W', '1']));
  await soon(() => {
    const drops = read('aftr', '/statistics/ipv4-side/drop') as { reason: string; packets: string }[];
    assert.is(drops.find(({ reason }) => reason === 'icmp-denied')?.packets, '2');
  });
  configure('aftr', { name: 'edge', 'icmp-policy': { 'icmpv4-errors': { 'allow-incoming-icmpv4': true } } });
  assert.ok(boxes.ping('internet', DEVICE));
});

test('errors stay within the rate that is configured, and those left out are counted (D95)', async () => {
  configure('aftr', { name: 'edge', 'icmp-policy': { 'icmpv6-errors': { 'icmpv6-rate': 1, 'icmpv6-burst': 4 } } });
  const sentBefore = Number(errorsOf('aftr')['icmpv6-sent']);
  const suppressedBefore = Number(errorsOf('aftr')['icmpv6-suppressed']);
  const began = Date.now();
  topology.run('device', ['ping', '-q', '-c', '100', '-i', '0.005', '-W', '1', '-I', SECOND_DEVICE, INTERNET]);
  const most = 4 + (Date.now() - began) / 1_000;
  await soon(() => {
    const sent = Number(errorsOf('aftr')['icmpv6-sent']) - sentBefore;
    const suppressed = Number(errorsOf('aftr')['icmpv6-suppressed']) - suppressedBefore;
    assert.ok(sent >= 2 && sent <= most, `${sent} sent`);
    assert.is(sent + suppressed, 100);
  });
});

test('stop', () => boxes.close());

test.run();
