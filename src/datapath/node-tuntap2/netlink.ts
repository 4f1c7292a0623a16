/** Netlink sockets of this process that another package has opened. */

import { native } from './native.ts';

/**
 * Makes the kernel drop, without a word, the news for which the socket bound to `port` has no room. It would tell of them by an
 * error on the socket else (netlink(7), NETLINK_NO_ENOBUFS). False when there is no such socket.
 * @throws Error code ADDON_MISSING
 */
export function ignoreNetlinkLoss(protocol: number, port: number): boolean {
  return native().ignoreNetlinkLoss(protocol, port);
}
