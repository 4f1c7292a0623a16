/**
 * The control channel between management and datapath: JSON, one object a line, over the unix socket
 * `datapath.sock` in the run directory. Management asks, the datapath answers each request once with the same id.
 */

import type { Socket } from 'node:net';

export const CONTROL_SOCKET = 'datapath.sock';
/** A line longer than this ends the connection. */
export const CONTROL_LINE_LIMIT = 16 * 1024 * 1024;

export type ControlRequest =
  /** What the datapath has applied and how it is. */
  | { readonly id: number; readonly op: 'status' }
  /** All counters of all instances. */
  | { readonly id: number; readonly op: 'counters' }
  /** May this configuration (RFC 7951 JSON of the small tree) be applied? Changes nothing. */
  | { readonly id: number; readonly op: 'prepare'; readonly configuration: unknown }
  /** Version N is durable: read the store up to it and apply. */
  | { readonly id: number; readonly op: 'apply'; readonly version: number };

export type ControlReply =
  | { readonly id: number; readonly result: unknown }
  | { readonly id: number; readonly error: string };

export interface DatapathStatus {
  /** Version of the store that forwarding follows. */
  readonly version: number;
  /** Content hash of the binding table it forwards by, hexadecimal; empty while it is summed. */
  readonly contentHash: string;
  readonly bindings: number;
  /** Largest number of bindings its tables can take. */
  readonly capacity: number;
  readonly startedAt: string;
  /** Sentences that say why traffic does not flow (kernel settings, routes, addresses); empty when all is well. */
  readonly problems: readonly string[];
}

/** A refusal of a prepare: a sentence, and the data path it concerns when there is one. */
export interface Refusal {
  readonly message: string;
  readonly path?: string;
  readonly appTag?: string;
}

/** Packets and octets (as received, without link layer). */
export interface Traffic {
  readonly packets: number;
  readonly octets: number;
}

/** Counters of one instance. Traffic received on a side = forwarded + hairpinned + replied + the sum of its drops + held. */
export interface InstanceCounters {
  readonly role: 'gateway' | 'aftr';
  readonly name: string;
  /** When counting began (RFC 3339): start of the datapath process. */
  readonly discontinuityTime: string;
  readonly ipv4: SideCounters;
  readonly ipv6: SideCounters;
  /** Packets with an ECN combination that RFC 6040 §4.2 calls dangerous; they are counted above, too. */
  readonly ecnAnomalies: number;
}

export interface SideCounters {
  readonly received: Traffic;
  readonly forwarded: Traffic;
  readonly hairpinned: Traffic;
  readonly replied: Traffic;
  readonly dropped: Traffic;
  /** By drop reason (the names of the YANG enumeration); reasons never met are left out. */
  readonly drops: Readonly<Record<string, Traffic>>;
}

/** Writes one message. */
export function sendLine(socket: Socket, message: ControlRequest | ControlReply): void {
  socket.write(`${JSON.stringify(message)}\n`);
}

/**
 * Calls `onLine` with each parsed line of the socket; a line that is no JSON or is over the limit destroys the socket
 * with an error.
 */
export function readLines(socket: Socket, onLine: (message: unknown) => void): void {
  let parts: string[] = [];
  let held = 0;
  socket.setEncoding('utf8');
  socket.on('data', (chunk: string) => {
    const lines = chunk.split('\n');
    for (const [index, line] of lines.entries()) {
      parts.push(line);
      held += line.length;
      if (held > CONTROL_LINE_LIMIT) {
        socket.destroy(new Error(`control channel: a line of more than ${CONTROL_LINE_LIMIT} characters came`));
        return;
      }
      if (index === lines.length - 1) break;
      const text = parts.join('');
      parts = [];
      held = 0;
      let message: unknown;
      try {
        message = JSON.parse(text);
      } catch (cause) {
        socket.destroy(new Error('control channel: expected one JSON object a line', { cause }));
        return;
      }
      onLine(message);
    }
  });
}
