import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { EcnLog } from '../../src/datapath/ecn-log.ts';
import { AFTR, BINDINGS, engineFor, packetCounts } from '../helpers/engine-case.ts';
import { ipv4, ipv6, udp } from '../helpers/packets.ts';

/** RFC 6040 §4.2: what figure 4 marks (!!!) is logged, limited in rate, and can be suppressed (D33). */
const test = suite('ecn-log');

const [NOT_ECT, ECT1, ECT0, CE] = [0, 1, 2, 3];
const MARKED = new Set([`${NOT_ECT} ${ECT0}`, `${NOT_ECT} ${ECT1}`, `${NOT_ECT} ${CE}`, `${CE} ${ECT1}`]);

function recorder() {
  const lines: Record<string, unknown>[] = [];
  const quiet = () => undefined;
  const log = { debug: quiet, info: quiet, error: quiet, warn: (facts: Record<string, unknown>) => lines.push(facts) };
  return { lines, log: new EcnLog(log) };
}

const packet = (inner: number, outer: number): string =>
  ipv6({ trafficClass: outer, payload: ipv4({ src: '198.51.100.10', dst: '203.0.113.80', tos: inner }) });

for (const inner of [NOT_ECT, ECT1, ECT0, CE]) {
  for (const outer of [NOT_ECT, ECT1, ECT0, CE]) {
    const isMarked = MARKED.has(`${inner} ${outer}`);
    test(`inner ${inner}, outer ${outer}: ${isMarked ? 'noted' : 'nothing to note'}`, async () => {
      const engine = await engineFor('aftr');
      const isDropped = inner === NOT_ECT && outer === CE;
      assert.is(engine.run([packet(inner, outer)]).length, isDropped ? 0 : 1);
      assert.equal(
        engine.counters().map(({ ecnAnomalies }) => ecnAnomalies),
        [isMarked ? 1 : 0],
      );
    });
  }
}

test('a packet that is not from the gateway of its binding is not noted', async () => {
  const engine = await engineFor('aftr');
  engine.run([ipv6({ src: '2001:db8:a::9', trafficClass: ECT1, payload: ipv4({ src: '198.51.100.10' }) })]);
  assert.is(engine.counters()[0]?.ecnAnomalies, 0);
});

test('a fragment that waits for the first one is noted once, whatever the order', async () => {
  const portSet = [{ psid: 0x34, 'b4-ipv6-address': '2001:db8:c::34' }];
  const shared = [{ 'ipv4-address': '198.51.103.9', 'psid-length': 8, 'port-set': portSet }];
  const hairpinned = (fields: Parameters<typeof ipv4>[0]): string =>
    ipv6({ trafficClass: ECT1, payload: ipv4({ src: '198.51.100.10', dst: '198.51.103.9', tos: CE, ...fields }) });
  const first = hairpinned({ mf: true, payload: udp(8, 1_000, 1_232) });
  const later = hairpinned({ offset: 2, payload: 'cd'.repeat(16) });
  for (const order of [
    [first, later],
    [later, first],
  ]) {
    const engine = await engineFor('aftr', { 'binding-table': { 'shared-address': shared } });
    const out = order.flatMap((one, i) => engine.run([one], i));
    assert.is(out.length, 2);
    assert.is(engine.counters()[0]?.ecnAnomalies, 2);
    assert.equal(packetCounts(engine.counters()), { 'ipv6 hairpinned': 2 });
  }
});

test('100 anomalies in two minutes: at most three lines, which tell of all of them', async () => {
  const engine = await engineFor('aftr');
  const { lines, log } = recorder();
  for (let i = 0; i < 100; i++) {
    engine.run([packet(NOT_ECT, ECT1)]);
    log.tell(engine.forwarding.ecnReadings(), i * 1_200);
  }
  log.tell(engine.forwarding.ecnReadings(), 180_000);
  assert.equal(
    lines.map(({ name, packets }) => [name, packets]),
    [
      ['br', 1],
      ['br', 50],
      ['br', 49],
    ],
  );
  assert.equal(packetCounts(engine.counters()), { 'ipv6 forwarded': 100 });
});

test('an instance that takes the number or the name of another has only its own anomalies', async () => {
  const engine = await engineFor('aftr');
  const { lines, log } = recorder();
  const meet = (count: number) => {
    for (let i = 0; i < count; i++) engine.run([packet(NOT_ECT, ECT1)]);
  };
  const tell = (minute: number) => log.tell(engine.forwarding.ecnReadings(), minute * 60_000);
  meet(100);
  tell(0);
  await engine.configure([]);
  await engine.configure([{ ...AFTR, name: 'other' }], BINDINGS);
  tell(1);
  meet(5);
  tell(2);
  await engine.configure([]);
  await engine.configure([AFTR], BINDINGS);
  meet(19);
  tell(3);
  engine.forwarding.clearStatistics('br');
  meet(2);
  tell(4);
  assert.equal(
    lines.map(({ name, packets }) => [name, packets]),
    [
      ['br', 100],
      ['other', 5],
      ['br', 19],
      ['br', 2],
    ],
  );
});

test('suppressed by log-ecn-anomalies, and counted all the same', async () => {
  const engine = await engineFor('aftr', { 'log-ecn-anomalies': false });
  const { lines, log } = recorder();
  engine.run([packet(CE, ECT1)]);
  log.tell(engine.forwarding.ecnReadings(), 0);
  assert.equal(lines, []);
  assert.is(engine.counters()[0]?.ecnAnomalies, 1);
});

test.run();
