/**
 * Test frames (RFC 8219 §5): UDP in IPv4 between the Internet host and the bound addresses, plain on the IPv4 side, in IPv6
 * between gateway and AFTR on the other. Addresses are those kept for benchmarks (RFC 2544: 198.18.0.0/15, RFC 5180:
 * 2001:2::/48).
 *
 *     Ethernet 14 | IPv6 40, on the IPv6 side | IPv4 20 | UDP 8 | tag 18, then zeros
 */

import { formatIpv4, parseIpv4, parseIpv6 } from '../../../src/address.ts';

/** RFC 8219 §5.1.1, octets with FCS. They are the frames of the IPv4 side; those of the IPv6 side are 40 octets longer. */
export const FRAME_SIZES: readonly number[] = [64, 128, 256, 512, 768, 1024, 1280, 1518, 1522, 2048, 4096, 8192, 9216];

/** upstream: end device to Internet (decapsulation at the AFTR); downstream: encapsulation at the AFTR. */
export type Direction = 'upstream' | 'downstream';

/** A frame as it is on a link: IPv4 alone, or IPv4 in IPv6. */
export type Form = 'plain' | 'tunnel';

export const BINDINGS = 1_000;
export const BOUND_PREFIX = '198.18.0.0/17';
export const AFTR_ADDRESS = '2001:2:0:b::1';
export const INTERNET_ADDRESS = '198.19.0.2';
/** Link-layer address of every port of a device under test; its neighbours know the tester by the other one. */
export const DEVICE_MAC = '02:00:00:82:19:01';
/** No port has it: what is sent there reaches a packet socket, and the IP of the tester drops it at once. */
export const TESTER_MAC = '02:00:00:82:19:02';

const FCS = 4;
const ETHERNET = 14;
const IPV6 = 40;
const IPV4 = 20;
const UDP = 8;
const HOPS = 64;
const [SOURCE_PORT, DESTINATION_PORT] = [49_152, 49_153];
const FIRST_BOUND = parseIpv4('198.18.1.0') ?? 0;

export function boundAddress(index: number): string {
  return formatIpv4(FIRST_BOUND + index);
}

/** The gateway of a binding when there are `gateways` of them: each has as many bindings as the next. */
export function gatewayAddress(index: number, gateways: number): string {
  return `2001:2:0:a::${((index % gateways) + 1).toString(16)}`;
}

/** Octets of a frame on a link of ours, which has no FCS. `size` is that of the IPv4 side, with FCS. */
export function frameLength(size: number, form: Form): number {
  return size - FCS + (form === 'tunnel' ? IPV6 : 0);
}

/** Where the tag of a frame begins: all before it is headers. */
export function tagOffset(form: Form): number {
  return ETHERNET + (form === 'tunnel' ? IPV6 : 0) + IPV4 + UDP;
}

/** The headers of one frame for each binding, as the tester reads them: their number, the length of one, all of them. */
export function flows(direction: Direction, form: Form, size: number, gateways: number): Buffer {
  const length = tagOffset(form);
  const all = Buffer.alloc(8 + BINDINGS * length);
  all.writeUInt32LE(BINDINGS, 0);
  all.writeUInt32LE(length, 4);
  for (let i = 0; i < BINDINGS; i++) {
    const head = all.subarray(8 + i * length, 8 + (i + 1) * length);
    writeEthernet(head, form);
    const ends = [boundAddress(i), INTERNET_ADDRESS];
    if (direction === 'downstream') ends.reverse();
    const [source = '', destination = ''] = ends;
    const ipv4Length = size - FCS - ETHERNET;
    if (form === 'tunnel') {
      const tunnel = [gatewayAddress(i, gateways), AFTR_ADDRESS];
      if (direction === 'downstream') tunnel.reverse();
      writeIpv6(head.subarray(ETHERNET), tunnel, ipv4Length);
    }
    writeIpv4(head.subarray(length - UDP - IPV4), source, destination, ipv4Length);
    writeUdp(head.subarray(length - UDP), ipv4Length - IPV4);
  }
  return all;
}

function writeEthernet(head: Buffer, form: Form): void {
  head.write(DEVICE_MAC.replaceAll(':', ''), 0, 'hex');
  head.write(TESTER_MAC.replaceAll(':', ''), 6, 'hex');
  head.writeUInt16BE(form === 'tunnel' ? 0x86dd : 0x0800, 12);
}

function writeIpv6(head: Buffer, [source = '', destination = '']: readonly string[], payloadLength: number): void {
  head.writeUInt32BE(0x60_00_00_00, 0);
  head.writeUInt16BE(payloadLength, 4);
  head[6] = 4;
  head[7] = HOPS;
  head.set(parseIpv6(source) ?? [], 8);
  head.set(parseIpv6(destination) ?? [], 24);
}

function writeIpv4(head: Buffer, source: string, destination: string, totalLength: number): void {
  head[0] = 0x45;
  head.writeUInt16BE(totalLength, 2);
  // DF: so that the identification may be 0 in all (RFC 6864 §4.1).
  head.writeUInt16BE(0x40_00, 6);
  head[8] = HOPS;
  head[9] = 17;
  head.writeUInt32BE(parseIpv4(source) ?? 0, 12);
  head.writeUInt32BE(parseIpv4(destination) ?? 0, 16);
  let sum = 0;
  for (let at = 0; at < IPV4; at += 2) sum += head.readUInt16BE(at);
  sum = (sum & 0xffff) + (sum >>> 16);
  head.writeUInt16BE(~((sum & 0xffff) + (sum >>> 16)) & 0xffff, 10);
}

/** Without a checksum (RFC 768 allows it in IPv4): the tag changes from frame to frame, and no device here looks at it. */
function writeUdp(head: Buffer, length: number): void {
  head.writeUInt16BE(SOURCE_PORT, 0);
  head.writeUInt16BE(DESTINATION_PORT, 2);
  head.writeUInt16BE(length, 4);
}
