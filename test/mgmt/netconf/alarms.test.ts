// needs: addon
/** Alarms (RFC 8632) and the notifications about them over NETCONF, of a management process whose datapath is played. */

import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { startManagement } from '../../helpers/management.ts';
import { outcome, RawClient } from '../../helpers/netconf-client.ts';
import { AFTR, binding, edit, GI, nacm, RESET, systemUser, table } from '../../helpers/netconf-requests.ts';
import { PlayedDatapath } from '../../helpers/played-datapath.ts';
import { eventually } from '../../helpers/program.ts';

const test = suite('alarms');
const management = await startManagement();
const datapath = new PlayedDatapath(management.socket);
await datapath.start();

const AL = 'xmlns="urn:ietf:params:xml:ns:yang:ietf-alarms"';
const SUBSCRIBE = '<create-subscription xmlns="urn:ietf:params:xml:ns:netconf:notification:1.0">';
const RESOURCE = "/gi-4over6:softwire/gi-4over6:aftr[gi-4over6:name='a']";
const WAIT_MS = 60_000;

const local = async () => (await RawClient.local(management.socket)).greet('1.1');
const operator = await local();

async function done(...operations: readonly string[]): Promise<void> {
  for (const operation of operations) assert.is(outcome(await operator.rpc(operation)), 'ok', operation);
}

const get = (inside: string) => operator.rpc(`<get><filter><alarms ${AL}>${inside}</alarms></filter></get>`);
const action = (inside: string) =>
  operator.rpc(
    `<action xmlns="urn:ietf:params:xml:ns:yang:1"><alarms ${AL}><alarm-list>${inside}</alarm-list></alarms></action>`,
  );
const control = (inside: string) => edit(`<alarms ${AL}><control>${inside}</control></alarms>`);
const count = (text: string, name: string) => Number(new RegExp(`<${name}[^>]*>(\\d+)<`).exec(text)?.[1]);

/** The entry of an alarm type in the list. */
async function alarm(type: string): Promise<string> {
  const text = await get('<alarm-list/>');
  return text.split('<alarm>').find((entry) => entry.includes(`gi-4over6-alarms:${type}<`)) ?? '';
}

/** Waits until an alarm is raised or cleared; its entry. */
const until = (type: string, isCleared: boolean) =>
  eventually(WAIT_MS, async () => {
    const entry = await alarm(type);
    return entry.includes(`<is-cleared>${isCleared}<`) ? entry : undefined;
  });

/** A subscriber to everything from now on, or from the beginning. */
async function watcher(start = ''): Promise<RawClient> {
  const client = await local();
  assert.is(outcome(await client.rpc(`${SUBSCRIBE}${start}</create-subscription>`)), 'ok');
  return client;
}

async function next(client: RawClient, wanted: RegExp): Promise<string> {
  for (let tries = 0; tries < 200; tries++) {
    const message = await client.receive();
    if (message === '') break;
    if (wanted.test(message)) return message;
  }
  throw new Error(`no notification matches ${wanted}`);
}

/** The next notification of each kind, whichever comes first. */
async function nextOfEach(client: RawClient, ...kinds: readonly RegExp[]): Promise<string[]> {
  const found = new Map<RegExp, string>();
  while (found.size < kinds.length) {
    const message = await next(client, /./s);
    const kind = kinds.find((wanted) => !found.has(wanted) && wanted.test(message));
    if (kind) found.set(kind, message);
  }
  return kinds.map((kind) => found.get(kind) ?? '');
}

test('D135: the inventory names each alarm type once, with its severities and what to do', async () => {
  const text = await get('<alarm-inventory/>');
  const types = [...text.matchAll(/gi-4over6-alarms:([\w-]+)<\/alarm-type-id>/g)].map(([, name]) => name);
  assert.equal(types.sort(), [
    'advertisement-failing',
    'aftr-unknown',
    'bgp-down',
    'bgp-without-ipv6-next-hop',
    'binding-table-near-limit',
    'datapath-behind',
    'datapath-down',
    'not-forwarding',
    'reassembly-near-limit',
    'route-source-silent',
    'routes-refused',
    'source-violations',
    'store-damaged',
    'store-not-writable',
  ]);
  assert.match(text, /<will-clear>true<\/will-clear><severity-level>critical<\/severity-level><description>\w/);
});

