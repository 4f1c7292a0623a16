/** Kernel settings below /proc/sys/net: what netlink has no word for. */

import { readFileSync, writeFileSync } from 'node:fs';

/** Value of a setting, `ipv4/ip_forward`; undefined when the kernel has none of that name. */
export function readSetting(name: string): string | undefined {
  try {
    return readFileSync(`/proc/sys/net/${name}`, 'utf8').trim();
  } catch {
    return undefined;
  }
}

/** Sets it unless it has the value. @throws Error with code and a sentence */
export function writeSetting(name: string, value: string): void {
  if (readSetting(name) === value) return;
  try {
    writeFileSync(`/proc/sys/net/${name}`, value);
  } catch (cause) {
    const { code = 'ESETTING', message } = cause as NodeJS.ErrnoException;
    const advice = 'the datapath needs CAP_NET_ADMIN and, in a container, a writable /proc/sys/net';
    throw Object.assign(new Error(`sysctl ${sysctlName(name)}=${value} failed (${message}): ${advice}`, { cause }), {
      code,
    });
  }
}

/** `ipv4/conf/eth0.5/rp_filter` as sysctl(8) writes it: dots in names of interfaces become slashes. */
export function sysctlName(name: string): string {
  return `net.${name.replaceAll(/[./]/g, (character) => (character === '.' ? '/' : '.'))}`;
}

/** Forwarding of both families on all interfaces. */
const FORWARDING = ['ipv4/ip_forward', 'ipv6/conf/all/forwarding'];

export function isForwardingOn(): boolean {
  return FORWARDING.every((name) => readSetting(name) === '1');
}

/**
 * Turns forwarding on for both families, never off. Where the IPv6 default route came by router advertisement, accept_ra
 * becomes 2 first, or the kernel would drop it.
 */
export function turnForwardingOn(advertisedLinks: readonly string[]): void {
  if (readSetting('ipv6/conf/all/forwarding') !== '1') {
    for (const link of advertisedLinks) {
      if (readSetting(`ipv6/conf/${link}/accept_ra`) === '1') writeSetting(`ipv6/conf/${link}/accept_ra`, '2');
    }
  }
  for (const name of FORWARDING) writeSetting(name, '1');
}
