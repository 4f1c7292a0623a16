/**
 * ICMPv4 errors that the engine makes, since the kernel's own would not find their way through the tunnel: time
 * exceeded and fragmentation needed, and what is relayed from inside the tunnel; limited in rate for each instance.
 */

import { isMartianIpv4 } from '../address.ts';
import type { Batch } from './batch.ts';
import type { Encapsulation } from './encapsulation.ts';
import { ENCAPSULATION_ROOM } from './encapsulation.ts';
import type { Role } from './engine.ts';
import type { IcmpBudget } from './icmp-budget.ts';
import { ABOUT_IPV4, ABOUT_TUNNELLED, ABOUT_UNBOUND, RELAYED } from './icmp-budget.ts';
import { FLAG_ICMPV4_ERRORS, ROW_SHIFT } from './layout.ts';
import type { OwnAddresses } from './own-addresses.ts';
import { isShared } from './port-sets.ts';
import type { Softwires } from './softwires.ts';
import type { TableReader } from './table.ts';
import {
  CODE_HOST_UNREACHABLE,
  ICMPV4_HEADER_LEN,
  ICMPV4_UNREACHABLE,
  isIcmpv4Error,
  writeIcmpv4Error,
} from './wire/icmpv4.ts';
import {
  destination,
  fragmentOffset,
  headerLength,
  IPV4_HEADER_LEN,
  PROTOCOL_ICMP,
  protocol,
  source,
  totalLength,
  writeIpv4,
} from './wire/ipv4.ts';
import { addressHash } from './wire/ipv6.ts';

const HOST_UNREACHABLE = [ICMPV4_UNREACHABLE, CODE_HOST_UNREACHABLE] as const;
/** An error quotes as much as fits in 576 octets (RFC 1812 §4.3.2.3). */
const LARGEST_ERROR = 576;
/** And so much behind the header at least (RFC 792). */
const LEAST_QUOTED = 8;
/** Internetwork control precedence (RFC 1812 §4.3.2.5). */
const TOS_INTERNETWORK_CONTROL = 0xc0;
const TTL = 64;

/** Send an error back the way its packet came: straight to an IPv4 neighbour. */
export const NO_ROW = 0;

export class Replies {
  readonly #isGateway: boolean;
  readonly #table: TableReader;
  readonly #softwires: Softwires;
  readonly #encapsulation: Encapsulation;
  readonly #budget: IcmpBudget;
  readonly #own: OwnAddresses;

  constructor(
    role: Role,
    table: TableReader,
    softwires: Softwires,
    encapsulation: Encapsulation,
    budget: IcmpBudget,
    own: OwnAddresses,
  ) {
    this.#own = own;
    this.#isGateway = role === 'gateway';
    this.#table = table;
    this.#softwires = softwires;
    this.#encapsulation = encapsulation;
    this.#budget = budget;
  }

  /**
   * Sends an ICMPv4 error about the packet at `at`, which is a valid IPv4 packet, from the instance of `softwire`:
   * through the tunnel to the end that `row` names, or with NO_ROW as plain IPv4. Silent where RFC 1812 §4.3.2.7 wants
   * silence, with generate-icmpv4-errors false, without an ipv4-address to send from; above the rate and without room in the
   * batch, which is counted.
   */
  sendError(
    batch: Batch,
    k: number,
    at: number,
    code: readonly [type: number, code: number],
    mtu: number,
    softwire: number,
    row: number,
  ): void {
    const kind = row === NO_ROW ? ABOUT_IPV4 : ABOUT_TUNNELLED;
    this.#send(batch, k, at, totalLength(batch.buf, at), code, mtu, softwire, softwire, row, kind);
  }

  /** The same about a packet from the IPv4 side to an address that nothing holds: host unreachable. */
  sendUnbound(batch: Batch, k: number, at: number, softwire: number, row: number): void {
    const available = totalLength(batch.buf, at);
    this.#send(batch, k, at, available, HOST_UNREACHABLE, 0, softwire, softwire, row, ABOUT_UNBOUND);
  }

  /**
   * Relays an error about a packet of which only `available` octets are there, header and eight octets at least: from
   * the instance of softwire `about`, through softwire `through`. Returns whether it was sent.
   */
  sendErrorFrom(
    batch: Batch,
    k: number,
    at: number,
    available: number,
    code: readonly [type: number, code: number],
    mtu: number,
    about: number,
    through: number,
    row: number,
  ): boolean {
    return this.#send(batch, k, at, available, code, mtu, about, through, row, RELAYED);
  }

