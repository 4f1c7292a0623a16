/** The configuration of a store that is created: one administrator, and nobody else may read or write anything. */

import { readFileSync } from 'node:fs';
import { join } from 'node:path';

/** File the supervisor leaves in the state directory before the first start: `{ user, passwordHash }`. */
export const FIRST_START_FILE = 'first-start.json';

/**
 * RFC 7951 JSON of the first configuration.
 * @throws Error with code NO_FIRST_START when the file is not there or holds no user.
 */
export function firstConfiguration(stateDir: string): Record<string, unknown> {
  const file = join(stateDir, FIRST_START_FILE);
  const { user, passwordHash } = readFirstStart(file);
  return {
    'ietf-system:system': { authentication: { user: [{ name: user, password: passwordHash }] } },
    'ietf-netconf-acm:nacm': {
      'read-default': 'deny',
      'write-default': 'deny',
      'exec-default': 'deny',
      groups: { group: [{ name: 'admin', 'user-name': [user] }] },
      'rule-list': [
        {
          name: 'admin',
          group: ['admin'],
          rule: [{ name: 'everything', 'module-name': '*', 'access-operations': '*', action: 'permit' }],
        },
        {
          // Before whatever others are permitted: hashes are nobody else's business.
          name: 'secrets',
          group: ['*'],
          rule: [
            {
              name: 'passwords',
              path: '/ietf-system:system/authentication/user/password',
              'access-operations': '*',
              action: 'deny',
            },
          ],
        },
      ],
    },
  };
}

function readFirstStart(file: string): { user: string; passwordHash: string } {
  try {
    const { user, passwordHash } = JSON.parse(readFileSync(file, 'utf8')) as Record<string, unknown>;
    if (typeof user === 'string' && typeof passwordHash === 'string') return { user, passwordHash };
    throw new Error('it holds no user and passwordHash');
  } catch (cause) {
    const message = `the store is new, but ${file} cannot be used to create its first user; start with \`gi4over6 run\``;
    throw Object.assign(new Error(message, { cause }), { code: 'NO_FIRST_START' });
  }
}
