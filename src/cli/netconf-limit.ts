/** The option `--netconf-limit NAME=VALUE`, which may come several times. */

import { InvalidArgumentError } from 'commander';
import type { NetconfLimits } from '../netconf-limits.ts';
import { readLimit } from '../netconf-limits.ts';

/** What is set with one more setting; of one name the last holds. */
export function netconfLimit(text: string, earlier: Partial<NetconfLimits>): Partial<NetconfLimits> {
  const limit = readLimit(text);
  if (typeof limit === 'string') throw new InvalidArgumentError(limit);
  return { ...earlier, [limit.name]: limit.value };
}
