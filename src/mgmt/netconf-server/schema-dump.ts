/**
 * Plain values that a YANG context takes and gives.
 */

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
  /** Limits of a whole number, or of the length of a text, as YANG writes them: `1..64 | 128`. */
  readonly range?: string;
  /** Names of an enumeration or of bits, in order. */
  readonly enums?: readonly string[];
  /** Of an enumeration, or of those in a union: the number of each name (RFC 7950 §9.6.4.2). */
  readonly numbers?: Readonly<Record<string, number>>;
  /** Where a leafref points: its path, with the module of each prefix; that of the empty one is of names without. */
  readonly leafref?: { readonly path: string; readonly prefixes: Readonly<Record<string, string>> };
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
  /** By name, those derived from it directly, with their modules: `ietf-alarms:alarm-type-id`. */
  readonly identities?: Readonly<Record<string, readonly string[]>>;
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
