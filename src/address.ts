/**
 * Addresses and prefixes. IPv4 addresses are unsigned 32-bit numbers, IPv6 addresses 16 octets in network order.
 * Text exists only here: IPv4 in dotted decimal without leading zeros, IPv6 as RFC 4291 §2.2 reads it and RFC 5952 writes it.
 */

export const IPV6_LENGTH = 16;

/** An IPv4 prefix: `address` with its host bits zero, `length` 0 to 32. */
export interface Ipv4Prefix {
  readonly address: number;
  readonly length: number;
}

/** The 32-bit mask of an IPv4 prefix length (0 to 32), unsigned. */
export function ipv4Mask(length: number): number {
  return length === 0 ? 0 : (-1 << (32 - length)) >>> 0;
}

/** Whether `address` lies in the prefix. */
export function inIpv4Prefix(address: number, prefix: Ipv4Prefix): boolean {
  return ((address ^ prefix.address) & ipv4Mask(prefix.length)) === 0;
}

/** Whether two prefixes share an address: one then contains the other. */
export function overlapIpv4(a: Ipv4Prefix, b: Ipv4Prefix): boolean {
  return inIpv4Prefix(a.address, { address: b.address, length: Math.min(a.length, b.length) });
}

/** Dotted decimal to a number; undefined unless it is four decimal octets without leading zeros. */
export function parseIpv4(text: string): number | undefined {
  const match = /^(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})$/.exec(text);
  if (!match) return undefined;
  let address = 0;
  for (const octet of match.slice(1)) {
    if ((octet.length > 1 && octet.startsWith('0')) || Number(octet) > 255) return undefined;
    address = address * 256 + Number(octet);
  }
  return address;
}

/** A number to dotted decimal. */
export function formatIpv4(address: number): string {
  return `${address >>> 24}.${(address >>> 16) & 255}.${(address >>> 8) & 255}.${address & 255}`;
}

/** `192.0.2.0/24` to a prefix, host bits zeroed (RFC 6991 ipv4-prefix); undefined when it is none. */
export function parseIpv4Prefix(text: string): Ipv4Prefix | undefined {
  const slash = text.indexOf('/');
  const address = parseIpv4(slash < 0 ? '' : text.slice(0, slash));
  const digits = text.slice(slash + 1);
  if (address === undefined || !/^(\d|[12]\d|3[0-2])$/.test(digits)) return undefined;
  const length = Number(digits);
  return { address: (address & ipv4Mask(length)) >>> 0, length };
}

/**
 * Reads a prefix that stands in `text` from `from` to before `to`: its address times 64 plus its length. -1 when it is none,
 * or has host bits.
 */
export function readIpv4Prefix(text: string, from: number, to: number): number {
  let at = from;
  const number = (end: number, largest: number): number => {
    const start = at;
    let value = 0;
    for (; text.charCodeAt(at) !== end && at < to; at++) {
      const digit = text.charCodeAt(at) - 0x30;
      if (digit < 0 || digit > 9 || at - start === 3) return -1;
      value = value * 10 + digit;
    }
    if (at === start || value > largest || (at - start > 1 && text.charCodeAt(start) === 0x30)) return -1;
    return value;
  };
  let address = 0;
  for (let octets = 0; octets < 4; octets++) {
    const end = octets < 3 ? DOT : SLASH;
    const octet = number(end, 255);
    if (octet < 0 || at >= to) return -1;
    at++;
    address = address * 256 + octet;
  }
  const length = number(-1, 32);
  return length < 0 || (address & ~ipv4Mask(length)) !== 0 ? -1 : address * 64 + length;
}

const DOT = 0x2e;
const SLASH = 0x2f;

/** A prefix as text, `192.0.2.0/24`. */
export function formatIpv4Prefix(address: number, length: number): string {
  return `${formatIpv4(address)}/${length}`;
}

