// needs: addon
/** Notifications over NETCONF against the running program (RFC 5277, RFC 6470, RFC 8341 §3.4.6). */

import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { allOk, nextMatching, openLocal, openSsh, withSessions as withOpened } from '../../helpers/local-sessions.ts';
import { startManagement } from '../../helpers/management.ts';
import { outcome, RawClient } from '../../helpers/netconf-client.ts';
import {
  AFTR,
  binding,
  copy,
  edit,
  GI,
  NC_PREFIX,
  nacm,
  RESET,
  systemUser,
  table,
} from '../../helpers/netconf-requests.ts';
import { PlayedDatapath } from '../../helpers/played-datapath.ts';

const test = suite('notifications');
const management = await startManagement(['--startup']);
// Without a datapath there would be alarms among the events.
await new PlayedDatapath(management.socket).start();

const NOTIFICATION = 'xmlns="urn:ietf:params:xml:ns:netconf:notification:1.0"';
const BASE_EVENTS = 'urn:ietf:params:xml:ns:yang:ietf-netconf-notifications';
const LONG_AGO = '<startTime>2020-01-01T00:00:00Z</startTime>';
const FUTURE = '2999-01-01T00:00:00Z';

const subscribe = (inside = '') => `<create-subscription ${NOTIFICATION}>${inside}</create-subscription>`;
const local = () => openLocal(management);
const admin = () => openSsh(management, 'admin', management.password);

/** Runs a body with sessions that are ended afterwards. */
function withSessions(
  count: number,
  body: (...clients: readonly RawClient[]) => Promise<void>,
  open: () => Promise<RawClient> = local,
): Promise<void> {
  return withOpened(open, count, body);
}

/** The session-id that the hello gave. */
const idOf = (client: RawClient) => /<session-id>(\d+)</.exec(client.hello)?.[1] ?? '';

/** All notifications up to one that matches. */
async function upTo(client: RawClient, last: RegExp): Promise<string[]> {
  const found: string[] = [];
  do found.push(await client.receive());
  while (!last.test(found[found.length - 1] ?? ''));
  return found;
}

const timeOf = (message: string) => Date.parse(/<eventTime>([^<]+)</.exec(message)?.[1] ?? '');

test('N86: a subscription to the default stream: one event after the other, each with its time', () =>
  withSessions(2, async (watcher, editor) => {
    const before = Date.now();
    assert.is(outcome(await watcher.rpc(subscribe('<stream>NETCONF</stream>'))), 'ok');
    await allOk(editor, edit(AFTR), edit(table(binding('192.0.2.1/32', '2001:db8::1'))), RESET);
    const events = [];
    for (let i = 0; i < 3; i++) events.push(await nextMatching(watcher, /netconf-config-change/));
    assert.match(
      events[0] ?? '',
      /^<notification xmlns="urn:ietf:params:xml:ns:netconf:notification:1.0"><eventTime>\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z<\/eventTime><netconf-config-change xmlns="urn:ietf:params:xml:ns:yang:ietf-netconf-notifications">.*<\/netconf-config-change><\/notification>$/,
    );
    const times = events.map(timeOf);
    assert.equal(times, [...times].sort());
    assert.ok((times[0] ?? 0) >= before && (times[2] ?? 0) <= Date.now());
    assert.match(events[0] ?? '', /<operation>create</);
    assert.match(events[2] ?? '', /<operation>delete</);
  }));

test('N86: the hello names notifications and interleave', () =>
  withSessions(1, async ({ hello }) => {
    for (const name of ['notification:1.0', 'interleave:1.0']) {
      assert.ok(hello.includes(`<capability>urn:ietf:params:netconf:capability:${name}</capability>`), name);
    }
  }));

