// needs: root
/** A datapath that is there and does nothing: commits are answered, the state says it, and it is started anew. */

import { execFileSync } from 'node:child_process';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { outcome, RawClient } from '../helpers/netconf-client.ts';
import { enterOwnNetwork } from '../helpers/own-network.ts';
import { eventually, Program } from '../helpers/program.ts';

enterOwnNetwork();
execFileSync('ip', ['link', 'set', 'lo', 'up']);

const test = suite('datapath behind');
const START_MS = 60_000;
const AFTR = '<name>a</name><ipv6-address>2001:db8:b::1</ipv6-address><ipv4-pool>192.0.2.0/24</ipv4-pool>';
const EDIT = `<edit-config><target><running/></target><config><softwire xmlns="urn:gi-4over6"><aftr>${AFTR}</aftr></softwire></config></edit-config>`;
const MORE = EDIT.replace(AFTR, '<name>a</name><hop-limit>77</hop-limit>');
const BINDING = EDIT.replace(
  AFTR,
  '<name>a</name><binding-table><binding><ipv4-prefix>192.0.2.1/32</ipv4-prefix><gateway-ipv6-address>2001:db8:a::1</gateway-ipv6-address></binding></binding-table>',
);
const STATE = '<get><filter type="subtree"><softwire xmlns="urn:gi-4over6"><state/></softwire></filter></get>';

test('it is ended, started anew, and forwards by the newest version', async () => {
  const program = new Program(10_831, 18_444);
  program.start();
  const client = await eventually(START_MS, async () => {
    const found = await RawClient.local(program.socket);
    return found.hello === '' ? undefined : found.greet('1.1');
  });
  const isApplied = async () => {
    const text = await client.rpc(STATE);
    const leaf = (name: string) => new RegExp(`<${name}>([^<]*)<`).exec(text)?.[1];
    const isNew = leaf('applied-version') !== undefined && leaf('applied-version') === leaf('configured-version');
    return isNew ? text : undefined;
  };
  try {
    assert.is(outcome(await client.rpc(EDIT)), 'ok');
    await eventually(START_MS, isApplied);
    const [pid] = program.freeze('datapath');
    assert.is(outcome(await client.rpc(BINDING)), 'ok');
    assert.match(await client.rpc(STATE), /datapath-behind: version \d+ was not forwarded by in time/);
    const text = await eventually(START_MS, isApplied);
    assert.not.match(text, /datapath-behind/);
    const [next] = program.freeze('datapath');
    assert.ok(next !== undefined && next !== pid, 'another process');
    process.kill(next ?? 0, 'SIGCONT');
    assert.is(outcome(await client.rpc(MORE)), 'ok');
  } finally {
    client.end();
    await program.stop();
  }
});

test.run();
