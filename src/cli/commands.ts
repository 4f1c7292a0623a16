/** The operator's commands: what they are called, what they take, and how they end. */

import type { Command } from 'commander';
import { require } from '../common-js.ts';
import { comment as commentText, ipv4Address, moment, plainText, wholeNumber } from './arguments.ts';
import { NetconfClient } from './client.ts';
import { compare } from './compare.ts';
import { bashCompletion } from './completion.ts';
import type { ConfirmOptions } from './confirm.ts';
import { cancel, commitForNow, confirm } from './confirm.ts';
import type { EditOptions } from './edit.ts';
import { commit, remove, set } from './edit.ts';
import { CommandFailure, EXIT, SessionEnded } from './failure.ts';
import type { LogOptions } from './log.ts';
import { log } from './log.ts';
import type { LookupOptions } from './lookup.ts';
import { lookup } from './lookup.ts';
import { Output, printable, ReaderGone } from './output.ts';
import { rollBack } from './roll-back.ts';
import type { ShowOptions } from './show.ts';
import { get, show, TOPIC_NAMES } from './show.ts';
import { readProblems, status } from './status.ts';
import type { StoreOptions } from './store.ts';
import { backup, compact } from './store.ts';
import type { TraceOptions } from './trace.ts';
import { clearStatistics, trace } from './trace.ts';
import type { ExportOptions, ImportOptions } from './transfer.ts';
import { exportFile, FORMATS, importFile } from './transfer.ts';

const { Argument, Option } = require('commander') as typeof import('commander');

const DEFAULT_SOCKET = '/run/gi4over6/netconf.sock';
const MAX_CONFIRM_SECONDS = 2 ** 32 - 1;

interface SocketOption {
  readonly socket: string;
}

type Run = (client: NetconfClient, output: Output) => Promise<void>;

/** Runs one command over one session. A failure is one line on standard error and an exit code. */
async function overSession({ socket }: SocketOption, run: Run): Promise<void> {
  const output = new Output(process.stdout);
  let client: NetconfClient | undefined;
  try {
    client = await NetconfClient.connect(socket);
    await run(client, output);
    await output.flush();
  } catch (error) {
    if (error instanceof ReaderGone) return;
    if (!(error instanceof CommandFailure)) throw error;
    await output.flush();
    const problems = error instanceof SessionEnded ? await problemsOf(socket) : '';
    process.stderr.write(`gi4over6: ${printable(error.message + problems)}\n`);
    process.exitCode = error.exitCode;
  } finally {
    client?.close();
  }
}

/** An answer that has begun cannot become an error any more: what broke it off, such as a damaged store, the status says. */
async function problemsOf(socket: string): Promise<string> {
  let client: NetconfClient | undefined;
  try {
    client = await NetconfClient.connect(socket);
    const problems = await readProblems(client);
    return problems.length === 0 ? '' : `. The status says: ${problems.join(' ')}`;
  } catch (error) {
    if (error instanceof CommandFailure) return '';
    throw error;
  } finally {
    client?.close();
  }
}

function overSocket(command: Command): Command {
  return command.option('--socket <path>', 'NETCONF socket of the program', DEFAULT_SOCKET);
}

function addEditing(program: Command): void {
  overSocket(program.command('set'))
    .description('write to the candidate: `set PATH VALUE`, or `set aftr NAME binding PREFIX LEAF VALUE ...`')
    .argument('<words...>', 'where and what')
    .option('--commit', 'make it running at once; nothing is changed when that is refused')
    .option('--comment <text>', 'with --commit: what is on record of it', commentText)
    .action((words: string[], options: SocketOption & EditOptions) =>
      overSession(options, (client, output) => set(client, output, words, options)),
    );
  overSocket(program.command('delete'))
    .description('delete from the candidate: `delete PATH`, or `delete aftr NAME binding PREFIX`')
    .argument('<words...>', 'what')
    .option('--commit', 'make it running at once; nothing is changed when that is refused')
    .option('--comment <text>', 'with --commit: what is on record of it', commentText)
    .action((words: string[], options: SocketOption & EditOptions) =>
      overSession(options, (client, output) => remove(client, output, words, options)),
    );
  overSocket(program.command('commit'))
    .description('make the candidate running')
    .option('--comment <text>', 'what is on record of it', commentText)
    .option(
      '--confirm <seconds>',
      'take it back after that time unless `gi4over6 confirm` comes before',
      wholeNumber(1, MAX_CONFIRM_SECONDS),
    )
    .action(({ comment, confirm: seconds, ...options }: SocketOption & { comment?: string; confirm?: number }) =>
      overSession(options, (client, output) =>
        seconds === undefined ? commit(client, output, comment) : commitForNow(client, output, seconds, comment),
      ),
    );
  addConfirming(program);
  overSocket(program.command('discard'))
    .description('drop what the candidate has beyond running')
    .action((options: SocketOption) =>
      overSession(options, async (client) => {
        await client.call('<discard-changes/>');
      }),
    );
}

