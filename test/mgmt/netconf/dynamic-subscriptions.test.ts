// needs: addon
/** Dynamic subscriptions to event records over NETCONF against the running program (RFC 8639, RFC 8640). */

import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { allOk, nextMatching, openLocal, openSsh, untilAlone, withEach } from '../../helpers/local-sessions.ts';
import { startManagement } from '../../helpers/management.ts';
import { outcome, type RawClient } from '../../helpers/netconf-client.ts';
import {
  AFTR,
  binding,
  edit,
  getConfig,
  NC_PREFIX,
  nacm,
  RESET,
  systemUser,
  table,
} from '../../helpers/netconf-requests.ts';
import { PlayedDatapath } from '../../helpers/played-datapath.ts';
import { eventually } from '../../helpers/program.ts';
import { appTagOf, DELETE, ESTABLISH, idIn, KILL, MODIFY, SN } from '../../helpers/subscription-requests.ts';

const test = suite('dynamic subscriptions');
const management = await startManagement();
// Without a datapath there would be alarms among the events.
await new PlayedDatapath(management.socket).start();

const WAIT_MS = 60_000;
const STREAM = '<stream>NETCONF</stream>';
const LONG_AGO = '<replay-start-time>2020-01-01T00:00:00Z</replay-start-time>';
const FUTURE = '2999-01-01T00:00:00Z';
const CREATE_5277 = '<create-subscription xmlns="urn:ietf:params:xml:ns:netconf:notification:1.0"/>';
const TABLE_ONLY = `<stream-subtree-filter><binding-table-changed xmlns="urn:gi-4over6"/></stream-subtree-filter>`;
const NOTHING = `<stream-subtree-filter><trace xmlns="urn:gi-4over6:none"/></stream-subtree-filter>`;

const local = () => openLocal(management);
const as = (user: string, password: string) => openSsh(management, user, password);

const withSessions = (
  body: (...clients: readonly RawClient[]) => Promise<void>,
  open: readonly (() => Promise<RawClient>)[] = [local, local],
) => withEach(open, body);

async function establish(client: RawClient, inside: string): Promise<string> {
  const reply = await client.rpc(ESTABLISH(inside));
  return idIn(reply);
}

/** Of a subscription, as /subscriptions shows it. */
async function stateOf(client: RawClient, id: string): Promise<string> {
  const filter = `<filter><subscriptions ${SN}><subscription><id>${id}</id></subscription></subscriptions></filter>`;
  return client.rpc(`<get>${filter}</get>`);
}

let address = 1;
const change = () => edit(table(binding(`192.0.2.${address++}/32`, '2001:db8:1::1')));

test('N95: establish, event records of the stream, delete', () =>
  withSessions(async (watcher, editor) => {
    await allOk(editor, RESET, edit(AFTR));
    const reply = await watcher.rpc(ESTABLISH(STREAM));
    assert.match(
      reply,
      /^<rpc-reply [^>]*><id xmlns="urn:ietf:params:xml:ns:yang:ietf-subscribed-notifications">\d+<\/id><\/rpc-reply>$/,
    );
    const id = idIn(reply);
    await allOk(editor, change());
    await nextMatching(watcher, /<netconf-config-change /);
    await nextMatching(watcher, /<binding-table-changed /);
    const state = await stateOf(editor, id);
    assert.match(
      state,
      new RegExp(`<id>${id}</id><stream>NETCONF</stream><encoding[^>]*>ietf-subscribed-notifications:encode-xml<`),
    );
    assert.match(
      state,
      /<receiver><name>[^<]+<\/name><sent-event-records>2<\/sent-event-records><excluded-event-records>0<\/excluded-event-records><state>active<\/state><\/receiver>/,
    );
    await allOk(watcher, DELETE(id));
    await allOk(editor, change());
    assert.not.match(await stateOf(editor, id), /<subscription>/);
    assert.match(await watcher.rpc('<get-config><source><running/></source><filter/></get-config>'), /<data/);
  }));

test('N95: two subscriptions of one session, each with its filter and counters', () =>
  withSessions(async (watcher, editor) => {
    await untilAlone(editor, watcher);
    const first = await establish(watcher, STREAM + TABLE_ONLY);
    const second = await establish(
      watcher,
      `${STREAM}<stream-xpath-filter xmlns:g="urn:gi-4over6">/g:binding-table-changed[g:added='7']</stream-xpath-filter>`,
    );
    await allOk(editor, change());
    assert.match(await watcher.receive(), /<binding-table-changed /);
    assert.match(await stateOf(editor, first), /<sent-event-records>1<.*<excluded-event-records>1</);
    // Each subscription looks at the events in its own time.
    const counted = /<sent-event-records>0<.*<excluded-event-records>2</;
    await eventually(WAIT_MS, async () => counted.test(await stateOf(editor, second)) || undefined);
    assert.match(
      await stateOf(editor, second),
      /<stream-xpath-filter xmlns:gi-4over6="urn:gi-4over6">\/gi-4over6:binding-table-changed\[gi-4over6:added='7'\]</,
    );
    assert.match(
      await stateOf(editor, first),
      /<stream-subtree-filter><binding-table-changed xmlns="urn:gi-4over6"\/></,
    );
  }));