  /** Whether the instance of `softwire` may send an error about the packet at `at`, apart from the rate. */
  #isDue(buf: Uint8Array, at: number, softwire: number): boolean {
    const isAble = this.#softwires.ipv4Address(softwire) !== 0 && this.#softwires.has(softwire, FLAG_ICMPV4_ERRORS);
    return isAble && this.#isBetweenHosts(buf, at) && mayBeAnswered(buf, at);
  }

  /** Whether neither end is martian or the broadcast address of a link here. */
  #isBetweenHosts(buf: Uint8Array, at: number): boolean {
    const [from, to] = [source(buf, at), destination(buf, at)];
    if (isMartianIpv4(from) || isMartianIpv4(to)) return false;
    return !this.#own.isBroadcast(from) && !this.#own.isBroadcast(to);
  }

  #send(
    batch: Batch,
    k: number,
    at: number,
    available: number,
    code: readonly [type: number, code: number],
    mtu: number,
    about: number,
    through: number,
    row: number,
    kind: number,
  ): boolean {
    if (!this.#isDue(batch.buf, at, about)) return false;
    const largest = row === NO_ROW ? LARGEST_ERROR : this.#encapsulation.largest(batch, through, row);
    const quoted = Math.min(available, Math.min(largest, LARGEST_ERROR) - IPV4_HEADER_LEN - ICMPV4_HEADER_LEN);
    if (quoted < Math.min(available, headerLength(batch.buf, at) + LEAST_QUOTED)) return false;
    const len = IPV4_HEADER_LEN + ICMPV4_HEADER_LEN + quoted;
    if (!this.#hasRoom(batch, len, through, row)) {
      this.#budget.addSuppressed(this.#softwires.instance(about), kind, 1);
      return false;
    }
    const to = source(batch.buf, at);
    const causer = this.#causer(batch.buf, at, kind, row);
    if (!this.#budget.take(this.#softwires.instance(about), kind, causer, batch.nowMs)) return false;
    const error = batch.takeScratch(ENCAPSULATION_ROOM + len) + ENCAPSULATION_ROOM;
    const message = error + IPV4_HEADER_LEN;
    batch.buf.copyWithin(message + ICMPV4_HEADER_LEN, at, at + quoted);
    writeIcmpv4Error(batch.buf, message, quoted, code[0], code[1], mtu);
    writeIpv4(
      batch.buf,
      error,
      len,
      TOS_INTERNETWORK_CONTROL,
      TTL,
      PROTOCOL_ICMP,
      this.#softwires.ipv4Address(about),
      to,
    );
    if (row === NO_ROW) batch.send(k, error, len);
    else return this.#encapsulation.send(batch, k, error, through, row);
    return true;
  }

  /** Whether an error of `len` octets can leave: what is taken from the budget is sent. */
  #hasRoom(batch: Batch, len: number, through: number, row: number): boolean {
    const octets = ENCAPSULATION_ROOM + len;
    return row === NO_ROW ? batch.hasRoom(1, octets) : this.#encapsulation.maySend(batch, len, octets, through, row);
  }

  /**
   * Who the budget charges with an error about the packet at `at`: a gateway may send from all addresses that are bound to
   * it, so that at an AFTR it is the gateway that the packet came from, or that a quoted one went to: who forges the
   * quote must know one. At a gateway, where all come from one AFTR, and on the IPv4 side it is the source.
   */
  #causer(buf: Uint8Array, at: number, kind: number, row: number): number {
    if (this.#isGateway || kind === ABOUT_UNBOUND || kind === ABOUT_IPV4) return source(buf, at);
    const gateway = kind === RELAYED ? this.#table.lookup(destination(buf, at)) : row;
    return isShared(this.#table, gateway) ? gateway : addressHash(this.#table.octets, (gateway << ROW_SHIFT) * 4);
  }
}

/** RFC 1812 §4.3.2.7: no error about an ICMP error or a later fragment. */
function mayBeAnswered(buf: Uint8Array, at: number): boolean {
  if (fragmentOffset(buf, at) !== 0) return false;
  const header = headerLength(buf, at);
  if (protocol(buf, at) !== PROTOCOL_ICMP) return true;
  return totalLength(buf, at) > header && !isIcmpv4Error(buf, at + header);
}
