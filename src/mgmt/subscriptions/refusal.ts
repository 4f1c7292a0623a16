/**
 * Why something asked of a subscription is not done: identities of RFC 8639 §2.4.6 and RFC 8641 appendix A.1, each with the
 * error-tag that RFC 8640 §7 gives it. The identity is the error-app-tag, and stands with its hints in the error-info.
 */

import type { ErrorStructure, ErrorTag } from '../../state/errors.ts';
import { ManagementError } from '../../state/errors.ts';

export const SUBSCRIBED = 'ietf-subscribed-notifications';
export const PUSH = 'ietf-yang-push';

const IDENTITIES = {
  'encoding-unsupported': [SUBSCRIBED, 'invalid-value'],
  'filter-unsupported': [SUBSCRIBED, 'invalid-value'],
  'filter-unavailable': [SUBSCRIBED, 'invalid-value'],
  'insufficient-resources': [SUBSCRIBED, 'resource-denied'],
  'no-such-subscription': [SUBSCRIBED, 'invalid-value'],
  'stream-unavailable': [SUBSCRIBED, 'invalid-value'],
  'datastore-not-subscribable': [PUSH, 'invalid-value'],
  'no-such-subscription-resync': [PUSH, 'invalid-value'],
  'on-change-unsupported': [PUSH, 'operation-not-supported'],
  'on-change-sync-unsupported': [PUSH, 'operation-not-supported'],
  'period-unsupported': [PUSH, 'invalid-value'],
  'unchanging-selection': [PUSH, 'operation-failed'],
} as const satisfies Readonly<Record<string, readonly [module: string, tag: ErrorTag]>>;

export type RefusalName = keyof typeof IDENTITIES;

/** Leaves of the grouping hints (RFC 8641 §5). */
export type Hints = Readonly<Partial<Record<'period-hint' | 'filter-failure-hint', string>>>;

/** Thrown where the fault is found; what was asked for is known further out. */
export class Refusal extends Error {
  readonly identity: RefusalName;
  readonly hints: Hints;

  constructor(identity: RefusalName, message: string, hints: Hints = {}) {
    super(message);
    this.name = 'Refusal';
    this.identity = identity;
    this.hints = hints;
  }
}

/** What was asked for, which decides where the reason stands in error-info. */
export type Asked = 'establish' | 'modify' | 'delete' | 'resync';

/** Runs `work`. @throws ManagementError in the place of a Refusal; what else `work` throws */
export function answering<Result>(asked: Asked, target: 'stream' | 'datastore', work: () => Result): Result {
  try {
    return work();
  } catch (error) {
    throw error instanceof Refusal ? toError(error, asked, target) : error;
  }
}

function toError({ identity, message, hints }: Refusal, asked: Asked, target: 'stream' | 'datastore'): ManagementError {
  const [module, tag] = IDENTITIES[identity];
  const appTag = `${module}:${identity}`;
  const structure = structureOf(asked, target);
  const leaves = [['reason', appTag] as const, ...Object.entries(hints)];
  return new ManagementError(tag, { message, appTag, structure: { ...structure, leaves } });
}

function structureOf(asked: Asked, target: 'stream' | 'datastore'): Omit<ErrorStructure, 'leaves'> {
  if (asked === 'delete') return { module: SUBSCRIBED, name: 'delete-subscription-error-info' };
  if (asked === 'resync') return { module: PUSH, name: 'resync-subscription-error' };
  return {
    module: target === 'stream' ? SUBSCRIBED : PUSH,
    name: `${asked}-subscription-${target}-error-info`,
  };
}
