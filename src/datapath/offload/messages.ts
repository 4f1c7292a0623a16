/**
 * From the outputs of a batch to what is written: for each packet, or run of TCP segments (coalescing.ts), a message of pieces, the
 * first with the header of vnet-header.ts.
 *
 *   1. outputs are gone through in order; a TCP segment from the tunnel to the IPv4 side continues a run of its flow, or begins one
 *   2. anything else between the same addresses ends their runs, so that the order within a flow stays
 *   3. the message of a run stands where its first segment stood
 *
 * A segment is added to a run only when both checksums are known to be right, because the kernel says so or because they were found
 * so here; that is looked at only when there is something to add.
 */

import type { Batch } from '../batch.ts';
import { HEADROOM, OUTPUT_WORDS } from '../batch.ts';
import { FORWARDED } from '../verdict.ts';
import { IPV4_HEADER_LEN } from '../wire/ipv4.ts';
import type { Run } from './coalescing.ts';
import {
  beginRun,
  canFollow,
  extend,
  hasAddressesOf,
  hasRightChecksum,
  headersOf,
  isOfFlow,
  isSegment,
  newRun,
  writeSuperHeaders,
} from './coalescing.ts';
import type { Marks } from './marks.ts';
import * as vnet from './vnet-header.ts';

/** Flows that have a run at the same time. */
const RUNS = 8;
/** Words of a message that is no run, at most: how many pieces, then header, head and body. */
const MESSAGE_WORDS = 7;
const NONE = -1;

const UNKNOWN = 0;
const RIGHT = 1;
const WRONG = 2;

interface OpenRun {
  readonly run: Run;
  /** Outputs: the first of the run and the last. */
  first: number;
  last: number;
  /** Of the first segment. */
  checksum: number;
}

export class Messages {
  /** As TunQueue.writeGathered reads them. */
  readonly pieces: Int32Array;
  /** Whether what is sent is left as it is. */
  keepsAll = false;
  readonly #batch: Batch;
  readonly #marks: Marks;
  /** Of each output: the next one of its run, whether it is in the message of another, and where its own message begins. */
  readonly #following: Int32Array;
  readonly #isAdded: Uint8Array;
  readonly #messageAt: Int32Array;
  readonly #runs: readonly OpenRun[];
  /** Runs begun in this batch. */
  #begun = 0;
  /** Where the header of a packet lies that is as it is. */
  readonly #plainAt: number;
  #words = 0;

  /** `plainAt`: offset of VNET_HEADER_LEN octets that are zero. */
  constructor(batch: Batch, marks: Marks, plainAt: number) {
    const outputs = batch.owners.length;
    this.#batch = batch;
    this.#marks = marks;
    this.#plainAt = plainAt;
    this.pieces = new Int32Array(outputs * MESSAGE_WORDS);
    this.#following = new Int32Array(outputs);
    this.#isAdded = new Uint8Array(outputs);
    this.#messageAt = new Int32Array(outputs);
    this.#runs = Array.from({ length: RUNS }, () => ({ run: newRun(), first: NONE, last: NONE, checksum: UNKNOWN }));
  }

