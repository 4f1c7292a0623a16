/**
 * A tunnel packet whose inner source is not bound to its outer source (RFC 7596 §6.2): an AFTR tells the sender, within its
 * rates, and notes who it was, for alarms and with the figures of the gateway.
 */

import type { Batch } from './batch.ts';
import { SOURCE_WORD } from './header-words.ts';
import type { Icmpv6Errors } from './icmpv6-errors.ts';
import { SOURCE_REFUSED } from './icmpv6-errors.ts';
import type { Softwires } from './softwires.ts';
import type { ViolationLog } from './violation-log.ts';
import type { Violations } from './violations.ts';
import { source } from './wire/ipv4.ts';
import { IPV6_HEADER_LEN, IPV6_SOURCE, payloadLength } from './wire/ipv6.ts';

/** A packet of a batch, to the tunnel address of a softwire. */
export interface RefusedPacket {
  readonly k: number;
  /** Offset of the IPv6 header. */
  readonly outer: number;
  /** Offset of the IPv4 header. */
  readonly at: number;
  readonly softwire: number;
}

export interface GatewayRefusalParts {
  readonly softwires: Softwires;
  readonly errors: Icmpv6Errors;
  readonly log: ViolationLog;
  readonly violations: Violations;
  /** The lane of the log. */
  readonly worker: number;
}

export class GatewayRefusals {
  readonly #softwires: Softwires;
  readonly #errors: Icmpv6Errors;
  readonly #log: ViolationLog;
  readonly #violations: Violations;
  readonly #worker: number;

  constructor({ softwires, errors, log, violations, worker }: GatewayRefusalParts) {
    this.#softwires = softwires;
    this.#errors = errors;
    this.#log = log;
    this.#violations = violations;
    this.#worker = worker;
  }

  /** Returns `drop`, the verdict. */
  refuse(batch: Batch, { k, outer, at, softwire }: RefusedPacket, drop: number): number {
    const instance = this.#softwires.instance(softwire);
    const { words } = batch;
    this.#log.add(this.#worker, instance, words, (outer + IPV6_SOURCE) >> 2, (at >> 2) + SOURCE_WORD);
    this.#violations.note(batch, k, instance, outer >> 2, source(batch.buf, at));
    const len = IPV6_HEADER_LEN + payloadLength(batch.buf, outer);
    this.#errors.send(batch, k, SOURCE_REFUSED, 0, softwire, outer, len);
    return drop;
  }
}
