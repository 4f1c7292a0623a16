// needs: addon
/** Periodic subscriptions to datastores over NETCONF against the running program (RFC 8641 §3.1, §4.2). */

import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { allOk, nextMatching } from '../../helpers/local-sessions.ts';
import { startManagement } from '../../helpers/management.ts';
import { outcome, type RawClient } from '../../helpers/netconf-client.ts';
import { binding, edit, GI, getConfig, table } from '../../helpers/netconf-requests.ts';
import { PlayedDatapath } from '../../helpers/played-datapath.ts';
import {
  appTagOf,
  contentsOf,
  DELETE,
  datastore,
  ESTABLISH,
  idIn,
  MODIFY,
  periodic,
  RESYNC,
  SN,
  withWatcher,
  YP,
} from '../../helpers/subscription-requests.ts';

const test = suite('push periodic');
const management = await startManagement();
await new PlayedDatapath(management.socket).start();

const TABLE = `<softwire ${GI}><aftr><name>a</name><binding-table/></aftr></softwire>`;
const GATEWAY = '2001:db8:1::1';
const every = (centiseconds: number, more = '') => periodic(`<period>${centiseconds}</period>${more}`);

const withSessions = (body: (watcher: RawClient, editor: RawClient) => Promise<void>) => withWatcher(management, body);

const timeOf = (message: string) => Date.parse(/<eventTime>([^<]+)</.exec(message)?.[1] ?? '');

test('N96: updates at the period, each what get-config gives then; modify and delete', () =>
  withSessions(async (watcher, editor) => {
    await allOk(editor, edit(table(binding('192.0.2.1/32', GATEWAY))));
    const asked = Date.now();
    const id = idIn(await watcher.rpc(ESTABLISH(datastore(TABLE) + every(100))));
    const first = await watcher.receive();
    assert.match(first, new RegExp(`<push-update ${YP}><id>${id}</id><datastore-contents>`));
    const read = await editor.rpc(getConfig(`<filter>${TABLE}</filter>`));
    assert.is(contentsOf(first), /<data[^>]*>(.*)<\/data>/.exec(read)?.[1]);
    await allOk(editor, edit(table(binding('192.0.2.2/32', GATEWAY))));
    const second = await watcher.receive();
    // The first one may have come late.
    const after = timeOf(second) - asked;
    assert.ok(after >= 990, `${after} ms`);
    // On a busy machine the second one may have come before the edit.
    await nextMatching(watcher, /192\.0\.2\.1\/32.*192\.0\.2\.2\/32/, second);
    await allOk(watcher, MODIFY(id, datastore(`<softwire ${GI}><aftr><name/></aftr></softwire>`) + every(200)));
    await nextMatching(watcher, /<subscription-modified .*<periodic [^>]*><period>200<\/period><\/periodic>/);
    assert.is(contentsOf(await watcher.receive()), `<softwire ${GI}><aftr><name>a</name></aftr></softwire>`);
    await allOk(watcher, DELETE(id));
    const state = await editor.rpc(`<get><filter><subscriptions ${SN}/></filter></get>`);
    assert.not.match(state, /<subscription>/);
  }));

test('N96: with an anchor-time the updates are a multiple of the period away from it, whether it is past or to come', () =>
  withSessions(async (watcher) => {
    for (const anchor of ['2020-01-01T00:00:00.25Z', '2999-01-01T00:00:00.25Z']) {
      const asked = Date.now();
      const id = idIn(
        await watcher.rpc(ESTABLISH(datastore(TABLE) + every(100, `<anchor-time>${anchor}</anchor-time>`))),
      );
      const late: number[] = [];
      // A busy machine may be late with some of them.
      while (late.length < 10 && !late.some((ms) => ms < 500)) {
        const message = await watcher.receive();
        assert.ok(timeOf(message) > asked);
        late.push((((timeOf(message) - Date.parse(anchor)) % 1_000) + 1_000) % 1_000);
      }
      assert.ok(Math.min(...late) < 500, `${late} ms behind`);
      await allOk(watcher, DELETE(id));
    }
  }));

test('N96: operational: state and configuration, as get-data gives it', () =>
  withSessions(async (watcher) => {
    const state = `<softwire ${GI}><state><configured-version/></state></softwire>`;
    await watcher.rpc(ESTABLISH(datastore(state, 'operational') + every(100)));
    assert.match(contentsOf(await watcher.receive()), /^<softwire [^>]*><state><configured-version>\d+</);
  }));

