/**
 * The slow path: every rule in order, for the packets that are not plainly good. It decides from the packet alone and
 * looks addresses up again, so that it is right whatever the fast path has seen. Each function returns the verdict.
 */

import { isMartianIpv4 } from '../address.ts';
import type { Batch } from './batch.ts';
import { Echo } from './echo.ts';
import { decapsulatedEcn, ECN_ANOMALY, ECN_DROP } from './ecn.ts';
import type { Encapsulation } from './encapsulation.ts';
import type { Role } from './engine.ts';
import type { Events } from './events.ts';
import type { Fragments } from './fragments.ts';
import type { GatewayIndex } from './gateway-index.ts';
import type { GatewayRefusals } from './gateway-refusals.ts';
import type { Icmpv6Errors } from './icmpv6-errors.ts';
import { FLAG_DENY_ICMPV4, FLAG_HAIRPINNING, FLAG_SOURCE_ROUTES } from './layout.ts';
import { Lookups } from './lookups.ts';
import type { OwnAddresses } from './own-addresses.ts';
import type { PathMtus } from './path-mtus.ts';
import { BY_DESTINATION, BY_SOURCE, PortSetPath } from './port-set-path.ts';
import { COMPLETE } from './reassembly.ts';
import type { Replies } from './replies.ts';
import { NO_ROW } from './replies.ts';
import type { Softwires } from './softwires.ts';
import type { TableReader } from './table.ts';
import type { TunnelErrors } from './tunnel-errors.ts';
import {
  DROP_ECN,
  DROP_ENDPOINT_MISMATCH,
  DROP_EXTENSION_LIMIT,
  DROP_FRAGMENT_MALFORMED,
  DROP_HAIRPIN_DISABLED,
  DROP_ICMP_DENIED,
  DROP_LINK_LAYER_NOISE,
  DROP_LOOP_PREVENTED,
  DROP_MALFORMED_IPV4,
  DROP_MALFORMED_IPV6,
  DROP_MARTIAN_IPV4_DESTINATION,
  DROP_MARTIAN_IPV4_SOURCE,
  DROP_MARTIAN_OUTER_SOURCE,
  DROP_NO_BINDING,
  DROP_NO_INSTANCE,
  DROP_NOT_FOR_US,
  DROP_OUTSIDE_SERVED_PREFIX,
  DROP_ROUTING_HEADER,
  DROP_SAME_GATEWAY,
  DROP_SOURCE_MISMATCH,
  DROP_SOURCE_ROUTE_OPTION,
  DROP_TOO_BIG,
  DROP_TTL_EXPIRED,
  DROP_UNBOUND_SOURCE,
  DROP_UNKNOWN_OPTION,
  DROP_UNSUPPORTED_NEXT_HEADER,
  DROP_WRITE_FAILED,
  DROP_WRONG_AFTR,
  FORWARDED,
  HAIRPINNED,
  HELD,
  REPLIED,
} from './verdict.ts';
import {
  answerIcmpv4Echo,
  CODE_FRAGMENTATION_NEEDED,
  CODE_HOST_UNREACHABLE,
  CODE_TTL_EXCEEDED,
  ICMPV4_TIME_EXCEEDED,
  ICMPV4_UNREACHABLE,
} from './wire/icmpv4.ts';
import { isIcmpv6EchoRequest, isLinkMessage } from './wire/icmpv6.ts';
import * as ipv4 from './wire/ipv4.ts';
import * as ipv6 from './wire/ipv6.ts';
import {
  newWalk,
  WALK_DONE,
  WALK_FRAGMENT,
  WALK_LIMIT,
  WALK_SEGMENTS_LEFT,
  WALK_TRUNCATED,
  WALK_UNKNOWN_OPTION,
  walkExtensions,
} from './wire/ipv6-extensions.ts';
import { clampMss } from './wire/tcp.ts';

