/** NETCONF on the local socket: the recovery session. Who may open the socket is decided by its file permissions alone. */

import { rmSync } from 'node:fs';
import type { Socket } from 'node:net';
import { createConnection, createServer } from 'node:net';
import { join } from 'node:path';

export const LOCAL_SOCKET = 'netconf.sock';

/**
 * Listens on `netconf.sock` in the run directory, mode 0600; a socket that nobody answers on is replaced.
 * @throws Error with code EADDRINUSE when another process answers there, or that of the system
 */
export async function listenUnix(
  runDir: string,
  open: (transport: Socket) => void,
): Promise<{ close(): Promise<void> }> {
  const path = join(runDir, LOCAL_SOCKET);
  if (await isAnswered(path)) {
    const message = `${path} is in use by another process: stop it, or give this one a run directory of its own`;
    throw Object.assign(new Error(message), { code: 'EADDRINUSE' });
  }
  rmSync(path, { force: true });
  const sockets = new Set<Socket>();
  // A client may say that it sends nothing more and still wait for its answers.
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
    socket.on('error', () => undefined);
    open(socket);
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', (cause: NodeJS.ErrnoException) => {
      const message = `cannot listen on ${path}: ${cause.message}`;
      reject(Object.assign(new Error(message, { cause }), { code: cause.code ?? 'LISTEN' }));
    });
    // The socket is made inside listen, so that it never has another mode.
    const mask = process.umask(0o177);
    server.listen(path, resolve);
    process.umask(mask);
  });
  return {
    close: async () => {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      for (const socket of sockets) socket.destroy();
      await closed;
    },
  };
}

function isAnswered(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = createConnection(path);
    const settle = (answered: boolean) => {
      socket.destroy();
      resolve(answered);
    };
    socket.once('connect', () => settle(true));
    socket.once('error', () => settle(false));
  });
}
