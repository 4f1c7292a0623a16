/**
 * Putting the outer header before an IPv4 packet, and cutting the result in pieces when it is larger than the path
 * takes: the outer packet is fragmented, never the inner one (RFC 2473 §7.2 b, RFC 6333 §5.3).
 */

import type { Batch } from './batch.ts';
import type { FastPath } from './fast-path.ts';
import type { Identifications } from './identifications.ts';
import { FLAG_ENCAPSULATION_LIMIT, FLAG_OUTER_FRAGMENTATION } from './layout.ts';
import type { PathMtus } from './path-mtus.ts';
import type { Softwires } from './softwires.ts';
import { DROP_TOO_BIG, DROP_WRITE_FAILED } from './verdict.ts';
import { totalLength } from './wire/ipv4.ts';
import {
  hopLimit,
  IPV6_HEADER_LEN,
  NEXT_HEADER_DESTINATION,
  NEXT_HEADER_FRAGMENT,
  NEXT_HEADER_IPV4,
  nextHeader,
  setNextHeader,
} from './wire/ipv6.ts';
import { ENCAPSULATION_LIMIT_LEN, writeEncapsulationLimit } from './wire/ipv6-extensions.ts';
import { FRAGMENT_HEADER_LEN, writeFragmentHeader } from './wire/ipv6-fragment.ts';
import { setU16 } from './wire/octets.ts';

const MAX_PAYLOAD = 65_535;
/** What `send` may put before an IPv4 packet. */
export const ENCAPSULATION_ROOM = IPV6_HEADER_LEN + ENCAPSULATION_LIMIT_LEN;

const FRAGMENT_HEAD_LEN = IPV6_HEADER_LEN + FRAGMENT_HEADER_LEN;

export class Encapsulation {
  /** Why the last packet that was not sent was not. */
  refusal = DROP_TOO_BIG;
  readonly #softwires: Softwires;
  readonly #fastPath: FastPath;
  readonly #pathMtus: PathMtus;
  readonly #identifications: Identifications;

  /** `fastPath` is that of the engine, whose outer headers are the only ones. */
  constructor(softwires: Softwires, fastPath: FastPath, pathMtus: PathMtus, identifications: Identifications) {
    this.#softwires = softwires;
    this.#fastPath = fastPath;
    this.#pathMtus = pathMtus;
    this.#identifications = identifications;
  }

  /**
   * Sends the IPv4 packet at `at` (a multiple of four, ENCAPSULATION_ROOM before it) through the tunnel on account of
   * packet `k`; in fragments when it is larger than the payload MTU of that way. False, and nothing sent, and why not in
   * `refusal`, when that is switched off, when the far end could not put it together, or when the batch has no room left.
   */
  send(batch: Batch, k: number, at: number, softwire: number, row: number): boolean {
    const len = totalLength(batch.buf, at);
    const payloadMtu = this.#pathMtus.payloadMtu(softwire, row, batch.nowMs);
    this.refusal = DROP_TOO_BIG;
    if (len > payloadMtu && !this.#mayCut(len, softwire)) return false;
    const options = this.#writeOptions(batch, at, softwire);
    this.#fastPath.writeHeader(batch, at, len, options, softwire, row);
    if (options > 0) setNextHeader(batch.buf, at - options - IPV6_HEADER_LEN, NEXT_HEADER_DESTINATION);
    if (len > payloadMtu) return this.sendFragments(batch, k, at - options, len + options, payloadMtu + options);
    batch.send(k, at - options - IPV6_HEADER_LEN, len + options + IPV6_HEADER_LEN);
    return true;
  }

  /**
   * Whether `send` would send an IPv4 packet of `len` octets, for which the caller takes `octets` of scratch before.
   */
  maySend(batch: Batch, len: number, octets: number, softwire: number, row: number): boolean {
    const payloadMtu = this.#pathMtus.payloadMtu(softwire, row, batch.nowMs);
    if (len <= payloadMtu) return batch.hasRoom(1, octets);
    if (!this.#mayCut(len, softwire)) return false;
    const options = this.#softwires.headerLength(softwire) - IPV6_HEADER_LEN;
    const count = fragmentCount(len + options, payloadMtu + options);
    return batch.hasRoom(count, octets + count * FRAGMENT_HEAD_LEN);
  }

  /** Octets of the largest IPv4 packet that `send` sends; without a limit where it may fragment. */
  largest(batch: Batch, softwire: number, row: number): number {
    if (this.#softwires.has(softwire, FLAG_OUTER_FRAGMENTATION)) return Number.MAX_SAFE_INTEGER;
    return this.#pathMtus.payloadMtu(softwire, row, batch.nowMs);
  }

  /** Whether the fragments of a packet of `len` octets may be sent, and make a payload that its length field can tell. */
  #mayCut(len: number, softwire: number): boolean {
    const options = this.#softwires.headerLength(softwire) - IPV6_HEADER_LEN;
    return this.#softwires.has(softwire, FLAG_OUTER_FRAGMENTATION) && len + options <= MAX_PAYLOAD;
  }

  /** Writes what stands between the outer header and the packet at `at`; its octets. */
  #writeOptions(batch: Batch, at: number, softwire: number): number {
    if (!this.#softwires.has(softwire, FLAG_ENCAPSULATION_LIMIT)) return 0;
    const limit = this.#softwires.encapsulationLimit(softwire);
    writeEncapsulationLimit(batch.buf, at - ENCAPSULATION_LIMIT_LEN, NEXT_HEADER_IPV4, limit);
    return ENCAPSULATION_LIMIT_LEN;
  }

  /**
   * Fragments of RFC 8200 §4.5: the `len` octets behind the outer header, at `at`, in pieces of a multiple of eight octets
   * and with their header at most `most` octets; each with the outer header. False, and nothing sent, without room.
   */
  sendFragments(batch: Batch, k: number, at: number, len: number, most: number): boolean {
    const piece = pieceOf(most);
    const count = fragmentCount(len, most);
    const headLen = FRAGMENT_HEAD_LEN;
    if (!batch.hasRoom(count, count * headLen)) {
      this.refusal = DROP_WRITE_FAILED;
      return false;
    }
    const { buf } = batch;
    const outer = at - IPV6_HEADER_LEN;
    const identification = this.#identifications.next();
    const upper = nextHeader(buf, outer);
    for (let offset = 0; offset < len; offset += piece) {
      const size = Math.min(piece, len - offset);
      const head = batch.takeScratch(headLen);
      buf.copyWithin(head, outer, at);
      setU16(buf, head + 4, FRAGMENT_HEADER_LEN + size);
      setU16(buf, head + 6, (NEXT_HEADER_FRAGMENT << 8) | hopLimit(buf, outer));
      writeFragmentHeader(buf, head + IPV6_HEADER_LEN, upper, offset, offset + size < len, identification);
      batch.sendPieces(k, head, headLen, at + offset, size);
    }
    return true;
  }
}

/** Octets of data in a fragment that is, behind its outer header, at most `most` octets long. */
function pieceOf(most: number): number {
  return (most - FRAGMENT_HEADER_LEN) & ~7;
}

function fragmentCount(len: number, most: number): number {
  return Math.ceil(len / pieceOf(most));
}
