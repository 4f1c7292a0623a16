// needs: addon
/** `trace` and `trace --live` against the running program, whose datapath is played: what decides is named (D139). */

import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { LivePacket, TraceRow } from '../../src/control.ts';
import { commandLine } from '../helpers/cli.ts';
import { startManagement } from '../helpers/management.ts';
import { fragmentHeader, ipv4, ipv6, udp } from '../helpers/packets.ts';
import { PlayedDatapath } from '../helpers/played-datapath.ts';
import { eventually } from '../helpers/program.ts';

const test = suite('cli trace');

const management = await startManagement();
const datapath = new PlayedDatapath(management.socket);
await datapath.start();
const { gi, ok } = commandLine(management.socket);

/** Until management has found the datapath. */
await eventually(60_000, async () => (await gi('trace', '00')).code === 0 || undefined);

const ENDS4 = { src: '203.0.113.80', dst: '198.51.103.1', id: 0 };
const inner = ipv4({ src: '203.0.113.80', dst: '198.51.103.1' });
const tunnelled = ipv6({ payload: inner });
const PORTS = 'UDP 1000 > 2000';
const SENT = `2001:db8:a::1 > 2001:db8:b::1 [203.0.113.80 > 198.51.103.1 ${PORTS}], 203.0.113.80 > 198.51.103.1 ${PORTS}`;
const PORT_SET = { prefix: '198.51.103.1/32', psid: 0, remote: '2001:db8:a::5' };
const BINDING = { prefix: '198.51.100.0/24', remote: '2001:db8:a::1' };

/** [what, role, row, what the text says, what JSON says]. */
const rows: readonly (readonly [string, LivePacket['role'], TraceRow, string, object])[] = [
  [
    'a port set',
    'aftr',
    PORT_SET,
    'decided by 198.51.103.1/32 port set 0, bound to 2001:db8:a::5',
    { prefix: '198.51.103.1/32', psid: 0, gateway: '2001:db8:a::5' },
  ],
  [
    'a binding',
    'aftr',
    BINDING,
    'decided by 198.51.100.0/24, bound to 2001:db8:a::1',
    { prefix: '198.51.100.0/24', gateway: '2001:db8:a::1' },
  ],
  [
    'a served prefix',
    'gateway',
    { ...BINDING, remote: '2001:db8:b::1' },
    'decided by 198.51.100.0/24, served prefix',
    { prefix: '198.51.100.0/24', gateway: '' },
  ],
  ['nothing', 'aftr', {}, '', { prefix: '', gateway: '' }],
];
const END = { verdict: 'forwarded', reason: '', instance: 'edge' };
for (const [what, role, row, text, json] of rows) {
  test(`${what} decides: traced`, async () => {
    datapath.traced = { role, end: 'forwarded', instance: 'edge', ...row, sent: [] };
    const line = `203.0.113.80 > 198.51.103.1 ${PORTS}: forwarded by edge\n`;
    assert.is(await ok('trace', inner), line + (text === '' ? '' : `  ${text}\n`));
    assert.equal(JSON.parse(await ok('trace', inner, '--json')), { ...END, ...json, sent: [] });
  });

  test(`${what} decides: live`, async () => {
    const time = '2026-11-26T10:00:00.000Z';
    const length = inner.length / 2;
    const packet = {
      role,
      time,
      side: 'ipv4',
      end: 'forwarded',
      instance: 'edge',
      ...row,
      length,
      header: inner,
      sentPackets: 3,
      sent: [tunnelled, inner],
    } as const;
    datapath.watched = { packets: Array.from({ length: 100 }, () => packet), missed: 0 };
    const ending = text === '' ? '' : `, ${text}`;
    const line = `${time} 203.0.113.80 > 198.51.103.1 ${PORTS}, ${length} octets: forwarded by edge${ending}, sent ${SENT} and 1 more`;
    const [first] = (await ok('trace', '--live', '198.51.103.1', '--seconds', '1')).split('\n');
    assert.is(first, line);
    const [firstJson = ''] = (await ok('trace', '--live', '198.51.103.1', '--seconds', '1', '--json')).split('\n');
    assert.equal(JSON.parse(firstJson), {
      time,
      side: 'ipv4',
      ...END,
      ...json,
      length,
      header: inner,
      sentPackets: 3,
      sent: [tunnelled, inner],
    });
  });
}

