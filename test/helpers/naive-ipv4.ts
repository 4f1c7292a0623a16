/** What the naive engine reads and writes of IPv4 packets. It shares nothing with src/datapath. */

/** What is read of an IPv4 packet. */
export interface Inner {
  /** Its octets up to the total length. */
  readonly octets: Buffer;
  readonly headerLength: number;
  readonly source: number;
  readonly destination: number;
  /** In units of eight octets. */
  readonly fragmentOffset: number;
  readonly moreFragments: boolean;
  readonly protocol: number;
  readonly ttl: number;
  /** What stands behind the header. */
  readonly message: Buffer;
}

/** RFC 1812 §5.2.2, §5.3.7: undefined for what is no whole packet between hosts. */
export function readInner(packet: Buffer): Inner | undefined {
  const inner = readHeader(packet);
  if (!inner || packet.readUInt16BE(2) > packet.length) return undefined;
  return isHost(inner.source) && isHost(inner.destination) ? inner : undefined;
}

/** The same of a packet that may be cut off behind its header, between any addresses. */
export function readHeader(packet: Buffer): Inner | undefined {
  if (packet.length < 20 || (packet[0] ?? 0) >> 4 !== 4) return undefined;
  const headerLength = ((packet[0] ?? 0) & 15) * 4;
  const totalLength = packet.readUInt16BE(2);
  if (headerLength < 20 || totalLength < headerLength || packet.length < headerLength) return undefined;
  const octets = packet.subarray(0, totalLength);
  if (sumOf(octets.subarray(0, headerLength)) !== 0xffff) return undefined;
  return {
    octets,
    headerLength,
    source: packet.readUInt32BE(12),
    destination: packet.readUInt32BE(16),
    fragmentOffset: packet.readUInt16BE(6) & 0x1fff,
    moreFragments: ((packet[6] ?? 0) & 0x20) !== 0,
    protocol: packet[9] ?? 0,
    ttl: packet[8] ?? 0,
    message: octets.subarray(headerLength),
  };
}

/** RFC 7126 §4.3, §4.4. */
export function hasSourceRoute({ octets, headerLength }: Inner): boolean {
  const options = octets.subarray(20, headerLength);
  for (let at = 0; at < options.length; ) {
    const type = options[at];
    if (type === 0) return false;
    if (type === 131 || type === 137) return true;
    const length = options[at + 1] ?? 0;
    if (type !== 1 && length < 2) return false;
    at += type === 1 ? 1 : length;
  }
  return false;
}

export function isHost(address: number): boolean {
  const [first, second] = [address >>> 24, (address >>> 16) & 255];
  return first !== 0 && first !== 127 && first < 224 && !(first === 169 && second === 254);
}

export function isDontFragment(octets: Buffer): boolean {
  return ((octets[6] ?? 0) & 0x40) !== 0;
}

/** RFC 1122 §3.2.2.6. */
export function echoReply({ octets, headerLength, message, fragmentOffset, moreFragments }: Inner): Buffer | undefined {
  if (octets[9] !== 1 || fragmentOffset !== 0 || moreFragments || message.length < 8) return undefined;
  if (message[0] !== 8 || sumOf(message) !== 0xffff) return undefined;
  const reply = Buffer.from(octets);
  octets.copy(reply, 12, 16, 20);
  octets.copy(reply, 16, 12, 16);
  reply[8] = 64;
  reply[headerLength] = 0;
  reply.writeUInt16BE(0, headerLength + 2);
  reply.writeUInt16BE(0xffff - sumOf(reply.subarray(headerLength)), headerLength + 2);
  return withHeaderSum(reply);
}

/** RFC 4459 §3.2: the maximum segment size of a SYN is no more than `most`; undefined leaves it. */
export function withMssClamped(octets: Buffer, most: number | undefined): Buffer {
  const headerLength = ((octets[0] ?? 0) & 15) * 4;
  if (most === undefined || octets[9] !== 6 || (octets.readUInt16BE(6) & 0x1fff) !== 0) return octets;
  const packet = Buffer.from(octets);
  const tcp = packet.subarray(headerLength);
  if (tcp.length < 20 || ((tcp[13] ?? 0) & 2) === 0) return octets;
  const header = tcp.subarray(0, ((tcp[12] ?? 0) >> 4) * 4);
  const before = sumOf(header);
  for (const at of segmentSizes(header)) if (header.readUInt16BE(at) > most) header.writeUInt16BE(most, at);
  // RFC 1624: the sum over all stays what it was, right or wrong.
  const sum = folded(0xffff - tcp.readUInt16BE(16) + (0xffff - before) + sumOf(header));
  if (before !== sumOf(header)) tcp.writeUInt16BE(0xffff - sum, 16);
  return packet;
}

/** Where the options of a TCP header hold a maximum segment size. */
function segmentSizes(header: Buffer): number[] {
  const found: number[] = [];
  for (let at = 20; at < header.length && header[at] !== 0; ) {
    if (header[at] === 1) {
      at++;
      continue;
    }
    const length = header[at + 1] ?? 0;
    if (length < 2 || at + length > header.length) break;
    if (header[at] === 2 && length === 4) found.push(at + 2);
    at += length;
  }
  return found;
}

export function withTos(octets: Buffer, tos: number): Buffer {
  const copy = Buffer.from(octets);
  copy[1] = tos;
  return withHeaderSum(copy);
}

export function withTtl(octets: Buffer, ttl: number): Buffer {
  const copy = Buffer.from(octets);
  copy[8] = ttl;
  return withHeaderSum(copy);
}

export function withHeaderSum(octets: Buffer): Buffer {
  octets.writeUInt16BE(0, 10);
  octets.writeUInt16BE(0xffff - sumOf(octets.subarray(0, ((octets[0] ?? 0) & 15) * 4)), 10);
  return octets;
}

/** Ones' complement sum of 16-bit words (RFC 1071). */
export function sumOf(octets: Buffer): number {
  let sum = 0;
  for (let at = 0; at < octets.length; at += 2) sum += (octets[at] ?? 0) * 256 + (octets[at + 1] ?? 0);
  return folded(sum);
}

function folded(sum: number): number {
  return sum > 0xffff ? folded((sum & 0xffff) + Math.floor(sum / 0x10000)) : sum;
}