test('D135: a table at nine tenths of softwire-num-max: alarm and binding-limit at once, the end below eight', async () => {
  const client = await watcher();
  const max = (number: number) =>
    edit(AFTR.replace('</aftr>', `<softwire-num-max>${number}</softwire-num-max></aftr>`));
  const rows = (from: number, to: number) =>
    edit(table(Array.from({ length: to - from }, (_, i) => binding(`192.0.2.${from + i}/32`, '2001:db8::1')).join('')));
  await done(max(10), rows(0, 8));
  assert.is(await alarm('binding-table-near-limit'), '');
  await done(rows(8, 9));
  const raised = await next(client, /alarm-notification/);
  assert.is(
    raised.replace(/<(eventTime|time)>[^<]+</g, '<$1>T<'),
    '<notification xmlns="urn:ietf:params:xml:ns:netconf:notification:1.0"><eventTime>T</eventTime>' +
      `<alarm-notification ${AL}><resource xmlns:gi-4over6="urn:gi-4over6">${RESOURCE}</resource>` +
      '<alarm-type-id xmlns:gi-4over6-alarms="urn:gi-4over6:alarms">gi-4over6-alarms:binding-table-near-limit</alarm-type-id>' +
      '<alarm-type-qualifier/><time>T</time><perceived-severity>warning</perceived-severity>' +
      '<alarm-text>the binding table is near its limit of 10: remove bindings or raise softwire-num-max</alarm-text>' +
      '</alarm-notification></notification>',
  );
  assert.ok(
    (await next(client, /binding-limit/)).includes(
      `<binding-limit ${GI}><aftr>a</aftr><bindings>9</bindings><softwire-num-max>10</softwire-num-max></binding-limit>`,
    ),
  );
  await done(rows(9, 10));
  assert.match(await next(client, /alarm-notification/), /<perceived-severity>major<.*the binding table is full/);
  await done(max(14));
  assert.match(await next(client, /alarm-notification/), /<perceived-severity>cleared</);
  assert.match(await next(client, /binding-limit/), /<bindings>10<\/bindings><softwire-num-max>14</);
  const entry = await alarm('binding-table-near-limit');
  assert.match(entry, /<is-cleared>true<.*<perceived-severity>major</);
  assert.equal(
    [...entry.matchAll(/<status-change>.*?<perceived-severity>(\w+)</g)].map(([, severity]) => severity),
    ['cleared', 'major', 'warning'],
  );
  client.end();
});

test('D69, D135: reassembly near its limit, and not any more', async () => {
  const client = await watcher();
  datapath.memory = 0.85;
  assert.match(await next(client, /reassembly-near-limit/), /<perceived-severity>warning</);
  await until('reassembly-near-limit', false);
  datapath.memory = 0.1;
  assert.match(await next(client, /reassembly-near-limit/), /<perceived-severity>cleared</);
  client.end();
});

test('D135: packets that their sender does not hold: a notification for the source, an alarm for many', async () => {
  const client = await watcher();
  const source = { aftr: 'a', outerSource: '2001:db8::66', innerSource: '192.0.2.9', packets: 250 };
  datapath.violations = 250;
  datapath.violationSources = [source];
  const [told = '', raised = ''] = await nextOfEach(client, /source-violation /, /source-violations</);
  assert.ok(
    told.includes(
      `<source-violation ${GI}><aftr>a</aftr><gateway-ipv6-address>2001:db8::66</gateway-ipv6-address>` +
        '<ipv4-source>192.0.2.9</ipv4-source><suppressed>249</suppressed></source-violation>',
    ),
  );
  assert.match(raised, /<perceived-severity>warning</);
  // The same source again within its minute: nothing; another one: at once.
  datapath.violationSources = [source, { ...source, outerSource: '2001:db8::67', packets: 1 }];
  assert.match(await next(client, /source-violation /), /2001:db8::67<.*<suppressed>0</);
  client.end();
});

test('D135: an instance that does not forward, with why; and forwards again', async () => {
  const client = await watcher();
  const well = { role: 'aftr', name: 'a', enabled: true } as const;
  datapath.instances = [{ ...well, problem: 'IPv4 forwarding is off: sysctl net.ipv4.ip_forward=1' }];
  assert.match(
    await next(client, /not-forwarding</),
    /<perceived-severity>critical<\/perceived-severity><alarm-text>IPv4 forwarding is off: sysctl net.ipv4.ip_forward=1</,
  );
  assert.ok(
    (await next(client, /softwire-state-change/)).includes(
      `<softwire-state-change ${GI}><instance>a</instance><forwards>false</forwards><problem>IPv4 forwarding is off`,
    ),
  );
  datapath.instances = [well];
  assert.match(await next(client, /not-forwarding</), /<perceived-severity>cleared</);
  assert.match(await next(client, /softwire-state-change/), /<forwards>true<\/forwards><\/softwire-state-change>/);
  client.end();
});

