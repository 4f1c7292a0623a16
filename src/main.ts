#!/usr/bin/env node
/**
 * The program `gi4over6`: composition root.
 *
 *   gi4over6 run          supervisor: starts the two below and keeps them running
 *   gi4over6 management   faces, datastores, commits (started by run)
 *   gi4over6 datapath     forwarding table, engine, kernel settings (started by run)
 *   gi4over6 status, show, get, set, ...   the operator's commands, over NETCONF on the local socket
 *
 * Only the parts of the chosen command are loaded, and for the datapath, whose start is waited for, not even a command line. A fault of
 * the environment ends with one line that says what to do and exit code 78 (EX_CONFIG).
 */

import { EXIT_CONFIGURATION } from './exit-codes.ts';

async function main([command, ...words]: readonly string[]): Promise<void> {
  if (command === 'datapath') {
    const { startDatapath } = await import('./datapath/early-start.ts');
    await startDatapath(words);
    return;
  }
  const { buildProgram } = await import('./command-line.ts');
  const program = await buildProgram();
  await program.parseAsync();
}

/** Faults of the environment carry a code and say what to do; anything else is our own mistake and keeps its stack. */
function fail(error: unknown): void {
  if (error instanceof Error && 'code' in error && typeof error.code === 'string' && !error.code.startsWith('ERR_')) {
    process.stderr.write(`gi4over6: ${error.message}\n`);
    process.exit(EXIT_CONFIGURATION);
  }
  throw error;
}

await main(process.argv.slice(2)).catch(fail);
