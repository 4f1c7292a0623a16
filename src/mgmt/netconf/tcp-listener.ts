/** TCP listeners of one face on several addresses, and the count of connections that nobody has authenticated yet. */

import type { Server, Socket } from 'node:net';
import { createServer } from 'node:net';
import type { NetconfLimits } from '../../netconf-limits.ts';

export interface ListenOptions {
  /** What the face is called, and the option that sets its port. */
  readonly face: string;
  readonly option: string;
  readonly hosts: readonly string[];
  /** 0 for any. */
  readonly port: number;
  /** Whether a client may say that it sends nothing more and still wait for its answers. */
  readonly allowHalfOpen: boolean;
  /** Whoever takes a socket ends it when the face ends. */
  readonly onSocket: (socket: Socket, source: string) => void;
}

export interface Listening {
  readonly port: number;
  /** Accepts nothing more; resolves when the sockets have ended too. */
  close(): Promise<void>;
}

/** @throws Error with code EADDRINUSE or EACCES and a sentence when it cannot listen */
export async function listenTcp(options: ListenOptions): Promise<Listening> {
  const servers: Server[] = [];
  const close = async () => {
    await Promise.all(servers.map((server) => new Promise<void>((resolve) => server.close(() => resolve()))));
  };
  let { port } = options;
  try {
    for (const host of options.hosts) {
      const { allowHalfOpen } = options;
      const server = createServer({ allowHalfOpen }, (socket) => accept(socket, options));
      port = await listen(server, host, port, options);
      servers.push(server);
    }
  } catch (error) {
    await close();
    throw error;
  }
  return { port, close };
}

function accept(socket: Socket, { onSocket }: ListenOptions): void {
  socket.on('error', () => undefined);
  const source = socket.remoteAddress;
  // It has gone already.
  if (source === undefined) socket.destroy();
  else onSocket(socket, source);
}

function listen(server: Server, host: string, port: number, options: ListenOptions): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => reject(listenError(error, host, port, options)));
    server.listen(port, host, () => {
      const address = server.address();
      resolve(typeof address === 'object' && address !== null ? address.port : port);
    });
  });
}

function listenError(error: NodeJS.ErrnoException, host: string, port: number, { face, option }: ListenOptions): Error {
  const why =
    error.code === 'EADDRINUSE'
      ? `the port is taken: stop the other program or choose another with ${option}`
      : error.code === 'EACCES'
        ? 'a port below 1024 needs CAP_NET_BIND_SERVICE: start with gi4over6 run as root'
        : error.message;
  const message = `${face} cannot listen on ${host} port ${port}: ${why}`;
  return Object.assign(new Error(message, { cause: error }), { code: error.code ?? 'LISTEN' });
}

/** Connections of clients that came and are not authenticated, over SSH and TLS together. */
export class Unauthenticated {
  readonly #limits: Pick<NetconfLimits, 'unauthenticated' | 'unauthenticatedPerSource'>;
  readonly #sources = new Map<Socket, string>();

  constructor(limits: Pick<NetconfLimits, 'unauthenticated' | 'unauthenticatedPerSource'>) {
    this.#limits = limits;
  }

  /** Whether there is room for one more; it is counted until it is authenticated or ends. */
  admit(socket: Socket, source: string): boolean {
    const { unauthenticated, unauthenticatedPerSource } = this.#limits;
    const sources = [...this.#sources.values()];
    if (sources.length >= unauthenticated) return false;
    if (sources.filter((other) => other === source).length >= unauthenticatedPerSource) return false;
    this.#sources.set(socket, source);
    socket.once('close', () => this.#sources.delete(socket));
    return true;
  }

  authenticated(socket: Socket): void {
    this.#sources.delete(socket);
  }
}
