// needs: root
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { AFTR_TUNNEL, DEVICE, DEVICE_PREFIX, GATEWAY_TUNNEL, INTERNET, until } from '../../tools/topology.ts';
import { soon } from '../helpers/soon.ts';
import { TwoBoxes } from '../helpers/two-boxes.ts';

/**
 * D130: every leaf of the operational state of gateway and AFTR after traffic that is known to the packet. Neighbours of the tunnel
 * ask and answer on their own, so what the IPv6 side drops as noise is the one thing that is not fixed.
 */
const test = suite('operational state end to end');
const SOFTWIRE = '/restconf/data/gi-4over6:softwire';
type Leaves = Readonly<Record<string, unknown>>;

const PINGS = 5;
/** Of the ping's packets: IPv4 and ICMP header and 56 octets. */
const INNER = 84;
const OUTER = INNER + 40;
/** From an address that the gateway serves, and no binding of the AFTR holds. */
const UNBOUND = '198.51.100.200';
const TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)$/;

const boxes = await TwoBoxes.start(`gi4over6-state-${process.pid}`);

function state(host: 'gateway' | 'aftr', path: string): Leaves {
  const { status, body } = boxes.restconf(host, 'GET', `${SOFTWIRE}${path}`);
  assert.is(status, 200, `${path}: ${body}`);
  const [found] = Object.values(JSON.parse(body) as Record<string, unknown>);
  return (Array.isArray(found) ? found[0] : found) as Leaves;
}

/** Times are checked for their form and their place between two others, and left out. */
function withoutTimes(value: unknown, from: number): unknown {
  if (Array.isArray(value)) return value.map((item) => withoutTimes(item, from));
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).flatMap(([name, item]) => {
      if (!['discontinuity-time', 'time', 'last-time'].includes(name)) return [[name, withoutTimes(item, from)]];
      assert.match(String(item), TIME);
      const ms = Date.parse(String(item));
      assert.ok(ms > from && ms <= Date.now() + 200, `${name} ${item}`);
      return [];
    }),
  );
}

/** The leaves of a side with these packets and octets, none of the others. */
function side(
  counts: Readonly<Record<string, readonly [packets: number, octets: number]>>,
  drop: unknown[] = [],
): Leaves {
  const leaves: Record<string, unknown> = {};
  for (const name of ['received', 'forwarded', 'hairpinned', 'replied', 'dropped', 'held']) {
    const [packets, octets] = counts[name] ?? [0, 0];
    leaves[`${name}-packets`] = String(packets);
    leaves[`${name}-octets`] = String(octets);
  }
  return drop.length > 0 ? { ...leaves, drop } : leaves;
}

/** A side without the noise of the link. */
function quiet(found: unknown): Leaves {
  const { drop = [], ...leaves } = found as Record<string, string> & { drop?: Record<string, string>[] };
  const noise = (drop as Record<string, string>[]).find(({ reason }) => reason === 'link-layer-noise');
  const rest = (drop as Record<string, string>[]).filter((item) => item !== noise);
  for (const [kind, less] of [
    ['packets', Number(noise?.packets ?? 0)],
    ['octets', Number(noise?.octets ?? 0)],
  ] as const) {
    for (const name of [`received-${kind}`, `dropped-${kind}`]) leaves[name] = String(Number(leaves[name]) - less);
  }
  return rest.length > 0 ? { ...leaves, drop: rest } : leaves;
}

const started = Date.now() - 60_000;

test('known traffic', async () => {
  await boxes.configureBoth();
  // The gateway serves more than the AFTR binds to it: an end device there is refused.
  const bound = `${DEVICE}/32`;
  const binding = { 'ipv4-prefix': bound, 'gateway-ipv6-address': GATEWAY_TUNNEL };
  const table = `${SOFTWIRE}/aftr=edge/binding-table`;
  assert.is(boxes.restconf('aftr', 'DELETE', `${table}/binding=${encodeURIComponent(DEVICE_PREFIX)}`).status, 204);
  assert.is(boxes.restconf('aftr', 'POST', table, { 'gi-4over6:binding': [binding] }).status, 201);
  assert.is(
    boxes.restconf('aftr', 'PATCH', `${SOFTWIRE}/aftr=edge`, {
      'gi-4over6:aftr': [{ name: 'edge', 'binding-counters': true }],
    }).status,
    204,
  );
  assert.ok(boxes.ping('device', INTERNET));
  await soon(() => {
    for (const host of ['gateway', 'aftr'] as const) {
      for (const side of ['ipv4-side', 'ipv6-side'] as const) {
        const [received, ended] = ['received', 'forwarded'].map((leaf) => boxes.counter(host, side, `${leaf}-packets`));
        assert.ok((received ?? 0) >= 2 && (ended ?? 0) >= 2, `${host} ${side}: ${received}, ${ended}`);
      }
    }
  });
  for (const [host, name] of [
    ['gateway', 'rack'],
    ['aftr', 'edge'],
  ] as const) {
    const { status } = boxes.restconf(host, 'POST', `${SOFTWIRE}/${host}=${name}/clear-statistics`);
    assert.is(status, 204);
  }
  assert.equal(boxes.echoes('device', INTERNET, { count: PINGS }), { sent: PINGS, received: PINGS });
  // One packet that the AFTR refuses, telling the gateway.
  boxes.topology.run('device', ['ip', 'address', 'add', `${UNBOUND}/32`, 'dev', 'lo']);
  assert.not(boxes.ping('device', INTERNET, ['-c', '1', '-W', '1', '-I', UNBOUND]));
});

