/**
 * DHCPv6 in a topology: Kea towards the link `right` of the AFTR's box, and dhcpcd with our hook and our lines of configuration on that of
 * the gateway's. Needs root and the packages kea-dhcp6-server and dhcpcd-base.
 */

import type { ChildProcess } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import type { Topology } from '../../tools/topology.ts';
import { stop, until } from '../../tools/topology.ts';

const START_MS = 60_000;
/** The client asks for its lease again each second or two, and loses it after so many seconds without an answer: a server that is started anew is back before. */
const [RENEW_S, REBIND_S, LIFETIME_S] = [2, 5, 30];
const LINK = 'right';
const HOOK = 'packaging/dhcpcd/90-gi4over6';
const LINES = 'packaging/dhcpcd/gi4over6.conf';

/** One option of the server: by the name that Kea has for it, or as hexadecimal digits. */
export type KeaOption = Readonly<Record<string, unknown>>;

export const containerOption = (address: string): readonly KeaOption[] => [
  { name: 's46-cont-lw', space: 'dhcp6' },
  { name: 's46-br', space: 's46-cont-lw-options', data: address },
];
export const nameOption = (name: string): readonly KeaOption[] => [{ name: 'aftr-name', data: name }];
export const serversOption = (address: string): readonly KeaOption[] => [{ name: 'dns-servers', data: address }];
export const rawOption = (code: number, hex: string): readonly KeaOption[] => [
  { code, space: 'dhcp6', 'csv-format': false, data: hex },
];

export class Kea {
  readonly #topology: Topology;
  readonly #dir: string;
  #process: ChildProcess | undefined;

  constructor(topology: Topology) {
    this.#topology = topology;
    this.#dir = topology.path('aftr', 'kea');
    mkdirSync(this.#dir, { recursive: true });
  }

  /** Starts it, or starts it again, with these options for everybody. */
  async serve(options: readonly KeaOption[]): Promise<void> {
    await this.stop();
    const file = `${this.#dir}/kea.conf`;
    const log = `${this.#dir}/kea.log`;
    const subnet = {
      subnet: '2001:db8:12::/64',
      interface: LINK,
      pools: [{ pool: '2001:db8:12::100 - 2001:db8:12::1ff' }],
      'option-data': options,
    };
    const configuration = {
      'interfaces-config': { interfaces: [LINK] },
      'lease-database': { type: 'memfile', persist: false },
      'server-id': { type: 'LL', persist: false },
      'renew-timer': RENEW_S,
      'rebind-timer': REBIND_S,
      'preferred-lifetime': LIFETIME_S,
      'valid-lifetime': LIFETIME_S,
      subnet6: [subnet],
      loggers: [{ name: 'kea-dhcp6', severity: 'INFO', output_options: [{ output: log }] }],
    };
    writeFileSync(log, '');
    writeFileSync(file, JSON.stringify({ Dhcp6: configuration }));
    // Its files are in folders that only its package has, and its user's; here it has folders of its own.
    const places = [`KEA_PIDFILE_DIR=${this.#dir}`, `KEA_LOCKFILE_DIR=${this.#dir}`];
    this.#process = this.#topology.start('aftr', ['env', ...places, 'kea-dhcp6', '-c', file]);
    const isUp = await until(START_MS, () => /DHCP6_STARTED/.test(readFileSync(log, 'utf8')));
    if (!isUp) throw new Error(`Kea does not start: ${readFileSync(log, 'utf8')}`);
  }

  async stop(): Promise<void> {
    if (this.#process) await stop(this.#process);
    this.#process = undefined;
  }
}

/** Starts dhcpcd on the gateway; the hook writes to `dir`. It asks for an address, as the client of such a link does. */
export function startDhcpcd(topology: Topology, dir: string): ChildProcess {
  const file = topology.path('gateway', 'dhcpcd.conf');
  const lines = [readFileSync(LINES, 'utf8'), 'duid ll', 'ipv6only', 'noipv6rs', `env gi4over6_dir=${dir}`];
  writeFileSync(file, [...lines, `interface ${LINK}`, 'ia_na 1', ''].join('\n'));
  // Sourced with the hooks of the package in an installation; it is the only one here, so that no resolv.conf is written.
  const script = topology.path('gateway', 'hook');
  writeFileSync(script, `#!/bin/sh\n. ${process.cwd()}/${HOOK}\n`, { mode: 0o755 });
  // `ip netns exec` has mounts of its own, so that no dhcpcd of this machine meets these files.
  const own = [
    'mkdir -p /run/dhcpcd /var/lib/dhcpcd',
    'mount -t tmpfs none /run/dhcpcd',
    'mount -t tmpfs none /var/lib/dhcpcd',
  ];
  const run = `exec dhcpcd -B -6 -f ${file} -c ${script} ${LINK}`;
  return topology.start('gateway', ['sh', '-ec', [...own, run].join('\n')]);
}
