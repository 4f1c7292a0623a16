// needs: root
/** Alarms and notifications of the whole program: forged packets, a full table, a dead datapath, a link that is down. */

import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { AFTR_TUNNEL, until } from '../../tools/topology.ts';
import { ipv4 } from '../helpers/packets.ts';
import { soon } from '../helpers/soon.ts';
import { GATEWAY_CONFIGURATION, TwoBoxes } from '../helpers/two-boxes.ts';

const test = suite('alarms end to end');
const ALARMS = '/restconf/data/ietf-alarms:alarms/alarm-list';
/** Two senders on the gateway's box that are gateways of nobody. */
const FORGER = '2001:db8:a::66';
const OTHER = '2001:db8:a::67';
const DEVICE = '198.51.100.10';
const WAIT_MS = 60_000;

const boxes = await TwoBoxes.start(`gi4over6-alarms-${process.pid}`);
const { topology } = boxes;
await boxes.configureBoth();

type Host = 'gateway' | 'aftr';
type Json = Readonly<Record<string, unknown>>;

/** The alarms of a box as `type severity`, those that ended as `type cleared`. */
function alarms(host: Host): string[] {
  const { body } = boxes.restconf(host, 'GET', ALARMS);
  const list = JSON.parse(body)['ietf-alarms:alarm-list'] as { readonly alarm?: readonly Json[] };
  return (list.alarm ?? []).map((alarm) => {
    const severity = alarm['is-cleared'] === true ? 'cleared' : alarm['perceived-severity'];
    return `${String(alarm['alarm-type-id']).replace('gi-4over6-alarms:', '')} ${severity}`;
  });
}

/** The alarms of a box that have not ended; on a slow machine the start has some. */
function active(host: Host): string[] {
  return alarms(host).filter((alarm) => !alarm.endsWith(' cleared'));
}

async function isQuiet(host: Host): Promise<void> {
  assert.ok(await until(WAIT_MS, () => active(host).length === 0), active(host).join(', '));
}

async function shows(host: Host, wanted: string, ms = WAIT_MS): Promise<void> {
  const isThere = await until(ms, () => alarms(host).includes(wanted));
  assert.ok(isThere, `${wanted} is not among ${alarms(host).join(', ')}`);
}

/** Everything the event stream of a box has of some notifications, as their contents. */
function told(host: Host, name: string): Json[] {
  const stop = new Date(Date.now() - 1).toISOString();
  const path = `/restconf/streams/NETCONF/json?start-time=2020-01-01T00:00:00Z&stop-time=${stop}`;
  const { body } = boxes.restconf(host, 'GET', path);
  const events = [...body.matchAll(/^data: (.*)$/gm)].map(
    ([, text = '']) => JSON.parse(text)['ietf-restconf:notification'],
  );
  return events.flatMap((event: Json) => (event[name] === undefined ? [] : [event[name] as Json]));
}

const SENDER = `
import socket, sys, time
source, aftr, count, inner = sys.argv[1:]
link = socket.socket(socket.AF_INET6, socket.SOCK_RAW, 4)
link.bind((source, 0))
for _ in range(int(count)):
    link.sendto(bytes.fromhex(inner), (aftr, 0))
    time.sleep(0.001)
`;
function forge(source: string, count: number, inner: string): void {
  const packet = ipv4({ src: inner, dst: '203.0.113.80' });
  const { status, output } = topology.run('gateway', [
    'python3',
    '-c',
    SENDER,
    source,
    AFTR_TUNNEL,
    `${count}`,
    packet,
  ]);
  assert.is(status, 0, output);
}

test('a forged packet: who sent it is told', async () => {
  assert.ok(await until(WAIT_MS, () => boxes.ping('device', '203.0.113.80')), 'the tunnel carries packets');
  for (const host of ['gateway', 'aftr'] as const) await isQuiet(host);
  for (const address of [FORGER, OTHER]) topology.ip('gateway', `addr add ${address}/128 dev right nodad`);
  forge(FORGER, 1, DEVICE);
  const isTold = await until(WAIT_MS, () => told('aftr', 'gi-4over6:source-violation').length > 0);
  assert.ok(isTold);
  assert.equal(told('aftr', 'gi-4over6:source-violation'), [
    { aftr: 'edge', 'gateway-ipv6-address': FORGER, 'ipv4-source': DEVICE, suppressed: 0 },
  ]);
  assert.equal(active('aftr'), []);
  assert.not.ok(alarms('aftr').some((alarm) => alarm.startsWith('source-violations')));
});

