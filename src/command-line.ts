/** The command line of the program but for the datapath process (main.ts). Only the parts of the chosen command are loaded. */

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Command } from 'commander';
import { wholeNumber } from './cli/arguments.ts';
import { netconfLimit, restconfLimit } from './cli/limit-option.ts';
import { require } from './common-js.ts';
import type { RestoreOptions } from './maintenance/restore.ts';
import type { VerifyOptions } from './maintenance/verify.ts';
import type { RunOptions } from './supervisor.ts';

const { Command: CommandLine, Option } = require('commander') as typeof import('commander');

const STATE_DIR = '/var/lib/gi4over6';

function processOptions(command: Command): Command {
  return command
    .option('--state-dir <dir>', 'where the store, keys and passwords live', STATE_DIR)
    .option('--run-dir <dir>', 'where the sockets live', '/run/gi4over6')
    .option('--dhcpv6-dir <dir>', 'where the hook of the DHCPv6 client writes, for root alone', '/run/gi4over6-dhcpv6')
    .option('--log-dir <dir>', 'write the logs of both processes there instead of standard output')
    .option('--user <name>', 'unprivileged user of both processes', 'gi4over6')
    .option('--netconf-port <port>', 'NETCONF over SSH', wholeNumber(0, 65_535), 830)
    .option('--netconf-tls-port <port>', 'NETCONF over TLS, with keys/client-ca.crt', wholeNumber(0, 65_535), 6513)
    .option('--restconf-port <port>', 'RESTCONF over HTTPS', wholeNumber(0, 65_535), 8443)
    .option('--listen <address...>', 'addresses to listen on', ['::'])
    .option('--startup', 'with a startup datastore: a reboot returns to it', false)
    .option('--no-writable-running', 'NETCONF changes running by committing the candidate only')
    .option('--url-dir <dir>', 'NETCONF reads and writes configurations in its files, as file: URLs; none without it')
    .option('--queues <count>', 'TUN queues, one worker thread each', wholeNumber(1, 16), 1)
    .option('--offloads', 'TCP and UDP pass the TUN devices in super-packets, as far as the kernel has them', false)
    .option('--netconf-limit <name=value>', 'a limit of docs/limits.md; may come several times', netconfLimit, {})
    .option('--restconf-limit <name=value>', 'the same of RESTCONF', restconfLimit, {});
}

function version(): string {
  const file = join(import.meta.dirname, '../../package.json');
  return (JSON.parse(readFileSync(file, 'utf8')) as { version: string }).version;
}

function addMaintenance(program: Command): void {
  program
    .command('verify-store')
    .description('whether the store of a stopped program, or a backup, is whole; exit code 65 when it is damaged')
    .argument('[file]', 'a backup instead of the store')
    .option('--state-dir <dir>', 'where the store lives', STATE_DIR)
    .addOption(new Option('--json', 'what a good backup holds').hideHelp())
    .addOption(new Option('--at-start', 'only what was not closed well').hideHelp())
    .addOption(new Option('--held', 'of the program that runs').hideHelp())
    .addOption(new Option('--always', 'also what was closed well').hideHelp())
    .action(async (file: string | undefined, options: VerifyOptions) => {
      const { verifyStore } = await import('./maintenance/verify.ts');
      process.exitCode = verifyStore(file, options);
    });
  program
    .command('restore')
    .description('put a backup in the place of the store of a stopped program; the store is kept aside')
    .argument('<file>', 'the backup')
    .option('--state-dir <dir>', 'where the store lives', STATE_DIR)
    .action(async (file: string, options: RestoreOptions) => {
      const { restoreStore } = await import('./maintenance/restore.ts');
      await restoreStore(file, options);
    });
}

/** These load neither the operator's commands nor what they need. */
const PROCESSES: readonly (string | undefined)[] = ['run', 'management', 'verify-store', 'restore'];

export async function buildProgram(): Promise<Command> {
  const program = new CommandLine('gi4over6');
  // So that an option of a command may be called --version too.
  program.version(version()).enablePositionalOptions();
  program.description('Gateway-Initiated 4over6: IPv4 over IPv6, gateway and AFTR in one network function');
  processOptions(program.command('run').description('start management and datapath and keep them running')).action(
    async (options: RunOptions) => {
      const { run } = await import('./supervisor.ts');
      process.exitCode = await run(options);
    },
  );
  processOptions(program.command('management', { hidden: true })).action(async (options: RunOptions) => {
    const { runManagement } = await import('./mgmt/process.ts');
    process.exitCode = await runManagement(options);
  });
  addMaintenance(program);
  if (!PROCESSES.includes(process.argv[2])) {
    const { buildCommands } = await import('./cli/commands.ts');
    buildCommands(program);
  }
  return program;
}