const refused: readonly (readonly [string, string, string])[] = [
  ['N87: stop without start', `<stopTime>${FUTURE}</stopTime>`, 'missing-element startTime'],
  ['N87: stop before start', `${LONG_AGO}<stopTime>2019-01-01T00:00:00Z</stopTime>`, 'bad-element stopTime'],
  ['N87: start in the future', `<startTime>${FUTURE}</startTime>`, 'bad-element startTime'],
  ['N87: a start that is no time', '<startTime>yesterday</startTime>', 'invalid-value startTime'],
  ['N87: a start on no day', '<startTime>2026-02-31T10:00:00Z</startTime>', 'invalid-value startTime'],
  ['N87: a start at no hour', '<startTime>2026-11-25T40:23:30Z</startTime>', 'invalid-value startTime'],
  ['N86: an unknown stream', '<stream>SNMP</stream>', 'invalid-value stream'],
  ['N88: an unknown type of filter', '<filter type="regex"/>', 'bad-attribute filter'],
  [
    'N88: an XPath that is none',
    `<filter type="xpath" select="/x:[" xmlns:x="${BASE_EVENTS}"/>`,
    'invalid-value filter',
  ],
  ['N88: an XPath without select', '<filter type="xpath"/>', 'missing-attribute filter'],
];
for (const [name, inside, expected] of refused) {
  test(`${name} is refused, and nothing is subscribed`, () =>
    withSessions(1, async (client) => {
      const reply = await client.rpc(subscribe(inside));
      const element = /<bad-element>([^<]+)</.exec(reply)?.[1];
      assert.is(`${outcome(reply)} ${element}`, expected);
      assert.is(outcome(await client.rpc(subscribe())), 'ok');
    }));
}

test('N87: a replay ends with replayComplete, and live events follow', () =>
  withSessions(2, async (watcher, editor) => {
    await allOk(editor, edit(AFTR), RESET);
    assert.is(outcome(await watcher.rpc(subscribe(LONG_AGO))), 'ok');
    const replayed = await upTo(watcher, /replayComplete/);
    assert.ok(replayed.filter((message) => message.includes('netconf-config-change')).length >= 2);
    assert.match(
      replayed[replayed.length - 1] ?? '',
      /<replayComplete xmlns="urn:ietf:params:xml:ns:netmod:notification"\/>/,
    );
    await allOk(editor, edit(AFTR));
    assert.match(await nextMatching(watcher, /config-change/), /<operation>create</);
    await allOk(editor, RESET);
  }));

test('N87: a replay begins with its startTime', () =>
  withSessions(2, async (watcher, editor) => {
    await allOk(editor, edit(AFTR));
    await new Promise((resolve) => setTimeout(resolve, 20));
    const start = new Date().toISOString();
    await allOk(editor, RESET);
    assert.is(outcome(await watcher.rpc(subscribe(`<startTime>${start}</startTime>`))), 'ok');
    const [first = ''] = await upTo(watcher, /replayComplete/);
    assert.match(first, /<operation>delete</);
    assert.ok(timeOf(first) >= Date.parse(start));
  }));

test('N87: a stopTime that is over: the replay, replayComplete, notificationComplete, and the session is free again', () =>
  withSessions(1, async (client) => {
    const stop = new Date().toISOString();
    assert.is(outcome(await client.rpc(subscribe(`${LONG_AGO}<stopTime>${stop}</stopTime>`))), 'ok');
    const events = await upTo(client, /notificationComplete/);
    assert.match(events[events.length - 2] ?? '', /replayComplete/);
    for (const event of events.slice(0, -2)) assert.ok(timeOf(event) <= Date.parse(stop));
    assert.is(outcome(await client.rpc(subscribe())), 'ok');
  }));

test('N87: a stopTime to come ends the subscription when it comes', () =>
  withSessions(1, async (client) => {
    const [start, stop] = [new Date(), new Date(Date.now() + 1_200)].map((time) => time.toISOString());
    const times = `<startTime>${start}</startTime><stopTime>${stop}</stopTime>`;
    assert.is(outcome(await client.rpc(subscribe(times))), 'ok');
    await nextMatching(client, /replayComplete/);
    await nextMatching(client, /notificationComplete/);
    assert.ok(Date.now() >= Date.parse(stop ?? ''));
    assert.is(outcome(await client.rpc('<get-config><source><running/></source><filter/></get-config>')), 'data');
  }));

