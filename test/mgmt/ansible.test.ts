// needs: addon
/** The playbooks of tools/ansible, by Debian's ansible, against the running management process. */

import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { startManagement } from '../helpers/management.ts';
import { RawClient } from '../helpers/netconf-client.ts';

const test = suite('ansible');
const PLAYBOOKS = resolve('tools/ansible');
/** A playbook that is written as the examples of the modules are. */
const EXAMPLES = resolve('test/helpers/ansible-examples.yml');
const PLAY_MS = 180_000;
/** Characters of management's log that a failure shows. */
const LOG_SHOWN = 3_000;

const management = await startManagement();
const admin = (await RawClient.local(management.socket)).greet('1.1');
const dir = mkdtempSync(join(tmpdir(), 'gi4over6-ansible-'));
const inventory = join(dir, 'inventory.json');
const vars = {
  ansible_user: 'admin',
  ansible_password: management.password,
  ansible_host: '127.0.0.1',
  ansible_network_os: 'default',
  ansible_connection: 'ansible.netcommon.netconf',
  ansible_port: management.netconfPort,
  ansible_httpapi_validate_certs: false,
};
const hosts = { box: {} };
writeFileSync(inventory, JSON.stringify({ all: { vars, children: { aftrs: { hosts }, gateways: { hosts } } } }));

interface Played {
  readonly changed: number;
  readonly failed: number;
  readonly text: string;
}

/** Runs a playbook with extra variables. */
function play(name: string, more: Readonly<Record<string, unknown>> = {}): Promise<Played> {
  const file = name === EXAMPLES ? name : join(PLAYBOOKS, `${name}.yml`);
  const words = ['-i', inventory, file, '-e', JSON.stringify({ directory: dir, ...more })];
  const env = {
    ...process.env,
    HOME: dir,
    ANSIBLE_HOST_KEY_CHECKING: 'False',
    ANSIBLE_NOCOLOR: '1',
    // A busy machine takes longer than the half a minute that it would wait for by itself.
    ANSIBLE_PERSISTENT_CONNECT_TIMEOUT: '120',
    ANSIBLE_PERSISTENT_COMMAND_TIMEOUT: '120',
    ANSIBLE_TIMEOUT: '120',
    // Debian's python3 has what the modules need; another may stand first in PATH.
    ANSIBLE_PYTHON_INTERPRETER: '/usr/bin/python3',
  };
  return new Promise((done) => {
    execFile('/usr/bin/ansible-playbook', words, { env, timeout: PLAY_MS }, (_error, stdout, stderr) => {
      const number = (field: string) => Number(new RegExp(`^box .*\\b${field}=(\\d+)`, 'm').exec(stdout)?.[1] ?? -1);
      done({ changed: number('changed'), failed: number('failed'), text: stdout + stderr });
    });
  });
}

async function assertPlayed(wanted: { changed: number }, name: string, more?: Readonly<Record<string, unknown>>) {
  const { changed, failed, text } = await play(name, more);
  assert.equal({ changed, failed }, { ...wanted, failed: 0 }, text + management.log().slice(-LOG_SHOWN));
  return text;
}

const BINDINGS = [
  { prefix: '198.51.100.1/32', gateway: '2001:db8:a::1', description: 'rack 7 & 8' },
  { prefix: '198.51.100.16/28', gateway: '2001:db8:a::2' },
];
const GATEWAY = {
  name: 'rack7',
  ipv6_address: '2001:db8:c::1',
  aftr_ipv6_address: '2001:db8:d::1',
  ipv4_prefixes: ['203.0.113.0/24'],
};

test('an AFTR and its bindings: the second run changes nothing', async () => {
  await assertPlayed({ changed: 1 }, 'aftr', { bindings: BINDINGS });
  await assertPlayed({ changed: 0 }, 'aftr', { bindings: BINDINGS });
});

test('a gateway: the second run changes nothing', async () => {
  await assertPlayed({ changed: 1 }, 'gateway', { gateway: GATEWAY });
  await assertPlayed({ changed: 0 }, 'gateway', { gateway: GATEWAY });
});

/** Texts of the leaves of the list that tell how an instance is called and what it has. */
async function namesIn(list: string): Promise<string[]> {
  const filter = `<filter><softwire xmlns="urn:gi-4over6"><${list}/></softwire></filter>`;
  const reply = await admin.rpc(`<get-config><source><running/></source>${filter}</get-config>`);
  return [...reply.matchAll(/<(?:name|ipv4-pool|ipv4-interface|ipv4-prefix)>([^<]*)</g)].map(([, text = '']) => text);
}

