// needs: root
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { text } from 'node:stream/consumers';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { HostName } from '../../tools/topology.ts';
import { DEVICE, GATEWAY_TUNNEL, INTERNET, SECOND_DEVICE, SECOND_PREFIX, stop, until } from '../../tools/topology.ts';
import { captured } from '../helpers/capture.ts';
import { echoCounts, echoWords } from '../helpers/echoes.ts';
import { soon } from '../helpers/soon.ts';
import { AFTR_CONFIGURATION, TwoBoxes } from '../helpers/two-boxes.ts';

const test = suite('softwire end to end');
const SOFTWIRE = '/restconf/data/gi-4over6:softwire';
const TABLE = `${SOFTWIRE}/aftr=edge/binding-table`;

const boxes = await TwoBoxes.start(`gi4over6-e2e-${process.pid}`);
const { topology } = boxes;
const kernelBefore = { gateway: kernelState('gateway'), aftr: kernelState('aftr') };

/** Everything of a host's kernel that the program may touch, as text. */
function kernelState(host: HostName): string {
  const questions = [
    '-br link',
    'rule',
    '-6 rule',
    'route show table all',
    '-6 route show table all',
    '-6 neigh show proxy',
  ];
  return (
    questions
      .map(
        (words) => spawnSync('ip', ['-n', topology.namespace(host), ...words.split(' ')], { encoding: 'utf8' }).stdout,
      )
      .join('\n')
      // What the kernel does by itself in its own time.
      .replace(/ expires \d+sec/g, '')
      .replace(/^.*(?:fe80::|anycast|multicast).*\n/gm, '')
  );
}

/** Counts the packets that match a filter on a link while a body runs. */
async function countPackets(host: HostName, link: string, filter: string, body: () => Promise<void>): Promise<number> {
  const listed = await captured(topology, [host, link, filter], body);
  return listed.split('\n').filter((line) => line !== '').length;
}

/** Pings at 100 packets a second while a body runs; how many were lost of how many. */
async function pingDuring(body: () => Promise<void>): Promise<{ sent: number; lost: number }> {
  const received = () => boxes.counter('gateway', 'ipv4-side', 'received-packets');
  const before = received();
  const pinging = topology.start('device', echoWords(INTERNET, { gap: 0.01 }), { stdio: ['pipe', 'pipe', 'inherit'] });
  if (!pinging.stdin || !pinging.stdout) throw new Error('there are no pipes');
  const said = text(pinging.stdout);
  await soon(() => assert.ok(received() > before, 'it has begun'));
  await body();
  pinging.stdin.end();
  const counts = echoCounts(await said);
  return { sent: counts.sent, lost: counts.sent - counts.received };
}

test('both processes have only the rights they need', () => {
  const status = (name: 'management' | 'datapath') =>
    readFileSync(`/proc/${boxes.pids('gateway', name)[0]}/status`, 'utf8');
  const field = (text: string, name: string) => new RegExp(`^${name}:\\s*(.*)$`, 'm').exec(text)?.[1] ?? '';
  const NET_ADMIN = 1n << 12n;
  const NET_BIND_SERVICE = 1n << 10n;
  const [management, datapath] = [status('management'), status('datapath')];
  for (const text of [management, datapath]) assert.not.match(field(text, 'Uid'), /\b0\b/);
  assert.is(BigInt(`0x${field(management, 'CapEff')}`) & ~NET_BIND_SERVICE, 0n);
  assert.is(BigInt(`0x${field(management, 'CapBnd')}`) & ~NET_BIND_SERVICE, 0n);
  assert.is(BigInt(`0x${field(datapath, 'CapEff')}`), NET_ADMIN);
  assert.is(BigInt(`0x${field(datapath, 'CapBnd')}`), NET_ADMIN);
});

test('without configuration nothing flows; with it, both ways', async () => {
  assert.not(boxes.ping('device', INTERNET, ['-c', '1', '-W', '1']));
  await boxes.configureBoth();
  assert.ok(boxes.ping('device', INTERNET));
  assert.ok(boxes.ping('internet', DEVICE));
});

test('between the boxes there is IPv4 inside IPv6 and no IPv4 besides', async () => {
  let inside = 0;
  const clear = await countPackets('gateway', 'right', 'ip or arp', async () => {
    inside = await countPackets('aftr', 'right', `ip6 proto 4 and host ${GATEWAY_TUNNEL}`, async () => {
      assert.equal(boxes.echoes('device', INTERNET, { count: 5 }), { sent: 5, received: 5 });
    });
  });
  assert.is(clear, 0);
  assert.is(inside, 10);
});

test('whole packets of 1,500 octets pass with DF, one more octet does not', () => {
  assert.ok(boxes.ping('device', INTERNET, ['-c', '1', '-W', '2', '-M', 'do', '-s', '1472']));
  topology.ip('device', 'link set eth0 mtu 1600');
  topology.ip('gateway', 'link set left mtu 1600');
  const { output } = topology.run('device', ['ping', '-c', '1', '-W', '2', '-M', 'do', '-s', '1473', INTERNET]);
  assert.match(output, /mtu = 1500/);
  topology.ip('device', 'link set eth0 mtu 1500');
  topology.ip('gateway', 'link set left mtu 1500');
});

