// needs: addon
/** Alarms (RFC 8632) over RESTCONF: data, actions and the event stream of a process whose datapath is played. */

import { execFile, spawn } from 'node:child_process';
import { promisify } from 'node:util';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { startManagement } from '../../helpers/management.ts';
import { PlayedDatapath } from '../../helpers/played-datapath.ts';
import { eventually } from '../../helpers/program.ts';

const test = suite('restconf alarms');
const management = await startManagement();
const datapath = new PlayedDatapath(management.socket);
await datapath.start();

const BASE = `https://127.0.0.1:${management.restconfPort}/restconf`;
const ALARMS = '/data/ietf-alarms:alarms';
const WAIT_MS = 60_000;
const RESOURCE = "/gi-4over6:softwire/aftr[name='a']";

interface Answer {
  readonly status: number;
  readonly body: string;
}

/** The played datapath must answer meanwhile. */
async function curl(path: string, method = 'GET', body?: unknown): Promise<Answer> {
  const data =
    body === undefined ? [] : ['-H', 'Content-Type: application/yang-data+json', '--data-binary', JSON.stringify(body)];
  const words = [
    '-sk',
    '-u',
    `admin:${management.password}`,
    '-X',
    method,
    ...data,
    '-w',
    '\n%{http_code}',
    BASE + path,
  ];
  const { stdout } = await promisify(execFile)('curl', words, { encoding: 'utf8' });
  const at = stdout.lastIndexOf('\n');
  return { status: Number(stdout.slice(at + 1)), body: stdout.slice(0, at) };
}

type Json = Readonly<Record<string, unknown>>;
const alarm = (type: string) =>
  `${ALARMS}/alarm-list/alarm=${[RESOURCE, `gi-4over6-alarms:${type}`, ''].map(encodeURIComponent).join()}`;

test('an alarm as a resource of its own, while it is so and when it is over', async () => {
  const aftr = { name: 'a', 'ipv6-address': '2001:db8:b::1', 'ipv4-pool': ['192.0.2.0/24'] };
  assert.is((await curl('/data', 'POST', { 'gi-4over6:softwire': { aftr: [aftr] } })).status, 201);
  assert.is((await curl(alarm('reassembly-near-limit'))).status, 404);
  datapath.memory = 0.9;
  const found = await eventually(WAIT_MS, async () => {
    const { status, body } = await curl(alarm('reassembly-near-limit'));
    return status === 200 ? (JSON.parse(body) as { readonly 'ietf-alarms:alarm': readonly Json[] }) : undefined;
  });
  const [entry, ...others] = found['ietf-alarms:alarm'];
  assert.equal(others, []);
  const time = entry?.['time-created'];
  const severity = { 'perceived-severity': 'warning' };
  const text =
    'reassembly is near its limit: the memory that all instances of role aftr share is nearly in use: lower maximum-packets-per-source';
  assert.equal(entry, {
    resource: RESOURCE,
    'alarm-type-id': 'gi-4over6-alarms:reassembly-near-limit',
    'alarm-type-qualifier': '',
    'time-created': time,
    'is-cleared': false,
    'last-raised': time,
    'last-changed': time,
    ...severity,
    'alarm-text': text,
    'status-change': [{ time, ...severity, 'alarm-text': text }],
  });
  assert.ok(Math.abs(Date.now() - Date.parse(String(time))) < 60_000);
});

test('the event stream: raised and cleared, with its source', async () => {
  const words = [
    '-skN',
    '-m',
    '300',
    '-u',
    `admin:${management.password}`,
    `${BASE}/streams/NETCONF/json?start-time=2020-01-01T00:00:00Z`,
  ];
  const stream = spawn('curl', words, { stdio: ['ignore', 'pipe', 'ignore'] });
  let output = '';
  stream.stdout.setEncoding('utf8').on('data', (piece: string) => {
    output += piece;
  });
  datapath.memory = 0;
  datapath.violationSources = [{ aftr: 'a', outerSource: '2001:db8::66', innerSource: '192.0.2.9', packets: 2 }];
  const events = await eventually(WAIT_MS, async () => {
    const found = [...output.matchAll(/^data: (.*)$/gm)].map(
      ([, text = '']) => JSON.parse(text)['ietf-restconf:notification'] as Json,
    );
    // One of the two may be told before the other.
    const isThere = (text: string) => found.some((event) => JSON.stringify(event).includes(text));
    return isThere('"cleared"') && isThere('source-violation') ? found : undefined;
  });
  stream.kill();
  const told = events.flatMap((event): Json[] => {
    const content = event['ietf-alarms:alarm-notification'];
    return content === undefined ? [] : [content as Json];
  });
  assert.equal(
    told.map((event) => [
      event.resource,
      event['alarm-type-id'],
      event['alarm-type-qualifier'],
      event['perceived-severity'],
    ]),
    ['warning', 'cleared'].map((severity) => [RESOURCE, 'gi-4over6-alarms:reassembly-near-limit', '', severity]),
  );
  assert.equal(
    events.flatMap((event) => event['gi-4over6:source-violation'] ?? []),
    [{ aftr: 'a', 'gateway-ipv6-address': '2001:db8::66', 'ipv4-source': '192.0.2.9', suppressed: 1 }],
  );
});

test('control is configuration, with its limits', async () => {
  const patch = (control: Json) => curl(ALARMS, 'PATCH', { 'ietf-alarms:alarms': { control } });
  assert.is((await patch({ 'notify-status-changes': 'severity-level' })).status, 412);
  assert.is((await patch({ 'max-alarm-status-changes': 'infinite' })).status, 400);
  assert.is((await patch({ 'max-alarm-status-changes': 1 })).status, 204);
  const { body } = await curl(`${alarm('reassembly-near-limit')}?fields=status-change`);
  assert.is(JSON.parse(body)['ietf-alarms:alarm'][0]['status-change'].length, 1);
  const control = (await curl(`${ALARMS}/control?with-defaults=report-all`)).body;
  assert.equal(JSON.parse(control)['ietf-alarms:control'], {
    'max-alarm-status-changes': 1,
    'notify-status-changes': 'all-state-changes',
  });
});

test('compress-alarms and purge-alarms', async () => {
  const act = (name: string, input: Json) =>
    curl(`${ALARMS}/alarm-list/${name}`, 'POST', { 'ietf-alarms:input': input });
  const count = ({ status, body }: Answer) => [
    status,
    Object.values(JSON.parse(body)['ietf-alarms:output'] as Json)[0],
  ];
  const resource = "/gi-4over6:softwire/gi-4over6:aftr[gi-4over6:name='a']";
  assert.equal(count(await act('compress-alarms', { resource })), [200, 1]);
  assert.equal(count(await act('compress-alarms', { 'alarm-type-id': 'gi-4over6-alarms:datapath-down' })), [200, 0]);
  assert.equal(count(await act('purge-alarms', { 'alarm-clearance-status': 'not-cleared' })), [200, 0]);
  assert.equal(
    count(await act('purge-alarms', { 'alarm-clearance-status': 'any', severity: { is: 'warning' } })),
    [200, 1],
  );
  assert.is((await act('purge-alarms', {})).status, 400);
  const { body } = await curl(`${ALARMS}/alarm-list/number-of-alarms`);
  assert.is(JSON.parse(body)['ietf-alarms:number-of-alarms'], 0);
  assert.is((await curl(`${ALARMS}/alarm-list/purge-shelved-alarms`, 'POST', {})).status, 404);
});

test('ends cleanly', async () => {
  await datapath.stop();
  assert.is(await management.stop(), 0);
});

test.run();