test('N96: stop-time ends it', () =>
  withSessions(async (watcher, editor) => {
    const stop = new Date(Date.now() + 3_000).toISOString();
    const id = idIn(await watcher.rpc(ESTABLISH(`${datastore(TABLE)}<stop-time>${stop}</stop-time>${every(100)}`)));
    await watcher.receive();
    const filter = `<subscriptions ${SN}><subscription><id>${id}</id></subscription></subscriptions>`;
    for (let tries = 0; /<subscription>/.test(await editor.rpc(`<get><filter>${filter}</filter></get>`)); tries++) {
      assert.ok(tries < 200, 'it ends');
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    assert.ok(Date.now() >= Date.parse(stop));
  }));

test('N96: too short a period is refused with one that would do; a periodic subscription has no resync', () =>
  withSessions(async (watcher) => {
    const reply = await watcher.rpc(ESTABLISH(datastore(TABLE) + every(99)));
    assert.is(outcome(reply), 'invalid-value');
    assert.is(appTagOf(reply), 'ietf-yang-push:period-unsupported');
    assert.match(
      reply,
      /<establish-subscription-datastore-error-info [^>]*><reason [^>]*>ietf-yang-push:period-unsupported<\/reason><period-hint>100<\/period-hint></,
    );
    const id = idIn(await watcher.rpc(ESTABLISH(datastore(TABLE) + every(100))));
    await watcher.receive();
    assert.is(appTagOf(await watcher.rpc(RESYNC(id))), 'ietf-yang-push:on-change-sync-unsupported');
    const modified = await watcher.rpc(MODIFY(id, datastore(TABLE) + every(1)));
    assert.is(appTagOf(modified), 'ietf-yang-push:period-unsupported');
    assert.match(modified, /<modify-subscription-datastore-error-info /);
  }));

test('N96: a large table: a longer period, others are answered while an update goes out, and whoever does not read is suspended', () =>
  withSessions(async (watcher, editor) => {
    const rows = Array.from({ length: 60_000 }, (_, n) => binding(`198.18.${n >> 8}.${n & 255}/32`, GATEWAY)).join('');
    const pool = '<ipv4-pool>198.18.0.0/15</ipv4-pool>';
    await allOk(
      editor,
      edit(`<softwire ${GI}><aftr><name>a</name>${pool}<binding-table>${rows}</binding-table></aftr></softwire>`),
    );
    const refused = await watcher.rpc(ESTABLISH(datastore(TABLE) + every(100)));
    assert.is(appTagOf(refused), 'ietf-yang-push:period-unsupported');
    assert.match(refused, /<period-hint>700<\/period-hint>/);
    const one = TABLE.replace(
      '<binding-table/>',
      '<binding-table><binding><ipv4-prefix>198.18.0.1/32</ipv4-prefix></binding></binding-table>',
    );
    const small = idIn(await watcher.rpc(ESTABLISH(datastore(one) + every(100))));
    assert.match(await watcher.receive(), /198\.18\.0\.1\/32/);
    await allOk(watcher, DELETE(small));
    const id = idIn(await watcher.rpc(ESTABLISH(datastore(TABLE) + every(700))));
    watcher.pause();
    const filter = `<subscriptions ${SN}><subscription><id>${id}</id></subscription></subscriptions>`;
    let state = '';
    for (let tries = 0; !/<state>suspended</.test(state); tries++) {
      const asked = performance.now();
      state = await editor.rpc(`<get><filter>${filter}</filter></get>`);
      assert.ok(performance.now() - asked < 15_000);
      assert.ok(tries < 1_000, 'it is suspended');
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    watcher.resume();
    const whole = await watcher.receive(60_000);
    assert.is([...contentsOf(whole).matchAll(/<binding>/g)].length, 60_000);
    assert.match(
      await watcher.receive(),
      new RegExp(
        `<subscription-suspended [^>]*><id>${id}</id><reason[^>]*>ietf-subscribed-notifications:unsupportable-volume<`,
      ),
    );
    assert.match(await watcher.receive(), new RegExp(`<subscription-resumed [^>]*><id>${id}</id>`));
    assert.is([...contentsOf(await watcher.receive(60_000)).matchAll(/<binding>/g)].length, 60_000);
  }));

test('stop', async () => assert.is(await management.stop(), 0));

test.run();