function addVersions(program: Command): void {
  overSocket(program.command('compare'))
    .description('in what two versions differ; one: up to now; none: what a commit of the candidate would change')
    .argument('[from]', 'a version of `gi4over6 log`', wholeNumber(1))
    .argument('[to]', 'another one', wholeNumber(1))
    .option('--json', 'for programs')
    .action((from: number | undefined, to: number | undefined, options: SocketOption & { json?: boolean }) =>
      overSession(options, (client, output) => compare(client, output, from, to, options)),
    );
  overSocket(program.command('rollback'))
    .description('make the candidate what running was at a version')
    .argument('<version>', 'a version of `gi4over6 log`', wholeNumber(1))
    .option('--commit', 'make it running at once; nothing is changed when that is refused')
    .option('--comment <text>', 'with --commit: what is on record of it', commentText)
    .action((version: number, options: SocketOption & EditOptions) =>
      overSession(options, (client, output) => rollBack(client, output, version, options)),
    );
}

function addConfirming(program: Command): void {
  const following = (name: string, description: string) =>
    overSocket(program.command(name))
      .description(description)
      .option('--persist-id <token>', 'of a confirmed commit that another NETCONF client made persistent');
  following('confirm', 'keep what `commit --confirm` made running')
    .option('--with-candidate', 'commit what the candidate holds by now, too')
    .action((options: SocketOption & ConfirmOptions) =>
      overSession(options, (client, output) => confirm(client, output, options)),
    );
  following('cancel', 'take back at once what `commit --confirm` made running').action(
    (options: SocketOption & ConfirmOptions) =>
      overSession(options, (client, output) => cancel(client, output, options)),
  );
}

function addReading(program: Command): void {
  overSocket(program.command('status'))
    .description('say in sentences what forwards, what does not, and why')
    .option('--json', 'for programs')
    .action((options: SocketOption & { json?: boolean }) =>
      overSession(options, (client, output) => status(client, output, options.json ?? false)),
    );
  const reading = (name: string, description: string, run: typeof show) =>
    overSocket(program.command(name))
      .description(description)
      .argument('[words...]', 'a path such as /gi-4over6:softwire, or words such as aftr NAME binding PREFIX')
      .option('--json', 'for programs (data as in RFC 7951)')
      .option('--candidate', 'the candidate instead of running')
      .option('--version <version>', 'a version of `gi4over6 log` instead of running', wholeNumber(1))
      .option('--config', 'configuration only, no state')
      .option('--defaults', 'with values that are in force by default')
      .option('--aftr <name>', 'bindings of this AFTR only', plainText)
      .action((words: string[], options: SocketOption & ShowOptions) =>
        overSession(options, (client, output) => run(client, output, words, options)),
      );
  reading(
    'show',
    `a table of ${TOPIC_NAMES.join(', ')}, or the data at a place; the configuration without words`,
    show,
  );
  reading('get', 'the data at a place; a leaf is its bare value', get);
  overSocket(program.command('lookup'))
    .description('which binding answers for an IPv4 address')
    .argument('<address>', 'IPv4 address', ipv4Address)
    .option('--aftr <name>', 'ask this AFTR only; else every one that is or was', plainText)
    .option('--port <number>', 'of a shared address, the port or ICMP identifier', wholeNumber(0, 65_535))
    .option('--at <time>', 'at a moment in the past, such as 2026-11-23T14:00:00Z; local time without a zone', moment)
    .option('--json', 'for programs')
    .action((address: string, options: SocketOption & LookupOptions) =>
      overSession(options, (client, output) => lookup(client, output, address, options)),
    );
  overSocket(program.command('log'))
    .description('the commits on record, newest first: who, when, and how many bindings')
    .option('--count <number>', 'how many at most', wholeNumber(1, 1000), 20)
    .option('--before <version>', 'only commits older than this one', wholeNumber(1))
    .option('--json', 'for programs')
    .action((options: SocketOption & LogOptions) =>
      overSession(options, (client, output) => log(client, output, options)),
    );
}

