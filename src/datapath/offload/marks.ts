/** What is not done yet of the packets of a batch, each a word a packet: one device writes, and those that send for it read. */

export class Marks {
  /** Where what a partial checksum covers begins << 16 | how far from there its field is; 0 when the checksum is whole. */
  readonly partials: Int32Array;
  /** 1 when kernel or link have found the checksum right. */
  readonly vouched: Uint8Array;
  /** Where the payload lies that is not behind its headers, and its octets; 0 octets when it is. */
  readonly bodyAt: Int32Array;
  readonly bodyLen: Int32Array;

  constructor(capacity: number) {
    this.partials = new Int32Array(capacity);
    this.vouched = new Uint8Array(capacity);
    this.bodyAt = new Int32Array(capacity);
    this.bodyLen = new Int32Array(capacity);
  }

  /** Packet `k` is whole now. */
  clear(k: number): void {
    this.partials[k] = 0;
    this.vouched[k] = 0;
    this.bodyLen[k] = 0;
  }

  clearAll(): void {
    this.partials.fill(0);
    this.vouched.fill(0);
    this.bodyLen.fill(0);
  }
}