test('N95: modify: other event records, subscription-modified before them; a refused one changes nothing', () =>
  withSessions(async (watcher, editor) => {
    const id = await establish(watcher, STREAM + NOTHING);
    await allOk(editor, change());
    const wrong = await watcher.rpc(MODIFY(id, '<stream-xpath-filter>///</stream-xpath-filter>'));
    assert.is(appTagOf(wrong), 'ietf-subscribed-notifications:filter-unsupported');
    assert.match(
      wrong,
      /<modify-subscription-stream-error-info [^>]*><reason[^>]*>ietf-subscribed-notifications:filter-unsupported</,
    );
    await allOk(watcher, MODIFY(id, `${TABLE_ONLY}<stop-time>${FUTURE}</stop-time>`));
    const told = await watcher.receive();
    assert.match(told, new RegExp(`<subscription-modified [^>]*><id>${id}</id>`));
    assert.match(told, /<stream>NETCONF<.*<stop-time>2999-01-01T00:00:00(Z|[+-]00:00)</);
    await allOk(editor, change());
    assert.match(await watcher.receive(), /<binding-table-changed /);
  }));

test('N95: kill-subscription: denied by default, otherwise the receiver is told and the session goes on', async () => {
  await withSessions(
    async (operator) => {
      await allOk(operator, edit(systemUser('mike', '$0$mike')));
      await allOk(operator, edit(nacm('<exec-default>permit</exec-default><read-default>permit</read-default>')));
    },
    [local],
  );
  await withSessions(
    async (watcher, other, root) => {
      const id = await establish(watcher, STREAM);
      assert.is(outcome(await other.rpc(KILL(id))), 'access-denied');
      const foreign = await other.rpc(DELETE(id));
      assert.is(outcome(foreign), 'invalid-value');
      assert.match(foreign, new RegExp(`>there is no subscription ${id} of this subscriber<`));
      assert.is(appTagOf(foreign), 'ietf-subscribed-notifications:no-such-subscription');
      await allOk(root, KILL(id));
      const told = await nextMatching(watcher, /<subscription-terminated /);
      assert.match(told, new RegExp(`<id>${id}</id><reason[^>]*>ietf-subscribed-notifications:no-such-subscription<`));
      const gone = await root.rpc(KILL(id));
      assert.is(appTagOf(gone), 'ietf-subscribed-notifications:no-such-subscription');
      assert.match(gone, new RegExp(`>there is no subscription ${id}<`));
      assert.match(await watcher.rpc('<get-config><source><running/></source><filter/></get-config>'), /<data/);
    },
    [local, () => as('mike', 'mike'), local],
  );
});

test('N95: a replay from before the log, with its revision and replay-completed', () =>
  withSessions(async (watcher, editor) => {
    const reply = await watcher.rpc(ESTABLISH(STREAM + LONG_AGO + TABLE_ONLY));
    const streams = await editor.rpc(`<get><filter><streams ${SN}/></filter></get>`);
    const created = /<replay-log-creation-time>([^<]+)</.exec(streams)?.[1];
    assert.match(streams, /<stream><name>NETCONF<\/name>.*<replay-support\/>/);
    assert.is(/<replay-start-time-revision[^>]*>([^<]+)</.exec(reply)?.[1], created);
    const id = idIn(reply);
    let message = '';
    let count = 0;
    while (!/<replay-completed /.test(message)) {
      message = await watcher.receive();
      count++;
    }
    assert.ok(count > 2);
    assert.match(message, new RegExp(`<replay-completed [^>]*><id>${id}</id></replay-completed>`));
    await allOk(editor, change());
    assert.match(await watcher.receive(), /<binding-table-changed /);
  }));

