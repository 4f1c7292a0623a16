/**
 * Echo to a tunnel address is answered to whoever asks (RFC 4443 §4.2), whatever extension headers stand before the
 * request; the answer has none. Of the way back nothing is known: what came whole and fits the softwire goes back whole,
 * anything larger than every link takes is fragmented to that size (RFC 8200 §5).
 */

import type { Batch } from './batch.ts';
import type { Encapsulation } from './encapsulation.ts';
import type { PathMtus } from './path-mtus.ts';
import type { Softwires } from './softwires.ts';
import { REPLY_TTL } from './wire/icmpv4.ts';
import { turnIntoIcmpv6EchoReply } from './wire/icmpv6.ts';
import * as ipv6 from './wire/ipv6.ts';

export class Echo {
  readonly #softwires: Softwires;
  readonly #pathMtus: PathMtus;
  readonly #encapsulation: Encapsulation;

  constructor(softwires: Softwires, pathMtus: PathMtus, encapsulation: Encapsulation) {
    this.#softwires = softwires;
    this.#pathMtus = pathMtus;
    this.#encapsulation = encapsulation;
  }

  /**
   * Answers the echo request of `len` octets at `message` in the IPv6 packet at `outer`, packet `k`, where it stands.
   * `isWhole`: it was put together from fragments. False, and nothing sent, when the batch has no room for those of the
   * answer.
   */
  answer(
    batch: Batch,
    k: number,
    outer: number,
    message: number,
    len: number,
    softwire: number,
    isWhole: boolean,
  ): boolean {
    const { buf } = batch;
    const header = message - ipv6.IPV6_HEADER_LEN;
    const trafficClass = ipv6.trafficClass(buf, outer);
    const addresses = outer + ipv6.IPV6_SOURCE;
    buf.copyWithin(header + ipv6.IPV6_SOURCE, addresses, addresses + 32);
    ipv6.swapAddresses(buf, header);
    ipv6.writeIpv6Fields(buf, header, trafficClass, 0, len, ipv6.NEXT_HEADER_ICMPV6, REPLY_TTL);
    turnIntoIcmpv6EchoReply(buf, message);
    const size = ipv6.IPV6_HEADER_LEN + len;
    const fits = this.#pathMtus.configured(softwire) + this.#softwires.headerLength(softwire);
    if (size > ipv6.IPV6_MINIMUM_MTU && (isWhole || size > fits)) {
      return this.#encapsulation.sendFragments(batch, k, message, len, ipv6.IPV6_MINIMUM_MTU - ipv6.IPV6_HEADER_LEN);
    }
    batch.send(k, header, size);
    return true;
  }
}
