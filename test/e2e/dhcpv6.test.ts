// needs: root
/** A gateway that learns its AFTR by DHCPv6: Kea as server, dhcpcd as client, both boxes of the program. */

import type { ChildProcess } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import {
  AFTR_TUNNEL,
  DEVICE,
  DEVICE_PREFIX,
  GATEWAY_TUNNEL,
  INTERNET,
  PROGRAM,
  SECOND_PREFIX,
  stop,
  until,
} from '../../tools/topology.ts';
import { containerOption, Kea, nameOption, rawOption, serversOption, startDhcpcd } from '../helpers/dhcpv6.ts';
import { RawClient } from '../helpers/netconf-client.ts';
import { dataIn, getData, subtree } from '../helpers/nmda-requests.ts';
import { soon } from '../helpers/soon.ts';
import { AFTR_CONFIGURATION, GATEWAY_CONFIGURATION, TwoBoxes } from '../helpers/two-boxes.ts';

const test = suite('DHCPv6 end to end');
const SOFTWIRE = '/restconf/data/gi-4over6:softwire';
const SOURCE = `${SOFTWIRE}/aftr=edge/route-source=rack`;
const LONG_MS = 90_000;
const OTHER_TUNNEL = '2001:db8:b::2';
const DNS_SERVER = '2001:db8:12::2';
const RAW_MULTICAST = 'ff0e0000000000000000000000000001';

type Json = Readonly<Record<string, unknown>>;

const prefix = `gi4over6-dhcpv6-${process.pid}`;
const hookDir = join('/tmp', prefix, 'gateway', 'dhcpv6');
const boxes = await TwoBoxes.start(prefix, ['--dhcpv6-dir', hookDir]);
const { topology } = boxes;
const kea = new Kea(topology);
const names = topology.path('aftr', 'names');
let client: ChildProcess | undefined;

function read(host: 'gateway' | 'aftr', path: string): Json {
  const { body } = boxes.restconf(host, 'GET', path);
  const [data] = Object.values(JSON.parse(body) as Readonly<Record<string, Json | readonly Json[]>>);
  return (Array.isArray(data) ? data[0] : data) ?? {};
}

const learnedAftr = () => read('gateway', `${SOFTWIRE}/gateway=rack/state/learned-aftr`);
const isReached = () => boxes.ping('internet', DEVICE, ['-c', '1', '-W', '1']);
const isStillReached = () => boxes.reaches('internet', DEVICE);

/** Prefixes that the AFTR learned. */
function learned(): string[] {
  const routes = (read('aftr', `${SOURCE}?content=nonconfig`)['learned-route'] ?? []) as readonly Json[];
  return routes.map((route) => String(route['ipv4-prefix']));
}

/** How often the gateway has announced all its routes. */
function announcements(): number {
  const log = readFileSync(topology.path('gateway', 'log', 'management.log'), 'utf8');
  return log.split('the AFTR knows the routes').length - 1;
}

/** Those that are there. */
function alarms(): string[] {
  const { body } = boxes.restconf('gateway', 'GET', '/restconf/data/ietf-alarms:alarms/alarm-list');
  const { alarm = [] } = (JSON.parse(body) as { 'ietf-alarms:alarm-list': { alarm?: readonly Json[] } })[
    'ietf-alarms:alarm-list'
  ];
  return alarm
    .filter((item) => item['is-cleared'] === false)
    .map((item) => [item['alarm-type-id'], item['perceived-severity'], item['alarm-text']].join(' '));
}

const hasAlarm = (what: RegExp) => alarms().some((line) => what.test(line));

/** What a command for operators prints on the gateway. */
function cli(...words: readonly string[]): string {
  const socket = ['--socket', join(boxes.gateway.runDir, 'netconf.sock')];
  return topology.run('gateway', [process.execPath, PROGRAM, ...words, ...socket]).output;
}

