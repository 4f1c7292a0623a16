/** What random IPv4 packets carry between two ends: transport headers, echo, and ICMP errors about a packet that went the other way. */

import type { End } from './fuzz-packets.ts';
import type { Next } from './fuzz-table.ts';
import { chance, pick } from './fuzz-table.ts';
import { sumOf, withHeaderSum } from './naive-ipv4.ts';

export interface Message {
  readonly protocol: number;
  readonly message: Buffer;
}

export function randomMessage(source: End, destination: End, next: Next): Message {
  const kind = next() % 12;
  if (kind < 2) return { protocol: 1, message: echo(chance(4, next) ? source.port : destination.port, next) };
  if (kind === 2) return { protocol: 1, message: icmpError(source, destination, next) };
  const protocol = pick([6, 6, 17, 17, 17, 33, 47, 50, 132, 136], next);
  if (protocol === 6) return { protocol, message: tcp(source.port, destination.port, next) };
  return { protocol, message: transport(source.port, destination.port, next) };
}

/** Now and then more than the tunnel takes in one piece. */
function transport(source: number, destination: number, next: Next): Buffer {
  const length = chance(12, next) ? 1_100 + (next() % 500) : 4 + (next() % 60);
  const payload = Buffer.alloc(length, next());
  payload.writeUInt16BE(source, 0);
  payload.writeUInt16BE(destination, 2);
  return payload;
}

/** Options of a SYN: the segment size at an even place, at an odd one, behind others, twice, cut off. */
const TCP_OPTIONS = [
  '',
  '020405b4',
  '0102040200000000',
  '0402080a0000000000000000020405b4',
  '020405b4020403e8',
  '0204',
];

function tcp(source: number, destination: number, next: Next): Buffer {
  if (chance(3, next)) return transport(source, destination, next);
  const options = Buffer.from(pick(TCP_OPTIONS, next), 'hex');
  const header = Buffer.alloc(20 + options.length + (next() % 8));
  header.writeUInt16BE(source, 0);
  header.writeUInt16BE(destination, 2);
  header.writeUInt32BE(next(), 4);
  header[12] = (5 + Math.ceil(options.length / 4)) << 4;
  header[13] = pick([2, 2, 0x12, 0x10], next);
  header.writeUInt16BE(next() & 0xffff, 16);
  options.copy(header, 20);
  return header;
}

function echo(identifier: number, next: Next): Buffer {
  const message = Buffer.alloc(chance(24, next) ? 1_400 : 16, '08000000000700010102030405060708', 'hex');
  message[0] = pick([8, 8, 8, 0, 13], next);
  message.writeUInt16BE(identifier, 4);
  return withIcmpSum(message.subarray(0, chance(24, next) ? 4 + (next() % 4) : message.length), next);
}

/** RFC 5508 REQ-3: the quote went from the one who gets the error. Its header may have options; it may be cut off. */
function icmpError(source: End, destination: End, next: Next): Buffer {
  const options = Buffer.from(chance(4, next) ? '01010101' : '', 'hex');
  const protocol = pick([6, 17, 17, 1], next);
  const behind =
    protocol === 1 ? echo(destination.port, next) : transport(destination.port, source.port, next).subarray(0, 64);
  const quote = Buffer.concat([Buffer.alloc(20), options, behind]);
  quote[0] = 0x45 + options.length / 4;
  quote.writeUInt16BE(quote.length, 2);
  quote[8] = 1 + (next() % 64);
  quote[9] = protocol;
  quote.writeUInt32BE(chance(16, next) ? source.address : destination.address, 12);
  quote.writeUInt32BE(source.address, 16);
  withHeaderSum(quote);
  const head = Buffer.alloc(8);
  head[0] = pick([3, 3, 11, 12, 4], next);
  head[1] = next() % 5;
  const cut = chance(6, next) ? next() % quote.length : Math.min(quote.length, 28 + options.length);
  return withIcmpSum(Buffer.concat([head, quote.subarray(0, cut)]), next);
}

/** Mostly the right checksum. */
function withIcmpSum(message: Buffer, next: Next): Buffer {
  message.writeUInt16BE(0, 2);
  message.writeUInt16BE(chance(16, next) ? next() & 0xffff : 0xffff - sumOf(message), 2);
  return message;
}
