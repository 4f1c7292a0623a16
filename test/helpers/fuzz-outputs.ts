/** What may leave an engine beside what the naive one says: ICMP errors, and fields of free choice. */

/** Without what the engine may choose: flow label, identification of fragments. */
export function withoutChoices(packet: Buffer): Buffer {
  if ((packet[0] ?? 0) >> 4 !== 6) return packet;
  packet.writeUInt32BE((packet.readUInt32BE(0) & 0xfff00000) >>> 0, 0);
  if (packet[6] === 44) packet.writeUInt32BE(0, 44);
  return packet;
}

/**
 * Whether a packet that left is an ICMP error to who sent `packet`: about a tunnel packet from the address that it came to, or an
 * ICMPv4 error to the inner source, through the tunnel or not.
 */
export function isErrorTo(error: Buffer, packet: Buffer): boolean {
  const isFromTunnel = (packet[0] ?? 0) >> 4 === 6;
  if ((error[0] ?? 0) >> 4 === 4) return !isFromTunnel && isIcmpv4Error(error) && isSame(error, 16, packet, 12, 4);
  if (isFromTunnel && !isSame(error, 24, packet, 8, 16)) return false;
  if (error[6] === 58) return isFromTunnel && (error[40] ?? 255) < 128 && isSame(error, 8, packet, 24, 16);
  const inner = innerOf(error);
  return inner !== undefined && isIcmpv4Error(inner) && (isFromTunnel || isSame(inner, 16, packet, 12, 4));
}

/** ICMPv6 3/1 to the source of what it quotes, from the address that came to. */
export function isTimeExceeded(error: Buffer): boolean {
  if ((error[0] ?? 0) >> 4 !== 6 || error[6] !== 58 || error.readUInt16BE(40) !== 0x0301) return false;
  return isSame(error, 24, error, 48 + 8, 16) && isSame(error, 8, error, 48 + 24, 16);
}

function isIcmpv4Error(packet: Buffer): boolean {
  return packet[9] === 1 && [3, 11, 12].includes(packet[20] ?? 0);
}

function innerOf(packet: Buffer): Buffer | undefined {
  if (packet[6] === 4) return packet.subarray(40);
  return packet[6] === 60 ? packet.subarray(48) : undefined;
}

function isSame(a: Buffer, at: number, b: Buffer, from: number, octets: number): boolean {
  return a.subarray(at, at + octets).equals(b.subarray(from, from + octets));
}
