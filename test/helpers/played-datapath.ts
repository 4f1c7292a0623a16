/** A datapath that is played to a management process: it says what the test wants it to have seen. */

import { rmSync } from 'node:fs';
import type { Server, Socket } from 'node:net';
import { createServer } from 'node:net';
import { dirname, join } from 'node:path';
import type {
  ControlReply,
  ControlRequest,
  DatapathObservation,
  InstanceState,
  ObservedViolation,
  TraceResult,
  WatchResult,
} from '../../src/control.ts';
import { CONTROL_SOCKET, readLines, sendLine } from '../../src/control.ts';

export class PlayedDatapath {
  /** What it says of its instances; undefined for what it could not find out. */
  instances: readonly InstanceState[] | undefined;
  /** Part of its memory for reassembly at AFTRs. */
  memory = 0;
  /** Of AFTR `a`: packets of violations so far, and those to be told next. */
  violations = 0;
  violationSources: ObservedViolation[] = [];
  /** What it says to a trace; null as one without the instance that is meant. */
  traced: TraceResult | null = null;
  /** The packet of the last trace, hexadecimal. */
  asked = '';
  watched: WatchResult = { packets: [], missed: 0 };
  readonly #path: string;
  readonly #sockets = new Set<Socket>();
  #server: Server | undefined;
  #version = 0;

  /** Beside the NETCONF socket of a management process. */
  constructor(netconfSocket: string) {
    this.#path = join(dirname(netconfSocket), CONTROL_SOCKET);
  }

  async start(): Promise<void> {
    rmSync(this.#path, { force: true });
    const server = createServer((socket) => {
      socket.unref();
      this.#sockets.add(socket);
      socket.on('error', () => undefined).on('close', () => this.#sockets.delete(socket));
      readLines(socket, (message) => {
        const request = message as ControlRequest;
        sendLine(socket, { id: request.id, result: this.#answer(request) } satisfies ControlReply);
      });
    });
    // A test that leaves it behind ends all the same.
    this.#server = server.unref();
    await new Promise<void>((resolve) => server.listen(this.#path, resolve));
  }

  /** As when its process ends. */
  async stop(): Promise<void> {
    const server = this.#server;
    this.#server = undefined;
    if (!server) return;
    const closed = new Promise((resolve) => server.close(resolve));
    for (const socket of this.#sockets) socket.destroy();
    await closed;
  }

  #answer(request: ControlRequest): unknown {
    if (request.op === 'apply') {
      this.#version = request.version;
      return { version: this.#version };
    }
    if (request.op === 'status') return this.#status();
    if (request.op === 'observe') return this.#observe();
    if (request.op === 'trace') {
      this.asked = request.packet;
      return this.traced;
    }
    if (request.op === 'watch') return this.watched;
    return [];
  }

  #status() {
    const { instances } = this;
    const rest = { contentHash: '', bindings: 0, capacity: 10, startedAt: new Date().toISOString(), problems: [] };
    return { pid: process.pid, version: this.#version, ...rest, ...(instances && { instances }) };
  }

  #observe(): DatapathObservation {
    const violations = this.violationSources;
    this.violationSources = [];
    return {
      instances: [{ role: 'aftr', name: 'a', reassembly: 0, reassemblyThreshold: 80, violations: this.violations }],
      reassemblyMemory: { gateway: 0, aftr: this.memory },
      violations,
    };
  }
}
