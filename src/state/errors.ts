/**
 * The one error a client gets: RFC 6241 appendix A in values. A face turns it into an rpc-error or an HTTP status in
 * exactly one place; nobody matches on its message.
 */

export type ErrorTag =
  | 'in-use'
  | 'invalid-value'
  | 'too-big'
  | 'missing-attribute'
  | 'bad-attribute'
  | 'unknown-attribute'
  | 'missing-element'
  | 'bad-element'
  | 'unknown-element'
  | 'unknown-namespace'
  | 'access-denied'
  | 'lock-denied'
  | 'resource-denied'
  | 'rollback-failed'
  | 'data-exists'
  | 'data-missing'
  | 'operation-not-supported'
  | 'operation-failed'
  | 'malformed-message';

export type ErrorType = 'transport' | 'rpc' | 'protocol' | 'application';

export interface ErrorDetail {
  /** What was expected, what came, where; one or two sentences. */
  readonly message: string;
  readonly type?: ErrorType | undefined;
  readonly appTag?: string | undefined;
  /** Instance path, RFC 7951 §6.11 form with module names: /gi-4over6:softwire/aftr[name='a']/... */
  readonly path?: string | undefined;
  /**
   * Children of error-info by name, in order: bad-element, bad-attribute, bad-namespace, session-id, missing-choice; non-unique
   * has a path for each leaf.
   */
  readonly info?: ErrorInfo | undefined;
  /** A container of a module beside them. */
  readonly structure?: ErrorStructure | undefined;
}

/** Data that a module defines for error-info (rc:yang-data, RFC 8040 §8): one container with leaves, identities with their module. */
export interface ErrorStructure {
  readonly module: string;
  readonly name: string;
  readonly leaves: readonly (readonly [name: string, value: string])[];
}

export type ErrorInfo = Readonly<Record<string, string | readonly string[]>>;

/** A client's mistake or a refused request. `faults` holds every fault found, this one first. */
export class ManagementError extends Error {
  readonly tag: ErrorTag;
  readonly type: ErrorType;
  readonly appTag: string | undefined;
  readonly path: string | undefined;
  readonly info: ErrorInfo;
  readonly structure: ErrorStructure | undefined;
  readonly others: readonly ManagementError[];

  constructor(tag: ErrorTag, detail: ErrorDetail, others: readonly ManagementError[] = []) {
    super(detail.message);
    this.name = 'ManagementError';
    this.tag = tag;
    this.type = detail.type ?? 'application';
    this.appTag = detail.appTag;
    this.path = detail.path;
    this.info = detail.info ?? {};
    this.structure = detail.structure;
    this.others = others;
  }

  /** This error and those found with it. */
  get faults(): readonly ManagementError[] {
    return [this, ...this.others];
  }
}