test('300 forged packets: an alarm, one notification for each source, and the tunnel goes on', async () => {
  forge(FORGER, 150, '192.0.2.9');
  forge(OTHER, 150, '192.0.2.10');
  await shows('aftr', 'source-violations warning');
  assert.ok(await until(WAIT_MS, () => boxes.ping('device', '203.0.113.80')));
  const sources = () => told('aftr', 'gi-4over6:source-violation').map((event) => event['gateway-ipv6-address']);
  await until(WAIT_MS, () => sources().length > 1);
  assert.equal(sources(), [FORGER, OTHER]);
  await soon(() => assert.ok(boxes.counter('aftr', 'ipv6-side', 'dropped-packets') >= 301));
});

test('a table at nine tenths of softwire-num-max, and above what is left', async () => {
  const binding = Array.from({ length: 8 }, (_, i) => ({
    'ipv4-prefix': `192.0.2.${i}/32`,
    'gateway-ipv6-address': GATEWAY_CONFIGURATION['ipv6-address'],
  }));
  const entry = { name: 'edge', 'softwire-num-max': 10, 'binding-table': { binding } };
  const { status, body } = boxes.configure('aftr', entry);
  assert.is(status, 204, body);
  await shows('aftr', 'binding-table-near-limit warning');
  const limit = { aftr: 'edge', bindings: 9, 'softwire-num-max': 10 };
  await soon(() => assert.equal(told('aftr', 'gi-4over6:binding-limit'), [limit]));
  assert.is(boxes.configure('aftr', { name: 'edge', 'softwire-num-max': 1_000 }).status, 204);
  await shows('aftr', 'binding-table-near-limit cleared');
});

test('the datapath killed: critical at once, cleared when it is back, and both are on record', async () => {
  const states = () => told('aftr', 'gi-4over6:softwire-state-change').map(({ forwards }) => forwards);
  const severities = () =>
    told('aftr', 'ietf-alarms:alarm-notification')
      .filter((event) => event['alarm-type-id'] === 'gi-4over6-alarms:datapath-down')
      .map((event) => event['perceived-severity']);
  const before = { states: states().length, severities: severities().length };
  const pids = boxes.pids('aftr', 'datapath');
  assert.is(pids.length, 1);
  for (const pid of pids) process.kill(pid, 'SIGKILL');
  const isOver = await until(WAIT_MS, () => {
    const since = [severities().slice(before.severities).at(-1), states().slice(before.states).at(-1)];
    return since[0] === 'cleared' && since[1] === true;
  });
  assert.ok(isOver, `${severities().join()}; ${states().join()}`);
  await shows('aftr', 'datapath-down cleared');
  await shows('aftr', 'not-forwarding cleared');
  assert.ok(await until(WAIT_MS, () => boxes.ping('device', '203.0.113.80')));
  assert.equal(severities().slice(before.severities), ['critical', 'cleared']);
  assert.equal(states().slice(before.states), [false, true]);
});

test('a gateway whose link to the end devices is down does not forward, and says so', async () => {
  topology.ip('gateway', 'link set left down');
  await shows('gateway', 'not-forwarding critical');
  const { body } = boxes.restconf('gateway', 'GET', ALARMS);
  assert.match(body, /"alarm-text":"gateway rack: interface left is down: ip link set left up/);
  topology.ip('gateway', 'link set left up');
  await shows('gateway', 'not-forwarding cleared');
});

test('no more forged packets: the alarm ends by itself', async () => {
  await shows('aftr', 'source-violations cleared', 60_000);
});

test('the end', async () => {
  await boxes.close();
});

test.run();
