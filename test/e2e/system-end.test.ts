// needs: root
/** system-restart and system-shutdown (RFC 7317 §3.4) restart and end this program, and never the host. */

import { execFile, execFileSync } from 'node:child_process';
import { promisify } from 'node:util';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { outcome } from '../helpers/netconf-client.ts';
import { enterOwnNetwork } from '../helpers/own-network.ts';
import { eventually, Program } from '../helpers/program.ts';

enterOwnNetwork();
execFileSync('ip', ['link', 'set', 'lo', 'up']);
const test = suite('system end');
const START_MS = 60_000;
const SYSTEM = 'xmlns="urn:ietf:params:xml:ns:yang:ietf-system"';
const EDIT = `<edit-config><target><running/></target><config><softwire xmlns="urn:gi-4over6"><aftr><name>a</name><ipv6-address>2001:db8:b::1</ipv6-address><ipv4-pool>192.0.2.0/24</ipv4-pool></aftr></softwire></config></edit-config>`;
const READ = `<get-config><source><running/></source><filter type="subtree"><softwire xmlns="urn:gi-4over6"/></filter></get-config>`;

const command = async (name: string, words: readonly string[]): Promise<string> =>
  (await promisify(execFile)(name, words)).stdout;

test('a restart is answered, and all processes are new ones; a shutdown is answered, and all of them end with 0', async () => {
  const program = new Program(12_830, 20_443);
  try {
    program.start();
    await eventually(START_MS, async () => outcome(await program.ask(EDIT)) === 'ok' || undefined);
    // A child that is being started has the name of its parent for a moment.
    const before = await eventually(START_MS, async () => {
      const now = [...program.pids('management'), ...program.pids('datapath')];
      return now.length === 2 ? now : undefined;
    });
    assert.is(outcome(await program.ask(`<system-restart ${SYSTEM}/>`)), 'ok');
    const after = await eventually(START_MS, async () => {
      const now = [...program.pids('management'), ...program.pids('datapath')];
      return now.length === 2 && now.every((pid) => !before.includes(pid)) ? now : undefined;
    });
    await eventually(START_MS, async () => /<name>a<\/name>/.test(await program.ask(READ)) || undefined);
    const url = `https://127.0.0.1:20443/restconf/operations/ietf-system:system-shutdown`;
    const words = [
      '-sk',
      '-u',
      `admin:${program.password}`,
      '-X',
      'POST',
      '-o',
      '/dev/null',
      '-w',
      '%{http_code}',
      url,
    ];
    assert.is((await command('curl', words)).trim(), '204');
    assert.is((await program.ending()).code, 0);
    assert.equal(
      after.filter((pid) => [...program.pids('management'), ...program.pids('datapath')].includes(pid)),
      [],
    );
  } finally {
    await program.stop();
  }
});

test.run();
