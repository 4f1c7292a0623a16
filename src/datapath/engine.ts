/**
 * What happens to packets: the gateway and the AFTR as functions over a batch and the table.
 *
 *   1. addresses of every packet are looked up in stages over the whole batch, so that cache misses of different packets
 *      overlap (one pass over a million bindings costs 196 ns a packet, stages 54 to 64 ns)
 *   2. a plain good packet takes the fast path: header checks, source check, outer header on or off
 *   3. anything else takes the slow path (slow-path.ts), which decides by the same rules from the beginning
 *   4. when too much junk takes it (slow-budget.ts), what is plainly junk is dropped without it (junk.ts)
 *
 * Both roles are one: a table row names the IPv6 address of the other end and the softwire to it. They differ in which
 * IPv4 address is looked up:
 *
 *                 from IPv4      from IPv6
 *     gateway     source         inner destination     in a served prefix
 *     AFTR        destination    inner source          in a binding
 *
 * The other address is looked up too: when it leads to a row, the packet would turn round (hairpin, loop), and the slow
 * path decides. Linux forwards what comes from and goes to the TUN and takes one from the TTL; the engine does so only
 * when it hairpins.
 */

import type { Batch } from './batch.ts';
import { decapsulatedEcn, ECN_DROP } from './ecn.ts';
import { Encapsulation } from './encapsulation.ts';
import { Events } from './events.ts';
import type { FragmentMemory } from './fragments.ts';
import { Fragments } from './fragments.ts';
import { GatewayIndex } from './gateway-index.ts';
import { GatewayRefusals } from './gateway-refusals.ts';
import { IcmpBudget } from './icmp-budget.ts';
import { Icmpv6Errors } from './icmpv6-errors.ts';
import { Identifications } from './identifications.ts';
import { Junk } from './junk.ts';
import {
  BLOCK_SHIFT,
  EGRESS_MTU_MASK,
  FLAG_DENY_ICMPV4,
  FLAG_ENCAPSULATION_LIMIT,
  FLAG_MSS_CLAMP,
  FLAG_PIPE,
  ROW_SHIFT,
  ROW_SOFTWIRE,
  SOFTWIRE_FLAGS,
  SOFTWIRE_INSTANCE,
  SOFTWIRE_LOCAL,
  SOFTWIRE_MASK,
  SOFTWIRE_PAYLOAD_MTU,
  SOFTWIRE_SHIFT,
  SOFTWIRE_SIZES,
} from './layout.ts';
import { sameFourWords } from './memory.ts';
import { ANY_OWN, NO_HOSTS, OwnAddresses, touchesOwn } from './own-addresses.ts';
import { PathMtus } from './path-mtus.ts';
import { DESTINATION_WORD, isPlainIpv4, isPlainOuter, OUTER_LEN, OUTER_WORDS, SOURCE_WORD } from './plain.ts';
import { portSetRow } from './port-sets.ts';
import { plainPort } from './ports.ts';
import { Replies } from './replies.ts';
import type { RowStatisticsMemory } from './row-statistics.ts';
import { SlowBudget } from './slow-budget.ts';
import { SlowPath } from './slow-path.ts';
import { Softwires } from './softwires.ts';
import { SourceRefusals } from './source-refusals.ts';
import type { TableMemory } from './table.ts';
import { TableReader } from './table.ts';
import { TunnelErrors } from './tunnel-errors.ts';
import { FORWARDED } from './verdict.ts';
import { ViolationLog } from './violation-log.ts';
import { Violations } from './violations.ts';
import { PROTOCOL_ICMP, PROTOCOL_TCP, setTos } from './wire/ipv4.ts';

export type Role = 'gateway' | 'aftr';