/** The AFTR answers at this tunnel address alone from now on. */
function moveAftr(address: string): void {
  const { status: code, body } = boxes.configure('aftr', { name: 'edge', 'ipv6-address': address });
  assert.is(code, 204, body);
}

test('without an answer: it does not forward, says so, and lets nothing out in clear', async () => {
  const source = { name: 'rack', 'gateway-ipv6-address': GATEWAY_TUNNEL, password: '$0$secret' };
  const { 'binding-table': _, ...aftr } = AFTR_CONFIGURATION;
  const allowed = { 'allowed-prefix': [DEVICE_PREFIX, SECOND_PREFIX] };
  assert.is(boxes.configure('aftr', { ...aftr, 'route-source': [{ ...source, ...allowed }] }).status, 204);
  topology.ip('gateway', 'addr del 192.0.2.1/24 dev left');
  const { 'aftr-ipv6-address': __, ...gateway } = GATEWAY_CONFIGURATION;
  const url = 'https://[2001:db8:12::2]:8443/restconf';
  const file = topology.path('aftr', 'state', 'keys', 'tls.crt');
  const { output } = topology.run('aftr', ['openssl', 'x509', '-in', file, '-noout', '-fingerprint', '-sha256']);
  const fingerprint = { 'server-certificate-fingerprint': output.trim().split('=')[1] ?? '' };
  const target = { name: 'edge', url, 'client-name': 'rack', password: 'secret', ...fingerprint };
  const { status: code, body } = boxes.configure('gateway', {
    ...gateway,
    'aftr-from-dhcpv6': 'right',
    'route-advertisement': { target: [target] },
  });
  assert.is(code, 204, body);
  await soon(() =>
    assert.equal(learnedAftr(), {
      'learning-state': 'waiting',
      'last-problem': 'the DHCPv6 client of right has told nothing yet',
    }),
  );
  assert.match(cli('status'), /Gateway rack: the DHCPv6 client of right has told nothing yet; it has no AFTR/);
  // A way out in clear, if anything took it.
  topology.ip('gateway', 'addr add 10.9.0.1/24 dev right');
  topology.ip('gateway', 'route add default via 10.9.0.2 dev right');
  topology.ip('gateway', 'neigh add 10.9.0.2 lladdr 02:00:00:00:00:01 dev right');
  const words = ['timeout', '4', 'tcpdump', '-ni', 'right', '-c', '1', 'ip or ip proto 4'];
  const capture = topology.start('gateway', words);
  assert.not.ok(boxes.ping('device', INTERNET, ['-c', '3', '-i', '0.3', '-W', '1']));
  const captured = await new Promise((resolve) => capture.once('exit', resolve));
  assert.is(captured, 124, 'nothing was captured: its time was over');
  topology.ip('gateway', 'route del default');
  topology.ip('gateway', 'addr del 10.9.0.1/24 dev right');
  assert.ok(await until(LONG_MS, () => hasAlarm(/aftr-unknown major .*told nothing yet/)), alarms().join('\n'));
  assert.ok(
    await until(LONG_MS, () => hasAlarm(/not-forwarding critical .*its AFTR is not known yet/)),
    alarms().join('\n'),
  );
  assert.equal(learned(), []);
});

test('a second way beside it is refused, and so is none', () => {
  const both = boxes.configure('gateway', { name: 'rack', 'aftr-ipv6-address': AFTR_TUNNEL });
  assert.is(both.status, 412);
  assert.match(both.body, 'has both aftr-ipv6-address and aftr-from-dhcpv6');
  const none = boxes.restconf('gateway', 'DELETE', `${SOFTWIRE}/gateway=rack/aftr-from-dhcpv6`);
  assert.is(none.status, 412);
  assert.match(none.body, 'neither aftr-ipv6-address nor aftr-from-dhcpv6');
});

