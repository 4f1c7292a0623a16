// needs: addon
/** The commands of docs/tls.md, as they stand there but for names, ports and folders. */

import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { PROGRAM } from '../helpers/cli.ts';
import { startManagement } from '../helpers/management.ts';
import { eventually } from '../helpers/program.ts';

const test = suite('docs/tls.md');

const CALLED_MS = 180_000;
const IS_ESTABLISHED = /session-state +established/;
const page = readFileSync('docs/tls.md', 'utf8');
const blocks = [...page.matchAll(/^```sh\n(.*?)^```$/gms)].map(([, text = '']) => text);
const dir = mkdtempSync(join(tmpdir(), 'gi4over6-tls-page-'));
process.once('exit', () => rmSync(dir, { recursive: true, force: true }));
const management = await startManagement();

/** What stands on the page, and what it is here. */
function here(text: string, homePort: number): string {
  const changes: readonly (readonly [RegExp, string])[] = [
    [/ -o gi4over6 -g gi4over6/g, ''],
    [/\/var\/lib\/gi4over6/g, management.stateDir],
    [/^systemctl restart gi4over6$/gm, ''],
    [/\baftr:6513\b/g, `localhost:${management.netconfTlsPort}`],
    [/\baftr:8443\b/g, `localhost:${management.restconfPort}`],
    [/CN=aftr/g, 'CN=localhost'],
    [/DNS:aftr/g, 'DNS:localhost'],
    [/\bport=4334\b/g, `port=${homePort}`],
    [/" nms$/gm, `" 127.0.0.1\ngi4over6 set "$home/endpoint[name='main']/remote-port" ${homePort}`],
    [/PASSWORD/g, management.password],
    // Debian's python3 has ncclient; another may stand first in PATH.
    [/^python3 /gm, '/usr/bin/python3 '],
  ];
  return changes.reduce((sum, [found, instead]) => sum.replace(found, instead), text);
}

async function run(text: string, homePort = 0, { socket } = management): Promise<string> {
  const program = `gi4over6() { '${process.execPath}' '${PROGRAM}' "$@" --socket '${socket}'; }\nset -e\n`;
  const words = ['-c', program + here(text, homePort)];
  const { stdout } = await promisify(execFile)('bash', words, { cwd: dir, timeout: 180_000 });
  return stdout;
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  return address && typeof address === 'object' ? address.port : 0;
}

const [certificates = '', files = '', map = '', netconf = '', restconf = ''] = blocks;
const [rack = '', source = '', target = '', home = '', waiting = ''] = blocks.slice(5);

test('the page has the commands that are looked for', () => {
  assert.is(blocks.length, 10);
  for (const [text, word] of [
    [certificates, 'openssl req'],
    [files, 'install'],
    [map, 'cert-to-name'],
    [netconf, 's_client'],
    [restconf, 'curl'],
    [rack, 'CN=rack'],
    [source, 'route-source'],
    [target, 'client-certificate'],
    [home, 'call-home'],
    [waiting, 'ncclient'],
  ]) {
    assert.match(text ?? '', word ?? '');
  }
});

test('from nothing to a session over TLS and an answer of RESTCONF', async () => {
  await run(certificates);
  await management.restart('SIGTERM', [], async () => void (await run(files)));
  await run(map);
  const answers = await run(netconf);
  assert.match(answers, /<rpc-reply[^>]* message-id="1"><data.*<name>olga<\/name>/s);
  assert.match(answers, /<rpc-reply[^>]* message-id="2"><ok\/>/);
  assert.match(await run(restconf), '"name":"olga"');
});

test('a gateway is known by its certificate', async () => {
  await run(rack);
  const files = { 'tls.key': readFileSync(join(dir, 'rack.key')), 'tls.crt': readFileSync(join(dir, 'rack.crt')) };
  const gateway = await startManagement([], undefined, files);
  await run('gi4over6 set aftr edge ipv6-address 2001:db8:b::1\ngi4over6 set aftr edge ipv4-pool 198.51.100.0/24\n');
  await run(source);
  const own = ['ipv6-address 2001:db8:a::1', 'aftr-ipv6-address 2001:db8:b::1', 'ipv4-interface lo'];
  await run(own.map((words) => `gi4over6 set gateway rack ${words}\n`).join(''), 0, gateway);
  await run(target, 0, gateway);
  const ask = () => run('gi4over6 show gateway rack route-advertisement\n', 0, gateway);
  for (let i = 0; i < 60 && !IS_ESTABLISHED.test(await ask()); i++) await sleep(250);
  assert.match(await ask(), IS_ESTABLISHED);
  assert.match(await run('gi4over6 show aftr edge route-source rack\n'), IS_ESTABLISHED);
  assert.is(await gateway.stop(), 0);
});

test('call home, to ncclient', async () => {
  const port = await freePort();
  // It waits for ten seconds, which may be over before a busy machine has carried out the commands.
  const client = eventually(CALLED_MS, () => run(waiting, port));
  await run(home, port);
  assert.match(await client, '<name>olga</name>');
});

test('stop', async () => assert.is(await management.stop(), 0));

test.run();