/** What an engine reads and others write. */
export interface EngineMemory {
  readonly role: Role;
  readonly table: TableMemory;
  readonly softwires: SharedArrayBuffer;
  readonly ownAddresses: SharedArrayBuffer;
  readonly events: SharedArrayBuffer;
  readonly workers: number;
  readonly icmpBudget: SharedArrayBuffer;
  readonly pathMtus: SharedArrayBuffer;
  readonly sourceRefusals: SharedArrayBuffer;
  readonly violations: SharedArrayBuffer;
  /** Random, the same for all workers of a role. */
  readonly seed: number;
  /** Random, IDENTIFICATION_KEY_LEN octets. */
  readonly identificationKey: Uint8Array;
  readonly fragments: FragmentMemory;
  /** At an AFTR. */
  readonly statistics: RowStatisticsMemory | undefined;
}

/** Word of the TCP flags, behind an IPv4 header without options, and the flag in their octet. */
const TCP_FLAGS_WORD = 8;
const SYN = 2;
export class Engine {
  readonly #isGateway: boolean;
  readonly #table: TableReader;
  readonly #softwires: Softwires;
  readonly #pathMtus: PathMtus;
  readonly #encapsulation: Encapsulation;
  readonly #slowPath: SlowPath;
  readonly #junk: Junk;
  readonly #slowBudget: SlowBudget;
  readonly #own: OwnAddresses;
  /** For the worker: what goes between workers, and when time is over. */
  readonly fragments: Fragments;
  /** Whether some softwire does more to a good packet than the fast path does; looked at once a batch. */
  #isSpecial = false;
  /** Whether an instance does not let ICMPv4 in; looked at once a batch. */
  #deniesIcmp = false;
  /** One of the two. */
  #asksMore = false;
  /** Looked-up addresses of a batch as words of the packet: the address in the table, and the other one. */
  readonly #keys: Int32Array;
  readonly #otherKeys: Int32Array;
  /** Softwire of each row. */
  readonly #softwireOf: Int32Array;

