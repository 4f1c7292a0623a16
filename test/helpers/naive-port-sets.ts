/**
 * Shared addresses in the plainest way: whose a port is (RFC 7597 §5.1), and what stands for the ports of a packet
 * (RFC 7596 §8.1; RFC 5508 REQ-3). It shares nothing with src/datapath.
 */

import type { Inner } from './naive-ipv4.ts';
import { sumOf } from './naive-ipv4.ts';
import type { NaivePortSet, NaiveShared } from './naive-model.ts';

export interface NaivePorts {
  readonly source: number;
  readonly destination: number;
  /** Source and destination of the packet that an ICMP error quotes. */
  readonly quoted?: readonly [source: number, destination: number];
}

/** Protocols whose header begins with the ports. */
const WITH_PORTS = [6, 17, 33, 132, 136];
const ICMP_ERRORS = [3, 4, 5, 11, 12];

/** The port set that holds a port: A is not 0 unless a is, and the next k bits are the PSID. */
export function portSetOf({ psidOffset, psidLength, portSets }: NaiveShared, port: number): NaivePortSet | undefined {
  const bits = port.toString(2).padStart(16, '0');
  if (psidOffset > 0 && !bits.slice(0, psidOffset).includes('1')) return undefined;
  const psid = Number.parseInt(`0${bits.slice(psidOffset, psidOffset + psidLength)}`, 2);
  return portSets.find((portSet) => portSet.psid === psid);
}

/** Ports of a packet that is whole or a first fragment; undefined when it has none, or is damaged ICMP. */
export function portsOf({ message, protocol, moreFragments }: Inner): NaivePorts | undefined {
  if (protocol !== 1) return portsOfTransport(protocol, message);
  if (message.length < 8) return undefined;
  // A fragment does not hold all that the checksum covers.
  if (!moreFragments && sumOf(message) !== 0xffff) return undefined;
  return ICMP_ERRORS.includes(message[0] ?? 0) ? portsOfQuote(message.subarray(8)) : identifierOf(message);
}

function portsOfTransport(protocol: number, message: Buffer): NaivePorts | undefined {
  if (!WITH_PORTS.includes(protocol) || message.length < 4) return undefined;
  return { source: message.readUInt16BE(0), destination: message.readUInt16BE(2) };
}

/** Echo and echo reply have an identifier. */
function identifierOf(message: Buffer): NaivePorts | undefined {
  if ((message[0] !== 8 && message[0] !== 0) || message.length < 6) return undefined;
  return { source: message.readUInt16BE(4), destination: message.readUInt16BE(4) };
}

/** What an error quotes went the other way. */
function portsOfQuote(quote: Buffer): NaivePorts | undefined {
  const headerLength = ((quote[0] ?? 0) & 15) * 4;
  if (quote.length < 20 || (quote[0] ?? 0) >> 4 !== 4 || headerLength < 20 || headerLength > quote.length)
    return undefined;
  if ((quote.readUInt16BE(6) & 0x1fff) !== 0) return undefined;
  const ports = portsOfMessage(quote[9] ?? 0, quote.subarray(headerLength));
  if (!ports) return undefined;
  return {
    source: ports.destination,
    destination: ports.source,
    quoted: [quote.readUInt32BE(12), quote.readUInt32BE(16)],
  };
}

/** Ports of a packet that is quoted; an ICMP error in it has none. */
export function portsOfQuoted({ protocol, message, fragmentOffset }: Inner): NaivePorts | undefined {
  return fragmentOffset === 0 ? portsOfMessage(protocol, message) : undefined;
}

function portsOfMessage(protocol: number, message: Buffer): NaivePorts | undefined {
  return protocol === 1 ? identifierOf(message) : portsOfTransport(protocol, message);
}