const FRAGMENTATION_NEEDED = [ICMPV4_UNREACHABLE, CODE_FRAGMENTATION_NEEDED] as const;
const TTL_EXCEEDED = [ICMPV4_TIME_EXCEEDED, CODE_TTL_EXCEEDED] as const;
const HOST_UNREACHABLE = [ICMPV4_UNREACHABLE, CODE_HOST_UNREACHABLE] as const;

/** Why a packet ends whose extension headers could not all be passed over. */
const WALK_DROPS: number[] = [];
WALK_DROPS[WALK_TRUNCATED] = DROP_MALFORMED_IPV6;
WALK_DROPS[WALK_UNKNOWN_OPTION] = DROP_UNKNOWN_OPTION;
WALK_DROPS[WALK_SEGMENTS_LEFT] = DROP_ROUTING_HEADER;
WALK_DROPS[WALK_LIMIT] = DROP_EXTENSION_LIMIT;
WALK_DROPS[WALK_FRAGMENT] = DROP_FRAGMENT_MALFORMED; // Its data is a fragment again.

/** What is known of the packet in hand; one record is reused for every packet. */
interface Parsed {
  k: number;
  /** Offset of the IPv6 header. */
  outer: number;
  /** Offset of the IPv4 header. */
  at: number;
  /** Softwire and row of the looked-up address; 0 for none. */
  softwire: number;
  row: number;
  /** ECN field after decapsulation, or ECN_DROP; either with ECN_ANOMALY. */
  ecn: number;
  /** It was put together from outer fragments. */
  isWhole: boolean;
}

/** What the slow path decides with; `worker` is the lane of its events. */
export interface SlowPathParts {
  readonly role: Role;
  readonly table: TableReader;
  readonly softwires: Softwires;
  readonly fragments: Fragments;
  readonly own: OwnAddresses;
  readonly encapsulation: Encapsulation;
  readonly replies: Replies;
  readonly events: Events;
  readonly worker: number;
  readonly pathMtus: PathMtus;
  readonly errors: Icmpv6Errors;
  readonly refusals: GatewayRefusals;
  readonly tunnelErrors: TunnelErrors;
  /** Those of an AFTR. */
  readonly gateways: GatewayIndex | undefined;
  /** Random. */
  readonly seed: number;
}

export class SlowPath {
  readonly #isGateway: boolean;
  readonly #softwires: Softwires;
  readonly #lookups: Lookups;
  readonly #own: OwnAddresses;
  readonly #encapsulation: Encapsulation;
  readonly #echo: Echo;
  readonly #replies: Replies;
  readonly #portSets: PortSetPath;
  readonly #events: Events;
  readonly #worker: number;
  readonly #errors: Icmpv6Errors;
  readonly #refusals: GatewayRefusals;
  readonly #tunnelErrors: TunnelErrors;
  readonly #fragments: Fragments;
  readonly #pathMtus: PathMtus;
  readonly #walk = newWalk();
  readonly #parsed: Parsed = { k: 0, outer: 0, at: 0, softwire: 0, row: 0, ecn: 0, isWhole: false };

  constructor(parts: SlowPathParts) {
    this.#isGateway = parts.role === 'gateway';
    this.#softwires = parts.softwires;
    this.#lookups = new Lookups(parts.role, parts.table, parts.softwires);
    this.#own = parts.own;
    this.#encapsulation = parts.encapsulation;
    this.#echo = new Echo(parts.softwires, parts.pathMtus, parts.encapsulation);
    this.#replies = parts.replies;
    this.#events = parts.events;
    this.#worker = parts.worker;
    this.#errors = parts.errors;
    this.#refusals = parts.refusals;
    this.#tunnelErrors = parts.tunnelErrors;
    this.#fragments = parts.fragments;
    this.#pathMtus = parts.pathMtus;
    this.#portSets = new PortSetPath(parts.table, parts.softwires, parts.fragments, parts.gateways, parts.seed);
  }