test('D135: the datapath gone: critical for it and for its AFTR; the end when it is back', async () => {
  const client = await watcher();
  await datapath.stop();
  const [gone, idle, changed] = await nextOfEach(client, /datapath-down</, /not-forwarding</, /softwire-state-change/);
  assert.match(gone ?? '', /softwire\/gi-4over6:state<.*<perceived-severity>critical</);
  assert.match(idle ?? '', /<perceived-severity>critical</);
  assert.match(changed ?? '', /<forwards>false</);
  await datapath.start();
  for (const ended of await nextOfEach(client, /datapath-down</, /not-forwarding</)) {
    assert.match(ended, /<perceived-severity>cleared</);
  }
  client.end();
});

test('the summary counts, the list says how many and when it last changed', async () => {
  // Those of before count for half a minute.
  datapath.violations += 250;
  await until('source-violations', false);
  const text = await get('<summary/><alarm-list/>');
  const line = (severity: string) =>
    new RegExp(`<severity>${severity}</severity><total>(\\d+)</total><not-cleared>(\\d+)</not-cleared><cleared>(\\d+)<`)
      .exec(text)
      ?.slice(1)
      .join();
  assert.equal(['critical', 'major', 'minor', 'warning', 'indeterminate'].map(line), [
    '2,0,2',
    '1,0,1',
    '0,0,0',
    '2,1,1',
    '0,0,0',
  ]);
  assert.is(count(text, 'number-of-alarms'), 5);
  const changed = [...text.matchAll(/<last-changed>([^<]+)</g)].map(([, time]) => time ?? '');
  assert.is(changed[0], [...changed.slice(1)].sort().reverse()[0]);
});

test('one alarm by its keys, as a subtree and as XPath', async () => {
  const keys = `<resource xmlns:g="urn:gi-4over6">/g:softwire/g:aftr[g:name='a']</resource>`;
  const found = await get(`<alarm-list><alarm>${keys}<alarm-type-id/></alarm></alarm-list>`);
  assert.is(found.match(/<alarm>/g)?.length, 4);
  const select = `/al:alarms/al:alarm-list/al:alarm[al:is-cleared='false']/al:alarm-type-id`;
  const text = await operator.rpc(
    `<get><filter type="xpath" xmlns:al="urn:ietf:params:xml:ns:yang:ietf-alarms" select="${select}"/></get>`,
  );
  assert.equal(
    [...text.matchAll(/gi-4over6-alarms:([\w-]+)</g)].map(([, name]) => name),
    ['source-violations'],
  );
});

const refused: readonly (readonly [string, string, string])[] = [
  ['infinite status changes', '<max-alarm-status-changes>infinite</max-alarm-status-changes>', 'invalid-value'],
  ['no status changes', '<max-alarm-status-changes>0</max-alarm-status-changes>', 'invalid-value'],
  [
    'severity-level without a level',
    '<notify-status-changes>severity-level</notify-status-changes>',
    'operation-failed',
  ],
  ['a level alone', '<notify-severity-level>major</notify-severity-level>', 'unknown-element'],
  ['shelves, a feature that is off', '<alarm-shelving/>', 'unknown-element'],
];
for (const [what, inside, tag] of refused) {
  test(`control: ${what} is refused with ${tag}`, async () => {
    assert.is(outcome(await operator.rpc(control(inside))), tag);
  });
}

test('control: only what crosses a level is sent, and every end; fewer status changes are kept at once', async () => {
  await done(
    control(
      '<notify-status-changes>severity-level</notify-status-changes><notify-severity-level>major</notify-severity-level><max-alarm-status-changes>2</max-alarm-status-changes>',
    ),
  );
  assert.is((await alarm('binding-table-near-limit')).match(/<status-change>/g)?.length, 2);
  const client = await watcher();
  datapath.memory = 0.9;
  await until('reassembly-near-limit', false);
  datapath.memory = 0;
  await until('reassembly-near-limit', true);
  assert.match(await next(client, /reassembly-near-limit</), /<perceived-severity>cleared</);
  client.end();
  await done(edit(`<alarms ${AL} xmlns:nc="urn:ietf:params:xml:ns:netconf:base:1.0" nc:operation="remove"/>`));
});