const TABLE_CHANGE = `<binding-table-changed ${GI}>`;
const filters: readonly (readonly [string, string])[] = [
  ['subtree by name', `<filter>${TABLE_CHANGE}</binding-table-changed></filter>`],
  ['subtree by value', `<filter type="subtree">${TABLE_CHANGE}<aftr>a</aftr></binding-table-changed></filter>`],
  ['subtree with two names', `<filter>${TABLE_CHANGE}<removed/></binding-table-changed><x xmlns="urn:x"/></filter>`],
  ['XPath by name', '<filter type="xpath" xmlns:g="urn:gi-4over6" select="/g:binding-table-changed"/>'],
  ['XPath by value', `<filter type="xpath" xmlns:g="urn:gi-4over6" select="/*[g:aftr='a' and g:added &gt; 0]"/>`],
  [
    'XPath with a module name for a prefix',
    '<filter type="xpath" select="/gi-4over6:binding-table-changed/gi-4over6:version"/>',
  ],
  [
    'a filter in the base namespace, as ncclient sends it',
    `<nc:filter ${NC_PREFIX} type="subtree">${TABLE_CHANGE}</binding-table-changed></nc:filter>`,
  ],
];
for (const [name, filter] of filters) {
  test(`N88: ${name}: whole events pass or none`, () =>
    withSessions(2, async (watcher, editor) => {
      assert.is(outcome(await watcher.rpc(subscribe(filter))), 'ok');
      await allOk(editor, edit(AFTR), edit(table(binding('192.0.2.1/32', '2001:db8::1'))));
      const first = await watcher.receive();
      assert.match(first, /<binding-table-changed .*<aftr>a<\/aftr>.*<added>1<\/added>.*<removed>0<\/removed>/);
      await allOk(editor, RESET);
    }));
}

for (const [name, filter] of [
  ['an empty filter', '<filter/>'],
  ['another value', `<filter>${TABLE_CHANGE}<aftr>b</aftr></binding-table-changed></filter>`],
  [
    'an XPath that holds nowhere',
    `<filter type="xpath" xmlns:g="urn:gi-4over6" select="/g:binding-table-changed[g:aftr='b']"/>`,
  ],
] as const) {
  test(`N88: ${name} lets nothing pass but what ends the subscription`, () =>
    withSessions(2, async (watcher, editor) => {
      await allOk(editor, edit(AFTR), edit(table(binding('192.0.2.1/32', '2001:db8::1'))), RESET);
      const stop = new Date(Date.now() - 1).toISOString();
      assert.is(outcome(await watcher.rpc(subscribe(`${filter}${LONG_AGO}<stopTime>${stop}</stopTime>`))), 'ok');
      const events = await upTo(watcher, /notificationComplete/);
      assert.is(events.length, 2, events.join('\n'));
    }));
}

test('N89: a second subscription of one session is refused, the first goes on', () =>
  withSessions(2, async (watcher, editor) => {
    assert.is(outcome(await watcher.rpc(subscribe())), 'ok');
    assert.is(outcome(await watcher.rpc(subscribe())), 'in-use');
    await allOk(editor, edit(AFTR), RESET);
    await nextMatching(watcher, /<operation>delete</);
  }));

test('N90: operations work in a session with a subscription, each message whole', () =>
  withSessions(2, async (watcher, editor) => {
    const rows = Array.from({ length: 3_000 }, (_, i) => binding(`192.0.${2 + (i >> 8)}.${i & 255}/32`, '2001:db8::1'));
    const wide = AFTR.replace('192.0.2.0/24', '192.0.0.0/16');
    await allOk(editor, edit(wide), edit(table(rows.join(''))));
    assert.is(outcome(await watcher.rpc(subscribe())), 'ok');
    const get = `<rpc xmlns="urn:ietf:params:xml:ns:netconf:base:1.0" message-id="9"><get-config><source><running/></source></get-config></rpc>`;
    for (let i = 0; i < 10; i++) watcher.send(get);
    for (let i = 0; i < 10; i++) await allOk(editor, edit(table(binding('192.0.2.7/32', `2001:db8::${i + 2}`))));
    let [replies, events] = [0, 0];
    while (replies < 10 || events < 10) {
      const message = await watcher.receive();
      if (message.startsWith('<rpc-reply')) {
        assert.match(message, /message-id="9".*<\/data><\/rpc-reply>$/s);
        assert.is(message.match(/<binding>/g)?.length, 3_000);
        replies++;
      } else {
        assert.match(message, /^<notification .*<\/notification>$/s);
        if (message.includes('binding-table-changed')) events++;
      }
    }
    await allOk(editor, RESET);
  }));

