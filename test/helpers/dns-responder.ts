/**
 * A name server for tests: answers AAAA questions from a file of lines `name address...`, read anew for each question; a name that is not
 * there does not exist. `node dns-responder.js ADDRESS FILE`
 */

import { createSocket } from 'node:dgram';
import { readFileSync } from 'node:fs';
import { parseIpv6 } from '../../src/address.ts';

const HEADER = 12;
const AAAA = 28;
const TTL = [0, 0, 0, 30];
const [address = '::1', file = ''] = process.argv.slice(2);

const socket = createSocket('udp6');
socket.on('message', (query, from) => {
  socket.send(answerTo(query), from.port, from.address);
});
socket.bind(53, address);

/** RFC 1035 §4.1: the question as it came, and an answer for each address. */
function answerTo(query: Buffer): Buffer {
  let at = HEADER;
  const labels: string[] = [];
  for (let length = query[at] ?? 0; length > 0; length = query[at] ?? 0) {
    labels.push(query.toString('latin1', at + 1, at + 1 + length));
    at += 1 + length;
  }
  const question = query.subarray(HEADER, at + 5);
  const lines = readFileSync(file, 'utf8').split('\n');
  const found = lines.map((line) => line.split(' ')).find(([name]) => name === labels.join('.').toLowerCase());
  const addresses = found && question.readUInt16BE(question.length - 4) === AAAA ? found.slice(1) : [];
  const records = addresses.map((text) =>
    Buffer.from([0xc0, HEADER, 0, AAAA, 0, 1, ...TTL, 0, 16, ...(parseIpv6(text) ?? [])]),
  );
  const header = Buffer.alloc(HEADER);
  query.copy(header, 0, 0, 2);
  header.writeUInt16BE(found ? 0x8580 : 0x8583, 2);
  header.writeUInt16BE(1, 4);
  header.writeUInt16BE(records.length, 6);
  return Buffer.concat([header, question, ...records]);
}