  /** For batches of up to `capacity` packets, in worker number `worker`. */
  constructor(memory: EngineMemory, capacity: number, worker: number) {
    this.#isGateway = memory.role === 'gateway';
    this.#table = new TableReader(memory.table);
    this.#softwires = new Softwires(memory.softwires);
    const { seed } = memory;
    this.#own = new OwnAddresses(memory.ownAddresses);
    this.#pathMtus = new PathMtus(this.#softwires, this.#table.rows, seed, memory.pathMtus);
    const identifications = new Identifications(memory.identificationKey, worker);
    this.#encapsulation = new Encapsulation(this.#softwires, this.#table.rows, this.#pathMtus, seed, identifications);
    const budget = new IcmpBudget(seed, memory.icmpBudget);
    const gateways = gatewaysOf(memory, this.#table);
    const errors = new Icmpv6Errors(this.#softwires, budget, gateways);
    this.fragments = new Fragments(memory.fragments, this.#softwires, errors, worker, gateways);
    const violations = new Violations(memory.statistics, this.#table.rows, capacity);
    const refusals = new GatewayRefusals({
      softwires: this.#softwires,
      errors,
      log: new ViolationLog(memory.workers, seed, memory.violations),
      violations,
      worker,
    });
    const replies = new Replies(memory.role, this.#table, this.#softwires, this.#encapsulation, budget, this.#own);
    this.#slowBudget = new SlowBudget(seed);
    this.#junk = new Junk(memory.role, this.#table, this.#softwires, this.#own, {
      violations,
      replies,
      budget,
    });
    this.#slowPath = this.#newSlowPath(memory, worker, replies, errors, refusals, gateways);
    this.#keys = new Int32Array(capacity);
    this.#otherKeys = new Int32Array(capacity);
    this.#softwireOf = new Int32Array(capacity);
  }

  #newSlowPath(
    memory: EngineMemory,
    worker: number,
    replies: Replies,
    errors: Icmpv6Errors,
    refusals: GatewayRefusals,
    gateways: GatewayIndex | undefined,
  ): SlowPath {
    const { role, seed } = memory;
    const [table, softwires, own] = [this.#table, this.#softwires, this.#own];
    const [encapsulation, pathMtus] = [this.#encapsulation, this.#pathMtus];
    const refused = new SourceRefusals(memory.sourceRefusals);
    const tunnelErrors = new TunnelErrors(role, table, softwires, replies, pathMtus, refused);
    const events = new Events(memory.workers, memory.events);
    const parts = { role, table, softwires, own, encapsulation, pathMtus, replies, errors, refusals, tunnelErrors };
    return new SlowPath({ ...parts, gateways, fragments: this.fragments, events, worker, seed });
  }

  /** Whether something that waits ends, though no packet comes. */
  isDue(nowMs: number): boolean {
    return this.fragments.isDue(nowMs) || this.#slowPath.isDue(nowMs);
  }

  /** Decides every packet of the batch: leaves its verdict and instance, and the outputs. */
  process(batch: Batch): void {
    batch.clearOutputs();
    this.#slowBudget.refill(batch.nowMs);
    this.fragments.expire(batch);
    this.#isSpecial = this.#softwires.anyHas(FLAG_ENCAPSULATION_LIMIT | FLAG_MSS_CLAMP);
    this.#deniesIcmp = this.#softwires.anyHas(FLAG_DENY_ICMPV4);
    this.#asksMore = this.#isSpecial || this.#deniesIcmp;
    this.#lookUp(batch);
    for (let k = 0; k < batch.count; k++) {
      const done = batch.sides[k] === 4 ? this.#encapsulate(batch, k) : this.#decapsulate(batch, k);
      if (!done) this.#decide(batch, k);
    }
    this.#junk.settle(batch);
    this.#slowPath.decideLate(batch);
  }

  #decide(batch: Batch, k: number): void {
    batch.complete(k);
    if (!this.#slowBudget.admits(batch, k) && this.#junk.drop(batch, k, this.#softwireOf[k] ?? 0)) return;
    this.#junk.noteAll(batch);
    this.#slowPath.decide(batch, k);
    this.#slowBudget.charge(batch.verdicts[k] ?? 0);
  }

  /** The stages. What a malformed packet leads to here is never used: both paths check before they trust a row. */
  #lookUp(batch: Batch): void {
    this.#readKeys(batch);
    this.#resolve(this.#keys, batch.rows, batch.count);
    this.#resolve(this.#otherKeys, batch.otherRows, batch.count);
    const hasShared = this.#readRows(batch.rows, batch.count) < 0;
    if (hasShared) this.#choosePortSets(batch);
    this.#junk.hasShared = hasShared;
  }

  #readKeys(batch: Batch): void {
    const { words, at, sides } = batch;
    const keys = this.#keys;
    const others = this.#otherKeys;
    const isGateway = this.#isGateway;
    for (let k = 0; k < batch.count; k++) {
      const w = (at[k] ?? 0) >> 2;
      const side = ((words[w] ?? 0) >>> 4) & 15;
      const inner = side === 4 ? w : w + OUTER_WORDS;
      const source = words[inner + SOURCE_WORD] ?? 0;
      const destination = words[inner + DESTINATION_WORD] ?? 0;
      const bySource = isGateway === (side === 4);
      sides[k] = side;
      keys[k] = bySource ? source : destination;
      // An AFTR does not ask where a packet from the IPv4 Internet comes from.
      others[k] = bySource ? destination : isGateway ? source : 0;
    }
  }

  /** Addresses (words of a packet) to rows, a level of the table at a time. */
  #resolve(keys: Int32Array, rows: Int32Array, count: number): void {
    const { first, blocks } = this.#table;
    for (let k = 0; k < count; k++) {
      const key = keys[k] ?? 0;
      rows[k] = first[((key & 0xff) << 16) | (key & 0xff00) | ((key >>> 16) & 0xff)] ?? 0;
    }
    for (let k = 0; k < count; k++) {
      const word = rows[k] ?? 0;
      if (word < 0) rows[k] = blocks[(-word << BLOCK_SHIFT) + ((keys[k] ?? 0) >>> 28)] ?? 0;
    }
    for (let k = 0; k < count; k++) {
      const word = rows[k] ?? 0;
      if (word < 0) rows[k] = blocks[(-word << BLOCK_SHIFT) + (((keys[k] ?? 0) >>> 24) & 15)] ?? 0;
    }
  }

  /**
   * Softwire of each row: the first look at the rows, which brings them into the cache together. Below 0 when one of
   * them is that of a shared address (SHARED_FLAG is the sign).
   */
  #readRows(rows: Int32Array, count: number): number {
    const tableRows = this.#table.rows;
    const softwires = this.#softwireOf;
    let all = 0;
    for (let k = 0; k < count; k++) {
      const word = tableRows[((rows[k] ?? 0) << ROW_SHIFT) + ROW_SOFTWIRE] ?? 0;
      all |= word;
      softwires[k] = word & SOFTWIRE_MASK;
    }
    return all;
  }