test('N91: the stream, its replay and when its log began', () =>
  withSessions(1, async (client) => {
    const filter = '<filter><netconf xmlns="urn:ietf:params:xml:ns:netmod:notification"/></filter>';
    const reply = await client.rpc(`<get>${filter}</get>`);
    assert.match(
      reply,
      /<data><netconf xmlns="urn:ietf:params:xml:ns:netmod:notification"><streams><stream><name>NETCONF<\/name><description>[^<]+<\/description><replaySupport>true<\/replaySupport><replayLogCreationTime>[^<]+Z<\/replayLogCreationTime><\/stream><\/streams><\/netconf><\/data>/,
    );
    assert.ok(Date.parse(/CreationTime>([^<]+)</.exec(reply)?.[1] ?? '') < Date.now());
  }));

test('N92: who changed what in which datastore', () =>
  withSessions(1, async (watcher) => {
    const editor = await admin();
    try {
      assert.is(outcome(await watcher.rpc(subscribe())), 'ok');
      await allOk(editor, edit(AFTR));
      const by = `<changed-by><username>admin</username><session-id>${idOf(editor)}</session-id><source-host>127.0.0.1</source-host></changed-by>`;
      const change = (text: string) => /<changed-by>.*(?=<\/netconf-config-change>)/.exec(text)?.[0];
      const target = (path: string) => `<target xmlns:gi-4over6="urn:gi-4over6">${path}</target>`;
      assert.is(
        change(await nextMatching(watcher, /config-change/)),
        `${by}<datastore>running</datastore><edit>${target('/gi-4over6:softwire')}<operation>create</operation></edit>`,
      );
      const more = `<softwire ${GI}><aftr><name>a</name><softwire-num-max>9</softwire-num-max><binding-table>${binding('192.0.2.1/32', '2001:db8::1')}</binding-table></aftr></softwire>`;
      await allOk(editor, edit(more));
      const aftr = "/gi-4over6:softwire/gi-4over6:aftr[gi-4over6:name='a']";
      const row = `${aftr}/gi-4over6:binding-table/gi-4over6:binding[gi-4over6:ipv4-prefix='192.0.2.1/32']`;
      assert.is(
        change(await nextMatching(watcher, /config-change/)),
        `${by}<datastore>running</datastore>` +
          `<edit>${target(`${aftr}/gi-4over6:softwire-num-max`)}<operation>create</operation></edit>` +
          `<edit>${target(row)}<operation>create</operation></edit>`,
      );
      await allOk(editor, copy('<running/>', 'startup'));
      assert.is(change(await nextMatching(watcher, /config-change/)), `${by}<datastore>startup</datastore>`);
      await allOk(editor, RESET);
    } finally {
      editor.end();
    }
  }));

test('N92: a commit of many rows names the table, not each row', () =>
  withSessions(2, async (watcher, editor) => {
    await allOk(editor, edit(AFTR));
    assert.is(outcome(await watcher.rpc(subscribe())), 'ok');
    const rows = Array.from({ length: 101 }, (_, i) => binding(`192.0.2.${i}/32`, '2001:db8::1'));
    await allOk(editor, edit(table(rows.join(''))));
    const change = await nextMatching(watcher, /config-change/);
    assert.is(change.match(/<edit>/g)?.length, 1);
    assert.match(change, /gi-4over6:binding-table<\/target><operation>merge</);
    await allOk(editor, RESET);
  }));