/** IPv6 text without a zone (RFC 4291 §2.2, the form with a dotted tail included) to 16 octets; undefined when it is none. */
export function parseIpv6(text: string): Uint8Array | undefined {
  const octets = new Uint8Array(IPV6_LENGTH);
  const dot = text.indexOf('.');
  if (dot < 0) return readIpv6(text, 0, text.length, octets) ? octets : undefined;
  const colon = text.lastIndexOf(':', dot);
  const ipv4 = parseIpv4(text.slice(colon + 1));
  if (ipv4 === undefined) return undefined;
  const tail = `${(ipv4 >>> 16).toString(16)}:${(ipv4 & 0xffff).toString(16)}`;
  const whole = text.slice(0, colon + 1) + tail;
  return readIpv6(whole, 0, whole.length, octets) ? octets : undefined;
}

/** Reads IPv6 of hexadecimal groups that stands in `text` from `from` to before `to` into 16 octets; whether it is one. */
export function readIpv6(text: string, from: number, to: number, octets: Uint8Array): boolean {
  let groups = 0;
  let gap = -1;
  let at = from;
  if (text.charCodeAt(at) === COLON && text.charCodeAt(at + 1) === COLON) {
    gap = 0;
    at += 2;
  }
  while (at < to) {
    let value = 0;
    const start = at;
    for (let digit = hexDigit(text.charCodeAt(at)); at < to && digit >= 0; digit = hexDigit(text.charCodeAt(++at))) {
      value = value * 16 + digit;
    }
    if (at === start || at - start > 4 || groups === 8) return false;
    octets[2 * groups] = value >>> 8;
    octets[2 * groups + 1] = value & 255;
    groups++;
    if (at === to) break;
    if (text.charCodeAt(at++) !== COLON || at === to) return false;
    if (text.charCodeAt(at) !== COLON) continue;
    if (gap >= 0) return false;
    gap = groups;
    at++;
  }
  if (gap < 0) return groups === 8;
  if (groups === 8) return false;
  octets.copyWithin(IPV6_LENGTH - 2 * (groups - gap), 2 * gap, 2 * groups);
  octets.fill(0, 2 * gap, IPV6_LENGTH - 2 * (groups - gap));
  return true;
}

const COLON = 0x3a;

function hexDigit(unit: number): number {
  if (unit >= 0x30 && unit <= 0x39) return unit - 0x30;
  const lower = unit | 0x20;
  return lower >= 0x61 && lower <= 0x66 ? lower - 0x57 : -1;
}

/** Writes what `formatIpv4Prefix` gives as octets of ASCII; where it ends. */
export function writeIpv4Prefix(target: Uint8Array, at: number, address: number, length: number): number {
  let end = writeDecimal(target, at, address >>> 24);
  for (let shift = 16; shift >= 0; shift -= 8) {
    target[end] = DOT;
    end = writeDecimal(target, end + 1, (address >>> shift) & 255);
  }
  target[end] = SLASH;
  return writeDecimal(target, end + 1, length);
}

/** Of a number below 1,000. */
function writeDecimal(target: Uint8Array, from: number, value: number): number {
  let at = from;
  if (value >= 100) target[at++] = 0x30 + Math.floor(value / 100);
  if (value >= 10) target[at++] = 0x30 + (Math.floor(value / 10) % 10);
  target[at++] = 0x30 + (value % 10);
  return at;
}

/** Writes what `formatIpv6` gives as octets of ASCII; where it ends. */
export function writeIpv6(target: Uint8Array, at: number, octets: Uint8Array): number {
  if (octets[0] === 0 && octets[1] === 0) return at + writeAscii(target, at, formatIpv6(octets));
  const [gap, gapLength] = longestGap(octets, 0);
  let end = at;
  for (let index = 0; index < 8; index++) {
    if (index === gap) {
      target[end++] = COLON;
      target[end++] = COLON;
      index += gapLength;
      if (index === 8) break;
    } else if (index > 0) target[end++] = COLON;
    end = writeHex(target, end, GROUPS[index] ?? 0);
  }
  return end;
}

/** Of a number below 65,536. */
function writeHex(target: Uint8Array, from: number, value: number): number {
  let at = from;
  for (let shift = value >= 0x1000 ? 12 : value >= 0x100 ? 8 : value >= 0x10 ? 4 : 0; shift >= 0; shift -= 4) {
    const digit = (value >>> shift) & 15;
    target[at++] = digit < 10 ? 0x30 + digit : 0x57 + digit;
  }
  return at;
}