  /** From rows of shared addresses to those of port sets; 0, for the slow path, where no port is plain to see. */
  #choosePortSets(batch: Batch): void {
    const { words, at, lengths, sides, rows } = batch;
    const tableRows = this.#table.rows;
    for (let k = 0; k < batch.count; k++) {
      const shared = rows[k] ?? 0;
      if ((tableRows[(shared << ROW_SHIFT) + ROW_SOFTWIRE] ?? 0) >= 0) continue;
      const isInner = sides[k] !== 4;
      const w = ((at[k] ?? 0) >> 2) + (isInner ? OUTER_WORDS : 0);
      const port = plainPort(words, w, (lengths[k] ?? 0) - (isInner ? OUTER_LEN : 0), isInner);
      const row = port < 0 ? 0 : portSetRow(this.#table, shared, port);
      rows[k] = row;
      this.#softwireOf[k] = (tableRows[(row << ROW_SHIFT) + ROW_SOFTWIRE] ?? 0) & SOFTWIRE_MASK;
    }
  }

  /** Fast path from IPv4: false leaves the packet as it was. */
  #encapsulate(batch: Batch, k: number): boolean {
    const at = batch.at[k] ?? 0;
    const len = batch.lengths[k] ?? 0;
    const row = batch.rows[k] ?? 0;
    const w = at >> 2;
    if (row === 0 || batch.otherRows[k] !== 0 || !isPlainIpv4(batch.words, w, len)) return false;
    const softwire = this.#softwireOf[k] ?? 0;
    const s = softwire << SOFTWIRE_SHIFT;
    const templates = this.#softwires.words;
    if (((batch.words[w + 2] ?? 0) & 0xff) === 0 || touchesOwn(this.#own.words, batch.words, w, NO_HOSTS)) return false;
    const isSeldom = len > (templates[s + SOFTWIRE_PAYLOAD_MTU] ?? 0) || this.#asksMore;
    if (isSeldom && !this.#mayPass(batch, w, len, softwire, row)) return false;
    this.#encapsulation.writeHeader(batch, at, len, 0, softwire, row);
    batch.send(k, at - OUTER_LEN, len + OUTER_LEN);
    batch.verdicts[k] = FORWARDED;
    batch.instances[k] = templates[s + SOFTWIRE_INSTANCE] ?? 0;
    return true;
  }

  /**
   * What is above what every far end takes may still fit this one; ICMP may be denied; some packets need more than the fast
   * path does. In `#encapsulate` itself the questions cost a good packet 8 % (111 ns, not 102), though none is ever asked.
   */
  #mayPass(batch: Batch, w: number, len: number, softwire: number, row: number): boolean {
    if (len > this.#pathMtus.payloadMtu(softwire, row, batch.nowMs)) return false;
    if (this.#isSpecial && this.#needsMore(batch.words, w, softwire << SOFTWIRE_SHIFT, FLAG_ENCAPSULATION_LIMIT)) {
      return false;
    }
    return !this.#deniesIcmp || this.#isGateway || !isIcmp(batch.words, w);
  }

  /** Fast path from IPv6: false leaves the packet as it was. */
  #decapsulate(batch: Batch, k: number): boolean {
    const { words } = batch;
    const at = batch.at[k] ?? 0;
    const len = batch.lengths[k] ?? 0;
    const row = batch.rows[k] ?? 0;
    const w = at >> 2;
    const inner = w + OUTER_WORDS;
    if (row === 0 || batch.otherRows[k] !== 0 || !isPlainOuter(words, w, len)) return false;
    if (!isPlainIpv4(words, inner, len - OUTER_LEN)) return false;
    const s = (this.#softwireOf[k] ?? 0) << SOFTWIRE_SHIFT;
    const templates = this.#softwires.words;
    if (!sameFourWords(words, w + 2, this.#table.rows, row << ROW_SHIFT)) return false;
    if (!sameFourWords(words, w + 6, templates, s + SOFTWIRE_LOCAL)) return false;
    if (((words[inner + 2] ?? 0) & 0xff) <= 1 || touchesOwn(this.#own.words, words, inner, ANY_OWN)) return false;
    if (len - OUTER_LEN > ((templates[s + SOFTWIRE_SIZES] ?? 0) & EGRESS_MTU_MASK)) return false;
    if (this.#asksMore && !this.#mayLeave(words, inner, s)) return false;
    const tos = ((words[inner] ?? 0) >>> 8) & 0xff;
    const trafficClass = (((words[w] ?? 0) & 0xf) << 4) | (((words[w] ?? 0) >>> 12) & 0xf);
    const ecn = decapsulatedEcn(tos, trafficClass);
    if (ecn >= ECN_DROP) return false;
    const dscp = ((templates[s + SOFTWIRE_FLAGS] ?? 0) & FLAG_PIPE) !== 0 ? tos : trafficClass;
    const leaving = (dscp & 0xfc) | ecn;
    if (leaving !== tos) setTos(batch.buf, at + OUTER_LEN, leaving);
    batch.send(k, at + OUTER_LEN, len - OUTER_LEN);
    batch.verdicts[k] = FORWARDED;
    batch.instances[k] = templates[s + SOFTWIRE_INSTANCE] ?? 0;
    return true;
  }

  #mayLeave(words: Int32Array, inner: number, s: number): boolean {
    if (this.#isSpecial && this.#needsMore(words, inner, s, 0)) return false;
    return !this.#deniesIcmp || !this.#isGateway || !isIcmp(words, inner);
  }

  /** Whether softwire `s` has one of `flags`, or clamps and the packet of at least an IPv4 header at word `w` is TCP. */
  #needsMore(words: Int32Array, w: number, s: number, flags: number): boolean {
    const own = this.#softwires.words[s + SOFTWIRE_FLAGS] ?? 0;
    if ((own & flags) !== 0) return true;
    return (own & FLAG_MSS_CLAMP) !== 0 && isTcpSyn(words, w);
  }
}

/** The far ends of an AFTR's rows. */
function gatewaysOf({ statistics }: EngineMemory, { rows }: TableReader): GatewayIndex | undefined {
  return statistics && new GatewayIndex(statistics.gateways, rows, statistics.seed);
}

/** Whether the IPv4 packet at word `w` is ICMP. */
function isIcmp(words: Int32Array, w: number): boolean {
  return (((words[w + 2] ?? 0) >>> 8) & 0xff) === PROTOCOL_ICMP;
}

/** Whether the IPv4 packet without options at word `w` may be a TCP SYN; of a later fragment it does not matter. */
function isTcpSyn(words: Int32Array, w: number): boolean {
  return (
    (((words[w + 2] ?? 0) >>> 8) & 0xff) === PROTOCOL_TCP && (((words[w + TCP_FLAGS_WORD] ?? 0) >>> 8) & SYN) !== 0
  );
}
