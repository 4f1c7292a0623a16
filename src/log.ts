/** The log: one line of JSON an event on standard output, through pino. */

import { pino } from 'pino';

export type Log = Pick<ReturnType<typeof pino>, 'debug' | 'info' | 'warn' | 'error'>;

/**
 * A log for one process (`management`, `datapath`, `supervisor`); GI4OVER6_LOG_LEVEL sets the level (info). What a full disk
 * does not take is lost, and the process goes on.
 */
export function openLog(process_: string): Log {
  const destination = pino.destination({ sync: true });
  destination.on('error', () => undefined);
  return pino({ name: process_, level: process.env.GI4OVER6_LOG_LEVEL ?? 'info' }, destination);
}
