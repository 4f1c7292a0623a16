/** What workers have kept for a trace of live traffic, as the control channel tells it. */

import { formatIpv6 } from '../address.ts';
import type { TraceRow, WatchResult } from '../control.ts';
import type { Role } from './engine.ts';
import { endOf } from './trace.ts';
import type { WatchedPacket } from './watch.ts';

/** `nameOf` gives the name behind an instance number, `rowAnswer` says what a row is now. */
export function livePackets(
  role: Role,
  { packets, missed }: { readonly packets: readonly WatchedPacket[]; readonly missed: number },
  nameOf: (instance: number) => string | undefined,
  rowAnswer: (row: number) => TraceRow,
): WatchResult {
  // Packets of one address have few rows.
  const answers = new Map<number, TraceRow>();
  const answerOf = (row: number, remote: Uint8Array): TraceRow => {
    const answer = answers.get(row) ?? rowAnswer(row);
    answers.set(row, answer);
    // A row that leads elsewhere than when the packet was decided is another one by now.
    return answer.remote === formatIpv6(remote) ? answer : {};
  };
  return {
    missed,
    packets: packets.map(({ verdict, instance, side, length, time, octets, row, remote, sentPackets, sent }) => {
      const name = nameOf(instance);
      return {
        role,
        time: time.toISOString(),
        side: side === 4 ? 'ipv4' : 'ipv6',
        ...endOf(verdict),
        ...(name !== undefined && { instance: name }),
        ...answerOf(row, remote),
        length,
        header: Buffer.from(octets).toString('hex'),
        sentPackets,
        sent: sent.map((packet) => Buffer.from(packet).toString('hex')),
      };
    }),
  };
}
