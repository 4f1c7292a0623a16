/** What the engine is compared with, in C++: tools/bench/native, built by tools/setup.sh. */

import { fileURLToPath } from 'node:url';
import type { Batch } from '../../src/datapath/batch.ts';

declare const forwarderBrand: unique symbol;
export interface Forwarder {
  readonly [forwarderBrand]: true;
}

/** Tables of an AFTR, in shared memory. */
export interface ForwarderTables {
  readonly first: Int32Array;
  readonly blocks: Int32Array;
  readonly rows: Int32Array;
  readonly softwires: Int32Array;
  readonly own: Int32Array;
}

interface Baseline {
  /** The memory must outlive the forwarder. */
  forwarder(tables: ForwarderTables, batch: Batch, flowKey: number): Forwarder;
  /** Does an AFTR's work on the first `count` packets of the batch; returns how many it forwarded. */
  forward(forwarder: Forwarder, count: number): number;
  /** What it has forwarded for an instance: packets and octets from IPv4, packets and octets from the tunnel. */
  counts(forwarder: Forwarder, instance: number): readonly number[];
  /** Reads each packet that waits in a TUN queue and writes it back; returns how many. */
  copy(descriptor: number): number;
}

function isBaseline(value: unknown): value is Baseline {
  return typeof value === 'object' && value !== null && 'forwarder' in value;
}

/** @throws Error when it is not built */
export function loadBaseline(): Baseline {
  const path = fileURLToPath(new URL('../../../tools/bench/native/build/Release/baseline.node', import.meta.url));
  const loaded: { exports: unknown } = { exports: {} };
  process.dlopen(loaded, path);
  if (!isBaseline(loaded.exports)) throw new Error(`${path} is not the baseline of the benches`);
  return loaded.exports;
}
