/** Which YANG modules are loaded, with which features, and where their text is. */

import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

export interface YangModule {
  readonly name: string;
  /** Given where several revisions may lie in the search folders. */
  readonly revision?: string;
  /** Those that are on; all others of the module are off. */
  readonly features: readonly string[];
}

/** Ours first, then libyang's own, then the standard modules of Debian's libyuma-base. */
export const YANG_SEARCH_DIRS: readonly string[] = [
  join(projectRoot(), 'yang'),
  '/usr/share/yang/modules/libyang',
  '/usr/share/yuma/modules/ietf',
  '/usr/share/yuma/modules/ietf-derived',
  '/usr/share/yuma/modules/netconfcentral',
];

function projectRoot(): string {
  let dir = dirname(fileURLToPath(import.meta.url));
  while (!existsSync(join(dir, 'yang', 'gi-4over6.yang'))) {
    const parent = dirname(dir);
    if (parent === dir) {
      const message = `no folder yang/ with gi-4over6.yang above ${fileURLToPath(import.meta.url)}: the installation is not whole`;
      throw Object.assign(new Error(message), { code: 'YANG_MISSING' });
    }
    dir = parent;
  }
  return dir;
}

/** Features of our own model that work. What stands behind another one is refused, and not in the generated model. */
export const WORKING_FEATURES: readonly string[] = [
  'bgp',
  'binding-notifications',
  'binding-statistics',
  'dhcpv6',
  'encapsulation-limit',
  'event-notifications',
  'icmp-policy',
  'outer-fragmentation',
  'path-mtu-discovery',
  'port-sharing',
  'reassembly',
  'route-advertisement',
  'route-source',
  'route-source-certificate',
  'softwire-statistics',
  'source-refusal',
  'statistics-reset',
  'tcp-mss-clamp',
  'trace',
];

/** What a client can rely on is exactly what is on here: features that do not work yet are off. */
export function yangModules(options: {
  readonly startup: boolean;
  /** Yes, unless it is false. */
  readonly writableRunning?: boolean;
  /** Whether URLs name files: where a directory for them is given. */
  readonly urlDir?: string | undefined;
}): readonly YangModule[] {
  const netconf = ['candidate', 'confirmed-commit', 'rollback-on-error', 'validate', 'xpath'];
  if (options.writableRunning !== false) netconf.unshift('writable-running');
  if (options.startup) netconf.push('startup');
  if (options.urlDir !== undefined) netconf.push('url');
  return [
    { name: 'ietf-inet-types', revision: '2013-07-15', features: [] },
    { name: 'ietf-yang-types', revision: '2013-07-15', features: [] },
    { name: 'ietf-datastores', revision: '2018-02-14', features: [] },
    { name: 'ietf-yang-library', revision: '2019-01-04', features: [] },
    { name: 'ietf-netconf-acm', revision: '2018-02-14', features: [] },
    { name: 'ietf-netconf', revision: '2011-06-01', features: netconf },
    { name: 'ietf-netconf-monitoring', revision: '2010-10-04', features: [] },
    { name: 'ietf-netconf-with-defaults', revision: '2011-06-01', features: [] },
    { name: 'ietf-origin', revision: '2018-02-14', features: [] },
    { name: 'ietf-netconf-nmda', revision: '2019-01-07', features: ['origin', 'with-defaults'] },
    { name: 'ietf-netconf-partial-lock', revision: '2009-10-19', features: [] },
    { name: 'notifications', revision: '2008-07-14', features: [] },
    { name: 'nc-notifications', features: [] },
    { name: 'ietf-netconf-notifications', revision: '2012-02-06', features: [] },
    { name: 'ietf-restconf', revision: '2017-01-26', features: [] },
    { name: 'ietf-restconf-monitoring', revision: '2017-01-26', features: [] },
    { name: 'iana-crypt-hash', revision: '2014-08-06', features: ['crypt-hash-sha-512', 'crypt-hash-sha-256'] },
    { name: 'ietf-system', revision: '2014-08-06', features: ['authentication', 'local-users'] },
    { name: 'ietf-nmda-compare', revision: '2021-12-10', features: [] },
    { name: 'ietf-alarms', revision: '2019-09-11', features: ['alarm-history', 'alarm-summary'] },
    {
      name: 'ietf-subscribed-notifications',
      revision: '2019-09-09',
      features: ['encode-json', 'encode-xml', 'replay', 'subtree', 'xpath'],
    },
    { name: 'ietf-yang-push', revision: '2019-09-09', features: ['on-change'] },
    { name: 'ietf-restconf-subscribed-notifications', revision: '2019-11-17', features: [] },
    { name: 'gi-4over6', features: WORKING_FEATURES },
    { name: 'gi-4over6-alarms', features: [] },
    { name: 'ietf-x509-cert-to-name', revision: '2014-12-10', features: [] },
    { name: 'gi-4over6-management', features: [] },
    { name: 'gi-4over6-deviations', features: [] },
  ];
}
