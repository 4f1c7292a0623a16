/**
 * ICMPv6 errors that come back about our own tunnel packets (RFC 2473 §8):
 *
 *   1. what is quoted must be a packet that this tunnel end sent: from the tunnel address that the error came to, to the
 *      far end of the row of its inner packet, and as long as that makes it (RFC 8201 §4: anybody can send a Packet Too
 *      Big)
 *   2. Packet Too Big is remembered for that far end; a refusal by the AFTR (1/5) for the gateway
 *   3. what the inner source can use is told to it as an ICMPv4 error, through the tunnel again when it is behind a
 *      gateway itself:
 *
 *     from inside the tunnel                              to the inner source (RFC 2473 §8.1, §8.3)
 *     1/0 to 1/6 unreachable                              3/1 host unreachable
 *     2/0 Packet Too Big, the inner packet with DF        3/4 fragmentation needed, with the payload MTU
 *     3/0 hop limit exceeded                              3/1 host unreachable
 *     4/0 that points at the tunnel encapsulation limit   3/1 host unreachable
 *     any other                                           nothing
 */

import type { Batch } from './batch.ts';
import type { Role } from './engine.ts';
import { FLAG_ENCAPSULATION_LIMIT, ROW_SHIFT, SOFTWIRE_SHIFT } from './layout.ts';
import { Lookups } from './lookups.ts';
import type { PathMtus } from './path-mtus.ts';
import { isShared, portSetRow } from './port-sets.ts';
import type { Ports } from './ports.ts';
import { findPortsOfQuote, PORTS_FOUND } from './ports.ts';
import type { Replies } from './replies.ts';
import { NO_ROW } from './replies.ts';
import type { Softwires } from './softwires.ts';
import type { SourceRefusals } from './source-refusals.ts';
import type { TableReader } from './table.ts';
import { DROP_ICMP_ERROR_MISMATCH, DROP_ICMP_NOT_RELAYED, FORWARDED, HAIRPINNED } from './verdict.ts';
import { CODE_FRAGMENTATION_NEEDED, CODE_HOST_UNREACHABLE, ICMPV4_UNREACHABLE } from './wire/icmpv4.ts';
import { ICMPV6_HEADER_LEN, isIcmpv6Error } from './wire/icmpv6.ts';
import * as ipv4 from './wire/ipv4.ts';
import * as ipv6 from './wire/ipv6.ts';
import { ENCAPSULATION_LIMIT_LEN } from './wire/ipv6-extensions.ts';
import { FRAGMENT_HEADER_LEN } from './wire/ipv6-fragment.ts';
import { u8, u16, u32 } from './wire/octets.ts';

const HOST_UNREACHABLE = [ICMPV4_UNREACHABLE, CODE_HOST_UNREACHABLE] as const;
const FRAGMENTATION_NEEDED = [ICMPV4_UNREACHABLE, CODE_FRAGMENTATION_NEEDED] as const;

const UNREACHABLE = 1;
const LAST_UNREACHABLE_CODE = 6;
const SOURCE_FAILED_POLICY = 0x0105;
const PACKET_TOO_BIG = 2;
const HOP_LIMIT_EXCEEDED = 0x0300;
const ERRONEOUS_FIELD = 0x0400;
/** Type of the Tunnel Encapsulation Limit option, and where it and its value stand in the header that it has for itself. */
const OPTION_TUNNEL_LIMIT = 4;
const LIMIT_TYPE_AT = 2;
const LIMIT_AT = 4;
/** An ICMPv4 error quotes so much behind the header at least (RFC 792). */
const QUOTED_BEHIND_HEADER = 8;

/** What an error says; one record is reused for every error. */
interface Quote {
  k: number;
  /** Offset of the IPv6 header of the error, and of its message. */
  outer: number;
  message: number;
  /** Type times 256 plus code. */
  error: number;
  softwire: number;
  /** Offset of the quoted IPv6 header, of the IPv4 header in it, and of the end of what is quoted. */
  packet: number;
  inner: number;
  end: number;
  /** The row by which the quoted packet was sent. */
  row: number;
}

export class TunnelErrors {
  readonly #isGateway: boolean;
  readonly #table: TableReader;
  readonly #softwires: Softwires;
  readonly #lookups: Lookups;
  readonly #replies: Replies;
  readonly #pathMtus: PathMtus;
  readonly #refusals: SourceRefusals;
  readonly #ports: Ports = { source: 0, destination: 0, quote: 0 };
  readonly #quote: Quote = { k: 0, outer: 0, message: 0, error: 0, softwire: 0, packet: 0, inner: 0, end: 0, row: 0 };

  constructor(
    role: Role,
    table: TableReader,
    softwires: Softwires,
    replies: Replies,
    pathMtus: PathMtus,
    refusals: SourceRefusals,
  ) {
    this.#isGateway = role === 'gateway';
    this.#table = table;
    this.#softwires = softwires;
    this.#lookups = new Lookups(role, table, softwires);
    this.#replies = replies;
    this.#pathMtus = pathMtus;
    this.#refusals = refusals;
  }

