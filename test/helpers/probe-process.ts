/** The management process of the program with the module `probe` of the tests beside ours. */

import { parseArgs } from 'node:util';
import { runManagement } from '../../src/mgmt/process.ts';

const text = { type: 'string' } as const;
const WORDS = ['state-dir', 'run-dir', 'netconf-port', 'netconf-tls-port', 'restconf-port', 'listen'] as const;
const { values } = parseArgs({
  args: process.argv.slice(3),
  options: Object.fromEntries(WORDS.map((word) => [word, text])),
});

process.exitCode = await runManagement({
  stateDir: values['state-dir'] ?? '',
  runDir: values['run-dir'] ?? '',
  dhcpv6Dir: '/nonexistent',
  netconfPort: Number(values['netconf-port']),
  netconfTlsPort: 0,
  restconfPort: Number(values['restconf-port']),
  listen: [values.listen ?? ''],
  startup: false,
  writableRunning: true,
  netconfLimit: {},
  restconfLimit: {},
  moreYang: { searchDir: 'test/fixtures/yang', modules: [{ name: 'probe', features: ['lit'] }] },
});