test('OPTION_S46_CONT_LW: learned, forwarded by, announced, and the alarms end', async () => {
  await kea.serve(containerOption(AFTR_TUNNEL));
  client = startDhcpcd(topology, hookDir);
  assert.ok(await until(LONG_MS, () => learnedAftr()['learning-state'] === 'learned'), JSON.stringify(learnedAftr()));
  const { 'last-answer': time, ...rest } = learnedAftr();
  assert.equal(rest, { 'learning-state': 'learned', 'ipv6-address': AFTR_TUNNEL, 'told-by': 's46-container' });
  assert.ok(Math.abs(Date.now() - Date.parse(String(time))) < LONG_MS);
  assert.ok(await until(LONG_MS, isReached));
  assert.ok(boxes.ping('device', INTERNET));
  assert.equal(learned(), [DEVICE_PREFIX]);
  assert.match(cli('show', 'gateways'), AFTR_TUNNEL);
  assert.ok(await until(LONG_MS, () => !hasAlarm(/aftr-unknown|not-forwarding/)), alarms().join('\n'));
});

test('it is in operational with its origin, and in no configuration', async () => {
  const session = (await RawClient.local(join(boxes.gateway.runDir, 'netconf.sock'))).greet('1.1');
  const filter = subtree('<softwire xmlns="urn:gi-4over6"><gateway><aftr-ipv6-address/></gateway></softwire>');
  const operational = dataIn(await session.rpc(getData('operational', `${filter}<with-origin/>`)));
  const running = dataIn(await session.rpc(getData('running', filter)));
  session.end();
  assert.match(operational, new RegExp(`<aftr-ipv6-address [^>]*origin="or:learned"[^>]*>${AFTR_TUNNEL}<`));
  assert.not.match(running, 'aftr-ipv6-address');
});

test('another AFTR: packets go to it, and the routes are announced anew', async () => {
  const before = announcements();
  moveAftr(OTHER_TUNNEL);
  assert.ok(await until(LONG_MS, () => !isReached()), 'the one before answers no longer');
  await kea.serve(containerOption(OTHER_TUNNEL));
  assert.ok(await until(LONG_MS, () => learnedAftr()['ipv6-address'] === OTHER_TUNNEL));
  assert.ok(await until(LONG_MS, isReached));
  assert.ok(boxes.ping('device', INTERNET));
  assert.ok(await until(LONG_MS, () => announcements() > before), 'a session of its own');
  assert.ok(await until(LONG_MS, () => learned().length === 1));
});

test('an option that cannot be: an alarm, and the AFTR before stays', async () => {
  await kea.serve(rawOption(96, `005a0010${RAW_MULTICAST}`));
  const text = 'OPTION_S46_BR has ff0e::1: expected a unicast address that is not link-local; it stays with AFTR';
  assert.ok(await until(LONG_MS, () => hasAlarm(new RegExp(`aftr-unknown warning .*${text}`))), alarms().join('\n'));
  assert.is(learnedAftr()['learning-state'], 'failing');
  assert.match(cli('status'), text);
  assert.ok(isStillReached());
});

test('both processes killed: what was learned is in use before the client says anything', async () => {
  for (const pid of boxes.pids('gateway', 'management')) process.kill(pid, 'SIGKILL');
  for (const pid of boxes.pids('gateway', 'datapath')) process.kill(pid, 'SIGKILL');
  assert.ok(await until(LONG_MS, isReached));
  assert.ok(await until(LONG_MS, () => boxes.isUp('gateway')));
  assert.is(learnedAftr()['ipv6-address'], OTHER_TUNNEL);
});

test('an answer without any of the options: no AFTR, and the routes are withdrawn', async () => {
  await kea.serve([]);
  assert.ok(await until(LONG_MS, () => hasAlarm(/aftr-unknown major .*tells of no AFTR/)), alarms().join('\n'));
  assert.ok(await until(LONG_MS, () => learned().length === 0), learned().join());
  assert.ok(await until(LONG_MS, () => !isReached()));
});

