/**
 * Held packets that are held no longer: how many of an instance get which verdict. The counters move them when they
 * count the batch, so that a fragment ends as its datagram does, also when the kernel refuses to take that.
 */

/** SIDE_IPV6 of counters.ts: only tunnel packets are put together. */
const IPV6 = 1;
/** Owner of a settlement with a verdict of its own. */
const NOBODY = -1;
/** Verdict of packets that are counted anew, with the batch in which they are. */
export const COUNTED_ANEW = -1;
/** What one fragment may end beside its own datagram: those that make room for it. */
export const EVICTIONS_PER_FRAGMENT = 8;
/** Datagrams given up in one batch because their time is over. */
export const EXPIRIES_PER_BATCH = 256;

export class Settlements {
  count = 0;
  /** Packet of the batch whose verdict they share; NOBODY when `verdicts` has it. */
  readonly owners: Int32Array;
  readonly verdicts: Int32Array;
  readonly instances: Int32Array;
  /** SIDE_ numbers of counters.ts: where they were received. */
  readonly sides: Uint8Array;
  readonly packets: Int32Array;
  readonly octets: Int32Array;

  /** For batches of `capacity` packets: each may come from another worker, end its datagram, and end others. */
  constructor(capacity: number) {
    const most = capacity * (2 + EVICTIONS_PER_FRAGMENT) + EXPIRIES_PER_BATCH;
    this.owners = new Int32Array(most);
    this.verdicts = new Int32Array(most);
    this.instances = new Int32Array(most);
    this.sides = new Uint8Array(most);
    this.packets = new Int32Array(most);
    this.octets = new Int32Array(most);
  }

  /** So many held packets of an instance share the verdict of packet `owner`. */
  share(owner: number, instance: number, packets: number, octets: number): void {
    this.#add(owner, 0, instance, IPV6, packets, octets);
  }

  /** So many held packets of an instance end with `verdict`. */
  end(verdict: number, instance: number, packets: number, octets: number): void {
    this.#add(NOBODY, verdict, instance, IPV6, packets, octets);
  }

  /** One held packet of an instance is in this batch again, and counted with it; `side` is where it was received. */
  recount(instance: number, octets: number, side = IPV6): void {
    this.#add(NOBODY, COUNTED_ANEW, instance, side, 1, octets);
  }

  #add(owner: number, verdict: number, instance: number, side: number, packets: number, octets: number): void {
    if (packets === 0) return;
    const i = this.count++;
    this.owners[i] = owner;
    this.verdicts[i] = verdict;
    this.instances[i] = instance;
    this.sides[i] = side;
    this.packets[i] = packets;
    this.octets[i] = octets;
  }
}
