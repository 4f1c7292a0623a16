/**
 * What happens to packets: the gateway and the AFTR as functions over a batch and the table.
 *
 *   1. addresses of every packet are looked up in stages over the whole batch, so that cache misses of different packets
 *      overlap (one pass over a million bindings costs 196 ns a packet, stages 54 to 64 ns)
 *   2. a plain good packet takes the fast path: header checks, source check, outer header on or off
 *   3. anything else takes the slow path (slow-path.ts), which decides by the same rules from the beginning
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
import type { FragmentMemory } from './fragments.ts';
import { Fragments } from './fragments.ts';
import { IcmpBudget } from './icmp-budget.ts';
import { Icmpv6Errors } from './icmpv6-errors.ts';
import { Identifications } from './identifications.ts';
import {
  BLOCK_SHIFT,
  EGRESS_MTU_MASK,
  FLAG_ENCAPSULATION_LIMIT,
  FLAG_MSS_CLAMP,
  FLAG_PIPE,
  ROW_SHIFT,
  ROW_SOFTWIRE,
  SOFTWIRE_FLAGS,
  SOFTWIRE_INSTANCE,
  SOFTWIRE_IPV4_ADDRESS,
  SOFTWIRE_LOCAL,
  SOFTWIRE_MASK,
  SOFTWIRE_PAYLOAD_MTU,
  SOFTWIRE_SHIFT,
  SOFTWIRE_SIZES,
} from './layout.ts';
import { Replies } from './replies.ts';
import { SlowPath } from './slow-path.ts';
import { Softwires } from './softwires.ts';
import type { TableMemory } from './table.ts';
import { TableReader } from './table.ts';
import { FORWARDED } from './verdict.ts';
import { PROTOCOL_TCP, setTos } from './wire/ipv4.ts';

export type Role = 'gateway' | 'aftr';

/** What an engine reads and others write. */
export interface EngineMemory {
  readonly role: Role;
  readonly table: TableMemory;
  readonly softwires: SharedArrayBuffer;
  readonly icmpBudget: SharedArrayBuffer;
  /** Random, the same for all workers of a role. */
  readonly seed: number;
  /** Random, IDENTIFICATION_KEY_LEN octets. */
  readonly identificationKey: Uint8Array;
  readonly fragments: FragmentMemory;
}

const OUTER_LEN = 40;
const OUTER_WORDS = 10;
const IPV4_LEN = 20;
/** Words of an IPv4 header from its first: source and destination. */
const SOURCE_WORD = 3;
const DESTINATION_WORD = 4;
const NEXT_HEADER_IPV4 = 4;
/** Word of the TCP flags, behind an IPv4 header without options, and the flag in their octet. */
const TCP_FLAGS_WORD = 8;
const SYN = 2;

export class Engine {
  readonly #isGateway: boolean;
  readonly #table: TableReader;
  readonly #softwires: Softwires;
  readonly #encapsulation: Encapsulation;
  readonly #slowPath: SlowPath;
  /** For the worker: what goes between workers, and when time is over. */
  readonly fragments: Fragments;
  /** Whether some softwire does more to a good packet than the fast path does; looked at once a batch. */
  #isSpecial = false;
  /** Looked-up addresses of a batch as words of the packet, then rows: the address in the table, and the other one. */
  readonly #keys: Int32Array;
  readonly #rows: Int32Array;
  readonly #otherKeys: Int32Array;
  readonly #otherRows: Int32Array;
  /** Softwire of each row. */
  readonly #softwireOf: Int32Array;