  /** Decides packet `k`: leaves its verdict and instance, and the outputs. */
  decide(batch: Batch, k: number): void {
    const parsed = this.#parsed;
    parsed.k = k;
    parsed.at = batch.at[k] ?? 0;
    parsed.row = 0;
    parsed.isWhole = false;
    batch.violators[k] = 0;
    batch.instances[k] = this.#softwires.firstInstance();
    const len = batch.lengths[k] ?? 0;
    batch.verdicts[k] = batch.sides[k] === 4 ? this.#fromIpv4(batch, parsed, len) : this.#fromIpv6(batch, parsed, len);
    batch.rows[k] = parsed.row;
  }

  /** Whether the waiting of packets of earlier batches has ended. */
  isDue(nowMs: number): boolean {
    return this.#portSets.isDue(nowMs);
  }

  /** Decides the packets of earlier batches whose waiting ends now. */
  decideLate(batch: Batch): void {
    this.#portSets.endWaiting(batch);
    for (let i = 0; i < batch.late; i++) {
      const k = batch.capacity + i;
      if (batch.verdicts[k] === HELD) this.decide(batch, k);
    }
  }

  // From the IPv4 side ------------------------------------------------------------------------------------------------

  #fromIpv4(batch: Batch, packet: Parsed, len: number): number {
    const { buf } = batch;
    const { at } = packet;
    if (!ipv4.isIpv4(buf, at, len) || !ipv4.hasValidChecksum(buf, batch.words, at)) return DROP_MALFORMED_IPV4;
    const source = ipv4.source(buf, at);
    const destination = ipv4.destination(buf, at);
    packet.row = this.#lookups.rowOf(this.#isGateway ? source : destination);
    packet.softwire = this.#lookups.softwireOf(packet.row);
    if (packet.row === 0) packet.softwire = this.#softwireOfUnbound(destination);
    if (packet.softwire !== 0) batch.instances[packet.k] = this.#softwires.instance(packet.softwire);