function addTransfer(program: Command): void {
  const format = () => new Option('--format <format>', 'instead of what the file name says').choices(FORMATS);
  overSocket(program.command('import'))
    .description('edit the candidate with a file: XML, JSON (RFC 7951), or bindings as CSV')
    .argument('<file>', 'the file; - is standard input')
    .addOption(format())
    .option(
      '--replace',
      'what the file holds takes the place of what is there, instead of being merged; of CSV, in the AFTRs that it names',
    )
    .option('--commit', 'make it running at once; nothing is changed when that is refused')
    .option('--comment <text>', 'with --commit: what is on record of it', commentText)
    .option('--dry-run', 'only say what it would change, after every check')
    .option('--aftr <name>', 'AFTR of CSV rows that name none', plainText)
    .option('--allow-empty', 'with --replace: CSV without bindings removes all of the AFTR')
    .action((file: string, options: SocketOption & ImportOptions) =>
      overSession(options, async (client, output) => output.line(await importFile(client, file, options))),
    );
  overSocket(program.command('export'))
    .description('write the configuration, or the bindings (without port sets) as CSV, to a file')
    .argument('[file]', 'the file; standard output without one')
    .addOption(format())
    .option('--candidate', 'the candidate instead of running')
    .option('--version <version>', 'a version of `gi4over6 log` instead of running', wholeNumber(1))
    .option('--aftr <name>', 'CSV: bindings of this AFTR only', plainText)
    .action((file: string | undefined, options: SocketOption & ExportOptions) =>
      overSession(options, (client, output) => exportFile(client, file, output, options)),
    );
}

function addTracing(program: Command): void {
  overSocket(program.command('trace'))
    .description(
      'say what the datapath would do with a packet and why, without sending it; with --live, what becomes of packets now. ' +
        'The part of the kernel is not in it: it takes one from the TTL first, and answers for addresses of the device',
    )
    .argument('[packet]', 'in hexadecimal, from its IP header on')
    .option('--from <address>', 'instead of a packet: a datagram from this IPv4 address')
    .option('--to <address>', 'to this one')
    .option('--from-port <number>', 'from this UDP port: of a shared address it decides', wholeNumber(0, 65_535))
    .option('--to-port <number>', 'to this one', wholeNumber(0, 65_535))
    .option('--ttl <hops>', 'with this TTL instead of 64', wholeNumber(0, 255))
    .option('--tunnel-from <address>', 'out of the tunnel, from this IPv6 address')
    .option('--tunnel-to <address>', 'to this tunnel address')
    .option('--live <address>', 'packets from or to this IPv4 address as they come, and ICMPv6 errors about them')
    .option('--seconds <seconds>', 'with --live: how long instead of 60', wholeNumber(1, 3_600))
    .option('--json', 'for programs; with --live, one object a line')
    .action((packet: string | undefined, options: SocketOption & TraceOptions) =>
      overSession(options, (client, output) => trace(client, output, packet, options)),
    );
  overSocket(program.command('clear-statistics'))
    .description('set the counters of a gateway or an AFTR to zero')
    .addArgument(new Argument('<role>', 'which').choices(['gateway', 'aftr']))
    .argument('<name>', 'its name')
    .action((role: string, name: string, options: SocketOption) =>
      overSession(options, (client) => clearStatistics(client, role, name)),
    );
}

function addStoreCare(program: Command): void {
  const care = (name: string, description: string, run: typeof backup) =>
    overSocket(program.command(name))
      .description(description)
      .option('--json', 'for programs')
      .action((options: SocketOption & StoreOptions) =>
        overSession(options, (client, output) => run(client, output, options)),
      );
  care('backup', 'write a copy of the store to a file on this device, for `gi4over6 restore`', backup);
  care('compact', 'make the file of the store as small as what it holds', compact);
}

/** Adds the commands to the program. Wrong usage ends with exit code 2. */
export function buildCommands(program: Command): void {
  program.exitOverride((error) => process.exit(error.exitCode === 0 ? 0 : EXIT.usage));
  addReading(program);
  addEditing(program);
  addVersions(program);
  addTransfer(program);
  addTracing(program);
  addStoreCare(program);
  program
    .command('completion')
    .description('a completion script for the shell')
    .addArgument(new Argument('<shell>', 'which shell').choices(['bash']))
    .action(() => {
      process.stdout.write(bashCompletion(program));
    });
}