test('D134: which AFTR, who, and how many bindings came, changed and went', () =>
  withSessions(2, async (watcher, editor) => {
    await allOk(
      editor,
      edit(AFTR),
      edit(table(binding('192.0.2.1/32', '2001:db8::1') + binding('192.0.2.2/32', '2001:db8::1'))),
    );
    assert.is(outcome(await watcher.rpc(subscribe(`<filter>${TABLE_CHANGE}</binding-table-changed></filter>`))), 'ok');
    const gone = `<binding ${NC_PREFIX} nc:operation="delete"><ipv4-prefix>192.0.2.2/32</ipv4-prefix></binding>`;
    // The gateway of the first has another address, the second is gone, a third is new.
    await allOk(
      editor,
      edit(table(binding('192.0.2.1/32', '2001:db8::9') + gone + binding('192.0.2.3/32', '2001:db8::1'))),
    );
    const state = await editor.rpc(
      `<get><filter><softwire ${GI}><aftr><name>a</name><binding-table><version/><content-hash/></binding-table></aftr></softwire></filter></get>`,
    );
    const leaf = (name: string) => new RegExp(`<${name}>([^<]+)<`).exec(state)?.[1];
    const event = await watcher.receive();
    assert.is(
      /<aftr>.*(?=<\/binding-table-changed>)/.exec(event)?.[0],
      `<aftr>a</aftr><version>${leaf('version')}</version><content-hash>${leaf('content-hash')}</content-hash>` +
        '<user>root</user><added>1</added><changed>1</changed><removed>1</removed>',
    );
    await allOk(editor, RESET);
  }));

const endings: readonly (readonly [string, (victim: RawClient, killer: RawClient) => Promise<unknown>, string])[] = [
  ['closed', (victim) => victim.rpc('<close-session/>'), '<termination-reason>closed</termination-reason>'],
  ['dropped', async (victim) => victim.end(), '<termination-reason>dropped</termination-reason>'],
  ['other', async (victim) => victim.write('\n#0\n'), '<termination-reason>other</termination-reason>'],
];
for (const [name, how, expected] of endings) {
  test(`N93: a session that is ${name} begins and ends with an event`, () =>
    withSessions(1, async (watcher) => {
      assert.is(outcome(await watcher.rpc(subscribe())), 'ok');
      const victim = await admin();
      const party = `<username>admin</username><session-id>${idOf(victim)}</session-id><source-host>127.0.0.1</source-host>`;
      assert.ok(
        (await nextMatching(watcher, /session-start/)).includes(`"${BASE_EVENTS}">${party}</netconf-session-start>`),
      );
      await how(victim, watcher);
      assert.ok((await nextMatching(watcher, /session-end/)).includes(`${party}${expected}</netconf-session-end>`));
      victim.end();
    }));
}

test('N93: a killed session names its killer', () =>
  withSessions(3, async (watcher, killer, victim) => {
    assert.is(outcome(await watcher.rpc(subscribe())), 'ok');
    await allOk(killer, `<kill-session><session-id>${idOf(victim)}</session-id></kill-session>`);
    const end = `<session-id>${idOf(victim)}</session-id><killed-by>${idOf(killer)}</killed-by><termination-reason>killed</termination-reason>`;
    assert.ok((await nextMatching(watcher, /session-end/)).includes(end));
  }));

test('N93: a bad hello ends a session that never began', () =>
  withSessions(1, async (watcher) => {
    assert.is(outcome(await watcher.rpc(subscribe())), 'ok');
    const client = await RawClient.local(management.socket);
    client.write('<goodbye/>]]>]]>');
    assert.match(await watcher.receive(), /<netconf-session-end .*<termination-reason>bad-hello</);
    client.end();
  }));