    if (this.#isNoHost(source)) return DROP_MARTIAN_IPV4_SOURCE;
    if (this.#isNoHost(destination)) return DROP_MARTIAN_IPV4_DESTINATION;
    if (this.#wantsItsOwnRoute(buf, at, packet.softwire)) return DROP_SOURCE_ROUTE_OPTION;
    const own = this.#byIpv4Address(destination);
    if (own !== 0) return this.#toItself(batch, packet, own);
    if (packet.row === 0) {
      const found = this.#portSets.rowOf(batch, packet, BY_DESTINATION);
      if (found === 0) return this.#unknownIpv4(batch, packet, destination);
      if (found < 0) return -found;
      packet.row = found;
      packet.softwire = this.#lookups.softwireOf(found);
    }
    const instance = this.#softwires.instance(packet.softwire);
    if (this.#isGateway && this.#lookups.rowOfInstance(destination, instance) !== 0) {
      this.#replies.sendError(batch, packet.k, at, HOST_UNREACHABLE, 0, packet.softwire, NO_ROW);
      return DROP_LOOP_PREVENTED;
    }
    if (!this.#isGateway && this.#isDenied(buf, at, packet.softwire)) return DROP_ICMP_DENIED;
    if (ipv4.ttl(buf, at) === 0) return DROP_TTL_EXPIRED;
    const mtu = this.#pathMtus.payloadMtu(packet.softwire, packet.row, batch.nowMs);
    if (ipv4.isTooBig(buf, at, mtu)) return this.#tooBig(batch, packet, mtu, NO_ROW);
    this.#clampMss(buf, at, packet.softwire);
    return this.#encapsulation.send(batch, packet.k, at, packet.softwire, packet.row)
      ? FORWARDED
      : this.#encapsulation.refusal;
  }

  /** Whose packet it is when its address in the table has no row; 0 when nobody's. */
  #softwireOfUnbound(destination: number): number {
    if (!this.#isGateway) return this.#softwires.poolSoftwire(destination);
    return this.#lookups.softwireOf(this.#lookups.rowOf(destination));
  }

  /**
   * At an AFTR, an address that is bound to nothing: the source may be told (RFC 7596 §6.2). At a gateway, a packet that
   * came through the tunnel for an address that has no way inwards here, so that the kernel brought it back: it must not
   * go into the tunnel again, and its source, behind the tunnel, is told (RFC 1812 §5.2.7.1).
   */
  #unknownIpv4(batch: Batch, { k, at, softwire }: Parsed, destination: number): number {
    if (softwire === 0) return this.#isGateway ? DROP_OUTSIDE_SERVED_PREFIX : DROP_NO_INSTANCE;
    const back = this.#isGateway ? this.#lookups.rowOf(destination) : NO_ROW;
    this.#replies.sendUnbound(batch, k, at, softwire, back);
    return this.#isGateway ? DROP_LOOP_PREVENTED : DROP_NO_BINDING;
  }

  /** A packet from IPv4 to the instance's own address: echo is answered, nothing else is served here. */
  #toItself(batch: Batch, packet: Parsed, softwire: number): number {
    batch.instances[packet.k] = this.#softwires.instance(softwire);
    if (!this.#isGateway && this.#isDenied(batch.buf, packet.at, softwire)) return DROP_ICMP_DENIED;
    if (!answerIcmpv4Echo(batch.buf, packet.at)) return DROP_MARTIAN_IPV4_DESTINATION;
    batch.send(packet.k, packet.at, ipv4.totalLength(batch.buf, packet.at));
    return REPLIED;
  }

  /** Whether the packet is ICMP and the instance lets none in from the Internet (RFC 7596 §8.1). */
  #isDenied(buf: Uint8Array, at: number, softwire: number): boolean {
    return ipv4.protocol(buf, at) === ipv4.PROTOCOL_ICMP && this.#softwires.has(softwire, FLAG_DENY_ICMPV4);
  }

  /** Reports a payload MTU to the source, which is behind `backRow`. */
  #tooBig(batch: Batch, packet: Parsed, mtu: number, backRow: number): number {
    this.#replies.sendError(batch, packet.k, packet.at, FRAGMENTATION_NEEDED, mtu, packet.softwire, backRow);
    return DROP_TOO_BIG;
  }

  // From the IPv6 side ------------------------------------------------------------------------------------------------

