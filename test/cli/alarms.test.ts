// needs: addon
/** `show alarms` against the running program, whose datapath is played. */

import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { commandLine } from '../helpers/cli.ts';
import { startManagement } from '../helpers/management.ts';
import { PlayedDatapath } from '../helpers/played-datapath.ts';
import { eventually } from '../helpers/program.ts';

const test = suite('cli alarms');

const management = await startManagement();
const datapath = new PlayedDatapath(management.socket);
await datapath.start();
const { ok } = commandLine(management.socket);
const WAIT_MS = 60_000;

type Row = Readonly<Record<'severity' | 'since' | 'alarm' | 'resource' | 'text', string>>;
const rows = async () => JSON.parse(await ok('show', 'alarms', '--json')) as Row[];
/** One of these, each alarms in order. */
const shown = async (...expected: (readonly string[])[]) =>
  eventually(WAIT_MS, async () => {
    const lines = (await rows()).map(({ severity, alarm, resource }) => `${severity} ${alarm} ${resource}`);
    return expected.some((wanted) => lines.join() === wanted.join()) || undefined;
  });

test('none', async () => {
  assert.is(await ok('show', 'alarms'), 'There are no alarms.\n');
  assert.equal(await rows(), []);
});

test('one line each: what is so first, by severity, then what was', async () => {
  await ok('set', 'aftr', 'a', 'ipv6-address', '2001:db8:b::1');
  await ok('set', 'aftr', 'a', 'ipv4-pool', '192.0.2.0/24');
  await ok('set', 'aftr', 'a', 'softwire-num-max', '2');
  await ok('set', 'aftr', 'a', 'binding', '192.0.2.1/32', 'gateway-ipv6-address', '2001:db8::1');
  await ok('set', 'aftr', 'a', 'binding', '192.0.2.2/32', 'gateway-ipv6-address', '2001:db8::1');
  await ok('commit');
  await shown(['major binding-table-near-limit aftr a']);
  datapath.memory = 0.9;
  await shown(['major binding-table-near-limit aftr a', 'warning reassembly-near-limit aftr a']);
  datapath.memory = 0;
  await datapath.stop();
  // Which of the two critical ones is seen first, and comes last, is chance.
  const critical = ['critical not-forwarding aftr a', 'critical datapath-down softwire'];
  const others = ['major binding-table-near-limit aftr a', 'warning reassembly-near-limit aftr a'];
  await shown([...critical, ...others], [...critical.toReversed(), ...others]);
});

test('the table', async () => {
  const [head = '', first = '', ...others] = (await ok('show', 'alarms')).trimEnd().split('\n');
  assert.match(head, /^SEVERITY\s+SINCE\s+ALARM\s+RESOURCE\s+TEXT$/i);
  assert.match(first, /^critical\s+\d{4}-\d\d-\d\dT\S+Z\s+\S+\s+(?:softwire|aftr a)\s+the datapath does not answer/);
  assert.is(others.length, 3);
});

test('what ended', async () => {
  await datapath.start();
  await eventually(WAIT_MS, async () => {
    const ended = (await rows())
      .filter(({ severity }) => severity === 'cleared')
      .map(({ alarm, text }) => `${alarm}: ${text}`);
    return ended.includes('datapath-down: the datapath answers again') || undefined;
  });
  await ok('delete', 'aftr', 'a', '--commit');
  await eventually(WAIT_MS, async () => (await rows()).every(({ severity }) => severity === 'cleared') || undefined);
});

test('a binding table is near its limit from softwire-num-threshold on', async () => {
  await ok('set', 'aftr', 'b', 'ipv4-pool', '192.0.2.0/24');
  await ok('set', 'aftr', 'b', 'softwire-num-max', '10');
  await ok('set', 'aftr', 'b', 'softwire-num-threshold', '20');
  await ok('set', 'aftr', 'b', 'enabled', 'false');
  for (const i of [1, 2])
    await ok('set', 'aftr', 'b', 'binding', `192.0.2.${i}/32`, 'gateway-ipv6-address', '2001:db8::1');
  await ok('commit');
  const state = async () => (await rows()).find(({ resource }) => resource === 'aftr b')?.severity;
  await eventually(WAIT_MS, async () => (await state()) === 'warning' || undefined);
  await ok('delete', 'aftr', 'b', 'softwire-num-threshold', '--commit');
  await eventually(WAIT_MS, async () => (await state()) === 'cleared' || undefined);
});

test('ends cleanly', async () => {
  await datapath.stop();
  assert.is(await management.stop(), 0);
});

test.run();