function writeAscii(target: Uint8Array, at: number, text: string): number {
  for (let i = 0; i < text.length; i++) target[at + i] = text.charCodeAt(i);
  return text.length;
}

/**
 * The 16 octets at `at` in the canonical text of RFC 5952 §4. IPv4-mapped and IPv4-compatible addresses end in dotted
 * decimal (§5), the latter because inet_ntop and therefore libyang write them so: one address has one text everywhere.
 */
export function formatIpv6(octets: Uint8Array, at = 0): string {
  const [gap, gapLength] = longestGap(octets, at);
  if (gap === 0 && (gapLength === 6 || (gapLength === 5 && GROUPS[5] === 0xffff))) {
    const address = (((GROUPS[6] ?? 0) << 16) | (GROUPS[7] ?? 0)) >>> 0;
    return `${gapLength === 5 ? '::ffff:' : '::'}${formatIpv4(address)}`;
  }
  if (gap === 8) return groupsText(0, 8);
  return `${groupsText(0, gap)}::${groupsText(gap + gapLength, 8)}`;
}

/** Puts the groups into GROUPS; the first and longest run of zero groups, two or more, or none at 8. */
function longestGap(octets: Uint8Array, at: number): readonly [first: number, length: number] {
  let [gap, gapLength, run] = [8, 1, 0];
  for (let index = 0; index < 8; index++) {
    const group = ((octets[at + 2 * index] ?? 0) << 8) | (octets[at + 2 * index + 1] ?? 0);
    GROUPS[index] = group;
    run = group === 0 ? run + 1 : 0;
    if (run <= gapLength) continue;
    gapLength = run;
    gap = index + 1 - run;
  }
  return [gap, gapLength];
}

const GROUPS = new Uint16Array(8);
/** Text of each group that came once: a table of a million bindings is printed in half the time. */
const GROUP_TEXTS: string[] = new Array(65_536);

function groupsText(from: number, to: number): string {
  let text = '';
  for (let index = from; index < to; index++) {
    const group = GROUPS[index] ?? 0;
    GROUP_TEXTS[group] ??= group.toString(16);
    const word = GROUP_TEXTS[group] ?? '';
    text = index === from ? word : `${text}:${word}`;
  }
  return text;
}

/** Whether two IPv6 addresses are the same. */
export function sameIpv6(a: Uint8Array, b: Uint8Array): boolean {
  for (let i = 0; i < IPV6_LENGTH; i++) if (a[i] !== b[i]) return false;
  return true;
}

/** Unspecified, loopback, IPv4-mapped, multicast or link-local: never a tunnel endpoint (RFC 2473 §4.1.2, RFC 4291 §2.4). */
export function isUnusableIpv6(octets: Uint8Array): boolean {
  const first = octets[0] ?? 0;
  if (first === 0xff) return true;
  if (first === 0xfe && ((octets[1] ?? 0) & 0xc0) === 0x80) return true;
  for (let i = 0; i < 10; i++) if (octets[i] !== 0) return false;
  if (octets[10] === 0xff && octets[11] === 0xff) return true;
  for (let i = 10; i < IPV6_LENGTH - 1; i++) if (octets[i] !== 0) return false;
  return (octets[IPV6_LENGTH - 1] ?? 0) <= 1;
}

/**
 * Martian IPv4 (RFC 1812 §5.3.7): 0/8, 127/8, 224/4 and 240/4 with the limited broadcast address; and 169.254/16, link-local, which
 * no router forwards (RFC 3927 §7).
 */
export function isMartianIpv4(address: number): boolean {
  const first = address >>> 24;
  return first === 0 || first === 127 || first >= 224 || address >>> 16 === 0xa9fe;
}

/**
 * Whether a prefix lies in martian addresses, or reaches into those at the ends of the larger blocks; one around 169.254/16 does
 * not count.
 */
export function isMartianPrefix({ address, length }: Ipv4Prefix): boolean {
  return length === 0 || isMartianIpv4(address) || isMartianIpv4((address | ~ipv4Mask(length)) >>> 0);
}

/** Whether one prefix lies in another, or is it. */
export function liesIn(inner: Ipv4Prefix, outer: Ipv4Prefix): boolean {
  return outer.length <= inner.length && inIpv4Prefix(inner.address, outer);
}