  #fromIpv6(batch: Batch, packet: Parsed, len: number): number {
    const { buf } = batch;
    const outer = packet.at;
    if (!ipv6.isIpv6(buf, outer, len)) return DROP_MALFORMED_IPV6;
    const walk = this.#walk;
    walkExtensions(buf, outer, walk);
    const end = outer + ipv6.IPV6_HEADER_LEN + ipv6.payloadLength(buf, outer);
    packet.softwire = this.#softwires.byLocal(batch.words, (outer + ipv6.IPV6_DESTINATION) >> 2);
    if (packet.softwire !== 0) batch.instances[packet.k] = this.#softwires.instance(packet.softwire);
    const isIcmpv6 = walk.nextHeader === ipv6.NEXT_HEADER_ICMPV6 && walk.at < end;
    if (isIcmpv6 && isLinkMessage(buf, walk.at)) return DROP_LINK_LAYER_NOISE;
    if (packet.softwire === 0) return DROP_NOT_FOR_US;
    if (ipv6.isMartianSource(buf, outer + ipv6.IPV6_SOURCE)) return DROP_MARTIAN_OUTER_SOURCE;
    if (walk.end === WALK_FRAGMENT && !packet.isWhole) return this.#fragment(batch, packet, end);
    if (walk.end !== WALK_DONE) return this.#unfitHeaders(batch, packet, WALK_DROPS[walk.end] ?? DROP_MALFORMED_IPV6);
    if (walk.nextHeader === ipv6.NEXT_HEADER_IPV4) return this.#inner(batch, packet, outer, walk.at, end - walk.at);
    if (isIcmpv6) return this.#icmpv6(batch, packet, outer, walk.at, end - walk.at, packet.isWhole);
    return this.#unfitHeaders(batch, packet, DROP_UNSUPPORTED_NEXT_HEADER);
  }

  #unfitHeaders(batch: Batch, packet: Parsed, drop: number): number {
    this.#errors.aboutHeaders(batch, packet.k, packet.at, packet.softwire, this.#walk);
    return drop;
  }

  /** A fragment of a tunnel packet: with the last one, the whole goes on as any other. */
  #fragment(batch: Batch, packet: Parsed, end: number): number {
    const { k, at, softwire } = packet;
    if (this.#isGateway && !this.#lookups.comesFromAftr(batch.words, at, softwire)) return DROP_WRONG_AFTR;
    const verdict = this.#fragments.add(batch, k, at, end, this.#walk, softwire);
    packet.isWhole = verdict === COMPLETE;
    return packet.isWhole ? this.#fromIpv6(batch, packet, this.#fragments.length) : verdict;
  }

  /** ICMPv6 to the tunnel address: echo is answered (RFC 4443 §4.2), an error may be about one of our packets. */
  #icmpv6(
    batch: Batch,
    { k, softwire }: Parsed,
    outer: number,
    message: number,
    len: number,
    isWhole: boolean,
  ): number {
    if (!isIcmpv6EchoRequest(batch.buf, outer, message, len)) {
      return this.#tunnelErrors.take(batch, k, outer, message, len, softwire);
    }
    return this.#echo.answer(batch, k, outer, message, len, softwire, isWhole) ? REPLIED : DROP_WRITE_FAILED;
  }

  /** The inner packet at `at`, `len` octets at most, of the IPv6 packet at `outer`. */
  #inner(batch: Batch, packet: Parsed, outer: number, at: number, len: number): number {
    const { buf } = batch;
    packet.at = at;
    packet.outer = outer;
    if (!ipv4.isIpv4(buf, at, len) || !ipv4.hasValidChecksum(buf, batch.words, at)) return DROP_MALFORMED_IPV4;
    batch.inners[packet.k] = at;
    const source = ipv4.source(buf, at);
    if (this.#isNoHost(source) || this.#byIpv4Address(source) !== 0 || this.#own.isHost(source)) {
      return DROP_MARTIAN_IPV4_SOURCE;
    }
    if (this.#isNoHost(ipv4.destination(buf, at))) return DROP_MARTIAN_IPV4_DESTINATION;
    if (this.#wantsItsOwnRoute(buf, at, packet.softwire)) return DROP_SOURCE_ROUTE_OPTION;
    packet.ecn = decapsulatedEcn(ipv4.tos(buf, at), ipv6.trafficClass(buf, outer));
    return this.#isGateway ? this.#atGateway(batch, packet) : this.#atAftr(batch, packet);
  }

  /** RFC 7596 §5.2: from the AFTR, to an end device of this gateway. */
  #atGateway(batch: Batch, packet: Parsed): number {
    const { buf, words } = batch;
    if (!this.#lookups.comesFromAftr(words, packet.outer, packet.softwire)) return DROP_WRONG_AFTR;
    const destination = ipv4.destination(buf, packet.at);
    const instance = this.#softwires.instance(packet.softwire);
    const isOwn = destination === this.#softwires.ipv4Address(packet.softwire);
    packet.row = this.#lookups.rowOfInstance(destination, instance);
    if (packet.row === 0) {
      if (this.#lookups.rowOf(destination) !== 0) return DROP_ENDPOINT_MISMATCH;
      if (!isOwn) return DROP_OUTSIDE_SERVED_PREFIX;
    }
    if (this.#lookups.rowOfInstance(ipv4.source(buf, packet.at), instance) !== 0) return DROP_LOOP_PREVENTED;
    if (!this.#passesEcn(packet, instance)) return DROP_ECN;
    if (this.#isDenied(buf, packet.at, packet.softwire)) return DROP_ICMP_DENIED;
    return isOwn ? this.#throughTunnelToItself(batch, packet) : this.#toIpv4(batch, packet);
  }

  /** RFC 7596 §6.2: from the gateway that the inner source is bound to, and to the tunnel address of that binding. */
  #atAftr(batch: Batch, packet: Parsed): number {
    const { buf } = batch;
    const destination = ipv4.destination(buf, packet.at);
    const from = this.#lookups.rowOf(ipv4.source(buf, packet.at)) || this.#portSets.rowOf(batch, packet, BY_SOURCE);
    if (from === 0 || from === -DROP_NO_BINDING) return this.#refusals.refuse(batch, packet, DROP_UNBOUND_SOURCE);
    if (from === -DROP_SOURCE_MISMATCH) return this.#refusals.refuse(batch, packet, DROP_SOURCE_MISMATCH);
    if (from < 0) return -from;
    packet.row = from;
    if (!this.#lookups.comesFrom(batch.words, packet.outer, packet.row)) {
      return this.#refusals.refuse(batch, packet, DROP_SOURCE_MISMATCH);
    }
    if (this.#lookups.softwireOf(packet.row) !== packet.softwire) return DROP_ENDPOINT_MISMATCH;
    const isOwn = destination === this.#softwires.ipv4Address(packet.softwire);
    const ends = isOwn || (packet.ecn & ECN_DROP) !== 0;
    const other = ends ? 0 : this.#lookups.rowOf(destination) || this.#portSets.rowOf(batch, packet, BY_DESTINATION);
    // What waits is decided again, and its marks are counted then.
    if (other === -HELD) return HELD;
    if (!this.#passesEcn(packet, this.#softwires.instance(packet.softwire))) return DROP_ECN;
    if (isOwn) return this.#throughTunnelToItself(batch, packet);
    if (other === 0) return this.#toIpv4(batch, packet);
    if (other < 0) return -other;
    if (this.#lookups.sameRemote(packet.row, other)) return DROP_SAME_GATEWAY;
    if (!this.#mayTurn(packet.softwire) || !this.#mayTurn(this.#lookups.softwireOf(other)))
      return DROP_HAIRPIN_DISABLED;
    return this.#hairpin(batch, packet, other);
  }

  /** Whether the AFTR of a softwire connects gateways: to each other, and to those of others. */
  #mayTurn(softwire: number): boolean {
    return this.#softwires.has(softwire, FLAG_HAIRPINNING);
  }

  /** Echo to the instance's own address is answered through the tunnel; anything else is for the kernel. */
  #throughTunnelToItself(batch: Batch, packet: Parsed): number {
    const { buf } = batch;
    const { k, at, row, softwire } = packet;
    if (row !== 0 && answerIcmpv4Echo(buf, at)) {
      return this.#encapsulation.send(batch, k, at, softwire, row) ? REPLIED : this.#encapsulation.refusal;
    }
    this.#carryTrafficClass(buf, packet);
    batch.send(k, at, ipv4.totalLength(buf, at));
    return FORWARDED;
  }

  /** Out to IPv4. Linux takes one from the TTL and cuts what may be cut; its ICMP errors would not find back into the tunnel. */
  #toIpv4(batch: Batch, packet: Parsed): number {
    const { buf } = batch;
    const { k, at, softwire } = packet;
    const len = ipv4.totalLength(buf, at);
    if (ipv4.ttl(buf, at) <= 1) return this.#ttlExpired(batch, packet);
    const egressMtu = this.#softwires.egressMtu(softwire);
    if (len > egressMtu && ipv4.dontFragment(buf, at)) return this.#tooBig(batch, packet, egressMtu, packet.row);
    this.#carryTrafficClass(buf, packet);
    this.#clampMss(buf, at, softwire);
    batch.send(k, at, len);
    return FORWARDED;
  }

  /** From one gateway to another (RFC 7596 §6.2): the one hop that Linux does not see, so the TTL is taken here. */
  #hairpin(batch: Batch, packet: Parsed, other: number): number {
    const { buf } = batch;
    const { k, at } = packet;
    const target = this.#lookups.softwireOf(other);
    if (ipv4.ttl(buf, at) <= 1) return this.#ttlExpired(batch, packet);
    const mtu = this.#pathMtus.payloadMtu(target, other, batch.nowMs);
    if (ipv4.isTooBig(buf, at, mtu)) return this.#tooBig(batch, packet, mtu, packet.row);
    this.#carryTrafficClass(buf, packet);
    ipv4.setTtl(buf, at, ipv4.ttl(buf, at) - 1);
    this.#clampMss(buf, at, packet.softwire);
    this.#clampMss(buf, at, target);
    batch.otherRows[k] = other;
    return this.#encapsulation.send(batch, k, at, target, other) ? HAIRPINNED : this.#encapsulation.refusal;
  }

  #ttlExpired(batch: Batch, packet: Parsed): number {
    this.#replies.sendError(batch, packet.k, packet.at, TTL_EXCEEDED, 0, packet.softwire, packet.row);
    return DROP_TTL_EXPIRED;
  }

  /** RFC 6040 §4.2: false for a packet whose mark would be lost. What the figure marks (!!!) is noted for the log. */
  #passesEcn(packet: Parsed, instance: number): boolean {
    if ((packet.ecn & ECN_ANOMALY) !== 0) this.#events.countEcnAnomaly(this.#worker, instance);
    packet.ecn &= ~ECN_ANOMALY;
    return packet.ecn !== ECN_DROP;
  }

  /** The inner TOS as it leaves: ECN by RFC 6040, DSCP of the outer header unless in pipe mode (RFC 2983 §3). */
  #carryTrafficClass(buf: Uint8Array, packet: Parsed): void {
    const tos = ipv4.tos(buf, packet.at);
    const dscp = this.#softwires.isPipe(packet.softwire) ? tos : ipv6.trafficClass(buf, packet.outer);
    const leaving = (dscp & 0xfc) | packet.ecn;
    if (leaving !== tos) ipv4.setTos(buf, packet.at, leaving);
  }

  /** Lowers the segment size in the TCP SYN at `at` to what the softwire is configured for (RFC 4459 §3.2). */
  #clampMss(buf: Uint8Array, at: number, softwire: number): void {
    const most = this.#softwires.mssClamp(softwire);
    if (most === 0 || ipv4.protocol(buf, at) !== ipv4.PROTOCOL_TCP || ipv4.fragmentOffset(buf, at) !== 0) return;
    const header = ipv4.headerLength(buf, at);
    clampMss(buf, at + header, ipv4.totalLength(buf, at) - header, most);
  }

  // Addresses ---------------------------------------------------------------------------------------------------------

  /** Whether an address can be no host's: martian, or the broadcast address of a link here (RFC 1812 §5.3.7). */
  #isNoHost(address: number): boolean {
    return isMartianIpv4(address) || this.#own.isBroadcast(address);
  }

  /** The softwire of the instance that has this ipv4-address; 0 when none has. */
  #byIpv4Address(address: number): number {
    return this.#own.isInstance(address) ? this.#softwires.byIpv4Address(address) : 0;
  }

  /** RFC 7126 §4.3, §4.4: source routes are dropped unless the instance is told to let them pass. */
  #wantsItsOwnRoute(buf: Uint8Array, at: number, softwire: number): boolean {
    return ipv4.hasSourceRoute(buf, at) && !this.#softwires.has(softwire, FLAG_SOURCE_ROUTES);
  }
}
