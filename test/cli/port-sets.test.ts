// needs: addon
/** Port sets of shared addresses on the command line, against the running program. */

import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { commandLine, run } from '../helpers/cli.ts';
import { startManagement } from '../helpers/management.ts';

const test = suite('cli port-sets');

const management = await startManagement();
const dir = mkdtempSync(join(tmpdir(), 'gi4over6-cli-'));
const file = (name: string) => join(dir, name);
const { ok, refused } = commandLine(management.socket);

const SHARED = ['aftr', 'a', 'shared-address', '192.0.2.100'];
const [B4, OTHER_B4] = ['2001:db8:c::34', '2001:db8:c::35'];

/** An AFTR with one binding and, in words, one shared address with two port sets. */
async function reset(): Promise<void> {
  await ok('discard');
  const aftr = {
    name: 'a',
    'ipv6-address': '2001:db8:b::1',
    'ipv4-pool': ['192.0.2.0/24'],
    'binding-table': { binding: [{ 'ipv4-prefix': '192.0.2.0/28', 'gateway-ipv6-address': '2001:db8::1' }] },
  };
  writeFileSync(file('reset.json'), JSON.stringify({ 'gi-4over6:softwire': { aftr: [aftr] } }));
  await ok('import', file('reset.json'), '--replace', '--commit');
  await ok('set', ...SHARED, 'psid-length', '8');
  await ok('set', ...SHARED, 'port-set', '52', 'b4-ipv6-address', B4);
  await ok('set', ...SHARED, 'port-set', '53', 'b4-ipv6-address', OTHER_B4);
  await ok('commit');
}

function fresh(name: string, body: () => Promise<void>): void {
  test(name, async () => {
    await reset();
    await body();
  });
}

const row = (psid: number, b4: string) => ({
  aftr: 'a',
  'ipv4-address': '192.0.2.100',
  psid,
  'psid-offset': 6,
  'psid-length': 8,
  'b4-ipv6-address': b4,
  'aftr-ipv6-address': '',
});

fresh('status: port sets are no bindings, but with them alone an AFTR does not drop whatever comes', async () => {
  assert.match(await ok('status'), 'AFTR a: enabled, 1 binding, 1 shared address.');
  await ok('delete', 'aftr', 'a', 'binding', '192.0.2.0/28', '--commit');
  const without = await ok('status');
  assert.match(without, 'AFTR a: enabled, 0 bindings, 1 shared address.');
  assert.not.match(without, 'has no bindings');
  await ok('delete', ...SHARED, '--commit');
  const empty = await ok('status');
  assert.match(empty, 'AFTR a: enabled, 0 bindings.');
  assert.match(empty, 'AFTR a has no bindings: it drops whatever comes.');
});

fresh('softwire-num-max is said to count port sets, too', async () => {
  await ok('set', 'aftr', 'a', 'softwire-num-max', '2');
  assert.match(await refused(1, 'commit'), 'would have 3 bindings and port sets, softwire-num-max is 2');
});

fresh('set, get, show and delete', async () => {
  assert.equal(JSON.parse(await ok('show', 'port-sets', '--json')), [row(52, B4), row(53, OTHER_B4)]);
  assert.match(await ok('show', 'port-sets'), /a\s+192\.0\.2\.100\s+52\s+6\s+8\s+2001:db8:c::34\s+-/);
  assert.match(await ok('show', 'bindings'), '2 port sets of shared addresses: `gi4over6 show port-sets`');
  assert.equal(JSON.parse(await ok('show', 'bindings', '--json')).length, 1);
  assert.is(await ok('get', ...SHARED, 'port-set', '52', 'b4-ipv6-address'), `${B4}\n`);
  await ok('delete', ...SHARED, 'port-set', '53', '--commit');
  assert.equal(JSON.parse(await ok('show', 'port-sets', '--json')), [row(52, B4)]);
  await ok('delete', ...SHARED, '--commit');
  assert.is(await ok('show', 'port-sets'), 'There are no port sets.\n');
});

fresh('a psid that does not fit, and an address that is bound, are refused in words', async () => {
  const long = await refused(1, 'set', ...SHARED, 'port-set', '256', 'b4-ipv6-address', B4, '--commit');
  assert.match(long, 'psid 256 does not fit psid-length 8: expected less than 256');
  const bound = await refused(1, 'set', ...SHARED.with(3, '192.0.2.9'), 'psid-length', '8', '--commit');
  assert.match(bound, '192.0.2.9 lies in binding 192.0.2.0/28: an address is either bound with all ports or shared');
});

fresh('lookup with a port says whose it is, now and then; without one it asks for it', async () => {
  const answers = JSON.parse(await ok('lookup', '192.0.2.100', '--port', '1232', '--json'));
  const answer = {
    aftr: 'a',
    'ipv4-prefix': '192.0.2.100/32',
    psid: '52',
    'gateway-ipv6-address': B4,
    origin: 'static',
  };
  assert.equal(answers, [answer]);
  assert.is(await ok('lookup', '192.0.2.100', '--port', '1231'), 'No binding holds port 1231 of 192.0.2.100.\n');
  assert.is(await ok('lookup', '192.0.2.100', '--port', '1023'), 'No binding holds port 1023 of 192.0.2.100.\n');
  assert.match(await refused(1, 'lookup', '192.0.2.100'), '192.0.2.100 is shared by port sets: lookup needs a port');
  assert.match(await ok('lookup', '192.0.2.3', '--port', '9', '--json'), '192.0.2.0/28');
  const { time } = JSON.parse(await ok('log', '--json', '--count', '1'))[0];
  await ok('set', ...SHARED, 'port-set', '52', 'b4-ipv6-address', '2001:db8:c::99', '--commit');
  const now = JSON.parse(await ok('lookup', '192.0.2.100', '--port', '1232', '--json'));
  assert.is(now[0]['gateway-ipv6-address'], '2001:db8:c::99');
  assert.equal(JSON.parse(await ok('lookup', '192.0.2.100', '--port', '1232', '--at', time, '--json')), [answer]);
});

fresh('CSV leaves port sets out and says so; to replace the bindings with it keeps them', async () => {
  const { output, errors } = await run(['export', file('b.csv'), '--socket', management.socket]);
  assert.equal(
    [output, errors],
    ['', 'gi4over6: 2 port sets of shared addresses are not in it: export XML or JSON for them\n'],
  );
  assert.is(readFileSync(file('b.csv'), 'utf8').split('\n').length, 3);
  writeFileSync(file('c.csv'), 'ipv4-prefix,gateway-ipv6-address\n192.0.2.16/28,2001:db8::2\n');
  assert.match(
    await ok('import', file('c.csv'), '--replace', '--dry-run'),
    'would add 1, change 0 and remove 1 bindings.',
  );
  await ok('import', file('c.csv'), '--replace', '--commit');
  assert.equal(JSON.parse(await ok('show', 'bindings', '--json')), [
    { aftr: 'a', 'ipv4-prefix': '192.0.2.16/28', 'gateway-ipv6-address': '2001:db8::2' },
  ]);
  assert.equal(JSON.parse(await ok('show', 'port-sets', '--json')), [row(52, B4), row(53, OTHER_B4)]);
});

fresh('a configuration goes out as XML and as JSON and comes back', async () => {
  for (const name of ['all.xml', 'all.json']) {
    await ok('export', file(name));
    const before = await ok('export');
    await ok('delete', ...SHARED, '--commit');
    await ok('import', file(name), '--replace', '--commit');
    assert.is(await ok('export'), before);
  }
});

test('end', async () => {
  await management.stop();
  rmSync(dir, { recursive: true });
});

test.run();
