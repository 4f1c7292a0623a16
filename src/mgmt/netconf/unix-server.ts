/** NETCONF on the local socket: the recovery session. Who may open the socket is decided by its file permissions alone. */

import { chmodSync, rmSync } from 'node:fs';
import type { Socket } from 'node:net';
import { createServer } from 'node:net';
import { join } from 'node:path';

export const LOCAL_SOCKET = 'netconf.sock';

/** Listens on `netconf.sock` in the run directory, mode 0600. */
export async function listenUnix(
  runDir: string,
  open: (transport: Socket) => void,
): Promise<{ close(): Promise<void> }> {
  const path = join(runDir, LOCAL_SOCKET);
  rmSync(path, { force: true });
  const server = createServer((socket) => {
    socket.on('error', () => undefined);
    open(socket);
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(path, resolve);
  });
  chmodSync(path, 0o600);
  return { close: () => new Promise((resolve) => server.close(() => resolve())) };
}
