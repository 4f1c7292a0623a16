/**
 * Packets that end here for the commonest reasons, plain or with harmless IPv4 options, decided by a few words: what the
 * slow path would say, without its errors and notes. It takes over when so much junk comes that the slow path would keep
 * good packets waiting. Errors that would be due count as suppressed.
 */

import type { Batch } from './batch.ts';
import type { Role } from './engine.ts';
import type { IcmpBudget } from './icmp-budget.ts';
import { ABOUT_TUNNEL, ABOUT_UNBOUND } from './icmp-budget.ts';
import { FLAG_ICMPV6_ERRORS, ROW_SHIFT, SOFTWIRE_LOCAL, SOFTWIRE_SHIFT } from './layout.ts';
import { sameFourWords, swapWord } from './memory.ts';
import type { OwnAddresses } from './own-addresses.ts';
import { ANY_OWN, NO_HOSTS, touchesOwn } from './own-addresses.ts';
import { DESTINATION_WORD, isHost, isPlainIpv4, isPlainOuter, OUTER_LEN, OUTER_WORDS, SOURCE_WORD } from './plain.ts';
import { plainPort } from './ports.ts';
import type { Replies } from './replies.ts';
import type { Softwires } from './softwires.ts';
import type { TableReader } from './table.ts';
import {
  DROP_NO_BINDING,
  DROP_NO_INSTANCE,
  DROP_OUTSIDE_SERVED_PREFIX,
  DROP_SOURCE_MISMATCH,
  DROP_UNBOUND_SOURCE,
  DROP_WRONG_AFTR,
} from './verdict.ts';
import type { Violations } from './violations.ts';
import * as ipv4 from './wire/ipv4.ts';

const OUTER_SOURCE_WORD = 2;
const OUTER_DESTINATION_WORD = 6;
const SOFTWIRE_REMOTE_WORD = 6;

/** What would be told about junk, and to whom it counts. */
export interface JunkParts {
  readonly violations: Violations;
  readonly replies: Replies;
  readonly budget: IcmpBudget;
}

export class Junk {
  /** Whether the row of a packet of the batch is that of a shared address. */
  hasShared = false;
  readonly #isGateway: boolean;
  readonly #table: TableReader;
  readonly #softwires: Softwires;
  readonly #own: OwnAddresses;
  readonly #violations: Violations;
  readonly #replies: Replies;
  readonly #budget: IcmpBudget;
  /** Errors that are suppressed and not counted yet: of one instance and kind, since a flood is mostly of one. */
  #suppressed = 0;
  #instance = 0;
  #kind = 0;
  /** Where the last packet of the batch came to that was looked at here. */
  #lastSoftwire = 0;

  constructor(role: Role, table: TableReader, softwires: Softwires, own: OwnAddresses, parts: JunkParts) {
    this.#isGateway = role === 'gateway';
    this.#table = table;
    this.#softwires = softwires;
    this.#own = own;
    this.#violations = parts.violations;
    this.#replies = parts.replies;
    this.#budget = parts.budget;
  }

  /** After a batch: what was put off in it is noted, and what was suppressed is counted. */
  settle(batch: Batch): void {
    this.noteAll(batch);
    this.#countSuppressed();
    this.#lastSoftwire = 0;
  }

  /** What was put off is noted, before anything else is: the last inner source of a gateway is that of its last packet. */
  noteAll(batch: Batch): void {
    this.#violations.settle(batch);
  }

  #countSuppressed(): void {
    if (this.#suppressed === 0) return;
    this.#budget.addSuppressed(this.#instance, this.#kind, this.#suppressed);
    this.#suppressed = 0;
  }

