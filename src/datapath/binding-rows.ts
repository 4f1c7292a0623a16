/** The rows of one role that lead to what bindings ask for: a few that change, in one moment or one after the other, or all of them. */

import type { Ipv4Prefix } from '../address.ts';
import type { Binding } from '../state/binding.generated.ts';
import type { StoredBinding } from './row-slices.ts';
import { loadRows, synchronizeRows } from './row-slices.ts';
import type { SharedAddresses } from './shared-addresses.ts';
import type { PreparedChange, Table, WantedRow } from './table.ts';
import type { TunnelAddresses } from './tunnel-addresses.ts';

export class BindingRows {
  /** Bindings, shared addresses and served prefixes that found the table full. */
  refused = 0;
  readonly #table: Table;
  readonly #tunnels: TunnelAddresses;
  readonly #shared: SharedAddresses;
  readonly #hold: (body: () => void) => void;

  /** `hold` runs what it is given with no packet being decided. */
  constructor(table: Table, tunnels: TunnelAddresses, shared: SharedAddresses, hold: (body: () => void) => void) {
    this.#table = table;
    this.#tunnels = tunnels;
    this.#shared = shared;
    this.#hold = hold;
  }

  /** The row that a binding of an AFTR asks for; undefined while that AFTR or its address is not in use. */
  wantedBinding(instance: string, binding: Binding): WantedRow | undefined {
    const target = this.#tunnels.target(instance, binding.gatewayIpv6Address, binding.aftrIpv6Address);
    return target && { prefix: { address: binding.address, length: binding.length }, target };
  }

  /** Adds or replaces one row; a row that is so already is left alone. Gives the row, 0 when the table is full. */
  put({ prefix: { address, length }, target }: WantedRow): number {
    const there = this.#table.find(address, length);
    if (there !== 0 && this.#table.leadsTo(there, target)) return there;
    const row = this.#table.putOver(there, address, length, target);
    if (row === 0) this.refused++;
    return row;
  }

  /** First step of `put`: all that packets do not see. Undefined when nothing changes, or the table is full. */
  preparePut({ prefix: { address, length }, target }: WantedRow): PreparedChange | undefined {
    const there = this.#table.find(address, length);
    if (there !== 0 && this.#table.leadsTo(there, target)) return undefined;
    const change = this.#table.preparePut(there, address, length, target);
    if (!change) this.refused++;
    return change;
  }

  /**
   * First step of the removal of an AFTR's row. Undefined when there is none, also when another AFTR has put one there meanwhile: the prefix has
   * changed hands.
   */
  prepareRemovalOf(instance: string, { address, length }: Ipv4Prefix): PreparedChange | undefined {
    const row = this.#table.find(address, length);
    const own = this.#tunnels.of(instance);
    if (row === 0 || own.every(({ softwire }) => softwire !== this.#table.softwireOf(row))) return undefined;
    return this.#table.prepareRemoval(row, address, length);
  }

  /** Makes changes seen as they are prepared, one after the other. */
  showEach(changes: Iterable<PreparedChange | undefined>): void {
    for (const change of changes) {
      if (!change) continue;
      this.#table.show(change);
      this.#table.complete(change);
    }
  }

  /**
   * Makes changes seen in one moment, which begins when all are prepared: packets wait for the words that lead to the rows. When one cannot be
   * prepared, those before it are seen all the same, as the index has them. Of a gateway that is new, refused packets are told of from the
   * preparation on.
   */
  showTogether(changes: Iterable<PreparedChange | undefined>): void {
    const prepared: PreparedChange[] = [];
    try {
      for (const change of changes) if (change) prepared.push(change);
    } finally {
      if (prepared.length > 0) {
        this.#hold(() => {
          for (const change of prepared) this.#table.show(change);
        });
      }
      for (const change of prepared) this.#table.complete(change);
    }
  }

  /**
   * Makes the rows exactly those wanted. Packets of rows that stay are not touched by it. `pause` is awaited between slices.
   */
  async synchronize(wanted: Iterable<WantedRow>, pause: () => Promise<void>): Promise<void> {
    this.refused = 0;
    await synchronizeRows(this.#table, wanted, { put: (row) => this.put(row), pause });
  }

  /** The same while there is no binding in the table; `aftrOf` says whose a table of the store is, undefined for nobody's. */
  async load(
    bindings: Iterable<StoredBinding>,
    aftrOf: (instance: string) => string | undefined,
    pause: () => Promise<void>,
  ): Promise<void> {
    this.refused = 0;
    await loadRows(bindings, {
      aftrOf,
      targetOf: (aftr, { gatewayIpv6Address, aftrIpv6Address }) =>
        this.#tunnels.target(aftr, gatewayIpv6Address, aftrIpv6Address),
      put: (row) => this.put(row),
      append: ({ prefix: { address, length }, target }) => {
        if (this.#table.append(address, length, target) === 0) this.refused++;
      },
      isShared: (address) => this.#shared.has(address),
      pause,
    });
  }
}