const confirmed = (inside = '') => `<commit><confirmed/>${inside}</commit>`;
const confirmations: readonly (readonly [string, readonly string[], readonly string[]])[] = [
  ['confirmed', [confirmed('<confirm-timeout>60</confirm-timeout>'), '<commit/>'], ['start 60', 'complete']],
  [
    'extended and cancelled',
    [confirmed(), confirmed('<confirm-timeout>30</confirm-timeout>'), '<cancel-commit/>'],
    ['start 600', 'extend 30', 'cancel'],
  ],
  ['left alone', [confirmed('<confirm-timeout>1</confirm-timeout>')], ['start 1', 'timeout']],
];
for (const [name, operations, expected] of confirmations) {
  test(`N94: a confirmed commit that is ${name}: ${expected.join(', ')}`, () =>
    withSessions(2, async (watcher, editor) => {
      assert.is(outcome(await watcher.rpc(subscribe())), 'ok');
      await allOk(editor, edit(AFTR, '', 'candidate'), ...operations);
      for (const step of expected) {
        const event = await nextMatching(watcher, /confirmed-commit/);
        const [, kind, timeout] = /<confirm-event>(\w+)<\/confirm-event>(?:<timeout>(\d+)<)?/.exec(event) ?? [];
        assert.is(timeout === undefined ? kind : `${kind} ${timeout}`, step);
        assert.is(/<session-id>(\d+)</.exec(event)?.[1], kind === 'timeout' ? undefined : idOf(editor));
      }
      await allOk(editor, '<discard-changes/>', RESET);
    }));
}

test('N92: what cancel-commit takes back was changed by its session, whichever has committed', () =>
  withSessions(3, async (watcher, editor, other) => {
    assert.is(outcome(await watcher.rpc(subscribe())), 'ok');
    await allOk(editor, edit(AFTR, '', 'candidate'), confirmed('<persist>word</persist>'));
    await nextMatching(watcher, /<confirm-event>start</);
    await allOk(other, '<cancel-commit><persist-id>word</persist-id></cancel-commit>');
    const change = await nextMatching(watcher, /config-change.*delete/);
    assert.match(
      change,
      new RegExp(`<changed-by><username>root</username><session-id>${idOf(other)}</session-id></changed-by>`),
    );
  }));

test('N94: the end of its session cancels a confirmed commit; the rollback is of the server', () =>
  withSessions(2, async (watcher, editor) => {
    assert.is(outcome(await watcher.rpc(subscribe())), 'ok');
    await allOk(editor, edit(AFTR, '', 'candidate'), confirmed(), '<close-session/>');
    await nextMatching(watcher, /<confirm-event>start</);
    assert.match(await nextMatching(watcher, /config-change.*delete/), /<changed-by><server\/><\/changed-by>/);
    assert.match(await nextMatching(watcher, /confirmed-commit/), /<confirm-event>cancel</);
  }));

test('N109: rules of notifications: what is denied is left out and counted, what is about the subscription is not', () =>
  withSessions(1, async (editor) => {
    const rule = (name: string, inside: string, action: string) =>
      `<rule><name>${name}</name><module-name>*</module-name>${inside}<action>${action}</action></rule>`;
    const rules = [
      rule(
        'tables',
        '<notification-name>binding-table-changed</notification-name><access-operations>read</access-operations>',
        'permit',
      ),
      rule('changes', '<notification-name>netconf-config-change</notification-name>', 'permit'),
      rule('subscribe', '<rpc-name>create-subscription</rpc-name>', 'permit'),
      rule(
        'aftr',
        '<path xmlns:g="urn:gi-4over6">/g:softwire/g:aftr</path><access-operations>read</access-operations>',
        'deny',
      ),
      rule(
        'softwire',
        '<path xmlns:g="urn:gi-4over6">/g:softwire</path><access-operations>read</access-operations>',
        'permit',
      ),
    ];
    const group = '<groups><group><name>watchers</name><user-name>w</user-name></group></groups>';
    const list = `<rule-list><name>w</name><group>watchers</group>${rules.join('')}</rule-list>`;
    await allOk(editor, edit(systemUser('w', '$0$secret')), edit(nacm(group + list)));
    const denied = async () => {
      const filter =
        '<filter><nacm xmlns="urn:ietf:params:xml:ns:yang:ietf-netconf-acm"><denied-notifications/></nacm></filter>';
      return Number(/<denied-notifications>(\d+)</.exec(await editor.rpc(`<get>${filter}</get>`))?.[1]);
    };
    const watcher = (await RawClient.ssh(management.netconfPort, 'w', { password: 'secret' })).greet('1.1');
    try {
      const before = await denied();
      const start = new Date().toISOString();
      assert.is(outcome(await watcher.rpc(subscribe(`<startTime>${start}</startTime>`))), 'ok');
      assert.match(await watcher.receive(), /replayComplete/);
      (await local()).end();
      await allOk(editor, edit(AFTR), edit(table(binding('192.0.2.1/32', '2001:db8::1'))));
      const events = [await watcher.receive(), await watcher.receive(), await watcher.receive()];
      // The session events are denied; of the container, which may be read, it would be told that something came in it. What a rule names
      // is sent as it is.
      assert.equal(
        events.map((text) => /<\/eventTime><([\w-]+)/.exec(text)?.[1]),
        ['netconf-config-change', 'netconf-config-change', 'binding-table-changed'],
      );
      assert.not.match(events[0] ?? '', /<edit>/);
      assert.not.match(events[1] ?? '', /<edit>/);
      assert.match(events[2] ?? '', /<aftr>a<.*<content-hash>/);
      assert.is((await denied()) - before, 2);
    } finally {
      watcher.end();
      await allOk(editor, RESET);
    }
  }));

