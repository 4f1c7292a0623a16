/**
 * Changes bindings of an AFTR until its input ends: writes a line when it begins, and a line of JSON when it ends, how long each kind of commit took:
 * `edit-stream.js SOCKET RESTCONF_PORT AUTHORIZATION BINDINGS BULK NETCONF RESTCONF`, the last three in commits a second, 0 for none and
 * Infinity for one after the other. Those of bulk are of 100 bindings each in one edit-config, the others of one binding.
 * Each face has a connection of its own. A refused edit ends it with an error. What it says of each kind: EditTimes in editor.ts.
 */

import { Agent, request } from 'node:https';
import { NetconfClient } from '../../../src/cli/client.ts';
import { bindingXml, gateway, prefixesOf } from '../tables.ts';
import type { Paced } from './pace.ts';
import { pace } from './pace.ts';

const ROWS = 100;
const [socket = '', port = '', authorization = '', ...numbers] = process.argv.slice(2);
const [bindings = 0, bulkRate = 0, netconfRate = 0, restconfRate = 0] = numbers.map(Number);
const prefixes = prefixesOf('dense', bindings);
const agent = new Agent({ keepAlive: true, maxSockets: 1, rejectUnauthorized: false });
let hasEnded = false;
const isOver = () => hasEnded;
process.stdin.once('end', () => {
  hasEnded = true;
});
process.stdin.resume();

/** Row and its new gateway: another one each time, and never one with traffic, which have even indices. */
function changed(turn: number): { readonly prefix: string; readonly to: string } {
  const index = ((turn * 7_919 * 2) % (bindings - 1)) | 1;
  return { prefix: prefixes[index] ?? '', to: gateway(index + 16 * (1 + (turn % 4_000))) };
}

async function netconfEdit(client: NetconfClient, first: number, count: number): Promise<void> {
  const rows = Array.from({ length: count }, (_, i) => {
    const { prefix, to } = changed(first + i);
    return bindingXml(prefix, to);
  });
  const table = `<aftr><name>edge</name><binding-table>${rows.join('')}</binding-table></aftr>`;
  const config = `<config><softwire xmlns="urn:gi-4over6">${table}</softwire></config>`;
  const operation = `<edit-config><target><running/></target>${config}</edit-config>`;
  for await (const _ of client.request(operation));
}

function restconfEdit(turn: number): Promise<void> {
  const { prefix, to } = changed(turn);
  const body = `{"gi-4over6:binding":[{"ipv4-prefix":"${prefix}","gateway-ipv6-address":"${to}"}]}`;
  const path = `/restconf/data/gi-4over6:softwire/aftr=edge/binding-table/binding=${encodeURIComponent(prefix)}`;
  const headers = {
    authorization,
    'content-type': 'application/yang-data+json',
    'content-length': Buffer.byteLength(body),
  };
  return new Promise((resolve, reject) => {
    const sent = request({ host: '127.0.0.1', port, method: 'PUT', path, headers, agent }, (response) => {
      response.resume();
      response.once('end', () => {
        if ((response.statusCode ?? 0) < 300) resolve();
        else reject(new Error(`PUT ${path}: ${response.statusCode}`));
      });
    });
    sent.once('error', reject);
    sent.end(body);
  });
}

function report({ times, seconds }: Paced, rows: number): Record<string, number> {
  times.sort((a, b) => a - b);
  const at = (part: number) => times[Math.min(times.length - 1, Math.floor(times.length * part))] ?? 0;
  return {
    commits: times.length,
    bindings: times.length * rows,
    seconds,
    p50: at(0.5),
    p99: at(0.99),
    longest: times.at(-1) ?? 0,
  };
}

const [first, second] = [await NetconfClient.connect(socket), await NetconfClient.connect(socket)];
process.stdout.write('ready\n');
const [bulk, netconf, restconf] = await Promise.all([
  pace(bulkRate, isOver, (turn) => netconfEdit(first, turn * ROWS, ROWS)),
  pace(netconfRate, isOver, (turn) => netconfEdit(second, 1_000_003 + turn, 1)),
  pace(restconfRate, isOver, (turn) => restconfEdit(2_000_003 + turn)),
]);
first.close();
second.close();
agent.destroy();
const kinds = { bulk: report(bulk, ROWS), netconf: report(netconf, 1), restconf: report(restconf, 1) };
process.stdout.write(`${JSON.stringify({ kinds })}\n`);
