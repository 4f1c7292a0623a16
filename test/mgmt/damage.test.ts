// needs: addon
/** Damage that comes while the program runs: whoever meets it gets one clear error, and the program goes on. */

import { execFileSync } from 'node:child_process';
import { closeSync, openSync, readFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { NetconfClient } from '../../src/cli/client.ts';
import { Refusal } from '../../src/cli/failure.ts';
import { storeFile, storeState } from '../../src/state/store-files.ts';
import { commandLine } from '../helpers/cli.ts';
import { startManagement } from '../helpers/management.ts';

const test = suite('damage');

const GI = 'xmlns="urn:gi-4over6"';
const edit = (aftr: string) =>
  `<edit-config><target><running/></target><config><softwire ${GI}><aftr><name>a</name>${aftr}</aftr></softwire></config></edit-config>`;
const row = (prefix: string, gateway: string) =>
  `<binding-table><binding><ipv4-prefix>${prefix}</ipv4-prefix><gateway-ipv6-address>${gateway}</gateway-ipv6-address></binding></binding-table>`;
const lookup = (address: string) =>
  `<action xmlns="urn:ietf:params:xml:ns:yang:1"><softwire ${GI}><aftr><name>a</name><lookup><ipv4-address>${address}</ipv4-address></lookup></aftr></softwire></action>`;
const TABLE = `<get-config><source><running/></source><filter type="subtree"><softwire ${GI}/></filter></get-config>`;

/** Flips a bit of each place in the file where these octets stand; LMDB has the file mapped and sees it at once. */
function flip(file: string, pattern: string): void {
  const octets = readFileSync(file);
  const wanted = Buffer.from(pattern, 'hex');
  const descriptor = openSync(file, 'r+');
  for (let at = octets.indexOf(wanted); at >= 0; at = octets.indexOf(wanted, at + 1)) {
    writeSync(descriptor, Buffer.of((octets[at] ?? 0) ^ 1), 0, 1, at);
  }
  closeSync(descriptor);
}

async function refusal(client: NetconfClient, operation: string): Promise<Refusal> {
  const found = await client.call(operation).catch((error: unknown) => error);
  assert.instance(found, Refusal);
  return found as Refusal;
}

async function problems(client: NetconfClient): Promise<string> {
  const filter = `<filter type="subtree"><softwire ${GI}><state/></softwire></filter>`;
  return JSON.stringify(await client.call(`<get>${filter}</get>`));
}

async function until(holds: () => Promise<boolean>): Promise<void> {
  for (const end = Date.now() + 60_000; !(await holds()); await sleep(100)) assert.ok(Date.now() < end, 'in time');
}

test('reads that meet a damaged row are refused in a sentence; the others go on', async () => {
  const management = await startManagement();
  const client = await NetconfClient.connect(management.socket);
  try {
    const pool = '<ipv6-address>2001:db8:b::1</ipv6-address><ipv4-pool>192.0.2.0/24</ipv4-pool>';
    await client.call(edit(pool + row('192.0.2.1/32', '2001:db8:dead::1')));
    await client.call(edit(row('192.0.2.2/32', '2001:db8:a::2')));
    flip(storeFile(management.stateDir), '20010db8dead00000000000000000001');
    for (const operation of [TABLE, lookup('192.0.2.1')]) {
      const { faults } = await refusal(client, operation);
      assert.equal(
        faults.map(({ tag }) => tag),
        ['operation-failed'],
        operation,
      );
      assert.match(
        faults[0]?.message ?? '',
        /^the store is damaged \(the stored row of key c000020120 is damaged: its CRC does not fit\): stop the program, then restore a backup with `gi4over6 restore`$/,
      );
    }
    assert.match(JSON.stringify(await client.call(lookup('192.0.2.2'))), /2001:db8:a::2/);
    const backup = await refusal(client, `<backup-store ${GI}/>`);
    assert.match(backup.message, /^the copy is not whole, and so the store may be damaged: /);
  } finally {
    client.close();
    assert.is(await management.stop(), 0);
  }
});

test('damage that a read meets: status, alarm and log have it, no edit is taken, and the next start verifies', async () => {
  const management = await startManagement();
  const client = await NetconfClient.connect(management.socket);
  try {
    const pool = '<ipv6-address>2001:db8:b::1</ipv6-address><ipv4-pool>192.0.2.0/24</ipv4-pool>';
    await client.call(edit(pool + row('192.0.2.1/32', '2001:db8:dead::1')));
    await client.call(edit(row('192.0.2.2/32', '2001:db8:a::2')));
    await client.call(`<backup-store ${GI}/>`);
    flip(storeFile(management.stateDir), '20010db8dead00000000000000000001');
    await refusal(client, lookup('192.0.2.1'));
    assert.match(await problems(client), /The store is damaged/, 'at once');
    const operations = [
      edit(row('192.0.2.3/32', '2001:db8:a::3')),
      '<commit/>',
      '<copy-config><target><candidate/></target><source><running/></source></copy-config>',
      `<roll-back ${GI}><version>2</version></roll-back>`,
    ];
    for (const operation of operations) {
      assert.match((await refusal(client, operation)).message, /no change is taken.*the newest backup is \S+-v3\.mdb/);
    }
    await until(async () => /the newest good backup is version 3 /.test(await problems(client)));
    const { message } = await refusal(client, operations[0] ?? '');
    assert.match(message, /no change is taken, since the restore .*`gi4over6 restore \S+-v3\.mdb --state-dir /);
    const alarms =
      '<get><filter type="subtree"><alarms xmlns="urn:ietf:params:xml:ns:yang:ietf-alarms"/></filter></get>';
    await until(async () => /store-damaged.*newest good backup/.test(JSON.stringify(await client.call(alarms))));
    assert.match(management.log(), /"msg":"damage of the store was met: no edit is taken, and the store is read"/);
    assert.match(JSON.stringify(await client.call(lookup('192.0.2.2'))), /2001:db8:a::2/, 'what is whole can be read');
    const state = join(management.stateDir, 'store-state.json');
    let left = '';
    await management.restart('SIGTERM', [], async () => {
      left = readFileSync(state, 'utf8');
    });
    assert.match(management.log(), /"msg":"management has stopped"/, 'it came to its end');
    assert.is(left.trim(), '{"store":"open"}');
  } finally {
    client.close();
    assert.is(await management.stop(), 0);
  }
});

test('an export that meets damage when it has begun says what is damaged', async () => {
  const management = await startManagement();
  const client = await NetconfClient.connect(management.socket);
  try {
    const pool = '<ipv6-address>2001:db8:b::1</ipv6-address><ipv4-pool>10.0.0.0/16</ipv4-pool>';
    const rows = Array.from({ length: 4_000 }, (_, at) =>
      row(`10.0.${at >> 8}.${at & 255}/32`, '2001:db8:a::1'),
    ).concat(row('10.0.255.1/32', '2001:db8:dead::1'));
    const table = rows.join('').replaceAll('</binding-table><binding-table>', '');
    await client.call(edit(pool + table));
    flip(storeFile(management.stateDir), '20010db8dead00000000000000000001');
    for (const format of ['xml', 'json', 'csv']) {
      const line = await commandLine(management.socket).refused(3, 'export', '--format', format);
      assert.match(line, /the program ended the session.*The status says: The store is damaged/);
    }
  } finally {
    client.close();
    assert.is(await management.stop(), 0);
  }
});

test('damage that comes while the program is off and leaves the time of the file: it is found soon after the start', async () => {
  const management = await startManagement();
  try {
    const before = await NetconfClient.connect(management.socket);
    const pool = '<ipv6-address>2001:db8:b::1</ipv6-address><ipv4-pool>192.0.2.0/24</ipv4-pool>';
    await before.call(edit(pool + row('192.0.2.1/32', '2001:db8:dead::1')));
    await before.call(`<backup-store ${GI}/>`);
    before.close();
    await management.restart('SIGTERM', [], async () => {
      const file = storeFile(management.stateDir);
      // To the nanosecond, as the mark of the clean end has it.
      execFileSync('touch', ['-r', file, `${management.stateDir}/time`]);
      flip(file, '20010db8dead00000000000000000001');
      execFileSync('touch', ['-r', `${management.stateDir}/time`, file]);
      assert.is(storeState(management.stateDir), 'clean');
    });
    const client = await NetconfClient.connect(management.socket);
    let found = '';
    for (const until = Date.now() + 60_000; !/damaged/.test(found) && Date.now() < until; await sleep(500)) {
      found = JSON.stringify(
        await client.call(`<get><filter type="subtree"><softwire ${GI}><state/></softwire></filter></get>`),
      );
    }
    client.close();
    assert.match(
      found,
      /The store is damaged; stop the program and restore a backup: .*the newest good backup is version 2 /,
    );
    const line = '"msg":"the store is damaged: stop the program and restore a backup"';
    await until(async () => management.log().includes(line));
  } finally {
    assert.is(await management.stop(), 0);
  }
});

test.run();
