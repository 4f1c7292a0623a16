/** Who counts as one source of connections and attempts. */

import { isIPv6 } from 'node:net';

/** An IPv6 client has a whole /64 to choose its address from. */
export function sourceGroup(source: string): string {
  if (!isIPv6(source) || source.includes('.')) return source;
  const [head = '', tail = ''] = source.split('::');
  const before = head.split(':').filter((part) => part !== '');
  const after = tail.split(':').filter((part) => part !== '');
  const zeros = source.includes('::') ? 8 - before.length - after.length : 0;
  return [...before, ...Array<string>(zeros).fill('0'), ...after].slice(0, 4).join(':');
}