test('live: what came too fast is told last, to programs too; a thousand packets of a moment are not too many', async () => {
  const packet = {
    role: 'aftr',
    time: '2026-11-26T10:00:00.000Z',
    side: 'ipv4',
    end: 'forwarded',
    instance: 'edge',
    length: inner.length / 2,
    header: inner,
    sentPackets: 0,
    sent: [],
  } as const;
  datapath.watched = { packets: Array.from({ length: 1_000 }, () => packet), missed: 7 };
  const live = async (...more: string[]) =>
    (await ok('trace', '--live', '198.51.103.1', '--seconds', '1', ...more)).trimEnd().split('\n');
  const text = await live();
  const json = await live('--json');
  const missed = 7 * Math.floor(text.length / 1_000);
  assert.is(text.at(-1), `${missed} more packets came too fast to be shown.`);
  assert.is(text.length % 1_000, 1, 'all that was taken is shown');
  assert.equal(JSON.parse(json.at(-1) ?? ''), { 'missed-packets': 7 * Math.floor(json.length / 1_000) });
  assert.is(json.length % 1_000, 1);
});

const ENDS = '2001:db8:a::1 > 2001:db8:b::1';
const WITH_LIMIT = '0400040104010100';
/** [what, a tunnel packet, how it is told]. */
const described: readonly (readonly [string, string, string])[] = [
  ['an inner packet', ipv6({ payload: inner }), `${ENDS} [203.0.113.80 > 198.51.103.1 ${PORTS}]`],
  [
    'behind an encapsulation limit',
    ipv6({ nextHeader: 60, payload: WITH_LIMIT + inner }),
    `${ENDS} [203.0.113.80 > 198.51.103.1 ${PORTS}]`,
  ],
  [
    'in a first fragment',
    ipv6({ nextHeader: 44, payload: fragmentHeader(60, 0, 1) + WITH_LIMIT + inner }),
    `${ENDS} [203.0.113.80 > 198.51.103.1 ${PORTS}]`,
  ],
  ['a later fragment', ipv6({ nextHeader: 44, payload: fragmentHeader(4, 1, 0) + inner }), `${ENDS} later fragment`],
  ['options that are cut off', ipv6({ nextHeader: 60, payload: '0400' }), `${ENDS} next header 60`],
  ['an inner packet that is cut off', ipv6({ payload: '4500' }), `${ENDS} IPv4`],
  ['ICMPv6', ipv6({ nextHeader: 58, payload: '0105ffff00000000' }), `${ENDS} ICMPv6 1/5`],
  ['ICMPv6 that is cut off', ipv6({ nextHeader: 58, payload: '0105' }), `${ENDS} ICMPv6`],
  [
    'Packet Too Big',
    ipv6({ nextHeader: 58, payload: `0200ffff00000578${tunnelled.slice(0, 2 * 64)}` }),
    `${ENDS} ICMPv6 2/0 with MTU 1400 about ${ENDS} [203.0.113.80 > 198.51.103.1 ${PORTS}]`,
  ],
  [
    'a quote of less than a header',
    ipv6({ nextHeader: 58, payload: '0200ffff000005786000' }),
    `${ENDS} ICMPv6 2/0 with MTU 1400`,
  ],
  [
    'an echo request in IPv6',
    ipv6({ nextHeader: 58, payload: `8000ffff00000578${tunnelled}` }),
    `${ENDS} ICMPv6 128/0`,
  ],
  [
    'fragmentation needed',
    ipv4({ ...ENDS4, protocol: 1, payload: `0304ffff00000550${inner.slice(0, 2 * 28)}` }),
    `203.0.113.80 > 198.51.103.1 ICMP 3/4 with MTU 1360 about 203.0.113.80 > 198.51.103.1 ${PORTS}`,
  ],
  [
    'a quote without ports',
    ipv4({ ...ENDS4, protocol: 1, payload: `0b00ffff00000000${inner.slice(0, 2 * 20)}` }),
    '203.0.113.80 > 198.51.103.1 ICMP 11/0 about 203.0.113.80 > 198.51.103.1 UDP',
  ],
  [
    'an echo reply',
    ipv4({ ...ENDS4, protocol: 1, payload: `0000ffff00000000${inner}` }),
    '203.0.113.80 > 198.51.103.1 ICMP 0/0',
  ],
  ['ports', ipv4({ ...ENDS4, protocol: 6, payload: '0050c00100000000' }), '203.0.113.80 > 198.51.103.1 TCP 80 > 49153'],
  ['no ports', ipv4({ ...ENDS4, protocol: 47, payload: '0050c00100000000' }), '203.0.113.80 > 198.51.103.1 GRE'],
  [
    'ICMP',
    ipv4({ ...ENDS4, protocol: 1, payload: '0304ffff00000000' }),
    '203.0.113.80 > 198.51.103.1 ICMP 3/4 with MTU 0',
  ],
  [
    'ports behind options',
    ipv4({ ...ENDS4, options: '94040000', payload: '03e807d000080000' }),
    '203.0.113.80 > 198.51.103.1 UDP 1000 > 2000',
  ],
  [
    'a later IPv4 fragment',
    ipv4({ ...ENDS4, offset: 1, payload: '03e807d000080000' }),
    '203.0.113.80 > 198.51.103.1 UDP later fragment',
  ],
];
for (const [what, packet, text] of described) {
  test(`how a packet is told: ${what}`, async () => {
    datapath.traced = { role: 'aftr', end: 'held', sent: [] };
    assert.is(await ok('trace', packet), `${text}: held\n`);
  });
}

