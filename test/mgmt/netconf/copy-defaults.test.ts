// needs: addon
/** copy-config with-defaults (RFC 6243 §4.5.1): the target holds what a reading of the source in that mode shows. */

import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { allOk, openLocal } from '../../helpers/local-sessions.ts';
import { startManagement } from '../../helpers/management.ts';
import { outcome } from '../../helpers/netconf-client.ts';
import { AFTR, binding, edit, getConfig, RESET, systemUser, table } from '../../helpers/netconf-requests.ts';

const test = suite('copy-config with-defaults');

const management = await startManagement(['--startup']);
const client = await openLocal(management);

const withDefaults = (mode: string) =>
  mode === ''
    ? ''
    : `<with-defaults xmlns="urn:ietf:params:xml:ns:yang:ietf-netconf-with-defaults">${mode}</with-defaults>`;
const copyAs = (mode: string, source: string, target: string) =>
  `<copy-config><target><${target}/></target><source>${source}</source>${withDefaults(mode)}</copy-config>`;

/** The data of a datastore in a mode, without white space between elements. */
async function data(datastore: string, mode = ''): Promise<string> {
  const reply = await client.rpc(getConfig(withDefaults(mode), datastore));
  assert.is(outcome(reply), 'data', reply);
  return /<data[^>]*>(.*)<\/data>/s.exec(reply)?.[1] ?? '';
}

// hop-limit has the value of its default, aftr-traffic-class none, enabled was never set.
const SET = AFTR.replace('</name>', '</name><hop-limit>64</hop-limit><softwire-num-max>9</softwire-num-max>');
const ROW = table(binding('192.0.2.1/32', '2001:db8:a::1'));

for (const mode of ['', 'explicit', 'trim', 'report-all', 'report-all-tagged']) {
  for (const target of ['candidate', 'startup']) {
    test(`N83: running to ${target} with ${mode || 'nothing'}`, async () => {
      await allOk(client, RESET, edit(SET), edit(ROW), copyAs(mode, '<running/>', target));
      // What is tagged was not set.
      const shown = mode === 'report-all-tagged' ? 'explicit' : mode;
      const copied = await data(target);
      assert.is(copied, await data('running', shown));
      assert.is(copied.includes('<hop-limit>64<'), mode !== 'trim');
      assert.is(copied.includes('<enabled>true<'), mode === 'report-all');
      assert.match(copied, '<softwire-num-max>9<');
      assert.match(copied, '<ipv4-prefix>192.0.2.1/32<');
      assert.match(await data('running'), '<hop-limit>64<');
      assert.is(outcome(await client.rpc(`<validate><source><${target}/></source></validate>`)), 'ok');
      await allOk(client, '<discard-changes/>');
    });
  }
}

test('N83: running becomes what a copy of the candidate has, and startup what comes inline', async () => {
  await allOk(client, RESET, edit(SET), copyAs('report-all', '<running/>', 'candidate'));
  const all = await data('candidate');
  await allOk(client, copyAs('', '<candidate/>', 'running'));
  assert.is(await data('running'), all);
  await allOk(client, copyAs('trim', '<candidate/>', 'running'));
  assert.is(await data('running'), await data('candidate', 'trim'));
  const { password } = management;
  const inline = `<config>${SET}${systemUser('admin', `$0$${password}`)}</config>`;
  await allOk(client, copyAs('trim', inline, 'startup'));
  assert.not.match(await data('startup'), 'hop-limit');
  assert.match(await data('startup'), '<softwire-num-max>9<');
  await allOk(client, copyAs('', inline, 'startup'));
  assert.match(await data('startup'), '<hop-limit>64<');
});

test('N85: another mode is refused, and nothing is copied', async () => {
  await allOk(client, '<discard-changes/>', RESET, edit(SET));
  const before = await data('candidate');
  assert.is(outcome(await client.rpc(copyAs('some', '<running/>', 'candidate'))), 'invalid-value');
  assert.is(await data('candidate'), before);
});

test('the program ends cleanly', async () => {
  client.end();
  assert.is(await management.stop(), 0);
});

test.run();
