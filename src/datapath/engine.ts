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
import { Events } from './events.ts';
import {
  BLOCK_SHIFT,
  FLAG_PIPE,
  ROW_SHIFT,
  ROW_SOFTWIRE,
  SOFTWIRE_FLAGS,
  SOFTWIRE_INSTANCE,
  SOFTWIRE_LOCAL,
  SOFTWIRE_MASK,
  SOFTWIRE_PAYLOAD_MTU,
  SOFTWIRE_SHIFT,
} from './layout.ts';
import { mayBeOwn, OwnAddresses } from './own-addresses.ts';
import { portSetRow } from './port-sets.ts';
import { plainPort } from './ports.ts';
import { Replies } from './replies.ts';
import { SlowPath } from './slow-path.ts';
import { Softwires } from './softwires.ts';
import type { TableMemory } from './table.ts';
import { TableReader } from './table.ts';
import { FORWARDED } from './verdict.ts';
import { setTos } from './wire/ipv4.ts';

export type Role = 'gateway' | 'aftr';

/** What an engine reads and others write. */
export interface EngineMemory {
  readonly role: Role;
  readonly table: TableMemory;
  readonly softwires: SharedArrayBuffer;
  readonly ownAddresses: SharedArrayBuffer;
  readonly events: SharedArrayBuffer;
  readonly workers: number;
  /** Random, the same for all workers of a role. */
  readonly seed: number;
}

const OUTER_LEN = 40;
const OUTER_WORDS = 10;
const IPV4_LEN = 20;
/** Words of an IPv4 header from its first: source and destination. */
const SOURCE_WORD = 3;
const DESTINATION_WORD = 4;
const NEXT_HEADER_IPV4 = 4;

export class Engine {
  readonly #isGateway: boolean;
  readonly #table: TableReader;
  readonly #softwires: Softwires;
  readonly #encapsulation: Encapsulation;
  readonly #slowPath: SlowPath;
  readonly #own: OwnAddresses;
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
    this.#encapsulation = new Encapsulation(this.#softwires, this.#table.rows, memory.seed, worker);
    this.#own = new OwnAddresses(memory.ownAddresses);
    this.#slowPath = new SlowPath({
      role: memory.role,
      table: this.#table,
      softwires: this.#softwires,
      own: this.#own,
      encapsulation: this.#encapsulation,
      replies: new Replies(this.#softwires, this.#encapsulation),
      events: new Events(memory.workers, memory.events),
      worker,
      seed: memory.seed,
    });
    this.#keys = new Int32Array(capacity);
    this.#otherKeys = new Int32Array(capacity);
    this.#softwireOf = new Int32Array(capacity);
  }

  /** Decides every packet of the batch: leaves its verdict and instance, and the outputs. */
  process(batch: Batch): void {
    batch.clearOutputs();
    this.#lookUp(batch);
    for (let k = 0; k < batch.count; k++) {
      const done = batch.sides[k] === 4 ? this.#encapsulate(batch, k) : this.#decapsulate(batch, k);
      if (!done) this.#slowPath.decide(batch, k);
    }
    this.#slowPath.decideLate(batch);
  }

  /** The stages. What a malformed packet leads to here is never used: both paths check before they trust a row. */
  #lookUp(batch: Batch): void {
    this.#readKeys(batch);
    this.#resolve(this.#keys, batch.rows, batch.count);
    this.#resolve(this.#otherKeys, batch.otherRows, batch.count);
    if (this.#readRows(batch.rows, batch.count) < 0) this.#choosePortSets(batch);
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
    if (row === 0 || batch.otherRows[k] !== 0 || !isPlainIpv4(batch.words, w, len, len)) return false;
    const softwire = this.#softwireOf[k] ?? 0;
    const s = softwire << SOFTWIRE_SHIFT;
    const templates = this.#softwires.words;
    if (len > (templates[s + SOFTWIRE_PAYLOAD_MTU] ?? 0) || this.#touchesOwn(batch.words, w)) return false;
    if (((batch.words[w + 2] ?? 0) & 0xff) === 0) return false;
    this.#encapsulation.writeHeader(batch, at, len, softwire, row);
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
    const row = batch.rows[k] ?? 0;
    const w = at >> 2;
    const inner = w + OUTER_WORDS;
    if (row === 0 || batch.otherRows[k] !== 0 || !isPlainOuter(words, w, len)) return false;
    if (!isPlainIpv4(words, inner, len - OUTER_LEN, len - OUTER_LEN)) return false;
    const s = (this.#softwireOf[k] ?? 0) << SOFTWIRE_SHIFT;
    const templates = this.#softwires.words;
    if (!sameFourWords(words, w + 2, this.#table.rows, row << ROW_SHIFT)) return false;
    if (!sameFourWords(words, w + 6, templates, s + SOFTWIRE_LOCAL)) return false;
    if (((words[inner + 2] ?? 0) & 0xff) <= 1 || this.#touchesOwn(words, inner)) return false;
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

  /** Whether source or destination of the IPv4 packet at word `w` may be an address that ends here. */
  #touchesOwn(words: Int32Array, w: number): boolean {
    const own = this.#own.words;
    return mayBeOwn(own, words[w + SOURCE_WORD] ?? 0) || mayBeOwn(own, words[w + DESTINATION_WORD] ?? 0);
  }
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

function sameFourWords(a: Int32Array, at: number, b: Int32Array, from: number): boolean {
  return a[at] === b[from] && a[at + 1] === b[from + 1] && a[at + 2] === b[from + 2] && a[at + 3] === b[from + 3];
}
