// needs: addon
/** What events tell over NETCONF, and whom (RFC 6470, RFC 8341 §3.4.6), against the running program. */

import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { BASE_EVENTS, LONG_AGO, subscribe, upTo } from '../../helpers/event-requests.ts';
import {
  allOk,
  nextMatching,
  openLocal,
  openSsh,
  untilAlone,
  withSessions as withOpened,
} from '../../helpers/local-sessions.ts';
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
import { eventually } from '../../helpers/program.ts';

const test = suite('base events');
const management = await startManagement(['--startup']);
// Without a datapath there would be alarms among the events.
await new PlayedDatapath(management.socket).start();

const WAIT_MS = 60_000;
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

const TABLE_CHANGE = `<binding-table-changed ${GI}>`;

test('N92: who changed what in which datastore', () =>
  withSessions(1, async (watcher) => {
    const editor = await admin();
    try {
      assert.is(outcome(await watcher.rpc(subscribe())), 'ok');
      await allOk(editor, edit(AFTR));
      const by = `<changed-by><username>admin</username><session-id>${idOf(editor)}</session-id><source-host>127.0.0.1</source-host></changed-by>`;
      const change = (text: string) => /<changed-by>.*(?=<\/netconf-config-change>)/.exec(text)?.[0];
      const target = (path: string) => `<target xmlns:gi-4over6="urn:gi-4over6">${path}</target>`;
      const aftr = "/gi-4over6:softwire/gi-4over6:aftr[gi-4over6:name='a']";
      assert.is(
        change(await nextMatching(watcher, /config-change/)),
        `${by}<datastore>running</datastore><edit>${target(aftr)}<operation>create</operation></edit>`,
      );
      const more = `<softwire ${GI}><aftr><name>a</name><softwire-num-max>9</softwire-num-max><binding-table>${binding('192.0.2.1/32', '2001:db8::1')}</binding-table></aftr></softwire>`;
      await allOk(editor, edit(more));
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
        (await nextMatching(watcher, new RegExp(`session-start.*<session-id>${idOf(victim)}<`))).includes(
          `"${BASE_EVENTS}">${party}</netconf-session-start>`,
        ),
      );
      await how(victim, watcher);
      const end = await nextMatching(watcher, new RegExp(`session-end.*<session-id>${idOf(victim)}<`));
      assert.ok(end.includes(`${party}${expected}</netconf-session-end>`));
      victim.end();
    }));
}

test('N93: a killed session names its killer', () =>
  withSessions(3, async (watcher, killer, victim) => {
    assert.is(outcome(await watcher.rpc(subscribe())), 'ok');
    await allOk(killer, `<kill-session><session-id>${idOf(victim)}</session-id></kill-session>`);
    const end = `<session-id>${idOf(victim)}</session-id><killed-by>${idOf(killer)}</killed-by><termination-reason>killed</termination-reason>`;
    assert.ok((await nextMatching(watcher, new RegExp(`session-end.*<session-id>${idOf(victim)}<`))).includes(end));
  }));

test('N93: a bad hello ends a session that never began', () =>
  withSessions(1, async (watcher) => {
    assert.is(outcome(await watcher.rpc(subscribe())), 'ok');
    const client = await RawClient.local(management.socket);
    client.write('<goodbye/>]]>]]>');
    assert.match(await nextMatching(watcher, /bad-hello/), /<netconf-session-end .*<termination-reason>bad-hello</);
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
      await untilAlone(editor, watcher);
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
      // That it has ended may be told after the commits.
      await eventually(WAIT_MS, async () => (await denied()) - before === 2 || undefined);
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
