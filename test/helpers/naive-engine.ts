/**
 * The engine a second time, slow and obvious: one packet after the other, every rule where the RFC has it, linear search for
 * the longest match, a new buffer for what leaves. It shares nothing with src/datapath, so that a fault of the one is none of the
 * other. It says how a packet ends, what leaves and for whom it counts; why a packet is dropped is left to the engine's own cases.
 */

import { inIpv4Prefix } from '../../src/address.ts';
import type { RowStep } from './naive-counts.ts';
import { NaiveCounts } from './naive-counts.ts';
import { decapsulated, encapsulate, outerLength } from './naive-encapsulation.ts';
import type { Inner } from './naive-ipv4.ts';
import { echoReply, hasSourceRoute, isDontFragment, readInner, withMssClamped, withTtl } from './naive-ipv4.ts';
import type { OuterFragment, Walk } from './naive-ipv6.ts';
import { echoReply6, mayBeSource, passExtensions, putTogether, readFragment } from './naive-ipv6.ts';
import type { Amount, NaiveAnswer, NaiveDecision, NaiveInstance, NaiveLead, NaiveTable } from './naive-model.ts';
import { DROPPED, HELD } from './naive-model.ts';
import { NaivePathMtus } from './naive-path-mtus.ts';
import { NaivePortFragments } from './naive-port-fragments.ts';
import { portSetOf, portsOf } from './naive-port-sets.ts';
import { NaiveReassembly } from './naive-reassembly.ts';
import { naiveTunnelError } from './naive-tunnel-errors.ts';

/** RFC 8200 §4.5. */
const REASSEMBLY_MS = 60_000;

/** A packet on its way: as it came, and what is known of the tunnel packet it came in. */
interface Arrival {
  readonly packet: Buffer;
  readonly nowMs: number;
  /** What came. */
  readonly received: Readonly<Amount>;
  /** Of the IPv6 side. */
  readonly source?: Buffer;
  /** It was put together from fragments, and is none again. */
  readonly isWhole: boolean;
}

/** Where an address leads: to a row, to nothing here; or the address is shared, and the port is nobody's or not to be seen. */
type Found = NaiveLead | 'nowhere' | 'nobody' | 'no-port' | 'waits';

export class NaiveEngine {
  readonly counts = new NaiveCounts();
  readonly #isGateway: boolean;
  #table: NaiveTable = { instances: [], rows: [], shared: [], broadcasts: [], hosts: [] };
  readonly #reassembly = new NaiveReassembly<OuterFragment>(REASSEMBLY_MS);
  readonly #portFragments = new NaivePortFragments();
  readonly #pathMtus = new NaivePathMtus();

  constructor(role: 'gateway' | 'aftr') {
    this.#isGateway = role === 'gateway';
  }

  /** From now on; by single rows, or all in one moment. */
  follow(table: NaiveTable, steps?: readonly RowStep[]): void {
    const isOn = ({ instance }: { readonly instance: NaiveInstance }): boolean => instance.isEnabled;
    const [rows, shared] = [table.rows.filter(isOn), table.shared.filter(isOn)];
    const instances = table.instances.filter(({ isEnabled }) => isEnabled);
    // The longest first: the first that holds an address is the longest match, of gateways that share it the first one.
    const place = ({ instance }: { readonly instance: NaiveInstance }): number => table.instances.indexOf(instance);
    const longestFirst = rows.toSorted((a, b) => b.prefix.length - a.prefix.length || place(a) - place(b));
    this.#table = { ...table, instances, shared, rows: longestFirst };
    if (steps) this.counts.step(steps.filter(({ row }) => isOn(row)));
    else this.counts.follow({ ...table, rows, shared });
    this.#pathMtus.keepOnly(instances);
  }

  /** What waits for other fragments. */
  get held(): Amount {
    const { held } = this.#reassembly;
    const waiting = this.#portFragments.waiting;
    return {
      packets: waiting.reduce((sum, { amount }) => sum + amount.packets, held.packets),
      octets: waiting.reduce((sum, { amount }) => sum + amount.octets, held.octets),
    };
  }

