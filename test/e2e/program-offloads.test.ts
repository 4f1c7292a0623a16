// needs: root
import { execFileSync } from 'node:child_process';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { outcome } from '../helpers/netconf-client.ts';
import { enterOwnNetwork } from '../helpers/own-network.ts';
import { eventually, Program } from '../helpers/program.ts';

enterOwnNetwork();
execFileSync('ip', ['link', 'set', 'lo', 'up']);

const test = suite('program with offloads');
const MS = 60_000;
const AFTR =
  '<softwire xmlns="urn:gi-4over6"><aftr><name>a</name><ipv6-address>2001:db8:b::1</ipv6-address><ipv4-pool>192.0.2.0/24</ipv4-pool></aftr></softwire>';
const EDIT = `<edit-config><target><running/></target><config>${AFTR}</config></edit-config>`;

test('gi4over6 run --offloads: the log says what the kernel hands over', async () => {
  const program = new Program(2830, 2443);
  program.start(['--offloads']);
  try {
    await eventually(MS, async () => (outcome(await program.ask(EDIT)) === 'ok' ? true : undefined));
    const told = /"device":"gi-aftr","msg":"with offloads: TCP and UDP come in super-packets"/;
    await eventually(MS, async () => (told.test(program.log('datapath')) ? true : undefined));
  } finally {
    assert.is(await program.stop(), 0);
  }
});

test.run();