/** [options beside --from and --to, the packet that is asked about]. */
const wishes: readonly (readonly [string, string])[] = [
  ['', ipv4({ ...ENDS4, payload: udp(0, 0, 0) })],
  ['--from-port 53 --to-port 1232', ipv4({ ...ENDS4, payload: udp(0, 53, 1_232) })],
  ['--to-port 65535 --ttl 1', ipv4({ ...ENDS4, ttl: 1, payload: udp(0, 0, 65_535) })],
  [
    '--from-port 1232 --tunnel-from 2001:db8:a::1 --tunnel-to 2001:db8:b::1',
    ipv6({ payload: ipv4({ ...ENDS4, payload: udp(0, 1_232, 0) }) }),
  ],
];
for (const [options, packet] of wishes) {
  test(`the packet of --from and --to ${options}`, async () => {
    datapath.traced = { role: 'aftr', end: 'forwarded', sent: [] };
    await ok('trace', '--from', ENDS4.src, '--to', ENDS4.dst, ...options.split(' ').filter(Boolean));
    assert.is(datapath.asked, packet);
  });
}

/** [words beside `trace`, what is said]. */
const contradictions: readonly (readonly [string, RegExp])[] = [
  [`--live 198.51.100.10 ${inner}`, /--live 198\.51\.100\.10 goes without a packet in hexadecimal/],
  ['--live 198.51.100.10 --to 192.0.2.1 --ttl 5', /goes without --to, --ttl/],
  [`${inner} --from 203.0.113.80 --to-port 0`, /expected a packet in hexadecimal or --from, --to-port, came both/],
  [`${inner} --ttl 5`, /or --ttl, came both/],
  [`${inner} --seconds 5`, /--seconds 5 goes with --live alone/],
];
for (const [words, message] of contradictions) {
  test(`contradicting words: trace ${words}`, async () => {
    const { code, errors } = await gi('trace', ...words.split(' '));
    assert.is(code, 2);
    assert.match(errors, message);
  });
}

test('a port that is none', async () => {
  assert.is((await gi('trace', '--from', ENDS4.src, '--to', ENDS4.dst, '--to-port', '65536')).code, 2);
});

test('ends cleanly', async () => {
  await datapath.stop();
  assert.is(await management.stop(), 0);
});

test.run();
