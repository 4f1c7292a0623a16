/**
 * The datapath's end of the control channel: a unix socket that only its own user can open. Every message is checked;
 * what is no request ends the connection, since whoever sends that is not management.
 */

import { rmSync } from 'node:fs';
import type { Server, Socket } from 'node:net';
import { createServer } from 'node:net';
import { join } from 'node:path';
import type {
  AftrSoftwires,
  ControlReply,
  ControlRequest,
  DatapathObservation,
  DatapathStatus,
  InstanceCounters,
  InstanceLearned,
  Refusal,
  TraceResult,
  WatchResult,
} from '../control.ts';
import { CONTROL_SOCKET, MOST_BINDING_KEYS, readLines, sendLine } from '../control.ts';
import type { Log } from '../log.ts';
import type { Role } from './engine.ts';
import { PACKET_MAX } from './packet-device.ts';

/** What the requests lead to. An error that one throws is sent as its answer. */
export interface ControlHandlers {
  status(): Promise<DatapathStatus>;
  counters(): readonly InstanceCounters[];
  learned(): readonly InstanceLearned[];
  observe(): DatapathObservation;
  /** Statistics of bindings of an AFTR by their keys: BINDING_COUNTERS numbers for each. */
  bindingCounters(aftr: string, keys: Float64Array): Float64Array;
  /** Gateways of each AFTR, those of the addresses or all. */
  softwires(gateways?: readonly string[]): readonly AftrSoftwires[];
  prepare(configuration: unknown): Promise<readonly Refusal[]>;
  /** Follows the store to `version` at least; returns the version that is applied then. */
  apply(version: number): Promise<{ readonly version: number }>;
  /** Counts an instance from zero again; whether there is one. */
  clearStatistics(role: Role, name: string): boolean;
  /** What would become of a packet; undefined when no instance was ever configured. */
  trace(packet: Uint8Array): TraceResult | undefined;
  watch(address: number): WatchResult;
  /** Ends the process. */
  end(): void;
}

/** Octal 0600 for the socket. */
const SOCKET_UMASK = 0o177;

export class ControlServer {
  readonly #server: Server;
  readonly #connections = new Set<Socket>();
  readonly #handlers: ControlHandlers;
  readonly #log: Log;

  private constructor(handlers: ControlHandlers, log: Log) {
    this.#handlers = handlers;
    this.#log = log;
    this.#server = createServer((socket) => this.#serve(socket));
  }

  /** Listens in `runDir`; a socket that an earlier process left is replaced. @throws Error with code from the system */
  static async listen(runDir: string, handlers: ControlHandlers, log: Log): Promise<ControlServer> {
    const server = new ControlServer(handlers, log);
    const path = join(runDir, CONTROL_SOCKET);
    rmSync(path, { force: true });
    const umask = process.umask(SOCKET_UMASK);
    try {
      await new Promise<void>((resolve, reject) => {
        server.#server.once('error', reject);
        server.#server.listen(path, resolve);
      });
    } finally {
      process.umask(umask);
    }
    return server;
  }

  async close(): Promise<void> {
    const closed = new Promise((resolve) => this.#server.close(resolve));
    for (const socket of this.#connections) socket.destroy();
    await closed;
  }

  #serve(socket: Socket): void {
    this.#connections.add(socket);
    socket.on('close', () => this.#connections.delete(socket));
    socket.on('error', (error) => this.#log.warn({ error: error.message }, 'control channel'));
    readLines(socket, (message) => {
      const request = checkRequest(message);
      if (request) void this.#answer(socket, request);
      else socket.destroy(new Error('control channel: expected a request with an id and a known op'));
    });
  }

  async #answer(socket: Socket, request: ControlRequest): Promise<void> {
    const reply = await this.#reply(request);
    if (!socket.destroyed) sendLine(socket, reply);
  }

  async #reply(request: ControlRequest): Promise<ControlReply> {
    const { id } = request;
    try {
      return { id, result: await this.#result(request) };
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error);
      this.#log.error({ op: request.op, error: message }, 'control request failed');
      return { id, error: message };
    }
  }

  #result(request: ControlRequest): unknown {
    switch (request.op) {
      case 'status':
        return this.#handlers.status();
      case 'counters':
        return this.#handlers.counters();
      case 'learned':
        return this.#handlers.learned();
      case 'observe':
        return this.#handlers.observe();
      case 'binding-counters':
        return textOf(this.#handlers.bindingCounters(request.aftr, numbersOf(request.keys)));
      case 'softwires':
        return this.#handlers.softwires(request.gateways);
      case 'prepare':
        return this.#handlers.prepare(request.configuration);
      case 'apply':
        return this.#handlers.apply(request.version);
      case 'clear-statistics':
        return this.#handlers.clearStatistics(request.role, request.name);
      case 'trace':
        return this.#handlers.trace(Buffer.from(request.packet, 'hex')) ?? null;
      case 'watch':
        return this.#handlers.watch(request.address);
      case 'end':
        return this.#handlers.end();
    }
  }
}

/** The request in a message; undefined when it is none. */
export function checkRequest(message: unknown): ControlRequest | undefined {
  if (typeof message !== 'object' || message === null) return undefined;
  const fields = message as Readonly<Record<string, unknown>>;
  const { id, op, configuration, version, role, name, packet, address, aftr, keys, gateways } = fields;
  if (!isCount(id)) return undefined;
  switch (op) {
    case 'status':
    case 'counters':
    case 'learned':
    case 'observe':
    case 'end':
      return { id, op };
    case 'binding-counters':
      return typeof aftr === 'string' && isKeys(keys) ? { id, op, aftr, keys } : undefined;
    case 'softwires':
      if (gateways === undefined) return { id, op };
      return isTexts(gateways) ? { id, op, gateways } : undefined;
    case 'prepare':
      return isObject(configuration) ? { id, op, configuration } : undefined;
    case 'apply':
      return isCount(version) ? { id, op, version } : undefined;
    case 'clear-statistics':
      return isRole(role) && typeof name === 'string' ? { id, op, role, name } : undefined;
    case 'trace':
      return isPacket(packet) ? { id, op, packet } : undefined;
    case 'watch':
      return isCount(address) && address > 0 && address <= 0xffff_ffff ? { id, op, address } : undefined;
    default:
      return undefined;
  }
}

function isCount(value: unknown): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0;
}

function isRole(value: unknown): value is Role {
  return value === 'gateway' || value === 'aftr';
}

/** One to 65,535 octets in hexadecimal. */
function isPacket(value: unknown): value is string {
  return typeof value === 'string' && value.length <= 2 * PACKET_MAX && /^(?:[0-9a-f]{2})+$/.test(value);
}

/** Whole 64-bit numbers in base64, not too many. */
function isKeys(value: unknown): value is string {
  if (typeof value !== 'string' || value.length > 11 * MOST_BINDING_KEYS || !/^[A-Za-z0-9+/]*={0,2}$/.test(value))
    return false;
  return Buffer.byteLength(value, 'base64') % 8 === 0;
}

function isTexts(value: unknown): value is string[] {
  return Array.isArray(value) && value.every((item) => typeof item === 'string');
}

/** The numbers in base64. */
function numbersOf(text: string): Float64Array {
  return new Float64Array(Uint8Array.from(Buffer.from(text, 'base64')).buffer);
}

function textOf({ buffer, byteOffset, byteLength }: Float64Array): string {
  return Buffer.from(buffer, byteOffset, byteLength).toString('base64');
}

function isObject(value: unknown): boolean {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