  /**
   * Whether packet `k`, whose rows are looked up and whose row leads into `softwire`, is junk of these kinds; then it has
   * its verdict and instance. False leaves it to the slow path. `hash` is that of its source.
   */
  drop(batch: Batch, k: number, softwire: number, hash: number): boolean {
    const row = batch.rows[k] ?? 0;
    if (row !== 0 && !this.#softwires.isEnabled(softwire)) return false;
    return batch.sides[k] === 4 ? this.#fromIpv4(batch, k, row) : this.#fromIpv6(batch, k, row, hash);
  }

  #fromIpv4(batch: Batch, k: number, row: number): boolean {
    const { words } = batch;
    const w = (batch.at[k] ?? 0) >> 2;
    if (row !== 0 || batch.otherRows[k] !== 0) return false;
    if (!isSoundIpv4(batch, w, batch.lengths[k] ?? 0) || touchesOwn(this.#own.words, words, w, NO_HOSTS)) return false;
    if (this.#isGateway) return this.#end(batch, k, DROP_OUTSIDE_SERVED_PREFIX, 0);
    const destination = swapWord(words[w + DESTINATION_WORD] ?? 0) >>> 0;
    const isShared = this.#mayBeShared(destination);
    if (isShared && plainPort(words, w, batch.lengths[k] ?? 0, false) < 0) return false;
    const softwire = this.#softwires.poolSoftwire(destination);
    if (softwire === 0) return this.#end(batch, k, DROP_NO_INSTANCE, 0);
    // About a port of a shared address that nobody has, the slow path tells nobody either.
    if (!isShared && this.#replies.isDue(batch.buf, w << 2, softwire)) this.#suppress(softwire, ABOUT_UNBOUND);
    return this.#end(batch, k, DROP_NO_BINDING, softwire);
  }

  #fromIpv6(batch: Batch, k: number, row: number, hash: number): boolean {
    const { words } = batch;
    const w = (batch.at[k] ?? 0) >> 2;
    const inner = w + OUTER_WORDS;
    const len = batch.lengths[k] ?? 0;
    if (!isPlainOuter(words, w, len) || !isSoundIpv4(batch, inner, len - OUTER_LEN)) return false;
    if (mayBeMartian(words[w + OUTER_SOURCE_WORD] ?? 0) || touchesOwn(this.#own.words, words, inner, ANY_OWN))
      return false;
    const softwire = this.#softwireTo(words, w + OUTER_DESTINATION_WORD);
    if (softwire === 0) return false;
    if (this.#isGateway) {
      const remote = (softwire << SOFTWIRE_SHIFT) + SOFTWIRE_REMOTE_WORD;
      if (!sameFourWords(words, w + OUTER_SOURCE_WORD, this.#softwires.words, remote)) {
        batch.rows[k] = 0;
        return this.#end(batch, k, DROP_WRONG_AFTR, softwire);
      }
      return row === 0 && this.#end(batch, k, DROP_OUTSIDE_SERVED_PREFIX, softwire);
    }
    const source = swapWord(words[inner + SOURCE_WORD] ?? 0) >>> 0;
    if (row === 0 && this.#mayBeShared(source) && plainPort(words, inner, len - OUTER_LEN, true) < 0) return false;
    if (row === 0) return this.#refuse(batch, k, DROP_UNBOUND_SOURCE, softwire, hash);
    const isBound = sameFourWords(words, w + OUTER_SOURCE_WORD, this.#table.rows, row << ROW_SHIFT);
    return !isBound && this.#refuse(batch, k, DROP_SOURCE_MISMATCH, softwire, hash);
  }

  /** As `byLocal`; most of a flood comes to one tunnel address. */
  #softwireTo(words: Int32Array, w: number): number {
    const last = (this.#lastSoftwire << SOFTWIRE_SHIFT) + SOFTWIRE_LOCAL;
    if (this.#lastSoftwire === 0 || !sameFourWords(this.#softwires.words, last, words, w)) {
      this.#lastSoftwire = this.#softwires.byLocal(words, w);
    }
    return this.#lastSoftwire;
  }

  /** Whether an address has a row all the same: the ports of what is not plain are for the slow path to find. */
  #mayBeShared(address: number): boolean {
    return this.hasShared && this.#table.lookup(address) !== 0;
  }

  #refuse(batch: Batch, k: number, verdict: number, softwire: number, hash: number): boolean {
    const w = (batch.at[k] ?? 0) >> 2;
    this.#end(batch, k, verdict, softwire);
    this.#violations.noteLater(k, batch.instances[k] ?? 0, hash);
    if (this.#isRefusalDue(batch.words, w, softwire)) this.#suppress(softwire, ABOUT_TUNNEL);
    return true;
  }

  /** What else RFC 4443 §2.4 (e) excludes is not plain. */
  #isRefusalDue(words: Int32Array, w: number, softwire: number): boolean {
    return this.#softwires.has(softwire, FLAG_ICMPV6_ERRORS) && !this.#softwires.isLocal(words, w + OUTER_SOURCE_WORD);
  }

  #suppress(softwire: number, kind: number): void {
    const instance = this.#softwires.instance(softwire);
    if (instance !== this.#instance || kind !== this.#kind) this.#countSuppressed();
    this.#instance = instance;
    this.#kind = kind;
    this.#suppressed++;
  }

  #end(batch: Batch, k: number, verdict: number, softwire: number): boolean {
    batch.verdicts[k] = verdict;
    batch.violators[k] = 0;
    batch.instances[k] = softwire === 0 ? this.#softwires.firstInstance() : this.#softwires.instance(softwire);
    return true;
  }
}

/** Whether the IPv4 packet of `len` octets at word `w` is plain, or has nothing more than options that choose no route. */
function isSoundIpv4({ buf, words }: Batch, w: number, len: number): boolean {
  if (isPlainIpv4(words, w, len)) return true;
  const at = w << 2;
  if (!ipv4.isIpv4(buf, at, len) || ipv4.totalLength(buf, at) !== len) return false;
  if (ipv4.headerLength(buf, at) === ipv4.IPV4_HEADER_LEN || !ipv4.hasValidChecksum(buf, words, at)) return false;
  if (ipv4.hasSourceRoute(buf, at)) return false;
  return isHost(words[w + SOURCE_WORD] ?? 0) && isHost(words[w + DESTINATION_WORD] ?? 0);
}

/** Whether an IPv6 address that begins with this word may be multicast, link-local, unspecified or loopback. */
function mayBeMartian(word: number): boolean {
  return word === 0 || (word & 0xff) >= 0xfe;
}
