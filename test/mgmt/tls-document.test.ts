// needs: addon
/** The commands of docs/tls.md, as they stand there but for names, ports and folders. */

import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { PROGRAM } from '../helpers/cli.ts';
import { startManagement } from '../helpers/management.ts';

const test = suite('docs/tls.md');

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

async function run(text: string, homePort = 0): Promise<string> {
  const program = `gi4over6() { '${process.execPath}' '${PROGRAM}' "$@" --socket '${management.socket}'; }\nset -e\n`;
  const words = ['-c', program + here(text, homePort)];
  const { stdout } = await promisify(execFile)('bash', words, { cwd: dir, timeout: 60_000 });
  return stdout;
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  return address && typeof address === 'object' ? address.port : 0;
}

const [certificates = '', files = '', map = '', netconf = '', restconf = '', home = '', waiting = ''] = blocks;

test('the page has the commands that are looked for', () => {
  assert.is(blocks.length, 7);
  for (const [text, word] of [
    [certificates, 'openssl req'],
    [files, 'install'],
    [map, 'cert-to-name'],
    [netconf, 's_client'],
    [restconf, 'curl'],
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

test('call home, to ncclient', async () => {
  const port = await freePort();
  const client = run(waiting, port);
  await run(home, port);
  assert.match(await client, '<name>olga</name>');
});

test('stop', async () => assert.is(await management.stop(), 0));

test.run();
