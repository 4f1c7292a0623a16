// needs: addon, root
/** BGP octet by octet: what of a neighbor's UPDATE becomes a route, and what a gateway's announcement is. GoBGP runs in between. */

import { spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { attribute, BgpSpeaker } from '../../helpers/bgp-speaker.ts';
import { enterOwnNetwork } from '../../helpers/own-network.ts';
import { random, seed } from '../../helpers/random.ts';
import type { ProgramBox } from '../../helpers/restconf-program.ts';
import { startProgram } from '../../helpers/restconf-program.ts';

enterOwnNetwork();
const test = suite('BGP on the wire');
const [OWN, OTHER, THIRD] = ['2001:db8:c::1', '2001:db8:c::2', '2001:db8:c::3'];
for (const words of [
  'link set lo up',
  ...[OWN, OTHER, THIRD].map((address) => `addr add ${address}/128 dev lo nodad`),
]) {
  spawnSync('ip', words.split(' '));
}
const PORT = 1790;
const TUNNEL = '2001:db8:a::1';
const TUNNEL_HEX = '20010db8000a00000000000000000001';
const OTHER_HEX = '20010db8000000000000000000000099';
const LINK_LOCAL_HEX = `fe80${'00'.repeat(13)}01`;
const WAIT_MS = 60_000;
const RANDOM_UPDATES = 700;

type Json = Readonly<Record<string, unknown>>;

const neighbor = { address: OTHER, 'peer-as': 65001, passive: true };
const CONFIGURATION = {
  'gi-4over6:softwire': {
    bgp: {
      'local-as': 65000,
      'router-id': '10.0.0.1',
      'local-port': PORT,
      'local-address': [OWN],
      neighbor: [neighbor],
    },
    aftr: [
      {
        name: 'a',
        'route-source': [
          { name: 's', 'gateway-ipv6-address': TUNNEL, 'bgp-neighbor': [OTHER], 'allowed-prefix': ['192.0.2.0/24'] },
        ],
      },
    ],
  },
};

async function entry({ curl }: ProgramBox, path: string): Promise<Json> {
  const { body } = await curl(`/restconf/data/gi-4over6:softwire/${path}?content=nonconfig`);
  const [list = []] = Object.values(JSON.parse(body) as Readonly<Record<string, readonly Json[]>>);
  return list[0] ?? {};
}

async function learned(box: ProgramBox, source = 's'): Promise<string> {
  const routes = ((await entry(box, `aftr=a/route-source=${source}`))['learned-route'] ?? []) as readonly Json[];
  return routes.map((route) => route['ipv4-prefix']).join(' ');
}

/** Each refused route of a source, with the reason. */
async function refused(box: ProgramBox, source: string): Promise<string> {
  const routes = ((await entry(box, `aftr=a/route-source=${source}`))['refused-route'] ?? []) as readonly Json[];
  return routes.map((route) => `${route['ipv4-prefix']} ${route.reason}`).join(' ');
}

async function eventually(what: string, is: () => boolean | Promise<boolean>): Promise<void> {
  for (const end = Date.now() + WAIT_MS; !(await is()); await new Promise((resolve) => setTimeout(resolve, 50))) {
    if (Date.now() > end) throw new Error(`not within ${WAIT_MS} ms: ${what}`);
  }
}

const SPEAKER = { host: OWN, port: PORT, localAddress: OTHER, localAs: 65001 };

/** A session with the program as configured. */
async function withSession(
  body: (box: ProgramBox, speaker: BgpSpeaker) => Promise<void>,
  hasExtendedNextHop = true,
  more: Json = {},
  hasAddPath = false,
): Promise<void> {
  await program.run(async (box) => {
    await box.merge({ 'gi-4over6:softwire': { ...CONFIGURATION['gi-4over6:softwire'], ...more } });
    let speaker: BgpSpeaker | undefined;
    await eventually('a session', async () => {
      if (!speaker || speaker.isClosed) {
        speaker = await BgpSpeaker.connect({ ...SPEAKER, hasExtendedNextHop, hasAddPath }).catch(() => undefined);
      }
      return speaker?.isEstablished ?? false;
    });
    if (!speaker) return;
    try {
      await body(box, speaker);
    } finally {
      speaker.close();
    }
  });
}

const ORIGIN = attribute('4001', '00');
const AS_PATH = attribute('4002', '02010000fde9');
const PREFIX = '192.0.2.0/28';
const NLRI = '1cc00002' + '00';
const STEADY = '192.0.2.128/28';

/** MP_REACH_NLRI of IPv4 unicast (RFC 4760 section 3) with a next hop of any length. */
function reach(nextHop: string, nlri = NLRI): string {
  return attribute('800e', `000101${(nextHop.length / 2).toString(16).padStart(2, '0')}${nextHop}00${nlri}`);
}

/** Tunnel encapsulation (RFC 9012 section 2) with one sub-TLV 6; `length` other than its own where it is a lie. */
function tunnel(type: string, value: string, length = value.length / 2): string {
  const sub = `06${length.toString(16).padStart(2, '0')}${value}`;
  return attribute('c017', `${type}${(sub.length / 2).toString(16).padStart(4, '0')}${sub}`);
}

const endpoint = (family: string, address: string) => `00000000${family}${address}`;
const GOOD = [ORIGIN, AS_PATH, reach(TUNNEL_HEX)];

// [what, attributes, whether it becomes a route]
const cases: readonly (readonly [string, readonly string[], boolean])[] = [
  ['D123: a next hop of 16 octets', GOOD, true],
  ['D123: a next hop of 32 octets', [ORIGIN, AS_PATH, reach(TUNNEL_HEX + LINK_LOCAL_HEX)], true],
  ['D123: a next hop that is not the tunnel address of the source', [ORIGIN, AS_PATH, reach(OTHER_HEX)], false],
  [
    'D123: an egress endpoint, sub-TLV 6 of 22 octets, before the next hop',
    [ORIGIN, AS_PATH, reach(OTHER_HEX), tunnel('0007', endpoint('0002', TUNNEL_HEX))],
    true,
  ],
  [
    'D123: an egress endpoint that is not the tunnel address of the source',
    [ORIGIN, AS_PATH, reach(TUNNEL_HEX), tunnel('0007', endpoint('0002', OTHER_HEX))],
    false,
  ],
  [
    'D123: an egress endpoint without an address: the next hop',
    [ORIGIN, AS_PATH, reach(TUNNEL_HEX), tunnel('0007', endpoint('0000', ''))],
    true,
  ],
  [
    'D123: an IPv4 egress endpoint: the next hop',
    [ORIGIN, AS_PATH, reach(TUNNEL_HEX), tunnel('0007', endpoint('0001', 'c0000201'))],
    true,
  ],
  ['D125: an ORIGIN of two octets', [attribute('4001', '0000'), AS_PATH, reach(TUNNEL_HEX)], false],
  ['D125: an ORIGIN that is none', [attribute('4001', '09'), AS_PATH, reach(TUNNEL_HEX)], false],
  [
    'D125: an AS_PATH segment of an unknown type',
    [ORIGIN, attribute('4002', '09010000fde9'), reach(TUNNEL_HEX)],
    false,
  ],
  [
    'D125: an AS_PATH that is shorter than it says',
    [ORIGIN, attribute('4002', '02030000fde9'), reach(TUNNEL_HEX)],
    false,
  ],
  ['D125: a MULTI_EXIT_DISC of three octets', [ORIGIN, AS_PATH, attribute('8004', '000000'), reach(TUNNEL_HEX)], false],
  ['D125: a COMMUNITIES of five octets', [ORIGIN, AS_PATH, attribute('c008', '0000000000'), reach(TUNNEL_HEX)], false],
  ['D125: no ORIGIN', [AS_PATH, reach(TUNNEL_HEX)], false],
  [
    'D123: an egress endpoint of an unknown family is as if absent',
    [ORIGIN, AS_PATH, reach(TUNNEL_HEX), tunnel('0007', endpoint('0009', OTHER_HEX))],
    true,
  ],
  [
    'D123: an egress endpoint that says IPv6 and has four octets is as if absent',
    [ORIGIN, AS_PATH, reach(TUNNEL_HEX), tunnel('0007', endpoint('0002', 'c0000201'))],
    true,
  ],
  [
    'D123: an egress endpoint that is longer than its tunnel is as if absent',
    [ORIGIN, AS_PATH, reach(TUNNEL_HEX), tunnel('0007', endpoint('0002', OTHER_HEX), 40)],
    true,
  ],
  [
    'D123: an egress endpoint of another tunnel than IPv4 in IPv6 (VXLAN) is not asked',
    [ORIGIN, AS_PATH, reach(TUNNEL_HEX), tunnel('0008', endpoint('0002', OTHER_HEX))],
    true,
  ],
];

const program = await startProgram();

for (const [what, attributes, isRoute] of cases) {
  test(`${what}${isRoute ? '' : ': no route, and the session goes on'}`, () =>
    withSession(async (box, speaker) => {
      if (!isRoute) {
        speaker.update(GOOD);
        await eventually('the good route', async () => (await learned(box)) === PREFIX);
      }
      speaker.update(attributes);
      speaker.update([ORIGIN, AS_PATH, reach(TUNNEL_HEX, '1cc0000280')]);
      const expected = isRoute ? `${PREFIX} ${STEADY}` : STEADY;
      await eventually(`${expected}, not ${await learned(box)}`, async () => (await learned(box)) === expected);
      assert.not.ok(speaker.isClosed);
      assert.equal(speaker.notifications, []);
    }));
}

test(`D125: attributes of random octets: the session goes on, and other routes stay (seed ${seed})`, () =>
  withSession(async (box, speaker) => {
    const next = random();
    const octets = (length: number) =>
      Array.from({ length }, () => (next() % 256).toString(16).padStart(2, '0')).join('');
    speaker.update([ORIGIN, AS_PATH, reach(TUNNEL_HEX, '1cc0000280')]);
    await eventually('the steady route', async () => (await learned(box)) === STEADY);
    // ORIGIN, AS_PATH, MULTI_EXIT_DISC, COMMUNITIES, EXTENDED COMMUNITIES, tunnel encapsulation, LARGE_COMMUNITY.
    const kinds = ['4001', '4002', '8004', 'c008', 'c010', 'c017', 'c020'];
    for (let round = 0; round < RANDOM_UPDATES; round++) {
      const kind = kinds[round % kinds.length] ?? '';
      const wrong = attribute(kind, octets(next() % 24));
      const right = [ORIGIN, AS_PATH].filter((text) => !text.startsWith(kind));
      speaker.update([...right, wrong, reach(TUNNEL_HEX)].sort((a, b) => (a.slice(2, 4) < b.slice(2, 4) ? -1 : 1)));
    }
    speaker.update([attribute('800f', `000101${NLRI}`)]);
    speaker.update([ORIGIN, AS_PATH, reach(TUNNEL_HEX, '1cc0000240')]);
    await eventually('what came last', async () => (await learned(box)) === `192.0.2.64/28 ${STEADY}`);
    assert.not.ok(speaker.isClosed, speaker.notifications.join());
  }));

test('D116: a withdrawal in MP_UNREACH_NLRI and in the field of RFC 4271 is one', () =>
  withSession(async (box, speaker) => {
    speaker.update([ORIGIN, AS_PATH, reach(TUNNEL_HEX, `${NLRI}1cc0000280`)]);
    await eventually('both', async () => (await learned(box)) === `${PREFIX} ${STEADY}`);
    speaker.update([attribute('800f', `000101${NLRI}`)]);
    await eventually('one', async () => (await learned(box)) === STEADY);
    speaker.update([], '', '1cc0000280');
    await eventually('none', async () => (await learned(box)) === '');
  }));

test('D124: without the capability the session is up, and an IPv4 next hop makes no route', () =>
  withSession(async (box, speaker) => {
    speaker.update([ORIGIN, AS_PATH, attribute('4003', 'c0000201')], NLRI);
    const state = () => entry(box, `bgp/neighbor=${encodeURIComponent(OTHER)}`);
    await eventually('its state', async () => (await state())['unusable-routes'] === 1);
    assert.equal([(await state())['extended-next-hop'], (await state())['session-state']], [false, 'established']);
    assert.is(await learned(box), '');
  }, false));

const GATEWAY = {
  gateway: [
    {
      name: 'g',
      enabled: true,
      'ipv6-address': '2001:db8:a::7',
      'aftr-ipv6-address': '2001:db8:b::9',
      'served-prefix': [{ 'ipv4-prefix': '203.0.113.0/25' }],
      'route-advertisement': { 'bgp-neighbor': [OTHER] },
    },
  ],
};
const TOLD_TO_BOTH = {
  bgp: {
    ...CONFIGURATION['gi-4over6:softwire'].bgp,
    neighbor: [neighbor, { ...neighbor, address: THIRD, 'peer-as': 65002 }],
  },
  gateway: GATEWAY.gateway.map((one) => ({ ...one, 'route-advertisement': { 'bgp-neighbor': [OTHER, THIRD] } })),
};
const GATEWAY_HEX = '20010db8000a00000000000000000007';

test('a gateway announces with its tunnel address as next hop and as egress endpoint of an IP in IP tunnel', () =>
  withSession(
    async (_, speaker) => {
      await eventually('an announcement', () => speaker.updates.some((update) => update.includes('19cb007100')));
      const [update = ''] = speaker.updates.filter((body) => body.includes('19cb007100'));
      assert.match(update, `0001 01 10 ${GATEWAY_HEX} 00 19cb007100`.replaceAll(' ', ''));
      assert.match(update, `c017 1c 0007 0018 06 16 00000000 0002 ${GATEWAY_HEX}`.replaceAll(' ', ''));
      assert.match(update, '40020602010000fde8', 'its AS path is our AS');
    },
    true,
    GATEWAY,
  ));

test('D124: nothing of it goes to a neighbor without the capability', () =>
  withSession(
    async (box, speaker) => {
      const state = () => entry(box, `bgp/neighbor=${encodeURIComponent(OTHER)}`);
      await eventually('its state', async () => (await state())['extended-next-hop'] === false);
      // One that has it hears of the same gateway, so that there was something to tell, and what comes after it is told, too.
      let third: BgpSpeaker | undefined;
      try {
        await eventually('a second session', async () => {
          const options = { ...SPEAKER, localAddress: THIRD, localAs: 65002 };
          if (!third || third.isClosed) third = await BgpSpeaker.connect(options).catch(() => undefined);
          return third?.isEstablished ?? false;
        });
        for (const [prefix, octets] of [
          ['203.0.113.0/25', '19cb007100'],
          ['203.0.113.128/26', '1acb007180'],
        ] as const) {
          await box.merge({
            'gi-4over6:softwire': { gateway: [{ name: 'g', 'served-prefix': [{ 'ipv4-prefix': prefix }] }] },
          });
          await eventually(prefix, () => third?.updates.some((update) => update.includes(octets)) ?? false);
        }
      } finally {
        third?.close();
      }
      assert.equal(
        speaker.updates.filter((update) => update.includes('cb0071')),
        [],
      );
    },
    false,
    TOLD_TO_BOTH,
  ));

const [G] = GATEWAY.gateway;
/** Two gateways of this device, so that 198.51.100.0/24, a route of its kernel, is of both: told to one neighbor each or both to one. */
function twoGateways(first: readonly string[], second: readonly string[]): Json {
  const links = ['link add va type veth peer name vb', 'link set va up', 'link set vb up'];
  for (const words of [...links, 'addr replace 198.51.100.1/24 dev va']) spawnSync('ip', words.split(' '));
  return {
    bgp: {
      ...CONFIGURATION['gi-4over6:softwire'].bgp,
      neighbor: [neighbor, { ...neighbor, address: THIRD, 'peer-as': 65002 }],
    },
    gateway: [
      { ...G, 'served-prefix': [], 'route-advertisement': { 'bgp-neighbor': first } },
      {
        ...G,
        name: 'h',
        'ipv6-address': '2001:db8:a::8',
        'served-prefix': [],
        'route-advertisement': { 'bgp-neighbor': second },
      },
    ],
  };
}
const SECOND_HEX = '20010db8000a00000000000000000008';
const SHARED_HEX = '18c63364';

/** The end of MP_REACH_NLRI with one next hop and the shared prefix. */
const reached = (nextHop: string, pathId = '') => `00010110${nextHop}00${pathId}${SHARED_HEX}`;

test('of a prefix that two gateways have each neighbor hears the way of the gateway that tells it', () =>
  withSession(
    async (box, speaker) => {
      let third: BgpSpeaker | undefined;
      try {
        await eventually('a second session', async () => {
          const options = { ...SPEAKER, localAddress: THIRD, localAs: 65002 };
          if (!third || third.isClosed) third = await BgpSpeaker.connect(options).catch(() => undefined);
          return third?.isEstablished ?? false;
        });
        const heard = (who: BgpSpeaker | undefined) =>
          who?.updates.filter((update) => update.includes(SHARED_HEX)) ?? [];
        await eventually('both announcements', () => heard(speaker).length > 0 && heard(third).length > 0);
        for (const [who, own, other] of [
          [speaker, GATEWAY_HEX, SECOND_HEX],
          [third, SECOND_HEX, GATEWAY_HEX],
        ] as const) {
          const last = heard(who).at(-1) ?? '';
          assert.match(last, reached(own));
          assert.not.match(heard(who).join(' '), other);
          assert.not.match(heard(who).join(' '), 'c008', 'the marks of gateways stay here');
        }
        const path = '/restconf/data/gi-4over6:softwire/gateway=g';
        assert.is((await box.curl(path, { method: 'DELETE' })).status, 204);
        await eventually('its withdrawal', () => heard(speaker).at(-1) === `0004${SHARED_HEX}0000`);
        await eventually('the egress endpoint of the other one', () => heard(third).at(-1)?.includes('c017') ?? false);
        assert.match(heard(third).at(-1) ?? '', reached(SECOND_HEX));
        assert.equal(
          heard(third).filter((update) => update.startsWith(`0004${SHARED_HEX}`)),
          [],
          'never without',
        );
      } finally {
        third?.close();
      }
    },
    true,
    twoGateways([OTHER], [THIRD]),
  ));

test('a neighbor that takes several routes of a prefix (RFC 7911) hears those of both gateways, and each goes for itself', () =>
  withSession(
    async (box, speaker) => {
      const heard = () => speaker.updates.filter((update) => update.includes(SHARED_HEX)).join(' ');
      await eventually('both', () => heard().includes(GATEWAY_HEX) && heard().includes(SECOND_HEX));
      assert.not.match(heard(), '0100'.padEnd(32, '0'), 'nothing of the path of both');
      assert.is((await box.curl('/restconf/data/gi-4over6:softwire/gateway=g', { method: 'DELETE' })).status, 204);
      const pathId = heard()
        .slice(0, heard().indexOf(GATEWAY_HEX) + GATEWAY_HEX.length + 10)
        .slice(-8);
      const withdrawn = `0008${pathId}${SHARED_HEX}0000`;
      await eventually('a withdrawal', () => speaker.updates.includes(withdrawn));
    },
    true,
    twoGateways([OTHER], [OTHER]),
    true,
  ));

test('several routes of one prefix in a session are each of the source whose tunnel address they have (RFC 7911)', () =>
  withSession(
    async (box, speaker) => {
      const [first, second] = ['00000005', '00000006'];
      speaker.update([ORIGIN, AS_PATH, reach(OTHER_HEX, first + NLRI)]);
      speaker.update([ORIGIN, AS_PATH, reach(TUNNEL_HEX, second + NLRI)]);
      await eventually('the route', async () => (await learned(box)) === PREFIX);
      speaker.update([attribute('800f', `000101${first}${NLRI}`)]);
      speaker.update([ORIGIN, AS_PATH, reach(TUNNEL_HEX, `${first}1cc0000280`)]);
      await eventually('what came last', async () => (await learned(box)) === `${PREFIX} ${STEADY}`);
      speaker.update([attribute('800f', `000101${second}${NLRI}`)]);
      await eventually('its end', async () => (await learned(box)) === STEADY);
    },
    true,
    {},
    true,
  ));

/** Two sources, each with a neighbor of its own. */
const TWO_SOURCES = {
  bgp: {
    ...CONFIGURATION['gi-4over6:softwire'].bgp,
    neighbor: [neighbor, { ...neighbor, address: THIRD, 'peer-as': 65002 }],
  },
  aftr: [
    {
      name: 'a',
      'route-source': [
        { name: 's', 'gateway-ipv6-address': TUNNEL, 'bgp-neighbor': [OTHER], 'allowed-prefix': ['192.0.2.0/24'] },
        {
          name: 't',
          'gateway-ipv6-address': '2001:db8::99',
          'bgp-neighbor': [THIRD],
          'allowed-prefix': ['192.0.2.0/24'],
        },
      ],
    },
  ],
};

test('of two sources with one prefix the first keeps it, whatever its AS path, with an alarm; given up, it is that of the other', () =>
  withSession(
    async (box, speaker) => {
      let third: BgpSpeaker | undefined;
      try {
        await eventually('a second session', async () => {
          const options = { ...SPEAKER, localAddress: THIRD, localAs: 65002 };
          if (!third || third.isClosed) third = await BgpSpeaker.connect(options).catch(() => undefined);
          return third?.isEstablished ?? false;
        });
        const long = attribute('4002', '02030000fde90000fde90000fde9');
        speaker.update([ORIGIN, long, reach(TUNNEL_HEX)]);
        await eventually('the route of the first', async () => (await learned(box)) === PREFIX);
        third?.update([ORIGIN, attribute('4002', '02010000fdea'), reach(OTHER_HEX)]);
        third?.update([ORIGIN, attribute('4002', '02010000fdea'), reach(OTHER_HEX, `1cc0000280`)]);
        await eventually('the refusal', async () => (await refused(box, 't')) === `${PREFIX} other-source`);
        assert.equal([await learned(box), await refused(box, 's')], [PREFIX, '']);
        await eventually('its other route', async () => (await learned(box, 't')) === STEADY);
        assert.is((await entry(box, 'aftr=a/route-source=t')).refusals, '1');
        const alarms = async () => (await box.curl('/restconf/data/ietf-alarms:alarms/alarm-list')).body;
        await eventually('the alarm', async () => (await alarms()).includes('routes-refused'));
        assert.match(await alarms(), /route-source\[[^\]]*name='t'\]/);
        assert.match(await alarms(), /are refused \(other-source\)/);
        speaker.update([attribute('800f', `000101${NLRI}`)]);
        await eventually('its change of hands', async () => (await learned(box, 't')) === `${PREFIX} ${STEADY}`);
        assert.equal([await learned(box), await refused(box, 't')], ['', '']);
      } finally {
        third?.close();
      }
    },
    true,
    TWO_SOURCES,
  ));

