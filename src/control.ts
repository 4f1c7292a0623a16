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
  /** What the instances learned from the network. */
  | { readonly id: number; readonly op: 'learned' }
  /** What alarms are made of, to be asked for every second or so: violations since the last of these requests. */
  | { readonly id: number; readonly op: 'observe' }
  /**
   * Statistics of bindings of an AFTR: their keys as 64-bit floats (address times 64 plus length), little-endian, in base64;
   * the answer in the same way: BINDING_COUNTERS numbers for each, in the order of BindingCounters, or NaN for one that is not there.
   */
  | { readonly id: number; readonly op: 'binding-counters'; readonly aftr: string; readonly keys: string }
  /** Gateways of AFTRs, each of them or all (IPv6 addresses). */
  | { readonly id: number; readonly op: 'softwires'; readonly gateways?: readonly string[] }
  /** May this configuration (RFC 7951 JSON of the small tree) be applied? Changes nothing. */
  | { readonly id: number; readonly op: 'prepare'; readonly configuration: unknown }
  /** Version N is durable: read the store up to it and apply. */
  | { readonly id: number; readonly op: 'apply'; readonly version: number }
  /** Count an instance from zero again; the answer is whether there is one of this name. */
  | { readonly id: number; readonly op: 'clear-statistics'; readonly role: 'gateway' | 'aftr'; readonly name: string }
  /** What would become of a packet (hexadecimal, from the IP header on)? Sends nothing. */
  | { readonly id: number; readonly op: 'trace'; readonly packet: string }
  /** Live packets of an IPv4 address since the last of these requests for it; watching ends some seconds after the last. */
  | { readonly id: number; readonly op: 'watch'; readonly address: number }
  /** End at once, as after a mistake of its own: the supervisor starts it anew. There is no answer. */
  | { readonly id: number; readonly op: 'end' };

export type PacketEnd = 'forwarded' | 'hairpinned' | 'replied' | 'held' | 'dropped';

/** The binding, port set or served prefix that decides about a packet; without leaves when there is none. */
export interface TraceRow {
  /** For a port set, its shared address. */
  readonly prefix?: string;
  readonly psid?: number;
  /** The IPv6 address that it leads to. */
  readonly remote?: string;
}

export interface TraceResult extends TraceRow {
  readonly role: 'gateway' | 'aftr';
  readonly end: PacketEnd;
  /** The drop reason (a name of the YANG enumeration). */
  readonly reason?: string;
  /** Name of the gateway or AFTR that decides; absent when none is meant. */
  readonly instance?: string;
  /** What would leave, hexadecimal. */
  readonly sent: readonly string[];
}

/** A packet of a watched address. */
export interface LivePacket extends TraceRow {
  readonly role: 'gateway' | 'aftr';
  readonly time: string;
  /** Where it was received. */
  readonly side: 'ipv4' | 'ipv6';
  readonly end: PacketEnd;
  readonly reason?: string;
  readonly instance?: string;
  /** Octets as received, and the first of them, hexadecimal; of one that had waited, those of the inner packet. */
  readonly length: number;
  readonly header: string;
  /** How many packets left for it, and the first octets of two of them, hexadecimal. */
  readonly sentPackets: number;
  readonly sent: readonly string[];
}

export interface WatchResult {
  readonly packets: readonly LivePacket[];
  /** Packets of the address that were not kept because they came too fast. */
  readonly missed: number;
}

export type ControlReply =
  | { readonly id: number; readonly result: unknown }
  | { readonly id: number; readonly error: string };

export interface DatapathStatus {
  readonly pid: number;
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
  /** What of it keeps a whole instance from forwarding; absent when that could not be found out. */
  readonly instances?: readonly InstanceState[];
}

/** A sentence about what keeps traffic from flowing, and what to do. */
export interface Problem {
  readonly sentence: string;
  /** Whom it keeps from forwarding at all: every instance, those of a role, or one; absent when it does not. */
  readonly stops?: { readonly role?: 'gateway' | 'aftr'; readonly name?: string };
}

/** Whether one gateway or AFTR forwards. */
export interface InstanceState {
  readonly role: 'gateway' | 'aftr';
  readonly name: string;
  /** Whether the configuration wants it to forward: it is enabled and has all addresses. */
  readonly enabled: boolean;
  /** Why it does not, in sentences; absent when it does. */
  readonly problem?: string;
}

