/**
 * Where the kernel's ways to tunnel addresses enter the softwires, followed: whoever listens is told of all that do, whenever that
 * has changed. They are looked at anew when links or routes of either family change, and once in a while.
 */

import { formatIpv6 } from '../address.ts';
import { Netlink } from './netlink.ts';
import { watchWays } from './netlink-socket.ts';
import { softwireEntry } from './recursion.ts';

/** As `softwireEntry` says it, an IPv4 address as a number. */
export type Entries = ReadonlyMap<string, number | 'itself'>;

const GATHER_MS = 100;
/** Of the time the last look took. */
const REST_FACTOR = 20;
/** Looks without news: what no news told of. */
const REFRESH_MS = 30_000;

export class NextHopWatch {
  readonly #device: string;
  readonly #onEntries: (entries: Entries) => void;
  readonly #onFault: (message: string) => void;
  readonly #netlink = new Netlink();
  #gateways: readonly Uint8Array[] = [];
  #told: Entries = new Map();
  #unwatch: (() => void) | undefined;
  #timer: NodeJS.Timeout | undefined;
  #dueMs = Number.POSITIVE_INFINITY;
  #earliestMs = 0;
  #looking: Promise<void> | undefined;
  #isClosed = false;

  /** `device` is the AFTR's TUN device. `onFault` is told when the kernel could not be asked; it is tried again. */
  constructor(device: string, onEntries: (entries: Entries) => void, onFault: (message: string) => void) {
    this.#device = device;
    this.#onEntries = onEntries;
    this.#onFault = onFault;
  }

  /** The tunnel addresses are these from now on. */
  follow(gateways: readonly Uint8Array[]): void {
    if (this.#isClosed) return;
    this.#gateways = gateways;
    if (gateways.length > 0) this.#unwatch ??= watchWays(() => this.#lookIn(GATHER_MS));
    else this.#stopWatching();
    if (gateways.length > 0 || this.#told.size > 0) this.#lookIn(0);
  }

  close(): void {
    this.#isClosed = true;
    clearTimeout(this.#timer);
    this.#stopWatching();
    this.#netlink.close();
  }

  #stopWatching(): void {
    this.#unwatch?.();
    this.#unwatch = undefined;
  }

  #lookIn(delayMs: number): void {
    const due = Math.max(performance.now() + delayMs, this.#earliestMs);
    if (this.#isClosed || this.#dueMs <= due) return;
    this.#dueMs = due;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#lookNow(), due - performance.now());
    this.#timer.unref();
  }

  #lookNow(): void {
    this.#dueMs = Number.POSITIVE_INFINITY;
    if (this.#looking) {
      this.#lookIn(GATHER_MS);
      return;
    }
    const begun = performance.now();
    this.#looking = this.#look()
      .catch((error: unknown) => {
        if (!this.#isClosed) this.#onFault(error instanceof Error ? error.message : String(error));
      })
      .finally(() => {
        this.#looking = undefined;
        const tookMs = performance.now() - begun;
        this.#earliestMs = performance.now() + REST_FACTOR * tookMs;
        if (this.#gateways.length > 0) this.#lookIn(REFRESH_MS);
      });
  }

  async #look(): Promise<void> {
    const gateways = this.#gateways;
    const links = gateways.length === 0 ? [] : await this.#netlink.links();
    const around = { links, device: this.#device, netlink: this.#netlink };
    const entries = new Map<string, number | 'itself'>();
    for (const gateway of gateways) {
      const entry = await softwireEntry(gateway, around);
      if (entry === undefined) continue;
      entries.set(formatIpv6(gateway), entry.length === 16 ? 'itself' : Buffer.from(entry).readUInt32BE(0));
    }
    if (this.#isClosed || isSame(entries, this.#told)) return;
    this.#told = entries;
    this.#onEntries(entries);
  }
}

function isSame(a: Entries, b: Entries): boolean {
  return a.size === b.size && [...a].every(([gateway, entry]) => b.get(gateway) === entry);
}