test('a pool that is taken out goes, and another comes, in any form; nothing else changes', async () => {
  const aftr = (...pools: string[]) => ({
    aftr: { name: 'other', ipv6_address: '2001:db8:e::1', ipv4_pools: pools },
    bindings: [{ prefix: '192.0.2.1/32', gateway: '2001:db8:a::1' }],
  });
  await assertPlayed({ changed: 1 }, 'aftr', aftr('192.0.2.0/24', '203.0.113.0/24'));
  await assertPlayed({ changed: 1 }, 'aftr', aftr('192.0.2.7/24', '198.18.0.0/15'));
  await assertPlayed({ changed: 0 }, 'aftr', aftr('198.18.0.0/15', '192.0.2.0/24'));
  const names = await namesIn('aftr');
  assert.equal(names.slice(names.indexOf('other')), ['other', '192.0.2.0/24', '198.18.0.0/15', '192.0.2.1/32']);
  assert.ok(names.includes('198.51.100.0/24'));
});

test('a prefix and an interface that are taken out go', async () => {
  const gateway = (prefixes: string[], interfaces: string[]) => ({
    gateway: { ...GATEWAY, ipv4_prefixes: prefixes, ipv4_interfaces: interfaces },
  });
  await assertPlayed({ changed: 1 }, 'gateway', gateway(['203.0.113.0/24', '192.0.2.8/29'], ['eth7', 'eth8']));
  await assertPlayed({ changed: 1 }, 'gateway', gateway(['192.0.2.8/29', '192.0.2.32/32'], ['eth8']));
  assert.equal(await namesIn('gateway'), ['rack7', 'eth8', '192.0.2.8/29', '192.0.2.32/32']);
});

test('a text with signs of XML reaches the box as it is', async () => {
  const { failed, text } = await play('aftr', {
    aftr: { name: 'a & <b>', ipv6_address: '2001:db8:e::1', ipv4_pools: [] },
    bindings: [],
  });
  assert.is(failed, 1);
  assert.match(text, "found 'a & <b>'");
});

test('what is refused says why, and the next play finds nothing of it', async () => {
  const outside = { prefix: '192.0.2.1/32', gateway: '2001:db8:a::1' };
  const { failed, text } = await play('aftr', { bindings: [...BINDINGS, outside] });
  assert.is(failed, 1);
  assert.match(text, 'binding 192.0.2.1/32 lies in no ipv4-pool of AFTR edge');
  await assertPlayed({ changed: 0 }, 'aftr', { bindings: BINDINGS });
});

test('a backup, a binding that goes, the restore that brings it back, and who holds its address', async () => {
  await assertPlayed({ changed: 1 }, 'backup');
  assert.match(readFileSync(join(dir, 'box.xml'), 'utf8'), '<description>rack 7 &amp; 8</description>');
  await assertPlayed({ changed: 1 }, 'aftr', { bindings: [], absent: ['198.51.100.1/32'] });
  assert.not.match(await assertPlayed({ changed: 0 }, 'lookup', { address: '198.51.100.1' }), 'rack 7');
  await assertPlayed({ changed: 1 }, 'restore');
  await assertPlayed({ changed: 0 }, 'restore');
  assert.match(await assertPlayed({ changed: 0 }, 'lookup', { address: '198.51.100.1' }), 'rack 7 &amp; 8');
});

test('what the examples of the modules write without namespace means what it says', async () => {
  const examples = await assertPlayed({ changed: 1 }, EXAMPLES, { hop_limit: 33 });
  for (const shown of ['<name>edge</name>', 'module ietf-netconf ']) assert.match(examples, shown);
  await assertPlayed({ changed: 0 }, EXAMPLES, { hop_limit: 33 });
});

test('one binding over RESTCONF: new, as it is, with another gateway', async () => {
  const entry = { ansible_httpapi_port: management.restconfPort, prefix: '198.51.100.64/26' };
  await assertPlayed({ changed: 1 }, 'restconf', { ...entry, gateway: '2001:db8:a::3' });
  await assertPlayed({ changed: 0 }, 'restconf', { ...entry, gateway: '2001:db8:a::3' });
  await assertPlayed({ changed: 1 }, 'restconf', { ...entry, gateway: '2001:db8:a::4' });
  await assertPlayed({ changed: 0 }, 'restconf', { ...entry, gateway: '2001:DB8:A:0::4' });
});

test('management ends cleanly', async () => {
  admin.end();
  assert.is(await management.stop(), 0);
  rmSync(dir, { recursive: true });
});

test.run();
