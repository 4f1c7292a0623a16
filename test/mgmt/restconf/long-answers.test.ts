// needs: addon
/** R72: a table of 100,000 entries, read from the running program: it is sent while it is read, and no longer than somebody takes it. */

import { execFile } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import type { TLSSocket } from 'node:tls';
import { connect } from 'node:tls';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { formatIpv4 } from '../../../src/address.ts';
import { ADMIN, JSON_TYPE } from '../../helpers/restconf.ts';
import type { ProgramBox } from '../../helpers/restconf-program.ts';
import { startProgram } from '../../helpers/restconf-program.ts';

const test = suite('restconf: long answers');
const program = await startProgram();

const ENTRIES = 100_000;
const TABLE = '/restconf/data/gi-4over6:softwire/aftr=big/binding-table';
const READERS = 12;
const MEBI = 2 ** 20;

/** The body of a PUT of the whole table. */
function table(): string {
  const entries = Array.from(
    { length: ENTRIES },
    (_, index) => `{"ipv4-prefix":"${formatIpv4(0x0a_00_00_00 + index)}/32","gateway-ipv6-address":"2001:db8:a::1"}`,
  );
  return `{"gi-4over6:binding-table":{"binding":[${entries.join(',')}]}}`;
}

/** Runs a body where the table is. */
function withTable(body: (box: ProgramBox) => Promise<void>): Promise<void> {
  return program.run(async (box) => {
    const aftr = { name: 'big', enabled: false, 'ipv6-address': '2001:db8:b::9', 'ipv4-pool': ['10.0.0.0/8'] };
    await box.merge({ 'gi-4over6:softwire': { aftr: [aftr] } });
    const headers = [`Content-Type: ${JSON_TYPE}`];
    const { status } = await box.curl(TABLE, { method: 'PUT', headers, body: table() });
    assert.ok(status === 201 || status === 204);
    await body(box);
  });
}

/** Of the management process of a box. */
function pidOf({ management: { stateDir } }: ProgramBox): number {
  for (const pid of readdirSync('/proc').filter((name) => /^\d+$/.test(name))) {
    try {
      const words = readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0');
      if (/node$/.test(words[0] ?? '') && words.includes('management') && words.includes(stateDir)) return Number(pid);
    } catch {
      // It has ended meanwhile.
    }
  }
  throw new Error('the management process is not there');
}

/** Processor time in nanoseconds of the main thread. */
function processorTime(pid: number): number {
  return Number(readFileSync(`/proc/${pid}/task/${pid}/schedstat`, 'utf8').split(' ')[0]);
}

function anonymousOctets(pid: number): number {
  const [, kibibytes] = /^RssAnon:\s*(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8')) ?? [];
  return Number(kibibytes) * 1024;
}

/** A reader that asks for the table and takes nothing more than the first octets; ends with them there. */
function stoppedReader({ port }: ProgramBox): Promise<TLSSocket> {
  const authorization = `Basic ${Buffer.from(ADMIN).toString('base64')}`;
  return new Promise((resolve, reject) => {
    const options = { host: '127.0.0.1', port, ALPNProtocols: ['http/1.1'], rejectUnauthorized: false };
    const socket = connect(options, () => {
      socket.write(`GET ${TABLE} HTTP/1.1\r\nHost: x\r\nAuthorization: ${authorization}\r\n\r\n`);
    });
    socket.once('error', reject);
    socket.once('data', () => {
      socket.pause();
      resolve(socket);
    });
  });
}

/** What a shell command with curl prints. */
function shell(command: string): Promise<string> {
  return new Promise((resolve, reject) => {
    execFile('bash', ['-c', command], { maxBuffer: 2 ** 26 }, (error, stdout) =>
      error ? reject(error) : resolve(stdout),
    );
  });
}

test('R72: the first octet comes long before the last', () =>
  withTable(async ({ url }) => {
    const ratios: number[] = [];
    for (let turn = 0; turn < 5; turn++) {
      const times = '%{time_pretransfer} %{time_starttransfer} %{time_total} %{size_download}';
      const [before = 0, first = 0, last = 0, size = 0] = (
        await shell(`curl -sk -u ${ADMIN} -o /dev/null -w '${times}' ${url}${TABLE}`)
      )
        .split(' ')
        .map(Number);
      assert.ok(size > 80 * ENTRIES, `${size} octets`);
      ratios.push((first - before) / (last - before));
    }
    // The machine may be busy at any of them.
    assert.ok(Math.min(...ratios) < 0.25, `of the time until the last: ${ratios.join(', ')}`);
  }));

test('R72: readers that take nothing cost no memory beyond what is on its way', () =>
  withTable(async (box) => {
    const pid = pidOf(box);
    for (let turn = 0; turn < 3; turn++) await shell(`curl -sk -u ${ADMIN} -o /dev/null ${box.url}${TABLE}`);
    const before = anonymousOctets(pid);
    const readers: TLSSocket[] = [];
    while (readers.length < READERS) readers.push(await stoppedReader(box));
    const grown = anonymousOctets(pid) - before;
    const whole = READERS * 80 * ENTRIES;
    for (const reader of readers) reader.destroy();
    assert.ok(grown < whole / 2, `${grown / MEBI} MiB for ${READERS} readers, whose answers are ${whole / MEBI} MiB`);
  }));

test('R72: a client that goes away ends the work', () =>
  withTable(async ({ url, ...box }) => {
    const pid = pidOf({ url, ...box });
    const read = `curl -sk -u ${ADMIN} ${url}${TABLE}`;
    const cost = async (command: string) => {
      const before = processorTime(pid);
      await shell(command);
      // Another request: what was left of the work stood in front of it.
      await box.curl('/restconf');
      return processorTime(pid) - before;
    };
    const wholes: number[] = [];
    const aborted: number[] = [];
    for (let turn = 0; turn < 5; turn++) {
      wholes.push(await cost(`${read} | wc -c`));
      aborted.push(await cost(`${read} | head -c 1000 | wc -c`));
    }
    const [whole, part] = [Math.min(...wholes), Math.min(...aborted)];
    assert.ok(part < whole / 2, `${part / 1e6} ms of ${whole / 1e6} ms`);
  }));

test('the program ends cleanly', async () => {
  assert.is(await program.stop(), 0);
});

test.run();