  /** Makes the messages of the outputs; how many. */
  build(): number {
    const { outputs, output } = this.#batch;
    this.#findRuns();
    this.#words = 0;
    let count = 0;
    for (let o = 0; o < outputs; o++) {
      this.#messageAt[o] = NONE;
      if (this.#isAdded[o] === 1 || output[o * OUTPUT_WORDS + 1] === 0) continue;
      this.#messageAt[o] = this.#words;
      this.#write(o);
      count++;
    }
    return count;
  }

  /** Gives outputs whose message the kernel refused its -errno, as a device does; how many. */
  markRefused(): number {
    const { outputs, output } = this.#batch;
    let refused = 0;
    for (let o = 0; o < outputs; o++) {
      const at = this.#messageAt[o] ?? NONE;
      const error = at === NONE ? 0 : (this.pieces[at] ?? 0);
      if (error >= 0) continue;
      for (let of = o; of !== NONE; of = this.#following[of] ?? NONE) {
        output[of * OUTPUT_WORDS + 1] = error;
        refused++;
      }
    }
    return refused;
  }

  // Runs --------------------------------------------------------------------------------------------------------------

  #findRuns(): void {
    const { outputs, output, owners, sides, verdicts, capacity, buf, words } = this.#batch;
    if (this.#begun > 0) for (const open of this.#runs) open.run.isClosed = true;
    this.#begun = 0;
    for (let o = 0; o < outputs; o++) {
      this.#following[o] = NONE;
      this.#isAdded[o] = 0;
      const k = owners[o] ?? NONE;
      if (this.keepsAll || k < 0 || k >= capacity || sides[k] !== 6 || verdicts[k] !== FORWARDED) continue;
      const at = output[o * OUTPUT_WORDS] ?? 0;
      const len = output[o * OUTPUT_WORDS + 1] ?? 0;
      if (isSegment(buf, words, at, len)) this.#addSegment(o, k, at, len);
      else if (this.#begun > 0) this.#endRuns(at);
    }
  }

  #addSegment(o: number, k: number, at: number, len: number): void {
    const { buf, words } = this.#batch;
    for (const open of this.#runs) {
      const { run } = open;
      if (run.isClosed || !isOfFlow(run, words, at)) continue;
      if (canFollow(run, buf, words, at, len) && this.#isFirstRight(open) && this.#isRight(k, at, len)) {
        this.#following[open.last] = o;
        this.#isAdded[o] = 1;
        open.last = o;
        extend(run, buf, at, len);
        return;
      }
      run.isClosed = true;
    }
    this.#begin(o, at, len);
  }

  #begin(o: number, at: number, len: number): void {
    let open = this.#runs[0];
    for (const other of this.#runs) if (other.run.isClosed) open = other;
    if (!open?.run.isClosed) open = this.#runs[this.#begun % RUNS];
    if (!open) return;
    this.#begun++;
    beginRun(open.run, this.#batch.buf, at, len);
    open.first = o;
    open.last = o;
    open.checksum = UNKNOWN;
  }

  /** What is between the same addresses must not be overtaken. */
  #endRuns(at: number): void {
    for (const { run } of this.#runs) if (hasAddressesOf(run, this.#batch.words, at)) run.isClosed = true;
  }

  #isFirstRight(open: OpenRun): boolean {
    if (open.checksum === UNKNOWN) {
      const { output, owners } = this.#batch;
      const at = output[open.first * OUTPUT_WORDS] ?? 0;
      const len = output[open.first * OUTPUT_WORDS + 1] ?? 0;
      open.checksum = this.#isRight(owners[open.first] ?? 0, at, len) ? RIGHT : WRONG;
    }
    return open.checksum === RIGHT;
  }

  /** Whether the checksum of the segment at `at`, of packet `k`, is right, or left to be completed. */
  #isRight(k: number, at: number, len: number): boolean {
    const { partials, vouched } = this.#marks;
    const partial = partials[k] ?? 0;
    if (partial === 0) return vouched[k] === 1 || hasRightChecksum(this.#batch.buf, at, len);
    const start = (this.#batch.at[k] ?? 0) + (partial >>> 16);
    return start === at + IPV4_HEADER_LEN && (partial & 0xffff) === vnet.TCP_CHECKSUM_OFFSET;
  }

  // Messages ----------------------------------------------------------------------------------------------------------

  #write(o: number): void {
    const { output, owners, capacity } = this.#batch;
    const word = o * OUTPUT_WORDS;
    const headAt = output[word] ?? 0;
    const headLen = output[word + 1] ?? 0;
    const k = owners[o] ?? NONE;
    if (this.#following[o] !== NONE) this.#writeRun(o, headAt, headLen);
    else if (k >= 0 && k < capacity && this.#marks.partials[k] !== 0) this.#writePartial(k, headAt, headLen);
    else if (output[word + 3] === 0 && this.#hasFront(k, headAt)) this.#writeInPlace(headAt, headLen);
    else this.#writePlain(headAt, headLen, output[word + 2] ?? 0, output[word + 3] ?? 0);
  }

  /**
   * Whether what is before `headAt` may be overwritten: in the slot of packet `k`, which was forwarded, it is headroom, or the end of
   * an outer header that nobody asks for any more. A piece less to write.
   */
  #hasFront(k: number, headAt: number): boolean {
    const { at, lengths, verdicts, capacity } = this.#batch;
    if (this.keepsAll || k < 0 || k >= capacity || verdicts[k] !== FORWARDED) return false;
    const from = headAt - (at[k] ?? 0);
    return from >= vnet.VNET_HEADER_LEN - HEADROOM && from < (lengths[k] ?? 0);
  }

  #writeInPlace(headAt: number, headLen: number): void {
    vnet.writePlain(this.#batch.words, (headAt - vnet.VNET_HEADER_LEN) >> 2);
    this.#startMessage(1);
    this.#addPiece(headAt - vnet.VNET_HEADER_LEN, vnet.VNET_HEADER_LEN + headLen);
  }

  #writePlain(headAt: number, headLen: number, bodyAt: number, bodyLen: number): void {
    this.#startMessage(bodyLen === 0 ? 2 : 3);
    this.#addPiece(this.#plainAt, vnet.VNET_HEADER_LEN);
    this.#addPiece(headAt, headLen);
    if (bodyLen > 0) this.#addPiece(bodyAt, bodyLen);
  }

  /** What the fast path has sent of packet `k`: a header more, or one less, before what is not done. */
  #writePartial(k: number, headAt: number, headLen: number): void {
    const { at, words } = this.#batch;
    const { partials, bodyAt, bodyLen } = this.#marks;
    const partial = partials[k] ?? 0;
    const start = (at[k] ?? 0) + (partial >>> 16) - headAt;
    vnet.writePartial(words, (headAt - vnet.VNET_HEADER_LEN) >> 2, start, partial & 0xffff);
    const body = bodyLen[k] ?? 0;
    this.#startMessage(body === 0 ? 1 : 2);
    this.#addPiece(headAt - vnet.VNET_HEADER_LEN, vnet.VNET_HEADER_LEN + headLen - body);
    if (body > 0) this.#addPiece(bodyAt[k] ?? 0, body);
  }

  /** The header takes the place of what is before the first segment: the end of the outer header. */
  #writeRun(o: number, headAt: number, headLen: number): void {
    const { buf, words, output } = this.#batch;
    const headers = headersOf(buf, headAt);
    const begins = this.#words;
    this.#startMessage(1);
    this.#addPiece(headAt - vnet.VNET_HEADER_LEN, vnet.VNET_HEADER_LEN + headLen);
    let len = headLen;
    let last = headAt;
    let pieces = 1;
    for (let of = this.#following[o] ?? NONE; of !== NONE; of = this.#following[of] ?? NONE) {
      last = output[of * OUTPUT_WORDS] ?? 0;
      const payload = (output[of * OUTPUT_WORDS + 1] ?? 0) - headers;
      this.#addPiece(last + headers, payload);
      len += payload;
      pieces++;
    }
    this.pieces[begins] = pieces;
    writeSuperHeaders(buf, words, headAt, len, last);
    vnet.writeTcpSuper(words, (headAt - vnet.VNET_HEADER_LEN) >> 2, headers, headLen - headers, IPV4_HEADER_LEN);
  }

  #startMessage(pieces: number): void {
    this.pieces[this.#words++] = pieces;
  }

  #addPiece(at: number, len: number): void {
    this.pieces[this.#words++] = at;
    this.pieces[this.#words++] = len;
  }
}