test('N95: a replay that begins in the log has no revision; stop-time ends the subscription without a word', () =>
  withSessions(async (watcher, editor) => {
    const start = new Date(Date.now() - 1).toISOString();
    const stop = new Date(Date.now() + 4_000).toISOString();
    const reply = await watcher.rpc(
      ESTABLISH(`${STREAM}<replay-start-time>${start}</replay-start-time><stop-time>${stop}</stop-time>`),
    );
    assert.not.match(reply, /revision/);
    await nextMatching(watcher, /<replay-completed /);
    for (let tries = 0; /<subscription>/.test(await stateOf(editor, idIn(reply))); tries++) {
      assert.ok(tries < 1_000, 'it ends');
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    await allOk(editor, change());
    assert.match(await watcher.rpc('<get-config><source><running/></source><filter/></get-config>'), /<data/);
  }));

const refused: readonly [what: string, inside: string, tag: string, appTag: string | undefined][] = [
  [
    'a stream that is not there',
    '<stream>x</stream>',
    'invalid-value',
    'ietf-subscribed-notifications:stream-unavailable',
  ],
  [
    'an expression that is none',
    `${STREAM}<stream-xpath-filter>a[</stream-xpath-filter>`,
    'invalid-value',
    'ietf-subscribed-notifications:filter-unsupported',
  ],
  [
    'a prefix that nobody declared',
    `${STREAM}<stream-xpath-filter>/nobody:a</stream-xpath-filter>`,
    'invalid-value',
    'ietf-subscribed-notifications:filter-unsupported',
  ],
  [
    'a filter of more than 32 KiB',
    `${STREAM}<stream-xpath-filter>${'/a'.repeat(40_000)}</stream-xpath-filter>`,
    'invalid-value',
    'ietf-subscribed-notifications:filter-unsupported',
  ],
  [
    'a prefix of no module that objects know',
    `${STREAM}<stream-xpath-filter>/constructor:a</stream-xpath-filter>`,
    'invalid-value',
    'ietf-subscribed-notifications:filter-unsupported',
  ],
  [
    'a filter that is not configured',
    `${STREAM}<stream-filter-name>x</stream-filter-name>`,
    'invalid-value',
    'ietf-subscribed-notifications:filter-unavailable',
  ],
  [
    'JSON',
    `${STREAM}<encoding>encode-json</encoding>`,
    'invalid-value',
    'ietf-subscribed-notifications:encoding-unsupported',
  ],
  ['a replay from the future', `${STREAM}<replay-start-time>${FUTURE}</replay-start-time>`, 'invalid-value', undefined],
  ['a stop in the past', `${STREAM}<stop-time>2020-01-01T00:00:00Z</stop-time>`, 'invalid-value', undefined],
  [
    'a stop before the replay',
    `${STREAM}${LONG_AGO}<stop-time>2019-01-01T00:00:00Z</stop-time>`,
    'invalid-value',
    undefined,
  ],
  ['no target', '', 'missing-element', 'missing-choice'],
  ['a mark of packets: the feature is off', `${STREAM}<dscp>10</dscp>`, 'unknown-element', undefined],
];
for (const [what, inside, tag, appTag] of refused) {
  test(`N95: refused: ${what}`, () =>
    withSessions(
      async (client) => {
        const reply = await client.rpc(ESTABLISH(inside));
        assert.is(outcome(reply), tag, reply);
        assert.is(appTagOf(reply), appTag);
        if (appTag?.startsWith('ietf-')) {
          assert.match(reply, /<error-type>application</);
          assert.match(
            reply,
            new RegExp(`<establish-subscription-stream-error-info [^>]*><reason xmlns:[^>]*>${appTag}</reason>`),
          );
        }
      },
      [local],
    ));
}

test('N95: create-subscription and establish-subscription exclude each other in a session (RFC 8640 section 3)', () =>
  withSessions(async (first, second) => {
    await allOk(first, CREATE_5277);
    assert.is(outcome(await first.rpc(ESTABLISH(STREAM))), 'operation-not-supported');
    const id = await establish(second, STREAM + NOTHING);
    assert.is(outcome(await second.rpc(CREATE_5277)), 'operation-not-supported');
    await allOk(second, DELETE(id), CREATE_5277);
  }));

test('N95: a filter by its name: another content is told, and without it the subscription is over', () =>
  withSessions(async (watcher, editor) => {
    const filter = (inside: string) =>
      edit(`<filters ${SN}><stream-filter><name>f</name>${inside}</stream-filter></filters>`);
    await allOk(editor, filter(NOTHING));
    const id = await establish(watcher, `${STREAM}<stream-filter-name>f</stream-filter-name>`);
    await allOk(editor, change());
    await allOk(editor, filter(TABLE_ONLY));
    assert.match(
      await watcher.receive(),
      new RegExp(`<subscription-modified [^>]*><id>${id}</id><stream-filter-name>f</stream-filter-name>`),
    );
    await allOk(editor, change());
    assert.match(await watcher.receive(), /<binding-table-changed /);
    await allOk(editor, edit(`<filters ${SN} ${NC_PREFIX} nc:operation="remove"/>`));
    assert.match(
      await watcher.receive(),
      new RegExp(
        `<subscription-terminated [^>]*><id>${id}</id><reason[^>]*>ietf-subscribed-notifications:filter-unavailable<`,
      ),
    );
  }));

test('N95: a configured expression: its prefixes are names of modules that are declared, and what was read can be written', () =>
  withSessions(async (watcher, editor) => {
    const text = "/n:binding-table-changed[n:added='1' or starts-with(n:aftr, 'n:x')]";
    const filter = `<filters ${SN}><stream-filter><name>x</name><stream-xpath-filter xmlns:n="urn:gi-4over6">${text}</stream-xpath-filter></stream-filter></filters>`;
    const stranger = filter.replace('urn:gi-4over6', 'urn:nobody');
    assert.is(outcome(await editor.rpc(edit(stranger))), 'invalid-value');
    await allOk(editor, edit(filter));
    const reply = await editor.rpc(getConfig(`<filter><filters ${SN}/></filter>`));
    const [, read = ''] = /<data[^>]*>(.*)<\/data>/.exec(reply) ?? [];
    const named = "/gi-4over6:binding-table-changed[gi-4over6:added='1' or starts-with(gi-4over6:aftr, 'n:x')]";
    assert.match(read, `<stream-xpath-filter xmlns:gi-4over6="urn:gi-4over6">${named}</stream-xpath-filter>`);
    await allOk(editor, edit(read));
    assert.is(await editor.rpc(getConfig(`<filter><filters ${SN}/></filter>`)), reply);
    await establish(watcher, `${STREAM}<stream-filter-name>x</stream-filter-name>`);
    await allOk(editor, change());
    assert.match(await watcher.receive(), /<binding-table-changed /);
    await allOk(editor, edit(`<filters ${SN} ${NC_PREFIX} nc:operation="remove"/>`));
    await watcher.receive();
  }));

test('N95: a configured expression with an identity and a pattern is kept with names of modules in both, and judges', () =>
  withSessions(async (watcher, editor) => {
    const NO = 'urn:ietf:params:xml:ns:yang:ietf-netconf-notifications';
    const text =
      "/n:netconf-config-change[re-match(n:edit[1]/n:target, '.*softwire.*') and not(derived-from(n:datastore, 'd:datastore'))]";
    const filter = `<filters ${SN}><stream-filter><name>y</name><stream-xpath-filter xmlns:n="${NO}" xmlns:d="urn:ietf:params:xml:ns:yang:ietf-datastores">${text}</stream-xpath-filter></stream-filter></filters>`;
    await allOk(editor, edit(filter));
    const reply = await editor.rpc(getConfig(`<filter><filters ${SN}/></filter>`));
    assert.match(reply, /derived-from\(ietf-netconf-notifications:datastore, 'ietf-datastores:datastore'\)/);
    assert.match(reply, /xmlns:ietf-datastores="urn:ietf:params:xml:ns:yang:ietf-datastores"/);
    await establish(watcher, `${STREAM}<stream-filter-name>y</stream-filter-name>`);
    await allOk(editor, change());
    assert.match(await watcher.receive(), /<netconf-config-change /);
    await allOk(editor, edit(`<filters ${SN} ${NC_PREFIX} nc:operation="remove"/>`));
  }));

test('N95: nobody configures a subscription, and a session has at most 32', () =>
  withSessions(
    async (client) => {
      const configured = edit(
        `<subscriptions ${SN}><subscription><id>1</id><stream>NETCONF</stream></subscription></subscriptions>`,
      );
      assert.is(outcome(await client.rpc(configured)), 'unknown-element');
      for (let n = 0; n < 32; n++) await establish(client, STREAM + NOTHING);
      const reply = await client.rpc(ESTABLISH(STREAM));
      assert.is(outcome(reply), 'resource-denied');
      assert.is(appTagOf(reply), 'ietf-subscribed-notifications:insufficient-resources');
    },
    [local],
  ));

test('N95: subscriptions end with their session', () =>
  withSessions(async (watcher, editor) => {
    const id = await establish(watcher, STREAM);
    assert.match(await stateOf(editor, id), /<subscription>/);
    watcher.end();
    for (let tries = 0; /<subscription>/.test(await stateOf(editor, id)); tries++) {
      assert.ok(tries < 200, 'it ends');
      await new Promise((resolve) => setTimeout(resolve, 10));
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }));

test('stop', async () => {
  assert.is(await management.stop(), 0);
});

test.run();
