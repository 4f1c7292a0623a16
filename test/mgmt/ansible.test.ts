// needs: addon
/** The playbooks of tools/ansible, by Debian's ansible, against the running management process. */

import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { startManagement } from '../helpers/management.ts';

const test = suite('ansible');
const PLAYBOOKS = resolve('tools/ansible');
const PLAY_MS = 180_000;
/** Characters of management's log that a failure shows. */
const LOG_SHOWN = 3_000;

const management = await startManagement();
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
  const words = ['-i', inventory, join(PLAYBOOKS, `${name}.yml`), '-e', JSON.stringify({ directory: dir, ...more })];
  const env = {
    ...process.env,
    HOME: dir,
    ANSIBLE_HOST_KEY_CHECKING: 'False',
    ANSIBLE_NOCOLOR: '1',
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

test('one binding over RESTCONF: new, as it is, with another gateway', async () => {
  const entry = { ansible_httpapi_port: management.restconfPort, prefix: '198.51.100.64/26' };
  await assertPlayed({ changed: 1 }, 'restconf', { ...entry, gateway: '2001:db8:a::3' });
  await assertPlayed({ changed: 0 }, 'restconf', { ...entry, gateway: '2001:db8:a::3' });
  await assertPlayed({ changed: 1 }, 'restconf', { ...entry, gateway: '2001:db8:a::4' });
});

test('management ends cleanly', async () => {
  assert.is(await management.stop(), 0);
  rmSync(dir, { recursive: true });
});

test.run();
