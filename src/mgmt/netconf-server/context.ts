/**
 * A YANG context: types, validation, schema and printing by libyang. TypeScript owns every data tree; text goes in and
 * out. A context never changes after its construction, so that session threads may read it at any time.
 */

import { type ContextHandle, native } from './native.ts';
import type { CheckedValue, ContextOptions, SchemaDump, ValidationFault } from './schema-dump.ts';

/** For the server, which shares the native context. */
export let handleOf: (context: YangContext) => ContextHandle;

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
  static {
    handleOf = (context) => context.#handle;
  }

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