  /** For batches of up to `capacity` packets, in worker number `worker`. */
  constructor(memory: EngineMemory, capacity: number, worker: number) {
    this.#isGateway = memory.role === 'gateway';
    this.#table = new TableReader(memory.table);
    this.#softwires = new Softwires(memory.softwires);
    const identifications = new Identifications(memory.identificationKey, worker);
    this.#encapsulation = new Encapsulation(this.#softwires, this.#table.rows, memory.seed, identifications);
    const budget = new IcmpBudget(memory.seed, memory.icmpBudget);
    const replies = new Replies(this.#softwires, this.#encapsulation, budget);
    const errors = new Icmpv6Errors(this.#softwires, budget);
    this.fragments = new Fragments(memory.fragments, this.#softwires, errors, worker);
    this.#slowPath = new SlowPath(
      memory.role,
      this.#table,
      this.#softwires,
      this.#encapsulation,
      replies,
      errors,
      this.fragments,
    );
    this.#keys = new Int32Array(capacity);
    this.#rows = new Int32Array(capacity);
    this.#otherKeys = new Int32Array(capacity);
    this.#otherRows = new Int32Array(capacity);
    this.#softwireOf = new Int32Array(capacity);
  }

  /** Decides every packet of the batch: leaves its verdict and instance, and the outputs. */
  process(batch: Batch): void {
    batch.clearOutputs();
    this.fragments.expire(batch);
    this.#isSpecial = this.#softwires.anyHas(FLAG_ENCAPSULATION_LIMIT | FLAG_MSS_CLAMP);
    this.#lookUp(batch);
    for (let k = 0; k < batch.count; k++) {
      const done = batch.sides[k] === 4 ? this.#encapsulate(batch, k) : this.#decapsulate(batch, k);
      if (!done) this.#slowPath.decide(batch, k);
    }
  }

  /** The stages. What a malformed packet leads to here is never used: both paths check before they trust a row. */
  #lookUp(batch: Batch): void {
    this.#readKeys(batch);
    this.#resolve(this.#keys, this.#rows, batch.count);
    this.#resolve(this.#otherKeys, this.#otherRows, batch.count);
    this.#readRows(batch.count);
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

  /** Softwire of each row: the first look at the rows, which brings them into the cache together. */
  #readRows(count: number): void {
    const tableRows = this.#table.rows;
    const rows = this.#rows;
    const softwires = this.#softwireOf;
    for (let k = 0; k < count; k++) {
      softwires[k] = (tableRows[((rows[k] ?? 0) << ROW_SHIFT) + ROW_SOFTWIRE] ?? 0) & SOFTWIRE_MASK;
    }
  }

  /** Fast path from IPv4: false leaves the packet as it was. */
  #encapsulate(batch: Batch, k: number): boolean {
    const at = batch.at[k] ?? 0;
    const len = batch.lengths[k] ?? 0;
    const row = this.#rows[k] ?? 0;
    const w = at >> 2;
    if (row === 0 || this.#otherRows[k] !== 0 || !isPlainIpv4(batch.words, w, len, len)) return false;
    const softwire = this.#softwireOf[k] ?? 0;
    const s = softwire << SOFTWIRE_SHIFT;
    const templates = this.#softwires.words;
    const own = templates[s + SOFTWIRE_IPV4_ADDRESS] ?? 0;
    if (len > (templates[s + SOFTWIRE_PAYLOAD_MTU] ?? 0) || batch.words[w + DESTINATION_WORD] === own) return false;
    if (((batch.words[w + 2] ?? 0) & 0xff) === 0) return false;
    if (this.#isSpecial && this.#needsMore(batch.words, w, s, FLAG_ENCAPSULATION_LIMIT)) return false;
    this.#encapsulation.writeHeader(batch, at, len, 0, softwire, row);
    batch.send(k, at - OUTER_LEN, len + OUTER_LEN);
    batch.verdicts[k] = FORWARDED;
    batch.instances[k] = templates[s + SOFTWIRE_INSTANCE] ?? 0;
    return true;
  }

  /** Fast path from IPv6: false leaves the packet as it was. */
  #decapsulate(batch: Batch, k: number): boolean {
    const { words } = batch;
    const at = batch.at[k] ?? 0;
    const len = batch.lengths[k] ?? 0;
    const row = this.#rows[k] ?? 0;
    const w = at >> 2;
    const inner = w + OUTER_WORDS;
    if (row === 0 || this.#otherRows[k] !== 0 || !isPlainOuter(words, w, len)) return false;
    if (!isPlainIpv4(words, inner, len - OUTER_LEN, len - OUTER_LEN)) return false;
    const s = (this.#softwireOf[k] ?? 0) << SOFTWIRE_SHIFT;
    const templates = this.#softwires.words;
    if (!sameFourWords(words, w + 2, this.#table.rows, row << ROW_SHIFT)) return false;
    if (!sameFourWords(words, w + 6, templates, s + SOFTWIRE_LOCAL)) return false;
    if (((words[inner + 2] ?? 0) & 0xff) <= 1 || isOwn(words, inner, templates[s + SOFTWIRE_IPV4_ADDRESS] ?? 0))
      return false;
    if (len - OUTER_LEN > ((templates[s + SOFTWIRE_SIZES] ?? 0) & EGRESS_MTU_MASK)) return false;
    if (this.#isSpecial && this.#needsMore(words, inner, s, 0)) return false;
    const tos = ((words[inner] ?? 0) >>> 8) & 0xff;
    const trafficClass = (((words[w] ?? 0) & 0xf) << 4) | (((words[w] ?? 0) >>> 12) & 0xf);
    const ecn = decapsulatedEcn(tos, trafficClass);
    if (ecn === ECN_DROP) return false;
    const dscp = ((templates[s + SOFTWIRE_FLAGS] ?? 0) & FLAG_PIPE) !== 0 ? tos : trafficClass;
    const leaving = (dscp & 0xfc) | ecn;
    if (leaving !== tos) setTos(batch.buf, at + OUTER_LEN, leaving);
    batch.send(k, at + OUTER_LEN, len - OUTER_LEN);
    batch.verdicts[k] = FORWARDED;
    batch.instances[k] = templates[s + SOFTWIRE_INSTANCE] ?? 0;
    return true;
  }

  /** Whether softwire `s` has one of `flags`, or clamps and the packet of at least an IPv4 header at word `w` is TCP. */
  #needsMore(words: Int32Array, w: number, s: number, flags: number): boolean {
    const own = this.#softwires.words[s + SOFTWIRE_FLAGS] ?? 0;
    if ((own & flags) !== 0) return true;
    return (own & FLAG_MSS_CLAMP) !== 0 && isTcpSyn(words, w);
  }
}

/** Whether the IPv4 packet without options at word `w` may be a TCP SYN; of a later fragment it does not matter. */
function isTcpSyn(words: Int32Array, w: number): boolean {
  return (
    (((words[w + 2] ?? 0) >>> 8) & 0xff) === PROTOCOL_TCP && (((words[w + TCP_FLAGS_WORD] ?? 0) >>> 8) & SYN) !== 0
  );
}

/** IPv6 with payload of exactly the received length and IPv4 right behind the header. */
function isPlainOuter(words: Int32Array, w: number, len: number): boolean {
  const word1 = words[w + 1] ?? 0;
  const payload = ((word1 & 0xff) << 8) | ((word1 >>> 8) & 0xff);
  return (
    payload === len - OUTER_LEN && ((word1 >>> 16) & 0xff) === NEXT_HEADER_IPV4 && (((words[w] ?? 0) >>> 4) & 15) === 6
  );
}

/** IPv4 without options, of exactly the received length, with a correct checksum, between addresses of hosts. */
function isPlainIpv4(words: Int32Array, w: number, len: number, received: number): boolean {
  const word0 = words[w] ?? 0;
  if (received < IPV4_LEN || (word0 & 0xff) !== 0x45) return false;
  if ((((word0 >>> 8) & 0xff00) | (word0 >>> 24)) !== len) return false;
  let sum = 0;
  for (let i = 0; i < 5; i++) {
    const word = words[w + i] ?? 0;
    sum += (word & 0xffff) + (word >>> 16);
  }
  sum = (sum & 0xffff) + (sum >>> 16);
  sum = (sum & 0xffff) + (sum >>> 16);
  return sum === 0xffff && isHost(words[w + SOURCE_WORD] ?? 0) && isHost(words[w + DESTINATION_WORD] ?? 0);
}

/** Whether an address word is not martian (RFC 1812 §5.3.7). */
function isHost(word: number): boolean {
  const first = word & 0xff;
  return first !== 0 && first !== 127 && first < 224;
}

/** Whether the IPv4 packet at word `w` is from or to the address of the instance itself. */
function isOwn(words: Int32Array, w: number, own: number): boolean {
  return words[w + SOURCE_WORD] === own || words[w + DESTINATION_WORD] === own;
}

function sameFourWords(a: Int32Array, at: number, b: Int32Array, from: number): boolean {
  return a[at] === b[from] && a[at + 1] === b[from + 1] && a[at + 2] === b[from + 2] && a[at + 3] === b[from + 3];
}