/** Whether nobody listens at the address of the program. */
function isFree(): Promise<boolean> {
  const server = createServer();
  return new Promise((resolve) => {
    server.once('error', () => resolve(false));
    server.listen(PORT, OWN, () => server.close(() => resolve(true)));
  });
}

test('a GoBGP that its owner runs: its neighbors are followed, and announced to', async () => {
  await program.run(async () => undefined);
  const dir = mkdtempSync(join(tmpdir(), 'gi4over6-gobgp-'));
  const [socket, file] = [join(dir, 'api.sock'), join(dir, 'gobgpd.toml')];
  const families = '[[neighbors.afi-safis]]\n[neighbors.afi-safis.config]\nafi-safi-name = "ipv4-unicast"';
  const own = `as = 65000\nrouter-id = "10.0.0.1"\nport = ${PORT}\nlocal-address-list = ["${OWN}"]`;
  const one = `neighbor-address = "${OTHER}"\npeer-as = 65001\n[neighbors.transport.config]\npassive-mode = true`;
  writeFileSync(file, `[global.config]\n${own}\n[[neighbors]]\n[neighbors.config]\n${one}\n${families}\n`);
  const words = ['-f', file, `--api-hosts=unix://${socket}`, '--pprof-disable'];
  await eventually('the end of the GoBGP of before', isFree);
  const engine = spawn('gobgpd', words, { stdio: 'ignore' });
  try {
    const { bgp } = CONFIGURATION['gi-4over6:softwire'];
    const more = { ...GATEWAY, bgp: { ...bgp, 'engine-socket': socket } };
    await withSession(
      async (box, speaker) => {
        speaker.update(GOOD);
        await eventually('the route', async () => (await learned(box)) === PREFIX);
        await eventually('an announcement', () => speaker.updates.some((update) => update.includes('19cb007100')));
      },
      true,
      more,
    );
    assert.is(engine.exitCode, null, 'it is not ended by who only uses it');
  } finally {
    engine.kill('SIGKILL');
    rmSync(dir, { recursive: true, force: true });
  }
});

test('the end', async () => {
  assert.is(await program.stop(), 0);
});

test.run();
