/** Rights of a user `guest` under rules as they stand in a configuration, and edits and errors of two worlds. */

import type { Rights } from '../../src/mgmt/access.ts';
import { AccessControl } from '../../src/mgmt/access.ts';
import type { Caller } from '../../src/state/request.ts';
import { tree } from './state.ts';

export const GUEST: Caller = { user: 'guest', session: 9, face: 'netconf' };

export interface GuestRule {
  readonly path?: string;
  readonly notification?: string;
  /** All of them unless it says which. */
  readonly operations?: string;
  readonly action: 'permit' | 'deny';
}

export const deny = (path: string, operations = '*'): GuestRule => ({ path, operations, action: 'deny' });
export const PERMIT: GuestRule = { action: 'permit' };

/** With read-default, write-default and exec-default deny. */
export function guestRights(...rules: readonly GuestRule[]): Rights {
  const rule = rules.map(({ path, notification, operations = '*', action }, index) => ({
    name: `r${index}`,
    ...(path !== undefined && { path }),
    ...(notification !== undefined && { 'notification-name': notification }),
    'access-operations': operations,
    action,
  }));
  const root = tree({
    'ietf-netconf-acm:nacm': {
      'read-default': 'deny',
      'write-default': 'deny',
      'exec-default': 'deny',
      groups: { group: [{ name: 'guests', 'user-name': ['guest'] }] },
      'rule-list': [{ name: 'l', group: ['guests'], rule }],
    },
  });
  return new AccessControl(() => root).rightsOf(GUEST);
}
