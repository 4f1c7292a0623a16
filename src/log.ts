/** The log: one line of JSON an event on standard output, through pino. */

import { require } from './common-js.ts';

type Pino = typeof import('pino');

const LEVELS = ['debug', 'info', 'warn', 'error'] as const;
export type Log = Pick<ReturnType<Pino['pino']>, (typeof LEVELS)[number]>;

/**
 * A log for one process (`management`, `datapath`, `supervisor`); GI4OVER6_LOG_LEVEL sets the level (info). What a full disk
 * does not take is lost, and the process goes on. pino is loaded for the first line, which no start of forwarding waits for.
 */
export function openLog(process_: string): Log {
  let log: Log | undefined;
  const lines = LEVELS.map((level) => {
    const write = (...words: Parameters<Log['info']>) => {
      log ??= openPino(process_);
      log[level](...words);
    };
    return [level, write];
  });
  return Object.fromEntries(lines) as Log;
}

function openPino(name: string): Log {
  const { pino, stdSerializers } = require('pino') as Pino;
  const destination = pino.destination({ sync: true });
  destination.on('error', () => undefined);
  // An error with its kind, message, stack and cause; JSON alone would show none of them. A text stays as it is.
  const error = (value: unknown) => (value instanceof Error ? stdSerializers.errWithCause(value) : value);
  return pino({ name, level: process.env.GI4OVER6_LOG_LEVEL ?? 'info', serializers: { error } }, destination);
}
