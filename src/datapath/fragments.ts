/**
 * Fragments of tunnel packets in a worker: worker 0 of a role reassembles, all others hand over to it.
 */

import type { Batch } from './batch.ts';
import { FragmentReceiver, FragmentSender, NO_WAKE, ONLY_SOURCE, STRANGER } from './fragment-ring.ts';
import type { GatewayIndex } from './gateway-index.ts';
import type { Icmpv6Errors } from './icmpv6-errors.ts';
import { KeyedHash } from './keyed-hash.ts';
import { Reassembly } from './reassembly.ts';
import { ReassemblyGauges } from './reassembly-gauges.ts';
import type { Softwires } from './softwires.ts';
import { DROP_REASSEMBLY_LIMIT, HELD } from './verdict.ts';
import { IPV6_SOURCE } from './wire/ipv6.ts';
import type { Walk } from './wire/ipv6-extensions.ts';

const ADDRESS_WORDS = 4;

/** What the workers of a role share for reassembly. */
export interface FragmentMemory {
  readonly gauges: SharedArrayBuffer;
  readonly rings: SharedArrayBuffer;
  /** Two random words. */
  readonly hashKey: Int32Array;
  /** Memory for fragments that wait, taken with the first one. */
  readonly octets: number;
}

export class Fragments {
  readonly #memory: FragmentMemory;
  readonly #softwires: Softwires;
  readonly #errors: Icmpv6Errors;
  readonly #gateways: GatewayIndex | undefined;
  readonly #hash: KeyedHash;
  readonly #sender: FragmentSender | undefined;
  readonly #receiver: FragmentReceiver | undefined;
  #reassembly: Reassembly | undefined;

  /** `gateways` are those of an AFTR. */
  constructor(
    memory: FragmentMemory,
    softwires: Softwires,
    errors: Icmpv6Errors,
    worker: number,
    gateways: GatewayIndex | undefined,
  ) {
    this.#memory = memory;
    this.#softwires = softwires;
    this.#errors = errors;
    this.#gateways = gateways;
    this.#hash = new KeyedHash(memory.hashKey);
    this.#sender = worker === 0 ? undefined : new FragmentSender(memory.rings, worker);
    this.#receiver = worker === 0 ? new FragmentReceiver(memory.rings) : undefined;
  }

  /** Octets of the packet that was made whole last. */
  get length(): number {
    return this.#reassembly?.length ?? 0;
  }

  /** Packets that were held for it; their octets. */
  get heldPackets(): number {
    return this.#reassembly?.heldPackets ?? 0;
  }

  get heldOctets(): number {
    return this.#reassembly?.heldOctets ?? 0;
  }

  /** As Reassembly.add; HELD also when the fragment is on its way to worker 0. */
  add(batch: Batch, k: number, outer: number, end: number, walk: Walk, softwire: number): number {
    if (this.#sender) {
      const instance = this.#softwires.instance(softwire);
      const source = this.#sourceOf(instance, batch.words, (outer + IPV6_SOURCE) >> 2);
      return this.#sender.put(batch, outer, batch.lengths[k] ?? 0, instance, source) ? HELD : DROP_REASSEMBLY_LIMIT;
    }
    this.#reassembly ??= this.#start();
    return this.#reassembly.add(batch, k, outer, end, walk, softwire);
  }

  /** For the ring: who sends, by the four words of an address. A gateway hears of its AFTR alone. */
  #sourceOf(instance: number, words: Int32Array, w: number): number {
    if (!this.#gateways) return ONLY_SOURCE;
    if (this.#gateways.find(instance, words, w) === 0) return STRANGER;
    return this.#hash.of(words, w, ADDRESS_WORDS, instance) >>> 1;
  }

  /** Gives up the datagrams whose time is over. */
  expire(batch: Batch): void {
    this.#reassembly?.expire(batch);
  }

  isDue(nowMs: number): boolean {
    return this.#reassembly?.isDue(nowMs) ?? false;
  }

  /** After a batch was counted: the fragments in it go on their way. Returns what is to be woken, or NO_WAKE. */
  publish(): number {
    return this.#sender?.publish() ?? NO_WAKE;
  }

  /** Where those of other workers come in; only at worker 0. */
  get receiver(): FragmentReceiver | undefined {
    return this.#receiver;
  }

  #start(): Reassembly {
    const { gauges, hashKey, octets } = this.#memory;
    const shared = new ReassemblyGauges(gauges);
    return new Reassembly(this.#softwires, shared, this.#errors, this.#gateways, hashKey, octets);
  }
}
