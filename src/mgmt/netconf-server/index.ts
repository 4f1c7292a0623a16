/**
 * libyang 2.1 and libnetconf2 2.0 for TypeScript: a YANG context (types, validation, schema, printing) and the
 * session and message layer of a NETCONF server. The native part is build/Release/netconf_server.node.
 *
 * TypeScript owns every data tree; text goes in and out. A context never changes after its construction, so that the
 * session threads may read it at any time.
 */

import { existsSync } from 'node:fs';
import { constants } from 'node:os';
import { fileURLToPath } from 'node:url';

export type NodeKind =
  | 'container'
  | 'list'
  | 'leaf'
  | 'leaf-list'
  | 'anydata'
  | 'anyxml'
  | 'rpc'
  | 'action'
  | 'notification'
  | 'input'
  | 'output';

/** One schema node. Choice and case are flattened away: `choices` tells them, outermost first. */
export interface SchemaNodeDump {
  /** Index for `YangContext.checkValue`; valid for this context only. */
  readonly id: number;
  /** Id of the parent; -1 at the top. */
  readonly parent: number;
  readonly name: string;
  readonly module: string;
  readonly kind: NodeKind;
  /** False for state data and for everything inside an operation or notification. */
  readonly config: boolean;
  readonly presence?: boolean;
  readonly keys?: readonly string[];
  readonly choices?: readonly (readonly [choice: string, name: string, mandatory: boolean, isDefault: boolean])[];
  /** Built-in base type; a leafref has that of its target. */
  readonly type?: string;
  /** Base types of a union's members, in order, nested unions unfolded. */
  readonly types?: readonly string[];
  /** Names of an enumeration or of bits, in order. */
  readonly enums?: readonly string[];
  /** Name of the typedef the leaf was written with, without prefix. */
  readonly typedef?: string;
  /** Canonical. */
  readonly defaults?: readonly string[];
  readonly units?: string;
  readonly mandatory?: boolean;
  readonly userOrdered?: boolean;
  readonly min?: number;
  readonly max?: number;
  /** Where it is stated; not inherited here (RFC 8341 §3.2.2). */
  readonly nacm?: 'default-deny-write' | 'default-deny-all';
  readonly description?: string;
  readonly status?: 'deprecated' | 'obsolete';
}

export interface ModuleDump {
  readonly name: string;
  readonly revision?: string;
  readonly namespace: string;
  readonly prefix: string;
  readonly implemented: boolean;
  /** Those that are on. */
  readonly features: readonly string[];
  readonly submodules: readonly { readonly name: string; readonly revision?: string }[];
  /** Names of the modules that deviate this one. */
  readonly deviations: readonly string[];
}

export interface SchemaDump {
  readonly modules: readonly ModuleDump[];
  /** Parents before children, siblings in schema order. */
  readonly nodes: readonly SchemaNodeDump[];
}

export interface ContextOptions {
  readonly searchDirs: readonly string[];
  readonly modules: readonly {
    readonly name: string;
    readonly revision?: string;
    readonly features: readonly string[];
  }[];
}

export type FaultCode =
  | 'must'
  | 'mandatory'
  | 'mandatory-choice'
  | 'leafref'
  | 'unique'
  | 'too-few'
  | 'too-many'
  | 'when'
  | 'unknown'
  | 'duplicate'
  | 'value'
  | 'other';

export interface ValidationFault {
  readonly code: FaultCode;
  readonly message: string;
  /** Data path with module names as prefixes (RFC 7951 style); '' when libyang knows none. */
  readonly path: string;
  readonly appTag?: string;
}

/** Canonical value and the base type that took it (of the member, for a union), or why not. */
export type CheckedValue =
  | { readonly value: string; readonly type: string }
  | { readonly message: string; readonly appTag?: string };

declare const contextBrand: unique symbol;
interface ContextHandle {
  readonly [contextBrand]: true;
}