test('TTL: each box that forwards takes one', () => {
  const { output } = topology.run('device', ['ping', '-c', '1', '-W', '2', '-t', '2', INTERNET]);
  assert.match(output, /Time to live exceeded/);
  assert.ok(boxes.ping('device', INTERNET, ['-c', '1', '-W', '2', '-t', '4']));
});

test('counters show the traffic and partition it', async () => {
  const before = boxes.counter('aftr', 'ipv6-side', 'forwarded-packets');
  assert.equal(boxes.echoes('device', INTERNET, { count: 10 }), { sent: 10, received: 10 });
  await soon(() => assert.is(boxes.counter('aftr', 'ipv6-side', 'forwarded-packets') - before, 10));
  for (const host of ['gateway', 'aftr'] as const) {
    for (const side of ['ipv4-side', 'ipv6-side'] as const) {
      // Each is a request of its own, and neighbours may speak in between.
      await soon(() => {
        const parts = ['forwarded', 'hairpinned', 'replied', 'dropped'].map((name) =>
          boxes.counter(host, side, `${name}-packets`),
        );
        assert.is(
          parts.reduce((sum, part) => sum + part, 0),
          boxes.counter(host, side, 'received-packets'),
          `${host} ${side}`,
        );
      });
    }
  }
});

test('an unbound address of the pool crosses nothing', async () => {
  const count = await countPackets('aftr', 'right', 'ip6 proto 4', async () => {
    assert.not(boxes.ping('internet', SECOND_DEVICE, ['-c', '2', '-i', '0.2', '-W', '1']));
  });
  assert.is(count, 0);
});

test('fifty edits beside traffic lose no packet', async () => {
  const { sent, lost } = await pingDuring(async () => {
    for (let i = 0; i < 25; i++) {
      const path = `${TABLE}/binding=${encodeURIComponent(`192.0.2.${i}/32`)}`;
      const entry = {
        'gi-4over6:binding': [{ 'ipv4-prefix': `192.0.2.${i}/32`, 'gateway-ipv6-address': GATEWAY_TUNNEL }],
      };
      assert.is(boxes.restconf('aftr', 'PUT', path, entry).status, 201);
      assert.is(boxes.restconf('aftr', 'DELETE', path).status, 204);
      await new Promise((resolve) => setImmediate(resolve));
    }
  });
  assert.ok(sent > 40, `${sent} sent`);
  assert.is(lost, 0, `of ${sent}`);
});

test('a second prefix added live', () => {
  const served = { name: 'rack', 'served-prefix': [{ 'ipv4-prefix': SECOND_PREFIX }] };
  assert.is(boxes.configure('gateway', served).status, 204);
  const table = { binding: [{ 'ipv4-prefix': SECOND_PREFIX, 'gateway-ipv6-address': GATEWAY_TUNNEL }] };
  assert.is(boxes.configure('aftr', { name: 'edge', 'binding-table': table }).status, 204);
  assert.ok(boxes.ping('device', INTERNET, ['-c', '2', '-i', '0.2', '-W', '2', '-I', SECOND_DEVICE]));
  assert.ok(boxes.ping('internet', SECOND_DEVICE));
});

const refusals: readonly (readonly [string, 'gateway' | 'aftr', Record<string, unknown>, RegExp])[] = [
  [
    'a tunnel address that the kernel holds',
    'aftr',
    { ...AFTR_CONFIGURATION, 'ipv6-address': '2001:db8:12::2' },
    /2001:db8:12::2 is configured on right/,
  ],
  [
    'a binding outside every pool',
    'aftr',
    {
      name: 'edge',
      'binding-table': { binding: [{ 'ipv4-prefix': '8.8.8.0/24', 'gateway-ipv6-address': GATEWAY_TUNNEL }] },
    },
    /outside-pool/,
  ],
  [
    "an AFTR that is an address on the gateway's own link",
    'gateway',
    { name: 'rack', 'aftr-ipv6-address': '2001:db8:12::1' },
    /AFTR 2001:db8:12::1 is configured on right: the tunnel would end where it begins/,
  ],
  ['a pool that covers a connected subnet', 'aftr', { name: 'edge', 'ipv4-pool': ['203.0.113.0/24'] }, /203\.0\.113/],
];
for (const [why, host, entry, message] of refusals) {
  test(`refused, and everything as it was: ${why}`, () => {
    const before = boxes.restconf(host, 'GET', `${SOFTWIRE}?content=config`).body;
    const { status, body } = boxes.configure(host, entry);
    assert.ok(status >= 400, `${status}`);
    assert.match(body, message);
    assert.is(boxes.restconf(host, 'GET', `${SOFTWIRE}?content=config`).body, before);
    assert.ok(boxes.ping('device', INTERNET));
  });
}

