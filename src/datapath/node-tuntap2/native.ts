/** The compiled addon: its functions over opaque handles, and how it is loaded. */

import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

declare const queueBrand: unique symbol;
export interface QueueHandle {
  readonly [queueBrand]: true;
}

declare const watchBrand: unique symbol;
export interface WatchHandle {
  readonly [watchBrand]: true;
}

/** Of a program; `error` is the errno of its start. */
export interface NativeEnd {
  readonly error: number;
  readonly code: number;
  readonly output: string;
  readonly errors: string;
}

export interface Native {
  open(name: string, descriptor: number, persist: boolean, offloads: boolean): QueueHandle;
  name(queue: QueueHandle): string;
  descriptor(queue: QueueHandle): number;
  wakeDescriptor(queue: QueueHandle): number;
  offloadsUdp(queue: QueueHandle): boolean;
  setPersist(queue: QueueHandle, persist: boolean): void;
  attach(queue: QueueHandle, arena: Uint8Array, lengths: Int32Array, outputs: Int32Array): void;
  readBatch(queue: QueueHandle, first: number, stride: number, capacity: number, max: number): number;
  writeBatch(queue: QueueHandle, count: number): number;
  writeGathered(queue: QueueHandle, count: number): number;
  wait(queue: QueueHandle, timeoutMs: number): number;
  wake(descriptor: number): void;
  close(queue: QueueHandle): void;

  adviseHugePages(memory: Int32Array): boolean;
  ignoreNetlinkLoss(protocol: number, port: number): boolean;
  shortenSlice(nanoseconds: number): boolean;

  run(words: readonly string[], environment: readonly string[], input: string, mostMs: number): Promise<NativeEnd>;

  watch(descriptor: number, onReadable: () => void): WatchHandle;
  arm(watch: WatchHandle): void;
  unwatch(watch: WatchHandle): void;

  getMtu(name: string): number;
  setMtu(name: string, mtu: number): void;
  getUp(name: string): boolean;
  setUp(name: string, up: boolean): void;
  getAddresses(name: string, family: 4 | 6): string[];
  setIpv4(name: string, address: string, length: number): void;
  changeIpv6(name: string, address: string, length: number, remove: boolean): void;
}

function isNative(value: unknown): value is Native {
  return typeof value === 'object' && value !== null && 'readBatch' in value;
}

function loadAddon(): Native {
  const path = fileURLToPath(new URL('../build/Release/node_tuntap2.node', import.meta.url));
  if (!existsSync(path)) {
    const message = `The addon node-tuntap2 is not built (expected ${path}): run \`npm run build:native\`.`;
    throw Object.assign(new Error(message), { code: 'ADDON_MISSING' });
  }
  const loaded: { exports: unknown } = { exports: {} };
  process.dlopen(loaded, path);
  if (!isNative(loaded.exports)) throw new Error(`${path} is not the addon node-tuntap2`);
  return loaded.exports;
}

let addon: Native | undefined;

/** The addon, loaded at the first call, so that importing the package needs none. @throws Error code ADDON_MISSING */
export function native(): Native {
  addon ??= loadAddon();
  return addon;
}