interface Native {
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

/** Loaded with the first context, so that importing this file needs no addon. */
function native(): Native {
  addon ??= loadAddon();
  return addon;
}

/** libyang's numbers of the base types (its LY_DATA_TYPE). */
const BASE_TYPES = [
  'unknown',
  'binary',
  'uint8',
  'uint16',
  'uint32',
  'uint64',
  'string',
  'bits',
  'boolean',
  'decimal64',
  'empty',
  'enumeration',
  'identityref',
  'instance-identifier',
  'leafref',
  'union',
  'int8',
  'int16',
  'int32',
  'int64',
] as const;
const TYPE_CODE_START = 0x40;

/** Compiled modules; every method throws an Error with code YANG_CONTEXT after `close`. */
export class YangContext {
  readonly #handle: ContextHandle;
  readonly #prefixed: ReadonlySet<number>;

  /**
   * Loads and compiles `modules`, and what they import, from `searchDirs`; the current directory is not searched.
   * @throws Error with code ADDON_MISSING, or YANG_CONTEXT with libyang's own messages.
   */
  constructor(options: ContextOptions) {
    const modules = options.modules.map((module) => [module.name, module.revision ?? '', ...module.features]);
    this.#handle = native().openContext(options.searchDirs, modules);
    this.#prefixed = new Set(native().prefixedIds(this.#handle));
  }

  /** Every module, and every node of the implemented ones. Parsed anew at each call. */
  schema(): SchemaDump {
    return JSON.parse(native().schemaJson(this.#handle));
  }

  /**
   * Text of a module (implemented or imported) or submodule as libyang prints it; undefined if there is none of that
   * name and revision. Without a revision: the implemented one, else the newest.
   */
  moduleSource(name: string, revision: string | undefined, format: 'yang' | 'yin'): string | undefined {
    return native().moduleSource(this.#handle, name, revision ?? '', format === 'yin');
  }

  /**
   * Checks one value of the leaf or leaf-list `id` and makes it canonical (RFC 7951 text: module names as prefixes).
   * `prefixes` maps those in scope of an XML text to namespaces ('' is the default one); undefined means RFC 7951
   * text. References (leafref, instance-identifier) are not followed: that needs a tree.
   */
  checkValue(id: number, text: string, prefixes?: Readonly<Record<string, string>>): CheckedValue {
    const scope = prefixes && this.#prefixed.has(id) ? Object.entries(prefixes).flat() : undefined;
    const checked = native().checkValue(this.#handle, id, text, scope);
    if (typeof checked === 'string') {
      return { value: checked.slice(1), type: BASE_TYPES[checked.charCodeAt(0) - TYPE_CODE_START] ?? 'unknown' };
    }
    const [message, appTag] = checked;
    return appTag === '' ? { message } : { message, appTag };
  }

  /**
   * Parses (strictly) and validates a whole configuration: any number of top-level elements, one after the other.
   * Empty when valid; libyang stops at the first fault.
   */
  validateConfig(xml: string): readonly ValidationFault[] {
    return native().validateConfig(this.#handle, xml);
  }

  /**
   * Parses the one operation element of an rpc exactly as the library will (an action inside its `action` element)
   * and validates its input without any datastore: a leafref with require-instance is then a fault of code `leafref`.
   * What stands inside anyxml and anydata is not looked at.
   */
  checkOperation(xml: string): readonly ValidationFault[] {
    return native().checkOperation(this.#handle, xml);
  }

  /** RFC 8525 data as RFC 7951 JSON, without datastores; `contentId` changes with the module set. */
  yangLibrary(): { readonly json: string; readonly contentId: string } {
    const [json, contentId] = native().yangLibrary(this.#handle);
    return { json, contentId };
  }

  /**
   * Parses data without validating it and prints it without white space, empty containers kept.
   * @throws Error with code YANG_DATA.
   */
  print(xml: string, to: 'json' | 'xml'): string {
    return native().print(this.#handle, xml, to === 'json');
  }

  /** Frees the context; harmless when repeated. A server built on it keeps its own hold until it ends. */
  close(): void {
    native().closeContext(this.#handle);
  }
}