/** [input, how many it compresses]: of AFTR a there are four alarms, of the whole device one. */
const compressed: readonly (readonly [string, number])[] = [
  [`<resource xmlns:g="urn:gi-4over6">/g:softwire/g:aftr[g:name='b']</resource>`, 0],
  [`<resource xmlns:g="urn:gi-4over6">/g:softwire/g:aftr[g:name='a']</resource>`, 4],
  [`<resource xmlns:g="urn:gi-4over6">//g:aftr[g:enabled='true' or not(g:enabled)]</resource>`, 4],
  [`<resource xmlns:g="urn:gi-4over6">/g:softwire/g:state</resource>`, 1],
  ['<resource>.*</resource>', 0],
  ['<alarm-type-id xmlns:t="urn:gi-4over6:alarms">t:datapath-down</alarm-type-id>', 1],
  ['<alarm-type-qualifier>x</alarm-type-qualifier>', 0],
  ['', 5],
];
for (const [input, expected] of compressed) {
  test(`compress-alarms ${input || 'all'}: ${expected}`, async () => {
    const reply = await action(`<compress-alarms>${input}</compress-alarms>`);
    assert.is(count(reply, 'compressed-alarms'), expected, reply);
  });
}

test('compressed, each alarm has one status change', async () => {
  const text = await get('<alarm-list/>');
  assert.is(text.match(/<status-change>/g)?.length, 5);
});

const status = (value: string) => `<alarm-clearance-status>${value}</alarm-clearance-status>`;
const purged: readonly (readonly [string, string, number | string])[] = [
  ['without what is mandatory', '', 'missing-element'],
  ['older than an hour', `${status('any')}<older-than><hours>1</hours></older-than>`, 0],
  ['of a severity that none has', `${status('any')}<severity><is>minor</is></severity>`, 0],
  ['above critical', `${status('any')}<severity><above>critical</above></severity>`, 0],
  ['cleared and critical', `${status('cleared')}<severity><above>major</above></severity>`, 2],
  ['cleared', status('cleared'), 2],
  ['active', `${status('not-cleared')}<severity><below>critical</below></severity>`, 1],
  ['all', status('any'), 0],
];
for (const [what, input, expected] of purged) {
  test(`purge-alarms ${what}: ${expected}`, async () => {
    const reply = await action(`<purge-alarms>${input}</purge-alarms>`);
    if (typeof expected === 'string') assert.is(outcome(reply), expected);
    else assert.is(count(reply, 'purged-alarms'), expected, reply);
  });
}

test('N109: without a right to the notification it does not come, and the list is not read', async () => {
  const rules =
    '<rule><name>s</name><module-name>*</module-name><rpc-name>create-subscription</rpc-name><action>permit</action></rule>' +
    '<rule><name>g</name><module-name>*</module-name><rpc-name>get</rpc-name><action>permit</action></rule>' +
    '<rule><name>n</name><module-name>gi-4over6</module-name><notification-name>binding-limit</notification-name><action>permit</action></rule>';
  const group = '<groups><group><name>watchers</name><user-name>w</user-name></group></groups>';
  await done(
    edit(systemUser('w', '$0$secret')),
    edit(nacm(`${group}<rule-list><name>w</name><group>watchers</group>${rules}</rule-list>`)),
  );
  const client = (await RawClient.ssh(management.netconfPort, 'w', { password: 'secret' })).greet('1.1');
  try {
    assert.not.match(await client.rpc(`<get><filter><alarms ${AL}/></filter></get>`), /alarm-list/);
    assert.is(outcome(await client.rpc(`${SUBSCRIBE}</create-subscription>`)), 'ok');
    await done(edit(AFTR.replace('</aftr>', '<softwire-num-max>11</softwire-num-max></aftr>')));
    const event = await client.receive();
    assert.match(event, /<binding-limit /, 'the alarm before it did not come');
  } finally {
    client.end();
  }
});

test('over a restart: the alarm stays, its end is told, and a replay has both', async () => {
  await until('binding-table-near-limit', false);
  const before = /<time-created>([^<]+)</.exec(await alarm('binding-table-near-limit'))?.[1];
  operator.end();
  await management.restart('SIGKILL');
  const client = await local();
  const text = await client.rpc(`<get><filter><alarms ${AL}><alarm-list/></alarms></filter></get>`);
  assert.match(text, /binding-table-near-limit<.*<is-cleared>false</);
  assert.is(/<time-created>([^<]+)</.exec(text.slice(text.indexOf('binding-table-near-limit')))?.[1], before);
  assert.is(outcome(await client.rpc(RESET)), 'ok');
  const replay = await watcher('<startTime>2020-01-01T00:00:00Z</startTime>');
  assert.match(await next(replay, /datapath-down</), /<perceived-severity>critical</);
  assert.match(await next(replay, /binding-table-near-limit<.*cleared/), /<perceived-severity>cleared</);
  replay.end();
  client.end();
});

test('ends cleanly', async () => {
  operator.end();
  await datapath.stop();
  assert.is(await management.stop(), 0);
});

test.run();