test('OPTION_S46_BR by itself', async () => {
  await kea.serve(rawOption(90, '20010db8000b00000000000000000002'));
  assert.ok(await until(LONG_MS, () => learnedAftr()['told-by'] === 's46-br'), JSON.stringify(learnedAftr()));
  assert.ok(await until(LONG_MS, isReached));
});

test('OPTION_AFTR_NAME: the name is asked of the servers that came with it', async () => {
  writeFileSync(names, `aftr.example.net ${AFTR_TUNNEL}\n`);
  topology.start('aftr', [process.execPath, 'dist/test/helpers/dns-responder.js', DNS_SERVER, names]);
  assert.ok(await until(LONG_MS, () => topology.run('aftr', ['ss', '-Hlun', 'sport = :53']).output !== ''));
  moveAftr(AFTR_TUNNEL);
  await kea.serve([...nameOption('AFTR.example.net.'), ...serversOption(DNS_SERVER)]);
  assert.ok(await until(LONG_MS, () => learnedAftr()['told-by'] === 'aftr-name'), JSON.stringify(learnedAftr()));
  const { 'last-answer': _, ...rest } = learnedAftr();
  const name = { 'told-by': 'aftr-name', 'aftr-name': 'aftr.example.net' };
  assert.equal(rest, { 'learning-state': 'learned', 'ipv6-address': AFTR_TUNNEL, ...name });
  assert.ok(await until(LONG_MS, isReached));
});

test('a name that nobody knows: an alarm, and the AFTR before stays', async () => {
  await kea.serve([...nameOption('gone.example.net.'), ...serversOption(DNS_SERVER)]);
  const wanted = /aftr-unknown warning AFTR gone.example.net has no address: .*ENOTFOUND/;
  assert.ok(await until(LONG_MS, () => hasAlarm(wanted)), alarms().join('\n'));
  assert.ok(isStillReached());
});

test('a name before an address: the address counts', async () => {
  const both = [...nameOption('gone.example.net.'), ...serversOption(DNS_SERVER), ...containerOption(AFTR_TUNNEL)];
  await kea.serve(both);
  assert.ok(await until(LONG_MS, () => learnedAftr()['told-by'] === 's46-container'));
  assert.ok(await until(LONG_MS, () => !hasAlarm(/aftr-unknown/)));
});

test('a lease that is lost: no AFTR, and the routes are withdrawn; with the server they come back', async () => {
  await kea.stop();
  assert.ok(
    await until(LONG_MS, () => hasAlarm(/aftr-unknown major .*has no lease any more/)),
    JSON.stringify(learnedAftr()),
  );
  assert.ok(await until(LONG_MS, () => learned().length === 0), learned().join());
  assert.ok(await until(LONG_MS, () => !isReached()));
  await kea.serve(containerOption(AFTR_TUNNEL));
  assert.ok(await until(LONG_MS, isReached), JSON.stringify(learnedAftr()));
});

test('a configured address in its place: what was learned is gone with the same edit', () => {
  const { body } = boxes.restconf('gateway', 'GET', `${SOFTWIRE}/gateway=rack?content=config`);
  const [entry = {}] = (JSON.parse(body) as { 'gi-4over6:gateway': readonly Json[] })['gi-4over6:gateway'];
  const { 'aftr-from-dhcpv6': _, ...rest } = entry;
  const fixed = { 'gi-4over6:gateway': [{ ...rest, 'aftr-ipv6-address': AFTR_TUNNEL }] };
  assert.is(boxes.restconf('gateway', 'PUT', `${SOFTWIRE}/gateway=rack`, fixed).status, 204);
  const gone = boxes.restconf('gateway', 'GET', `${SOFTWIRE}/gateway=rack/state/learned-aftr`);
  assert.equal([gone.status, JSON.parse(gone.body)], [200, { 'gi-4over6:learned-aftr': {} }]);
  assert.ok(isStillReached());
});

test('end', async () => {
  if (client) await stop(client);
  await kea.stop();
  await boxes.close();
});

test.run();
