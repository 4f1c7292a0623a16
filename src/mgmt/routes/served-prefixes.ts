/**
 * The prefixes that a gateway serves because they were accepted: its operational table, by which the datapath serves it, follows what is
 * known of each. A change of few costs as few.
 */

import type { Log } from '../../log.ts';
import { encodeBinding } from '../../state/binding.generated.ts';
import type { LearningStore, SharedLearning } from '../../state/learned/learning.ts';
import { prefixOf } from '../../state/learned/reconciliation.ts';
import { isInformed, servedTable } from '../../state/learned/tables.ts';
import { RowOverlay } from '../../state/overlay.ts';
import type { Caller } from '../../state/request.ts';
import { inSlices } from '../../state/row-changes.ts';

const SYSTEM: Caller = { user: 'system', session: 0, face: 'system' };
/** When the store did not take a change. */
const RETRY_MS = 5_000;

export interface ServedParts {
  readonly store: LearningStore;
  readonly log: Log;
  /** Called when a change that failed is to be tried again. */
  readonly onRetry: () => void;
}

export class ServedPrefixes {
  readonly #gateway: string;
  readonly #parts: ServedParts;
  /** What is to be in the table, by prefix number. */
  readonly #numbers: Set<number>;
  #address: Uint8Array = new Uint8Array(16);
  /** Whether the table may differ in more than what is written next. */
  #isTableUnknown = true;
  #retry: NodeJS.Timeout | undefined;

  /** `numbers` are in the table already. */
  constructor(gateway: string, numbers: Iterable<number>, parts: ServedParts) {
    this.#gateway = gateway;
    this.#numbers = new Set(numbers);
    this.#parts = parts;
  }

  get numbers(): ReadonlySet<number> {
    return this.#numbers;
  }

  /** The gateway begins to inform others, with this tunnel address: the whole table is compared with the next change. */
  begin(address: Uint8Array): void {
    this.#address = address;
    this.#isTableUnknown = true;
  }

  /**
   * Looks at these prefixes, all of `wanted` and all that are served where they are not said: `isServed` says of each whether it is. Who asks
   * may be over before all are looked at: then the rest is left to who comes after.
   */
  async follow(
    numbers: Iterable<number> | undefined,
    wanted: ReadonlySet<number>,
    isServed: (number: number) => boolean,
    isOver: () => boolean,
  ): Promise<void> {
    const changed: number[] = [];
    const look = (number: number) => {
      if (isOver()) return;
      const is = isServed(number);
      if (is === this.#numbers.has(number)) return;
      if (is) this.#numbers.add(number);
      else this.#numbers.delete(number);
      changed.push(number);
    };
    if (!numbers) await inSlices(this.#numbers, look);
    await inSlices(numbers ?? wanted, look);
    if (isOver()) return;
    const isWhole = this.#isTableUnknown;
    if (!isWhole && changed.length === 0) return;
    this.#isTableUnknown = false;
    clearTimeout(this.#retry);
    this.#write(isWhole ? undefined : changed).catch((error: unknown) => {
      this.#isTableUnknown = true;
      this.#parts.log.error({ gateway: this.#gateway, error: String(error) }, 'served prefixes could not be changed');
      this.#retry = setTimeout(this.#parts.onRetry, RETRY_MS).unref();
    });
  }

  async #write(changed: readonly number[] | undefined): Promise<void> {
    const table = servedTable(this.#gateway);
    const gatewayIpv6Address = this.#address;
    const leaves = { aftrIpv6Address: undefined, description: undefined, origin: 'learned' } as const;
    const work: SharedLearning['work'] = async (base, softwire) => {
      const overlay = new RowOverlay();
      const isThere = softwire.gateway.some((item) => item.name === this.#gateway && item.enabled && isInformed(item));
      if (!isThere) return { overlay, done: () => undefined };
      await inSlices(changed ? [] : base.sealedRows(table), ({ number }) => {
        if (!this.#numbers.has(number)) overlay.deleteNumber(table, number);
      });
      await inSlices(changed ?? this.#numbers, (number) => {
        const row = { ...prefixOf(number), gatewayIpv6Address, ...leaves };
        if (this.#numbers.has(number)) overlay.putSealed(table, number, encodeBinding(row));
        else overlay.deleteNumber(table, number);
      });
      return { overlay, done: () => undefined };
    };
    const weight = changed?.length ?? this.#numbers.size;
    const comment = `prefixes that ${this.#gateway} serves`;
    await this.#parts.store.learn({ key: `gateway ${this.#gateway}`, weight, caller: SYSTEM, comment, work });
  }

  close(): void {
    clearTimeout(this.#retry);
  }
}
