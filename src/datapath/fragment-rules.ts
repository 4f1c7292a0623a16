/** What one fragment of a tunnel packet must be, whatever others come (RFC 8200 §4.5, RFC 7112 §5); its source is told what it is not. */

import type { Batch } from './batch.ts';
import type { Icmpv6Errors } from './icmpv6-errors.ts';
import { ERRONEOUS_HEADER_FIELD, INCOMPLETE_HEADER_CHAIN, UNRECOGNIZED_NEXT_HEADER } from './icmpv6-errors.ts';
import { IPV4_HEADER_LEN } from './wire/ipv4.ts';
import * as ipv6 from './wire/ipv6.ts';
import { continueWalk, newWalk, WALK_TRUNCATED } from './wire/ipv6-extensions.ts';
import * as fragment from './wire/ipv6-fragment.ts';
import { u8 } from './wire/octets.ts';

/** Octets before the payload length in the IPv6 header: a pointer of ICMPv6 goes there. */
export const PAYLOAD_LENGTH_FIELD = 4;
export const MAX_PAYLOAD = 65_535;

/** A fragment in hand; one record is reused for all. */
export interface Piece {
  k: number;
  /** Offset of the IPv6 header, length of the packet, octets before the data. */
  at: number;
  octets: number;
  headerLen: number;
  /** Place of the octet that names the fragment header. */
  link: number;
  /** Offset and length of the data in the datagram. */
  offset: number;
  len: number;
  more: boolean;
  softwire: number;
}

export class FragmentRules {
  readonly #errors: Icmpv6Errors;
  readonly #walk = newWalk();

  constructor(errors: Icmpv6Errors) {
    this.#errors = errors;
  }

  /** False for a fragment that is dropped alone. */
  isPossible(batch: Batch, piece: Piece): boolean {
    const { headerLen, offset, len, more } = piece;
    if (more && (len & 7) !== 0) {
      this.#report(batch, piece, ERRONEOUS_HEADER_FIELD, PAYLOAD_LENGTH_FIELD);
      return false;
    }
    const fragmentHeader = headerLen - fragment.FRAGMENT_HEADER_LEN;
    if (fragmentHeader - ipv6.IPV6_HEADER_LEN + offset + len > MAX_PAYLOAD) {
      this.#report(batch, piece, ERRONEOUS_HEADER_FIELD, fragmentHeader + fragment.FRAGMENT_OFFSET);
      return false;
    }
    if (offset === 0 && u8(batch.buf, piece.at + fragmentHeader) === ipv6.NEXT_HEADER_HOP_BY_HOP) {
      // RFC 8200 §4. In the whole packet the IPv6 header could name them, and they would be in their place.
      this.#report(batch, piece, UNRECOGNIZED_NEXT_HEADER, fragmentHeader);
      return false;
    }
    if (offset === 0 && !this.#hasHeaderChain(batch.buf, piece)) {
      this.#report(batch, piece, INCOMPLETE_HEADER_CHAIN, 0);
      return false;
    }
    return len > 0;
  }

  /** Whether a first fragment has all headers up to that of the upper layer: of IPv4, here, with its options. */
  #hasHeaderChain(buf: Uint8Array, { at, octets, headerLen }: Piece): boolean {
    const walk = this.#walk;
    const end = at + octets;
    walk.at = at + headerLen;
    walk.nextHeader = fragment.fragmentNextHeader(buf, walk.at - fragment.FRAGMENT_HEADER_LEN);
    continueWalk(buf, end, walk);
    if (walk.end === WALK_TRUNCATED || walk.at >= end) return false;
    if (walk.nextHeader !== ipv6.NEXT_HEADER_IPV4) return true;
    return walk.at + Math.max(IPV4_HEADER_LEN, (u8(buf, walk.at) & 15) << 2) <= end;
  }

  #report(batch: Batch, { k, at, octets, softwire }: Piece, error: number, parameter: number): void {
    this.#errors.send(batch, k, error, parameter, softwire, at, octets);
  }
}