test('AFTR: statistics', () =>
  soon(() => {
    const statistics = () => state('aftr', '/aftr=edge/statistics');
    const {
      'ipv4-side': v4,
      'ipv6-side': v6,
      ...rest
    } = withoutTimes(statistics(), started) as Record<string, unknown>;
    assert.equal(v4, side({ received: [PINGS, PINGS * INNER], forwarded: [PINGS, PINGS * INNER] }));
    const refused = { reason: 'no-binding', packets: '1', octets: String(OUTER) };
    assert.equal(
      quiet(v6),
      side({ received: [PINGS + 1, (PINGS + 1) * OUTER], forwarded: [PINGS, PINGS * OUTER], dropped: [1, OUTER] }, [
        refused,
      ]),
    );
    assert.equal(rest, {
      'ecn-anomaly-packets': '0',
      'icmp-errors': { 'icmpv4-sent': '0', 'icmpv4-suppressed': '0', 'icmpv6-sent': '1', 'icmpv6-suppressed': '0' },
    });
  }));

const traffic = {
  'encapsulated-packets': String(PINGS),
  'encapsulated-octets': String(PINGS * INNER),
  'decapsulated-packets': String(PINGS),
  'decapsulated-octets': String(PINGS * OUTER),
};

test('AFTR: binding table', () =>
  soon(() => {
    const {
      version,
      'last-change': change,
      'content-hash': hash,
      binding,
      ...rest
    } = state('aftr', '/aftr=edge/binding-table');
    const { 'configured-version': configured, 'applied-content-hash': applied } = state('aftr', '/state');
    assert.is(version, configured);
    assert.is(hash, applied);
    assert.match(String(change), TIME);
    assert.equal(rest, { bindings: 1 });
    const expected = {
      'ipv4-prefix': `${DEVICE}/32`,
      'gateway-ipv6-address': GATEWAY_TUNNEL,
      origin: 'static',
      statistics: traffic,
    };
    assert.equal(withoutTimes(binding, started), [expected]);
  }));

test('AFTR: the gateway as it sees it', () =>
  soon(() => {
    const softwire = withoutTimes(state('aftr', `/aftr=edge/softwire=${encodeURIComponent(GATEWAY_TUNNEL)}`), started);
    assert.equal(softwire, {
      'gateway-ipv6-address': GATEWAY_TUNNEL,
      bindings: 1,
      statistics: { ...traffic, 'violation-packets': '1', 'violation-octets': String(OUTER) },
      'last-violation': { 'ipv4-source': UNBOUND },
    });
  }));

test('gateway: statistics, and what its AFTR refused', () =>
  soon(() => {
    const {
      'ipv4-side': v4,
      'ipv6-side': v6,
      ...rest
    } = withoutTimes(state('gateway', '/gateway=rack/statistics'), started) as Record<string, unknown>;
    const up = PINGS + 1;
    assert.equal(v4, side({ received: [up, up * INNER], forwarded: [up, up * INNER] }));
    // The AFTR's word about its refusal (IPv6 header, eight octets, and all that was refused) is told the end device as ICMPv4.
    const down = [PINGS + 1, PINGS * OUTER + 48 + OUTER] as const;
    assert.equal(quiet(v6), side({ received: down, forwarded: down }));
    assert.equal(rest, {
      'ecn-anomaly-packets': '0',
      'icmp-errors': { 'icmpv4-sent': '1', 'icmpv4-suppressed': '0', 'icmpv6-sent': '0', 'icmpv6-suppressed': '0' },
    });
    const learned = withoutTimes(state('gateway', '/gateway=rack/state'), started);
    assert.equal(learned, { 'source-refusal': { packets: '1', 'last-ipv4-source': UNBOUND } });
  }));

test('every box: what is in force', () => {
  for (const host of ['gateway', 'aftr'] as const) {
    const found = state(host, '/state');
    assert.is(found['applied-version'], found['configured-version']);
    assert.is(found['candidate-modified'], false);
    assert.match(String(found['datapath-start']), TIME);
  }
});

test('an echo is replied to, and clear-statistics begins all figures anew', async () => {
  const replied = (kind: string) => boxes.counter('aftr', 'ipv6-side', `replied-${kind}`);
  assert.ok(boxes.ping('gateway', AFTR_TUNNEL, ['-c', '1', '-W', '15']));
  assert.ok(await until(60_000, () => replied('packets') === 1));
  assert.is(replied('octets'), 104);
  assert.is(boxes.restconf('aftr', 'POST', `${SOFTWIRE}/aftr=edge/clear-statistics`).status, 204);
  assert.is(replied('packets'), 0);
  const { statistics } = state('aftr', `/aftr=edge/softwire=${encodeURIComponent(GATEWAY_TUNNEL)}`);
  assert.is((statistics as Leaves)['encapsulated-packets'], '0');
  assert.is((statistics as Leaves)['violation-packets'], '0');
});

test('the end', () => boxes.close());

test.run();