  /** How much is kept: tunnel packets that are not whole, packets whose ports are known, fragments that wait for ports. */
  get kept(): readonly [datagrams: number, known: number, waiting: number] {
    return [this.#reassembly.size, this.#portFragments.known, this.#portFragments.waiting.length];
  }

  /** Time has gone on. */
  expire(nowMs: number): void {
    this.#reassembly.expire(nowMs);
    this.#portFragments.forget(nowMs);
  }

  decide(packet: Buffer, nowMs: number): NaiveDecision {
    return this.#decide(packet, nowMs, { packets: 1, octets: packet.length });
  }

  /** After some packets: fragments whose waiting has ended. */
  decideLate(nowMs: number): NaiveDecision[] {
    return this.#portFragments.end(nowMs).map(({ fragment: { packet, amount }, isLate }) => {
      if (!isLate) return this.#decide(packet, nowMs, amount);
      return { ...DROPPED, packet, side: sideOf(packet), amount, source: undefined };
    });
  }

  #decide(packet: Buffer, nowMs: number, received: Readonly<Amount>): NaiveDecision {
    const side = sideOf(packet);
    const before = this.#reassembly.gathered;
    const arrival = { packet, nowMs, received, isWhole: false };
    const answer = side === 4 ? this.#fromIpv4(arrival) : this.#fromIpv6(arrival);
    const amount = this.#reassembly.gathered === before ? received : sum(received, this.#reassembly.gathered);
    return { ...answer, packet, side, amount, source: packet.length < 40 ? undefined : packet.subarray(8, 24) };
  }

  // From IPv4 ---------------------------------------------------------------------------------------------------------

  #fromIpv4(arrival: Arrival): NaiveAnswer {
    const inner = this.#read(arrival.packet);
    if (!inner) return DROPPED;
    const end = this.#isGateway ? 'source' : 'destination';
    if (!this.#mayChooseRoute(inner, this.#rowOf(inner[end])?.instance ?? this.#instanceWithPool(inner.destination))) {
      return DROPPED;
    }
    const own = this.#table.instances.find(({ ipv4Address }) => ipv4Address !== 0 && ipv4Address === inner.destination);
    if (own) return this.#answerEcho(inner, own);
    const lead = this.#leadOf(end, inner, arrival);
    if (lead === 'waits') return HELD;
    if (typeof lead === 'string') return DROPPED;
    if (this.#isGateway && this.#servedBy(lead.instance, inner.destination)) return DROPPED;
    if (!this.#isGateway && isDenied(inner, lead.instance)) return DROPPED;
    if (inner.ttl === 0) return DROPPED;
    return this.#through(lead, inner.octets, arrival.nowMs, { end: 'forwarded', to: lead });
  }

  /** At the address of an instance nothing but echo is served to the Internet. */
  #answerEcho(inner: Inner, own: NaiveInstance): NaiveAnswer {
    if (!this.#isGateway && isDenied(inner, own)) return DROPPED;
    const reply = echoReply(inner);
    return reply ? { end: 'replied', out: [reply] } : DROPPED;
  }

  // From the tunnel ---------------------------------------------------------------------------------------------------

  #fromIpv6(arrived: Arrival): NaiveAnswer {
    const { packet, nowMs, isWhole } = arrived;
    if (packet.length < 40 || (packet[0] ?? 0) >> 4 !== 6 || packet.readUInt16BE(4) > packet.length - 40)
      return DROPPED;
    const whole = packet.subarray(0, 40 + packet.readUInt16BE(4));
    const [source, local] = [whole.subarray(8, 24), whole.subarray(24, 40)];
    const instance = this.#table.instances.find(({ locals }) => locals.some((address) => address.equals(local)));
    if (!instance || !mayBeSource(source)) return DROPPED;
    const walk = passExtensions(whole, { nextHeader: whole[6] ?? 0, at: 40, link: 6 });
    if (walk.stop === 'fragment' && !isWhole) return this.#fragment(whole, instance, walk, arrived);
    if (walk.stop !== 'end') return DROPPED;
    if (walk.nextHeader === 58) {
      const reply = echoReply6(whole, walk.at, isWhole, outerLength(instance) + instance.payloadMtu);
      return reply ?? this.#tunnelError(whole, walk.at, instance, nowMs);
    }
    const inner = walk.nextHeader === 4 ? this.#read(whole.subarray(walk.at)) : undefined;
    if (!inner || this.#table.instances.some(({ ipv4Address }) => ipv4Address === inner.source)) return DROPPED;
    if (this.#table.hosts.includes(inner.source)) return DROPPED;
    if (!this.#mayChooseRoute(inner, instance)) return DROPPED;
    const leaving = decapsulated(whole, inner, instance);
    const arrival = { ...arrived, packet: whole, source };
    return this.#isGateway
      ? this.#atGateway(instance, arrival, inner, leaving)
      : this.#atAftr(instance, local, arrival, inner, leaving);
  }

  #fragment(packet: Buffer, instance: NaiveInstance, walk: Walk, arrived: Arrival): NaiveAnswer {
    if (this.#isGateway && !instance.remote?.equals(packet.subarray(8, 24))) return DROPPED;
    const fragment = readFragment(packet, walk);
    if (!fragment) return DROPPED;
    const key = packet.toString('hex', 8, 40) + packet.toString('hex', walk.at + 4, walk.at + 8);
    const limits = { ...instance, instance: instance.name, source: packet.toString('hex', 8, 24) };
    const whole = this.#reassembly.add(arrived.nowMs, key, fragment, arrived.received.octets, limits);
    if (whole === 'held') return HELD;
    const together = whole === 'dropped' ? undefined : putTogether(whole);
    const received = sum(arrived.received, this.#reassembly.gathered);
    return together ? this.#fromIpv6({ ...arrived, packet: together, received, isWhole: true }) : DROPPED;
  }

  /** RFC 7596 §5.2. */
  #atGateway(instance: NaiveInstance, arrival: Arrival, inner: Inner, leaving: Buffer | undefined): NaiveAnswer {
    const { source, nowMs } = arrival;
    if (!source || !instance.remote?.equals(source) || !leaving) return DROPPED;
    const row = this.#servedBy(instance, inner.destination);
    if (!row && this.#rowOf(inner.destination)) return DROPPED;
    if (this.#servedBy(instance, inner.source) || isDenied(inner, instance)) return DROPPED;
    if (inner.destination === instance.ipv4Address) return this.#toItself(inner, leaving, row, nowMs);
    return row ? toIpv4(leaving, instance, undefined) : DROPPED;
  }

  /** RFC 7596 §6.2. */
  #atAftr(
    instance: NaiveInstance,
    local: Buffer,
    arrival: Arrival,
    inner: Inner,
    leaving: Buffer | undefined,
  ): NaiveAnswer {
    const lead = this.#leadOf('source', inner, arrival);
    if (lead === 'waits') return HELD;
    if (lead === 'no-port') return DROPPED;
    const isBound = typeof lead !== 'string' && arrival.source && lead.remote.equals(arrival.source);
    if (!isBound) return { ...DROPPED, violated: instance };
    if (!lead.local.equals(local) || !leaving) return DROPPED;
    if (inner.destination === instance.ipv4Address) return this.#toItself(inner, leaving, lead, arrival.nowMs);
    const other = this.#leadOf('destination', inner, arrival);
    if (other === 'waits') return HELD;
    if (other === 'nowhere') return toIpv4(leaving, instance, lead);
    if (typeof other === 'string' || other.remote.equals(lead.remote) || !instance.isHairpinning) return DROPPED;
    if (!other.instance.isHairpinning) return DROPPED;
    if ((leaving[8] ?? 0) <= 1) return DROPPED;
    const clamped = withMssClamped(leaving, instance.mssClamp);
    const turned = withTtl(clamped, (leaving[8] ?? 0) - 1);
    return this.#through(other, turned, arrival.nowMs, { end: 'hairpinned', from: lead, to: other });
  }

  /** To the instance's own address through the tunnel: echo is answered, all else is for the kernel. */
  #toItself(inner: Inner, leaving: Buffer, lead: NaiveLead | undefined, nowMs: number): NaiveAnswer {
    const reply = lead && echoReply(inner);
    if (!reply) return { end: 'forwarded', out: [leaving], from: lead };
    // A packet of its own may be cut, whatever was asked for the packet that it answers.
    const payloadMtu = this.#pathMtus.payloadMtu(lead, nowMs);
    if (reply.length > payloadMtu && !lead.instance.cutsOuter) return DROPPED;
    return { end: 'replied', out: encapsulate(reply, lead, payloadMtu), from: lead };
  }

  #tunnelError(packet: Buffer, at: number, instance: NaiveInstance, nowMs: number): NaiveAnswer {
    const find = (address: number, port: number | undefined): NaiveLead | undefined => {
      const shared = this.#table.shared.find((one) => one.address === address);
      if (!shared) return this.#rowOf(address);
      return port === undefined ? undefined : portSetOf(shared, port);
    };
    const { instances, broadcasts } = this.#table;
    const pathMtus = this.#pathMtus;
    const parts = { isGateway: this.#isGateway, instances, instance, find, pathMtus, nowMs, broadcasts };
    return naiveTunnelError(packet, at, parts);
  }

  /** Through the tunnel, in fragments where it has to be and may be (RFC 2473 §7.2). */
  #through(lead: NaiveLead, inner: Buffer, nowMs: number, answer: Omit<NaiveAnswer, 'out'>): NaiveAnswer {
    const payloadMtu = this.#pathMtus.payloadMtu(lead, nowMs);
    if (inner.length > payloadMtu && (isDontFragment(inner) || !lead.instance.cutsOuter)) return DROPPED;
    // No length field tells of more, however it is cut.
    if (outerLength(lead.instance) - 40 + inner.length > 65_535) return DROPPED;
    return { ...answer, out: encapsulate(withMssClamped(inner, lead.instance.mssClamp), lead, payloadMtu) };
  }

  // Addresses ---------------------------------------------------------------------------------------------------------

  #read(packet: Buffer): Inner | undefined {
    const inner = readInner(packet);
    const { broadcasts } = this.#table;
    return inner && !broadcasts.includes(inner.source) && !broadcasts.includes(inner.destination) ? inner : undefined;
  }

  #mayChooseRoute(inner: Inner, instance: NaiveInstance | undefined): boolean {
    return !hasSourceRoute(inner) || instance?.passesSourceRoutes === true;
  }

  #rowOf(address: number): NaiveLead | undefined {
    return this.#table.rows.find(({ prefix }) => inIpv4Prefix(address, prefix));
  }

  /** Of gateways that serve the same address, what leads through this one. */
  #servedBy(instance: NaiveInstance, address: number): NaiveLead | undefined {
    return this.#table.rows.find((row) => row.instance === instance && inIpv4Prefix(address, row.prefix));
  }

  /** Whose an address is to which no row leads: of an AFTR by its pools; of a gateway, that which serves it. */
  #instanceWithPool(address: number): NaiveInstance | undefined {
    if (this.#isGateway) return this.#rowOf(address)?.instance;
    return this.#table.instances.find(({ pools }) => pools.some((pool) => inIpv4Prefix(address, pool)));
  }

  /** Where one end of a packet leads, by its port where it is shared (RFC 7597 §8.3.2 for fragments). */
  #leadOf(end: 'source' | 'destination', inner: Inner, arrival: Arrival): Found {
    const address = inner[end];
    const shared = this.#table.shared.find((one) => one.address === address);
    if (!shared) return this.#rowOf(address) ?? 'nowhere';
    const { octets, protocol, source, destination, fragmentOffset, moreFragments } = inner;
    const outer = arrival.source?.toString('hex') ?? 'ipv4';
    const key = [source, destination, octets.readUInt16BE(4), protocol, outer].join();
    if (fragmentOffset !== 0) {
      const known = this.#portFragments.find(key, arrival.nowMs);
      if (known) return portSetOf(shared, known[end]) ?? 'nobody';
      if (arrival.source && !this.#isGatewayAt(arrival.packet.subarray(24, 40), arrival.source)) return 'nobody';
      return this.#wait(key, inner, arrival);
    }
    const ports = portsOf(inner);
    if (!ports) return 'no-port';
    // An error is about a packet from who gets it, or to who sends it.
    const [quotedSource, quotedDestination] = ports.quoted ?? [destination, source];
    if (end === 'source' ? quotedDestination !== source : quotedSource !== destination) return 'no-port';
    if (moreFragments) this.#portFragments.learn(key, ports, arrival.nowMs);
    return portSetOf(shared, ports[end]) ?? 'nobody';
  }

  /** Whether any binding of the instance with this tunnel address leads to the gateway: who waits may be one. */
  #isGatewayAt(local: Buffer, gateway: Buffer): boolean {
    const leads = [...this.#table.rows, ...this.#table.shared.flatMap(({ portSets }) => portSets)];
    return leads.some(
      ({ instance, remote }) => remote.equals(gateway) && instance.locals.some((address) => address.equals(local)),
    );
  }

  /** What stood before and behind the inner packet is not needed again. */
  #wait(key: string, inner: Inner, { packet, nowMs, received: amount, source }: Arrival): Found {
    if (!source) this.#portFragments.wait({ key, since: nowMs, packet: inner.octets, amount });
    else {
      const outer = Buffer.from(packet.subarray(0, 40));
      outer.writeUInt16BE(inner.octets.length, 4);
      outer[6] = 4;
      this.#portFragments.wait({ key, since: nowMs, packet: Buffer.concat([outer, inner.octets]), amount });
    }
    return 'waits';
  }
}

function sum(one: Readonly<Amount>, other: Readonly<Amount>): Amount {
  return { packets: one.packets + other.packets, octets: one.octets + other.octets };
}

function sideOf(packet: Buffer): 4 | 6 {
  return (packet[0] ?? 0) >> 4 === 4 ? 4 : 6;
}

/** RFC 7596 §8.1. */
function isDenied({ protocol }: Inner, { deniesIcmp }: NaiveInstance): boolean {
  return deniesIcmp && protocol === 1;
}

/** Out to IPv4: not with its last hop, and not when the links are too small for it and it may not be cut. */
function toIpv4(leaving: Buffer, { egressMtu, mssClamp }: NaiveInstance, from: NaiveLead | undefined): NaiveAnswer {
  if ((leaving[8] ?? 0) <= 1 || (leaving.length > egressMtu && isDontFragment(leaving))) return DROPPED;
  return { end: 'forwarded', out: [withMssClamped(leaving, mssClamp)], from };
}