test('N109: who has no group and no default to read receives nothing', () =>
  withSessions(1, async (editor) => {
    await allOk(editor, edit(systemUser('nobody', '$0$secret')), edit(nacm('<exec-default>permit</exec-default>')));
    const watcher = (await RawClient.ssh(management.netconfPort, 'nobody', { password: 'secret' })).greet('1.1');
    try {
      const stop = new Date().toISOString();
      assert.is(outcome(await watcher.rpc(subscribe(`${LONG_AGO}<stopTime>${stop}</stopTime>`))), 'ok');
      assert.is((await upTo(watcher, /notificationComplete/)).length, 2);
    } finally {
      watcher.end();
      await allOk(editor, edit(nacm('<exec-default>deny</exec-default>')));
    }
  }));

test('N87: the log survives a restart, also one by a kill', () =>
  withSessions(1, async (editor) => {
    await allOk(editor, edit(AFTR), edit(table(binding('192.0.2.77/32', '2001:db8::1'))));
    await new Promise((resolve) => setTimeout(resolve, 200));
    await management.restart('SIGKILL');
    await withSessions(1, async (watcher) => {
      assert.is(outcome(await watcher.rpc(subscribe(LONG_AGO))), 'ok');
      const replayed = (await upTo(watcher, /replayComplete/)).join('');
      assert.match(replayed, /binding\[gi-4over6:ipv4-prefix='192.0.2.77\/32'\]/);
      await allOk(watcher, '<close-session/>');
    });
    await withSessions(1, (other) => allOk(other, RESET));
  }));

test('N103: the content-id of the hello is that of the data; another set of features is told at the next start', async () => {
  const contentId = (text: string) => /content-id[=>]([\w-]+)/.exec(text)?.[1];
  const data =
    '<get><filter><yang-library xmlns="urn:ietf:params:xml:ns:yang:ietf-yang-library"><content-id/></yang-library></filter></get>';
  const other = await startManagement();
  try {
    const before = (await RawClient.local(other.socket)).greet('1.1');
    assert.is(contentId(await before.rpc(data)), contentId(before.hello));
    await allOk(before, '<close-session/>');
    // The option adds the feature startup.
    await other.restart('SIGTERM', ['--startup']);
    const client = (await RawClient.local(other.socket)).greet('1.1');
    assert.is.not(contentId(client.hello), contentId(before.hello));
    assert.is(contentId(await client.rpc(data)), contentId(client.hello));
    assert.is(outcome(await client.rpc(subscribe(LONG_AGO))), 'ok');
    const replayed = await upTo(client, /replayComplete/);
    const update = replayed.find((text) => text.includes('yang-library-update'));
    assert.is(contentId(update ?? ''), contentId(client.hello));
    const change = replayed.find((text) => text.includes('capability-change')) ?? '';
    assert.match(change, /<changed-by><server\/><\/changed-by>/);
    assert.match(change, /<added-capability>urn:ietf:params:netconf:capability:startup:1.0</);
    assert.match(change, /<modified-capability>[^<]*content-id=/);
    client.end();
  } finally {
    await other.stop();
  }
});

test('the program ends cleanly', async () => assert.is(await management.stop(), 0));

test.run();