  /**
   * Packet `k` is IPv6 at `outer` to the tunnel address of `softwire`, with an ICMPv6 message of `len` octets at
   * `message`. Returns how it ends: forwarded or hairpinned when it was relayed.
   */
  take(batch: Batch, k: number, outer: number, message: number, len: number, softwire: number): number {
    const { buf } = batch;
    if (!isIcmpv6Error(buf, outer, message, len)) return DROP_ICMP_NOT_RELAYED;
    const quote = this.#quote;
    quote.k = k;
    quote.outer = outer;
    quote.message = message;
    quote.error = u16(buf, message);
    quote.softwire = softwire;
    quote.packet = message + ICMPV6_HEADER_LEN;
    quote.end = message + len;
    const hasLimit = this.#softwires.has(softwire, FLAG_ENCAPSULATION_LIMIT);
    quote.inner = innerOf(batch, quote.packet, quote.end, hasLimit);
    if (quote.inner < 0) return DROP_ICMP_NOT_RELAYED;
    quote.row = this.#rowOf(buf, quote, this.#isGateway);
    if (!this.#isOurs(buf, quote)) return DROP_ICMP_ERROR_MISMATCH;
    return this.#act(batch, quote);
  }

  /** Whether the quoted packet is one that goes out by its row. */
  #isOurs(buf: Uint8Array, { packet, inner, row, softwire, error, outer }: Quote): boolean {
    if (row === 0 || this.#lookups.softwireOf(row) !== softwire || !hasLengthOfInner(buf, packet, inner)) return false;
    const local = (softwire << SOFTWIRE_SHIFT) * 4 + ipv6.IPV6_SOURCE;
    if (!ipv6.sameAddress(buf, packet + ipv6.IPV6_SOURCE, this.#softwires.octets, local)) return false;
    const remote = (row << ROW_SHIFT) * 4;
    if (!ipv6.sameAddress(buf, packet + ipv6.IPV6_DESTINATION, this.#table.octets, remote)) return false;
    // RFC 7596 §5.1: a refusal counts only when it is the AFTR's.
    if (!this.#isGateway || error !== SOURCE_FAILED_POLICY) return true;
    return ipv6.sameAddress(buf, outer + ipv6.IPV6_SOURCE, this.#table.octets, remote);
  }

  #act(batch: Batch, quote: Quote): number {
    const { buf } = batch;
    const { error, message, packet, softwire } = quote;
    const type = error >>> 8;
    if (type === PACKET_TOO_BIG) return this.#tooBig(batch, quote, u32(buf, message + 4));
    if (type === UNREACHABLE && (error & 0xff) <= LAST_UNREACHABLE_CODE) {
      if (this.#isGateway && error === SOURCE_FAILED_POLICY) {
        this.#refusals.add(this.#softwires.instance(softwire), ipv4.source(buf, quote.inner), batch.nowMs);
      }
      return this.#relay(batch, quote, HOST_UNREACHABLE, 0);
    }
    const atLimit = error === ERRONEOUS_FIELD && u32(buf, message + 4) === limitAt(buf, packet);
    if (atLimit || error === HOP_LIMIT_EXCEEDED) return this.#relay(batch, quote, HOST_UNREACHABLE, 0);
    return DROP_ICMP_NOT_RELAYED;
  }

  /** A link on the way takes no more than `mtu` octets; one that would have taken the quoted packet says nothing. */
  #tooBig(batch: Batch, quote: Quote, mtu: number): number {
    const { buf, nowMs } = batch;
    const { softwire, row, packet, outer } = quote;
    const quotedLen = ipv6.IPV6_HEADER_LEN + ipv6.payloadLength(buf, packet);
    if (mtu < ipv6.IPV6_MINIMUM_MTU || mtu >= quotedLen) return DROP_ICMP_NOT_RELAYED;
    const reporter = ipv6.addressHash(buf, outer + ipv6.IPV6_SOURCE);
    this.#pathMtus.learn(softwire, row, mtu, reporter, nowMs);
    if (!ipv4.dontFragment(buf, quote.inner)) return DROP_ICMP_NOT_RELAYED;
    const payloadMtu = Math.min(
      mtu - this.#softwires.headerLength(softwire),
      this.#pathMtus.payloadMtu(softwire, row, nowMs),
    );
    return this.#relay(batch, quote, FRAGMENTATION_NEEDED, payloadMtu);
  }

  /** Tells the inner source, unless it is this device or RFC 1812 §4.3.2.7 wants silence. */
  #relay(batch: Batch, quote: Quote, code: readonly [number, number], mtu: number): number {
    const { buf } = batch;
    const { k, inner, end, softwire } = quote;
    const source = ipv4.source(buf, inner);
    if (this.#softwires.byIpv4Address(source) !== 0) return DROP_ICMP_NOT_RELAYED;
    const available = Math.min(ipv4.totalLength(buf, inner), end - inner);
    const row = this.#isGateway ? NO_ROW : this.#rowOf(buf, quote, true);
    const through = row === NO_ROW ? softwire : this.#lookups.softwireOf(row);
    const sent = this.#replies.sendErrorFrom(batch, k, inner, available, code, mtu, softwire, through, row);
    if (!sent) return DROP_ICMP_NOT_RELAYED;
    // It is no traffic of a binding, and what was looked up at its octets means nothing.
    batch.otherRows[k] = NO_ROW;
    return row === NO_ROW ? FORWARDED : HAIRPINNED;
  }

  /**
   * Row of one end of the quoted packet, that of the port set where the address is shared; 0 also while its softwire is
   * being taken out of use, and no other gateway serves it.
   */
  #rowOf(buf: Uint8Array, { inner, end }: Quote, bySource: boolean): number {
    const address = bySource ? ipv4.source(buf, inner) : ipv4.destination(buf, inner);
    const found = this.#table.lookup(address);
    if (found === 0 || !isShared(this.#table, found)) return this.#lookups.rowOf(address);
    const row = this.#portSetOf(buf, inner, end, bySource, found);
    return row !== 0 && this.#softwires.isEnabled(this.#lookups.softwireOf(row)) ? row : 0;
  }

  #portSetOf(buf: Uint8Array, inner: number, end: number, bySource: boolean, shared: number): number {
    const ports = this.#ports;
    if (findPortsOfQuote(buf, inner, end - inner, ports) !== PORTS_FOUND) return 0;
    return portSetRow(this.#table, shared, bySource ? ports.source : ports.destination);
  }
}

/**
 * The IPv4 header in the tunnel packet that is quoted from `packet` to `end`: behind the outer header, the header of a first
 * fragment and, with `hasLimit`, our destination options, as this end writes them. -1 when it is not there whole with eight
 * octets behind it.
 */
function innerOf({ buf, words }: Batch, packet: number, end: number, hasLimit: boolean): number {
  if (end - packet < ipv6.IPV6_HEADER_LEN || u8(buf, packet) >>> 4 !== 6) return -1;
  let header = ipv6.nextHeader(buf, packet);
  let at = packet + ipv6.IPV6_HEADER_LEN;
  if (header === ipv6.NEXT_HEADER_FRAGMENT) {
    if (at + FRAGMENT_HEADER_LEN > end || u16(buf, at + 2) >= 8) return -1;
    header = u8(buf, at);
    at += FRAGMENT_HEADER_LEN;
  }
  if (hasLimit) {
    if (header !== ipv6.NEXT_HEADER_DESTINATION || at + ENCAPSULATION_LIMIT_LEN > end || u8(buf, at + 1) !== 0)
      return -1;
    if (u8(buf, at + LIMIT_TYPE_AT) !== OPTION_TUNNEL_LIMIT) return -1;
    header = u8(buf, at);
    at += ENCAPSULATION_LIMIT_LEN;
  }
  if (header !== ipv6.NEXT_HEADER_IPV4 || at + ipv4.IPV4_HEADER_LEN > end || u8(buf, at) >>> 4 !== 4) return -1;
  const headerLen = ipv4.headerLength(buf, at);
  if (headerLen < ipv4.IPV4_HEADER_LEN || at + headerLen + QUOTED_BEHIND_HEADER > end) return -1;
  if (ipv4.totalLength(buf, at) < headerLen || !ipv4.hasValidChecksum(buf, words, at)) return -1;
  return at;
}

/**
 * Whether the length of the quoted packet is one that a tunnel end gives it: its headers and the whole inner packet, or
 * less when it is a first fragment. Anything else was made up, to have a path MTU believed that the packet would pass.
 */
function hasLengthOfInner(buf: Uint8Array, packet: number, inner: number): boolean {
  const payload = ipv6.payloadLength(buf, packet);
  const whole = inner - packet - ipv6.IPV6_HEADER_LEN + ipv4.totalLength(buf, inner);
  if (ipv6.nextHeader(buf, packet) === ipv6.NEXT_HEADER_FRAGMENT) return payload <= whole;
  return payload === whole;
}

/** Where in the tunnel packet at `packet` the limit stands, when it carries one as this device writes it (RFC 2473 §4.1.1); else -1. */
function limitAt(buf: Uint8Array, packet: number): number {
  const isFragment = ipv6.nextHeader(buf, packet) === ipv6.NEXT_HEADER_FRAGMENT;
  const header = isFragment ? u8(buf, packet + ipv6.IPV6_HEADER_LEN) : ipv6.nextHeader(buf, packet);
  const at = ipv6.IPV6_HEADER_LEN + (isFragment ? FRAGMENT_HEADER_LEN : 0);
  if (header !== ipv6.NEXT_HEADER_DESTINATION || u8(buf, packet + at + LIMIT_TYPE_AT) !== OPTION_TUNNEL_LIMIT)
    return -1;
  return at + LIMIT_AT;
}
