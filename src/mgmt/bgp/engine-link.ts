/**
 * The GoBGP of this device, brought to the configuration and kept there:
 *
 *   1. started as a child, or connected to where `engine-socket` says that its owner runs it
 *   2. ours: told the AS, then what is to be announced, then its neighbors
 *   3. followed: sessions and announcements, from all that there is
 *   4. when it ends or does not answer: from the beginning
 */

import { existsSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { formatIpv4, formatIpv6 } from '../../address.ts';
import type { Log } from '../../log.ts';
import type { Bgp, Neighbor } from '../../state/model.generated.ts';
import { EngineClient } from './engine-client.ts';
import type { Path } from './engine-messages.ts';
import { EngineProcess } from './engine-process.ts';
import { peerOf } from './peer-request.ts';

const READY_MS = 10_000;
const RETRY_MS = 1_000;
const SOCKET = 'gobgp.sock';
/** There as long as our GoBGP has not ended well: neighbors may have kept what it announced. */
const RUNS_FILE = 'gobgp.runs';

export type EngineState = 'off' | 'starting' | 'running' | 'failing';

export interface EngineLinkParts {
  readonly runDir: string;
  readonly log: Log;
  readonly command?: string | undefined;
  /** Before the neighbors are there. */
  readonly onPrepare: (client: EngineClient, isOurs: boolean) => Promise<void>;
  readonly onSession: (address: string, sessionState: number) => void;
  readonly onPaths: (paths: readonly Path[]) => void;
  /** It is gone. */
  readonly onDown: () => void;
}

export class EngineLink {
  readonly #parts: EngineLinkParts;
  #bgp: Bgp | undefined;
  /** What the engine that runs was made for. */
  #made = '';
  #process: EngineProcess | undefined;
  #client: EngineClient | undefined;
  #unwatch: (() => void) | undefined;
  #retry: NodeJS.Timeout | undefined;
  #turn: Promise<void> = Promise.resolve();
  /** Neighbors that it has, by address. */
  readonly #peers = new Map<string, string>();
  state: EngineState = 'off';
  problem = '';

  constructor(parts: EngineLinkParts) {
    this.#parts = parts;
  }

  /** There while it runs. */
  get client(): EngineClient | undefined {
    return this.state === 'running' ? this.#client : undefined;
  }

  follow(bgp: Bgp): void {
    const isComplete = bgp.neighbor.length > 0 && bgp.localAs !== undefined && bgp.routerId !== undefined;
    this.#bgp = isComplete ? bgp : undefined;
    const { localAs, routerId, localPort, localAddress, engineSocket } = bgp;
    const made = isComplete
      ? JSON.stringify([localAs, routerId, localPort, localAddress.map((a) => formatIpv6(a)), engineSocket])
      : '';
    if (made !== this.#made) {
      this.#made = made;
      this.#inTurn(() => this.#begin());
    } else if (this.state === 'running') this.#inTurn(() => this.#bringPeers());
  }

  /** One after the other; what fails leads to a new beginning. */
  #inTurn(work: () => Promise<void>): void {
    this.#turn = this.#turn.then(work).catch((error: unknown) => {
      this.#fail(error instanceof Error ? error.message : String(error));
    });
  }

  async #begin(): Promise<void> {
    await this.#stop();
    const bgp = this.#bgp;
    if (!bgp) return;
    this.state = 'starting';
    if (bgp.engineSocket !== undefined) {
      this.#connect(bgp.engineSocket);
      return;
    }
    const socket = join(this.#parts.runDir, SOCKET);
    const { log, command } = this.#parts;
    this.#process = new EngineProcess({
      socket,
      log,
      ...(command !== undefined && { command }),
      onStart: () => this.#connect(socket),
      onEnd: (why) => this.#fail(why),
    });
  }

  #connect(socket: string): void {
    this.#disconnect();
    const client = new EngineClient(socket);
    this.#client = client;
    this.#inTurn(async () => {
      if (client !== this.#client) return;
      if (!(await client.isReady(READY_MS))) throw new Error(`GoBGP does not answer on ${socket}`);
      await this.#prepare(client);
    });
  }

  async #prepare(client: EngineClient): Promise<void> {
    const bgp = this.#bgp;
    if (!bgp || client !== this.#client) return;
    const isOurs = bgp.engineSocket === undefined;
    if (isOurs) {
      const { localAs: asn, routerId = 0, localPort, localAddress } = bgp;
      const listenAddresses = localAddress.length === 0 ? ['::'] : localAddress.map((address) => formatIpv6(address));
      const global = { asn, routerId: formatIpv4(routerId), listenPort: localPort, listenAddresses };
      await client.call('StartBgp', { global });
    }
    await this.#parts.onPrepare(client, isOurs);
    this.state = 'running';
    this.#peers.clear();
    await this.#bringPeers();
    if (isOurs) writeFileSync(this.#runsFile, '');
    this.problem = '';
    this.#parts.log.info({ isOurs }, 'GoBGP runs');
    this.#unwatch = client.watch(
      ({ peer, table }) => {
        const state = peer?.peer?.state;
        if (state) this.#parts.onSession(state.neighborAddress, state.sessionState);
        if (table) this.#parts.onPaths(table.paths);
      },
      (why) => this.#fail(why),
    );
  }

  get #runsFile(): string {
    return join(this.#parts.runDir, RUNS_FILE);
  }

  /** The neighbors of the configuration, and no others. */
  async #bringPeers(): Promise<void> {
    const { neighbor = [], engineSocket } = this.#bgp ?? {};
    const client = this.client;
    if (!client || engineSocket !== undefined) return;
    const wanted = new Map(neighbor.map((item): [string, Neighbor] => [formatIpv6(item.address), item]));
    for (const [address, made] of [...this.#peers]) {
      const now = wanted.get(address);
      if (now && madeFor(now) === made) continue;
      await client.call('DeletePeer', { address });
      this.#peers.delete(address);
    }
    const isRestart = existsSync(this.#runsFile) && this.#peers.size === 0;
    for (const [address, item] of wanted) {
      if (this.#peers.has(address)) continue;
      await client.call('AddPeer', { peer: peerOf(item, isRestart) });
      this.#peers.set(address, madeFor(item));
    }
  }

  #fail(why: string): void {
    if (this.state === 'off') return;
    if (why !== this.problem) this.#parts.log.warn({ problem: why }, 'GoBGP does not run: tried again');
    this.problem = why;
    this.state = 'failing';
    this.#disconnect();
    this.#parts.onDown();
    clearTimeout(this.#retry);
    // A child that has ended is started again and connected to then.
    if (this.#process && this.#process.pid === undefined) return;
    this.#retry = setTimeout(() => this.#inTurn(() => this.#begin()), RETRY_MS);
    this.#retry.unref();
  }

  #disconnect(): void {
    this.#unwatch?.();
    this.#unwatch = undefined;
    this.#client?.close();
    this.#client = undefined;
  }

  async #stop(): Promise<void> {
    clearTimeout(this.#retry);
    const wasThere = this.state !== 'off';
    this.state = 'off';
    this.#disconnect();
    if (this.#process) {
      await this.#process.end();
      rmSync(this.#runsFile, { force: true });
    }
    this.#process = undefined;
    if (wasThere) this.#parts.onDown();
  }

  /** A planned end: neighbors are told. */
  async close(): Promise<void> {
    this.#bgp = undefined;
    this.#made = '';
    this.#inTurn(() => this.#stop());
    await this.#turn;
  }
}

function madeFor({ address, ...rest }: Neighbor): string {
  return JSON.stringify([formatIpv6(address), rest]);
}