test('management killed: forwarding goes on, and edits work again', async () => {
  const { lost } = await pingDuring(async () => {
    for (const pid of boxes.pids('aftr', 'management')) process.kill(pid, 'SIGKILL');
    await new Promise((resolve) => setTimeout(resolve, 1_000));
  });
  assert.is(lost, 0);
  assert.ok(await until(60_000, () => boxes.isUp('aftr')));
  const path = `${TABLE}/binding=192.0.2.200%2F32`;
  const entry = { 'gi-4over6:binding': [{ 'ipv4-prefix': '192.0.2.200/32', 'gateway-ipv6-address': GATEWAY_TUNNEL }] };
  assert.is(boxes.restconf('aftr', 'PUT', path, entry).status, 201);
  assert.is(boxes.restconf('aftr', 'DELETE', path).status, 204);
});

for (const host of ['gateway', 'aftr'] as const) {
  test(`datapath of the ${host} killed under traffic: nothing in clear on either uplink, forwarding returns`, async () => {
    // A way out in clear, as the AFTR has one anyway, which must not be taken.
    topology.ip('gateway', 'route add default dev right');
    let leaked = 0;
    const clear = await countPackets('gateway', 'right', 'ip or arp', async () => {
      leaked = await countPackets(
        'aftr',
        'left',
        'dst net 198.51.100.0/24 and src host 203.0.113.80 and ip[8] < 64',
        async () => {
          const inward = topology.start('internet', ['ping', '-i', '0.01', DEVICE]);
          await pingDuring(async () => {
            for (const pid of boxes.pids(host, 'datapath')) process.kill(pid, 'SIGKILL');
            await new Promise((resolve) => setTimeout(resolve, 1_500));
          });
          await stop(inward);
        },
      );
    });
    assert.is(clear, 0, 'IPv4 between the boxes');
    assert.is(leaked, 0, 'sent back to the Internet');
    assert.ok(await until(60_000, () => boxes.ping('device', INTERNET, ['-c', '1', '-W', '1'])));
    topology.ip('gateway', 'route del default dev right');
  });
}

test('thirty kills of management during edits: every acknowledged commit is there', async () => {
  /** The last value acknowledged by prefix, and those that were asked for after it. */
  const acknowledged = new Map<string, string[]>();
  for (let round = 0; round < 30; round++) {
    assert.ok(await until(60_000, () => boxes.isUp('aftr')), `round ${round}`);
    const delayMs = 20 + ((round * 37) % 160);
    const killer = setTimeout(() => {
      for (const pid of boxes.pids('aftr', 'management')) process.kill(pid, 'SIGKILL');
    }, delayMs);
    for (let i = 0; i < 20; i++) {
      const prefix = `192.0.2.${round * 8 + (i % 8)}/32`;
      const more = { description: `round ${round}, edit ${i}` };
      const entry = {
        'gi-4over6:binding': [{ 'ipv4-prefix': prefix, 'gateway-ipv6-address': GATEWAY_TUNNEL, ...more }],
      };
      acknowledged.get(prefix)?.push(more.description);
      const { status } = boxes.restconf('aftr', 'PUT', `${TABLE}/binding=${encodeURIComponent(prefix)}`, entry);
      if (status !== 201 && status !== 204) break;
      acknowledged.set(prefix, [more.description]);
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
    clearTimeout(killer);
    for (const pid of boxes.pids('aftr', 'management')) process.kill(pid, 'SIGKILL');
  }
  assert.ok(await until(60_000, () => boxes.isUp('aftr')));
  // How many more is the machine's affair.
  console.log(`     ${acknowledged.size} prefixes acknowledged`);
  assert.ok(acknowledged.size >= 20, `${acknowledged.size} acknowledged`);
  const { body } = boxes.restconf('aftr', 'GET', `${TABLE}?content=config`);
  const entries = (
    JSON.parse(body) as { 'gi-4over6:binding-table': { binding: { 'ipv4-prefix': string; description?: string }[] } }
  )['gi-4over6:binding-table'].binding;
  const stored = new Map(entries.map((entry) => [entry['ipv4-prefix'], entry.description ?? '']));
  for (const [prefix, values] of acknowledged) {
    assert.ok(values.includes(stored.get(prefix) ?? ''), `${prefix}: ${stored.get(prefix)}, not one of ${values}`);
  }
  const hash = (text: string, name: string) => new RegExp(`"${name}":"([^"]+)"`).exec(text)?.[1];
  await soon(() => {
    const state = boxes.restconf('aftr', 'GET', `${SOFTWIRE}/state`).body;
    const table = boxes.restconf('aftr', 'GET', `${TABLE}?content=nonconfig`).body;
    assert.match(hash(state, 'applied-content-hash') ?? '', /^[0-9a-f:]{95}$/);
    assert.is(
      hash(state, 'applied-content-hash'),
      hash(table, 'content-hash'),
      'what is forwarded by is what is stored',
    );
  });
  assert.ok(boxes.ping('device', INTERNET));
});

test('a clean stop leaves the kernel as it was', async () => {
  await stop(boxes.gateway.process);
  await stop(boxes.aftr.process);
  for (const host of ['gateway', 'aftr'] as const) assert.is(kernelState(host), kernelBefore[host], host);
  await boxes.close();
});

test.run();
