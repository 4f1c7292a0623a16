/** The log: one line of JSON an event on standard output, through pino. */

import { pino } from 'pino';

export type Log = Pick<ReturnType<typeof pino>, 'debug' | 'info' | 'warn' | 'error'>;

/** A log for one process (`management`, `datapath`, `supervisor`); GI4OVER6_LOG_LEVEL sets the level (info). */
export function openLog(process_: string): Log {
  return pino({ name: process_, level: process.env.GI4OVER6_LOG_LEVEL ?? 'info' }, pino.destination({ sync: true }));
}
