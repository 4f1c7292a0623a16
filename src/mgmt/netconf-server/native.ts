/**
 * The compiled addon: its functions over opaque handles, and how it is loaded.
 */

import { existsSync } from 'node:fs';
import { constants } from 'node:os';
import { fileURLToPath } from 'node:url';
import type { ValidationFault } from './schema-dump.ts';

declare const contextBrand: unique symbol;
export interface ContextHandle {
  readonly [contextBrand]: true;
}

declare const serverBrand: unique symbol;
export interface ServerHandle {
  readonly [serverBrand]: true;
}

/** `text` is the operation (an RPC) or the reason (the end of a session). */
export type EventSink = (
  kind: number,
  session: number,
  sequence: number,
  operation: string,
  module: string,
  text: string,
) => void;

export interface Native {
  openContext(searchDirs: readonly string[], modules: readonly (readonly string[])[]): ContextHandle;
  closeContext(context: ContextHandle): void;
  schemaJson(context: ContextHandle): string;
  prefixedIds(context: ContextHandle): number[];
  moduleSource(context: ContextHandle, name: string, revision: string, yin: boolean): string | undefined;
  checkValue(
    context: ContextHandle,
    id: number,
    text: string,
    prefixes: readonly string[] | undefined,
  ): string | [message: string, appTag: string];
  validateConfig(context: ContextHandle, xml: string): ValidationFault[];
  checkOperation(context: ContextHandle, xml: string): ValidationFault[];
  yangLibrary(context: ContextHandle): [json: string, contentId: string];
  print(context: ContextHandle, xml: string, json: boolean): string;
  trimMemory(): void;

  openServer(
    context: ContextHandle,
    capabilities: readonly string[],
    basicMode: string,
    alsoSupported: readonly string[],
    pickUpMs: number,
    onEvent: EventSink,
  ): ServerHandle;
  acceptSession(server: ServerHandle, user: string): [fd: number, session: number];
  answerRpc(server: ServerHandle, session: number, sequence: number, kind: number, xml: string): boolean;
  notifySession(server: ServerHandle, session: number, xml: string, eventTime: string): void;
  terminateSession(server: ServerHandle, session: number): void;
  closeServer(server: ServerHandle): void;
}

function isNative(value: unknown): value is Native {
  return typeof value === 'object' && value !== null && 'openContext' in value;
}

/** Node exports its own OpenSSL symbols; RTLD_DEEPBIND makes the libraries find theirs first. */
function loadAddon(): Native {
  const path = fileURLToPath(new URL('../build/Release/netconf_server.node', import.meta.url));
  if (!existsSync(path)) {
    const message = `The addon netconf-server is not built (expected ${path}): run \`npm run build:native\`.`;
    throw Object.assign(new Error(message), { code: 'ADDON_MISSING' });
  }
  const loaded: { exports: unknown } = { exports: {} };
  process.dlopen(loaded, path, constants.dlopen.RTLD_NOW | constants.dlopen.RTLD_DEEPBIND);
  if (!isNative(loaded.exports)) throw new Error(`${path} is not the addon netconf-server.`);
  return loaded.exports;
}

let addon: Native | undefined;

/** The addon, loaded at the first call, so that importing the package needs none. @throws Error code ADDON_MISSING */
export function native(): Native {
  addon ??= loadAddon();
  return addon;
}

/** Gives memory that was freed back to the system, also what lies between pieces in use, which the C library keeps otherwise. */
export function trimMemory(): void {
  native().trimMemory();
}