/** What alarms are made of, as far as workers see it. */
export interface DatapathObservation {
  readonly instances: readonly ObservedInstance[];
  /** Part of the memory for reassembly that is in use, 0 to 1. */
  readonly reassemblyMemory: Readonly<Record<'gateway' | 'aftr', number>>;
  readonly violations: readonly ObservedViolation[];
}

export interface ObservedInstance {
  readonly role: 'gateway' | 'aftr';
  readonly name: string;
  /** Packets in reassembly, as a part of the largest number. */
  readonly reassembly: number;
  /** Percent of the limits of reassembly that are near them, by its configuration. */
  readonly reassemblyThreshold: number;
  /** Of an AFTR: tunnel packets whose inner source is not bound to their outer source, since the datapath started. */
  readonly violations: number;
  /** Of a gateway whose AFTR refused packets of it: how many since its counters were zero. */
  readonly refusal?: ObservedRefusal;
}

export interface ObservedRefusal {
  readonly packets: number;
  /** IPv4 address, of the newest of them. */
  readonly innerSource: string;
}

/** Packets of one outer source whose inner source is not bound to it, since the last observation. */
export interface ObservedViolation {
  readonly aftr: string;
  /** IPv6 address. */
  readonly outerSource: string;
  /** IPv4 address, of the newest of them. */
  readonly innerSource: string;
  readonly packets: number;
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
  /** When counting began (RFC 3339): start of the datapath process, or the last time it was cleared. */
  readonly discontinuityTime: string;
  readonly ipv4: SideCounters;
  readonly ipv6: SideCounters;
  /** Packets with an ECN combination that RFC 6040 §4.2 calls dangerous; they are counted above, too. */
  readonly ecnAnomalies: number;
  /** Errors that the instance made, and those that its rates forbade. They are no part of the traffic. */
  readonly icmpv4Errors: ErrorCounters;
  readonly icmpv6Errors: ErrorCounters;
}

export interface ErrorCounters {
  readonly sent: number;
  readonly suppressed: number;
}

/** Traffic of one binding since a time (milliseconds of Date.now()), each packet as it was received. */
export interface BindingCounters {
  readonly sinceMs: number;
  readonly encapsulatedPackets: number;
  readonly encapsulatedOctets: number;
  readonly decapsulatedPackets: number;
  readonly decapsulatedOctets: number;
}

/** Numbers that BindingCounters has. */
export const BINDING_COUNTERS = 5;
/** Bindings asked for in one request. */
export const MOST_BINDING_KEYS = 4_096;

/** One gateway of an AFTR. */
export interface SoftwireCounters {
  /** Its IPv6 address. */
  readonly remote: string;
  /** Bindings and port sets. */
  readonly bindings: number;
  /** Absent while the AFTR does not count. */
  readonly counters?: BindingCounters & {
    readonly violations: Traffic;
    readonly lastViolation?: { readonly timeMs: number; readonly ipv4Source: string };
  };
}

/** Gateways of one AFTR. */
export interface AftrSoftwires {
  readonly name: string;
  readonly softwires: readonly SoftwireCounters[];
}

/** What one instance learned from the network; forgotten when it is out of date. */
export interface InstanceLearned {
  readonly role: 'gateway' | 'aftr';
  readonly name: string;
  /** One for each far end whose path takes less than is configured. */
  readonly pathMtus: readonly LearnedPathMtu[];
  /** Of a gateway whose AFTR refused packets of it. */
  readonly sourceRefusal?: SourceRefusal;
}

export interface LearnedPathMtu {
  /** IPv6 address of the far end. */
  readonly remote: string;
  readonly mtu: number;
}

export interface SourceRefusal {
  readonly packets: number;
  /** RFC 3339. */
  readonly lastTime: string;
  readonly lastIpv4Source: string;
}

export interface SideCounters {
  readonly received: Traffic;
  readonly forwarded: Traffic;
  readonly hairpinned: Traffic;
  readonly replied: Traffic;
  /** Waiting now, for the rest of their datagram. */
  readonly held: Traffic;
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
