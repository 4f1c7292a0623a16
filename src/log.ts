/** The log: one line of JSON an event on standard output, through pino. */

import { require } from './common-js.ts';

const { pino, stdSerializers } = require('pino') as typeof import('pino');

export type Log = Pick<ReturnType<typeof pino>, 'debug' | 'info' | 'warn' | 'error'>;

/**
 * A log for one process (`management`, `datapath`, `supervisor`); GI4OVER6_LOG_LEVEL sets the level (info). What a full disk
 * does not take is lost, and the process goes on.
 */
export function openLog(process_: string): Log {
  const level = process.env.GI4OVER6_LOG_LEVEL ?? 'info';
  const destination = pino.destination({ sync: true });
  destination.on('error', () => undefined);
  return pino({ name: process_, level, serializers: { error: errorText } }, destination);
}

/** An error with its kind, message, stack and cause; JSON alone would show none of them. A text stays as it is. */
function errorText(error: unknown): unknown {
  return error instanceof Error ? stdSerializers.errWithCause(error) : error;
}
